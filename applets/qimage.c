/* qimage - list, inspect, tag and remove images
 *
 * usage: qimage ls [-q] [--digests] [--no-trunc] [--json] [NAME]
 *        qimage inspect [--json=array] NAME...
 *        qimage history [--no-trunc] [--json] NAME
 *        qimage tag NAME REFERENCE
 *        qimage rm [-fq] [--json] NAME...
 *
 * A NAME is a reference (alpine, host/repository:tag, repository@digest), an image id or two or
 * more of its first digits, or a digest.
 *
 * commands:
 *   ls [NAME]           list images, newest first
 *   inspect NAME...     print all facts as JSON
 *   history NAME        show how an image was made, newest step first
 *   tag NAME REFERENCE  give an image one more reference
 *   rm NAME...          remove references, and what no other image needs
 *
 * options:
 *       --store=DIR     the store to use
 *       --json[=array]  print one JSON object per line, or one array
 *
 * options ls:
 *   -q, --quiet         print ids only
 *       --digests       show the digests of the manifests
 *       --no-trunc      do not cut ids
 *
 * options history:
 *       --no-trunc      do not cut commands and ids
 *
 * options rm:
 *   -f, --force         remove all references of an id; a missing image is no error
 *   -q, --quiet         do not say what was removed
 *
 * environment:
 *   QBOX_STORE          the store, if --store is not given
 *
 * exit status:
 *   0  done
 *   1  failed, or no such image
 *   2  wrong usage
 *   75 in use: try again later
 *
 * examples:
 *   qimage ls
 *   qimage rm alpine:3.20 debian
 *   qimage inspect alpine | jq .config
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "applet.h"
#include "gen/qimage.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/table.h"
#include "engine/image.h"
#include "engine/imagegc.h"
#include "engine/imageinfo.h"

/* What the user wants; one command uses only some. */
struct want {
	const char *store;
	enum table_format format;
	bool quiet, digests, whole, force;
};

static void shared_option(struct want *want, enum opt opt, struct args *args)
{
	switch (opt) {
	case OPT_STORE: want->store = args->value; break;
	case OPT_JSON: args_check(args, table_format_parse(args->value, &want->format)); break;
	}
}

/* --- ls --- */

/* Newest first, as people look for what they just brought in. */
static int by_age(const void *a, const void *b)
{
	const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return strcmp(x->reference, y->reference);
}

/* Reference in two parts: what people call it, and its tag. */
static void split_reference(const char *reference, char repository[REF_TEXT], char tag[REF_TEXT])
{
	struct ref ref;

	snprintf(repository, REF_TEXT, "%s", reference);
	strcpy(tag, "<none>");
	if (ref_parse(&ref, reference) < 0)
		return;
	if (ref.tag[0])
		strcpy(tag, ref.tag);
	ref.tag[0] = '\0';
	ref.has_digest = true; /* else the short form would say "latest" */
	memset(&ref.digest, 0, sizeof(ref.digest));
	ref_format_short(repository, &ref);
	if (strchr(repository, '@'))
		*strchr(repository, '@') = '\0';
}

/* Does NAME, if any, mean I: its id, its reference, or (without a tag) its repository? */
static bool is_wanted(const struct image *i, const char *name)
{
	char repository[REF_TEXT], tag[REF_TEXT], text[REF_TEXT];
	struct ref ref;

	if (!name || image_matches(i, name))
		return true;
	split_reference(i->reference, repository, tag);
	if (strcmp(repository, name) == 0)
		return true;
	if (ref_parse(&ref, name) < 0)
		return false;
	ref_format(text, &ref);
	return strcmp(text, i->reference) == 0;
}

static void print_ids(const struct image_list *list, const struct want *want, const char *name)
{
	char id[DIGEST_TEXT], last[DIGEST_TEXT] = "";
	size_t n;

	for (n = 0; n < list->count; n++) {
		if (!is_wanted(list->items[n], name))
			continue;
		image_id(id, list->items[n]);
		if (strcmp(id, last) != 0)
			printf(want->whole ? "sha256:%s\n" : "%.12s\n", id);
		strcpy(last, id);
	}
}

static void print_image(struct table *t, const struct image *i, const struct want *want)
{
	char repository[REF_TEXT], tag[REF_TEXT], id[DIGEST_TEXT], full[DIGEST_TEXT],
		digest[DIGEST_TEXT], platform[100];

	split_reference(i->reference, repository, tag);
	digest_format(full, &i->config_digest);
	digest_format(digest, &i->manifest);
	oci_platform_format(platform, &i->platform);
	image_id(id, i);
	id[want->whole ? sizeof(id) - 1 : 12] = '\0';
	table_string(t, repository);
	table_string(t, tag);
	if (want->digests)
		table_string(t, digest);
	table_string(t, want->format == TABLE_COLUMNS && !want->whole ? id : full);
	table_number(t, i->created);
	table_number(t, (int64_t)i->size);
	table_string(t, i->reference);
	if (!want->digests)
		table_string(t, digest);
	table_string(t, platform);
	table_number(t, i->pulled);
}

static int print_list(const struct image_list *list, const struct want *want, const char *name)
{
	static const struct table_column plain[] = {
		{ "repository", "REPOSITORY", TABLE_STRING },
		{ "tag", "TAG", TABLE_STRING },
		{ "id", "IMAGE ID", TABLE_STRING },
		{ "created", "CREATED", TABLE_TIME },
		{ "size", "SIZE", TABLE_SIZE },
		{ "reference", NULL, TABLE_STRING },
		{ "digest", NULL, TABLE_STRING },
		{ "platform", NULL, TABLE_STRING },
		{ "pulled", NULL, TABLE_TIME },
	};
	static const struct table_column digests[] = {
		{ "repository", "REPOSITORY", TABLE_STRING },
		{ "tag", "TAG", TABLE_STRING },
		{ "digest", "DIGEST", TABLE_STRING },
		{ "id", "IMAGE ID", TABLE_STRING },
		{ "created", "CREATED", TABLE_TIME },
		{ "size", "SIZE", TABLE_SIZE },
		{ "reference", NULL, TABLE_STRING },
		{ "platform", NULL, TABLE_STRING },
		{ "pulled", NULL, TABLE_TIME },
	};
	auto_table struct table t = { 0 };
	size_t n;

	table_init(&t, want->digests ? digests : plain,
		want->digests ? ARRAY_LEN(digests) : ARRAY_LEN(plain), want->format);
	for (n = 0; n < list->count; n++)
		if (is_wanted(list->items[n], name))
			print_image(&t, list->items[n], want);
	return table_end(&t);
}

/* Keep what can be run and say what cannot. */
static void drop_incomplete(struct store *s, struct image_list *list)
{
	size_t n, kept = 0;

	if (list->damaged)
		warn("%s", fail_text());
	for (n = 0; n < list->count; n++) {
		if (image_check(s, list->items[n]) == 0) {
			list->items[kept++] = list->items[n];
			continue;
		}
		die_print();
		image_free(list->items[n]);
	}
	list->count = kept;
}

static int cmd_ls(struct args *args)
{
	auto_image_list struct image_list list = { 0 };
	struct want want = { 0 };
	struct store *s;
	int opt, r;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_ls)opt) {
			case OPT_LS_QUIET: want.quiet = args->on; break;
			case OPT_LS_DIGESTS: want.digests = args->on; break;
			case OPT_LS_NO_TRUNC: want.whole = args->on; break;
			}
	args_want(args, 0, 1);
	r = store_open(&s, want.store, STORE_READ);
	if (r == 0)
		r = image_list(s, &list);
	else if (r == -ENOENT || r == -ENODATA)
		r = 0; /* no store, no images */
	if (r == 0 && s)
		drop_incomplete(s, &list);
	store_close(s);
	if (r < 0)
		return r;
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), by_age);
	if (want.quiet)
		print_ids(&list, &want, args->operands[0]);
	else
		r = print_list(&list, &want, args->operands[0]);
	return r;
}

/* --- inspect --- */

static int print_facts(struct store *s, const char *name, const char *before)
{
	auto_image struct image *i = NULL;
	auto_json struct json *facts = NULL;
	auto_buf struct buf text = { 0 };
	int r;

	r = image_find(s, name, &i);
	if (r == 0)
		r = imageinfo_describe(s, i, &facts);
	if (r < 0)
		return r;
	json_format(&text, facts);
	r = buf_check(&text);
	if (r == 0)
		printf("%s%s%s", before, buf_str(&text), *before ? "" : "\n");
	return r;
}

static int cmd_inspect(struct args *args)
{
	struct want want = { 0 };
	int opt, r, status = 0;
	struct store *s;
	size_t n, printed = 0;
	bool array;

	while ((opt = args_next(args)) != OPT_END)
		shared_option(&want, (enum opt)opt, args);
	args_want(args, 1, SIZE_MAX);
	r = store_open(&s, want.store, STORE_READ);
	if (r < 0)
		return r;
	array = want.format == TABLE_ARRAY;
	for (n = 0; n < args->count; n++) {
		r = print_facts(s, args->operands[n], !array ? "" : printed ? "," : "[");
		if (r < 0) {
			die_print();
			status = EXIT_FAILURE;
		} else {
			printed++;
		}
	}
	if (array)
		printf("%s]\n", printed ? "" : "[");
	store_close(s);
	return status;
}

/* --- history --- */

/* One line of an image's own words: cut for people, and never with control characters for them. */
static void print_words(struct table *t, const char *s, const struct want *want)
{
	auto_buf struct buf text = { 0 };

	if (want->format != TABLE_COLUMNS) {
		table_string(t, s);
		return;
	}
	str_escape(&text, s, strlen(s));
	if (!want->whole && text.len > 45) {
		text.data[42] = '\0';
		text.len = 42;
		buf_puts(&text, "...");
	}
	table_string(t, buf_str(&text));
}

static int print_history(const struct image *i, const struct imageinfo_step *steps, size_t count,
	const struct want *want)
{
	static const struct table_column columns[] = {
		{ NULL, "IMAGE", TABLE_STRING },
		{ "created", "CREATED", TABLE_TIME },
		{ "created_by", "CREATED BY", TABLE_STRING },
		{ "size", "SIZE", TABLE_SIZE },
		{ "comment", "COMMENT", TABLE_STRING },
		{ "layer", NULL, TABLE_STRING },
	};
	auto_table struct table t = { 0 };
	char id[DIGEST_TEXT];
	size_t n;

	image_id(id, i);
	id[want->whole ? sizeof(id) - 1 : 12] = '\0';
	table_init(&t, columns, ARRAY_LEN(columns), want->format);
	for (n = count; n-- > 0;) {
		table_string(&t, n == count - 1 ? id : "<missing>");
		table_number(&t, steps[n].created);
		print_words(&t, steps[n].created_by, want);
		table_number(&t, (int64_t)steps[n].size);
		print_words(&t, steps[n].comment, want);
		table_string(&t, steps[n].layer);
	}
	return table_end(&t);
}

static int cmd_history(struct args *args)
{
	auto_image struct image *i = NULL;
	struct imageinfo_step *steps = NULL;
	struct want want = { 0 };
	struct store *s;
	size_t count = 0;
	int opt, r;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_history)opt) {
			case OPT_HISTORY_NO_TRUNC: want.whole = args->on; break;
			}
	args_want(args, 1, 1);
	r = store_open(&s, want.store, STORE_READ);
	if (r == 0)
		r = image_find(s, args->operands[0], &i);
	if (r == 0)
		r = imageinfo_history(s, i, &steps, &count);
	if (r == 0)
		r = print_history(i, steps, count, &want);
	imageinfo_history_free(steps, count);
	store_close(s);
	return r;
}

/* --- tag --- */

static int cmd_tag(struct args *args)
{
	struct want want = { 0 };
	struct store *s;
	struct ref ref;
	int opt, r;

	while ((opt = args_next(args)) != OPT_END)
		shared_option(&want, (enum opt)opt, args);
	args_want(args, 2, 2);
	r = ref_parse(&ref, args->operands[1]);
	if (r == 0 && ref.has_digest)
		r = fail(EINVAL, "'%s': a tag cannot name a digest", args->operands[1]);
	args_check(args, r);
	r = store_open(&s, want.store, STORE_WRITE);
	if (r < 0)
		return r;
	r = image_tag(s, args->operands[0], &ref);
	store_close(s);
	return r;
}

/* --- rm --- */

static void say(void *ctx, const char *verb, const char *object)
{
	struct table *t = ctx;

	if (t->format != TABLE_COLUMNS) {
		table_string(t, verb);
		table_string(t, object);
	} else {
		printf("%c%s: %s\n", verb[0] & ~0x20, verb + 1, object);
	}
}

static int remove_all(struct store *s, struct args *args, const struct want *want)
{
	static const struct table_column columns[] = {
		{ "action", NULL, TABLE_STRING },
		{ "object", NULL, TABLE_STRING },
	};
	auto_table struct table t = { 0 };
	struct imagegc gc = { .say = want->quiet ? NULL : say, .ctx = &t };
	int r, status = 0;
	size_t n;

	table_init(
		&t, columns, want->format == TABLE_COLUMNS ? 0 : ARRAY_LEN(columns), want->format);
	for (n = 0; n < args->count; n++) {
		r = imagegc_remove(s, args->operands[n], want->force, &gc);
		if (r == 0 || (r == -ENOENT && want->force))
			continue;
		die_print();
		if (status != EXIT_FAILURE)
			status = die_status(r);
	}
	r = want->format == TABLE_COLUMNS ? 0 : table_end(&t);
	return r < 0 ? r : status;
}

static int cmd_rm(struct args *args)
{
	struct want want = { 0 };
	struct store *s;
	int opt, r;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_rm)opt) {
			case OPT_RM_FORCE: want.force = args->on; break;
			case OPT_RM_QUIET: want.quiet = args->on; break;
			}
	args_want(args, 1, SIZE_MAX);
	r = store_open(&s, want.store, STORE_WRITE);
	if (r < 0)
		return r;
	r = remove_all(s, args, &want);
	store_close(s);
	return r;
}

int qimage_main(struct args *args)
{
	return commands[args_command(args)](args);
}
