/* SPDX-License-Identifier: MIT */
/* flatten - the root file system of an image as one tar stream */
#ifndef ENGINE_FLATTEN_H
#define ENGINE_FLATTEN_H

#include "engine/image.h"
#include "service/store.h"

/* Write the tar of the image's merged layers to OUT. Needs CAP_SYS_ADMIN: a child mounts them as one
 * overlay in a mount namespace of its own, so the host's mounts do not change. */
int flatten_write(struct store *s, const struct image *image, int out);

#endif
