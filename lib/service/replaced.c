/* SPDX-License-Identifier: MIT */
/* replaced - correct the record of a tar stream when paths changed after they were written */
#include "service/replaced.h"

#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "format/tarsplit.h"
#include "kernel/fd.h"

#define LIST_MAX (4u << 20)
#define PIECE    65536

struct item {
	const char *path;
	uint64_t number, offset;
};

/* How an item lies in the list until it is sorted, its path behind it. */
struct stored {
	uint64_t number, offset;
	size_t len; /* of the path, NUL included */
};

void replaced_free(struct replaced *p)
{
	buf_free(&p->list);
	buf_free(&p->index);
}

int replaced_add(struct replaced *p, const char *path, uint64_t number, uint64_t offset)
{
	struct stored s = { number, offset, strlen(path) + 1 };

	if (p->list.len + sizeof(s) + s.len > LIST_MAX)
		return fail(EFBIG, "the layer replaces too many of its own files");
	buf_add(&p->list, &s, sizeof(s));
	buf_add(&p->list, path, s.len);
	return buf_check(&p->list);
}

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	if (c != 0)
		return c;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int replaced_sort(struct replaced *p)
{
	struct stored s;
	size_t at;

	buf_clear(&p->index);
	for (at = 0; at < p->list.len; at += sizeof(s) + s.len) {
		struct item item;

		memcpy(&s, p->list.data + at, sizeof(s));
		item = (struct item){ p->list.data + at + sizeof(s), s.number, s.offset };
		buf_add(&p->index, &item, sizeof(item));
	}
	if (p->index.len > 0)
		qsort(p->index.data, p->index.len / sizeof(struct item), sizeof(struct item),
			compare);
	return buf_check(&p->index);
}

bool replaced_find(const struct replaced *p, const char *path, uint64_t number, uint64_t *offset)
{
	const struct item *items = (const void *)p->index.data;
	const struct item want = { path, number, 0 };
	size_t low = 0, high = p->index.len / sizeof(*items), end = high, middle;

	/* The first item of PATH that was saved when at least NUMBER files had been recorded:
	 * until then nothing else can have taken the place without being noticed. Later items of
	 * PATH belong to files recorded later, or to hard links, which the record does not know. */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(&items[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == end || strcmp(items[low].path, path) != 0)
		return false;
	*offset = items[low].offset;
	return true;
}

/* --- rewriting --- */

struct rewrite {
	struct tarsplit_writer *writer;
	int out;
	replaced_lookup *lookup;
	void *ctx;
	uint64_t number;
};

static int sink(void *ctx, const void *bytes, size_t len)
{
	struct rewrite *w = ctx;
	int r = fd_write(w->out, bytes, len);

	if (r < 0) {
		errno = -r;
		return fail_errno("write the record of the tar stream");
	}
	return 0;
}

static int on_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	struct rewrite *w = ctx;

	return tarsplit_raw(w->writer, bytes, len);
}

/* The saved bytes themselves go into the record. */
static int copy_saved(struct rewrite *w, int fd, uint64_t offset, uint64_t len)
{
	uint8_t piece[8192];
	ssize_t n;
	int r;

	for (; len > 0; len -= (uint64_t)n, offset += (uint64_t)n) {
		n = pread(fd, piece, len < sizeof(piece) ? (size_t)len : sizeof(piece),
			(off_t)offset);
		if (n < 0)
			return fail_errno("read saved content");
		if (n == 0)
			return fail(EIO, "saved content is cut short");
		r = tarsplit_raw(w->writer, piece, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int on_file(void *ctx, const char *path, uint64_t len)
{
	struct rewrite *w = ctx;
	struct replaced_file at = { path, -1, 0 };
	int r = w->lookup(w->ctx, path, ++w->number, &at);

	if (r < 0)
		return r;
	return at.fd >= 0 ? copy_saved(w, at.fd, at.offset, len)
			  : tarsplit_file(w->writer, at.path, len);
}

static const struct tarsplit_events events = { on_raw, on_file };

/* Feed the whole file to the reader; the head, 16 bytes, stays as it is. */
static int feed(struct tarsplit_reader *reader, int in, struct rewrite *w)
{
	auto_free uint8_t *piece = malloc(PIECE);
	off_t at = 0;
	ssize_t n;
	int r;

	if (!piece)
		return fail(ENOMEM, "out of memory");
	for (;; at += n) {
		n = pread(in, piece, PIECE, at);
		if (n < 0)
			return fail_errno("read the record of the tar stream");
		if (n == 0)
			return 0;
		if (at == 0) {
			if (n < TARSPLIT_HEAD)
				return fail(EBADMSG, "the record of the tar stream is cut short");
			r = sink(w, piece, TARSPLIT_HEAD);
			if (r < 0)
				return r;
		}
		r = tarsplit_reader_feed(reader, piece, (size_t)n);
		if (r < 0)
			return r;
	}
}

int replaced_rewrite(int in, int out, replaced_lookup *lookup, void *ctx)
{
	struct rewrite w = { .out = out, .lookup = lookup, .ctx = ctx };
	struct tarsplit_reader *reader = NULL;
	struct digest diff_id;
	int r = tarsplit_writer_new(&w.writer, sink, &w);

	if (r == 0)
		r = tarsplit_reader_new(&reader, &events, &w);
	if (r == 0)
		r = feed(reader, in, &w);
	if (r == 0)
		r = tarsplit_reader_end(reader, &diff_id);
	if (r == 0)
		r = tarsplit_end(w.writer, &diff_id);
	tarsplit_reader_free(reader);
	tarsplit_writer_free(w.writer);
	return r;
}
