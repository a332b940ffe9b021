/* SPDX-License-Identifier: MIT */
/* frame - a byte stream on a pipe that can also say "the end" and "failed" (FORMATS 3.7)
 *
 *	u32 little-endian length, bytes      content
 *	0                                    end of the stream
 *	0xffffffff, struct start_error       failure
 * So a reader never takes a dead writer for a complete stream. */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define FRAME_MAX (1u << 20)

/* Send LEN bytes (1 to FRAME_MAX) as one frame; the end. Errno value without text; SIGPIPE is the
 * caller's to ignore. */
int frame_send(int fd, const void *data, size_t len);
int frame_end(int fd);

/* Send a failure: ERR (positive) with the recorded text and hint. */
int frame_fail(int fd, int err);

/* All zero but fd is a fresh reader. */
struct frame_reader {
	int fd;
	uint32_t left; /* of the current frame */
	int ended;
};

/* Up to LEN bytes of content: their number, 0 at the end of the stream. A failure that the writer
 * sent comes back as its negative errno value with its text recorded. -EPIPE: the writer ended
 * without a word; -EBADMSG: a frame that none of ours sends. */
ssize_t frame_read(struct frame_reader *r, void *buf, size_t len);

/* Append a whole stream to OUT. Errors as frame_read; -EMSGSIZE above MAX bytes. */
int frame_read_all(int fd, struct buf *out, size_t max);

#endif
