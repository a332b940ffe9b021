/* SPDX-License-Identifier: MIT */
/* frame - a byte stream on a pipe that can also say "the end" and "failed" */
#include "kernel/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/record.h"

#define FRAME_FAILED 0xffffffffu

static void put_length(uint8_t out[4], uint32_t len)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(len >> (8 * i));
}

int frame_send(int fd, const void *data, size_t len)
{
	uint8_t head[4];
	struct iovec parts[2] = { { head, sizeof(head) }, { (void *)data, len } };
	ssize_t n;

	put_length(head, (uint32_t)len);
	do
		n = writev(fd, parts, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(head)) {
		int r = fd_write(fd, head + n, sizeof(head) - (size_t)n);

		return r < 0 ? r : fd_write(fd, data, len);
	}
	n -= sizeof(head);
	return fd_write(fd, (const char *)data + n, len - (size_t)n);
}

int frame_end(int fd)
{
	return fd_write(fd, "\0\0\0", 4);
}

int frame_fail(int fd, int err)
{
	uint8_t head[4];
	int r;

	put_length(head, FRAME_FAILED);
	r = fd_write(fd, head, sizeof(head));
	if (r == 0)
		record_send_failure(fd, err);
	return r;
}

/* The failure that the writer sent. */
static ssize_t read_failure(int fd)
{
	struct start_error e;
	int r = record_recv(fd, &e, 1, 1);

	if (r < 0)
		return r;
	if (r == 0)
		return fail(EPIPE, "the sending process ended");
	return record_fail(&e);
}

/* Read the head of the next frame: 1 when content follows, 0 at the end of the stream. */
static ssize_t next_frame(struct frame_reader *r)
{
	uint8_t head[4];
	uint32_t len = 0;
	ssize_t n = fd_read(r->fd, head, sizeof(head));

	if (n < 0)
		return fail((int)-n, "read from the sending process: %s", strerror((int)-n));
	if (n != sizeof(head))
		return fail(EPIPE, "the sending process ended");
	for (int i = 0; i < 4; i++)
		len |= (uint32_t)head[i] << (8 * i);
	if (len == FRAME_FAILED)
		return read_failure(r->fd);
	if (len > FRAME_MAX)
		return fail(EBADMSG, "the sending process sent a bad frame");
	r->left = len;
	r->ended = len == 0;
	return len != 0;
}

ssize_t frame_read(struct frame_reader *r, void *buf, size_t len)
{
	ssize_t n;

	if (r->ended)
		return 0;
	if (!r->left) {
		n = next_frame(r);
		if (n <= 0)
			return n;
	}
	if (len > r->left)
		len = r->left;
	do
		n = read(r->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_errno("read from the sending process");
	if (n == 0)
		return fail(EPIPE, "the sending process ended");
	r->left -= (uint32_t)n;
	return n;
}

int frame_read_all(int fd, struct buf *out, size_t max)
{
	struct frame_reader reader = { .fd = fd };
	char piece[8192];
	size_t total = 0;
	ssize_t n;

	while ((n = frame_read(&reader, piece, sizeof(piece))) > 0) {
		total += (size_t)n;
		if (total > max)
			return fail(EMSGSIZE, "the sending process sent more than %zu bytes", max);
		buf_add(out, piece, (size_t)n);
	}
	return n < 0 ? (int)n : buf_check(out);
}
