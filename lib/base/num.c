/* SPDX-License-Identifier: MIT */
/* num - strict numbers, sizes and durations: the whole string or an error */
#include "base/num.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/str.h"

#define BILLION 1000000000u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* LEN digits of BASE in *OUT; false if the value is above MAX. */
static bool digits(const char *s, size_t len, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < len; i++)
		if (__builtin_mul_overflow(n, base, &n) ||
			__builtin_add_overflow(n, (uint64_t)(s[i] - '0'), &n))
			return false;
	*out = n;
	return n <= max;
}

int num_parse(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t n;

	*out = 0;
	if (!*s || !str_only(s, "0123456789"))
		return fail(EINVAL, "'%s' is not a number", s);
	if (!digits(s, strlen(s), 10, max, &n))
		return fail(ERANGE, "'%s' is above %" PRIu64, s, max);
	*out = n;
	return 0;
}

int num_parse_octal(const char *s, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t n;
	size_t i;

	*out = 0;
	for (i = 0; i < len && s[i] >= '0' && s[i] <= '7'; i++)
		;
	if (!len || i < len)
		return fail(EINVAL, "'%.*s' is not an octal number", (int)len, s);
	if (!digits(s, len, 8, max, &n))
		return fail(ERANGE, "'%.*s' is above 0%" PRIo64, (int)len, s, max);
	*out = n;
	return 0;
}

/* A number with an optional fraction, of which what goes beyond billionths is dropped. */
struct decimal {
	uint64_t whole;
	uint64_t billionths;
};

/* Read a decimal at *S and move *S behind it. -EINVAL, -ERANGE; no text. */
static int decimal_read(const char **s, struct decimal *out)
{
	const char *p = *s;
	uint64_t scale = BILLION;

	while (is_digit(*p))
		p++;
	if (p == *s)
		return -EINVAL;
	out->billionths = 0;
	if (!digits(*s, (size_t)(p - *s), 10, UINT64_MAX, &out->whole))
		return -ERANGE;
	if (*p == '.') {
		if (!is_digit(*++p))
			return -EINVAL;
		for (; is_digit(*p); p++) {
			scale /= 10;
			out->billionths += (uint64_t)(*p - '0') * scale;
		}
	}
	*s = p;
	return 0;
}

/* Add D times UNIT to *SUM, rounded down; -ERANGE above MAX. UNIT is below 2^43. */
static int decimal_add(uint64_t *sum, const struct decimal *d, uint64_t unit, uint64_t max)
{
	uint64_t n, high, low;

	/* billionths * unit needs up to 73 bits, so in two steps of 20 and 23 bits of the unit */
	high = d->billionths * (unit >> 20);
	low = ((high % BILLION) << 20) + d->billionths * (unit & 0xfffff);
	if (__builtin_mul_overflow(d->whole, unit, &n) ||
		__builtin_add_overflow(n, (high / BILLION << 20) + low / BILLION, &n) ||
		__builtin_add_overflow(*sum, n, sum) || *sum > max)
		return -ERANGE;
	return 0;
}

int num_parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "bkmgt";
	const char *p = s, *unit;
	struct decimal d;
	uint64_t sum = 0;
	unsigned shift = 0;
	int r;

	*out = 0;
	r = decimal_read(&p, &d);
	if (r == -EINVAL)
		return fail(EINVAL, "'%s' is not a size", s);
	unit = *p ? strchr(units, *p | 0x20) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units);
		p++;
		if (shift && str_casecmp(p, "ib") == 0)
			p += 2;
		else if (shift && str_casecmp(p, "b") == 0)
			p++;
	}
	if (r == 0 && *p)
		return fail(EINVAL, "'%s' is not a size", s);
	if (r < 0 || decimal_add(&sum, &d, 1ull << shift, UINT64_MAX) < 0)
		return fail(ERANGE, "size '%s' is too large", s);
	*out = sum;
	return 0;
}

/* Read a duration unit at *S and move *S behind it: nanoseconds, 0 if there is none. */
static uint64_t duration_unit(const char **s)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ms", 1000000 },
		{ "us", 1000 },
		{ "ns", 1 },
		{ "h", 3600ull * BILLION },
		{ "m", 60ull * BILLION },
		{ "s", BILLION },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++)
		if (str_starts(*s, units[i].name)) {
			*s += strlen(units[i].name);
			return units[i].ns;
		}
	return 0;
}

int num_parse_duration(const char *s, int64_t *out)
{
	uint64_t sum = 0, unit, last = UINT64_MAX;
	const char *p = s;
	struct decimal d;
	int r;

	*out = 0;
	do {
		r = decimal_read(&p, &d);
		if (r < 0)
			break;
		unit = last == UINT64_MAX && !*p ? BILLION : duration_unit(&p);
		r = unit && unit < last ? decimal_add(&sum, &d, unit, INT64_MAX) : -EINVAL;
		last = unit;
	} while (r == 0 && *p);
	if (r == -EINVAL)
		return fail(EINVAL, "'%s' is not a duration", s);
	if (r < 0)
		return fail(ERANGE, "duration '%s' is too long", s);
	*out = (int64_t)sum;
	return 0;
}

void num_format_size(char *out, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	uint64_t unit = 1, scale = 1, n = bytes;
	int i = 0, places = 0, frac;

	while (n >= 1000) {
		n /= 1000;
		unit *= 1000;
		i++;
	}
	/* N has one to three digits left; as many places as make three, rounded to the nearest. */
	while (unit > scale && n * scale < 100) {
		scale *= 10;
		places++;
	}
	unit /= scale;
	n = bytes / unit + (unit > 1 && bytes % unit >= unit / 2);
	if (n == 1000 * scale) {
		n = scale;
		i++;
	}
	for (frac = (int)(n % scale); places && frac % 10 == 0; frac /= 10)
		places--;
	if (places)
		snprintf(out, size, "%" PRIu64 ".%0*d%s", n / scale, places, frac, units[i]);
	else
		snprintf(out, size, "%" PRIu64 "%s", n / scale, units[i]);
}
