/* SPDX-License-Identifier: MIT */
/* httpmsg - HTTP/1.1 responses (RFC 9112): head and body framing, fed in any pieces
 *
 * Strict against smuggling: both Content-Length and Transfer-Encoding, several differing lengths,
 * folded headers, bare CR or LF and other control characters, chunk sizes over 16 digits, a line over
 * 16 KiB, a head (or trailer) over 64 KiB or 128 lines are -EBADMSG. */
#ifndef FORMAT_HTTPMSG_H
#define FORMAT_HTTPMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum httpmsg_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_CLOSE };

struct httpmsg {
	/* valid when head_done */
	bool head_done;
	int status;
	bool keep_alive;
	enum httpmsg_body body;
	uint64_t length; /* HTTP_BODY_LENGTH, or what a HEAD request's answer announces */
	bool complete;   /* the body's end was reached */
	/* private */
	struct buf head;
	uint64_t left; /* of the body or chunk; digits of a chunk size are collected in it */
	int state;
	unsigned int lines; /* of head or trailer */
	unsigned int line;  /* bytes of the current line */
	unsigned int size;  /* bytes of the trailer */
	unsigned int interim;
	bool cr; /* the last byte was a CR */
	bool no_body;
};

/* Start a response; NO_BODY after a HEAD request. httpmsg_free releases it. */
void httpmsg_init(struct httpmsg *m, bool no_body);
void httpmsg_free(struct httpmsg *m);

/* Feed bytes: consumes from *IN / *IN_LEN. A run of body bytes found is set in *BODY / *BODY_LEN
 * (a part of the input, valid as long as it; 0 if none): use it and call again while *IN_LEN > 0
 * and !complete. 1xx responses are skipped (8 at most). -EBADMSG. */
int httpmsg_feed(struct httpmsg *m, const uint8_t **in, size_t *in_len, const uint8_t **body,
	size_t *body_len);

/* The connection ended: -EBADMSG unless the body is complete or lasts until close. */
int httpmsg_end(struct httpmsg *m);

/* The N-th (from 0) value of header NAME (case-insensitive) as an allocated string; NULL if none. */
char *httpmsg_header(const struct httpmsg *m, const char *name, int n);

/* "bytes FIRST-LAST/TOTAL" of Content-Range. -EBADMSG. */
int httpmsg_content_range(const char *s, uint64_t *first, uint64_t *last, uint64_t *total);

/* One challenge of a WWW-Authenticate header (RFC 9110 11.6.1). Values are "" if absent. */
struct httpmsg_challenge {
	char scheme[16]; /* lower case: basic, bearer */
	char realm[1024], service[256], scope[512], error[64];
};

/* Find the first challenge of a scheme we speak (bearer before basic) in the header value S.
 * -ENOENT if there is none, -EBADMSG if it is malformed. */
int httpmsg_challenge(struct httpmsg_challenge *out, const char *s);

#endif
