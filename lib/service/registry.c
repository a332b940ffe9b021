/* SPDX-License-Identifier: MIT */
/* registry - pull from a registry (OCI distribution 1.1) for one repository
 *
 * Map: the session; one attempt of a request with its redirects and its one answer to a challenge;
 * retries; manifests; streaming of blobs. */
#include "service/registry.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/num.h"
#include "base/str.h"
#include "base/time.h"
#include "format/oci.h"
#include "service/http.h"
#include "service/token.h"

#define REDIRECTS_MAX   5
#define TRIES_MAX       5
#define BACKOFF_NS      (3 * NS_PER_S / 10) /* doubled each time: 9 s in all */
#define RETRY_AFTER_MAX 60
#define PROGRESS        (1u << 20) /* this much and the tries count anew */

/* One GET and what it may cost. */
struct request {
	char path[512]; /* below the registry's root */
	const char *accept;
	uint64_t from; /* Range: bytes=FROM-; 0: all */
	int tries;     /* that have failed */
};

struct stream {
	bool open;
	struct digest digest;
	uint64_t size, at; /* at: bytes handed to the caller */
	uint64_t skip;     /* bytes to drop first: the server began anew */
	uint64_t mark;     /* at, when the tries began to count */
	bool no_range;     /* the server gets Range wrong */
	struct http *from; /* connection that the body comes on */
	struct request request;
};

struct registry {
	struct url base;
	char repository[256];
	const struct tls_trust *trust;
	const struct resolver *resolver;
	const struct auth *auth;
	struct resolver_addresses addresses; /* of base; none: not looked up */
	struct http *home, *away;            /* to base; to where a redirect led last */
	bool reached;                        /* base could be connected to once */
	bool basic;                          /* base asked for Basic authentication */
	struct token token;
	unsigned int requests;
	struct stream stream;
};

int registry_open(struct registry **out, const struct registry_options *options)
{
	const char *host = ref_registry(options->ref);
	struct registry *r = calloc(1, sizeof(*r));
	char text[300];
	int n;

	*out = NULL;
	if (!r)
		return fail(ENOMEM, "out of memory");
	snprintf(text, sizeof(text), "%s://%s/", options->insecure ? "http" : "https", host);
	n = url_parse(&r->base, text);
	if (n == 0)
		n = str_copy(r->repository, sizeof(r->repository), options->ref->repository);
	if (n < 0) {
		free(r);
		return fail_wrap(n, "registry '%s'", host);
	}
	r->trust = options->trust;
	r->resolver = options->resolver;
	r->auth = options->auth;
	*out = r;
	return 0;
}

void registry_disown(struct registry *r)
{
	http_disown(r->home);
	http_disown(r->away);
	r->home = r->away = NULL;
	r->stream.from = NULL;
	r->stream.open = false;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	http_close(r->home);
	http_close(r->away);
	token_free(&r->token);
	free(r);
}

unsigned int registry_requests(const struct registry *r)
{
	return r->requests;
}

/* Find the addresses of U; those of the registry are kept, also for processes forked later. */
static int find_addresses(struct registry *r, const struct url *u, struct resolver_addresses *out)
{
	bool home = url_same_origin(u, &r->base);
	int n;

	if (home && r->addresses.count) {
		*out = r->addresses;
		return 0;
	}
	n = resolver_lookup(r->resolver, u->host, out);
	if (n == 0 && home)
		r->addresses = *out;
	return n == -ENOENT ? -EHOSTUNREACH : n;
}

/* A connection to the origin of U that is ready for a request; *REUSED if it was open already. */
static int connect_to(struct registry *r, const struct url *u, struct http **slot, bool *reused)
{
	struct resolver_addresses addresses;
	int n;

	*reused = *slot && http_reusable(*slot) && url_same_origin(http_origin(*slot), u);
	if (*reused)
		return 0;
	http_close(*slot);
	*slot = NULL;
	n = find_addresses(r, u, &addresses);
	if (n == 0)
		n = http_open(slot, u, &addresses, r->trust);
	if (n == 0 && slot == &r->home)
		r->reached = true;
	if (n < 0 && slot == &r->home)
		r->addresses.count = 0; /* look again next time: they may have changed */
	return n;
}

/* The header lines of a request; with the secrets only for the registry's own origin. */
static int format_headers(
	const struct registry *r, const struct request *q, bool secrets, struct buf *out)
{
	if (q->accept)
		buf_printf(out, "Accept: %s\r\n", q->accept);
	if (q->from)
		buf_printf(out, "Range: bytes=%llu-\r\n", (unsigned long long)q->from);
	if (secrets && r->token.text && time_mono() < r->token.expires)
		buf_printf(out, "Authorization: Bearer %s\r\n", r->token.text);
	else if (secrets && r->basic && r->auth && r->auth->password)
		auth_basic(r->auth, out);
	return buf_check(out);
}

/* Send one request to U; returns the status, *CONN is the connection with the response. An idle
 * connection that turns out to be dead is replaced once without a word. */
static int send_request(struct registry *r, const struct request *q, const struct url *u,
	bool secrets, struct http **conn)
{
	struct http **slot = url_same_origin(u, &r->base) ? &r->home : &r->away;
	auto_buf struct buf headers = { 0 };
	struct http_request request = { .method = "GET", .target = u->path };
	bool reused;
	int n;

	*conn = NULL;
	n = format_headers(r, q, secrets, &headers);
	request.headers = buf_str(&headers);
	while (n == 0) {
		n = connect_to(r, u, slot, &reused);
		if (n < 0)
			break;
		r->requests++;
		n = http_exchange(*slot, &request);
		if (n == -EAGAIN && reused && http_silent(*slot))
			n = 0; /* the next connection is new, so this happens once */
	}
	auth_wipe(&headers);
	*conn = *slot;
	return n;
}

/* Find a challenge that we can meet in a 401 response. */
static int read_challenge(const struct http *h, struct httpmsg_challenge *out)
{
	struct httpmsg_challenge c;
	char *value;
	int n, r, best = -ENOENT;

	for (n = 0; (value = httpmsg_header(http_head(h), "www-authenticate", n)); n++) {
		r = httpmsg_challenge(&c, value);
		free(value);
		if (r < 0 && best < 0)
			best = r;
		if (r == 0 && (best < 0 || strcmp(c.scheme, "bearer") == 0)) {
			*out = c;
			best = 0;
		}
	}
	return best;
}

static bool is_loopback(const struct registry *r)
{
	for (size_t i = 0; i < r->addresses.count; i++)
		if (!resolver_is_loopback(&r->addresses.items[i]))
			return false;
	return r->addresses.count > 0;
}

/* Get ready to send the request again after a 401: a token, or the password. */
static int meet_challenge(struct registry *r, struct http *h)
{
	struct token_options options = {
		.registry = &r->base,
		.registry_is_loopback = is_loopback(r),
		.repository = r->repository,
		.auth = r->auth,
		.trust = r->trust,
		.resolver = r->resolver,
	};
	struct httpmsg_challenge c;

	if (read_challenge(h, &c) < 0)
		return http_fail(h, EACCES, "authentication: no challenge that can be met");
	if (strcmp(c.scheme, "bearer") == 0) {
		http_drain(h);
		return token_get(&r->token, &options, &c);
	}
	if (r->basic || !r->auth || !r->auth->password)
		return http_fail(h, EACCES,
			r->basic ? "authentication: the password is refused"
				 : "authentication: a password is needed");
	r->basic = true;
	http_drain(h);
	return 0;
}

/* Where does the redirect lead? *U is replaced. */
static int follow(const struct registry *r, struct http *h, struct url *u)
{
	auto_free char *location = httpmsg_header(http_head(h), "location", 0);
	struct url next;
	int n;

	if (!location)
		return fail(EBADMSG, "redirect without a Location");
	n = url_resolve(&next, u, location);
	if (n < 0)
		return fail_wrap(-EBADMSG, "redirect");
	if (!next.https && !url_same_origin(&next, &r->base))
		return fail(EBADMSG, "redirect to plain http '%s' is refused", location);
	http_drain(h);
	*u = next;
	return 0;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Make the request once, through redirects, answering one challenge. Returns the status. Secrets are
 * gone for good when a redirect leaves the registry's origin, and a challenge from there is not met. */
static int attempt(struct registry *r, const struct request *q, struct http **conn)
{
	bool crossed = false, challenged = false;
	struct url u = r->base;
	int redirects = 0, status, n;

	n = str_copy(u.path, sizeof(u.path), q->path);
	while (n == 0) {
		status = send_request(r, q, &u, !crossed, conn);
		if (status < 0)
			return status;
		if (status == 401 && !crossed && !challenged) {
			challenged = true;
			n = meet_challenge(r, *conn);
		} else if (is_redirect(status)) {
			if (++redirects > REDIRECTS_MAX)
				return fail(EBADMSG, "more than %d redirects", REDIRECTS_MAX);
			n = follow(r, *conn, &u);
			crossed = crossed || !url_same_origin(&u, &r->base);
		} else {
			return status;
		}
	}
	return n;
}

static void sleep_ns(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* 0.3 s, doubled with each try, and a quarter of it more or less. */
static int64_t backoff(int tries)
{
	int64_t base = BACKOFF_NS << tries;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) < 0)
		random = 0; /* jitter only: everybody at the same time then */
	return base * 3 / 4 + (int64_t)(random % 1024) * base / 2048;
}

/* One more try after a failure whose text is recorded: 0, after waiting DELAY (-1: back-off); or
 * -EAGAIN if there were enough, with the text kept. */
static int try_again(struct request *q, int64_t delay)
{
	if (q->tries == TRIES_MAX)
		return fail_wrap(-EAGAIN, "after %d tries", TRIES_MAX + 1);
	if (delay < 0)
		delay = backoff(q->tries);
	q->tries++;
	log_note("%s; trying again (%d of %d)", fail_text(), q->tries, TRIES_MAX);
	sleep_ns(delay);
	return 0;
}

static bool is_overload(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* What the server wants us to wait: nanoseconds, -1 if it does not say, -2: longer than we do. Dates
 * are not understood: clocks differ, and no registry sends them. */
static int64_t retry_after(const struct http *h)
{
	auto_free char *value = httpmsg_header(http_head(h), "retry-after", 0);
	uint64_t seconds;
	int n;

	if (!value)
		return -1;
	n = num_parse(value, RETRY_AFTER_MAX, &seconds);
	return n == 0 ? (int64_t)seconds * NS_PER_S : n == -ERANGE ? -2 : -1;
}

/* Make the request until there is a response that is not "later". Returns its status. */
static int request(struct registry *r, struct request *q, struct http **conn)
{
	int64_t delay;
	int n;

	for (;;) {
		delay = -1;
		n = attempt(r, q, conn);
		if (n >= 0) {
			if (!is_overload(n))
				return n;
			delay = retry_after(*conn);
			n = http_fail(*conn, EAGAIN, "the registry is overloaded");
		}
		/* Who could never be reached is told at once: it is a wrong name more often than not. */
		if (n != -EAGAIN || !r->reached || delay == -2)
			return n;
		n = try_again(q, delay);
		if (n < 0)
			return n;
	}
}

/* The failure that a status other than success means. */
static int fail_status(struct registry *r, struct http *h, int status)
{
	int n;

	if (status == 404)
		return http_fail(h, ENOENT, "not found");
	if (status == 401 || status == 403)
		return http_fail(h, EACCES, "authentication or authorisation failed");
	n = http_fail(h, EIO, "refused");
	if (status == 400 && !r->base.https)
		fail_hint(n,
			"if it speaks TLS, leave --insecure out: a certificate is always verified");
	return n;
}

/* Context for an error: which registry, which object. */
static int about(const struct registry *r, const char *object, int n)
{
	char authority[272];

	url_authority(authority, &r->base);
	return fail_wrap(n, "%s/%s%s", authority, r->repository, object);
}

static void media_type(char *out, size_t size, const struct http *h)
{
	auto_free char *value = httpmsg_header(http_head(h), "content-type", 0);
	size_t len = value ? strcspn(value, "; \t") : 0;

	if (len >= size)
		len = 0; /* no type that anybody knows is so long */
	if (len)
		memcpy(out, value, len);
	out[len] = '\0';
	str_lower(out);
}

/* Read the manifest from a response with status 200. */
static int read_manifest(struct http *h, struct registry_manifest *out)
{
	auto_free char *coding = httpmsg_header(http_head(h), "content-encoding", 0);
	const struct httpmsg *head = http_head(h);

	if (coding && str_casecmp(coding, "identity") != 0)
		return fail(EBADMSG, "content encoding '%s' was not asked for", coding);
	if (head->body == HTTP_BODY_LENGTH && head->length > OCI_MANIFEST_MAX)
		return fail(EMSGSIZE, "manifest of more than %u bytes", OCI_MANIFEST_MAX);
	media_type(out->content_type, sizeof(out->content_type), h);
	buf_clear(&out->bytes);
	return http_read_all(h, &out->bytes, OCI_MANIFEST_MAX);
}

/* Request and read, beginning anew when the connection breaks. */
static int get_manifest(struct registry *r, struct request *q, struct registry_manifest *out)
{
	struct http *h;
	int n;

	for (;;) {
		n = request(r, q, &h);
		if (n < 0)
			return n;
		if (n != 200)
			return fail_status(r, h, n);
		n = read_manifest(h, out);
		if (n != -EAGAIN)
			return n;
		n = try_again(q, -1);
		if (n < 0)
			return n;
	}
}

int registry_manifest(struct registry *r, const char *tag, const struct digest *want,
	struct registry_manifest *out)
{
	struct request q = { .accept = oci_accept };
	char name[DIGEST_TEXT], object[DIGEST_TEXT + 2];
	struct digest actual;
	int n;

	out->content_type[0] = '\0';
	out->digest = (struct digest){ 0 };
	buf_clear(&out->bytes);
	if (want)
		digest_format(name, want);
	else if (!ref_is_tag(tag))
		return fail(EINVAL, "'%s' is not a tag", tag);
	else
		snprintf(name, sizeof(name), "%s", tag);
	snprintf(object, sizeof(object), "%c%s", want ? '@' : ':', name);
	snprintf(q.path, sizeof(q.path), "/v2/%s/manifests/%s", r->repository, name);
	n = get_manifest(r, &q, out);
	if (n < 0)
		return about(r, object, n);
	if (want && want->algorithm != DIGEST_SHA256) {
		struct hash h;

		hash_init(&h, want->algorithm);
		hash_add(&h, out->bytes.data, out->bytes.len);
		hash_end(&h, &actual);
	} else {
		digest_of(&actual, buf_str(&out->bytes), out->bytes.len);
	}
	if (want && !digest_equal(want, &actual)) {
		digest_format(name, &actual);
		return about(r, object, fail(EBADMSG, "the manifest's digest is %s", name));
	}
	out->digest = actual;
	return 0;
}

void registry_manifest_free(struct registry_manifest *m)
{
	buf_free(&m->bytes);
}

/* Context for an error of the stream: the blob, and where in it. */
static int about_blob(const struct registry *r, int n)
{
	char name[DIGEST_TEXT], object[DIGEST_TEXT + 40];

	digest_format(name, &r->stream.digest);
	snprintf(object, sizeof(object), "@%s: at byte %llu", name,
		(unsigned long long)r->stream.at);
	return about(r, object, n);
}

/* A Range request did not get the range. Ask for all of it next time. */
static int wrong_range(struct stream *s, const char *what)
{
	s->no_range = true;
	return fail(EAGAIN, "the server gets Range wrong: %s", what);
}

/* Is the response to a Range request exactly the rest of the blob? */
static int check_range(struct stream *s, const struct http *h)
{
	auto_free char *value = httpmsg_header(http_head(h), "content-range", 0);
	const struct httpmsg *head = http_head(h);
	uint64_t first, last, total;

	if (!value || httpmsg_content_range(value, &first, &last, &total) < 0)
		return wrong_range(s, "206 without a good Content-Range");
	if (first != s->at || last != s->size - 1 || total != s->size)
		return wrong_range(s, "206 with another range");
	if (head->body == HTTP_BODY_LENGTH && head->length != s->size - s->at)
		return wrong_range(s, "206 of another length");
	return 0;
}

/* Judge the head of a response to a blob request. */
static int check_head(struct registry *r, struct http *h, int status)
{
	struct stream *s = &r->stream;
	const struct httpmsg *head = http_head(h);

	if (status == 206 && s->request.from)
		return check_range(s, h);
	if (status == 416 && s->request.from)
		return wrong_range(s, "416");
	if (status != 200)
		return fail_status(r, h, status);
	if (head->body == HTTP_BODY_LENGTH && head->length != s->size)
		return fail(EBADMSG, "the server has %llu bytes, the manifest's size is %llu",
			(unsigned long long)head->length, (unsigned long long)s->size);
	s->skip = s->at;
	return 0;
}

/* Request what is still missing. */
static int reopen(struct registry *r)
{
	struct stream *s = &r->stream;
	struct http *h;
	int n;

	s->skip = 0;
	for (;;) {
		s->request.from = s->no_range ? 0 : s->at;
		n = request(r, &s->request, &h);
		if (n < 0)
			return n;
		n = check_head(r, h, n);
		if (n == 0)
			s->from = h;
		if (n != -EAGAIN)
			return n;
		n = try_again(&s->request, -1);
		if (n < 0)
			return n;
	}
}

int registry_blob_open(struct registry *r, const struct digest *digest, uint64_t size)
{
	struct stream *s = &r->stream;
	char name[DIGEST_TEXT];
	int n;

	*s = (struct stream){ .digest = *digest, .size = size };
	digest_format(name, digest);
	snprintf(s->request.path, sizeof(s->request.path), "/v2/%s/blobs/%s", r->repository, name);
	n = reopen(r);
	if (n < 0)
		return about_blob(r, n);
	s->open = true;
	return 0;
}

void registry_blob_close(struct registry *r)
{
	/* A body that was not read to its end makes its connection unfit for another request, which
	 * the next request finds out. */
	r->stream.open = false;
	r->stream.from = NULL;
}

/* All bytes are there; none may follow. A connection that breaks now is no loss. */
static int end_stream(struct registry *r)
{
	char more;
	int n = http_read(r->stream.from, &more, 1);

	registry_blob_close(r);
	if (n > 0)
		return about_blob(r, fail(EBADMSG, "more bytes than the size in the manifest"));
	return 0;
}

/* Bytes of the body, the ones to be skipped dropped; 0: its end came early. */
static int read_piece(struct stream *s, void *buf, size_t len)
{
	uint64_t want = s->size - s->at;
	int n;

	while (s->skip) {
		n = http_read(s->from, buf, len < s->skip ? len : (size_t)s->skip);
		if (n <= 0)
			return n;
		s->skip -= (uint64_t)n;
	}
	return http_read(s->from, buf, len < want ? len : (size_t)want);
}

/* The connection broke in the middle of the body: go on with a new request. */
static int resume(struct registry *r)
{
	struct stream *s = &r->stream;
	int n;

	s->from = NULL;
	n = try_again(&s->request, -1);
	return n < 0 ? n : reopen(r);
}

/* The body is over before the blob is. */
static int ended_early(const struct stream *s)
{
	/* Where only the end of the connection ends the body, that is a broken connection. */
	bool broken = http_head(s->from)->body == HTTP_BODY_CLOSE;

	return fail(broken ? EAGAIN : EBADMSG,
		"the body ends early, the manifest's size is %llu bytes",
		(unsigned long long)s->size);
}

int registry_blob_read(struct registry *r, void *buf, size_t len)
{
	struct stream *s = &r->stream;
	int n;

	if (!s->open)
		return 0;
	if (s->at == s->size)
		return end_stream(r);
	do {
		n = read_piece(s, buf, len);
		if (n == 0)
			n = ended_early(s);
		if (n == -EAGAIN)
			n = resume(r);
	} while (n == 0);
	if (n < 0) {
		registry_blob_close(r);
		return about_blob(r, n);
	}
	s->at += (uint64_t)n;
	if (s->at - s->mark >= PROGRESS) {
		s->mark = s->at;
		s->request.tries = 0;
	}
	return n;
}

int registry_blob(
	struct registry *r, const struct digest *digest, uint64_t size, size_t max, struct buf *out)
{
	char piece[8192];
	struct digest actual;
	struct hash h;
	int n;

	r->stream = (struct stream){ .digest = *digest };
	if (size > max)
		return about_blob(r,
			fail(EMSGSIZE, "%llu bytes, more than the limit of %zu",
				(unsigned long long)size, max));
	n = registry_blob_open(r, digest, size);
	if (n < 0)
		return n;
	hash_init(&h, digest->algorithm);
	while ((n = registry_blob_read(r, piece, sizeof(piece))) > 0) {
		hash_add(&h, piece, (size_t)n);
		buf_add(out, piece, (size_t)n);
	}
	if (n < 0)
		return n;
	hash_end(&h, &actual);
	if (!digest_equal(digest, &actual))
		return about_blob(r, fail(EBADMSG, "the bytes have another digest"));
	return buf_check(out);
}
