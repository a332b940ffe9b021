/* SPDX-License-Identifier: MIT */
/* place - where an entry of a layer goes: find its directory, free its name */
#ifndef SERVICE_PLACE_H
#define SERVICE_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "service/extract.h"

/* Mode of a directory that no entry has described yet. Those described are 0700 until the end. */
#define PLACE_IMPLIED 01710

/* Make x->dir the directory whose normalised name is the first LEN bytes of NAME, x->dir_path its
 * canonical path. Missing ones are made as implied; symbolic links are followed below the root. */
int place_dir(struct extract *x, const char *name, size_t len);

/* Open (O_PATH) the directory of that name without making anything, and append its canonical
 * path to CANON. Errno value without text: -ENOENT, -ENOTDIR, -ELOOP. */
int place_find(struct extract *x, const char *name, struct buf *canon);

/* Is that a whiteout: the character device 0:0? Only we make those. */
bool place_is_whiteout(const struct stat *st);

/* NAME is taken in x->dir: remove what is there; content the record needs is saved. A directory
 * stays if DIR is wanted: then the result is 1. *HIDDEN: it was a whiteout. */
int place_clear(struct extract *x, const char *name, bool dir, bool *hidden);

/* Tell that the directory at PATH hides what lies below it. */
int place_note_opaque(struct extract *x, const char *path);

#endif
