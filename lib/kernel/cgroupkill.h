/* SPDX-License-Identifier: MIT */
/* cgroupkill - the processes of a cgroup: list, freeze, thaw, kill
 *
 * Cgroups that the processes made inside are part of it. */
#ifndef KERNEL_CGROUPKILL_H
#define KERNEL_CGROUPKILL_H

#include <stdbool.h>

#include "base/buf.h"
#include "kernel/cgroup.h"

/* Append the numbers (pid_t) of all processes; one may be there twice. Those of another pid
 * namespace have none and are left out. */
int cgroup_pids(const struct cgroup *cg, struct buf *out);

/* Stop all processes, and wait until they are (at most 2 s, then they are thawed again:
 * -ETIMEDOUT). -ENOTSUP, text: neither v2 (Linux 5.2) nor v1's freezer is here. */
int cgroup_freeze(const struct cgroup *cg);

/* Let them go on. */
int cgroup_thaw(const struct cgroup *cg);

/* Was freeze said last, or is it being done? */
bool cgroup_is_frozen(const struct cgroup *cg);

/* Kill all processes, also frozen ones and those that fork faster than one can look. The caller must
 * not be one of them. They have the signal when this returns, and end soon after: cgroup_destroy
 * waits for that. */
int cgroup_kill(const struct cgroup *cg);

#endif
