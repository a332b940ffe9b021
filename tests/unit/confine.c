/* SPDX-License-Identifier: MIT */
/* confine - unit test: what a process can still do once it is locked in */
#include "engine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "kernel/caps.h"
#include "kernel/path.h"
#include "unit.h"

/* The sanitizers' own calls are not on the lists: nothing of theirs may run under a filter. */
#define BARE __attribute__((no_sanitize("address", "undefined")))

static char top[] = "/tmp/unit-confine.XXXXXX";
static int dir, root, status_file, pipes[2];

static void BARE leave(int status)
{
	syscall(SYS_exit_group, status);
}

/* /proc/self/status, opened before the door closed, holds LINE. */
static bool BARE says(const char *line)
{
	static char text[8192];
	long n = syscall(SYS_pread64, status_file, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, line) != NULL;
}

static bool BARE has_nothing(void)
{
	return says("CapPrm:\t0000000000000000\n") && says("CapEff:\t0000000000000000\n") &&
		says("CapBnd:\t0000000000000000\n") && says("CapInh:\t0000000000000000\n") &&
		says("NoNewPrivs:\t1\n") && says("Seccomp:\t2\n");
}

/* The end of a child that calls BEGIN, then TRIES: the exit status or minus the signal. */
static int run(int (*begin)(void), void (*tries)(void))
{
	const int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(namespaces) < 0)
			_exit(100);
		/* The first process of the new pid namespace would ignore signals of its own. */
		pid = fork();
		if (pid == 0) {
			/* As if the user had said: generate | qpull - | consume. */
			if (dup2(pipes[0], 0) < 0 || dup2(pipes[1], 1) < 0)
				_exit(101);
			status_file = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
			if (status_file < 0 || begin() < 0)
				_exit(101);
			tries();
			leave(0);
		}
		waitpid(pid, &status, 0);
		_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	waitpid(pid, &status, 0);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 102;
	return status > 128 ? 128 - status : status;
}

static int unpack(void)
{
	return confine_unpack(top, dir, &root);
}

/* --- tries: each ends with the status that leave() gives, 0, or is killed --- */

static void BARE try_rights(void)
{
	if (!has_nothing())
		leave(1);
}

static void BARE try_open(void)
{
	leave(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) < 0 ? 0 : 1);
}

static void BARE try_exec(void)
{
	static const char *const argv[] = { "true", NULL };

	syscall(SYS_execve, "/bin/true", argv, NULL);
	leave(1);
}

static void BARE try_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
	leave(1);
}

static void BARE try_kill(void)
{
	syscall(SYS_kill, 1, 0);
	leave(1);
}

static void BARE try_mount(void)
{
	syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
	leave(1);
}

static void BARE try_unshare(void)
{
	syscall(SYS_unshare, CLONE_NEWUSER);
	leave(1);
}

static void BARE try_chroot(void)
{
	syscall(SYS_chroot, ".");
	leave(1);
}

static void BARE try_handle(void)
{
	syscall(SYS_open_by_handle_at, root, NULL, O_RDONLY);
	leave(1);
}

static void BARE try_socket(void)
{
	leave(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1);
}

/* The sockets of services that obey root, and the kernel's own. */
static void BARE try_unix_socket(void)
{
	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	leave(1);
}

static void BARE try_netlink(void)
{
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
	leave(1);
}

static void BARE try_fork_namespace(void)
{
	if (syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == 0)
		leave(0);
	leave(1);
}

static void BARE try_new_code(void)
{
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	leave(1);
}

static void BARE try_change_code(void)
{
	syscall(SYS_mprotect, (uintptr_t)try_new_code & ~(uintptr_t)4095, 4096,
		PROT_READ | PROT_WRITE | PROT_EXEC);
	leave(1);
}

/* A descriptor can send its owner a signal of choice. */
static void BARE try_signal_by_owner(void)
{
	leave(syscall(SYS_fcntl, pipes[0], F_SETOWN, 4000000) < 0 ? 0 : 1);
}

static void BARE try_dumpable(void)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	leave(1);
}

/* Standard input and output lead nowhere. */
static void BARE try_standard(void)
{
	struct stat st;

	for (int fd = 0; fd < 2; fd++)
		if (syscall(SYS_fstat, fd, &st) < 0 || st.st_rdev != makedev(1, 3))
			leave(1 + fd);
}

static void BARE try_write(void)
{
	leave(syscall(SYS_write, pipes[1], "x", 1) == 1 ? 0 : 1);
}

/* The unpacker keeps what files need. */
static void BARE try_unpack_rights(void)
{
	/* CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP */
	if (!says("CapPrm:\t000000008800001b\n") || !says("CapEff:\t000000008800001b\n"))
		leave(1);
	if (!says("CapBnd:\t000000008800001b\n") || !says("NoNewPrivs:\t1\n") ||
		!says("Seccomp:\t2\n"))
		leave(2);
}

static void BARE try_unpack_root(void)
{
	static const char *const outside[] = { "/etc/passwd", "../marker", "/../marker",
		"/../../../../etc/passwd", "/proc/self/status", "marker" };
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		if (syscall(SYS_openat, AT_FDCWD, outside[i], O_RDONLY) >= 0 ||
			syscall(SYS_openat, root, outside[i], O_RDONLY) >= 0)
			leave(1);
	if (syscall(SYS_openat, AT_FDCWD, "/inside", O_RDONLY) < 0)
		leave(2);
	if (syscall(SYS_newfstatat, root, "..", &st, 0) < 0 || st.st_ino == 0)
		leave(3);
}

/* A device node can be made, but is of no use. */
static void BARE try_unpack_device(void)
{
	if (syscall(SYS_mknodat, root, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
		leave(1);
	if (syscall(SYS_openat, root, "null", O_WRONLY) >= 0)
		leave(2);
}

static const struct {
	const char *name;
	void (*tries)(void);
	int parser, network, unpack;
} rows[] = {
	{ "can write to what it holds open", try_write, 0, 0, 0 },
	{ "can open a file", try_open, -SIGSYS, -SIGSYS, 0 },
	{ "can open a socket", try_socket, -SIGSYS, 0, -SIGSYS },
	{ "can open a socket to this host's services", try_unix_socket, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can talk to the kernel's network", try_netlink, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can fork into a namespace", try_fork_namespace, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can map code", try_new_code, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can change code", try_change_code, -SIGSYS, -SIGSYS, -SIGSYS },
	/* The unpacker sees no process but its own kind. */
	{ "can have a signal sent", try_signal_by_owner, -SIGSYS, -SIGSYS, 0 },
	{ "can open itself to others", try_dumpable, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "has lost standard input and output", try_standard, 0, 0, 0 },
	{ "can start a program", try_exec, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can trace", try_ptrace, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can send a signal", try_kill, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can mount", try_mount, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can make a user namespace", try_unshare, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can change its root", try_chroot, -SIGSYS, -SIGSYS, -SIGSYS },
	{ "can open files by handle", try_handle, -SIGSYS, -SIGSYS, -SIGSYS },
};

static void test_calls(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int parser = run(confine_parser, rows[i].tries);
		int network = run(confine_network, rows[i].tries);
		int unpacker = run(unpack, rows[i].tries);

		unit_case(rows[i].name);
		unit_check(parser == rows[i].parser, "parser", parser, rows[i].name);
		unit_check(network == rows[i].network, "network", network, rows[i].name);
		unit_check(unpacker == rows[i].unpack, "unpacker", unpacker, rows[i].name);
	}
}

/* The network process holds credentials: nobody may look into it. */
static int network_not_dumpable(void)
{
	int r = prctl(PR_SET_DUMPABLE, 1);

	if (r == 0)
		r = confine_network();
	return r;
}

/* Seen from outside: the files of /proc/PID belong to root and not to the owner of the process. */
static void test_dumpable(void)
{
	struct stat st;
	char path[32];
	int status, ready[2], hold[2];
	char c;
	pid_t pid;

	CHECK(pipe(ready) == 0 && pipe(hold) == 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		if (setresgid(65534, 65534, 65534) < 0 || network_not_dumpable() < 0)
			_exit(1);
		syscall(SYS_write, ready[1], "x", 1);
		syscall(SYS_read, hold[0], &c, 1); /* until the parent is done, or gone */
		leave(0);
	}
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	CHECK(stat(path, &st) == 0 && st.st_gid == 0);
	close(hold[1]);
	waitpid(pid, &status, 0);
	close(ready[0]);
	close(hold[0]);
}

int main(void)
{
	int at;

	if (geteuid() != 0) {
		unit_skip("locks processes in", "needs root");
		return unit_end();
	}
	if (!mkdtemp(top) || pipe(pipes) < 0)
		return 1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(dir, "fs", 0755);
	close(openat(dir, "marker", O_CREAT | O_WRONLY, 0600));
	close(openat(dir, "fs/inside", O_CREAT | O_WRONLY, 0600));

	unit_case("parser and network have no capability, no new privileges and a filter");
	CHECK(run(confine_parser, try_rights) == 0);
	CHECK(run(confine_network, try_rights) == 0);
	unit_case("the unpacker has six capabilities");
	CHECK(run(unpack, try_unpack_rights) == 0);
	unit_case("the unpacker sees its own directory and nothing else");
	CHECK(run(unpack, try_unpack_root) == 0);
	unit_case("a device that it makes does not open");
	CHECK(run(unpack, try_unpack_device) == 0);
	test_calls();
	unit_case("nobody looks into the network process");
	test_dumpable();
	close(dir);
	at = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(path_remove_tree(at, top + 5) == 0);
	close(at);
	return unit_end();
}
