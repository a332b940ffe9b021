/* SPDX-License-Identifier: MIT */
/* record - how a child process tells its parent what failed */
#include "kernel/record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "kernel/fd.h"

#define MAGIC     0x71657272u
#define VERSION   1
#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

_Static_assert(sizeof(struct start_error) == 512, "FORMATS 3.3");

/* The hint comes behind the NUL of the object. */
static void send_with_hint(
	int fd, const struct start_error *e, const char *object, const char *hint)
{
	struct start_error out;
	size_t len = strlen(object), hint_len = strlen(hint);

	memset(&out, 0, sizeof(out));
	out.magic = MAGIC;
	out.version = VERSION;
	out.size = sizeof(out);
	out.step = e->step;
	out.hint = e->hint;
	out.error = e->error;
	out.status = e->status;
	if (len > RECORD_OBJECT_MAX)
		memcpy(out.object + RECORD_OBJECT_MAX, "...", 3);
	memcpy(out.object, object, len < RECORD_OBJECT_MAX ? len : RECORD_OBJECT_MAX);
	if (len + 1 + hint_len < sizeof(out.object))
		memcpy(out.object + len + 1, hint, hint_len);
	/* If the parent is gone there is nobody to tell. */
	fd_write(fd, &out, sizeof(out));
}

void record_send(int fd, const struct start_error *e, const char *object)
{
	send_with_hint(fd, e, object ? object : "", "");
}

void record_send_failure(int fd, int err)
{
	send_with_hint(fd, &(struct start_error){ .error = err, .status = 125 }, fail_text(),
		fail_hint_text());
}

int record_fail(const struct start_error *e)
{
	const char *hint = e->object + strlen(e->object) + 1;
	const char *end = e->object + sizeof(e->object);
	int r = fail(e->error, "%s", e->object);

	/* Whoever sent it may be hijacked: there need not be a second NUL. */
	if (hint < end && *hint && memchr(hint, '\0', (size_t)(end - hint)))
		fail_hint(r, "%s", hint);
	return r;
}

static bool is_valid(const struct start_error *e, unsigned steps, unsigned hints)
{
	return e->magic == MAGIC && e->version == VERSION && e->size == sizeof(*e) &&
		e->step < steps && e->hint < hints && e->error > 0 && e->error <= ERRNO_MAX &&
		e->status >= 125 && e->status <= 127 && e->reserved == 0 &&
		memchr(e->object, '\0', sizeof(e->object));
}

int record_recv(int fd, struct start_error *out, unsigned steps, unsigned hints)
{
	struct start_error e;
	ssize_t n = fd_read(fd, &e, sizeof(e));

	memset(out, 0, sizeof(*out));
	if (n == 0)
		return 0;
	if (n < 0)
		return fail(
			(int)-n, "read what the started process reports: %s", strerror((int)-n));
	if (n != sizeof(e) || !is_valid(&e, steps, hints))
		return fail(EBADMSG, "the started process reported something unreadable");
	*out = e;
	return 1;
}
