/* SPDX-License-Identifier: MIT */
/* relocate - move the content of one directory of a layer into another, and remember it for the
 * record
 *
 * A layer that holds only lib/foo, above one in which lib is a symbolic link to usr/lib, means
 * usr/lib/foo. */
#ifndef SERVICE_RELOCATE_H
#define SERVICE_RELOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "service/spool.h"

/* Where two things fall on one place the later of them in the tar stays. Called with paths below
 * the root: later: is FROM the later? merged: two directories are one now, which of them says
 * owner and mode? */
struct relocate_events {
	int (*later)(void *ctx, const char *from, const char *to);
	int (*merged)(void *ctx, const char *from, const char *to, int from_fd, int to_fd);
};

/* What was moved and lost, in order. The caller sets the first three members. */
struct relocate {
	int fs;
	const struct relocate_events *events;
	void *ctx;
	struct spool spool; /* contents of files that were lost */
	struct buf moves;   /* struct relocate_move */
	struct buf lost;    /* struct relocate_lost */
};

struct relocate_move {
	char *from, *to;
};

/* A file that lay at PATH before the move number BEFORE; its content is in the spool. */
struct relocate_lost {
	size_t before;
	char *path;
	uint64_t offset;
};

void relocate_free(struct relocate *m);

/* Where is now what lay at PATH when the layer was unpacked? Into OUT, which is cleared first.
 * Returns 1 if the file was lost: then *OFFSET is where its content is in the spool. */
int relocate_path(const struct relocate *m, const char *path, struct buf *out, uint64_t *offset);

/* PATH, which exists before the last move: where is it now? */
int relocate_last(const struct relocate *m, const char *path, struct buf *out);

/* Move what is in the directory FROM into the directory TO and remove FROM. Times of the
 * directories touched stay. -EBADMSG: a directory and something else are in one place. */
int relocate_dir(struct relocate *m, const char *from, const char *to);

/* A directory whose time is put back when its content has been changed. */
struct relocate_time {
	int fd;
	struct stat st;
};
int relocate_keep_time(struct relocate_time *t, int fd);
int relocate_put_time(const struct relocate_time *t);

#endif
