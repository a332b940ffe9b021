/* SPDX-License-Identifier: MIT */
/* gzip - unit tests */
#include "format/gzip.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fail.h"
#include "unit.h"

#define SIZE 70000

static uint8_t plain[SIZE], packed[2 * SIZE], other[2 * SIZE];

/* A gzip file with every optional field of RFC 1952, which has a checksum of the header, too; and one
 * of nothing. */
static const uint8_t hello[] = { 0x1f, 0x8b, 0x08, 0x1f, 0x78, 0x56, 0x34, 0x12, 0x02, 0x03, 0x04,
	0x00, 'A', 'B', 'C', 'D', 'n', 'a', 'm', 'e', 0x00, 'c', 'o', 'm', 'm', 'e', 'n', 't', 0x00,
	0x6b, 0xfe, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0x48, 0xaf, 0xca, 0x2c, 0xe0, 0x02,
	0x00, 0x86, 0x1f, 0x82, 0xa4, 0x0c, 0x00, 0x00, 0x00 };
static const uint8_t nothing[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x03,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };
#define HELLO        "hello, gzip\n"
#define HELLO_HEADER 31 /* bytes before the deflate data */

/* Read all of IN, given and taken in pieces of at most IN_STEP and OUT_STEP bytes. The length, or
 * what failed. */
static long inflate_all(enum gzip_kind kind, const uint8_t *in, size_t len, uint8_t *out,
	size_t in_step, size_t out_step)
{
	struct inflater *z;
	const uint8_t *p;
	size_t n, at, left;
	long r = 0, used = 0;

	CHECK(inflater_new(&z, kind) == 0);
	for (at = 0; at < len && r >= 0; at += n) {
		n = len - at < in_step ? len - at : in_step;
		p = in + at;
		left = n;
		do {
			r = inflater_run(z, &p, &left, out + used, out_step);
			used += r > 0 ? r : 0;
		} while (r > 0 || (r == 0 && left));
		CHECK(r < 0 || p == in + at + n);
	}
	if (r >= 0)
		r = inflater_end(z);
	inflater_free(z);
	return r < 0 ? r : used;
}

static long deflate_all(
	enum gzip_kind kind, int level, size_t len, uint8_t *out, size_t in_step, size_t out_step)
{
	struct deflater *z;
	const uint8_t *p = plain;
	size_t left, at;
	long r = 0, used = 0;

	CHECK(deflater_new(&z, kind, level) == 0);
	for (at = 0; at < len; at += in_step) {
		left = len - at < in_step ? len - at : in_step;
		do {
			r = deflater_run(z, &p, &left, out + used, out_step, false);
			used += r;
		} while (r > 0 || left);
	}
	left = 0;
	do {
		r = deflater_run(z, &p, &left, out + used, out_step, true);
		used += r;
	} while (r > 0);
	CHECK(deflater_run(z, &p, &left, out + used, out_step, true) == 0);
	deflater_free(z);
	return used;
}

/* Bytes without order but for a copy of the 16 at AT, which lies as far behind them as a match may
 * reach: where zlib moves its window decides whether it finds them. */
static void fill(size_t at)
{
	size_t i;

	srand(1);
	for (i = 0; i < SIZE; i++)
		plain[i] = (uint8_t)(rand() >> 8);
	memcpy(plain + at + 32768 - 262, plain + at, 16);
}

static void check_sniff(void)
{
	const char *name = "x";

	CHECK(gzip_sniff(hello, 6, &name) == GZIP_GZIP && !name);
	CHECK(gzip_sniff(hello, 6, NULL) == GZIP_GZIP);
	CHECK(gzip_sniff(hello, 2, &name) == GZIP_NONE && !name);
	CHECK(gzip_sniff("", 0, &name) == GZIP_NONE && !name);
	CHECK(gzip_sniff("bin/sh", 6, &name) == GZIP_NONE && !name);
	CHECK(gzip_sniff("\x28\xb5\x2f\xfd\x04\x00", 6, &name) == GZIP_NONE);
	CHECK_STR(name, "zstd");
	CHECK(gzip_sniff("\xfd"
			 "7zXZ\0",
		      6, &name) == GZIP_NONE);
	CHECK_STR(name, "xz");
	CHECK(gzip_sniff("BZh91A", 6, &name) == GZIP_NONE);
	CHECK_STR(name, "bzip2");
	CHECK(gzip_sniff("\x04\x22\x4d\x18@@", 6, &name) == GZIP_NONE);
	CHECK_STR(name, "lz4");
}

static void check_round(void)
{
	static const size_t sizes[] = { 0, 1, 2, 8191, 8192, 8193, 16384, 32768, SIZE };
	static const enum gzip_kind kinds[] = { GZIP_NONE, GZIP_GZIP, GZIP_RAW };
	size_t s, k;
	int level;
	long n;

	fill(32764);
	for (s = 0; s < ARRAY_LEN(sizes); s++)
		for (k = 0; k < ARRAY_LEN(kinds); k++)
			for (level = 1; level <= 9; level += 4) {
				n = deflate_all(kinds[k], level, sizes[s], packed, SIZE,
					sizeof(packed) / 2);
				n = inflate_all(kinds[k], packed, (size_t)n, other, SIZE, SIZE);
				CHECK(n == (long)sizes[s] && memcmp(other, plain, sizes[s]) == 0);
			}
}

static void check_cuts(void)
{
	static const struct {
		size_t in, out;
	} steps[] = { { 1, 1 }, { 8191, 7 }, { 8192, 4096 }, { 9000, 99 } };
	long n, m;
	size_t i;
	int level;

	for (level = 1; level <= 9; level += 8) {
		fill(32764 + (size_t)level % 5);
		n = deflate_all(GZIP_GZIP, level, SIZE, packed, SIZE, sizeof(packed));
		for (i = 0; i < ARRAY_LEN(steps); i++) {
			m = deflate_all(GZIP_GZIP, level, SIZE, other, steps[i].in, steps[i].out);
			CHECK(m == n && memcmp(other, packed, (size_t)n) == 0);
			m = inflate_all(
				GZIP_GZIP, packed, (size_t)n, other, steps[i].in, steps[i].out);
			CHECK(m == SIZE && memcmp(other, plain, SIZE) == 0);
		}
	}
}

static void check_header(void)
{
	CHECK(deflate_all(GZIP_GZIP, 6, 0, packed, 1, 99) == sizeof(nothing));
	CHECK(memcmp(packed, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10) == 0);
	CHECK(memcmp(packed + 10, nothing + 10, 10) == 0);
}

/* HELLO, then LEN bytes more: what inflate_all says, and that no cut of the input changes it. */
static long after_hello(const void *more, size_t len)
{
	uint8_t in[200];
	long whole, cut;

	memcpy(in, hello, sizeof(hello));
	memcpy(in + sizeof(hello), more, len);
	whole = inflate_all(GZIP_GZIP, in, sizeof(hello) + len, other, 200, 100);
	CHECK(memcmp(other, HELLO, 12) == 0);
	cut = inflate_all(GZIP_GZIP, in, sizeof(hello) + len, other, 1, 1);
	CHECK(cut == whole);
	return whole;
}

static void check_members(void)
{
	uint8_t more[100] = { 0 };

	CHECK(after_hello("", 0) == 12);
	CHECK(after_hello(hello, sizeof(hello)) == 24);
	CHECK(after_hello(nothing, sizeof(nothing)) == 12);
	CHECK(after_hello(more, 1) == 12);
	CHECK(after_hello(more, 100) == 12);
	CHECK(after_hello("x", 1) == -EBADMSG);
	CHECK(strstr(fail_text(), "after the end"));
	CHECK(after_hello("\x1f", 1) == -EBADMSG);
	CHECK(strstr(fail_text(), "cut short"));
	CHECK(after_hello("\x1f\x8c", 2) == -EBADMSG);
	CHECK(after_hello(hello, sizeof(hello) - 1) == -EBADMSG);
	more[99] = 1;
	CHECK(after_hello(more, 100) == -EBADMSG);
	memcpy(more, nothing, sizeof(nothing)); /* nothing, zeros, one */
	CHECK(after_hello(more, 99) == 12);
	CHECK(after_hello(more, 100) == -EBADMSG);
	memset(more, 0, sizeof(more));
	memcpy(more + 4, nothing, sizeof(nothing)); /* a member after padding */
	CHECK(after_hello(more, 4 + sizeof(nothing)) == -EBADMSG);
}

static void check_raw(void)
{
	uint8_t in[100] = { 0 };
	size_t len = sizeof(hello) - HELLO_HEADER - 8;

	memcpy(in, hello + HELLO_HEADER, len);
	CHECK(inflate_all(GZIP_RAW, in, len, other, 1, 1) == 12);
	CHECK(memcmp(other, HELLO, 12) == 0);
	CHECK(inflate_all(GZIP_RAW, in, len + 1, other, 1, 1) == -EBADMSG);
	in[len] = 0x1f;
	CHECK(inflate_all(GZIP_RAW, in, len + 1, other, 100, 100) == -EBADMSG);
	CHECK(strstr(fail_text(), "after the end"));
	CHECK(inflate_all(GZIP_RAW, in, 0, other, 100, 100) == -EBADMSG);
	CHECK(inflate_all(GZIP_RAW, hello, sizeof(hello), other, 100, 100) == -EBADMSG);
}

static void check_damage(void)
{
	uint8_t in[sizeof(hello)];
	size_t i, bit;
	long r;

	for (i = 0; i < sizeof(hello); i++)
		CHECK(inflate_all(GZIP_GZIP, hello, i, other, 100, 100) == -EBADMSG);
	for (i = 0; i < sizeof(hello); i++)
		for (bit = 0; bit < 8; bit++) {
			memcpy(in, hello, sizeof(hello));
			in[i] ^= (uint8_t)(1 << bit);
			r = inflate_all(GZIP_GZIP, in, sizeof(hello), other, 100, 100);
			/* The bits behind the end of the deflate data mean nothing. */
			if (i == sizeof(hello) - 9 && bit >= 2)
				CHECK(r == 12 && memcmp(other, HELLO, 12) == 0);
			else
				CHECK(r == -EBADMSG);
		}
	CHECK(inflate_all(GZIP_GZIP, (const uint8_t *)"plain text", 10, other, 100, 100) ==
		-EBADMSG);
}

int main(void)
{
	unit_case("knows gzip, and names what it cannot read");
	check_sniff();
	unit_case("inflates what it deflated");
	check_round();
	unit_case("writes and reads the same however the bytes are cut");
	check_cuts();
	unit_case("writes a header without time and name");
	check_header();
	unit_case("reads members one after the other, skips zeros behind them, refuses the rest");
	check_members();
	unit_case("raw deflate ends with its last byte");
	check_raw();
	unit_case("every cut and every flipped bit is noticed");
	check_damage();
	return unit_end();
}
