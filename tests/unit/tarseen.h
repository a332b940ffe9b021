/* SPDX-License-Identifier: MIT */
/* tarseen - for unit tests of tar: build streams by hand, write down what the reader says */
#ifndef TARSEEN_H
#define TARSEEN_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "format/pax.h"
#include "format/tar.h"
#include "format/tarblock.h"
#include "unit.h"

/* What the reader said, as text, and the stream put together again from what it handed over. */
struct seen {
	struct buf log, stream;
	uint64_t data_at; /* where content that continues would go on */
	bool in_data;
	int entries, fail_at;
};

static int on_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	struct seen *s = ctx;

	buf_add(&s->stream, bytes, len);
	return 0;
}

static int on_entry(void *ctx, const struct tar_entry *e)
{
	static const char letters[] = "fhscbdp";
	struct seen *s = ctx;
	size_t i;

	if (s->fail_at && ++s->entries == s->fail_at)
		return -ENOSPC;
	buf_printf(&s->log, "%c %s", letters[e->type], e->name);
	if (*e->link)
		buf_printf(&s->log, "->%s", e->link);
	buf_printf(&s->log, " %o %" PRIu32 ":%" PRIu32 " %" PRId64 " %" PRIu64, e->mode, e->uid,
		e->gid, e->mtime, e->size);
	if (e->major || e->minor)
		buf_printf(&s->log, " dev %" PRIu32 ",%" PRIu32, e->major, e->minor);
	if (*e->user || *e->group)
		buf_printf(&s->log, " %s/%s", e->user, e->group);
	for (i = 0; i < e->xattr_count; i++)
		buf_printf(&s->log, " %s=%zu:%.*s", e->xattrs[i].name, e->xattrs[i].len,
			(int)e->xattrs[i].len, (const char *)e->xattrs[i].value);
	for (i = 0; e->sparse && i < e->sparse_count; i++)
		buf_printf(&s->log, " [%" PRIu64 "+%" PRIu64 "]", e->sparse[i].offset,
			e->sparse[i].len);
	buf_putc(&s->log, '\n');
	s->in_data = false;
	return 0;
}

static int on_data(void *ctx, const uint8_t *bytes, size_t len, uint64_t offset)
{
	struct seen *s = ctx;

	buf_add(&s->stream, bytes, len);
	if (!s->in_data || offset != s->data_at)
		buf_printf(&s->log, "@%" PRIu64 " ", offset);
	buf_add(&s->log, bytes, len);
	s->data_at = offset + len;
	s->in_data = true;
	return 0;
}

static int on_done(void *ctx)
{
	struct seen *s = ctx;

	buf_puts(&s->log, ".\n");
	return 0;
}

static const struct tar_events events = { on_raw, on_entry, on_data, on_done };

UNUSED static void seen_free(struct seen *s)
{
	buf_free(&s->log);
	buf_free(&s->stream);
	*s = (struct seen){ 0 };
}

UNUSED static int read_in(struct seen *s, const struct buf *tar, size_t piece)
{
	struct tar_reader *t;
	size_t at, n;
	int r = tar_reader_new(&t, &events, s);

	for (at = 0; r == 0 && at < tar->len; at += n) {
		n = tar->len - at < piece ? tar->len - at : piece;
		r = tar_reader_feed(t, tar->data + at, n);
	}
	if (r == 0)
		r = tar_reader_end(t);
	tar_reader_free(t);
	return r;
}

/* Read TAR whole and byte by byte: same result, same events, every byte handed over once. */
UNUSED static int read_tar(struct seen *s, const struct buf *tar)
{
	struct seen slow = { 0 };
	int r = read_in(s, tar, tar->len ? tar->len : 1), r2 = read_in(&slow, tar, 1);

	CHECK(r == r2);
	CHECK_STR(buf_str(&slow.log), buf_str(&s->log));
	if (r == 0)
		CHECK(s->stream.len == tar->len &&
			memcmp(buf_str(&s->stream), buf_str(tar), tar->len) == 0);
	CHECK(s->stream.len == slow.stream.len);
	seen_free(&slow);
	return r;
}

/* TAR must give LOG. */
UNUSED static void expect(const struct buf *tar, const char *log)
{
	struct seen s = { 0 };
	int r = read_tar(&s, tar);

	if (r < 0)
		printf("# %s\n", fail_text());
	CHECK(r == 0);
	CHECK_STR(buf_str(&s.log), log);
	seen_free(&s);
}

/* TAR must be refused with a text that holds WHY. */
UNUSED static void refuse(const struct buf *tar, const char *why)
{
	struct seen s = { 0 };

	CHECK(read_tar(&s, tar) == -EBADMSG);
	if (!strstr(fail_text(), why))
		printf("# got '%s', wanted '%s'\n", fail_text(), why);
	CHECK(strstr(fail_text(), why));
	seen_free(&s);
}

UNUSED static uint8_t *header(struct buf *tar, char type, const char *name, uint64_t size)
{
	uint8_t block[TAR_BLOCK_SIZE] = { 0 };

	memcpy(block, name, strnlen(name, 100));
	tarblock_put(block, TAR_MODE, 0644);
	tarblock_put(block, TAR_UID, 1);
	tarblock_put(block, TAR_GID, 2);
	tarblock_put(block, TAR_SIZE, size);
	tarblock_put(block, TAR_MTIME, 3);
	block[TAR_AT_TYPE] = (uint8_t)type;
	memcpy(block + TAR_AT_MAGIC, "ustar\00000", 8);
	tarblock_put_sum(block);
	buf_add(tar, block, TAR_BLOCK_SIZE);
	return (uint8_t *)tar->data + tar->len - TAR_BLOCK_SIZE;
}

UNUSED static void content(struct buf *tar, const void *data, size_t len)
{
	static const char zeros[TAR_BLOCK_SIZE];

	buf_add(tar, data, len);
	buf_add(tar, zeros, tar_pad(len));
}

/* A header with content. */
UNUSED static void member(struct buf *tar, char type, const char *name, const char *data)
{
	header(tar, type, name, strlen(data));
	content(tar, data, strlen(data));
}

UNUSED static void pax(struct buf *tar, const struct buf *records)
{
	header(tar, 'x', "pax", records->len);
	content(tar, records->data, records->len);
}

/* A PAX header of pairs of strings. */
UNUSED static void pax_of(struct buf *tar, const char *const *pairs)
{
	struct buf b = { 0 };

	for (; *pairs; pairs += 2)
		pax_add(&b, pairs[0], pairs[1], strlen(pairs[1]));
	pax(tar, &b);
	buf_free(&b);
}

UNUSED static void end_blocks(struct buf *tar)
{
	static const char zeros[TAR_END];

	buf_add(tar, zeros, TAR_END);
}

#endif
