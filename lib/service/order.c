/* SPDX-License-Identifier: MIT */
/* order - which of two names comes later in the tar stream that a record stands for */
#include "service/order.h"

#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "format/tar.h"
#include "format/tarsplit.h"
#include "kernel/path.h"

struct order {
	const char *a, *b;
	uint64_t entries, last_a, last_b; /* number of the last entry of that name */
	struct tar_reader *tar;
	struct buf name;
};

/* --- of the tar stream --- */

static int ignore_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx, (void)bytes, (void)len;
	return 0;
}

static int ignore_data(void *ctx, const uint8_t *bytes, size_t len, uint64_t offset)
{
	(void)ctx, (void)bytes, (void)len, (void)offset;
	return 0;
}

static int ignore_done(void *ctx)
{
	(void)ctx;
	return 0;
}

static int on_entry(void *ctx, const struct tar_entry *e)
{
	struct order *o = ctx;
	int r;

	o->entries++;
	buf_clear(&o->name);
	r = path_normalise(&o->name, e->name);
	if (r < 0)
		return fail(-r, "'%s': a name that is too long", e->name);
	if (strcmp(buf_str(&o->name), o->a) == 0)
		o->last_a = o->entries;
	if (strcmp(buf_str(&o->name), o->b) == 0)
		o->last_b = o->entries;
	return 0;
}

static const struct tar_events tar_events = { ignore_raw, on_entry, ignore_data, ignore_done };

/* --- of the record --- */

static int on_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	struct order *o = ctx;

	return tar_reader_feed(o->tar, bytes, len);
}

/* What a file holds does not matter, but how much. */
static int on_file(void *ctx, const char *path, uint64_t len)
{
	static const uint8_t zeros[16384];
	struct order *o = ctx;
	size_t n;
	int r = 0;

	(void)path;
	for (; r == 0 && len > 0; len -= n) {
		n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
		r = tar_reader_feed(o->tar, zeros, n);
	}
	return r;
}

static const struct tarsplit_events record_events = { on_raw, on_file };

static int read_record(struct tarsplit_reader *reader, int record)
{
	uint8_t piece[16384];
	struct digest diff_id;
	off_t at = 0;
	ssize_t n;
	int r;

	while ((n = pread(record, piece, sizeof(piece), at)) > 0) {
		r = tarsplit_reader_feed(reader, piece, (size_t)n);
		if (r < 0)
			return r;
		at += n;
	}
	return n < 0 ? fail_errno("read the record of the tar stream")
		     : tarsplit_reader_end(reader, &diff_id);
}

int order_later(int record, const char *a, const char *b)
{
	struct order o = { .a = a, .b = b };
	struct tarsplit_reader *reader = NULL;
	int r = tar_reader_new(&o.tar, &tar_events, &o);

	if (r == 0)
		r = tarsplit_reader_new(&reader, &record_events, &o);
	if (r == 0)
		r = read_record(reader, record);
	tarsplit_reader_free(reader);
	tar_reader_free(o.tar);
	buf_free(&o.name);
	return r < 0 ? r : o.last_a > o.last_b;
}
