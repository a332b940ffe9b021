/* SPDX-License-Identifier: MIT */
/* pax - the records of PAX headers */
#include "format/pax.h"

#include <stdio.h>
#include <string.h>

#define NS 1000000000LL

bool pax_parse(char *data, size_t len, pax_record *record, void *ctx, int *result)
{
	char *p = data, *key, *value;
	size_t n;

	*result = 0;
	for (; len > 0; len -= n) {
		for (n = 0, key = p; key < p + len && *key >= '0' && *key <= '9'; key++) {
			n = n * 10 + (size_t)(*key - '0');
			if (n > len)
				return false;
		}
		if (key == p || key == p + len || *key++ != ' ' || p + n <= key || p[n - 1] != '\n')
			return false;
		p += n;
		value = memchr(key, '=', (size_t)(p - 1 - key));
		if (!value || value == key || memchr(key, '\0', (size_t)(value - key)))
			return false;
		*value++ = '\0';
		p[-1] = '\0';
		*result = record(ctx, key, value, (size_t)(p - 1 - value));
		if (*result < 0)
			return true;
	}
	return true;
}

void pax_add(struct buf *out, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1, digits;

	/* The length counts its own digits: grow until both agree. */
	for (;;) {
		digits = (size_t)snprintf(NULL, 0, "%zu", total);
		if (total == rest + digits)
			break;
		total = rest + digits;
	}
	buf_printf(out, "%zu %s=", total, key);
	buf_add(out, value, len);
	buf_putc(out, '\n');
}

int64_t pax_clamp_time(int64_t seconds, int64_t ns)
{
	if (seconds > INT64_MAX / NS - 1)
		return INT64_MAX;
	if (seconds < INT64_MIN / NS + 1)
		return INT64_MIN;
	return seconds * NS + ns;
}

bool pax_parse_time(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	int64_t seconds = 0, ns = 0, scale = NS / 10;

	s += negative;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (seconds <= INT64_MAX / NS)
			seconds = seconds * 10 + (*s - '0');
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10)
			ns += scale * (*s - '0');
	*out = pax_clamp_time(negative ? -seconds : seconds, negative ? -ns : ns);
	return *s == '\0';
}
