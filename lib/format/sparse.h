/* SPDX-License-Identifier: MIT */
/* sparse - the maps of sparse files in tar: old GNU, GNU 0.0, 0.1 and 1.0
 *
 * Functions that return int give -EBADMSG with text for what is damaged or has too many pieces. */
#ifndef FORMAT_SPARSE_H
#define FORMAT_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct tar_sparse {
	uint64_t offset, len; /* a piece that holds data; ascending, not overlapping */
};

#define SPARSE_MAX 65536 /* pieces */

/* All zero is an empty map. */
struct sparse {
	struct buf pieces; /* struct tar_sparse */
	/* What PAX records say. */
	const char *major, *minor, *name;
	uint64_t size; /* of the file with its holes */
	bool has_size, has_map;
	bool half; /* 0.0: an offset waits for its length */
	/* The map at the front of the content (1.0). */
	uint64_t number, numbers, wanted;
	bool in_number, complete;
};

/* Empty it, keep the memory. */
void sparse_clear(struct sparse *s);
void sparse_free(struct sparse *s);

/* The PAX record GNU.sparse.KEY. VALUE must live as long as the map. */
int sparse_pax(struct sparse *s, const char *key, const char *value);

/* Is there a map, and of which kind? -EBADMSG: unknown or contradictory. */
enum sparse_kind { SPARSE_NONE, SPARSE_PAX, SPARSE_IN_CONTENT };
int sparse_kind(const struct sparse *s);

/* COUNT pieces of old GNU format (24 bytes each) at P, ended early by an empty one. */
int sparse_old(struct sparse *s, const uint8_t *p, int count);

/* One block of a map in the content; s->complete says that it was the last. */
int sparse_block(struct sparse *s, const uint8_t *block);

/* Must be in order, within SIZE, and cover STORED bytes. *PIECES (never NULL) belongs to the
 * map. */
int sparse_check(const struct sparse *s, uint64_t size, uint64_t stored,
	const struct tar_sparse **pieces, size_t *count);

#endif
