/* SPDX-License-Identifier: MIT */
/* cgroupdev - which devices the processes of a cgroup may use
 *
 * A list of rules as the OCI runtime specification has it: nothing is allowed at first, each rule
 * changes that for what it matches, and of each kind of access the last rule that matches
 * decides. */
#ifndef KERNEL_CGROUPDEV_H
#define KERNEL_CGROUPDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CGROUP_MKNOD = 1, CGROUP_READ = 2, CGROUP_WRITE = 4, CGROUP_RWM = 7 };

struct cgroup_device {
	bool allow;
	char type;            /* 'b', 'c', or 'a' for both */
	int32_t major, minor; /* -1: any */
	unsigned access;      /* CGROUP_READ and so on */
};

#define CGROUP_DEVICES_MAX 256

/* Do the rules forbid anything? Not if there are none or the last one allows everything. */
bool cgroup_devices_restrict(const struct cgroup_device *rules, size_t count);

/* Apply them to the v1 cgroup DIR. -ENOTSUP, text: v1 cannot say it (a rule that takes back a
 * part of a wider one). -EPERM: the cgroup above allows less. */
int cgroup_devices_write(int dir, const struct cgroup_device *rules, size_t count);

/* Attach them to the v2 cgroup DIR as a program; programs of the cgroups above hold too. Before
 * the first process is in it. Needs CAP_NET_ADMIN and CAP_BPF (CAP_SYS_ADMIN before Linux 5.8)
 * in the first user namespace, else -EPERM; -ENOTSUP: the kernel has no such programs
 * (CONFIG_CGROUP_BPF). */
int cgroup_devices_attach(int dir, const struct cgroup_device *rules, size_t count);

#endif
