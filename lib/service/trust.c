/* SPDX-License-Identifier: MIT */
/* trust - the CA certificates of tls.h in memory */
#include "service/trust.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "format/der.h"
#include "kernel/fd.h"

#define BUNDLE_MAX (8u << 20)

/* 2026-11-01: this source is newer, so a clock that says less is wrong. The date of the build itself
 * would make every build another. */
#define SOURCE_DATE 1793491200

static const char begin[] = "-----BEGIN CERTIFICATE-----";
static const char end[] = "-----END CERTIFICATE-----";

/* Where distributions keep the bundle of all CA certificates. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static void free_set(struct trust_set *set)
{
	buf_free(&set->der);
	free(set->items);
	free(set->place);
	*set = (struct trust_set){ 0 };
}

/* Base64 with line ends; 0 or a negative errno value. */
static int decode(const char *text, size_t len, uint8_t *der, size_t *der_len)
{
	char plain[4 * DER_CERTIFICATE_MAX / 3 + 8];
	size_t n = 0;
	int r;

	for (; len; text++, len--) {
		if (strchr(" \t\r\n", *text) && *text)
			continue;
		if (n == sizeof(plain))
			return -EMSGSIZE;
		plain[n++] = *text;
	}
	r = str_unbase64(der, DER_CERTIFICATE_MAX, plain, n);
	if (r < 0)
		return r;
	*der_len = (size_t)r;
	return 0;
}

/* Append one certificate; the room in items doubles at each power of two. */
static int add_item(
	struct trust_set *set, const struct der_certificate *c, const uint8_t *der, size_t len)
{
	struct trust_item *items;

	if ((set->count & (set->count - 1)) == 0) {
		items = realloc(set->items, (set->count ? set->count * 2 : 1) * sizeof(*items));
		if (!items)
			return fail(ENOMEM, "out of memory");
		set->items = items;
	}
	set->items[set->count] = (struct trust_item){
		.start = (uint32_t)set->der.len,
		.len = (uint32_t)len,
		.subject = (uint32_t)(set->der.len + (size_t)(c->subject - der)),
		.subject_len = (uint32_t)c->subject_len,
		.name_constraints = c->name_constraints,
	};
	buf_add(&set->der, der, len);
	if (buf_check(&set->der) < 0)
		return -ENOMEM;
	set->count++;
	return 0;
}

int trust_add_pem(struct trust_set *set, const char *text, size_t len, int64_t now)
{
	uint8_t der[DER_CERTIFICATE_MAX];
	const char *at = text, *stop = text + len, *last;
	struct der_certificate c;
	size_t der_len;
	int r;

	while ((at = memmem(at, (size_t)(stop - at), begin, sizeof(begin) - 1))) {
		at += sizeof(begin) - 1;
		last = memmem(at, (size_t)(stop - at), end, sizeof(end) - 1);
		if (!last) {
			set->skipped++;
			break;
		}
		if (decode(at, (size_t)(last - at), der, &der_len) < 0 ||
			der_parse(&c, der, der_len) < 0 || c.not_after < now) {
			set->skipped++; /* why, nobody asks: the count is told when no anchor is found */
		} else {
			r = add_item(set, &c, der, der_len);
			if (r < 0)
				return r;
		}
		at = last;
	}
	return 0;
}

/* Load one file. -EBADMSG: it holds no certificate that can be used. */
static int load_file(struct trust_set *set, const char *path, int64_t now)
{
	auto_buf struct buf text = { 0 };
	int r = fd_read_file(AT_FDCWD, path, &text, BUNDLE_MAX);

	if (r < 0)
		return r;
	r = trust_add_pem(set, buf_str(&text), text.len, now);
	if (r < 0)
		return r;
	if (!set->count) {
		r = fail(EBADMSG, "'%s' holds no valid CA certificate in PEM form", path);
		free_set(set);
		return r;
	}
	set->place = strdup(path);
	return set->place ? 0 : fail(ENOMEM, "out of memory");
}

/* certs.d/HOST/ca.crt of us and of the known engines. 0 also if there is none. */
static int load_registry(struct tls_trust *t, const struct tls_trust_options *o, int64_t now)
{
	const char *dirs[] = { o->config ? o->config : "/etc/qbox", "/etc/containers",
		"/etc/docker" };
	char path[4096];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		r = snprintf(path, sizeof(path), "%s/certs.d/%s/ca.crt", dirs[i], o->registry);
		if (r < 0 || (size_t)r >= sizeof(path))
			return fail(ENAMETOOLONG, "path of certs.d is too long");
		if (i == 0 && !(t->own = strdup(path)))
			return fail(ENOMEM, "out of memory");
		r = load_file(&t->registry, path, now);
		if (r != -ENOENT && r != -ENOTDIR)
			return r;
	}
	return 0;
}

/* The first bundle of the system that holds something. */
static int load_system(struct trust_set *set, int64_t now)
{
	const char *chosen = getenv("SSL_CERT_FILE");
	int r, worst = -ENOENT;

	if (chosen && *chosen)
		return load_file(set, chosen, now);
	for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
		r = load_file(set, bundles[i], now);
		if (r == 0 || r == -ENOMEM)
			return r;
		if (r != -ENOENT && r != -ENOTDIR)
			worst = r; /* its text is replaced below: no file was good, and all are named */
	}
	fail(-worst, "no CA certificates found: looked for %s %s %s %s %s", bundles[0], bundles[1],
		bundles[2], bundles[3], bundles[4]);
	return fail_hint(worst, "install ca-certificates, or name a file with --cacert");
}

static int load_all(struct tls_trust *t, const struct tls_trust_options *o)
{
	int64_t now = trust_now(t);
	int r;

	t->only = o->cafile;
	if (o->cafile)
		return load_file(&t->general, o->cafile, now);
	r = o->registry ? load_registry(t, o, now) : 0;
	if (r < 0)
		return r;
	r = load_system(&t->general, now);
	if (r < 0 && r != -ENOMEM && t->registry.count) {
		fail_clear(); /* the registry has its own; a redirect elsewhere will not be trusted */
		return 0;
	}
	return r;
}

int tls_trust_load(struct tls_trust **out, const struct tls_trust_options *options)
{
	char clock[40], floor[40];
	struct tls_trust *t;
	bool literal;
	int r;

	*out = NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return fail(ENOMEM, "out of memory");
	t->floor = options->floor > SOURCE_DATE ? options->floor : SOURCE_DATE;
	if (time_now() / NS_PER_S < t->floor) {
		time_format(clock, sizeof(clock), time_now() / NS_PER_S * NS_PER_S);
		time_format(floor, sizeof(floor), t->floor * NS_PER_S);
		log_note("the clock says %s, which is too early: certificates are judged as of %s",
			clock, floor);
	}
	if (options->registry &&
		!url_parse_authority(
			t->host, &literal, &t->port, options->registry, strlen(options->registry)))
		r = fail(EINVAL, "'%s' is not a registry", options->registry);
	else
		r = load_all(t, options);
	if (r < 0) {
		tls_trust_free(t);
		return r;
	}
	if (!t->port)
		t->port = 443;
	*out = t;
	return 0;
}

void tls_trust_free(struct tls_trust *t)
{
	if (!t)
		return;
	free_set(&t->registry);
	free_set(&t->general);
	free(t->own);
	free(t);
}

void tls_trust_count(const struct tls_trust *t, size_t *good, size_t *skipped)
{
	*good = t->registry.count + t->general.count;
	*skipped = t->registry.skipped + t->general.skipped;
}

bool trust_is_registry(const struct tls_trust *t, const struct url *u)
{
	return u->port == t->port && strcmp(u->host, t->host) == 0;
}

const struct trust_set *trust_for(const struct tls_trust *t, const struct url *u)
{
	return t->registry.count && trust_is_registry(t, u) ? &t->registry : &t->general;
}

const struct trust_item *trust_find(
	const struct trust_set *set, size_t *at, const uint8_t *name, size_t len)
{
	const struct trust_item *item;

	while (*at < set->count) {
		item = &set->items[(*at)++];
		if (item->subject_len == len &&
			memcmp(set->der.data + item->subject, name, len) == 0)
			return item;
	}
	return NULL;
}

int64_t trust_now(const struct tls_trust *t)
{
	int64_t now = time_now() / NS_PER_S;

	return now < t->floor ? t->floor : now;
}
