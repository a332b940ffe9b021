/* SPDX-License-Identifier: MIT */
/* container - wait for the end of a container, and bring it about */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

#include "base/fail.h"
#include "base/time.h"
#include "engine/container.h"
#include "engine/reconcile.h"
#include "kernel/file.h"

#define KILL_TIMEOUT 10000 /* ms */

/* What tells that something may have happened. -1: cannot be watched. */
struct watch {
	int directory; /* inotify: RUN/c/ID, where the record appears */
	int process;   /* pidfd of the monitor, or of the first process if there is none */
};

/* A pidfd of exactly this process (Linux 5.3). */
static int open_process(const struct proc_id *id)
{
	int fd = id->pid ? (int)syscall(SYS_pidfd_open, id->pid, 0) : -1;

	/* Whoever had the number when the pidfd was opened has it still, if it is the right one now. */
	if (fd >= 0 && !proc_alive(id)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void open_watch(struct watch *w, int dir)
{
	char path[48];

	w->process = -1;
	w->directory = dir < 0 ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (w->directory >= 0 &&
		inotify_add_watch(w->directory, path, IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) <
			0) {
		close(w->directory);
		w->directory = -1;
	}
}

static void close_watch(struct watch *w)
{
	cleanup_close(&w->directory);
	cleanup_close(&w->process);
}

/* Until something may have happened, at most until DEADLINE (-1: none). Spurious ends are fine. */
static void watch_once(struct watch *w, const struct instance *i, int64_t deadline)
{
	char drain[1024];
	struct pollfd p[2];
	int64_t left = deadline < 0 ? INT32_MAX : (deadline - time_mono()) / 1000000 + 1;

	cleanup_close(&w->process);
	w->process = open_process(&i->monitor);
	if (w->process < 0)
		w->process = open_process(&i->init);
	/* What gives no sign is looked at now and then; so is an end that another has to write down. */
	if ((w->process < 0 || w->directory < 0) && left > 50)
		left = 50;
	p[0] = (struct pollfd){ .fd = w->directory, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = w->process, .events = POLLIN };
	poll(p, 2, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
	if (p[0].revents)
		while (read(w->directory, drain, sizeof(drain)) > 0)
			;
}

/* Its record, from the file or from run.db. 1, or 0 if there is none yet. */
static int find_record(struct store *s, const struct instance *i, int dir, struct exit_record *out)
{
	int r;

	if (dir >= 0 && exitrecord_load(dir, i->id, out) == 0 && out->run >= i->run)
		return 1;
	fail_clear();
	r = instance_find_exit(s, i->id, out);
	return r > 0 && out->run < i->run ? 0 : r;
}

/* 1: it is over and *OUT is filled; 0: it goes on. */
static int look(struct store *s, const struct instance *i, int dir, struct exit_record *out)
{
	auto_container struct container *c = NULL;
	int r = find_record(s, i, dir, out);

	if (r != 0)
		return r;
	/* This repairs an end that nobody saw. */
	r = container_find(s, i->id, &c);
	if (r < 0 && r != -ENOENT)
		return r;
	r = find_record(s, i, dir, out);
	if (r != 0 || (c && (state_is_live(c->row->state) || state_is_transitional(c->row->state))))
		return r;
	/* Removed or never run, and nothing is known. */
	*out = (struct exit_record){ .run = i->run, .ended = time_now() };
	exitrecord_set_lost(out);
	return 1;
}

int container_wait(struct store *s, const struct container *c, int timeout, struct exit_record *out)
{
	int64_t deadline = timeout < 0 ? -1 : time_mono() + timeout * 1000000LL;
	auto_close int dir = container_run_dir(s, c->row->id);
	struct watch w;
	int r;

	if (!c->row->run || c->row->state == STATE_CREATED)
		return 0;
	open_watch(&w, dir);
	for (;;) {
		r = look(s, c->row, dir, out);
		if (r == 0 && deadline >= 0 && time_mono() >= deadline)
			r = -ETIMEDOUT;
		if (r != 0)
			break;
		watch_once(&w, c->row, deadline);
	}
	close_watch(&w);
	return r;
}

/* --- kill --- */

static int signal_process(const struct proc_id *id, int number)
{
	auto_close int fd = open_process(id);
	int r;

	if (fd >= 0)
		r = (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
	else if (proc_alive(id))
		r = kill(id->pid, number); /* no pidfd before Linux 5.3 */
	else
		return 0;
	return r == 0 || errno == ESRCH ? 0 : fail_errno("signal process %d", (int)id->pid);
}

/* Wait for the end with the lock held: the record is written by whoever sees the end. */
static int wait_for_end(struct store *s, struct container *c)
{
	struct exit_record e;
	int r = container_wait(s, c, KILL_TIMEOUT, &e);

	if (r != -ETIMEDOUT)
		return r < 0 ? r : container_reload(s, c);
	/* What hangs in the kernel ends when that lets it. */
	(void)container_event(s, c, EVENT_ABANDON);
	fail(ETIMEDOUT, "container '%s' did not end within %d seconds of SIGKILL", c->row->name,
		KILL_TIMEOUT / 1000);
	return fail_hint(-ETIMEDOUT, "its process %d may be waiting for a disk or a server",
		(int)c->row->init.pid);
}

int container_kill(struct store *s, struct container *c)
{
	int r = c->lock >= 0 ? container_reload(s, c) : container_lock(s, c, true);

	if (r == 0 &&
		(c->row->state == STATE_RUNNING || c->row->state == STATE_PAUSED ||
			c->row->state == STATE_RESTARTING))
		r = container_event(s, c, EVENT_STOP);
	if (r < 0 || c->row->state != STATE_STOPPING)
		return r;
	/* One that waits to be started again has nothing but its monitor. */
	r = signal_process(c->row->init.pid ? &c->row->init : &c->row->monitor, SIGKILL);
	return r < 0 ? r : wait_for_end(s, c);
}
