/* SPDX-License-Identifier: MIT */
/* foreground - run a container under its caller's eyes */
#include "engine/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/ctl.h"
#include "engine/monitor.h"
#include "kernel/cgroup.h"
#include "kernel/file.h"

#define STATUS_OURS    125
#define STATUS_TIMEOUT 124

struct watch {
	struct foreground *f;
	struct launch *launch;
	struct monitor monitor;
	struct ctl_server ctl;
	struct running running;
	struct exit_record end;
	int dir, alive;
};

static void close_ends(int *fds)
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int write_pidfile(const char *file, pid_t pid)
{
	auto_close int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return fail_errno("open '%s'", file);
	return dprintf(fd, "%d\n", (int)pid) < 0 ? fail_errno("write '%s'", file) : 0;
}

/* The first process is there and has not executed anything yet. */
static int prepared(void *ctx, const struct running *r)
{
	struct watch *w = ctx;
	auto_buf struct buf cgroup = { 0 };
	struct container_start start = { 0 };
	int n = w->f->pidfile ? write_pidfile(w->f->pidfile, r->pid) : 0;

	cgroup_format(&r->cgroup, &cgroup);
	if (n == 0)
		n = buf_check(&cgroup);
	if (n == 0)
		n = proc_identify(&start.init, r->pid);
	if (n == 0)
		n = proc_identify(&start.monitor, 0);
	if (n < 0)
		return n;
	start.cgroup = buf_str(&cgroup);
	w->end.pid = start.init.pid;
	w->end.start = (int64_t)start.init.start;
	w->end.started = time_now();
	return container_started(w->f->store, w->f->container, &start);
}

static int open_all(struct watch *w)
{
	const struct spec *spec = w->launch->spec;
	int r;

	w->dir = container_run_dir(w->f->store, w->f->container->row->id);
	if (w->dir < 0)
		return w->dir;
	w->alive = file_lock(w->dir, "alive", FILE_LOCK_EXCLUSIVE, false);
	if (w->alive < 0)
		return w->alive == -EAGAIN ? fail(EBUSY, "the container has a monitor already")
					   : w->alive;
	r = ctl_listen(&w->ctl, w->dir);
	if (r < 0)
		return r;
	w->monitor.want.tty = spec->terminal;
	w->monitor.want.ctl = &w->ctl;
	w->monitor.want.cgroup = &w->running.cgroup;
	w->monitor.want.stop_signal = spec->stop_signal;
	w->monitor.want.stop_timeout = spec->stop_timeout ? spec->stop_timeout * 1000 : -1;
	w->monitor.want.timeout = w->f->timeout;
	r = monitor_open(&w->monitor, w->launch->stdio);
	w->launch->signals = w->monitor.signals;
	return r;
}

/* Until the end, which is written down first of all. */
static int watch(struct watch *w, int *status)
{
	int wait_status = 0, r = 0;

	if (w->launch->spec->terminal)
		r = monitor_set_pty(&w->monitor, take_fd(&w->running.terminal));
	if (r == 0)
		r = monitor_run(&w->monitor, w->running.pid, &wait_status);
	if (r < 0)
		return r;
	*status = w->monitor.timed_out ? STATUS_TIMEOUT : launch_status(wait_status);
	monitor_describe(&w->monitor, wait_status, &w->end);
	w->end.ended = time_now();
	return 0;
}

static void tell_end(struct watch *w)
{
	launch_end(w->launch, &w->running);
	if (container_ended(w->f->store, w->f->container, &w->end, false) < 0) {
		/* Whoever looks next sees that it ended. */
		log_note("%s", fail_text());
		fail_clear();
	}
}

int foreground_run(struct foreground *f, struct launch *l, int *status)
{
	struct watch w = { .f = f, .launch = l, .dir = -1, .alive = -1, .monitor.signals = -1 };
	int r;

	*status = STATUS_OURS;
	ctl_init(&w.ctl);
	l->id = f->container->row->id;
	l->prepared = prepared;
	l->ctx = &w;
	r = open_all(&w);
	if (r == 0)
		r = launch_begin(l, &w.running, status);
	close_ends(l->stdio);
	if (r == 0) {
		container_unlock(f->container);
		r = watch(&w, status);
		tell_end(&w);
	}
	if (w.monitor.signals >= 0)
		monitor_close(&w.monitor);
	ctl_close(&w.ctl);
	if (w.alive >= 0)
		close(w.alive);
	if (w.dir >= 0)
		close(w.dir);
	return r;
}
