/* SPDX-License-Identifier: MIT */
/* monitor - look after a running container from outside: signals, terminal, output, stop, end
 *
 * The same loop serves a command in the foreground and the supervisor of a detached container;
 * they differ in where the bytes go.
 *
 * A terminal is never handed down: whoever has it can type into it as its user (CVE-2017-5226).
 * The container gets a pipe in its place, or a new terminal of its own, and the monitor carries
 * the bytes. */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/ctl.h"
#include "kernel/cgroup.h"
#include "kernel/pty.h"
#include "service/crilog.h"
#include "service/exitrecord.h"

/* One direction; -1 when there is none, or no more. */
struct relay {
	int from, to;
	enum crilog_stream stream; /* when to is the log; else 0 */
	bool typed;                /* an end of file becomes what one types for it */
	size_t start, len;         /* what waits in data */
	char data[4096];           /* PIPE_BUF: a pipe that poll finds writable takes it whole */
};

struct monitor {
	/* The caller's, before monitor_open. All zero: a command in the foreground. */
	struct {
		bool tty;      /* the container has a terminal of its own, see monitor_set_pty */
		bool no_input; /* its standard input is empty */
		struct crilog *log;     /* what it prints goes here, not to our 1 and 2; implies
		                           no_input */
		struct ctl_server *ctl; /* serve this */
		const struct cgroup *cgroup; /* kill and signal all that is in there */
		int stop_signal;             /* 0: TERM */
		int64_t stop_timeout; /* ms from that to KILL; 0: 10 s, less than 0: at once */
		int64_t timeout;      /* stop it after so many ms; 0: never */
	} want;

	/* What is to be known afterwards. */
	bool stopping;  /* somebody asked for a stop, by the control socket */
	bool timed_out; /* want.timeout */

	/* Private. */
	int signals;            /* signalfd */
	struct relay relays[3]; /* of descriptors 0, 1, 2 */
	struct pty_saved saved;
	pid_t pid; /* 0: nothing runs */
	bool ended;
	int status;
	unsigned interrupts;      /* Ctrl-C so far */
	int64_t kill_at, stop_at; /* CLOCK_BOOTTIME; 0: never */
};

/* Block the signals that are passed on and open what the bytes go through. OTHER receives the
 * container's ends of 0-2, -1 where it may have our descriptor itself; the caller closes them.
 * With want.tty all are -1: it has its terminal. monitor_close closes what is ours; the signals
 * stay blocked, so that one that comes late does not change our exit status. */
int monitor_open(struct monitor *m, int other[3]);
void monitor_close(struct monitor *m);

/* The container's terminal is MASTER, which then is the monitor's, also on failure. Between
 * monitor_open and monitor_run. */
int monitor_set_pty(struct monitor *m, int master);

/* Until the child PID ends: pass signals to it, carry bytes, serve the control socket. Then carry
 * what its pipes still hold. Its status as waitpid has it. PID is our child and not waited for yet,
 * so its number is its own. A second Ctrl-C kills it. Our terminal is raw only in between. */
int monitor_run(struct monitor *m, pid_t pid, int *status);

/* Fill in how a run that ended with STATUS ended: what exitrecord_set_status does, and what is known
 * of stops, time limits and memory. Before the cgroup is destroyed. */
void monitor_describe(const struct monitor *m, int status, struct exit_record *e);

/* Between two runs, when the monitor is closed: serve the control socket for NS, or until
 * m->stopping. A signal that would end a command counts as a stop. */
int monitor_pause(struct monitor *m, int64_t ns);

#endif
