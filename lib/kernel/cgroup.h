/* SPDX-License-Identifier: MIT */
/* cgroup - the cgroup of a container: one directory in each hierarchy that is needed
 *
 * create, add, ..., destroy. Nothing is joined that no limit needs, but for one hierarchy that
 * lists, freezes and kills: the v2 tree where there is one, else v1's freezer. */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "kernel/cgrouphost.h"
#include "kernel/cgrouplimit.h"

struct cgroup_part {
	int fd;               /* -1: the directory is gone */
	bool unified;         /* v2 */
	unsigned controllers; /* CGROUP_BIT of those that can be used in it */
	char *path;           /* absolute */
	size_t keep;          /* so many bytes of path were there before us, or are not ours */
};

/* All zero is one without a directory: everything succeeds on it and does nothing. */
struct cgroup {
	struct cgroup_part part[CGROUP_TREES_MAX];
	size_t count;
	unsigned unenforced; /* 1u << enum cgroup_limit: given, but not possible here */
};
#define auto_cgroup __attribute__((cleanup(cgroup_close)))

enum {
	CGROUP_BEST_EFFORT = 1, /* go on without a limit that is not possible here */
	CGROUP_ACCOUNT = 2,     /* also join what counts cpu time, memory and processes, if there */
};

/* Make a cgroup with LIMITS. HOST is that of this process.
 *
 * A PATH that begins with '/' counts from the top of each hierarchy, and only its last part is
 * ours to remove. Any other one is below our own cgroup, and all of it is ours ("qbox/ID"). On
 * v2 a cgroup that has processes cannot hand controllers down, so if ours has, PATH is below the
 * nearest cgroup above it that can; a limit is not possible where none can. Where our own place
 * is not visible, its top is taken.
 *
 * -EEXIST: PATH is there already. -ENOTSUP, text: a limit, named, cannot be enforced, and FLAGS
 * has no CGROUP_BEST_EFFORT. -EACCES, -EPERM, -EROFS: no cgroup may be made here. After a
 * failure nothing is left, in the kernel and in *OUT. */
int cgroup_create(struct cgroup *out, const struct cgroup_host *host, const char *path,
	const struct cgroup_limits *limits, unsigned flags);

/* Change what is given in LIMITS, except devices. Errors and FLAGS as above; a limit that failed
 * and those after it (enum cgroup_limit) are as they were. */
int cgroup_update(struct cgroup *cg, const struct cgroup_limits *limits, unsigned flags);

/* Move process PID into it. CLONED: it was made with CLONE_INTO_CGROUP and cgroup_fd, so only v1
 * hierarchies are left. A move waits 6-12 ms in the kernel, however many hierarchies follow at
 * once; do something meanwhile. */
int cgroup_add(const struct cgroup *cg, pid_t pid, bool cloned);

/* Descriptor of the v2 directory for CLONE_INTO_CGROUP, owned by CG; -1: there is none. */
int cgroup_fd(const struct cgroup *cg);

/* Where it is, as text for a state file; and opened again from that. What is gone meanwhile is
 * not an error. -EBADMSG, text: not such a text, or a place that is no cgroup. */
void cgroup_format(const struct cgroup *cg, struct buf *out);
int cgroup_open(struct cgroup *out, const char *text);

/* The cgroups that the process of HOST is in, to add another process there. destroy does nothing
 * to it. */
int cgroup_open_place(struct cgroup *out, const struct cgroup_host *host);

/* Release memory and descriptors; the cgroup stays. */
void cgroup_close(struct cgroup *cg);

/* Remove it, with what its processes made inside and the parents that are ours and empty; waits
 * up to 5 s for processes to be gone. Already gone: 0. -EBUSY, text: there are still some.
 * Closes nothing. */
int cgroup_destroy(const struct cgroup *cg);

/* How many kills there were because memory ran out; on v2 one process may count twice, so what
 * matters is whether there was one. -ENODATA, no text: nobody counts. Ask before destroy. */
int64_t cgroup_oom_kills(const struct cgroup *cg);

struct cgroup_stats {
	int64_t cpu_ns, memory, cache,
		pids; /* bytes; cache is the part of memory that is easily dropped;
                                              -1: not known here */
};
void cgroup_get_stats(const struct cgroup *cg, struct cgroup_stats *out);

#endif
