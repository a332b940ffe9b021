/* SPDX-License-Identifier: MIT */
/* startmnt - steps of the new process: what is mounted in its root
 *
 * Every place inside the root is found through the resolver, held as a descriptor, and mounted on
 * as /proc/self/fd/N of the host's procfs, which no image can have touched; then it is opened
 * again and must be what was mounted.
 *
 * Map: mounts; devices; terminal; sysctls; masked and read-only paths. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "engine/start.h"

#include "base/fail.h"
#include "engine/copyup.h"
#include "kernel/fd.h"
#include "kernel/mnt.h"
#include "kernel/path.h"

/* --- mounts --- */

/* Is TARGET one of the places that are ours, or below one? */
static bool is_own_place(const char *target)
{
	static const char *const places[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t len = strlen(places[i]);

		if (strncmp(target, places[i], len) == 0 && (!target[len] || target[len] == '/'))
			return true;
	}
	return false;
}

/* Open the place of a mount, an absolute path in the root. What a user mounts may lie behind links of the
 * image, which then lead within it; our own places must be what they seem. */
static int open_place(struct start *s, const struct spec_mount *m)
{
	const char *path = m->target + strspn(m->target, "/");

	if (!*path)
		path = ".";
	return is_own_place(m->target) ? path_open_plain(s->root, path, O_PATH)
				       : path_open(s->root, path, O_PATH);
}

/* Make the place that is missing: a directory, or a file for a file. */
static int make_place(struct start *s, const struct spec_mount *m, int source)
{
	const char *path = m->target + strspn(m->target, "/"), *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	auto_close int dir = -1;
	struct stat st;

	if (source >= 0 && fstat(source, &st) < 0)
		return -errno;
	if (source < 0 || S_ISDIR(st.st_mode)) {
		dir = path_mkdirs(s->root, path, 0755, 0, 0);
		return dir < 0 ? dir : 0;
	}
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 1,
		slash ? path : ".");
	dir = path_mkdirs(s->root, parent, 0755, 0, 0);
	if (dir < 0)
		return dir;
	return mknodat(dir, slash ? slash + 1 : path, S_IFREG | 0644, 0) < 0 ? -errno : 0;
}

/* Nothing but a procfs belongs where one is: through it we set limits and labels (CVE-2019-19921), and a
 * program reads its own state there. */
static bool is_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static int check_place(struct start *s, const struct spec_mount *m, int place)
{
	struct stat here, root;

	if (fstat(place, &here) < 0 || fstat(s->root, &root) < 0)
		return -errno;
	if (here.st_dev == root.st_dev && here.st_ino == root.st_ino) {
		s->hint = HINT_ROOT;
		return -EINVAL;
	}
	if (strcmp(m->type, "proc") != 0 && is_proc(place)) {
		s->hint = HINT_PROC;
		return -EPERM;
	}
	return 0;
}

/* Somebody who can write to the tree, or shares a volume, may have moved the place away meanwhile: is what
 * is there now what we mounted? */
static int check_mounted(struct start *s, const struct spec_mount *m, int place, int source)
{
	int now = open_place(s, m);
	struct stat before, after;
	bool same;

	if (now < 0)
		return now;
	if (fstat(source >= 0 ? source : place, &before) < 0 || fstat(now, &after) < 0) {
		close(now);
		return -EBUSY;
	}
	same = before.st_dev == after.st_dev && (source < 0 || before.st_ino == after.st_ino);
	if (same == (source >= 0))
		return now;
	close(now);
	return -EBUSY;
}

/* The flags that a bind takes after it was made, for the mounts below it, too. */
static int set_bind_flags(const struct spec_mount *m, const char *on)
{
	uint64_t attr = 0;

	if (m->flags & MS_RDONLY)
		attr |= MOUNT_ATTR_RDONLY;
	if (m->flags & MS_NOSUID)
		attr |= MOUNT_ATTR_NOSUID;
	if (m->flags & MS_NODEV)
		attr |= MOUNT_ATTR_NODEV;
	if (m->flags & MS_NOEXEC)
		attr |= MOUNT_ATTR_NOEXEC;
	return attr ? mnt_set_flags(on, attr, m->flags & MS_REC) : 0;
}

static int set_propagation(const struct spec_mount *m, const char *on)
{
	unsigned long kind = m->propagation ? m->propagation : MS_PRIVATE | MS_REC;

	return mount(NULL, on, NULL, kind, NULL) < 0 ? -errno : 0;
}

static int mount_on(struct start *s, const struct spec_mount *m, int place, int source)
{
	char on[START_FD_PATH], from[START_FD_PATH];
	const char *type = m->type;

	if (source >= 0)
		return mount(start_fd_path(from, source), start_fd_path(on, place), NULL,
			       m->flags & (MS_BIND | MS_REC), NULL) < 0
			? -errno
			: 0;
	if (strcmp(type, "cgroup") == 0) {
		/* Version 1 has a mount for each controller; what is in them is not worth that. */
		if (!s->unified)
			return 1;
		type = "cgroup2";
	}
	if (mount(m->source, start_fd_path(on, place), type, m->flags, m->data) == 0)
		return 0;
	if (errno == ENODEV && m->optional)
		return 1;
	if (errno == ENODEV)
		s->hint = HINT_KERNEL;
	return -errno;
}

/* 0, or an errno value. */
static int mount_one(struct start *s, const struct spec_mount *m, int source)
{
	auto_close int place = open_place(s, m), now = -1;
	char on[START_FD_PATH];
	int r;

	if (place == -ENOENT) {
		r = make_place(s, m, source);
		if (r < 0)
			return r;
		place = open_place(s, m);
	}
	if (place == -ELOOP || place == -ENOTDIR)
		s->hint = HINT_LINK;
	r = place < 0 ? place : check_place(s, m, place);
	if (r == 0 && m->copy_up)
		r = copy_up(place, source);
	if (r == 0)
		r = mount_on(s, m, place, source);
	if (r != 0)
		return r < 0 ? r : 0;
	now = check_mounted(s, m, place, source);
	if (now < 0)
		return now;
	start_fd_path(on, now);
	r = source >= 0 ? set_bind_flags(m, on) : 0;
	return r < 0 ? r : set_propagation(m, on);
}

int start_mounts(struct start *s)
{
	for (size_t i = 0; i < s->spec->mount_count; i++) {
		const struct spec_mount *m = &s->spec->mounts[i];
		int r = mount_one(s, m, s->sources[i]);

		if (r < 0)
			return start_failed(s, -r, m->target);
	}
	return 0;
}

/* --- devices --- */

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = {
	{ "null", 1, 3 },
	{ "zero", 1, 5 },
	{ "full", 1, 7 },
	{ "random", 1, 8 },
	{ "urandom", 1, 9 },
	{ "tty", 5, 0 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "ptmx", "pts/ptmx" },
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
};

/* What every program expects, in the fresh tmpfs that is ours alone. */
static int make_defaults(struct start *s, int dev)
{
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		if (mknodat(dev, devices[i].name, S_IFCHR | 0666,
			    makedev(devices[i].major, devices[i].minor)) < 0 &&
			errno != EEXIST)
			return start_failed(s, errno, devices[i].name);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return start_failed(s, errno, links[i].name);
	return 0;
}

static bool is_fresh(const struct start *s, const char *target)
{
	for (size_t i = 0; i < s->spec->mount_count; i++)
		if (strcmp(s->spec->mounts[i].target, target) == 0)
			return strcmp(s->spec->mounts[i].type, "tmpfs") == 0;
	return false;
}

static int make_device(struct start *s, const struct spec_device *d)
{
	const char *name;
	auto_close int dir = -1;
	char parent[PATH_MAX];
	const char *slash = strrchr(d->path, '/');

	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - d->path), d->path);
	dir = path_mkdirs(s->root, parent, 0755, 0, 0);
	name = slash + 1;
	if (dir < 0)
		return start_failed(s, -dir, d->path);
	if (mknodat(dir, name, d->type | d->mode, makedev(d->major, d->minor)) < 0 ||
		fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return start_failed(s, errno, d->path);
	return 0;
}

int start_devices(struct start *s)
{
	auto_close int dev = path_open_plain(s->root, "dev", O_PATH | O_DIRECTORY);
	int r = 0;

	if (dev < 0)
		return start_failed(s, -dev, "/dev");
	/* A directory of the host in this place has what it has. */
	if (is_fresh(s, "/dev"))
		r = make_defaults(s, dev);
	for (size_t i = 0; i < s->spec->device_count && r == 0; i++)
		r = make_device(s, &s->spec->devices[i]);
	return r;
}

/* --- terminal --- */

/* A new pty of the container's own devpts; the parent gets the master. The slave is opened through the
 * master, never by a name that somebody may have replaced (CVE-2025-52565). */
int start_terminal(struct start *s)
{
	auto_close int pts = -1, master = -1, slave = -1, dev = -1;
	struct winsize size = { .ws_row = s->spec->rows, .ws_col = s->spec->columns };
	char on[START_FD_PATH], from[START_FD_PATH];
	int unlock = 0;
	struct statfs fs;

	if (!s->spec->terminal)
		return 0;
	pts = path_open_plain(s->root, "dev/pts", O_PATH | O_DIRECTORY);
	if (pts < 0 || fstatfs(pts, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return start_failed(s, pts < 0 ? -pts : ENODEV, "/dev/pts");
	master = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return start_failed(s, errno, "/dev/pts/ptmx");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); /* Linux 4.13 */
	if (slave < 0 || (size.ws_row && ioctl(master, TIOCSWINSZ, &size) < 0) ||
		ioctl(slave, TIOCSCTTY, 0) < 0)
		return start_failed(s, errno, "/dev/pts");
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return -errno;
	/* Also under the name that programs look for. */
	dev = path_open_plain(s->root, "dev", O_PATH | O_DIRECTORY);
	if (dev < 0 || (mknodat(dev, "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST))
		return start_failed(s, dev < 0 ? -dev : errno, "/dev/console");
	close(dev);
	dev = path_open_plain(s->root, "dev/console", O_PATH);
	if (dev < 0 ||
		mount(start_fd_path(from, slave), start_fd_path(on, dev), NULL, MS_BIND, NULL) < 0)
		return start_failed(s, dev < 0 ? -dev : errno, "/dev/console");
	return fd_send(s->console, "p", 1, &master, 1);
}

/* --- sysctls --- */

static bool joins(const struct start *s, int namespace)
{
	for (size_t i = 0; i < s->spec->join_count; i++)
		if (s->spec->joins[i].flag & namespace)
			return true;
	return false;
}

int start_sysctls(struct start *s)
{
	for (size_t i = 0; i < s->spec->sysctl_count; i++) {
		const struct spec_sysctl *c = &s->spec->sysctls[i];
		int namespace = spec_sysctl_namespace(c->path);
		char path[256];
		auto_close int fd = -1;
		int r;

		/* What is not the container's own would change the host. */
		if (!(namespace & s->spec->namespaces) && !joins(s, namespace)) {
			if (c->optional)
				continue;
			return start_failed(s, EPERM, c->path);
		}
		snprintf(path, sizeof(path), "proc/sys/%s", c->path);
		fd = path_open_plain(s->root, path, O_WRONLY);
		if (fd == -ENOENT && c->optional)
			continue;
		r = fd < 0 ? fd : fd_write(fd, c->value, strlen(c->value));
		if (r < 0)
			return start_failed(s, -r, c->path);
	}
	return 0;
}

/* --- masked and read-only paths --- */

/* A path below our own /proc or /sys that this kernel does not have needs no mask. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR;
}

/* The first directory gets a tmpfs that holds nothing; the others share it. */
static int mask_directory(struct start *s, const char *path, const char *on)
{
	char from[START_FD_PATH];

	if (s->empty >= 0)
		return mount(start_fd_path(from, s->empty), on, NULL, MS_BIND, NULL) < 0 ? -errno
											 : 0;
	if (mount("tmpfs", on, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "nr_blocks=1,nr_inodes=1") < 0)
		return -errno;
	s->empty = path_open_plain(s->root, path, O_PATH | O_DIRECTORY);
	return s->empty < 0 ? s->empty : 0;
}

static int mask_one(struct start *s, const char *path)
{
	auto_close int fd = path_open_plain(s->root, path + 1, O_PATH);
	char on[START_FD_PATH], from[START_FD_PATH];
	struct stat st;
	int r = 0;

	if (is_absent(fd))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return start_failed(s, fd < 0 ? -fd : errno, path);
	if (S_ISDIR(st.st_mode))
		r = mask_directory(s, path + 1, start_fd_path(on, fd));
	else if (mount(start_fd_path(from, s->null), start_fd_path(on, fd), NULL, MS_BIND, NULL) <
		0)
		r = -errno;
	return r < 0 ? start_failed(s, -r, path) : 0;
}

/* PATH holds one "*" at the end of a part: mask it for each number that stands there. */
static int mask_each(struct start *s, const char *path, const char *star)
{
	char parent[PATH_MAX], one[PATH_MAX];
	const char *name = star;
	struct dirent *e;
	DIR *dir;
	int fd, r = 0;

	while (name > path && name[-1] != '/')
		name--;
	snprintf(parent, sizeof(parent), "%.*s", (int)(name - path - 1), path + 1);
	fd = path_open_plain(s->root, parent, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return is_absent(fd) ? 0 : start_failed(s, -fd, path);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(dir))) {
		const char *number = e->d_name + (star - name);

		if (strncmp(e->d_name, name, (size_t)(star - name)) != 0 || *number < '0' ||
			*number > '9')
			continue;
		snprintf(one, sizeof(one), "%.*s%s%s", (int)(name - path), path, e->d_name,
			star + 1);
		r = mask_one(s, one);
	}
	closedir(dir);
	return r;
}

static int make_read_only(struct start *s, const char *path)
{
	auto_close int fd = path_open_plain(s->root, path + 1, O_PATH), now = -1;
	char on[START_FD_PATH];
	int r;

	if (is_absent(fd))
		return 0;
	if (fd < 0)
		return start_failed(s, -fd, path);
	if (mount(start_fd_path(on, fd), on, NULL, MS_BIND | MS_REC, NULL) < 0)
		return start_failed(s, errno, path);
	now = path_open_plain(s->root, path + 1, O_PATH);
	r = now < 0 ? now : mnt_set_flags(start_fd_path(on, now), MOUNT_ATTR_RDONLY, false);
	return r < 0 ? start_failed(s, -r, path) : 0;
}

int start_masks(struct start *s)
{
	char *const *path;
	int r = 0;

	for (path = s->spec->masked; path && *path && r == 0; path++) {
		const char *star = strchr(*path, '*');

		r = star ? mask_each(s, *path, star) : mask_one(s, *path);
	}
	for (path = s->spec->read_only; path && *path && r == 0; path++)
		r = make_read_only(s, *path);
	return r;
}
