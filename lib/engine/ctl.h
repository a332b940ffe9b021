/* SPDX-License-Identifier: MIT */
/* ctl - the control socket of a monitor (FORMATS 3.2)
 *
 * RUN/c/ID/ctl, 0600 in a directory of 0700; who connects must be root or the owner. Requests are
 * JSON-RPC 2.0 objects, one a line:
 *	> {"jsonrpc":"2.0","id":1,"method":"signal","params":{"signal":"HUP"}}
 *	< {"jsonrpc":"2.0","id":1,"result":{}}
 *	< {"jsonrpc":"2.0","method":"exit","params":{EXIT RECORD}}
 * The server never waits for a client: one that does not read is dropped. */
#ifndef ENGINE_CTL_H
#define ENGINE_CTL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

#define CTL_CLIENTS 16
#define CTL_LINE    8192 /* bytes of a line, its newline included */
#define CTL_POLLS   (1 + CTL_CLIENTS)

enum ctl_method {
	CTL_PING,
	CTL_STATUS,
	CTL_WAIT,      /* be told of the next exit */
	CTL_SUBSCRIBE, /* of all */
	CTL_SIGNAL,
	CTL_STOP,
	CTL_RESIZE,
	CTL_ROTATE, /* logs.rotate */
};

struct ctl_request {
	char id[80]; /* as JSON; "null" where it could not be read */
	enum ctl_method method;
	int signal;      /* signal; stop: 0 is the container's own */
	bool all;        /* signal: every process, not the first alone */
	int64_t timeout; /* stop: ms until KILL; -1: the container's own */
	unsigned rows, cols;
};

/* Parse a line of LEN bytes, without its newline. Else the negative JSON-RPC error code, text
 * recorded. */
int ctl_parse(const char *line, size_t len, struct ctl_request *out);

/* --- server --- */

struct ctl_client {
	int fd; /* -1: free */
	bool waits, subscribed;
	int64_t begun; /* when the line that is not complete began; 0: there is none */
	size_t len;
	char *line; /* CTL_LINE bytes */
};

struct ctl_server {
	int fd; /* -1: none */
	int dir;
	struct ctl_client clients[CTL_CLIENTS];
};

/* Answer a request: 0 with the text of a JSON object in RESULT (empty: {}), or a negative errno
 * value with text. */
typedef int ctl_handler(void *ctx, const struct ctl_request *q, struct buf *result);

/* Nothing to serve; the other functions do nothing then. */
void ctl_init(struct ctl_server *s);

/* Make the socket in DIR, which stays open as long as S is used, in the place of an older one. */
int ctl_listen(struct ctl_server *s, int dir);

/* Set P[CTL_POLLS]; returns the ms until ctl_serve must be called in any case, -1: never. */
int ctl_poll(const struct ctl_server *s, struct pollfd *p);

/* Do what P, after poll, tells. */
void ctl_serve(struct ctl_server *s, const struct pollfd *p, ctl_handler *handle, void *ctx);

/* Tell those who wait for it that a run ended: PARAMS is the exit record's JSON. */
void ctl_notify_exit(struct ctl_server *s, const char *params);

/* Close all and remove the socket. */
void ctl_close(struct ctl_server *s);

/* --- client --- */

struct ctl {
	int fd;
	size_t len; /* bytes read ahead */
	char data[CTL_LINE];
};

/* Connect to the socket in DIR. -ENOENT, -ECONNREFUSED: there is no monitor. ctl_disconnect in any
 * case. */
int ctl_connect(struct ctl *c, int dir);
void ctl_disconnect(struct ctl *c);

/* Ask and wait for the answer, at most 10 s (-ETIMEDOUT). PARAMS is JSON or NULL. *RESULT (may be
 * NULL) is the caller's. What the monitor refuses is its errno value and text; -EPROTO: no answer
 * that makes sense; -EPIPE: it is gone. Notifications that come before the answer are lost. */
int ctl_call(struct ctl *c, const char *method, const char *params, struct json **result);

/* The next notification, *OUT its whole object. 1; 0 if the monitor is gone; -ETIMEDOUT without
 * text after TIMEOUT ms (-1: never). */
int ctl_next(struct ctl *c, int timeout, struct json **out);

#endif
