/* SPDX-License-Identifier: MIT */
/* cgroup - unit test of the cgroup modules
 *
 * The host's own hierarchies, a view without v2 and a view of nothing but v2; each case in a process
 * and a mount namespace of its own, below one directory that is swept after each case. */
#include "kernel/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "kernel/cgroupfile.h"
#include "kernel/cgroupkill.h"
#include "kernel/mnt.h"
#include "unit.h"

#define MIB (1024LL * 1024)

/* In a case: the line is the result. */
#define WANT(cond)                       \
	do {                             \
		if (!(cond))             \
			return __LINE__; \
	} while (0)

/* --- processes for the cases below --- */

static char top[48]; /* "qbox-unit-PID", below our own cgroup in each tree */

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

/* A child that waits until GATE has a byte and then does WORK, with its result as status. */
static pid_t start(int gate[2], int (*work)(void), int cgroup)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
			set_tid, set_tid_size, cgroup;
	} args = { .exit_signal = SIGCHLD };
	pid_t pid;
	char c;

	if (pipe2(gate, O_CLOEXEC) < 0)
		return -1;
	if (cgroup >= 0) {
		args.flags = 0x200000000ULL; /* CLONE_INTO_CGROUP */
		args.cgroup = (uint64_t)cgroup;
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	} else {
		pid = fork();
	}
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(gate[1]);
	_exit(read(gate[0], &c, 1) == 1 ? work() : 99);
}

static int go(const int gate[2])
{
	return write(gate[1], "x", 1) == 1 ? 0 : -1;
}

static int finish(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int wait_forever(void)
{
	while (pause() < 0)
		;
	return 0;
}

static void ms(long n)
{
	nanosleep(&(struct timespec){ .tv_nsec = n * 1000000 }, NULL);
}

/* Is PID in NAME of every hierarchy of CG? */
static bool is_inside(const struct cgroup *cg, pid_t pid, const char *name)
{
	struct cgroup_host h;
	bool found = true;

	if (cgroup_host_load(&h, pid) < 0)
		return false;
	for (size_t i = 0; i < cg->count; i++) {
		const struct cgroup_part *p = &cg->part[i];
		bool here = false;

		for (size_t k = 0; k < h.count; k++)
			here |= strncmp(p->path, h.tree[k].mount, strlen(h.tree[k].mount)) == 0 &&
				strcmp(p->path + strlen(h.tree[k].mount), h.tree[k].own) == 0 &&
				strstr(h.tree[k].own, name);
		found &= here;
	}
	cgroup_host_free(&h);
	return found;
}

static bool exists(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->count; i++)
		if (access(cg->part[i].path, F_OK) == 0)
			return true;
	return false;
}

/* Does FILE of whichever part has it begin with WANT as a line? */
static bool holds(const struct cgroup *cg, const char *file, const char *want)
{
	char text[512];

	for (size_t i = 0; i < cg->count; i++)
		if (cgroup_read(cg->part[i].fd, file, text, sizeof(text)) >= 0) {
			text[strcspn(text, "\n")] = '\0';
			if (strcmp(text, want) == 0)
				return true;
			printf("# %s is '%s'\n", file, text);
		}
	return false;
}

/* --- cases on any host --- */

static const struct cgroup_limits none;

static int create(
	struct cgroup *cg, const char *name, const struct cgroup_limits *l, unsigned flags)
{
	struct cgroup_host h;
	int r = cgroup_host_load(&h, 0);

	if (r == 0)
		r = cgroup_create(cg, &h, path_of(name), l, flags);
	cgroup_host_free(&h);
	return r;
}

static int lives_and_goes(void)
{
	struct cgroup cg, again;
	struct buf text = { 0 }, pids = { 0 };
	int gate[2];
	pid_t pid;

	WANT(create(&cg, "a", &none, 0) == 0 && cg.count > 0 && exists(&cg));
	WANT(create(&again, "a", &none, 0) == -EEXIST && again.count == 0);
	WANT(exists(&cg));
	pid = start(gate, wait_forever, -1);
	WANT(pid > 0 && cgroup_add(&cg, pid, false) == 0 && is_inside(&cg, pid, path_of("a")));
	WANT(cgroup_pids(&cg, &pids) == 0 && pids.len == sizeof(pid));
	WANT(memcmp(pids.data, &pid, sizeof(pid)) == 0);
	cgroup_format(&cg, &text);
	cgroup_close(&cg);
	WANT(cg.count == 0);
	WANT(cgroup_open(&cg, buf_str(&text)) == 0 && cg.count > 0);
	WANT(cgroup_kill(&cg) == 0);
	WANT(finish(pid) == 1000 + SIGKILL);
	WANT(cgroup_destroy(&cg) == 0 && !exists(&cg));
	WANT(cgroup_destroy(&cg) == 0 && cgroup_kill(&cg) == 0);
	cgroup_close(&cg);
	/* The parent went too, and what is gone opens as that. */
	WANT(cgroup_open(&cg, buf_str(&text)) == 0 && !exists(&cg) && cgroup_destroy(&cg) == 0);
	*strrchr(cg.part[0].path, '/') = '\0';
	WANT(access(cg.part[0].path, F_OK) < 0);
	WANT(cgroup_add(&cg, getpid(), false) == -ENOENT);
	cgroup_close(&cg);
	buf_free(&text);
	buf_free(&pids);
	return 0;
}

/* A frozen process does not go on, a thawed one does; killed while frozen it is gone. */
static int freezes(void)
{
	struct cgroup cg;
	int gate[2];
	pid_t pid;

	WANT(create(&cg, "f", &none, 0) == 0);
	WANT(!cgroup_is_frozen(&cg) && cgroup_freeze(&cg) == 0 && cgroup_is_frozen(&cg));
	WANT(cgroup_thaw(&cg) == 0 && !cgroup_is_frozen(&cg));
	pid = start(gate, getppid, -1); /* ends at once when it may */
	WANT(pid > 0 && cgroup_add(&cg, pid, false) == 0);
	WANT(cgroup_freeze(&cg) == 0 && cgroup_is_frozen(&cg) && go(gate) == 0);
	ms(30);
	WANT(waitpid(pid, NULL, WNOHANG) == 0);
	WANT(cgroup_thaw(&cg) == 0 && finish(pid) >= 0);
	pid = start(gate, wait_forever, -1);
	WANT(cgroup_add(&cg, pid, false) == 0 && cgroup_freeze(&cg) == 0);
	WANT(cgroup_kill(&cg) == 0 && finish(pid) == 1000 + SIGKILL);
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* Forks without end. */
static int bomb(void)
{
	while (getpid() > 1)
		if (fork() != 0)
			ms(1);
	return 0;
}

static int kills_a_bomb(void)
{
	struct cgroup cg;
	struct cgroup_limits l = { .pids = 60 };
	struct buf pids = { 0 };
	int gate[2];
	pid_t pid;

	WANT(create(&cg, "b", &l, CGROUP_BEST_EFFORT) == 0);
	if (cg.unenforced & (1u << CGROUP_LIMIT_PIDS)) {
		/* No limit of the kernel: a limit of the user would hit others. One child must
		 * do. */
		pid = start(gate, wait_forever, -1);
	} else {
		pid = start(gate, bomb, -1);
	}
	WANT(pid > 0 && cgroup_add(&cg, pid, false) == 0 && go(gate) == 0);
	for (int i = 0; i < 200 && pids.len < 40 * sizeof(pid_t); i++) {
		buf_clear(&pids);
		WANT(cgroup_pids(&cg, &pids) == 0);
		if (cg.unenforced)
			break;
		ms(5);
	}
	WANT(cg.unenforced || pids.len >= 40 * sizeof(pid_t));
	WANT(cgroup_kill(&cg) == 0 && finish(pid) == 1000 + SIGKILL);
	WANT(cgroup_destroy(&cg) == 0 && !exists(&cg));
	cgroup_close(&cg);
	buf_free(&pids);
	return 0;
}

/* Cgroups that were made inside are listed, killed and removed with it. */
static int has_children(void)
{
	struct cgroup cg;
	struct buf pids = { 0 };
	char inner[256] = "x", text[16];
	int gate[2], r;
	pid_t pid;

	WANT(create(&cg, "c", &none, 0) == 0);
	for (int i = 0; i < 20; i++) {
		WANT(mkdirat(cg.part[0].fd, inner, 0755) == 0);
		strcat(inner, "/y");
	}
	WANT(mkdirat(cg.part[0].fd, "x/z", 0755) == 0);
	pid = start(gate, wait_forever, -1);
	snprintf(text, sizeof(text), "%d", pid);
	strcpy(strrchr(inner, '/'), "/cgroup.procs");
	WANT(cgroup_write(cg.part[0].fd, inner, text) == 0);
	WANT(cgroup_pids(&cg, &pids) == 0 && pids.len == sizeof(pid));
	/* Not while it lives: nothing of the tree above it is lost. */
	WANT(rmdir(cg.part[0].path) < 0 && errno == EBUSY);
	WANT(cgroup_kill(&cg) == 0);
	r = cgroup_destroy(&cg);
	WANT(r == 0 && !exists(&cg) && finish(pid) == 1000 + SIGKILL);
	cgroup_close(&cg);
	buf_free(&pids);
	return 0;
}

/* Two share a parent: it stays until the second has gone. */
static int shares_a_parent(void)
{
	struct cgroup one, two;

	WANT(create(&one, "p/1", &none, 0) == 0 && create(&two, "p/2", &none, 0) == 0);
	WANT(cgroup_destroy(&one) == 0 && exists(&two));
	WANT(cgroup_destroy(&two) == 0);
	*strstr(two.part[0].path, "/p/2") = '\0';
	WANT(access(two.part[0].path, F_OK) < 0);
	cgroup_close(&one);
	cgroup_close(&two);
	return 0;
}

/* Many make and remove below the same parent at once; none fails. */
static int races(void)
{
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int n = 0; n < 40; n++) {
			struct cgroup cg;
			char name[16];

			snprintf(name, sizeof(name), "r/%d", i);
			if (create(&cg, name, &none, 0) < 0 || cgroup_destroy(&cg) < 0)
				_exit(1);
			cgroup_close(&cg);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		WANT(finish(pids[i]) == 0);
	return 0;
}

static int refuses_paths(void)
{
	static const char *const bad[] = { "", "/", "a/", "a//b", "..", "a/../b", "/..", "./a",
		"a\nb", "//a" };
	struct cgroup cg;
	struct cgroup_host h;
	char name[300];

	WANT(cgroup_host_load(&h, 0) == 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		WANT(cgroup_create(&cg, &h, bad[i], &none, 0) == -EINVAL && cg.count == 0);
	memset(name, 'a', 256);
	name[256] = '\0';
	WANT(cgroup_create(&cg, &h, name, &none, 0) == -EINVAL);
	/* Nothing of a path is left when its end cannot be made. */
	snprintf(name, sizeof(name), "%s/cgroup.procs/x", top);
	WANT(cgroup_create(&cg, &h, name, &none, 0) < 0 && cg.count == 0);
	snprintf(name, sizeof(name), "%s%s/%s", h.tree[0].mount, h.tree[0].own, top);
	WANT(access(name, F_OK) < 0);
	cgroup_host_free(&h);
	return 0;
}

/* An absolute path counts from the top of the hierarchy, and its parents stay. */
static int takes_absolute_paths(void)
{
	struct cgroup cg;
	struct cgroup_host h;
	char path[160], *slash;

	WANT(cgroup_host_load(&h, 0) == 0);
	snprintf(path, sizeof(path), "/%s/d/e", top);
	WANT(cgroup_create(&cg, &h, path, &none, 0) == 0);
	WANT(strcmp(cg.part[0].path + strlen(h.tree[h.count - 1].mount), path) == 0 || h.count > 1);
	WANT(cgroup_destroy(&cg) == 0 && !exists(&cg));
	for (int i = 0; i < 2; i++) {
		slash = strrchr(cg.part[0].path, '/');
		*slash = '\0';
		WANT(access(cg.part[0].path, F_OK) == 0 && rmdir(cg.part[0].path) == 0);
	}
	cgroup_close(&cg);
	cgroup_host_free(&h);
	return 0;
}

/* Into the cgroups of another process, which nobody removes. */
static int joins_a_place(void)
{
	struct cgroup cg, place;
	struct cgroup_host h;
	int gate[2];
	pid_t first = start(gate, wait_forever, -1), second = start(gate, wait_forever, -1);

	WANT(create(&cg, "j", &none, CGROUP_ACCOUNT) == 0 && cgroup_add(&cg, first, false) == 0);
	WANT(cgroup_host_load(&h, first) == 0 && cgroup_open_place(&place, &h) == 0);
	WANT(cgroup_add(&place, second, false) == 0 && is_inside(&cg, second, path_of("j")));
	WANT(cgroup_destroy(&place) == 0 && exists(&cg));
	WANT(cgroup_kill(&cg) == 0 && finish(first) > 1000 && finish(second) > 1000);
	cgroup_close(&place);
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	WANT(cgroup_host_load(&(struct cgroup_host){ 0 }, first) == -ESRCH);
	cgroup_host_free(&h);
	return 0;
}

static int burn(void)
{
	clock_t end = clock() + CLOCKS_PER_SEC / 50;

	while (clock() < end)
		;
	return 0;
}

static int counts(void)
{
	struct cgroup cg;
	struct cgroup_stats s;
	int gate[2];
	pid_t pid;

	WANT(create(&cg, "s", &none, CGROUP_ACCOUNT) == 0);
	pid = start(gate, burn, -1);
	WANT(cgroup_add(&cg, pid, false) == 0);
	cgroup_get_stats(&cg, &s);
	WANT(s.pids == 1 || s.pids == -1);
	go(gate);
	WANT(finish(pid) == 0);
	cgroup_get_stats(&cg, &s);
	WANT(s.cpu_ns >= 10000000 && s.cpu_ns < 5000000000);
	WANT((s.pids == 0 && s.memory >= 0 && s.cache >= 0) || (s.pids == -1 && s.memory == -1));
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* --- devices --- */

static struct cgroup_device rule(bool allow, char type, int major, int minor, unsigned access)
{
	return (struct cgroup_device){ allow, type, major, minor, access };
}

/* Opens of null, zero, random, urandom, full and tty's c 5:0, a node of c 1:3 and one of c 1:4:
 * a bit for each that is allowed. */
static int try_devices(void)
{
	static const struct {
		const char *path;
		int flags;
	} opens[] = { { "/dev/null", O_RDONLY }, { "/dev/null", O_WRONLY }, { "/dev/null", O_RDWR },
		{ "/dev/zero", O_RDONLY }, { "/dev/zero", O_WRONLY } };
	int bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(opens); i++)
		if (open(opens[i].path, opens[i].flags) >= 0)
			bits |= 1 << i;
		else if (errno != EPERM)
			return 255;
	if (mknod("/tmp/node", S_IFCHR | 0600, makedev(1, 3)) == 0)
		bits |= 32;
	if (mknod("/tmp/block", S_IFBLK | 0600, makedev(7, 250)) == 0)
		bits |= 64;
	return bits;
}

/* What of the above a process under the rules may do; the test runs in a mount namespace of its
 * own. */
static int devices(const char *name, const struct cgroup_device *rules, size_t count)
{
	struct cgroup_limits l = { .devices = rules, .device_count = count };
	struct cgroup cg;
	int gate[2], bits;
	pid_t pid;

	if (create(&cg, name, &l, 0) < 0)
		return -1;
	pid = start(gate, try_devices, -1);
	if (pid < 0 || cgroup_add(&cg, pid, false) < 0 || go(gate) < 0)
		return -2;
	bits = finish(pid);
	unlink("/tmp/node");
	unlink("/tmp/block");
	if (cgroup_destroy(&cg) < 0)
		return -3;
	cgroup_close(&cg);
	return bits;
}

#define ALL CGROUP_RWM

static int limits_devices(void)
{
	const struct cgroup_device deny = rule(false, 'a', -1, -1, ALL);
	const struct cgroup_device nothing[] = { deny };
	const struct cgroup_device null[] = { deny,
		rule(true, 'c', 1, 3, CGROUP_READ | CGROUP_WRITE) };
	const struct cgroup_device read[] = { deny, rule(true, 'c', 1, -1, CGROUP_READ) };
	const struct cgroup_device minor[] = { deny, rule(true, 'c', -1, 5, ALL) };
	const struct cgroup_device nodes[] = { deny, rule(true, 'a', -1, -1, CGROUP_MKNOD) };
	const struct cgroup_device last[] = { rule(true, 'a', -1, -1, ALL),
		rule(false, 'c', 1, 3, ALL), rule(true, 'c', 1, 3, CGROUP_READ) };
	const struct cgroup_device back[] = { deny, rule(true, 'c', 1, 3, ALL),
		rule(true, 'c', 1, 5, ALL), rule(false, 'c', 1, -1, CGROUP_WRITE),
		rule(false, 'b', 7, -1, ALL) };
	const struct cgroup_device implied[] = { rule(true, 'c', 1, 5, CGROUP_READ) };
	struct cgroup_limits free_all = { .devices = last, .device_count = 1 };

	WANT(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
	WANT(devices("d1", nothing, 1) == 0);
	WANT(devices("d2", null, 2) == 7);
	WANT(devices("d3", read, 2) == (1 | 8));
	WANT(devices("d4", minor, 2) == (8 | 16));
	WANT(devices("d5", nodes, 2) == (32 | 64));
	WANT(devices("d6", last, 3) == (127 & ~(2 | 4 | 32)));
	WANT(devices("d7", back, 5) == (1 | 8 | 32));
	WANT(devices("d8", implied, 1) == 8);
	WANT(!cgroup_limit_given(CGROUP_LIMIT_DEVICES, &free_all));
	WANT(!cgroup_devices_restrict(NULL, 0) && cgroup_devices_restrict(last, 2));
	return 0;
}

static int refuses_devices(void)
{
	struct cgroup_device bad[] = { rule(true, 'x', 1, 3, ALL), rule(true, 'c', 1, 3, 0),
		rule(true, 'c', 1, 3, 8), rule(true, 0, 1, 3, ALL) };
	static struct cgroup_device many[CGROUP_DEVICES_MAX + 1];
	struct cgroup_limits l = { .devices = bad, .device_count = 1 };
	struct cgroup cg;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++, l.devices++)
		WANT(create(&cg, "db", &l, CGROUP_BEST_EFFORT) == -EINVAL && cg.count == 0);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = rule(i % 3, "abc"[i % 3], (int)i, i % 5 ? (int)i : -1, 1 + i % 7);
	l = (struct cgroup_limits){ .devices = many, .device_count = ARRAY_LEN(many) };
	WANT(create(&cg, "dm", &l, 0) == -E2BIG);
	/* As many as can be: the kernel takes the longest program. */
	l.device_count--;
	WANT(create(&cg, "dm", &l, 0) == 0 && cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* --- v1 --- */

static int sets_limits(void)
{
	struct cgroup_limits l = { .memory = 64 * MIB,
		.memory_swap = 80 * MIB,
		.memory_reservation = 32 * MIB,
		.cpu_quota = 20000,
		.cpu_period = 50000,
		.cpu_weight = 200,
		.cpuset_cpus = "0",
		.pids = 17,
		.io_weight = 5000 };
	struct cgroup cg;

	WANT(create(&cg, "l", &l, 0) == 0 && cg.unenforced == 0);
	WANT(holds(&cg, "memory.limit_in_bytes", "67108864"));
	WANT(holds(&cg, "memory.memsw.limit_in_bytes", "83886080"));
	WANT(holds(&cg, "memory.soft_limit_in_bytes", "33554432"));
	WANT(holds(&cg, "cpu.cfs_quota_us", "20000") && holds(&cg, "cpu.cfs_period_us", "50000"));
	WANT(holds(&cg, "cpu.shares", "5219") && holds(&cg, "pids.max", "17"));
	WANT(holds(&cg, "cpuset.cpus", "0") && holds(&cg, "cpuset.mems", "0"));
	WANT(holds(&cg, "blkio.bfq.weight", "504"));
	/* Up beyond the old sum, down again, and without. */
	l = (struct cgroup_limits){ .memory = 128 * MIB };
	WANT(cgroup_update(&cg, &l, 0) == 0 && holds(&cg, "memory.limit_in_bytes", "134217728"));
	WANT(holds(&cg, "memory.memsw.limit_in_bytes", "134217728"));
	l = (struct cgroup_limits){ .memory = 16 * MIB, .cpu_quota = -1, .pids = -1 };
	WANT(cgroup_update(&cg, &l, 0) == 0 && holds(&cg, "memory.limit_in_bytes", "16777216"));
	WANT(holds(&cg, "memory.memsw.limit_in_bytes", "16777216"));
	WANT(holds(&cg, "cpu.cfs_quota_us", "-1") && holds(&cg, "pids.max", "max"));
	WANT(holds(&cg, "cpu.shares", "5219"));
	l = (struct cgroup_limits){ .memory = -1 };
	WANT(cgroup_update(&cg, &l, 0) == 0 &&
		holds(&cg, "memory.limit_in_bytes", "9223372036854771712"));
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* Only what is needed is joined, and a value the kernel refuses leaves nothing behind. */
static int joins_what_it_needs(void)
{
	struct cgroup_limits l = { .pids = 5 };
	struct cgroup cg;
	unsigned mask = 0;

	WANT(create(&cg, "n", &l, 0) == 0);
	for (size_t i = 0; i < cg.count; i++)
		mask |= cg.part[i].unified ? 0 : cg.part[i].controllers;
	WANT((mask & ~CGROUP_BIT(CGROUP_FREEZER)) == CGROUP_BIT(CGROUP_PIDS));
	l = (struct cgroup_limits){ .memory = MIB };
	WANT(cgroup_update(&cg, &l, 0) == -ENOTSUP && strstr(fail_text(), "memory"));
	WANT(cg.unenforced == 1u << CGROUP_LIMIT_MEMORY);
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	l = (struct cgroup_limits){ .pids = 5, .cpuset_cpus = "4000" };
	WANT(create(&cg, "n", &l, CGROUP_BEST_EFFORT) < 0 && cg.count == 0);
	WANT(strstr(fail_text(), "cpuset cpus"));
	l = (struct cgroup_limits){ .pids = 5, .cpu_period = 1 };
	WANT(create(&cg, "n", &l, CGROUP_BEST_EFFORT) == -EINVAL &&
		strstr(fail_text(), "cpu period"));
	WANT(create(&cg, "n", &none, 0) == 0 && cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* Touches 64 MiB. */
static int eat(void)
{
	char *p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, 1, 64 * MIB);
	return 0;
}

static int fork_three(void)
{
	int n = 0;

	while (n < 5 && fork() > 0)
		n++;
	return n;
}

static int enforces(void)
{
	struct cgroup_limits l = { .memory = 24 * MIB, .pids = 3, .cpuset_cpus = "0" };
	struct cgroup cg;
	struct buf pids = { 0 };
	int gate[2];
	pid_t pid;

	WANT(create(&cg, "e", &l, 0) == 0 && cgroup_oom_kills(&cg) == 0);
	pid = start(gate, eat, -1);
	WANT(cgroup_add(&cg, pid, false) == 0 && go(gate) == 0 && finish(pid) == 1000 + SIGKILL);
	WANT(cgroup_oom_kills(&cg) == 1);
	pid = start(gate, fork_three, -1);
	WANT(cgroup_add(&cg, pid, false) == 0 && go(gate) == 0 && finish(pid) == 2);
	WANT(cgroup_kill(&cg) == 0 && cgroup_destroy(&cg) == 0 &&
		cgroup_oom_kills(&cg) == -ENODATA);
	cgroup_close(&cg);
	WANT(cgroup_oom_kills(&cg) == -ENODATA);
	buf_free(&pids);
	return 0;
}

/* v1 cannot say that a part of a wider rule is taken back. */
static int refuses_a_narrower_rule(void)
{
	const struct cgroup_device rules[] = { rule(true, 'c', 10, -1, ALL),
		rule(false, 'c', 10, 229, ALL) };
	struct cgroup_limits l = { .devices = rules, .device_count = 2 };
	struct cgroup cg;

	WANT(create(&cg, "w", &l, 0) == -ENOTSUP && strstr(fail_text(), "c 10:229 rwm"));
	return 0;
}

static int is_v1(void)
{
	struct cgroup_host h;

	WANT(cgroup_host_load(&h, 0) == 0 && cgroup_host_kind(&h) == CGROUP_V1);
	cgroup_host_free(&h);
	return 0;
}

/* --- v2 --- */

static int is_v2(void)
{
	struct cgroup_host h;

	WANT(cgroup_host_load(&h, 0) == 0 && cgroup_host_kind(&h) == CGROUP_V2);
	WANT(strcmp(h.tree[0].mount, "/sys/fs/cgroup") == 0);
	cgroup_host_free(&h);
	return 0;
}

static int clones_into(void)
{
	struct cgroup cg;
	int gate[2];
	pid_t pid;

	WANT(create(&cg, "v", &none, 0) == 0 && cgroup_fd(&cg) >= 0);
	pid = start(gate, wait_forever, cgroup_fd(&cg));
	WANT(pid > 0 && is_inside(&cg, pid, path_of("v")) && cgroup_add(&cg, pid, true) == 0);
	WANT(cgroup_kill(&cg) == 0 && finish(pid) == 1000 + SIGKILL && cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* To another pid namespace a process is the number 0, which for kill would be the caller's group. */
static int leaves_number_zero_out(void)
{
	struct cgroup cg;
	struct buf pids = { 0 };
	char text[16];
	int gate[2];
	pid_t pid, other;

	WANT(create(&cg, "z", &none, 0) == 0);
	pid = start(gate, wait_forever, cgroup_fd(&cg));
	WANT(pid > 0 && unshare(CLONE_NEWPID) == 0);
	other = fork();
	if (other == 0) {
		cgroup_read(cgroup_fd(&cg), "cgroup.procs", text, sizeof(text));
		_exit(strcmp(text, "0\n") == 0 && cgroup_pids(&cg, &pids) == 0 && !pids.len ? 0
											    : 1);
	}
	WANT(finish(other) == 0 && cgroup_kill(&cg) == 0 && finish(pid) == 1000 + SIGKILL);
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* Here v2 has no memory controller. */
static int says_what_is_missing(void)
{
	struct cgroup_limits l = { .memory = 64 * MIB, .cpu_shares = 5 };
	struct cgroup cg;
	char text[256];
	int dir = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	WANT(cgroup_read(dir, "cgroup.controllers", text, sizeof(text)) >= 0);
	close(dir);
	if (strstr(text, "memory") || strstr(text, "cpu"))
		return 0;
	WANT(create(&cg, "m", &l, 0) == -ENOTSUP && cg.count == 0);
	WANT(strstr(fail_text(), "limit of memory"));
	WANT(create(&cg, "m", &l, CGROUP_BEST_EFFORT) == 0);
	WANT(cg.unenforced == ((1u << CGROUP_LIMIT_MEMORY) | (1u << CGROUP_LIMIT_CPU_WEIGHT)));
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* A narrower rule, which v1 refuses; and rules of a cgroup inside cannot give more. */
static int limits_devices_further(void)
{
	const struct cgroup_device rules[] = { rule(true, 'c', 1, -1, ALL),
		rule(false, 'c', 1, 3, CGROUP_WRITE | CGROUP_MKNOD) };
	const struct cgroup_device all[] = { rule(true, 'a', -1, -1, ALL),
		rule(false, 'b', 1, 1, 1) };
	struct cgroup_limits l = { .devices = rules, .device_count = 2 };
	struct cgroup cg;
	int bits;

	WANT(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
	WANT(devices("x", rules, 2) == (1 | 8 | 16));
	WANT(create(&cg, "o", &l, 0) == 0);
	bits = devices("o/i", all, 2);
	WANT(bits == (1 | 8 | 16));
	WANT(cgroup_destroy(&cg) == 0);
	cgroup_close(&cg);
	return 0;
}

/* --- records --- */

static char files[] = "/tmp/unit-cgroup-XXXXXX";

static void bad_texts(void)
{
	static const char *const bad[] = { "x", "\n", "1\n", "1 unified\n", "1 unified /tmp",
		"1 unified tmp\n", "5 unified /tmp\n", "2 unified /tmp\n", "0 /tmp\n", "0  /tmp\n",
		"0 nothing /tmp\n", "-1 unified /tmp\n", " 0 unified /tmp\n", "0 unified /../tmp\n",
		"0 unified /tmp/\n", "99999999999999999999999 unified /tmp\n", "0 unified /tmp\n\n",
		"0 unified /tmp\n", "0 memory /tmp\n", "0 unified /tmp/x\nx" };
	struct cgroup cg;
	char text[600] = "", path[64], line[128];

	unit_case("a damaged record is refused");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(cgroup_open(&cg, bad[i]) == -EBADMSG && cg.count == 0);
		CHECK(*fail_text());
	}
	for (int i = 0; i <= CGROUP_TREES_MAX; i++)
		strcat(text, "0 unified /none\n");
	CHECK(cgroup_open(&cg, text) == -EBADMSG);

	unit_case("a record never removes what is no cgroup");
	CHECK(cgroup_open(&cg, "") == 0 && cg.count == 0 && cgroup_destroy(&cg) == 0);
	snprintf(path, sizeof(path), "%s/dir", files);
	CHECK(mkdir(path, 0700) == 0);
	snprintf(line, sizeof(line), "0 memory %s/gone\n", path);
	CHECK(cgroup_open(&cg, line) == 0 && cg.count == 1 && cgroup_destroy(&cg) == 0);
	CHECK(rmdir(path) == 0);
	cgroup_close(&cg);
}

/* --- running --- */

static int host_view(void)
{
	return 0;
}

static int v1_view(void)
{
	struct cgroup_host h;
	const struct cgroup_tree *t;

	WANT(cgroup_host_load(&h, 0) == 0);
	t = cgroup_host_unified(&h);
	WANT(!t || umount2(t->mount, MNT_DETACH) == 0);
	cgroup_host_free(&h);
	return 0;
}

/* The old mounts below stay in mountinfo, covered. */
static int v2_view(void)
{
	WANT(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0);
	return 0;
}

static const struct {
	const char *name;
	int (*view)(void);
	int (*run)(void);
} cases[] = {
	{ "host: lives and goes", host_view, lives_and_goes },
	{ "host: freezes", host_view, freezes },
	{ "host: kills what forks without end", host_view, kills_a_bomb },
	{ "host: cgroups inside", host_view, has_children },
	{ "host: two share a parent", host_view, shares_a_parent },
	{ "host: many at once", host_view, races },
	{ "host: bad paths", host_view, refuses_paths },
	{ "host: absolute paths", host_view, takes_absolute_paths },
	{ "host: into the place of a process", host_view, joins_a_place },
	{ "host: statistics", host_view, counts },
	{ "host: devices", host_view, limits_devices },
	{ "host: bad device rules", host_view, refuses_devices },
	{ "v1: is found", v1_view, is_v1 },
	{ "v1: lives and goes", v1_view, lives_and_goes },
	{ "v1: freezes", v1_view, freezes },
	{ "v1: kills what forks without end", v1_view, kills_a_bomb },
	{ "v1: cgroups inside", v1_view, has_children },
	{ "v1: limits", v1_view, sets_limits },
	{ "v1: joins only what it needs", v1_view, joins_what_it_needs },
	{ "v1: memory, pids and oom kills", v1_view, enforces },
	{ "v1: device rules that cannot be said", v1_view, refuses_a_narrower_rule },
	{ "v1: statistics", v1_view, counts },
	{ "v2: is found", v2_view, is_v2 },
	{ "v2: lives and goes", v2_view, lives_and_goes },
	{ "v2: freezes", v2_view, freezes },
	{ "v2: kills what forks without end", v2_view, kills_a_bomb },
	{ "v2: cgroups inside", v2_view, has_children },
	{ "v2: clone into it", v2_view, clones_into },
	{ "v2: a missing controller is named", v2_view, says_what_is_missing },
	{ "v2: devices", v2_view, limits_devices },
	{ "v2: devices, narrower and inside", v2_view, limits_devices_further },
	{ "v2: bad device rules", v2_view, refuses_devices },
	{ "v2: processes of another pid namespace", v2_view, leaves_number_zero_out },
	{ "v2: statistics", v2_view, counts },
};

static int run(size_t i)
{
	pid_t pid = fork();
	int quiet, r;

	if (pid == 0) {
		/* A limit that is not possible may be noted. */
		quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
		log_init(quiet, "unit", true);
		if (unshare(CLONE_NEWNS) < 0 || mnt_isolate() < 0)
			_exit(1);
		r = cases[i].view();
		if (r == 0)
			r = cases[i].run();
		fflush(NULL);
		if (r)
			dprintf(1, "# line %d: %s\n", r, fail_text());
		_exit(r != 0);
	}
	return finish(pid);
}

/* Kill and remove what a case left, without the code under test. True: nothing was there. */
static bool sweep_dir(const char *path)
{
	char text[4096], name[512];
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = dir < 0 ? NULL : fdopendir(dir);
	struct dirent *e;

	if (!list)
		return true;
	while ((e = readdir(list)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
			sweep_dir(name);
		}
	for (int i = 0; i < 100; i++) {
		char *at = text, *end;

		cgroup_write(dir, "freezer.state", "THAWED");
		cgroup_write(dir, "cgroup.freeze", "0");
		cgroup_read(dir, "cgroup.procs", text, sizeof(text));
		for (; strtol(at, &end, 10) > 0; at = end)
			kill((pid_t)strtol(at, NULL, 10), SIGKILL);
		if (rmdir(path) == 0)
			break;
		ms(5);
	}
	closedir(list);
	return false;
}

static bool sweep(void)
{
	struct cgroup_host h;
	char path[512];
	bool clean = true;

	if (cgroup_host_load(&h, 0) < 0)
		return false;
	for (size_t i = 0; i < h.count; i++) {
		snprintf(path, sizeof(path), "%s%s/%s", h.tree[i].mount, h.tree[i].own, top);
		clean &= sweep_dir(path);
		snprintf(path, sizeof(path), "%s/%s", h.tree[i].mount, top);
		clean &= sweep_dir(path);
	}
	cgroup_host_free(&h);
	return clean;
}

/* Why a case cannot run here. */
static const char *lacks(size_t i)
{
	struct cgroup_host h;
	enum cgroup_kind kind;

	if (geteuid() != 0)
		return "needs root";
	if (cgroup_host_load(&h, 0) < 0)
		return "needs /proc";
	kind = cgroup_host_kind(&h);
	cgroup_host_free(&h);
	if (kind == CGROUP_NONE)
		return "needs cgroups";
	return cases[i].view == v1_view && kind == CGROUP_V2 ? "needs cgroup v1" : NULL;
}

int main(void)
{
	if (!mkdtemp(files))
		return 1;
	snprintf(top, sizeof(top), "qbox-unit-%d", getpid());
	bad_texts();
	rmdir(files);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = lacks(i);

		if (why) {
			unit_skip(cases[i].name, why);
			continue;
		}
		unit_case(cases[i].name);
		fflush(NULL);
		unit_check(run(i) == 0, cases[i].name, 0, "failed");
		unit_check(sweep(), cases[i].name, 0, "left something behind");
	}
	return unit_end();
}
