/* SPDX-License-Identifier: MIT */
/* cgrouphost - which cgroup hierarchies there are, and where a process is in them
 *
 * What is mounted decides, never the name of a directory: v2 alone, v1 (a tree for each controller
 * or for several), both at once (hybrid: the v2 tree may own some controllers or none), or
 * nothing. */
#ifndef KERNEL_CGROUPHOST_H
#define KERNEL_CGROUPHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_CPUACCT, /* v1 only */
	CGROUP_CPUSET,
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_IO,      /* "blkio" on v1 */
	CGROUP_DEVICES, /* v1 only; a program in its place on v2 */
	CGROUP_FREEZER, /* v1 only; part of every v2 cgroup since Linux 5.2 */
};
#define CGROUP_CONTROLLERS (CGROUP_FREEZER + 1)
#define CGROUP_BIT(c)      (1u << (c))

struct cgroup_tree {
	bool unified;         /* v2 */
	bool outside;         /* the process is not below what is mounted; own is "" */
	unsigned controllers; /* v1: CGROUP_BIT of those it carries; v2: 0, each directory tells */
	char *mount;          /* mount point */
	char *own;            /* the process's cgroup below the mount point: "" or "/a/b" */
};

#define CGROUP_TREES_MAX (CGROUP_CONTROLLERS + 1)

/* All zero is a host without any. Trees without a controller of ours (name=systemd) are left
 * out. */
struct cgroup_host {
	struct cgroup_tree tree[CGROUP_TREES_MAX];
	size_t count;
};
#define auto_cgroup_host __attribute__((cleanup(cgroup_host_free)))

/* Look at the mounts of this process and the place of PID (0: of this process). -ESRCH. No
 * cgroup file system: 0 and no tree. */
int cgroup_host_load(struct cgroup_host *out, pid_t pid);

/* The same from the bytes of mountinfo and /proc/PID/cgroup. USABLE (NULL: all are) says whether
 * a mount point still shows the file system DEV, which it does not where something is mounted
 * over it. */
struct cgroup_text {
	const char *mounts, *place;
	size_t mounts_len, place_len;
};
int cgroup_host_parse(struct cgroup_host *out, const struct cgroup_text *text,
	bool (*usable)(const char *mount, dev_t dev));

void cgroup_host_free(struct cgroup_host *host);

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum cgroup_kind cgroup_host_kind(const struct cgroup_host *host);

/* The tree that has the v1 controller, or the v2 tree; NULL if there is none. */
const struct cgroup_tree *cgroup_host_v1(const struct cgroup_host *host, enum cgroup_controller c);
const struct cgroup_tree *cgroup_host_unified(const struct cgroup_host *host);

/* The kernel's name of a controller; NULL where that version has none. */
const char *cgroup_controller_name(enum cgroup_controller c, bool unified);

/* CGROUP_BIT of every controller named in a list with SEPARATOR; unknown words are nothing. */
unsigned cgroup_controller_parse(const char *list, size_t len, char separator, bool unified);

#endif
