/* SPDX-License-Identifier: MIT */
/* imageindex - index.json of the store, the mirror of refs/ that other tools read */
#ifndef ENGINE_IMAGEINDEX_H
#define ENGINE_IMAGEINDEX_H

#include "base/json.h"
#include "service/store.h"

/* Write index.json anew: an entry for each file in refs/ but the one of the canonical reference WITHOUT (may
 * be NULL), and what other tools put there, unknown members included. Caller holds index.lock. Adding goes
 * refs/ first, removing goes index.json first: what is only here was never ours. */
int imageindex_write(struct store *s, const char *without);

/* index.json as it is; *OUT is the caller's. -ENOENT, -EBADMSG. */
int imageindex_load(struct store *s, struct json **out);

/* The canonical reference or name of an entry (annotation ref.name); NULL if it has none. */
const char *imageindex_name(const struct json *entry);

#endif
