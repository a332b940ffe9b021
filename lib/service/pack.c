/* SPDX-License-Identifier: MIT */
/* pack - a directory tree as a tar stream: sorted, deterministic, hard links kept */
#include "service/layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fail.h"
#include "format/tar.h"
#include "kernel/fd.h"
#include "kernel/path.h"

#define PIECE          (128u << 10)
#define NS             1000000000LL
#define XATTR_LIST_MAX 65536
#define XATTR_MAX      (64u << 10)

/* A file with more than one name that has been written. */
struct seen {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct pack {
	int root;
	dev_t dev; /* of the root: other file systems are not entered */
	layer_sink *sink;
	void *ctx;
	struct buf path; /* of what is being written, below the root */
	struct buf header;
	struct buf xattrs; /* struct tar_xattr */
	struct buf text;   /* their names and values */
	struct seen *seen; /* hash table, open addressing; PATH NULL is free */
	size_t seen_count, seen_size;
	uint8_t piece[PIECE];
};

/* --- hard links --- */

static struct seen *seen_slot(struct seen *table, size_t size, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(h >> 32) & (size - 1);

	while (table[i].path && (table[i].ino != ino || table[i].dev != dev))
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int seen_grow(struct pack *p)
{
	size_t size = p->seen_size ? 2 * p->seen_size : 256, i;
	struct seen *table = calloc(size, sizeof(*table));

	if (!table)
		return fail(ENOMEM, "out of memory");
	for (i = 0; i < p->seen_size; i++)
		if (p->seen[i].path)
			*seen_slot(table, size, p->seen[i].dev, p->seen[i].ino) = p->seen[i];
	free(p->seen);
	p->seen = table;
	p->seen_size = size;
	return 0;
}

/* *FIRST is the name under which the file was written already; else it is remembered under this
 * one. */
static int find_first(struct pack *p, const struct stat *st, const char **first)
{
	struct seen *s;
	int r;

	*first = NULL;
	if (st->st_nlink < 2)
		return 0;
	if (2 * (p->seen_count + 1) > p->seen_size) {
		r = seen_grow(p);
		if (r < 0)
			return r;
	}
	s = seen_slot(p->seen, p->seen_size, st->st_dev, st->st_ino);
	*first = s->path;
	if (s->path)
		return 0;
	*s = (struct seen){ st->st_dev, st->st_ino, strdup(buf_str(&p->path)) };
	p->seen_count++;
	return s->path ? 0 : fail(ENOMEM, "out of memory");
}

/* --- entries --- */

static int failed(const struct pack *p, const char *what)
{
	return fail_errno("%s '%s'", what, buf_str(&p->path));
}

/* The attributes of FD that layers keep, into E. */
static int add_xattrs(struct pack *p, int fd, struct tar_entry *e)
{
	auto_free char *names = malloc(XATTR_LIST_MAX);
	struct tar_xattr *items;
	size_t i, at;
	ssize_t len, n;
	char *name;

	if (!names)
		return fail(ENOMEM, "out of memory");
	len = flistxattr(fd, names, XATTR_LIST_MAX);
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : failed(p, "list the extended attributes of");
	buf_clear(&p->xattrs);
	buf_clear(&p->text);
	for (name = names; name < names + len; name += strlen(name) + 1) {
		struct tar_xattr x = { 0 };

		if (!layer_keeps_xattr(name))
			continue;
		buf_puts(&p->text, name);
		buf_putc(&p->text, '\0');
		if (!buf_reserve(&p->text, XATTR_MAX))
			return buf_check(&p->text);
		n = fgetxattr(fd, name, p->text.data + p->text.len, XATTR_MAX);
		if (n < 0)
			return failed(p, "read an extended attribute of");
		p->text.len += (size_t)n;
		x.len = (size_t)n;
		buf_add(&p->xattrs, &x, sizeof(x));
	}
	if (buf_check(&p->text) < 0 || buf_check(&p->xattrs) < 0)
		return -ENOMEM;
	/* Only now the text stays where it is. */
	items = (struct tar_xattr *)(void *)p->xattrs.data;
	e->xattrs = items;
	e->xattr_count = p->xattrs.len / sizeof(*items);
	for (i = at = 0; i < e->xattr_count; i++) {
		items[i].name = p->text.data + at;
		at += strlen(items[i].name) + 1;
		items[i].value = (const uint8_t *)p->text.data + at;
		at += items[i].len;
	}
	return 0;
}

static void entry_of(struct tar_entry *e, const struct stat *st, const char *name)
{
	*e = (struct tar_entry){
		.name = name,
		.link = "",
		.user = "",
		.group = "",
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = (int64_t)st->st_mtim.tv_sec * NS + st->st_mtim.tv_nsec,
	};
}

static int emit_header(struct pack *p, const struct tar_entry *e)
{
	int r;

	buf_clear(&p->header);
	r = tar_format(&p->header, e);
	return r < 0 ? r : p->sink(p->ctx, p->header.data, p->header.len);
}

static int emit_content(struct pack *p, int fd, uint64_t size)
{
	static const uint8_t zeros[512];
	uint64_t left = size;
	ssize_t n;
	int r;

	for (; left > 0; left -= (uint64_t)n) {
		n = fd_read(fd, p->piece, left < PIECE ? (size_t)left : PIECE);
		if (n <= 0)
			return fail(n < 0 ? (int)-n : EIO, "read '%s': %s", buf_str(&p->path),
				n < 0 ? strerror((int)-n) : "it became shorter");
		r = p->sink(p->ctx, p->piece, (size_t)n);
		if (r < 0)
			return r;
	}
	return tar_pad(size) ? p->sink(p->ctx, zeros, tar_pad(size)) : 0;
}

static int pack_file(struct pack *p, int dir, const char *name)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct tar_entry e;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return failed(p, "open");
	if (!S_ISREG(st.st_mode))
		return fail(EIO, "'%s' changed while it was read", buf_str(&p->path));
	entry_of(&e, &st, buf_str(&p->path));
	e.type = TAR_FILE;
	e.size = (uint64_t)st.st_size;
	r = add_xattrs(p, fd, &e);
	if (r == 0)
		r = emit_header(p, &e);
	return r < 0 ? r : emit_content(p, fd, e.size);
}

/* What is neither directory nor regular file. */
static int pack_node(struct pack *p, int dir, const char *name, const struct stat *st)
{
	char target[TAR_NAME_MAX + 1];
	struct tar_entry e;
	ssize_t n;

	entry_of(&e, st, buf_str(&p->path));
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target));
		if (n < 0 || (size_t)n == sizeof(target))
			return failed(p, "read the link");
		target[n] = '\0';
		e.type = TAR_SYMLINK;
		e.link = target;
	} else if (S_ISFIFO(st->st_mode)) {
		e.type = TAR_FIFO;
	} else {
		e.type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK;
		e.major = major(st->st_rdev);
		e.minor = minor(st->st_rdev);
	}
	return emit_header(p, &e);
}

static int pack_other(struct pack *p, int dir, const char *name, const struct stat *st)
{
	const char *first;
	struct tar_entry e;
	int r;

	/* A socket means nothing without its process; 0:0 is what overlayfs has deleted. */
	if (S_ISSOCK(st->st_mode) || (S_ISCHR(st->st_mode) && st->st_rdev == 0))
		return 0;
	r = find_first(p, st, &first);
	if (r < 0)
		return r;
	if (first) {
		entry_of(&e, st, buf_str(&p->path));
		e.type = TAR_HARDLINK;
		e.link = first;
		return emit_header(p, &e);
	}
	return S_ISREG(st->st_mode) ? pack_file(p, dir, name) : pack_node(p, dir, name, st);
}

/* --- directories --- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the directory FD, each with a NUL behind. FD is closed. */
static int read_names(const struct pack *p, int fd, struct buf *out, size_t *count)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	*count = 0;
	if (!d) {
		close(fd);
		return failed(p, "read");
	}
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		buf_add(out, e->d_name, strlen(e->d_name) + 1);
		++*count;
	}
	if (errno)
		r = failed(p, "read");
	closedir(d);
	return r < 0 ? r : buf_check(out);
}

static int pack_dir(struct pack *p);

/* Open the directory p->path, "" or with a slash behind. */
static int open_dir(const struct pack *p, int flags)
{
	const char *path = p->path.len > 0 ? buf_str(&p->path) : ".";
	int fd = path_open_plain(p->root, path, flags | O_DIRECTORY);

	return fd < 0 ? fail(-fd, "open '%s': %s", path, strerror(-fd)) : fd;
}

/* NAME in the directory p->path, which is *DIR, or to be opened again if that is -1: its
 * descriptor is not kept while what is below it is walked, for trees may be deep. */
static int pack_name(struct pack *p, int *dir, const char *name)
{
	size_t len = p->path.len;
	struct stat st;
	int r;

	if (*dir < 0)
		*dir = open_dir(p, O_PATH);
	if (*dir < 0)
		return *dir;
	buf_puts(&p->path, name);
	r = fstatat(*dir, name, &st, AT_SYMLINK_NOFOLLOW);
	if (r < 0 && errno != ENOENT)
		return failed(p, "look at");
	/* An overlay lists the whiteouts of a directory that only one layer has, but they are not there. */
	if (r < 0) {
		p->path.len = len;
		p->path.data[len] = '\0';
		return 0;
	}
	if (S_ISDIR(st.st_mode)) {
		buf_putc(&p->path, '/');
		close(take_fd(dir));
	}
	if (p->path.failed)
		return fail(ENAMETOOLONG, "a path over %d bytes: '%s'", TAR_NAME_MAX,
			buf_str(&p->path));
	r = S_ISDIR(st.st_mode) ? pack_dir(p) : pack_other(p, *dir, name, &st);
	p->path.len = len;
	p->path.data[len] = '\0';
	return r;
}

/* The names in FD, the directory p->path, and all below them. FD is closed. */
static int pack_names(struct pack *p, int fd)
{
	auto_buf struct buf text = { 0 };
	auto_free const char **names = NULL;
	auto_close int dir = -1;
	const char *at;
	size_t count, i;
	int r = read_names(p, fd, &text, &count);

	if (r < 0)
		return r;
	names = malloc((count + 1) * sizeof(*names));
	if (!names)
		return fail(ENOMEM, "out of memory");
	for (i = 0, at = buf_str(&text); i < count; i++, at += strlen(at) + 1)
		names[i] = at;
	qsort(names, count, sizeof(*names), compare);
	for (i = 0; r == 0 && i < count; i++)
		r = pack_name(p, &dir, names[i]);
	return r;
}

/* The directory p->path and all in it. */
static int pack_dir(struct pack *p)
{
	auto_close int fd = open_dir(p, O_RDONLY);
	struct tar_entry e;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return failed(p, "look at");
	entry_of(&e, &st, p->path.len > 0 ? buf_str(&p->path) : "./");
	e.type = TAR_DIR;
	r = add_xattrs(p, fd, &e);
	if (r == 0)
		r = emit_header(p, &e);
	if (r < 0 || st.st_dev != p->dev)
		return r;
	return pack_names(p, take_fd(&fd));
}

int layer_pack(int root, layer_sink *sink, void *ctx)
{
	static const uint8_t end[TAR_END];
	struct pack *p = calloc(1, sizeof(*p));
	struct stat st;
	size_t i;
	int r;

	if (!p)
		return fail(ENOMEM, "out of memory");
	p->root = root;
	p->sink = sink;
	p->ctx = ctx;
	p->path.limit = TAR_NAME_MAX;
	r = fstat(root, &st) < 0 ? fail_errno("look at the root") : 0;
	if (r == 0) {
		p->dev = st.st_dev;
		r = pack_dir(p);
	}
	if (r == 0)
		r = sink(ctx, end, sizeof(end));
	for (i = 0; i < p->seen_size; i++)
		free(p->seen[i].path);
	free(p->seen);
	buf_free(&p->path);
	buf_free(&p->header);
	buf_free(&p->xattrs);
	buf_free(&p->text);
	free(p);
	return r;
}
