/* SPDX-License-Identifier: MIT */
/* die - what people read on stderr, and the exit statuses */
#include "cli/die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"

/* Append "NAME: TEXT\n", TEXT escaped so that it stays one line and cannot drive the terminal. */
static void add_line(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "%s: ", name);
	str_escape(out, text, strlen(text));
	buf_putc(out, '\n');
}

/* One write, so that lines of several processes do not mix. Stdout first: what was printed before
 * the message also stands before it. */
static void put(struct buf *b)
{
	static const char lost[] = "out of memory\n";
	ssize_t written;

	fflush(stdout);
	/* There is nobody to tell when stderr itself cannot be written. */
	if (b->failed)
		written = write(STDERR_FILENO, lost, sizeof(lost) - 1);
	else
		written = write(STDERR_FILENO, b->data, b->len);
	(void)written;
	buf_free(b);
}

void die_print(void)
{
	struct buf out = { 0 };

	add_line(&out, program_invocation_short_name, *fail_text() ? fail_text() : "failed");
	if (*fail_hint_text())
		add_line(&out, "hint", fail_hint_text());
	put(&out);
	fail_clear();
}

void die(int status)
{
	die_print();
	exit(status);
}

int die_status(int r)
{
	switch (-r) {
	case EAGAIN:
	case EBUSY:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETUNREACH:
	case ETIMEDOUT: return EXIT_TEMPORARY;
	case ENOSYS:
	case EOPNOTSUPP: return EXIT_UNSUPPORTED;
	}
	return EXIT_FAILURE;
}

static void say(const char *name, const char *fmt, va_list ap)
{
	struct buf out = { 0 };
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	add_line(&out, name, text);
	put(&out);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(program_invocation_short_name, fmt, ap);
	va_end(ap);
}

void hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("hint", fmt, ap);
	va_end(ap);
}
