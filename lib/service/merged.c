/* SPDX-License-Identifier: MIT */
/* merged - layers seen as overlayfs shows them */
#include "service/merged.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/fail.h"
#include "format/tar.h"

#define LINKS_MAX 40
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

bool merged_is_opaque(int fd)
{
	char value = 0;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

void merged_free(struct merged *m)
{
	while (m->count > 0)
		close(m->dirs[--m->count]);
	m->type = MERGED_NONE;
}

int merged_root(struct merged *out, const int *roots, size_t count)
{
	int fd;

	*out = (struct merged){ .type = MERGED_DIR };
	if (count > MERGED_MAX)
		return fail(EINVAL, "more than %d layers", MERGED_MAX);
	while (out->count < count) {
		fd = openat(roots[out->count], ".", DIR_FLAGS);
		if (fd < 0) {
			merged_free(out);
			return fail_errno("open the root of a layer");
		}
		out->dirs[out->count++] = fd;
	}
	return 0;
}

int merged_step(const struct merged *dir, const char *name, struct merged *out)
{
	struct stat st;
	size_t i;
	int fd;

	out->type = MERGED_NONE;
	out->count = 0;
	for (i = 0; i < dir->count; i++) {
		if (fstatat(dir->dirs[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			merged_free(out);
			return fail_errno("look at '%s' in a layer", name);
		}
		if (!S_ISDIR(st.st_mode)) {
			/* A whiteout, or something that a directory above hides. */
			if (out->count > 0 || (S_ISCHR(st.st_mode) && st.st_rdev == 0))
				break;
			out->type = MERGED_OTHER;
			out->st = st;
			out->layer = i;
			break;
		}
		fd = openat(dir->dirs[i], name, DIR_FLAGS);
		if (fd < 0) {
			merged_free(out);
			return fail_errno("open '%s' in a layer", name);
		}
		if (out->count == 0) {
			out->type = MERGED_DIR;
			out->st = st;
			out->layer = i;
		}
		out->dirs[out->count++] = fd;
		if (merged_is_opaque(fd))
			break;
	}
	return 0;
}

/* *AT becomes NAME in it. */
static int step_into(struct merged *at, const char *name)
{
	struct merged next;
	int r = merged_step(at, name, &next);

	if (r < 0)
		return r;
	merged_free(at);
	*at = next;
	return 0;
}

static int copy(const struct merged *m, struct merged *out)
{
	return merged_root(out, m->dirs, m->count);
}

/* Cut the first part off *PATH into NAME. Returns 0 at the end. */
static int next_part(const char **path, char name[NAME_MAX + 1])
{
	size_t len;

	*path += strspn(*path, "/");
	len = strcspn(*path, "/");
	if (len > NAME_MAX)
		return fail(ENAMETOOLONG, "'%s': a name that is too long", *path);
	memcpy(name, *path, len);
	name[len] = '\0';
	*path += len;
	return len > 0;
}

int merged_find(const struct merged *root, size_t at_least, const char *path, struct merged *out)
{
	char name[NAME_MAX + 1];
	int r = copy(root, out);

	if (r < 0)
		return r;
	while ((r = next_part(&path, name)) > 0) {
		if (out->type != MERGED_DIR || out->count < at_least) {
			merged_free(out);
			break;
		}
		r = step_into(out, name);
		if (r < 0)
			break;
	}
	if (r < 0)
		merged_free(out);
	return r < 0 ? r : 0;
}

/* --- following links --- */

struct resolve {
	const struct merged *root;
	struct merged at; /* where canon leads; MERGED_NONE once something was missing */
	struct buf *canon;
	struct buf rest;
	unsigned links;
};

static int go_root(struct resolve *w)
{
	merged_free(&w->at);
	buf_clear(w->canon);
	return copy(w->root, &w->at);
}

static int go_up(struct resolve *w)
{
	struct buf *c = w->canon;
	struct merged up;
	int r;

	while (c->len > 0 && c->data[--c->len] != '/')
		;
	if (c->data)
		c->data[c->len] = '\0';
	r = merged_find(w->root, 1, buf_str(c), &up);
	if (r < 0)
		return r;
	merged_free(&w->at);
	w->at = up;
	return 0;
}

/* NAME, found in a directory of w->at, is a link: its target comes before the rest. */
static int go_link(struct resolve *w, int dir, const char *name)
{
	char target[PATH_MAX];
	struct buf rest = { 0 };
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	if (n < 0)
		return fail_errno("read the link '%s' in a layer", name);
	if (++w->links > LINKS_MAX)
		return fail(ELOOP, "'%s' in a layer: too many symbolic links", name);
	buf_add(&rest, target, (size_t)n);
	buf_putc(&rest, '/');
	buf_add(&rest, w->rest.data, w->rest.len);
	buf_free(&w->rest);
	w->rest = rest;
	return target[0] == '/' ? go_root(w) : 0;
}

static int go_into(struct resolve *w, const char *name)
{
	struct merged next = { .type = MERGED_NONE };
	int r = w->at.type == MERGED_DIR ? merged_step(&w->at, name, &next) : 0;

	if (r < 0)
		return r;
	if (next.type == MERGED_OTHER && S_ISLNK(next.st.st_mode))
		return go_link(w, w->at.dirs[next.layer], name);
	if (next.type == MERGED_OTHER)
		return fail(ENOTDIR, "'%s' in a layer is no directory", name);
	merged_free(&w->at);
	w->at = next;
	if (w->canon->len > 0)
		buf_putc(w->canon, '/');
	buf_puts(w->canon, name);
	if (w->canon->len > TAR_NAME_MAX)
		return fail(ENAMETOOLONG, "a link in a layer leads to a path over %d bytes",
			TAR_NAME_MAX);
	return buf_check(w->canon);
}

int merged_resolve(const struct merged *root, const char *path, struct buf *canon)
{
	struct resolve w = { .root = root, .canon = canon };
	char name[NAME_MAX + 1];
	const char *rest;
	int r = go_root(&w);

	buf_puts(&w.rest, path);
	while (r >= 0) {
		r = buf_check(&w.rest);
		rest = buf_str(&w.rest);
		if (r == 0)
			r = next_part(&rest, name);
		if (r <= 0)
			break;
		buf_drop(&w.rest, (size_t)(rest - buf_str(&w.rest)));
		if (strcmp(name, ".") == 0)
			r = 0;
		else
			r = strcmp(name, "..") == 0 ? go_up(&w) : go_into(&w, name);
	}
	merged_free(&w.at);
	buf_free(&w.rest);
	return r;
}
