/* SPDX-License-Identifier: MIT */
/* ctl - unit test: a server in a child, clients that behave and others */
#include "engine/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "unit.h"

static int dir;

/* --- requests --- */

static int parse(const char *params, const char *method, struct ctl_request *q)
{
	char line[512];

	snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method, params);
	return ctl_parse(line, strlen(line), q);
}

static void test_parse(void)
{
	static const struct {
		const char *line;
		int code;
		const char *id;
	} table[] = {
		{ "", -32700, "null" },
		{ "ping", -32700, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x", -32700, "null" },
		{ "null", -32600, "null" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600, "null" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600, "null" },
		{ "{\"id\":1,\"method\":\"ping\"}", -32600, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", -32600, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", -32600, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"01234567890123456789012345678901234567890123456789"
		  "012345678901234567890123456789\",\"method\":\"ping\"}",
			-32600, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", -32601, "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", -32600, "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rm\"}", -32601, "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}", -32602, "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", 0, "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"ping\"}", 0, "\"a\\\"b\"" },
	};
	static const char *const bad_signals[] = { "{}", "{\"signal\":0}", "{\"signal\":65}",
		"{\"signal\":-9}", "{\"signal\":\"\"}", "{\"signal\":\"NOPE\"}", "{\"signal\":1.5}",
		"{\"signal\":null}", "{\"signal\":\"HUP\",\"all\":1}" };
	static const char *const bad_sizes[] = { "{}", "{\"rows\":1}", "{\"cols\":1}",
		"{\"rows\":-1,\"cols\":1}", "{\"rows\":65536,\"cols\":1}",
		"{\"rows\":\"1\",\"cols\":1}" };
	struct ctl_request q;

	unit_case("takes JSON-RPC 2.0 and nothing else");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		fail_clear();
		if (ctl_parse(table[i].line, strlen(table[i].line), &q) != table[i].code)
			printf("# %s\n", table[i].line);
		CHECK(ctl_parse(table[i].line, strlen(table[i].line), &q) == table[i].code);
		CHECK_STR(q.id, table[i].id);
		CHECK(table[i].code == 0 || *fail_text());
	}

	unit_case("takes params of the right type and range");
	CHECK(parse("{\"signal\":\"hup\",\"all\":true}", "signal", &q) == 0);
	CHECK(q.method == CTL_SIGNAL && q.signal == SIGHUP && q.all);
	CHECK(parse("{\"signal\":9}", "signal", &q) == 0 && q.signal == 9 && !q.all);
	CHECK(parse("{}", "stop", &q) == 0 && q.signal == 0 && q.timeout == -1);
	CHECK(parse("{\"timeout_ms\":0,\"signal\":\"INT\"}", "stop", &q) == 0 && q.timeout == 0 &&
		q.signal == SIGINT);
	CHECK(parse("{\"rows\":24,\"cols\":80}", "resize", &q) == 0 && q.rows == 24 &&
		q.cols == 80);
	for (size_t i = 0; i < ARRAY_LEN(bad_signals); i++)
		CHECK(parse(bad_signals[i], "signal", &q) == -32602);
	for (size_t i = 0; i < ARRAY_LEN(bad_sizes); i++)
		CHECK(parse(bad_sizes[i], "resize", &q) == -32602);
	CHECK(parse("{\"timeout_ms\":-1}", "stop", &q) == -32602);
	CHECK(parse("{\"timeout_ms\":9223372036854775807}", "stop", &q) == -32602);
}

/* --- server --- */

static struct ctl_server server;

static int handle(void *ctx, const struct ctl_request *q, struct buf *result)
{
	(void)ctx;
	if (q->method == CTL_STATUS)
		buf_puts(result, "{\"state\":\"running\"}");
	if (q->method == CTL_RESIZE)
		return fail(ENOTTY, "there is no \"terminal\"");
	if (q->method == CTL_SIGNAL)
		_exit(q->signal);
	if (q->method == CTL_ROTATE)
		ctl_notify_exit(&server, "{\"code\":3}");
	return 0;
}

/* Serve in a child until a signal request ends it with that number. */
static pid_t serve(void)
{
	pid_t pid;

	CHECK(ctl_listen(&server, dir) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct pollfd p[CTL_POLLS];

		alarm(30);
		for (;;) {
			if (poll(p, CTL_POLLS, ctl_poll(&server, p)) < 0)
				_exit(1);
			ctl_serve(&server, p, handle, NULL);
		}
	}
	close(server.fd);
	server.fd = -1;
	return pid;
}

static int end(pid_t pid)
{
	struct ctl c;
	int status = -1;

	CHECK(ctl_connect(&c, dir) == 0);
	CHECK(ctl_call(&c, "signal", "{\"signal\":42}", NULL) == -EPIPE);
	ctl_disconnect(&c);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool say(struct ctl *c, const char *text, const char *want)
{
	char got[512] = "";
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;

	if (fd_send(c->fd, text, strlen(text), NULL, 0) < 0)
		return false;
	while (len < strlen(want) && n > 0 && poll(&p, 1, 5000) == 1) {
		n = read(c->fd, got + len, sizeof(got) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (strcmp(got, want) != 0) {
		printf("# got '%s'\n", got);
		return false;
	}
	return true;
}

#define PING "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n"
#define PONG "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n"

static void test_calls(void)
{
	auto_json struct json *j = NULL, *exit = NULL;
	struct ctl c, d;
	const char *state = "";
	struct stat st;
	int64_t code;
	pid_t pid = serve();

	unit_case("answers on a socket that is the owner's alone");
	CHECK(fstatat(dir, "ctl", &st, 0) == 0 && S_ISSOCK(st.st_mode) &&
		(st.st_mode & 07777) == 0600);
	CHECK(ctl_connect(&c, dir) == 0);
	CHECK(ctl_call(&c, "ping", NULL, NULL) == 0);
	CHECK(ctl_call(&c, "status", NULL, &j) == 0);
	CHECK(json_get_string(j, "state", &state) == 1);
	CHECK_STR(state, "running");

	unit_case("says what it refuses");
	CHECK(ctl_call(&c, "resize", "{\"rows\":1,\"cols\":1}", NULL) == -ENOTTY);
	CHECK_STR(fail_text(), "there is no \"terminal\"");
	CHECK(ctl_call(&c, "nothing", NULL, NULL) == -EPROTO);
	CHECK(say(&c, "rubbish\n",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
		"\"message\":\"invalid JSON at byte 0: no value\"}}\n"));
	CHECK(say(&c, PING, PONG));

	unit_case("takes several lines at once and one in pieces");
	CHECK(say(&c, PING PING "{\"jsonrpc\":", PONG PONG));
	CHECK(say(&c, "\"2.0\",\"id\":5,\"method\":\"ping\"}\n", PONG));

	unit_case("tells of an exit once to who waits, always to who subscribed");
	CHECK(ctl_connect(&d, dir) == 0);
	CHECK(ctl_call(&c, "wait", NULL, NULL) == 0 && ctl_call(&d, "subscribe", NULL, NULL) == 0);
	CHECK(ctl_call(&d, "logs.rotate", NULL, NULL) == 0);
	CHECK(ctl_next(&c, 5000, &exit) == 1);
	CHECK(json_get_int(json_get(exit, "params"), "code", &code) == 1 && code == 3);
	json_free(take_ptr(exit));
	CHECK(ctl_call(&c, "logs.rotate", NULL, NULL) == 0);
	CHECK(ctl_next(&d, 5000, &exit) == 1);
	json_free(take_ptr(exit));
	CHECK(ctl_next(&c, 20, &exit) == -ETIMEDOUT);
	ctl_disconnect(&d);
	ctl_disconnect(&c);
	CHECK(end(pid) == 42);
}

/* Does the server hang up on this connection? */
static bool hung_up(const struct ctl *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, 5000) == 1 && read(c->fd, &byte, 1) <= 0;
}

static void test_abuse(void)
{
	static char big[CTL_LINE + 1];
	static struct ctl many[CTL_CLIENTS + 1];
	struct ctl c;
	int p[2], sent = 0;
	pid_t pid = serve();

	unit_case("hangs up on a line that is too long, and on one client too many");
	memset(big, ' ', sizeof(big));
	CHECK(ctl_connect(&c, dir) == 0);
	CHECK(fd_send(c.fd, big, CTL_LINE, NULL, 0) == 0 && hung_up(&c));
	ctl_disconnect(&c);
	CHECK(ctl_connect(&c, dir) == 0);
	memcpy(big + CTL_LINE - strlen(PING), PING, strlen(PING) + 1);
	CHECK(say(&c, big, PONG));
	ctl_disconnect(&c);
	for (int i = 0; i < CTL_CLIENTS; i++)
		CHECK(ctl_connect(&many[i], dir) == 0 && say(&many[i], PING, PONG));
	CHECK(ctl_connect(&many[CTL_CLIENTS], dir) == 0 && hung_up(&many[CTL_CLIENTS]));
	for (int i = 0; i <= CTL_CLIENTS; i++)
		ctl_disconnect(&many[i]);

	unit_case("drops who asks and does not read");
	CHECK(ctl_connect(&c, dir) == 0);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	while (sent < 1000000 &&
		(send(c.fd, PING, strlen(PING), MSG_NOSIGNAL) > 0 || errno == EAGAIN))
		sent++;
	CHECK(errno == EPIPE || errno == ECONNRESET);
	ctl_disconnect(&c);

	unit_case("keeps no descriptor that is sent to it");
	CHECK(ctl_connect(&c, dir) == 0 && pipe2(p, O_CLOEXEC) == 0);
	CHECK(fd_send(c.fd, PING, strlen(PING), &p[1], 1) == 0);
	close(p[1]);
	CHECK(say(&c, PING, PONG PONG));
	CHECK(poll(&(struct pollfd){ .fd = p[0], .events = POLLIN }, 1, 5000) == 1);
	close(p[0]);
	ctl_disconnect(&c);
	CHECK(end(pid) == 42);
}

static void test_slow(void)
{
	struct ctl_server s;
	struct pollfd p[CTL_POLLS];
	struct ctl c;

	unit_case("drops who does not finish a line");
	CHECK(ctl_listen(&s, dir) == 0);
	CHECK(ctl_poll(&s, p) == -1);
	CHECK(ctl_connect(&c, dir) == 0 && fd_send(c.fd, "{", 1, NULL, 0) == 0);
	ctl_poll(&s, p);
	CHECK(poll(p, CTL_POLLS, 5000) == 1);
	ctl_serve(&s, p, handle, NULL);
	CHECK(ctl_poll(&s, p) == -1 && s.clients[0].fd >= 0);
	CHECK(poll(p, CTL_POLLS, 5000) == 1);
	ctl_serve(&s, p, handle, NULL);
	CHECK(ctl_poll(&s, p) > 9000 && s.clients[0].begun > 0);
	s.clients[0].begun -= 11 * 1000000000LL;
	CHECK(ctl_poll(&s, p) == 0);
	ctl_serve(&s, p, handle, NULL);
	CHECK(s.clients[0].fd == -1 && hung_up(&c));
	ctl_disconnect(&c);

	unit_case("leaves no socket; then there is nobody to connect to");
	ctl_close(&s);
	CHECK(faccessat(dir, "ctl", F_OK, 0) < 0);
	CHECK(ctl_connect(&c, dir) == -ENOENT);
	ctl_disconnect(&c);
	CHECK(ctl_poll(&s, p) == -1 && p[0].fd == -1);
}

/* Another user is refused even if the mode of the socket let him. */
static void test_peer(void)
{
	struct ctl_server s;
	struct pollfd p[CTL_POLLS];
	int status, ready[2];
	pid_t pid;
	char byte;

	if (geteuid() != 0) {
		unit_skip("refuses other users", "needs root");
		return;
	}
	unit_case("refuses other users");
	CHECK(ctl_listen(&s, dir) == 0 && fchmodat(dir, "ctl", 0666, 0) == 0);
	CHECK(fchmod(dir, 0755) == 0 && pipe2(ready, O_CLOEXEC) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct ctl c;

		if (setuid(65534) < 0 || ctl_connect(&c, dir) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(hung_up(&c) ? 0 : 2);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	ctl_poll(&s, p);
	CHECK(poll(p, CTL_POLLS, 5000) == 1);
	ctl_serve(&s, p, handle, NULL);
	CHECK(s.clients[0].fd == -1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ctl_close(&s);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	/* Longer than a socket's address can hold. */
	char path[300] = "/tmp/qbox-ctl.XXXXXX", name[201];

	CHECK(mkdtemp(path));
	memset(name, 'n', 200);
	name[200] = '\0';
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fchmod(dir, 0755) == 0 && mkdirat(dir, name, 0700) == 0);
	{
		int outer = dir;

		dir = openat(outer, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		test_parse();
		test_calls();
		test_abuse();
		test_slow();
		test_peer();
		unlinkat(dir, "ctl", 0);
		close(dir);
		CHECK(unlinkat(outer, name, AT_REMOVEDIR) == 0);
		close(outer);
	}
	rmdir(path);
	return unit_end();
}
