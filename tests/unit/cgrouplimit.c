/* SPDX-License-Identifier: MIT */
/* cgrouplimit - unit test: the words of both versions, written to plain files */
#include "kernel/cgrouplimit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/cgroupfile.h"
#include "unit.h"

static void conversions(void)
{
	unit_case("weights of one version become those of the other");
	CHECK(cgroup_shares_to_weight(2) == 1 && cgroup_shares_to_weight(262144) == 10000);
	CHECK(cgroup_shares_to_weight(1024) == 39 && cgroup_shares_to_weight(0) == 1);
	CHECK(cgroup_shares_to_weight(UINT64_MAX) == 10000);
	CHECK(cgroup_weight_to_shares(1) == 2 && cgroup_weight_to_shares(10000) == 262144);
	CHECK(cgroup_weight_to_shares(100) == 2597 &&
		cgroup_weight_to_shares(UINT64_MAX) == 262144);
	CHECK(cgroup_blkio_to_io(10) == 1 && cgroup_blkio_to_io(1000) == 10000);
	CHECK(cgroup_blkio_to_io(500) == 4950 && cgroup_blkio_to_io(0) == 1);
	CHECK(cgroup_io_to_blkio(1) == 10 && cgroup_io_to_blkio(10000) == 1000);
}

static bool refused(const struct cgroup_limits *l)
{
	return cgroup_limit_check(l) == -EINVAL && *fail_text();
}

static void checks(void)
{
	unit_case("limits that contradict each other");
	CHECK(cgroup_limit_check(&(struct cgroup_limits){ 0 }) == 0);
	CHECK(refused(&(struct cgroup_limits){ .memory_swap = 5 }));
	CHECK(refused(&(struct cgroup_limits){ .memory = 5, .memory_swap = 4 }));
	CHECK(refused(&(struct cgroup_limits){ .memory = -1, .memory_swap = 4 }));
	CHECK(refused(&(struct cgroup_limits){ .memory = -2 }));
	CHECK(refused(&(struct cgroup_limits){ .pids = INT64_MIN }));
	CHECK(refused(&(struct cgroup_limits){ .cpuset_cpus = "" }));
	CHECK(refused(&(struct cgroup_limits){ .cpuset_cpus = "0\n" }));
	CHECK(refused(&(struct cgroup_limits){ .cpuset_mems = "x" }));
	CHECK(cgroup_limit_check(&(struct cgroup_limits){ .memory = 5, .memory_swap = -1 }) == 0);
	CHECK(cgroup_limit_check(&(struct cgroup_limits){ .cpuset_cpus = "0-2,7" }) == 0);
}

static char files[] = "/tmp/unit-cgrouplimit-XXXXXX";

/* What WHICH writes into FILE of a directory that has only that one. */
static const char *written(
	enum cgroup_limit which, struct cgroup_limits l, bool unified, const char *file)
{
	static char text[64];
	int dir = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, file, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);
	int r = cgroup_limit_write(which, &l, dir, unified);

	close(fd);
	if (cgroup_read(dir, file, text, sizeof(text)) < 0 || r < 0)
		snprintf(text, sizeof(text), "%d", r);
	unlinkat(dir, file, 0);
	close(dir);
	return text;
}

#define WRITES(which, unified, file, want, ...)                                                 \
	CHECK_STR(written(CGROUP_LIMIT_##which, (struct cgroup_limits){ __VA_ARGS__ }, unified, \
			  file),                                                                \
		want)

static void words(void)
{
	unit_case("memory in the words of both versions");
	WRITES(MEMORY, false, "memory.limit_in_bytes", "4096", .memory = 4096);
	WRITES(MEMORY, true, "memory.max", "4096", .memory = 4096);
	WRITES(MEMORY, true, "memory.oom.group", "-95", .memory = 4096);
	WRITES(MEMORY, false, "memory.limit_in_bytes", "-1", .memory = -1);
	WRITES(MEMORY, true, "memory.max", "max", .memory = -1);
	WRITES(SWAP, false, "memory.memsw.limit_in_bytes", "4096", .memory = 4096);
	WRITES(SWAP, true, "memory.swap.max", "0", .memory = 4096);
	WRITES(SWAP, true, "memory.swap.max", "100", .memory = 4096, .memory_swap = 4196);
	WRITES(SWAP, false, "memory.memsw.limit_in_bytes", "4196", .memory = 4096,
		.memory_swap = 4196);
	WRITES(SWAP, true, "memory.swap.max", "max", .memory = 4096, .memory_swap = -1);
	WRITES(SWAP, true, "memory.swap.max", "max", .memory = -1);
	WRITES(SWAP, true, "other", "", .memory = 4096);
	WRITES(SWAP, true, "other", "-95", .memory = 4096, .memory_swap = 4196);
	WRITES(RESERVATION, false, "memory.soft_limit_in_bytes", "-1", .memory_reservation = -1);
	WRITES(RESERVATION, true, "memory.low", "0", .memory_reservation = -1);
	WRITES(RESERVATION, true, "memory.low", "7", .memory_reservation = 7);

	unit_case("cpu in the words of both versions");
	WRITES(CPU_PERIOD, false, "cpu.cfs_period_us", "50000", .cpu_period = 50000);
	WRITES(CPU_PERIOD, true, "cpu.max", "max 50000", .cpu_period = 50000);
	WRITES(CPU_PERIOD, true, "cpu.max", "7 50000", .cpu_period = 50000, .cpu_quota = 7);
	WRITES(CPU_QUOTA, true, "cpu.max", "7 50000", .cpu_period = 50000, .cpu_quota = 7);
	WRITES(CPU_QUOTA, true, "cpu.max", "7", .cpu_quota = 7);
	WRITES(CPU_QUOTA, true, "cpu.max", "max", .cpu_quota = -1);
	WRITES(CPU_QUOTA, false, "cpu.cfs_quota_us", "-1", .cpu_quota = -1);
	WRITES(CPU_WEIGHT, false, "cpu.shares", "1024", .cpu_shares = 1024);
	WRITES(CPU_WEIGHT, true, "cpu.weight", "39", .cpu_shares = 1024);
	WRITES(CPU_WEIGHT, true, "cpu.weight", "200", .cpu_weight = 200);
	WRITES(CPU_WEIGHT, false, "cpu.shares", "5219", .cpu_weight = 200);
	WRITES(CPUS, true, "cpuset.cpus", "0-2,7", .cpuset_cpus = "0-2,7");
	WRITES(MEMS, false, "cpuset.mems", "0", .cpuset_mems = "0");

	unit_case("pids and io in the words of both versions");
	WRITES(PIDS, false, "pids.max", "max", .pids = -1);
	WRITES(PIDS, true, "pids.max", "2048", .pids = 2048);
	WRITES(IO, false, "blkio.weight", "500", .blkio_weight = 500);
	WRITES(IO, false, "blkio.bfq.weight", "500", .blkio_weight = 500);
	WRITES(IO, true, "io.weight", "4950", .blkio_weight = 500);
	WRITES(IO, true, "io.bfq.weight", "500", .blkio_weight = 500);
	WRITES(IO, true, "io.weight", "77", .io_weight = 77);
	WRITES(IO, false, "blkio.weight", "17", .io_weight = 77);
	WRITES(IO, false, "other", "-95", .io_weight = 77);
	CHECK(strstr(fail_text(), "io weight"));
}

int main(void)
{
	if (!mkdtemp(files))
		return 1;
	conversions();
	checks();
	words();
	rmdir(files);
	return unit_end();
}
