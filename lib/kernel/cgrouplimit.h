/* SPDX-License-Identifier: MIT */
/* cgrouplimit - limits in the words of either version, written into one cgroup directory */
#ifndef KERNEL_CGROUPLIMIT_H
#define KERNEL_CGROUPLIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cgroupdev.h"

/* A member that is 0 or NULL was not given: the limit is left as it is. -1 in a signed one: no
 * limit. */
struct cgroup_limits {
	int64_t memory;      /* bytes */
	int64_t memory_swap; /* bytes, memory and swap together; not given: as memory, so no swap */
	int64_t memory_reservation; /* bytes kept as long as others can be taken from */
	int64_t cpu_quota;          /* microseconds in each period */
	uint64_t cpu_period;        /* microseconds */
	uint64_t cpu_shares;        /* 2 to 262144, v1's word; or */
	uint64_t cpu_weight;        /* 1 to 10000, v2's; each is converted for the other version */
	uint64_t blkio_weight;      /* 10 to 1000, v1's word; or */
	uint64_t io_weight;         /* 1 to 10000, v2's */
	const char *cpuset_cpus, *cpuset_mems; /* lists: "0-2,7" */
	int64_t pids;
	const struct cgroup_device *devices; /* not changed by an update */
	size_t device_count;
};

/* In the order of writing. */
enum cgroup_limit {
	CGROUP_LIMIT_MEMORY,
	CGROUP_LIMIT_SWAP,
	CGROUP_LIMIT_RESERVATION,
	CGROUP_LIMIT_CPU_PERIOD,
	CGROUP_LIMIT_CPU_QUOTA,
	CGROUP_LIMIT_CPU_WEIGHT,
	CGROUP_LIMIT_CPUS,
	CGROUP_LIMIT_MEMS,
	CGROUP_LIMIT_PIDS,
	CGROUP_LIMIT_IO,
	CGROUP_LIMIT_DEVICES,
};
#define CGROUP_LIMITS (CGROUP_LIMIT_DEVICES + 1)

/* Its name for people: "memory", "cpu quota". */
const char *cgroup_limit_name(enum cgroup_limit which);

/* The controller (enum cgroup_controller) it needs. */
unsigned cgroup_limit_controller(enum cgroup_limit which);

/* Was it given, or does it follow from one that was? */
bool cgroup_limit_given(enum cgroup_limit which, const struct cgroup_limits *l);

/* -EINVAL, text: values that no kernel could take, or that contradict each other. */
int cgroup_limit_check(const struct cgroup_limits *l);

/* Write it into the directory DIR of either version. -ENOTSUP: this kernel, or the owner of the
 * cgroup above, does not let us; other errors are the value's. Text always. */
int cgroup_limit_write(
	enum cgroup_limit which, const struct cgroup_limits *l, int dir, bool unified);

/* The usual conversions between the versions, ends to ends: shares 2..262144 and weight 1..10000,
 * weight 10..1000 of blkio and 1..10000 of io. A value outside is taken for the nearest end. */
uint64_t cgroup_shares_to_weight(uint64_t shares);
uint64_t cgroup_weight_to_shares(uint64_t weight);
uint64_t cgroup_blkio_to_io(uint64_t weight);
uint64_t cgroup_io_to_blkio(uint64_t weight);

#endif
