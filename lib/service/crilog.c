/* SPDX-License-Identifier: MIT */
/* crilog - what a container prints, kept as CRI lines */
#include "service/crilog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"
#include "base/time.h"

#define STAMP_LEN  30               /* 2026-11-24T08:00:00.123456789Z */
#define HEAD_MAX   (STAMP_LEN + 10) /* " stdout F " */
#define RECORD_MAX (CRILOG_PIECE + HEAD_MAX + 1)
#define POLL_MS    200 /* between looks where the kernel has no inotify */

static const char current[] = "log", older[] = "log.1";

/* --- writing --- */

/* Always nine digits, so that records sort as text. */
static void format_stamp(char out[STAMP_LEN + 1])
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(out, STAMP_LEN + 1, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, STAMP_LEN + 1 - len, ".%09ldZ", now.tv_nsec);
}

static void close_log(struct crilog *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* Write all of it or nothing: half a record would swallow the one that comes after it. */
static bool append(struct crilog *l, const char *data, size_t len)
{
	ssize_t n;

	do
		n = write(l->fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len) {
		l->size += len;
		return true;
	}
	/* If it cannot be cut off, opening it again ends the torn line. */
	if (n > 0 && ftruncate(l->fd, (off_t)l->size) < 0)
		close_log(l);
	return false;
}

static void open_log(struct crilog *l)
{
	struct stat st;
	char last;

	l->fd = openat(l->dir, current,
		O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (l->fd < 0)
		return;
	if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close_log(l);
		return;
	}
	l->size = (uint64_t)st.st_size;
	/* Torn when the machine or the writer before us died. */
	if (st.st_size > 0 && pread(l->fd, &last, 1, st.st_size - 1) == 1 && last != '\n' &&
		!append(l, "\n", 1))
		close_log(l);
}

/* If the name cannot be changed the file stays full, and the next flush tries again. */
static void rotate(struct crilog *l)
{
	close_log(l);
	if (renameat(l->dir, current, l->dir, older) == 0 || errno == ENOENT)
		open_log(l);
}

static bool append_gap(struct crilog *l)
{
	char line[96], stamp[STAMP_LEN + 1];
	int len;

	if (l->lost == 0)
		return true;
	format_stamp(stamp);
	len = snprintf(
		line, sizeof(line), "%s stderr G qbox: %" PRIu64 " bytes lost\n", stamp, l->lost);
	if (!append(l, line, (size_t)len))
		return false;
	l->lost = 0;
	return true;
}

static void flush(struct crilog *l)
{
	if (l->fd < 0)
		open_log(l);
	if (l->fd >= 0 && l->size > 0 && l->size + l->len > l->limit)
		rotate(l);
	if (l->fd < 0 || !append_gap(l) || !append(l, l->out, l->len))
		l->lost += l->content;
	l->len = l->content = 0;
}

static void add_record(struct crilog *l, const char *head, char tag, const char *text, size_t len)
{
	if (l->len + len + HEAD_MAX + 1 > sizeof(l->out))
		flush(l);
	l->len += (size_t)sprintf(l->out + l->len, "%s %c ", head, tag);
	memcpy(l->out + l->len, text, len);
	l->len += len;
	l->out[l->len++] = '\n';
	l->content += len + (tag == 'F');
}

void crilog_init(struct crilog *l, int dir)
{
	l->dir = dir;
	l->fd = -1;
	l->limit = CRILOG_SIZE;
	l->size = l->lost = 0;
	l->len = l->content = 0;
}

void crilog_write(struct crilog *l, enum crilog_stream stream, const char *data, size_t len)
{
	char head[HEAD_MAX];
	size_t used = 0;

	if (len == 0)
		return;
	format_stamp(head);
	strcat(head, stream == CRILOG_STDOUT ? " stdout" : " stderr");
	while (used < len) {
		const char *text = data + used;
		size_t room = len - used < CRILOG_PIECE ? len - used : CRILOG_PIECE;
		const char *end = memchr(text, '\n', room);
		size_t n = end ? (size_t)(end - text) : room;

		/* The newline of a piece that is just full belongs to it. */
		if (!end && used + n < len && text[n] == '\n')
			end = text + n;
		add_record(l, head, end ? 'F' : 'P', text, n);
		used += n + (end != NULL);
	}
	flush(l);
}

void crilog_rotate(struct crilog *l)
{
	rotate(l);
}

void crilog_close(struct crilog *l)
{
	if (l->lost > 0 && l->fd < 0)
		open_log(l);
	if (l->fd >= 0)
		append_gap(l); /* in vain: nobody is left to tell */
	close_log(l);
}

/* --- records --- */

static bool word(const char **at, const char *end, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(end - *at) < len || memcmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

bool crilog_parse(const char *line, size_t len, struct crilog_record *out)
{
	const char *end = line + len, *at = memchr(line, ' ', len < 40 ? len : 40);
	char stamp[41];

	memset(out, 0, sizeof(*out));
	if (!at)
		return false;
	out->stamp = line;
	out->stamp_len = (size_t)(at - line);
	memcpy(stamp, line, out->stamp_len);
	stamp[out->stamp_len] = '\0';
	if (strlen(stamp) != out->stamp_len || time_parse(stamp, &out->time) < 0) {
		fail_clear();
		return false;
	}
	if (word(&at, end, " stdout "))
		out->stream = CRILOG_STDOUT;
	else if (word(&at, end, " stderr "))
		out->stream = CRILOG_STDERR;
	else
		return false;
	out->partial = word(&at, end, "P ");
	out->gap = !out->partial && word(&at, end, "G ");
	if (!out->partial && !out->gap && !word(&at, end, "F "))
		return false;
	out->text = at;
	out->len = (size_t)(end - at);
	return true;
}

static int parse_seconds(const char *s, int64_t *out)
{
	const char *point = strchr(s, '.');
	char whole[24], fraction[10] = "000000000";
	uint64_t n, rest = 0;
	int r;

	if (point) {
		size_t len = strlen(point + 1);

		memcpy(fraction, point + 1, len < 9 ? len : 9);
	}
	snprintf(whole, sizeof(whole), "%.*s", point ? (int)(point - s) : 23, s);
	r = num_parse(whole, INT64_MAX / NS_PER_S - 1, &n);
	if (r == 0)
		r = num_parse(point && strchr(point + 1, '.') ? point : fraction, NS_PER_S, &rest);
	if (r == 0)
		*out = (int64_t)(n * NS_PER_S + rest);
	return r;
}

static int parse_date(const char *s, int64_t *out)
{
	bool date = !strchr(s, 'T') && !strchr(s, 't');
	const char *clock = s + (strlen(s) < 11 ? strlen(s) : 11);
	char text[64];

	/* A zone stands after the time, where a date has its hyphens before it. */
	if (strlen(s) >= sizeof(text) - 12 || (!date && strpbrk(clock, "Zz+-")))
		return time_parse(s, out);
	snprintf(text, sizeof(text), "%s%s", s, date ? "T00:00:00Z" : "Z");
	return time_parse(text, out);
}

int crilog_parse_since(const char *s, int64_t now, int64_t *out)
{
	int64_t ago;
	int r;

	*out = 0;
	if (*s && str_only(s, "0123456789."))
		return parse_seconds(s, out);
	if (strlen(s) >= 10 && s[4] == '-')
		return parse_date(s, out);
	r = num_parse_duration(s, &ago);
	if (r == 0)
		*out = now - ago;
	return r;
}

/* --- reading --- */

struct reader {
	int dir;
	const struct crilog_query *query;
	int (*each)(void *ctx, const struct crilog_record *record);
	void *ctx;

	int64_t lines, skip;   /* lines of the container seen, and how many are left out */
	bool counting;         /* this pass only counts */
	bool open[3], show[3]; /* of each stream: inside a line; it is one of those to show */

	/* The file that is read: what is there without its newline yet. */
	int fd;
	size_t len;
	bool overlong; /* the line began before data and cannot be a record */
	char data[RECORD_MAX + 1];
};

static int take_record(struct reader *r, const char *line, size_t len)
{
	struct crilog_record record;

	if (!crilog_parse(line, len, &record) || record.time < r->query->since)
		return 0;
	if (!r->open[record.stream]) {
		r->lines++;
		r->show[record.stream] = r->lines > r->skip;
	}
	r->open[record.stream] = record.partial;
	if (r->counting || !r->show[record.stream])
		return 0;
	return r->each(r->ctx, &record);
}

/* The whole lines of data. */
static int take_lines(struct reader *r)
{
	char *at = r->data, *end = r->data + r->len, *newline;
	int n = 0;

	while (n == 0 && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		if (!r->overlong)
			n = take_record(r, at, (size_t)(newline - at));
		r->overlong = false;
		at = newline + 1;
	}
	r->len = (size_t)(end - at);
	memmove(r->data, at, r->len);
	if (r->len == sizeof(r->data)) {
		r->overlong = true;
		r->len = 0;
	}
	return n;
}

/* Read on in the file, up to its end or for MAX bytes. */
static int read_on(struct reader *r, int64_t max)
{
	int n = 0;

	while (n == 0 && r->fd >= 0 && max > 0) {
		size_t room = sizeof(r->data) - r->len;
		ssize_t got =
			read(r->fd, r->data + r->len, (int64_t)room < max ? room : (size_t)max);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno("read the log");
		if (got == 0)
			return 0;
		max -= got;
		r->len += (size_t)got;
		n = take_lines(r);
	}
	return n;
}

/* Go over to the file FD (-1: none), which then is the reader's. */
static void change_file(struct reader *r, int fd)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->len = 0;
	r->overlong = false;
}

/* -1 in *FD if there is none. */
static int open_file(int dir, const char *name, int *fd, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	*fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? 0 : fail_errno("open '%s'", name);
	if (fstat(*fd, st) == 0 && S_ISREG(st->st_mode))
		return 0;
	close(*fd);
	*fd = -1;
	return fail(EINVAL, "'%s' is not a regular file", name);
}

static bool is_file(int dir, const char *name, int fd, const struct stat *st)
{
	struct stat now;

	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return fd < 0;
	return fd >= 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

/* Both files as they stand at one moment. */
static int open_both(int dir, int fds[2], struct stat st[2])
{
	int n = 0;

	fds[0] = fds[1] = -1;
	do {
		for (int i = 0; i < 2; i++) {
			if (fds[i] >= 0)
				close(fds[i]);
			fds[i] = -1;
		}
		n = open_file(dir, older, &fds[0], &st[0]);
		if (n == 0)
			n = open_file(dir, current, &fds[1], &st[1]);
	} while (n == 0 &&
		!(is_file(dir, current, fds[1], &st[1]) && is_file(dir, older, fds[0], &st[0])));
	return n;
}

/* Count the lines of both files, to know where the tail begins. */
static int count(struct reader *r, const int fds[2], const struct stat st[2])
{
	int n = 0;

	r->counting = true;
	for (int i = 0; i < 2 && n == 0; i++) {
		r->fd = fds[i];
		n = read_on(r, st[i].st_size);
		if (fds[i] >= 0 && lseek(fds[i], 0, SEEK_SET) < 0)
			n = fail_errno("read the log");
		r->fd = -1;
		r->len = 0;
	}
	r->counting = r->overlong = false;
	r->skip = r->lines > r->query->tail ? r->lines - r->query->tail : 0;
	r->lines = 0;
	memset(r->open, 0, sizeof(r->open));
	return n;
}

/* What is there now. The file log stays open for what follows. */
static int read_present(struct reader *r)
{
	bool follow = r->query->follow;
	struct stat st[2];
	int fds[2], n = open_both(r->dir, fds, st);

	if (n == 0 && r->query->tail >= 0)
		n = count(r, fds, st);
	if (n == 0) {
		change_file(r, take_fd(&fds[0]));
		n = read_on(r, st[0].st_size);
	}
	if (n == 0) {
		/* Bounded, so that --tail gives what was counted and a busy writer does not keep
		 * us; who follows wants the rest, too. */
		change_file(r, take_fd(&fds[1]));
		n = read_on(r, follow ? INT64_MAX : st[1].st_size);
	}
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return n;
}

/* What came since; through a rotation. */
static int read_new(struct reader *r)
{
	struct stat now, st = { 0 }, next;
	int fd, n = read_on(r, INT64_MAX);

	if (n != 0 || fstatat(r->dir, current, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return n;
	if (r->fd >= 0 && fstat(r->fd, &st) < 0)
		return fail_errno("stat the log");
	if (r->fd >= 0 && st.st_ino == now.st_ino && st.st_dev == now.st_dev)
		return 0;
	/* The new file is there, so the old one is complete. If the one before the new file is
	 * another than ours, there were two rotations since we looked. */
	n = read_on(r, INT64_MAX);
	if (n == 0 && r->fd >= 0) {
		n = open_file(r->dir, older, &fd, &next);
		if (n == 0 && fd >= 0 && (next.st_ino != st.st_ino || next.st_dev != st.st_dev)) {
			change_file(r, take_fd(&fd));
			n = read_on(r, INT64_MAX);
		}
		if (fd >= 0)
			close(fd);
	}
	if (n == 0)
		n = open_file(r->dir, current, &fd, &next);
	if (n == 0) {
		change_file(r, fd);
		n = read_on(r, INT64_MAX);
	}
	return n;
}

/* What they say is looked up in the directory. */
static void drop_events(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
}

static int follow(struct reader *r, int events)
{
	struct pollfd p[2] = {
		{ .fd = r->query->until, .events = POLLIN },
		{ .fd = events, .events = POLLIN },
	};
	bool last = false;
	int n;

	do {
		n = read_new(r);
		if (n != 0 || last)
			return n;
		if (poll(p, 2, events >= 0 ? -1 : POLL_MS) < 0 && errno != EINTR)
			return fail_errno("wait for the log");
		if (p[0].revents)
			last = true;
		if (p[1].revents)
			drop_events(events);
	} while (true);
}

int crilog_read(int dir, const struct crilog_query *q,
	int (*each)(void *ctx, const struct crilog_record *record), void *ctx)
{
	struct reader r = { .dir = dir, .query = q, .each = each, .ctx = ctx, .fd = -1 };
	auto_close int events = -1;
	int n;

	if (q->follow) {
		char path[32];

		/* Before the first look, so that nothing falls between. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
		events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (events >= 0 &&
			inotify_add_watch(events, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
			close(events);
			events = -1;
		}
	}
	n = read_present(&r);
	if (n == 0 && q->follow)
		n = follow(&r, events);
	change_file(&r, -1);
	return n;
}
