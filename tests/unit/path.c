/* SPDX-License-Identifier: MIT */
/* path - unit test: both resolvers on the same tree, and the removal of trees */
#include "kernel/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/pathwalk.h"
#include "unit.h"

static char where[] = "/tmp/unit-path-XXXXXX";
static int top, root; /* root is top/root; top/outside must stay out of reach */

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static void make_tree(void)
{
	char name[32], target[32];

	mkdirat(top, "root", 0755);
	make_file(top, "outside");
	root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mkdirat(root, "a", 0755);
	mkdirat(root, "a/b", 0755);
	mkdirat(root, "a/b/c", 0755);
	make_file(root, "a/b/file");
	make_file(root, "outside_not");
	symlinkat("/a/b", root, "abs");
	symlinkat("../../../../../outside", root, "a/up");
	symlinkat("../../../..", root, "a/b/top");
	symlinkat("/", root, "slash");
	symlinkat("/nowhere/x", root, "dangling");
	symlinkat("self", root, "self");
	symlinkat("a/b/file", root, "to_file");
	symlinkat("a/b/", root, "to_dir_slash");
	symlinkat("abs/c/../../b", root, "round");
	symlinkat("c/.", root, "a/b/dot");
	for (int i = 0; i < 42; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		snprintf(target, sizeof(target), "chain%d", i + 1);
		symlinkat(i == 41 ? "a" : target, root, name);
	}
}

/* One look through both resolvers: the same error, or the same file as NAME (from top, not followed). */
static void both(const char *path, int flags, const char *name, int error)
{
	struct stat want, st;
	int fds[2] = { path_open(root, path, flags),
		pathwalk_open(root, path, flags, false, NULL) };

	for (int i = 0; i < 2; i++) {
		unit_check(
			name ? fds[i] >= 0 : fds[i] == error, i ? "walk" : "openat2", fds[i], path);
		if (fds[i] < 0)
			continue;
		CHECK(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
		if (name && fstatat(top, name, &want, AT_SYMLINK_NOFOLLOW) == 0 &&
			fstat(fds[i], &st) == 0)
			unit_check(st.st_ino == want.st_ino && st.st_dev == want.st_dev,
				i ? "walk" : "openat2", 0, path);
		else
			CHECK(name && !"stat failed");
		close(fds[i]);
	}
}

static void test_inside(void)
{
	unit_case("follows links inside the root");
	both("a/b/c", O_PATH, "root/a/b/c", 0);
	both("/a/b/file", O_RDONLY, "root/a/b/file", 0);
	both("abs/c", O_PATH | O_DIRECTORY, "root/a/b/c", 0);
	both("to_file", O_RDONLY, "root/a/b/file", 0);
	both("to_dir_slash", O_PATH, "root/a/b", 0);
	both("round/file", O_RDONLY, "root/a/b/file", 0);
	both("a/b/dot", O_PATH, "root/a/b/c", 0);
	both("slash", O_PATH, "root", 0);
	both("slash/slash//./abs/../b//c/", O_PATH, "root/a/b/c", 0);
	both("slash/", O_RDONLY | O_DIRECTORY, "root", 0);

	unit_case("cannot leave the root");
	both("..", O_PATH, "root", 0);
	both("../../outside_not", O_PATH, "root/outside_not", 0);
	both("/../../../outside", O_PATH, NULL, -ENOENT);
	both("a/up", O_PATH, NULL, -ENOENT);
	both("a/b/top", O_PATH, "root", 0);
	both("a/b/top/../../outside", O_PATH, NULL, -ENOENT);
	both(".", O_PATH, "root", 0);
	both("/", O_PATH, "root", 0);
	both("a/..", O_PATH, "root", 0);
	both("a/b/c/../../..", O_PATH, "root", 0);

	unit_case("follows the last part unless told not to");
	both("abs", O_PATH | O_NOFOLLOW, "root/abs", 0);
	both("abs/", O_PATH | O_NOFOLLOW, "root/a/b", 0);
	both("abs/.", O_PATH | O_NOFOLLOW, "root/a/b", 0);
	both("to_file", O_RDONLY | O_NOFOLLOW, NULL, -ELOOP);
	both("abs", O_PATH | O_NOFOLLOW | O_DIRECTORY, NULL, -ENOTDIR);
	both("abs", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, NULL, -ENOTDIR);
}

static void test_errors(void)
{
	char name[PATH_MAX + 8];

	unit_case("gives the kernel's errors");
	both("", O_PATH, NULL, -ENOENT);
	both("none", O_PATH, NULL, -ENOENT);
	both("none/x", O_PATH, NULL, -ENOENT);
	both("dangling", O_PATH, NULL, -ENOENT);
	both("a/b/file/", O_PATH, NULL, -ENOTDIR);
	both("a/b/file/.", O_PATH, NULL, -ENOTDIR);
	both("a/b/file/..", O_PATH, NULL, -ENOTDIR);
	both("to_file/", O_PATH, NULL, -ENOTDIR);
	both("a/b/file", O_PATH | O_DIRECTORY, NULL, -ENOTDIR);
	both("a", O_WRONLY, NULL, -EISDIR);
	both("self", O_PATH, NULL, -ELOOP);
	both("self/x", O_PATH, NULL, -ELOOP);
	both("chain1", O_PATH, NULL, -ELOOP);
	both("chain2", O_PATH, "root/a", 0);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	both(name, O_PATH, NULL, -ENAMETOOLONG);
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '/' : '.';
	name[PATH_MAX] = '\0';
	both(name, O_PATH, NULL, -ENAMETOOLONG);
	name[PATH_MAX - 1] = '\0';
	both(name, O_PATH, "root", 0);
}

static void test_plain(void)
{
	static const char *const linked[] = { "abs", "abs/c", "slash", "slash/a", "to_file",
		"self" };

	unit_case("refuses every link when told to");
	for (size_t i = 0; i < ARRAY_LEN(linked); i++) {
		CHECK(path_open_plain(root, linked[i], O_PATH) == -ELOOP);
		CHECK(pathwalk_open(root, linked[i], O_PATH, true, NULL) == -ELOOP);
	}
	for (int i = 0; i < 2; i++) {
		int fd = i ? pathwalk_open(root, "/a/../a/b/c", O_PATH, true, NULL)
			   : path_open_plain(root, "/a/../a/b/c", O_PATH);

		CHECK(fd >= 0);
		close(fd);
	}
}

static void test_magic(void)
{
	int proc = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	static const char *const magic[] = { "proc/self/cwd", "proc/self/root/etc",
		"proc/self/fd/0", "proc/self/exe", "proc/self/ns/pid", "proc/thread-self/cwd" };

	unit_case("refuses magic links, follows the honest ones of /proc");
	for (size_t i = 0; i < ARRAY_LEN(magic); i++) {
		CHECK(path_open(proc, magic[i], O_PATH) == -ELOOP);
		CHECK(pathwalk_open(proc, magic[i], O_PATH, false, NULL) == -ELOOP);
	}
	for (int i = 0; i < 2; i++) {
		fd = i ? pathwalk_open(proc, "proc/mounts", O_RDONLY, false, NULL)
		       : path_open(proc, "proc/mounts", O_RDONLY);
		CHECK(fd >= 0);
		close(fd);
	}
	close(proc);
}

static void test_parent(void)
{
	struct stat st, want;
	const char *name;
	int fd;

	unit_case("opens the directory of the last part");
	fd = path_open_parent(root, "abs/new", &name);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && fstatat(root, "a/b", &want, 0) == 0);
	CHECK(st.st_ino == want.st_ino);
	CHECK_STR(name, "new");
	close(fd);
	for (int i = 0; i < 2; i++) {
		fd = path_open_parent(root, i ? "/new" : "new", &name);
		CHECK(fd >= 0 && fstat(fd, &st) == 0 && fstat(root, &want) == 0);
		CHECK(st.st_ino == want.st_ino);
		CHECK_STR(name, "new");
		close(fd);
	}
	CHECK(path_open_parent(root, "", &name) == -EINVAL);
	CHECK(path_open_parent(root, "/", &name) == -EINVAL);
	CHECK(path_open_parent(root, "a/", &name) == -EINVAL);
	CHECK(path_open_parent(root, "a/.", &name) == -EINVAL);
	CHECK(path_open_parent(root, "a/..", &name) == -EINVAL);
	CHECK(path_open_parent(root, "..", &name) == -EINVAL && !name);
	CHECK(path_open_parent(root, "none/x", &name) == -ENOENT && !name);
	CHECK(path_open_parent(root, "a/b/file/x", &name) == -ENOTDIR);
}

static void test_mkdirs(void)
{
	struct stat st;
	int fd;

	unit_case("makes missing directories with the mode wanted, whatever the umask");
	umask(077);
	fd = path_mkdirs(root, "/abs/new/deep//er/", 0755, geteuid(), getegid());
	CHECK(fd >= 0);
	close(fd);
	CHECK(fstatat(root, "a/b/new/deep/er", &st, 0) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(fstatat(root, "a/b/new", &st, 0) == 0 && (st.st_mode & 07777) == 0755);
	umask(022);

	unit_case("makes what a dangling link names, inside the root");
	symlinkat("/../../../made/here", root, "a/away");
	fd = path_mkdirs(root, "a/away/x", 0700, geteuid(), getegid());
	CHECK(fd >= 0);
	close(fd);
	CHECK(fstatat(root, "made/here/x", &st, 0) == 0);
	CHECK(faccessat(top, "made", F_OK, 0) < 0);

	unit_case("gives what is there, and refuses a file on the way");
	fd = path_mkdirs(root, "a", 0700, geteuid(), getegid());
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0755);
	close(fd);
	CHECK(path_mkdirs(root, "a/b/file", 0700, geteuid(), getegid()) == -ENOTDIR);
	CHECK(path_mkdirs(root, "a/b/file/x", 0700, geteuid(), getegid()) == -ENOTDIR);
	CHECK(path_mkdirs(root, "self/x", 0700, geteuid(), getegid()) == -ELOOP);
}

static void normal(const char *path, const char *want)
{
	struct buf b = { 0 };

	CHECK(path_normalise(&b, path) == 0);
	CHECK_STR(buf_str(&b), want);
	buf_free(&b);
}

static void test_normalise(void)
{
	char name[PATH_MAX + 2];
	struct buf b = { 0 };

	unit_case("normalises names");
	normal("", "");
	normal("/", "");
	normal("./", "");
	normal("..", "");
	normal("../../x", "x");
	normal("a//b/./c/", "a/b/c");
	normal("/a/b/../../..", "");
	normal("a/b/../c", "a/c");
	normal("a/../b", "b");
	normal("...", "...");
	normal("a/..b/.c", "a/..b/.c");
	normal("a\nb/\xff", "a\nb/\xff");

	unit_case("refuses names that are too long and leaves what was there");
	buf_puts(&b, "x/");
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	CHECK(path_normalise(&b, name) == -ENAMETOOLONG);
	CHECK(b.len == 2);
	name[255] = '\0';
	CHECK(path_normalise(&b, name) == 0 && b.len == 257);
	buf_clear(&b);
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '/' : 'x';
	name[PATH_MAX + 1] = '\0';
	CHECK(path_normalise(&b, name) == -ENAMETOOLONG);
	name[PATH_MAX] = '\0';
	CHECK(path_normalise(&b, name) == 0);
	buf_clear(&b);
	buf_puts(&b, "keep/");
	CHECK(path_normalise(&b, "../a") == 0);
	CHECK_STR(buf_str(&b), "keep/a");
	buf_free(&b);
}

static void test_remove(void)
{
	int fd;

	unit_case("removes a file, a link, a tree; what is missing is removed already");
	mkdirat(top, "t", 0755);
	fd = openat(top, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_file(fd, "f");
	symlinkat("../outside", fd, "l");
	symlinkat("..", fd, "up");
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		mkdirat(fd, name, 0755);
		snprintf(name, sizeof(name), "d%d/x", i);
		make_file(fd, name);
	}
	close(fd);
	CHECK(path_remove_tree(top, "t") == 0);
	CHECK(faccessat(top, "t", F_OK, 0) < 0);
	CHECK(path_remove_tree(top, "t") == 0);
	symlinkat("root", top, "link");
	CHECK(path_remove_tree(top, "link") == 0);
	CHECK(faccessat(top, "outside", F_OK, 0) == 0 && faccessat(top, "root/a", F_OK, 0) == 0);

	unit_case("removes a tree deeper than a path may be long");
	mkdirat(top, "deep", 0755);
	fd = openat(top, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		mkdirat(fd, "dd", 0755);
		make_file(fd, "f");
		next = openat(fd, "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	CHECK(path_remove_tree(top, "deep") == 0);
	CHECK(faccessat(top, "deep", F_OK, 0) < 0);
}

/* In a mount namespace of its own: a bind mount in the tree stops the removal. */
static int stops_at_mount(void)
{
	if (fchdir(top) < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	if (mkdir("m", 0755) < 0 || mkdir("m/sub", 0755) < 0 || mkdir("m/sub/at", 0755) < 0 ||
		mount("root", "m/sub/at", NULL, MS_BIND, NULL) < 0)
		return 2;
	/* A descriptor from before leads past the mounts of this namespace. */
	top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (path_remove_tree(top, "m") != -EBUSY)
		return 3;
	if (!strstr(fail_text(), "'m/sub/at'"))
		return 4;
	if (access("root/a/b/file", F_OK) < 0 || access("m/sub/at/a", F_OK) < 0)
		return 5;
	if (path_remove_tree(top, "m/sub/at") != -EBUSY)
		return 6;
	if (umount("m/sub/at") < 0 || path_remove_tree(top, "m") != 0)
		return 7;
	return access("m", F_OK) == 0;
}

static void test_mount(void)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		unit_skip("stops at a mount and names it", "needs root");
		return;
	}
	unit_case("stops at a mount and names it");
	pid = fork();
	if (pid == 0)
		_exit(stops_at_mount());
	waitpid(pid, &status, 0);
	unit_check(status == 0, "stops_at_mount", WEXITSTATUS(status), "status");
}

int main(void)
{
	char *name;

	if (!mkdtemp(where))
		return 1;
	top = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_tree();
	test_inside();
	test_errors();
	test_plain();
	test_magic();
	test_parent();
	test_mkdirs();
	test_normalise();
	test_remove();
	test_mount();
	close(root);
	unit_case("removes all that the test made");
	name = strrchr(where, '/');
	*name++ = '\0';
	close(top);
	top = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(path_remove_tree(top, name) == 0);
	CHECK(faccessat(top, name, F_OK, 0) < 0);
	close(top);
	return unit_end();
}
