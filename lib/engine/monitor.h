/* SPDX-License-Identifier: MIT */
/* monitor - look after a running container from outside: signals, terminal, end
 *
 * A terminal is never handed down: whoever has it can type into it as its user (CVE-2017-5226).
 * The container gets a pipe in its place and the monitor carries the bytes. */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

#include <stddef.h>
#include <sys/types.h>

/* One direction between a terminal and a pipe; -1 when there is none, or no more. */
struct relay {
	int from, to;
	size_t start, len; /* what waits in data */
	char data[4096];
};

struct monitor {
	int signals;            /* signalfd */
	struct relay relays[3]; /* of descriptors 0, 1, 2 */
};

/* Block the signals that are passed on and open what is a terminal of 0-2. OTHER receives the
 * container's ends, -1 where it may have our descriptor itself; the caller closes them.
 * monitor_close closes what is ours; the signals stay blocked, so that one that comes late does
 * not change our exit status. */
int monitor_open(struct monitor *m, int other[3]);
void monitor_close(struct monitor *m);

/* Until the child PID ends: pass signals to it, carry bytes. Then carry what its pipes still
 * hold. Its status as waitpid has it. PID is our child and not waited for yet, so its number is
 * its own. A second Ctrl-C kills it. */
int monitor_run(struct monitor *m, pid_t pid, int *status);

#endif
