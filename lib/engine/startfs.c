/* SPDX-License-Identifier: MIT */
/* startfs - steps of the new process: its root, and the way into it
 *
 * The root is assembled in this process's own mount namespace, on a private tmpfs, so that the
 * host's mounts never change and nothing is left when it dies. startmnt.c fills it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sched.h>
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

const char *start_fd_path(char out[START_FD_PATH], int fd)
{
	snprintf(out, START_FD_PATH, "/proc/self/fd/%d", fd);
	return out;
}

/* What is joined is found by a path of the host, so it comes before our own mounts. */
static int join_namespaces(struct start *s)
{
	for (size_t i = 0; i < s->spec->join_count; i++) {
		const struct spec_join *j = &s->spec->joins[i];
		auto_close int fd = -1;

		if (j->flag == CLONE_NEWPID)
			continue; /* only before the fork: the parent did that */
		fd = open(j->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, j->flag) < 0)
			return start_failed(s, errno, j->path);
	}
	return 0;
}

/* Descriptors of what is bound into the container: STAGE may hide it afterwards. */
static int open_sources(struct start *s)
{
	size_t count = s->spec->mount_count;

	s->sources = calloc(count + 1, sizeof(*s->sources));
	if (!s->sources)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct spec_mount *m = &s->spec->mounts[i];

		s->sources[i] = m->flags & MS_BIND ? open(m->source, O_PATH | O_CLOEXEC) : -1;
		if (m->flags & MS_BIND && s->sources[i] < 0)
			return start_failed(s, errno, m->source);
	}
	return 0;
}

int start_isolate(struct start *s)
{
	struct statfs cgroup;
	int r;

	/* Until the exec nobody may trace us or look through /proc at what we hold open. */
	prctl(PR_SET_DUMPABLE, 0);
	if (s->stays)
		prctl(PR_SET_PDEATHSIG, 0);
	umask(0);
	s->unified = statfs("/sys/fs/cgroup", &cgroup) == 0 && cgroup.f_type == CGROUP2_SUPER_MAGIC;
	r = join_namespaces(s);
	if (r == 0)
		r = mnt_isolate();
	if (r < 0)
		return r;
	/* In our copy of the mounts; descriptors from before would belong to the host's. */
	s->source = open(s->spec->root.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->source < 0)
		return start_failed(s, errno, s->spec->root.dir);
	if (s->spec->root.upper) {
		s->upper = open(s->spec->root.upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (s->upper < 0)
			return start_failed(s, errno, s->spec->root.upper);
	}
	return open_sources(s);
}

/* Wait for the parent: we are in our cgroups, and it has written down who we are. */
static int wait_for_go(struct start *s)
{
	char go;

	if (s->told)
		return 0;
	/* A parent that died says nothing. */
	if (fd_read(s->gate, &go, 1) != 1)
		return -ECANCELED;
	s->told = true;
	return 0;
}

/* The cgroup that we are in becomes the root of what the container sees. */
static int unshare_cgroup(struct start *s)
{
	if (!(s->spec->namespaces & CLONE_NEWCGROUP) || s->own_cgroup)
		return 0;
	s->own_cgroup = true;
	return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

int start_cgroup(struct start *s)
{
	int r = 0;

	/* Only a mount of cgroup2 cannot wait for the rest. */
	if (!s->unified)
		return 0;
	if (!s->placed)
		r = wait_for_go(s);
	return r < 0 ? r : unshare_cgroup(s);
}

int start_gate(struct start *s)
{
	int r = wait_for_go(s);

	return r < 0 ? r : unshare_cgroup(s);
}

/* --- the root --- */

/* What the image says about "/": the word of the highest layer that describes it. The unpacker leaves the
 * others with time 0. */
static int stat_root(struct start *s, struct stat *st)
{
	const struct spec_root *root = &s->spec->root;
	char name[PATH_MAX];

	for (size_t i = 0; i < root->layer_count; i++) {
		snprintf(name, sizeof(name), "%s/fs", root->layers[i]);
		if (fstatat(s->source, name, st, AT_SYMLINK_NOFOLLOW) < 0)
			return start_failed(s, errno, name);
		if (st->st_mtim.tv_sec || st->st_mtim.tv_nsec)
			break;
	}
	return 0;
}

/* The top of an overlay is its upper directory. One on disk is the container's when it starts again; before its
 * first mount there is nothing in work/ yet. */
static int make_upper(struct start *s, int at)
{
	struct stat st;
	int r = stat_root(s, &st);

	if (r < 0)
		return r;
	if ((mkdirat(at, "upper", 0700) < 0 && errno != EEXIST) ||
		(mkdirat(at, "work", 0700) < 0 && errno != EEXIST))
		return start_failed(s, errno, "upper");
	if (faccessat(at, "work/work", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (fchownat(at, "upper", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		fchmodat(at, "upper", st.st_mode & 07777, 0) < 0)
		return start_failed(s, errno, "upper");
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
	auto_close int stage = open(STAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int at = s->upper >= 0 ? s->upper : stage;
	auto_buf struct buf text = { 0 };
	auto_free const char **list = calloc(s->spec->root.layer_count, sizeof(*list));
	char upper[START_FD_PATH + 8], work[START_FD_PATH + 8];
	struct mnt_overlay overlay = {
		.lower = list,
		.count = s->spec->root.layer_count,
		.upper = upper,
		.work = work,
		.scratch = STAGE "/links",
	};
	int r;

	if (!list)
		return -ENOMEM;
	if (stage < 0 || mkdir(STAGE "/links", 0700) < 0)
		return start_failed(s, errno, STAGE);
	snprintf(upper, sizeof(upper), "/proc/self/fd/%d/upper", at);
	snprintf(work, sizeof(work), "/proc/self/fd/%d/work", at);
	r = make_upper(s, at);
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
	char from[START_FD_PATH];

	if (mount(start_fd_path(from, s->source), STAGE "/root", NULL, MS_BIND | MS_REC, NULL) <
			0 ||
		mount(NULL, STAGE "/root", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return start_failed(s, errno, s->spec->root.dir);
	return 0;
}

int start_root(struct start *s)
{
	int r = 0;

	if (mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=700") < 0 ||
		mkdir(STAGE "/root", 0700) < 0 ||
		mknod(STAGE "/null", S_IFCHR | 0666, makedev(1, 3)) < 0)
		return start_failed(s, errno, STAGE);
	/* For masks: a device that nobody else has made (CVE-2025-31133) and nobody else uses. */
	s->null = open(STAGE "/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (s->null < 0)
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

/* --- what must be looked up in the root --- */

/* Append the content of a regular file of the root. It is looked at before it is opened: a FIFO
 * would make us wait and a device might do things. Absent is empty. */
static int read_root_file(struct start *s, const char *path, struct buf *out)
{
	auto_close int look = path_open(s->root, path, O_PATH), fd = -1;
	char again[START_FD_PATH];
	struct stat st;

	if (look < 0)
		return look == -ENOENT || look == -ENOTDIR ? 0 : look;
	if (fstat(look, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd = open(start_fd_path(again, look), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_read_all(fd, out, PASSWD_FILE_MAX);
}

/* The groups that the spec adds to those of the user. */
static int find_groups(struct start *s, const struct passwd_files *files)
{
	char *const *group = s->spec->groups;

	for (; group && *group; group++) {
		struct passwd_user found;
		char text[PASSWD_LINE_MAX];
		int r;

		snprintf(text, sizeof(text), ":%s", *group);
		r = passwd_find(&found, text, files);
		if (r < 0 || s->user.group_count == PASSWD_GROUPS_MAX)
			return start_failed(s, r < 0 ? -r : E2BIG, *group);
		s->user.groups[s->user.group_count++] = found.gid;
	}
	return 0;
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
	r = find_groups(s, &files);
	if (r == 0)
		s->hint = HINT_NONE;
	return r;
}

int start_workdir(struct start *s)
{
	/* Followed and made inside the root; what leads elsewhere does not exist there. */
	s->workdir = path_mkdirs(s->root, s->spec->cwd, 0755, 0, 0);
	return s->workdir < 0 ? start_failed(s, -s->workdir, s->spec->cwd) : 0;
}

int start_pivot(struct start *s)
{
	char path[START_FD_PATH];
	int r = 0;

	if (s->spec->root.read_only)
		r = mnt_set_flags(start_fd_path(path, s->root), MOUNT_ATTR_RDONLY, false);
	if (r == 0)
		r = mnt_pivot(s->root);

	if (r == -EINVAL)
		s->hint = HINT_INITRAMFS;
	return r;
}
