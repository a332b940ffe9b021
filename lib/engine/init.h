/* SPDX-License-Identifier: MIT */
/* init - process 1 of a container or a machine: start one program, pass signals on, reap
 *
 *	pid = init_start(&init);
 *	if (pid == 0)
 *		exec, or _exit;
 *	status = init_wait(&init);
 *
 * It sleeps in one system call and wakes for a signal only. Nothing here allocates memory. */
#ifndef ENGINE_INIT_H
#define ENGINE_INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct init {
	bool group;       /* signals go to the program's whole process group */
	bool subreaper;   /* orphans come here although this is not process 1 */
	int death_signal; /* what arrives when our parent ends; 0: nothing */
	bool warn;        /* say which orphans were reaped */
	int verbosity;    /* 0 failures, 1 warnings, 2 start and end, 3 each signal and orphan */
	bool machine;     /* TERM and INT end the program, in 10 s at most, and are kept in "end" */
	uint64_t success[4]; /* a set of bits: statuses that become 0 */

	int end; /* out, with MACHINE: the signal that asked for the end, else 0 */
	/* Private. */
	pid_t child;
	bool terminal; /* descriptor 0 is our controlling terminal */
};

/* Block all signals and fork. 0 in the child: it leads a process group of its own, in the foreground
 * if descriptor 0 is a terminal whose foreground was ours, and its signals are as after boot. The
 * parent gets its pid and has closed every descriptor above 2. A negative errno value with text:
 * nothing was started. */
pid_t init_start(struct init *init);

/* Pass signals on and reap until the program ends; returns its exit status, 128+N for signal N.
 * Signals stay blocked: the caller ends soon. */
int init_wait(struct init *init);

#endif
