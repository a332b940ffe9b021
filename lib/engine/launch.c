/* SPDX-License-Identifier: MIT */
/* launch - from a spec to a running container: the steps of the parent */
#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "engine/monitor.h"
#include "engine/start.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/record.h"
#include "kernel/self.h"

#define STATUS_OURS   125
#define STATUS_SIGNAL 128

struct run {
	const struct launch *launch;
	struct monitor monitor;
	int other[3]; /* the container's ends of the relays */
	int report[2];
	pid_t pid;
	int64_t lease;
	int status;
};

static void close_pair(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int open_monitor(struct run *r)
{
	return monitor_open(&r->monitor, r->other);
}

static void close_monitor(struct run *r)
{
	close_pair(r->other, 3);
	monitor_close(&r->monitor);
}

static int open_report(struct run *r)
{
	return pipe2(r->report, O_CLOEXEC) < 0 ? fail_errno("make a pipe") : 0;
}

static void close_report(struct run *r)
{
	close_pair(r->report, 2);
}

/* Which of the namespaces this kernel does not have: it refuses them all together. */
static int explain_clone(int namespaces, int err)
{
	static const int flags[] = { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWNET, CLONE_NEWCGROUP };
	static const char *const files[] = { "mnt", "pid", "uts", "ipc", "net", "cgroup" };

	if (err == -EPERM)
		return fail_hint(err, "it needs the right to make namespaces: run it as root");
	for (size_t i = 0; err == -EINVAL && i < ARRAY_LEN(flags); i++) {
		char path[32] = "/proc/self/ns/";

		strcat(path, files[i]);
		if (namespaces & flags[i] && access(path, F_OK) < 0)
			return fail_hint(err, "the kernel needs %s", ns_config_name(flags[i]));
	}
	return err;
}

static int start_process(struct run *r)
{
	int keep[4] = { r->report[1], r->other[0], r->other[1], r->other[2] };
	int namespaces = r->launch->spec->namespaces;

	r->pid = proc_fork(namespaces, keep, ARRAY_LEN(keep), NULL);
	if (r->pid < 0)
		return explain_clone(namespaces, fail_wrap((int)r->pid, "make the container"));
	if (r->pid == 0) {
		struct start s = {
			.spec = r->launch->spec,
			.report = r->report[1],
			.stdio = { r->other[0], r->other[1], r->other[2] },
			.source = -1,
			.root = -1,
			.null = -1,
			.empty = -1,
			.workdir = -1,
		};

		start_run(&s);
	}
	close_pair(r->other, 3);
	close_pair(&r->report[1], 1);
	return 0;
}

/* With its first process all others of the container die, and its mounts go with the last of
 * them. */
static void kill_process(struct run *r)
{
	int status;

	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		proc_wait(r->pid, &status);
	}
	r->pid = 0;
}

static void unpin_image(struct run *r)
{
	if (r->lease)
		store_unlease(r->launch->store, r->lease);
	r->lease = 0;
}

/* While the child mounts: keep the image from gc, and see that gc has not been faster. */
static int pin_image(struct run *r)
{
	const struct launch *l = r->launch;
	char digest[DIGEST_TEXT];
	int n;

	if (!l->image)
		return 0;
	digest_format(digest, &l->image->manifest);
	n = store_lease(l->store, "image", digest, &r->lease);
	if (n < 0)
		return n;
	n = image_check(l->store, l->image);
	if (n < 0)
		unpin_image(r);
	return n;
}

/* Wait for the report, or for a signal that ends us: a mount may hang for as long as a server is
 * away. */
static int wait_for_report(struct run *r)
{
	struct pollfd p[2] = {
		{ .fd = r->report[0], .events = POLLIN },
		{ .fd = r->monitor.signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail_errno("wait for the container");
		if (p[0].revents)
			return 0;
		if (!p[1].revents || read(r->monitor.signals, &info, sizeof(info)) != sizeof(info))
			continue;
		switch (info.ssi_signo) {
		case SIGHUP:
		case SIGINT:
		case SIGQUIT:
		case SIGTERM:
			r->status = STATUS_SIGNAL + (int)info.ssi_signo;
			return fail(EINTR, "ended by a signal before the container ran");
		}
	}
}

static int confirm_start(struct run *r)
{
	struct start_error e;
	int n = wait_for_report(r);

	if (n == 0)
		n = record_recv(r->report[0], &e, STEP_COUNT, HINT_COUNT);
	if (n <= 0)
		return n;
	r->status = (int)e.status;
	return start_describe(&e);
}

/* In order; if one fails, what came before is undone in reverse. */
static const struct {
	int (*run)(struct run *r);
	void (*undo)(struct run *r);
} steps[] = {
	{ open_monitor, close_monitor },
	{ open_report, close_report },
	{ start_process, kill_process },
	{ pin_image, unpin_image },
	{ confirm_start, NULL },
};

static int watch(struct run *r)
{
	int status, n = monitor_run(&r->monitor, r->pid, &status);

	if (n < 0)
		return n;
	r->pid = 0;
	r->status = WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

int launch_protect(const char *name, char *const *args)
{
	return self_protect(name, args);
}

int launch_run(const struct launch *l, int *status)
{
	struct run r = {
		.launch = l, .other = { -1, -1, -1 }, .report = { -1, -1 }, .status = STATUS_OURS
	};
	size_t done = 0;
	int n = 0;

	while (done < ARRAY_LEN(steps) && n == 0) {
		n = steps[done].run(&r);
		if (n == 0)
			done++;
	}
	if (n == 0)
		n = watch(&r);
	/* Also after a good end: then it is descriptors and the lease. */
	while (done > 0)
		if (steps[--done].undo)
			steps[done].undo(&r);
	*status = r.status;
	return n;
}
