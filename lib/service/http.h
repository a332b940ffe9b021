/* SPDX-License-Identifier: MIT */
/* http - one HTTP/1.1 connection, plain or TLS, used for one request after the other
 *
 * Proxies are not used, redirects not followed, nothing retried: the caller decides. All waiting is
 * bounded: 10 s to connect to each address, 15 s for TLS, 30 s for a head and between bytes. */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "format/httpmsg.h"
#include "format/url.h"
#include "service/resolver.h"
#include "service/tls.h"

struct http;

/* Connect to host and port of U at one of ADDRESSES; a next one is tried as well when nothing
 * happened for 250 ms. *OUT is the caller's; U is copied. TRUST may be NULL for plain http.
 * -EAGAIN: the network (the text tells), -EPROTO and others as tls_open. */
int http_open(struct http **out, const struct url *u, const struct resolver_addresses *addresses,
	const struct tls_trust *trust);

/* Close and release; NULL is fine. */
void http_close(struct http *h);

/* Release without a byte on the wire: another process has taken the connection over by fork. */
void http_disown(struct http *h);

/* The origin it is connected to. */
const struct url *http_origin(const struct http *h);

/* Is the last response read to its end and the connection good for another request? */
bool http_reusable(const struct http *h);

struct http_request {
	const char *method;  /* "GET", "HEAD", "POST" */
	const char *target;  /* path and query, begins with a slash */
	const char *headers; /* complete lines, each with CR LF; "" */
	const char *body;    /* NULL: none */
	size_t body_len;
};

/* Send a request (the connection must be new or http_reusable) and read the response's head.
 * Returns the status. -EAGAIN: the connection broke or stalled; -EBADMSG: not HTTP. */
int http_exchange(struct http *h, const struct http_request *request);

/* True if the last http_exchange failed before a byte came back: on a connection that was idle that
 * is the server's right to hang up, and no fault. */
bool http_silent(const struct http *h);

/* Head of the last response, valid until the next request. */
const struct httpmsg *http_head(const struct http *h);

/* Read up to LEN bytes of the body: their number, 0 at its end. -EAGAIN: the connection broke or
 * stalled; -EBADMSG: bad framing. */
int http_read(struct http *h, void *buf, size_t len);

/* Append the rest of the body to OUT. -EMSGSIZE: more than MAX bytes. */
int http_read_all(struct http *h, struct buf *out, size_t max);

/* Read what is left of a small body away, so that the connection can be used again; closes its door
 * (http_reusable is false) when it is over 64 KiB. */
void http_drain(struct http *h);

/* Record the failure ERR for a response with an error status: TEXT, status, and 1 KiB of the body,
 * escaped (for a registry's JSON errors: their messages). Returns -ERR. */
int http_fail(struct http *h, int err, const char *text);

#endif
