/* SPDX-License-Identifier: MIT */
/* path - the one resolver: every path inside a root goes through here
 *
 * A root is a descriptor of its top directory. Symbolic links, absolute ones too, and ".." stay inside
 * it; magic links are refused. Uses openat2 (Linux 5.6), else a walk that gives the same answers on a
 * tree that nobody changes meanwhile, and never leaves ROOT even if somebody does. */
#ifndef KERNEL_PATH_H
#define KERNEL_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* Open PATH in ROOT with FLAGS (O_CLOEXEC is added; O_CREAT is not for here). The last part is followed
 * unless FLAGS holds O_NOFOLLOW. Returns the descriptor, or a negative errno without text. */
int path_open(int root, const char *path, int flags);

/* The same without following any symbolic link: -ELOOP if there is one. */
int path_open_plain(int root, const char *path, int flags);

/* Open the directory that holds the last part of PATH and point *NAME at that part (inside PATH).
 * -EINVAL when the last part is empty, "." or "..". */
int path_open_parent(int root, const char *path, const char **name);

/* mkdir -p in ROOT with MODE for what is missing, owner as given; symbolic links are followed in-root.
 * Returns a descriptor of the directory. */
int path_mkdirs(int root, const char *path, mode_t mode, uid_t uid, gid_t gid);

/* Normalise a member name lexically into OUT: no leading or trailing slash, no "." or empty part; ""
 * for the root. ".." pops a part but never above the top. -ENAMETOOLONG: over 4,096 bytes or a part
 * over 255. Lexical only: for names where symbolic links do not matter or are resolved afterwards. */
int path_normalise(struct buf *out, const char *path);

/* Remove NAME below DIR and everything in it, never following a link and never entering another file
 * system or mount point (-EBUSY with the place named; nothing above it is removed). Missing: 0. */
int path_remove_tree(int dir, const char *name);

#endif
