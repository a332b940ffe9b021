/* SPDX-License-Identifier: MIT */
/* layer - notes of the unpacker and the facts of a layer as text */
#include "service/layer.h"

#include <string.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "kernel/fd.h"
#include "kernel/file.h"

#define PATH_LEN_MAX 4096
#define FACTS_MAX    (1u << 20)

static const char *const kind_word[] = {
	[LAYER_NOTE_OPAQUE] = "opaque",
	[LAYER_NOTE_IMPLIED] = "implied",
	[LAYER_NOTE_LINK] = "link",
	[LAYER_NOTE_SKIPPED] = "skipped",
	[LAYER_NOTE_DONE] = "done",
};

bool layer_keeps_xattr(const char *name)
{
	return strcmp(name, "security.capability") == 0 ||
		(str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

/* --- notes --- */

static struct json *hex_of(const char *s)
{
	size_t len = strlen(s);
	auto_free char *hex = malloc(2 * len + 1);

	if (!hex)
		return NULL;
	str_hex(hex, s, len);
	return json_new_string(hex);
}

static struct json *digest_json(const struct digest *d)
{
	char text[DIGEST_TEXT];

	digest_format(text, d);
	return json_new_string(text);
}

static bool add_done(struct json *j, const struct layer_note *n)
{
	return json_add(j, "diff_id", digest_json(&n->diff_id)) &&
		json_add(j, "blob", digest_json(&n->blob)) &&
		json_add(j, "entries", json_new_int((int64_t)n->entries)) &&
		json_add(j, "tar_size", json_new_int((int64_t)n->tar_size)) &&
		json_add(j, "disk_size", json_new_int((int64_t)n->disk_size)) &&
		json_add(j, "blob_size", json_new_int((int64_t)n->blob_size)) &&
		json_add(j, "gzip", json_new_bool(n->gzip));
}

void layer_note_format(
	struct buf *out, enum layer_note_kind kind, const char *path, const char *target)
{
	auto_json struct json *j = json_new(JSON_OBJECT);

	if (!json_add(j, "note", json_new_string(kind_word[kind])) ||
		!json_add(j, "path", hex_of(path)) ||
		(target && !json_add(j, "target", hex_of(target)))) {
		out->failed = true;
		return;
	}
	json_format(out, j);
	buf_putc(out, '\n');
}

void layer_note_format_done(struct buf *out, const struct layer_note *n)
{
	auto_json struct json *j = json_new(JSON_OBJECT);

	if (!json_add(j, "note", json_new_string(kind_word[LAYER_NOTE_DONE])) || !add_done(j, n)) {
		out->failed = true;
		return;
	}
	json_format(out, j);
	buf_putc(out, '\n');
}

/* Member KEY, a path in hex; it may hold any byte but NUL. */
static int get_path(const struct json *j, const char *key, char **out)
{
	const char *hex = NULL;
	auto_free char *path = NULL;
	size_t len;
	int r = json_get_string(j, key, &hex);

	if (r < 0)
		return r;
	len = r ? strlen(hex) / 2 : 0;
	if (r == 0 || len > PATH_LEN_MAX)
		return fail(EBADMSG, "note without a good '%s'", key);
	path = calloc(1, len + 1);
	if (!path)
		return fail(ENOMEM, "out of memory");
	r = str_unhex(path, len, hex);
	if (r < 0 || strlen(path) != len)
		return fail(EBADMSG, "note without a good '%s'", key);
	*out = take_ptr(path);
	return 0;
}

static int get_digest(const struct json *j, const char *key, struct digest *out)
{
	const char *text;
	int r = json_get_string(j, key, &text);

	if (r <= 0)
		return r < 0 ? r : fail(EBADMSG, "'%s' is missing", key);
	return digest_parse(out, text);
}

static int get_count(const struct json *j, const char *key, uint64_t *out)
{
	int64_t n;
	int r = json_get_int(j, key, &n);

	if (r < 0)
		return r;
	if (r == 0 || n < 0)
		return fail(EBADMSG, "'%s' is missing or negative", key);
	*out = (uint64_t)n;
	return 0;
}

static int parse_done(struct layer_note *n, const struct json *j)
{
	int r = get_digest(j, "diff_id", &n->diff_id);

	if (r == 0)
		r = get_digest(j, "blob", &n->blob);
	if (r == 0)
		r = get_count(j, "entries", &n->entries);
	if (r == 0)
		r = get_count(j, "tar_size", &n->tar_size);
	if (r == 0)
		r = get_count(j, "disk_size", &n->disk_size);
	if (r == 0)
		r = get_count(j, "blob_size", &n->blob_size);
	if (r == 0)
		r = json_get_bool(j, "gzip", &n->gzip);
	return r < 0 ? r : 0;
}

static int parse_note(struct layer_note *n, const struct json *j)
{
	const char *word;
	size_t kind;
	int r = json_get_string(j, "note", &word);

	if (r <= 0)
		return r < 0 ? r : fail(EBADMSG, "a note without a kind");
	for (kind = 0; kind < ARRAY_LEN(kind_word); kind++)
		if (strcmp(word, kind_word[kind]) == 0)
			break;
	if (kind == ARRAY_LEN(kind_word))
		return fail(EBADMSG, "a note of unknown kind");
	n->kind = (enum layer_note_kind)kind;
	if (n->kind == LAYER_NOTE_DONE)
		return parse_done(n, j);
	r = get_path(j, "path", &n->path);
	if (r == 0 && (n->kind == LAYER_NOTE_LINK || n->kind == LAYER_NOTE_SKIPPED))
		r = get_path(j, "target", &n->target);
	return r;
}

int layer_note_parse(struct layer_note *out, const char *line, size_t len)
{
	auto_json struct json *j = NULL;
	struct layer_note n = { 0 };
	int r;

	*out = n;
	r = json_parse(line, len, &j);
	if (r == 0)
		r = parse_note(&n, j);
	if (r < 0) {
		layer_note_free(&n);
		return r == -ENOMEM ? r : fail_wrap(-EBADMSG, "note of the unpacker");
	}
	*out = n;
	return 0;
}

void layer_note_free(struct layer_note *n)
{
	free(n->path);
	free(n->target);
	n->path = n->target = NULL;
}

/* --- facts --- */

int layer_facts_save(int tmp, int dir, const struct layer_facts *f)
{
	auto_json struct json *j = json_new(JSON_OBJECT);
	auto_buf struct buf text = { 0 };
	int r;

	if (!json_add(j, "v", json_new_int(1)) ||
		!json_add(j, "diff_id", digest_json(&f->diff_id)) ||
		!json_add(j, "tar_size", json_new_int((int64_t)f->tar_size)) ||
		!json_add(j, "disk_size", json_new_int((int64_t)f->disk_size)) ||
		!json_add(j, "entries", json_new_int((int64_t)f->entries)) ||
		!json_add(j, "added", json_new_int(f->added)) ||
		(f->chain_bound && !json_add(j, "chain", digest_json(&f->chain))) ||
		(f->has_encoding &&
			(!json_add(j, "encoding", digest_json(&f->encoding)) ||
				!json_add(j, "encoding_size",
					json_new_int((int64_t)f->encoding_size)) ||
				!json_add(j, "encoding_type", json_new_string(f->encoding_type)))))
		return fail(ENOMEM, "out of memory");
	json_format(&text, j);
	buf_putc(&text, '\n');
	r = buf_check(&text);
	return r < 0 ? r : file_replace(tmp, dir, "layer.json", text.data, text.len);
}

static int parse_encoding(struct layer_facts *f, const struct json *j)
{
	const char *type = "";
	int r = get_digest(j, "encoding", &f->encoding);

	if (r == 0)
		r = get_count(j, "encoding_size", &f->encoding_size);
	if (r == 0)
		r = json_get_string(j, "encoding_type", &type);
	if (r < 0)
		return r;
	f->has_encoding = true;
	return str_copy(f->encoding_type, sizeof(f->encoding_type), type);
}

static int parse_facts(struct layer_facts *f, const struct json *j)
{
	int64_t version = 0;
	int r = json_get_int(j, "v", &version);

	if (r < 0)
		return r;
	if (version != 1)
		return fail(EBADMSG, "not of version 1");
	r = get_digest(j, "diff_id", &f->diff_id);
	if (r == 0)
		r = get_count(j, "tar_size", &f->tar_size);
	if (r == 0)
		r = get_count(j, "disk_size", &f->disk_size);
	if (r == 0)
		r = get_count(j, "entries", &f->entries);
	if (r == 0)
		r = json_get_int(j, "added", &f->added);
	if (r < 0)
		return r;
	f->chain_bound = json_get(j, "chain") != NULL;
	if (f->chain_bound) {
		r = get_digest(j, "chain", &f->chain);
		if (r < 0)
			return r;
	}
	return json_get(j, "encoding") ? parse_encoding(f, j) : 0;
}

int layer_facts_load(int dir, struct layer_facts *out)
{
	auto_json struct json *j = NULL;
	auto_buf struct buf text = { 0 };
	struct layer_facts f = { 0 };
	int r;

	*out = f;
	r = fd_read_file(dir, "layer.json", &text, FACTS_MAX);
	if (r < 0)
		return r;
	r = json_parse(buf_str(&text), text.len, &j);
	if (r == 0)
		r = parse_facts(&f, j);
	if (r < 0)
		return r == -ENOMEM ? r : fail_wrap(-EBADMSG, "layer.json");
	*out = f;
	return 0;
}
