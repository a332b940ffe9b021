/* SPDX-License-Identifier: MIT */
/* startfs - steps of the new process: its root, and the way into it
 *
 * The root is assembled in this process's own mount namespace, on a private tmpfs, so that the
 * host's mounts never change and nothing is left when it dies. Every place inside the root is
 * found through the resolver, without links, held as a descriptor, and mounted on as
 * /proc/self/fd/N of the host's procfs, which no image can have touched; then it is opened again
 * and must be another file system. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/start.h"

#include "base/buf.h"
#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/mnt.h"
#include "kernel/path.h"

/* Where the private tmpfs goes: any directory that every host has and that we need no more. */
#define STAGE "/sys"

#define FD_PATH_LEN 32

static const char *fd_path(char out[FD_PATH_LEN], int fd)
{
	snprintf(out, FD_PATH_LEN, "/proc/self/fd/%d", fd);
	return out;
}

int start_isolate(struct start *s)
{
	struct statfs cgroup;
	int r;

	/* Until the exec nobody may trace us or look through /proc at what we hold open. */
	prctl(PR_SET_DUMPABLE, 0);
	umask(0);
	s->unified = statfs("/sys/fs/cgroup", &cgroup) == 0 && cgroup.f_type == CGROUP2_SUPER_MAGIC;
	r = mnt_isolate();
	if (r < 0)
		return r;
	/* In our copy of the mounts; a descriptor from before would belong to the host's. */
	s->source = open(s->spec->root.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->source < 0 ? start_failed(s, errno, s->spec->root.dir) : 0;
}

/* --- the root --- */

/* The top of an overlay is its upper directory: give it what the image says about "/". */
static int make_upper(struct start *s)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s/fs", s->spec->root.layers[0]);
	if (fstatat(s->source, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return start_failed(s, errno, name);
	if (mkdir(STAGE "/upper", 0700) < 0 || mkdir(STAGE "/work", 0700) < 0 ||
		mkdir(STAGE "/links", 0700) < 0 ||
		chown(STAGE "/upper", st.st_uid, st.st_gid) < 0 ||
		chmod(STAGE "/upper", st.st_mode & 07777) < 0)
		return start_failed(s, errno, STAGE);
	return 0;
}

/* The names of the layers as paths of this namespace, which do not change when STAGE hides them. */
static int lower_paths(const struct start *s, struct buf *text, const char **list)
{
	const struct spec_root *root = &s->spec->root;
	const char *at;

	for (size_t i = 0; i < root->layer_count; i++) {
		buf_printf(text, "/proc/self/fd/%d/%s/fs", s->source, root->layers[i]);
		buf_putc(text, '\0');
	}
	if (buf_check(text) < 0)
		return -ENOMEM;
	at = text->data;
	for (size_t i = 0; i < root->layer_count; i++) {
		list[i] = at;
		at += strlen(at) + 1;
	}
	return 0;
}

static int mount_layers(struct start *s)
{
	auto_buf struct buf text = { 0 };
	auto_free const char **list = calloc(s->spec->root.layer_count, sizeof(*list));
	struct mnt_overlay overlay = {
		.lower = list,
		.count = s->spec->root.layer_count,
		.upper = STAGE "/upper",
		.work = STAGE "/work",
		.scratch = STAGE "/links",
	};
	int r = list ? make_upper(s) : -ENOMEM;

	if (r == 0)
		r = lower_paths(s, &text, list);
	if (r < 0)
		return r;
	r = mnt_overlay(&overlay, STAGE "/root");
	if (r == -ENODEV)
		s->hint = HINT_OVERLAY;
	return r;
}

/* The directory itself, with what the user has mounted in it, cut off from later mounts of the
 * host. */
static int mount_dir(struct start *s)
{
	char from[FD_PATH_LEN];

	if (mount(fd_path(from, s->source), STAGE "/root", NULL, MS_BIND | MS_REC, NULL) < 0 ||
		mount(NULL, STAGE "/root", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return start_failed(s, errno, s->spec->root.dir);
	return 0;
}

int start_root(struct start *s)
{
	int r = 0;

	if (mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") < 0 ||
		mkdir(STAGE "/root", 0700) < 0)
		return start_failed(s, errno, STAGE);
	switch (s->spec->root.kind) {
	case SPEC_ROOT_LAYERS: r = mount_layers(s); break;
	case SPEC_ROOT_DIR: r = mount_dir(s); break;
	}
	if (r < 0)
		return r;
	s->root = open(STAGE "/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->root < 0 ? start_failed(s, errno, STAGE) : 0;
}

/* --- mounts --- */

/* Open the place of a mount, an absolute path, and make it where it is missing.
 *
 * */
static int open_place(struct start *s, const char *target)
{
	const char *path = target + 1, *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	auto_close int dir = -1;
	int fd = path_open_plain(s->root, path, O_PATH | O_DIRECTORY);

	if (fd != -ENOENT)
		return fd;
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 1,
		slash ? path : ".");
	dir = path_open_plain(s->root, parent, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;
	if (mkdirat(dir, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST)
		return -errno;
	return path_open_plain(s->root, path, O_PATH | O_DIRECTORY);
}

static int mount_one(struct start *s, const struct spec_mount *m)
{
	auto_close int place = open_place(s, m->target), now = -1;
	char on[FD_PATH_LEN];
	struct stat before, after;

	if (place < 0) {
		if (place == -ELOOP || place == -ENOTDIR)
			s->hint = HINT_LINK;
		return start_failed(s, -place, m->target);
	}
	if (mount(m->source, fd_path(on, place), m->type, m->flags, m->data) < 0) {
		if (errno == ENODEV && m->optional)
			return 0;
		if (errno == ENODEV)
			s->hint = HINT_KERNEL;
		return start_failed(s, errno, m->target);
	}
	/* Somebody who can write to a directory used as root may have moved the place away
	 * meanwhile. */
	now = path_open_plain(s->root, m->target + 1, O_PATH | O_DIRECTORY);
	if (now < 0 || fstat(place, &before) < 0 || fstat(now, &after) < 0 ||
		before.st_dev == after.st_dev)
		return start_failed(s, now < 0 ? -now : EBUSY, m->target);
	return 0;
}

int start_mounts(struct start *s)
{
	for (size_t i = 0; i < s->spec->mount_count; i++) {
		const struct spec_mount *m = &s->spec->mounts[i];
		int r = m->unified && !s->unified ? 0 : mount_one(s, m);

		if (r < 0)
			return r;
	}
	return 0;
}

int start_devices(struct start *s)
{
	auto_close int dev = path_open_plain(s->root, "dev", O_PATH | O_DIRECTORY);

	if (dev < 0)
		return start_failed(s, -dev, "/dev");
	for (size_t i = 0; i < s->spec->device_count; i++) {
		const struct spec_device *d = &s->spec->devices[i];

		if (mknodat(dev, d->name, S_IFCHR | 0666, makedev(d->major, d->minor)) < 0)
			return start_failed(s, errno, d->name);
	}
	for (size_t i = 0; i < s->spec->link_count; i++) {
		const struct spec_link *l = &s->spec->links[i];

		if (symlinkat(l->target, dev, l->name) < 0)
			return start_failed(s, errno, l->name);
	}
	/* The fresh tmpfs is ours alone: this is the device that was just made (CVE-2025-31133). */
	s->null = openat(dev, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return s->null < 0 ? start_failed(s, errno, "null") : 0;
}

int start_sysctls(struct start *s)
{
	for (size_t i = 0; i < s->spec->sysctl_count; i++) {
		const struct spec_sysctl *c = &s->spec->sysctls[i];
		char path[256];
		auto_close int fd = -1;
		int r;

		if (!(c->namespace & s->spec->namespaces))
			continue;
		snprintf(path, sizeof(path), "proc/sys/%s", c->path);
		fd = path_open_plain(s->root, path, O_WRONLY);
		if (fd == -ENOENT)
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
	char from[FD_PATH_LEN];

	if (s->empty >= 0)
		return mount(fd_path(from, s->empty), on, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
	if (mount("tmpfs", on, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "nr_blocks=1,nr_inodes=1") < 0)
		return -errno;
	s->empty = path_open_plain(s->root, path, O_PATH | O_DIRECTORY);
	return s->empty < 0 ? s->empty : 0;
}

static int mask_one(struct start *s, const char *path)
{
	auto_close int fd = path_open_plain(s->root, path + 1, O_PATH);
	char on[FD_PATH_LEN], from[FD_PATH_LEN];
	struct stat st;
	int r = 0;

	if (is_absent(fd))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return start_failed(s, fd < 0 ? -fd : errno, path);
	if (S_ISDIR(st.st_mode))
		r = mask_directory(s, path + 1, fd_path(on, fd));
	else if (mount(fd_path(from, s->null), fd_path(on, fd), NULL, MS_BIND, NULL) < 0)
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
	char on[FD_PATH_LEN];
	int r;

	if (is_absent(fd))
		return 0;
	if (fd < 0)
		return start_failed(s, -fd, path);
	if (mount(fd_path(on, fd), on, NULL, MS_BIND | MS_REC, NULL) < 0)
		return start_failed(s, errno, path);
	now = path_open_plain(s->root, path + 1, O_PATH);
	r = now < 0 ? now : mnt_set_flags(fd_path(on, now), MOUNT_ATTR_RDONLY, false);
	return r < 0 ? start_failed(s, -r, path) : 0;
}

int start_masks(struct start *s)
{
	int r = 0;

	for (size_t i = 0; i < s->spec->masked_count && r == 0; i++) {
		const char *path = s->spec->masked[i], *star = strchr(path, '*');

		r = star ? mask_each(s, path, star) : mask_one(s, path);
	}
	for (size_t i = 0; i < s->spec->read_only_count && r == 0; i++)
		r = make_read_only(s, s->spec->read_only[i]);
	return r;
}

/* --- what must be looked up in the root --- */

/* Append the content of a regular file of the root. It is looked at before it is opened: a FIFO
 * would make us wait and a device might do things. Absent is empty. */
static int read_root_file(struct start *s, const char *path, struct buf *out)
{
	auto_close int look = path_open(s->root, path, O_PATH), fd = -1;
	char again[FD_PATH_LEN];
	struct stat st;

	if (look < 0)
		return is_absent(look) ? 0 : look;
	if (fstat(look, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd = open(fd_path(again, look), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_read_all(fd, out, PASSWD_FILE_MAX);
}

int start_user(struct start *s)
{
	auto_buf struct buf passwd = { 0 }, group = { 0 };
	struct passwd_files files;
	int r;

	s->hint = HINT_USER_FILE;
	r = read_root_file(s, "etc/passwd", &passwd);
	if (r < 0)
		return start_failed(s, -r, "/etc/passwd");
	r = read_root_file(s, "etc/group", &group);
	if (r < 0)
		return start_failed(s, -r, "/etc/group");
	files = (struct passwd_files){ passwd.data, group.data, passwd.len, group.len };
	r = passwd_find(&s->user, s->spec->user, &files);
	s->hint = r == -ENOENT ? HINT_USER : r == -EINVAL ? HINT_USER_FORM : HINT_USER_FILE;
	if (r < 0)
		return start_failed(s, -r, s->spec->user);
	s->hint = HINT_NONE;
	return 0;
}

int start_workdir(struct start *s)
{
	/* Followed and made inside the root; what leads elsewhere does not exist there. */
	s->workdir = path_mkdirs(s->root, s->spec->cwd, 0755, 0, 0);
	return s->workdir < 0 ? start_failed(s, -s->workdir, s->spec->cwd) : 0;
}

int start_pivot(struct start *s)
{
	int r = mnt_pivot(s->root);

	if (r == -EINVAL)
		s->hint = HINT_INITRAMFS;
	return r;
}
