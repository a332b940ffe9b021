/* SPDX-License-Identifier: MIT */
/* table: the same rows for people and as JSON */
#include "unit.h"

#include <errno.h>

#include "base/fail.h"
#include "base/time.h"
#include "cli/table.h"

static const struct table_column columns[] = {
	{ "name", "NAME", TABLE_STRING },
	{ "size", "SIZE", TABLE_SIZE },
	{ "digest", NULL, TABLE_STRING },
	{ NULL, "SHORT", TABLE_STRING },
	{ "created", "CREATED", TABLE_TIME },
	{ "labels", NULL, TABLE_RAW },
	{ "here", "HERE", TABLE_BOOL },
	{ "layers", "LAYERS", TABLE_INT },
};

#define NOW (1000000 * NS_PER_S)

static void add_row(struct table *t, const char *name, int64_t size, int64_t created)
{
	table_string(t, name);
	table_number(t, size);
	table_string(t, "sha256:00");
	table_string(t, "00");
	table_number(t, created);
	table_string(t, "{\"a\":1}");
	table_number(t, size != 0);
	table_number(t, -3);
}

/* What a table of ROWS rows prints; the caller frees it. */
static char *print(enum table_format format, int rows, bool escape)
{
	auto_table struct table t = { 0 };
	size_t len;
	char *text = NULL;

	table_init(&t, columns, ARRAY_LEN(columns), format);
	t.out = open_memstream(&text, &len);
	t.now = NOW;
	t.escape = escape;
	if (rows > 0)
		add_row(&t, "caf\xc3\xa9", 101000000, NOW - 180 * NS_PER_S - 5);
	if (rows > 1)
		add_row(&t, "a\"\x1b[2J\n", 0, 0);
	CHECK(table_end(&t) == 0);
	fclose(t.out);
	return text;
}

#define JSON_1                                                                           \
	"{\"name\":\"caf\xc3\xa9\",\"size\":101000000,\"digest\":\"sha256:00\","         \
	"\"created\":\"1970-01-12T13:43:39.999999995Z\",\"created_ns\":999819999999995," \
	"\"labels\":{\"a\":1},\"here\":true,\"layers\":-3}"
#define JSON_2                                                                  \
	"{\"name\":\"a\\\"\\u001b[2J\\n\",\"size\":0,\"digest\":\"sha256:00\"," \
	"\"labels\":{\"a\":1},\"here\":false,\"layers\":-3}"

int main(void)
{
	enum table_format format = TABLE_COLUMNS;
	char *text;

	unit_case("columns are aligned by characters, no line ends in blanks");
	text = print(TABLE_COLUMNS, 2, true);
	CHECK_STR(text,
		"NAME           SIZE   SHORT  CREATED        HERE  LAYERS\n"
		"caf\xc3\xa9           101MB  00     3 minutes ago  yes   -3\n"
		"a\"\\x1b[2J\\x0a  0B     00                    no    -3\n");
	free(text);

	unit_case("an empty table is its header");
	text = print(TABLE_COLUMNS, 0, true);
	CHECK_STR(text, "NAME  SIZE  SHORT  CREATED  HERE  LAYERS\n");
	free(text);

	unit_case("bytes stay as they are where no terminal is");
	text = print(TABLE_COLUMNS, 2, false);
	CHECK(strstr(text, "a\"\x1b[2J\n"));
	free(text);

	unit_case("JSON: one object a line, never null");
	text = print(TABLE_JSON, 2, true);
	CHECK_STR(text, JSON_1 "\n" JSON_2 "\n");
	free(text);
	text = print(TABLE_JSON, 0, true);
	CHECK_STR(text, "");
	free(text);

	unit_case("JSON: one array");
	text = print(TABLE_ARRAY, 2, true);
	CHECK_STR(text, "[" JSON_1 "," JSON_2 "]\n");
	free(text);
	text = print(TABLE_ARRAY, 0, true);
	CHECK_STR(text, "[]\n");
	free(text);

	unit_case("the forms of --json");
	CHECK(table_format_parse(NULL, &format) == 0 && format == TABLE_JSON);
	CHECK(table_format_parse("array", &format) == 0 && format == TABLE_ARRAY);
	CHECK(table_format_parse("Array", &format) == -EINVAL && format == TABLE_ARRAY);
	CHECK_STR(fail_text(), "unknown form of JSON 'Array'");
	CHECK(table_format_parse("", &format) == -EINVAL);
	return unit_end();
}
