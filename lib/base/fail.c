/* SPDX-License-Identifier: MIT */
/* fail - the one recorded error text of the process */
#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char text[2048];
static char hint[512];

static void record(const char *fmt, va_list args)
{
	char next[sizeof(text)];

	/* Formatted aside: an argument may point into the old text. */
	vsnprintf(next, sizeof(next), fmt, args);
	memcpy(text, next, sizeof(text));
	hint[0] = '\0';
}

int fail(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	record(fmt, args);
	va_end(args);
	return -err;
}

int fail_errno(const char *fmt, ...)
{
	int err = errno;
	va_list args;
	size_t len;

	va_start(args, fmt);
	record(fmt, args);
	va_end(args);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", strerror(err));
	return -err;
}

int fail_wrap(int r, const char *fmt, ...)
{
	char front[sizeof(text) / 2]; /* the cause keeps the other half */
	va_list args;
	size_t len;

	va_start(args, fmt);
	vsnprintf(front, sizeof(front) - 2, fmt, args);
	va_end(args);
	strcat(front, ": ");
	len = strlen(front);
	memmove(text + len, text, sizeof(text) - len);
	memcpy(text, front, len);
	text[sizeof(text) - 1] = '\0';
	return r;
}

int fail_hint(int r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(hint, sizeof(hint), fmt, args);
	va_end(args);
	return r;
}

const char *fail_text(void)
{
	return text;
}

const char *fail_hint_text(void)
{
	return hint;
}

void fail_clear(void)
{
	text[0] = '\0';
	hint[0] = '\0';
}
