/* SPDX-License-Identifier: MIT */
/* fetch - the network process: everything a registry says goes through it and nowhere else
 *
 * The parent asks over a socket pair and hands along the pipe on which the answer comes as frames;
 * layers are answered by forks of the network process, so that several run at once. */
#ifndef ENGINE_FETCH_H
#define ENGINE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "format/digest.h"
#include "format/ref.h"
#include "service/auth.h"

struct fetch {
	int sock;
	pid_t pid;
};

struct fetch_options {
	const struct ref *ref;
	bool insecure;
	const char *authfile, *cacert;
	const struct auth *auth; /* credentials; NULL: the credential files */
	int64_t floor;           /* the clock is known to be wrong below this, seconds since 1970 */
};

/* Start the network process. What it cannot read (trust, credentials) is the answer to the first
 * request. SIGPIPE must be ignored. */
int fetch_start(struct fetch *out, const struct fetch_options *options);

/* End it; its forks end with it. */
void fetch_stop(struct fetch *f);

/* Get a manifest or index by DIGEST, else by TAG; *CONTENT_TYPE is what the server called it, cut to
 * SIZE. Errors as registry_manifest. */
int fetch_manifest(struct fetch *f, const char *tag, const struct digest *digest, struct buf *out,
	char *content_type, size_t size);

/* Get a small blob of exactly SIZE bytes, verified. */
int fetch_blob(struct fetch *f, const struct digest *digest, uint64_t size, struct buf *out);

/* Begin to stream a layer; returns the descriptor on which it comes as frames, unverified. */
int fetch_layer(struct fetch *f, const struct digest *digest, uint64_t size);

#endif
