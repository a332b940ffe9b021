/* SPDX-License-Identifier: MIT */
/* layer - a layer's tar stream to a directory and back
 *
 * layer_unpack is the work of the confined unpacker: hostile bytes in, files out. layer_settle
 * joins a change set with what lies below it. layer_rebuild gives the exact tar stream again. */
#ifndef SERVICE_LAYER_H
#define SERVICE_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/digest.h"

/* Caps on one layer; exceeding one is -EFBIG with the cap named. */
struct layer_limits {
	uint64_t bytes; /* of the tar stream, holes of sparse files counted as they would be read */
	uint64_t entries;
	uint64_t reserve; /* keep so much of the file system free, looked at every 8 MiB: -ENOSPC */
};

/* Where the unpacker works. All descriptors are the caller's. */
struct layer_unpack {
	int root;     /* empty directory to fill, open for reading; "/" of the confined process */
	int tar;      /* empty read-write file that becomes layers/DIR/tar */
	int spool;    /* empty unlinked read-write file for directory times and replaced content */
	int blob;     /* -1, or where the compressed bytes are copied */
	int notes;    /* JSON lines for the parent: see layer_note */
	bool devices; /* device nodes may be made; else they are skipped with a note */
	bool owners;  /* chown may be used (rootful) */
	struct layer_limits limits;
};

struct layer_unpacker;

/* Needs single control of ROOT: nobody else writes there. Umask 0. *OUT is the caller's. */
int layer_unpacker_new(struct layer_unpacker **out, const struct layer_unpack *where);
void layer_unpacker_free(struct layer_unpacker *u);

/* Feed compressed (gzip, several members) or plain tar bytes, told apart by their first bytes.
 * Errors with text: -EBADMSG not a layer, -EFBIG, -ENOSPC, -EPERM hostile entry, ... */
int layer_unpacker_feed(struct layer_unpacker *u, const void *data, size_t len);

/* The input is over: directories get owner, mode and time, the record of the tar stream is
 * finished, the note "done" is sent. */
int layer_unpacker_end(struct layer_unpacker *u);

/* One line of the note pipe, as the parent reads it (the sender may be hijacked: paths are only
 * ever used through the resolver below the layer's own root). */
enum layer_note_kind {
	LAYER_NOTE_OPAQUE,  /* path: mark this directory opaque (needs SYS_ADMIN) */
	LAYER_NOTE_IMPLIED, /* path: a directory no entry describes */
	LAYER_NOTE_LINK,    /* path, target: hard link to a file that is not in this layer */
	LAYER_NOTE_SKIPPED, /* path, target = why: said to the user */
	LAYER_NOTE_DONE,
};
struct layer_note {
	enum layer_note_kind kind;
	char *path, *target;
	struct digest diff_id, blob; /* DONE: of the tar stream; of the bytes as fed */
	uint64_t entries, tar_size, disk_size, blob_size;
	bool gzip; /* DONE: the input was compressed */
};
/* -EBADMSG: no note of ours. *OUT is the caller's (layer_note_free); LINE without its newline. */
int layer_note_parse(struct layer_note *out, const char *line, size_t len);
void layer_note_free(struct layer_note *n);

/* Append a note as one line, newline included. Paths are written in hex: they may hold any byte.
 * TARGET is NULL for kinds that have none. */
void layer_note_format(
	struct buf *out, enum layer_note_kind kind, const char *path, const char *target);

/* The same for the last note; N's kind and paths do not matter. */
void layer_note_format_done(struct buf *out, const struct layer_note *n);

/* All notes of a layer together; the unpacker never sends more (-EFBIG), the parent need not
 * keep more. */
#define LAYER_NOTES_MAX (8u << 20)

/* A layer below, top first in lists. */
struct layer_below {
	int fs; /* its fs/ directory */
};

/* Join the unpacked tree fs/ of DIR (with its record file tar) with the layers BELOW it:
 * metadata of implied directories, lower symbolic links in the way, hard links to lower files,
 * opaque marks. NOTES are the ones the unpacker sent. Returns 1 if the result depends on the
 * layers below (then it lives under its chain id), 0 if it stands alone. Never leaves the roots.
 * Call it also with no notes. Umask 0; needs the rights to change owners and to set trusted
 * attributes. -EBADMSG, text recorded: a hard link to what is nowhere, two things that end up in
 * one place. */
int layer_settle(int dir, const struct layer_note *notes, size_t count,
	const struct layer_below *below, size_t below_count);

/* Write the exact tar stream of the layer in DIR (layers/DIR opened) through SINK. -EBADMSG if
 * it cannot be rebuilt (text says which file), *DIFF_ID (may be NULL) is the digest of what was
 * written. The caller compares it with the diff id wanted. */
typedef int layer_sink(void *ctx, const void *bytes, size_t len);
int layer_rebuild(int dir, layer_sink *sink, void *ctx, struct digest *diff_id);

/* Write a tar stream of the tree at ROOT (one file system view: a mounted overlay or a plain
 * directory), sorted, deterministic, hard links kept; mounts below are not entered. */
int layer_pack(int root, layer_sink *sink, void *ctx);

/* Is the extended attribute one that layers keep? All others are dropped: they mean something to
 * the kernel that serves us, or steer overlayfs. */
bool layer_keeps_xattr(const char *name);

/* layers/DIR/layer.json (FORMATS 3.6): the facts of one layer. */
struct layer_facts {
	struct digest diff_id;
	bool chain_bound;
	struct digest chain;
	uint64_t tar_size, disk_size, entries;
	bool has_encoding; /* the compressed form it came in */
	struct digest encoding;
	uint64_t encoding_size;
	char encoding_type[128];
	int64_t added;
};
int layer_facts_save(int tmp, int dir, const struct layer_facts *f);
int layer_facts_load(int dir, struct layer_facts *out);

#endif
