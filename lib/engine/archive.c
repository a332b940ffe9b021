/* SPDX-License-Identifier: MIT */
/* archive - find the files of a tar archive without unpacking it
 *
 * Parts: the confined process that reads the archive, what its parent makes of the lines that it sends,
 * opening, finding. */
#include "engine/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/confine.h"
#include "format/gzip.h"
#include "format/tar.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/path.h"
#include "kernel/proc.h"

#define MEMBERS_MAX 10000
#define INDEX_MAX   (4u << 20) /* bytes of all lines */
#define RESERVE     (4u << 20) /* left free on the disk */
#define PIECE       65536

/* What the confined process works on. */
struct parser {
	int in;            /* the archive; -1: only the first bytes are looked at */
	const void *first; /* bytes that were read from it already */
	size_t first_len;
	int copy;      /* where its plain bytes go; -1: nowhere */
	uint64_t room; /* for the copy */
};

/* --- the confined process --- */

struct indexer {
	struct buf line;
	uint64_t position; /* in the archive, after what was handed over */
	size_t count, sent;
	int out;
};

static int index_raw(void *ctx, const uint8_t *bytes UNUSED, size_t len)
{
	struct indexer *x = ctx;

	x->position += len;
	return 0;
}

static int index_data(void *ctx, const uint8_t *bytes, size_t len, uint64_t offset UNUSED)
{
	return index_raw(ctx, bytes, len);
}

static int index_done(void *ctx UNUSED)
{
	return 0;
}

static int index_entry(void *ctx, const struct tar_entry *e)
{
	struct indexer *x = ctx;
	int r;

	if (e->type == TAR_DIR)
		return 0;
	if (e->sparse)
		return fail(EBADMSG, "sparse member '%s' in an image archive", e->name);
	buf_clear(&x->line);
	buf_puts(&x->line, "{\"name\":");
	json_quote(&x->line, e->name);
	if (e->type == TAR_SYMLINK || e->type == TAR_HARDLINK) {
		buf_puts(&x->line, e->type == TAR_SYMLINK ? ",\"symlink\":" : ",\"link\":");
		json_quote(&x->line, e->link);
	}
	buf_printf(&x->line, ",\"offset\":%llu,\"size\":%llu}\n", (unsigned long long)x->position,
		(unsigned long long)e->size);
	x->sent += x->line.len;
	if (++x->count > MEMBERS_MAX || x->sent > INDEX_MAX)
		return fail(EFBIG, "an image archive with too many members");
	r = buf_check(&x->line);
	return r < 0 ? r : frame_send(x->out, x->line.data, x->line.len);
}

/* Copy and index the next plain bytes. */
static int take_plain(struct parser *p, struct tar_reader *reader, const void *bytes, size_t len)
{
	int r = 0;

	if (p->copy >= 0) {
		if (len > p->room)
			return fail(ENOSPC, "no space left for a copy of the archive");
		p->room -= len;
		r = fd_write(p->copy, bytes, len);
		if (r < 0)
			return fail(-r, "copy the archive: %s", strerror(-r));
	}
	return tar_reader_feed(reader, bytes, len);
}

/* The same for bytes as they come. */
static int take(struct parser *p, struct tar_reader *reader, struct inflater *z, const uint8_t *in,
	size_t len)
{
	uint8_t plain[PIECE];
	long n;
	int r;

	while ((n = inflater_run(z, &in, &len, plain, sizeof(plain))) > 0) {
		r = take_plain(p, reader, plain, (size_t)n);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static int take_all(struct parser *p, struct tar_reader *reader)
{
	uint8_t piece[PIECE];
	const uint8_t *at = p->first;
	ssize_t n = (ssize_t)p->first_len;
	struct inflater *z = NULL;
	int r = 0;

	if (!n) {
		n = fd_read(p->in, piece, sizeof(piece));
		at = piece;
	}
	if (n > 0)
		r = inflater_new(&z, gzip_sniff(at, (size_t)n, NULL));
	while (r == 0 && n > 0) {
		r = take(p, reader, z, at, (size_t)n);
		n = fd_read(p->in, piece, sizeof(piece));
		at = piece;
	}
	if (r == 0 && n < 0)
		r = fail((int)-n, "read the archive: %s", strerror((int)-n));
	if (r == 0 && z)
		r = inflater_end(z);
	inflater_free(z);
	return r < 0 ? r : tar_reader_end(reader);
}

static int run_index(struct parser *p, int out)
{
	static const struct tar_events events = {
		.raw = index_raw,
		.entry = index_entry,
		.data = index_data,
		.done = index_done,
	};
	struct indexer x = { .out = out };
	struct tar_reader *reader = NULL;
	int r = tar_reader_new(&reader, &events, &x);

	if (r == 0)
		r = take_all(p, reader);
	tar_reader_free(reader);
	buf_free(&x.line);
	return r;
}

/* Is NAME the first member of an archive that holds an image? */
static bool is_image_member(const char *name)
{
	static const char *const names[] = { "index.json", "oci-layout", "manifest.json",
		"repositories", "blobs", "blobs/" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return str_starts(name, "blobs/sha") || strspn(name, "0123456789abcdef") >= 64;
}

static bool holds_image(const uint8_t *plain, size_t len)
{
	char name[101] = "";

	for (size_t at = 0; at + 512 <= len; at += 512) {
		const char *p = name;

		memcpy(name, plain + at, 100);
		while (str_starts(p, "./"))
			p += 2;
		/* tar of a whole directory begins with the directory itself. */
		if (*p && strcmp(p, ".") != 0)
			return is_image_member(p);
	}
	return false;
}

static int run_sniff(struct parser *p, int out)
{
	uint8_t plain[4096];
	const uint8_t *in = p->first;
	size_t left = p->first_len;
	struct inflater *z = NULL;
	long n;
	int r = inflater_new(&z, gzip_sniff(p->first, p->first_len, NULL));

	if (r < 0)
		return r;
	n = inflater_run(z, &in, &left, plain, sizeof(plain));
	inflater_free(z);
	/* Damage is found, and told, when the whole is read. */
	return n > 0 && holds_image(plain, (size_t)n) ? frame_send(out, "image", 5) : 0;
}

/* --- its parent --- */

/* Let a confined child RUN on P; what it sends is appended to ANSWER. */
static int run_confined(struct parser *p, int (*run)(struct parser *p, int out), struct buf *answer)
{
	int pipes[2], status = 0, r;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return fail_errno("pipe");
	const int keep[] = { pipes[1], p->in, p->copy };

	pid = proc_fork(0, keep, ARRAY_LEN(keep), NULL);
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		r = confine_parser();
		if (r == 0)
			r = run(p, pipes[1]);
		_exit(r < 0 ? frame_fail(pipes[1], -r) : frame_end(pipes[1]));
	}
	close(pipes[1]);
	r = pid < 0 ? (int)pid : frame_read_all(pipes[0], answer, INDEX_MAX);
	close(pipes[0]);
	if (pid > 0 && proc_wait(pid, &status) == 0 && WIFSIGNALED(status) && r == -EPIPE) {
		char text[64];

		proc_format_status(text, sizeof(text), status);
		return fail(EIO, "the process that reads the archive was %s", text);
	}
	return r;
}

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
	return buf_check(&b) < 0 ? NULL : normal(buf_str(&b));
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
		json_get_int(j, "size", &size) != 1 || offset < 0 || size < 0 ||
		size > INT64_MAX - offset)
		return fail(EBADMSG, "it is no member");
	*m = (struct archive_member){
		.name = normal(name),
		.link = symlink || hard ? link_target(name, symlink, hard) : NULL,
		.offset = (uint64_t)offset,
		.size = (uint64_t)size,
	};
	a->count++;
	if (!m->name || ((symlink || hard) && !m->link))
		return fail(EBADMSG, "bad name in the archive");
	return 0;
}

int archive_add(struct archive *a, const char *lines, size_t len)
{
	const char *at, *newline, *const end = lines + len;
	size_t count = 0;
	int r;

	for (at = lines; at < end && (newline = memchr(at, '\n', (size_t)(end - at)));
		at = newline + 1)
		count++;
	if (at != end)
		return fail(EBADMSG, "the index of the archive is cut short");
	if (count > MEMBERS_MAX)
		return fail(EFBIG, "an image archive with too many members");
	a->members = calloc(count + 1, sizeof(*a->members));
	if (!a->members)
		return fail(ENOMEM, "out of memory");
	for (at = lines; at < end; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		r = add_member(a, at, (size_t)(newline - at));
		if (r < 0)
			return fail_wrap(r, "index of the archive");
	}
	return 0;
}

/* --- opening --- */

/* Make the place for a plain copy. */
static int open_copy(struct store *s, struct parser *p)
{
	char name[17];
	int r = store_free_space(s, &p->room);

	if (r < 0)
		return r;
	p->room -= p->room < RESERVE ? p->room : RESERVE;
	file_random_name(name);
	p->copy = openat(s->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p->copy < 0)
		return fail_errno("make a temporary file in the store");
	return unlinkat(s->tmp, name, 0) < 0 ? fail_errno("unlink a temporary file") : 0;
}

/* Can members be read at their place in FD: is it a file that is not compressed? */
static int can_stay(int fd, size_t first_len)
{
	uint8_t head[16];
	struct stat st;
	ssize_t n;

	if (first_len || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	n = pread(fd, head, sizeof(head), 0);
	return n < 0 ? fail_errno("read") : gzip_sniff(head, (size_t)n, NULL) == GZIP_NONE;
}

int archive_sniff(const void *first, size_t len)
{
	struct parser p = { .in = -1, .copy = -1, .first = first, .first_len = len };
	auto_buf struct buf answer = { 0 };
	int r = run_confined(&p, run_sniff, &answer);

	return r < 0 ? r : answer.len > 0;
}

int archive_open(struct archive *out, struct store *s, int fd, const void *first, size_t first_len)
{
	struct parser p = { .in = fd, .copy = -1, .first = first, .first_len = first_len };
	auto_buf struct buf lines = { 0 };
	int r = can_stay(fd, first_len);

	*out = (struct archive){ .fd = fd };
	if (r == 0)
		r = open_copy(s, &p);
	if (r >= 0)
		r = run_confined(&p, run_index, &lines);
	if (p.copy >= 0) {
		close(fd);
		out->fd = p.copy;
	}
	if (r == 0)
		r = archive_add(out, buf_str(&lines), lines.len);
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
