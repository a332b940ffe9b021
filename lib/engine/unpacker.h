/* SPDX-License-Identifier: MIT */
/* unpacker - one confined unpacker process: a layer's bytes to fs/ and tar of a staging directory */
#ifndef ENGINE_UNPACKER_H
#define ENGINE_UNPACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "format/digest.h"
#include "kernel/record.h"
#include "service/layer.h"

#define UNPACK_NO_LIMIT UINT64_MAX

/* Where the bytes come from. */
struct unpack_input {
	int fd;
	bool framed; /* frames of a network process; else plain bytes: */
	bool sized;  /* SIZE bytes at OFFSET of a regular file; else read to the end */
	uint64_t offset, size;
	const void *prefix; /* bytes that come before those of fd */
	size_t prefix_len;
};

struct unpack {
	pid_t pid;
	int notes;       /* JSON lines, then the end */
	int failure;     /* one start record, or the end */
	struct buf text; /* notes so far */
};

struct unpack_result {
	struct layer_note *notes;
	size_t count;
	const struct layer_note *done; /* one of them */
};

/* Where to: an empty staging directory, in which fs/, tar and perhaps blob are made. */
struct unpack_output {
	const char *path; /* absolute */
	int dir;
	bool keep_blob;
	struct layer_limits limits;
};

/* Start an unpacker. *RECEIVED (shared memory, may be NULL) counts the input bytes. Needs
 * CAP_SYS_ADMIN. */
int unpack_start(struct unpack *out, const struct unpack_input *in, const struct unpack_output *to,
	uint64_t *received);

/* Read what has come on the note pipe: 1 if there may be more, 0 at its end (then unpack_end). */
int unpack_read(struct unpack *u);

/* Wait for its end and read the notes. The text of a failure is the unpacker's or the network's. */
int unpack_end(struct unpack *u, struct unpack_result *out);

/* Kill it and release everything. */
void unpack_abort(struct unpack *u);

void unpack_result_free(struct unpack_result *r);

#endif
