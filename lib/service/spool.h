/* SPDX-License-Identifier: MIT */
/* spool - what the unpacker must remember until the end, in a file instead of memory
 *
 * Directories get owner, mode and time last, else their own entries would change them; content
 * that is replaced within one layer is kept for the record of the tar stream. */
#ifndef SERVICE_SPOOL_H
#define SERVICE_SPOOL_H

#include <stdint.h>

#include "base/buf.h"

enum spool_kind {
	SPOOL_DIR,
	SPOOL_IMPLIED, /* a directory that no entry has described */
	SPOOL_HIDDEN,  /* the same, in place of a whiteout */
	SPOOL_CONTENT,
};

struct spool_item {
	uint32_t kind, mode, uid, gid;
	int64_t mtime;
	uint64_t len; /* of the path (a directory) or the content that follows */
};

/* All zero but fd is an empty spool; FD stays the caller's. */
struct spool {
	int fd;
	uint64_t size; /* written so far, pending bytes included */
	struct buf pending;
};

void spool_free(struct spool *s);

/* Append ITEM and the path of a directory. */
int spool_add_dir(struct spool *s, const struct spool_item *item, const char *path);

/* Append LEN bytes of content read from FD; *OFFSET is where they lie. -EIO if there are fewer. */
int spool_add_content(struct spool *s, int fd, uint64_t len, uint64_t *offset);

/* Write what is pending: then the file can be read. */
int spool_flush(struct spool *s);

/* Call EACH for every directory, in order. A negative return ends it. */
typedef int spool_each(void *ctx, const struct spool_item *item, const char *path);
int spool_dirs(struct spool *s, spool_each *each, void *ctx);

#endif
