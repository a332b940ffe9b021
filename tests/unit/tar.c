/* SPDX-License-Identifier: MIT */
/* tar - unit tests of the reader, PAX records included */
#include "format/tar.h"

#include "tarseen.h"

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
	expect(&tar,
		"f a 644 1:2 3000000000 5\n@0 hello.\nf old 644 1:2 3000000000 1\n@0 x.\n"
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
	refuse(&tar, "too large");
	buf_free(&tar);
	buf_free(&name);
	buf_free(&want);
}

static void check_pax(void)
{
	struct buf tar = { 0 }, b = { 0 };
	static const char *const good[] = {
		"path",
		"first",
		"path",
		"long=path",
		"linkpath",
		"/x",
		"uid",
		"4294967294",
		"gid",
		"70000",
		"mtime",
		"-1.5",
		"size",
		"3",
		"uname",
		"\xc3\xa9",
		"gname",
		"g",
		"ctime",
		"x",
		"comment",
		"",
		"SCHILY.xattr.user.e",
		"",
		"LIBARCHIVE.creationtime",
		"1",
		NULL,
	};
	static const char *const reset[] = { "path", "", "uid", "", "size", "", "mtime", "", NULL };
	static const char *const times[][2] = {
		{ "0", "0" },
		{ "1.000000001", "1000000001" },
		{ "1.0000000019", "1000000001" },
		{ "-0.5", "-500000000" },
		{ "5.", "5000000000" },
		{ "99999999999999999999", "9223372036854775807" },
		{ "-99999999999999999999.9", "-9223372036854775808" },
		{ "9223372035.999999999", "9223372035999999999" },
	};
	static const char *const bad[][2] = {
		{ "uid", "-1" },
		{ "uid", "4294967295" },
		{ "gid", "0x1" },
		{ "size", "-1" },
		{ "size", "9223372036854775808" },
		{ "size", "1e3" },
		{ "mtime", "now" },
		{ "mtime", "1.x" },
		{ "mtime", "." },
		{ "mtime", "--1" },
		{ "mtime", "-" },
		{ "SCHILY.xattr.", "x" },
	};
	static const char *const records[] = {
		"5 a=\n7 a=b\n",
		"9 path=ab\n",
		"12 path=abcd\nx",
		"7 a=b\n",
		"x a=b\n",
		" a=b\n",
		"6 a=b",
		"6=a=b\n",
		"5 =b\n",
		"6 abc\n",
		"3 \n",
		"2\n",
		"0 a=b\n",
		"1 a=b\n",
		"4 a=",
		"99999999999999999999999 a=b\n",
		"18446744073709551622 a=b\n",
	};
	size_t i;
	char want[100];

	unit_case("PAX records");
	pax_of(&tar, good);
	header(&tar, '2', "short", 0);
	header(&tar, '0', "next", 0);
	expect(&tar,
		"s long=path->/x 644 4294967294:70000 -1500000000 0 \xc3\xa9/g user.e=0:\n"
		"f next 644 1:2 3000000000 0\n.\n");
	buf_clear(&tar);

	unit_case("a PAX size counts, not the header's");
	pax_of(&tar, good);
	header(&tar, '0', "short", 600);
	content(&tar, "abc", 3);
	expect(&tar,
		"f long=path 644 4294967294:70000 -1500000000 3 \xc3\xa9/g user.e=0:\n@0 abc.\n");
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
	CHECK(strstr(fail_text(), "too large"));
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
		{ 108, "\x80\0\0\0\xff\xff\xff\xfe", 8,
			"f n 644 4294967294:2 3000000000 2\n@0 ab.\n" },
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
			refuse(&tar, "damaged");
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
			refuse(&tar, "damaged");
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

int main(void)
{
	check_types();
	check_names();
	check_pax();
	check_pax_limits();
	check_numbers();
	check_ends();
	return unit_end();
}
