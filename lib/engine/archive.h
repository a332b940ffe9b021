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

/* Is a tar archive that begins with these bytes, gzip or plain, one of an image (1) and not a root file
 * system (0)? What is damaged is neither. Looked at by a confined process. */
int archive_sniff(const void *first, size_t len);

/* Index the archive in FD (taken over, also on failure). A pipe or a compressed archive is copied to an
 * unlinked file in the store's tmp/ meanwhile, FIRST (bytes that were read from it already) in front.
 * All that is read of it here is read by a confined process. -EBADMSG: not a tar archive; -EFBIG: over
 * 10,000 members; -ENOSPC: no room for the copy. */
int archive_open(struct archive *out, struct store *s, int fd, const void *first, size_t first_len);
void archive_close(struct archive *a);

/* Add the members that the confined process told of, a line each; it may be hijacked, so the lines are not
 * believed. -EBADMSG, -EFBIG. Part of archive_open, here for its test. */
int archive_add(struct archive *a, const char *lines, size_t len);

/* Find member NAME, following links (8 at most); NULL if it is not there. */
const struct archive_member *archive_find(const struct archive *a, const char *name);

/* Append a member of at most MAX bytes to OUT. -ENOENT, -EFBIG with text. */
int archive_read(const struct archive *a, const char *name, size_t max, struct buf *out);

#endif
