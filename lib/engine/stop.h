/* SPDX-License-Identifier: MIT */
/* stop - end a container politely, then by force */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

#include <stdint.h>

#include "engine/container.h"

struct stop_how {
	int signal;      /* 0: the container's own stop signal */
	int64_t timeout; /* ms from that to KILL; -1: the container's own */
};

/* Take the container's lock, send the signal, wait for the end, kill when the time is over. Its monitor does
 * that; when there is none, or it does not answer, we do. The rest of its work, the exit record and removal,
 * is done when this returns. One that does not run is fine. -ETIMEDOUT: it would not die. */
int stop_container(struct store *s, struct container *c, const struct stop_how *how);

#endif
