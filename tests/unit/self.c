/* SPDX-License-Identifier: MIT */
/* self - unit test: it starts copies of itself */
#include "kernel/self.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* What the started copy says about itself: 0 when its file cannot be written
 * and the words are as given. */
static int report(int argc, char **argv)
{
	bool sealed;
	int fd;

	if (self_protect("again", argv + 1) != 0)
		return 10;
	if (argc != 4 || strcmp(argv[0], "again") != 0 || strcmp(argv[2], "") != 0 ||
		strcmp(argv[3], "a b\xff") != 0)
		return 11;
	/* The attack: keep a descriptor until nobody runs the file any more, which
   * would refuse with ETXTBSY in any case, and then write through it. */
	fd = open("/proc/self/exe", O_RDONLY);
	/* A tmpfs has seals for every file; these are not of them. */
	sealed = fcntl(fd, F_GET_SEALS) > F_SEAL_SEAL;
	if (dup2(open("/proc/self/exe", O_PATH), 9) != 9)
		return 12;
	execl("/bin/sh", "sh", "-c", "(echo x >>/proc/self/fd/9) 2>/dev/null && exit 13; exit $0",
		sealed ? "1" : "0", (char *)NULL);
	return 14;
}

/* The exit status of a copy of us that begins with the user id UID. */
static int start(const char *path, uid_t uid)
{
	static const char *const argv[] = { "first", "report", "", "a b\xff", NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setuid(uid) == 0)
			execv(path, (char *const *)(uintptr_t)argv);
		_exit(20);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void copy_self(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY);
	int to = open(path, O_CREAT | O_WRONLY, 0755);
	char block[65536];
	ssize_t n;

	while ((n = read(from, block, sizeof(block))) > 0)
		CHECK(write(to, block, (size_t)n) == n);
	close(from);
	close(to);
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/unit-self-XXXXXX";
	char command[64];

	if (argc > 1)
		return report(argc, argv);
	if (!mkdtemp(path))
		return 1;
	chmod(path, 0755);
	snprintf(command, sizeof(command), "%s/copy", path);
	copy_self(command);
	if (geteuid() == 0) {
		unit_case("runs from a read-only clone of its mount");
		CHECK(start(command, 0) == 0);
		unit_case("runs from a sealed copy without the right to mount");
		CHECK(start(command, 65534) == 1);
	} else {
		unit_case("runs from a sealed copy without the right to mount");
		CHECK(start(command, getuid()) == 1);
	}
	unlink(command);
	rmdir(path);
	return unit_end();
}
