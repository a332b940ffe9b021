/* SPDX-License-Identifier: MIT */
/* spool - what the unpacker must remember until the end */
#include "service/spool.h"

#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "format/tar.h"
#include "kernel/fd.h"

#define PIECE 32768

void spool_free(struct spool *s)
{
	buf_free(&s->pending);
}

static int write_out(struct spool *s, const void *data, size_t len)
{
	int r = fd_write(s->fd, data, len);

	if (r < 0) {
		errno = -r;
		return fail_errno("write the spool");
	}
	return 0;
}

int spool_flush(struct spool *s)
{
	int r = buf_check(&s->pending);

	if (r == 0)
		r = write_out(s, s->pending.data, s->pending.len);
	buf_clear(&s->pending);
	return r;
}

int spool_add_dir(struct spool *s, const struct spool_item *item, const char *path)
{
	struct spool_item head = *item;

	head.len = strlen(path);
	buf_add(&s->pending, &head, sizeof(head));
	buf_add(&s->pending, path, head.len);
	s->size += sizeof(head) + head.len;
	return s->pending.len >= PIECE ? spool_flush(s) : buf_check(&s->pending);
}

int spool_add_content(struct spool *s, int fd, uint64_t len, uint64_t *offset)
{
	struct spool_item head = { .kind = SPOOL_CONTENT, .len = len };
	auto_free char *piece = malloc(PIECE);
	uint64_t left = len;
	ssize_t n;
	int r;

	if (!piece)
		return fail(ENOMEM, "out of memory");
	buf_add(&s->pending, &head, sizeof(head));
	r = spool_flush(s);
	if (r < 0)
		return r;
	*offset = s->size + sizeof(head);
	s->size = *offset + len;
	for (; left > 0; left -= (uint64_t)n) {
		n = fd_read(fd, piece, left < PIECE ? (size_t)left : PIECE);
		if (n <= 0)
			return fail(n < 0 ? (int)-n : EIO, "read the file to be replaced");
		r = write_out(s, piece, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* LEN bytes at OFFSET, through the window WIN that begins at *AT. */
static int read_at(struct spool *s, struct buf *win, uint64_t *at, uint64_t offset, size_t len)
{
	ssize_t n;
	char *to;

	if (offset >= *at && offset + len <= *at + win->len)
		return 0;
	buf_clear(win);
	to = buf_reserve(win, PIECE);
	if (!to)
		return buf_check(win);
	n = pread(s->fd, to, PIECE, (off_t)offset);
	if (n < 0)
		return fail_errno("read the spool");
	win->len = (size_t)n;
	*at = offset;
	return win->len < len ? fail(EIO, "the spool is cut short") : 0;
}

int spool_dirs(struct spool *s, spool_each *each, void *ctx)
{
	auto_buf struct buf win = { 0 };
	uint64_t at = 0, offset = 0;
	struct spool_item item;
	char path[TAR_NAME_MAX + 1];
	int r = spool_flush(s);

	while (r == 0 && offset < s->size) {
		r = read_at(s, &win, &at, offset, sizeof(item));
		if (r < 0)
			break;
		memcpy(&item, win.data + (offset - at), sizeof(item));
		offset += sizeof(item);
		if (item.kind != SPOOL_CONTENT) {
			if (item.len > TAR_NAME_MAX)
				return fail(EIO, "the spool is damaged");
			r = read_at(s, &win, &at, offset, (size_t)item.len);
			if (r < 0)
				break;
			memcpy(path, win.data + (offset - at), (size_t)item.len);
			path[item.len] = '\0';
			r = each(ctx, &item, path);
		}
		offset += item.len;
	}
	return r;
}
