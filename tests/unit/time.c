/* SPDX-License-Identifier: MIT */
/* time - unit tests */
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

static void check_clocks(void)
{
	int64_t before = time_mono(), now = time_now();

	unit_case("clocks");
	CHECK(before > 0 && time_mono() >= before);
	CHECK(now / NS_PER_S >= time(NULL) - 60 && now / NS_PER_S <= time(NULL) + 60);
}

static void check_round_trip(void)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ -NS_PER_S, "1969-12-31T23:59:59Z" },
		{ 951782400 * NS_PER_S, "2000-02-29T00:00:00Z" },
		{ 1795507200 * NS_PER_S + 500000000, "2026-11-24T08:00:00.5Z" },
		{ 1795507200 * NS_PER_S + 120000, "2026-11-24T08:00:00.00012Z" },
		{ 2147483648 * NS_PER_S, "2038-01-19T03:14:08Z" },
		{ 4107542399 * NS_PER_S, "2100-02-28T23:59:59Z" },
		{ -9214560000 * NS_PER_S, "1678-01-01T00:00:00Z" },
		{ 9214646399 * NS_PER_S + 999999999, "2261-12-31T23:59:59.999999999Z" },
	};
	char out[40];
	int64_t ns;
	size_t i;

	unit_case("formats and parses UTC");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		time_format(out, sizeof(out), rows[i].ns);
		CHECK_STR(out, rows[i].text);
		CHECK(time_parse(rows[i].text, &ns) == 0 && ns == rows[i].ns);
	}

	unit_case("formats the ends of 64 bits");
	time_format(out, sizeof(out), INT64_MAX);
	CHECK_STR(out, "2262-04-11T23:47:16.854775807Z");
	time_format(out, sizeof(out), INT64_MIN);
	CHECK_STR(out, "1677-09-21T00:12:43.145224192Z");
}

static void check_parse(void)
{
	static const struct {
		const char *s;
		int64_t ns;
	} good[] = {
		{ "1970-01-01t00:00:00z", 0 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31T18:30:00-05:30", 0 },
		{ "1970-01-01T00:00:00-00:00", 0 },
		{ "1970-01-01T23:59:00+23:59", 0 },
		{ "1970-01-01T00:00:00.1+00:00", 100000000 },
		{ "1970-01-01T00:00:00.1234567899Z", 123456789 },
		{ "1970-01-01T00:00:00.000000000000000000000000000001Z", 0 },
		{ "2000-02-29T00:00:00Z", 951782400 * NS_PER_S },
		{ "1678-01-01T00:00:00+23:59", -9214646340 * NS_PER_S },
		{ "2261-12-31T23:59:59-23:59", 9214732739 * NS_PER_S },
	};
	static const char *const bad[] = {
		"",
		"now",
		"1970-01-01",
		"1970-01-01T00:00:00",
		"1970-01-01 00:00:00Z",
		"1970-01-01T00:00Z",
		"1970-1-01T00:00:00Z",
		"1970-01-1T00:00:00Z",
		"70-01-01T00:00:00Z",
		"+1970-01-01T00:00:00Z",
		"1970-00-01T00:00:00Z",
		"1970-13-01T00:00:00Z",
		"1970-01-00T00:00:00Z",
		"1970-01-32T00:00:00Z",
		"1970-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"1970-04-31T00:00:00Z",
		"1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z",
		"1970-01-01T00:00:60Z",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00,5Z",
		"1970-01-01T00:00:00ZZ",
		"1970-01-01T00:00:00Z ",
		" 1970-01-01T00:00:00Z",
		"1970-01-01T00:00:00+0100",
		"1970-01-01T00:00:00+01",
		"1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+01:60",
		"1970-01-01T00:00:00+01:00Z",
		"1970-01-01T00:00:00*01:00",
		"1970-01-01T00:00:00.5",
		"0001-01-01T00:00:00Z",
		"1677-12-31T23:59:59Z",
		"2262-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z",
		"1970\r01-01T00:00:00Z",
		"1970-01-01T00\x1a"
		"00:00Z",
		"1970-01-01T-1:00:00Z",
	};
	int64_t ns;
	size_t i;
	int r;

	unit_case("parses offsets, fractions and either case");
	for (i = 0; i < ARRAY_LEN(good); i++) {
		r = time_parse(good[i].s, &ns);
		if (r != 0 || ns != good[i].ns)
			printf("# %s: %d %" PRId64 "\n", good[i].s, r, ns);
		CHECK(r == 0 && ns == good[i].ns);
	}

	unit_case("refuses what is no time, and dates that do not exist");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		ns = 1;
		r = time_parse(bad[i], &ns);
		if (r != -EINVAL)
			printf("# accepted: %s\n", bad[i]);
		CHECK(r == -EINVAL && ns == 0);
	}
	CHECK(strstr(fail_text(), "'1970-01-01T-1:00:00Z'"));
}

static void check_ago(void)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {
		{ -5, "Less than a second" },
		{ 0, "Less than a second" },
		{ 1, "1 second" },
		{ 2, "2 seconds" },
		{ 59, "59 seconds" },
		{ 60, "About a minute" },
		{ 119, "About a minute" },
		{ 120, "2 minutes" },
		{ 3599, "59 minutes" },
		{ 3600, "About an hour" },
		{ 5399, "About an hour" },
		{ 5400, "2 hours" },
		{ 47 * 3600, "47 hours" },
		{ 48 * 3600, "2 days" },
		{ 13 * 86400, "13 days" },
		{ 14 * 86400, "2 weeks" },
		{ 59 * 86400, "8 weeks" },
		{ 60 * 86400, "2 months" },
		{ 729 * 86400, "24 months" },
		{ 730 * 86400, "2 years" },
		{ 9223372036, "292 years" },
	};
	char out[32];
	size_t i;

	unit_case("spans for people");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		time_format_ago(out, sizeof(out), rows[i].s * NS_PER_S);
		CHECK_STR(out, rows[i].text);
	}
	time_format_ago(out, sizeof(out), NS_PER_S - 1);
	CHECK_STR(out, "Less than a second");
}

int main(void)
{
	check_clocks();
	check_round_trip();
	check_parse();
	check_ago();
	return unit_end();
}
