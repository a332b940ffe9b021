/* SPDX-License-Identifier: MIT */
/* imageverify - is everything in the store what it says it is? */
#ifndef ENGINE_IMAGEVERIFY_H
#define ENGINE_IMAGEVERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "service/store.h"

enum imageverify_kind { IMAGEVERIFY_BLOB, IMAGEVERIFY_LAYER, IMAGEVERIFY_IMAGE };

/* What was looked at and found. PROBLEM is told of each finding: OBJECT is a digest, or a reference (or file
 * in refs/). START (may be NULL) before each blob and layer. */
struct imageverify {
	void (*start)(void *ctx, enum imageverify_kind kind, const char *object);
	void (*problem)(
		void *ctx, enum imageverify_kind kind, const char *object, const char *text);
	void *ctx;
	size_t blobs, layers, images; /* looked at */
	size_t problems;
};

/* Compare every blob with its name, every layer, by rebuilding its tar stream, with its diff id, and look whether
 * every image has its parts. Changes nothing. The return value is about the looking: findings are counted. */
int imageverify_run(struct store *s, struct imageverify *v);

/* The same, and put it right: what is damaged is moved to damaged/, references that cannot run any more too
 * (PROBLEM is told how to get each back), and index.json and store.db are made to fit the files. */
int imageverify_repair(struct store *s, struct imageverify *v);

#endif
