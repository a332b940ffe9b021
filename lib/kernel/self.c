/* SPDX-License-Identifier: MIT */
/* self - keep our own executable out of the reach of what we run */
#include "kernel/self.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char exe[] = "/proc/self/exe";

/* Is EXE, open for reading, what no right can write to? */
static bool is_protected(int fd)
{
	struct statvfs st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && (seals & SEALS) == SEALS)
		return true;
	/* The flags of its mount and of its file system together; a file of a tmpfs has seals, too. */
	return fstatvfs(fd, &st) == 0 && st.f_flag & ST_RDONLY;
}

/* A read-only mount of the file alone, attached nowhere: it lives as long as somebody runs from
 * it. */
static int clone_mount(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	auto_close int fd =
		(int)syscall(SYS_open_tree, AT_FDCWD, exe, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int copy_to_memory(int from)
{
	auto_close int fd = memfd_create("qbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	off_t at = 0;

	if (fd < 0 || fstat(from, &st) < 0)
		return -errno;
	while (at < st.st_size) {
		ssize_t n = sendfile(fd, from, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	if (fchmod(fd, 0500) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return take_fd(&fd);
}

static int run_from(int fd, const char *name, char *const *args)
{
	size_t count = 0;
	auto_free char **argv = NULL;

	while (args[count])
		count++;
	argv = calloc(count + 2, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	argv[0] = (char *)(uintptr_t)name; /* execve does not write to it */
	memcpy(argv + 1, args, count * sizeof(*argv));
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

int self_protect(const char *name, char *const *args)
{
	auto_close int self = open(exe, O_RDONLY | O_CLOEXEC);
	auto_close int view = -1, copy = -1;
	int r;

	if (self < 0)
		return fail_errno("open %s", exe);
	if (is_protected(self))
		return 0;
	view = clone_mount();
	if (view >= 0)
		run_from(view, name, args);
	copy = copy_to_memory(self);
	r = copy < 0 ? copy : run_from(copy, name, args);
	return fail(-r, "protect our own executable: %s", strerror(-r));
}
