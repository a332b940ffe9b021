/* SPDX-License-Identifier: MIT */
/* store - unit tests: opening, permissions, staging, leases, databases that are gone or damaged */
#include "service/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "base/log.h"
#include "kernel/path.h"
#include "service/db.h"
#include "unit.h"

static char top[] = "/tmp/unit-store.XXXXXX";
static char path[64], run[64];
static int dir;

/* Names in DIR/NAME, without "." and "..". */
static int entries(int at, const char *name)
{
	DIR *d = fdopendir(openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static struct store *open_store(void)
{
	struct store *s;

	if (store_open(&s, path, STORE_WRITE) < 0)
		printf("# %s\n", fail_text());
	return s;
}

static void fresh(void)
{
	CHECK(path_remove_tree(dir, "s") == 0);
	CHECK(path_remove_tree(dir, "run") == 0);
}

/* Files of store.db that were moved aside. */
static int aside(struct store *s)
{
	DIR *d = fdopendir(openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strncmp(e->d_name, "store.db.", 9) == 0 && !strstr(e->d_name, "-wal") &&
			!strstr(e->d_name, "-shm");
	closedir(d);
	return n;
}

static void check_open(void)
{
	struct store *s, *other;
	struct stat st;

	unit_case("reading an absent store");
	fresh();
	CHECK(store_open(&s, path, STORE_READ) == -ENOENT && !s);

	unit_case("makes an OCI layout, private");
	umask(0);
	s = open_store();
	CHECK(s && fstat(s->dir, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(faccessat(s->dir, "oci-layout", R_OK, 0) == 0 &&
		faccessat(s->dir, "index.json", R_OK, 0) == 0);
	CHECK(fstatat(s->dir, "reserve", &st, 0) == 0 && st.st_size == 1 << 20);
	CHECK(entries(s->tmp, ".") == 0);
	umask(022);

	unit_case("two at once");
	other = open_store();
	CHECK(other != NULL);
	store_close(other);
	store_close(s);
	CHECK(store_open(&s, path, STORE_READ) == 0 && s->read_only && store_db(s) == -EROFS);
	store_close(s);
}

static void check_places(void)
{
	struct store *s;

	unit_case("others may write: refused");
	CHECK(chmod(path, 0777) == 0 && store_open(&s, path, STORE_WRITE) == -EPERM);
	CHECK(strstr(fail_hint_text(), "chmod 0700"));
	CHECK(store_open(&s, path, STORE_READ) == -EPERM);

	unit_case("others may enter: made private");
	struct stat st;

	CHECK(chmod(path, 0755) == 0);
	s = open_store();
	CHECK(s && fstat(s->dir, &st) == 0 && (st.st_mode & 0777) == 0700);
	store_close(s);

	if (geteuid() == 0) {
		unit_case("another owner: refused");
		CHECK(chown(path, 65534, 65534) == 0);
		CHECK(store_open(&s, path, STORE_WRITE) == -EPERM &&
			store_open(&s, path, STORE_READ) == -EPERM);
		CHECK(chown(path, 0, 0) == 0);
	} else {
		unit_skip("another owner: refused", "needs root");
	}

	unit_case("a directory of other things is left alone");
	fresh();
	CHECK(mkdir(path, 0755) == 0);
	CHECK(mkdirat(dir, "s/letters", 0755) == 0);
	CHECK(store_open(&s, path, STORE_WRITE) == -ENOTEMPTY);
	CHECK(store_open(&s, path, STORE_READ) == -ENOTEMPTY);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0755 && entries(dir, "s") == 1);

	unit_case("an interrupted beginning is gone on with");
	CHECK(unlinkat(dir, "s/letters", AT_REMOVEDIR) == 0 && mkdirat(dir, "s/tmp", 0700) == 0 &&
		mkdirat(dir, "s/blobs", 0700) == 0);
	s = open_store();
	CHECK(s != NULL);
	store_close(s);

	unit_case("a file, a store below a file");
	CHECK(store_open(&s, "/etc/passwd", STORE_WRITE) == -ENOTDIR);
	CHECK(store_open(&s, "/etc/passwd/x", STORE_WRITE) == -ENOTDIR);
}

static void put_file(int at, const char *name)
{
	close(openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void check_tmp(void)
{
	struct staging a, b;
	struct store *s, *other;
	int i;

	unit_case("what nobody holds is swept, what somebody holds is not");
	fresh();
	s = open_store();
	CHECK(store_stage(s, "layer-1", true, &a) == 0);
	put_file(a.dir, "content");
	put_file(s->tmp, "0123456789abcdef"); /* a temporary file of a process that lives */
	other = open_store();
	CHECK(entries(s->tmp, ".") == 3 && faccessat(a.dir, "content", F_OK, 0) == 0);

	unit_case("one name, one holder");
	CHECK(store_stage(other, "layer-1", false, &b) == -EAGAIN);
	store_unstage(s, &a);
	CHECK(store_stage(other, "layer-1", false, &b) == 0);
	CHECK(entries(b.dir, ".") == 0);
	store_unstage(other, &b);
	store_unstage(other, &b);
	store_close(other);
	store_close(s);
	s = open_store();
	CHECK(entries(s->tmp, ".") == 0);

	unit_case("what a dead process left goes");
	for (i = 0; i < 2; i++) {
		if (fork() == 0) {
			struct store *mine = open_store();

			if (store_stage(mine, "layer-2", true, &a) < 0 ||
				mkdirat(a.dir, "x", 0700) < 0)
				_exit(1);
			put_file(a.dir, "x/y");
			put_file(mine->tmp, "fedcba9876543210");
			kill(getpid(), SIGKILL);
		}
		wait(NULL);
		CHECK(entries(s->tmp, ".") == 3);
		if (i == 0) {
			CHECK(store_stage(s, "layer-2", false, &b) == 0 &&
				entries(b.dir, ".") == 0);
			store_unstage(s, &b);
			CHECK(entries(s->tmp, ".") == 1);
			CHECK(unlinkat(s->tmp, "fedcba9876543210", 0) == 0);
		}
	}
	store_close(s);
	s = open_store();
	CHECK(entries(s->tmp, ".") == 0);

	unit_case("a staged directory can be given away");
	CHECK(store_stage(s, "layer-3", true, &a) == 0);
	CHECK(renameat(s->tmp, "layer-3", s->layers, "abc") == 0);
	store_staged(s, &a);
	CHECK(entries(s->tmp, ".") == 0 && faccessat(s->layers, "abc", F_OK, 0) == 0);
	store_close(s);
}

static int count_lease(void *ctx, const char *object)
{
	int *n = ctx;

	*n += strcmp(object, "a") == 0 ? 1 : 100;
	return 0;
}

static int leases(struct store *s, const char *kind)
{
	int n = 0;

	CHECK(store_leases(s, kind, count_lease, &n) == 0);
	return n;
}

static void check_leases(void)
{
	int64_t id = 0, rows = 0;
	struct store *s, *other;

	unit_case("a lease lasts until it is given back");
	fresh();
	s = open_store();
	other = open_store();
	CHECK(leases(s, "layer") == 0);
	CHECK(store_lease(s, "layer", "a", &id) == 0 && id > 0);
	CHECK(leases(other, "layer") == 1 && leases(other, "blob") == 0);
	store_unlease(s, id);
	CHECK(leases(other, "layer") == 0);
	CHECK(store_lease(s, "nonsense", "a", &id) < 0 && id == 0);

	unit_case("or until its holder dies");
	int to_parent[2];
	char c;

	CHECK(pipe(to_parent) == 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct store *mine = open_store();

		if (store_lease(mine, "image", "a", &id) == 0 && write(to_parent[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	CHECK(read(to_parent[0], &c, 1) == 1);
	CHECK(leases(s, "image") == 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(leases(s, "image") == 0);
	CHECK(db_get_int(s->run_db, &rows, "SELECT count(*) FROM lease", "") == 1 && rows == 0);

	unit_case("nobody can judge a holder in another pid namespace");
	CHECK(db_exec(s->run_db, "INSERT INTO lease VALUES(NULL,'blob','a',1,1,1,1)", "") == 0);
	CHECK(leases(s, "blob") == 1);

	unit_case("another boot: nothing of run.db is true");
	CHECK(db_exec(s->run_db, "UPDATE meta SET value='other' WHERE key='boot_id'", "") == 0);
	store_close(s);
	store_close(other);
	s = open_store();
	CHECK(leases(s, "blob") == 0);
	store_close(s);

	unit_case("run.db of noise");
	int fd = openat(dir, "run/run.db", O_RDWR | O_CLOEXEC);

	CHECK(pwrite(fd, "noise noise noise", 17, 0) == 17);
	close(fd);
	unlinkat(dir, "run/run.db-wal", 0);
	s = open_store();
	CHECK(leases(s, "blob") == 0);
	store_close(s);
}

static void check_database(void)
{
	struct store *s, *other;
	struct staging st;
	int64_t n = 0;
	int fd;

	unit_case("store.db that is gone is made again");
	fresh();
	s = open_store();
	CHECK(store_db(s) == 0 && store_db(s) == 0);
	store_close(s);
	CHECK(unlinkat(dir, "s/store.db", 0) == 0);
	s = open_store();
	CHECK(store_db(s) == 0 && db_get_int(s->db, &n, "SELECT count(*) FROM layer", "") == 1 &&
		n == 0);
	CHECK(aside(s) == 0);
	store_close(s);

	unit_case("noise is kept aside");
	unlinkat(dir, "s/store.db-wal", 0); /* it holds good pages that would stand for the noise */
	fd = openat(dir, "s/store.db", O_RDWR | O_TRUNC | O_CLOEXEC);
	CHECK(write(fd, "noise noise noise", 17) == 17);
	close(fd);
	s = open_store();
	CHECK(store_db(s) == 0 && aside(s) == 1);
	store_close(s);

	unit_case("a directory of that name too");
	CHECK(unlinkat(dir, "s/store.db", 0) == 0 && mkdirat(dir, "s/store.db", 0700) == 0);
	unlinkat(dir, "s/store.db-wal", 0);
	s = open_store();
	CHECK(store_db(s) == 0 && aside(s) == 2);

	unit_case("one that a newer qbox made is left alone");
	CHECK(db_exec(s->db, "PRAGMA user_version=99", "") == 0);
	store_close(s);
	s = open_store();
	CHECK(store_db(s) == -EPROTO && strstr(fail_text(), "newer qbox") && aside(s) == 2);
	store_close(s);
	CHECK(unlinkat(dir, "s/store.db", 0) == 0);
	unlinkat(dir, "s/store.db-wal", 0);

	unit_case("a damaged one is replaced when its other users are gone");
	s = open_store();
	CHECK(store_db(s) == 0 && store_stage(s, "layer-1", true, &st) == 0);
	fd = openat(dir, "s/store.db", O_RDWR | O_CLOEXEC);
	CHECK(pwrite(fd, "noise noise noise", 17, 0) == 17);
	close(fd);
	unlinkat(dir, "s/store.db-wal", 0);
	pid_t pid = fork();

	if (pid == 0) {
		close(s->lock); /* as proc_fork does: else this process would wait for itself */
		other = open_store();
		_exit(store_db(other) == 0 && aside(other) == 3 ? 0 : 1);
	}
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	store_unstage(s, &st);
	store_close(s);
	int status = 1;

	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* In a mount namespace of its own: a file system that becomes full, and read-only. */
static void check_file_system(void)
{
	uint64_t free_bytes = 0;
	struct stat st;
	struct store *s;
	char chunk[65536] = "x";
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		unit_skip("a full file system", "needs root");
		return;
	}
	unit_case("a full file system: the reserve is given up and comes back");
	fresh();
	CHECK(mkdir(path, 0700) == 0 &&
		mount("t", path, "tmpfs", MS_NOSUID, "size=8m,mode=0700") == 0);
	s = open_store();
	CHECK(s && store_free_space(s, &free_bytes) == 0 && free_bytes > 5 << 20);
	fd = openat(s->dir, "db.lock", O_WRONLY | O_CLOEXEC);
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
	CHECK(store_free_space(s, &free_bytes) == 0 && free_bytes == 0);
	store_use_reserve(s);
	CHECK(faccessat(s->dir, "reserve", F_OK, 0) < 0);
	CHECK(store_free_space(s, &free_bytes) == 0 && free_bytes == 0);
	CHECK(store_db(s) == 0);
	CHECK(ftruncate(fd, 0) == 0);
	close(fd);
	store_close(s);
	s = open_store();
	CHECK(s && fstatat(s->dir, "reserve", &st, 0) == 0 && st.st_size == 1 << 20);
	store_use_reserve(s);
	CHECK(faccessat(s->dir, "reserve", F_OK, 0) == 0);
	store_close(s);

	unit_case("a read-only file system is read from files alone");
	CHECK(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	CHECK(store_open(&s, path, STORE_WRITE) == -EROFS);
	CHECK(store_open(&s, path, STORE_READ) == 0 && store_db(s) == -EROFS);
	store_close(s);
	umount2(path, MNT_DETACH);
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	log_init(2, "unit", true);
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/s", top);
	snprintf(run, sizeof(run), "%s/run", top);
	setenv("QBOX_RUN", run, 1);
	check_open();
	check_places();
	check_tmp();
	check_leases();
	check_database();
	check_file_system();
	fresh();
	rmdir(top);
	return unit_end();
}
