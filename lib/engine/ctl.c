/* SPDX-License-Identifier: MIT */
/* ctl - the control socket of a monitor: requests, server, client */
#include "engine/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/sig.h"

#define LINE_TIME (10 * NS_PER_S) /* to finish a line */
#define ANSWER_MS 10000
#define STOP_MAX  (INT64_C(1000) * 3600 * 24 * 365)
#define SOCKET    "ctl"
#define JSONRPC   "{\"jsonrpc\":\"2.0\","

/* Error codes of JSON-RPC 2.0. */
#define BAD_JSON    (-32700)
#define BAD_REQUEST (-32600)
#define NO_METHOD   (-32601)
#define BAD_PARAMS  (-32602)
#define REFUSED     (-32000)

static const char *const methods[] = {
	[CTL_PING] = "ping",
	[CTL_STATUS] = "status",
	[CTL_WAIT] = "wait",
	[CTL_SUBSCRIBE] = "subscribe",
	[CTL_SIGNAL] = "signal",
	[CTL_STOP] = "stop",
	[CTL_RESIZE] = "resize",
	[CTL_ROTATE] = "logs.rotate",
};

/* What a monitor may answer with; a name means the same on every architecture. */
static const struct {
	int number;
	const char *name;
} errors[] = {
	{ EACCES, "EACCES" },
	{ EBUSY, "EBUSY" },
	{ EINVAL, "EINVAL" },
	{ EIO, "EIO" },
	{ ENOMEM, "ENOMEM" },
	{ ENOTTY, "ENOTTY" },
	{ EPERM, "EPERM" },
	{ ESRCH, "ESRCH" },
};

static const char *error_name(int number)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].number == number)
			return errors[i].name;
	return "EIO";
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].number;
	return EIO;
}

/* --- requests --- */

static int parse_id(const struct json *j, char *out, size_t size)
{
	const struct json *id = json_get(j, "id");
	auto_buf struct buf text = { 0 };

	if (!id || (id->type != JSON_INT && id->type != JSON_STRING))
		return -EINVAL;
	json_format(&text, id);
	if (text.failed || text.len >= size)
		return -EINVAL;
	memcpy(out, buf_str(&text), text.len + 1);
	return 0;
}

static int parse_signal(const struct json *params, int *out)
{
	const struct json *j = json_get(params, "signal");
	int number;

	if (!j)
		return 0;
	if (j->type == JSON_INT && j->integer > 0 && j->integer <= 64)
		number = (int)j->integer;
	else if (j->type == JSON_STRING)
		number = sig_parse(j->string);
	else
		return fail(EINVAL, "'signal' is not one");
	if (number > 0)
		*out = number;
	return number < 0 ? number : 0;
}

static int parse_number(const struct json *params, const char *key, int64_t max, int64_t *out)
{
	int r = json_get_int(params, key, out);

	if (r > 0 && (*out < 0 || *out > max))
		return fail(ERANGE, "'%s' is out of range", key);
	return r;
}

static int parse_size(const struct json *params, const char *key, unsigned *out)
{
	int64_t n;
	int r = parse_number(params, key, UINT16_MAX, &n);

	if (r == 0)
		return fail(EINVAL, "'%s' is missing", key);
	if (r > 0)
		*out = (unsigned)n;
	return r < 0 ? r : 0;
}

static int parse_params(const struct json *params, struct ctl_request *q)
{
	int r = 0;

	switch (q->method) {
	case CTL_PING:
	case CTL_STATUS:
	case CTL_WAIT:
	case CTL_SUBSCRIBE:
	case CTL_ROTATE: break;
	case CTL_SIGNAL:
		r = parse_signal(params, &q->signal);
		if (r == 0 && q->signal == 0)
			r = fail(EINVAL, "'signal' is missing");
		if (r == 0)
			r = json_get_bool(params, "all", &q->all);
		break;
	case CTL_STOP:
		r = parse_signal(params, &q->signal);
		if (r == 0)
			r = parse_number(params, "timeout_ms", STOP_MAX, &q->timeout);
		break;
	case CTL_RESIZE:
		r = parse_size(params, "rows", &q->rows);
		if (r == 0)
			r = parse_size(params, "cols", &q->cols);
		break;
	}
	return r < 0 ? BAD_PARAMS : 0;
}

/* Record the text of another kind of failure than errno values know. */
static int refuse(int code, const char *text)
{
	fail(EPROTO, "%s", text);
	return code;
}

int ctl_parse(const char *line, size_t len, struct ctl_request *out)
{
	auto_json struct json *j = NULL;
	const struct json *params;
	const char *version = "", *method = "";
	size_t i = 0;

	*out = (struct ctl_request){ .id = "null", .timeout = -1 };
	if (json_parse(line, len, &j) < 0)
		return BAD_JSON;
	if (j->type != JSON_OBJECT || json_get_string(j, "jsonrpc", &version) < 0 ||
		strcmp(version, "2.0") != 0)
		return refuse(BAD_REQUEST, "not a JSON-RPC 2.0 request");
	if (parse_id(j, out->id, sizeof(out->id)) < 0)
		return refuse(BAD_REQUEST, "'id' is missing, or no number or short string");
	if (json_get_string(j, "method", &method) < 0)
		return BAD_REQUEST;
	while (i < ARRAY_LEN(methods) && strcmp(methods[i], method) != 0)
		i++;
	if (i == ARRAY_LEN(methods))
		return refuse(NO_METHOD, "no such method");
	out->method = (enum ctl_method)i;
	params = json_get(j, "params");
	if (params && params->type != JSON_OBJECT)
		return refuse(BAD_PARAMS, "'params' is not an object");
	return parse_params(params, out);
}

/* --- server --- */

void ctl_init(struct ctl_server *s)
{
	s->fd = -1;
	for (size_t i = 0; i < CTL_CLIENTS; i++)
		s->clients[i] = (struct ctl_client){ .fd = -1 };
}

/* The path may be longer than a socket's address holds, so it leads through the descriptor. */
static struct sockaddr_un address_of(int dir)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" SOCKET, dir);
	return a;
}

int ctl_listen(struct ctl_server *s, int dir)
{
	struct sockaddr_un a = address_of(dir);
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ctl_init(s);
	if (fd < 0)
		return fail_errno("make a socket");
	if (unlinkat(dir, SOCKET, 0) < 0 && errno != ENOENT)
		return fail_errno("remove an old control socket");
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		fchmodat(dir, SOCKET, 0600, 0) < 0 || listen(fd, CTL_CLIENTS) < 0)
		return fail_errno("make the control socket");
	s->dir = dir;
	s->fd = take_fd(&fd);
	return 0;
}

static void drop(struct ctl_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->line);
	*c = (struct ctl_client){ .fd = -1 };
}

void ctl_close(struct ctl_server *s)
{
	for (size_t i = 0; i < CTL_CLIENTS; i++)
		drop(&s->clients[i]);
	if (s->fd < 0)
		return;
	close(s->fd);
	s->fd = -1;
	unlinkat(s->dir, SOCKET, 0); /* else who connects is refused, which says the same */
}

int ctl_poll(const struct ctl_server *s, struct pollfd *p)
{
	int64_t first = INT64_MAX, now = time_mono();

	p[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		const struct ctl_client *c = &s->clients[i];

		p[i + 1] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
		if (c->fd >= 0 && c->begun && c->begun + LINE_TIME < first)
			first = c->begun + LINE_TIME;
	}
	if (first == INT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000) + 1;
}

static bool allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		(peer.uid == 0 || peer.uid == geteuid());
}

/* A client too many is closed, not left to wait: it can come again. */
static void accept_client(struct ctl_server *s)
{
	auto_close int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i = 0;

	while (i < CTL_CLIENTS && s->clients[i].fd >= 0)
		i++;
	if (fd < 0 || i == CTL_CLIENTS || !allowed(fd))
		return;
	s->clients[i].line = malloc(CTL_LINE);
	if (s->clients[i].line)
		s->clients[i].fd = take_fd(&fd);
}

static void say(struct ctl_client *c, const struct buf *text)
{
	ssize_t n = -1;

	if (!text->failed)
		n = send(c->fd, text->data, text->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 || (size_t)n != text->len)
		drop(c);
}

static void answer_error(struct buf *out, const char *id, int code, int err)
{
	buf_printf(out, JSONRPC "\"id\":%s,\"error\":{\"code\":%d,\"message\":", id, code);
	json_quote(out, fail_text());
	if (code == REFUSED)
		buf_printf(out, ",\"data\":{\"errno\":\"%s\"}", error_name(err));
	buf_puts(out, "}}\n");
	fail_clear();
}

static void take_line(struct ctl_client *c, size_t len, ctl_handler *handle, void *ctx)
{
	auto_buf struct buf out = { 0 }, result = { 0 };
	struct ctl_request q;
	int code = ctl_parse(c->line, len, &q), r;

	if (code < 0) {
		answer_error(&out, q.id, code, 0);
	} else {
		r = handle(ctx, &q, &result);
		if (r == 0)
			r = buf_check(&result);
		if (r < 0)
			answer_error(&out, q.id, REFUSED, -r);
		else
			buf_printf(&out, JSONRPC "\"id\":%s,\"result\":%s}\n", q.id,
				result.len ? buf_str(&result) : "{}");
		c->waits = c->waits || (r == 0 && q.method == CTL_WAIT);
		c->subscribed = c->subscribed || (r == 0 && q.method == CTL_SUBSCRIBE);
	}
	say(c, &out);
}

/* One read for each turn, so that no client keeps the others waiting. */
static void read_client(struct ctl_client *c, ctl_handler *handle, void *ctx)
{
	ssize_t n = recv(c->fd, c->line + c->len, CTL_LINE - c->len, MSG_DONTWAIT);
	char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	while (c->fd >= 0 && (newline = memchr(c->line, '\n', c->len))) {
		size_t used = (size_t)(newline - c->line) + 1;

		take_line(c, used - 1, handle, ctx);
		if (c->fd < 0)
			return;
		c->len -= used;
		memmove(c->line, c->line + used, c->len);
		c->begun = 0;
	}
	if (c->len == CTL_LINE)
		drop(c);
	else if (c->len == 0)
		c->begun = 0;
	else if (!c->begun)
		c->begun = time_mono();
}

void ctl_serve(struct ctl_server *s, const struct pollfd *p, ctl_handler *handle, void *ctx)
{
	int64_t now = time_mono();

	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		struct ctl_client *c = &s->clients[i];

		if (c->fd < 0 || c->fd != p[i + 1].fd)
			continue;
		if (p[i + 1].revents)
			read_client(c, handle, ctx);
		if (c->fd >= 0 && c->begun && now >= c->begun + LINE_TIME)
			drop(c);
	}
	if (s->fd >= 0 && p[0].revents)
		accept_client(s);
}

void ctl_notify_exit(struct ctl_server *s, const char *params)
{
	auto_buf struct buf text = { 0 };

	buf_printf(&text, JSONRPC "\"method\":\"exit\",\"params\":%s}\n", params);
	for (size_t i = 0; i < CTL_CLIENTS; i++) {
		struct ctl_client *c = &s->clients[i];

		if (c->fd < 0 || (!c->waits && !c->subscribed))
			continue;
		c->waits = false;
		say(c, &text);
	}
}

/* --- client --- */

int ctl_connect(struct ctl *c, int dir)
{
	struct sockaddr_un a = address_of(dir);
	struct timeval limit = { .tv_sec = ANSWER_MS / 1000 };

	c->len = 0;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail_errno("make a socket");
	/* A monitor that was stopped must not hold us up. */
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	if (errno == EAGAIN)
		errno = ETIMEDOUT;
	return fail_errno("connect to the monitor");
}

void ctl_disconnect(struct ctl *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* The next line, parsed. 1; 0 at the end; -ETIMEDOUT without text at the time UNTIL. */
static int read_line(struct ctl *c, int64_t until, struct json **out)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char *newline;

	*out = NULL;
	while (!(newline = memchr(c->data, '\n', c->len))) {
		int64_t left = (until - time_mono()) / 1000000 + 1;
		ssize_t n;

		if (c->len == sizeof(c->data))
			return fail(EPROTO, "the monitor says too much");
		if (until < INT64_MAX && left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, left > 3600000 ? 3600000 : (int)left);
		if (n < 0 && errno != EINTR)
			return fail_errno("wait for the monitor");
		if (n <= 0)
			continue;
		n = recv(c->fd, c->data + c->len, sizeof(c->data) - c->len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail_errno("read from the monitor");
		c->len += n > 0 ? (size_t)n : 0;
	}
	{
		size_t used = (size_t)(newline - c->data) + 1;
		int r = json_parse(c->data, used - 1, out);

		c->len -= used;
		memmove(c->data, c->data + used, c->len);
		return r < 0 ? fail(EPROTO, "the monitor does not speak JSON") : 1;
	}
}

static int take_answer(const struct json *answer, struct json **result)
{
	const struct json *error = json_get(answer, "error"), *value = json_get(answer, "result");
	const char *text = "", *name = "";

	if (!error && value) {
		if (result && !(*result = json_copy(value)))
			return fail(ENOMEM, "out of memory");
		return 0;
	}
	if (json_get_string(error, "message", &text) < 1)
		return fail(EPROTO, "the monitor gives no answer");
	if (json_get_string(json_get(error, "data"), "errno", &name) < 1)
		return fail(EPROTO, "the monitor refuses: %s", text);
	return fail(error_number(name), "%s", text);
}

int ctl_call(struct ctl *c, const char *method, const char *params, struct json **result)
{
	auto_buf struct buf text = { 0 };
	int64_t until = time_mono() + ANSWER_MS * 1000000LL;
	int r;

	if (result)
		*result = NULL;
	buf_printf(&text, JSONRPC "\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
		params ? params : "{}");
	r = buf_check(&text);
	if (r == 0) {
		r = fd_send(c->fd, text.data, text.len, NULL, 0);
		if (r < 0)
			return fail(-r, "tell the monitor: %s", strerror(-r));
	}
	while (r == 0) {
		auto_json struct json *answer = NULL;

		r = read_line(c, until, &answer);
		if (r == 0)
			return fail(EPIPE, "the monitor has ended");
		if (r == -ETIMEDOUT)
			return fail(ETIMEDOUT, "the monitor does not answer");
		if (r < 0)
			return r;
		if (json_get(answer, "id"))
			return take_answer(answer, result);
		r = 0;
	}
	return r;
}

int ctl_next(struct ctl *c, int timeout, struct json **out)
{
	int64_t until = timeout < 0 ? INT64_MAX : time_mono() + timeout * 1000000LL;
	int r;

	do {
		r = read_line(c, until, out);
		if (r <= 0 || json_get(*out, "method"))
			return r;
		json_free(*out);
	} while (true);
}
