/* SPDX-License-Identifier: MIT */
/* start - unit test of what the parent says; the steps themselves run in launch's test and qrun's */
#include "engine/start.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "unit.h"

int main(void)
{
	struct start s = { .hint = HINT_NONE };

	unit_case("every step has a sentence, with and without an object");
	for (unsigned step = 0; step < STEP_COUNT; step++) {
		struct start_error e = { .step = (uint16_t)step, .error = EACCES };

		CHECK(start_describe(&e) == -EACCES);
		CHECK(strlen(fail_text()) > strlen(": Permission denied") &&
			!strchr(fail_text(), '\''));
		strcpy(e.object, "/bin/\x1b[2J");
		CHECK(start_describe(&e) == -EACCES);
		CHECK(strstr(fail_text(), "'/bin/\x1b[2J': ") != NULL);
	}
	unit_case("every hint but none has a text");
	for (unsigned hint = 0; hint < HINT_COUNT; hint++) {
		struct start_error e = { .hint = (uint16_t)hint, .error = EIO };

		CHECK(start_describe(&e) == -EIO);
		CHECK((hint == HINT_NONE) == (fail_hint_text()[0] == '\0'));
	}
	unit_case("an object that is too long is cut");
	{
		char name[PATH_MAX + 100];

		memset(name, 'n', sizeof(name));
		name[sizeof(name) - 1] = '\0';
		CHECK(start_failed(&s, EIO, name) == -EIO);
		CHECK(strlen(s.object) == sizeof(s.object) - 1);
	}
	return unit_end();
}
