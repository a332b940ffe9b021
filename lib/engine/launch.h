/* SPDX-License-Identifier: MIT */
/* launch - from a spec to a running container
 *
 * What is made here is undone here: launch_begin leaves nothing behind when it fails, launch_end
 * takes away what a container leaves. Watching it in between is the monitor's. */
#ifndef ENGINE_LAUNCH_H
#define ENGINE_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/image.h"
#include "engine/spec.h"
#include "kernel/cgroup.h"
#include "service/store.h"

/* A container that runs. */
struct running {
	pid_t pid;    /* of its first process, our child */
	int terminal; /* master of its terminal, nonblocking; -1 without one */
	struct cgroup cgroup;
	int64_t lease;
};

struct launch {
	const struct spec *spec;
	const char *id; /* of the container, for the name of its cgroup; NULL: a random one */
	/* Where the layers come from: kept from gc until launch_end. NULL for a root that is a directory. */
	struct store *store;
	const struct image *image;
	int stdio[3]; /* become descriptors 0, 1, 2; -1: as they are. Not used with a terminal */
	int signals;  /* signalfd: one of those that end programs ends the start; -1: none */
	int console; /* a terminal goes there instead (a connected UNIX socket); -1: to running.terminal */
	int wait; /* O_PATH of a FIFO: the program runs when somebody opens it for reading; -1: at once */
	bool stays; /* the container outlives this process; else it ends with it */
	/* Called once, when the first process exists and before its program runs: write down what it is. A
	 * negative result ends the start. NULL: nothing to do. */
	int (*prepared)(void *ctx, const struct running *r);
	void *ctx;
};

/* All that is optional is left out. */
void launch_init(struct launch *l, const struct spec *spec);

/* Call before anything else, with the name and the words this program was called with: it may
 * start again from a view of its file that a container cannot write through (see kernel/self.h). */
int launch_protect(const char *name, char *const *args);

/* Start it. 0: the program runs (or waits for the FIFO). A negative errno value with text: it did not start,
 * nothing is left, and *STATUS is 125, 126 (cannot execute), 127 (not found), or 128+N if signal N ended the
 * start. */
int launch_begin(const struct launch *l, struct running *out, int *status);

/* After the first process was waited for: take away what is left, also processes. */
void launch_end(const struct launch *l, struct running *r);

/* 128+N for signal N, else the status: what a shell shows for STATUS as waitpid has it. */
int launch_status(int status);

#endif
