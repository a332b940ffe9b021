/* SPDX-License-Identifier: MIT */
/* monitor - unit test: a plain child stands for the container */
#include "engine/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/sig.h"
#include "unit.h"

static struct monitor monitor;
static int other[3];

static void close_others(void)
{
	for (int i = 0; i < 3; i++)
		if (other[i] >= 0)
			close(other[i]);
}

/* A child that says over a pipe that it is ready, then waits for USR1. */
static pid_t wait_for_signal(void)
{
	int p[2];
	char c;
	pid_t pid;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		sigset_t set;
		int number;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_SETMASK, &set, NULL);
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		sigwait(&set, &number);
		_exit(number == SIGUSR1 ? 9 : 1);
	}
	CHECK(read(p[0], &c, 1) == 1);
	close(p[0]);
	close(p[1]);
	return pid;
}

static void test_plain(void)
{
	int status;
	pid_t pid;

	unit_case("gives the status of the child");
	CHECK(monitor_open(&monitor, other) == 0);
	CHECK(other[0] == -1 && other[1] == -1 && other[2] == -1);
	pid = fork();
	if (pid == 0)
		_exit(5);
	CHECK(monitor_run(&monitor, pid, &status) == 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);

	unit_case("also of one that was over before");
	pid = fork();
	if (pid == 0)
		_exit(6);
	CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) == 0);
	CHECK(monitor_run(&monitor, pid, &status) == 0 && WEXITSTATUS(status) == 6);

	unit_case("passes signals on");
	pid = wait_for_signal();
	kill(getpid(), SIGUSR1);
	CHECK(monitor_run(&monitor, pid, &status) == 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
	monitor_close(&monitor);
}

/* All on a terminal; the child copies its input to its output. */
static void test_terminal(int master, const char *slave)
{
	char text[256] = "";
	int status, fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	tcgetattr(fd, &t);
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
	dup2(fd, 0);
	dup2(fd, 1);
	CHECK(monitor_open(&monitor, other) == 0);
	CHECK(other[0] >= 0 && other[1] >= 0 && !isatty(other[0]) && !isatty(other[1]));
	CHECK(!(fcntl(0, F_GETFL) & O_NONBLOCK) && !(fcntl(other[0], F_GETFL) & O_NONBLOCK));
	CHECK(write(master, "typed", 5) == 5);
	pid = fork();
	if (pid == 0) {
		n = read(other[0], text, sizeof(text));

		/* The end comes at once after the last byte. */
		_exit(n == 5 && write(other[1], "seen ", 5) == 5 && write(other[1], text, 5) == 5
				? 3
				: 4);
	}
	close_others();
	CHECK(monitor_run(&monitor, pid, &status) == 0 && WEXITSTATUS(status) == 3);
	monitor_close(&monitor);
	/* A terminal gives what was written at once in as many pieces as it likes. */
	while (got < 10 && poll(&(struct pollfd){ .fd = master, .events = POLLIN }, 1, 1000) == 1 &&
		(n = read(master, text + got, 10 - got)) > 0)
		got += (size_t)n;
	CHECK_STR(text, "seen typed");
	close(fd);
}

/* --- log --- */

static struct crilog writer;
static struct ctl_server control;
static int dir;

static int collect(void *ctx, const struct crilog_record *record)
{
	struct buf *text = ctx;

	buf_add(&text[record->stream], record->text, record->len);
	return 0;
}

static void read_log(struct buf text[3])
{
	struct crilog_query q = { .tail = -1, .since = INT64_MIN, .until = -1 };

	buf_clear(&text[1]);
	buf_clear(&text[2]);
	CHECK(crilog_read(dir, &q, collect, text) == 0);
}

/* In a child of ours: the container's ends in place, then EXEC. */
static pid_t start(void (*exec)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		alarm(30);
		for (int i = 0; i < 3; i++)
			if (other[i] >= 0)
				dup2(other[i], i);
		exec();
		_exit(1);
	}
	close_others();
	return pid;
}

static void print_much(void)
{
	static char block[70000];
	char c;

	/* Its input is empty; its output survives that nobody reads it any more. */
	if (read(0, &c, 1) != 0 || (fcntl(1, F_GETFL) & O_ACCMODE) != O_RDWR)
		_exit(2);
	memset(block, 'x', sizeof(block));
	if (fd_write(2, "e", 1) == 0 && fd_write(1, block, sizeof(block)) == 0)
		_exit(0);
}

static void test_log(void)
{
	struct buf text[3] = { { 0 } };
	int status;
	pid_t pid;

	unit_case("keeps in the log all that a process prints which ends at once");
	crilog_init(&writer, dir);
	monitor = (struct monitor){ .want = { .log = &writer } };
	CHECK(monitor_open(&monitor, other) == 0);
	CHECK(other[0] >= 0 && other[1] >= 0 && other[2] >= 0);
	pid = start(print_much);
	CHECK(monitor_run(&monitor, pid, &status) == 0 && status == 0);
	monitor_close(&monitor);
	read_log(text);
	CHECK(text[1].len == 70000 && text[2].len == 1);
	buf_free(&text[1]);
	buf_free(&text[2]);
}

/* --- control socket --- */

static int ready[2]; /* what runs is ready for the call */

static void sleep_on(void)
{
	CHECK(write(ready[1], "x", 1) == 1);
	for (;;)
		pause();
}

static void ignore_and_sleep(void)
{
	signal(SIGTERM, SIG_IGN);
	sleep_on();
}

/* Call METHOD in a child, as another process would; what it got is its status. */
static pid_t call_later(const char *method, const char *params, bool wait)
{
	pid_t pid = fork();
	struct ctl c;
	char byte;
	int r;

	if (pid != 0)
		return pid;
	alarm(30);
	if (wait && read(ready[0], &byte, 1) != 1)
		_exit(EPIPE);
	r = ctl_connect(&c, dir);
	if (r == 0)
		r = ctl_call(&c, method, params, NULL);
	_exit(-r);
}

/* Run EXEC, which says that it is ready, while METHOD is called. The answer; *STATUS is how EXEC ended. */
static int call_while(void (*exec)(void), const char *method, const char *params, int *status)
{
	int answer = -1;
	pid_t caller, pid;

	CHECK(monitor_open(&monitor, other) == 0);
	caller = call_later(method, params, true);
	pid = start(exec);
	CHECK(monitor_run(&monitor, pid, status) == 0);
	monitor_close(&monitor);
	waitpid(caller, &answer, 0);
	return WIFEXITED(answer) ? WEXITSTATUS(answer) : -1;
}

static void test_control(void)
{
	struct exit_record record = { 0 };
	int status;
	int64_t begun;

	unit_case("stops with the signal it is told, or its own");
	CHECK(ctl_listen(&control, dir) == 0 && pipe2(ready, O_CLOEXEC) == 0);
	monitor = (struct monitor){
		.want = { .log = &writer, .ctl = &control, .stop_signal = SIGUSR2 }
	};
	CHECK(call_while(sleep_on, "stop", NULL, &status) == 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2 && monitor.stopping);
	monitor_describe(&monitor, status, &record);
	CHECK(record.reason == REASON_STOPPED && record.code == 128 + SIGUSR2 && !record.oom);
	CHECK(call_while(sleep_on, "stop", "{\"signal\":\"INT\"}", &status) == 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	CHECK(call_while(sleep_on, "signal", "{\"signal\":\"HUP\"}", &status) == 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP && !monitor.stopping);

	unit_case("kills what does not care");
	monitor.want.stop_signal = 0;
	begun = time_mono();
	CHECK(call_while(ignore_and_sleep, "stop", "{\"timeout_ms\":100}", &status) == 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(time_mono() - begun < 8 * NS_PER_S);
	CHECK(call_while(ignore_and_sleep, "stop", "{\"timeout_ms\":0}", &status) == 0);
	CHECK(WIFSIGNALED(status));

	unit_case("stops after the time it was given");
	monitor.want.timeout = 50;
	CHECK(monitor_open(&monitor, other) == 0);
	CHECK(monitor_run(&monitor, start(sleep_on), &status) == 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && monitor.timed_out);
	CHECK(!monitor.stopping);
	monitor_describe(&monitor, status, &record);
	CHECK(record.reason == REASON_TIMEOUT && record.signal == SIGTERM);
	monitor_close(&monitor);
	monitor.want.timeout = 0;

	unit_case("serves between runs, ends a pause when it is to stop");
	CHECK(monitor_pause(&monitor, 1000000) == 0 && !monitor.stopping);
	{
		pid_t caller = call_later("signal", "{\"signal\":\"HUP\"}", false);

		CHECK(monitor_pause(&monitor, 100000000) == 0 && !monitor.stopping);
		waitpid(caller, &status, 0);
		CHECK(WEXITSTATUS(status) == ESRCH);
		caller = call_later("stop", NULL, false);
		begun = time_mono();
		CHECK(monitor_pause(&monitor, 20 * NS_PER_S) == 0 && monitor.stopping);
		CHECK(time_mono() - begun < 10 * NS_PER_S);
		/* The answer was given before. */
		waitpid(caller, &status, 0);
		CHECK(status == 0);
		kill(getpid(), SIGTERM);
		CHECK(monitor_pause(&monitor, 20 * NS_PER_S) == 0 && monitor.stopping);

		caller = call_later("resize", "{\"rows\":1,\"cols\":1}", false);
		CHECK(monitor_pause(&monitor, 100000000) == 0 && !monitor.stopping);
		waitpid(caller, &status, 0);
		CHECK(WEXITSTATUS(status) == ENOTTY);
	}
	ctl_close(&control);
	close(ready[0]);
	close(ready[1]);
}

/* --- a terminal of its own --- */

static int slave, user; /* the container's end; the far end of our terminal */

static void talk(void)
{
	struct winsize size;
	char text[32] = "";
	ssize_t n;

	setsid();
	if (pty_adopt(slave) < 0 || ioctl(0, TIOCGWINSZ, &size) < 0)
		_exit(2);
	dprintf(1, "%dx%d ready\n", size.ws_row, size.ws_col);
	n = read(0, text, sizeof(text) - 1);
	dprintf(1, "got %.*s", (int)n, text);
	_exit(4);
}

static void wait_for_interrupt(void)
{
	setsid();
	if (pty_adopt(slave) < 0)
		_exit(2);
	dprintf(1, "ready\n");
	for (;;)
		pause();
}

static int open_pty(int *end)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int master = pty_open(dev, end);

	close(dev);
	return master;
}

/* Type TEXT once "ready" was seen, then read on until LAST was. What was seen goes to SEEN. */
static pid_t sit_at(int terminal, const char *text, const char *last, int *seen)
{
	int p[2];
	pid_t pid;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		char all[512] = "";
		size_t len = 0;
		bool typed = false;
		ssize_t n;

		alarm(30);
		while (!strstr(all, last) &&
			(n = read(terminal, all + len, sizeof(all) - 1 - len)) > 0) {
			len += (size_t)n;
			if (!typed && strstr(all, "ready")) {
				typed = true;
				fd_write(terminal, text, strlen(text));
			}
		}
		fd_write(p[1], all, len);
		_exit(0);
	}
	close(p[1]);
	*seen = p[0];
	return pid;
}

static void test_pty(void)
{
	int own, status, seen, master;
	struct termios before, after;
	char text[512] = "";
	pid_t pid;

	unit_case("gives the container a terminal of its own, as large as ours");
	user = open_pty(&own);
	CHECK(user >= 0 && pty_set_size(user, 33, 99) == 0);
	tcgetattr(own, &before);
	dup2(own, 0);
	dup2(own, 1);
	monitor = (struct monitor){ .want = { .tty = true } };
	CHECK(monitor_open(&monitor, other) == 0);
	CHECK(other[0] == -1 && other[1] == -1 && other[2] == -1);
	master = open_pty(&slave);
	CHECK(monitor_set_pty(&monitor, master) == 0);
	pid = sit_at(user, "typed\r", "got typed\r\n", &seen);
	CHECK(monitor_run(&monitor, start(talk), &status) == 0);
	close(slave);
	monitor_close(&monitor);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	CHECK(fd_read(seen, text, sizeof(text) - 1) > 0);
	/* One echo, that of the container's terminal. */
	CHECK(strstr(text, "33x99 ready\r\ntyped\r\ngot typed\r\n"));
	waitpid(pid, NULL, 0);
	close(seen);

	unit_case("puts our terminal back and leaves it blocking");
	tcgetattr(own, &after);
	CHECK(before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag &&
		before.c_oflag == after.c_oflag);
	CHECK(!(fcntl(0, F_GETFL) & O_NONBLOCK));

	unit_case("lets Ctrl-C be the container's");
	CHECK(monitor_open(&monitor, other) == 0);
	master = open_pty(&slave);
	CHECK(monitor_set_pty(&monitor, master) == 0);
	pid = sit_at(user, "\003", "^C", &seen);
	CHECK(monitor_run(&monitor, start(wait_for_interrupt), &status) == 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	close(slave);
	monitor_close(&monitor);
	waitpid(pid, NULL, 0);
	close(seen);
	close(user);
	close(own);
}

/* Our input is a pipe: at its end the container's terminal sees what one types for it. */
static void test_piped_pty(void)
{
	struct buf text[3] = { { 0 } };
	int p[2], q[2], status, master;
	char seen[256] = "";

	unit_case("ends the input of a terminal when ours ends");
	CHECK(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0);
	dup2(p[0], 0);
	dup2(q[1], 1);
	close(p[1]);
	close(q[1]);
	monitor = (struct monitor){ .want = { .tty = true } };
	CHECK(monitor_open(&monitor, other) == 0);
	master = open_pty(&slave);
	CHECK(monitor_set_pty(&monitor, master) == 0);
	CHECK(monitor_run(&monitor, start(talk), &status) == 0 && WEXITSTATUS(status) == 4);
	monitor_close(&monitor);
	close(slave);
	CHECK(read(q[0], seen, sizeof(seen) - 1) > 0 && strstr(seen, "got "));
	close(p[0]);
	close(q[0]);

	unit_case("keeps what a terminal shows in the log");
	unlinkat(dir, "log", 0);
	crilog_close(&writer);
	crilog_init(&writer, dir);
	monitor = (struct monitor){ .want = { .tty = true, .log = &writer } };
	CHECK(monitor_open(&monitor, other) == 0);
	master = open_pty(&slave);
	CHECK(monitor_set_pty(&monitor, master) == 0);
	CHECK(write(master, "word\r", 5) == 5);
	CHECK(monitor_run(&monitor, start(talk), &status) == 0 && WEXITSTATUS(status) == 4);
	monitor_close(&monitor);
	close(slave);
	read_log(text);
	CHECK(strstr(buf_str(&text[1]), "got word"));
	CHECK(text[2].len == 0);
	buf_free(&text[1]);
	buf_free(&text[2]);
}

int main(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = fcntl(1, F_DUPFD_CLOEXEC, 10);
	int master;

	/* The test's own descriptors must not be taken for a terminal. What it says waits until they
	 * are back. */
	setvbuf(stdout, NULL, _IOFBF, 8192);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	test_plain();
	unit_case("what is ignored is not passed on, the end of the child is seen");
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	{
		sigset_t now;

		sigemptyset(&now);
		sigprocmask(SIG_SETMASK, &now, NULL);
	}
	CHECK(monitor_open(&monitor, other) == 0);
	{
		sigset_t now;
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(8);
		sigprocmask(SIG_BLOCK, NULL, &now);
		CHECK(!sigismember(&now, SIGUSR2) && sigismember(&now, SIGUSR1));
		CHECK(monitor_run(&monitor, pid, &status) == 0 && WEXITSTATUS(status) == 8);
	}
	monitor_close(&monitor);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	unit_case("stands between a terminal and the child");
	if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
		test_terminal(master, ptsname(master));
	{
		char path[] = "/tmp/qbox-monitor.XXXXXX";

		signal(SIGUSR2, SIG_DFL);
		CHECK(mkdtemp(path));
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		test_log();
		test_control();
		test_pty();
		test_piped_pty();
		crilog_close(&writer);
		unlinkat(dir, "log", 0);
		close(dir);
		rmdir(path);
	}
	dup2(out, 1);
	return unit_end();
}
