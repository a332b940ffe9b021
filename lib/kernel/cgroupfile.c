/* SPDX-License-Identifier: MIT */
/* cgroupfile - the small files and the directories of a cgroup file system */
#include "kernel/cgroupfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "kernel/fd.h"

#define DEPTH_MAX 64 /* two descriptors each */

int cgroup_write(int dir, const char *name, const char *text)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write(fd, text, strlen(text));
}

int cgroup_read(int dir, const char *name, char *out, size_t size)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	out[0] = '\0';
	if (fd < 0)
		return -errno;
	n = fd_read(fd, out, size - 1);
	out[n < 0 ? 0 : n] = '\0';
	return (int)n;
}

int64_t cgroup_read_number(int dir, const char *name, const char *key)
{
	char text[4096], *at = text, *end;
	size_t len = key ? strlen(key) : 0;
	long long value;
	int r = cgroup_read(dir, name, text, sizeof(text));

	if (r < 0)
		return r;
	while (key && !(strncmp(at, key, len) == 0 && at[len] == ' ')) {
		at = strchr(at, '\n');
		if (!at)
			return -ENODATA;
		at++;
	}
	if (key)
		at += len + 1;
	errno = 0;
	value = strtoll(at, &end, 10);
	return errno || end == at || *end != '\n' || value < 0 ? -ENODATA : value;
}

static int walk(int dir, int depth, cgroup_visit *fn, void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!list) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r >= 0 && (e = readdir(list))) {
		auto_close int child = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		child = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child < 0)
			r = errno == ENOENT ? 0 : -errno;
		else if (depth == DEPTH_MAX)
			r = -ELOOP;
		else
			r = walk(child, depth + 1, fn, arg);
		if (r >= 0 && child >= 0)
			r = fn(dir, e->d_name, child, arg);
	}
	closedir(list);
	return r;
}

int cgroup_walk(int dir, cgroup_visit *fn, void *arg)
{
	return walk(dir, 0, fn, arg);
}
