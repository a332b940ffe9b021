/* SPDX-License-Identifier: MIT */
/* supervise - the life of a detached container: run, note the end, start again as its policy says
 *
 * qmon does this, one for each container. It writes files and never opens a database: what is to be
 * known there is told by a short-lived child. */
#ifndef ENGINE_SUPERVISE_H
#define ENGINE_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/container.h"
#include "engine/monitor.h"
#include "service/exitrecord.h"

struct supervise_policy {
	enum container_restart restart;
	unsigned max; /* of RESTART_ON_FAILURE; 0: no limit */
};

/* Is what ended as E tells to be started again, after RESTARTS starts of that kind? Not if somebody
 * stopped it. */
bool supervise_again(
	const struct supervise_policy *p, const struct exit_record *e, unsigned restarts);

/* How long to wait before that, docker's way: 100 ms, doubled up to a minute, from the beginning
 * after a run of 10 s. LAST is the wait before the run that ended, 0 if there was none; UP how
 * long that was. All in ns. */
int64_t supervise_delay(int64_t last, int64_t up);

/* What a run is made of. */
struct supervise_hooks {
	/* Start the container: *PID, a child, runs, and the monitor is open. -errno with text: it
	 * could not, and nothing is left; *COUNTS: but it is written down as a run, whose end this is. */
	int (*begin)(void *ctx, struct monitor *m, pid_t *pid, bool *counts);
	/* Give back what begin took, the monitor last. */
	void (*end)(void *ctx, struct monitor *m);
	/* The first begin has come to R; if it failed nothing else is called. */
	void (*ready)(void *ctx, int r);
	/* The run of E is over, its exit files are written. Returns whether it is to be started again,
	 * which it is only if AGAIN. */
	bool (*ended)(void *ctx, const struct exit_record *e, bool again);
};

struct supervise {
	const struct supervise_hooks *hooks;
	void *ctx;
	struct monitor *monitor; /* with want set */
	struct supervise_policy policy;
	const char *id; /* of the container */
	int64_t run;    /* number of the first run */
	int dir, home;  /* where the exit record goes: RUN/c/ID, and the durable place or -1 */
};

/* Run it until it is not to be started again. 0, or what the first begin returned. What fails later
 * is an end with a reason. */
int supervise_run(const struct supervise *s);

#endif
