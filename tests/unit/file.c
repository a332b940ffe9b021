/* SPDX-License-Identifier: MIT */
/* file - unit test */
#include "kernel/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "unit.h"

static char where[] = "/tmp/unit-file-XXXXXX";
static int tmp, dir;

static int entries(int at)
{
	struct stat st;
	int count = 0;

	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "f", "g", "lock" };

		count += fstatat(at, names[i], &st, 0) == 0;
	}
	return count;
}

/* Is the directory TMP empty? rmdir and make it again. */
static bool left_nothing(void)
{
	bool empty = rmdir("tmp") == 0;

	if (!empty)
		return false;
	close(tmp);
	tmp = file_mkdir(AT_FDCWD, "tmp");
	return tmp >= 0;
}

static void check_content(const char *name, const char *want)
{
	struct buf b = { 0 };

	CHECK(fd_read_file(dir, name, &b, 100) == 0);
	CHECK_STR(buf_str(&b), want);
	buf_free(&b);
}

/* A write that the file size limit cuts off half-way. */
static int fails_half_way(void)
{
	struct rlimit limit = { 3, 3 };

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	if (file_replace(tmp, dir, "f", "newer", 5) != -EFBIG)
		return 1;
	return strstr(fail_text(), "'f'") ? 0 : 2;
}

static int run(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	waitpid(pid, &status, 0);
	return status;
}

static void test_replace(void)
{
	struct stat st;

	unit_case("replaces a file as a whole");
	CHECK(file_replace(tmp, dir, "f", "old", 3) == 0);
	check_content("f", "old");
	CHECK(file_replace(tmp, dir, "f", "new", 3) == 0);
	check_content("f", "new");
	CHECK(fstatat(dir, "f", &st, 0) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(left_nothing());

	unit_case("keeps the old file and leaves nothing when the write fails");
	CHECK(run(fails_half_way) == 0);
	check_content("f", "new");
	CHECK(left_nothing());
	CHECK(mkdirat(dir, "g", 0700) == 0);
	CHECK(file_replace(tmp, dir, "g", "x", 1) == -EISDIR);
	CHECK(left_nothing());
	unlinkat(dir, "g", AT_REMOVEDIR);

	unit_case("creates a file only where there is none");
	CHECK(file_create(tmp, dir, "f", "x", 1) == -EEXIST);
	check_content("f", "new");
	CHECK(file_create(tmp, dir, "g", "", 0) == 0);
	check_content("g", "");
	CHECK(left_nothing());
	symlinkat("nowhere", dir, "dangling");
	CHECK(file_create(tmp, dir, "dangling", "x", 1) == -EEXIST);
	CHECK(left_nothing());

	unit_case("renames with flags, removes what is there or not");
	CHECK(file_rename(dir, "f", dir, "g", RENAME_NOREPLACE) == -EEXIST);
	CHECK(file_rename(dir, "f", tmp, "f", 0) == 0);
	CHECK(file_rename(tmp, "f", dir, "g", 0) == 0);
	check_content("g", "new");
	CHECK(file_remove(dir, "g") == 0 && file_remove(dir, "g") == 0);
	CHECK(file_remove(dir, "dangling") == 0);
	CHECK(entries(dir) == 0);
}

static void test_mkdir(void)
{
	struct stat st;
	int fd;

	unit_case("makes a private directory once");
	umask(0);
	fd = file_mkdir(dir, "g");
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0700);
	close(fd);
	fd = file_mkdir(dir, "g");
	CHECK(fd >= 0);
	close(fd);
	umask(022);
	unlinkat(dir, "g", AT_REMOVEDIR);
	symlinkat(".", dir, "g");
	CHECK(file_mkdir(dir, "g") == -ENOTDIR || file_mkdir(dir, "g") == -ELOOP);
	unlinkat(dir, "g", 0);
}

static void test_names(void)
{
	char a[17], b[17];

	unit_case("makes random names");
	file_random_name(a);
	file_random_name(b);
	CHECK(strlen(a) == 16 && strspn(a, "0123456789abcdef") == 16 && strcmp(a, b) != 0);
}

/* Give PID time to block in a system call: the state in its stat line; a second at most. */
static void wait_asleep(pid_t pid)
{
	char path[32], line[256], state = 'R';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 100 && state != 'S'; i++) {
		FILE *f = fopen(path, "r");

		if (f && fgets(line, sizeof(line), f) && strrchr(line, ')'))
			state = strrchr(line, ')')[2];
		if (f)
			fclose(f);
		usleep(10000);
	}
}

static void test_lock(void)
{
	int a, b, status;
	pid_t pid;

	unit_case("excludes and shares");
	a = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false);
	CHECK(a >= 0);
	CHECK(file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false) == -EAGAIN);
	CHECK(file_lock(dir, "lock", FILE_LOCK_SHARED, false) == -EAGAIN);
	close(a);
	a = file_lock(dir, "lock", FILE_LOCK_SHARED, false);
	b = file_lock(dir, "lock", FILE_LOCK_SHARED, true);
	CHECK(a >= 0 && b >= 0);
	CHECK(file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false) == -EAGAIN);
	close(a);
	close(b);

	unit_case("waits, and takes a new file when the holder removed it");
	a = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false);
	pid = fork();
	if (pid == 0) {
		close(a);
		b = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, true);
		_exit(b >= 0 && faccessat(dir, "lock", F_OK, 0) == 0 ? 0 : 1);
	}
	/* Whether or not the child waits already, it must end with a lock on the name. */
	wait_asleep(pid);
	file_unlock_remove(dir, "lock", a);
	waitpid(pid, &status, 0);
	CHECK(status == 0);
	CHECK(fcntl(a, F_GETFD) < 0);

	unit_case("is given back by the death of the holder");
	pid = fork();
	if (pid == 0) {
		file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	a = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false);
	CHECK(a >= 0);
	file_unlock_remove(dir, "lock", a);
	CHECK(entries(dir) == 0);
	CHECK(file_lock(dir, "no/lock", FILE_LOCK_SHARED, false) == -ENOENT);

	unit_case("is not taken through a symbolic link");
	CHECK(symlinkat("elsewhere", dir, "lock") == 0);
	CHECK(file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false) == -ELOOP);
	CHECK(faccessat(dir, "elsewhere", F_OK, 0) < 0 && unlinkat(dir, "lock", 0) == 0);
}

/* COUNT increments of a number in a file by many processes; the lock file is removed each time. */
static void test_lock_storm(void)
{
	int status, failed = 0;

	unit_case("keeps many processes apart although each removes the lock");
	CHECK(file_replace(tmp, dir, "g", "0", 1) == 0);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			for (int n = 0; n < 25; n++) {
				int lock = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, true);
				int fd = openat(dir, "g", O_RDWR);
				char text[16] = "";
				ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

				snprintf(text, sizeof(text), "%d", atoi(text) + 1);
				len = pwrite(fd, text, strlen(text), 0) > 0 && len > 0;
				close(fd);
				file_unlock_remove(dir, "lock", lock);
				if (!len || lock < 0)
					_exit(1);
			}
			_exit(0);
		}
	while (wait(&status) > 0)
		failed += status != 0;
	CHECK(failed == 0);
	check_content("g", "200");
	CHECK(file_remove(dir, "g") == 0);
}

/* A kernel that calls itself 2.6: every file by itself. */
static int syncs_each(void)
{
	if (personality(0x0020000) < 0) /* UNAME26 */
		return 1;
	return file_sync_tree(dir) == 0 ? 0 : 2;
}

static void test_sync(void)
{
	int fd;

	unit_case("syncs a tree, also file by file");
	CHECK(mkdirat(dir, "d", 0700) == 0 && mkdirat(dir, "d/e", 0) == 0);
	fd = openat(dir, "d/f", O_CREAT | O_WRONLY, 0);
	close(fd);
	CHECK(mkfifoat(dir, "d/fifo", 0600) == 0 && symlinkat("none", dir, "d/link") == 0);
	CHECK(file_sync_tree(dir) == 0);
	if (geteuid() == 0)
		CHECK(run(syncs_each) == 0);
	CHECK(file_sync_tree(-1) == -EBADF);
	unlinkat(dir, "d/f", 0);
	unlinkat(dir, "d/fifo", 0);
	unlinkat(dir, "d/link", 0);
	unlinkat(dir, "d/e", AT_REMOVEDIR);
	CHECK(unlinkat(dir, "d", AT_REMOVEDIR) == 0);
}

int main(void)
{
	if (!mkdtemp(where) || chdir(where) < 0)
		return 1;
	tmp = file_mkdir(AT_FDCWD, "tmp");
	dir = file_mkdir(AT_FDCWD, "dir");
	test_replace();
	test_mkdir();
	test_names();
	test_lock();
	test_lock_storm();
	test_sync();
	close(tmp);
	close(dir);
	CHECK(rmdir("tmp") == 0 && rmdir("dir") == 0 && rmdir(where) == 0);
	return unit_end();
}
