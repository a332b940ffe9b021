/* SPDX-License-Identifier: MIT */
/* extract - the entries of one layer become files below a root
 *
 * Used by the confined unpacker: few and fixed system calls, memory that does not grow with the
 * layer. Every entry is made in a directory whose descriptor was reached below the root without
 * leaving it; its own name is never followed. */
#ifndef SERVICE_EXTRACT_H
#define SERVICE_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/tar.h"
#include "service/layer.h"
#include "service/replaced.h"
#include "service/spool.h"

/* Where the content of the entry goes. */
enum extract_content {
	EXTRACT_NOWHERE, /* it is of no file: only the record holds it */
	EXTRACT_FILE,    /* into the file, as it is */
	EXTRACT_SPARSE,  /* into the file in pieces: the record holds it too */
};

/* A note for the parent: TARGET as in struct layer_note, NULL for kinds that have none. */
typedef int extract_note(
	void *ctx, enum layer_note_kind kind, const char *path, const char *target);

struct extract {
	/* Set by the caller. */
	int root;
	bool devices, owners;
	struct spool spool;
	extract_note *note;
	void *ctx;
	uint64_t stream; /* bytes of the tar stream so far: what may be saved in the spool */

	/* For the caller, of the current entry. */
	enum extract_content content;
	struct buf path;    /* canonical: below the root, without symbolic links */
	uint64_t files;     /* contents recorded so far: the caller counts */
	uint64_t disk_size; /* of all files made, in whole blocks */
	struct replaced replaced;

	/* Private. */
	int dir;                /* directory of the current entry; -1: none is cached */
	struct buf dir_name;    /* its name as entries spell it, normalised */
	struct buf dir_path;    /* its canonical path */
	bool stale;             /* names may lead elsewhere now: look the directory up again */
	struct buf name;        /* of the current entry, normalised */
	int file;               /* being written, or -1 */
	struct spool_item meta; /* its owner, mode and time */
	struct buf capability;  /* its security.capability, which must come after the content */
	uint64_t saved;         /* bytes of content in the spool */
	uint64_t implied;       /* directories made that no entry describes */
	unsigned skipped;       /* notes of that kind sent */
	bool root_seen;
};

/* Free what is held; the descriptors given stay the caller's. */
void extract_free(struct extract *x);

/* Make what E describes and set x->content. -EPERM: the entry is hostile; -EBADMSG: it makes no
 * sense. */
int extract_entry(struct extract *x, const struct tar_entry *e);

/* Content at OFFSET of the current file; then its end: owner, mode, time. */
int extract_data(struct extract *x, const void *bytes, size_t len, uint64_t offset);
int extract_done(struct extract *x);

/* After the last entry: directories get owner, mode and time, implied ones are noted. */
int extract_end(struct extract *x);

#endif
