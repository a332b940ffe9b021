/* SPDX-License-Identifier: MIT */
/* source - where a pull takes its image from: a registry, an OCI layout or archive, a docker archive, or the
 * tar of a root file system */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/archive.h"
#include "engine/fetch.h"
#include "engine/unpacker.h"
#include "format/oci.h"
#include "format/ref.h"
#include "service/store.h"

enum source_kind { SOURCE_REGISTRY, SOURCE_LAYOUT, SOURCE_ARCHIVE, SOURCE_DOCKER, SOURCE_ROOTFS };

struct source {
	enum source_kind kind;
	struct ref
		ref; /* the name in the store; for a registry also where to ask, unless renamed */
	bool has_ref;
	char tag[256];  /* which image of a layout; "" if there is only one */
	char base[256]; /* name made from a file's name, "" for stdin */
	struct fetch fetch;
	struct ref remote;
	int dir; /* of a layout */
	struct archive archive;
	int file;          /* of a rootfs tar */
	struct buf prefix; /* bytes read from it already */

	struct buf top; /* manifest or index that the name means; empty for docker and rootfs */
	char top_type[128];
	struct digest top_digest;
	struct buf manifest, config;
	struct oci_document document; /* of the manifest: layers; no items for docker and rootfs */
	char **members; /* docker: names of the layers in the archive, NULL-terminated */
};

struct source_options {
	const char *text; /* what the user wrote */
	const char *name; /* name in the store; NULL: the source's own */
	bool insecure;
	const char *authfile, *cacert;
	const struct auth *auth;
	int64_t floor;
};

/* Can TEXT be a source and NAME (or NULL) a name in the store? Opens nothing. -EINVAL. */
int source_check(const char *text, const char *name);

/* Find out what the text means and open it; a registry is not asked yet. The source stays the caller's
 * also after a failure (source_close). */
int source_open(struct source *src, struct store *s, const struct source_options *o);
void source_close(struct source *src);

/* Read what the name means into top, top_type and top_digest: one request. Nothing to do for docker and
 * rootfs. A layout's own name for it becomes ref, if there was none. */
int source_read_top(struct source *src);

/* Read manifest and config, verified; INDEX is set when top was an index. */
int source_read_image(struct source *src, const struct oci_platform *platform, bool *index);

/* Open layer I (from 0, the lowest) for an unpacker. */
int source_open_layer(struct source *src, size_t i, struct unpack_input *out);

#endif
