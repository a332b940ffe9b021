/* SPDX-License-Identifier: MIT */
/* detach - the monitor of one detached container, from hand-over to its last end
 *
 * It holds c/ID/alive for its life, serves the control socket, keeps the log and the exit records.
 * run.db is told by short-lived children, so that none of its pages stay with us. */
#ifndef ENGINE_DETACH_H
#define ENGINE_DETACH_H

#include "engine/container.h"
#include "engine/handover.h"
#include "engine/monitor.h"

/* In the command that starts it: start the monitor of C, which is in state creating or starting and whose spec
 * is the JSON text SPEC, and wait until it runs. Else *STATUS is 125, 126 or 127, and what becomes of C is the
 * caller's to say, after it has told the user. Hold its lock. */
int detach_start(struct store *s, const struct container *c, const struct supervise_policy *policy,
	const char *spec, int *status);

/* How the container is made. */
struct detach_launcher {
	/* Set what else M is to want besides its log and its control socket, open it, make the container
	 * that H->spec tells of, and call CREATED when its first process is there and has not executed
	 * anything yet; if that fails, so does the start. *PID is that process. Else a negative errno
	 * value with text, nothing is left, and *STATUS is 125, 126 or 127. */
	int (*begin)(void *state, const struct handover *h, struct monitor *m,
		int (*created)(void *ctx, const struct container_start *start), void *ctx,
		pid_t *pid, int *status);
	/* Give back what begin took, M closed last. */
	void (*end)(void *state, struct monitor *m);
};

/* Take over what came in FD, run the container, answer, go on until it is not started again. 0, or what is
 * recorded if it never ran; the starting command knows that by then. */
int detach_serve(int fd, const struct detach_launcher *launcher, void *state);

#endif
