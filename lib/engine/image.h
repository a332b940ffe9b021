/* SPDX-License-Identifier: MIT */
/* image - images in the store: add, find, list, tag
 *
 * refs/HEX (HEX = SHA-256 of the canonical reference) is the truth for one reference and holds all that a
 * start needs; index.json mirrors it for other tools; store.db indexes both. */
#ifndef ENGINE_IMAGE_H
#define ENGINE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "format/oci.h"
#include "format/ref.h"
#include "service/store.h"

/* One image as a reference file tells it. */
struct image {
	char *reference; /* canonical */
	struct digest manifest, config_digest;
	struct digest index; /* the index it was chosen from; zero bytes if none */
	struct oci_platform platform;
	char **layers; /* directory names under layers/, lowest first, NULL-terminated */
	size_t layer_count;
	uint64_t size;           /* unpacked bytes */
	int64_t created, pulled; /* ns */
	/* config facts; lists end with NULL */
	char **env, **entrypoint, **cmd, **volumes;
	char *workdir, *user, *stop_signal;
};
void image_free(struct image *i);
void cleanup_image(struct image **i);
#define auto_image __attribute__((cleanup(cleanup_image)))

/* Load the reference file FILE (a name in refs/). -EBADMSG: damaged, or of another name. */
int image_load(struct store *s, const char *file, struct image **out);

/* Name of the file in refs/ for a canonical reference; OUT holds DIGEST_TEXT. */
void image_file_name(char *out, const char *reference);

/* All images, sorted by reference; no database. Damaged files are skipped and counted, the recorded text
 * names the last one. */
struct image_list {
	struct image **items;
	size_t count, damaged;
};
#define auto_image_list __attribute__((cleanup(image_list_free)))
int image_list(struct store *s, struct image_list *out);
void image_list_free(struct image_list *l);

/* Does everything lie there that a start of I needs? -ENOENT with the missing part named. */
int image_check(struct store *s, const struct image *i);

/* Is the image meant by the id or digest NAME: a prefix (2 hex digits or more) of its id or of its manifest
 * digest, or either in full with its algorithm? */
bool image_matches(const struct image *i, const char *name);

/* Names of an image for JSON and people. */
void image_id(
	char *out, const struct image *i); /* hex of the config digest; OUT holds DIGEST_TEXT */

/* Commit an image whose layers lie in layers/ already: manifest and config blobs (and the index it was chosen
 * from, INDEX may be NULL), then refs/ and index.json, then rows, in the order of DESIGN 2. Replaces an
 * older image of that reference. Caller holds leases on the layers. */
struct image_new {
	const struct ref *ref;
	const char *manifest, *config, *index;
	size_t manifest_len, config_len, index_len;
	char **layers; /* directory names, lowest first */
	size_t layer_count;
};
int image_add(struct store *s, const struct image_new *n, struct image **out);

/* Give the image NAME (as image_find) a further reference, or move that reference to it. */
int image_tag(struct store *s, const char *name, const struct ref *ref);

/* Register a layer directory that was just renamed into layers/ (row for the index). */
int image_add_layer(struct store *s, const char *dir);

/* Find by reference as the user writes it, by id (config digest hex, unique prefix >= 2), or by digest.
 * No database: refs/ is read. -ENOENT with a suggestion, -EEXIST when ambiguous (candidates listed). */
int image_find(struct store *s, const char *name, struct image **out);

/* Is the layer there: DIFF alone or bound to CHAIN? Writes the directory name (HEX) into OUT (DIGEST_TEXT).
 * -ENOENT without text. */
int image_find_layer(
	struct store *s, const struct digest *diff, const struct digest *chain, char *out);

#endif
