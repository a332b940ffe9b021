/* SPDX-License-Identifier: MIT */
/* tar - fuzz target: any pieces give the same events, every byte is handed over exactly once,
 * and what the writer makes of an entry reads back as that entry */
#include "format/tar.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "format/tarblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	struct buf facts, stream;
	uint64_t size, got;
	bool file, again;
};

static int on_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	struct seen *s = ctx;

	buf_add(&s->stream, bytes, len);
	return 0;
}

/* Everything that an entry says, in one run of bytes. */
static void add_facts(struct buf *b, const struct tar_entry *e)
{
	size_t i;

	buf_printf(b, "%d %o %u %u %lld %llu %u %u ", e->type, e->mode, e->uid, e->gid,
		(long long)e->mtime, (unsigned long long)e->size, e->major, e->minor);
	buf_add(b, e->name, strlen(e->name) + 1);
	buf_add(b, e->link, strlen(e->link) + 1);
	buf_add(b, e->user, strlen(e->user) + 1);
	buf_add(b, e->group, strlen(e->group) + 1);
	for (i = 0; i < e->xattr_count; i++) {
		buf_add(b, e->xattrs[i].name, strlen(e->xattrs[i].name) + 1);
		buf_add(b, e->xattrs[i].value, e->xattrs[i].len);
	}
	for (i = 0; e->sparse && i < e->sparse_count; i++)
		buf_printf(b, "[%llu %llu]", (unsigned long long)e->sparse[i].offset,
			(unsigned long long)e->sparse[i].len);
}

static int on_entry(void *ctx, const struct tar_entry *e);

static int on_data(void *ctx, const uint8_t *bytes, size_t len, uint64_t offset)
{
	struct seen *s = ctx;

	if (!s->file || len == 0 || offset > s->size || len > s->size - offset)
		abort();
	s->got += len;
	buf_add(&s->facts, bytes, len);
	buf_add(&s->stream, bytes, len);
	return 0;
}

static int on_done(void *ctx)
{
	struct seen *s = ctx;

	if (!s->file)
		abort();
	s->file = false;
	return 0;
}

static const struct tar_events events = { on_raw, on_entry, on_data, on_done };

static int read_in(struct seen *s, const uint8_t *data, size_t len, size_t piece)
{
	struct tar_reader *t;
	size_t at, n;
	int r = tar_reader_new(&t, &events, s);

	for (at = 0; r == 0 && at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		r = tar_reader_feed(t, data + at, n);
	}
	if (r == 0)
		r = tar_reader_end(t);
	tar_reader_free(t);
	return r;
}

static void write_again(const struct tar_entry *e)
{
	struct seen s = { .again = true };
	auto_buf struct buf tar = { 0 }, facts = { 0 };
	struct tar_entry copy = *e;

	copy.size = 0;
	if (tar_format(&tar, &copy) == 0) {
		if (tar.len % TAR_BLOCK_SIZE != 0 ||
			read_in(&s, (uint8_t *)tar.data, tar.len, tar.len) < 0)
			abort();
		add_facts(&facts, &copy);
		if (facts.len != s.facts.len || memcmp(facts.data, s.facts.data, facts.len) != 0)
			abort();
	}
	buf_free(&s.facts);
	buf_free(&s.stream);
}

static int on_entry(void *ctx, const struct tar_entry *e)
{
	struct seen *s = ctx;

	if (s->file || strlen(e->name) > TAR_NAME_MAX || strlen(e->link) > TAR_NAME_MAX)
		abort();
	add_facts(&s->facts, e);
	s->file = e->type == TAR_FILE;
	s->size = e->size;
	if (!s->again && !e->sparse && strlen(e->user) < 200 && e->xattr_count < 10)
		write_again(e);
	return 0;
}

static void judge(const uint8_t *data, size_t len)
{
	struct seen whole = { 0 }, slow = { 0 };
	int r = read_in(&whole, data, len, len), r2 = read_in(&slow, data, len, 1);

	if (r != r2 || whole.facts.len != slow.facts.len || whole.stream.len != slow.stream.len)
		abort();
	if (whole.facts.len && memcmp(whole.facts.data, slow.facts.data, whole.facts.len) != 0)
		abort();
	if (r < 0 && !*fail_text())
		abort();
	if (r == 0 && whole.stream.len != len)
		abort();
	if (whole.stream.len > len ||
		(whole.stream.len && memcmp(whole.stream.data, data, whole.stream.len) != 0))
		abort();
	buf_free(&whole.facts);
	buf_free(&whole.stream);
	buf_free(&slow.facts);
	buf_free(&slow.stream);
}

/* The input as it is, and with every block's checksum made right, which chance would never find. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	size_t at;

	judge(data, len);
	memcpy(copy, data, len);
	for (at = 0; len - at >= TAR_BLOCK_SIZE; at += TAR_BLOCK_SIZE)
		if (!tarblock_zero(copy + at))
			tarblock_put_sum(copy + at);
	judge(copy, len);
	free(copy);
	return 0;
}
