/* SPDX-License-Identifier: MIT */
/* probe - what the shell cannot ask from inside a container
 *
 * usage: probe args ARG...   each argument as hex digits
 *        probe fds           the open descriptors
 *        probe tiocsti       type into the terminal of 0-2: how many times it worked
 *        probe chroot        climb out of the root: "out" or "in"
 *        probe limits        soft and hard limit of core files, of open files
 *        probe keys          how many keys the session keyring holds
 *        probe state         umask, blocked and ignored signals, process group leader
 *        probe write PATH... the error of opening each for writing
 *        probe crash         a fault, which ends even process 1
 *        probe flood N       N bytes, then the end at once */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void print_args(char **args)
{
	for (; *args; args++) {
		for (const char *s = *args; *s; s++)
			printf("%02x", (unsigned char)*s);
		printf("\n");
	}
}

static void print_fds(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d ", fd);
	printf("\n");
}

static void try_tiocsti(void)
{
	int worked = 0;

	for (int fd = 0; fd < 3; fd++) {
		worked += syscall(SYS_ioctl, fd, TIOCSTI, "x") == 0;
		worked += syscall(SYS_ioctl, fd, TIOCSTI | 1ul << 32, "x") == 0;
	}
	printf("%d\n", worked);
}

/* The classic: a directory outside of the new root is kept open, then ".." until nothing changes. */
static void try_chroot(void)
{
	struct stat root, now;

	if (stat("/", &root) < 0)
		exit(1);
	mkdir("/tmp", 0755);
	if (mkdir("/tmp/jail", 0755) < 0 && errno != EEXIST)
		exit(1);
	int here = open("/", O_RDONLY | O_DIRECTORY);

	if (chroot("/tmp/jail") < 0 || fchdir(here) < 0)
		exit(1);
	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			exit(1);
	printf("%s\n",
		stat(".", &now) == 0 && now.st_ino == root.st_ino && now.st_dev == root.st_dev
			? "in"
			: "out");
}

static void print_limits(void)
{
	struct rlimit core, files;

	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_NOFILE, &files);
	printf("%ld %ld %ld %ld\n", (long)core.rlim_cur, (long)core.rlim_max, (long)files.rlim_cur,
		(long)files.rlim_max);
}

static void print_keys(void)
{
	char list[4096];
	long n = syscall(SYS_keyctl, KEYCTL_READ, KEY_SPEC_SESSION_KEYRING, list, sizeof(list));

	printf("%ld\n", n < 0 ? n : n / 4);
}

static void print_state(void)
{
	sigset_t blocked;
	int ignored = 0, waiting = 0;
	mode_t mask = umask(0);

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int i = 1; i < 32; i++) {
		struct sigaction a;

		waiting += sigismember(&blocked, i) == 1;
		ignored += sigaction(i, NULL, &a) == 0 && a.sa_handler == SIG_IGN;
	}
	printf("%03o %d %d %d\n", (unsigned)mask, waiting, ignored, getsid(0) == getpid());
}

static void try_write(char **paths)
{
	for (; *paths; paths++) {
		int fd = open(*paths, O_WRONLY);

		printf("%s %s\n", *paths, fd >= 0 ? "open" : strerror(errno));
		close(fd);
	}
}

static void flood(long count)
{
	static char block[4096];

	memset(block, 'x', sizeof(block));
	while (count > 0) {
		ssize_t n = write(1, block, count < 4096 ? (size_t)count : 4096);

		if (n < 0)
			exit(1);
		count -= n;
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "args") == 0)
		print_args(argv + 2);
	else if (strcmp(what, "fds") == 0)
		print_fds();
	else if (strcmp(what, "tiocsti") == 0)
		try_tiocsti();
	else if (strcmp(what, "chroot") == 0)
		try_chroot();
	else if (strcmp(what, "limits") == 0)
		print_limits();
	else if (strcmp(what, "keys") == 0)
		print_keys();
	else if (strcmp(what, "state") == 0)
		print_state();
	else if (strcmp(what, "write") == 0)
		try_write(argv + 2);
	else if (strcmp(what, "crash") == 0)
		__builtin_trap();
	else if (strcmp(what, "flood") == 0 && argc > 2)
		flood(atol(argv[2]));
	else
		return 2;
	return 0;
}
