/* SPDX-License-Identifier: MIT */
/* imageusage - what the store holds and what of it could go */
#ifndef ENGINE_IMAGEUSAGE_H
#define ENGINE_IMAGEUSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "service/store.h"

struct imageusage_kind {
	size_t count;
	uint64_t bytes;
	size_t idle; /* what no image needs */
	uint64_t idle_bytes;
};

/* One reference: bytes of layers that only this image has, and of those that others have too. */
struct imageusage_image {
	char *reference;
	char id[DIGEST_TEXT];
	uint64_t unique, shared;
};

struct imageusage {
	struct imageusage_kind layers, blobs, tmp, damaged,
		other; /* other: databases, reserve, index */
	struct imageusage_image *images;
	size_t image_count;
};

/* Reads files only. Layers count with the sizes that were noted when they were unpacked. */
int imageusage_get(struct store *s, struct imageusage *out);
void imageusage_free(struct imageusage *u);

#endif
