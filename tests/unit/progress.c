/* SPDX-License-Identifier: MIT */
/* progress: bars on a terminal, two lines a layer elsewhere */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/progress.h"

static char seen[100000];

/* What was written to FD so far, which ends up in seen[]. A terminal hands it on in pieces, and later. */
static const char *take(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	while (poll(&p, 1, 50) == 1 && (n = read(fd, seen + len, sizeof(seen) - 1 - len)) > 0)
		len += (size_t)n;
	seen[len] = '\0';
	return seen;
}

static size_t lines(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void test_lines(int in, int out)
{
	struct progress p;
	int a, b, quiet;

	unit_case("no terminal: one line at start and end, none between");
	progress_init(&p, false);
	p.fd = out;
	p.terminal = false;
	a = progress_add(&p, "3f2a91c0ffee", 101000000);
	b = progress_add(&p, "a-name-that-is-too-long", 0);
	progress_set(&p, a, "pulling", 0);
	progress_set(&p, a, "pulling", 50000000);
	progress_set(&p, a, "pulling", 101000000);
	progress_done(&p, a, "done");
	progress_done(&p, b, "exists");
	progress_end(&p);
	CHECK_STR(take(in),
		"3f2a91c0ffee: pulling, 101MB\n3f2a91c0ffee: done, 101MB\n"
		"a-name-that-is-: exists\n");

	unit_case("quiet: nothing");
	progress_init(&p, true);
	quiet = progress_add(&p, "x", 1);
	progress_set(&p, quiet, "pulling", 1);
	progress_done(&p, quiet, "done");
	progress_end(&p);
	CHECK(p.fd == -1);

	unit_case("more items than there is room for");
	progress_init(&p, false);
	p.fd = out;
	p.terminal = false;
	for (int i = 0; i < PROGRESS_MAX; i++)
		CHECK(progress_add(&p, "x", 0) == i);
	CHECK(progress_add(&p, "x", 0) == -1);
	progress_set(&p, -1, "pulling", 1);
	progress_done(&p, -1, "done");
	CHECK_STR(take(in), "");
}

static void test_bars(int master, int terminal)
{
	struct winsize ws = { .ws_row = 10, .ws_col = 72 };
	struct progress p;
	int first;

	unit_case("terminal: a bar as wide as there is room for");
	ioctl(terminal, TIOCSWINSZ, &ws);
	progress_init(&p, false);
	p.fd = terminal;
	p.terminal = true;
	first = progress_add(&p, "3f2a91c0ffee", 200);
	progress_set(&p, first, "pulling", 50);
	CHECK_STR(take(master),
		"3f2a91c0ffee  [=====               ]     50B /   200B  pulling\x1b[K\r\n\x1b[J");

	unit_case("terminal: at most ten redraws a second");
	for (int i = 0; i < 1000; i++)
		progress_set(&p, first, "pulling", 60);
	CHECK(lines(take(master)) <= 1);

	unit_case("terminal: never more live lines than rows, all at the end");
	for (int i = 0; i < 50; i++)
		progress_add(&p, "x", 10);
	progress_end(&p);
	CHECK(lines(take(master)) == 9);
	for (int i = 0; i < 51; i++)
		progress_done(&p, i, "done");
	take(master);
	p.first = 0;
	progress_end(&p);
	CHECK(lines(take(master)) == 51);

	unit_case("more bytes than expected do not overrun the bar");
	p.first = 0;
	p.count = 1;
	p.items[0].ended = false;
	p.items[0].done = UINT64_MAX;
	progress_end(&p);
	CHECK(strstr(take(master), "[====================]"));
}

int main(void)
{
	int pipe_fds[2], master, terminal;

	if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return 1;
	test_lines(pipe_fds[0], pipe_fds[1]);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		unit_skip("bars", "no pseudo-terminal");
		return unit_end();
	}
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(terminal >= 0);
	test_bars(master, terminal);
	return unit_end();
}
