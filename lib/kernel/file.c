/* SPDX-License-Identifier: MIT */
/* file - durable files and locks between processes */
#include "kernel/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/str.h"
#include "kernel/fd.h"

static int sync_dir(int dir)
{
	/* A descriptor opened with O_PATH cannot be synced; open what it stands for. */
	auto_close int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return fail_errno("sync a directory");
	return 0;
}

void file_random_name(char out[17])
{
	unsigned char bytes[8];

	/* Blocks only in the first seconds of a machine's life; of 8 bytes never cut short. */
	while (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		;
	str_hex(out, bytes, sizeof(bytes));
}

/* Write and sync TMP/NAME, a new file. It is removed again when that fails. */
static int write_temporary(int tmp, const char *name, const void *data, size_t len)
{
	auto_close int fd = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return fail_errno("create '%s'", name);
	r = fd_write(fd, data, len);
	if (r < 0)
		fail(-r, "write '%s': %s", name, strerror(-r));
	else if (fsync(fd) < 0)
		r = fail_errno("sync '%s'", name);
	if (r < 0)
		unlinkat(tmp, name, 0);
	return r;
}

int file_replace(int tmp, int dir, const char *name, const void *data, size_t len)
{
	char temporary[17];
	int r;

	file_random_name(temporary);
	r = write_temporary(tmp, temporary, data, len);
	if (r < 0)
		return fail_wrap(r, "'%s'", name);
	if (renameat(tmp, temporary, dir, name) < 0) {
		r = fail_errno("rename to '%s'", name);
		unlinkat(tmp, temporary, 0);
		return r;
	}
	return sync_dir(dir);
}

int file_create(int tmp, int dir, const char *name, const void *data, size_t len)
{
	char temporary[17];
	int r;

	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	file_random_name(temporary);
	r = write_temporary(tmp, temporary, data, len);
	if (r < 0)
		return fail_wrap(r, "'%s'", name);
	/* A link, other than a rename, never replaces. */
	if (linkat(tmp, temporary, dir, name, 0) < 0)
		r = errno == EEXIST ? -EEXIST : fail_errno("link to '%s'", name);
	unlinkat(tmp, temporary, 0);
	return r < 0 ? r : sync_dir(dir);
}

int file_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int r;

	if (syscall(SYS_renameat2, from_dir, from, to_dir, to, flags) < 0)
		return fail_errno("rename '%s' to '%s'", from, to);
	r = sync_dir(to_dir);
	return r < 0 ? r : sync_dir(from_dir);
}

int file_remove(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		return sync_dir(dir);
	return errno == ENOENT ? 0 : fail_errno("remove '%s'", name);
}

int file_mkdir(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return fail_errno("create directory '%s'", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno("open directory '%s'", name) : fd;
}

/* Lock FD: 0, or -EAGAIN without text. */
static int lock_fd(int fd, enum file_lock_mode mode, bool wait)
{
	struct flock lock = {
		.l_type = mode == FILE_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
	};
	int r;

	do
		r = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EAGAIN : fail_errno("lock");
}

/* Is FD still what NAME in DIR leads to? */
static bool is_current(int dir, const char *name, int fd)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
		here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

int file_lock(int dir, const char *name, enum file_lock_mode mode, bool wait)
{
	for (;;) {
		auto_close int fd =
			openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		int r;

		if (fd < 0)
			return fail_errno("open lock '%s'", name);
		r = lock_fd(fd, mode, wait);
		if (r == -EAGAIN)
			return r;
		if (r < 0)
			return fail_wrap(r, "'%s'", name);
		/* The holder before us may have removed the file: then this is a lock on nothing. */
		if (is_current(dir, name, fd))
			return take_fd(&fd);
	}
}

bool file_is_locked(int dir, const char *name)
{
	auto_close int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void file_unlock_remove(int dir, const char *name, int fd)
{
	unlinkat(dir, name, 0);
	close(fd);
}

/* Since Linux 5.8 syncfs tells of writes that failed. */
static bool syncfs_reports(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
		(major > 5 || (major == 5 && minor >= 8));
}

static int sync_entry(int dir, const char *name);

/* Sync the directory FD, which is taken, and all below. */
static int sync_below(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		r = fail_errno("open a directory");
		close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = sync_entry(fd, e->d_name);
	if (r == 0 && errno)
		r = fail_errno("read a directory");
	if (r == 0 && fsync(fd) < 0)
		r = fail_errno("sync a directory");
	closedir(d);
	return r;
}

static int sync_entry(int dir, const char *name)
{
	struct stat st;
	int fd, r = 0;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("stat '%s'", name);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("open '%s'", name);
	if (S_ISDIR(st.st_mode))
		return sync_below(fd);
	if (fsync(fd) < 0)
		r = fail_errno("sync '%s'", name);
	close(fd);
	return r;
}

int file_sync_tree(int fd)
{
	int tree;

	if (syncfs_reports())
		return syncfs(fd) < 0 ? fail_errno("write to disk") : 0;
	tree = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tree < 0 ? fail_errno("open a directory") : sync_below(tree);
}
