/* SPDX-License-Identifier: MIT */
/* db - a thin, typed layer over SQLite, the only user of sqlite3.h
 *
 * Databases here are indexes over files: what is damaged is moved aside by the caller and made again.
 * A handle never crosses a fork. */
#ifndef SERVICE_DB_H
#define SERVICE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct db;

/* One kind of database file. */
struct db_kind {
	const char *file;   /* name in its directory */
	const char *schema; /* SQL that makes the tables of VERSION */
	uint32_t application_id;
	int version;
	bool durable; /* a commit survives a power cut */
	bool check;   /* look at every page on opening */
};

/* Open PATH/KIND->file, found through DIR, made empty with its schema if it is missing or empty; *CREATED
 * (may be NULL) says so. Errors a caller can act on: -EBADMSG damaged or no file of this kind; -EPROTO made
 * by a newer version; -EPERM another owner; -EROFS; -ENOSPC; -EAGAIN in use for more than 10 s. */
int db_open(struct db **out, int dir, const char *path, const struct db_kind *kind, bool *created);
void db_close(struct db *db);

/* Look at every page. -EBADMSG: damaged. */
int db_check(struct db *db);

/* Run one statement that gives no rows. TYPES has one letter per argument: 's' const char * (NULL is SQL
 * NULL), 'i' int64_t. Errors as above, and -EEXIST when a constraint refuses it. */
int db_exec(struct db *db, const char *sql, const char *types, ...);

/* Rows changed by the last db_exec. */
int db_changes(struct db *db);

/* A running query. */
struct db_query {
	struct db *db;
	void *statement;
};
#define auto_query __attribute__((cleanup(db_query_end)))

/* Start a query; then db_step gives 1 for each row, 0 after the last, or a negative errno value. Texts are
 * valid until the next step; NULL columns read as "" and 0. End it in any case. */
int db_query(struct db *db, struct db_query *q, const char *sql, const char *types, ...);
int db_step(struct db_query *q);
const char *db_text(struct db_query *q, int column);
int64_t db_int(struct db_query *q, int column);
void db_query_end(struct db_query *q);

/* The first column of the first row: 1 and *OUT, 0 if there is no row. */
int db_get_int(struct db *db, int64_t *out, const char *sql, const char *types, ...);

/* A write transaction (BEGIN IMMEDIATE). After a failed commit, or instead of one, roll back. */
int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db);

#endif
