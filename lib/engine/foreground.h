/* SPDX-License-Identifier: MIT */
/* foreground - run a container under its caller's eyes: start it, watch it, give its status
 *
 * The caller is its monitor, with the same control socket and exit record as a detached one has. */
#ifndef ENGINE_FOREGROUND_H
#define ENGINE_FOREGROUND_H

#include <stdint.h>

#include "engine/container.h"
#include "engine/launch.h"

struct foreground {
	struct store *store;
	struct container *
		container; /* in state creating or starting, its lock held; given back when it runs */
	int64_t timeout;   /* ms after which it is stopped; 0: never */
	const char *pidfile; /* receives the number of its first process; NULL: none */
};

/* Start L (whose stdio, signals and prepared are set here), pass signals and bytes to it until it ends. 0:
 * *STATUS is its own, 128+N for signal N, 124 after the timeout; a negative errno value and *STATUS as
 * launch_begin: then the container is the caller's to remove. Signals stay blocked afterwards; who calls it ends
 * soon. */
int foreground_run(struct foreground *f, struct launch *l, int *status);

#endif
