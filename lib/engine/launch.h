/* SPDX-License-Identifier: MIT */
/* launch - from a spec to a running container and its exit status
 *
 * The caller is its monitor: the container ends when the caller does. */
#ifndef ENGINE_LAUNCH_H
#define ENGINE_LAUNCH_H

#include "engine/image.h"
#include "engine/spec.h"
#include "service/store.h"

struct launch {
	const struct spec *spec;
	/* Where the layers come from: kept from gc until the end. NULL for a root that is a
	 * directory. */
	struct store *store;
	const struct image *image;
};

/* Call before anything else, with the name and the words this program was called with: it may
 * start again from a view of its file that a container cannot write through (see kernel/self.h). */
int launch_protect(const char *name, char *const *args);

/* Start it in the foreground, wait for its end. 0: *STATUS is its own exit status, 128+N for
 * signal N. A negative errno value with text: it did not start, nothing is left, and *STATUS is
 * 125, 126 (cannot execute), 127 (not found), or 128+N if signal N ended the start. Signals stay
 * blocked afterwards; who calls it ends soon. */
int launch_run(const struct launch *l, int *status);

#endif
