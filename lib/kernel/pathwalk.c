/* SPDX-License-Identifier: MIT */
/* pathwalk - the resolver of path.h in user space */
#include "kernel/pathwalk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"

#define LINKS_MAX 40 /* the kernel's MAXSYMLINKS */
#define STEPS_MAX 1000000

struct walk {
	int root, flags;
	bool plain;
	const struct pathwalk_make *make;
	int at;          /* the directory reached, O_PATH */
	struct buf done; /* its path below root: names without links, each with "/" behind */
	struct buf rest; /* still to walk; never starts with "/" */
	char name[NAME_MAX + 1];
	bool last;  /* name is the last part ... */
	bool slash; /* ... and a slash follows: it is a directory, and followed if a link */
	unsigned links, steps;
};

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0;
}

static bool is_dotdot(const char *name)
{
	return strcmp(name, "..") == 0;
}

/* AT becomes FD. */
static void move_to(struct walk *w, int fd)
{
	if (w->at >= 0)
		close(w->at);
	w->at = fd;
}

static int open_name(struct walk *w, int dir, const char *name, int flags)
{
	int fd;

	/* A hostile tree may ask for 40 links full of ".."; the kernel is quick at it, this is not. */
	if (++w->steps > STEPS_MAX)
		return -ERANGE;
	fd = openat(dir, name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Stand in root again. */
static int go_to_root(struct walk *w)
{
	int fd = open_name(w, w->root, ".", O_PATH | O_DIRECTORY);

	if (fd < 0)
		return fd;
	move_to(w, fd);
	buf_clear(&w->done);
	return 0;
}

/* Drop the last part of done and walk what is left. */
static int go_up(struct walk *w)
{
	auto_buf struct buf path = { 0 };
	size_t len;
	int r;

	/* ".." needs the right to search the directory it starts from. */
	if (faccessat(w->at, "..", F_OK, 0) < 0)
		return -errno;
	len = w->done.len > 0 ? w->done.len - 1 : 0;
	while (len > 0 && w->done.data[len - 1] != '/')
		len--;
	buf_add(&path, w->done.data, len);
	if (path.failed)
		return -ENOMEM;
	r = go_to_root(w);
	for (char *name = path.data, *end; r >= 0 && path.len > 0; name = end + 1) {
		end = memchr(name, '/', (size_t)(path.data + path.len - name));
		if (!end)
			break;
		*end = '\0';
		r = open_name(w, w->at, name, O_PATH | O_NOFOLLOW | O_DIRECTORY);
		if (r < 0)
			return r;
		move_to(w, r);
		buf_puts(&w->done, name);
		buf_putc(&w->done, '/');
	}
	return r < 0 ? r : w->done.failed ? -ENOMEM : 0;
}

/* Cut the next part off rest into name. 0 at the end. */
static int next_part(struct walk *w)
{
	size_t len = 0, skip;

	while (len < w->rest.len && w->rest.data[len] != '/')
		len++;
	if (w->rest.len == 0)
		return 0;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(w->name, w->rest.data, len);
	w->name[len] = '\0';
	for (skip = len; skip < w->rest.len && w->rest.data[skip] == '/'; skip++)
		;
	w->slash = skip > len;
	buf_drop(&w->rest, skip);
	w->last = w->rest.len == 0;
	return 1;
}

/* Magic links of /proc do not lead where they say. In its top directory there are only honest ones
 * (self, thread-self, mounts, net); below, all but a few are magic, and none of those few is of use. */
static bool is_magic(const struct walk *w, int link)
{
	struct statfs fs;
	struct stat dir;

	return fstatfs(link, &fs) < 0 ||
		(fs.f_type == PROC_SUPER_MAGIC && (fstat(w->at, &dir) < 0 || dir.st_ino != 1));
}

/* Put what LINK says in front of the rest. */
static int follow(struct walk *w, int link)
{
	char target[PATH_MAX];
	ssize_t n;
	auto_buf struct buf rest = { 0 };
	size_t start = 0;

	if (w->plain || is_magic(w, link) || ++w->links > LINKS_MAX)
		return -ELOOP;
	n = readlinkat(link, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	if (target[0] == '/') {
		int r = go_to_root(w);

		if (r < 0)
			return r;
	}
	while (start < (size_t)n && target[start] == '/')
		start++;
	buf_add(&rest, target + start, (size_t)n - start);
	/* Of a link to "/" nothing is left, and a slash would come first. */
	if (w->slash && rest.len > 0)
		buf_putc(&rest, '/');
	buf_add(&rest, w->rest.data, w->rest.len);
	if (rest.failed)
		return -ENOMEM;
	buf_free(&w->rest);
	w->rest = rest;
	memset(&rest, 0, sizeof(rest));
	return 0;
}

/* The directory NAME is missing below at: make it as wanted, unless another did meanwhile. */
static int make_dir(struct walk *w)
{
	const struct pathwalk_make *m = w->make;
	auto_close int fd = -1;

	if (mkdirat(w->at, w->name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	fd = openat(w->at, w->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, m->uid, m->gid) < 0 || fchmod(fd, m->mode) < 0)
		return -errno;
	return 0;
}

/* Name is the last part and not to be followed: open it with the caller's flags. LOOK is an O_PATH
 * descriptor of it. */
static int open_last(struct walk *w, int *look)
{
	int flags = w->flags | O_NOFOLLOW | (w->slash ? O_DIRECTORY : 0);
	struct stat st;

	if (!(flags & O_PATH))
		return open_name(w, w->at, w->name, flags);
	/* The very thing that was looked at: opened again by name it could be a link by now. */
	if (flags & O_DIRECTORY && (fstat(*look, &st) < 0 || !S_ISDIR(st.st_mode)))
		return -ENOTDIR;
	return take_fd(look);
}

/* One part that is neither "." nor "..". 0: go on; else the result in *OUT. */
static int step(struct walk *w, int *out)
{
	auto_close int look = -1;
	struct stat st;
	int r = open_name(w, w->at, w->name, O_PATH | O_NOFOLLOW);

	if (r == -ENOENT && w->make) {
		r = make_dir(w);
		if (r == 0)
			r = open_name(w, w->at, w->name, O_PATH | O_NOFOLLOW);
	}
	if (r < 0)
		return r;
	look = r;
	if (fstat(look, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && !(w->last && !w->slash && w->flags & O_NOFOLLOW))
		return follow(w, look);
	if (w->last) {
		*out = open_last(w, &look);
		return *out < 0 ? *out : 0;
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	move_to(w, take_fd(&look));
	buf_puts(&w->done, w->name);
	buf_putc(&w->done, '/');
	return w->done.failed ? -ENOMEM : 0;
}

static int walk(struct walk *w)
{
	int out = -1, r;

	while ((r = next_part(w)) > 0) {
		if (is_dot(w->name))
			r = faccessat(w->at, ".", F_OK, 0) < 0 ? -errno : 0;
		else if (is_dotdot(w->name))
			r = go_up(w);
		else
			r = step(w, &out);
		if (r < 0 || out >= 0)
			return r < 0 ? r : out;
	}
	/* The path, or the last link, ended in "/", "." or "..": it is the directory reached. */
	return r < 0 ? r : open_name(w, w->at, ".", w->flags);
}

int pathwalk_open(
	int root, const char *path, int flags, bool plain, const struct pathwalk_make *make)
{
	struct walk w = {
		.root = root,
		.flags = flags,
		.plain = plain,
		.make = make,
		.at = -1,
		.rest.limit = 64 * PATH_MAX,
		.done.limit = 64 * PATH_MAX,
	};
	size_t len = strlen(path);
	int r;

	if (len == 0)
		return -ENOENT;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	buf_puts(&w.rest, path + strspn(path, "/"));
	r = w.rest.failed ? -ENOMEM : go_to_root(&w);
	if (r >= 0)
		r = walk(&w);
	if (w.at >= 0)
		close(w.at);
	buf_free(&w.done);
	buf_free(&w.rest);
	return r;
}
