/* SPDX-License-Identifier: MIT */
/* settle - join a layer with the layers below it
 *
 * A layer is a change set: what it leaves out is as below. Overlayfs shows whole directories, so
 * where the layer had to make one that no entry describes, owner and mode must come from below, or
 * its content belongs where a symbolic link below leads.
 *
 * Map: the state; implied directories; hard links; opaque directories; the whole. */
#include "service/layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/fail.h"
#include "format/tar.h"
#include "kernel/fd.h"
#include "kernel/path.h"
#include "service/clone.h"
#include "service/merged.h"
#include "service/order.h"
#include "service/relocate.h"
#include "service/replaced.h"

#define OPAQUE_NAME   "trusted.overlay.opaque"
#define CONFLICTS_MAX 256 /* for each the whole record is read */

/* A note whose path was checked; PATH becomes NULL when it has no more say. */
struct noted {
	enum layer_note_kind kind;
	char *path;
	const char *target;
};

struct settle {
	int dir, fs;
	struct merged all;   /* this layer on top of those below */
	struct noted *notes; /* opaque, implied, links */
	size_t count;
	struct relocate moved;
	int record; /* of the tar stream */
	unsigned conflicts;
	struct buf path; /* of a file of the record, where it is now */
};

static int bad_open(int r, const char *path)
{
	return fail(-r, "open '%s': %s", path, strerror(-r));
}

/* The directory PATH of this layer. Errno value without text. */
static int open_own(const struct settle *s, const char *path)
{
	return path_open_plain(s->fs, *path ? path : ".", O_RDONLY | O_DIRECTORY);
}

/* --- implied directories --- */

/* What the layers below show under PATH, whose directory is one of this layer too, as far as
 * this layer lets it be seen. */
static int find_below(const struct settle *s, const char *path, struct merged *out, int *link_dir)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	struct merged dir, below;
	int r;

	*link_dir = -1;
	*out = (struct merged){ .type = MERGED_NONE };
	if (!parent)
		return fail(ENOMEM, "out of memory");
	r = merged_find(&s->all, 2, parent, &dir);
	if (r < 0)
		return r;
	/* Without the topmost, which is this layer's. */
	below = dir;
	if (dir.count > 1) {
		below.count--;
		memmove(below.dirs, dir.dirs + 1, below.count * sizeof(int));
		r = merged_step(&below, slash ? slash + 1 : path, out);
		if (r == 0 && out->type == MERGED_OTHER)
			*link_dir = fcntl(below.dirs[out->layer], F_DUPFD_CLOEXEC, 3);
	}
	merged_free(&dir);
	return r;
}

static int mark_opaque_fd(int fd, const char *path)
{
	return fsetxattr(fd, OPAQUE_NAME, "y", 1, 0) < 0 ? fail_errno("mark '%s' opaque", path) : 0;
}

/* Give the directory FD what the layers below say about PATH. */
static int meta_from_below(const struct settle *s, const char *path, int fd)
{
	struct merged below;
	int link_dir, r = find_below(s, path, &below, &link_dir);

	if (r < 0)
		return r;
	cleanup_close(&link_dir);
	if (below.type == MERGED_DIR)
		r = clone_meta(below.dirs[0], fd);
	merged_free(&below);
	return r;
}

/* Make NAME, whose whole path is PATH, in the directory AT of this layer. Returns its
 * descriptor. */
static int new_dir(const struct settle *s, const char *path, const char *name, int at)
{
	static const struct timespec epoch[2];
	struct relocate_time keep;
	struct stat st;
	auto_close int fd = -1;
	/* Nothing but a whiteout can be there, or the path would not lead through it. */
	bool hidden = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	int r = relocate_keep_time(&keep, at);

	if (r < 0)
		return r;
	if ((hidden && unlinkat(at, name, 0) < 0) || mkdirat(at, name, 0755) < 0)
		return fail_errno("make directory '%s'", path);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || futimens(fd, epoch) < 0)
		return fail_errno("open '%s'", path);
	r = hidden ? mark_opaque_fd(fd, path) : meta_from_below(s, path, fd);
	if (r == 0)
		r = relocate_put_time(&keep);
	return r < 0 ? r : take_fd(&fd);
}

/* Go into NAME, whose whole path is PATH, from the directory *AT of this layer; make it if
 * missing. */
static int make_part(const struct settle *s, const char *path, const char *name, int *at)
{
	int fd = openat(*at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		fd = new_dir(s, path, name, *at);
	if (fd < 0)
		return fd;
	close(*at);
	*at = fd;
	return 0;
}

/* Make the directory PATH, canonical, in this layer. */
static int make_path(const struct settle *s, const char *path)
{
	auto_close int at = open_own(s, "");
	auto_buf struct buf canon = { 0 }, name = { 0 };
	size_t len;
	int r = at < 0 ? bad_open(at, "fs") : 0;

	for (; r == 0 && *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		if (canon.len > 0)
			buf_putc(&canon, '/');
		buf_add(&canon, path, len);
		buf_clear(&name);
		buf_add(&name, path, len);
		r = buf_check(&canon) < 0 || buf_check(&name) < 0
			? -ENOMEM
			: make_part(s, canon.data, name.data, &at);
	}
	return r;
}

static struct noted *find_implied(const struct settle *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->notes[i].kind == LAYER_NOTE_IMPLIED && s->notes[i].path &&
			strcmp(s->notes[i].path, path) == 0)
			return &s->notes[i];
	return NULL;
}

static void forget(struct noted *n)
{
	free(n->path);
	n->path = NULL;
}

/* Two directories of this layer became one: an entry that describes one of them has the say. */
static int on_merged(void *ctx, const char *from, const char *to, int from_fd, int to_fd)
{
	struct settle *s = ctx;
	struct noted *from_note = find_implied(s, from), *to_note = find_implied(s, to);
	int r = 0;

	if (!from_note && to_note)
		r = clone_meta(from_fd, to_fd);
	if (r == 0 && merged_is_opaque(from_fd))
		r = mark_opaque_fd(to_fd, to);
	if (from_note)
		forget(from_note);
	else if (to_note)
		forget(to_note);
	return r;
}

/* Two files fall on one place: which entry came later? */
static int on_conflict(void *ctx, const char *from, const char *to)
{
	struct settle *s = ctx;

	if (++s->conflicts > CONFLICTS_MAX)
		return fail(EFBIG, "the layer has too many files in two places");
	return order_later(s->record, from, to);
}

static const struct relocate_events relocate_events = { on_conflict, on_merged };

/* All notes of what lay below FROM speak of where it is now. */
static int move_notes(struct settle *s)
{
	auto_buf struct buf path = { 0 };
	size_t i;
	int r;

	for (i = 0; i < s->count; i++) {
		if (!s->notes[i].path)
			continue;
		r = relocate_last(&s->moved, s->notes[i].path, &path);
		if (r < 0)
			return r;
		if (strcmp(path.data, s->notes[i].path) == 0)
			continue;
		free(s->notes[i].path);
		s->notes[i].path = strdup(path.data);
		if (!s->notes[i].path)
			return fail(ENOMEM, "out of memory");
	}
	return 0;
}

/* In the layers below N is a symbolic link: its content belongs where that leads. */
static int follow_below(struct settle *s, struct noted *n, int link_dir)
{
	const char *slash = strrchr(n->path, '/'), *name = slash ? slash + 1 : n->path;
	auto_buf struct buf way = { 0 }, to = { 0 };
	char target[TAR_NAME_MAX + 1];
	size_t len = strlen(n->path);
	ssize_t got = readlinkat(link_dir, name, target, sizeof(target) - 1);
	int r;

	if (got < 0)
		return fail_errno("read the link '%s' below", n->path);
	target[got] = '\0';
	if (slash && target[0] != '/')
		buf_add(&way, n->path, (size_t)(slash - n->path) + 1);
	buf_puts(&way, target);
	r = buf_check(&way);
	if (r == 0)
		r = merged_resolve(&s->all, way.data, &to);
	if (r < 0)
		return fail_wrap(
			r == -ENOMEM ? r : -EBADMSG, "'%s' is a link in a layer below", n->path);
	if (strncmp(buf_str(&to), n->path, len) == 0 &&
		(to.data[len] == '/' || to.data[len] == '\0'))
		return fail(EBADMSG, "'%s' is a link to itself in a layer below", n->path);
	r = make_path(s, buf_str(&to));
	if (r == 0)
		r = relocate_dir(&s->moved, n->path, buf_str(&to));
	if (r < 0)
		return r;
	forget(n);
	return move_notes(s);
}

static int settle_implied(struct settle *s, struct noted *n)
{
	auto_close int own = open_own(s, n->path), link_dir = -1;
	struct merged below;
	int r;

	if (own < 0)
		return own == -ENOENT || own == -ENOTDIR || own == -ELOOP ? 0
									  : bad_open(own, n->path);
	r = find_below(s, n->path, &below, &link_dir);
	if (r < 0)
		return r;
	if (below.type == MERGED_DIR)
		r = clone_meta(below.dirs[0], own);
	else if (below.type == MERGED_OTHER && S_ISLNK(below.st.st_mode))
		r = follow_below(s, n, link_dir);
	merged_free(&below);
	return r;
}

/* --- hard links --- */

static int link_file(int from_dir, const char *from, int to_dir, const char *to)
{
	struct relocate_time keep;
	int r = relocate_keep_time(&keep, to_dir);

	if (r < 0)
		return r;
	if (linkat(from_dir, from, to_dir, to, 0) < 0) {
		/* A later entry of the layer made something else of it. */
		if (errno == EEXIST)
			return 0;
		r = errno == EXDEV || errno == EMLINK || errno == EPERM
			? clone_file(from_dir, from, to_dir, to)
			: fail_errno("link '%s'", to);
	}
	return r < 0 ? r : relocate_put_time(&keep);
}

/* Cut PATH at its last slash; *NAME is the last part. Returns the directory. */
static char *cut(char *path, const char **name)
{
	char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	if (!slash)
		return NULL;
	*slash = '\0';
	return path;
}

static int settle_link(struct settle *s, const struct noted *n)
{
	auto_free char *path = strdup(n->path), *target = strdup(n->target);
	auto_buf struct buf canon = { 0 };
	const char *name, *from, *parent;
	auto_close int to_dir = -1;
	struct merged dir, found;
	int r;

	if (!path || !target)
		return fail(ENOMEM, "out of memory");
	parent = cut(path, &name);
	to_dir = open_own(s, parent ? parent : "");
	if (to_dir < 0)
		return bad_open(to_dir, n->path);
	parent = cut(target, &from);
	r = merged_resolve(&s->all, parent ? parent : "", &canon);
	if (r < 0)
		return fail_wrap(r == -ENOMEM ? r : -EBADMSG, "hard link '%s'", n->path);
	r = merged_find(&s->all, 1, buf_str(&canon), &dir);
	if (r < 0)
		return r;
	found = (struct merged){ .type = MERGED_NONE };
	if (dir.type == MERGED_DIR)
		r = merged_step(&dir, from, &found);
	if (r == 0 && found.type == MERGED_OTHER)
		r = link_file(dir.dirs[found.layer], from, to_dir, name);
	else if (r == 0)
		r = fail(EBADMSG, "hard link '%s' to '%s', which is %s", n->path, n->target,
			found.type == MERGED_DIR ? "a directory" : "nowhere in this image");
	merged_free(&found);
	merged_free(&dir);
	return r;
}

/* --- opaque directories --- */

static int mark_opaque(const struct settle *s, const char *path)
{
	auto_close int fd = open_own(s, path);

	if (fd < 0) /* it was replaced later */
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : bad_open(fd, path);
	return mark_opaque_fd(fd, path);
}

/* NAME lies in the root of some layer below and must not be seen. */
static int hide(const struct settle *s, const char *name)
{
	struct stat st;

	if (fstatat(s->fs, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? mark_opaque(s, name) : 0;
	if (mknodat(s->fs, name, S_IFCHR, 0) < 0)
		return fail_errno("hide '%s'", name);
	return 0;
}

/* Overlayfs always merges the roots of all layers, whatever they are marked as: hide each name. */
static int hide_all(const struct settle *s)
{
	struct relocate_time keep;
	struct dirent *e;
	size_t i;
	int r = relocate_keep_time(&keep, s->fs);

	for (i = 1; r == 0 && i < s->all.count; i++) {
		int fd = openat(s->all.dirs[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = fd < 0 ? NULL : fdopendir(fd);

		if (!d) {
			r = fail_errno("read the root of a layer");
			cleanup_close(&fd);
			return r;
		}
		while (r == 0 && (e = readdir(d)) != NULL)
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				r = hide(s, e->d_name);
		closedir(d);
	}
	return r < 0 ? r : relocate_put_time(&keep);
}

/* --- the whole --- */

static int check_path(const char *path, bool root_too)
{
	auto_buf struct buf normal = { 0 };

	if (path_normalise(&normal, path) < 0 || strcmp(buf_str(&normal), path) != 0 ||
		(!*path && !root_too))
		return fail(EBADMSG, "a note about '%s', which is no path", path);
	return buf_check(&normal);
}

/* Take the notes of one kind. They come from where hostile bytes were read. */
static int take_notes(
	struct settle *s, const struct layer_note *notes, size_t count, enum layer_note_kind kind)
{
	size_t i;
	int r = 0;

	for (i = 0; i < count; i++) {
		if (notes[i].kind != kind)
			continue;
		r = check_path(notes[i].path, kind == LAYER_NOTE_OPAQUE);
		if (r == 0 && kind == LAYER_NOTE_LINK)
			r = check_path(notes[i].target, false);
		if (r < 0)
			return r;
		s->notes[s->count] = (struct noted){ kind, strdup(notes[i].path), notes[i].target };
		if (!s->notes[s->count].path)
			return fail(ENOMEM, "out of memory");
		s->count++;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct noted *x = a, *y = b;

	if (!x->path || !y->path)
		return (x->path != NULL) - (y->path != NULL);
	return strcmp(x->path, y->path);
}

/* Implied directories are notes FROM to TO. Those above come before what is in them, also when
 * some have moved. */
static int settle_all_implied(struct settle *s, size_t from, size_t to)
{
	size_t moves = SIZE_MAX;
	int r = 0;

	for (; r == 0 && from < to; from++) {
		if (moves != s->moved.moves.len)
			qsort(s->notes + from, to - from, sizeof(*s->notes), compare);
		moves = s->moved.moves.len;
		if (s->notes[from].path)
			r = settle_implied(s, &s->notes[from]);
	}
	return r;
}

static int find_moved(void *ctx, const char *path, uint64_t number, struct replaced_file *at)
{
	struct settle *s = ctx;
	int r = relocate_path(&s->moved, path, &s->path, &at->offset);

	(void)number;
	if (r > 0)
		at->fd = s->moved.spool.fd;
	at->path = buf_str(&s->path);
	return r < 0 ? r : 0;
}

/* The record names files that are elsewhere now. */
static int correct_record(struct settle *s)
{
	auto_close int out = openat(
		s->dir, "tar.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = spool_flush(&s->moved.spool);

	if (r < 0)
		return r;
	if (out < 0)
		return fail_errno("open the record of the tar stream");
	r = replaced_rewrite(s->record, out, find_moved, s);
	if (r < 0)
		return r;
	return renameat(s->dir, "tar.new", s->dir, "tar") < 0
		? fail_errno("replace the record of the tar stream")
		: 0;
}

/* Returns as layer_settle. */
static int run(struct settle *s, const struct layer_note *notes, size_t count)
{
	size_t implied, links, i;
	bool bound;
	int r = take_notes(s, notes, count, LAYER_NOTE_OPAQUE);

	implied = s->count;
	if (r == 0)
		r = take_notes(s, notes, count, LAYER_NOTE_IMPLIED);
	links = s->count;
	if (r == 0)
		r = take_notes(s, notes, count, LAYER_NOTE_LINK);
	bound = s->count > implied;
	for (i = 0; r == 0 && i < implied; i++) {
		bound = bound || !*s->notes[i].path;
		r = *s->notes[i].path ? mark_opaque(s, s->notes[i].path) : hide_all(s);
	}
	if (r == 0)
		r = settle_all_implied(s, implied, links);
	for (i = links; r == 0 && i < s->count; i++)
		r = settle_link(s, &s->notes[i]);
	if (r == 0 && s->moved.moves.len > 0)
		r = correct_record(s);
	return r < 0 ? r : bound;
}

/* Open what is there, and a file for what must be kept aside. */
static int begin(struct settle *s, const struct layer_below *below, size_t below_count)
{
	int roots[MERGED_MAX];
	size_t i;

	if (below_count >= MERGED_MAX)
		return fail(EINVAL, "more than %d layers", MERGED_MAX - 1);
	s->fs = openat(s->dir, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	s->record = openat(s->dir, "tar", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	s->moved.spool.fd =
		openat(s->dir, "lost", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fs < 0 || s->record < 0 || s->moved.spool.fd < 0 || unlinkat(s->dir, "lost", 0) < 0)
		return fail_errno("open the layer");
	roots[0] = s->moved.fs = s->fs;
	for (i = 0; i < below_count; i++)
		roots[i + 1] = below[i].fs;
	return merged_root(&s->all, roots, below_count + 1);
}

static void end(struct settle *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->notes[i].path);
	free(s->notes);
	relocate_free(&s->moved);
	buf_free(&s->path);
	merged_free(&s->all);
	cleanup_close(&s->fs);
	cleanup_close(&s->record);
	cleanup_close(&s->moved.spool.fd);
}

int layer_settle(int dir, const struct layer_note *notes, size_t count,
	const struct layer_below *below, size_t below_count)
{
	struct settle s = { .dir = dir,
		.fs = -1,
		.record = -1,
		.moved = { .events = &relocate_events, .spool.fd = -1 } };
	int r;

	s.moved.ctx = &s;
	s.notes = calloc(count + 1, sizeof(*s.notes));
	if (!s.notes)
		return fail(ENOMEM, "out of memory");
	r = begin(&s, below, below_count);
	if (r == 0)
		r = run(&s, notes, count);
	end(&s);
	return r;
}
