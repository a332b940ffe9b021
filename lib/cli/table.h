/* SPDX-License-Identifier: MIT */
/* table - rows as columns for people or as JSON for programs, from one description
 *
 *	static const struct table_column columns[] = {
 *		{ "name", "NAME", TABLE_STRING },
 *		{ "size", "SIZE", TABLE_SIZE },
 *		{ "digest", NULL, TABLE_STRING },      JSON only
 *	};
 *	auto_table struct table t = { 0 };
 *	table_init(&t, columns, ARRAY_LEN(columns), format);
 *	table_string(&t, name);
 *	table_number(&t, size);
 *	table_string(&t, digest);
 *	return table_end(&t);
 *
 * Cells are given in the order of the columns, every cell of every row. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum table_format {
	TABLE_COLUMNS, /* aligned, with a header line */
	TABLE_JSON,    /* one object a line, given to OUT when the row is complete */
	TABLE_ARRAY,   /* one array */
};

enum table_type {
	TABLE_STRING,
	TABLE_INT,
	TABLE_BOOL,
	TABLE_SIZE, /* bytes; people see "101MB" */
	TABLE_TIME, /* nanoseconds since 1970; people see "3 minutes ago", JSON has FIELD (RFC 3339) and
	             * FIELD_ns; 0 is no time and left out */
	TABLE_RAW, /* text that is JSON already; people see it as it is */
};

struct table_column {
	const char *field;  /* name in JSON; NULL: only for people */
	const char *header; /* NULL: only in JSON */
	enum table_type type;
};

struct table {
	const struct table_column *columns;
	size_t count;
	enum table_format format;
	FILE *out;   /* stdout; may be changed after table_init */
	bool escape; /* control characters in columns as \xNN: stdout is a terminal */
	int64_t now; /* ages are counted from here */

	/* Private. */
	size_t next;     /* column of the next cell */
	size_t rows;     /* complete ones */
	struct buf line; /* JSON of the row so far */
	struct buf text; /* all cells for people, each NUL-terminated */
};

#define auto_table __attribute__((cleanup(table_free)))

/* Begin a table on stdout. COLUMNS must stay valid. */
void table_init(struct table *t, const struct table_column *columns, size_t count,
	enum table_format format);

/* What --json (VALUE NULL) or --json=array asks for. -EINVAL, text recorded, for another value. */
int table_format_parse(const char *value, enum table_format *out);

/* The next cell: string and raw columns, and all others. NULL is "". */
void table_string(struct table *t, const char *s);
void table_number(struct table *t, int64_t n);

/* Print what is left: the columns, or the end of the array. -ENOMEM, text recorded. That OUT was
 * written without error is for its owner to check; main does so for stdout. */
int table_end(struct table *t);

void table_free(struct table *t);

#endif
