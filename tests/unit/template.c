/* SPDX-License-Identifier: MIT */
/* template - unit tests: every form, and what is none */
#include "cli/template.h"

#include <errno.h>

#include "base/fail.h"
#include "unit.h"

static struct json *object;
static struct buf out;

static const char *filled(const char *format)
{
	buf_clear(&out);
	return template_fill(&out, format, object, true) == 0 ? buf_str(&out) : fail_text();
}

static const char *heading(const char *format)
{
	buf_clear(&out);
	return template_header(&out, format) == 0 ? buf_str(&out) : fail_text();
}

int main(void)
{
	static const char text[] =
		"{\"id\":\"0123456789abcdef\",\"name\":\"web\",\"state\":\"running\",\"exit_code\":7,"
		"\"running\":true,\"labels\":{\"a\":\"1\",\"b.c\":\"x y\"},\"ports\":[],"
		"\"spec\":{\"process\":{\"args\":[\"a\",\"b\"]}},\"repository\":\"r\",\"tag\":\"t\"}";
	static const char *const bad[] = { "{{", "{{}}", "{{.}}", "{{ . }}", "{{.Names}",
		"{{Names}}", "{{json}}", "{{json Names}}", "{{index .Labels}}",
		"{{index .Labels \"a}}", "{{index .Labels a}}", "{{range .}}", "{{.Names | upper}}",
		"{{.Names",
		"{{.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}" };

	if (json_parse(text, sizeof(text) - 1, &object) < 0)
		return 1;

	unit_case("the eight forms");
	CHECK_STR(filled("{{.Names}}"), "web");
	CHECK_STR(filled("{{.ID}}"), "0123456789ab");
	CHECK_STR(filled("{{.Repository}}:{{.Tag}}"), "r:t");
	CHECK_STR(filled("{{.State.Status}}"), "running");
	CHECK_STR(filled("{{index .Config.Labels \"b.c\"}}"), "x y");
	CHECK_STR(filled("{{index .Config.Labels \"none\"}}"), "");
	CHECK(strstr(filled("{{json .}}"), "\"id\":\"0123456789abcdef\""));
	CHECK_STR(filled("{{json .Labels}}"), "{\"a\":\"1\",\"b.c\":\"x y\"}");

	unit_case("our own names, members of members, other types");
	CHECK_STR(filled("{{.exit_code}} {{.running}}"), "7 true");
	CHECK_STR(filled("{{.Labels}}|{{.Ports}}"), "a=1,b.c=x y|");
	CHECK_STR(filled("{{.spec.process.args}}"), "a,b");
	CHECK_STR(filled("{{json .spec.process}}"), "{\"args\":[\"a\",\"b\"]}");

	unit_case("text between, blanks, tab and newline");
	CHECK_STR(filled("a{{ .Names }}\\tb\\n}}{\\x"), "aweb\tb\n}}{\\x");
	CHECK_STR(filled(""), "");

	unit_case("an unknown member names the known ones");
	CHECK_STR(filled("{{.Nmaes}}"), "unknown member '.Nmaes' in the format");
	CHECK(strstr(fail_hint_text(), ".exit_code"));
	CHECK(strstr(filled("{{.name.more}}"), "unknown"));

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unit_case(bad[i]);
		CHECK(strstr(filled(bad[i]), "cannot read"));
		CHECK(strstr(heading(bad[i]), "cannot read"));
	}

	unit_case("headings");
	CHECK_STR(heading("{{.ID}}\\t{{.State.Status}}\\t{{index .Labels \"tier\"}}"),
		"ID\tSTATUS\tTIER");
	buf_free(&out);
	json_free(object);
	return unit_end();
}
