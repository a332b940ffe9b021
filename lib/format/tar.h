/* SPDX-License-Identifier: MIT */
/* tar - streaming reader and writer: ustar, PAX (POSIX.1-2001), GNU long names, GNU and PAX sparse
 *
 * The reader is fed any pieces of the stream and calls back; it knows no files. It is strict: bad
 * checksums, sizes that overflow, names over 4,096 bytes, PAX blocks over 1 MiB, xattrs over 64 KiB
 * each or 1 MiB in sum, NUL in a name, more than 65,536 sparse pieces are -EBADMSG. */
#ifndef FORMAT_TAR_H
#define FORMAT_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "format/sparse.h"

#define TAR_NAME_MAX 4096

enum tar_type {
	TAR_FILE,
	TAR_HARDLINK,
	TAR_SYMLINK,
	TAR_CHAR,
	TAR_BLOCK,
	TAR_DIR,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name;
	const uint8_t *value;
	size_t len;
};

/* One member. Strings belong to the reader and are valid during the callback. */
struct tar_entry {
	enum tar_type type;
	const char *name; /* as in the archive: may be absolute, hold "..", end in a slash */
	const char *link; /* target of links, else "" */
	uint32_t mode;    /* 07777 */
	uint32_t uid, gid;
	const char *user, *group; /* names, often "" */
	int64_t mtime;            /* ns since 1970 */
	uint64_t size; /* content bytes of a file as it lies on disk, sparse holes included */
	uint32_t major, minor;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
	const struct tar_sparse *sparse; /* NULL unless sparse */
	size_t sparse_count;
};

/* Called in stream order. Every byte of the stream is handed over exactly once, either to raw or to
 * data, so that it can be kept (tarsplit). A negative return ends the reading with that value. */
struct tar_events {
	/* Headers, padding, end blocks, and content that is not plain (PAX, sparse maps). */
	int (*raw)(void *ctx, const uint8_t *bytes, size_t len);
	int (*entry)(void *ctx, const struct tar_entry *e);
	/* Content of the last entry, at OFFSET of the file. For a sparse file only its data
	 * pieces. */
	int (*data)(void *ctx, const uint8_t *bytes, size_t len, uint64_t offset);
	/* The content of the last entry, a TAR_FILE, is complete. */
	int (*done)(void *ctx);
};

struct tar_reader;

/* *OUT is the caller's. EVENTS must stay valid. -ENOMEM. */
int tar_reader_new(struct tar_reader **out, const struct tar_events *events, void *ctx);
void tar_reader_free(struct tar_reader *r);

/* Feed the next bytes. -EBADMSG with text, or what a callback returned. After the two zero blocks
 * only raw is called (whatever follows is padding of the stream). */
int tar_reader_feed(struct tar_reader *r, const void *data, size_t len);

/* The stream is over. -EBADMSG if a member was cut short. A missing end block is accepted. */
int tar_reader_end(struct tar_reader *r);

/* Append the header block(s) of E to OUT, PAX records only where ustar cannot say it (long
 * names, large numbers, sub-second times, xattrs): deterministic. Content and tar_pad follow, by
 * the caller. -EINVAL if E cannot be written. */
int tar_format(struct buf *out, const struct tar_entry *e);

/* Zero bytes that follow SIZE bytes of content. */
static inline size_t tar_pad(uint64_t size)
{
	return (size_t)(-size & 511);
}

/* Bytes of the two zero blocks that end an archive. */
#define TAR_END 1024

#endif
