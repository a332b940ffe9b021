/* SPDX-License-Identifier: MIT */
/* tarsplit - what is needed beside the files to rebuild a tar stream byte for byte
 *
 * The file (layers/DIR/tar): 16 bytes head "QBT1", u32 LE version, u64 LE size of the tar stream, then
 * raw deflate of records (varints are LEB128):
 *	0x01 len bytes          bytes of the stream as they are
 *	0x02 len pathlen path   content of the regular file at PATH below fs/, exactly LEN bytes
 *	0x03 len                LEN zero bytes
 *	0x00 32 bytes           SHA-256 of the stream; nothing may follow
 */
#ifndef FORMAT_TARSPLIT_H
#define FORMAT_TARSPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "format/digest.h"

#define TARSPLIT_HEAD 16

/* Writer: compressed bytes go out through SINK in pieces (negative return ends the writing). */
struct tarsplit_writer;
typedef int tarsplit_sink(void *ctx, const void *bytes, size_t len);

/* *OUT is the caller's. The head is not written by it: its size is known only at the end, so the
 * caller leaves TARSPLIT_HEAD bytes free in front and fills them with tarsplit_head. -ENOMEM. */
int tarsplit_writer_new(struct tarsplit_writer **out, tarsplit_sink *sink, void *ctx);
void tarsplit_writer_free(struct tarsplit_writer *w);

/* Bytes as they are (runs of zeros are found and become records 0x03). */
int tarsplit_raw(struct tarsplit_writer *w, const void *bytes, size_t len);

/* A file's content of LEN bytes, which lies at PATH. */
int tarsplit_file(struct tarsplit_writer *w, const char *path, uint64_t len);

/* End record and end of the deflate stream. */
int tarsplit_end(struct tarsplit_writer *w, const struct digest *diff_id);

void tarsplit_head(uint8_t out[TARSPLIT_HEAD], uint64_t tar_size);

/* Reader: fed the whole file in any pieces, head included. */
struct tarsplit_events {
	int (*raw)(void *ctx, const uint8_t *bytes, size_t len); /* also zeros of 0x03, in pieces */
	int (*file)(void *ctx, const char *path, uint64_t len);
};

struct tarsplit_reader;
int tarsplit_reader_new(
	struct tarsplit_reader **out, const struct tarsplit_events *events, void *ctx);
void tarsplit_reader_free(struct tarsplit_reader *r);

/* -EBADMSG (text recorded): damaged, or bytes after the end; or what a callback returned. */
int tarsplit_reader_feed(struct tarsplit_reader *r, const void *data, size_t len);

/* The file is over: -EBADMSG if the end record is missing or the sizes do not add up to the head's.
 * *DIFF_ID is the digest in the end record. */
int tarsplit_reader_end(struct tarsplit_reader *r, struct digest *diff_id);

#endif
