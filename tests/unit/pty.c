/* SPDX-License-Identifier: MIT */
/* pty - unit test: a terminal of the machine's own devpts stands for a container's */
#include "kernel/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "unit.h"

static void test_keys(void)
{
	static const struct {
		const char *keys, *typed, *out;
		bool found;
	} table[] = {
		{ "ctrl-p,ctrl-q", "ab\x10\x11z", "ab", true },
		{ "ctrl-p,ctrl-q", "\x10\x10\x11", "\x10", true },
		{ "ctrl-p,ctrl-q", "\x10x\x11", "\x10x\x11", false },
		{ "ctrl-p,ctrl-q", "x\x10", "x", false },
		{ "ctrl-p,ctrl-q", "\x11\x10", "\x11", false },
		{ "a,a,b", "aaaab", "aa", true },
		{ "a,b,a,b,c", "ababababc", "abab", true },
		{ "ctrl-[", "x\x1b", "x", true },
		{ "", "\x10\x11", "\x10\x11", false },
	};
	static const char *const bad[] = { ",", "a,", ",a", "ctrl-", "ctrl-pp", "ctrl-1",
		"ctrl-p ctrl-q", "CTRL-p", "\x10", "a,a,a,a,a,a,a,a,a", "ctrl" };
	struct pty_keys k;
	char out[64];
	size_t len;

	unit_case("finds detach keys, holds back what may be their beginning");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *typed = table[i].typed;
		size_t all = 0;

		CHECK(pty_keys_parse(table[i].keys, &k) == 0);
		CHECK(pty_keys_scan(&k, typed, strlen(typed), out, &len) == table[i].found);
		out[len] = '\0';
		CHECK_STR(out, table[i].out);
		/* Typed one by one it is the same. */
		CHECK(pty_keys_parse(table[i].keys, &k) == 0);
		for (bool found = false; *typed && !found; typed++) {
			found = pty_keys_scan(&k, typed, 1, out + all, &len);
			all += len;
			CHECK(!found || table[i].found);
		}
		out[all] = '\0';
		CHECK_STR(out, table[i].out);
	}

	unit_case("gives back what was held when other keys follow");
	CHECK(pty_keys_parse("ctrl-p,ctrl-q", &k) == 0);
	CHECK(!pty_keys_scan(&k, "\x10", 1, out, &len) && len == 0);
	CHECK(!pty_keys_scan(&k, "x", 1, out, &len) && len == 2 && memcmp(out, "\x10x", 2) == 0);

	unit_case("refuses what are no keys");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(pty_keys_parse(bad[i], &k) == -EINVAL && k.count == 0);
}

static void test_terminal(int devpts)
{
	struct pty_saved saved = { .fd = -1 };
	struct winsize size;
	struct termios before, now;
	int slave, master = pty_open(devpts, &slave), other, other_slave, status;
	char text[16] = "";
	pid_t pid;

	unit_case("makes a terminal");
	CHECK(master >= 0 && slave >= 0 && isatty(slave));
	CHECK(fcntl(master, F_GETFD) == FD_CLOEXEC && fcntl(slave, F_GETFD) == FD_CLOEXEC);

	unit_case("sets its size, copies that of another");
	CHECK(pty_set_size(master, 33, 99) == 0);
	other = pty_open(devpts, &other_slave);
	CHECK(pty_copy_size(other, slave) == 0 && ioctl(other_slave, TIOCGWINSZ, &size) == 0);
	CHECK(size.ws_row == 33 && size.ws_col == 99);
	CHECK(pty_copy_size(other, devpts) == -ENOTTY && pty_set_size(devpts, 1, 1) == -ENOTTY);

	unit_case("makes it raw and puts it back");
	CHECK(tcgetattr(slave, &before) == 0);
	CHECK(pty_raw(slave, &saved) == 0);
	CHECK(tcgetattr(slave, &now) == 0 && !(now.c_lflag & (ICANON | ECHO | ISIG)) &&
		!(now.c_oflag & OPOST));
	pty_restore(&saved);
	CHECK(tcgetattr(slave, &now) == 0 && now.c_lflag == before.c_lflag &&
		now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag);
	pty_restore(&saved);
	CHECK(pty_raw(devpts, &saved) == -ENOTTY && saved.fd == -1);

	unit_case("makes it the controlling terminal");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setsid() < 0 || pty_adopt(slave) < 0)
			_exit(1);
		close(slave);
		_exit(isatty(0) && isatty(2) && tcgetsid(0) == getpid() &&
					open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0 &&
					write(1, "x", 1) == 1
				? 7
				: 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(read(master, text, 1) == 1 && *text == 'x');
	close(master);
	close(slave);
	close(other);
	close(other_slave);
}

int main(void)
{
	int devpts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC), slave;

	test_keys();
	if (devpts < 0 || faccessat(devpts, "ptmx", R_OK | W_OK, AT_EACCESS) < 0)
		unit_skip("makes a terminal", "no devpts with a usable ptmx");
	else
		test_terminal(devpts);
	unit_case("says what is missing");
	CHECK(pty_open(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &slave) == -ENOENT);
	CHECK(slave == -1 && *fail_text());
	return unit_end();
}
