/* SPDX-License-Identifier: MIT */
/* progress - one bar per layer on a terminal, else one line at its start and one at its end */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/time.h"

#define REDRAW_NS (NS_PER_S / 10)
#define BAR_MAX   40
#define TEXT      52 /* places a line needs besides its bar */

void progress_init(struct progress *p, bool quiet)
{
	memset(p, 0, sizeof(*p));
	p->fd = quiet ? -1 : STDERR_FILENO;
	p->terminal = !quiet && isatty(STDERR_FILENO);
}

/* Progress is not worth an error: what cannot be written is dropped. */
static void put(const struct progress *p, struct buf *b)
{
	ssize_t written = b->failed ? 0 : write(p->fd, b->data, b->len);

	(void)written;
}

static void add_bar(struct buf *out, const struct progress_item *it, unsigned width)
{
	unsigned full;

	if (width <= TEXT)
		return;
	width = width - TEXT < BAR_MAX ? width - TEXT : BAR_MAX;
	if (it->ended)
		full = width;
	else if (!it->total)
		full = 0;
	else
		full = it->done >= it->total
			? width
			: (unsigned)((double)it->done / (double)it->total * width);
	buf_puts(out, "  [");
	for (unsigned i = 0; i < width; i++)
		buf_putc(out, i < full ? '=' : ' ');
	buf_putc(out, ']');
}

static void add_line(struct buf *out, const struct progress_item *it, unsigned width)
{
	char done[16], total[16];

	num_format_size(done, sizeof(done), it->done);
	num_format_size(total, sizeof(total), it->total);
	buf_printf(out, "%-12s", it->name);
	add_bar(out, it, width);
	if (it->total)
		buf_printf(out, " %7s /%7s", done, total);
	else
		buf_printf(out, " %7s         ", done);
	buf_printf(out, "  %s\x1b[K\n", it->state);
}

/* Go back to the first line drawn last time and draw again. Items that have ended and stand at the
 * top are drawn for the last time: they scroll away, so that any number of layers fits. */
static void draw(struct progress *p)
{
	struct winsize ws = { 0 };
	auto_buf struct buf out = { 0 };
	size_t rows;

	if (ioctl(p->fd, TIOCGWINSZ, &ws) < 0 || !ws.ws_col || ws.ws_row < 3)
		ws = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	rows = ws.ws_row - 1u;
	if (p->lines)
		buf_printf(&out, "\x1b[%zuA", p->lines);
	for (; p->first < p->count && p->items[p->first].ended; p->first++)
		add_line(&out, &p->items[p->first], ws.ws_col);
	p->lines = 0;
	for (size_t i = p->first; i < p->count && p->lines < rows; i++, p->lines++)
		add_line(&out, &p->items[i], ws.ws_col);
	buf_puts(&out, "\x1b[J");
	put(p, &out);
	p->drawn = time_mono();
}

static void say(const struct progress *p, const struct progress_item *it)
{
	auto_buf struct buf out = { 0 };
	char size[16];

	num_format_size(size, sizeof(size), it->ended ? it->done : it->total);
	if (it->ended ? it->done : it->total)
		buf_printf(&out, "%s: %s, %s\n", it->name, it->state, size);
	else
		buf_printf(&out, "%s: %s\n", it->name, it->state);
	put(p, &out);
}

int progress_add(struct progress *p, const char *name, uint64_t total)
{
	struct progress_item *it = &p->items[p->count];

	if (p->count == PROGRESS_MAX)
		return -1;
	*it = (struct progress_item){ .state = "waiting", .total = total };
	snprintf(it->name, sizeof(it->name), "%s", name);
	return (int)p->count++;
}

void progress_set(struct progress *p, int i, const char *state, uint64_t done)
{
	struct progress_item *it;
	bool begins;

	if (p->fd < 0 || i < 0)
		return;
	it = &p->items[i];
	begins = !it->started;
	it->started = true;
	it->state = state;
	it->done = done;
	if (p->terminal && time_mono() - p->drawn >= REDRAW_NS)
		draw(p);
	else if (!p->terminal && begins)
		say(p, it);
}

void progress_done(struct progress *p, int i, const char *state)
{
	struct progress_item *it;

	if (p->fd < 0 || i < 0)
		return;
	it = &p->items[i];
	it->started = true;
	it->ended = true;
	it->state = state;
	if (!p->terminal)
		say(p, it);
	else if (time_mono() - p->drawn >= REDRAW_NS)
		draw(p);
}

void progress_end(struct progress *p)
{
	if (p->terminal && p->count)
		draw(p);
	p->lines = 0;
}
