/* SPDX-License-Identifier: MIT */
/* buf - growable bytes with sticky failure */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"

char *buf_reserve(struct buf *b, size_t len)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return NULL;
	if (len >= SIZE_MAX / 2 - b->len || (b->limit && b->len + len > b->limit)) {
		b->failed = true;
		return NULL;
	}
	need = b->len + len + 1;
	if (need > b->cap) {
		cap = b->cap ? b->cap : 64;
		while (cap < need)
			cap += cap / 2 + 32;
		data = realloc(b->data, cap);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
		b->data[b->len] = '\0';
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	char *to = buf_reserve(b, len);

	if (!to)
		return;
	if (len)
		memcpy(to, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	char *to;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0) {
		b->failed = true;
		return;
	}
	to = buf_reserve(b, (size_t)len);
	if (!to)
		return;
	va_start(args, fmt);
	vsnprintf(to, (size_t)len + 1, fmt, args);
	va_end(args);
	b->len += (size_t)len;
}

void buf_drop(struct buf *b, size_t len)
{
	if (!len)
		return;
	b->len -= len;
	memmove(b->data, b->data + len, b->len);
	b->data[b->len] = '\0';
}

int buf_check(const struct buf *b)
{
	if (!b->failed)
		return 0;
	if (b->limit)
		return fail(ENOMEM, "more than %zu bytes, or out of memory", b->limit);
	return fail(ENOMEM, "out of memory");
}

const char *buf_str(const struct buf *b)
{
	if (!b->data)
		return "";
	b->data[b->len] = '\0'; /* reserved room may have been filled without one */
	return b->data;
}

char *buf_take(struct buf *b)
{
	char *out;

	buf_add(b, "", 0);
	if (buf_check(b) < 0)
		return NULL;
	out = take_ptr(b->data);
	*b = (struct buf){ .limit = b->limit };
	return out;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	int saved = errno;

	free(b->data);
	*b = (struct buf){ .limit = b->limit };
	errno = saved;
}
