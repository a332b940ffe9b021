/* SPDX-License-Identifier: MIT */
/* exitrecord - unit tests: what is written is read, what is not a whole record is refused */
#include "service/exitrecord.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/path.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char good[] =
	"{\"v\":1,\"id\":\"" ID "\",\"run\":3,\"boot\":\"b\",\"pid\":812,\"start\":91822,"
	"\"started\":5,\"ended\":9,\"known\":true,\"code\":137,\"signal\":9,\"core\":false,"
	"\"oom\":true,\"reason\":\"oom\",\"error\":\"\",\"later\":[1]}\n";

/* The good record with FROM replaced by TO. */
static int parse_changed(const char *from, const char *to)
{
	struct exit_record e;
	char text[2048];
	const char *at = strstr(good, from);

	CHECK(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	return exitrecord_parse(text, strlen(text), &e);
}

static void check_parse(void)
{
	static const char *const bad[][2] = {
		{ "\"v\":1", "\"v\":2" },
		{ "\"v\":1,", "" },
		{ "\"id\":\"0", "\"id\":\"" },
		{ "\"id\":\"0", "\"id\":\"00" },
		{ "\"id\":\"0", "\"id\":\"/" },
		{ "\"run\":3", "\"run\":-1" },
		{ "\"run\":3", "\"run\":1e3" },
		{ "\"run\":3", "\"run\":null" },
		{ "\"boot\":\"b\"", "\"boot\":\"1234567890123456789012345678901234567\"" },
		{ "\"pid\":812", "\"pid\":2147483648" },
		{ "\"known\":true", "\"known\":1" },
		{ "\"code\":137", "\"code\":256" },
		{ "\"code\":137", "\"code\":-1" },
		{ "\"signal\":9", "\"signal\":65" },
		{ "\"oom\":true,", "" },
		{ "\"reason\":\"oom\"", "\"reason\":\"Oom\"" },
		{ "\"error\":\"\"", "\"error\":null" },
		{ "}\n", "" },
		{ "}\n", "}}" },
	};
	struct exit_record e;

	unit_case("reads every member");
	CHECK(exitrecord_parse(good, strlen(good), &e) == 0);
	CHECK_STR(e.id, ID);
	CHECK_STR(e.boot, "b");
	CHECK(e.run == 3 && e.pid == 812 && e.start == 91822 && e.started == 5 && e.ended == 9);
	CHECK(e.known && e.code == 137 && e.signal == 9 && !e.core && e.oom);
	CHECK(e.reason == REASON_OOM);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		static char name[120];

		snprintf(name, sizeof(name), "refuses %s in the place of %s",
			*bad[i][1] ? bad[i][1] : "nothing", bad[i][0]);
		for (char *c = name; *c; c++)
			if (*c == '\n')
				*c = '$';
		unit_case(name);
		CHECK(parse_changed(bad[i][0], bad[i][1]) == -EBADMSG);
	}

	unit_case("an error that is too long is cut");
	CHECK(parse_changed("\"error\":\"\"",
		      "\"error\":\""
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		      "\"") == 0);
}

static void check_file(void)
{
	struct exit_record e = { .id = ID,
		.run = 2,
		.boot = "b",
		.pid = 5,
		.start = 6,
		.ended = 7 },
			   back;
	char top[] = "/tmp/unit-exitrecord.XXXXXX";
	int dir;

	if (!mkdtemp(top))
		return;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unit_case("none is there");
	CHECK(exitrecord_load(dir, ID, &back) == -ENOENT);

	unit_case("what is saved is loaded, with quotes and bytes that are no text");
	exitrecord_set_status(&e, SIGSEGV | 0x80);
	snprintf(e.error, sizeof(e.error), "a \"b\"\n\xff");
	CHECK(exitrecord_save(dir, &e) == 0 && exitrecord_load(dir, ID, &back) == 0);
	CHECK(back.run == 2 && back.code == 139 && back.signal == SIGSEGV && back.core);
	CHECK(back.reason == REASON_SIGNAL && back.known && back.ended == 7);
	CHECK_STR(back.error, "a \"b\"\n\xef\xbf\xbd");

	unit_case("all of a long error that needs escapes");
	memset(e.error, 1, sizeof(e.error) - 1);
	CHECK(exitrecord_save(dir, &e) == 0 && exitrecord_load(dir, ID, &back) == 0);
	CHECK(strlen(back.error) == 255);

	unit_case("replaces the older one");
	exitrecord_set_status(&e, 42 << 8);
	CHECK(exitrecord_save(dir, &e) == 0 && exitrecord_load(dir, ID, &back) == 0);
	CHECK(back.code == 42 && !back.signal && !back.core && back.reason == REASON_EXITED);

	unit_case("a lost one has no code");
	exitrecord_set_lost(&e);
	CHECK(!e.known && !e.code && !e.signal && e.reason == REASON_LOST);

	unit_case("of another container; a FIFO; too large");
	CHECK(exitrecord_load(dir, "x", &back) == -EBADMSG);
	CHECK(unlinkat(dir, "exit", 0) == 0 && mkfifoat(dir, "exit", 0600) == 0);
	CHECK(exitrecord_load(dir, ID, &back) < 0);
	CHECK(unlinkat(dir, "exit", 0) == 0);
	int fd = openat(dir, "exit", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(ftruncate(fd, 1 << 20) == 0);
	close(fd);
	CHECK(exitrecord_load(dir, ID, &back) == -EBADMSG);
	path_remove_tree(AT_FDCWD, top);
	close(dir);
}

int main(void)
{
	struct exit_record e = { .known = true, .code = 137, .ended = 100 * NS_PER_S };
	enum exit_reason reason;
	char text[80];

	check_parse();
	check_file();

	unit_case("for people");
	exitrecord_format(text, sizeof(text), &e, 280 * NS_PER_S);
	CHECK_STR(text, "Exited (137) 3 minutes ago");
	exitrecord_set_lost(&e);
	exitrecord_format(text, sizeof(text), &e, 0); /* a clock that went back */
	CHECK(strncmp(text, "Exited (unknown) ", 17) == 0 && !strchr(text, '-'));

	unit_case("reasons by their words");
	for (int i = 0; i < REASON_COUNT; i++)
		CHECK(exitrecord_parse_reason(exitrecord_reason(i), &reason) == 0 &&
			(int)reason == i);
	CHECK(exitrecord_parse_reason("", &reason) == -EINVAL);
	return unit_end();
}
