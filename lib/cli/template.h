/* SPDX-License-Identifier: MIT */
/* template - the few forms of --format that scripts use
 *
 *	{{.Names}}  {{.State.Status}}      a member, by docker's name or by ours ({{.exit_code}})
 *	{{json .}}  {{json .Labels}}       the whole object, a member, as JSON
 *	{{index .Config.Labels "key"}}     a member of a member; nothing if it is not there
 *
 * Between them any text, in which \t and \n stand for what they say. */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/json.h"

/* Append FORMAT, filled in from the object J, to OUT. SHORT_IDS: ids as 12 digits. -EINVAL with text: a form or
 * member that is not known. */
int template_fill(struct buf *out, const char *format, const struct json *j, bool short_ids);

/* The same with the names of the members in capitals, as the header of a table; checks the forms. */
int template_header(struct buf *out, const char *format);

/* A table whose cells are FORMAT, cut at each \t. */
struct template_table {
	const char *format;
	struct buf lines; /* of the header and all rows */
	size_t columns;
	bool short_ids;
};
int template_table_begin(struct template_table *t, const char *format, bool short_ids);
int template_table_row(struct template_table *t, const struct json *j);
/* Release it; PRINT it on stdout before. */
int template_table_end(struct template_table *t, bool print);

#endif
