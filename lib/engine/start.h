/* SPDX-License-Identifier: MIT */
/* start - the way of the new process from the clone to the container's program
 *
 * It is alone in new namespaces, and what it does is a table of steps: startfs.c makes the root
 * and moves into it, startproc.c makes the process what the spec says. Nothing needs to be
 * undone: all of it goes with the namespaces. A step that fails is told to the parent in one
 * record (FORMATS 3.3), and the parent makes the sentence. The process never returns to its
 * caller. */
#ifndef ENGINE_START_H
#define ENGINE_START_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "engine/spec.h"
#include "format/passwd.h"
#include "kernel/record.h"
#include "kernel/seccomp.h"

enum start_step {
	STEP_ISOLATE,
	STEP_SESSION,
	STEP_CGROUP,
	STEP_ROOT,
	STEP_MOUNTS,
	STEP_DEVICES,
	STEP_TERMINAL,
	STEP_SYSCTLS,
	STEP_MASKS,
	STEP_USER,
	STEP_WORKDIR,
	STEP_LIMITS,
	STEP_GATE,
	STEP_PIVOT,
	STEP_HOSTNAME,
	STEP_NETWORK,
	STEP_KEYRING,
	STEP_CREDENTIALS,
	STEP_CHDIR,
	STEP_WAIT,
	STEP_EXEC,
	STEP_COUNT,
};

enum start_hint {
	HINT_NONE,
	HINT_LINK,    /* the tree has a link or a file where something must be mounted */
	HINT_OVERLAY, /* the kernel lacks it */
	HINT_KERNEL,  /* the same for another file system */
	HINT_INITRAMFS,
	HINT_ROOT, /* a mount on "/" */
	HINT_PROC, /* a mount on or below /proc */
	HINT_USER, /* not in the image's files */
	HINT_USER_FORM,
	HINT_USER_FILE,   /* the files themselves are not what they should be */
	HINT_OUTSIDE,     /* the working directory is not in the root */
	HINT_INTERPRETER, /* the program is there, what runs it is not */
	HINT_COUNT,
};

#define START_FD_PATH 32

/* All that the steps share. The parent sets the first part; -1 is no descriptor. */
struct start {
	const struct spec *spec;
	int report;  /* where the record goes */
	int gate;    /* gives one byte when the parent has done its part */
	int console; /* socket that gets the master of a terminal */
	int wait; /* O_PATH of a FIFO: before the program runs, somebody must open it for reading */
	int stdio[3]; /* what becomes descriptor 0, 1, 2; -1: it stays as it is */
	bool placed;  /* the process began its life in its cgroup */
	bool stays;   /* it outlives its parent */
	const struct seccomp_program *filter; /* NULL: none */

	bool unified; /* the host has nothing but cgroup v2 */
	bool told, own_cgroup;
	int source;   /* spec->root.dir */
	int upper;    /* spec->root.upper */
	int *sources; /* of the mounts that are binds */
	int root;     /* the assembled root */
	int null;     /* a null device made by us */
	int empty;    /* an empty read-only directory, once one was needed */
	int workdir;
	struct passwd_user user;
	/* Of the step that failed: */
	char object[PATH_MAX];
	enum start_hint hint;
	unsigned status; /* exit status; 0 stands for 125 */
};

/* All descriptors -1, for SPEC. */
void start_init(struct start *s, const struct spec *spec);

/* Run the steps. In the child, right after proc_fork with the spec's namespaces, REPORT and STDIO
 * kept. */
NORETURN void start_run(struct start *s);

/* Record the text and hint of E, which record_recv has checked. Returns its negative errno value. */
int start_describe(const struct start_error *e);

/* Name what a step works on, for the record; returns -ERR. */
int start_failed(struct start *s, int err, const char *object);

/* The path of the descriptor FD in this process. */
const char *start_fd_path(char out[START_FD_PATH], int fd);

/* The steps of startfs.c, */
int start_isolate(struct start *s);
int start_cgroup(struct start *s);
int start_root(struct start *s);
int start_user(struct start *s);
int start_workdir(struct start *s);
int start_gate(struct start *s);
int start_pivot(struct start *s);

/* startmnt.c, */
int start_mounts(struct start *s);
int start_devices(struct start *s);
int start_terminal(struct start *s);
int start_sysctls(struct start *s);
int start_masks(struct start *s);

/* and of startproc.c. start_exec returns only on failure. */
int start_session(struct start *s);
int start_limits(struct start *s);
int start_hostname(struct start *s);
int start_network(struct start *s);
int start_keyring(struct start *s);
int start_credentials(struct start *s);
int start_chdir(struct start *s);
int start_wait(struct start *s);
int start_exec(struct start *s);

#endif
