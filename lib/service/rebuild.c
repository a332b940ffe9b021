/* SPDX-License-Identifier: MIT */
/* rebuild - the exact tar stream of a layer again, from its files and the record */
#include "service/layer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "format/tarsplit.h"
#include "kernel/fd.h"
#include "kernel/path.h"

#define PIECE (128u << 10)

struct rebuild {
	int fs;
	layer_sink *sink;
	void *ctx;
	struct hash hash;
	int dir; /* directory of the last file: the next one is mostly in it too */
	struct buf dir_name;
	uint8_t piece[PIECE];
};

static int emit(struct rebuild *b, const void *bytes, size_t len)
{
	hash_add(&b->hash, bytes, len);
	return b->sink(b->ctx, bytes, len);
}

static int on_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	return emit(ctx, bytes, len);
}

/* Make b->dir the directory of PATH, whose last part begins at BASE. Errno value without text. */
static int enter(struct rebuild *b, const char *path, const char *base)
{
	size_t len = base > path ? (size_t)(base - path) - 1 : 0;

	if (b->dir >= 0 && b->dir_name.len == len && memcmp(buf_str(&b->dir_name), path, len) == 0)
		return 0;
	if (b->dir >= 0)
		close(b->dir);
	buf_clear(&b->dir_name);
	buf_add(&b->dir_name, path, len);
	b->dir = path_open_plain(b->fs, len ? buf_str(&b->dir_name) : ".", O_PATH | O_DIRECTORY);
	return b->dir < 0 ? b->dir : 0;
}

static int open_file(struct rebuild *b, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	int r = enter(b, path, base), fd;

	if (r < 0)
		return r;
	if (strcmp(base, "..") == 0)
		return -EINVAL;
	/* Not to hang where a damaged store holds a FIFO; it is found to be no file afterwards. */
	fd = openat(b->dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int on_file(void *ctx, const char *path, uint64_t len)
{
	struct rebuild *b = ctx;
	auto_close int fd = open_file(b, path);
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0)
		return fail(EBADMSG, "'%s' is damaged: %s", path, strerror(-fd));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != len)
		return fail(EBADMSG, "'%s' is damaged: no file of %" PRIu64 " bytes", path, len);
	for (; len > 0; len -= (uint64_t)n) {
		n = fd_read(fd, b->piece, len < PIECE ? (size_t)len : PIECE);
		if (n <= 0)
			return fail(EBADMSG, "'%s' cannot be read: %s", path,
				n < 0 ? strerror((int)-n) : "it is cut short");
		r = emit(b, b->piece, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct tarsplit_events events = { on_raw, on_file };

static int feed(struct tarsplit_reader *reader, int dir)
{
	auto_close int tar = openat(dir, "tar", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint8_t piece[16384];
	ssize_t n;
	int r;

	if (tar < 0)
		return fail(EBADMSG, "the record of the tar stream: %s", strerror(errno));
	while ((n = fd_read(tar, piece, sizeof(piece))) > 0) {
		r = tarsplit_reader_feed(reader, piece, (size_t)n);
		if (r < 0)
			return r;
	}
	return n < 0 ? fail(EBADMSG, "the record of the tar stream: %s", strerror((int)-n)) : 0;
}

static int run(struct rebuild *b, int dir, struct digest *diff_id)
{
	struct tarsplit_reader *reader;
	struct digest recorded, got;
	int r = tarsplit_reader_new(&reader, &events, b);

	if (r < 0)
		return r;
	r = feed(reader, dir);
	if (r == 0)
		r = tarsplit_reader_end(reader, &recorded);
	tarsplit_reader_free(reader);
	if (r < 0)
		return r;
	hash_end(&b->hash, &got);
	if (!digest_equal(&got, &recorded))
		return fail(EBADMSG, "the content of some file has changed");
	if (diff_id)
		*diff_id = got;
	return 0;
}

int layer_rebuild(int dir, layer_sink *sink, void *ctx, struct digest *diff_id)
{
	struct rebuild *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return fail(ENOMEM, "out of memory");
	b->sink = sink;
	b->ctx = ctx;
	b->dir = -1;
	hash_init(&b->hash, DIGEST_SHA256);
	b->fs = openat(dir, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = b->fs < 0 ? fail(EBADMSG, "the files of the layer: %s", strerror(errno))
		      : run(b, dir, diff_id);
	if (b->fs >= 0)
		close(b->fs);
	if (b->dir >= 0)
		close(b->dir);
	buf_free(&b->dir_name);
	free(b);
	return r;
}
