/* SPDX-License-Identifier: MIT */
/* imageinfo - all facts of an image, and how it was made */
#include "engine/imageinfo.h"

#include <fcntl.h>
#include <string.h>

#include "base/fail.h"
#include "base/time.h"
#include "format/oci.h"
#include "service/blob.h"
#include "service/layer.h"

static int load_config(struct store *s, const struct image *i, struct oci_config *out)
{
	auto_buf struct buf text = { 0 };
	int r;

	r = blob_get(s, &i->config_digest, OCI_CONFIG_MAX, &text);
	if (r == 0)
		r = oci_config_parse(out, buf_str(&text), text.len);
	return r < 0 ? fail_wrap(r, "image '%s'", i->reference) : 0;
}

static int load_layer(struct store *s, const char *name, struct layer_facts *out)
{
	auto_close int dir =
		openat(s->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = dir < 0 ? fail_errno("open") : layer_facts_load(dir, out);

	return r < 0 ? fail_wrap(r, "layer '%.12s'", name) : 0;
}

/* --- describe --- */

static bool add_digest(struct json *to, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT];

	digest_format(text, d);
	return json_add(to, key, json_new_string(text));
}

/* As every applet: FIELD in RFC 3339, FIELD_ns as a number. */
static bool add_time(struct json *to, const char *key, const char *key_ns, int64_t ns)
{
	char text[40];

	if (!ns)
		return true;
	time_format(text, sizeof(text), ns);
	return json_add(to, key, json_new_string(text)) && json_add(to, key_ns, json_new_int(ns));
}

static struct json *layer_json(const char *name, const struct layer_facts *f)
{
	auto_json struct json *j = json_new(JSON_OBJECT);

	return json_add(j, "dir", json_new_string(name)) && add_digest(j, "diff_id", &f->diff_id) &&
			json_add(j, "chain_bound", json_new_bool(f->chain_bound)) &&
			json_add(j, "size", json_new_int((int64_t)f->disk_size)) &&
			json_add(j, "tar_size", json_new_int((int64_t)f->tar_size)) &&
			json_add(j, "entries", json_new_int((int64_t)f->entries)) &&
			(!f->has_encoding ||
				(add_digest(j, "blob", &f->encoding) &&
					json_add(j, "blob_size",
						json_new_int((int64_t)f->encoding_size)) &&
					json_add(j, "media_type",
						json_new_string(f->encoding_type))))
		? take_ptr(j)
		: NULL;
}

static int add_layers(struct store *s, const struct image *i, struct json *to)
{
	auto_json struct json *list = json_new(JSON_ARRAY);
	struct layer_facts f;
	size_t n;
	int r;

	for (n = 0; n < i->layer_count; n++) {
		r = load_layer(s, i->layers[n], &f);
		if (r < 0)
			return r;
		if (!json_add(list, NULL, layer_json(i->layers[n], &f)))
			return fail(ENOMEM, "out of memory");
	}
	return json_add(to, "layers", take_ptr(list)) ? 0 : fail(ENOMEM, "out of memory");
}

int imageinfo_describe(struct store *s, const struct image *i, struct json **out)
{
	static const struct digest none;
	auto_json struct json *j = json_new(JSON_OBJECT);
	struct oci_config config = { 0 };
	bool ok;
	int r;

	*out = NULL;
	r = load_config(s, i, &config);
	if (r < 0)
		return r;
	ok = add_digest(j, "id", &i->config_digest) &&
		json_add(j, "reference", json_new_string(i->reference)) &&
		add_digest(j, "digest", &i->manifest) &&
		(digest_equal(&i->index, &none) || add_digest(j, "index", &i->index)) &&
		json_add(j, "os", json_new_string(i->platform.os)) &&
		json_add(j, "architecture", json_new_string(i->platform.arch)) &&
		(!i->platform.variant[0] ||
			json_add(j, "variant", json_new_string(i->platform.variant))) &&
		add_time(j, "created", "created_ns", i->created) &&
		add_time(j, "pulled", "pulled_ns", i->pulled) &&
		json_add(j, "size", json_new_int((int64_t)i->size)) &&
		json_add(j, "config", json_copy(config.tree));
	oci_config_free(&config);
	if (!ok)
		return fail(ENOMEM, "out of memory");
	r = add_layers(s, i, j);
	if (r == 0)
		*out = take_ptr(j);
	return r;
}

/* --- history --- */

void imageinfo_history_free(struct imageinfo_step *steps, size_t count)
{
	size_t n;

	for (n = 0; n < count; n++) {
		free(steps[n].created_by);
		free(steps[n].comment);
	}
	free(steps);
}

/* What the image says of the step J (NULL: nothing); wrong types count as absent. */
static int read_step(const struct json *j, struct imageinfo_step *out, bool *empty)
{
	const char *by = "", *comment = "", *created = NULL;

	*empty = false;
	if (json_get_string(j, "created_by", &by) < 0 ||
		json_get_string(j, "comment", &comment) < 0 ||
		json_get_bool(j, "empty_layer", empty) < 0)
		fail_clear();
	if (json_get_string(j, "created", &created) <= 0 || time_parse(created, &out->created) < 0)
		out->created = 0;
	out->created_by = strdup(by);
	out->comment = strdup(comment);
	return out->created_by && out->comment ? 0 : fail(ENOMEM, "out of memory");
}

/* Steps and layers are two lists: without a step a layer still has its row. */
static int read_steps(struct store *s, const struct image *i, const struct json *step,
	struct imageinfo_step *out, size_t *count)
{
	struct layer_facts f;
	size_t layer = 0;
	bool empty;
	int r;

	while (step || layer < i->layer_count) {
		r = read_step(step, &out[*count], &empty);
		(*count)++;
		if (r == 0 && !empty && layer < i->layer_count) {
			r = load_layer(s, i->layers[layer], &f);
			if (r == 0) {
				strcpy(out[*count - 1].layer, i->layers[layer++]);
				out[*count - 1].size = f.disk_size;
			}
		}
		if (r < 0)
			return r;
		step = step ? step->next : NULL;
	}
	return 0;
}

int imageinfo_history(
	struct store *s, const struct image *i, struct imageinfo_step **out, size_t *count)
{
	struct oci_config config = { 0 };
	const struct json *history = NULL;
	int r;

	*out = NULL;
	*count = 0;
	r = load_config(s, i, &config);
	if (r < 0)
		return r;
	if (json_get_array(config.tree, "history", &history) < 0)
		fail_clear();
	*out = calloc((history ? history->count : 0) + i->layer_count + 1, sizeof(**out));
	r = *out ? read_steps(s, i, history ? history->child : NULL, *out, count)
		 : fail(ENOMEM, "out of memory");
	oci_config_free(&config);
	if (r < 0) {
		imageinfo_history_free(*out, *count);
		*out = NULL;
		*count = 0;
	}
	return r;
}
