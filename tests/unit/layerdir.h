/* SPDX-License-Identifier: MIT */
/* layerdir - for unit tests of layers: a scratch directory with a canary, layers unpacked into
 * it from streams built by hand, trees written down as text */
#ifndef LAYERDIR_H
#define LAYERDIR_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "format/gzip.h"
#include "kernel/fd.h"
#include "kernel/path.h"
#include "service/layer.h"
#include "tarseen.h"

#define SECRET "the canary"

static int scratch = -1;
static char scratch_path[256];

/* --- building streams --- */

UNUSED static void link_member(struct buf *tar, char type, const char *name, const char *target)
{
	uint8_t *h = header(tar, type, name, 0);

	memcpy(h + 157, target, strnlen(target, 100));
	tarblock_put_sum(h);
}

UNUSED static void device(struct buf *tar, char type, const char *name, unsigned maj, unsigned min)
{
	uint8_t *h = header(tar, type, name, 0);

	tarblock_put(h, TAR_MAJOR, maj);
	tarblock_put(h, TAR_MINOR, min);
	tarblock_put_sum(h);
}

/* Build a stream of words: "d NAME", "f NAME CONTENT", "l NAME TARGET" (symbolic), "h NAME
 * TARGET" (hard), "p NAME", "m MODE" (of the member before), "o UID GID" likewise; one a line. */
UNUSED static void stream_of(struct buf *tar, const char *lines)
{
	char word[3][256];
	uint8_t *h = NULL;
	int n, used;

	for (; *lines; lines += used) {
		word[1][0] = word[2][0] = '\0';
		n = sscanf(lines, " %255[^ \n] %255[^ \n]%n", word[0], word[1], &used);
		if (n < 2)
			break;
		if (lines[used] == ' ') {
			lines += used + 1;
			used = (int)strcspn(lines, "\n");
			snprintf(word[2], sizeof(word[2]), "%.*s", used, lines);
		}
		if (word[0][0] == 'm' || word[0][0] == 'o') {
			if (word[0][0] == 'm') {
				tarblock_put(h, TAR_MODE, strtoul(word[1], NULL, 8));
			} else {
				tarblock_put(h, TAR_UID, strtoul(word[1], NULL, 10));
				tarblock_put(h, TAR_GID, strtoul(word[2], NULL, 10));
			}
			tarblock_put_sum(h);
			continue;
		}
		n = (int)tar->len;
		if (word[0][0] == 'l' || word[0][0] == 'h')
			link_member(tar, word[0][0] == 'l' ? '2' : '1', word[1], word[2]);
		else
			member(tar, "05"[word[0][0] == 'd'], word[1], word[2]);
		h = (uint8_t *)tar->data + n;
		if (word[0][0] == 'p')
			h[TAR_AT_TYPE] = '6';
		if (word[0][0] == 'd')
			tarblock_put(h, TAR_MODE, 0755);
		/* Owner 0: not everybody may make files of others. */
		tarblock_put(h, TAR_UID, 0);
		tarblock_put(h, TAR_GID, 0);
		tarblock_put_sum(h);
	}
}

UNUSED static void compress(struct buf *out, const struct buf *in)
{
	const uint8_t *p = (const uint8_t *)buf_str(in);
	struct deflater *z;
	uint8_t piece[4096];
	size_t len = in->len;
	long n;

	CHECK(deflater_new(&z, GZIP_GZIP, 6) == 0);
	while ((n = deflater_run(z, &p, &len, piece, sizeof(piece), true)) > 0 || len > 0)
		buf_add(out, piece, (size_t)n);
	deflater_free(z);
}

/* --- the scratch directory --- */

static void write_file(int dir, const char *name, const char *data)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && fd_write(fd, data, strlen(data)) == 0);
	close(fd);
}

UNUSED static void scratch_begin(void)
{
	const char *tmp = getenv("TMPDIR");

	umask(0);
	/* Memory if there is any: disks take their time over thousands of small trees. */
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(scratch_path, sizeof(scratch_path), "%s/layer.XXXXXX", tmp);
	if (!mkdtemp(scratch_path) || (scratch = open(scratch_path, O_RDONLY | O_DIRECTORY)) < 0) {
		perror(scratch_path);
		exit(1);
	}
	mkdirat(scratch, "canary", 0700);
	write_file(scratch, "canary/secret", SECRET);
}

UNUSED static void scratch_end(void)
{
	char *name = strrchr(scratch_path, '/');
	int dir;

	*name++ = '\0';
	dir = open(scratch_path, O_RDONLY | O_DIRECTORY);
	close(scratch);
	CHECK(path_remove_tree(dir, name) == 0);
	close(dir);
}

/* What lies beside the layers is as it was. */
UNUSED static bool canary_lives(void)
{
	struct buf b = { 0 };
	DIR *d = fdopendir(openat(scratch, "canary", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	struct stat st;
	bool good = fd_read_file(scratch, "canary/secret", &b, 100) == 0 &&
		strcmp(buf_str(&b), SECRET) == 0;

	while ((e = readdir(d)) != NULL)
		good = good && (e->d_name[0] == '.' || strcmp(e->d_name, "secret") == 0);
	closedir(d);
	buf_free(&b);
	return good && fstatat(scratch, "canary/secret", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(st.st_mode & 07777) == 0600 && st.st_nlink == 1;
}

/* --- unpacking --- */

struct unpacked {
	int dir;          /* of the layer: fs/ and tar */
	struct buf notes; /* one a line, "kind path target" */
	struct layer_note all[600];
	size_t count;
	struct layer_note done;
};

UNUSED static struct layer_limits limits = { 1u << 30, 1000000, 0 };
UNUSED static bool allow_devices = true;

static void take_notes(struct unpacked *u, int fd)
{
	static const char *const word[] = { "opaque", "implied", "link", "skipped", "done" };
	struct buf text = { 0 };
	char *line, *end;

	CHECK(lseek(fd, 0, SEEK_SET) == 0 && fd_read_all(fd, &text, 64 << 20) == 0);
	for (line = text.data; line && *line; line = end + 1) {
		struct layer_note n;

		end = strchr(line, '\n');
		CHECK(end && layer_note_parse(&n, line, (size_t)(end - line)) == 0);
		if (n.kind == LAYER_NOTE_DONE) {
			u->done = n;
			continue;
		}
		buf_printf(&u->notes, "%s %s%s%s\n", word[n.kind], n.path, n.target ? " " : "",
			n.target ? n.target : "");
		if (u->count < ARRAY_LEN(u->all))
			u->all[u->count++] = n;
		else
			layer_note_free(&n);
	}
	buf_free(&text);
}

static int fresh_file(const char *name, bool keep)
{
	int fd = openat(scratch, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (!keep)
		unlinkat(scratch, name, 0);
	return fd;
}

/* Unpack BYTES, fed in pieces of PIECE, as the layer NAME. */
UNUSED static int unpack_as(
	struct unpacked *u, const char *name, const struct buf *bytes, size_t piece)
{
	struct layer_unpack where = {
		.blob = -1, .devices = allow_devices, .owners = geteuid() == 0, .limits = limits
	};
	struct layer_unpacker *unpacker;
	size_t at, n;
	int r;

	*u = (struct unpacked){ .dir = -1 };
	CHECK(path_remove_tree(scratch, name) == 0);
	CHECK(mkdirat(scratch, name, 0700) == 0);
	u->dir = openat(scratch, name, O_RDONLY | O_DIRECTORY);
	mkdirat(u->dir, "fs", 0700);
	where.root = openat(u->dir, "fs", O_RDONLY | O_DIRECTORY);
	where.tar = openat(u->dir, "tar", O_RDWR | O_CREAT, 0600);
	where.spool = fresh_file("spool", false);
	where.notes = fresh_file("notes", false);
	r = layer_unpacker_new(&unpacker, &where);
	for (at = 0; r == 0 && at < bytes->len; at += n) {
		n = bytes->len - at < piece ? bytes->len - at : piece;
		r = layer_unpacker_feed(unpacker, bytes->data + at, n);
	}
	if (r == 0)
		r = layer_unpacker_end(unpacker);
	layer_unpacker_free(unpacker);
	take_notes(u, where.notes);
	close(where.root);
	close(where.tar);
	close(where.spool);
	close(where.notes);
	return r;
}

UNUSED static void unpacked_free(struct unpacked *u)
{
	while (u->count > 0)
		layer_note_free(&u->all[--u->count]);
	buf_free(&u->notes);
	if (u->dir >= 0)
		close(u->dir);
	u->dir = -1;
}

static int to_buf(void *ctx, const void *bytes, size_t len)
{
	struct buf *b = ctx;

	buf_add(b, bytes, len);
	return buf_check(b);
}

/* The layer gives back exactly TAR. */
UNUSED static bool rebuilds(int dir, const struct buf *tar)
{
	struct buf got = { 0 };
	struct digest digest, want;
	int r = layer_rebuild(dir, to_buf, &got, &digest);
	bool good =
		r == 0 && got.len == tar->len && memcmp(buf_str(&got), buf_str(tar), got.len) == 0;

	digest_of(&want, buf_str(tar), tar->len);
	if (r < 0)
		printf("# rebuild: %s\n", fail_text());
	good = good && digest_equal(&digest, &want);
	buf_free(&got);
	return good;
}

/* --- trees as text --- */

static void describe_one(
	struct buf *out, int dir, const char *name, const char *path, const struct stat *st)
{
	char text[4096], value[64];
	struct buf content = { 0 };
	struct digest digest;
	ssize_t n;
	int fd;

	buf_printf(out, "%s ", path);
	if (S_ISREG(st->st_mode)) {
		CHECK(fd_read_file(dir, name, &content, 8 << 20) == 0);
		buf_printf(out, "%o '%.40s'", st->st_mode & 07777, buf_str(&content));
		if (content.len > 40) {
			digest_of(&digest, content.data, content.len);
			digest_format(text, &digest);
			buf_printf(out, " %zu %s", content.len, text);
		}
		if (st->st_nlink > 1)
			buf_printf(out, " x%u", (unsigned)st->st_nlink);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, text, sizeof(text));
		buf_printf(out, "-> %.*s", (int)n, text);
	} else if (S_ISDIR(st->st_mode)) {
		buf_printf(out, "dir %o", st->st_mode & 07777);
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1)
			buf_puts(out, " opaque");
		close(fd);
	} else if (S_ISFIFO(st->st_mode)) {
		buf_printf(out, "fifo %o", st->st_mode & 07777);
	} else if (S_ISCHR(st->st_mode) && st->st_rdev == 0) {
		buf_puts(out, "whiteout");
	} else {
		buf_printf(out, "%s %u:%u", S_ISCHR(st->st_mode) ? "char" : "block",
			major(st->st_rdev), minor(st->st_rdev));
	}
	if (st->st_uid != geteuid() || st->st_gid != getegid())
		buf_printf(out, " %u:%u", st->st_uid, st->st_gid);
	if (st->st_mtim.tv_sec != 3 && !S_ISCHR(st->st_mode))
		buf_printf(out, " @%lld", (long long)st->st_mtim.tv_sec);
	buf_putc(out, '\n');
	buf_free(&content);
}

static void describe_dir(struct buf *out, int fd, const char *path)
{
	struct dirent **names = NULL;
	char below[4200];
	struct stat st;
	int count, i;

	snprintf(below, sizeof(below), "/proc/self/fd/%d", fd);
	count = scandir(below, &names, NULL, alphasort);
	for (i = 0; i < count; free(names[i++])) {
		const char *name = names[i]->d_name;
		int inner;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", name);
		CHECK(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		describe_one(out, fd, name, below, &st);
		if (!S_ISDIR(st.st_mode))
			continue;
		inner = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		describe_dir(out, inner, below);
		close(inner);
	}
	free(names);
}

/* Everything below the directory NAME of DIR, one a line, sorted. What has mtime 3, as streams
 * built here say, and belongs to us goes without time and owner. */
UNUSED static void describe(struct buf *out, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY);

	describe_dir(out, fd, "");
	close(fd);
}

#endif
