/* SPDX-License-Identifier: MIT */
/* supervise - the life of a detached container */
#include "engine/supervise.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/time.h"
#include "kernel/fd.h"

#define DELAY_FIRST (NS_PER_S / 10)
#define DELAY_MAX   (60 * NS_PER_S)
#define UP_ENOUGH   (10 * NS_PER_S)

bool supervise_again(
	const struct supervise_policy *p, const struct exit_record *e, unsigned restarts)
{
	if (e->reason == REASON_STOPPED)
		return false;
	switch (p->restart) {
	case RESTART_NO: return false;
	case RESTART_ON_FAILURE: return e->code != 0 && (p->max == 0 || restarts < p->max);
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED: return true;
	}
	return false;
}

int64_t supervise_delay(int64_t last, int64_t up)
{
	if (last == 0 || up >= UP_ENOUGH)
		return DELAY_FIRST;
	return last >= DELAY_MAX / 2 ? DELAY_MAX : 2 * last;
}

/* Where the run is looked for afterwards; one place that is full or gone does not spoil the other. */
static void save(const struct supervise *s, const struct exit_record *e)
{
	auto_buf struct buf text = { 0 };
	bool saved = exitrecord_save(s->dir, e) == 0;

	if (s->home >= 0 && exitrecord_save(s->home, e) < 0)
		fail_clear();
	if (!s->monitor->want.ctl)
		return;
	/* What was written is what those who wait are told. */
	if (!saved || fd_read_file(s->dir, "exit", &text, CTL_LINE / 2) < 0) {
		fail_clear();
		return;
	}
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	ctl_notify_exit(s->monitor->want.ctl, buf_str(&text));
}

static void init_record(const struct supervise *s, struct exit_record *e, int64_t run)
{
	memset(e, 0, sizeof(*e));
	strncpy(e->id, s->id, sizeof(e->id) - 1);
	e->run = run;
	e->known = true;
	if (proc_boot_id(e->boot) < 0)
		fail_clear(); /* no /proc any more: the end matters more */
}

/* One run. The result of begin; *E is how it ended in any case. */
static int run_once(const struct supervise *s, struct exit_record *e, bool first)
{
	struct monitor *m = s->monitor;
	struct proc_id id;
	int status = 0, r;
	pid_t pid;

	r = s->hooks->begin(s->ctx, m, &pid);
	if (first)
		s->hooks->ready(s->ctx, r);
	if (r < 0) {
		e->reason = REASON_START_FAILED;
		e->code = 125;
		snprintf(e->error, sizeof(e->error), "%s", fail_text());
		e->ended = time_now();
		return r;
	}
	e->started = time_now();
	e->pid = pid;
	if (proc_identify(&id, pid) == 0)
		e->start = (int64_t)id.start;
	r = monitor_run(m, pid, &status);
	e->ended = time_now();
	monitor_describe(m, status, e);
	if (r < 0)
		exitrecord_set_lost(e);
	s->hooks->end(s->ctx, m);
	return 0;
}

/* Stopped while it waited for its next run, which then is over before it began. */
static void end_waiting(const struct supervise *s, struct exit_record *e, int64_t run)
{
	e->run = run;
	e->reason = REASON_STOPPED;
	e->pid = e->start = e->started = 0;
	e->ended = time_now();
	save(s, e);
	s->hooks->ended(s->ctx, e, false);
}

int supervise_run(const struct supervise *s)
{
	struct monitor *m = s->monitor;
	int64_t delay = 0, run = s->run;

	for (unsigned restarts = 0;; restarts++) {
		struct exit_record e;
		int64_t begun = time_mono();
		bool again;
		int r;

		init_record(s, &e, run);
		r = run_once(s, &e, restarts == 0);
		if (r < 0 && restarts == 0)
			return r;
		again = supervise_again(&s->policy, &e, restarts);
		/* A start that failed and is tried again is no run of its own. */
		if (r == 0 || !again) {
			save(s, &e);
			again = s->hooks->ended(s->ctx, &e, again) && again;
			run++;
		}
		if (!again)
			return 0;
		delay = supervise_delay(delay, time_mono() - begun);
		r = monitor_pause(m, delay);
		if (r < 0 || m->stopping) {
			end_waiting(s, &e, run);
			return 0;
		}
	}
}
