/* SPDX-License-Identifier: MIT */
/* token - bearer tokens of a registry's token server, and where secrets may go */
#include "service/token.h"

#include <string.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "service/http.h"

#define REPLY_MAX       (64u << 10)
#define DEFAULT_SECONDS 60
#define DAY             86400

/* Token servers that belong to a registry of another domain. */
static const struct {
	const char *registry, *realm;
} known[] = {
	{ "registry-1.docker.io", "auth.docker.io" },
};

void token_free(struct token *t)
{
	if (t->text)
		explicit_bzero(t->text, strlen(t->text));
	free(t->text);
	*t = (struct token){ 0 };
}

bool token_may_ask(const struct url *realm, const struct url *registry)
{
	return realm->https || (!registry->https && strcmp(realm->host, registry->host) == 0);
}

bool token_may_connect(
	const struct url *realm, const struct token_options *o, const struct dns_address *a)
{
	if (strcmp(realm->host, o->registry->host) == 0)
		return true;
	return !resolver_is_local_service(a) &&
		(!resolver_is_loopback(a) || o->registry_is_loopback);
}

/* Is A the name B or below it? B has at least two labels, so that no top-level domain counts. */
static bool is_below(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	return strchr(b, '.') && a_len > b_len && a[a_len - b_len - 1] == '.' &&
		strcmp(a + a_len - b_len, b) == 0;
}

/* The part of HOST that somebody registered: two labels, three where the second is of a kind that
 * registries hand names out under ("co.uk"). Not the public suffix list, which is larger than all of
 * this program; being wrong here needs a registry that betrays its own users. */
static const char *registrable(const char *host)
{
	const char *part[3] = { host, host, host }, *p;

	for (p = host; (p = strchr(p, '.')); p++) {
		part[2] = part[1];
		part[1] = part[0];
		part[0] = p + 1;
	}
	/* part[0]: last label, part[1]: last two, part[2]: last three */
	if (strlen(part[0]) == 2 && part[0] - part[1] <= 4)
		return part[2];
	return part[1];
}

bool token_may_send_secret(const struct url *realm, const struct url *registry)
{
	const char *a = realm->host, *b = registry->host, *common;

	if (strcmp(a, b) == 0)
		return true;
	if (realm->literal || registry->literal || !realm->https)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].registry, b) == 0 && strcmp(known[i].realm, a) == 0)
			return true;
	common = registrable(b);
	return common != b ? is_below(a, common) || strcmp(a, common) == 0 : is_below(a, b);
}

/* Resolve the realm's host and drop the addresses that are not allowed. */
static int find_realm(
	const struct url *realm, const struct token_options *o, struct resolver_addresses *out)
{
	size_t kept = 0;
	int r = resolver_lookup(o->resolver, realm->host, out);

	if (r < 0)
		return r == -ENOENT ? -EACCES : r;
	for (size_t i = 0; i < out->count; i++)
		if (token_may_connect(realm, o, &out->items[i]))
			out->items[kept++] = out->items[i];
	out->count = kept;
	return kept ? 0
		    : fail(EACCES, "the address of '%s' is not allowed for tokens", realm->host);
}

/* "service=...&scope=..." of the request, percent-encoded. */
static void format_query(
	struct buf *out, const struct token_options *o, const struct httpmsg_challenge *c)
{
	if (*c->service) {
		buf_puts(out, "service=");
		url_encode(out, c->service);
		buf_putc(out, '&');
	}
	buf_puts(out, "scope=");
	url_encode(out, "repository:");
	url_encode(out, o->repository);
	url_encode(out, ":pull");
}

/* GET with the password if it may go there; POST with the identity token if that is what we have. */
static int ask(struct http *h, const struct url *realm, const struct token_options *o,
	const struct httpmsg_challenge *c)
{
	auto_buf struct buf target = { 0 }, headers = { 0 }, body = { 0 };
	struct http_request q = { .method = "GET" };
	bool secret = o->auth && token_may_send_secret(realm, o->registry);
	int r;

	buf_reserve(&body, 16384);
	buf_puts(&target, realm->path);
	if (secret && o->auth->identity_token) {
		q.method = "POST";
		buf_puts(&headers, "Content-Type: application/x-www-form-urlencoded\r\n");
		format_query(&body, o, c);
		buf_puts(&body, "&grant_type=refresh_token&client_id=qbox&refresh_token=");
		url_encode(&body, o->auth->identity_token);
		q.body = buf_str(&body);
		q.body_len = body.len;
	} else {
		buf_putc(&target, strchr(realm->path, '?') ? '&' : '?');
		format_query(&target, o, c);
		if (secret && o->auth->password)
			auth_basic(o->auth, &headers);
	}
	q.target = buf_str(&target);
	q.headers = buf_str(&headers);
	r = target.failed || headers.failed || body.failed ? fail(ENOMEM, "out of memory")
							   : http_exchange(h, &q);
	auth_wipe(&headers);
	auth_wipe(&body);
	return r;
}

/* Printable ASCII without spaces: anything else could end the header that it goes into. */
static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

/* How long a token that lives for SECONDS is used: 30 s less, half of it if that is not much. */
static int64_t use_for(int64_t seconds)
{
	if (seconds > DAY)
		seconds = DAY;
	if (seconds > 60)
		return seconds - 30;
	return seconds > 2 ? seconds / 2 : 1;
}

static int read_reply(struct token *out, struct http *h)
{
	auto_buf struct buf text = { 0 };
	auto_json struct json *tree = NULL;
	const char *token = NULL;
	int64_t seconds = DEFAULT_SECONDS;
	int r = http_read_all(h, &text, REPLY_MAX);

	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &tree);
	if (r == 0) {
		r = json_get_string(tree, "token", &token);
		if (r == 0)
			r = json_get_string(tree, "access_token", &token);
		if (r >= 0)
			r = json_get_int(tree, "expires_in", &seconds);
		if (r >= 0 && (!token || !is_token(token)))
			r = fail(EBADMSG, "no token in the reply");
	}
	if (r >= 0) {
		out->text = strdup(token);
		out->expires = time_mono() + use_for(seconds) * NS_PER_S;
		r = out->text ? 0 : fail(ENOMEM, "out of memory");
	}
	auth_wipe(&text);
	return r;
}

/* What the status of the token server means. */
static int judge_status(struct token *out, struct http *h, int status)
{
	if (status == 200)
		return read_reply(out, h);
	if (status >= 300 && status < 400)
		return fail(EACCES, "it redirects, which is not followed with tokens");
	if (status == 429 || status >= 500)
		return http_fail(h, EAGAIN, "token");
	return http_fail(h, EACCES, "authentication");
}

int token_get(struct token *out, const struct token_options *o, const struct httpmsg_challenge *c)
{
	struct resolver_addresses addresses;
	struct http *h = NULL;
	struct url realm;
	int r;

	token_free(out);
	r = url_parse(&realm, c->realm);
	if (r < 0)
		return fail_wrap(-EACCES, "the registry names a bad token server");
	if (!token_may_ask(&realm, o->registry))
		return fail(EACCES, "the registry names a token server that is not https: '%s'",
			c->realm);
	if (o->auth && (o->auth->password || o->auth->identity_token) &&
		!token_may_send_secret(&realm, o->registry))
		log_note("the token server '%s' is none of '%s': it gets no password", realm.host,
			o->registry->host);
	r = find_realm(&realm, o, &addresses);
	if (r == 0)
		r = http_open(&h, &realm, &addresses, o->trust);
	if (r == 0) {
		r = ask(h, &realm, o, c);
		if (r > 0)
			r = judge_status(out, h, r);
		http_close(h);
	}
	return r < 0 ? fail_wrap(r, "token server '%s'", realm.host) : 0;
}
