/* SPDX-License-Identifier: MIT */
/* buf - unit tests */
#include "base/buf.h"

#include <stdint.h>

#include "base/fail.h"
#include "unit.h"

static void check_append(void)
{
	auto_buf struct buf b = { 0 };
	size_t i;

	unit_case("an empty buffer is an empty string");
	CHECK(buf_check(&b) == 0);
	CHECK_STR(buf_str(&b), "");
	buf_add(&b, "", 0);
	buf_puts(&b, "");
	buf_drop(&b, 0);
	CHECK(b.len == 0);
	CHECK_STR(buf_str(&b), "");

	unit_case("appends bytes, text, formats");
	buf_add(&b, "a\0b", 3);
	buf_puts(&b, "cd");
	buf_putc(&b, 'e');
	buf_printf(&b, "%d-%s", 7, "f");
	buf_printf(&b, "%s", "");
	CHECK(b.len == 9 && memcmp(b.data, "a\0bcde7-f", 10) == 0);

	unit_case("drops the front");
	buf_drop(&b, 2);
	CHECK_STR(buf_str(&b), "bcde7-f");
	buf_drop(&b, 7);
	CHECK(b.len == 0);
	CHECK_STR(buf_str(&b), "");

	unit_case("grows");
	for (i = 0; i < 100000; i++)
		buf_putc(&b, (char)('a' + i % 26));
	CHECK(b.len == 100000 && b.cap < 200000 && b.data[99999] == 'a' + 99999 % 26);
	CHECK(b.data[100000] == '\0' && buf_check(&b) == 0);

	unit_case("clear keeps the memory, free does not");
	buf_clear(&b);
	CHECK(b.len == 0 && b.cap >= 100000);
	CHECK_STR(buf_str(&b), "");
	buf_free(&b);
	CHECK(!b.data && !b.cap && !b.len);
	buf_puts(&b, "again");
	CHECK_STR(buf_str(&b), "again");
}

static void check_reserve(void)
{
	auto_buf struct buf b = { 0 };
	char *to;

	unit_case("reserved room that was filled without a NUL is still a string");
	to = buf_reserve(&b, 200);
	memset(to, 'z', 200);
	b.len = 3;
	CHECK_STR(buf_str(&b), "zzz");
	to = buf_reserve(&b, 1);
	CHECK(to == b.data + 3);
	to[0] = 'y';
	to[1] = 'z';
	b.len++;
	buf_drop(&b, 2);
	CHECK_STR(b.data, "zy");
}

static void check_failure(void)
{
	auto_buf struct buf b = { .limit = 8 };
	char *s;

	unit_case("the limit is exact");
	buf_puts(&b, "12345678");
	CHECK(buf_check(&b) == 0);
	CHECK_STR(buf_str(&b), "12345678");
	CHECK(!buf_reserve(&b, 1));

	unit_case("failure is sticky and has a text");
	CHECK(b.failed);
	buf_drop(&b, 8);
	buf_putc(&b, 'x');
	CHECK(b.len == 0 && buf_check(&b) == -ENOMEM);
	CHECK(strstr(fail_text(), "more than 8 bytes"));
	CHECK(!buf_take(&b));

	unit_case("clear and free forgive but keep the limit");
	buf_clear(&b);
	buf_printf(&b, "%s", "123456789");
	CHECK(b.failed && b.len == 0);
	buf_free(&b);
	CHECK(b.limit == 8 && !b.failed);
	buf_add(&b, "123456789", 9);
	CHECK(b.failed && b.len == 0);

	unit_case("a limit below what is held refuses");
	buf_clear(&b);
	buf_puts(&b, "1234");
	b.limit = 2;
	CHECK(!buf_reserve(&b, 1) && b.failed);

	unit_case("sizes that wrap are refused");
	buf_free(&b);
	b.limit = 0;
	buf_putc(&b, 'a');
	CHECK(!buf_reserve(&b, SIZE_MAX) && b.failed);
	buf_clear(&b);
	CHECK(!buf_reserve(&b, SIZE_MAX - 1) && b.failed);
	buf_clear(&b);
	CHECK(!buf_reserve(&b, SIZE_MAX / 2) && b.failed);
	CHECK(buf_check(&b) == -ENOMEM);
	CHECK_STR(fail_text(), "out of memory");

	unit_case("gives its content away");
	buf_clear(&b);
	s = buf_take(&b);
	CHECK_STR(s, "");
	free(s);
	buf_puts(&b, "mine");
	s = buf_take(&b);
	CHECK_STR(s, "mine");
	CHECK(!b.data && !b.len && !b.cap);
	free(s);
	s = buf_take(&b);
	CHECK_STR(s, "");
	free(s);
}

int main(void)
{
	check_append();
	check_reserve();
	check_failure();
	return unit_end();
}
