/* SPDX-License-Identifier: MIT */
/* start - the table of steps of the new process, and what the parent says about them */
#include "engine/start.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"

#define STATUS_DEFAULT 125

/* In the order of security.md 5. What is printed is "WHAT 'OBJECT': error". */
static const struct {
	const char *what;
	int (*run)(struct start *s);
} steps[] = {
	[STEP_ISOLATE] = { "separate from the host", start_isolate },
	[STEP_SESSION] = { "begin a session", start_session },
	[STEP_CGROUP] = { "enter the cgroup", start_cgroup },
	[STEP_ROOT] = { "assemble the root", start_root },
	[STEP_MOUNTS] = { "mount", start_mounts },
	[STEP_DEVICES] = { "make device", start_devices },
	[STEP_TERMINAL] = { "make a terminal", start_terminal },
	[STEP_SYSCTLS] = { "set sysctl", start_sysctls },
	[STEP_MASKS] = { "mask", start_masks },
	[STEP_USER] = { "find user", start_user },
	[STEP_WORKDIR] = { "make the working directory", start_workdir },
	[STEP_LIMITS] = { "set limits", start_limits },
	[STEP_GATE] = { "wait for the parent", start_gate },
	[STEP_PIVOT] = { "change the root", start_pivot },
	[STEP_HOSTNAME] = { "set the host name", start_hostname },
	[STEP_NETWORK] = { "bring loopback up", start_network },
	[STEP_KEYRING] = { "make a session keyring", start_keyring },
	[STEP_CREDENTIALS] = { "become user", start_credentials },
	[STEP_CHDIR] = { "enter the working directory", start_chdir },
	[STEP_WAIT] = { "wait for the start", start_wait },
	[STEP_EXEC] = { "run", start_exec },
};

static const char *const hints[HINT_COUNT] = {
	[HINT_LINK] = "the root has a link or a file in this place; only a "
		      "directory can be mounted on",
	[HINT_OVERLAY] = "the kernel needs CONFIG_OVERLAY_FS",
	[HINT_KERNEL] = "the kernel lacks this file system",
	[HINT_INITRAMFS] = "an initramfs cannot be left; move to a tmpfs first (switch_root)",
	[HINT_ROOT] = "nothing can be mounted on the root itself",
	[HINT_PROC] = "nothing can be mounted on /proc or below it",
	[HINT_USER] = "the image's /etc/passwd and /etc/group do not have it; a "
		      "number needs no entry",
	[HINT_USER_FORM] = "a user is NAME or 0 to 4294967294, then perhaps :GROUP "
			   "of the same form",
	[HINT_USER_FILE] = "it must be a regular file of at most 1 MiB, with lines below 4 KiB",
	[HINT_OUTSIDE] = "it does not lie in the container's root",
	[HINT_INTERPRETER] = "the file is there, but its interpreter or loader is not",
};

int start_failed(struct start *s, int err, const char *object)
{
	snprintf(s->object, sizeof(s->object), "%s", object);
	return -err;
}

void start_init(struct start *s, const struct spec *spec)
{
	*s = (struct start){
		.spec = spec,
		.report = -1,
		.gate = -1,
		.console = -1,
		.wait = -1,
		.stdio = { -1, -1, -1 },
		.source = -1,
		.upper = -1,
		.root = -1,
		.null = -1,
		.empty = -1,
		.workdir = -1,
	};
}

void start_run(struct start *s)
{
	struct start_error e = { 0 };
	int r = 0;

	for (unsigned i = 0; i < STEP_COUNT && r >= 0; i++) {
		e.step = (uint16_t)i;
		r = steps[i].run(s);
	}
	/* The last step succeeds by not coming back. */
	e.error = r < 0 ? -r : ENOEXEC;
	e.hint = (uint16_t)s->hint;
	e.status = s->status ? s->status : STATUS_DEFAULT;
	record_send(s->report, &e, s->object);
	_exit((int)e.status);
}

int start_describe(const struct start_error *e)
{
	const char *what = steps[e->step].what;
	int r;

	if (e->object[0])
		r = fail(e->error, "%s '%s': %s", what, e->object, strerror(e->error));
	else
		r = fail(e->error, "%s: %s", what, strerror(e->error));
	return hints[e->hint] ? fail_hint(r, "%s", hints[e->hint]) : r;
}
