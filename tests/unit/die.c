/* SPDX-License-Identifier: MIT */
/* die: one escaped line and a hint, then the exit status */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "cli/die.h"

static char seen[8192];

/* Run RUN in a child with its stdout and stderr in seen[]; its exit status. */
static int status_of(void (*run)(void))
{
	int fds[2], status;
	ssize_t n = -1;
	pid_t pid;

	fflush(stdout);
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		program_invocation_short_name = (char *)"qx";
		run();
		exit(99);
	}
	close(fds[1]);
	waitpid(pid, &status, 0);
	n = read(fds[0], seen, sizeof(seen) - 1);
	seen[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_die(void)
{
	printf("before");
	fail_hint(fail(EIO, "image 'a\n\x1b[31m': bad"), "try\r again");
	die(75);
}

static void run_print_twice(void)
{
	fail(EIO, "one");
	die_print();
	die(1);
}

static void run_warn(void)
{
	warn("%s %d", "caf\xc3\xa9\xff", 7);
	hint("%s", "do\tit");
}

static void run_long(void)
{
	char text[5000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	warn("%s", text);
}

int main(void)
{
	unit_case("the failure and its hint, escaped, after what stdout holds");
	CHECK(status_of(run_die) == 75);
	CHECK_STR(seen, "beforeqx: image 'a\\x0a\\x1b[31m': bad\nhint: try\\x0d again\n");

	unit_case("a failure is printed once");
	CHECK(status_of(run_print_twice) == 1);
	CHECK_STR(seen, "qx: one\nqx: failed\n");

	unit_case("warnings are one line each");
	CHECK(status_of(run_warn) == 99);
	CHECK_STR(seen, "qx: caf\xc3\xa9\\xff 7\nhint: do\\x09it\n");
	CHECK(status_of(run_long) == 99);
	CHECK(strlen(seen) < 1100 && strchr(seen, '\n') == seen + strlen(seen) - 1);

	unit_case("errors map to the statuses that scripts know");
	CHECK(die_status(-EAGAIN) == EXIT_TEMPORARY);
	CHECK(die_status(-ECONNREFUSED) == EXIT_TEMPORARY);
	CHECK(die_status(-ETIMEDOUT) == EXIT_TEMPORARY);
	CHECK(die_status(-ENOSYS) == EXIT_UNSUPPORTED);
	CHECK(die_status(-EOPNOTSUPP) == EXIT_UNSUPPORTED);
	CHECK(die_status(-ENOENT) == 1);
	CHECK(die_status(-EBADMSG) == 1);
	return unit_end();
}
