/* SPDX-License-Identifier: MIT */
/* tarsplit - what is needed beside the files to rebuild a tar stream byte for byte */
#include "format/tarsplit.h"

#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "format/gzip.h"

#define MAGIC     "QBT1"
#define VERSION   1
#define PATH_SIZE 4096
#define PIECE     16384
/* A run of zeros shorter than this costs less as it is. */
#define ZEROS_MIN 64

enum record { RECORD_END, RECORD_RAW, RECORD_FILE, RECORD_ZEROS };

static void put_u32(uint8_t *out, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(n >> (8 * i));
}

static void put_u64(uint8_t *out, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(n >> (8 * i));
}

static uint64_t get_le(const uint8_t *in, int bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | in[bytes];
	return n;
}

void tarsplit_head(uint8_t out[TARSPLIT_HEAD], uint64_t tar_size)
{
	memcpy(out, MAGIC, 4);
	put_u32(out + 4, VERSION);
	put_u64(out + 8, tar_size);
}

/* --- writer --- */

struct tarsplit_writer {
	struct deflater *z;
	tarsplit_sink *sink;
	void *ctx;
	uint64_t zeros; /* pending, not yet written */
	size_t raw;     /* pending bytes in front of them */
	uint8_t pending[PIECE];
	uint8_t out[PIECE];
};

int tarsplit_writer_new(struct tarsplit_writer **out, tarsplit_sink *sink, void *ctx)
{
	struct tarsplit_writer *w = calloc(1, sizeof(*w));
	int r;

	*out = NULL;
	if (!w)
		return fail(ENOMEM, "out of memory");
	w->sink = sink;
	w->ctx = ctx;
	r = deflater_new(&w->z, GZIP_RAW, 1);
	if (r < 0)
		free(w);
	else
		*out = w;
	return r;
}

void tarsplit_writer_free(struct tarsplit_writer *w)
{
	if (!w)
		return;
	deflater_free(w->z);
	free(w);
}

static int deflate_out(struct tarsplit_writer *w, const void *bytes, size_t len, bool finish)
{
	const uint8_t *in = bytes;
	long n;
	int r;

	for (;;) {
		n = deflater_run(w->z, &in, &len, w->out, sizeof(w->out), finish);
		if (n < 0)
			return (int)n;
		if (n == 0 && len == 0)
			return 0;
		r = n ? w->sink(w->ctx, w->out, (size_t)n) : 0;
		if (r < 0)
			return r;
	}
}

/* Write a record's kind and up to two LEB128 numbers. */
static int put_head(struct tarsplit_writer *w, enum record kind, uint64_t a, const uint64_t *b)
{
	uint8_t head[24];
	size_t n = 0;

	head[n++] = (uint8_t)kind;
	for (; a >= 0x80; a >>= 7)
		head[n++] = (uint8_t)(a | 0x80);
	head[n++] = (uint8_t)a;
	if (b) {
		uint64_t v = *b;

		for (; v >= 0x80; v >>= 7)
			head[n++] = (uint8_t)(v | 0x80);
		head[n++] = (uint8_t)v;
	}
	return deflate_out(w, head, n, false);
}

static int flush_raw(struct tarsplit_writer *w)
{
	int r = 0;

	if (w->raw) {
		r = put_head(w, RECORD_RAW, w->raw, NULL);
		if (r == 0)
			r = deflate_out(w, w->pending, w->raw, false);
		w->raw = 0;
	}
	return r;
}

static int flush(struct tarsplit_writer *w)
{
	int r = flush_raw(w);

	if (r == 0 && w->zeros)
		r = put_head(w, RECORD_ZEROS, w->zeros, NULL);
	w->zeros = 0;
	return r;
}

static size_t zeros_at(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && !p[n])
		n++;
	return n;
}

/* Bytes without a long run of zeros among them. */
static int add_raw(struct tarsplit_writer *w, const uint8_t *p, size_t len)
{
	size_t n;
	int r = w->zeros ? flush(w) : 0;

	while (r == 0 && len) {
		if (w->raw == sizeof(w->pending))
			r = flush_raw(w);
		n = sizeof(w->pending) - w->raw;
		n = len < n ? len : n;
		memcpy(w->pending + w->raw, p, n);
		w->raw += n;
		p += n;
		len -= n;
	}
	return r;
}

int tarsplit_raw(struct tarsplit_writer *w, const void *bytes, size_t len)
{
	const uint8_t *p = bytes, *end = p + len, *at = p, *zero;
	size_t n;
	int r;

	/* A run is also long when it goes on from the piece before. */
	while (at < end && (zero = memchr(at, 0, (size_t)(end - at)))) {
		n = zeros_at(zero, (size_t)(end - zero));
		if (n < ZEROS_MIN && !(zero == bytes && w->zeros)) {
			at = zero + n;
			continue;
		}
		r = zero > p ? add_raw(w, p, (size_t)(zero - p)) : 0;
		if (r < 0)
			return r;
		w->zeros += n;
		p = at = zero + n;
	}
	return p < end ? add_raw(w, p, (size_t)(end - p)) : 0;
}

int tarsplit_file(struct tarsplit_writer *w, const char *path, uint64_t len)
{
	uint64_t path_len = strlen(path);
	int r;

	if (path_len == 0 || path_len >= PATH_SIZE)
		return fail(EINVAL, "a path of %llu bytes", (unsigned long long)path_len);
	r = flush(w);
	if (r == 0)
		r = put_head(w, RECORD_FILE, len, &path_len);
	return r < 0 ? r : deflate_out(w, path, path_len, false);
}

int tarsplit_end(struct tarsplit_writer *w, const struct digest *diff_id)
{
	uint8_t end[33] = { RECORD_END };
	int r = flush(w);

	memcpy(end + 1, diff_id->bytes, 32);
	return r < 0 ? r : deflate_out(w, end, sizeof(end), true);
}

/* --- reader --- */

enum state { HEAD, KIND, NUMBER, SECOND, PATH, RAW, DIGEST, END };

struct tarsplit_reader {
	const struct tarsplit_events *events;
	void *ctx;
	struct inflater *z;
	enum state state;
	enum record kind;
	uint64_t total, sum;       /* size of the stream: as the head says, so far */
	uint64_t number, path_len; /* of the current record */
	unsigned shift;
	uint64_t left;
	size_t filled;
	uint8_t head[TARSPLIT_HEAD];
	uint8_t digest[32];
	char path[PATH_SIZE];
};

int tarsplit_reader_new(
	struct tarsplit_reader **out, const struct tarsplit_events *events, void *ctx)
{
	struct tarsplit_reader *r = calloc(1, sizeof(*r));
	int e;

	*out = NULL;
	if (!r)
		return fail(ENOMEM, "out of memory");
	r->events = events;
	r->ctx = ctx;
	e = inflater_new(&r->z, GZIP_RAW);
	if (e < 0)
		free(r);
	else
		*out = r;
	return e;
}

void tarsplit_reader_free(struct tarsplit_reader *r)
{
	if (!r)
		return;
	inflater_free(r->z);
	free(r);
}

static int damaged(const char *what)
{
	return fail(EBADMSG, "the record of the tar stream is damaged: %s", what);
}

/* Add to the size of the stream; no record may go beyond what the head says. */
static int count(struct tarsplit_reader *r, uint64_t len)
{
	if (len > r->total - r->sum)
		return damaged("it is longer than its head says");
	r->sum += len;
	return 0;
}

static int zeros(struct tarsplit_reader *r)
{
	static const uint8_t zero[4096];
	size_t n;
	int e;

	while (r->number) {
		n = r->number < sizeof(zero) ? (size_t)r->number : sizeof(zero);
		e = r->events->raw(r->ctx, zero, n);
		if (e < 0)
			return e;
		r->number -= n;
	}
	r->state = KIND;
	return 0;
}

/* The first number of a record is complete. */
static int begin_record(struct tarsplit_reader *r)
{
	int e = count(r, r->number);

	if (e < 0)
		return e;
	if (r->kind == RECORD_ZEROS)
		return zeros(r);
	if (r->kind == RECORD_RAW) {
		if (r->number == 0)
			return damaged("an empty record");
		r->left = r->number;
		r->state = RAW;
		return 0;
	}
	r->path_len = 0;
	r->shift = 0;
	r->state = SECOND;
	return 0;
}

/* One byte of a LEB128 number: 1 when it was the last, -EBADMSG over 63 bits. */
static int number(struct tarsplit_reader *r, uint64_t *n, uint8_t byte)
{
	if (r->shift > 56)
		return damaged("a number is too large");
	*n |= (uint64_t)(byte & 0x7f) << r->shift;
	r->shift += 7;
	return !(byte & 0x80);
}

static int kind(struct tarsplit_reader *r, uint8_t byte)
{
	if (byte > RECORD_ZEROS)
		return damaged("an unknown kind of record");
	r->kind = (enum record)byte;
	r->number = 0;
	r->shift = 0;
	r->filled = 0;
	r->state = r->kind == RECORD_END ? DIGEST : NUMBER;
	return 0;
}

static int path_length(struct tarsplit_reader *r, uint8_t byte)
{
	int e = number(r, &r->path_len, byte);

	if (e <= 0)
		return e;
	if (r->path_len == 0 || r->path_len >= PATH_SIZE)
		return damaged("the length of a path");
	r->filled = 0;
	r->state = PATH;
	return 0;
}

static int path_byte(struct tarsplit_reader *r, uint8_t byte)
{
	if (!byte)
		return damaged("a path with a NUL");
	r->path[r->filled++] = (char)byte;
	if (r->filled < r->path_len)
		return 0;
	r->path[r->filled] = '\0';
	r->state = KIND;
	return r->events->file(r->ctx, r->path, r->number);
}

/* Inflated bytes. */
static int consume(struct tarsplit_reader *r, const uint8_t *p, size_t len)
{
	size_t n;
	int e = 0;

	while (len && e >= 0) {
		n = 1;
		switch (r->state) {
		case KIND: e = kind(r, *p); break;
		case NUMBER:
			e = number(r, &r->number, *p);
			if (e > 0)
				e = begin_record(r);
			break;
		case SECOND: e = path_length(r, *p); break;
		case PATH: e = path_byte(r, *p); break;
		case RAW:
			n = r->left < len ? (size_t)r->left : len;
			e = r->events->raw(r->ctx, p, n);
			r->left -= n;
			if (!r->left)
				r->state = KIND;
			break;
		case DIGEST:
			r->digest[r->filled++] = *p;
			if (r->filled == sizeof(r->digest))
				r->state = END;
			break;
		case HEAD:
		case END: return damaged("something follows its end");
		}
		p += n;
		len -= n;
	}
	return e < 0 ? e : 0;
}

/* Take the bytes of the head; 0 when more are wanted or it is whole. */
static int head(struct tarsplit_reader *r, const uint8_t **in, size_t *len)
{
	size_t n = TARSPLIT_HEAD - r->filled;

	n = *len < n ? *len : n;
	memcpy(r->head + r->filled, *in, n);
	r->filled += n;
	*in += n;
	*len -= n;
	if (r->filled < TARSPLIT_HEAD)
		return 0;
	if (memcmp(r->head, MAGIC, 4) != 0)
		return damaged("it does not begin with " MAGIC);
	if (get_le(r->head + 4, 4) != VERSION)
		return fail(EBADMSG, "the record of the tar stream is of version %llu, not %d",
			(unsigned long long)get_le(r->head + 4, 4), VERSION);
	r->total = get_le(r->head + 8, 8);
	r->state = KIND;
	return 0;
}

int tarsplit_reader_feed(struct tarsplit_reader *r, const void *data, size_t len)
{
	const uint8_t *in = data;
	uint8_t out[PIECE];
	long n;
	int e;

	if (r->state == HEAD) {
		e = head(r, &in, &len);
		if (e < 0 || r->state == HEAD)
			return e;
	}
	do {
		n = inflater_run(r->z, &in, &len, out, sizeof(out));
		if (n < 0)
			return (int)n;
		e = consume(r, out, (size_t)n);
		if (e < 0)
			return e;
	} while (n > 0 || len);
	return 0;
}

int tarsplit_reader_end(struct tarsplit_reader *r, struct digest *diff_id)
{
	int e;

	*diff_id = (struct digest){ .algorithm = DIGEST_SHA256 };
	if (r->state != END)
		return damaged("it is cut short");
	e = inflater_end(r->z);
	if (e < 0)
		return e;
	if (r->sum != r->total)
		return damaged("it is shorter than its head says");
	memcpy(diff_id->bytes, r->digest, sizeof(r->digest));
	return 0;
}
