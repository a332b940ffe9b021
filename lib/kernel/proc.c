/* SPDX-License-Identifier: MIT */
/* proc - processes: identity, children, waiting */
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/sig.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* The state letter and field 22 of a stat line. The name in field 2 may hold spaces and
 * parentheses, so count from the last ')'. */
static int parse_stat(const char *line, char *state, uint64_t *start)
{
	const char *at = strrchr(line, ')');
	char *end;

	if (!at || at[1] != ' ')
		return -EBADMSG;
	at += 2;
	*state = *at;
	for (int field = 3; field < 22; field++) {
		at = strchr(at, ' ');
		if (!at)
			return -EBADMSG;
		at++;
	}
	errno = 0;
	*start = strtoull(at, &end, 10);
	return errno || end == at ? -EBADMSG : 0;
}

static int read_stat(pid_t pid, char *state, uint64_t *start)
{
	char path[32], line[1024];
	auto_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = fd_read(fd, line, sizeof(line) - 1);
	if (n < 0)
		return (int)n;
	line[n] = '\0';
	return parse_stat(line, state, start);
}

static int own_pidns(uint64_t *out)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return fail_errno("look at the pid namespace in /proc");
	*out = st.st_ino;
	return 0;
}

int proc_identify(struct proc_id *out, pid_t pid)
{
	struct proc_id id = { .pid = pid ? pid : getpid() };
	char state;
	int r;

	memset(out, 0, sizeof(*out));
	r = read_stat(id.pid, &state, &id.start);
	if (r < 0)
		return fail(-r, "process %d: %s", (int)id.pid, strerror(-r));
	r = own_pidns(&id.pidns);
	if (r < 0)
		return r;
	*out = id;
	return 0;
}

bool proc_alive(const struct proc_id *id)
{
	uint64_t start, pidns;
	char state;

	if (own_pidns(&pidns) < 0 || pidns != id->pidns)
		return false;
	if (read_stat(id->pid, &state, &start) < 0)
		return false;
	return start == id->start && state != 'Z' && state != 'X';
}

int proc_open(const struct proc_id *id)
{
	auto_close int fd = id->pid > 0 ? (int)syscall(SYS_pidfd_open, id->pid, 0) : -1;

	if (fd < 0 && id->pid > 0 && errno != ESRCH)
		return -errno;
	/* Whoever had the number when the pidfd was made has it still, if it is the right one now. */
	return fd >= 0 && proc_alive(id) ? take_fd(&fd) : -ESRCH;
}

int proc_signal(const struct proc_id *id, int number)
{
	auto_close int fd = proc_open(id);
	int r;

	if (fd >= 0)
		r = (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
	else if (fd == -ENOSYS && proc_alive(id))
		r = kill(id->pid, number);
	else
		return -ESRCH;
	if (r < 0 && errno == ESRCH)
		return -ESRCH;
	return r < 0 ? fail_errno("signal process %d", (int)id->pid) : 0;
}

int proc_boot_id(char out[37])
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	out[0] = '\0';
	if (fd < 0)
		return fail_errno("open %s", path);
	n = fd_read(fd, out, 36);
	if (n != 36 || memchr(out, '\n', 36)) {
		out[0] = '\0';
		return fail(EBADMSG, "%s does not hold a boot id", path);
	}
	out[36] = '\0';
	return 0;
}

/* As fork, the child goes on with a copy of this stack. There are no threads, so the child may
 * use whatever the parent could, malloc included. */
static pid_t clone_process(unsigned long flags, int *pidfd)
{
	/* A kernel before 5.2 ignores CLONE_PIDFD and leaves -1. */
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD | CLONE_PIDFD, NULL, pidfd, NULL, 0);
}

/* Did the process behind PIDFD end? */
static bool ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* In the child: die with the parent, also if it is gone already. The number that getppid gives
 * says nothing in a new pid namespace (it is 0), so a pidfd taken before the fork is asked. */
static void follow_parent(int parent_fd, pid_t parent, int flags)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (parent_fd >= 0 ? ended(parent_fd) : !(flags & CLONE_NEWPID) && getppid() != parent)
		_exit(EXIT_FAILURE);
}

pid_t proc_fork(int flags, const int *keep, size_t count, int *pidfd)
{
	pid_t parent = getpid(), pid;
	/* Linux 5.3 */
	auto_close int parent_fd = (int)syscall(SYS_pidfd_open, parent, 0);
	int fd = -1;

	if (pidfd)
		*pidfd = -1;
	pid = clone_process((unsigned long)flags, &fd);
	if (pid < 0)
		return fail_errno("start a process");
	if (pid == 0) {
		follow_parent(parent_fd, parent, flags);
		fd_close_others(keep, count);
		parent_fd = -1;
		return 0;
	}
	if (pidfd)
		*pidfd = take_fd(&fd);
	else if (fd >= 0)
		close(fd);
	return pid;
}

static pid_t clone_into(int cgroup, unsigned long flags)
{
	struct clone_args args = {
		.flags = flags | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

pid_t proc_fork_into(int cgroup, int flags, const int *keep, size_t count, bool *placed)
{
	pid_t parent = getpid(), pid;
	auto_close int parent_fd = (int)syscall(SYS_pidfd_open, parent, 0);

	pid = clone_into(cgroup, (unsigned long)flags);
	*placed = pid >= 0;
	/* Not known: clone3 itself, or the flag, which a kernel takes for garbage then. */
	if (pid < 0 && (errno == ENOSYS || errno == EINVAL || errno == E2BIG))
		return proc_fork(flags, keep, count, NULL);
	if (pid < 0)
		return fail_errno("start a process");
	if (pid == 0) {
		follow_parent(parent_fd, parent, flags);
		fd_close_others(keep, count);
		parent_fd = -1;
	}
	return pid;
}

int proc_wait(pid_t pid, int *status)
{
	pid_t r;

	*status = 0;
	do
		r = waitpid(pid, status, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail_errno("wait for process %d", (int)pid) : 0;
}

void proc_format_status(char *out, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "killed by %s", sig_name(WTERMSIG(status)));
	else
		snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
}
