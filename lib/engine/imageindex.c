/* SPDX-License-Identifier: MIT */
/* imageindex - index.json of the store, the mirror of refs/ that other tools read */
#include "engine/imageindex.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/image.h"
#include "format/oci.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "service/blob.h"

#define INDEX_MAX (16u << 20)
#define REF_NAME  "org.opencontainers.image.ref.name"

const char *imageindex_name(const struct json *entry)
{
	const struct json *annotations = NULL;
	const char *name = NULL;

	if (json_get_object(entry, "annotations", &annotations) > 0)
		json_get_string(annotations, REF_NAME, &name);
	return name;
}

int imageindex_load(struct store *s, struct json **out)
{
	auto_buf struct buf text = { 0 };
	const struct json *manifests = NULL;
	int r;

	*out = NULL;
	r = fd_read_file(s->dir, "index.json", &text, INDEX_MAX);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, out);
	if (r == 0 && json_get_array(*out, "manifests", &manifests) <= 0)
		r = fail(EBADMSG, "no list of manifests");
	if (r < 0) {
		json_free(*out);
		*out = NULL;
		return r == -ENOENT ? r : fail_wrap(r, "index.json");
	}
	return 0;
}

/* The entry of image I in the old list, if it still tells the truth; unknown members stay that way. */
static const struct json *old_entry(const struct json *manifests, const struct image *i)
{
	char digest[DIGEST_TEXT];
	const struct json *entry;
	const char *name, *text = NULL;

	digest_format(digest, &i->manifest);
	for (entry = manifests ? manifests->child : NULL; entry; entry = entry->next) {
		name = imageindex_name(entry);
		if (name && strcmp(name, i->reference) == 0)
			return json_get_string(entry, "digest", &text) > 0 &&
					strcmp(text, digest) == 0
				? entry
				: NULL;
	}
	return NULL;
}

/* Media type and size of the manifest. */
static int describe(
	struct store *s, const struct image *i, char *type, size_t type_size, size_t *size)
{
	auto_buf struct buf text = { 0 };
	auto_json struct json *j = NULL;
	const char *own = OCI_TYPE_MANIFEST;
	int r;

	r = blob_get(s, &i->manifest, OCI_MANIFEST_MAX, &text);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &j);
	if (r == 0)
		r = json_get_string(j, "mediaType", &own);
	if (r < 0)
		return r;
	snprintf(type, type_size, "%s", own);
	*size = text.len;
	return 0;
}

static struct json *new_entry(struct store *s, const struct image *i)
{
	auto_json struct json *entry = json_new(JSON_OBJECT);
	struct json *platform = json_new(JSON_OBJECT), *annotations = json_new(JSON_OBJECT);
	char digest[DIGEST_TEXT], type[128];
	size_t size = 0;
	bool ok;

	ok = json_add(platform, "architecture", json_new_string(i->platform.arch)) &&
		json_add(platform, "os", json_new_string(i->platform.os)) &&
		(!i->platform.variant[0] ||
			json_add(platform, "variant", json_new_string(i->platform.variant))) &&
		json_add(annotations, REF_NAME, json_new_string(i->reference));
	ok = json_add(entry, "annotations", annotations) && ok;
	ok = json_add(entry, "platform", platform) && ok;
	if (!ok) {
		fail(ENOMEM, "out of memory");
		return NULL;
	}
	if (describe(s, i, type, sizeof(type), &size) < 0)
		return NULL;
	digest_format(digest, &i->manifest);
	ok = json_add(entry, "mediaType", json_new_string(type)) &&
		json_add(entry, "digest", json_new_string(digest)) &&
		json_add(entry, "size", json_new_int((int64_t)size));
	if (!ok)
		fail(ENOMEM, "out of memory");
	return ok ? take_ptr(entry) : NULL;
}

static bool listed(const struct image_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->items[i]->reference, name) == 0)
			return true;
	return false;
}

/* The new list of manifests. */
static int merge(struct store *s, const struct json *old, const char *without, struct json *out)
{
	auto_image_list struct image_list list = { 0 };
	const struct json *manifests = json_get(old, "manifests"), *entry;
	struct json *add;
	const char *name;
	size_t i;
	int r;

	r = image_list(s, &list);
	if (r < 0)
		return r;
	for (entry = manifests ? manifests->child : NULL; entry; entry = entry->next) {
		name = imageindex_name(entry);
		if (name && (listed(&list, name) || (without && strcmp(name, without) == 0)))
			continue;
		if (!json_add(out, NULL, json_copy(entry)))
			return fail(ENOMEM, "out of memory");
	}
	for (i = 0; i < list.count; i++) {
		if (without && strcmp(list.items[i]->reference, without) == 0)
			continue;
		entry = old_entry(manifests, list.items[i]);
		add = entry ? json_copy(entry) : new_entry(s, list.items[i]);
		if (!add && !entry) {
			/* Its manifest is damaged: verify and repair say so; the others must go on. */
			log_note("index.json leaves out '%s': %s", list.items[i]->reference,
				fail_text());
			continue;
		}
		if (!json_add(out, NULL, add))
			return fail(ENOMEM, "out of memory");
	}
	return 0;
}

/* What is unreadable may hold entries of other tools: keep it beside. */
static void keep_damaged(struct store *s)
{
	if (renameat(s->dir, "index.json", s->dir, "index.json.damaged") == 0)
		log_note("%s; it is kept as 'index.json.damaged'", fail_text());
}

int imageindex_write(struct store *s, const char *without)
{
	auto_json struct json *index = NULL, *manifests = json_new(JSON_ARRAY);
	auto_buf struct buf text = { 0 }, old = { 0 };
	int r;

	r = imageindex_load(s, &index);
	if (r == -EBADMSG)
		keep_damaged(s);
	else if (r < 0 && r != -ENOENT)
		return r;
	if (!index)
		index = json_new(JSON_OBJECT);
	if (!manifests)
		return fail(ENOMEM, "out of memory");
	r = merge(s, index, without, manifests);
	if (r < 0)
		return r;
	if (!json_add(index, "schemaVersion", json_new_int(2)) ||
		!json_add(index, "mediaType", json_new_string(OCI_TYPE_INDEX)) ||
		!json_add(index, "manifests", take_ptr(manifests)))
		return fail(ENOMEM, "out of memory");
	json_format(&text, index);
	r = buf_check(&text);
	if (r < 0)
		return r;
	/* Writing what is there already would only wear the flash. */
	if (fd_read_file(s->dir, "index.json", &old, INDEX_MAX) == 0 && old.len == text.len &&
		memcmp(old.data, text.data, text.len) == 0)
		return 0;
	return file_replace(s->tmp, s->dir, "index.json", text.data, text.len);
}
