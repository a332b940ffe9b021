/* SPDX-License-Identifier: MIT */
/* archive - find the files of a tar archive without unpacking it */
#include "engine/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/json.h"
#include "engine/confine.h"
#include "format/gzip.h"
#include "format/tar.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "kernel/proc.h"

#define MEMBERS_MAX 10000
#define PIECE       65536

/* --- the confined process: headers in, JSON lines out --- */

struct indexer {
	struct buf line;
	uint64_t position; /* in the archive, after what was handed over */
	uint64_t count;
};

static int index_raw(void *ctx, const uint8_t *bytes UNUSED, size_t len)
{
	struct indexer *x = ctx;

	x->position += len;
	return 0;
}

static int index_data(void *ctx, const uint8_t *bytes UNUSED, size_t len, uint64_t offset UNUSED)
{
	struct indexer *x = ctx;

	x->position += len;
	return 0;
}

static int index_done(void *ctx UNUSED)
{
	return 0;
}

static int index_entry(void *ctx, const struct tar_entry *e)
{
	struct indexer *x = ctx;

	if (e->type == TAR_DIR)
		return 0;
	if (++x->count > MEMBERS_MAX)
		return fail(EFBIG, "archive with more than %d members", MEMBERS_MAX);
	if (e->sparse)
		return fail(EBADMSG, "sparse member in an image archive");
	buf_puts(&x->line, "{\"name\":");
	json_quote(&x->line, e->name);
	if (e->type == TAR_SYMLINK || e->type == TAR_HARDLINK) {
		buf_puts(&x->line, e->type == TAR_SYMLINK ? ",\"symlink\":" : ",\"link\":");
		json_quote(&x->line, e->link);
	}
	buf_printf(&x->line, ",\"offset\":%llu,\"size\":%llu}\n", (unsigned long long)x->position,
		(unsigned long long)e->size);
	return buf_check(&x->line);
}

static int index_run(int fd, int out)
{
	static const struct tar_events events = {
		.raw = index_raw,
		.entry = index_entry,
		.data = index_data,
		.done = index_done,
	};
	struct indexer x = { 0 };
	struct tar_reader *reader = NULL;
	static char piece[PIECE];
	off_t at = 0;
	ssize_t n;
	int r;

	r = confine_parser();
	if (r == 0)
		r = tar_reader_new(&reader, &events, &x);
	while (r == 0 && (n = pread(fd, piece, sizeof(piece), at)) > 0) {
		at += n;
		r = tar_reader_feed(reader, piece, (size_t)n);
	}
	if (r == 0)
		r = tar_reader_end(reader);
	if (r == 0)
		r = fd_write(out, x.line.data, x.line.len);
	return r;
}

/* --- the parent --- */

static char *normal(const char *path)
{
	auto_buf struct buf b = { 0 };

	return path_normalise(&b, path) < 0 ? NULL : buf_take(&b);
}

/* A symbolic link counts from its own directory, a hard link from the top. */
static char *link_target(const char *name, const char *symlink, const char *hard)
{
	auto_buf struct buf b = { 0 };
	const char *slash = strrchr(name, '/');

	if (hard)
		return normal(hard);
	if (symlink[0] != '/' && slash)
		buf_add(&b, name, (size_t)(slash - name) + 1);
	buf_puts(&b, symlink);
	return normal(buf_str(&b));
}

static int add_member(struct archive *a, const char *line, size_t len)
{
	struct archive_member *m = &a->members[a->count];
	const char *name = NULL, *symlink = NULL, *hard = NULL;
	auto_json struct json *j = NULL;
	int64_t offset = 0, size = 0;
	int r;

	r = json_parse(line, len, &j);
	if (r < 0)
		return r;
	if (json_get_string(j, "name", &name) != 1 || json_get_string(j, "symlink", &symlink) < 0 ||
		json_get_string(j, "link", &hard) < 0 || json_get_int(j, "offset", &offset) != 1 ||
		json_get_int(j, "size", &size) != 1 || offset < 0 || size < 0)
		return fail(EBADMSG, "bad line of the archive index");
	m->name = normal(name);
	m->link = symlink || hard ? link_target(name, symlink, hard) : NULL;
	m->offset = (uint64_t)offset;
	m->size = (uint64_t)size;
	a->count++;
	if (!m->name || ((symlink || hard) && !m->link))
		return fail(EBADMSG, "bad name in the archive");
	return 0;
}

static int read_index(struct archive *a, int in)
{
	auto_buf struct buf text = { 0 };
	const char *line, *end;
	size_t lines = 0;
	int r;

	r = fd_read_all(in, &text, 64u << 20);
	if (r < 0)
		return r;
	for (const char *p = buf_str(&text); (p = strchr(p, '\n')); p++)
		lines++;
	a->members = calloc(lines + 1, sizeof(*a->members));
	if (!a->members)
		return fail(ENOMEM, "out of memory");
	for (line = buf_str(&text); (end = strchr(line, '\n')); line = end + 1) {
		r = add_member(a, line, (size_t)(end - line));
		if (r < 0)
			return r;
	}
	return 0;
}

static int run_indexer(struct archive *a)
{
	int pipes[2], status = 0, r;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return fail_errno("pipe");
	const int keep[] = { a->fd, pipes[1] };

	pid = proc_fork(0, keep, ARRAY_LEN(keep), NULL);
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		r = index_run(a->fd, pipes[1]);
		_exit(r == 0 ? 0 : r == -EFBIG ? 2 : 1);
	}
	close(pipes[1]);
	r = pid < 0 ? (int)pid : read_index(a, pipes[0]);
	close(pipes[0]);
	if (pid > 0 && proc_wait(pid, &status) == 0 && status != 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
			return fail(EFBIG, "archive with more than %d members", MEMBERS_MAX);
		return fail(EBADMSG, "not an image archive, or a damaged one");
	}
	return r;
}

/* Write LEN bytes of the input to OUT, through Z if it is compressed. */
static int spool_piece(struct inflater *z, int out, const uint8_t *in, size_t len)
{
	static uint8_t plain[PIECE];
	long n;
	int r;

	if (!z) {
		r = fd_write(out, in, len);
		return r < 0 ? fail(-r, "copy the archive: %s", strerror(-r)) : 0;
	}
	while ((n = inflater_run(z, &in, &len, plain, sizeof(plain))) > 0) {
		r = fd_write(out, plain, (size_t)n);
		if (r < 0)
			return fail(-r, "copy the archive: %s", strerror(-r));
	}
	return (int)n;
}

static int spool_all(int fd, int out, struct inflater *z, const void *prefix, size_t prefix_len)
{
	static uint8_t piece[PIECE];
	ssize_t n;
	int r;

	r = prefix_len ? spool_piece(z, out, prefix, prefix_len) : 0;
	while (r == 0 && (n = fd_read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0)
			return fail((int)-n, "read the archive: %s", strerror((int)-n));
		r = spool_piece(z, out, piece, (size_t)n);
	}
	return r == 0 && z ? inflater_end(z) : r;
}

/* Replace a->fd by an unlinked plain copy. */
static int spool(
	struct archive *a, struct store *s, const void *prefix, size_t prefix_len, bool gzip)
{
	struct inflater *z = NULL;
	char name[17];
	int r = 0, out;

	file_random_name(name);
	out = openat(s->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return fail_errno("make a temporary file in the store");
	unlinkat(s->tmp, name, 0);
	if (gzip)
		r = inflater_new(&z, GZIP_GZIP);
	if (r == 0)
		r = spool_all(a->fd, out, z, prefix, prefix_len);
	inflater_free(z);
	close(a->fd);
	a->fd = out;
	return r;
}

int archive_open(
	struct archive *out, struct store *s, int fd, const void *prefix, size_t prefix_len)
{
	uint8_t head[512];
	const void *first = prefix;
	ssize_t len = (ssize_t)prefix_len;
	struct stat st;
	bool regular, gzip;
	int r = 0;

	*out = (struct archive){ .fd = fd };
	regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !prefix_len;
	if (regular) {
		len = pread(fd, head, sizeof(head), 0);
		first = head;
	}
	gzip = len > 0 && gzip_sniff(first, (size_t)len, NULL) == GZIP_GZIP;
	if (!regular || gzip)
		r = spool(out, s, prefix, prefix_len, gzip);
	if (r == 0)
		r = run_indexer(out);
	if (r < 0)
		archive_close(out);
	return r;
}

void archive_close(struct archive *a)
{
	for (size_t i = 0; i < a->count; i++) {
		free(a->members[i].name);
		free(a->members[i].link);
	}
	free(a->members);
	cleanup_close(&a->fd);
	*a = (struct archive){ .fd = -1 };
}

static const struct archive_member *find_once(const struct archive *a, const char *name)
{
	const struct archive_member *found = NULL;

	/* The last one of a name counts, as for tar -x. */
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->members[i].name, name) == 0)
			found = &a->members[i];
	return found;
}

const struct archive_member *archive_find(const struct archive *a, const char *name)
{
	const struct archive_member *m = find_once(a, name);

	for (int steps = 0; m && m->link; steps++)
		m = steps < 8 ? find_once(a, m->link) : NULL;
	return m;
}

int archive_read(const struct archive *a, const char *name, size_t max, struct buf *out)
{
	const struct archive_member *m = archive_find(a, name);
	ssize_t n;
	char *to;

	if (!m)
		return fail(ENOENT, "the archive has no '%s'", name);
	if (m->size > max)
		return fail(EFBIG, "'%s' of the archive has %llu bytes, more than %zu", name,
			(unsigned long long)m->size, max);
	to = buf_reserve(out, (size_t)m->size);
	if (!to)
		return buf_check(out);
	n = pread(a->fd, to, (size_t)m->size, (off_t)m->offset);
	if (n < 0)
		return fail_errno("read the archive");
	if ((uint64_t)n != m->size)
		return fail(EBADMSG, "the archive is cut short");
	out->len += (size_t)n;
	return 0;
}
