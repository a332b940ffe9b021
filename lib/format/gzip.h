/* SPDX-License-Identifier: MIT */
/* gzip - streaming inflate and deflate, the only user of zlib
 *
 * Reading: plain bytes, gzip of one or several members (RFC 1952), or raw deflate. Memory is fixed:
 * about 45 KiB to read, 270 KiB or less to write. */
#ifndef FORMAT_GZIP_H
#define FORMAT_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum gzip_kind { GZIP_NONE, GZIP_GZIP, GZIP_RAW };

struct inflater;
struct deflater;

/* What the first bytes (6 suffice) look like: GZIP_GZIP, or GZIP_NONE. *NAME (may be NULL) is set to
 * "zstd", "xz", "bzip2" or "lz4" when it is one of those, which we cannot read, else NULL. */
enum gzip_kind gzip_sniff(const void *data, size_t len, const char **name);

/* Start reading. *OUT is the caller's. -ENOMEM. */
int inflater_new(struct inflater **out, enum gzip_kind kind);
void inflater_free(struct inflater *z);

/* Feed bytes: consumes from *IN / *IN_LEN, writes at most OUT_LEN to OUT, returns the bytes written.
 * Call again with the same input until it is consumed and 0 is returned. -EBADMSG: corrupt (text
 * recorded), also for bytes after the last member that begin no new member: trailing zeros are
 * skipped, anything else is refused. */
long inflater_run(
	struct inflater *z, const uint8_t **in, size_t *in_len, void *out, size_t out_len);

/* The input is over: -EBADMSG if it ended in the middle of a member. */
int inflater_end(struct inflater *z);

/* Start writing, LEVEL 1 to 9; gzip header without name and with time 0 (deterministic). */
int deflater_new(struct deflater **out, enum gzip_kind kind, int level);
void deflater_free(struct deflater *z);

/* As inflater_run; with FINISH the stream is ended: call until 0 is returned. */
long deflater_run(struct deflater *z, const uint8_t **in, size_t *in_len, void *out, size_t out_len,
	bool finish);

#endif
