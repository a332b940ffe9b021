/* SPDX-License-Identifier: MIT */
/* handover - from the command that starts a detached container to its monitor (FORMATS 3.8)
 *
 * The monitor is this program run again as qmon, in a session of its own. What it needs comes in one
 * sealed file in memory and in descriptors that are named there; it answers once, when the
 * container runs or cannot. */
#ifndef ENGINE_HANDOVER_H
#define ENGINE_HANDOVER_H

#include <stdint.h>

#include "base/json.h"
#include "engine/supervise.h"

struct handover {
	const char *id;    /* of the container */
	const char *store; /* path of the store; NULL: the default */
	int64_t run;       /* number of its first run */
	struct supervise_policy policy;
	const char *spec; /* JSON of what to run */
	int dir, home;    /* RUN/c/ID and the place of its files, which may be the same directory */

	/* Of who receives it. */
	int ready;         /* where the answer goes; -1 when it was given */
	struct json *json; /* holds the strings */
	char *spec_text;
};

/* Start the monitor and wait for its answer. 0: the container runs. Else *STATUS is 125, 126 or 127
 * and the text is recorded; the monitor has ended. Signals and descriptors besides those named are not
 * inherited. */
int handover_start(const struct handover *h, int *status);

/* In the monitor: take over what came in FD, which is closed. -EPERM, -EBADMSG: this was not started
 * by us. handover_free in any case. */
int handover_receive(struct handover *out, int fd);
void handover_free(struct handover *h);

/* Answer that the container runs (R is 0), or what is recorded and that STATUS stands for. Once. */
void handover_answer(struct handover *h, int r, int status);

#endif
