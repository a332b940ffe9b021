/* SPDX-License-Identifier: MIT */
/* merged - layers seen as overlayfs shows them: whiteouts, opaque and merged directories
 *
 * For trees that nobody changes meanwhile. All paths stay below the roots. */
#ifndef SERVICE_MERGED_H
#define SERVICE_MERGED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"

#define MERGED_MAX 129 /* layers of an image and one on top */

/* What one name is: the directories that are merged under it, top first, or one other thing. */
enum merged_type { MERGED_NONE, MERGED_DIR, MERGED_OTHER };
struct merged {
	enum merged_type type;
	int dirs[MERGED_MAX]; /* open for reading */
	size_t count;
	struct stat st; /* of the topmost directory or the other thing */
	size_t layer;   /* where it was found: index into the dirs of what it was looked up in */
};

/* Free the descriptors. */
void merged_free(struct merged *m);

/* The root of COUNT layers. */
int merged_root(struct merged *out, const int *roots, size_t count);

/* NAME in the merged directory DIR; *OUT is the caller's (merged_free) also if it is nothing.
 * Errors here and below come with text. */
int merged_step(const struct merged *dir, const char *name, struct merged *out);

/* PATH, normalised, below ROOT without following a link; nothing if less than AT_LEAST layers (1 or
 * more) have a say in the directory above it. */
int merged_find(const struct merged *root, size_t at_least, const char *path, struct merged *out);

/* The canonical path of the directory that PATH, which may hold ".." and be absolute, leads to
 * when links are followed in the merged tree; parts that are missing are taken as they are.
 * -ENOTDIR, -ELOOP. */
int merged_resolve(const struct merged *root, const char *path, struct buf *canon);

/* Is the directory FD marked opaque? */
bool merged_is_opaque(int fd);

#endif
