/* SPDX-License-Identifier: MIT */
/* oci - manifests, indexes and image configs: bytes to structs */
#include "format/oci.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"
#include "base/time.h"

const char oci_accept[] =
	OCI_TYPE_INDEX ", " OCI_TYPE_MANIFEST ", " DOCKER_TYPE_LIST ", " DOCKER_TYPE_MANIFEST;

#define DOCKER_TYPE_CONFIG     "application/vnd.docker.container.image.v1+json"
#define DOCKER_TYPE_LAYER      "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_TYPE_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define DOCKER_TYPE_SCHEMA1    "application/vnd.docker.distribution.manifest.v1"
#define REF_NAME               "org.opencontainers.image.ref.name"
#define INDEX_ITEMS_MAX        1000

static bool one_of(const char *s, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

/* --- platforms --- */

static const struct {
	const char *machine, *arch, *variant;
} machines[] = {
	{ "x86_64", "amd64", "" },
	{ "i686", "386", "" },
	{ "i586", "386", "" },
	{ "aarch64", "arm64", "v8" },
	{ "armv7l", "arm", "v7" },
	{ "armv6l", "arm", "v6" },
	{ "armv5tel", "arm", "v5" },
	{ "riscv64", "riscv64", "" },
	{ "ppc64le", "ppc64le", "" },
	{ "mips", "mips", "" },
	{ "s390x", "s390x", "" },
	{ "loongarch64", "loong64", "" },
};

void oci_platform_native(struct oci_platform *out)
{
	struct utsname host;

	*out = (struct oci_platform){ .os = "linux" };
	if (uname(&host) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (strcmp(host.machine, machines[i].machine) == 0) {
			strcpy(out->arch, machines[i].arch);
			strcpy(out->variant, machines[i].variant);
			return;
		}
	/* A machine that Go has another word for, or none: nothing will match, and the text says so. */
	memcpy(out->arch, host.machine, strnlen(host.machine, sizeof(out->arch) - 1));
}

/* A part of a platform is a word of letters, digits, dots, dashes and underscores; the first 36 of the
 * set may begin it. */
static int copy_word(char out[32], const char *s, size_t len)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t i;

	if (len == 0 || len > 31 || !memchr(set, s[0], 36))
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!memchr(set, s[i], sizeof(set) - 1))
			return -EINVAL;
		out[i] = s[i];
	}
	out[len] = '\0';
	return 0;
}

int oci_platform_parse(struct oci_platform *out, const char *s)
{
	const char *arch = strchr(s, '/'), *variant = arch ? strchr(arch + 1, '/') : NULL;
	const char *end = s + strlen(s);

	*out = (struct oci_platform){ 0 };
	if (!arch || copy_word(out->os, s, (size_t)(arch - s)) < 0 ||
		copy_word(out->arch, arch + 1, (size_t)((variant ? variant : end) - arch - 1)) <
			0 ||
		(variant &&
			copy_word(out->variant, variant + 1, (size_t)(end - variant - 1)) < 0)) {
		*out = (struct oci_platform){ 0 };
		return fail(EINVAL, "platform '%s' is not OS/ARCH or OS/ARCH/VARIANT", s);
	}
	return 0;
}

void oci_platform_format(char out[100], const struct oci_platform *p)
{
	strcpy(out, p->os);
	strcat(out, "/");
	strcat(out, p->arch);
	if (p->variant[0]) {
		strcat(out, "/");
		strcat(out, p->variant);
	}
}

/* An absent word stays "". */
static int parse_platform(struct oci_platform *out, const struct json *j)
{
	static const char *const keys[] = { "os", "architecture", "variant" };
	char *to[] = { out->os, out->arch, out->variant };
	const char *s;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		s = "";
		r = json_get_string(j, keys[i], &s);
		if (r < 0)
			return r;
		if (*s && copy_word(to[i], s, strlen(s)) < 0)
			return fail(EBADMSG, "%s '%s' is no platform's", keys[i], s);
	}
	return 0;
}

/* arm64 without a variant is v8 (image specification, image-index.md). */
static const char *variant_of(const struct oci_platform *p)
{
	return p->variant[0] || strcmp(p->arch, "arm64") != 0 ? p->variant : "v8";
}

static bool platform_matches(const struct oci_platform *have, const struct oci_platform *want)
{
	return strcmp(have->os, want->os) == 0 && strcmp(have->arch, want->arch) == 0 &&
		(!want->variant[0] || !have->variant[0] ||
			strcmp(variant_of(have), variant_of(want)) == 0);
}

/* --- descriptors and documents --- */

static int parse_descriptor(struct oci_descriptor *out, const struct json *j)
{
	const struct json *platform = NULL, *annotations = NULL, *urls = NULL;
	const char *type = "", *digest = NULL, *name = "";
	int64_t size = -1;
	int r;

	*out = (struct oci_descriptor){ 0 };
	if (!j || j->type != JSON_OBJECT)
		return fail(EBADMSG, "a descriptor is no object");
	if (json_get_string(j, "mediaType", &type) < 0 ||
		json_get_string(j, "digest", &digest) < 0 || json_get_int(j, "size", &size) < 0 ||
		json_get_object(j, "platform", &platform) < 0 ||
		json_get_object(j, "annotations", &annotations) < 0 ||
		json_get_array(j, "urls", &urls) < 0 ||
		json_get_string(annotations, REF_NAME, &name) < 0)
		return -EBADMSG;
	if (!digest)
		return fail(EBADMSG, "a descriptor has no digest");
	r = digest_parse(&out->digest, digest);
	if (r < 0)
		return r;
	if (size < 0 || (uint64_t)size > OCI_BLOB_MAX)
		return fail(EINVAL, "%s has no size from 0 to %llu", digest, OCI_BLOB_MAX);
	out->size = (uint64_t)size;
	if (urls && urls->count)
		return fail(EINVAL, "%s is a foreign layer, to be fetched from elsewhere", digest);
	r = str_copy(out->media_type, sizeof(out->media_type), type);
	if (r == 0)
		r = str_copy(out->ref_name, sizeof(out->ref_name), name);
	if (r == 0 && platform) {
		out->has_platform = true;
		r = parse_platform(&out->platform, platform);
	}
	return r;
}

static int check_layer(const struct oci_descriptor *d)
{
	static const char *const known[] = { OCI_TYPE_LAYER, OCI_TYPE_LAYER_GZIP, DOCKER_TYPE_LAYER,
		DOCKER_TYPE_LAYER_GZIP };

	if (!one_of(d->media_type, known, ARRAY_LEN(known)))
		return fail(EINVAL, "layers of type '%s' cannot be read", d->media_type);
	return 0;
}

static int check_config(const struct oci_descriptor *d)
{
	static const char *const known[] = { OCI_TYPE_CONFIG, DOCKER_TYPE_CONFIG };

	if (!one_of(d->media_type, known, ARRAY_LEN(known)))
		return fail(
			EINVAL, "not a container image: its config is of type '%s'", d->media_type);
	if (d->size > OCI_CONFIG_MAX)
		return fail(EFBIG, "the config has %llu bytes, more than %u",
			(unsigned long long)d->size, OCI_CONFIG_MAX);
	return 0;
}

static int parse_items(struct oci_document *out, const struct json *list, size_t max)
{
	const struct json *j;
	int r;

	if (list->count > max)
		return fail(EINVAL, "%zu entries, more than %zu", list->count, max);
	out->items = calloc(list->count + 1, sizeof(*out->items));
	if (!out->items)
		return fail(ENOMEM, "out of memory");
	for (j = list->child; j; j = j->next) {
		r = parse_descriptor(&out->items[out->count], j);
		if (r == 0 && out->kind == OCI_MANIFEST)
			r = check_layer(&out->items[out->count]);
		if (r < 0)
			return r;
		out->count++;
	}
	return 0;
}

/* What the document may be called, by what the server and the document itself say. */
static int check_type(enum oci_kind kind, const char *inside, const char *outside)
{
	static const char *const manifests[] = { OCI_TYPE_MANIFEST, DOCKER_TYPE_MANIFEST };
	static const char *const indexes[] = { OCI_TYPE_INDEX, DOCKER_TYPE_LIST };
	const char *const *known = kind == OCI_INDEX ? indexes : manifests;
	const char *what = kind == OCI_INDEX ? "an index" : "a manifest";

	if (*inside && !one_of(inside, known, 2))
		return fail(EINVAL, "%s has the media type '%s'", what, inside);
	if (outside && *outside && !one_of(outside, known, 2))
		return fail(EINVAL, "%s was sent with the type '%s'", what, outside);
	if (*inside && outside && *outside && strcmp(inside, outside) != 0)
		return fail(EINVAL, "'%s' was sent with the type '%s'", inside, outside);
	return 0;
}

static int parse_document(struct oci_document *out, const struct json *j, const char *content_type)
{
	const struct json *manifests = NULL, *layers = NULL, *config = NULL;
	const char *type = "";
	int64_t version = 0;
	int r;

	if (j->type != JSON_OBJECT)
		return fail(EBADMSG, "neither a manifest nor an index");
	if (content_type && str_starts(content_type, DOCKER_TYPE_SCHEMA1))
		return fail(EINVAL, "a docker schema 1 manifest, which is no longer read");
	if (json_get_int(j, "schemaVersion", &version) < 0 ||
		json_get_string(j, "mediaType", &type) < 0 ||
		json_get_array(j, "manifests", &manifests) < 0 ||
		json_get_array(j, "layers", &layers) < 0 ||
		json_get_object(j, "config", &config) < 0)
		return -EBADMSG;
	if (version == 1)
		return fail(EINVAL, "a docker schema 1 manifest, which is no longer read");
	if (version != 2)
		return fail(EINVAL, "schemaVersion is not 2");
	/* By presence, so that an empty or null member hides nothing. */
	if (json_get(j, "manifests") && (json_get(j, "layers") || json_get(j, "config")))
		return fail(EINVAL, "both a manifest (layers, config) and an index (manifests)");
	if (!manifests && (!layers || !config))
		return fail(EBADMSG, "neither a manifest nor an index");
	out->kind = manifests ? OCI_INDEX : OCI_MANIFEST;
	r = check_type(out->kind, type, content_type);
	if (r < 0)
		return r;
	if (manifests)
		return parse_items(out, manifests, INDEX_ITEMS_MAX);
	r = parse_descriptor(&out->config, config);
	if (r == 0)
		r = check_config(&out->config);
	return r < 0 ? r : parse_items(out, layers, OCI_LAYERS_MAX);
}

int oci_parse(struct oci_document *out, const char *text, size_t len, const char *content_type)
{
	auto_json struct json *j = NULL;
	int r;

	*out = (struct oci_document){ 0 };
	if (len > OCI_MANIFEST_MAX)
		return fail(EFBIG, "a manifest of more than %u bytes", OCI_MANIFEST_MAX);
	r = json_parse(text, len, &j);
	if (r == 0)
		r = parse_document(out, j, content_type);
	if (r < 0)
		oci_document_free(out);
	return r;
}

void oci_document_free(struct oci_document *d)
{
	free(d->items);
	*d = (struct oci_document){ 0 };
}

int oci_choose(const struct oci_document *index, const struct oci_platform *want,
	const struct oci_descriptor **out)
{
	auto_buf struct buf have = { 0 };
	char text[100];

	*out = NULL;
	for (size_t i = 0; i < index->count; i++) {
		const struct oci_descriptor *d = &index->items[i];

		if (d->has_platform && platform_matches(&d->platform, want)) {
			*out = d;
			return 0;
		}
		/* Attestations are listed as unknown/unknown. */
		if (d->has_platform && strcmp(d->platform.os, "unknown") != 0 && have.len < 400) {
			oci_platform_format(text, &d->platform);
			buf_printf(&have, "%s%s", have.len ? ", " : "", text);
		}
	}
	oci_platform_format(text, want);
	return fail(
		ENOENT, "no image for %s; there is %s", text, have.len ? buf_str(&have) : "none");
}

/* --- config --- */

/* A list of strings; absent or null is an empty one. Strings over 128 KiB could never be passed on to a
 * program (MAX_ARG_STRLEN). */
static int parse_strings(char ***out, const struct json *j, const char *key)
{
	const struct json *list = NULL, *item;
	size_t n = 0;
	int r;

	r = json_get_array(j, key, &list);
	if (r < 0)
		return r;
	*out = calloc(list ? list->count + 1 : 1, sizeof(**out));
	if (!*out)
		return fail(ENOMEM, "out of memory");
	for (item = list ? list->child : NULL; item; item = item->next) {
		if (item->type != JSON_STRING || strlen(item->string) >= 128 << 10)
			return fail(EBADMSG, "'%s' is no list of strings", key);
		(*out)[n] = strdup(item->string);
		if (!(*out)[n++])
			return fail(ENOMEM, "out of memory");
	}
	return 0;
}

static int parse_string(char **out, const struct json *j, const char *key)
{
	const char *s = "";
	int r = json_get_string(j, key, &s);

	if (r < 0)
		return r;
	*out = strdup(s);
	return *out ? 0 : fail(ENOMEM, "out of memory");
}

/* The destinations are the names of an object's members. */
static int parse_volumes(struct oci_config *out, const struct json *j)
{
	const struct json *list = NULL, *item;
	size_t n = 0;
	int r;

	r = json_get_object(j, "Volumes", &list);
	if (r < 0)
		return r;
	out->volumes = calloc(list ? list->count + 1 : 1, sizeof(*out->volumes));
	if (!out->volumes)
		return fail(ENOMEM, "out of memory");
	for (item = list ? list->child : NULL; item; item = item->next) {
		if (item->key[0] != '/' || strlen(item->key) >= 4096)
			return fail(EINVAL, "volume '%s' is no absolute path", item->key);
		out->volumes[n] = strdup(item->key);
		if (!out->volumes[n++])
			return fail(ENOMEM, "out of memory");
	}
	return 0;
}

static int check_env(char **env)
{
	for (; *env; env++)
		if ((*env)[0] == '=' || !strchr(*env, '='))
			return fail(EINVAL, "variable '%s' in Env is not KEY=VALUE", *env);
	return 0;
}

static int parse_run_config(struct oci_config *out, const struct json *c)
{
	int r;

	if ((r = parse_strings(&out->env, c, "Env")) < 0 || (r = check_env(out->env)) < 0 ||
		(r = parse_strings(&out->entrypoint, c, "Entrypoint")) < 0 ||
		(r = parse_strings(&out->cmd, c, "Cmd")) < 0 ||
		(r = parse_string(&out->workdir, c, "WorkingDir")) < 0 ||
		(r = parse_string(&out->user, c, "User")) < 0 ||
		(r = parse_string(&out->stop_signal, c, "StopSignal")) < 0)
		return r;
	return parse_volumes(out, c);
}

static int parse_diff_ids(struct oci_config *out, const struct json *j)
{
	const struct json *rootfs = NULL, *list = NULL, *item;
	int r;

	if (json_get_object(j, "rootfs", &rootfs) < 0 ||
		json_get_array(rootfs, "diff_ids", &list) < 0)
		return -EBADMSG;
	if (!list)
		return fail(EBADMSG, "the config has no rootfs.diff_ids");
	if (list->count > OCI_LAYERS_MAX)
		return fail(EINVAL, "%zu layers, more than %d", list->count, OCI_LAYERS_MAX);
	out->diff_ids = calloc(list->count + 1, sizeof(*out->diff_ids));
	if (!out->diff_ids)
		return fail(ENOMEM, "out of memory");
	for (item = list->child; item; item = item->next) {
		if (item->type != JSON_STRING)
			return fail(EBADMSG, "a diff id is no string");
		r = digest_parse(&out->diff_ids[out->layers], item->string);
		if (r < 0)
			return r;
		out->layers++;
	}
	return 0;
}

static int parse_config(struct oci_config *out)
{
	const struct json *j = out->tree, *config = NULL;
	const char *created = "";
	int r;

	if (j->type != JSON_OBJECT)
		return fail(EBADMSG, "the config is no object");
	r = parse_platform(&out->platform, j);
	if (r < 0)
		return r;
	if (json_get_string(j, "created", &created) < 0 ||
		json_get_object(j, "config", &config) < 0)
		return -EBADMSG;
	/* Year 1 stands for "no time" in many images; no date at all is as good. */
	if (time_parse(created, &out->created) < 0) {
		out->created = 0;
		fail_clear();
	}
	r = parse_diff_ids(out, j);
	return r < 0 ? r : parse_run_config(out, config);
}

int oci_config_parse(struct oci_config *out, const char *text, size_t len)
{
	int r;

	*out = (struct oci_config){ 0 };
	if (len > OCI_CONFIG_MAX)
		return fail(EFBIG, "a config of more than %u bytes", OCI_CONFIG_MAX);
	r = json_parse(text, len, &out->tree);
	if (r == 0)
		r = parse_config(out);
	if (r < 0)
		oci_config_free(out);
	return r;
}

static void free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

void oci_config_free(struct oci_config *c)
{
	free_strings(c->env);
	free_strings(c->entrypoint);
	free_strings(c->cmd);
	free_strings(c->volumes);
	free(c->workdir);
	free(c->user);
	free(c->stop_signal);
	free(c->diff_ids);
	json_free(c->tree);
	*c = (struct oci_config){ 0 };
}
