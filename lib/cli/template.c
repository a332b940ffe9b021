/* SPDX-License-Identifier: MIT */
/* template - the few forms of --format that scripts use */
#include "cli/template.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "cli/table.h"

/* docker's names of what has another with us. */
static const struct {
	const char *name, *member;
} names[] = {
	{ "Command", "command" },
	{ "Config.Cmd", "command" },
	{ "Config.Image", "image" },
	{ "Config.Labels", "labels" },
	{ "Created", "created" },
	{ "CreatedAt", "created" },
	{ "Digest", "digest" },
	{ "ID", "id" },
	{ "Id", "id" },
	{ "Image", "image" },
	{ "ImageID", "image_digest" },
	{ "Labels", "labels" },
	{ "Name", "name" },
	{ "Names", "name" },
	{ "Ports", "ports" },
	{ "Repository", "repository" },
	{ "RestartCount", "restarts" },
	{ "Size", "size" },
	{ "State", "state" },
	{ "State.Error", "error" },
	{ "State.ExitCode", "exit_code" },
	{ "State.FinishedAt", "finished" },
	{ "State.OOMKilled", "oom_killed" },
	{ "State.Pid", "pid" },
	{ "State.Running", "running" },
	{ "State.StartedAt", "started" },
	{ "State.Status", "state" },
	{ "Status", "status" },
	{ "Tag", "tag" },
};

/* One {{...}}. */
struct action {
	char path[64]; /* without the first dot; "" is the whole object */
	char key[128]; /* of index */
	bool json, index;
};

static const char *skip(const char *s)
{
	return s + strspn(s, " \t");
}

/* .PATH at S; returns what follows, NULL if it is none. */
static const char *read_path(const char *s, struct action *a)
{
	size_t len;

	if (*s++ != '.')
		return NULL;
	len = strcspn(s, " \t}");
	if (len >= sizeof(a->path))
		return NULL;
	memcpy(a->path, s, len);
	a->path[len] = '\0';
	return s + len;
}

static const char *read_key(const char *s, struct action *a)
{
	const char *end = *s == '"' ? strchr(s + 1, '"') : NULL;

	if (!end || (size_t)(end - s) > sizeof(a->key))
		return NULL;
	memcpy(a->key, s + 1, (size_t)(end - s - 1));
	a->key[end - s - 1] = '\0';
	return end + 1;
}

/* The action at S, behind "{{"; *REST is behind "}}". */
static int read_action(const char *s, struct action *a, const char **rest)
{
	const char *at = skip(s);

	*a = (struct action){ 0 };
	if (strncmp(at, "json ", 5) == 0) {
		a->json = true;
		at = read_path(skip(at + 5), a);
	} else if (strncmp(at, "index ", 6) == 0) {
		a->index = true;
		at = read_path(skip(at + 6), a);
		at = at ? read_key(skip(at), a) : NULL;
	} else {
		at = read_path(at, a);
	}
	at = at ? skip(at) : NULL;
	if (at && strncmp(at, "}}", 2) == 0 && (a->json || *a->path)) {
		*rest = at + 2;
		return 0;
	}
	fail(EINVAL, "cannot read '{{%.40s' of the format", s);
	return fail_hint(-EINVAL, "forms: {{.Names}}, {{json .}}, {{index .Labels \"key\"}}");
}

static const char *member_name(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, path) == 0)
			return names[i].member;
	return path;
}

/* The member that PATH leads to, through objects; NULL if there is none. */
static const struct json *walk(const struct json *j, const char *path)
{
	char part[sizeof(((struct action *)0)->path)];
	size_t len;

	while (j && *path) {
		len = strcspn(path, ".");
		memcpy(part, path, len);
		part[len] = '\0';
		j = json_get(j, part);
		path += len + (path[len] == '.');
	}
	return j;
}

/* As people want to read it: lists with commas, labels as KEY=VALUE. */
static void put_value(struct buf *out, const struct json *j)
{
	const struct json *item;

	switch (j->type) {
	case JSON_NULL: break;
	case JSON_STRING: buf_puts(out, j->string); break;
	case JSON_INT: buf_printf(out, "%" PRId64, j->integer); break;
	case JSON_BOOL:
	case JSON_REAL: json_format(out, j); break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		for (item = j->child; item; item = item->next) {
			buf_puts(out, item == j->child ? "" : ",");
			if (item->key)
				buf_printf(out, "%s=", item->key);
			if (item->type == JSON_ARRAY || item->type == JSON_OBJECT)
				json_format(out, item);
			else
				put_value(out, item);
		}
		break;
	}
}

static int unknown(const struct action *a, const struct json *j)
{
	auto_buf struct buf known = { 0 };

	for (const struct json *m = j->child; m; m = m->next)
		buf_printf(&known, "%s.%s", m == j->child ? "" : " ", m->key);
	fail(EINVAL, "unknown member '.%s' in the format", a->path);
	return fail_hint(-EINVAL, "known: %s", buf_str(&known));
}

static int put_action(struct buf *out, const struct action *a, const struct json *j, bool short_ids)
{
	const char *member = member_name(a->path);
	const struct json *value = walk(j, member);

	if (!value)
		return unknown(a, j);
	if (a->index)
		value = json_get(value, a->key);
	if (a->json)
		json_format(out, value);
	else if (value && short_ids && strcmp(member, "id") == 0)
		buf_printf(out, "%.12s", value->type == JSON_STRING ? value->string : "");
	else if (value)
		put_value(out, value);
	return 0;
}

/* "{{.State.Status}}" is the column STATUS. */
static void put_heading(struct buf *out, const struct action *a)
{
	const char *word = strrchr(a->path, '.');

	if (a->index)
		word = a->key;
	else
		word = word ? word + 1 : a->path;
	for (; *word; word++)
		buf_putc(out, *word >= 'a' && *word <= 'z' ? (char)(*word - 'a' + 'A') : *word);
}

/* J NULL: the header. */
static int fill(struct buf *out, const char *s, const struct json *j, bool short_ids)
{
	struct action a;
	int r;

	while (*s) {
		if (strncmp(s, "{{", 2) == 0) {
			r = read_action(s + 2, &a, &s);
			if (r == 0 && j)
				r = put_action(out, &a, j, short_ids);
			if (r < 0)
				return r;
			if (!j)
				put_heading(out, &a);
		} else if (s[0] == '\\' && (s[1] == 't' || s[1] == 'n')) {
			buf_putc(out, s[1] == 't' ? '\t' : '\n');
			s += 2;
		} else {
			buf_putc(out, *s++);
		}
	}
	return buf_check(out);
}

int template_fill(struct buf *out, const char *format, const struct json *j, bool short_ids)
{
	return fill(out, format, j, short_ids);
}

int template_header(struct buf *out, const char *format)
{
	return fill(out, format, NULL, false);
}

/* --- table --- */

int template_table_begin(struct template_table *t, const char *format, bool short_ids)
{
	int r;

	*t = (struct template_table){ .format = format, .columns = 1, .short_ids = short_ids };
	r = template_header(&t->lines, format);
	for (const char *s = buf_str(&t->lines); r == 0 && (s = strchr(s, '\t')); s++)
		t->columns++;
	buf_putc(&t->lines, '\0');
	return r;
}

int template_table_row(struct template_table *t, const struct json *j)
{
	int r = template_fill(&t->lines, t->format, j, t->short_ids);

	buf_putc(&t->lines, '\0');
	return r;
}

/* The cell at *S, which is cut off; *S moves behind it. A value with a tab in it must not shift the rest. */
static char *next_cell(char **s, bool last)
{
	char *cell = *s, *tab = last ? NULL : strchr(cell, '\t');

	if (tab)
		*tab = '\0';
	*s = tab ? tab + 1 : cell + strlen(cell);
	return cell;
}

static int print_table(struct template_table *t, struct table_column *columns)
{
	auto_table struct table table = { 0 };
	char *s = t->lines.data, *end = s + t->lines.len, *line;
	size_t n;

	for (n = 0, line = s, s += strlen(s) + 1; n < t->columns; n++)
		columns[n] =
			(struct table_column){ .header = next_cell(&line, n + 1 == t->columns) };
	table_init(&table, columns, t->columns, TABLE_COLUMNS);
	while (s < end) {
		line = s;
		s += strlen(s) + 1;
		for (n = 0; n < t->columns; n++)
			table_string(&table, next_cell(&line, n + 1 == t->columns));
	}
	return table_end(&table);
}

int template_table_end(struct template_table *t, bool print)
{
	struct table_column *columns = calloc(t->columns, sizeof(*columns));
	int r = buf_check(&t->lines);

	if (r == 0 && print)
		r = columns ? print_table(t, columns) : fail(ENOMEM, "out of memory");
	free(columns);
	buf_free(&t->lines);
	return r;
}
