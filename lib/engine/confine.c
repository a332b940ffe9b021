/* SPDX-License-Identifier: MIT */
/* confine - lock the processes of a pull in before they see a hostile byte */
#include "engine/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/caps.h"
#include "kernel/mnt.h"
#include "kernel/seccomp.h"

/* Calls that any of our processes needs to compute, to use what it holds open and to end. No memory becomes
 * code. */
static const struct seccomp_call calls_base[] = {
	{ SYS_read },
	{ SYS_write },
	{ SYS_pread64 },
	{ SYS_pwrite64 },
	{ SYS_readv },
	{ SYS_writev },
	{ SYS_lseek },
	{ SYS_close },
	{ SYS_fstat },
	{ SYS_brk },
	{ SYS_mmap, 2, PROT_EXEC, 0 },
	{ SYS_mprotect, 2, PROT_EXEC, 0 },
	{ SYS_munmap },
	{ SYS_mremap },
	{ SYS_madvise },
	{ SYS_clock_gettime },
	{ SYS_rt_sigreturn },
	{ SYS_rt_sigprocmask },
	{ SYS_rt_sigaction },
	{ SYS_restart_syscall },
	{ SYS_exit },
	{ SYS_exit_group },
	{ SYS_getrandom },
#ifdef __SANITIZE_ADDRESS__
	/* The sanitizer before a process ends, its C library after a fork. */
	{ SYS_sigaltstack },
	{ SYS_set_robust_list },
#endif
};

/* A fork has its own memory, but no namespace of its own: it would be privileged there. */
#define CLONE_NAMESPACES                                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET)

static const struct seccomp_call calls_network[] = {
	/* Not AF_UNIX: the sockets of this host's services are control of it. No fcntl: F_SETOWN would
	 * send signals. */
	{ SYS_socket, 0, ~0u, AF_INET },
	{ SYS_socket, 0, ~0u, AF_INET6 },
	{ SYS_connect },
	{ SYS_bind },
	{ SYS_getsockopt },
	{ SYS_setsockopt },
	{ SYS_getsockname },
	{ SYS_sendto },
	{ SYS_sendmsg },
	{ SYS_recvfrom },
	{ SYS_recvmsg },
	{ SYS_shutdown },
	{ SYS_clock_nanosleep },
	{ SYS_nanosleep },
	{ SYS_ppoll },
	/* A layer is fetched by a fork of the network process. */
	{ SYS_clone, 0, CLONE_NAMESPACES, 0 },
	{ SYS_prctl, 0, ~0u, PR_SET_PDEATHSIG },
	{ SYS_getppid },
	{ SYS_getpid },
	{ SYS_gettid },
	{ SYS_set_tid_address },
#ifdef SYS_fork
	{ SYS_fork },
#endif
#ifdef SYS_poll
	{ SYS_poll },
#endif
};

static const struct seccomp_call calls_unpack[] = {
	{ SYS_openat },
	{ SYS_openat2 },
	{ SYS_newfstatat },
	{ SYS_statx },
	{ SYS_getdents64 },
	{ SYS_mkdirat },
	{ SYS_mknodat },
	{ SYS_symlinkat },
	{ SYS_linkat },
	{ SYS_unlinkat },
	{ SYS_readlinkat },
	{ SYS_fchmod },
	{ SYS_fchmodat },
	{ SYS_fchown },
	{ SYS_fchownat },
	{ SYS_utimensat },
	{ SYS_fsetxattr },
	{ SYS_lsetxattr },
	{ SYS_fchdir },
	{ SYS_ftruncate },
	{ SYS_fstatfs },
	{ SYS_fcntl },
#ifdef SYS_lchown
	{ SYS_lchown },
#endif
};

/* Allow the base and MORE. */
static int allow(const struct seccomp_call *more, size_t count)
{
	struct seccomp_call all[ARRAY_LEN(calls_base) + 40];

	if (count > ARRAY_LEN(all) - ARRAY_LEN(calls_base))
		return fail(EINVAL, "a filter of %zu more calls", count);
	memcpy(all, calls_base, sizeof(calls_base));
	if (count)
		memcpy(all + ARRAY_LEN(calls_base), more, count * sizeof(*more));
	return seccomp_allow(all, ARRAY_LEN(calls_base) + count);
}

/* Standard input and output are the user's: passwords, a tar stream. Standard error stays, for our notes. */
static int leave_standard(void)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return fail_errno("leave standard input and output");
	return 0;
}

static int drop_all_capabilities(void)
{
	int r = caps_bound(0);

	return r < 0 ? r : caps_set(0);
}

int confine_network(void)
{
	int r = leave_standard();

	/* It holds credentials. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = fail_errno("protect the network process");
	if (r == 0)
		r = drop_all_capabilities();
	return r < 0 ? r : allow(calls_network, ARRAY_LEN(calls_network));
}

int confine_parser(void)
{
	int r = leave_standard();

	if (r == 0)
		r = drop_all_capabilities();
	return r < 0 ? r : allow(NULL, 0);
}

/* Go to the directory that STAGING is, by its path, so that it is one of this mount namespace's. */
static int enter(const char *path, int staging)
{
	struct stat want, is;

	if (chdir(path) < 0 || fstat(staging, &want) < 0 || stat(".", &is) < 0)
		return fail_errno("enter '%s'", path);
	if (want.st_dev != is.st_dev || want.st_ino != is.st_ino)
		return fail(ESTALE, "'%s' is another directory now", path);
	return 0;
}

int confine_unpack(const char *path, int staging, int *root)
{
	const uint64_t keep = CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) |
		CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_SETFCAP);
	auto_close int fs = -1;
	int r;

	*root = -1;
	r = leave_standard();
	if (r == 0)
		r = mnt_isolate();
	if (r < 0)
		return r;
	/* The directory must be a mount to be pivoted into, and the look-up after the bind mount must go
	 * through its name to come out on top of it. */
	r = enter(path, staging);
	if (r < 0)
		return r;
	if (mount("fs", "fs", NULL, MS_BIND, NULL) < 0)
		return fail_errno("bind the staging directory");
	r = mnt_set_flags("fs", MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false);
	if (r < 0)
		return r;
	fs = open("fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs < 0)
		return fail_errno("open the staging directory");
	r = mnt_pivot(fs);
	if (r < 0)
		return r;
	r = caps_bound(keep);
	if (r == 0)
		r = caps_set(keep);
	if (r == 0)
		r = allow(calls_unpack, ARRAY_LEN(calls_unpack));
	if (r < 0)
		return r;
	*root = take_fd(&fs);
	return 0;
}
