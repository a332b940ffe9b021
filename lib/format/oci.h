/* SPDX-License-Identifier: MIT */
/* oci - manifests, indexes and image configs (OCI image 1.1, docker schema 2): bytes to structs
 *
 * Everything here is hostile input (T1): digests parsed, sizes checked, media types known, caps of
 * the limits below enforced. */
#ifndef FORMAT_OCI_H
#define FORMAT_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "format/digest.h"

#define OCI_MANIFEST_MAX (4u << 20)
#define OCI_CONFIG_MAX   (8u << 20)
#define OCI_LAYERS_MAX   127
#define OCI_BLOB_MAX     (64ull << 30)

#define OCI_TYPE_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_INDEX       "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_CONFIG      "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define OCI_TYPE_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define DOCKER_TYPE_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_TYPE_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"

/* What an Accept header of a manifest request lists. */
extern const char oci_accept[];

struct oci_platform {
	char os[32], arch[32], variant[32];
};

/* What this machine runs: linux and the architecture in Go's words (amd64, arm64, arm + v7, ...). */
void oci_platform_native(struct oci_platform *out);

/* "os/arch[/variant]" as --platform takes it. -EINVAL, text recorded. */
int oci_platform_parse(struct oci_platform *out, const char *s);
void oci_platform_format(char out[100], const struct oci_platform *p);

struct oci_descriptor {
	char media_type[128];
	struct digest digest;
	uint64_t size;
	bool has_platform;
	struct oci_platform platform;
	char ref_name[256]; /* annotation org.opencontainers.image.ref.name, else "" */
};

enum oci_kind { OCI_MANIFEST, OCI_INDEX };

/* A manifest or an index, never both (CVE-2021-41190). */
struct oci_document {
	enum oci_kind kind;
	struct oci_descriptor config; /* of a manifest */
	struct oci_descriptor *items; /* layers of a manifest, manifests of an index */
	size_t count;
};

/* CONTENT_TYPE is what the server said, NULL if nobody said anything; a mediaType inside must equal
 * it. Schema 1, foreign layers with urls, unknown layer types (zstd, encrypted) and more than
 * OCI_LAYERS_MAX layers are refused by name: -EINVAL. */
int oci_parse(struct oci_document *out, const char *text, size_t len, const char *content_type);
void oci_document_free(struct oci_document *d);

/* Choose from an index: the first exact match of os, architecture and variant (a wanted variant that
 * is empty matches any; arm64 v8 equals none). -ENOENT: the text lists what there is. */
int oci_choose(const struct oci_document *index, const struct oci_platform *want,
	const struct oci_descriptor **out);

/* The parts of an image config that something here uses. Lists end with NULL. */
struct oci_config {
	struct oci_platform platform;
	int64_t created; /* ns, 0 if unknown */
	struct digest *diff_ids;
	size_t layers;
	char **env; /* every item KEY=VALUE with a KEY (CVE-2026-57231) */
	char **entrypoint, **cmd;
	char *workdir, *user, *stop_signal; /* "" if not set */
	char **volumes;                     /* absolute paths */
	struct json *tree;                  /* the whole document, for inspect and history */
};

/* -EINVAL, -EBADMSG with text. Env items that are not KEY=VALUE are refused. */
int oci_config_parse(struct oci_config *out, const char *text, size_t len);
void oci_config_free(struct oci_config *c);

#endif
