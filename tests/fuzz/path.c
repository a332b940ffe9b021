/* SPDX-License-Identifier: MIT */
/* path - fuzz target: the walk in user space against openat2 on random trees
 *
 * The input describes entries to make and then paths to look up. Both resolvers must give the same
 * error or the same file, the tree is removed again, and a file beside the root is never reached. */
#include "kernel/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/pathwalk.h"

struct input {
	const uint8_t *at;
	size_t len;
};

static int top = -1;
static struct stat outside;

static unsigned next(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->at++;
}

/* A path of a few tokens. */
static void make_path(struct input *in, char *out, unsigned tokens)
{
	static const char *const token[] = { "a", "b", "c", "a/", "b/", "c/", "/", "..", "../",
		"./", ".", "//", "/a", "/b", "/../", "abc" };

	*out = '\0';
	while (tokens-- > 0)
		strcat(out, token[next(in) % 16]);
}

static void make_entry(struct input *in, int root)
{
	static const char *const dirs[] = { ".", "a", "b", "a/b", "a/a", "b/c", "a/b/c", "c" };
	static const char *const names[] = { "a", "b", "c", "abc" };
	unsigned kind = next(in);
	const char *name = names[kind >> 5 & 3];
	char target[64];
	/* Without links: the test itself must not leave the root either. */
	int dir = path_open_plain(root, dirs[kind >> 2 & 7], O_PATH | O_DIRECTORY);

	switch (kind & 3) {
	case 0:
	case 1: mkdirat(dir, name, 0755); break;
	case 2: close(openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0644)); break;
	case 3:
		make_path(in, target, next(in) % 6);
		symlinkat(target, dir, name);
		break;
	}
	close(dir);
}

static void complain(const char *path, int flags, int a, int b)
{
	fprintf(stderr, "'%s' flags %o: openat2 %d, walk %d\n", path, (unsigned)flags, a, b);
	abort();
}

static void compare(int root, const char *path, int flags, bool plain)
{
	int a = plain ? path_open_plain(root, path, flags) : path_open(root, path, flags);
	int b = pathwalk_open(root, path, flags, plain, NULL);
	struct stat sa, sb;

	if ((a < 0 || b < 0) && a != b)
		complain(path, flags, a, b);
	if (a < 0)
		return;
	if (fstat(a, &sa) < 0 || fstat(b, &sb) < 0 || sa.st_ino != sb.st_ino ||
		sa.st_dev != sb.st_dev ||
		(fcntl(a, F_GETFL) ^ fcntl(b, F_GETFL)) & (O_PATH | O_ACCMODE))
		complain(path, flags, a, b);
	if (sa.st_ino == outside.st_ino)
		abort();
	close(a);
	close(b);
}

static void start(void)
{
	char shm[] = "/dev/shm/fuzz-path-XXXXXX", disk[] = "/tmp/fuzz-path-XXXXXX";
	char *where = mkdtemp(shm);

	if (!where)
		where = mkdtemp(disk);
	if (!where)
		abort();
	top = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The target never ends by itself; who is left alone removes the directory. */
	if (fork() == 0) {
		pid_t parent = getppid();

		while (getppid() == parent)
			usleep(100000);
		path_remove_tree(top, "root");
		unlinkat(top, "abc", 0);
		rmdir(where);
		_exit(0);
	}
	/* Reachable for whoever climbs out of the root. */
	close(openat(top, "abc", O_CREAT | O_WRONLY, 0600));
	fstatat(top, "abc", &outside, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int flags[] = { O_PATH, O_PATH | O_NOFOLLOW, O_RDONLY, O_RDONLY | O_NOFOLLOW,
		O_PATH | O_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, O_WRONLY,
		O_PATH | O_DIRECTORY | O_NOFOLLOW };
	struct input in = { data, size };
	char path[128];
	unsigned count;
	int root;

	if (top < 0)
		start();
	if (mkdirat(top, "root", 0755) < 0)
		abort();
	root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (count = next(&in) % 16; count > 0 && in.len > 0; count--)
		make_entry(&in, root);
	for (int i = 0; i < 16 && in.len > 0; i++) {
		unsigned how = next(&in);

		make_path(&in, path, how >> 4);
		compare(root, path, flags[how & 7], how & 8);
	}
	if (in.len > 0) {
		make_path(&in, path, 6);
		close(path_mkdirs(root, path, 0755, geteuid(), getegid()));
	}
	close(root);
	if (path_remove_tree(top, "root") < 0)
		abort();
	return 0;
}
