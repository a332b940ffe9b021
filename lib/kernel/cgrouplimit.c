/* SPDX-License-Identifier: MIT */
/* cgrouplimit - limits in the words of either version, written into one cgroup directory */
#include "kernel/cgrouplimit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/str.h"
#include "kernel/cgroupfile.h"
#include "kernel/cgrouphost.h"

/* A second file is the same thing for the bfq scheduler; whichever is there is written. */
static const struct {
	const char *name;
	enum cgroup_controller controller;
	const char *v1[2], *v2[2];
} rows[CGROUP_LIMITS] = {
	[CGROUP_LIMIT_MEMORY] = { "memory", CGROUP_MEMORY, { "memory.limit_in_bytes" },
		{ "memory.max" } },
	[CGROUP_LIMIT_SWAP] = { "memory swap", CGROUP_MEMORY, { "memory.memsw.limit_in_bytes" },
		{ "memory.swap.max" } },
	[CGROUP_LIMIT_RESERVATION] = { "memory reservation", CGROUP_MEMORY,
		{ "memory.soft_limit_in_bytes" }, { "memory.low" } },
	[CGROUP_LIMIT_CPU_PERIOD] = { "cpu period", CGROUP_CPU, { "cpu.cfs_period_us" },
		{ "cpu.max" } },
	[CGROUP_LIMIT_CPU_QUOTA] = { "cpu quota", CGROUP_CPU, { "cpu.cfs_quota_us" },
		{ "cpu.max" } },
	[CGROUP_LIMIT_CPU_WEIGHT] = { "cpu weight", CGROUP_CPU, { "cpu.shares" },
		{ "cpu.weight" } },
	[CGROUP_LIMIT_CPUS] = { "cpuset cpus", CGROUP_CPUSET, { "cpuset.cpus" },
		{ "cpuset.cpus" } },
	[CGROUP_LIMIT_MEMS] = { "cpuset mems", CGROUP_CPUSET, { "cpuset.mems" },
		{ "cpuset.mems" } },
	[CGROUP_LIMIT_PIDS] = { "pids", CGROUP_PIDS, { "pids.max" }, { "pids.max" } },
	[CGROUP_LIMIT_IO] = { "io weight", CGROUP_IO, { "blkio.weight", "blkio.bfq.weight" },
		{ "io.weight", "io.bfq.weight" } },
	[CGROUP_LIMIT_DEVICES] = { "devices", CGROUP_DEVICES, { NULL }, { NULL } },
};

const char *cgroup_limit_name(enum cgroup_limit which)
{
	return rows[which].name;
}

unsigned cgroup_limit_controller(enum cgroup_limit which)
{
	return rows[which].controller;
}

/* --- conversions --- */

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high)
{
	return v < low ? low : v > high ? high : v;
}

uint64_t cgroup_shares_to_weight(uint64_t shares)
{
	return 1 + (clamp(shares, 2, 262144) - 2) * 9999 / 262142;
}

uint64_t cgroup_weight_to_shares(uint64_t weight)
{
	return 2 + (clamp(weight, 1, 10000) - 1) * 262142 / 9999;
}

uint64_t cgroup_blkio_to_io(uint64_t weight)
{
	return 1 + (clamp(weight, 10, 1000) - 10) * 9999 / 990;
}

uint64_t cgroup_io_to_blkio(uint64_t weight)
{
	return 10 + (clamp(weight, 1, 10000) - 1) * 990 / 9999;
}

static uint64_t cpu_weight(const struct cgroup_limits *l, bool unified)
{
	if (unified)
		return l->cpu_weight ? l->cpu_weight : cgroup_shares_to_weight(l->cpu_shares);
	return l->cpu_shares ? l->cpu_shares : cgroup_weight_to_shares(l->cpu_weight);
}

/* bfq has the range of blkio in both versions. */
static uint64_t io_weight(const struct cgroup_limits *l, bool unified, bool bfq)
{
	if (unified && !bfq)
		return l->io_weight ? l->io_weight : cgroup_blkio_to_io(l->blkio_weight);
	return l->blkio_weight ? l->blkio_weight : cgroup_io_to_blkio(l->io_weight);
}

/* --- values --- */

/* Memory and swap together. */
static int64_t total_memory(const struct cgroup_limits *l)
{
	return l->memory_swap ? l->memory_swap : l->memory;
}

bool cgroup_limit_given(enum cgroup_limit which, const struct cgroup_limits *l)
{
	switch (which) {
	case CGROUP_LIMIT_MEMORY: return l->memory != 0;
	case CGROUP_LIMIT_SWAP: return total_memory(l) != 0;
	case CGROUP_LIMIT_RESERVATION: return l->memory_reservation != 0;
	case CGROUP_LIMIT_CPU_PERIOD: return l->cpu_period != 0;
	case CGROUP_LIMIT_CPU_QUOTA: return l->cpu_quota != 0;
	case CGROUP_LIMIT_CPU_WEIGHT: return l->cpu_shares || l->cpu_weight;
	case CGROUP_LIMIT_CPUS: return l->cpuset_cpus != NULL;
	case CGROUP_LIMIT_MEMS: return l->cpuset_mems != NULL;
	case CGROUP_LIMIT_PIDS: return l->pids != 0;
	case CGROUP_LIMIT_IO: return l->blkio_weight || l->io_weight;
	case CGROUP_LIMIT_DEVICES: return cgroup_devices_restrict(l->devices, l->device_count);
	}
	return false;
}

static bool is_list(const char *s)
{
	return !s || (*s && str_only(s, "0123456789,-"));
}

int cgroup_limit_check(const struct cgroup_limits *l)
{
	const int64_t counts[] = { l->memory, l->memory_swap, l->memory_reservation, l->cpu_quota,
		l->pids };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i] < -1)
			return fail(EINVAL, "limit %" PRId64 " is negative", counts[i]);
	if (l->memory_swap && !l->memory)
		return fail(EINVAL, "a swap limit needs a memory limit");
	if (l->memory_swap > 0 && (l->memory < 0 || l->memory_swap < l->memory))
		return fail(
			EINVAL, "the limit of memory and swap together is below that of memory");
	if (!is_list(l->cpuset_cpus))
		return fail(EINVAL, "'%s' is not a list of cpus", l->cpuset_cpus);
	if (!is_list(l->cpuset_mems))
		return fail(EINVAL, "'%s' is not a list of memory nodes", l->cpuset_mems);
	return 0;
}

#define VALUE_MAX 48

/* The number of WHICH for a version; -1: no limit. The file of a period or quota on v2 holds
 * both. */
static int64_t amount(
	enum cgroup_limit which, const struct cgroup_limits *l, bool unified, bool bfq)
{
	int64_t total = total_memory(l);

	switch (which) {
	case CGROUP_LIMIT_MEMORY: return l->memory;
	case CGROUP_LIMIT_SWAP: return unified && total > 0 ? total - l->memory : total;
	case CGROUP_LIMIT_RESERVATION:
		/* v1's default is no soft limit, v2's is nothing reserved. */
		return unified && l->memory_reservation < 0 ? 0 : l->memory_reservation;
	case CGROUP_LIMIT_CPU_PERIOD: return unified ? l->cpu_quota : (int64_t)l->cpu_period;
	case CGROUP_LIMIT_CPU_QUOTA: return l->cpu_quota;
	case CGROUP_LIMIT_CPU_WEIGHT: return (int64_t)cpu_weight(l, unified);
	case CGROUP_LIMIT_PIDS: return l->pids;
	case CGROUP_LIMIT_IO: return (int64_t)io_weight(l, unified, bfq);
	case CGROUP_LIMIT_CPUS:
	case CGROUP_LIMIT_MEMS:
	case CGROUP_LIMIT_DEVICES: break;
	}
	return -1;
}

/* What to write; OUT is room for it. */
static const char *format(enum cgroup_limit which, const struct cgroup_limits *l, bool unified,
	bool bfq, char out[VALUE_MAX])
{
	bool cpu = unified && (which == CGROUP_LIMIT_CPU_PERIOD || which == CGROUP_LIMIT_CPU_QUOTA);
	int64_t n = amount(which, l, unified, bfq);
	int len;

	if (which == CGROUP_LIMIT_CPUS)
		return l->cpuset_cpus;
	if (which == CGROUP_LIMIT_MEMS)
		return l->cpuset_mems;
	if ((n < 0 && (unified || which == CGROUP_LIMIT_PIDS)) || (cpu && n == 0))
		len = snprintf(out, VALUE_MAX, "max");
	else
		len = snprintf(out, VALUE_MAX, "%" PRId64, n);
	if (cpu && l->cpu_period)
		snprintf(out + len, VALUE_MAX - (size_t)len, " %" PRIu64, l->cpu_period);
	return out;
}

/* --- writing --- */

/* 0, or -ENOENT: this kernel has no such file. */
static int write_files(
	enum cgroup_limit which, const struct cgroup_limits *l, int dir, bool unified)
{
	const char *const *files = unified ? rows[which].v2 : rows[which].v1;
	int result = -ENOENT;

	for (int i = 0; i < 2 && files[i]; i++) {
		char text[VALUE_MAX];
		int r = cgroup_write(dir, files[i], format(which, l, unified, i == 1, text));

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			result = 0;
	}
	return result;
}

static bool is_refusal(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EPERM || r == -EROFS || r == -EOPNOTSUPP;
}

static int write_devices(const struct cgroup_limits *l, int dir, bool unified)
{
	int r = unified ? cgroup_devices_attach(dir, l->devices, l->device_count)
			: cgroup_devices_write(dir, l->devices, l->device_count);

	return is_refusal(r) ? fail_wrap(-ENOTSUP, "devices") : r;
}

int cgroup_limit_write(
	enum cgroup_limit which, const struct cgroup_limits *l, int dir, bool unified)
{
	int r;

	if (which == CGROUP_LIMIT_DEVICES)
		return write_devices(l, dir, unified);
	r = write_files(which, l, dir, unified);
	/* v1 never lets memory be above memory and swap together: to raise it, raise those
	 * first. */
	if (r == -EINVAL && which == CGROUP_LIMIT_MEMORY && !unified) {
		write_files(CGROUP_LIMIT_SWAP, l, dir, unified);
		r = write_files(which, l, dir, unified);
	}
	/* Where swap is not counted, nobody asked for it to be. */
	if (r == -ENOENT && which == CGROUP_LIMIT_SWAP && !l->memory_swap)
		return 0;
	/* When memory runs out all of the container ends, not a part of it (Linux 4.19). */
	if (r == 0 && which == CGROUP_LIMIT_MEMORY && unified)
		cgroup_write(dir, "memory.oom.group", l->memory > 0 ? "1" : "0");
	if (r == 0)
		return 0;
	return fail(is_refusal(r) ? ENOTSUP : -r, "limit of %s: %s", rows[which].name,
		r == -ENOENT ? "this kernel does not have it" : strerror(-r));
}
