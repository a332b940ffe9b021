/* SPDX-License-Identifier: MIT */
#include "kernel/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "unit.h"

static int pipes[2];

static void start(struct frame_reader *r)
{
	if (pipe2(pipes, O_CLOEXEC) < 0)
		_exit(99);
	*r = (struct frame_reader){ .fd = pipes[0] };
}

static void stop(void)
{
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	auto_buf struct buf all = { 0 };
	struct frame_reader r;
	char buf[16];

	unit_case("content arrives in order, then the end, which stays");
	start(&r);
	CHECK(frame_send(pipes[1], "hello ", 6) == 0 && frame_send(pipes[1], "world", 5) == 0);
	CHECK(frame_end(pipes[1]) == 0);
	CHECK(frame_read(&r, buf, 4) == 4 && memcmp(buf, "hell", 4) == 0);
	CHECK(frame_read(&r, buf, sizeof(buf)) == 2 && memcmp(buf, "o ", 2) == 0);
	CHECK(frame_read(&r, buf, sizeof(buf)) == 5 && memcmp(buf, "world", 5) == 0);
	CHECK(frame_read(&r, buf, sizeof(buf)) == 0 && frame_read(&r, buf, sizeof(buf)) == 0);
	stop();

	unit_case("a failure arrives with its number, text and hint");
	start(&r);
	fail_hint(fail(EACCES, "denied by '%s'", "x"), "ask y");
	CHECK(frame_fail(pipes[1], EACCES) == 0);
	fail_clear();
	CHECK(frame_read(&r, buf, sizeof(buf)) == -EACCES);
	CHECK_STR(fail_text(), "denied by 'x'");
	CHECK_STR(fail_hint_text(), "ask y");
	stop();

	unit_case("a whole stream, and no more than was asked for");
	start(&r);
	CHECK(frame_send(pipes[1], "hello ", 6) == 0 && frame_send(pipes[1], "world", 5) == 0);
	CHECK(frame_end(pipes[1]) == 0);
	buf_puts(&all, "> ");
	CHECK(frame_read_all(pipes[0], &all, 11) == 0);
	CHECK_STR(buf_str(&all), "> hello world");
	stop();
	start(&r);
	CHECK(frame_send(pipes[1], "hello ", 6) == 0 && frame_send(pipes[1], "world", 5) == 0);
	CHECK(frame_end(pipes[1]) == 0);
	CHECK(frame_read_all(pipes[0], &all, 10) == -EMSGSIZE);
	stop();
	start(&r);
	CHECK(frame_send(pipes[1], "hello ", 6) == 0);
	close(pipes[1]);
	CHECK(frame_read_all(pipes[0], &all, 100) == -EPIPE);
	close(pipes[0]);

	unit_case("a writer that dies is no end of the stream");
	start(&r);
	CHECK(frame_send(pipes[1], "abc", 3) == 0);
	close(pipes[1]);
	CHECK(frame_read(&r, buf, sizeof(buf)) == 3);
	CHECK(frame_read(&r, buf, sizeof(buf)) == -EPIPE);
	close(pipes[0]);

	unit_case("a writer that dies inside a frame is noticed");
	start(&r);
	CHECK(write(pipes[1], "\5\0\0\0ab", 6) == 6);
	close(pipes[1]);
	CHECK(frame_read(&r, buf, sizeof(buf)) == 2);
	CHECK(frame_read(&r, buf, sizeof(buf)) == -EPIPE);
	close(pipes[0]);

	unit_case("a frame that is too long is refused");
	start(&r);
	CHECK(write(pipes[1], "\1\0\x10\0", 4) == 4);
	CHECK(frame_read(&r, buf, sizeof(buf)) == -EBADMSG);
	stop();

	unit_case("a failure without its record is refused");
	start(&r);
	CHECK(write(pipes[1], "\xff\xff\xff\xff", 4) == 4);
	close(pipes[1]);
	CHECK(frame_read(&r, buf, sizeof(buf)) == -EPIPE);
	close(pipes[0]);
	return unit_end();
}
