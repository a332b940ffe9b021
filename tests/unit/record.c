/* SPDX-License-Identifier: MIT */
/* record - unit test */
#include "kernel/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "unit.h"

#define STEPS 5
#define HINTS 3

static const struct start_error sample = { .step = 4, .hint = 2, .error = ENOENT, .status = 127 };

/* Send the record for OBJECT, change the byte at OFFSET to VALUE (no change if OFFSET < 0), hand over
 * LEN bytes of it, and receive. */
static int through(const char *object, int offset, char value, size_t len)
{
	struct start_error e;
	char bytes[1024] = "";
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	record_send(p[1], &sample, object);
	if (fd_read(p[0], bytes, 512) != 512)
		return -1;
	if (offset >= 0)
		bytes[offset] = value;
	fd_write(p[1], bytes, len);
	close(p[1]);
	r = record_recv(p[0], &e, STEPS, HINTS);
	close(p[0]);
	return r;
}

static void receive(const char *object, struct start_error *e)
{
	int p[2];

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	record_send(p[1], &sample, object);
	close(p[1]);
	CHECK(record_recv(p[0], e, STEPS, HINTS) == 1);
	close(p[0]);
}

/* Record TEXT and HINT, send and receive them; nothing is recorded afterwards. */
static void failure(const char *text, const char *hint, struct start_error *e)
{
	int p[2];

	fail(EXDEV, "%s", text);
	if (*hint)
		fail_hint(-EXDEV, "%s", hint);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	record_send_failure(p[1], EXDEV);
	close(p[1]);
	fail_clear();
	CHECK(record_recv(p[0], e, 1, 1) == 1);
	close(p[0]);
}

int main(void)
{
	struct start_error e;
	char name[600];
	int p[2];

	unit_case("carries numbers and an object");
	receive("/bin/\xff\n x", &e);
	CHECK(e.step == 4 && e.hint == 2 && e.error == ENOENT && e.status == 127);
	CHECK_STR(e.object, "/bin/\xff\n x");
	receive(NULL, &e);
	CHECK_STR(e.object, "");

	unit_case("cuts a long object and says so");
	memset(name, 'n', sizeof(name));
	name[480] = '\0';
	receive(name, &e);
	CHECK_STR(e.object, name);
	name[480] = 'n';
	name[sizeof(name) - 1] = '\0';
	receive(name, &e);
	CHECK(strlen(e.object) == 483 && strcmp(e.object + 479, "n...") == 0);

	unit_case("carries a failure with its hint");
	failure("it broke", "mend it", &e);
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_text(), "it broke");
	CHECK_STR(fail_hint_text(), "mend it");
	failure("it broke", "", &e);
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_hint_text(), "");
	failure("", "mend it", &e);
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_hint_text(), "mend it");

	unit_case("leaves a hint out that has no room");
	name[480] = '\0';
	failure(name, "1234567", &e);
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_hint_text(), "");
	failure(name, "123456", &e);
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_text(), name);
	CHECK_STR(fail_hint_text(), "123456");

	unit_case("reads no further than a hijacked sender wrote");
	memset(e.object, 'x', sizeof(e.object));
	e.object[10] = '\0';
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_text(), "xxxxxxxxxx");
	CHECK_STR(fail_hint_text(), "");
	e.object[10] = 'x';
	e.object[sizeof(e.object) - 1] = '\0';
	CHECK(record_fail(&e) == -EXDEV);
	CHECK_STR(fail_hint_text(), "");

	unit_case("takes the end of the pipe for success");
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	close(p[1]);
	CHECK(record_recv(p[0], &e, STEPS, HINTS) == 0);
	close(p[0]);

	unit_case("refuses what is short, foreign or out of range");
	CHECK(through("x", -1, 0, 512) == 1);
	CHECK(through("x", -1, 0, 511) == -EBADMSG);
	CHECK(through("x", -1, 0, 1) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, magic), 'x', 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, version), 2, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, size), 1, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, step), STEPS, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, hint), HINTS, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, error), 0, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, error) + 3, -1, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, status), 0, 512) == -EBADMSG);
	CHECK(through("x", offsetof(struct start_error, reserved), 1, 512) == -EBADMSG);

	unit_case("refuses an object without an end");
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	record_send(p[1], &sample, "x");
	CHECK(fd_read(p[0], &e, sizeof(e)) == sizeof(e));
	memset(e.object, 'x', sizeof(e.object));
	fd_write(p[1], &e, sizeof(e));
	close(p[1]);
	CHECK(record_recv(p[0], &e, STEPS, HINTS) == -EBADMSG);
	CHECK(e.object[0] == '\0');
	close(p[0]);
	return unit_end();
}
