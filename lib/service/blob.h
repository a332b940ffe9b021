/* SPDX-License-Identifier: MIT */
/* blob - files named by the digest of their content, in blobs/ of the store */
#ifndef SERVICE_BLOB_H
#define SERVICE_BLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "format/digest.h"
#include "service/store.h"

/* Keep DATA durably; *OUT (may be NULL) is its digest. Existing is fine. */
int blob_put(struct store *s, const void *data, size_t len, struct digest *out);

/* Read a blob of at most MAX bytes and verify it. -ENOENT, -EBADMSG (damaged, digest named). */
int blob_get(struct store *s, const struct digest *d, size_t max, struct buf *out);

/* Open for reading, unverified. -ENOENT. */
int blob_open(struct store *s, const struct digest *d);

bool blob_exists(struct store *s, const struct digest *d);

/* Take over the finished, verified file NAME of directory DIR (same file system) as the blob D. */
int blob_adopt(struct store *s, int dir, const char *name, const struct digest *d);

int blob_remove(struct store *s, const struct digest *d);

#endif
