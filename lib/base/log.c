/* SPDX-License-Identifier: MIT */
/* log - one-line notes on stderr (or another descriptor), for what is not an error */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

static struct {
	int fd;
	const char *name;
	bool quiet;
} note = { .fd = STDERR_FILENO };

void log_init(int fd, const char *name, bool quiet)
{
	note.fd = fd;
	note.name = name;
	note.quiet = quiet;
}

void log_note(const char *fmt, ...)
{
	auto_buf struct buf line = { 0 };
	char text[2048];
	int saved = errno;
	va_list args;

	if (note.quiet)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (note.name)
		buf_printf(&line, "%s: ", note.name);
	str_escape(&line, text, strlen(text));
	buf_putc(&line, '\n');
	/* One write, so that lines of several processes do not mix. A note that cannot be written
	 * is lost: there is nowhere to say so. */
	if (!line.failed)
		(void)!write(note.fd, line.data, line.len);
	errno = saved;
}
