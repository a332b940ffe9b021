/* SPDX-License-Identifier: MIT */
/* detach - the monitor of one detached container */
#include "engine/detach.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "engine/ctl.h"
#include "engine/supervise.h"
#include "kernel/file.h"
#include "kernel/proc.h"
#include "service/crilog.h"

#define FAILED 2 /* exit status of a child that could not tell */

struct detach {
	struct handover h;
	const struct detach_launcher *launcher;
	void *state;
	int status; /* of a start that failed */
	bool told;  /* run.db knows of the start that goes on */
	struct monitor monitor;
	struct ctl_server ctl;
	struct crilog log;
};

int detach_start(struct store *s, const struct container *c, const struct supervise_policy *policy,
	const char *spec, int *status)
{
	auto_close int dir = container_run_dir(s, c->row->id);
	auto_close int home = dir < 0 ? -1 : container_home(s, c);
	struct handover h = {
		.id = c->row->id,
		.store = s->path,
		.run = c->row->run,
		.policy = *policy,
		.spec = spec,
		.dir = dir,
		.home = home,
	};

	*status = 125;
	if (dir < 0 || home < 0)
		return dir < 0 ? dir : home;
	return handover_start(&h, status);
}

/* --- telling run.db --- */

struct news {
	const struct container_start *start; /* or */
	const struct exit_record *end;
	bool again;
};

static int tell(struct store *s, const struct detach *d, const struct news *n)
{
	auto_container struct container *c = NULL;
	int r = container_find(s, d->h.id, &c);

	if (r < 0)
		return r;
	return n->start ? container_started(s, c, n->start)
			: container_ended(s, c, n->end, n->again);
}

/* What container_started or container_ended return; -EIO if nobody knows. */
static int tell_in_child(const struct detach *d, const struct news *n)
{
	pid_t pid = proc_fork(0, NULL, 0, NULL);
	int status, r;

	if (pid == 0) {
		struct store *s;

		r = store_open(&s, d->h.store, STORE_RUN);
		if (r == 0)
			r = tell(s, d, n);
		_exit(r < 0 ? FAILED : r);
	}
	if (pid < 0)
		return (int)pid;
	r = proc_wait(pid, &status);
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= FAILED)
		return fail(EIO, "note the state of the container in run.db");
	return WEXITSTATUS(status);
}

/* --- runs --- */

static int created(void *ctx, const struct container_start *start)
{
	struct container_start s = *start;
	struct detach *d = ctx;
	int r = proc_identify(&s.monitor, 0);

	if (r == 0)
		r = tell_in_child(d, &(struct news){ .start = &s });
	d->told = r == 0;
	return r;
}

static int begin(void *ctx, struct monitor *m, pid_t *pid, bool *counts)
{
	struct detach *d = ctx;
	int r;

	d->told = false;
	r = d->launcher->begin(d->state, &d->h, m, created, d, pid, &d->status);
	*counts = d->told;
	return r;
}

static void end(void *ctx, struct monitor *m)
{
	struct detach *d = ctx;

	d->launcher->end(d->state, m);
}

static void ready(void *ctx, int r)
{
	struct detach *d = ctx;

	handover_answer(&d->h, r, d->status);
}

/* If run.db cannot be told, the policy still holds: what it says then is repaired from the files. */
static bool ended(void *ctx, const struct exit_record *e, bool again)
{
	const struct detach *d = ctx;
	int r = tell_in_child(d, &(struct news){ .end = e, .again = again });

	fail_clear();
	return r < 0 ? again : r > 0;
}

/* --- life --- */

static int serve(struct detach *d)
{
	static const struct supervise_hooks hooks = { begin, end, ready, ended };
	struct supervise s = {
		.hooks = &hooks,
		.ctx = d,
		.monitor = &d->monitor,
		.policy = d->h.policy,
		.id = d->h.id,
		.run = d->h.run,
		.dir = d->h.dir,
		.home = d->h.home,
	};
	auto_close int alive = file_lock(d->h.dir, "alive", FILE_LOCK_EXCLUSIVE, false);
	int r = alive;

	if (alive == -EAGAIN)
		return fail(EBUSY, "the container has a monitor already");
	if (r >= 0)
		r = ctl_listen(&d->ctl, d->h.dir);
	if (r < 0)
		return r;
	crilog_init(&d->log, d->h.home);
	memset(&d->monitor.want, 0, sizeof(d->monitor.want));
	d->monitor.want.log = &d->log;
	d->monitor.want.ctl = &d->ctl;
	r = supervise_run(&s);
	crilog_close(&d->log);
	ctl_close(&d->ctl);
	return r;
}

int detach_serve(int fd, const struct detach_launcher *launcher, void *state)
{
	struct detach d; /* not set to zero: most of it is buffers that are never touched */
	int r;

	signal(SIGPIPE, SIG_IGN);
	d.launcher = launcher;
	d.state = state;
	d.status = 125;
	d.told = false;
	r = handover_receive(&d.h, fd);
	if (r == 0)
		r = serve(&d);
	if (r < 0)
		handover_answer(&d.h, r, d.status);
	handover_free(&d.h);
	return r;
}
