/* SPDX-License-Identifier: MIT */
/* table - rows as columns for people or as JSON for programs */
#include "cli/table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "base/time.h"

#define GAP 2 /* blanks between columns */

void table_init(
	struct table *t, const struct table_column *columns, size_t count, enum table_format format)
{
	*t = (struct table){
		.columns = columns,
		.count = count,
		.format = format,
		.out = stdout,
		.escape = isatty(STDOUT_FILENO),
		.now = time_now(),
	};
}

int table_format_parse(const char *value, enum table_format *out)
{
	if (value && strcmp(value, "array") != 0)
		return fail(EINVAL, "unknown form of JSON '%s'", value);
	*out = value ? TABLE_ARRAY : TABLE_JSON;
	return 0;
}

/* Begin a member of the current row's object: "FIELD SUFFIX":. */
static void begin_member(struct table *t, const char *suffix)
{
	buf_putc(&t->line, t->line.len ? ',' : '{');
	buf_printf(&t->line, "\"%s%s\":", t->columns[t->next].field, suffix);
}

static void end_cell(struct table *t)
{
	if (++t->next < t->count)
		return;
	t->next = 0;
	t->rows++;
	if (t->format == TABLE_COLUMNS)
		return;
	if (!t->line.len)
		buf_putc(&t->line, '{');
	buf_putc(&t->line, '}');
	if (t->line.failed)
		return;
	if (t->format == TABLE_ARRAY)
		putc(t->rows == 1 ? '[' : ',', t->out);
	fwrite(buf_str(&t->line), 1, t->line.len, t->out);
	if (t->format == TABLE_JSON)
		putc('\n', t->out);
	buf_clear(&t->line);
}

static void add_text(struct table *t, const char *s)
{
	if (!t->columns[t->next].header)
		return;
	if (t->escape)
		str_escape(&t->text, s, strlen(s));
	else
		buf_puts(&t->text, s);
	buf_putc(&t->text, '\0');
}

void table_string(struct table *t, const char *s)
{
	const struct table_column *c = &t->columns[t->next];

	if (!s)
		s = "";
	if (t->format == TABLE_COLUMNS) {
		add_text(t, s);
	} else if (c->field) {
		begin_member(t, "");
		if (c->type == TABLE_RAW)
			buf_puts(&t->line, s);
		else
			json_quote(&t->line, s);
	}
	end_cell(t);
}

/* How people read N in a column of this type. */
static void format_number(const struct table *t, int64_t n, char *out, size_t size)
{
	char span[40];

	switch (t->columns[t->next].type) {
	case TABLE_SIZE: num_format_size(out, size, n < 0 ? 0 : (uint64_t)n); break;
	case TABLE_TIME:
		time_format_ago(span, sizeof(span), t->now > n ? t->now - n : 0);
		snprintf(out, size, n ? "%s ago" : "", span);
		break;
	case TABLE_BOOL: snprintf(out, size, "%s", n ? "yes" : "no"); break;
	case TABLE_INT:
	case TABLE_STRING:
	case TABLE_RAW: snprintf(out, size, "%" PRId64, n); break;
	}
}

void table_number(struct table *t, int64_t n)
{
	const struct table_column *c = &t->columns[t->next];
	bool time = c->type == TABLE_TIME;
	char text[64];

	if (t->format == TABLE_COLUMNS) {
		format_number(t, n, text, sizeof(text));
		add_text(t, text);
	} else if (c->field && time && n) {
		time_format(text, sizeof(text), n);
		begin_member(t, "");
		json_quote(&t->line, text);
		begin_member(t, "_ns");
		buf_printf(&t->line, "%" PRId64, n);
	} else if (c->field && !time) {
		begin_member(t, "");
		if (c->type == TABLE_BOOL)
			buf_puts(&t->line, n ? "true" : "false");
		else
			buf_printf(&t->line, "%" PRId64, n);
	}
	end_cell(t);
}

/* Places S takes on a terminal: characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

/* Blanks are put before the next cell that is not empty, so that no line ends in blanks. */
static void print_cell(struct table *t, const char *s, size_t *due, size_t wide)
{
	if (*s) {
		fprintf(t->out, "%*s%s", (int)*due, "", s);
		*due = 0;
	}
	*due += wide - width(s) + GAP;
}

static int print_columns(struct table *t)
{
	auto_free size_t *wide = calloc(t->count, sizeof(*wide));
	const char *cell = buf_str(&t->text);
	size_t due = 0;

	if (!wide)
		return fail(ENOMEM, "out of memory");
	for (size_t c = 0; c < t->count; c++)
		if (t->columns[c].header)
			wide[c] = width(t->columns[c].header);
	for (size_t i = 0; i < t->rows * t->count; i++) {
		size_t c = i % t->count;

		if (!t->columns[c].header)
			continue;
		if (width(cell) > wide[c])
			wide[c] = width(cell);
		cell += strlen(cell) + 1;
	}
	cell = buf_str(&t->text);
	for (size_t c = 0; c < t->count; c++)
		if (t->columns[c].header)
			print_cell(t, t->columns[c].header, &due, wide[c]);
	for (size_t i = 0; i < t->rows * t->count; i++) {
		size_t c = i % t->count;

		if (c == 0) {
			putc('\n', t->out);
			due = 0;
		}
		if (!t->columns[c].header)
			continue;
		print_cell(t, cell, &due, wide[c]);
		cell += strlen(cell) + 1;
	}
	putc('\n', t->out);
	return 0;
}

int table_end(struct table *t)
{
	if (buf_check(&t->line) < 0 || buf_check(&t->text) < 0)
		return -ENOMEM;
	switch (t->format) {
	case TABLE_COLUMNS: return print_columns(t);
	case TABLE_ARRAY: fputs(t->rows ? "]\n" : "[]\n", t->out); break;
	case TABLE_JSON: break;
	}
	return 0;
}

void table_free(struct table *t)
{
	buf_free(&t->line);
	buf_free(&t->text);
}
