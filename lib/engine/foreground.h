/* SPDX-License-Identifier: MIT */
/* foreground - run a container under its caller's eyes: start it, watch it, give its status */
#ifndef ENGINE_FOREGROUND_H
#define ENGINE_FOREGROUND_H

#include "engine/launch.h"

/* Start L (whose stdio and signals are set here), pass signals and bytes to it until it ends. 0: *STATUS is its
 * own, 128+N for signal N; a negative errno value and *STATUS as launch_begin. Signals stay blocked afterwards;
 * who calls it ends soon. */
int foreground_run(struct launch *l, int *status);

#endif
