/* SPDX-License-Identifier: MIT */
/* place - where an entry of a layer goes: find its directory, free its name */
#include "service/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "kernel/path.h"

#define LINKS_MAX 40 /* as the kernel */

bool place_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

int place_note_opaque(struct extract *x, const char *path)
{
	return x->note(x->ctx, LAYER_NOTE_OPAQUE, path, NULL);
}

/* --- find --- */

static void append_part(struct buf *path, const char *name)
{
	if (path->len > 0)
		buf_putc(path, '/');
	buf_puts(path, name);
}

static void drop_part(struct buf *path)
{
	while (path->len > 0 && path->data[--path->len] != '/')
		;
	if (path->data)
		path->data[path->len] = '\0';
}

/* One walk from the root. */
struct walk {
	struct extract *x;
	struct buf *canon; /* where it is */
	int at;            /* the same as descriptor; -1: the root */
	struct buf rest;   /* still to go */
	unsigned links;
	bool make;
};

static int walk_fd(const struct walk *w)
{
	return w->at >= 0 ? w->at : w->x->root;
}

static void walk_to(struct walk *w, int fd)
{
	if (w->at >= 0)
		close(w->at);
	w->at = fd;
}

/* Cut the first part off the rest into NAME. Returns false at the end. */
static int next_part(struct walk *w, char name[NAME_MAX + 1])
{
	size_t skip = strspn(buf_str(&w->rest), "/"), len;

	buf_drop(&w->rest, skip);
	len = strcspn(buf_str(&w->rest), "/");
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, buf_str(&w->rest), len);
	name[len] = '\0';
	buf_drop(&w->rest, len);
	return len > 0;
}

static int walk_up(struct walk *w)
{
	int fd = -1;

	drop_part(w->canon);
	if (w->canon->len > 0) {
		fd = path_open_plain(w->x->root, buf_str(w->canon), O_PATH | O_DIRECTORY);
		if (fd < 0)
			return fd;
	}
	walk_to(w, fd);
	return 0;
}

/* NAME is a link or no directory at all: put the target in front of the rest. */
static int follow(struct walk *w, const char *name)
{
	char target[PATH_MAX];
	struct buf rest = { 0 };
	ssize_t n = readlinkat(walk_fd(w), name, target, sizeof(target));

	if (n < 0)
		return errno == EINVAL ? -ENOTDIR : -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (target[0] == '/') {
		walk_to(w, -1);
		buf_clear(w->canon);
	}
	buf_add(&rest, target, (size_t)n);
	buf_putc(&rest, '/');
	buf_add(&rest, w->rest.data, w->rest.len);
	buf_free(&w->rest);
	w->rest = rest;
	return 0;
}

/* A directory that no entry describes: NAME is missing, or a whiteout that hides what lies
 * below. */
static int make_implied(struct walk *w, const char *name, bool hidden)
{
	/* Behind a whiteout nothing lies below, so there is nothing to be asked later. */
	const struct spool_item item = { .kind = hidden ? SPOOL_HIDDEN : SPOOL_IMPLIED };
	size_t len = w->canon->len;
	int r;

	/* It would be a whiteout to everybody else. */
	if (str_starts(name, ".wh."))
		return -EPERM;
	if (hidden && unlinkat(walk_fd(w), name, 0) < 0)
		return -errno;
	if (mkdirat(walk_fd(w), name, PLACE_IMPLIED) < 0)
		return -errno;
	w->x->implied++;
	append_part(w->canon, name);
	r = buf_check(w->canon);
	if (r == 0)
		r = spool_add_dir(&w->x->spool, &item, w->canon->data);
	if (r == 0 && hidden)
		r = place_note_opaque(w->x, w->canon->data);
	w->canon->len = len;
	w->canon->data[len] = '\0';
	return r;
}

/* Go into NAME, which is neither "." nor "..". */
static int walk_into(struct walk *w, const char *name)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(walk_fd(w), name, flags), r;
	struct stat st;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return -errno;
	if (fd < 0) {
		bool missing = errno == ENOENT;
		bool hidden = !missing &&
			fstatat(walk_fd(w), name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			place_is_whiteout(&st);

		if (missing || hidden) {
			if (!w->make)
				return -ENOENT;
			r = make_implied(w, name, hidden);
			if (r < 0)
				return r;
			fd = openat(walk_fd(w), name, flags);
		}
	}
	if (fd < 0)
		return follow(w, name);
	walk_to(w, fd);
	append_part(w->canon, name);
	return w->canon->len > TAR_NAME_MAX ? -ENAMETOOLONG : 0;
}

/* Walk part by part, following links below the root; MAKE what is missing. CANON is empty. */
static int walk(struct extract *x, const char *name, size_t len, bool make, struct buf *canon)
{
	struct walk w = { .x = x, .canon = canon, .at = -1, .make = make };
	char part[NAME_MAX + 1];
	int r;

	buf_add(&w.rest, name, len);
	while ((r = next_part(&w, part)) > 0) {
		if (strcmp(part, ".") == 0)
			r = 0;
		else
			r = strcmp(part, "..") == 0 ? walk_up(&w) : walk_into(&w, part);
		if (r < 0)
			break;
	}
	if (r == 0 && (w.rest.failed || canon->failed))
		r = -ENOMEM;
	if (r == 0 && w.at < 0) {
		w.at = openat(x->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = w.at < 0 ? -errno : 0;
	}
	buf_free(&w.rest);
	if (r < 0)
		walk_to(&w, -1);
	return r < 0 ? r : w.at;
}

static void forget_dir(struct extract *x)
{
	if (x->dir >= 0 && x->dir != x->root)
		close(x->dir);
	x->dir = -1;
	x->stale = false;
}

int place_dir(struct extract *x, const char *name, size_t len)
{
	int fd;

	if (x->dir >= 0 && !x->stale && x->dir_name.len == len &&
		memcmp(buf_str(&x->dir_name), name, len) == 0)
		return 0;
	forget_dir(x);
	buf_clear(&x->dir_name);
	buf_clear(&x->dir_path);
	buf_add(&x->dir_name, name, len);
	if (len == 0) {
		x->dir = x->root;
		return 0;
	}
	fd = path_open_plain(x->root, buf_str(&x->dir_name), O_PATH | O_DIRECTORY);
	if (fd >= 0)
		buf_add(&x->dir_path, name, len);
	else if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
		fd = walk(x, name, len, true, &x->dir_path);
	if (fd == -EFBIG)
		return fd; /* too many notes: the text is recorded */
	if (fd < 0)
		return fail(-fd, "'%.*s' cannot be a directory here: %s", (int)len, name,
			strerror(-fd));
	x->dir = fd;
	return buf_check(&x->dir_path);
}

int place_find(struct extract *x, const char *name, struct buf *canon)
{
	size_t len = strlen(name);
	int fd = path_open_plain(x->root, len ? name : ".", O_PATH | O_DIRECTORY);

	if (fd == -ELOOP)
		return walk(x, name, len, false, canon);
	if (fd >= 0)
		buf_add(canon, name, len);
	return fd;
}

/* --- free --- */

/* The record points at the content of this file: keep it, it is about to go. */
static int save(
	struct extract *x, int dir, const char *name, const char *path, const struct stat *st)
{
	auto_close int fd = -1;
	uint64_t offset, size = (uint64_t)st->st_size;
	int r;

	if (size == 0)
		return 0;
	/* Each content once is at most the stream. More than that are hard links of one file, or
	 * holes. */
	if (size > x->stream - x->saved)
		return fail(EFBIG, "the layer replaces too much of its own content");
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("open '%s'", path);
	r = spool_add_content(&x->spool, fd, size, &offset);
	if (r < 0)
		return fail_wrap(r, "'%s'", path);
	x->saved += size;
	return replaced_add(&x->replaced, path, x->files, offset);
}

static int remove_name(
	struct extract *x, int dir, const char *name, const char *path, const struct stat *st)
{
	int r = S_ISREG(st->st_mode) ? save(x, dir, name, path, st) : 0;

	if (r < 0)
		return r;
	return unlinkat(dir, name, 0) < 0 ? fail_errno("remove '%s'", path) : 0;
}

/* Remove what is no directory from the one at PATH. Returns 1 with the name of a directory
 * appended to PATH as soon as one is found, 0 when the directory is empty. */
static int empty_dir(struct extract *x, struct buf *path)
{
	auto_close int fd = path_open_plain(x->root, buf_str(path), O_RDONLY | O_DIRECTORY);
	size_t len = path->len;
	struct dirent *e;
	struct stat st;
	int r = 0;
	DIR *d;

	if (fd < 0)
		return fail(-fd, "open '%s': %s", buf_str(path), strerror(-fd));
	d = fdopendir(fd);
	if (!d)
		return fail_errno("read '%s'", buf_str(path));
	while (r == 0 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		append_part(path, e->d_name);
		if (path->failed)
			r = buf_check(path);
		else if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = fail_errno("look at '%s'", path->data);
		else if (S_ISDIR(st.st_mode))
			r = 1;
		else
			r = remove_name(x, fd, e->d_name, path->data, &st);
		if (r == 0) {
			path->len = len;
			path->data[len] = '\0';
		}
	}
	closedir(d);
	fd = -1;
	return r;
}

/* Remove the empty directory PATH and cut its last part off. */
static int remove_empty(struct extract *x, struct buf *path)
{
	size_t slash = (size_t)(strrchr(path->data, '/') - path->data);
	auto_close int parent = -1;

	path->data[slash] = '\0';
	path->len = slash;
	parent = path_open_plain(x->root, path->data, O_PATH | O_DIRECTORY);
	if (parent < 0)
		return fail(-parent, "open '%s': %s", path->data, strerror(-parent));
	if (unlinkat(parent, path->data + slash + 1, AT_REMOVEDIR) < 0)
		return fail_errno("remove '%s/%s'", path->data, path->data + slash + 1);
	return 0;
}

/* rm -r of the directory NAME in x->dir, without recursion and with few descriptors, however
 * deep. */
static int remove_dir(struct extract *x, const char *name)
{
	auto_buf struct buf path = { 0 };
	size_t top;
	int r;

	buf_add(&path, x->dir_path.data, x->dir_path.len);
	append_part(&path, name);
	r = buf_check(&path);
	if (r < 0)
		return r;
	top = path.len;
	for (;;) {
		r = empty_dir(x, &path);
		if (r == 0 && path.len == top)
			break;
		if (r == 0)
			r = remove_empty(x, &path);
		if (r < 0)
			return r;
	}
	return unlinkat(x->dir, name, AT_REMOVEDIR) < 0 ? fail_errno("remove '%s'", path.data) : 0;
}

int place_clear(struct extract *x, const char *name, bool dir, bool *hidden)
{
	struct stat st;

	*hidden = false;
	if (fstatat(x->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("look at '%s'", x->path.data);
	if (S_ISDIR(st.st_mode) && dir) {
		/* An entry describes it now. */
		if ((st.st_mode & 07777) == PLACE_IMPLIED && fchmodat(x->dir, name, 0700, 0) < 0)
			return fail_errno("change the mode of '%s'", x->path.data);
		return 1;
	}
	*hidden = place_is_whiteout(&st);
	/* Directories that were found through this one or this link may be elsewhere now. */
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		x->stale = true;
	return S_ISDIR(st.st_mode) ? remove_dir(x, name)
				   : remove_name(x, x->dir, name, x->path.data, &st);
}
