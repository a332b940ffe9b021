/* SPDX-License-Identifier: MIT */
/* time - clocks in nanoseconds and RFC 3339 text */
#include "base/time.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/fail.h"

#define YEAR_MIN 1678 /* what fits into 64 bits of nanoseconds, whatever the offset */
#define YEAR_MAX 2261

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts); /* fails only for clocks that the kernel lacks */
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t time_now(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t time_mono(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

void time_format(char *out, size_t size, int64_t ns)
{
	int64_t rest = ns % NS_PER_S;
	char frac[12] = "";
	struct tm tm;
	time_t s;
	size_t len;

	s = (time_t)(ns / NS_PER_S);
	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	if (rest) {
		len = (size_t)snprintf(frac, sizeof(frac), ".%09d", (int)rest);
		while (frac[len - 1] == '0')
			frac[--len] = '\0';
	}
	gmtime_r(&s, &tm);
	snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, frac);
}

/* Read exactly COUNT digits at *S, then THEN unless it is NUL, and move *S behind them. */
static bool number(const char **s, int count, char then, int max, int *out)
{
	const char *p = *s;
	int n = 0;

	for (; count; count--, p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (*p - '0');
	}
	if (then && *p != then && !(then == 'T' && *p == 't'))
		return false;
	p += then != '\0';
	*s = p;
	*out = n;
	return n <= max;
}

/* Read an optional fraction of a second; digits beyond nanoseconds are dropped. */
static bool fraction(const char **s, int64_t *ns)
{
	const char *p = *s;
	int64_t scale = NS_PER_S;

	*ns = 0;
	if (*p != '.')
		return true;
	for (p++; *p >= '0' && *p <= '9'; p++) {
		scale /= 10;
		*ns += (*p - '0') * scale;
	}
	if (p == *s + 1)
		return false;
	*s = p;
	return true;
}

/* Read Z or +HH:MM or -HH:MM, the end of the text, as seconds east of Greenwich. */
static bool offset(const char *s, int *east)
{
	int hours, minutes, sign = *s == '-' ? -1 : 1;

	*east = 0;
	if (*s == 'Z' || *s == 'z')
		return s[1] == '\0';
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!number(&s, 2, ':', 23, &hours) || !number(&s, 2, '\0', 59, &minutes))
		return false;
	*east = sign * (hours * 3600 + minutes * 60);
	return *s == '\0';
}

int time_parse(const char *s, int64_t *ns)
{
	struct tm tm = { 0 };
	int64_t frac;
	const char *p = s;
	int year, month, day, east;

	*ns = 0;
	if (!number(&p, 4, '-', YEAR_MAX, &year) || year < YEAR_MIN ||
		!number(&p, 2, '-', 12, &month) || !number(&p, 2, 'T', 31, &day) ||
		!number(&p, 2, ':', 23, &tm.tm_hour) || !number(&p, 2, ':', 59, &tm.tm_min) ||
		!number(&p, 2, '\0', 59, &tm.tm_sec) || !fraction(&p, &frac) || !offset(p, &east))
		return fail(EINVAL, "'%s' is not a time (RFC 3339)", s);
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	*ns = timegm(&tm) - east;
	/* timegm carries what does not exist into the next month */
	if (!month || !day || tm.tm_mday != day) {
		*ns = 0;
		return fail(EINVAL, "'%s' is not a date that exists", s);
	}
	*ns = *ns * NS_PER_S + frac;
	return 0;
}

void time_format_ago(char *out, size_t size, int64_t ns)
{
	static const struct {
		int64_t below, unit; /* hours */
		const char *name;
	} spans[] = {
		{ 48, 1, "hours" },
		{ 14 * 24, 24, "days" },
		{ 60 * 24, 7 * 24, "weeks" },
		{ 2 * 365 * 24, 30 * 24, "months" },
		{ INT64_MAX, 365 * 24, "years" },
	};
	int64_t seconds = ns / NS_PER_S, minutes = seconds / 60, hours = (minutes + 30) / 60;
	size_t i = 0;

	if (seconds < 1) {
		snprintf(out, size, "Less than a second");
	} else if (seconds < 60) {
		snprintf(out, size, "%d second%s", (int)seconds, seconds == 1 ? "" : "s");
	} else if (minutes == 1) {
		snprintf(out, size, "About a minute");
	} else if (minutes < 60) {
		snprintf(out, size, "%d minutes", (int)minutes);
	} else if (hours == 1) {
		snprintf(out, size, "About an hour");
	} else {
		while (hours >= spans[i].below)
			i++;
		snprintf(out, size, "%" PRId64 " %s", hours / spans[i].unit, spans[i].name);
	}
}
