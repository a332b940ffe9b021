/* SPDX-License-Identifier: MIT */
/* relocate - move the content of one directory of a layer into another */
#include "service/relocate.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/fail.h"
#include "format/tar.h"
#include "kernel/path.h"

#define MOVES_MAX 1024 /* each path of the record is compared with all of them */

void relocate_free(struct relocate *m)
{
	struct relocate_move *moves = (void *)m->moves.data;
	struct relocate_lost *lost = (void *)m->lost.data;
	size_t i;

	for (i = 0; i < m->moves.len / sizeof(*moves); i++) {
		free(moves[i].from);
		free(moves[i].to);
	}
	for (i = 0; i < m->lost.len / sizeof(*lost); i++)
		free(lost[i].path);
	buf_free(&m->moves);
	buf_free(&m->lost);
	spool_free(&m->spool);
}

static int remember(struct relocate *m, const char *from, const char *to)
{
	struct relocate_move move = { strdup(from), strdup(to) };

	if (move.from && move.to && m->moves.len / sizeof(move) < MOVES_MAX) {
		buf_add(&m->moves, &move, sizeof(move));
		if (!m->moves.failed)
			return 0;
	}
	free(move.from);
	free(move.to);
	return m->moves.len / sizeof(move) < MOVES_MAX
		? fail(ENOMEM, "out of memory")
		: fail(EFBIG, "the layer hides too many links of the layers below");
}

static void join(struct buf *out, const char *dir, const char *name)
{
	buf_puts(out, dir);
	if (*dir && *name)
		buf_putc(out, '/');
	buf_puts(out, name);
}

static const struct relocate_lost *find_lost(
	const struct relocate *m, size_t before, const char *path)
{
	const struct relocate_lost *lost = (const void *)m->lost.data;
	size_t i;

	for (i = 0; i < m->lost.len / sizeof(*lost); i++)
		if (lost[i].before == before && strcmp(lost[i].path, path) == 0)
			return &lost[i];
	return NULL;
}

/* Does PATH begin with the directory DIR? Returns the length of it and the slash, 0 if not. */
static size_t below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return 0;
	return len + (path[len] == '/');
}

/* One move: if OUT lies below FROM, it lies below TO now. */
static int apply(const struct relocate_move *move, struct buf *out)
{
	size_t len = below(buf_str(out), move->from);
	auto_free char *rest = NULL;

	if (len == 0)
		return 0;
	rest = strdup(out->data + len);
	if (!rest)
		return fail(ENOMEM, "out of memory");
	buf_clear(out);
	join(out, move->to, rest);
	if (out->len > TAR_NAME_MAX)
		return fail(ENAMETOOLONG, "a link below leads '%s' to a path over %d bytes", rest,
			TAR_NAME_MAX);
	return buf_check(out);
}

int relocate_path(const struct relocate *m, const char *path, struct buf *out, uint64_t *offset)
{
	const struct relocate_move *moves = (const void *)m->moves.data;
	const struct relocate_lost *lost;
	size_t i;
	int r;

	buf_clear(out);
	buf_puts(out, path);
	for (i = 0; i < m->moves.len / sizeof(*moves); i++) {
		lost = find_lost(m, i, buf_str(out));
		if (lost) {
			*offset = lost->offset;
			return 1;
		}
		r = apply(&moves[i], out);
		if (r < 0)
			return r;
	}
	return buf_check(out);
}

int relocate_last(const struct relocate *m, const char *path, struct buf *out)
{
	const struct relocate_move *moves = (const void *)m->moves.data;

	buf_clear(out);
	buf_puts(out, path);
	return apply(&moves[m->moves.len / sizeof(*moves) - 1], out);
}

int relocate_keep_time(struct relocate_time *t, int fd)
{
	t->fd = fd;
	return fstat(fd, &t->st) < 0 ? fail_errno("look at a directory") : 0;
}

int relocate_put_time(const struct relocate_time *t)
{
	const struct timespec times[2] = { t->st.st_atim, t->st.st_mtim };

	return futimens(t->fd, times) < 0 ? fail_errno("set the time of a directory") : 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* One pair of directories. */
struct pair {
	struct relocate *m;
	const char *from, *to;
	int from_fd, to_fd;
};

static int move_all(const struct pair *p);

static int open_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? fail_errno("open directory '%s'", name) : fd;
}

/* NAME is a directory in both. */
static int merge_dirs(const struct pair *p, const char *name)
{
	auto_buf struct buf from = { 0 }, to = { 0 };
	auto_close int from_fd = open_dir(p->from_fd, name), to_fd = open_dir(p->to_fd, name);
	struct pair inner = { p->m, NULL, NULL, from_fd, to_fd };
	int r;

	if (from_fd < 0 || to_fd < 0)
		return from_fd < 0 ? from_fd : to_fd;
	join(&from, p->from, name);
	join(&to, p->to, name);
	if (from.failed || to.failed)
		return fail(ENOMEM, "out of memory");
	inner.from = from.data;
	inner.to = to.data;
	/* While FROM still has its time: moving things out changes it. */
	r = p->m->events->merged(p->m->ctx, inner.from, inner.to, from_fd, to_fd);
	if (r == 0)
		r = move_all(&inner);
	if (r < 0)
		return r;
	return unlinkat(p->from_fd, name, AT_REMOVEDIR) < 0 ? fail_errno("remove '%s'", inner.from)
							    : 0;
}

/* NAME in DIR, at PATH, must give way. The record points at its content. */
static int lose(
	struct relocate *m, int dir, const char *path, const char *name, const struct stat *st)
{
	struct relocate_lost lost = { m->moves.len / sizeof(struct relocate_move), NULL, 0 };
	auto_close int fd = -1;
	int r;

	if (S_ISREG(st->st_mode) && st->st_size > 0) {
		if (m->lost.len / sizeof(lost) >= MOVES_MAX)
			return fail(EFBIG, "the layer has too many files in two places");
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return fail_errno("open '%s'", path);
		r = spool_add_content(&m->spool, fd, (uint64_t)st->st_size, &lost.offset);
		if (r < 0)
			return r;
		lost.path = strdup(path);
		if (!lost.path)
			return fail(ENOMEM, "out of memory");
		buf_add(&m->lost, &lost, sizeof(lost));
		if (m->lost.failed) {
			free(lost.path);
			return buf_check(&m->lost);
		}
	}
	return unlinkat(dir, name, 0) < 0 ? fail_errno("remove '%s'", path) : 0;
}

static int rename_over(const struct pair *p, const char *name)
{
	return renameat(p->from_fd, name, p->to_fd, name) < 0
		? fail_errno("move '%s/%s'", p->from, name)
		: 0;
}

/* Neither is a directory. The later one stays, but a whiteout hides only what is in layers
 * below. */
static int choose(
	const struct pair *p, const char *name, const struct stat *from, const struct stat *to)
{
	auto_buf struct buf from_path = { 0 }, to_path = { 0 };
	int r;

	join(&from_path, p->from, name);
	join(&to_path, p->to, name);
	if (from_path.failed || to_path.failed)
		return fail(ENOMEM, "out of memory");
	if (is_whiteout(from))
		r = 0;
	else if (is_whiteout(to))
		r = 1;
	else
		r = p->m->events->later(p->m->ctx, from_path.data, to_path.data);
	if (r < 0)
		return r;
	if (r == 0)
		return lose(p->m, p->from_fd, from_path.data, name, from);
	r = lose(p->m, p->to_fd, to_path.data, name, to);
	return r < 0 ? r : rename_over(p, name);
}

static int mark_opaque(int dir, const char *name)
{
	auto_close int fd = open_dir(dir, name);

	if (fd < 0)
		return fd;
	return fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0
		? fail_errno("mark '%s' opaque", name)
		: 0;
}

/* One is a directory: only with a whiteout it can share a place, and then hides what is below. */
static int choose_dir(
	const struct pair *p, const char *name, const struct stat *from, const struct stat *to)
{
	int r;

	if (is_whiteout(from)) {
		r = mark_opaque(p->to_fd, name);
		return r < 0 ? r : lose(p->m, p->from_fd, p->from, name, from);
	}
	if (!is_whiteout(to))
		return fail(EBADMSG, "the layer holds '%s/%s' and '%s/%s', which are one place",
			p->from, name, p->to, name);
	r = lose(p->m, p->to_fd, p->to, name, to);
	if (r == 0)
		r = mark_opaque(p->from_fd, name);
	return r < 0 ? r : rename_over(p, name);
}

static int move_name(const struct pair *p, const char *name)
{
	struct stat from, to;

	if (fstatat(p->from_fd, name, &from, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("look at '%s/%s'", p->from, name);
	if (fstatat(p->to_fd, name, &to, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? rename_over(p, name)
				       : fail_errno("look at '%s/%s'", p->to, name);
	if (S_ISDIR(from.st_mode) && S_ISDIR(to.st_mode))
		return merge_dirs(p, name);
	if (S_ISDIR(from.st_mode) || S_ISDIR(to.st_mode))
		return choose_dir(p, name, &from, &to);
	return choose(p, name, &from, &to);
}

/* Move everything from one to the other. */
static int move_all(const struct pair *p)
{
	struct relocate_time keep;
	struct dirent *e;
	int fd = open_dir(p->from_fd, "."), r = fd < 0 ? fd : relocate_keep_time(&keep, p->to_fd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return r < 0 ? r : fail_errno("read '%s'", p->from);
	}
	while (r == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = move_name(p, e->d_name);
	closedir(d);
	return r < 0 ? r : relocate_put_time(&keep);
}

/* Remove the empty directory PATH. */
static int remove_dir(int fs, const char *path)
{
	const char *name;
	auto_close int parent = path_open_parent(fs, path, &name);
	auto_close int fd = -1;
	struct relocate_time keep;
	int r;

	if (parent < 0)
		return fail(-parent, "open the directory of '%s': %s", path, strerror(-parent));
	fd = open_dir(parent, "."); /* the other may not be fit to set times */
	r = fd < 0 ? fd : relocate_keep_time(&keep, fd);
	if (r < 0)
		return r;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0)
		return fail_errno("remove '%s'", path);
	return relocate_put_time(&keep);
}

int relocate_dir(struct relocate *m, const char *from, const char *to)
{
	auto_close int from_fd = path_open_plain(m->fs, from, O_RDONLY | O_DIRECTORY);
	auto_close int to_fd = path_open_plain(m->fs, *to ? to : ".", O_RDONLY | O_DIRECTORY);
	struct pair p = { m, from, to, from_fd, to_fd };
	int r;

	if (from_fd < 0)
		return fail(-from_fd, "open '%s': %s", from, strerror(-from_fd));
	if (to_fd < 0)
		return fail(-to_fd, "open '%s': %s", to, strerror(-to_fd));
	r = move_all(&p);
	if (r == 0)
		r = remove_dir(m->fs, from);
	return r < 0 ? r : remember(m, from, to);
}
