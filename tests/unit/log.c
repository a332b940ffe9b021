/* SPDX-License-Identifier: MIT */
/* log - unit tests */
#include "base/log.h"

#include <fcntl.h>

#include "base/attr.h"
#include "unit.h"

/* What came out of the pipe PIPE, a string until the next call. */
static const char *written(const int *pipe)
{
	static char text[8192];
	ssize_t len = read(pipe[0], text, sizeof(text) - 1);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

int main(void)
{
	char longer[4000];
	const char *got;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return 1;

	unit_case("a note is one line with the name in front");
	log_init(ends[1], "qpull", false);
	log_note("layer %d: %s", 3, "skipped");
	CHECK_STR(written(ends), "qpull: layer 3: skipped\n");

	unit_case("a note cannot make lines or move a terminal");
	log_note("%s", "a\nqpull: b\x1b[2J\xff");
	CHECK_STR(written(ends), "qpull: a\\x0aqpull: b\\x1b[2J\\xff\n");

	unit_case("without a name");
	log_init(ends[1], NULL, false);
	log_note("x");
	CHECK_STR(written(ends), "x\n");

	unit_case("a long note is cut, and still one line");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_note("%s", longer);
	got = written(ends);
	CHECK(strlen(got) == 2048 && strchr(got, '\n') == got + 2047);

	unit_case("quiet drops notes");
	log_init(ends[1], "qpull", true);
	log_note("x");
	CHECK_STR(written(ends), "");

	unit_case("errno is kept, also when the note is lost");
	errno = ENOTTY;
	log_init(ends[1], "qpull", false);
	log_note("x");
	CHECK(errno == ENOTTY);
	log_init(-1, "qpull", false);
	log_note("x");
	CHECK(errno == ENOTTY);
	return unit_end();
}
