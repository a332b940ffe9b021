/* SPDX-License-Identifier: MIT */
/* num - unit tests */
#include "base/num.h"

#include <errno.h>
#include <inttypes.h>

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

static void check_decimal(void)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0", "a",
		"1\n" };
	uint64_t n;
	size_t i;

	unit_case("decimal numbers");
	CHECK(num_parse("0", 10, &n) == 0 && n == 0);
	CHECK(num_parse("007", 10, &n) == 0 && n == 7);
	CHECK(num_parse("65535", 65535, &n) == 0 && n == 65535);
	CHECK(num_parse("18446744073709551615", UINT64_MAX, &n) == 0 && n == UINT64_MAX);
	CHECK(num_parse("000000000000000000000000000001", 1, &n) == 0 && n == 1);

	unit_case("numbers above the limit");
	n = 1;
	CHECK(num_parse("65536", 65535, &n) == -ERANGE && n == 0);
	CHECK_STR(fail_text(), "'65536' is above 65535");
	CHECK(num_parse("18446744073709551616", UINT64_MAX, &n) == -ERANGE);
	CHECK(num_parse("99999999999999999999999", UINT64_MAX, &n) == -ERANGE);

	unit_case("what is no number");
	for (i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(num_parse(bad[i], UINT64_MAX, &n) == -EINVAL);
	CHECK(num_parse("99999999999999999999999x", UINT64_MAX, &n) == -EINVAL);
	CHECK(strstr(fail_text(), "99x' is not a number"));
}

static void check_octal(void)
{
	uint64_t n;

	unit_case("octal numbers");
	CHECK(num_parse_octal("0755", 4, 07777, &n) == 0 && n == 0755);
	CHECK(num_parse_octal("7558", 3, 07777, &n) == 0 && n == 0755);
	CHECK(num_parse_octal("1777777777777777777777", 22, UINT64_MAX, &n) == 0 &&
		n == UINT64_MAX);
	CHECK(num_parse_octal("2000000000000000000000", 22, UINT64_MAX, &n) == -ERANGE);
	CHECK(num_parse_octal("10000", 5, 07777, &n) == -ERANGE && n == 0);
	CHECK(num_parse_octal("", 0, 07777, &n) == -EINVAL);
	CHECK(num_parse_octal("8", 1, 07777, &n) == -EINVAL);
	CHECK(num_parse_octal("07 ", 3, 07777, &n) == -EINVAL);
	CHECK(num_parse_octal("7\0", 2, 07777, &n) == -EINVAL);
	CHECK(num_parse_octal("-7", 2, 07777, &n) == -EINVAL);
}

static void check_size(void)
{
	static const struct {
		const char *s;
		int r;
		uint64_t n;
	} rows[] = {
		{ "0", 0, 0 },
		{ "5", 0, 5 },
		{ "5b", 0, 5 },
		{ "1k", 0, 1024 },
		{ "1K", 0, 1024 },
		{ "1kb", 0, 1024 },
		{ "1KiB", 0, 1024 },
		{ "1.5m", 0, 1572864 },
		{ "0.1m", 0, 104857 },
		{ "2g", 0, 2147483648 },
		{ "1t", 0, 1099511627776 },
		{ "1.5", 0, 1 },
		{ "0.000000000000000000000001t", 0, 0 },
		{ "0.999999999t", 0, 1099511626676 },
		{ "16777215t", 0, 18446742974197923840u },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551615.9", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "16777216t", -ERANGE, 0 },
		{ "18446744073709551615k", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "k", -EINVAL, 0 },
		{ "-1k", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "1 k", -EINVAL, 0 },
		{ " 1k", -EINVAL, 0 },
		{ "1k ", -EINVAL, 0 },
		{ ".5k", -EINVAL, 0 },
		{ "1.k", -EINVAL, 0 },
		{ "1..5k", -EINVAL, 0 },
		{ "1.5.5k", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
		{ "1kk", -EINVAL, 0 },
		{ "1ki", -EINVAL, 0 },
		{ "1bb", -EINVAL, 0 },
		{ "1bib", -EINVAL, 0 },
		{ "1p", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
	};
	uint64_t n;
	size_t i;
	int r;

	unit_case("sizes");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		n = 77;
		r = num_parse_size(rows[i].s, &n);
		if (r != rows[i].r || n != rows[i].n)
			printf("# '%s': %d %" PRIu64 "\n", rows[i].s, r, n);
		CHECK(r == rows[i].r && n == rows[i].n);
	}
}

static void check_duration(void)
{
	static const struct {
		const char *s;
		int r;
		int64_t ns;
	} rows[] = {
		{ "0", 0, 0 },
		{ "10", 0, 10000000000 },
		{ "1.5", 0, 1500000000 },
		{ "0.3s", 0, 300000000 },
		{ "0.000000001", 0, 1 },
		{ "0.0000000019", 0, 1 },
		{ "300ms", 0, 300000000 },
		{ "1m", 0, 60000000000 },
		{ "1us", 0, 1000 },
		{ "1ns", 0, 1 },
		{ "1.9ns", 0, 1 },
		{ "1h2m3.5s", 0, 3723500000000 },
		{ "0.5h", 0, 1800000000000 },
		{ "1s500ms", 0, 1500000000 },
		{ "1m1ms", 0, 60001000000 },
		{ "0.999999999h", 0, 3599999996400 },
		{ "9223372036", 0, 9223372036000000000 },
		{ "9223372036.854775807", 0, INT64_MAX },
		{ "9223372036.854775808", -ERANGE, 0 },
		{ "2562048h", -ERANGE, 0 },
		{ "9223372036s1000000000ns", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "1m1h", -EINVAL, 0 },
		{ "1s1s", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1h 2m", -EINVAL, 0 },
		{ "1msx", -EINVAL, 0 },
		{ "1e9", -EINVAL, 0 },
	};
	int64_t ns;
	size_t i;
	int r;

	unit_case("durations");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ns = 77;
		r = num_parse_duration(rows[i].s, &ns);
		if (r != rows[i].r || ns != rows[i].ns)
			printf("# '%s': %d %" PRId64 "\n", rows[i].s, r, ns);
		CHECK(r == rows[i].r && ns == rows[i].ns);
	}
}

static void check_format(void)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = {
		{ 0, "0B" },
		{ 1, "1B" },
		{ 999, "999B" },
		{ 1000, "1kB" },
		{ 1001, "1kB" },
		{ 1005, "1.01kB" },
		{ 1024, "1.02kB" },
		{ 1100, "1.1kB" },
		{ 9994, "9.99kB" },
		{ 9995, "10kB" },
		{ 10049, "10kB" },
		{ 10050, "10.1kB" },
		{ 99949, "99.9kB" },
		{ 99950, "100kB" },
		{ 999499, "999kB" },
		{ 999500, "1MB" },
		{ 7050000, "7.05MB" },
		{ 101234567, "101MB" },
		{ 999999999, "1GB" },
		{ 1234567890123, "1.23TB" },
		{ 5000000000000000, "5PB" },
		{ UINT64_MAX, "18.4EB" },
	};
	char out[16];
	size_t i;

	unit_case("sizes for people");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		num_format_size(out, sizeof(out), rows[i].n);
		CHECK_STR(out, rows[i].text);
	}
}

int main(void)
{
	check_decimal();
	check_octal();
	check_size();
	check_duration();
	check_format();
	return unit_end();
}
