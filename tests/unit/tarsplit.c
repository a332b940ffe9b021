/* SPDX-License-Identifier: MIT */
#include "format/tarsplit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fail.h"
#include "unit.h"

static struct buf file, stream;

static int sink(void *ctx, const void *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
	return 0;
}

static int raw(void *ctx, const uint8_t *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
	return 0;
}

static int content(void *ctx, const char *path, uint64_t len)
{
	buf_printf(ctx, "<%s:%llu>", path, (unsigned long long)len);
	return 0;
}

static const struct tarsplit_events events = { .raw = raw, .file = content };
static const struct digest id = { .bytes = { 1, 2, 3, [31] = 9 } };

/* Begin the file with a head of TOTAL bytes. */
static struct tarsplit_writer *begin(uint64_t total)
{
	struct tarsplit_writer *w = NULL;
	uint8_t head[TARSPLIT_HEAD];

	buf_clear(&file);
	tarsplit_head(head, total);
	buf_add(&file, head, sizeof(head));
	CHECK(tarsplit_writer_new(&w, sink, &file) == 0);
	return w;
}

static void finish(struct tarsplit_writer *w)
{
	CHECK(tarsplit_end(w, &id) == 0);
	tarsplit_writer_free(w);
}

/* Read LEN bytes of the file in pieces of STEP. */
static int read_back(size_t len, size_t step)
{
	struct tarsplit_reader *r;
	struct digest got;
	int e = 0;

	buf_clear(&stream);
	CHECK(tarsplit_reader_new(&r, &events, &stream) == 0);
	for (size_t at = 0; at < len && e == 0; at += step)
		e = tarsplit_reader_feed(r, file.data + at, len - at < step ? len - at : step);
	if (e == 0)
		e = tarsplit_reader_end(r, &got);
	if (e == 0)
		CHECK(digest_equal(&got, &id));
	tarsplit_reader_free(r);
	return e;
}

static void mixed(void)
{
	static char zeros[100000];
	struct buf want = { 0 };
	struct tarsplit_writer *w = begin(5 + 700 + 100000 + 20 + 3);

	CHECK(tarsplit_raw(w, "hello", 5) == 0);
	CHECK(tarsplit_file(w, "a/b", 700) == 0);
	for (size_t i = 0; i < sizeof(zeros); i += 1000)
		CHECK(tarsplit_raw(w, zeros + i, 1000) == 0);
	CHECK(tarsplit_raw(w, "x\0y\0\0z\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20) == 0);
	CHECK(tarsplit_raw(w, "end", 3) == 0);
	finish(w);
	CHECK(file.len < 400);
	CHECK(read_back(file.len, 1 << 20) == 0);
	buf_puts(&want, "hello<a/b:700>");
	buf_add(&want, zeros, sizeof(zeros));
	buf_add(&want, "x\0y\0\0z\0\0\0\0\0\0\0\0\0\0\0\0\0\0end", 23);
	CHECK(stream.len == want.len && memcmp(stream.data, want.data, want.len) == 0);
	CHECK(read_back(file.len, 1) == 0);
	CHECK(stream.len == want.len && memcmp(stream.data, want.data, want.len) == 0);
	buf_free(&want);
}

static void many(void)
{
	struct tarsplit_writer *w = begin(3000ull * (512 + 7));
	char block[512];

	for (int i = 0; i < 3000; i++) {
		char path[32];

		memset(block, 'a' + i % 26, sizeof(block));
		snprintf(path, sizeof(path), "dir/%d", i);
		CHECK(tarsplit_raw(w, block, sizeof(block)) == 0);
		CHECK(tarsplit_file(w, path, 7) == 0);
	}
	finish(w);
	CHECK(read_back(file.len, 4096) == 0);
	CHECK(stream.len > 3000u * 512 && strncmp(stream.data + 512, "<dir/0:7>", 9) == 0);
}

static void damage(void)
{
	struct tarsplit_writer *w = begin(12);

	CHECK(tarsplit_raw(w, "hello world!", 12) == 0);
	finish(w);
	for (size_t i = 0; i < file.len; i++)
		CHECK(read_back(i, 1) == -EBADMSG);
	CHECK(read_back(file.len, 7) == 0);
	buf_putc(&file, 'x');
	CHECK(read_back(file.len, 1 << 20) == -EBADMSG);
	file.len--;
	file.data[4] = 2;
	CHECK(read_back(file.len, 7) == -EBADMSG);
	CHECK(strstr(fail_text(), "version 2"));
	file.data[4] = 1;
	file.data[0] = 'X';
	CHECK(read_back(file.len, 7) == -EBADMSG);
}

int main(void)
{
	char path[5000];

	unit_case("gives back bytes, files and zeros in order, however it is cut");
	mixed();
	unit_case("carries thousands of files");
	many();
	unit_case("an empty stream");
	finish(begin(0));
	CHECK(read_back(file.len, 3) == 0 && stream.len == 0);
	unit_case("refuses what is cut short, longer, of another version or kind");
	damage();
	unit_case("refuses sizes that the head does not confirm");
	struct tarsplit_writer *w = begin(11);

	CHECK(tarsplit_file(w, "f", 12) == 0);
	finish(w);
	CHECK(read_back(file.len, 1) == -EBADMSG);
	w = begin(13);
	CHECK(tarsplit_file(w, "f", 12) == 0);
	finish(w);
	CHECK(read_back(file.len, 1) == -EBADMSG);
	unit_case("refuses an empty and an endless path");
	memset(path, 'p', sizeof(path));
	path[4999] = '\0';
	w = begin(0);
	CHECK(tarsplit_file(w, "", 1) == -EINVAL && tarsplit_file(w, path, 1) == -EINVAL);
	finish(w);
	buf_free(&file);
	buf_free(&stream);
	return unit_end();
}
