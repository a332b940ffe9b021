/* SPDX-License-Identifier: MIT */
/* db - a thin, typed layer over SQLite */
#include "service/db.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fail.h"

struct db {
	sqlite3 *handle;
	const struct db_kind *kind;
};

/* SQLite's result as errno value; the text names the file. */
static int db_fail(struct db *db, int rc)
{
	int err = EIO;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return fail(
			EAGAIN, "%s: in use by another process for more than 10 s", db->kind->file);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: err = EBADMSG; break;
	case SQLITE_NOMEM: err = ENOMEM; break;
	case SQLITE_FULL: err = ENOSPC; break;
	case SQLITE_READONLY: err = EROFS; break;
	case SQLITE_CONSTRAINT: err = EEXIST; break;
	case SQLITE_PERM: err = EACCES; break;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		if (sqlite3_system_errno(db->handle) > 0)
			err = sqlite3_system_errno(db->handle);
		break;
	}
	return fail(err, "%s: %s", db->kind->file, sqlite3_errmsg(db->handle));
}

static int wait_busy(void *ctx, int count)
{
	static const struct timespec step = { .tv_nsec = 1000000 };

	(void)ctx;
	if (count >= 10000)
		return 0;
	nanosleep(&step, NULL);
	return 1;
}

static int bind_all(struct db *db, sqlite3_stmt *st, const char *types, va_list args)
{
	const char *s;
	int rc, i;

	for (i = 0; types[i]; i++) {
		if (types[i] == 'i') {
			rc = sqlite3_bind_int64(st, i + 1, va_arg(args, int64_t));
		} else {
			s = va_arg(args, const char *);
			rc = s ? sqlite3_bind_text(st, i + 1, s, -1, SQLITE_TRANSIENT) : SQLITE_OK;
		}
		if (rc != SQLITE_OK)
			return db_fail(db, rc);
	}
	return 0;
}

static int start(
	struct db *db, struct db_query *q, const char *sql, const char *types, va_list args)
{
	sqlite3_stmt *st = NULL;
	int rc, r;

	*q = (struct db_query){ .db = db };
	rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return db_fail(db, rc);
	q->statement = st;
	r = bind_all(db, st, types, args);
	if (r < 0)
		db_query_end(q);
	return r;
}

int db_query(struct db *db, struct db_query *q, const char *sql, const char *types, ...)
{
	va_list args;
	int r;

	va_start(args, types);
	r = start(db, q, sql, types, args);
	va_end(args);
	return r;
}

int db_step(struct db_query *q)
{
	int rc = sqlite3_step(q->statement);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_fail(q->db, rc);
}

const char *db_text(struct db_query *q, int column)
{
	const unsigned char *s = sqlite3_column_text(q->statement, column);

	return s ? (const char *)s : "";
}

int64_t db_int(struct db_query *q, int column)
{
	return sqlite3_column_int64(q->statement, column);
}

void db_query_end(struct db_query *q)
{
	/* The failure of a step was reported by that step. */
	sqlite3_finalize(q->statement);
	q->statement = NULL;
}

int db_exec(struct db *db, const char *sql, const char *types, ...)
{
	auto_query struct db_query q = { 0 };
	va_list args;
	int r;

	va_start(args, types);
	r = start(db, &q, sql, types, args);
	va_end(args);
	if (r < 0)
		return r;
	do
		r = db_step(&q);
	while (r > 0);
	return r;
}

int db_changes(struct db *db)
{
	return sqlite3_changes(db->handle);
}

int db_get_int(struct db *db, int64_t *out, const char *sql, const char *types, ...)
{
	auto_query struct db_query q = { 0 };
	va_list args;
	int r;

	va_start(args, types);
	r = start(db, &q, sql, types, args);
	va_end(args);
	if (r == 0)
		r = db_step(&q);
	if (r > 0)
		*out = db_int(&q, 0);
	return r;
}

int db_begin(struct db *db)
{
	return db_exec(db, "BEGIN IMMEDIATE", "");
}

int db_commit(struct db *db)
{
	return db_exec(db, "COMMIT", "");
}

void db_rollback(struct db *db)
{
	/* An error that ended the transaction already makes this one fail; nothing is open then. */
	sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* --- opening --- */

static int run_script(struct db *db, const char *sql)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}

/* The file must be ours alone: whoever can write it decides what we delete (security.md H2). */
static int check_file(int dir, const struct db_kind *kind)
{
	struct stat st;

	if (fstatat(dir, kind->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail_errno("look at '%s'", kind->file);
	if (!S_ISREG(st.st_mode))
		return fail(EBADMSG, "'%s' is not a regular file", kind->file);
	if (st.st_uid == geteuid() && !(st.st_mode & 022))
		return 0;
	fail(EPERM, "'%s' belongs to user %u or may be written by others", kind->file,
		(unsigned)st.st_uid);
	return fail_hint(
		-EPERM, "it is an index: move it away and qbox makes it again from the files");
}

static int configure(struct db *db)
{
	int on = 1;

	sqlite3_busy_handler(db->handle, wait_busy, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* No checkpoint and no unlink on closing: fewer writes to flash, and a full disk (or one without
	 * inodes) can still be cleaned up, because nothing has to be made. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	return run_script(db,
		db->kind->durable
			? "PRAGMA foreign_keys=ON;PRAGMA cell_size_check=ON;PRAGMA cache_size=-64;"
			  "PRAGMA wal_autocheckpoint=64;PRAGMA synchronous=FULL"
			: "PRAGMA foreign_keys=ON;PRAGMA cell_size_check=ON;PRAGMA cache_size=-64;"
			  "PRAGMA wal_autocheckpoint=64;PRAGMA synchronous=NORMAL");
}

/* 1: the file is of this kind and version; 0: it is empty. */
static int identify(struct db *db)
{
	int64_t id = 0, version = 0, tables = 0;
	int r;

	r = db_get_int(db, &version, "PRAGMA user_version", "");
	if (r >= 0)
		r = db_get_int(db, &id, "PRAGMA application_id", "");
	if (r < 0)
		return r;
	if (id == 0 && version == 0) {
		r = db_get_int(db, &tables, "SELECT count(*) FROM sqlite_schema", "");
		if (r < 0)
			return r;
		if (tables == 0)
			return 0;
	}
	if (id != db->kind->application_id)
		return fail(EBADMSG, "%s: not a database of qbox", db->kind->file);
	if (version > db->kind->version) {
		fail(EPROTO, "%s: made by a newer qbox (version %" PRId64 ", known is %d)",
			db->kind->file, version, db->kind->version);
		return fail_hint(
			-EPROTO, "use that qbox, or move the file away: it is only an index");
	}
	if (version != db->kind->version)
		return fail(EBADMSG, "%s: unknown version %" PRId64, db->kind->file, version);
	return 1;
}

/* Returns 1 if it was made here, 0 if another process was faster. */
static int create_schema(struct db *db)
{
	char sql[96];
	int r;

	/* Where write-ahead logging is impossible SQLite stays with the rollback journal. */
	sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
	r = db_begin(db);
	if (r < 0)
		return r;
	r = identify(db);
	if (r == 0) {
		snprintf(sql, sizeof(sql),
			"PRAGMA application_id=%" PRIu32 ";PRAGMA user_version=%d",
			db->kind->application_id, db->kind->version);
		r = run_script(db, db->kind->schema);
		if (r == 0)
			r = run_script(db, sql);
		if (r == 0)
			r = db_commit(db);
		if (r == 0)
			return 1;
	}
	db_rollback(db);
	return r < 0 ? r : 0;
}

int db_check(struct db *db)
{
	auto_query struct db_query q = { 0 };
	int r = db_query(db, &q, "PRAGMA quick_check(1)", "");

	if (r == 0)
		r = db_step(&q);
	if (r > 0 && strcmp(db_text(&q, 0), "ok") != 0)
		r = fail(EBADMSG, "%s: %s", db->kind->file, db_text(&q, 0));
	return r < 0 ? r : 0;
}

static int open_handle(struct db *db, const char *path, bool *created)
{
	char name[4096];
	int rc, r;

	if (snprintf(name, sizeof(name), "%s/%s", path, db->kind->file) >= (int)sizeof(name))
		return fail(ENAMETOOLONG, "'%s': path too long", path);
	rc = sqlite3_open_v2(name, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc != SQLITE_OK)
		return db->handle ? db_fail(db, rc) : fail(ENOMEM, "out of memory");
	r = configure(db);
	if (r == 0)
		r = identify(db);
	if (r == 0) {
		r = create_schema(db);
		*created = r > 0;
	}
	if (r >= 0 && db->kind->check)
		r = db_check(db);
	return r < 0 ? r : 0;
}

int db_open(struct db **out, int dir, const char *path, const struct db_kind *kind, bool *created)
{
	bool made = false;
	struct db *db;
	int r;

	*out = NULL;
	r = check_file(dir, kind);
	if (r < 0)
		return r;
	db = calloc(1, sizeof(*db));
	if (!db)
		return fail(ENOMEM, "out of memory");
	db->kind = kind;
	r = open_handle(db, path, &made);
	if (r < 0) {
		db_close(db);
		return r;
	}
	*out = db;
	if (created)
		*created = made;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	sqlite3_close(db->handle);
	free(db);
}
