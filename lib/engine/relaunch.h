/* SPDX-License-Identifier: MIT */
/* relaunch - make a detached container of its spec, as often as it is started */
#ifndef ENGINE_RELAUNCH_H
#define ENGINE_RELAUNCH_H

#include <stdbool.h>

#include "engine/detach.h"
#include "engine/launch.h"
#include "engine/spec.h"

/* All zero in the beginning. */
struct relaunch {
	bool parsed;
	struct spec spec;
	struct launch launch;
	struct running running;
	/* Of the start that goes on. */
	int (*created)(void *ctx, const struct container_start *start);
	void *ctx;
};
void relaunch_free(struct relaunch *r);

/* Takes a struct relaunch for its state. */
extern const struct detach_launcher relaunch_launcher;

#endif
