/* SPDX-License-Identifier: MIT */
/* gzip - streaming inflate and deflate, the only user of zlib */
#include "format/gzip.h"

#include <limits.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/fail.h"

#define WINDOW       15 /* bits: the largest, which every reader must accept */
#define WITH_GZIP    16 /* added to them: zlib reads or writes the gzip header and trailer */
#define MEMORY_LEVEL 8  /* zlib's default: 128 KiB for the hash chains and the block */
#define PIECE        8192

enum place { IN_MEMBER, AFTER_MEMBER, IN_PADDING };

struct inflater {
	enum gzip_kind kind;
	enum place place;
	z_stream zlib;
};

struct deflater {
	enum gzip_kind kind;
	bool ended;
	z_stream zlib;
	uint8_t piece[PIECE];
	size_t len; /* gathered bytes of the piece, none of them given to zlib yet */
};

static unsigned clamp(size_t len)
{
	return len < INT_MAX ? (unsigned)len : INT_MAX;
}

static int window(enum gzip_kind kind)
{
	return kind == GZIP_GZIP ? WINDOW + WITH_GZIP : -WINDOW;
}

enum gzip_kind gzip_sniff(const void *data, size_t len, const char **name)
{
	static const struct {
		const char *name;
		size_t len;
		uint8_t magic[6];
	} known[] = {
		{ NULL, 3, { 0x1f, 0x8b, 8 } },
		{ "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
		{ "xz", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
		{ "bzip2", 4, { 'B', 'Z', 'h', '9' } },
		{ "lz4", 4, { 0x04, 0x22, 0x4d, 0x18 } },
	};
	size_t i;

	if (name)
		*name = NULL;
	for (i = 0; i < ARRAY_LEN(known); i++) {
		if (len < known[i].len || memcmp(data, known[i].magic, known[i].len) != 0)
			continue;
		if (name)
			*name = known[i].name;
		return known[i].name ? GZIP_NONE : GZIP_GZIP;
	}
	return GZIP_NONE;
}

/* Kind GZIP_NONE, both ways. */
static long copy(const uint8_t **in, size_t *in_len, void *out, size_t out_len)
{
	size_t n = clamp(*in_len < out_len ? *in_len : out_len);

	if (n)
		memcpy(out, *in, n);
	*in += n;
	*in_len -= n;
	return (long)n;
}

int inflater_new(struct inflater **out, enum gzip_kind kind)
{
	struct inflater *z;

	*out = NULL;
	z = calloc(1, sizeof(*z));
	if (!z)
		return fail(ENOMEM, "out of memory");
	z->kind = kind;
	if (kind != GZIP_NONE && inflateInit2(&z->zlib, window(kind)) != Z_OK) {
		free(z);
		return fail(ENOMEM, "out of memory");
	}
	*out = z;
	return 0;
}

void inflater_free(struct inflater *z)
{
	if (!z)
		return;
	if (z->kind != GZIP_NONE)
		inflateEnd(&z->zlib);
	free(z);
}

/* Inflate what there is: 0, or -EBADMSG, -ENOMEM. */
static int member(struct inflater *z, const uint8_t **in, size_t *in_len)
{
	unsigned given = clamp(*in_len);
	int r;

	z->zlib.next_in = *in;
	z->zlib.avail_in = given;
	r = inflate(&z->zlib, Z_NO_FLUSH);
	*in += given - z->zlib.avail_in;
	*in_len -= given - z->zlib.avail_in;
	if (r == Z_STREAM_END)
		z->place = AFTER_MEMBER;
	else if (r == Z_DATA_ERROR)
		return fail(EBADMSG, "compressed data is damaged: %s", z->zlib.msg);
	else if (r != Z_OK && r != Z_BUF_ERROR)
		return fail(ENOMEM, "out of memory");
	return 0;
}

/* At the first byte after a member: another member or padding begins. */
static int after_member(struct inflater *z, uint8_t byte)
{
	if (z->kind == GZIP_GZIP && byte == 0x1f) {
		inflateReset(&z->zlib);
		z->place = IN_MEMBER;
		return 0;
	}
	if (z->kind == GZIP_GZIP && byte == 0) {
		z->place = IN_PADDING;
		return 0;
	}
	return fail(EBADMSG, "bytes after the end of the compressed data");
}

static int skip_padding(const uint8_t **in, size_t *in_len)
{
	while (*in_len && **in == 0) {
		++*in;
		--*in_len;
	}
	return *in_len ? fail(EBADMSG, "bytes after the end of the compressed data") : 0;
}

long inflater_run(struct inflater *z, const uint8_t **in, size_t *in_len, void *out, size_t out_len)
{
	unsigned room = clamp(out_len);
	int r = 0;

	if (z->kind == GZIP_NONE)
		return copy(in, in_len, out, out_len);
	z->zlib.next_out = out;
	z->zlib.avail_out = room;
	for (;;) {
		switch (z->place) {
		case IN_MEMBER: r = member(z, in, in_len); break;
		case AFTER_MEMBER: r = *in_len ? after_member(z, **in) : 0; break;
		case IN_PADDING: r = skip_padding(in, in_len); break;
		}
		if (r < 0)
			return r;
		/* A member that ended, or is only begun, may be followed by more. */
		if (!*in_len || !z->zlib.avail_out)
			return (long)(room - z->zlib.avail_out);
	}
}

int inflater_end(struct inflater *z)
{
	if (z->kind != GZIP_NONE && z->place == IN_MEMBER)
		return fail(EBADMSG, "compressed data is cut short");
	return 0;
}

int deflater_new(struct deflater **out, enum gzip_kind kind, int level)
{
	struct deflater *z;

	*out = NULL;
	z = calloc(1, sizeof(*z));
	if (!z)
		return fail(ENOMEM, "out of memory");
	z->kind = kind;
	if (kind != GZIP_NONE &&
		deflateInit2(&z->zlib, level, Z_DEFLATED, window(kind), MEMORY_LEVEL,
			Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return fail(ENOMEM, "out of memory");
	}
	*out = z;
	return 0;
}

void deflater_free(struct deflater *z)
{
	if (!z)
		return;
	if (z->kind != GZIP_NONE)
		deflateEnd(&z->zlib);
	free(z);
}

/* Take input into the piece; true if zlib may work on it. What zlib writes depends a little on how
 * its input is cut (a match may be lost when its window slides early), and equal streams must give
 * equal bytes. So it gets pieces of one size, each when the byte after it is known to exist. */
static bool gather(struct deflater *z, const uint8_t **in, size_t *in_len, bool finish)
{
	size_t n = PIECE - z->len < *in_len ? PIECE - z->len : *in_len;

	if (n)
		memcpy(z->piece + z->len, *in, n);
	z->len += n;
	*in += n;
	*in_len -= n;
	return *in_len || finish;
}

long deflater_run(struct deflater *z, const uint8_t **in, size_t *in_len, void *out, size_t out_len,
	bool finish)
{
	unsigned room = clamp(out_len);
	bool last;

	if (z->kind == GZIP_NONE)
		return copy(in, in_len, out, out_len);
	z->zlib.next_out = out;
	z->zlib.avail_out = room;
	while (z->zlib.avail_out && !z->ended) {
		if (!z->zlib.avail_in) {
			if (!gather(z, in, in_len, finish))
				break;
			z->zlib.next_in = z->piece;
			z->zlib.avail_in = (unsigned)z->len;
			z->len = 0;
		}
		last = finish && !*in_len;
		z->ended = deflate(&z->zlib, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
	}
	return (long)(room - z->zlib.avail_out);
}
