/* SPDX-License-Identifier: MIT */
/* mnt - mounts of a mount namespace that is ours */
#include "kernel/mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "kernel/fd.h"

#define OPTIONS_MAX   4095 /* the kernel copies one page */
#define MOUNTINFO_MAX (64u << 20)

int mnt_isolate(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail_errno("separate our mounts from the host's");
	return 0;
}

/* --- overlay --- */

/* A path as the value of an overlay option: its separators are escaped. */
static void add_path(struct buf *b, const char *path)
{
	for (; *path; path++) {
		if (strchr("\\:,", *path))
			buf_putc(b, '\\');
		buf_putc(b, *path);
	}
}

/* The list of lower directories, top first. PREFIX: through short links instead, "PREFIX/0" and so on. */
static void add_lower(struct buf *b, const struct mnt_overlay *o, const char *prefix)
{
	buf_puts(b, "lowerdir=");
	for (size_t i = 0; i < o->count; i++) {
		if (i > 0)
			buf_putc(b, ':');
		if (!prefix) {
			add_path(b, o->lower[i]);
			continue;
		}
		add_path(b, prefix);
		buf_printf(b, "/%zu", i);
	}
}

static void add_rest(struct buf *b, const struct mnt_overlay *o)
{
	if (o->upper) {
		buf_puts(b, ",upperdir=");
		add_path(b, o->upper);
		buf_puts(b, ",workdir=");
		add_path(b, o->work);
	}
	if (o->userxattr)
		buf_puts(b, ",userxattr");
	if (o->is_volatile)
		buf_puts(b, ",volatile");
}

static int make_links(const struct mnt_overlay *o)
{
	for (size_t i = 0; i < o->count; i++) {
		char name[PATH_MAX];

		if (snprintf(name, sizeof(name), "%s/%zu", o->scratch, i) >= (int)sizeof(name))
			return fail(ENAMETOOLONG, "scratch directory '%s'", o->scratch);
		if (symlink(o->lower[i], name) < 0)
			return fail_errno("make link '%s'", name);
	}
	return 0;
}

static int overlay_options(struct buf *b, const struct mnt_overlay *o)
{
	int r;

	add_lower(b, o, NULL);
	add_rest(b, o);
	if (b->len > OPTIONS_MAX && *o->scratch) {
		r = make_links(o);
		if (r < 0)
			return r;
		buf_clear(b);
		add_lower(b, o, o->scratch);
		add_rest(b, o);
	}
	if (b->len > OPTIONS_MAX)
		return fail(E2BIG, "the names of %zu layers do not fit into a page", o->count);
	return buf_check(b);
}

int mnt_overlay(const struct mnt_overlay *o, const char *target)
{
	auto_buf struct buf options = { 0 };
	int r = overlay_options(&options, o);

	if (r < 0)
		return r;
	if (mount("overlay", target, "overlay", 0, buf_str(&options)) == 0)
		return 0;
	r = fail_errno("mount an overlay on '%s'", target);
	return r == -ENODEV ? fail_hint(r, "the kernel needs CONFIG_OVERLAY_FS") : r;
}

/* --- flags --- */

static int set_attributes(const char *path, uint64_t flags, bool recursive)
{
	struct mount_attr attr = { .attr_set = flags };
	long r = syscall(SYS_mount_setattr, AT_FDCWD, path, recursive ? AT_RECURSIVE : 0, &attr,
		sizeof(attr));

	return r < 0 ? -errno : 0;
}

/* MOUNT_ATTR_*, ST_* of statvfs and MS_* of mount for the same thing. */
static const struct {
	uint64_t attr;
	unsigned long st, ms;
} words[] = {
	{ MOUNT_ATTR_RDONLY, ST_RDONLY, MS_RDONLY },
	{ MOUNT_ATTR_NOSUID, ST_NOSUID, MS_NOSUID },
	{ MOUNT_ATTR_NODEV, ST_NODEV, MS_NODEV },
	{ MOUNT_ATTR_NOEXEC, ST_NOEXEC, MS_NOEXEC },
	{ MOUNT_ATTR_NOATIME, ST_NOATIME, MS_NOATIME },
	{ MOUNT_ATTR_NODIRATIME, ST_NODIRATIME, MS_NODIRATIME },
	{ 0, ST_RELATIME, MS_RELATIME },
};

/* Before Linux 5.12: the remount of a bind mount sets all flags, so name those that are there. */
static int remount(const char *path, uint64_t flags)
{
	unsigned long ms = MS_REMOUNT | MS_BIND;
	struct statvfs st;

	if (statvfs(path, &st) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (st.f_flag & words[i].st || flags & words[i].attr)
			ms |= words[i].ms;
	return mount(NULL, path, NULL, ms, NULL) < 0 ? -errno : 0;
}

int mnt_set_flags(const char *path, uint64_t flags, bool recursive)
{
	int r = set_attributes(path, flags, recursive);

	if (r == -ENOSYS && !recursive)
		r = remount(path, flags);
	if (r < 0)
		return fail(-r, "set the flags of mount '%s': %s", path, strerror(-r));
	return 0;
}

/* --- root --- */

int mnt_pivot(int new_root)
{
	int r;

	if (fchdir(new_root) < 0)
		return fail_errno("enter the new root");
	/* The old root comes to lie on top of the new one, and that is where "." then leads. */
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		r = fail_errno("change the root");
		if (r == -EINVAL)
			fail_hint(r,
				"an initramfs cannot be left; move to a tmpfs first (switch_root)");
		return r;
	}
	if (umount2(".", MNT_DETACH) < 0)
		return fail_errno("detach the old root");
	if (chdir("/") < 0)
		return fail_errno("enter the new root");
	return 0;
}

/* --- questions --- */

/* Undo the \ooo of mountinfo in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* Field 5 of a line of mountinfo, which is cut up; NULL if it is none. */
static char *mount_point(char *line)
{
	char *at = line, *end;

	for (int field = 1; field < 5; field++) {
		at = strchr(at, ' ');
		if (!at)
			return NULL;
		at++;
	}
	end = strchr(at, ' ');
	if (!end)
		return NULL;
	*end = '\0';
	unescape(at);
	return at;
}

bool mnt_is_busy(int dir)
{
	auto_buf struct buf text = { 0 };
	char link[48], path[PATH_MAX];
	char *line, *next, *at;
	ssize_t len;
	int info;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	len = readlink(link, path, sizeof(path) - 1);
	info = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (len <= 0 || info < 0 || fd_read_all(info, &text, MOUNTINFO_MAX) < 0) {
		/* Who cannot know must not say that nothing is mounted. */
		if (info >= 0)
			close(info);
		return true;
	}
	close(info);
	path[len] = '\0';
	if (len == 1)
		len = 0; /* everything is below "/" */
	for (line = text.data; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		at = mount_point(line);
		if (at && strncmp(at, path, (size_t)len) == 0 && (!at[len] || at[len] == '/'))
			return true;
	}
	return false;
}
