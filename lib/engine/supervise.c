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

static void fail_start(struct exit_record *e)
{
	e->reason = REASON_START_FAILED;
	e->code = 125;
	snprintf(e->error, sizeof(e->error), "%s", fail_text());
	e->ended = time_now();
}

/* A run up to its end, which *E tells. */
static void watch(const struct supervise *s, pid_t pid, struct exit_record *e)
{
	struct monitor *m = s->monitor;
	struct proc_id id;
	int status = 0;

	e->started = time_now();
	e->pid = pid;
	if (proc_identify(&id, pid) == 0)
		e->start = (int64_t)id.start;
	if (monitor_run(m, pid, &status) < 0)
		exitrecord_set_lost(e);
	else
		monitor_describe(m, status, e);
	e->ended = time_now();
	s->hooks->end(s->ctx, m);
}

static bool tell(const struct supervise *s, const struct exit_record *e, bool again)
{
	save(s, e);
	return s->hooks->ended(s->ctx, e, again) && again;
}

/* The first start has failed as R and the recorded text say: whoever waits for that answer may remove the
 * container as soon as it comes, so the run is over before. */
static void refuse_start(const struct supervise *s, const struct exit_record *e, int r, bool counts)
{
	auto_buf struct buf text = { 0 }, hint = { 0 };

	if (counts) {
		buf_puts(&text, fail_text());
		buf_puts(&hint, fail_hint_text());
		tell(s, e, false);
		fail(-r, "%s", buf_str(&text));
		if (hint.len)
			fail_hint(r, "%s", buf_str(&hint));
	}
	s->hooks->ready(s->ctx, r);
}

/* Stopped while it waited for its next run, which then is over before it began; people see how the last
 * one ended. */
static void end_waiting(const struct supervise *s, struct exit_record *last, int64_t run)
{
	last->run = run;
	last->reason = REASON_STOPPED;
	last->pid = last->start = last->started = 0;
	last->ended = time_now();
	tell(s, last, false);
}

int supervise_run(const struct supervise *s)
{
	struct monitor *m = s->monitor;
	struct exit_record e, last = { 0 };
	int64_t delay = 0, run = s->run;

	for (unsigned restarts = 0;; restarts++) {
		int64_t begun = time_mono();
		bool again, counts = false;
		pid_t pid;
		int r;

		init_record(s, &e, run);
		r = s->hooks->begin(s->ctx, m, &pid, &counts);
		if (r < 0)
			fail_start(&e);
		if (r < 0 && restarts == 0) {
			refuse_start(s, &e, r, counts);
			return r;
		}
		if (restarts == 0)
			s->hooks->ready(s->ctx, 0);
		if (r == 0)
			watch(s, pid, &e);
		again = supervise_again(&s->policy, &e, restarts);
		/* A start that failed before it was written down, and is tried again, is no run. */
		if (r == 0 || counts || !again) {
			again = tell(s, &e, again);
			last = e;
			run++;
		}
		if (!again)
			return 0;
		delay = supervise_delay(delay, time_mono() - begun);
		if (monitor_pause(m, delay) < 0 || m->stopping) {
			end_waiting(s, &last, run);
			return 0;
		}
	}
}
