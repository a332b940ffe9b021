/* SPDX-License-Identifier: MIT */
/* copyup - a new volume begins with what the image has in its place */
#include "engine/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "service/clone.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DEPTH_MAX 1000

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* 1, 0, or an errno value. */
static int is_empty(int fd)
{
	int again = openat(fd, ".", DIR_FLAGS);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!dir)
		return -errno;
	while ((e = readdir(dir)) && is_dots(e->d_name))
		;
	closedir(dir);
	return !e;
}

static int copy_special(int from, const struct stat *st, const char *name, int to)
{
	char target[PATH_MAX];
	ssize_t n;

	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(from, name, target, sizeof(target) - 1);
		if (n < 0)
			return -errno;
		target[n] = '\0';
		if (symlinkat(target, to, name) < 0)
			return -errno;
	} else if (mknodat(to, name, st->st_mode, st->st_rdev) < 0) {
		return -errno;
	}
	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISLNK(st->st_mode) || fchmodat(to, name, st->st_mode & 07777, 0) == 0 ? 0 : -errno;
}

static int copy_tree(int from, int to, unsigned depth);

static int copy_entry(int from, const char *name, int to, unsigned depth)
{
	auto_close int in = -1, out = -1;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return clone_file(from, name, to, name);
	if (!S_ISDIR(st.st_mode))
		return copy_special(from, &st, name, to);
	in = openat(from, name, DIR_FLAGS);
	if (in < 0 || mkdirat(to, name, 0700) < 0)
		return -errno;
	out = openat(to, name, DIR_FLAGS);
	return out < 0 ? -errno : copy_tree(in, out, depth + 1);
}

static int copy_tree(int from, int to, unsigned depth)
{
	int again = openat(from, ".", DIR_FLAGS), r = 0;
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!dir)
		return -errno;
	if (depth > DEPTH_MAX)
		r = -ELOOP;
	while (r == 0 && (e = readdir(dir)))
		if (!is_dots(e->d_name))
			r = copy_entry(from, e->d_name, to, depth);
	closedir(dir);
	return r < 0 ? r : clone_meta(from, to);
}

int copy_up(int from, int to)
{
	auto_close int in = openat(from, ".", DIR_FLAGS), out = openat(to, ".", DIR_FLAGS);
	int r;

	if (in < 0 || out < 0)
		return in == -1 && errno == ENOTDIR ? 0 : -errno;
	r = is_empty(out);
	return r <= 0 ? r : copy_tree(in, out, 0);
}
