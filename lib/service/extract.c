/* SPDX-License-Identifier: MIT */
/* extract - the entries of one layer become files below a root
 *
 * Map: names and whiteouts; metadata; one function per type of entry; content; the end. */
#include "service/extract.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fail.h"
#include "base/str.h"
#include "kernel/fd.h"
#include "kernel/path.h"
#include "service/place.h"

#define NS          1000000000LL
#define SKIPPED_MAX 100 /* notes about skipped entries; more would only be noise */
#define DISK_BLOCK  4096
#define CAPABILITY  "security.capability"

void extract_free(struct extract *x)
{
	if (x->dir >= 0 && x->dir != x->root)
		close(x->dir);
	if (x->file >= 0)
		close(x->file);
	x->dir = x->file = -1;
	spool_free(&x->spool);
	replaced_free(&x->replaced);
	buf_free(&x->path);
	buf_free(&x->dir_name);
	buf_free(&x->dir_path);
	buf_free(&x->name);
	buf_free(&x->capability);
}

static int failed(const struct extract *x, const char *what)
{
	return fail_errno("%s '%s'", what, buf_str(&x->path));
}

static int note_skipped(struct extract *x, const char *why)
{
	if (x->skipped++ >= SKIPPED_MAX)
		return 0;
	return x->note(x->ctx, LAYER_NOTE_SKIPPED, buf_str(&x->path), why);
}

/* --- names --- */

/* Does NAME lead above where it starts? */
static bool climbs(const char *name)
{
	size_t len;
	int depth = 0;

	for (; *name; name += len) {
		name += strspn(name, "/");
		len = strcspn(name, "/");
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			if (--depth < 0)
				return true;
		} else if (len > 0 && !(len == 1 && name[0] == '.')) {
			depth++;
		}
	}
	return false;
}

/* NAME without what means nothing. Absolute names are as relative ones. */
static int normalise(struct buf *out, const char *name)
{
	int r;

	buf_clear(out);
	if (strstr(name, "..") && climbs(name))
		return fail(EPERM, "'%s' leads out of the layer", name);
	r = path_normalise(out, name);
	return r < 0 ? fail(-r, "'%s': a name that is too long", name) : buf_check(out);
}

/* The last part of x->name. */
static const char *base_name(const struct extract *x)
{
	const char *slash = strrchr(buf_str(&x->name), '/');

	return slash ? slash + 1 : buf_str(&x->name);
}

enum meaning { PLAIN, WHITEOUT, OPAQUE, IGNORED };

/* What the parts of the name mean: 1 and *MEANING, or a refusal. */
static int name_meaning(const struct extract *x, enum meaning *meaning)
{
	const char *name = buf_str(&x->name), *p, *base = base_name(x);

	*meaning = PLAIN;
	for (p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (!str_starts(p, ".wh."))
			continue;
		if (p == base && strcmp(base, ".wh..wh..opq") == 0)
			*meaning = OPAQUE;
		else if (str_starts(p, ".wh..wh.")) /* what aufs kept for itself */
			*meaning = IGNORED;
		else if (p == base)
			*meaning = WHITEOUT;
		else
			return fail(EPERM, "'%s': a whiteout that is no last part of a name", name);
		break;
	}
	if (*meaning == WHITEOUT &&
		(!base[4] || strcmp(base + 4, ".") == 0 || strcmp(base + 4, "..") == 0))
		return fail(EPERM, "'%s': a whiteout of no name", name);
	return 0;
}

static int set_path(struct extract *x, const char *base)
{
	buf_clear(&x->path);
	buf_add(&x->path, x->dir_path.data, x->dir_path.len);
	if (x->path.len > 0)
		buf_putc(&x->path, '/');
	buf_puts(&x->path, base);
	if (x->path.len > TAR_NAME_MAX)
		return fail(
			ENAMETOOLONG, "'%s' leads to a path over 4096 bytes", buf_str(&x->name));
	return buf_check(&x->path);
}

/* Hide NAME of the layers below. What this layer has itself under that name stays. */
static int whiteout(struct extract *x, const char *name)
{
	struct stat st;
	int r = set_path(x, name);

	if (r < 0)
		return r;
	if (mknodat(x->dir, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST || fstatat(x->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(x, "make the whiteout of");
	return S_ISDIR(st.st_mode) ? place_note_opaque(x, x->path.data) : 0;
}

static int opaque(struct extract *x)
{
	if (strcmp(buf_str(&x->dir_path), buf_str(&x->dir_name)) != 0)
		return fail(EPERM, "'%s': opaque, but behind a symbolic link", buf_str(&x->name));
	return place_note_opaque(x, buf_str(&x->dir_path));
}

/* --- metadata --- */

static struct timespec to_time(int64_t ns)
{
	struct timespec t = { ns / NS, ns % NS };

	if (t.tv_nsec < 0) {
		t.tv_nsec += NS;
		t.tv_sec--;
	}
	return t;
}

static void times_of(struct timespec out[2], int64_t mtime)
{
	out[0] = out[1] = to_time(mtime);
}

static int set_xattr(struct extract *x, int fd, const char *name, const void *value, size_t len)
{
	if (fsetxattr(fd, name, value, len, 0) == 0)
		return 0;
	/* The file system, or somebody without rights over the host, cannot hold it. */
	if (errno == EOPNOTSUPP || (errno == EPERM && !x->owners))
		return note_skipped(x, "extended attributes cannot be set here");
	return failed(x, "set an extended attribute of");
}

static int set_xattrs(struct extract *x, int fd, const struct tar_entry *e)
{
	size_t i;
	int r;

	for (i = 0; i < e->xattr_count; i++) {
		const struct tar_xattr *a = &e->xattrs[i];

		if (!layer_keeps_xattr(a->name))
			continue;
		if (e->type == TAR_FILE && strcmp(a->name, CAPABILITY) == 0) {
			/* Writing and changing the owner would remove it. */
			buf_clear(&x->capability);
			buf_add(&x->capability, a->value, a->len);
			r = buf_check(&x->capability);
		} else {
			r = set_xattr(x, fd, a->name, a->value, a->len);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static void keep_meta(struct spool_item *out, const struct tar_entry *e)
{
	*out = (struct spool_item){
		.kind = SPOOL_DIR, .mode = e->mode, .uid = e->uid, .gid = e->gid, .mtime = e->mtime
	};
}

static bool want_owner(const struct extract *x, const struct spool_item *m)
{
	return x->owners && (m->uid != 0 || m->gid != 0);
}

/* Owner, mode and time of what was just made as NAME and is neither directory nor regular file. */
static int finish_node(struct extract *x, const char *name, const struct tar_entry *e)
{
	struct timespec times[2];
	struct spool_item m;

	keep_meta(&m, e);
	if (want_owner(x, &m) && fchownat(x->dir, name, m.uid, m.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(x, "change the owner of");
	/* Not of links: it would be followed. */
	if (e->type != TAR_SYMLINK && (m.mode & 07000) && fchmodat(x->dir, name, m.mode, 0) < 0)
		return failed(x, "change the mode of");
	times_of(times, m.mtime);
	if (utimensat(x->dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(x, "set the time of");
	return 0;
}

/* --- types --- */

static int make_file(struct extract *x, const char *name, const struct tar_entry *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	bool hidden;
	int r;

	x->file = openat(x->dir, name, flags, e->mode & 0777);
	if (x->file < 0 && errno == EEXIST) {
		r = place_clear(x, name, false, &hidden);
		if (r < 0)
			return r;
		x->file = openat(x->dir, name, flags, e->mode & 0777);
	}
	if (x->file < 0)
		return failed(x, "make");
	keep_meta(&x->meta, e);
	x->content = e->sparse ? EXTRACT_SPARSE : EXTRACT_FILE;
	if (!e->sparse)
		x->disk_size += (e->size + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	buf_clear(&x->capability);
	x->meta.len = e->size;
	return set_xattrs(x, x->file, e);
}

static int make_dir(struct extract *x, const char *name, const struct tar_entry *e)
{
	struct spool_item item;
	bool hidden = false;
	int r = mkdirat(x->dir, name, 0700);

	if (r < 0 && errno == EEXIST) {
		r = place_clear(x, name, true, &hidden);
		if (r < 0)
			return r;
		r = r > 0 ? 0 : mkdirat(x->dir, name, 0700);
	}
	if (r < 0)
		return failed(x, "make directory");
	if (hidden) {
		r = place_note_opaque(x, x->path.data);
		if (r < 0)
			return r;
	}
	if (e->xattr_count > 0) {
		auto_close int fd =
			openat(x->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		r = fd < 0 ? failed(x, "open") : set_xattrs(x, fd, e);
		if (r < 0)
			return r;
	}
	x->disk_size += DISK_BLOCK;
	keep_meta(&item, e);
	return spool_add_dir(&x->spool, &item, x->path.data);
}

/* The entry of the root itself, which exists and says only its metadata. */
static int describe_root(struct extract *x, const struct tar_entry *e)
{
	struct spool_item item;
	int r;

	if (e->type != TAR_DIR)
		return fail(EPERM, "'%s': the root of a layer must be a directory", e->name);
	buf_clear(&x->path);
	r = set_xattrs(x, x->root, e);
	if (r < 0)
		return r;
	x->root_seen = true;
	keep_meta(&item, e);
	return spool_add_dir(&x->spool, &item, "");
}

/* symlinkat or mknodat, whatever the entry says. Errno is set on failure. */
static int make_node(struct extract *x, const char *name, const struct tar_entry *e)
{
	mode_t mode = e->mode;

	switch (e->type) {
	case TAR_SYMLINK: return symlinkat(e->link, x->dir, name);
	case TAR_CHAR: return mknodat(x->dir, name, S_IFCHR | mode, makedev(e->major, e->minor));
	case TAR_BLOCK: return mknodat(x->dir, name, S_IFBLK | mode, makedev(e->major, e->minor));
	case TAR_FIFO: return mknodat(x->dir, name, S_IFIFO | mode, 0);
	case TAR_FILE:
	case TAR_HARDLINK:
	case TAR_DIR: break;
	}
	errno = EINVAL;
	return -1;
}

static int make_special(struct extract *x, const char *name, const struct tar_entry *e)
{
	bool device = e->type == TAR_CHAR || e->type == TAR_BLOCK, hidden;
	int r;

	/* That is how overlayfs says "deleted"; layers say it by name. */
	if (e->type == TAR_CHAR && e->major == 0 && e->minor == 0)
		return fail(EPERM, "'%s': character device 0:0", buf_str(&x->name));
	if (e->type == TAR_SYMLINK && (*e->link == '\0' || strlen(e->link) >= TAR_NAME_MAX))
		return fail(
			EBADMSG, "'%s': a symbolic link to nothing or too far", buf_str(&x->name));
	if (device && !x->devices)
		return note_skipped(x, "device nodes cannot be made here");
	r = make_node(x, name, e);
	if (r < 0 && errno == EEXIST) {
		r = place_clear(x, name, false, &hidden);
		if (r < 0)
			return r;
		r = make_node(x, name, e);
	}
	if (r < 0)
		return failed(x, "make");
	return finish_node(x, name, e);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Find the file that a hard link leads to: its directory in *DIR, its facts in *ST, its name in
 * *NAME. Returns 0 if this layer has no such file. */
static int find_target(
	struct extract *x, struct buf *target, int *dir, struct stat *st, const char **name)
{
	auto_buf struct buf canon = { 0 };
	char *slash = strrchr(buf_str(target), '/');

	*name = slash ? slash + 1 : buf_str(target);
	if (slash)
		*slash = '\0';
	*dir = place_find(x, slash ? target->data : "", &canon);
	if (slash)
		*slash = '/';
	if (*dir == -ENOENT || *dir == -ENOTDIR)
		return 0;
	if (*dir < 0)
		return fail(-*dir, "find '%s': %s", buf_str(target), strerror(-*dir));
	if (fstatat(*dir, *name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail_errno("look at '%s'", buf_str(target));
	return !place_is_whiteout(st);
}

static int make_link(struct extract *x, const char *name, const struct tar_entry *e)
{
	auto_buf struct buf target = { 0 };
	auto_close int dir = -1;
	struct stat st, there;
	const char *base;
	bool hidden;
	int r = normalise(&target, e->link), found;

	if (r < 0)
		return r;
	found = target.len > 0 ? find_target(x, &target, &dir, &st, &base) : 0;
	if (found < 0)
		return found;
	if (target.len == 0 || (found && S_ISDIR(st.st_mode)))
		return fail(EPERM, "'%s': a hard link to a directory", buf_str(&x->name));
	if (fstatat(x->dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0) {
		if (found && same_file(&st, &there))
			return 0;
		r = place_clear(x, name, false, &hidden);
		if (r < 0)
			return r;
	} else if (errno != ENOENT) {
		return failed(x, "look at");
	}
	if (found && linkat(dir, base, x->dir, name, 0) == 0)
		return 0;
	/* It may have gone with the directory that was in the way. */
	if (found && errno != ENOENT)
		return failed(x, "make a hard link");
	return x->note(x->ctx, LAYER_NOTE_LINK, x->path.data, target.data);
}

static int make_entry(struct extract *x, const char *name, const struct tar_entry *e)
{
	switch (e->type) {
	case TAR_FILE: return make_file(x, name, e);
	case TAR_DIR: return make_dir(x, name, e);
	case TAR_HARDLINK: return make_link(x, name, e);
	case TAR_SYMLINK:
	case TAR_CHAR:
	case TAR_BLOCK:
	case TAR_FIFO: break;
	}
	return make_special(x, name, e);
}

int extract_entry(struct extract *x, const struct tar_entry *e)
{
	enum meaning meaning;
	const char *base;
	size_t len;
	int r;

	x->content = EXTRACT_NOWHERE;
	if (*e->name == '\0')
		return fail(EBADMSG, "an entry without a name");
	r = normalise(&x->name, e->name);
	if (r < 0)
		return r;
	if (x->name.len == 0)
		return describe_root(x, e);
	r = name_meaning(x, &meaning);
	if (r < 0 || meaning == IGNORED)
		return r;
	base = base_name(x);
	len = (size_t)(base - buf_str(&x->name));
	r = place_dir(x, buf_str(&x->name), len ? len - 1 : 0);
	if (r == -ENOTDIR && meaning != PLAIN) {
		/* umoci writes them below a file that took a directory's place; it hides all of it. */
		fail_clear();
		return 0;
	}
	if (r < 0)
		return r;
	if (meaning == WHITEOUT)
		return whiteout(x, base + 4);
	if (meaning == OPAQUE)
		return opaque(x);
	r = set_path(x, base);
	return r < 0 ? r : make_entry(x, base, e);
}

/* --- content --- */

int extract_data(struct extract *x, const void *bytes, size_t len, uint64_t offset)
{
	int r;

	if (x->content == EXTRACT_SPARSE) {
		x->disk_size += len;
		if (lseek(x->file, (off_t)offset, SEEK_SET) < 0)
			return failed(x, "write");
	}
	r = fd_write(x->file, bytes, len);
	return r < 0 ? fail(-r, "write '%s': %s", buf_str(&x->path), strerror(-r)) : 0;
}

int extract_done(struct extract *x)
{
	auto_close int fd = take_fd(&x->file);
	struct timespec times[2];
	int r;

	if (fd < 0)
		return 0;
	if (x->content == EXTRACT_SPARSE && ftruncate(fd, (off_t)x->meta.len) < 0)
		return failed(x, "extend");
	if (want_owner(x, &x->meta) && fchown(fd, x->meta.uid, x->meta.gid) < 0)
		return failed(x, "change the owner of");
	if ((x->meta.mode & 07000) && fchmod(fd, x->meta.mode) < 0)
		return failed(x, "change the mode of");
	if (x->capability.len > 0) {
		r = set_xattr(x, fd, CAPABILITY, x->capability.data, x->capability.len);
		if (r < 0)
			return r;
	}
	times_of(times, x->meta.mtime);
	return futimens(fd, times) < 0 ? failed(x, "set the time of") : 0;
}

/* --- the end --- */

/* Owner, mode and time of a directory. */
static int finish_dir(struct extract *x, int fd, const struct spool_item *m)
{
	struct timespec times[2];

	if (want_owner(x, m) && fchown(fd, m->uid, m->gid) < 0)
		return failed(x, "change the owner of");
	if (fchmod(fd, m->mode) < 0)
		return failed(x, "change the mode of");
	times_of(times, m->mtime);
	return futimens(fd, times) < 0 ? failed(x, "set the time of") : 0;
}

static int each_dir(void *ctx, const struct spool_item *item, const char *path)
{
	static const struct spool_item implied = { .mode = 0755 };
	struct extract *x = ctx;
	auto_close int fd = path_open_plain(x->root, *path ? path : ".", O_RDONLY | O_DIRECTORY);
	struct stat st;
	bool undescribed = false;
	int r;

	/* It was replaced later. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	buf_clear(&x->path);
	buf_puts(&x->path, path);
	if (fd < 0)
		return fail(-fd, "open '%s': %s", path, strerror(-fd));
	if (x->implied > 0) {
		if (fstat(fd, &st) < 0)
			return failed(x, "look at");
		undescribed = (st.st_mode & 07777) == PLACE_IMPLIED;
	}
	/* Made, described, removed, made again: only the state at the end counts. */
	if (undescribed != (item->kind != SPOOL_DIR))
		return 0;
	r = finish_dir(x, fd, undescribed ? &implied : item);
	return r == 0 && item->kind == SPOOL_IMPLIED
		? x->note(x->ctx, LAYER_NOTE_IMPLIED, path, NULL)
		: r;
}

int extract_end(struct extract *x)
{
	static const struct spool_item root = { .mode = 0755 };
	int r = 0;

	buf_clear(&x->path);
	if (!x->root_seen)
		r = finish_dir(x, x->root, &root);
	return r < 0 ? r : spool_dirs(&x->spool, each_dir, x);
}
