/* SPDX-License-Identifier: MIT */
/* cgroupkill - the processes of a cgroup: list, freeze, thaw, kill */
#include "kernel/cgroupkill.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/cgroupfile.h"
#include "kernel/fd.h"

#define PROCS_MAX      (64u << 20)
#define FREEZE_WAIT_NS (2 * NS_PER_S)
#define KILL_ROUNDS    50

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

/* --- list --- */

static int add_pids(int dir, struct buf *out)
{
	auto_close int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf text = { 0 };
	const char *at;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = fd_read_all(fd, &text, PROCS_MAX);
	if (r < 0) {
		fail_clear();
		/* Removed meanwhile; or v2: threads of processes that a cgroup above lists. */
		return r == -ENODEV || r == -EOPNOTSUPP ? 0 : r;
	}
	for (at = buf_str(&text); *at; at++) {
		char *end;
		pid_t pid = (pid_t)strtol(at, &end, 10);

		/* 0 is a process of another pid namespace; for kill it would be our own group. */
		if (pid > 0)
			buf_add(out, &pid, sizeof(pid));
		if (*end != '\n')
			break;
		at = end;
	}
	return 0;
}

static int visit(int parent UNUSED, const char *name UNUSED, int child, void *out)
{
	return add_pids(child, out);
}

/* The directory of CG that lists its processes: every one does, but v2 says least nonsense about
 * dead ones, and is first. */
static int lister(const struct cgroup *cg)
{
	int fd = cgroup_fd(cg);

	for (size_t i = 0; fd < 0 && i < cg->count; i++)
		fd = cg->part[i].fd;
	return fd;
}

int cgroup_pids(const struct cgroup *cg, struct buf *out)
{
	int dir = lister(cg);
	int r = dir < 0 ? 0 : add_pids(dir, out);

	if (r == 0 && dir >= 0)
		r = cgroup_walk(dir, visit, out);
	return r < 0 ? fail(-r, "list the processes of a cgroup: %s", strerror(-r))
		     : buf_check(out);
}

/* --- freeze --- */

/* What freezes, in either version. */
struct freezer {
	int dir;
	const char *file, *freeze, *thaw;
};

static int find(const struct cgroup *cg, struct freezer *out)
{
	int fd = cgroup_fd(cg);

	if (fd >= 0 && faccessat(fd, "cgroup.freeze", F_OK, 0) == 0) {
		*out = (struct freezer){ fd, "cgroup.freeze", "1", "0" };
		return 0;
	}
	for (size_t i = 0; i < cg->count; i++)
		if (cg->part[i].fd >= 0 && cg->part[i].controllers & CGROUP_BIT(CGROUP_FREEZER)) {
			*out = (struct freezer){ cg->part[i].fd, "freezer.state", "FROZEN",
				"THAWED" };
			return 0;
		}
	return fail(ENOTSUP, "this cgroup cannot be frozen: no v2 cgroup.freeze, no v1 freezer");
}

static bool is_done(const struct freezer *f)
{
	char state[16];

	if (f->freeze[0] == '1')
		return cgroup_read_number(f->dir, "cgroup.events", "frozen") == 1;
	cgroup_read(f->dir, f->file, state, sizeof(state));
	return str_starts(state, "FROZEN");
}

/* Write and wait. v1 says nothing when it is done, and has to be told again about processes that
 * forked at the wrong moment. */
static int freeze(const struct freezer *f)
{
	int64_t end = time_mono() + FREEZE_WAIT_NS;
	int r;

	do {
		r = cgroup_write(f->dir, f->file, f->freeze);
		if (r < 0 || is_done(f))
			return r;
		pause_ms(1);
	} while (time_mono() < end);
	cgroup_write(f->dir, f->file, f->thaw);
	return -ETIMEDOUT;
}

int cgroup_freeze(const struct cgroup *cg)
{
	struct freezer f;
	int r = find(cg, &f);

	if (r < 0)
		return r;
	r = freeze(&f);
	return r < 0 ? fail(-r, "freeze a cgroup: %s", strerror(-r)) : 0;
}

int cgroup_thaw(const struct cgroup *cg)
{
	struct freezer f;
	int r = find(cg, &f);

	if (r < 0)
		return r;
	r = cgroup_write(f.dir, f.file, f.thaw);
	return r < 0 ? fail(-r, "thaw a cgroup: %s", strerror(-r)) : 0;
}

bool cgroup_is_frozen(const struct cgroup *cg)
{
	struct freezer f;
	char state[16];

	if (find(cg, &f) < 0) {
		fail_clear();
		return false;
	}
	cgroup_read(f.dir, f.file, state, sizeof(state));
	return state[0] == f.freeze[0];
}

/* --- kill --- */

/* Returns how many there were. */
static int kill_each(const struct cgroup *cg)
{
	auto_buf struct buf pids = { 0 };
	int r = cgroup_pids(cg, &pids), n = 0;

	for (size_t i = 0; r == 0 && i < pids.len; i += sizeof(pid_t)) {
		pid_t pid;

		memcpy(&pid, pids.data + i, sizeof(pid));
		if (kill(pid, SIGKILL) == 0)
			n++;
	}
	return r < 0 ? r : n;
}

int cgroup_kill(const struct cgroup *cg)
{
	struct freezer f;
	bool freezes = find(cg, &f) == 0;
	int r = cgroup_fd(cg);

	if (!freezes)
		fail_clear();
	/* Linux 5.14 */
	if (r >= 0 && cgroup_write(r, "cgroup.kill", "1") == 0)
		return 0;
	/* Whoever is frozen cannot fork, so one look is enough; else look until nothing is left.
	 * A process that v1 froze dies when it is thawed. */
	for (int round = 0; round < KILL_ROUNDS; round++) {
		bool frozen = freezes && freeze(&f) == 0;

		r = kill_each(cg);
		if (freezes)
			cgroup_write(f.dir, f.file, f.thaw);
		if (r <= 0 || frozen)
			break;
		pause_ms(1);
	}
	return r < 0 ? r : 0;
}
