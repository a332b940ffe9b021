/* SPDX-License-Identifier: MIT */
/* tls - the client side of TLS 1.2 on a connected socket
 *
 * Map: the judgement of a certificate chain (struct chain), the texts of its errors, the engine,
 * then reading and writing.
 *
 * A chain is collected whole and judged at its end: only then is it known which of the trusted CA
 * certificates have to be decoded, and what the library does not look at can be checked as well. */
#include "service/tls.h"

#include <bearssl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/time.h"
#include "format/der.h"
#include "service/resolver.h"
#include "service/sock.h"
#include "service/trust.h"

#define CERTIFICATES_MAX        8
#define ANCHORS_MAX             16
#define MIN_RSA_BYTES           256
#define HANDSHAKE_SECONDS       15
#define STALL_SECONDS           30
#define DAYS_TO_1970            719528
#define ALERT_UNRECOGNIZED_NAME 112 /* RFC 6066, not in the library's header */
#define RECORD_FIRST            20  /* record types of RFC 5246 */
#define RECORD_ALERT            21
#define RECORD_LAST             23

/* A CA certificate in the library's form. */
struct anchor {
	struct buf dn;
	uint8_t key[1024]; /* of RSA: modulus of 4,096 bits and exponent */
};

struct chain {
	const br_x509_class *vtable;
	br_x509_minimal_context minimal;
	const struct url *url;
	const struct tls_trust *trust;
	const struct trust_set *set;
	struct buf der; /* all certificates, leaf first */
	size_t lens[CERTIFICATES_MAX];
	struct der_certificate facts[CERTIFICATES_MAX];
	size_t count;
	bool too_much;
	bool explained;          /* the text is recorded already */
	bool constrained_anchor; /* a CA that would fit has name constraints */
	int64_t now;             /* seconds since 1970, what the chain was judged by */
	br_x509_trust_anchor anchors[ANCHORS_MAX];
	struct anchor storage[ANCHORS_MAX];
	size_t anchor_count;
};

struct tls {
	br_ssl_client_context client;
	struct chain *chain; /* during the handshake */
	int fd;
	char host[256];
	uint8_t first[5]; /* that the server ever sent */
	size_t received;  /* up to sizeof(first) */
	int error;        /* errno value of the socket, 0 if it is fine; EPIPE: it has ended */
	uint8_t buffer[BR_SSL_BUFSIZE_BIDI];
};

static struct chain *chain_of(const br_x509_class **ctx)
{
	return (struct chain *)(void *)ctx;
}

static void start_chain(const br_x509_class **ctx, const char *server_name)
{
	struct chain *c = chain_of(ctx);

	(void)server_name; /* what counts is the URL, see judge */
	buf_clear(&c->der);
	c->count = 0;
	c->too_much = false;
}

static void start_cert(const br_x509_class **ctx, uint32_t length)
{
	struct chain *c = chain_of(ctx);

	if (c->count == CERTIFICATES_MAX || length > DER_CERTIFICATE_MAX)
		c->too_much = true;
	else
		c->lens[c->count] = length;
}

static void append(const br_x509_class **ctx, const unsigned char *data, size_t len)
{
	struct chain *c = chain_of(ctx);

	if (!c->too_much)
		buf_add(&c->der, data, len);
}

static void end_cert(const br_x509_class **ctx)
{
	chain_of(ctx)->count++;
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
	const struct chain *c = (const struct chain *)(const void *)ctx;

	return c->minimal.vtable->get_pkey(&c->minimal.vtable, usages);
}

/* Refuse the chain for a reason that the library has no number for. */
static unsigned refuse(struct chain *c, const char *why)
{
	fail(EPROTO, "the certificate of '%s' %s", c->url->host, why);
	c->explained = true;
	return BR_ERR_X509_NOT_TRUSTED;
}

static void append_dn(void *ctx, const void *data, size_t len)
{
	buf_add(ctx, data, len);
}

/* Copy the N-th part of a key behind what KEY holds already. */
static bool copy_key(struct anchor *a, size_t *used, unsigned char **part, size_t len)
{
	if (len > sizeof(a->key) - *used)
		return false;
	memcpy(a->key + *used, *part, len);
	*part = a->key + *used;
	*used += len;
	return true;
}

/* Decode one CA certificate; one that cannot be used is as one that is not there. */
static void add_anchor(struct chain *c, const struct trust_item *item)
{
	br_x509_trust_anchor *ta = &c->anchors[c->anchor_count];
	struct anchor *a = &c->storage[c->anchor_count];
	br_x509_decoder_context decoder;
	br_x509_pkey *key;
	size_t used = 0;
	bool good;

	if (item->name_constraints) {
		c->constrained_anchor = true;
		return;
	}
	buf_clear(&a->dn);
	br_x509_decoder_init(&decoder, append_dn, &a->dn);
	br_x509_decoder_push(&decoder, c->set->der.data + item->start, item->len);
	key = br_x509_decoder_get_pkey(&decoder);
	if (!key || a->dn.failed)
		return;
	*ta = (br_x509_trust_anchor){ .pkey = *key };
	ta->dn.data = (unsigned char *)a->dn.data;
	ta->dn.len = a->dn.len;
	ta->flags = br_x509_decoder_isCA(&decoder) ? BR_X509_TA_CA : 0;
	if (key->key_type == BR_KEYTYPE_RSA)
		good = copy_key(a, &used, &ta->pkey.key.rsa.n, key->key.rsa.nlen) &&
			copy_key(a, &used, &ta->pkey.key.rsa.e, key->key.rsa.elen);
	else
		good = copy_key(a, &used, &ta->pkey.key.ec.q, key->key.ec.qlen);
	if (good)
		c->anchor_count++;
}

static bool has_anchor(const struct chain *c, const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < c->anchor_count; i++)
		if (c->storage[i].dn.len == len && memcmp(c->storage[i].dn.data, name, len) == 0)
			return true;
	return false;
}

/* Decode the CA certificates called NAME, once each. */
static void add_anchors(struct chain *c, const uint8_t *name, size_t len)
{
	const struct trust_item *item;
	size_t at = 0;

	if (has_anchor(c, name, len))
		return;
	while (c->anchor_count < ANCHORS_MAX && (item = trust_find(c->set, &at, name, len)))
		add_anchor(c, item);
}

/* The facts of all certificates, and the anchors they may lead to. False: one cannot be read. */
static bool read_facts(struct chain *c)
{
	const uint8_t *der = (const uint8_t *)c->der.data;
	struct der_certificate *f;
	bool good = true;

	c->now = trust_now(c->trust);
	for (size_t i = 0; i < c->count; der += c->lens[i++]) {
		f = &c->facts[i];
		if (der_parse(f, der, c->lens[i]) < 0) {
			good = false;
			continue;
		}
		add_anchors(c, f->issuer, f->issuer_len);
		add_anchors(c, f->subject, f->subject_len);
		/* With a clock that is known to be wrong only the end of validity means something. */
		if (time_now() / NS_PER_S < c->trust->floor && c->now < f->not_before)
			c->now = f->not_before;
	}
	return good;
}

/* Let the library check signatures, dates, key usages, and the host if it is a name. */
static unsigned run_library(struct chain *c)
{
	br_x509_minimal_context *m = &c->minimal;
	const uint8_t *der = (const uint8_t *)c->der.data;

	br_x509_minimal_init(m, &br_sha256_vtable, c->anchors, c->anchor_count);
	br_x509_minimal_set_rsa(m, br_rsa_pkcs1_vrfy_get_default());
	br_x509_minimal_set_ecdsa(m, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
	br_x509_minimal_set_hash(m, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_hash(m, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_hash(m, br_sha512_ID, &br_sha512_vtable);
	br_x509_minimal_set_minrsa(m, MIN_RSA_BYTES);
	br_x509_minimal_set_time(
		m, (uint32_t)(c->now / 86400 + DAYS_TO_1970), (uint32_t)(c->now % 86400));
	m->vtable->start_chain(&m->vtable, c->url->literal ? NULL : c->url->host);
	for (size_t i = 0; i < c->count; der += c->lens[i++]) {
		m->vtable->start_cert(&m->vtable, (uint32_t)c->lens[i]);
		m->vtable->append(&m->vtable, der, c->lens[i]);
		m->vtable->end_cert(&m->vtable);
	}
	return m->vtable->end_chain(&m->vtable);
}

/* Does the leaf name the host? An address is never looked for among the names (CN=127.0.0.1). */
static bool names_host(const struct chain *c)
{
	const uint8_t *leaf = (const uint8_t *)c->der.data;
	struct dns_address a;

	if (!c->url->literal)
		return der_has_name(leaf, c->lens[0], c->url->host);
	return resolver_parse_address(&a, c->url->host) &&
		der_has_address(leaf, c->lens[0], a.bytes, a.family == 4 ? 4 : 16);
}

static unsigned end_chain(const br_x509_class **ctx)
{
	struct chain *c = chain_of(ctx);
	unsigned err;

	if (c->too_much || c->der.failed || !c->count)
		return refuse(
			c, "comes in a chain that is empty, of more than 8, or over 16 KiB each");
	if (!read_facts(c))
		return refuse(
			c, "or of an issuer is not a well-formed X.509 version 3 certificate");
	for (size_t i = 0; i < c->count; i++)
		if (c->facts[i].name_constraints)
			return refuse(c,
				"comes in a chain with name constraints, which are not supported");
	err = run_library(c);
	if (err)
		return err;
	if (!c->facts[0].has_san)
		return refuse(c, "has no subjectAltName (the common name is not looked at)");
	if (!names_host(c))
		return BR_ERR_X509_BAD_SERVER_NAME;
	if (c->facts[0].has_eku && !c->facts[0].server_auth)
		return refuse(c, "is not for servers (extended key usage)");
	return 0;
}

static const br_x509_class chain_class = {
	.context_size = sizeof(struct chain),
	.start_chain = start_chain,
	.start_cert = start_cert,
	.append = append,
	.end_cert = end_cert,
	.end_chain = end_chain,
	.get_pkey = get_pkey,
};

static void chain_free(struct chain *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < ANCHORS_MAX; i++)
		buf_free(&c->storage[i].dn);
	buf_free(&c->der);
	free(c);
}

/* Which certificate is not valid now, and both its dates. */
static int fail_dates(const struct chain *c)
{
	char from[40], to[40], now[40];
	const struct der_certificate *f = c->facts;

	for (; f < c->facts + c->count - 1; f++)
		if (c->now < f->not_before || c->now > f->not_after)
			break;
	time_format(from, sizeof(from), f->not_before * NS_PER_S);
	time_format(to, sizeof(to), f->not_after * NS_PER_S);
	time_format(now, sizeof(now), c->now * NS_PER_S);
	fail(EPROTO, "the certificate of '%s'%s %s: valid from %s to %s, now it is %s",
		c->url->host, f == c->facts ? "" : " has an issuer whose certificate",
		c->now < f->not_before ? "is not valid yet" : "has expired", from, to, now);
	return fail_hint(-EPROTO, "check this machine's clock");
}

/* No CA certificate fits the chain. */
static int fail_unknown(const struct chain *c)
{
	const struct der_certificate *last = &c->facts[c->count - 1];
	const char *why = "or the server leaves an intermediate certificate out";

	if (c->constrained_anchor)
		return fail(EPROTO, "the CA of '%s' has name constraints, which are not supported",
			c->url->host);
	if (has_anchor(c, last->issuer, last->issuer_len))
		why = "one of that name is known, but has another key";
	else if (last->issuer_len == last->subject_len &&
		memcmp(last->issuer, last->subject, last->issuer_len) == 0)
		why = c->count == 1 ? "it is self-signed" : "the chain ends at a root of its own";
	if (c->set->place)
		fail(EPROTO,
			"the certificate of '%s' is of an unknown authority (%s): '%s' has %zu others, %zu "
			"that cannot be used",
			c->url->host, why, c->set->place, c->set->count, c->set->skipped);
	else
		fail(EPROTO,
			"the certificate of '%s' cannot be judged: no CA certificates are there",
			c->url->host);
	if (c->trust->only)
		return fail_hint(-EPROTO, "its CA must be in that file");
	if (c->trust->own && trust_is_registry(c->trust, c->url))
		return fail_hint(
			-EPROTO, "name its CA with --cacert, or put it into '%s'", c->trust->own);
	return fail_hint(-EPROTO, "name its CA with --cacert");
}

/* Error numbers of the library that somebody can do something about. */
static const struct {
	int error;
	const char *text;
} texts[] = {
	{ BR_ERR_X509_BAD_SERVER_NAME, "its certificate is for another host" },
	{ BR_ERR_X509_CRITICAL_EXTENSION,
		"its certificate has a critical extension that is not supported" },
	{ BR_ERR_X509_NOT_CA, "an issuer of its certificate is no CA" },
	{ BR_ERR_X509_FORBIDDEN_KEY_USAGE,
		"a key of its certificate chain may not be used for that" },
	{ BR_ERR_WRONG_KEY_USAGE, "the key of its certificate may not be used for that" },
	{ BR_ERR_X509_WEAK_PUBLIC_KEY,
		"its certificate chain has an RSA key of less than 2,048 bits" },
	{ BR_ERR_X509_UNSUPPORTED,
		"its certificate chain has a key or signature (SHA-1, RSASSA-PSS) that is not supported" },
	{ BR_ERR_X509_LIMIT_EXCEEDED, "its certificate chain has a key of more than 4,096 bits" },
	{ BR_ERR_LIMIT_EXCEEDED, "its certificate has a key of more than 4,096 bits" },
	{ BR_ERR_X509_BAD_SIGNATURE, "a signature in its certificate chain is wrong" },
	{ BR_ERR_X509_DN_MISMATCH, "its certificate chain is not in order" },
	{ BR_ERR_UNSUPPORTED_VERSION, "it speaks only versions before TLS 1.2" },
	{ BR_ERR_RECV_FATAL_ALERT + BR_ALERT_BAD_CERTIFICATE,
		"it seems to want a client certificate, which is not supported" },
	{ BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE,
		"no common cipher suite (here: TLS 1.2, ECDHE, AES-GCM or ChaCha20-Poly1305)" },
	{ BR_ERR_RECV_FATAL_ALERT + BR_ALERT_PROTOCOL_VERSION,
		"it needs TLS 1.3 or is too old; here is TLS 1.2" },
	{ BR_ERR_RECV_FATAL_ALERT + ALERT_UNRECOGNIZED_NAME, "it does not know that name" },
};

/* The engine has closed with an error. */
static int fail_engine(const struct tls *t)
{
	int error = br_ssl_engine_last_error(&t->client.eng);

	if (t->received == sizeof(t->first) && memcmp(t->first, "HTTP/", 5) == 0) {
		fail(EPROTO, "TLS with '%s': it speaks plain http", t->host);
		return fail_hint(-EPROTO, "--insecure, if nobody in between can be an enemy");
	}
	if (t->received > 1 &&
		(t->first[0] < RECORD_FIRST || t->first[0] > RECORD_LAST || t->first[1] != 3))
		return fail(EPROTO, "TLS with '%s': it does not speak TLS", t->host);
	/* Who disliked the suites said so at once, in place of any other record. */
	if (t->chain && t->first[0] != RECORD_ALERT &&
		error == BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE)
		error = BR_ERR_RECV_FATAL_ALERT + BR_ALERT_BAD_CERTIFICATE;
	if (t->chain && t->chain->explained)
		return -EPROTO;
	if (t->chain && error == BR_ERR_X509_EXPIRED)
		return fail_dates(t->chain);
	if (t->chain && error == BR_ERR_X509_NOT_TRUSTED)
		return fail_unknown(t->chain);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].error == error)
			return fail(EPROTO, "TLS with '%s': %s", t->host, texts[i].text);
	if (error >= BR_ERR_RECV_FATAL_ALERT)
		return fail(EPROTO, "TLS with '%s': alert %d", t->host, error & 0xff);
	return fail(EPROTO, "TLS with '%s': error %d", t->host, error);
}

/* The socket has failed or ended. */
static int fail_socket(const struct tls *t)
{
	if (t->error == ETIMEDOUT)
		return fail(ETIMEDOUT, "'%s' is silent", t->host);
	if (t->error == EPIPE && t->chain && !t->received) {
		fail(EPROTO, "'%s' hung up at the beginning of TLS", t->host);
		return fail_hint(-EPROTO, "if it speaks plain http: --insecure");
	}
	if (t->error == EPIPE)
		return fail(ECONNRESET, "'%s' hung up without the end of TLS", t->host);
	return fail(ECONNRESET, "'%s': %s", t->host, strerror(t->error));
}

static int pull_record(struct tls *t, int64_t deadline)
{
	size_t len;
	unsigned char *data = br_ssl_engine_recvrec_buf(&t->client.eng, &len);
	int n = sock_recv(t->fd, data, len, deadline);

	if (n <= 0) {
		t->error = n < 0 ? -n : EPIPE;
		return fail_socket(t);
	}
	for (int i = 0; i < n && t->received < sizeof(t->first); i++)
		t->first[t->received++] = data[i];
	br_ssl_engine_recvrec_ack(&t->client.eng, (size_t)n);
	return 0;
}

/* The server does not read any more, but may have said why before it went. */
static int fail_send(struct tls *t, int error)
{
	br_ssl_engine_context *e = &t->client.eng;

	while ((br_ssl_engine_current_state(e) & BR_SSL_RECVREC) && pull_record(t, 0) == 0)
		;
	t->error = error;
	if ((br_ssl_engine_current_state(e) & BR_SSL_CLOSED) && br_ssl_engine_last_error(e))
		return fail_engine(t);
	return fail_socket(t);
}

static int push_record(struct tls *t, int64_t deadline)
{
	size_t len;
	const unsigned char *data = br_ssl_engine_sendrec_buf(&t->client.eng, &len);
	int n = sock_send(t->fd, data, len, deadline);

	if (n < 0)
		return fail_send(t, -n);
	br_ssl_engine_sendrec_ack(&t->client.eng, (size_t)n);
	return 0;
}

/* Exchange records until the engine can do what WANT says: 1; 0 if the server has closed cleanly.
 * DEADLINE 0: 30 s for each wait. */
static int run(struct tls *t, unsigned want, int64_t deadline)
{
	br_ssl_engine_context *e = &t->client.eng;
	unsigned state;
	int64_t until;
	int r;

	if (t->error)
		return fail_socket(t);
	for (;;) {
		state = br_ssl_engine_current_state(e);
		until = deadline ? deadline : sock_deadline(STALL_SECONDS);
		if (state & BR_SSL_CLOSED)
			return br_ssl_engine_last_error(e) ? fail_engine(t) : 0;
		if (state & BR_SSL_SENDREC)
			r = push_record(t, until);
		else if (state & want)
			return 1;
		else if (state & BR_SSL_RECVREC)
			r = pull_record(t, until);
		else
			r = fail(EPROTO, "TLS with '%s': data that nobody asked for", t->host);
		if (r < 0)
			return r;
	}
}

/* AES-GCM is fast only where the CPU helps, ChaCha20 everywhere. */
static void choose_suites(br_ssl_engine_context *e)
{
	static const uint16_t suites[] = {
		BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		/* again from the start, for the other order */
		BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	};
	bool hardware = br_aes_x86ni_ctr_get_vtable() || br_aes_pwr8_ctr_get_vtable();

	br_ssl_engine_set_suites(e, hardware ? suites : suites + 4, 6);
}

static void set_up(struct tls *t, struct chain *c)
{
	br_ssl_engine_context *e = &t->client.eng;

	br_ssl_client_zero(&t->client);
	br_ssl_engine_set_versions(e, BR_TLS12, BR_TLS12);
	choose_suites(e);
	br_ssl_engine_add_flags(e, BR_OPT_NO_RENEGOTIATION);
	br_ssl_engine_set_hash(e, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(e, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_hash(e, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_prf_sha256(e, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(e, &br_tls12_sha384_prf);
	br_ssl_engine_set_default_rsavrfy(e);
	br_ssl_engine_set_default_ecdsa(e);
	br_ssl_engine_set_default_aes_gcm(e);
	br_ssl_engine_set_default_chapol(e);
	br_ssl_engine_set_x509(e, &c->vtable);
	br_ssl_engine_set_buffer(e, t->buffer, sizeof(t->buffer), 1);
}

static int handshake(struct tls *t, const struct url *u)
{
	int64_t deadline = sock_deadline(HANDSHAKE_SECONDS);
	unsigned char seed[32];
	int r;

	/* The library has no seeder of its own here: a confined process opens no devices. */
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return fail_errno("TLS: no random numbers");
	br_ssl_engine_inject_entropy(&t->client.eng, seed, sizeof(seed));
	explicit_bzero(seed, sizeof(seed));
	/* An address is no server name indication; the chain knows the host by the URL. */
	if (!br_ssl_client_reset(&t->client, u->literal ? NULL : u->host, 0))
		return fail(EPROTO, "TLS: bad host name '%s'", u->host);
	r = run(t, BR_SSL_SENDAPP, deadline);
	return r == 0 ? fail(EPROTO, "'%s' closed during the TLS handshake", t->host) : r;
}

int tls_open(struct tls **out, int fd, const struct url *u, const struct tls_trust *trust)
{
	struct tls *t = calloc(1, sizeof(*t));
	struct chain *c = calloc(1, sizeof(*c));
	int r;

	*out = NULL;
	if (!t || !c) {
		free(t);
		free(c);
		return fail(ENOMEM, "out of memory");
	}
	t->fd = fd;
	memcpy(t->host, u->host, sizeof(t->host));
	t->chain = c;
	c->vtable = &chain_class;
	c->url = u;
	c->trust = trust;
	c->set = trust_for(trust, u);
	set_up(t, c);
	r = handshake(t, u);
	t->chain = NULL;
	chain_free(c);
	if (r < 0) {
		tls_free(t);
		return r;
	}
	*out = t;
	return 0;
}

int tls_read(struct tls *t, void *buf, size_t len)
{
	unsigned char *data;
	size_t ready;
	int r = run(t, BR_SSL_RECVAPP, 0);

	if (r <= 0)
		return r;
	data = br_ssl_engine_recvapp_buf(&t->client.eng, &ready);
	if (len > ready)
		len = ready;
	memcpy(buf, data, len);
	br_ssl_engine_recvapp_ack(&t->client.eng, len);
	return (int)len;
}

int tls_write(struct tls *t, const void *data, size_t len)
{
	const uint8_t *from = data;
	unsigned char *room;
	size_t n;
	int r;

	do {
		r = run(t, BR_SSL_SENDAPP, 0);
		if (r > 0 && len) {
			room = br_ssl_engine_sendapp_buf(&t->client.eng, &n);
			n = n < len ? n : len;
			memcpy(room, from, n);
			br_ssl_engine_sendapp_ack(&t->client.eng, n);
			br_ssl_engine_flush(&t->client.eng, 0);
			from += n;
			len -= n;
			r = run(t, BR_SSL_SENDAPP, 0);
		}
		if (r <= 0)
			return r ? r : fail(ECONNRESET, "'%s' closed the connection", t->host);
	} while (len);
	return 0;
}

void tls_shutdown(struct tls *t)
{
	br_ssl_engine_context *e = &t->client.eng;
	const unsigned char *record;
	size_t len;
	int n;

	if (t->error)
		return;
	br_ssl_engine_close(e);
	while (br_ssl_engine_current_state(e) & BR_SSL_SENDREC) {
		record = br_ssl_engine_sendrec_buf(e, &len);
		n = sock_send(t->fd, record, len, 0);
		if (n < 0)
			return; /* the other end need not be there any more */
		br_ssl_engine_sendrec_ack(e, (size_t)n);
	}
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	explicit_bzero(t, sizeof(*t));
	free(t);
}
