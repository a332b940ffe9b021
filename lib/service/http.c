/* SPDX-License-Identifier: MIT */
/* http - one HTTP/1.1 connection, plain or TLS, used for one request after the other */
#include "service/http.h"

#include <string.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "base/time.h"
#include "service/sock.h"

#define INPUT         32768
#define HEAD_SECONDS  30
#define STALL_SECONDS 30
#define DRAIN_MAX     (64u << 10)
#define ERROR_READ    4096
#define ERROR_SHOWN   1024

struct http {
	struct url origin;
	int fd;
	struct tls *tls; /* NULL: plain */
	struct httpmsg msg;
	bool used;         /* a request was sent */
	bool broken;       /* nothing more can be done with it */
	bool silent;       /* no byte of a response to the last request */
	const uint8_t *in; /* input that was not looked at yet, inside the buffer */
	size_t in_len;
	const uint8_t *body; /* body bytes that were found but not read yet, inside the buffer */
	size_t body_len;
	uint8_t buffer[INPUT];
};

int http_open(struct http **out, const struct url *u, const struct resolver_addresses *addresses,
	const struct tls_trust *trust)
{
	struct http *h;
	int r;

	*out = NULL;
	if (u->https && !trust) {
		fail(EPROTO, "'%s' is https, but no CA certificates are there", u->host);
		return fail_hint(-EPROTO, "name a file with --cacert");
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return fail(ENOMEM, "out of memory");
	h->origin = *u;
	httpmsg_init(&h->msg, false);
	h->fd = sock_connect(addresses->items, addresses->count, u->port);
	r = h->fd < 0 ? fail_wrap(h->fd, "'%s' port %u", u->host, u->port) : 0;
	if (r == 0 && u->https)
		r = tls_open(&h->tls, h->fd, u, trust);
	if (r < 0) {
		h->broken = true;
		http_disown(h);
		return r == -ETIMEDOUT || r == -ECONNRESET ? -EAGAIN : r;
	}
	*out = h;
	return 0;
}

void http_disown(struct http *h)
{
	if (!h)
		return;
	tls_free(h->tls);
	httpmsg_free(&h->msg);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

void http_close(struct http *h)
{
	if (h && h->tls && !h->broken)
		tls_shutdown(h->tls);
	http_disown(h);
}

const struct url *http_origin(const struct http *h)
{
	return &h->origin;
}

bool http_reusable(const struct http *h)
{
	/* Bytes behind the response are nobody's answer: whoever sends them may be lying. */
	return !h->broken && !h->in_len && (!h->used || (h->msg.complete && h->msg.keep_alive));
}

bool http_silent(const struct http *h)
{
	return h->silent;
}

const struct httpmsg *http_head(const struct http *h)
{
	return &h->msg;
}

/* The connection cannot be used any more. Network failures are all the same to the caller. */
static int broke(struct http *h, int r)
{
	h->broken = true;
	return r == -ETIMEDOUT || r == -ECONNRESET ? -EAGAIN : r;
}

static int send_all(struct http *h, const char *data, size_t len)
{
	int n;

	if (h->tls) {
		n = tls_write(h->tls, data, len);
		return n < 0 ? broke(h, n) : 0;
	}
	while (len) {
		n = sock_send(h->fd, data, len, sock_deadline(STALL_SECONDS));
		if (n < 0) {
			fail(EAGAIN, "'%s': send: %s", h->origin.host, strerror(-n));
			return broke(h, -EAGAIN);
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Get more input. 0: the other end has closed, in order. */
static int fill(struct http *h)
{
	int n;

	if (h->tls) {
		n = tls_read(h->tls, h->buffer, sizeof(h->buffer));
	} else {
		n = sock_recv(h->fd, h->buffer, sizeof(h->buffer), sock_deadline(STALL_SECONDS));
		if (n < 0)
			n = fail(EAGAIN, "'%s': receive: %s", h->origin.host, strerror(-n));
	}
	if (n < 0)
		return broke(h, n);
	h->in = h->buffer;
	h->in_len = (size_t)n;
	if (n)
		h->silent = false;
	return n;
}

/* Parse what is there, then get more, until the head is complete, a piece of body is found, or the
 * end. */
static int advance(struct http *h)
{
	int r;

	if (!h->in_len) {
		r = fill(h);
		if (r < 0)
			return r;
		if (r == 0) {
			h->broken = true;
			if (httpmsg_end(&h->msg) < 0)
				return fail(EAGAIN, "'%s' hung up in the middle", h->origin.host);
			return 0;
		}
	}
	r = httpmsg_feed(&h->msg, &h->in, &h->in_len, &h->body, &h->body_len);
	if (r < 0) {
		h->broken = true;
		return fail_wrap(r, "'%s'", h->origin.host);
	}
	return 0;
}

/* The request as it goes out; the header lines may hold secrets, so the caller wipes it. */
static int format_request(struct buf *out, const struct http *h, const struct http_request *q)
{
	char host[272];

	url_authority(host, &h->origin);
	buf_printf(out,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: qbox\r\nAccept-Encoding: identity\r\n",
		q->method, q->target, host);
	buf_puts(out, q->headers);
	if (q->body)
		buf_printf(out, "Content-Length: %zu\r\n", q->body_len);
	buf_puts(out, "\r\n");
	if (q->body)
		buf_add(out, q->body, q->body_len);
	return buf_check(out);
}

static int send_request(struct http *h, const struct http_request *q)
{
	auto_buf struct buf text = { 0 };
	int r;

	/* Room for all at once: a buffer that grows leaves copies of secrets behind. */
	buf_reserve(&text, 1024 + strlen(q->target) + strlen(q->headers) + q->body_len);
	r = format_request(&text, h, q);
	if (r == 0)
		r = send_all(h, text.data, text.len);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

int http_exchange(struct http *h, const struct http_request *q)
{
	int64_t deadline;
	int r;

	httpmsg_free(&h->msg);
	httpmsg_init(&h->msg, strcmp(q->method, "HEAD") == 0);
	h->used = true;
	h->silent = true;
	h->body_len = 0;
	r = send_request(h, q);
	deadline = sock_deadline(HEAD_SECONDS);
	while (r == 0 && !h->msg.head_done) {
		r = advance(h);
		if (r == 0 && !h->msg.head_done && time_mono() > deadline) {
			h->broken = true;
			r = fail(EAGAIN, "'%s': no response within %d seconds", h->origin.host,
				HEAD_SECONDS);
		}
	}
	return r < 0 ? r : h->msg.status;
}

int http_read(struct http *h, void *buf, size_t len)
{
	int r;

	while (!h->body_len) {
		if (h->msg.complete)
			return 0;
		if (h->broken)
			return fail(EAGAIN, "'%s': the connection is broken", h->origin.host);
		r = advance(h);
		if (r < 0)
			return r;
	}
	if (len > h->body_len)
		len = h->body_len;
	memcpy(buf, h->body, len);
	h->body += len;
	h->body_len -= len;
	return (int)len;
}

int http_read_all(struct http *h, struct buf *out, size_t max)
{
	char piece[4096];
	size_t total = 0;
	int n;

	while ((n = http_read(h, piece, sizeof(piece))) > 0) {
		total += (size_t)n;
		if (total > max) {
			h->broken = true;
			return fail(EMSGSIZE, "'%s' sent more than %zu bytes", h->origin.host, max);
		}
		buf_add(out, piece, (size_t)n);
	}
	return n < 0 ? n : buf_check(out);
}

void http_drain(struct http *h)
{
	auto_buf struct buf dropped = { 0 };

	if (http_read_all(h, &dropped, DRAIN_MAX) < 0)
		h->broken = true; /* no loss: the next request takes a new connection */
}

/* The messages of {"errors":[{"code":...,"message":...}]}; the text as it is if it is no such thing. */
static void explain(struct buf *out, const struct buf *body)
{
	auto_json struct json *tree = NULL;
	const struct json *errors, *e;
	const char *message;
	size_t start = out->len;

	if (json_parse(buf_str(body), body->len, &tree) == 0) {
		errors = json_get(tree, "errors");
		for (e = errors ? errors->child : NULL; e; e = e->next)
			if ((json_get_string(e, "message", &message) > 0 && *message) ||
				json_get_string(e, "code", &message) > 0) {
				buf_puts(out, out->len > start ? "; " : ": ");
				str_escape(out, message, strnlen(message, ERROR_SHOWN));
			}
	}
	if (out->len == start && body->len) {
		buf_puts(out, ": ");
		str_escape(out, body->data, body->len < ERROR_SHOWN ? body->len : ERROR_SHOWN);
	}
}

int http_fail(struct http *h, int err, const char *text)
{
	auto_buf struct buf body = { 0 }, why = { 0 };
	int status = h->msg.status;
	char piece[512];
	int n = 1;

	while (body.len < ERROR_READ && (n = http_read(h, piece, sizeof(piece))) > 0)
		buf_add(&body, piece, (size_t)n);
	if (n != 0)
		h->broken =
			true; /* more than that is not worth reading for the connection's sake */
	explain(&why, &body);
	return fail(err, "%s: status %d%.*s", text, status, ERROR_SHOWN, buf_str(&why));
}
