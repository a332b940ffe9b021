/* SPDX-License-Identifier: MIT */
/* sparse - the maps of sparse files in tar */
#include "format/sparse.h"

#include <string.h>

#include "base/fail.h"
#include "base/num.h"
#include "format/tarblock.h"

void sparse_clear(struct sparse *s)
{
	struct buf pieces = s->pieces;

	buf_clear(&pieces);
	*s = (struct sparse){ .pieces = pieces };
}

void sparse_free(struct sparse *s)
{
	buf_free(&s->pieces);
}

static int damaged(void)
{
	return fail(EBADMSG, "damaged sparse map");
}

static int add(struct sparse *s, uint64_t offset, uint64_t len)
{
	struct tar_sparse piece = { offset, len };

	if (s->pieces.len / sizeof(piece) >= SPARSE_MAX)
		return fail(EBADMSG, "a sparse file of more than %d pieces", SPARSE_MAX);
	buf_add(&s->pieces, &piece, sizeof(piece));
	return buf_check(&s->pieces);
}

/* The length of the piece whose offset came alone. */
static void set_last_len(struct sparse *s, uint64_t len)
{
	struct tar_sparse *p = (struct tar_sparse *)(void *)s->pieces.data;

	p[s->pieces.len / sizeof(*p) - 1].len = len;
}

/* The decimal number at *P, which is moved behind it. */
static bool decimal(const char **p, uint64_t *out)
{
	const char *s = *p;

	for (*out = 0; *s >= '0' && *s <= '9'; s++) {
		if (*out >> 59)
			return false;
		*out = *out * 10 + (uint64_t)(*s - '0');
	}
	if (s == *p)
		return false;
	*p = s;
	return true;
}

/* 0.1: "offset,length,offset,length". */
static int parse_map(struct sparse *s, const char *p)
{
	uint64_t offset, len;
	int r;

	buf_clear(&s->pieces);
	for (;;) {
		if (!decimal(&p, &offset) || *p++ != ',' || !decimal(&p, &len))
			return damaged();
		r = add(s, offset, len);
		if (r < 0 || *p == '\0')
			return r;
		if (*p++ != ',')
			return damaged();
	}
}

int sparse_pax(struct sparse *s, const char *key, const char *value)
{
	uint64_t n;

	if (strcmp(key, "major") == 0) {
		s->major = value;
	} else if (strcmp(key, "minor") == 0) {
		s->minor = value;
	} else if (strcmp(key, "name") == 0) {
		s->name = value;
	} else if (strcmp(key, "map") == 0) {
		s->has_map = true;
		return parse_map(s, value);
	} else if (num_parse(value, INT64_MAX, &n) < 0) {
		return fail(EBADMSG, "damaged number of a sparse file");
	} else if (strcmp(key, "size") == 0 || strcmp(key, "realsize") == 0) {
		s->size = n;
		s->has_size = true;
	} else if (strcmp(key, "offset") == 0) {
		if (s->half)
			return damaged();
		s->has_map = s->half = true;
		return add(s, n, 0);
	} else if (strcmp(key, "numbytes") == 0) {
		if (!s->half)
			return damaged();
		s->half = false;
		set_last_len(s, n);
	}
	return 0;
}

int sparse_kind(const struct sparse *s)
{
	const char *major = s->major ? s->major : "0", *minor = s->minor ? s->minor : "0";
	bool v0 = strcmp(major, "0") == 0 && (strcmp(minor, "0") == 0 || strcmp(minor, "1") == 0);
	bool v1 = strcmp(major, "1") == 0 && strcmp(minor, "0") == 0;

	if (s->half)
		return damaged();
	if (!v0 && !v1)
		return fail(EBADMSG, "sparse file of unknown version %s.%s", major, minor);
	if (v1)
		return s->has_map ? damaged() : SPARSE_IN_CONTENT;
	return s->has_map || s->major || s->minor ? SPARSE_PAX : SPARSE_NONE;
}

int sparse_old(struct sparse *s, const uint8_t *p, int count)
{
	uint64_t offset, len;
	int r;

	for (; count > 0 && p[0] && p[12]; count--, p += 24) {
		if (!tarblock_unsigned(p, 0, 12, INT64_MAX, &offset) ||
			!tarblock_unsigned(p, 12, 12, INT64_MAX, &len))
			return damaged();
		r = add(s, offset, len);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A number of the map in the content is complete: the count, or offset and length in turn. */
static int take_number(struct sparse *s)
{
	int r = 0;

	s->in_number = false;
	if (s->numbers == 0) {
		if (s->number > SPARSE_MAX)
			return fail(EBADMSG, "a sparse file of more than %d pieces", SPARSE_MAX);
		s->wanted = s->number;
	} else if (s->numbers % 2) {
		r = add(s, s->number, 0);
	} else {
		set_last_len(s, s->number);
	}
	s->numbers++;
	s->complete = s->numbers == 1 + 2 * s->wanted;
	return r;
}

int sparse_block(struct sparse *s, const uint8_t *block)
{
	size_t i;
	int r;

	/* Decimal lines; zeros up to the end of the block after the last. */
	for (i = 0; i < TAR_BLOCK_SIZE && !s->complete; i++) {
		if (block[i] >= '0' && block[i] <= '9') {
			if (!s->in_number)
				s->number = 0;
			s->in_number = true;
			if (s->number >> 59)
				return damaged();
			s->number = s->number * 10 + (uint64_t)(block[i] - '0');
			continue;
		}
		if (block[i] != '\n' || !s->in_number)
			return damaged();
		r = take_number(s);
		if (r < 0)
			return r;
	}
	return 0;
}

int sparse_check(const struct sparse *s, uint64_t size, uint64_t stored,
	const struct tar_sparse **pieces, size_t *count)
{
	const struct tar_sparse *p = (const void *)buf_str(&s->pieces);
	uint64_t end = 0, sum = 0;
	size_t i;

	*count = s->pieces.len / sizeof(*p);
	*pieces = p;
	for (i = 0; i < *count; i++, p++) {
		if (p->offset < end || p->offset > size || p->len > size - p->offset)
			return fail(EBADMSG, "sparse map out of order or beyond the file");
		end = p->offset + p->len;
		sum += p->len;
	}
	return sum == stored ? 0 : fail(EBADMSG, "sparse map that does not fit the content");
}
