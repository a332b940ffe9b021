/* SPDX-License-Identifier: MIT */
/* path - the one resolver, and the removal of trees */
#include "kernel/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/pathwalk.h"

#define RACES_MAX   16
#define OPEN_LEVELS 32 /* directories that the removal of a tree holds open */

static int openat2(int dir, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC), .resolve = resolve };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Some sandboxes answer EPERM where a kernel says ENOSYS; a true EPERM the walk gives again. */
static bool is_missing(int r)
{
	return r == -ENOSYS || r == -EPERM;
}

static int resolve_in(int root, const char *path, int flags, bool plain)
{
	uint64_t how =
		RESOLVE_IN_ROOT | (uint64_t)(plain ? RESOLVE_NO_SYMLINKS : RESOLVE_NO_MAGICLINKS);
	int r = -EAGAIN;

	/* EAGAIN: something was renamed during a ".."; somebody who never stops gets the walk. */
	for (int i = 0; i < RACES_MAX && r == -EAGAIN; i++)
		r = openat2(root, path, flags, how);
	if (r == -EAGAIN || is_missing(r))
		return pathwalk_open(root, path, flags, plain, NULL);
	return r;
}

int path_open(int root, const char *path, int flags)
{
	return resolve_in(root, path, flags, false);
}

int path_open_plain(int root, const char *path, int flags)
{
	return resolve_in(root, path, flags, true);
}

int path_open_parent(int root, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	char parent[PATH_MAX];
	int fd;

	*name = NULL;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return -EINVAL;
	if ((size_t)(last - path) >= sizeof(parent))
		return -ENAMETOOLONG;
	snprintf(
		parent, sizeof(parent), "%.*s", slash ? (int)(last - path) : 1, slash ? path : ".");
	fd = path_open(root, parent, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		*name = last;
	return fd;
}

int path_mkdirs(int root, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct pathwalk_make make = { .mode = mode, .uid = uid, .gid = gid };

	return pathwalk_open(root, path, O_PATH | O_DIRECTORY, false, &make);
}

int path_normalise(struct buf *out, const char *path)
{
	size_t start = out->len;

	if (strlen(path) > PATH_MAX)
		return -ENAMETOOLONG;
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len > NAME_MAX) {
			out->len = start;
			return -ENAMETOOLONG;
		}
		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (out->len > start && out->data[--out->len] != '/')
				;
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			if (out->len > start)
				buf_putc(out, '/');
			buf_add(out, path, len);
		}
		path += len + (path[len] == '/');
	}
	return buf_check(out);
}

/* --- removal of trees --- */

/* A directory on the way down. Only the lowest OPEN_LEVELS are open, so that depth is bounded by memory
 * alone; the others are opened again from below, and must be what they were. */
struct level {
	DIR *dir;
	dev_t dev;
	ino_t ino;
	char *name; /* below the level above */
};

struct removal {
	int dir; /* the caller's directory */
	struct level *levels;
	size_t count, room;
};

/* The identity of the mount that FD is on; 0 if /proc does not tell. */
static long mount_id(int fd)
{
	char path[48], text[256];
	const char *at;
	ssize_t n;
	auto_close int info = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? 0 : read(info, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "mnt_id:");
	return at ? atol(at + 7) : 0;
}

/* Open the directory NAME below DIR. -EBUSY if something is mounted on it, -ENOTDIR if it is a file or a
 * symbolic link. */
static int enter(int dir, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	int fd = openat2(dir, name, flags, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
	struct stat above, st;

	if (fd == -EXDEV)
		return -EBUSY;
	if (fd == -ELOOP)
		return -ENOTDIR;
	if (!is_missing(fd))
		return fd;
	fd = openat(dir, name, flags | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	if (fstat(dir, &above) == 0 && fstat(fd, &st) == 0 && above.st_dev == st.st_dev &&
		mount_id(dir) == mount_id(fd))
		return fd;
	close(fd);
	return -EBUSY;
}

static int level_fd(const struct removal *m)
{
	return m->count == 0 ? m->dir : dirfd(m->levels[m->count - 1].dir);
}

/* Go down into the directory FD, which is taken. */
static int push(struct removal *m, int fd, const char *name)
{
	struct level *l;
	struct stat st;

	if (m->count == m->room) {
		size_t room = m->room * 2 + 16;
		struct level *more = realloc(m->levels, room * sizeof(*more));

		if (!more) {
			close(fd);
			return -ENOMEM;
		}
		m->levels = more;
		m->room = room;
	}
	l = &m->levels[m->count];
	*l = (struct level){ .name = strdup(name), .dir = fdopendir(fd) };
	if (!l->name || !l->dir || fstat(fd, &st) < 0) {
		free(l->name);
		if (l->dir)
			closedir(l->dir);
		else
			close(fd);
		return -ENOMEM;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	if (m->count >= OPEN_LEVELS && m->levels[m->count - OPEN_LEVELS].dir) {
		closedir(m->levels[m->count - OPEN_LEVELS].dir);
		m->levels[m->count - OPEN_LEVELS].dir = NULL;
	}
	m->count++;
	return 0;
}

/* The level above the lowest, opened again if it was closed. */
static int reopen_above(struct removal *m)
{
	struct level *above, *low = &m->levels[m->count - 1];
	struct stat st;
	int fd;

	if (m->count < 2)
		return 0;
	above = low - 1;
	if (above->dir)
		return 0;
	fd = openat(dirfd(low->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_dev != above->dev || st.st_ino != above->ino) {
		close(fd);
		return -EBUSY; /* somebody moved it about */
	}
	above->dir = fdopendir(fd);
	if (!above->dir)
		close(fd);
	return above->dir ? 0 : -ENOMEM;
}

/* The lowest level is empty: remove it from the one above. */
static int pop(struct removal *m)
{
	struct level *low = &m->levels[m->count - 1];
	int r = reopen_above(m);

	if (r < 0)
		return r;
	closedir(low->dir);
	low->dir = NULL;
	m->count--;
	if (unlinkat(level_fd(m), low->name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		r = -errno;
		m->count++; /* for the text */
		return r;
	}
	free(low->name);
	return 0;
}

/* Remove the entry NAME of the lowest level, or go down into it. */
static int remove_entry(struct removal *m, const char *name)
{
	int dir = level_fd(m), fd;

	/* A directory gives EISDIR, by POSIX EPERM; either may also be the true answer for a file. */
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = enter(dir, name);
	if (fd == -ENOENT)
		return 0;
	if (fd == -ENOTDIR)
		return -EPERM;
	return fd < 0 ? fd : push(m, fd, name);
}

static int remove_levels(struct removal *m, const char **culprit)
{
	while (m->count > 0) {
		struct dirent *e;
		int r;

		errno = 0;
		e = readdir(m->levels[m->count - 1].dir);
		*culprit = e ? e->d_name : NULL;
		if (!e)
			r = errno ? -errno : pop(m);
		else if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		else
			r = remove_entry(m, e->d_name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Record R about the entry CULPRIT (NULL: the lowest level itself). */
static int removal_failed(const struct removal *m, int r, const char *culprit)
{
	auto_buf struct buf path = { 0 };

	for (size_t i = 0; i < m->count; i++)
		buf_printf(&path, "%s%s", i ? "/" : "", m->levels[i].name);
	if (culprit)
		buf_printf(&path, "%s%s", m->count ? "/" : "", culprit);
	if (r == -EBUSY)
		return fail(EBUSY, "remove '%s': something is mounted there", buf_str(&path));
	return fail(-r, "remove '%s': %s", buf_str(&path), strerror(-r));
}

int path_remove_tree(int dir, const char *name)
{
	struct removal m = { .dir = dir };
	const char *culprit = name;
	int r = remove_entry(&m, name);

	if (r >= 0)
		r = remove_levels(&m, &culprit);
	if (r < 0)
		removal_failed(&m, r, culprit);
	while (m.count > 0) {
		struct level *l = &m.levels[--m.count];

		if (l->dir)
			closedir(l->dir);
		free(l->name);
	}
	free(m.levels);
	return r;
}
