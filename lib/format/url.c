/* SPDX-License-Identifier: MIT */
/* url - http and https URLs of registries, redirects and token realms */
#include "format/url.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"

#define DIGITS    "0123456789"
#define ALNUM     "abcdefghijklmnopqrstuvwxyz" DIGITS
#define HOST_MAX  253 /* RFC 1035 */
#define LABEL_MAX 63

/* A lower-case DNS name. The last label must not be a number: others would read 127.1 or 0x7f000001
 * as an address. */
static bool is_name(const char *s)
{
	const char *label;
	size_t len;

	for (label = s;; label += len + 1) {
		len = strspn(label, ALNUM "-");
		if (len < 1 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
			return false;
		if (label[len] != '.')
			return !label[len] && !str_only(label, DIGITS) && !str_starts(label, "0x");
	}
}

bool url_parse_authority(char *host, bool *literal, uint16_t *port, const char *s, size_t len)
{
	char text[HOST_MAX + 9]; /* with brackets and port */
	unsigned char address[16];
	char *end, *name = text;
	uint64_t n = 0;
	int family = AF_INET;

	if (len >= sizeof(text))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	str_lower(text);
	end = text + strcspn(text, ":");
	if (text[0] == '[') {
		family = AF_INET6;
		name++;
		end = strchr(text, ']');
		if (!end)
			return false;
		*end++ = '\0';
	}
	if (*end) {
		if (*end != ':' || num_parse(end + 1, UINT16_MAX, &n) < 0 || n == 0)
			return false;
		*end = '\0';
	}
	*literal = inet_pton(family, name, address) == 1;
	if (*literal)
		inet_ntop(family, address, host, INET6_ADDRSTRLEN);
	else if (family == AF_INET && strlen(name) <= HOST_MAX && is_name(name))
		strcpy(host, name);
	else
		return false;
	*port = (uint16_t)n;
	return true;
}

static int bad(const char *s, const char *why)
{
	return fail(
		EINVAL, "'%.200s%s' is not a valid URL: %s", s, strlen(s) > 200 ? "..." : "", why);
}

static bool is_printable(const char *s)
{
	while (*s > ' ' && *s < 0x7f)
		s++;
	return !*s;
}

/* Does S begin with PREFIX, in lower or upper case? */
static bool begins(const char *s, const char *prefix)
{
	return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static int parse(struct url *out, const char *s)
{
	const char *host, *path;
	size_t len;

	if (!is_printable(s))
		return bad(s, "a space, control or non-ASCII character");
	out->https = begins(s, "https://");
	if (!out->https && !begins(s, "http://"))
		return bad(s, "neither http:// nor https://");
	host = strchr(s, '/') + 2;
	path = host + strcspn(host, "/?#");
	len = (size_t)(path - host);
	if (memchr(host, '@', len))
		return bad(s, "user information");
	if (!url_parse_authority(out->host, &out->literal, &out->port, host, len))
		return bad(s, "host or port");
	if (!out->port)
		out->port = out->https ? 443 : 80;
	len = strcspn(path, "#");
	if (len + (*path != '/') >= sizeof(out->path))
		return bad(s, "too long");
	snprintf(out->path, sizeof(out->path), "%s%.*s", *path == '/' ? "" : "/", (int)len, path);
	return 0;
}

int url_parse(struct url *out, const char *s)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = parse(out, s);
	if (r < 0)
		memset(out, 0, sizeof(*out));
	return r;
}

/* Take "." and ".." out of PATH, in place (RFC 3986 section 5.2.4). */
static void remove_dots(char *path)
{
	char *query = path + strcspn(path, "?"), *in = path, *to = path;
	size_t len;
	bool up;

	for (; in < query; in += len) {
		len = 1 + strcspn(in + 1, "/?");
		up = len == 3 && memcmp(in, "/..", 3) == 0;
		if (!up && !(len == 2 && in[1] == '.')) {
			memmove(to, in, len);
			to += len;
			continue;
		}
		while (up && to > path && *--to != '/')
			;
		if (in + len == query)
			*to++ = '/';
	}
	memmove(to, query, strlen(query) + 1);
}

/* Does S begin with a scheme? */
static bool has_scheme(const char *s)
{
	return s[strcspn(s, ":/?#")] == ':';
}

int url_resolve(struct url *out, const struct url *base, const char *location)
{
	auto_buf struct buf text = { 0 };
	char authority[272];
	size_t keep;
	int r;

	if (!has_scheme(location)) {
		buf_puts(&text, base->https ? "https:" : "http:");
		if (!str_starts(location, "//")) {
			url_authority(authority, base);
			buf_printf(&text, "//%s", authority);
			keep = strcspn(base->path, "?");
			if (*location == '#' || !*location)
				keep = strlen(base->path);
			else if (*location == '/')
				keep = 0;
			else if (*location != '?')
				while (base->path[keep - 1] != '/')
					keep--;
			buf_add(&text, base->path, keep);
		}
	}
	buf_puts(&text, location);
	r = buf_check(&text);
	if (r < 0) {
		memset(out, 0, sizeof(*out));
		return r;
	}
	r = url_parse(out, buf_str(&text));
	if (r == 0)
		remove_dots(out->path);
	return r;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void url_encode(struct buf *out, const char *s)
{
	for (; *s; s++)
		if (strchr(ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~", *s))
			buf_putc(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
}

void url_authority(char *out, const struct url *u)
{
	bool brackets = strchr(u->host, ':');
	int len;

	len = sprintf(out, "%s%s%s", brackets ? "[" : "", u->host, brackets ? "]" : "");
	if (u->port != (u->https ? 443 : 80))
		sprintf(out + len, ":%" PRIu16, u->port);
}
