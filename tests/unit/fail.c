/* SPDX-License-Identifier: MIT */
/* fail - unit tests */
#include "base/fail.h"

#include "unit.h"

int main(void)
{
	char longer[5000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';

	unit_case("nothing is recorded at first");
	CHECK_STR(fail_text(), "");
	CHECK_STR(fail_hint_text(), "");

	unit_case("records the text, returns the negative error");
	CHECK(fail(EINVAL, "bad '%s' %d", "a", 1) == -EINVAL);
	CHECK_STR(fail_text(), "bad 'a' 1");

	unit_case("adds the meaning of errno");
	errno = ENOENT;
	CHECK(fail_errno("open '%s'", "/x") == -ENOENT);
	CHECK_STR(fail_text(), "open '/x': No such file or directory");

	unit_case("puts context in front");
	CHECK(fail_wrap(-ENOENT, "layer %d", 2) == -ENOENT);
	CHECK_STR(fail_text(), "layer 2: open '/x': No such file or directory");

	unit_case("wrapping keeps the hint, a new text drops it");
	CHECK(fail_hint(-EPERM, "try %s", "root") == -EPERM);
	CHECK_STR(fail_hint_text(), "try root");
	fail_wrap(-EPERM, "image");
	CHECK_STR(fail_hint_text(), "try root");
	fail(EIO, "other");
	CHECK_STR(fail_hint_text(), "");

	unit_case("arguments may be the old text");
	fail(EIO, "a <%s>", fail_text());
	CHECK_STR(fail_text(), "a <other>");
	fail_wrap(-EIO, "b <%s>", fail_text());
	CHECK_STR(fail_text(), "b <a <other>>: a <other>");

	unit_case("text of outside origin is data");
	fail(EIO, "%s", "%n%s\x1b");
	fail_wrap(-EIO, "%s", "%d");
	CHECK_STR(fail_text(), "%d: %n%s\x1b");

	unit_case("texts too long are cut");
	fail(EIO, "%s", longer);
	CHECK(strlen(fail_text()) == 2047);
	errno = EIO;
	fail_errno("%s", longer);
	CHECK(strlen(fail_text()) == 2047);
	fail_wrap(-EIO, "front");
	CHECK(strlen(fail_text()) == 2047 && strncmp(fail_text(), "front: xxx", 10) == 0);

	unit_case("a long front does not push the cause out");
	fail(EIO, "cause");
	fail_wrap(-EIO, "%s", longer);
	CHECK(strstr(fail_text(), "x: cause"));

	unit_case("a long hint is cut");
	fail_hint(-EIO, "%s", longer);
	CHECK(strlen(fail_hint_text()) == 511);

	unit_case("forgets");
	fail_clear();
	CHECK_STR(fail_text(), "");
	CHECK_STR(fail_hint_text(), "");
	return unit_end();
}
