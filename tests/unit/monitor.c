/* SPDX-License-Identifier: MIT */
/* monitor - unit test: a plain child stands for the container */
#include "engine/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

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
	CHECK(monitor_open(&monitor, other) == 0);
	{
		sigset_t now;
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(8);
		sigprocmask(SIG_BLOCK, NULL, &now);
		CHECK(!sigismember(&now, SIGUSR2) || sigismember(&now, SIGUSR1));
		CHECK(monitor_run(&monitor, pid, &status) == 0 && WEXITSTATUS(status) == 8);
	}
	monitor_close(&monitor);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	unit_case("stands between a terminal and the child");
	if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
		test_terminal(master, ptsname(master));
	dup2(out, 1);
	return unit_end();
}
