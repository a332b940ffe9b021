/* SPDX-License-Identifier: MIT */
/* unpack - a layer's bytes as they come from outside, to files and the record of the tar stream
 *
 * bytes -> digest of the blob -> inflate -> diff id, caps -> tar -> files (extract) and record
 * (tarsplit) */
#include "service/layer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fail.h"
#include "format/gzip.h"
#include "format/tar.h"
#include "format/tarsplit.h"
#include "kernel/fd.h"
#include "service/extract.h"

#define PIECE        (128u << 10)
#define MAGIC        6 /* bytes that tell what the input is */
#define RESERVE_STEP (8u << 20)
#define RATIO_MAX    1000
#define RATIO_FREE   100000000u /* output that may come from however little */

struct layer_unpacker {
	struct layer_unpack where;
	struct inflater *inflater;
	struct tar_reader *tar;
	struct tarsplit_writer *split;
	struct hash blob_hash, diff_hash;
	uint8_t magic[MAGIC];
	size_t magic_len;
	bool started, gzip;
	uint64_t blob_size, entries;
	uint64_t total;      /* tar stream and holes of sparse files: what the cap is on */
	uint64_t look_again; /* at the free space, when total has come here */
	uint64_t notes_size;
	uint64_t file_size; /* of the current file's content in the stream */
	struct extract x;
	uint8_t piece[PIECE];
};

/* --- output --- */

static int write_all(int fd, const void *data, size_t len, const char *what)
{
	int r = fd_write(fd, data, len);

	return r < 0 ? fail(-r, "write %s: %s", what, strerror(-r)) : 0;
}

static int write_record(void *ctx, const void *bytes, size_t len)
{
	struct layer_unpacker *u = ctx;

	return write_all(u->where.tar, bytes, len, "the record of the tar stream");
}

static int send_note(void *ctx, enum layer_note_kind kind, const char *path, const char *target)
{
	struct layer_unpacker *u = ctx;
	auto_buf struct buf line = { 0 };
	int r;

	layer_note_format(&line, kind, path, target);
	r = buf_check(&line);
	if (r < 0)
		return r;
	u->notes_size += line.len;
	if (u->notes_size > LAYER_NOTES_MAX)
		return fail(EFBIG,
			"too many directories that no entry describes, or whiteouts of them");
	return write_all(u->where.notes, line.data, line.len, "a note");
}

/* --- caps --- */

/* MORE bytes are about to come out. */
static int check_caps(struct layer_unpacker *u, uint64_t more, size_t input_left)
{
	struct statfs fs;

	if (more > u->where.limits.bytes || u->total > u->where.limits.bytes - more)
		return fail(
			EFBIG, "the layer is larger than %" PRIu64 " bytes", u->where.limits.bytes);
	u->total += more;
	if (u->gzip && u->total > RATIO_FREE && u->total / RATIO_MAX > u->blob_size - input_left)
		return fail(EFBIG, "the layer grows to more than %d times its size", RATIO_MAX);
	if (u->total < u->look_again)
		return 0;
	u->look_again = u->total + RESERVE_STEP;
	if (fstatfs(u->where.root, &fs) < 0)
		return fail_errno("look at the free space");
	if ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < u->where.limits.reserve)
		return fail(ENOSPC, "no space left but the reserve");
	return 0;
}

/* --- events of the tar stream --- */

static int on_raw(void *ctx, const uint8_t *bytes, size_t len)
{
	struct layer_unpacker *u = ctx;

	return tarsplit_raw(u->split, bytes, len);
}

static int on_entry(void *ctx, const struct tar_entry *e)
{
	struct layer_unpacker *u = ctx;
	uint64_t stored = 0;
	size_t i;
	int r;

	if (++u->entries > u->where.limits.entries)
		return fail(EFBIG, "the layer has more than %" PRIu64 " entries",
			u->where.limits.entries);
	/* Said now, not after gigabytes of it, or by a stream that ends before. */
	if (e->size > u->where.limits.bytes)
		return fail(EFBIG, "'%s' has the size %" PRIu64 ", more than a layer may have",
			e->name, e->size);
	if (e->sparse) {
		for (i = 0; i < e->sparse_count; i++)
			stored += e->sparse[i].len;
		r = check_caps(u, e->size - stored, 0);
		if (r < 0)
			return r;
	}
	u->file_size = e->size;
	return extract_entry(&u->x, e);
}

static int on_data(void *ctx, const uint8_t *bytes, size_t len, uint64_t offset)
{
	struct layer_unpacker *u = ctx;
	int r = 0;

	if (u->x.content != EXTRACT_NOWHERE)
		r = extract_data(&u->x, bytes, len, offset);
	if (r == 0 && u->x.content != EXTRACT_FILE)
		r = tarsplit_raw(u->split, bytes, len);
	return r;
}

static int on_done(void *ctx)
{
	struct layer_unpacker *u = ctx;
	int r = extract_done(&u->x);

	if (r < 0 || u->x.content != EXTRACT_FILE || u->file_size == 0)
		return r;
	u->x.files++;
	return tarsplit_file(u->split, u->x.path.data, u->file_size);
}

static const struct tar_events events = { on_raw, on_entry, on_data, on_done };

/* --- input --- */

/* The next bytes of the tar stream; INPUT_LEFT of what was fed are still to be inflated. */
static int stream(struct layer_unpacker *u, const uint8_t *bytes, size_t len, size_t input_left)
{
	int r = check_caps(u, len, input_left);

	if (r < 0)
		return r;
	u->x.stream += len;
	hash_add(&u->diff_hash, bytes, len);
	return tar_reader_feed(u->tar, bytes, len);
}

static int inflate_all(struct layer_unpacker *u, const uint8_t *bytes, size_t len)
{
	long n;
	int r;

	for (;;) {
		n = inflater_run(u->inflater, &bytes, &len, u->piece, sizeof(u->piece));
		if (n < 0)
			return (int)n;
		if (n == 0 && len == 0)
			return 0;
		r = stream(u, u->piece, (size_t)n, len);
		if (r < 0)
			return r;
	}
}

static int input(struct layer_unpacker *u, const uint8_t *bytes, size_t len)
{
	if (!u->gzip) /* the blob is the stream, and so are their digests */
		return stream(u, bytes, len, 0);
	hash_add(&u->blob_hash, bytes, len);
	return inflate_all(u, bytes, len);
}

/* The first bytes are there: decide what the input is, and take them. */
static int start(struct layer_unpacker *u)
{
	const char *other;
	int r;

	u->started = true;
	u->gzip = gzip_sniff(u->magic, u->magic_len, &other) == GZIP_GZIP;
	if (other)
		return fail(
			ENOTSUP, "the layer is compressed with %s, which is not supported", other);
	if (u->gzip) {
		r = inflater_new(&u->inflater, GZIP_GZIP);
		if (r < 0)
			return r;
	}
	return input(u, u->magic, u->magic_len);
}

int layer_unpacker_new(struct layer_unpacker **out, const struct layer_unpack *where)
{
	struct layer_unpacker *u = calloc(1, sizeof(*u));
	int r;

	*out = NULL;
	if (!u)
		return fail(ENOMEM, "out of memory");
	u->where = *where;
	u->x.root = where->root;
	u->x.devices = where->devices;
	u->x.owners = where->owners;
	u->x.spool.fd = where->spool;
	u->x.note = send_note;
	u->x.ctx = u;
	u->x.dir = u->x.file = -1;
	hash_init(&u->blob_hash, DIGEST_SHA256);
	hash_init(&u->diff_hash, DIGEST_SHA256);
	r = tar_reader_new(&u->tar, &events, u);
	if (r == 0)
		r = tarsplit_writer_new(&u->split, write_record, u);
	/* Its head tells the size of the stream, which is known at the end. */
	if (r == 0 && lseek(where->tar, TARSPLIT_HEAD, SEEK_SET) < 0)
		r = fail_errno("write the record of the tar stream");
	if (r < 0) {
		layer_unpacker_free(u);
		return r;
	}
	*out = u;
	return 0;
}

void layer_unpacker_free(struct layer_unpacker *u)
{
	if (!u)
		return;
	inflater_free(u->inflater);
	tar_reader_free(u->tar);
	tarsplit_writer_free(u->split);
	extract_free(&u->x);
	free(u);
}

int layer_unpacker_feed(struct layer_unpacker *u, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t n;
	int r;

	u->blob_size += len;
	if (u->where.blob >= 0) {
		r = write_all(u->where.blob, bytes, len, "the compressed layer");
		if (r < 0)
			return r;
	}
	if (!u->started) {
		n = MAGIC - u->magic_len < len ? MAGIC - u->magic_len : len;
		memcpy(u->magic + u->magic_len, bytes, n);
		u->magic_len += n;
		bytes += n;
		len -= n;
		if (u->magic_len < MAGIC)
			return 0;
		r = start(u);
		if (r < 0)
			return r;
	}
	return len > 0 ? input(u, bytes, len) : 0;
}

/* --- the end --- */

static int find_replaced(void *ctx, const char *path, uint64_t number, struct replaced_file *at)
{
	struct layer_unpacker *u = ctx;

	if (replaced_find(&u->x.replaced, path, number, &at->offset))
		at->fd = u->where.spool;
	return 0;
}

/* Some content is not in its place any more: correct the record, in the spool, and copy it back. */
static int correct_record(struct layer_unpacker *u)
{
	off_t at = (off_t)u->x.spool.size;
	ssize_t n;
	int r = replaced_sort(&u->x.replaced);

	if (r < 0)
		return r;
	if (lseek(u->where.spool, at, SEEK_SET) < 0)
		return fail_errno("write the spool");
	r = replaced_rewrite(u->where.tar, u->where.spool, find_replaced, u);
	if (r < 0)
		return r;
	if (ftruncate(u->where.tar, 0) < 0 || lseek(u->where.tar, 0, SEEK_SET) < 0)
		return fail_errno("write the record of the tar stream");
	for (; (n = pread(u->where.spool, u->piece, sizeof(u->piece), at)) > 0; at += n) {
		r = write_record(u, u->piece, (size_t)n);
		if (r < 0)
			return r;
	}
	return n < 0 ? fail_errno("read the spool") : 0;
}

static int finish_record(struct layer_unpacker *u, const struct digest *diff_id)
{
	uint8_t head[TARSPLIT_HEAD];
	int r = tarsplit_end(u->split, diff_id);

	if (r < 0)
		return r;
	tarsplit_head(head, u->x.stream);
	if (pwrite(u->where.tar, head, sizeof(head), 0) != sizeof(head))
		return fail_errno("write the record of the tar stream");
	return u->x.replaced.list.len > 0 ? correct_record(u) : 0;
}

int layer_unpacker_end(struct layer_unpacker *u)
{
	auto_buf struct buf line = { 0 };
	struct layer_note n = { 0 };
	int r = u->started ? 0 : start(u);

	if (r == 0 && u->gzip)
		r = inflater_end(u->inflater);
	if (r == 0)
		r = tar_reader_end(u->tar);
	if (r == 0)
		r = extract_end(&u->x);
	if (r < 0)
		return r;
	hash_end(&u->diff_hash, &n.diff_id);
	n.blob = n.diff_id;
	if (u->gzip)
		hash_end(&u->blob_hash, &n.blob);
	r = finish_record(u, &n.diff_id);
	if (r < 0)
		return r;
	n.entries = u->entries;
	n.tar_size = u->x.stream;
	n.disk_size = u->x.disk_size;
	n.blob_size = u->blob_size;
	n.gzip = u->gzip;
	layer_note_format_done(&line, &n);
	r = buf_check(&line);
	return r < 0 ? r : write_all(u->where.notes, line.data, line.len, "a note");
}
