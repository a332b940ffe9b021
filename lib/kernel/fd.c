/* SPDX-License-Identifier: MIT */
/* fd - whole reads and writes, bounded file reading, descriptor passing */
#include "kernel/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"

#define PASS_MAX 8

int fd_write(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read(int fd, void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_read_all(int fd, struct buf *out, size_t max)
{
	size_t total = 0;

	for (;;) {
		/* One byte of room beyond MAX shows that there is more. */
		size_t want = max - total < 16384 ? max - total + 1 : 16384;
		char *room = buf_reserve(out, want);
		ssize_t n;

		if (!room)
			return buf_check(out);
		n = read(fd, room, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno("read");
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > max)
			return fail(EFBIG, "more than %zu bytes", max);
		out->len += (size_t)n;
	}
}

int fd_read_file(int dir, const char *name, struct buf *out, size_t max)
{
	/* O_NONBLOCK: a FIFO without a writer must not hold us up before fstat tells what it is. */
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0)
		return fail_errno("open '%s'", name);
	if (fstat(fd, &st) < 0)
		return fail_errno("stat '%s'", name);
	if (!S_ISREG(st.st_mode))
		return fail(EINVAL, "'%s' is not a regular file", name);
	r = fd_read_all(fd, out, max);
	return r < 0 ? fail_wrap(r, "'%s'", name) : 0;
}

static int close_range_of(unsigned first, unsigned last)
{
	return (int)syscall(SYS_close_range, first, last, 0);
}

/* Before Linux 5.9: what /proc/self/fd lists, else every number up to the limit. */
static void close_others_slowly(const int *keep, size_t count)
{
	DIR *dir = opendir("/proc/self/fd");
	struct rlimit limit = { .rlim_cur = 1024 };
	struct dirent *e;
	int top = -1;

	if (dir) {
		while ((e = readdir(dir)))
			if (atoi(e->d_name) > top)
				top = atoi(e->d_name);
		closedir(dir);
	} else {
		getrlimit(RLIMIT_NOFILE, &limit);
		top = limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
	}
	for (int fd = 3; fd <= top; fd++) {
		size_t i = 0;

		while (i < count && keep[i] != fd)
			i++;
		if (i == count)
			close(fd);
	}
}

void fd_close_others(const int *keep, size_t count)
{
	int from = 3;

	/* The gaps between the kept ones, in ascending order. */
	for (;;) {
		int next = -1;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next != from &&
			close_range_of((unsigned)from, next < 0 ? ~0u : (unsigned)next - 1) < 0) {
			close_others_slowly(keep, count);
			return;
		}
		if (next < 0)
			return;
		from = next + 1;
	}
}

int fd_open_standard(void)
{
	for (int want = 0; want <= 2; want++) {
		int fd;

		if (fcntl(want, F_GETFD) >= 0)
			continue;
		/* The lowest free number is the one that was missing. Not CLOEXEC: it is inherited. */
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return fail_errno("open /dev/null for descriptor %d", want);
	}
	return 0;
}

union control {
	char bytes[CMSG_SPACE(PASS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t count)
{
	/* sendmsg reads only; its vector is not const because recvmsg's is not. */
	struct iovec io = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (count > PASS_MAX)
		return -EINVAL;
	if (count > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* The descriptors went with the first byte; the rest of the data may follow alone. */
	while ((size_t)n < len) {
		ssize_t more = send(sock, (const char *)data + n, len - (size_t)n, MSG_NOSIGNAL);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -errno;
		n += more;
	}
	return 0;
}

ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t *count)
{
	struct iovec io = { .iov_base = data, .iov_len = len };
	union control control;
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	size_t room = *count, got = 0;
	bool over;
	ssize_t n;

	*count = 0;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	over = msg.msg_flags & MSG_CTRUNC;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t here;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < room) {
				fds[got++] = fd;
			} else {
				over = true;
				close(fd);
			}
		}
	}
	if (over) {
		while (got > 0)
			close(fds[--got]);
		return -EMSGSIZE;
	}
	*count = got;
	return n;
}
