/* SPDX-License-Identifier: MIT */
/* str - unit tests */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fail.h"
#include "unit.h"

static void check_compare(void)
{
	unit_case("begins and ends");
	CHECK(str_starts("sha256:ab", "sha256:"));
	CHECK(str_starts("a", ""));
	CHECK(!str_starts("sha", "sha256"));
	CHECK(str_ends("x.tar.gz", ".gz"));
	CHECK(str_ends("x", ""));
	CHECK(!str_ends("gz", ".gz"));
	CHECK(!str_ends("x.gzz", ".gz"));

	unit_case("set of characters");
	CHECK(str_only("", "abc"));
	CHECK(str_only("cab", "abc"));
	CHECK(!str_only("cabd", "abc"));
	CHECK(!str_only("d", ""));

	unit_case("compares without case");
	CHECK(str_casecmp("Content-Length", "content-LENGTH") == 0);
	CHECK(str_casecmp("", "") == 0);
	CHECK(str_casecmp("a", "B") < 0);
	CHECK(str_casecmp("B", "a") > 0);
	CHECK(str_casecmp("ab", "a") > 0);
	CHECK(str_casecmp("a", "ab") < 0);
	CHECK(str_casecmp("[", "{") != 0);
	CHECK(str_casecmp("a", "\xe4") < 0);
}

static void check_copy(void)
{
	char small[4];
	char text[] = "AZaz09@[\xc4";

	unit_case("copies what fits, refuses the rest");
	CHECK(str_copy(small, sizeof(small), "abc") == 0);
	CHECK_STR(small, "abc");
	CHECK(str_copy(small, sizeof(small), "abcd") == -ENAMETOOLONG);
	CHECK_STR(small, "");
	CHECK(strstr(fail_text(), "'abcd' is longer than 3 bytes"));
	CHECK(str_copy(small, 1, "") == 0);
	CHECK(str_copy(small, 0, "") == -ENAMETOOLONG);

	unit_case("lower-cases ASCII only");
	str_lower(text);
	CHECK_STR(text, "azaz09@[\xc4");
}

static void check_hex(void)
{
	unsigned char bytes[4] = { 0x00, 0x9f, 0xff, 0x10 }, back[4];
	char text[9];

	unit_case("hex both ways");
	str_hex(text, bytes, 4);
	CHECK_STR(text, "009fff10");
	CHECK(str_unhex(back, 4, text) == 0);
	CHECK(memcmp(bytes, back, 4) == 0);
	str_hex(text, bytes, 0);
	CHECK_STR(text, "");
	CHECK(str_unhex(back, 0, "") == 0);

	unit_case("refuses hex of the wrong length, case or alphabet");
	CHECK(str_unhex(back, 4, "009fff1") == -EINVAL);
	CHECK(str_unhex(back, 4, "009fff100") == -EINVAL);
	CHECK(str_unhex(back, 4, "009FFF10") == -EINVAL);
	CHECK(str_unhex(back, 4, "009fff1g") == -EINVAL);
	CHECK(str_unhex(back, 4, "0x9fff10") == -EINVAL);
	CHECK(str_unhex(back, 4, " 09fff10") == -EINVAL);
}

static void check_base64(void)
{
	static const struct {
		const char *plain, *text, *bare;
	} good[] = {
		{ "", "", "" },
		{ "f", "Zg==", "Zg" },
		{ "fo", "Zm8=", "Zm8" },
		{ "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg==", "Zm9vYg" },
		{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
		{ "\xfb\xef\xff", "++//", "++//" },
	};
	static const char *const bad[] = {
		"Z",
		"=",
		"==",
		"====",
		"Zg=",
		"Zg===",
		"Z===",
		"Zm9v=",
		"Zm9vZ",
		"Zh==",
		"Zm9=",
		"Zm 8",
		"Zm8\n",
		"-_-_",
		"Zg==Zg==",
		"Zm8=\n",
		"Z\xc3\xa4g",
	};
	char out[16], text[16];
	size_t i;
	int r;

	unit_case("base64 both ways, padded or not");
	for (i = 0; i < ARRAY_LEN(good); i++) {
		str_base64(text, good[i].plain, strlen(good[i].plain));
		CHECK_STR(text, good[i].text);
		r = str_unbase64(out, sizeof(out), text, strlen(text));
		CHECK(r == (int)strlen(good[i].plain) &&
			memcmp(out, good[i].plain, (size_t)r) == 0);
		r = str_unbase64(out, sizeof(out), good[i].bare, strlen(good[i].bare));
		CHECK(r == (int)strlen(good[i].plain) &&
			memcmp(out, good[i].plain, (size_t)r) == 0);
	}

	unit_case("refuses bad base64");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		r = str_unbase64(out, sizeof(out), bad[i], strlen(bad[i]));
		if (r != -EINVAL)
			printf("# accepted: %s\n", bad[i]);
		CHECK(r == -EINVAL);
	}
	CHECK(str_unbase64(out, sizeof(out), "Zm\0v", 4) == -EINVAL);

	unit_case("base64 writes no more than there is room");
	CHECK(str_unbase64(out, 3, "Zm9v", 4) == 3);
	CHECK(str_unbase64(out, 2, "Zm9v", 4) == -ENAMETOOLONG);
	CHECK(str_unbase64(out, 0, "Zg==", 4) == -ENAMETOOLONG);
	CHECK(str_unbase64(out, 0, "", 0) == 0);
}

static void check_distance(void)
{
	char forty[41], longer[42];

	unit_case("edit distance");
	CHECK(str_distance("", "") == 0);
	CHECK(str_distance("qpull", "qpull") == 0);
	CHECK(str_distance("", "abc") == 3);
	CHECK(str_distance("abc", "") == 3);
	CHECK(str_distance("qpul", "qpull") == 1);
	CHECK(str_distance("qpulll", "qpull") == 1);
	CHECK(str_distance("qpoll", "qpull") == 1);
	CHECK(str_distance("qplul", "qpull") == 1);
	CHECK(str_distance("kitten", "sitting") == 3);
	CHECK(str_distance("ca", "abc") == 3);

	unit_case("edit distance of long strings");
	memset(forty, 'a', 40);
	forty[40] = '\0';
	memset(longer, 'a', 41);
	longer[41] = '\0';
	CHECK(str_distance(forty, forty) == 0);
	CHECK(str_distance(forty, "") == 40);
	CHECK(str_distance(forty, longer) == 99);
	CHECK(str_distance(longer, "") == 99);
}

static void check_utf8(void)
{
	static const struct {
		const char *s;
		size_t used;
		uint32_t code;
	} rows[] = {
		{ "a", 1, 'a' },
		{ "\x7f", 1, 0x7f },
		{ "\xc2\x80", 2, 0x80 },
		{ "\xdf\xbf", 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 },
		{ "\xed\x9f\xbf", 3, 0xd7ff },
		{ "\xee\x80\x80", 3, 0xe000 },
		{ "\xef\xbf\xbf", 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\x80", 0, 0 },
		{ "\xbf", 0, 0 },
		{ "\xc0\x80", 0, 0 },
		{ "\xc1\xbf", 0, 0 },
		{ "\xc2", 0, 0 },
		{ "\xc2\x41", 0, 0 },
		{ "\xe0\x9f\xbf", 0, 0 },
		{ "\xed\xa0\x80", 0, 0 },
		{ "\xed\xbf\xbf", 0, 0 },
		{ "\xe2\x82", 0, 0 },
		{ "\xe2\x82\xc0", 0, 0 },
		{ "\xf0\x8f\xbf\xbf", 0, 0 },
		{ "\xf4\x90\x80\x80", 0, 0 },
		{ "\xf5\x80\x80\x80", 0, 0 },
		{ "\xf8\x88\x80\x80\x80", 0, 0 },
		{ "\xff", 0, 0 },
	};
	uint32_t code;
	size_t i, used;

	unit_case("reads UTF-8 as RFC 3629 has it");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		used = str_utf8(rows[i].s, strlen(rows[i].s), &code);
		CHECK(used == rows[i].used);
		CHECK(!used || code == rows[i].code);
	}
	CHECK(str_utf8("a", 0, &code) == 0);
}

static void check_escape(void)
{
	auto_buf struct buf b = { 0 };

	unit_case("escapes what moves a terminal");
	str_escape(&b, "a\x1b]0;x\a\n\t\x7f\\z", 12);
	CHECK_STR(buf_str(&b), "a\\x1b]0;x\\x07\\x0a\\x09\\x7f\\z");
	buf_clear(&b);
	str_escape(&b, "\xc2\x9b\xc2\xa0\xc3\xa4\xe2\x82\xac", 9);
	CHECK_STR(buf_str(&b), "\\xc2\\x9b\xc2\xa0\xc3\xa4\xe2\x82\xac");
	buf_clear(&b);
	str_escape(&b, "\xc3\xa4\xc3", 3);
	CHECK_STR(buf_str(&b), "\xc3\xa4\\xc3");
	buf_clear(&b);
	str_escape(&b, "a\0b", 3);
	CHECK_STR(buf_str(&b),
		"a\\x00"
		"b");
}

int main(void)
{
	check_compare();
	check_copy();
	check_hex();
	check_base64();
	check_distance();
	check_utf8();
	check_escape();
	return unit_end();
}
