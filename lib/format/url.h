/* SPDX-License-Identifier: MIT */
/* url - http and https URLs of registries, redirects and token realms */
#ifndef FORMAT_URL_H
#define FORMAT_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define URL_MAX 8192

struct url {
	bool https;
	char host[256];     /* lower case; IPv6 literals without brackets */
	bool literal;       /* host is an IPv4 or IPv6 address */
	uint16_t port;      /* 80 or 443 if not given */
	char path[URL_MAX]; /* begins with a slash; with query, without fragment */
};

/* Read "host" or "host:port" of LEN bytes: a DNS name (letters, digits, hyphens), an IPv4 address
 * or an IPv6 address in brackets. HOST holds 256, lower case, addresses in their one canonical
 * form; *PORT is 0 if none is given. False for anything else, names that end in a dot or a number too. */
bool url_parse_authority(char *host, bool *literal, uint16_t *port, const char *s, size_t len);

/* Absolute http(s) URL. -EINVAL (text recorded): other scheme, user information, bad host or port,
 * control characters, spaces, non-ASCII, a path over URL_MAX - 1 bytes. */
int url_parse(struct url *out, const char *s);

/* Resolve a Location header against BASE (RFC 3986 section 5: absolute, //host, /path, relative).
 * OUT may be BASE. -EINVAL as url_parse, -ENOMEM. */
int url_resolve(struct url *out, const struct url *base, const char *location);

/* Same scheme, host and port: the only place that a secret for A may be sent to. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Append S percent-encoded (all but unreserved characters of RFC 3986). */
void url_encode(struct buf *out, const char *s);

/* "host" or "host:port" when the port is not the scheme's, brackets round IPv6; for Host headers.
 * OUT holds 272. */
void url_authority(char *out, const struct url *u);

#endif
