/* SPDX-License-Identifier: MIT */
/* archive - find the files of a tar archive (oci-archive, docker-archive) without unpacking it */
#ifndef ENGINE_ARCHIVE_H
#define ENGINE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "service/store.h"

struct archive_member {
	char *name; /* normalised */
	char *link; /* target of a symbolic or hard link, normalised; else NULL */
	uint64_t offset, size;
};

struct archive {
	int fd; /* seekable, plain tar */
	struct archive_member *members;
	size_t count;
};

/* Index the archive in FD (taken over, also on failure). A pipe or a compressed archive is first copied
 * to an unlinked file in the store's tmp/, PREFIX (bytes that were read from it already) in front. The
 * headers are read by a confined process. -EBADMSG: not a tar archive; -EFBIG: over 10,000 members. */
int archive_open(
	struct archive *out, struct store *s, int fd, const void *prefix, size_t prefix_len);
void archive_close(struct archive *a);

/* Find member NAME, following links (8 at most); NULL if it is not there. */
const struct archive_member *archive_find(const struct archive *a, const char *name);

/* Read a member of at most MAX bytes. -ENOENT, -EFBIG with text. */
int archive_read(const struct archive *a, const char *name, size_t max, struct buf *out);

#endif
