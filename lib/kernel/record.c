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

void record_send(int fd, const struct start_error *e, const char *object)
{
	struct start_error out;
	size_t len = object ? strlen(object) : 0;

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
	if (len > 0)
		memcpy(out.object, object, len < RECORD_OBJECT_MAX ? len : RECORD_OBJECT_MAX);
	/* If the parent is gone there is nobody to tell. */
	fd_write(fd, &out, sizeof(out));
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
