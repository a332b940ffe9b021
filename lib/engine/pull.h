/* SPDX-License-Identifier: MIT */
/* pull - bring an image into the store: network, unpack and parent processes (DESIGN 3) */
#ifndef ENGINE_PULL_H
#define ENGINE_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/image.h"
#include "format/oci.h"
#include "service/auth.h"
#include "service/store.h"

/* What happens, told as it happens; each may be NULL. LAYER counts from 0; BLOB is NULL when its digest is
 * not known yet. */
struct pull_events {
	void (*layer_start)(void *ctx, unsigned layer, const struct digest *blob, uint64_t size);
	void (*layer_progress)(void *ctx, unsigned layer, uint64_t received);
	void (*layer_done)(void *ctx, unsigned layer, bool existed);
	void *ctx;
};

struct pull_options {
	const char *source; /* as the user wrote it: REFERENCE, oci:DIR[:TAG], ..., "-" */
	const char *name;   /* reference to store it under; NULL: the source's own */
	struct oci_platform platform;
	bool keep_blobs, insecure;
	const char *authfile, *cacert; /* NULL: the usual places */
	const struct auth *auth;       /* credentials; NULL: the credential files */
	unsigned jobs;                 /* layers at once; 0: number of CPUs */
	struct pull_events events;
};

/* Pull. *OUT is the caller's image. A single process: SIGPIPE is ignored meanwhile. -EAGAIN: temporary (network, lock), worth another try. The store is open
 * for writing with its database. *CHANGED is false when everything was present already. */
int pull_run(struct store *s, const struct pull_options *o, struct image **out, bool *changed);

#endif
