/* SPDX-License-Identifier: MIT */
/* ref - image references: [host[:port]/]path[:tag][@digest], by the distribution grammar */
#include "format/ref.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "format/url.h"

#define ALNUM    "abcdefghijklmnopqrstuvwxyz0123456789"
#define WORD     ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define HUB      "docker.io"
#define OFFICIAL "library/"

static int bad(const char *s, const char *why)
{
	return fail(EINVAL, "'%.200s%s' is not a valid reference: %s", s,
		strlen(s) > 200 ? "..." : "", why);
}

bool ref_is_tag(const char *s)
{
	return *s && strchr(WORD, *s) && strlen(s) <= 128 && str_only(s, WORD ".-");
}

/* Runs of lower-case letters and digits with one of / . _ __ or hyphens between. */
static bool is_repository(const char *s)
{
	size_t len;

	for (;;) {
		len = strspn(s, ALNUM);
		s += len;
		if (!len || !*s)
			return len;
		if (*s == '/' || *s == '.')
			s++;
		else if (*s == '_')
			s += s[1] == '_' ? 2 : 1;
		else if (*s == '-')
			s += strspn(s, "-");
		else
			return false;
	}
}

/* Is the first of several parts of S, LEN bytes long, a host? */
static bool is_host_part(const char *s, size_t len)
{
	return memchr(s, '.', len) || memchr(s, ':', len) ||
		(len == strlen("localhost") && memcmp(s, "localhost", len) == 0);
}

static bool parse_host(struct ref *out, const char *s, size_t len)
{
	char host[256];
	uint16_t port;
	bool literal;
	int used;

	if (!url_parse_authority(host, &literal, &port, s, len))
		return false;
	if (strcmp(host, "index." HUB) == 0)
		strcpy(host, HUB);
	used = snprintf(out->host, sizeof(out->host), strchr(host, ':') ? "[%s]" : "%s", host);
	if (port)
		used += snprintf(
			out->host + used, sizeof(out->host) - (size_t)used, ":%" PRIu16, port);
	return used < (int)sizeof(out->host);
}

/* Take "host/repository" apart; returns what is wrong with it, NULL if nothing. */
static const char *parse_name(struct ref *out, const char *name)
{
	const char *slash = strchr(name, '/'), *prefix = "";
	size_t len = slash ? (size_t)(slash - name) : 0;

	if (slash && is_host_part(name, len)) {
		if (!parse_host(out, name, len))
			return "host or port";
		name = slash + 1;
	} else {
		strcpy(out->host, HUB);
	}
	if (strcmp(out->host, HUB) == 0 && !strchr(name, '/'))
		prefix = OFFICIAL;
	if (!is_repository(name))
		return "repository";
	len = strlen(prefix);
	memcpy(out->repository, prefix, len);
	if (str_copy(out->repository + len, sizeof(out->repository) - len, name) < 0)
		return "repository too long";
	return NULL;
}

static int parse(struct ref *out, const char *s)
{
	char text[REF_MAX + 1], *at, *slash, *colon;
	const char *why;

	if (strlen(s) > REF_MAX)
		return bad(s, "too long");
	if (strlen(s) == 64 && str_only(s, "0123456789abcdef"))
		return bad(s, "it is an image id");
	strcpy(text, s);
	at = strchr(text, '@');
	if (at) {
		*at++ = '\0';
		if (digest_parse(&out->digest, at) < 0)
			return bad(s, "digest");
		out->has_digest = true;
	}
	slash = strrchr(text, '/');
	colon = strchr(slash ? slash : text, ':');
	if (colon) {
		*colon++ = '\0';
		if (!ref_is_tag(colon))
			return bad(s, "tag");
		strcpy(out->tag, colon);
	} else if (!at) {
		strcpy(out->tag, "latest");
	}
	why = parse_name(out, text);
	if (why)
		return bad(s, why);
	return 0;
}

/* Write HOST, a slash, REPOSITORY, tag and digest of R; HOST may be "", then without the slash. */
static int format(
	char *out, size_t size, const char *host, const char *repository, const struct ref *r)
{
	char digest[DIGEST_TEXT] = "";

	if (r->has_digest)
		digest_format(digest, &r->digest);
	return snprintf(out, size, "%s%s%s%s%s%s%s", host, *host ? "/" : "", repository,
		*r->tag ? ":" : "", r->tag, *digest ? "@" : "", digest);
}

int ref_parse(struct ref *out, const char *s)
{
	struct ref r = { 0 };
	int ret;

	memset(out, 0, sizeof(*out));
	ret = parse(&r, s);
	if (ret < 0)
		return ret;
	/* what is left out counts too, so that the canonical text can be read back */
	if (format(NULL, 0, r.host, r.repository, &r) > REF_MAX)
		return bad(s, "too long");
	*out = r;
	return 0;
}

void ref_format(char *out, const struct ref *r)
{
	format(out, REF_TEXT, r->host, r->repository, r);
}

void ref_format_short(char *out, const struct ref *r)
{
	const char *host = r->host, *name = r->repository, *slash;

	if (strcmp(host, HUB) == 0) {
		if (str_starts(name, OFFICIAL) && !strchr(name + strlen(OFFICIAL), '/'))
			name += strlen(OFFICIAL);
		slash = strchr(name, '/');
		if (!slash || !is_host_part(name, (size_t)(slash - name)))
			host = "";
	}
	format(out, REF_TEXT, host, name, r);
}

const char *ref_registry(const struct ref *r)
{
	return strcmp(r->host, HUB) == 0 ? "registry-1." HUB : r->host;
}
