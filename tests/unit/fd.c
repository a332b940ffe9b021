/* SPDX-License-Identifier: MIT */
/* fd - unit test */
#include "kernel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "unit.h"

static char where[] = "/tmp/unit-fd-XXXXXX";

static void test_read_write(void)
{
	char big[200000], back[200000];
	int p[2], status;
	pid_t pid;

	unit_case("writes more than a pipe holds and reads it back whole");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		_exit(fd_write(p[1], big, sizeof(big)) == 0 ? 0 : 1);
	}
	close(p[1]);
	CHECK(fd_read(p[0], back, sizeof(back)) == sizeof(back));
	CHECK(memcmp(big, back, sizeof(big)) == 0);
	CHECK(fd_read(p[0], back, 1) == 0);
	close(p[0]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);

	unit_case("gives the errno of a broken pipe and of a bad descriptor");
	signal(SIGPIPE, SIG_IGN);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	close(p[0]);
	CHECK(fd_write(p[1], "x", 1) == -EPIPE);
	close(p[1]);
	CHECK(fd_write(-1, "x", 1) == -EBADF);
	CHECK(fd_read(-1, back, 1) == -EBADF);
}

static void test_read_file(int dir)
{
	struct buf b = { 0 };
	int fd;

	unit_case("reads a regular file up to the limit, and not one byte more");
	fd = openat(dir, "f", O_WRONLY | O_CREAT, 0600);
	CHECK(fd_write(fd, "hello", 5) == 0);
	close(fd);
	CHECK(fd_read_file(dir, "f", &b, 5) == 0);
	CHECK_STR(buf_str(&b), "hello");
	CHECK(fd_read_file(dir, "f", &b, 100) == 0);
	CHECK_STR(buf_str(&b), "hellohello");
	CHECK(fd_read_file(dir, "f", &b, 4) == -EFBIG);
	CHECK(strstr(fail_text(), "'f'") != NULL);
	CHECK(fd_read_file(dir, "none", &b, 4) == -ENOENT);

	unit_case("refuses a FIFO, a directory and a device without waiting");
	CHECK(mkfifoat(dir, "fifo", 0600) == 0);
	CHECK(fd_read_file(dir, "fifo", &b, 4) == -EINVAL);
	CHECK(fd_read_file(dir, ".", &b, 4) == -EINVAL);
	CHECK(fd_read_file(dir, "/dev/zero", &b, 4) == -EINVAL);
	buf_free(&b);

	unit_case("reads many blocks of a file");
	fd = openat(dir, "big", O_WRONLY | O_CREAT, 0600);
	CHECK(ftruncate(fd, 100000) == 0);
	close(fd);
	CHECK(fd_read_file(dir, "big", &b, 100000) == 0 && b.len == 100000);
	CHECK(fd_read_file(dir, "big", &b, 99999) == -EFBIG);
	buf_free(&b);
	unlinkat(dir, "f", 0);
	unlinkat(dir, "big", 0);
	unlinkat(dir, "fifo", 0);
}

/* In a child: which of 3..40 are open, as a bit set in the exit status is too small; check here. */
static int closes_others(void)
{
	int keep[] = { 20, 5, 7, 6, 20 };

	for (int fd = 3; fd <= 40; fd++)
		if (dup2(2, fd) < 0)
			return 1;
	fd_close_others(keep, 5);
	for (int fd = 0; fd <= 40; fd++) {
		bool kept = fd < 3 || fd == 5 || fd == 6 || fd == 7 || fd == 20;

		if ((fcntl(fd, F_GETFD) >= 0) != kept)
			return 2;
	}
	fd_close_others(NULL, 0);
	return fcntl(20, F_GETFD) >= 0 || fcntl(2, F_GETFD) < 0;
}

static int opens_standard(void)
{
	close(0);
	close(1);
	if (fd_open_standard() < 0)
		return 1;
	if (fcntl(0, F_GETFD) != 0 || fcntl(1, F_GETFD) != 0)
		return 2;
	return write(1, "x", 1) != 1;
}

static int run(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	waitpid(pid, &status, 0);
	return status;
}

static void test_pass(void)
{
	int s[2], fds[3] = { 0, 1, 2 }, got[3];
	char data[8];
	size_t count = 3;

	unit_case("passes descriptors with the data, close-on-exec");
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
	CHECK(fd_send(s[0], "abc", 3, fds, 2) == 0);
	CHECK(fd_recv(s[1], data, sizeof(data), got, &count) == 3);
	CHECK(count == 2 && memcmp(data, "abc", 3) == 0);
	CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	close(got[0]);
	close(got[1]);

	unit_case("closes all of a message that brings too many");
	CHECK(fd_send(s[0], "x", 1, fds, 3) == 0);
	count = 1;
	CHECK(fd_recv(s[1], data, sizeof(data), got, &count) == -EMSGSIZE);
	CHECK(count == 0);
	CHECK(fd_send(s[0], "x", 1, fds, 3) == 0);
	count = 0;
	CHECK(fd_recv(s[1], data, sizeof(data), NULL, &count) == -EMSGSIZE);
	CHECK(fcntl(s[1] + 1, F_GETFD) < 0);
	CHECK(fd_send(s[0], "x", 1, fds, 9) == -EINVAL);

	unit_case("receives plain data and the end");
	count = 3;
	CHECK(fd_send(s[0], "x", 1, NULL, 0) == 0);
	CHECK(fd_recv(s[1], data, sizeof(data), got, &count) == 1 && count == 0);
	close(s[0]);
	CHECK(fd_recv(s[1], data, sizeof(data), got, &count) == 0);
	close(s[1]);
}

int main(void)
{
	int dir;

	if (!mkdtemp(where))
		return 1;
	dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_read_write();
	test_read_file(dir);
	unit_case("closes all descriptors but the standard and the kept ones");
	CHECK(run(closes_others) == 0);
	unit_case("opens /dev/null where a standard descriptor is closed");
	CHECK(run(opens_standard) == 0);
	test_pass();
	close(dir);
	rmdir(where);
	return unit_end();
}
