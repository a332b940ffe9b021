/* SPDX-License-Identifier: MIT */
/* pulljob - one layer of a pull: find it, unpack it, verify it, commit it */
#ifndef ENGINE_PULLJOB_H
#define ENGINE_PULLJOB_H

#include "engine/pull.h"
#include "engine/source.h"
#include "engine/unpacker.h"

#define PULL_BYTES_MAX   (256ull << 30) /* unpacked, all layers */
#define PULL_ENTRIES_MAX 10000000

enum pulljob_state { PULLJOB_WAITING, PULLJOB_RUNNING, PULLJOB_UNPACKED, PULLJOB_DONE };

struct pulljob {
	enum pulljob_state state;
	bool known; /* diff and chain are (not for a rootfs) */
	struct digest diff, chain;
	const struct oci_descriptor *descriptor; /* NULL for docker archives and rootfs */
	bool staged;
	struct staging staging;
	struct unpack unpack;
	struct unpack_result result;
	char dir[DIGEST_TEXT]; /* in layers/ when done */
};

/* What the layers of one pull share. */
struct pull {
	struct store *s;
	const struct pull_options *o;
	struct source src;
	struct pulljob *jobs;
	size_t count, running, limit;
	uint64_t bytes, entries; /* unpacked so far */
	uint64_t *received;      /* per job, shared with the unpackers */
};

/* Make COUNT jobs that wait, about which nothing is known. */
int pulljob_init(struct pull *p, size_t count);

/* Pin what J will need or make, as far as it is known. Comes before the question whether it is there. */
int pulljob_lease(struct pull *p, const struct pulljob *j);

/* Start the unpacker: 1 started, or the layer is there already; 0 another pull holds the layer. */
int pulljob_start(struct pull *p, struct pulljob *j);

/* The unpacker closed its notes: does all it made match what manifest and config promised? */
int pulljob_finish(struct pull *p, struct pulljob *j);

/* Does the unpacked tree need facts of the layers below it? */
bool pulljob_needs_below(const struct pulljob *j);

/* Make an unpacked layer last and visible. All layers below are done if it needs them. */
int pulljob_commit(struct pull *p, struct pulljob *j);

/* Kill its unpacker, remove what is not committed. */
void pulljob_abort(struct pull *p, struct pulljob *j);

#endif
