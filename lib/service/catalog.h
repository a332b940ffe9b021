/* SPDX-License-Identifier: MIT */
/* catalog - the rows of store.db, made from the files of the store and from nothing else
 *
 * Where rows and files differ the files are right. Each function runs in the caller's transaction or, if
 * there is none, in its own. */
#ifndef SERVICE_CATALOG_H
#define SERVICE_CATALOG_H

#include "base/json.h"
#include "format/digest.h"
#include "service/db.h"
#include "service/store.h"

extern const struct db_kind catalog_kind;

/* Row of the blob D, which lies in blobs/; MEDIA_TYPE NULL: judged by the content. */
int catalog_blob(struct store *s, const struct digest *d, const char *media_type);

/* Row of layers/DIR, from its layer.json. A row that says "deleting" keeps doing so unless READY. */
int catalog_layer(struct store *s, const char *dir, bool ready);

/* Rows of a reference (image, its layers in order, tag) from the content of its file in refs/; rows of its
 * blobs and layers are made if they are missing. */
int catalog_reference(struct store *s, const struct json *ref);

/* The blob (layer directory) is gone or about to go: remove its row and the rows of images that need it. NAME
 * is a digest (a name in layers/). */
int catalog_forget_blob(struct store *s, const char *name);
int catalog_forget_layer(struct store *s, const char *name);

/* Make rows for all files and remove rows that no file stands for. */
int catalog_sync(struct store *s);

/* catalog_sync, if that was never done with this store.db. */
int catalog_fill(struct store *s);

/* Call EACH for every name in the directory DIR that consists of hex digits alone; a negative result ends
 * the walk and is returned. */
int catalog_walk(int dir, int (*each)(void *ctx, const char *name), void *ctx);

#endif
