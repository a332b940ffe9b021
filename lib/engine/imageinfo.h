/* SPDX-License-Identifier: MIT */
/* imageinfo - all facts of an image, and how it was made */
#ifndef ENGINE_IMAGEINFO_H
#define ENGINE_IMAGEINFO_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "engine/image.h"

/* Everything known about I as one object; "config" is the image's own document. *OUT is the caller's. */
int imageinfo_describe(struct store *s, const struct image *i, struct json **out);

/* One step of the making, oldest first. Texts are what the image says: escape them. */
struct imageinfo_step {
	int64_t created; /* ns, 0 if unknown */
	char *created_by, *comment;
	char layer[DIGEST_TEXT]; /* directory of the layer that it made; "" if none */
	uint64_t size;           /* of that layer */
};
int imageinfo_history(
	struct store *s, const struct image *i, struct imageinfo_step **out, size_t *count);
void imageinfo_history_free(struct imageinfo_step *steps, size_t count);

#endif
