/* qps - list containers
 *
 * usage: qps [-alq] [-n N] [--filter=KEY=VALUE]... [--format=TEMPLATE] [--json[=array]]
 *
 * List containers, newest first. Without -a only those that run, or wait to be started again, are
 * shown.
 *
 * Filters: id, name (a part of it), label (KEY or KEY=VALUE), status (running, paused, exited, ...),
 * ancestor (an image) and exited (an exit code). Of several for one thing, one must match, of
 * several labels all; different ones must all match. Those for status and exited look at all
 * containers, as -a does.
 *
 * options:
 *   -a, --all               also list those that do not run
 *   -q, --quiet             print ids only
 *   -l, --latest            only the newest, running or not
 *   -n, --last=N            only the N newest, running or not
 *       --no-trunc          do not cut ids and commands
 *   -f, --filter=KEY=VALUE  list only containers that match (repeatable)
 *       --format=TEMPLATE   print as TEMPLATE says, "table TEMPLATE" with a header; also table, json
 *       --json[=array]      print one JSON object per line, or one array
 *       --store=DIR         the store to use
 *
 * environment:
 *   QBOX_STORE              the store, if --store is not given
 *   QBOX_RUN                where the state of this boot is kept
 *
 * exit status:
 *   0  done
 *   1  the state could not be read
 *   2  wrong usage
 *
 * examples:
 *   qps -a --filter=status=exited
 *   qps --format='{{.Names}}: {{.Status}}'
 *   qps --json | jq -r .name
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "gen/qps.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/table.h"
#include "cli/template.h"
#include "engine/container.h"
#include "engine/image.h"

#define COMMAND_WIDTH 20

enum filter_key {
	FILTER_ID,
	FILTER_NAME,
	FILTER_LABEL,
	FILTER_STATUS,
	FILTER_ANCESTOR,
	FILTER_EXITED
};

static const char *const filter_names[] = {
	[FILTER_ID] = "id",
	[FILTER_NAME] = "name",
	[FILTER_LABEL] = "label",
	[FILTER_STATUS] = "status",
	[FILTER_ANCESTOR] = "ancestor",
	[FILTER_EXITED] = "exited",
};

struct filter {
	enum filter_key key;
	const char *text;
	enum container_state state; /* of status */
	uint64_t code;              /* of exited */
};

struct want {
	const char *store, *format; /* of --format, without "table" and "json" */
	enum table_format output;
	bool all, quiet, whole, table;
	uint64_t last; /* 0: no limit */
	struct filter filters[64];
	size_t filter_count;
};

/* --- options --- */

static int add_filter(struct want *want, const char *text)
{
	struct filter *f = &want->filters[want->filter_count];
	const char *value = strchr(text, '=');

	if (want->filter_count == ARRAY_LEN(want->filters))
		return fail(EINVAL, "more than %zu filters", ARRAY_LEN(want->filters));
	if (!value)
		return fail(EINVAL, "'%s' is not KEY=VALUE", text);
	for (size_t i = 0; i < ARRAY_LEN(filter_names); i++) {
		if (strlen(filter_names[i]) != (size_t)(value - text) ||
			strncmp(filter_names[i], text, (size_t)(value - text)) != 0)
			continue;
		*f = (struct filter){ .key = (enum filter_key)i, .text = value + 1 };
		want->filter_count++;
		want->all |= i == FILTER_STATUS || i == FILTER_EXITED;
		if (i == FILTER_STATUS)
			return state_parse(f->text, &f->state);
		return i == FILTER_EXITED ? num_parse(f->text, 255, &f->code) : 0;
	}
	fail(EINVAL, "unknown filter '%s'", text);
	return fail_hint(-EINVAL, "filters: id, name, label, status, ancestor, exited");
}

static int set_format(struct want *want, const char *format)
{
	auto_buf struct buf header = { 0 };

	want->output = strcmp(format, "json") == 0 ? TABLE_JSON : TABLE_COLUMNS;
	want->format = NULL;
	if (want->output == TABLE_JSON || strcmp(format, "table") == 0)
		return 0;
	want->table = str_starts(format, "table ");
	want->format = want->table ? format + strlen("table ") : format;
	return template_header(&header, want->format);
}

static int set_last(struct want *want, const char *text)
{
	int r = num_parse(text, UINT32_MAX, &want->last);

	want->all = true;
	return r == 0 && want->last == 0 ? fail(EINVAL, "not a number of containers: '0'") : r;
}

static void read_options(struct args *args, struct want *want)
{
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_ALL: want->all = args->on; break;
		case OPT_QUIET: want->quiet = args->on; break;
		case OPT_LATEST: args_check(args, set_last(want, "1")); break;
		case OPT_LAST: args_check(args, set_last(want, args->value)); break;
		case OPT_NO_TRUNC: want->whole = args->on; break;
		case OPT_FILTER: args_check(args, add_filter(want, args->value)); break;
		case OPT_FORMAT: args_check(args, set_format(want, args->value)); break;
		case OPT_JSON:
			args_check(args, table_format_parse(args->value, &want->output));
			want->format = NULL;
			break;
		case OPT_STORE: want->store = args->value; break;
		}
	args_want(args, 0, 0);
}

/* --- filters --- */

/* KEY, or KEY=VALUE. */
static bool has_label(const struct instance *i, const char *want)
{
	size_t len = strlen(want);

	for (char *const *label = i->labels; label && *label; label++)
		if (strncmp(*label, want, len) == 0 &&
			(!(*label)[len] || (!strchr(want, '=') && (*label)[len] == '=')))
			return true;
	return false;
}

/* The reference, the digest, or what begins with it. */
static bool has_ancestor(const struct instance *i, const char *want)
{
	const char *hex = strchr(i->image_digest, ':');
	char text[REF_TEXT];
	struct ref ref;

	if (hex && strlen(want) >= 2 &&
		(str_starts(hex + 1, want) || strcmp(i->image_digest, want) == 0))
		return true;
	if (ref_parse(&ref, want) < 0)
		return false;
	ref_format(text, &ref);
	return strcmp(text, i->image_ref) == 0;
}

static bool matches_one(const struct instance *i, const struct filter *f)
{
	switch (f->key) {
	case FILTER_ID: return str_starts(i->id, f->text);
	case FILTER_NAME: return strstr(i->name, f->text);
	case FILTER_LABEL: return has_label(i, f->text);
	case FILTER_STATUS: return i->state == f->state;
	case FILTER_ANCESTOR: return has_ancestor(i, f->text);
	case FILTER_EXITED:
		return i->state == STATE_STOPPED && i->has_last && i->last.known &&
			(uint64_t)i->last.code == f->code;
	}
	return false;
}

static bool matches(const struct instance *i, const struct want *want)
{
	bool asked[ARRAY_LEN(filter_names)] = { 0 }, found[ARRAY_LEN(filter_names)] = { 0 };

	for (size_t n = 0; n < want->filter_count; n++) {
		const struct filter *f = &want->filters[n];
		bool match = matches_one(i, f);

		if (f->key == FILTER_LABEL && !match)
			return false;
		asked[f->key] = true;
		found[f->key] |= match;
	}
	return memcmp(asked, found, sizeof(asked)) == 0 && (want->all || state_is_live(i->state));
}

/* --- output --- */

static void short_reference(char *out, const char *reference)
{
	struct ref ref;

	if (ref_parse(&ref, reference) == 0) {
		ref_format_short(out, &ref);
		return;
	}
	fail_clear();
	snprintf(out, REF_TEXT, "%s", reference);
}

/* A command is the user's and the image's own words. */
static void print_command(struct table *t, const char *command, bool whole)
{
	auto_buf struct buf text = { 0 };

	str_escape(&text, command, strlen(command));
	if (!whole && text.len > COMMAND_WIDTH) {
		text.len = COMMAND_WIDTH - 3;
		while (text.len && (text.data[text.len] & 0xc0) == 0x80)
			text.len--;
		buf_puts(&text, "...");
	}
	table_string(t, buf_str(&text));
}

static void print_row(
	struct table *t, struct store *s, const struct container *c, const struct want *want)
{
	char id[65], image[REF_TEXT], status[96];

	snprintf(id, sizeof(id), want->whole ? "%s" : "%.12s", c->row->id);
	short_reference(image, c->row->image_ref);
	container_status(s, c, status, sizeof(status));
	table_string(t, id);
	table_string(t, image);
	print_command(t, c->row->command, want->whole);
	table_number(t, c->row->created);
	table_string(t, status);
	table_string(t, "");
	table_string(t, c->row->name);
}

static int print_columns(
	struct store *s, const struct container_list *list, const struct want *want)
{
	static const struct table_column columns[] = {
		{ NULL, "CONTAINER ID", TABLE_STRING },
		{ NULL, "IMAGE", TABLE_STRING },
		{ NULL, "COMMAND", TABLE_STRING },
		{ NULL, "CREATED", TABLE_TIME },
		{ NULL, "STATUS", TABLE_STRING },
		{ NULL, "PORTS", TABLE_STRING },
		{ NULL, "NAMES", TABLE_STRING },
	};
	auto_table struct table t = { 0 };

	table_init(&t, columns, ARRAY_LEN(columns), TABLE_COLUMNS);
	for (size_t n = 0; n < list->count; n++)
		print_row(&t, s, list->items[n], want);
	return table_end(&t);
}

static int print_template(struct template_table *t, const struct json *j, const struct want *want)
{
	auto_buf struct buf line = { 0 };
	int r;

	if (want->table)
		return template_table_row(t, j);
	r = template_fill(&line, want->format, j, !want->whole);
	buf_putc(&line, '\n');
	if (r == 0)
		fwrite(line.data, 1, line.len, stdout);
	return r;
}

static int print_json(const struct json *j, const struct want *want, bool first)
{
	auto_buf struct buf text = { 0 };
	int r;

	json_format(&text, j);
	r = buf_check(&text);
	if (r == 0)
		printf("%s%s%s",
			want->output == TABLE_JSON ? ""
				: first            ? "["
						   : ",",
			buf_str(&text), want->output == TABLE_JSON ? "\n" : "");
	return r;
}

/* Everything that is made from the facts as an object. */
static int print_objects(
	struct store *s, const struct container_list *list, const struct want *want)
{
	struct template_table t = { 0 };
	int r = want->table && want->format ? template_table_begin(&t, want->format, !want->whole)
					    : 0;

	for (size_t n = 0; r == 0 && n < list->count; n++) {
		auto_json struct json *j = NULL;

		r = container_describe(s, list->items[n], &j);
		if (r == 0)
			r = want->format ? print_template(&t, j, want)
					 : print_json(j, want, n == 0);
	}
	if (r == 0 && !want->format && want->output == TABLE_ARRAY)
		printf("%s]\n", list->count ? "" : "[");
	if (want->table && want->format) {
		int end = template_table_end(&t, r == 0);

		r = r < 0 ? r : end;
	}
	return r;
}

static void keep_wanted(struct container_list *list, const struct want *want)
{
	size_t n, kept = 0;

	for (n = 0; n < list->count; n++)
		if (matches(list->items[n]->row, want) && (!want->last || kept < want->last))
			list->items[kept++] = list->items[n];
		else
			container_free(list->items[n]);
	list->count = kept;
}

int qps_main(struct args *args)
{
	auto_container_list struct container_list list = { 0 };
	struct want want = { 0 };
	struct store *s;
	int r;

	read_options(args, &want);
	r = store_open(&s, want.store, STORE_RUN);
	if (r < 0)
		return r;
	r = container_list(s, &list);
	if (r == 0)
		keep_wanted(&list, &want);
	if (r == 0 && want.quiet)
		for (size_t n = 0; n < list.count; n++)
			printf(want.whole ? "%s\n" : "%.12s\n", list.items[n]->row->id);
	else if (r == 0)
		r = want.format || want.output != TABLE_COLUMNS ? print_objects(s, &list, &want)
								: print_columns(s, &list, &want);
	store_close(s);
	return r;
}
