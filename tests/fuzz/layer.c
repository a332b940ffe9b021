/* SPDX-License-Identifier: MIT */
/* layer - fuzz target: hostile streams unpacked for real and settled on a layer below; a canary
 * beside them stays as it is, any pieces give the same, and what was accepted rebuilds to the last
 * byte
 *
 * An input is a tar stream (its checksums are made right) or, if its first byte is odd, a list
 * of entries: type, name, target and content from a small alphabet, where most collisions are. */
#include "service/layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "format/tar.h"
#include "format/tarblock.h"
#include "kernel/fd.h"
#include "kernel/path.h"

#define SECRET "the canary"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int scratch = -1;
static char scratch_path[] = "/dev/shm/fuzz-layer.XXXXXX";

static void end(void)
{
	int dir = open("/dev/shm", O_RDONLY | O_DIRECTORY);

	path_remove_tree(dir, scratch_path + strlen("/dev/shm/"));
	close(dir);
}

static void begin(void)
{
	int fd;

	umask(0);
	if (!mkdtemp(scratch_path) || (scratch = open(scratch_path, O_RDONLY | O_DIRECTORY)) < 0)
		abort();
	atexit(end);
	if (mkdirat(scratch, "canary", 0700) < 0)
		abort();
	fd = openat(scratch, "canary/secret", O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || fd_write(fd, SECRET, strlen(SECRET)) < 0)
		abort();
	close(fd);
}

static void check_canary(void)
{
	auto_buf struct buf b = { 0 };
	struct stat st;

	if (fd_read_file(scratch, "canary/secret", &b, 100) < 0 || strcmp(buf_str(&b), SECRET) != 0)
		abort();
	if (fstatat(scratch, "canary/secret", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink != 1 ||
		(st.st_mode & 07777) != 0600)
		abort();
	if (fstatat(scratch, "canary", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink != 2 ||
		(st.st_mode & 07777) != 0700)
		abort();
}

/* --- streams --- */

static const char *const words[] = { "a", "b", "c", "usr", "lib", "..", ".", "", ".wh.a", ".wh.b",
	".wh.lib", ".wh..wh..opq", ".wh.", ".wh..", "canary", "secret" };

struct input {
	const uint8_t *at, *end;
};

static unsigned next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static void path_of(struct input *in, char out[100])
{
	unsigned shape = next(in), n = shape % 4;

	strcpy(out, shape & 0x80 ? "/" : "");
	do {
		strcat(out, words[next(in) % ARRAY_LEN(words)]);
		if (n > 0)
			strcat(out, "/");
	} while (n-- > 0);
}

static void entries_of(struct buf *out, struct input *in)
{
	static const uint8_t zeros[512];
	char name[100], link[100];
	unsigned flags;

	while (in->at < in->end) {
		struct tar_entry e = {
			.name = name, .link = "", .user = "", .group = "", .mode = 0644
		};

		flags = next(in);
		e.type = (enum tar_type)(flags % 7);
		path_of(in, name);
		if (!*name)
			strcpy(name, "a");
		if (e.type == TAR_HARDLINK || e.type == TAR_SYMLINK) {
			path_of(in, link);
			e.link = link;
		} else if (e.type == TAR_FILE) {
			e.size = flags >> 6;
		} else if (e.type == TAR_CHAR || e.type == TAR_BLOCK) {
			e.minor = flags >> 7;
		}
		if (tar_format(out, &e) < 0)
			abort();
		buf_add(out, &"xyz"[flags & 1], (size_t)e.size);
		buf_add(out, zeros, tar_pad(e.size));
	}
}

static void stream_of(struct buf *out, const uint8_t *data, size_t len)
{
	struct input in = { data, data + len };
	size_t at;

	if (next(&in) & 1) {
		entries_of(out, &in);
		return;
	}
	buf_add(out, in.at, (size_t)(in.end - in.at));
	for (at = 0; out->len - at >= TAR_BLOCK_SIZE; at += TAR_BLOCK_SIZE) {
		uint8_t *block = (uint8_t *)out->data + at;

		if (!tarblock_zero(block))
			tarblock_put_sum(block);
	}
}

/* --- unpacking --- */

static int file_in_memory(void)
{
	int fd = openat(scratch, "file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || unlinkat(scratch, "file", 0) < 0)
		abort();
	return fd;
}

/* Unpack into the layer NAME, whose directory is *DIR. */
static int unpack(
	const char *name, const struct buf *tar, size_t piece, int *dir, struct buf *notes)
{
	struct layer_unpack where = {
		.blob = -1, .devices = true, .owners = geteuid() == 0, .limits = { 1 << 20, 200, 0 }
	};
	struct layer_unpacker *u;
	size_t at, n;
	int r;

	if (path_remove_tree(scratch, name) < 0 || mkdirat(scratch, name, 0700) < 0)
		abort();
	*dir = openat(scratch, name, O_RDONLY | O_DIRECTORY);
	if (mkdirat(*dir, "fs", 0700) < 0)
		abort();
	where.root = openat(*dir, "fs", O_RDONLY | O_DIRECTORY);
	where.tar = openat(*dir, "tar", O_RDWR | O_CREAT, 0600);
	where.spool = file_in_memory();
	where.notes = file_in_memory();
	if (layer_unpacker_new(&u, &where) < 0)
		abort();
	for (r = 0, at = 0; r == 0 && at < tar->len; at += n) {
		n = tar->len - at < piece ? tar->len - at : piece;
		r = layer_unpacker_feed(u, tar->data + at, n);
	}
	if (r == 0)
		r = layer_unpacker_end(u);
	if (r < 0 && !*fail_text())
		abort();
	layer_unpacker_free(u);
	if (lseek(where.notes, 0, SEEK_SET) < 0 || fd_read_all(where.notes, notes, 64 << 20) < 0)
		abort();
	close(where.root);
	close(where.tar);
	close(where.spool);
	close(where.notes);
	return r;
}

struct compare {
	const struct buf *want;
	size_t at;
};

static int compare(void *ctx, const void *bytes, size_t len)
{
	struct compare *c = ctx;

	if (len > c->want->len - c->at || memcmp(c->want->data + c->at, bytes, len) != 0)
		abort();
	c->at += len;
	return 0;
}

static void check_rebuild(int dir, const struct buf *tar)
{
	struct compare c = { tar, 0 };

	if (layer_rebuild(dir, compare, &c, NULL) < 0) {
		fprintf(stderr, "%s\n", fail_text());
		abort();
	}
	if (c.at != tar->len)
		abort();
}

static int settle(int dir, const struct buf *notes, int below_dir)
{
	struct layer_below below = { openat(below_dir, "fs", O_RDONLY | O_DIRECTORY) };
	struct layer_note all[400];
	size_t count = 0;
	const char *line, *end;
	int r;

	for (line = buf_str(notes); *line; line = end + 1) {
		end = strchr(line, '\n');
		if (count == ARRAY_LEN(all) ||
			layer_note_parse(&all[count], line, (size_t)(end - line)) < 0)
			abort();
		count++;
	}
	r = layer_settle(dir, all, count, &below, 1);
	while (count > 0)
		layer_note_free(&all[--count]);
	close(below.fs);
	return r;
}

/* The layer below: what collides most. */
static int lower_dir(void)
{
	static const struct tar_entry entries[] = {
		{ .type = TAR_DIR, .name = "usr", .mode = 0711 },
		{ .type = TAR_DIR, .name = "usr/lib", .mode = 0751 },
		{ .type = TAR_FILE, .name = "usr/lib/c", .mode = 0644 },
		{ .type = TAR_SYMLINK, .name = "lib", .link = "usr/lib" },
		{ .type = TAR_SYMLINK, .name = "a", .link = "/lib/a" },
		{ .type = TAR_SYMLINK, .name = "b", .link = "../../canary" },
		{ .type = TAR_SYMLINK, .name = "usr/a", .link = "a" },
	};
	struct buf tar = { 0 }, notes = { 0 };
	size_t i;
	int dir;

	for (i = 0; i < ARRAY_LEN(entries); i++) {
		struct tar_entry e = entries[i];

		e.user = e.group = "";
		e.link = e.link ? e.link : "";
		if (tar_format(&tar, &e) < 0)
			abort();
	}
	if (unpack("lower", &tar, tar.len, &dir, &notes) < 0)
		abort();
	buf_free(&tar);
	buf_free(&notes);
	return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int lower = -1;
	auto_buf struct buf tar = { 0 }, notes = { 0 }, notes2 = { 0 };
	auto_close int dir = -1, dir2 = -1;
	int r, r2;

	if (scratch < 0) {
		begin();
		lower = lower_dir();
	}
	stream_of(&tar, data, len);
	r = unpack("one", &tar, tar.len, &dir, &notes);
	check_canary();
	r2 = unpack("two", &tar, 333, &dir2, &notes2);
	if (r != r2 || strcmp(buf_str(&notes), buf_str(&notes2)) != 0)
		abort();
	if (r < 0)
		return 0;
	check_rebuild(dir, &tar);
	if (geteuid() == 0) {
		r = settle(dir, &notes, lower);
		check_canary();
		if (r < 0 && !*fail_text())
			abort();
		if (r >= 0)
			check_rebuild(dir, &tar);
	}
	return 0;
}
