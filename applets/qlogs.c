/* qlogs - show or follow what a container printed
 *
 * usage: qlogs [-ft] [-n LINES] [--since=TIME] CONTAINER
 *
 * Print the log of a container: what it wrote to its standard output goes to ours, what it wrote to
 * its standard error to ours. Two files of 1 MiB are kept of it; where some of it could not be kept, a
 * line says how much.
 *
 * On a terminal control characters are shown as numbers; elsewhere every byte is as it was written. A
 * container that qrun runs in the foreground has no log.
 *
 * options:
 *   -f, --follow           go on with what is printed from now on, until the container ends
 *   -n, --tail=LINES       only the last LINES, or all
 *       --since=TIME       only what was printed since: 2026-11-24T08:00:00Z, 2026-11-24, 10m (ago), or
 *                          seconds since 1970
 *   -t, --timestamps       begin each line with its time
 *       --store=DIR        the store to use
 *
 * environment:
 *   QBOX_STORE             the store, if --store is not given
 *   QBOX_RUN               where the state of this boot is kept
 *
 * exit status:
 *   0  done
 *   1  there is no such container, or it has no log
 *   2  wrong usage
 *
 * examples:
 *   qlogs -f --tail=20 web1
 *   qlogs --since=10m -t web1 2>&1 | grep error
 *
 * see also:
 *   qps, qrun
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "gen/qlogs.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"
#include "base/time.h"
#include "engine/container.h"
#include "engine/ctl.h"
#include "kernel/proc.h"
#include "service/crilog.h"

struct want {
	struct crilog_query query;
	const char *store;
	bool timestamps;
};

static int set_tail(struct want *want, const char *value)
{
	uint64_t n = 0;
	int r = 0;

	want->query.tail = -1;
	if (strcmp(value, "all") != 0) {
		r = num_parse(value, INT64_MAX, &n);
		want->query.tail = (int64_t)n;
	}
	return r;
}

static void read_options(struct args *args, struct want *want)
{
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_FOLLOW: want->query.follow = args->on; break;
		case OPT_TAIL: args_check(args, set_tail(want, args->value)); break;
		case OPT_SINCE:
			args_check(args,
				crilog_parse_since(args->value, time_now(), &want->query.since));
			break;
		case OPT_TIMESTAMPS: want->timestamps = args->on; break;
		case OPT_STORE: want->store = args->value; break;
		}
	args_want(args, 1, 1);
}

/* --- printing --- */

struct printer {
	bool timestamps;
	struct {
		FILE *file;
		bool terminal, inside; /* of a line */
	} streams[3];
};

/* As it is, or so that no byte does more than be read: a tab is fine, and so is the return that a
 * terminal's lines end with. */
static int put_text(struct buf *out, const struct crilog_record *record, bool terminal)
{
	const char *at = record->text, *end = at + record->len;

	if (!terminal) {
		buf_add(out, at, record->len);
		return buf_check(out);
	}
	if (!record->partial && end > at && end[-1] == '\r')
		end--;
	while (at < end) {
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		const char *stop = tab ? tab : end;

		str_escape(out, at, (size_t)(stop - at));
		if (tab)
			buf_putc(out, '\t');
		at = tab ? tab + 1 : end;
	}
	return buf_check(out);
}

static int print(void *ctx, const struct crilog_record *record)
{
	struct printer *p = ctx;
	auto_buf struct buf out = { 0 };
	bool *inside = &p->streams[record->stream].inside;
	FILE *file = p->streams[record->stream].file;
	int r;

	/* What is missing may have been the end of a line. */
	if (record->gap && *inside)
		buf_putc(&out, '\n');
	if (p->timestamps && (!*inside || record->gap)) {
		buf_add(&out, record->stamp, record->stamp_len);
		buf_putc(&out, ' ');
	}
	r = put_text(&out, record, p->streams[record->stream].terminal);
	if (!record->partial)
		buf_putc(&out, '\n');
	*inside = record->partial;
	if (r == 0)
		r = buf_check(&out);
	if (r == 0 && fwrite(out.data, 1, out.len, file) != out.len)
		r = fail_errno("write");
	return r;
}

/* Following, what there is must be seen before waiting for more. */
static int print_now(void *ctx, const struct crilog_record *record)
{
	struct printer *p = ctx;
	int r = print(ctx, record);

	return r == 0 && fflush(p->streams[record->stream].file) != 0 ? fail_errno("write") : r;
}

/* --- finding --- */

static int print_log(int dir, const struct want *want)
{
	struct printer p = { .timestamps = want->timestamps };

	p.streams[CRILOG_STDOUT].file = stdout;
	p.streams[CRILOG_STDERR].file = stderr;
	p.streams[CRILOG_STDOUT].terminal = isatty(STDOUT_FILENO);
	p.streams[CRILOG_STDERR].terminal = isatty(STDERR_FILENO);
	return crilog_read(dir, &want->query, want->query.follow ? print_now : print, &p);
}

/* Follow as long as the monitor lives. Before Linux 5.3 a connection to it tells. */
static int follow_log(struct store *s, const struct container *c, int dir, struct want *want)
{
	auto_close int monitor = proc_open(&c->row->monitor);
	auto_close int run = -1;
	struct ctl ctl = { .fd = -1 };
	int r;

	if (monitor == -ENOSYS) {
		run = container_run_dir(s, c->row->id);
		if (run < 0 || ctl_connect(&ctl, run) < 0)
			fail_clear(); /* it has just ended */
	}
	want->query.until = monitor >= 0 ? monitor : ctl.fd;
	want->query.follow = want->query.until >= 0;
	r = print_log(dir, want);
	ctl_disconnect(&ctl);
	return r;
}

static int show(struct store *s, const char *name, struct want *want)
{
	auto_container struct container *c = NULL;
	auto_close int dir = -1;
	int r = container_find(s, name, &c);

	if (r < 0)
		return r;
	if (c->row->foreground) {
		fail(ENODATA, "container '%s' has no log: it writes to where qrun was started",
			c->row->name);
		return fail_hint(-ENODATA, "qrun -d keeps one");
	}
	dir = container_home(s, c);
	if (dir < 0)
		return dir;
	return want->query.follow ? follow_log(s, c, dir, want) : print_log(dir, want);
}

int qlogs_main(struct args *args)
{
	struct want want = { .query = { .tail = -1, .since = INT64_MIN, .until = -1 } };
	struct store *s;
	int r;

	read_options(args, &want);
	r = store_open(&s, want.store, STORE_RUN);
	if (r < 0)
		return r;
	r = show(s, args->operands[0], &want);
	store_close(s);
	return r;
}
