/* SPDX-License-Identifier: MIT */
/* unit - checks of a unit test; one TAP line per check group
 *
 *	int main(void)
 *	{
 *		unit_case("parses an empty object");
 *		CHECK(json_parse("{}", 2, &j) == 0);
 *		return unit_end();
 *	}
 * A case passes if none of its checks failed. */
#ifndef UNIT_H
#define UNIT_H

#include <stdio.h>
#include <string.h>

static int unit_number, unit_failed, unit_case_failed;
static const char *unit_name;

static inline void unit_close(void)
{
	if (!unit_name)
		return;
	printf("%s %d - %s\n", unit_case_failed ? "not ok" : "ok", ++unit_number, unit_name);
	unit_failed += unit_case_failed;
	unit_case_failed = 0;
	unit_name = NULL;
}

/* Begin a case; ends the one before it. */
static inline void unit_case(const char *name)
{
	unit_close();
	unit_name = name;
}

/* Begin a case that cannot run here, for the reason WHY. */
static inline void unit_skip(const char *name, const char *why)
{
	unit_close();
	printf("ok %d - %s # SKIP %s\n", ++unit_number, name, why);
}

static inline int unit_end(void)
{
	unit_close();
	printf("1..%d\n", unit_number);
	return unit_failed != 0;
}

static inline void unit_check(int good, const char *file, int line, const char *what)
{
	if (good)
		return;
	unit_case_failed = 1;
	printf("# %s:%d: %s\n", file, line, what);
}

static inline void unit_equal(const char *a, const char *b, const char *file, int line)
{
	if (a && b && strcmp(a, b) == 0)
		return;
	unit_case_failed = 1;
	printf("# %s:%d: got '%s', wanted '%s'\n", file, line, a ? a : "(null)", b ? b : "(null)");
}

#define CHECK(cond)          unit_check(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_STR(got, want) unit_equal((got), (want), __FILE__, __LINE__)

#endif
