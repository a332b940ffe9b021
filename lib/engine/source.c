/* SPDX-License-Identifier: MIT */
/* source - where a pull takes its image from
 *
 * Parts: what the text means; the top document; the image; its layers. */
#include "engine/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/str.h"
#include "kernel/fd.h"

/* --- what the text means --- */

static const struct {
	const char *prefix;
	enum source_kind kind;
} prefixes[] = {
	{ "oci:", SOURCE_LAYOUT },
	{ "oci-archive:", SOURCE_ARCHIVE },
	{ "docker-archive:", SOURCE_DOCKER },
	{ "rootfs:", SOURCE_ROOTFS },
};

/* "images/busybox.tar.gz" is called "busybox". */
static void base_of(char out[256], const char *path)
{
	static const char *const ends[] = { ".gz", ".tgz", ".tar", "-rootfs" };
	const char *slash;
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	if (slash) {
		len -= (size_t)(slash + 1 - path);
		path = slash + 1;
	}
	len = len < 200 ? len : 200;
	memcpy(out, path, len);
	out[len] = '\0';
	str_lower(out);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_ends(out, ends[i]))
			out[strlen(out) - strlen(ends[i])] = '\0';
}

/* Open the path TEXT; if there is none, and TAGGED, what stands before one of its colons: the rest is the
 * tag, which may hold colons too. */
static int open_path(struct source *src, const char *text, bool tagged, int flags, int *out)
{
	auto_free char *path = strdup(text);
	size_t len = strlen(text);
	int fd = path ? open(path, flags | O_CLOEXEC) : -1;
	const char *colon;
	struct stat st;

	*out = -1;
	if (!path)
		return fail(ENOMEM, "out of memory");
	while (fd < 0 && errno == ENOENT && tagged && (colon = memrchr(path, ':', len))) {
		len = (size_t)(colon - path);
		path[len] = '\0';
		fd = open(path, flags | O_CLOEXEC);
	}
	if (fd < 0)
		return fail_errno("open '%s'", text);
	if (!(flags & O_DIRECTORY) && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return fail_hint(fail(EISDIR, "'%s' is a directory", path),
			"an image layout is named oci:DIR");
	}
	if (text[len] && str_copy(src->tag, sizeof(src->tag), text + len + 1) < 0) {
		close(fd);
		return fail(EINVAL, "the tag of '%s' is too long", text);
	}
	base_of(src->base, path);
	*out = fd;
	return 0;
}

/* An image archive or the tar of a root file system? Their first bytes tell. */
static int open_stdin(struct source *src, struct store *s)
{
	char first[4096];
	ssize_t n;
	int image, r;

	src->kind = SOURCE_ROOTFS;
	src->file = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (src->file < 0)
		return fail_errno("duplicate a descriptor");
	n = fd_read(src->file, first, sizeof(first));
	if (n < 0)
		return fail((int)-n, "read: %s", strerror((int)-n));
	if (n == 0)
		return fail(EBADMSG, "nothing came");
	image = archive_sniff(first, (size_t)n);
	if (image < 0)
		return image;
	if (!image) {
		buf_add(&src->prefix, first, (size_t)n);
		return buf_check(&src->prefix);
	}
	r = archive_open(&src->archive, s, take_fd(&src->file), first, (size_t)n);
	if (r == 0)
		src->kind =
			archive_find(&src->archive, "index.json") ? SOURCE_ARCHIVE : SOURCE_DOCKER;
	return r;
}

static int open_local(struct source *src, struct store *s, const char *path)
{
	const bool tagged = src->kind == SOURCE_LAYOUT || src->kind == SOURCE_ARCHIVE;
	int fd, r;

	r = open_path(src, path, tagged,
		src->kind == SOURCE_LAYOUT ? O_RDONLY | O_DIRECTORY : O_RDONLY, &fd);
	if (r < 0)
		return r;
	if (src->kind == SOURCE_LAYOUT)
		src->dir = fd;
	else if (src->kind == SOURCE_ROOTFS)
		src->file = fd;
	else
		r = archive_open(&src->archive, s, fd, NULL, 0);
	return r < 0 ? fail_wrap(r, "'%s'", path) : 0;
}

static int open_registry(struct source *src, const struct source_options *o)
{
	int r = ref_parse(&src->remote, o->text);

	if (r < 0)
		return r;
	if (!src->has_ref)
		src->ref = src->remote;
	src->has_ref = true;
	src->kind = SOURCE_REGISTRY;
	return fetch_start(&src->fetch,
		&(struct fetch_options){
			.ref = &src->remote,
			.insecure = o->insecure,
			.authfile = o->authfile,
			.cacert = o->cacert,
			.auth = o->auth,
			.floor = o->floor,
		});
}

static int parse_name(struct ref *out, const char *name)
{
	int r = ref_parse(out, name);

	if (r == 0 && out->has_digest)
		r = fail(EINVAL, "'%s' names a digest, which nobody can promise", name);
	return r;
}

int source_check(const char *text, const char *name)
{
	struct ref ref;
	int r = name ? parse_name(&ref, name) : 0;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(text, prefixes[i].prefix))
			return r;
	if (r < 0 || strcmp(text, "-") == 0)
		return r;
	r = ref_parse(&ref, text);
	if (r < 0 && strstr(text, "://"))
		fail_hint(r, "a registry is named without a scheme: HOST/NAME:TAG");
	else if (r < 0 && (text[0] == '.' || text[0] == '/'))
		fail_hint(r, "for a file: oci-archive:, docker-archive: or rootfs: before it");
	return r;
}

int source_open(struct source *src, struct store *s, const struct source_options *o)
{
	int r;

	*src = (struct source){
		.dir = -1, .file = -1, .archive.fd = -1, .fetch = { .sock = -1, .pid = -1 }
	};
	if (o->name) {
		r = parse_name(&src->ref, o->name);
		if (r < 0)
			return r;
		src->has_ref = true;
	}
	if (strcmp(o->text, "-") == 0) {
		r = open_stdin(src, s);
		return r < 0 ? fail_wrap(r, "standard input") : 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(o->text, prefixes[i].prefix)) {
			src->kind = prefixes[i].kind;
			return open_local(src, s, o->text + strlen(prefixes[i].prefix));
		}
	return open_registry(src, o);
}

void source_close(struct source *src)
{
	fetch_stop(&src->fetch);
	cleanup_close(&src->dir);
	cleanup_close(&src->file);
	archive_close(&src->archive);
	buf_free(&src->prefix);
	buf_free(&src->top);
	buf_free(&src->manifest);
	buf_free(&src->config);
	oci_document_free(&src->document);
	for (char **m = src->members; m && *m; m++)
		free(*m);
	free(src->members);
	src->members = NULL;
}

/* --- the top document --- */

/* Path of a blob inside a layout; OUT holds 160. */
static void blob_path(char *out, const struct digest *d)
{
	char hex[DIGEST_TEXT];

	digest_hex(hex, d);
	snprintf(out, 160, "blobs/%s/%s", d->algorithm == DIGEST_SHA256 ? "sha256" : "sha512", hex);
}

static int read_file(struct source *src, const char *name, size_t max, struct buf *out)
{
	if (src->kind == SOURCE_LAYOUT)
		return fd_read_file(src->dir, name, out, max);
	return archive_read(&src->archive, name, max, out);
}

/* The archive lacks what its kind must have: which kind is it? */
static int hint_kind(const struct source *src, int r)
{
	const char *kind = "rootfs";

	if (src->kind == SOURCE_LAYOUT)
		return r;
	if (archive_find(&src->archive, "index.json"))
		kind = "oci-archive";
	else if (archive_find(&src->archive, "manifest.json"))
		kind = "docker-archive";
	return fail_hint(r, "if it is the right file: %s:FILE", kind);
}

/* Are these the bytes that the digest (and, unless 0, the size) promised? */
static int verify(const struct buf *b, const struct digest *d, uint64_t size, const char *what)
{
	char text[DIGEST_TEXT];
	struct digest is;
	struct hash h;

	hash_init(&h, d->algorithm);
	hash_add(&h, b->data, b->len);
	hash_end(&h, &is);
	digest_format(text, d);
	if (!digest_equal(&is, d))
		return fail(EBADMSG, "the %s is not %s", what, text);
	if (size && size != b->len)
		return fail(EBADMSG, "the %s %s has %zu bytes, not %llu", what, text, b->len,
			(unsigned long long)size);
	return 0;
}

static int read_blob(struct source *src, const struct oci_descriptor *d, size_t max,
	struct buf *out, const char *what)
{
	char path[160];
	int r;

	buf_clear(out);
	blob_path(path, &d->digest);
	r = read_file(src, path, max, out);
	return r < 0 ? r : verify(out, &d->digest, d->size, what);
}

/* The entry of index.json that is meant. */
static int choose_entry(
	struct source *src, const struct oci_document *index, const struct oci_descriptor **out)
{
	auto_buf struct buf names = { 0 };

	*out = NULL;
	for (size_t i = 0; i < index->count; i++) {
		const struct oci_descriptor *d = &index->items[i];

		if (src->tag[0] ? strcmp(d->ref_name, src->tag) == 0 : index->count == 1) {
			*out = d;
			return 0;
		}
		if (names.len < 400)
			buf_printf(&names, "%s'%s'", names.len ? ", " : "", d->ref_name);
	}
	if (!index->count)
		return fail(ENOENT, "index.json lists no image");
	if (src->tag[0])
		return fail(ENOENT, "no image '%s'; there is %s", src->tag, buf_str(&names));
	return fail_hint(
		fail(EINVAL, "there is more than one image: %s", buf_str(&names)), "add :TAG");
}

/* The name in the store of an image that was not given one: the layout's, if it is a whole reference, else
 * one made from the file's name. */
static int name_it(struct source *src, const char *own)
{
	char text[600];

	if (src->has_ref)
		return 0;
	if (strpbrk(own, "/:")) {
		if (ref_parse(&src->ref, own) < 0)
			return fail_hint(-EINVAL, "give a NAME for it in the store");
	} else {
		if (!src->base[0])
			return fail_hint(fail(EINVAL, "the image has no name"),
				"give a NAME for it in the store");
		snprintf(text, sizeof(text), "localhost/%s:%s", src->base, *own ? own : "latest");
		if (ref_parse(&src->ref, text) < 0)
			return fail_hint(-EINVAL, "give a NAME for it in the store");
	}
	src->has_ref = true;
	return 0;
}

static int read_layout_top(struct source *src)
{
	auto_buf struct buf text = { 0 };
	struct oci_document index;
	const struct oci_descriptor *d;
	int r;

	r = read_file(src, "index.json", OCI_MANIFEST_MAX, &text);
	if (r < 0)
		return r == -ENOENT ? hint_kind(src, r) : r;
	r = oci_parse(&index, buf_str(&text), text.len, OCI_TYPE_INDEX);
	if (r < 0)
		return fail_wrap(r, "index.json");
	r = choose_entry(src, &index, &d);
	if (r == 0)
		r = read_blob(src, d, OCI_MANIFEST_MAX, &src->top, "manifest");
	if (r == 0) {
		strcpy(src->top_type, d->media_type);
		src->top_digest = d->digest;
		r = name_it(src, d->ref_name);
	}
	oci_document_free(&index);
	return r;
}

static int read_registry_top(struct source *src)
{
	const struct ref *ref = &src->remote;
	int r = fetch_manifest(&src->fetch, ref->tag[0] ? ref->tag : "latest",
		ref->has_digest ? &ref->digest : NULL, &src->top, src->top_type,
		sizeof(src->top_type));

	if (r < 0)
		return r;
	/* The network process verified it, but it is the parent that keeps it. */
	if (ref->has_digest) {
		src->top_digest = ref->digest;
		return verify(&src->top, &ref->digest, 0, "manifest");
	}
	digest_of(&src->top_digest, buf_str(&src->top), src->top.len);
	return 0;
}

int source_read_top(struct source *src)
{
	switch (src->kind) {
	case SOURCE_REGISTRY: return read_registry_top(src);
	case SOURCE_LAYOUT:
	case SOURCE_ARCHIVE: return read_layout_top(src);
	case SOURCE_ROOTFS: return name_it(src, "");
	case SOURCE_DOCKER: break;
	}
	return 0;
}

/* --- the image --- */

/* Get the manifest that an index names. */
static int read_chosen(struct source *src, const struct oci_descriptor *d)
{
	int r;

	if (src->kind != SOURCE_REGISTRY)
		return read_blob(src, d, OCI_MANIFEST_MAX, &src->manifest, "manifest");
	buf_clear(&src->manifest);
	r = fetch_manifest(&src->fetch, NULL, &d->digest, &src->manifest, src->top_type,
		sizeof(src->top_type));
	return r < 0 ? r : verify(&src->manifest, &d->digest, d->size, "manifest");
}

static int read_config(struct source *src)
{
	const struct oci_descriptor *d = &src->document.config;
	int r;

	if (src->kind != SOURCE_REGISTRY)
		return read_blob(src, d, OCI_CONFIG_MAX, &src->config, "config");
	r = fetch_blob(&src->fetch, &d->digest, d->size, &src->config);
	return r < 0 ? r : verify(&src->config, &d->digest, d->size, "config");
}

/* Go from an index to the manifest for PLATFORM; an index may name one further index (image-index.md). */
static int descend(
	struct source *src, struct oci_document *index, const struct oci_platform *platform)
{
	const struct oci_descriptor *chosen;
	struct oci_document next;
	int r;

	for (int depth = 0;; depth++) {
		/* An index of one entry without a platform is a plain pointer. */
		if (index->count == 1 && !index->items[0].has_platform) {
			chosen = &index->items[0];
			r = 0;
		} else {
			r = oci_choose(index, platform, &chosen);
		}
		if (r == 0)
			r = read_chosen(src, chosen);
		if (r == 0)
			r = oci_parse(&next, buf_str(&src->manifest), src->manifest.len,
				src->kind == SOURCE_REGISTRY ? src->top_type : NULL);
		if (r < 0)
			return r;
		oci_document_free(index);
		if (next.kind == OCI_MANIFEST) {
			src->document = next;
			return 0;
		}
		*index = next;
		if (depth == 1)
			return fail(EINVAL, "indexes more than two deep");
	}
}

static int read_documents(struct source *src, const struct oci_platform *platform, bool *index)
{
	struct oci_document top;
	int r;

	r = oci_parse(&top, buf_str(&src->top), src->top.len, src->top_type);
	if (r < 0)
		return r;
	*index = top.kind == OCI_INDEX;
	if (*index) {
		r = descend(src, &top, platform);
		oci_document_free(&top);
	} else {
		src->document = top;
		buf_add(&src->manifest, src->top.data, src->top.len);
		r = buf_check(&src->manifest);
	}
	return r < 0 ? r : read_config(src);
}

/* The one image of manifest.json: {"Config": file, "RepoTags": [...], "Layers": [files]}. */
static int read_docker_entry(struct source *src, const struct json *image)
{
	const struct json *tags = NULL, *layers = NULL, *item;
	const char *config = NULL;
	size_t n = 0;
	int r;

	if (json_get_string(image, "Config", &config) != 1 ||
		json_get_array(image, "RepoTags", &tags) < 0 ||
		json_get_array(image, "Layers", &layers) != 1 || layers->count > OCI_LAYERS_MAX)
		return fail(EBADMSG, "manifest.json is not docker's");
	src->members = calloc(layers->count + 1, sizeof(*src->members));
	if (!src->members)
		return fail(ENOMEM, "out of memory");
	for (item = layers->child; item; item = item->next) {
		if (item->type != JSON_STRING)
			return fail(EBADMSG, "manifest.json is not docker's");
		src->members[n] = strdup(item->string);
		if (!src->members[n++])
			return fail(ENOMEM, "out of memory");
	}
	r = name_it(src,
		tags && tags->child && tags->child->type == JSON_STRING ? tags->child->string : "");
	return r < 0 ? r : archive_read(&src->archive, config, OCI_CONFIG_MAX, &src->config);
}

static int read_docker(struct source *src)
{
	auto_buf struct buf text = { 0 };
	auto_json struct json *j = NULL;
	int r;

	r = archive_read(&src->archive, "manifest.json", OCI_MANIFEST_MAX, &text);
	if (r == -ENOENT)
		return hint_kind(src, r);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &j);
	if (r < 0)
		return fail_wrap(r, "manifest.json");
	if (j->type != JSON_ARRAY || j->count != 1)
		return fail(EINVAL, "the archive holds %zu images, not one",
			j->type == JSON_ARRAY ? j->count : 0);
	return read_docker_entry(src, j->child);
}

int source_read_image(struct source *src, const struct oci_platform *platform, bool *index)
{
	*index = false;
	switch (src->kind) {
	case SOURCE_REGISTRY:
	case SOURCE_LAYOUT:
	case SOURCE_ARCHIVE: return read_documents(src, platform, index);
	case SOURCE_DOCKER: return read_docker(src);
	case SOURCE_ROOTFS: break;
	}
	return 0;
}

/* --- layers --- */

static int open_member(const struct archive *a, const char *name, struct unpack_input *out)
{
	const struct archive_member *m = archive_find(a, name);

	if (!m)
		return fail(ENOENT, "the archive has no '%s'", name);
	out->fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 3);
	if (out->fd < 0)
		return fail_errno("duplicate a descriptor");
	out->sized = true;
	out->offset = m->offset;
	out->size = m->size;
	return 0;
}

static int open_layout_layer(struct source *src, const char *path, struct unpack_input *out)
{
	struct stat st;

	out->fd = openat(src->dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (out->fd < 0)
		return fail_errno("open '%s'", path);
	if (fstat(out->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		cleanup_close(&out->fd);
		return fail(EINVAL, "'%s' is no file", path);
	}
	out->sized = true;
	out->size = (uint64_t)st.st_size;
	return 0;
}

int source_open_layer(struct source *src, size_t i, struct unpack_input *out)
{
	const struct oci_descriptor *d = src->document.items ? &src->document.items[i] : NULL;
	char path[160];

	*out = (struct unpack_input){ .fd = -1 };
	if (d)
		blob_path(path, &d->digest);
	switch (src->kind) {
	case SOURCE_REGISTRY:
		out->fd = fetch_layer(&src->fetch, &d->digest, d->size);
		out->framed = true;
		return out->fd < 0 ? out->fd : 0;
	case SOURCE_LAYOUT: return open_layout_layer(src, path, out);
	case SOURCE_ARCHIVE: return open_member(&src->archive, path, out);
	case SOURCE_DOCKER: return open_member(&src->archive, src->members[i], out);
	case SOURCE_ROOTFS:
		out->fd = take_fd(&src->file);
		out->prefix = src->prefix.data;
		out->prefix_len = src->prefix.len;
		break;
	}
	return 0;
}
