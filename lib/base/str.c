/* SPDX-License-Identifier: MIT */
/* str - small questions about and operations on strings */
#include "base/str.h"

#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"

#define DISTANCE_MAX 40
#define DISTANCE_FAR 99

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), want = strlen(suffix);

	return len >= want && memcmp(s + len - want, suffix, want) == 0;
}

bool str_only(const char *s, const char *set)
{
	return s[strspn(s, set)] == '\0';
}

int str_copy(char *dst, size_t size, const char *s)
{
	size_t len = strlen(s);

	if (len >= size) {
		if (size)
			dst[0] = '\0';
		return fail(ENAMETOOLONG, "'%.64s%s' is longer than %zu bytes", s,
			len > 64 ? "..." : "", size ? size - 1 : 0);
	}
	memcpy(dst, s, len + 1);
	return 0;
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

void str_lower(char *s)
{
	for (; *s; s++)
		*s = (char)lower(*s);
}

int str_casecmp(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) - lower(*b);
}

void str_hex(char *out, const void *data, size_t len)
{
	const unsigned char *in = data;
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = hex_digits[in[i] >> 4];
		*out++ = hex_digits[in[i] & 15];
	}
	*out = '\0';
}

int str_unhex(void *out, size_t len, const char *s)
{
	unsigned char *to = out;
	const char *high, *low;
	size_t i;

	if (strlen(s) != 2 * len || !str_only(s, hex_digits))
		return fail(EINVAL, "not %zu lower-case hex digits", 2 * len);
	for (i = 0; i < len; i++) {
		high = strchr(hex_digits, s[2 * i]);
		low = strchr(hex_digits, s[2 * i + 1]);
		to[i] = (unsigned char)((high - hex_digits) << 4 | (low - hex_digits));
	}
	return 0;
}

int str_unbase64(void *out, size_t size, const char *s, size_t len)
{
	unsigned char *to = out;
	const char *digit;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t i, used = 0;

	if (len && len % 4 == 0 && s[len - 1] == '=')
		len -= s[len - 2] == '=' ? 2 : 1;
	for (i = 0; i < len; i++) {
		digit = s[i] ? strchr(base64_digits, s[i]) : NULL;
		if (!digit)
			return fail(EINVAL, "not valid base64");
		bits = bits << 6 | (uint32_t)(digit - base64_digits);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (used == size)
			return fail(ENAMETOOLONG, "base64 of more than %zu bytes", size);
		to[used++] = (unsigned char)(bits >> have);
		bits &= (1u << have) - 1;
	}
	/* A lone digit makes no byte; what the last byte does not need is zero. */
	if (have == 6 || bits)
		return fail(EINVAL, "not valid base64");
	return (int)used;
}

void str_base64(char *out, const void *data, size_t len)
{
	const unsigned char *in = data;
	uint32_t bits;
	size_t i;

	for (i = 0; i < len; i += 3) {
		bits = (uint32_t)in[i] << 16;
		if (i + 1 < len)
			bits |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			bits |= in[i + 2];
		*out++ = base64_digits[bits >> 18];
		*out++ = base64_digits[bits >> 12 & 63];
		*out++ = i + 1 < len ? base64_digits[bits >> 6 & 63] : '=';
		*out++ = i + 2 < len ? base64_digits[bits & 63] : '=';
	}
	*out = '\0';
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

int str_distance(const char *a, const char *b)
{
	int row[3][DISTANCE_MAX + 1]; /* of the last three prefixes of A */
	size_t rows = strlen(a), cols = strlen(b), i, j;
	int *now, *before, *earlier;

	if (rows > DISTANCE_MAX || cols > DISTANCE_MAX)
		return DISTANCE_FAR;
	for (j = 0; j <= cols; j++)
		row[0][j] = (int)j;
	for (i = 1; i <= rows; i++) {
		now = row[i % 3];
		before = row[(i + 2) % 3];
		earlier = row[(i + 1) % 3];
		now[0] = (int)i;
		for (j = 1; j <= cols; j++) {
			now[j] = least(now[j - 1], before[j]) + 1;
			now[j] = least(now[j], before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], earlier[j - 2] + 1);
		}
	}
	return row[rows % 3][cols];
}

size_t str_utf8(const char *s, size_t len, uint32_t *code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first;
	uint32_t c;
	size_t need, i;

	if (!len)
		return 0;
	first = (unsigned char)s[0];
	if (first < 0x80) {
		*code = first;
		return 1;
	}
	need = first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
	if (!need || need > len)
		return 0;
	c = first & (0x7fu >> need);
	for (i = 1; i < need; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < smallest[need] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return need;
}

void str_escape(struct buf *out, const char *s, size_t len)
{
	size_t used, i;
	uint32_t code;
	bool plain;

	while (len) {
		used = str_utf8(s, len, &code);
		plain = used && code >= 0x20 && !(code >= 0x7f && code < 0xa0);
		if (!used)
			used = 1;
		if (plain)
			buf_add(out, s, used);
		for (i = 0; !plain && i < used; i++)
			buf_printf(out, "\\x%02x", (unsigned char)s[i]);
		s += used;
		len -= used;
	}
}
