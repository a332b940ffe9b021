/* SPDX-License-Identifier: MIT */
/* db - unit tests */
#include "service/db.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "unit.h"

static char top[] = "/tmp/unit-db.XXXXXX";
static int dir;

static const struct db_kind kind = {
	.file = "t.db",
	.application_id = 0x71627374,
	.version = 2,
	.durable = true,
	.check = true,
	.schema =
		"CREATE TABLE a(k TEXT PRIMARY KEY,v INTEGER NOT NULL CHECK(v>=0))STRICT,WITHOUT ROWID;"
		"CREATE TABLE b(id INTEGER PRIMARY KEY,a TEXT NOT NULL REFERENCES a(k))STRICT",
};

static void remove_files(void)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	char name[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(name, sizeof(name), "t.db%s", tails[i]);
		unlinkat(dir, name, 0);
	}
}

static int open_db(struct db **db)
{
	return db_open(db, dir, top, &kind, NULL);
}

static void check_use(void)
{
	auto_query struct db_query q = { 0 };
	struct db *db = NULL;
	int64_t n = 7;
	bool created = false;

	unit_case("makes the schema once");
	CHECK(db_open(&db, dir, top, &kind, &created) == 0 && created);
	db_close(db);
	CHECK(db_open(&db, dir, top, &kind, &created) == 0 && !created);

	unit_case("binds, steps, reads back");
	CHECK(db_exec(db, "INSERT INTO a VALUES(?,?)", "si", "it's", (int64_t)1 << 40) == 0);
	CHECK(db_changes(db) == 1);
	CHECK(db_exec(db, "INSERT INTO a VALUES(?,?)", "si", "", INT64_MAX) == 0);
	CHECK(db_query(db, &q, "SELECT k,v,NULL FROM a ORDER BY k", "") == 0);
	CHECK(db_step(&q) == 1);
	CHECK_STR(db_text(&q, 0), "");
	CHECK(db_int(&q, 1) == INT64_MAX);
	CHECK_STR(db_text(&q, 2), "");
	CHECK(db_step(&q) == 1);
	CHECK_STR(db_text(&q, 0), "it's");
	CHECK(db_int(&q, 1) == (int64_t)1 << 40);
	CHECK(db_step(&q) == 0);
	db_query_end(&q);
	CHECK(db_get_int(db, &n, "SELECT v FROM a WHERE k=?", "s", "it's") == 1 &&
		n == (int64_t)1 << 40);
	CHECK(db_get_int(db, &n, "SELECT v FROM a WHERE k=?", "s", "none") == 0);
	CHECK(db_get_int(db, &n, "SELECT count(*) FROM a WHERE ? IS NULL", "s", NULL) == 1 &&
		n == 2);

	unit_case("constraints refuse");
	CHECK(db_exec(db, "INSERT INTO a VALUES('it''s',1)", "") == -EEXIST);
	CHECK(db_exec(db, "INSERT INTO a VALUES('x',-1)", "") == -EEXIST);
	CHECK(db_exec(db, "INSERT INTO a VALUES('x','text')", "") == -EEXIST);
	CHECK(db_exec(db, "INSERT INTO b VALUES(1,'nowhere')", "") == -EEXIST);
	CHECK(strstr(fail_text(), "t.db: FOREIGN KEY"));
	CHECK(db_exec(db, "SELEC", "") == -EIO);

	unit_case("a transaction is kept or undone whole");
	CHECK(db_begin(db) == 0 && db_exec(db, "DELETE FROM a", "") == 0);
	db_rollback(db);
	CHECK(db_get_int(db, &n, "SELECT count(*) FROM a", "") == 1 && n == 2);
	CHECK(db_begin(db) == 0 && db_exec(db, "DELETE FROM a", "") == 0 && db_commit(db) == 0);
	CHECK(db_get_int(db, &n, "SELECT count(*) FROM a", "") == 1 && n == 0);
	db_rollback(db);

	unit_case("the schema cannot be rewritten by hand");
	CHECK(db_exec(db, "PRAGMA writable_schema=ON", "") == 0);
	CHECK(db_exec(db, "UPDATE sqlite_schema SET sql='x'", "") < 0);
	db_close(db);

	unit_case("is private");
	struct stat st;

	CHECK(fstatat(dir, "t.db", &st, 0) == 0 && (st.st_mode & 07777) == 0600);
}

static void check_refusal(void)
{
	struct db_kind other = kind, newer = kind;
	struct db *db;
	int fd;

	unit_case("a newer version is refused by name");
	newer.version = 3;
	remove_files();
	CHECK(db_open(&db, dir, top, &newer, NULL) == 0);
	db_close(db);
	CHECK(open_db(&db) == -EPROTO && !db);
	CHECK(strstr(fail_text(), "made by a newer qbox"));

	unit_case("another application's database is none of ours");
	other.application_id = 1;
	remove_files();
	CHECK(db_open(&db, dir, top, &other, NULL) == 0);
	db_close(db);
	CHECK(open_db(&db) == -EBADMSG);

	unit_case("a directory, a link, a text file of that name");
	remove_files();
	CHECK(mkdirat(dir, "t.db", 0700) == 0 && open_db(&db) == -EBADMSG);
	unlinkat(dir, "t.db", AT_REMOVEDIR);
	CHECK(symlinkat("/etc/passwd", dir, "t.db") == 0 && open_db(&db) == -EBADMSG);
	unlinkat(dir, "t.db", 0);
	fd = openat(dir, "t.db", O_WRONLY | O_CREAT, 0600);
	CHECK(write(fd, "hello, this is no database", 26) == 26);
	close(fd);
	CHECK(open_db(&db) == -EBADMSG);

	unit_case("an empty file is a new database");
	remove_files();
	close(openat(dir, "t.db", O_WRONLY | O_CREAT, 0600));
	CHECK(open_db(&db) == 0);
	db_close(db);

	unit_case("others may write it");
	CHECK(fchmodat(dir, "t.db", 0622, 0) == 0 && open_db(&db) == -EPERM);
	CHECK(*fail_hint_text());
	fchmodat(dir, "t.db", 0600, 0);

	if (geteuid() != 0) {
		unit_skip("another owner", "needs root");
	} else {
		unit_case("another owner");
		CHECK(fchownat(dir, "t.db", 65534, 65534, 0) == 0 && open_db(&db) == -EPERM);
	}
	remove_files();
}

/* Noise anywhere is found on opening or while reading, never a crash, and never -EIO or success with other
 * content than what was written. */
static void check_noise(void)
{
	auto_query struct db_query q = { 0 };
	unsigned char noise[64];
	struct db *db;
	struct stat st;
	off_t at;
	unsigned i, found = 0, rounds = 0;
	int fd, r;

	unit_case("noise on any page is found");
	srand(1);
	for (at = 0; rounds < 200; at += 97) {
		if (!rounds || at >= st.st_size) {
			remove_files();
			CHECK(open_db(&db) == 0 && db_begin(db) == 0);
			for (i = 0; i < 300; i++) {
				char key[40];

				snprintf(key, sizeof(key), "key %u %.*s", i, (int)(i % 20),
					"----------------------");
				CHECK(db_exec(db, "INSERT INTO a VALUES(?,?)", "si", key,
					      (int64_t)i) == 0);
			}
			CHECK(db_commit(db) == 0);
			(void)db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", "");
			db_close(db);
			if (rounds)
				break;
			fstatat(dir, "t.db", &st, 0);
			CHECK(st.st_size >= 4 * 4096);
		}
		fd = openat(dir, "t.db", O_RDWR);
		unsigned char before[sizeof(noise)];
		ssize_t len = pread(fd, before, sizeof(before), at);

		for (i = 0; i < sizeof(noise); i++)
			noise[i] = (unsigned char)rand();
		CHECK(pwrite(fd, noise, (size_t)len, at) == len);
		r = open_db(&db);
		if (r == 0 && db_query(db, &q, "SELECT k,v FROM a", "") == 0) {
			while ((r = db_step(&q)) > 0)
				;
			db_query_end(&q);
		}
		db_close(db);
		CHECK(r == 0 || r == -EBADMSG || r == -EPROTO || r == -EIO || r == -EEXIST);
		found += r != 0;
		CHECK(pwrite(fd, before, (size_t)len, at) == len);
		close(fd);
		rounds++;
	}
	CHECK(found > rounds / 3);

	unit_case("a file that was cut short is found");
	CHECK(open_db(&db) == 0);
	db_close(db);
	fd = openat(dir, "t.db", O_RDWR);
	CHECK(ftruncate(fd, 4096 + 100) == 0);
	close(fd);
	CHECK(open_db(&db) == -EBADMSG);
	remove_files();
}

static void check_two(void)
{
	enum { CHILDREN = 4, ROWS = 50 };
	struct db *db;
	int64_t n = 0;
	int i, k, status;

	unit_case("several processes write at once");
	CHECK(open_db(&db) == 0);
	db_close(db);
	for (i = 0; i < CHILDREN; i++)
		if (fork() == 0) {
			char key[32];

			if (open_db(&db) < 0)
				_exit(1);
			for (k = 0; k < ROWS; k++) {
				snprintf(key, sizeof(key), "%d-%d", i, k);
				if (db_begin(db) < 0 ||
					db_exec(db, "INSERT INTO a VALUES(?,0)", "s", key) < 0 ||
					db_commit(db) < 0)
					_exit(2);
			}
			_exit(0);
		}
	for (i = 0; i < CHILDREN; i++)
		CHECK(wait(&status) > 0 && status == 0);
	CHECK(open_db(&db) == 0);
	CHECK(db_get_int(db, &n, "SELECT count(*) FROM a", "") == 1 && n == CHILDREN * ROWS);
	db_close(db);
	remove_files();
}

int main(void)
{
	dir = mkdtemp(top) ? open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir < 0)
		return 1;
	check_use();
	check_refusal();
	check_noise();
	check_two();
	rmdir(top);
	return unit_end();
}
