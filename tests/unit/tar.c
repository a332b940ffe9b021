/* SPDX-License-Identifier: MIT */
/* tar - unit tests of reader and writer, sparse maps and PAX records included */
#include "format/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "format/pax.h"
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
	struct seen *s = ctx;
	size_t i;

	if (s->fail_at && ++s->entries == s->fail_at)
		return -ENOSPC;
	buf_printf(&s->log, "%c %s", "fhscbdp"[e->type], e->name);
	if (*e->link)
		buf_printf(&s->log, "->%s", e->link);
	buf_printf(&s->log, " %o %" PRIu32 ":%" PRIu32 " %" PRId64 " %" PRIu64, e->mode, e->uid, e->gid,
		   e->mtime, e->size);
	if (e->major || e->minor)
		buf_printf(&s->log, " dev %" PRIu32 ",%" PRIu32, e->major, e->minor);
	if (*e->user || *e->group)
		buf_printf(&s->log, " %s/%s", e->user, e->group);
	for (i = 0; i < e->xattr_count; i++)
		buf_printf(&s->log, " %s=%zu:%.*s", e->xattrs[i].name, e->xattrs[i].len,
			   (int)e->xattrs[i].len, (const char *)e->xattrs[i].value);
	for (i = 0; e->sparse && i < e->sparse_count; i++)
		buf_printf(&s->log, " [%" PRIu64 "+%" PRIu64 "]", e->sparse[i].offset, e->sparse[i].len);
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

static void seen_free(struct seen *s)
{
	buf_free(&s->log);
	buf_free(&s->stream);
	*s = (struct seen){ 0 };
}

static int read_in(struct seen *s, const struct buf *tar, size_t piece)
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
static int read_tar(struct seen *s, const struct buf *tar)
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
static void expect(const struct buf *tar, const char *log)
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
static void refuse(const struct buf *tar, const char *why)
{
	struct seen s = { 0 };

	CHECK(read_tar(&s, tar) == -EBADMSG);
	if (!strstr(fail_text(), why))
		printf("# got '%s', wanted '%s'\n", fail_text(), why);
	CHECK(strstr(fail_text(), why));
	seen_free(&s);
}

static uint8_t *header(struct buf *tar, char type, const char *name, uint64_t size)
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

static void content(struct buf *tar, const void *data, size_t len)
{
	static const char zeros[TAR_BLOCK_SIZE];

	buf_add(tar, data, len);
	buf_add(tar, zeros, tar_pad(len));
}

/* A header with content. */
static void member(struct buf *tar, char type, const char *name, const char *data)
{
	header(tar, type, name, strlen(data));
	content(tar, data, strlen(data));
}

static void pax(struct buf *tar, const struct buf *records)
{
	header(tar, 'x', "pax", records->len);
	content(tar, records->data, records->len);
}

/* A PAX header of pairs of strings. */
static void pax_of(struct buf *tar, const char *const *pairs)
{
	struct buf b = { 0 };

	for (; *pairs; pairs += 2)
		pax_add(&b, pairs[0], pairs[1], strlen(pairs[1]));
	pax(tar, &b);
	buf_free(&b);
}

static void end_blocks(struct buf *tar)
{
	static const char zeros[TAR_END];

	buf_add(tar, zeros, TAR_END);
}

static void check_types(void)
{
	struct buf tar = { 0 };
	uint8_t *h;

	unit_case("every type of member");
	member(&tar, '0', "a", "hello");
	member(&tar, '\0', "old", "x");
	header(&tar, '\0', "olddir/", 0);
	header(&tar, '0', "slash/", 0);
	member(&tar, '7', "contiguous", "");
	header(&tar, '5', "d/", 77); /* some say a size, none has content */
	h = header(&tar, '2', "s", 0);
	memcpy(h + 157, "../target", 9);
	tarblock_put_sum(h);
	h = header(&tar, '1', "h", 5);
	memcpy(h + 157, "/a", 2);
	tarblock_put_sum(h);
	h = header(&tar, '3', "c", 0);
	tarblock_put(h, TAR_MAJOR, 4095);
	tarblock_put(h, TAR_MINOR, 1048575);
	tarblock_put_sum(h);
	header(&tar, '4', "b", 0);
	header(&tar, '6', "p", 0);
	end_blocks(&tar);
	buf_puts(&tar, "whatever follows");
	expect(&tar, "f a 644 1:2 3000000000 5\n@0 hello.\nf old 644 1:2 3000000000 1\n@0 x.\n"
		     "d olddir/ 644 1:2 3000000000 0\nf slash/ 644 1:2 3000000000 0\n.\n"
		     "f contiguous 644 1:2 3000000000 0\n.\nd d/ 644 1:2 3000000000 0\n"
		     "s s->../target 644 1:2 3000000000 0\nh h->/a 644 1:2 3000000000 0\n"
		     "c c 644 1:2 3000000000 0 dev 4095,1048575\nb b 644 1:2 3000000000 0\n"
		     "p p 644 1:2 3000000000 0\n");
	buf_free(&tar);

	unit_case("types that are unknown");
	for (h = (uint8_t *)"8DMNVXAZ\xff"; *h; h++) {
		header(&tar, (char)*h, "a", 0);
		refuse(&tar, "unknown type");
		buf_clear(&tar);
	}
	buf_free(&tar);
}

static void check_names(void)
{
	struct buf tar = { 0 }, name = { 0 }, want = { 0 };
	uint8_t *h;

	unit_case("names of 100 bytes and prefixes of 155, without NUL");
	while (name.len < 256)
		buf_putc(&name, name.len == 155 ? '/' : 'n');
	h = header(&tar, '5', name.data + 156, 0);
	memcpy(h + 345, name.data, 155);
	tarblock_put_sum(h);
	buf_printf(&want, "d %s 644 1:2 3000000000 0\n", name.data);
	expect(&tar, buf_str(&want));
	memcpy(h + 257, "ustar  ", 8); /* GNU keeps other things there */
	tarblock_put_sum(h);
	buf_clear(&want);
	buf_printf(&want, "d %s 644 1:2 3000000000 0\n", name.data + 156);
	expect(&tar, buf_str(&want));
	buf_clear(&tar);
	buf_clear(&want);

	unit_case("GNU long names");
	member(&tar, 'L', "././@LongLink", "long/name");
	header(&tar, 'K', "././@LongLink", 12);
	content(&tar, "long\0\0\0\0\0\0\0\0", 12);
	header(&tar, '2', "short", 0);
	header(&tar, '2', "next", 0);
	expect(&tar, "s long/name->long 644 1:2 3000000000 0\ns next 644 1:2 3000000000 0\n");
	buf_clear(&tar);
	header(&tar, 'L', "././@LongLink", 0);
	header(&tar, '5', "short", 0);
	expect(&tar, "d  644 1:2 3000000000 0\n");
	buf_clear(&tar);

	unit_case("a NUL inside a long name");
	header(&tar, 'L', "././@LongLink", 9);
	content(&tar, "good\0evil", 9);
	header(&tar, '0', "short", 0);
	refuse(&tar, "NUL in a name");
	buf_clear(&tar);

	unit_case("names at and over the limit");
	buf_clear(&name);
	while (name.len < TAR_NAME_MAX)
		buf_putc(&name, name.len % 100 == 99 ? '/' : 'n');
	member(&tar, 'L', "x", name.data);
	header(&tar, '5', "short", 0);
	buf_printf(&want, "d %s 644 1:2 3000000000 0\n", name.data);
	expect(&tar, buf_str(&want));
	buf_clear(&tar);
	buf_putc(&name, 'n');
	member(&tar, 'L', "x", name.data);
	header(&tar, '5', "short", 0);
	refuse(&tar, "over 4096");
	buf_clear(&tar);
	buf_putc(&name, 'n');
	member(&tar, 'K', "x", name.data);
	refuse(&tar, "bad size of an extended header");
	buf_free(&tar);
	buf_free(&name);
	buf_free(&want);
}

static void check_pax(void)
{
	struct buf tar = { 0 }, b = { 0 };
	static const char *const good[] = {
		"path", "first", "path", "long=path", "linkpath", "/x", "uid", "4294967294", "gid",
		"70000", "mtime", "-1.5", "size", "3", "uname", "\xc3\xa9", "gname", "g", "ctime", "x",
		"comment", "", "SCHILY.xattr.user.e", "", "LIBARCHIVE.creationtime", "1", NULL,
	};
	static const char *const reset[] = { "path", "", "uid", "", "size", "", "mtime", "", NULL };
	static const char *const times[][2] = {
		{ "0", "0" }, { "1.000000001", "1000000001" }, { "1.0000000019", "1000000001" },
		{ "-0.5", "-500000000" }, { "5.", "5000000000" },
		{ "99999999999999999999", "9223372036854775807" },
		{ "-99999999999999999999.9", "-9223372036854775808" },
		{ "9223372035.999999999", "9223372035999999999" },
	};
	static const char *const bad[][2] = {
		{ "uid", "-1" }, { "uid", "4294967295" }, { "gid", "0x1" }, { "size", "-1" },
		{ "size", "9223372036854775808" }, { "size", "1e3" }, { "mtime", "now" },
		{ "mtime", "1.x" }, { "mtime", "." }, { "mtime", "--1" }, { "mtime", "-" },
		{ "SCHILY.xattr.", "x" },
	};
	static const char *const records[] = {
		"5 a=\n7 a=b\n", "9 path=ab\n", "12 path=abcd\nx", "7 a=b\n", "x a=b\n", " a=b\n",
		"6 a=b", "6=a=b\n", "5 =b\n", "6 abc\n", "3 \n", "2\n", "0 a=b\n", "1 a=b\n", "4 a=",
		"99999999999999999999999 a=b\n", "18446744073709551622 a=b\n",
	};
	size_t i;
	char want[100];

	unit_case("PAX records");
	pax_of(&tar, good);
	header(&tar, '2', "short", 0);
	header(&tar, '0', "next", 0);
	expect(&tar, "s long=path->/x 644 4294967294:70000 -1500000000 0 \xc3\xa9/g user.e=0:\n"
		     "f next 644 1:2 3000000000 0\n.\n");
	buf_clear(&tar);

	unit_case("a PAX size counts, not the header's");
	pax_of(&tar, good);
	header(&tar, '0', "short", 600);
	content(&tar, "abc", 3);
	expect(&tar, "f long=path 644 4294967294:70000 -1500000000 3 \xc3\xa9/g user.e=0:\n@0 abc.\n");
	buf_clear(&tar);

	unit_case("empty PAX values leave the header's");
	pax_of(&tar, reset);
	member(&tar, '0', "name", "xy");
	expect(&tar, "f name 644 1:2 3000000000 2\n@0 xy.\n");
	buf_clear(&tar);

	unit_case("of two PAX headers the second counts, global ones mean nothing");
	pax_of(&tar, good);
	pax_of(&tar, reset);
	member(&tar, 'g', "global", "13 path=evil\n");
	header(&tar, '0', "name", 0);
	expect(&tar, "f name 644 1:2 3000000000 0\n.\n");
	buf_clear(&tar);

	unit_case("PAX times");
	for (i = 0; i < ARRAY_LEN(times); i++) {
		const char *const pair[] = { "mtime", times[i][0], NULL };

		pax_of(&tar, pair);
		header(&tar, '5', "t", 0);
		snprintf(want, sizeof(want), "d t 644 1:2 %s 0\n", times[i][1]);
		expect(&tar, want);
		buf_clear(&tar);
	}

	unit_case("damaged PAX values");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		const char *const pair[] = { bad[i][0], bad[i][1], NULL };

		pax_of(&tar, pair);
		header(&tar, '0', "t", 0);
		refuse(&tar, "");
		buf_clear(&tar);
	}

	unit_case("damaged PAX records");
	for (i = 0; i < ARRAY_LEN(records); i++) {
		member(&tar, 'x', "pax", records[i]);
		header(&tar, '0', "t", 0);
		refuse(&tar, "damaged PAX record");
		buf_clear(&tar);
	}

	unit_case("NUL in PAX keys and names, but not in attributes");
	pax_add(&b, "path", "a\0b", 3);
	pax(&tar, &b);
	header(&tar, '0', "t", 0);
	refuse(&tar, "NUL in a PAX record");
	buf_clear(&tar);
	buf_clear(&b);
	buf_add(&b, "9 pa\0h=x\n", 9);
	pax(&tar, &b);
	header(&tar, '0', "t", 0);
	refuse(&tar, "damaged PAX record");
	buf_clear(&tar);
	buf_clear(&b);
	pax_add(&b, "SCHILY.xattr.security.capability", "\1\0\0\2\0", 5);
	pax(&tar, &b);
	header(&tar, '0', "t", 0);
	expect(&tar, "f t 644 1:2 3000000000 0 security.capability=5:\1\n.\n");
	buf_free(&tar);
	buf_free(&b);
}

static void check_pax_limits(void)
{
	struct buf tar = { 0 }, b = { 0 };
	struct seen s = { 0 };
	char *big = calloc(1, (1 << 20) + 1);

	unit_case("attributes and PAX headers at and over their limits");
	memset(big, 'v', 1 << 20);
	pax_add(&b, "SCHILY.xattr.user.a", big, 65536);
	pax(&tar, &b);
	header(&tar, '0', "t", 0);
	CHECK(read_in(&s, &tar, tar.len) == 0);
	buf_clear(&tar);
	buf_clear(&b);
	pax_add(&b, "SCHILY.xattr.user.a", big, 65537);
	pax(&tar, &b);
	header(&tar, '0', "t", 0);
	CHECK(read_in(&s, &tar, tar.len) == -EBADMSG && strstr(fail_text(), "over 64 KiB"));
	buf_clear(&tar);
	buf_clear(&b);
	pax_add(&b, "comment", big, (1 << 20) - 17);
	CHECK(b.len == 1 << 20);
	pax(&tar, &b);
	header(&tar, '0', "t", 0);
	CHECK(read_in(&s, &tar, tar.len) == 0);
	buf_clear(&tar);
	header(&tar, 'x', "pax", (1 << 20) + 1);
	CHECK(read_in(&s, &tar, tar.len) == -EBADMSG);
	CHECK(strstr(fail_text(), "bad size of an extended header"));
	buf_clear(&tar);
	header(&tar, 'g', "pax", (uint64_t)2 << 30);
	CHECK(read_in(&s, &tar, tar.len) == -EBADMSG);
	buf_clear(&tar);

	unit_case("an extended header without an entry");
	member(&tar, 'x', "pax", "6 a=b\n");
	refuse(&tar, "cut short");
	end_blocks(&tar);
	refuse(&tar, "without an entry");
	free(big);
	seen_free(&s);
	buf_free(&tar);
	buf_free(&b);
}

static void check_numbers(void)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t len;
		const char *log; /* NULL: refused */
	} rows[] = {
		{ 124, "\x80\0\0\0\0\0\0\0\0\0\0\x02", 12, "f n 644 1:2 3000000000 2\n@0 ab.\n" },
		{ 124, "          2 ", 12, "f n 644 1:2 3000000000 2\n@0 ab.\n" },
		{ 124, "2\0garbage...", 12, "f n 644 1:2 3000000000 2\n@0 ab.\n" },
		{ 124, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, "f n 644 1:2 3000000000 0\n.\n" },
		{ 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, NULL },
		{ 124, "\x80\0\0\1\0\0\0\0\0\0\0\0", 12, NULL },
		{ 124, "\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, NULL },
		{ 124, "8           ", 12, NULL },
		{ 124, "-1          ", 12, NULL },
		{ 124, "0x2         ", 12, NULL },
		{ 124, "2a          ", 12, NULL },
		{ 108, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, NULL },
		{ 108, "\x80\0\0\0\xff\xff\xff\xff", 8, NULL },
		{ 108, "\x80\0\0\0\xff\xff\xff\xfe", 8, "f n 644 4294967294:2 3000000000 2\n@0 ab.\n" },
		{ 108, "\x80\0\0\1\0\0\0\0", 8, NULL },
		{ 116, "77777777", 8, "f n 644 1:16777215 3000000000 2\n@0 ab.\n" },
		{ 100, "0100755 ", 8, "f n 755 1:2 3000000000 2\n@0 ab.\n" },
		{ 100, "007777\0", 8, "f n 7777 1:2 3000000000 2\n@0 ab.\n" },
		{ 100, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, NULL },
		{ 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12,
		  "f n 644 1:2 -2000000000 2\n@0 ab.\n" },
		{ 136, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12,
		  "f n 644 1:2 9223372036854775807 2\n@0 ab.\n" },
		{ 136, "soon        ", 12, NULL },
	};
	struct buf tar = { 0 };
	uint8_t *h;
	size_t i;

	unit_case("numbers in headers");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		h = header(&tar, '0', "n", 2);
		memcpy(h + rows[i].at, rows[i].bytes, rows[i].len);
		tarblock_put_sum(h);
		if (!rows[i].log || strstr(rows[i].log, "@0"))
			content(&tar, "ab", 2);
		if (rows[i].log)
			expect(&tar, rows[i].log);
		else
			refuse(&tar, "damaged number in a header");
		buf_clear(&tar);
	}

	unit_case("device numbers that Linux would cut, and unused ones");
	for (i = 0; i < 3; i++) {
		h = header(&tar, i == 2 ? '5' : '3', "n", 0);
		tarblock_put(h, TAR_MAJOR, i == 0 ? 4096 : 0);
		tarblock_put(h, TAR_MINOR, i == 0 ? 0 : 1048576);
		tarblock_put_sum(h);
		if (i == 2)
			expect(&tar, "d n 644 1:2 3000000000 0\n");
		else
			refuse(&tar, "damaged number in a header");
		buf_clear(&tar);
	}

	unit_case("checksums, also of signed bytes");
	h = header(&tar, '5', "n\xff\xfe", 0);
	expect(&tar, "d n\xff\xfe 644 1:2 3000000000 0\n");
	h = (uint8_t *)tar.data;
	{
		int64_t sum;

		tarblock_number(h, TAR_CHECKSUM, &sum);
		tarblock_put(h, 148, 7, (uint64_t)sum - 512);
		expect(&tar, "d n\xff\xfe 644 1:2 3000000000 0\n");
		tarblock_put(h, 148, 7, (uint64_t)sum - 256);
	}
	refuse(&tar, "wrong checksum");
	buf_clear(&tar);
	buf_puts(&tar, "not a tar at all, but some text");
	while (tar.len < TAR_BLOCK_SIZE)
		buf_putc(&tar, '.');
	refuse(&tar, "byte 0: no tar header");
	buf_free(&tar);
}

static void check_ends(void)
{
	struct buf tar = { 0 }, part = { 0 };
	struct seen s = { 0 };
	size_t n;

	unit_case("the end of a stream");
	expect(&tar, "");
	end_blocks(&tar);
	expect(&tar, "");
	header(&tar, '0', "hidden", 0);
	expect(&tar, "");
	buf_clear(&tar);
	buf_add(&tar, "\0", 1);
	refuse(&tar, "cut short");
	while (tar.len < TAR_BLOCK_SIZE)
		buf_putc(&tar, '\0');
	expect(&tar, "");
	header(&tar, '0', "hidden", 0);
	refuse(&tar, "more entries after a zero block");
	buf_clear(&tar);

	unit_case("a stream that is cut anywhere");
	member(&tar, 'L', "x", "long name");
	member(&tar, '0', "a", "content");
	header(&tar, '5', "b", 0);
	end_blocks(&tar);
	for (n = 0; n < tar.len; n++) {
		bool whole = n == 0 || n >= 2560 ? n % 512 == 0 : n >= 1536 + 7 && n <= 2048;

		buf_clear(&part);
		buf_add(&part, tar.data, n);
		if ((read_in(&s, &part, 700) == 0) != whole)
			printf("# cut at %zu\n", n);
		CHECK((read_in(&s, &part, 700) == 0) == whole);
	}

	unit_case("a callback that fails");
	s.fail_at = 1;
	CHECK(read_in(&s, &tar, tar.len) == -ENOSPC);
	seen_free(&s);
	buf_free(&tar);
	buf_free(&part);
}

static void old_piece(uint8_t *at, uint64_t offset, uint64_t len)
{
	tarblock_put(at, 0, 12, offset);
	tarblock_put(at, 12, 12, len);
}

static void check_sparse_old(void)
{
	struct buf tar = { 0 };
	uint8_t more[TAR_BLOCK_SIZE] = { 0 };
	uint8_t *h;

	unit_case("old GNU sparse files");
	h = header(&tar, 'S', "s", 4);
	memcpy(h + 257, "ustar  ", 8);
	old_piece(h + 386, 1, 2);
	old_piece(h + 410, 100, 2);
	old_piece(h + 434, 1000, 0);
	tarblock_put(h, TAR_REAL_SIZE, 1000);
	tarblock_put_sum(h);
	content(&tar, "abcd", 4);
	expect(&tar, "f s 644 1:2 3000000000 1000 [1+2] [100+2] [1000+0]\n@1 ab@100 cd.\n");

	unit_case("old GNU sparse files that lie");
	h = (uint8_t *)tar.data;
	tarblock_put(h, TAR_REAL_SIZE, 999);
	tarblock_put_sum(h);
	refuse(&tar, "beyond the file");
	tarblock_put(h, TAR_REAL_SIZE, 1000);
	old_piece(h + 386, 99, 2);
	tarblock_put_sum(h);
	refuse(&tar, "out of order");
	old_piece(h + 386, 1, 3);
	tarblock_put_sum(h);
	refuse(&tar, "does not fit");
	memcpy(h + 386, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	tarblock_put_sum(h);
	refuse(&tar, "beyond the file");
	memcpy(h + 483, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	tarblock_put_sum(h);
	refuse(&tar, "beyond the file");
	memset(h + 386, 'z', 24);
	tarblock_put_sum(h);
	refuse(&tar, "damaged sparse map");
	buf_clear(&tar);

	unit_case("old GNU sparse files of more pieces");
	h = header(&tar, 'S', "s", 6);
	old_piece(h + 386, 0, 1);
	old_piece(h + 410, 10, 1);
	old_piece(h + 434, 20, 1);
	old_piece(h + 458, 30, 1);
	h[482] = 1;
	tarblock_put(h, TAR_REAL_SIZE, 60);
	tarblock_put_sum(h);
	old_piece(more, 40, 1);
	more[504] = 1;
	buf_add(&tar, more, sizeof(more));
	old_piece(more, 50, 1);
	more[504] = 0;
	buf_add(&tar, more, sizeof(more));
	content(&tar, "abcdef", 6);
	expect(&tar, "f s 644 1:2 3000000000 60 [0+1] [10+1] [20+1] [30+1] [40+1] [50+1]\n"
		     "@0 a@10 b@20 c@30 d@40 e@50 f.\n");
	tar.len = 1024;
	refuse(&tar, "cut short");
	buf_free(&tar);
}

static void check_sparse_pax(void)
{
	static const char *const v00[] = {
		"GNU.sparse.size", "50", "GNU.sparse.numblocks", "2", "GNU.sparse.offset", "0",
		"GNU.sparse.numbytes", "2", "GNU.sparse.offset", "40", "GNU.sparse.numbytes", "1", NULL,
	};
	static const char *const v01[] = {
		"GNU.sparse.size", "50", "GNU.sparse.name", "real", "GNU.sparse.map", "5,2,40,1", NULL,
	};
	static const char *const v10[] = {
		"GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "real",
		"GNU.sparse.realsize", "50", NULL,
	};
	static const char *const bad[][5] = {
		{ "GNU.sparse.major", "2", "GNU.sparse.minor", "0" },
		{ "GNU.sparse.major", "1", "GNU.sparse.minor", "1" },
		{ "GNU.sparse.map", "1" }, { "GNU.sparse.map", "1," }, { "GNU.sparse.map", ",1" },
		{ "GNU.sparse.map", "0,3," }, { "GNU.sparse.map", "0,3 " }, { "GNU.sparse.map", "0,-3" },
		{ "GNU.sparse.map", "0,4" }, { "GNU.sparse.map", "1,2" },
		{ "GNU.sparse.map", "0,2,1,1" }, { "GNU.sparse.map", "2,1,0,2" },
		{ "GNU.sparse.map", "18446744073709551615,3" },
		{ "GNU.sparse.map", "9999999999999999999999,3" },
		{ "GNU.sparse.offset", "0" }, { "GNU.sparse.numbytes", "0" },
		{ "GNU.sparse.offset", "0", "GNU.sparse.offset", "0" },
		{ "GNU.sparse.size", "2", "GNU.sparse.map", "0,3" },
		{ "GNU.sparse.size", "-3", "GNU.sparse.map", "0,3" },
	};
	static const char *const maps[] = {
		"", "\n", "x\n", "1\n0\n4\n", "2\n0\n3\n", "1\n0\n", "-1\n", "70000\n", "1\n0\n3 \n",
		"99999999999999999999\n", "2\n1\n1\n0\n2\n",
	};
	struct buf tar = { 0 };
	char map[TAR_BLOCK_SIZE];
	size_t i;

	unit_case("GNU sparse 0.0, 0.1 and 1.0");
	pax_of(&tar, v00);
	member(&tar, '0', "s", "abc");
	pax_of(&tar, v01);
	member(&tar, '0', "s", "abc");
	pax_of(&tar, v10);
	header(&tar, '0', "s", 515);
	content(&tar, "2\n7\n2\n40\n1\n", 11);
	content(&tar, "abc", 3);
	expect(&tar, "f s 644 1:2 3000000000 50 [0+2] [40+1]\n@0 ab@40 c.\n"
		     "f real 644 1:2 3000000000 50 [5+2] [40+1]\n@5 ab@40 c.\n"
		     "f real 644 1:2 3000000000 50 [7+2] [40+1]\n@7 ab@40 c.\n");
	buf_clear(&tar);
	pax_of(&tar, v10);
	header(&tar, '0', "hole", 512);
	content(&tar, "0\n", 2);
	expect(&tar, "f real 644 1:2 3000000000 50\n.\n");
	buf_clear(&tar);

	unit_case("damaged PAX sparse maps");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		pax_of(&tar, bad[i]);
		member(&tar, '0', "s", "abc");
		refuse(&tar, "sparse");
		buf_clear(&tar);
	}
	pax_of(&tar, v01);
	header(&tar, '5', "d", 0);
	refuse(&tar, "no file");
	buf_clear(&tar);
	pax_of(&tar, v01);
	header(&tar, 'S', "d", 0);
	refuse(&tar, "two sparse maps");
	buf_clear(&tar);

	unit_case("damaged sparse maps in the content");
	for (i = 0; i < ARRAY_LEN(maps); i++) {
		memset(map, 0, sizeof(map));
		memcpy(map, maps[i], strlen(maps[i]));
		pax_of(&tar, v10);
		header(&tar, '0', "s", 515);
		buf_add(&tar, map, sizeof(map));
		content(&tar, "abc", 3);
		refuse(&tar, "sparse");
		buf_clear(&tar);
	}
	pax_of(&tar, v10);
	header(&tar, '0', "s", 511);
	content(&tar, "0\n", 2);
	refuse(&tar, "cut short");
	buf_free(&tar);
}

static void check_sparse_limit(void)
{
	struct buf tar = { 0 }, map = { 0 };
	struct seen s = { 0 };
	const char *records[] = { "GNU.sparse.size", "99999999", "GNU.sparse.map", NULL, NULL };
	size_t i;

	unit_case("sparse files of too many pieces");
	for (i = 0; i < 65537; i++) {
		if (i == 65536) {
			records[3] = buf_str(&map);
			pax_of(&tar, records);
			header(&tar, '0', "s", 0);
			CHECK(read_in(&s, &tar, tar.len) == 0);
			buf_clear(&tar);
		}
		buf_printf(&map, "%s%zu,0", i ? "," : "", i);
	}
	records[3] = buf_str(&map);
	pax_of(&tar, records);
	header(&tar, '0', "s", 0);
	CHECK(read_in(&s, &tar, tar.len) == -EBADMSG && strstr(fail_text(), "65536 pieces"));
	seen_free(&s);
	buf_free(&tar);
	buf_free(&map);
}

static void check_writer_names(void)
{
	struct buf tar = { 0 }, want = { 0 };
	char name[TAR_NAME_MAX + 2];
	struct tar_entry e = { .type = TAR_DIR, .name = name, .link = "", .user = "", .group = "" };
	size_t len;

	unit_case("writer: names of every length, with and without slashes");
	for (len = 1; len <= TAR_NAME_MAX; len += len < 300 ? 1 : 379) {
		memset(name, 'x', len);
		name[len] = '\0';
		if (len % 2)
			memset(name + len / 2, '/', 1);
		buf_clear(&tar);
		buf_clear(&want);
		CHECK(tar_format(&tar, &e) == 0);
		buf_printf(&want, "d %s 0 0:0 0 0\n", name);
		expect(&tar, buf_str(&want));
		CHECK((tar.len == TAR_BLOCK_SIZE) == (len <= 100 || (len % 2 && len / 2 <= 155 && len < 202)));
	}
	memset(name, 'x', TAR_NAME_MAX + 1);
	name[TAR_NAME_MAX + 1] = '\0';
	CHECK(tar_format(&tar, &e) == -EINVAL);
	e.name = "";
	CHECK(tar_format(&tar, &e) == -EINVAL);
	buf_free(&tar);
	buf_free(&want);
}

static void check_writer(void)
{
	static const struct tar_xattr xattrs[] = {
		{ "user.a", (const uint8_t *)"x=\ny", 4 },
		{ "security.capability", (const uint8_t *)"q\0r", 3 },
	};
	static const struct tar_xattr equal = { "user.a=b", (const uint8_t *)"", 0 };
	struct tar_entry e = { .type = TAR_FILE, .name = "f", .link = "", .mode = 06755,
			       .uid = 2097151, .gid = 2097152, .user = "", .group = "",
			       .mtime = 8589934591000000000, .size = 8589934591 };
	struct tar_sparse piece = { 0, 0 };
	struct buf tar = { 0 };

	unit_case("writer: every fact comes back");
	CHECK(tar_format(&tar, &e) == 0);
	content(&tar, "", 0);
	tar.len = 0;
	e.size = 4;
	e.xattrs = xattrs;
	e.xattr_count = 2;
	e.user = "someone with a name of more than thirty-two bytes";
	CHECK(tar_format(&tar, &e) == 0);
	content(&tar, "abcd", 4);
	e = (struct tar_entry){ .type = TAR_CHAR, .name = "c", .link = "", .user = "u", .group = "g",
				.uid = 4294967294, .mtime = -1, .major = 4095, .minor = 1048575 };
	CHECK(tar_format(&tar, &e) == 0);
	e = (struct tar_entry){ .type = TAR_SYMLINK, .name = "s", .user = "", .group = "",
				.link = "/a/b", .mode = 0777, .mtime = 1500000000 };
	CHECK(tar_format(&tar, &e) == 0);
	end_blocks(&tar);
	expect(&tar, "f f 6755 2097151:2097152 8589934591000000000 4 "
		     "someone with a name of more than thirty-two bytes/ user.a=4:x=\ny "
		     "security.capability=3:q\n@0 abcd.\n"
		     "c c 0 4294967294:0 -1 0 dev 4095,1048575 u/g\ns s->/a/b 777 0:0 1500000000 0\n");
	buf_clear(&tar);

	unit_case("writer: sizes that ustar cannot say");
	e = (struct tar_entry){ .type = TAR_FILE, .name = "f", .link = "", .user = "", .group = "",
				.size = 8589934591 };
	CHECK(tar_format(&tar, &e) == 0 && tar.len == 512);
	e.size = 8589934592;
	CHECK(tar_format(&tar, &e) == 0 && tar.len == 512 + 1536);
	CHECK(memcmp(tar.data + 1024, "19 size=8589934592\n", 19) == 0);

	unit_case("writer: what tar cannot hold");
	e.xattrs = &equal;
	e.xattr_count = 1;
	CHECK(tar_format(&tar, &e) == -EINVAL);
	e.xattr_count = 0;
	e.sparse = &piece;
	CHECK(tar_format(&tar, &e) == -EINVAL);
	buf_free(&tar);
}

static void check_pax_add(void)
{
	struct buf b = { 0 };
	char value[1000];
	size_t len;

	unit_case("lengths of PAX records count themselves");
	memset(value, 'v', sizeof(value));
	for (len = 0; len < sizeof(value); len++) {
		buf_clear(&b);
		pax_add(&b, "k", value, len);
		CHECK((size_t)atoi(b.data) == b.len);
	}
	buf_free(&b);
}

int main(void)
{
	check_types();
	check_names();
	check_pax();
	check_pax_limits();
	check_numbers();
	check_ends();
	check_sparse_old();
	check_sparse_pax();
	check_sparse_limit();
	check_writer_names();
	check_writer();
	check_pax_add();
	return unit_end();
}
