/* SPDX-License-Identifier: MIT */
/* image - images in the store
 *
 * Parts: reference files, list, find, layers, add, tag. */
#include "engine/image.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/str.h"
#include "base/time.h"
#include "engine/imageindex.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "service/blob.h"
#include "service/catalog.h"
#include "service/db.h"
#include "service/layer.h"

#define REFERENCE_MAX (1u << 20)

/* --- reference files --- */

static void free_list(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void image_free(struct image *i)
{
	if (!i)
		return;
	free_list(i->layers);
	free_list(i->env);
	free_list(i->entrypoint);
	free_list(i->cmd);
	free_list(i->volumes);
	free(i->workdir);
	free(i->user);
	free(i->stop_signal);
	free(i->reference);
	free(i);
}

void cleanup_image(struct image **i)
{
	image_free(*i);
}

void image_file_name(char *out, const char *reference)
{
	struct digest d;

	digest_of(&d, reference, strlen(reference));
	digest_hex(out, &d);
}

void image_id(char *out, const struct image *i)
{
	digest_hex(out, &i->config_digest);
}

static int read_string(const struct json *j, const char *key, char **out)
{
	const char *s = "";
	int r = json_get_string(j, key, &s);

	if (r < 0)
		return r;
	*out = strdup(s);
	return *out ? r : fail(ENOMEM, "out of memory");
}

/* A list of strings; absent is empty. */
static int read_list(const struct json *j, const char *key, char ***out, size_t *count)
{
	const struct json *list = NULL, *item;
	size_t n = 0;
	int r;

	r = json_get_array(j, key, &list);
	if (r < 0)
		return r;
	*out = calloc((list ? list->count : 0) + 1, sizeof(char *));
	if (!*out)
		return fail(ENOMEM, "out of memory");
	for (item = list ? list->child : NULL; item; item = item->next) {
		if (item->type != JSON_STRING)
			return fail(EBADMSG, "'%s' holds other things than strings", key);
		(*out)[n] = strdup(item->string);
		if (!(*out)[n++])
			return fail(ENOMEM, "out of memory");
	}
	if (count)
		*count = n;
	return 0;
}

static int read_digest(const struct json *j, const char *key, struct digest *out)
{
	const char *text = NULL;
	int r = json_get_string(j, key, &text);

	if (r <= 0)
		return r;
	return digest_parse(out, text) < 0 ? fail(EBADMSG, "'%s' is no digest", key) : 1;
}

static int read_platform(const struct json *j, struct oci_platform *out)
{
	const struct json *platform = NULL;
	const char *os = "", *arch = "", *variant = "";

	if (json_get_object(j, "platform", &platform) <= 0 ||
		json_get_string(platform, "os", &os) <= 0 ||
		json_get_string(platform, "architecture", &arch) <= 0 ||
		json_get_string(platform, "variant", &variant) < 0)
		return fail(EBADMSG, "no platform");
	if (str_copy(out->os, sizeof(out->os), os) < 0 ||
		str_copy(out->arch, sizeof(out->arch), arch) < 0 ||
		str_copy(out->variant, sizeof(out->variant), variant) < 0)
		return -EBADMSG;
	return 0;
}

static int read_config(const struct json *j, struct image *i)
{
	const struct json *config = NULL;
	int r = json_get_object(j, "config", &config);

	if (r >= 0)
		r = read_list(config, "env", &i->env, NULL);
	if (r >= 0)
		r = read_list(config, "entrypoint", &i->entrypoint, NULL);
	if (r >= 0)
		r = read_list(config, "cmd", &i->cmd, NULL);
	if (r >= 0)
		r = read_list(config, "volumes", &i->volumes, NULL);
	if (r >= 0)
		r = read_string(config, "workdir", &i->workdir);
	if (r >= 0)
		r = read_string(config, "user", &i->user);
	if (r >= 0)
		r = read_string(config, "stop_signal", &i->stop_signal);
	return r;
}

/* 1 if all that must be there is. */
static int read_reference(const struct json *j, struct image *i)
{
	int64_t size = 0;
	size_t n;
	int r;

	r = read_string(j, "reference", &i->reference);
	if (r > 0)
		r = read_digest(j, "manifest", &i->manifest);
	if (r > 0)
		r = read_digest(j, "config_digest", &i->config_digest);
	if (r == 0)
		return fail(EBADMSG, "incomplete");
	if (r > 0)
		r = read_digest(j, "index", &i->index);
	if (r >= 0)
		r = read_platform(j, &i->platform);
	if (r >= 0)
		r = read_list(j, "layers", &i->layers, &i->layer_count);
	for (n = 0; r >= 0 && n < i->layer_count; n++)
		/* Names become paths of a mount: never more than one part. */
		if (!*i->layers[n] || strlen(i->layers[n]) > 128 ||
			!str_only(i->layers[n], "0123456789abcdef"))
			return fail(EBADMSG, "'%s' is no layer", i->layers[n]);
	if (r >= 0)
		r = json_get_int(j, "size", &size);
	if (r >= 0)
		r = json_get_int(j, "created", &i->created);
	if (r >= 0)
		r = json_get_int(j, "pulled", &i->pulled);
	i->size = (uint64_t)size;
	return r < 0 ? r : read_config(j, i);
}

static int load_tree(struct store *s, const char *file, struct json **out)
{
	auto_buf struct buf text = { 0 };
	int r;

	*out = NULL;
	r = fd_read_file(s->refs, file, &text, REFERENCE_MAX);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, out);
	return r == -ENOENT || r == 0 ? r : fail_wrap(r, "refs/%.12s", file);
}

int image_load(struct store *s, const char *file, struct image **out)
{
	auto_json struct json *j = NULL;
	auto_image struct image *i = NULL;
	char name[DIGEST_TEXT];
	int r;

	*out = NULL;
	r = load_tree(s, file, &j);
	if (r < 0)
		return r;
	i = calloc(1, sizeof(*i));
	if (!i)
		return fail(ENOMEM, "out of memory");
	r = read_reference(j, i);
	if (r < 0)
		return fail_wrap(r, "refs/%.12s", file);
	image_file_name(name, i->reference);
	if (strcmp(name, file) != 0)
		return fail(EBADMSG, "refs/%.12s: it names '%s', which belongs elsewhere", file,
			i->reference);
	*out = take_ptr(i);
	return 0;
}

/* --- list --- */

struct listing {
	struct store *s;
	struct image_list *list;
};

static int list_one(void *ctx, const char *name)
{
	struct listing *l = ctx;
	struct image **items, *i;
	int r;

	r = image_load(l->s, name, &i);
	if (r < 0) {
		l->list->damaged += r != -ENOENT;
		return r == -ENOMEM ? r : 0;
	}
	items = realloc(l->list->items, (l->list->count + 1) * sizeof(*items));
	if (!items) {
		image_free(i);
		return fail(ENOMEM, "out of memory");
	}
	l->list->items = items;
	items[l->list->count++] = i;
	return 0;
}

static int by_reference(const void *a, const void *b)
{
	return strcmp(
		(*(struct image *const *)a)->reference, (*(struct image *const *)b)->reference);
}

int image_list(struct store *s, struct image_list *out)
{
	struct listing l = { s, out };
	int r;

	*out = (struct image_list){ 0 };
	r = catalog_walk(s->refs, list_one, &l);
	if (r < 0) {
		image_list_free(out);
		return r;
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_reference);
	return 0;
}

void image_list_free(struct image_list *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		image_free(l->items[i]);
	free(l->items);
	*l = (struct image_list){ 0 };
}

/* Is the layer DIR there, with its files? A link in its place would lead out of the store. */
static bool is_whole(struct store *s, const char *dir)
{
	char path[2][DIGEST_TEXT + 128];
	struct stat st;

	snprintf(path[0], sizeof(path[0]), "%s/fs", dir);
	snprintf(path[1], sizeof(path[1]), "%s/layer.json", dir);
	return fstatat(s->layers, dir, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
		fstatat(s->layers, path[0], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
		faccessat(s->layers, path[1], F_OK, 0) == 0;
}

int image_check(struct store *s, const struct image *i)
{
	size_t n;
	int r;

	r = blob_exists(s, &i->manifest) && blob_exists(s, &i->config_digest)
		? 0
		: fail(ENOENT, "image '%s': its manifest or config is missing", i->reference);
	for (n = 0; r == 0 && n < i->layer_count; n++)
		if (!is_whole(s, i->layers[n]))
			r = fail(ENOENT, "image '%s': layer '%.12s' is missing", i->reference,
				i->layers[n]);
	return r < 0 ? fail_hint(r, "bring it in again: qpull %s", i->reference) : 0;
}

/* --- find --- */

static bool has_prefix(const struct digest *d, const char *name)
{
	char text[DIGEST_TEXT], hex[DIGEST_TEXT];

	digest_format(text, d);
	digest_hex(hex, d);
	return str_starts(hex, name) || strcmp(text, name) == 0;
}

bool image_matches(const struct image *i, const char *name)
{
	/* One digit is more likely a name that was cut short. */
	return strlen(name) >= 2 &&
		(has_prefix(&i->config_digest, name) || has_prefix(&i->manifest, name));
}

/* NAME as repository@digest: the image of that repository that came with the digest. */
static bool has_digest(const struct image *i, const struct ref *want)
{
	struct ref have;

	return want->has_digest && !want->tag[0] && ref_parse(&have, i->reference) == 0 &&
		strcmp(have.host, want->host) == 0 &&
		strcmp(have.repository, want->repository) == 0 &&
		(digest_equal(&i->manifest, &want->digest) ||
			digest_equal(&i->index, &want->digest));
}

static int ambiguous(const char *name, const struct image_list *list)
{
	auto_buf struct buf names = { 0 };
	char id[DIGEST_TEXT];
	size_t n;

	for (n = 0; n < list->count && names.len < 400; n++)
		if (image_matches(list->items[n], name)) {
			image_id(id, list->items[n]);
			buf_printf(&names, "%s%.12s %s", names.len ? ", " : "", id,
				list->items[n]->reference);
		}
	return fail(EEXIST, "id '%s' is ambiguous: %s", name, buf_str(&names));
}

static int not_found(const char *name, const struct image_list *list)
{
	char shown[REF_TEXT], best[REF_TEXT] = "";
	int distance, least = 4;
	struct ref ref;
	size_t n;

	for (n = 0; n < list->count; n++) {
		if (ref_parse(&ref, list->items[n]->reference) < 0)
			continue;
		ref_format_short(shown, &ref);
		distance = str_distance(name, shown);
		if (!strchr(name, ':') && strrchr(shown, ':') && strrchr(shown, ':') > shown) {
			auto_free char *bare =
				strndup(shown, (size_t)(strrchr(shown, ':') - shown));

			if (bare && str_distance(name, bare) < distance)
				distance = str_distance(name, bare);
		}
		if (distance < least) {
			least = distance;
			snprintf(best, sizeof(best), "%s", shown);
		}
	}
	fail(ENOENT, "no image '%s' in the store", name);
	return best[0] ? fail_hint(-ENOENT, "did you mean '%s'?", best)
		       : fail_hint(-ENOENT, "bring it in: qpull %s", name);
}

static int choose(
	const struct image_list *list, const char *name, const struct ref *ref, size_t *found)
{
	size_t n;

	*found = list->count;
	for (n = 0; n < list->count; n++) {
		if (!image_matches(list->items[n], name) &&
			!(ref && has_digest(list->items[n], ref)))
			continue;
		if (*found == list->count)
			*found = n;
		else if (!digest_equal(&list->items[*found]->config_digest,
				 &list->items[n]->config_digest))
			return ambiguous(name, list);
	}
	return *found == list->count ? not_found(name, list) : 0;
}

int image_find(struct store *s, const char *name, struct image **out)
{
	auto_image_list struct image_list list = { 0 };
	char reference[REF_TEXT], file[DIGEST_TEXT];
	struct ref ref;
	bool valid;
	size_t n = 0;
	int r;

	*out = NULL;
	valid = ref_parse(&ref, name) == 0;
	if (valid) {
		ref_format(reference, &ref);
		image_file_name(file, reference);
		r = image_load(s, file, out);
		if (r != -ENOENT)
			return r;
	}
	r = image_list(s, &list);
	if (r == 0)
		r = choose(&list, name, valid ? &ref : NULL, &n);
	if (r < 0)
		return r;
	*out = list.items[n];
	list.items[n] = list.items[--list.count];
	return 0;
}

/* --- layers --- */

static int layer_facts_of(struct store *s, const char *dir, struct layer_facts *f)
{
	auto_close int fd = openat(s->layers, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail_errno("open layer '%.12s'", dir);
	r = layer_facts_load(fd, f);
	return r < 0 ? fail_wrap(r, "layer '%.12s'", dir) : 0;
}

/* Is the garbage collector about to remove the layer? It holds index.lock from the decision to the rename:
 * wait until it has let go. */
static void wait_deleting(struct store *s, const char *dir)
{
	int64_t deleting = 0;
	int lock;

	if (!s->db ||
		db_get_int(s->db, &deleting,
			"SELECT state='deleting'FROM layer WHERE location=''AND dir=?", "s",
			dir) <= 0 ||
		!deleting)
		return;
	lock = store_lock_index(s);
	cleanup_close(&lock);
}

int image_find_layer(
	struct store *s, const struct digest *diff, const struct digest *chain, char *out)
{
	const struct digest *const keys[] = { diff, chain };
	struct layer_facts f;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		if (!keys[i])
			continue;
		digest_hex(out, keys[i]);
		wait_deleting(s, out);
		r = layer_facts_of(s, out, &f);
		if (r == 0 && is_whole(s, out) && digest_equal(&f.diff_id, diff) &&
			(f.chain_bound ? chain && digest_equal(&f.chain, chain) : keys[i] == diff))
			return 0;
	}
	out[0] = '\0';
	fail_clear();
	return -ENOENT;
}

int image_add_layer(struct store *s, const char *dir)
{
	int r = store_db(s);

	return r < 0 ? r : catalog_layer(s, dir, true);
}

/* --- add --- */

static struct json *list_json(char *const *list)
{
	auto_json struct json *out = json_new(JSON_ARRAY);

	for (; list && *list; list++)
		if (!json_add(out, NULL, json_new_string(*list)))
			return NULL;
	return take_ptr(out);
}

static struct json *platform_json(const struct oci_platform *p)
{
	auto_json struct json *out = json_new(JSON_OBJECT);

	return json_add(out, "architecture", json_new_string(p->arch)) &&
			json_add(out, "os", json_new_string(p->os)) &&
			json_add(out, "variant", json_new_string(p->variant))
		? take_ptr(out)
		: NULL;
}

static struct json *config_json(const struct oci_config *c)
{
	auto_json struct json *out = json_new(JSON_OBJECT);

	return json_add(out, "env", list_json(c->env)) &&
			json_add(out, "entrypoint", list_json(c->entrypoint)) &&
			json_add(out, "cmd", list_json(c->cmd)) &&
			json_add(out, "volumes", list_json(c->volumes)) &&
			json_add(out, "workdir", json_new_string(c->workdir)) &&
			json_add(out, "user", json_new_string(c->user)) &&
			json_add(out, "stop_signal", json_new_string(c->stop_signal))
		? take_ptr(out)
		: NULL;
}

static struct json *digest_json(const struct digest *d)
{
	char text[DIGEST_TEXT];

	digest_format(text, d);
	return json_new_string(text);
}

/* An image that is being added: what its documents say. */
struct addition {
	const struct image_new *n;
	struct oci_document manifest;
	struct oci_config config;
	struct digest manifest_digest, config_digest, index_digest;
	uint64_t size;
};

static int reference_json(const struct addition *a, struct json **out)
{
	auto_json struct json *j = json_new(JSON_OBJECT), *layers = list_json(a->n->layers);
	char reference[REF_TEXT];
	bool ok;

	ref_format(reference, a->n->ref);
	ok = json_add(j, "v", json_new_int(1)) &&
		json_add(j, "reference", json_new_string(reference)) &&
		json_add(j, "manifest", digest_json(&a->manifest_digest)) &&
		json_add(j, "config_digest", digest_json(&a->config_digest)) &&
		(!a->n->index || json_add(j, "index", digest_json(&a->index_digest))) &&
		json_add(j, "platform", platform_json(&a->config.platform)) &&
		json_add(j, "layers", take_ptr(layers)) &&
		json_add(j, "size", json_new_int((int64_t)a->size)) &&
		json_add(j, "created", json_new_int(a->config.created)) &&
		json_add(j, "pulled", json_new_int(time_now())) &&
		json_add(j, "config", config_json(&a->config));
	if (!ok)
		return fail(ENOMEM, "out of memory");
	*out = take_ptr(j);
	return 0;
}

/* Do the documents belong together and the layers to them? */
static int check_addition(struct store *s, struct addition *a)
{
	const struct image_new *n = a->n;
	struct digest config, chain;
	struct layer_facts f;
	size_t i;
	int r;

	digest_of(&config, n->config, n->config_len);
	if (a->manifest.kind != OCI_MANIFEST || !digest_equal(&config, &a->manifest.config.digest))
		return fail(EBADMSG, "the manifest names another config");
	if (a->config.layers != n->layer_count || a->manifest.count != n->layer_count)
		return fail(EBADMSG, "manifest, config and layers differ in number: %zu, %zu, %zu",
			a->manifest.count, a->config.layers, n->layer_count);
	for (i = 0; i < n->layer_count; i++) {
		r = layer_facts_of(s, n->layers[i], &f);
		if (r < 0)
			return r;
		digest_chain(&chain, i ? &chain : NULL, &a->config.diff_ids[i]);
		if (!digest_equal(&f.diff_id, &a->config.diff_ids[i]) ||
			(f.chain_bound && !digest_equal(&f.chain, &chain)))
			return fail(EBADMSG, "layer '%.12s' is not what the config wants",
				n->layers[i]);
		a->size += f.disk_size;
	}
	return 0;
}

/* Rows follow the files; if they fail the image is there all the same. */
static int write_rows(struct store *s, const struct json *reference)
{
	int r = db_begin(s->db);

	if (r < 0)
		return r;
	r = catalog_reference(s, reference);
	if (r == 0)
		r = db_commit(s->db);
	if (r < 0)
		db_rollback(s->db);
	return r;
}

/* The reference file, index.json, rows: in this order. Caller holds index.lock. */
static int commit_reference(struct store *s, const struct json *reference)
{
	auto_buf struct buf text = { 0 };
	char file[DIGEST_TEXT];
	const char *name = "";
	int r;

	json_get_string(reference, "reference", &name);
	image_file_name(file, name);
	json_format(&text, reference);
	r = buf_check(&text);
	if (r == 0)
		r = file_replace(s->tmp, s->refs, file, text.data, text.len);
	if (r == 0)
		r = imageindex_write(s, NULL);
	return r < 0 ? r : write_rows(s, reference);
}

static int put_blobs(struct store *s, struct addition *a)
{
	const struct image_new *n = a->n;
	int r = blob_put(s, n->config, n->config_len, &a->config_digest);

	if (r == 0 && n->index)
		r = blob_put(s, n->index, n->index_len, &a->index_digest);
	if (r == 0)
		r = blob_put(s, n->manifest, n->manifest_len, &a->manifest_digest);
	return r;
}

static int add(struct store *s, struct addition *a)
{
	auto_json struct json *reference = NULL;
	auto_close int lock = -1;
	int r;

	/* Without this lock the garbage collector could take a blob before the reference to it is there. */
	lock = store_lock_index(s);
	if (lock < 0)
		return lock;
	r = check_addition(s, a);
	if (r == 0)
		r = put_blobs(s, a);
	if (r == 0)
		r = reference_json(a, &reference);
	return r < 0 ? r : commit_reference(s, reference);
}

int image_add(struct store *s, const struct image_new *n, struct image **out)
{
	struct addition a = { .n = n };
	char reference[REF_TEXT], file[DIGEST_TEXT];
	int r;

	if (out)
		*out = NULL;
	ref_format(reference, n->ref);
	image_file_name(file, reference);
	r = store_db(s);
	if (r == 0)
		r = oci_parse(&a.manifest, n->manifest, n->manifest_len, NULL);
	if (r == 0)
		r = oci_config_parse(&a.config, n->config, n->config_len);
	if (r == 0)
		r = add(s, &a);
	oci_config_free(&a.config);
	oci_document_free(&a.manifest);
	if (r < 0)
		return fail_wrap(r, "add image '%s'", reference);
	return out ? image_load(s, file, out) : 0;
}

/* --- tag --- */

int image_tag(struct store *s, const char *name, const struct ref *ref)
{
	auto_image struct image *i = NULL;
	auto_json struct json *tree = NULL;
	auto_close int lock = -1;
	char text[REF_TEXT], file[DIGEST_TEXT];
	int r;

	r = store_db(s);
	if (r < 0)
		return r;
	lock = store_lock_index(s);
	if (lock < 0)
		return lock;
	r = image_find(s, name, &i);
	if (r == 0)
		r = image_check(s, i);
	if (r < 0)
		return r;
	image_file_name(file, i->reference);
	r = load_tree(s, file, &tree);
	if (r < 0)
		return r;
	ref_format(text, ref);
	if (!json_add(tree, "reference", json_new_string(text)))
		return fail(ENOMEM, "out of memory");
	return commit_reference(s, tree);
}
