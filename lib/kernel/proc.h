/* SPDX-License-Identifier: MIT */
/* proc - processes: identity, children, waiting */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who a process is beyond its number (DESIGN 2): field 22 of /proc/PID/stat and the pid namespace. */
struct proc_id {
	pid_t pid;
	uint64_t start; /* clock ticks since boot */
	uint64_t pidns; /* inode of the pid namespace that pid counts in */
};

/* Identity of PID (0: this process). -ESRCH if it does not exist. */
int proc_identify(struct proc_id *out, pid_t pid);

/* Does this very process still live? A zombie does not. False for another pid namespace's. */
bool proc_alive(const struct proc_id *id);

/* A pidfd (CLOEXEC) of exactly this process, readable when it has ended. -ESRCH without text: it has; -ENOSYS:
 * not before Linux 5.3. */
int proc_open(const struct proc_id *id);

/* Send it signal NUMBER, and never a process that got its number later. -ESRCH without text: it has ended. */
int proc_signal(const struct proc_id *id, int number);

/* The 36 characters of /proc/sys/kernel/random/boot_id; OUT holds 37. */
int proc_boot_id(char out[37]);

/* fork for a child that does a part of our work: in the child every descriptor from 3 up but the COUNT
 * in KEEP is closed, it dies with its parent (PDEATHSIG, checked against the race). FLAGS are
 * CLONE_NEW* namespaces (0: none). Returns 0 in the child, the pid in the parent; *PIDFD (may be NULL;
 * -1 before Linux 5.2) is CLOEXEC. The child ends with _exit. */
pid_t proc_fork(int flags, const int *keep, size_t count, int *pidfd);

/* The same for a child that begins its life in the v2 cgroup of descriptor CGROUP: *PLACED says whether it
 * does, which takes Linux 5.7. */
pid_t proc_fork_into(int cgroup, int flags, const int *keep, size_t count, bool *placed);

/* Wait for a child's end, restarting after EINTR. Its status as waitpid has it. */
int proc_wait(pid_t pid, int *status);

/* "exited with status N", "killed by SIGNAME". OUT >= 64. */
void proc_format_status(char *out, size_t size, int status);

#endif
