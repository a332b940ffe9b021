/* SPDX-License-Identifier: MIT */
/* imagegc - remove references, and what no reference needs any more
 *
 * Alive is what files in refs/, containers, foreign entries of index.json and leases of live
 * processes name. The decision and the renames happen under index.lock, which image_add takes too;
 * a pull leases a layer before it looks whether it exists, and waits for that lock when the row
 * says "deleting". */
#ifndef ENGINE_IMAGEGC_H
#define ENGINE_IMAGEGC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/store.h"

/* Names without order, then sorted for looking up. */
struct imagegc_set {
	char (*names)[DIGEST_TEXT]; /* hex */
	size_t count, room;
	bool sorted;
};

/* What is needed: names in layers/ and in blobs/sha256/. */
struct imagegc_live {
	struct imagegc_set layers, blobs;
};
void imagegc_live_free(struct imagegc_live *l);
bool imagegc_has(struct imagegc_set *set, const char *name);

/* Collect what refs/, containers and index.json name. -EBADMSG when a file of them is damaged: then
 * nobody knows what is garbage. */
int imagegc_live(struct store *s, struct imagegc_live *out);

/* What went. SAY (may be NULL) is told each step: "untagged" with the reference, "deleted" with the digest of
 * an image, layer or blob. */
struct imagegc {
	void (*say)(void *ctx, const char *verb, const char *object);
	void *ctx;
	bool dry_run; /* imagegc_run: only say and count */
	size_t layers, blobs;
	uint64_t bytes;
};

/* Remove the reference NAME, or the image with the id NAME (with FORCE also if it has several references), and
 * what only it needed. -ENOENT; -EEXIST ambiguous or several references; -EBUSY a running container uses it. */
int imagegc_remove(struct store *s, const char *name, bool force, struct imagegc *gc);

/* Remove everything that nothing needs. */
int imagegc_run(struct store *s, struct imagegc *gc);

#endif
