/* SPDX-License-Identifier: MIT */
/* store - the directory that holds images and layers
 *
 * Parts: places, opening, tmp/, reserve, databases, leases. */
#include "service/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "kernel/proc.h"
#include "service/catalog.h"
#include "service/db.h"
#include "service/instance.h"

#define RESERVE (1u << 20)

/* --- places --- */

/* $VARIABLE/TAIL, or NULL if the variable is not an absolute path. */
static char *below(const char *variable, const char *tail)
{
	const char *base = getenv(variable);
	char *out;

	if (!base || base[0] != '/' || asprintf(&out, "%s/%s", base, tail) < 0)
		return NULL;
	return out;
}

char *store_default_path(void)
{
	char *out;

	if (geteuid() == 0)
		return strdup("/var/lib/qbox");
	out = below("XDG_DATA_HOME", "qbox");
	return out ? out : below("HOME", ".local/share/qbox");
}

static char *absolute(const char *path)
{
	auto_free char *cwd = NULL;
	char *out;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&out, "%s/%s", cwd, path) < 0)
		return NULL;
	return out;
}

/* Open the directory PATH; what is missing of it is made with mode 0700. */
static int open_made(const char *path)
{
	auto_free char *copy = NULL;
	char *slash;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : fail_errno("open '%s'", path);
	copy = strdup(path);
	if (!copy)
		return fail(ENOMEM, "out of memory");
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return fail_errno("create '%s'", copy);
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return fail_errno("create '%s'", copy);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : fail_errno("open '%s'", path);
}

/* A directory that others can enter or write would give them setuid files and our decisions. */
static int check_owner(int dir, const char *path, bool writing)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return fail_errno("look at '%s'", path);
	if (st.st_uid != geteuid() && (writing || st.st_uid != 0)) {
		fail(EPERM, "'%s' belongs to user %u", path, (unsigned)st.st_uid);
		return fail_hint(-EPERM,
			"name another place with QBOX_STORE or QBOX_RUN, or run as its owner");
	}
	if (st.st_mode & 022) {
		fail(EPERM, "'%s' may be written by others (mode %04o)", path, st.st_mode & 07777u);
		return fail_hint(-EPERM, "if you trust what is in it: chmod 0700 '%s'", path);
	}
	if (writing && (st.st_mode & 077) && fchmod(dir, 0700) < 0)
		return fail_errno("make '%s' private", path);
	return 0;
}

/* --- opening --- */

/* Never turn somebody's full directory into a store: without the mark of a store there may be only what an
 * interrupted beginning leaves. */
static int check_content(struct store *s)
{
	static const char *const ours[] = { ".", "..", "blobs", "refs", "layers", "tmp", "db.lock",
		"run", "index.json", "damaged", "lost+found" };
	struct dirent *e;
	DIR *d;
	size_t i;
	int fd;

	if (faccessat(s->dir, "oci-layout", F_OK, 0) == 0)
		return 0;
	fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return fail_errno("read '%s'", s->path);
	}
	do {
		e = readdir(d);
		for (i = 0; e && i < ARRAY_LEN(ours); i++)
			if (strcmp(e->d_name, ours[i]) == 0)
				break;
	} while (e && i < ARRAY_LEN(ours));
	closedir(d);
	if (!e)
		return 0;
	fail(ENOTEMPTY, "'%s' is no store and not empty", s->path);
	return fail_hint(-ENOTEMPTY, "name an empty or new directory");
}

static int open_part(int dir, const char *name, int *out)
{
	*out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out < 0)
		return fail_errno("open '%s' of the store", name);
	return 0;
}

static int open_parts(struct store *s)
{
	int r = open_part(s->dir, "blobs/sha256", &s->blobs);

	if (r == 0)
		r = open_part(s->dir, "refs", &s->refs);
	if (r == 0)
		r = open_part(s->dir, "layers", &s->layers);
	return r;
}

static int make_file(struct store *s, const char *name, const char *text)
{
	int r;

	if (faccessat(s->dir, name, F_OK, 0) == 0)
		return 0;
	r = file_create(s->tmp, s->dir, name, text, strlen(text));
	return r == -EEXIST ? 0 : r;
}

static int make_parts(struct store *s)
{
	auto_close int blobs = file_mkdir(s->dir, "blobs");
	int r = blobs;

	if (r >= 0)
		r = s->blobs = file_mkdir(blobs, "sha256");
	if (r >= 0)
		r = s->refs = file_mkdir(s->dir, "refs");
	if (r >= 0)
		r = s->layers = file_mkdir(s->dir, "layers");
	if (r >= 0)
		r = make_file(s, "index.json",
			"{\"manifests\":[],\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
			"\"schemaVersion\":2}");
	/* Last: from here on it is a store. */
	if (r >= 0)
		r = make_file(s, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	return r < 0 ? fail_wrap(r, "store '%s'", s->path) : 0;
}

static int to_shared(int lock)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(lock, F_OFD_SETLK, &fl) < 0 ? fail_errno("lock 'db.lock'") : 0;
}

static void make_reserve(struct store *s)
{
	auto_close int fd = -1;
	struct statvfs fs;

	if (faccessat(s->dir, "reserve", F_OK, 0) == 0)
		return;
	if (fstatvfs(s->dir, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize < 4 * RESERVE)
		return;
	/* A file system that cannot set room aside simply has no reserve. */
	fd = openat(s->dir, "reserve", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fallocate(fd, 0, 0, RESERVE) < 0)
		unlinkat(s->dir, "reserve", 0);
}

static int begin_writing(struct store *s)
{
	bool alone = true;
	int r;

	r = s->lock = file_lock(s->dir, "db.lock", FILE_LOCK_EXCLUSIVE, false);
	if (r == -EAGAIN) {
		alone = false;
		r = s->lock = file_lock(s->dir, "db.lock", FILE_LOCK_SHARED, true);
	}
	if (r >= 0)
		r = s->tmp = file_mkdir(s->dir, "tmp");
	if (r >= 0)
		r = store_sweep(s, alone);
	if (r >= 0)
		r = make_parts(s);
	if (r < 0)
		return r;
	make_reserve(s);
	return alone ? to_shared(s->lock) : 0;
}

static int open_top(struct store *s, enum store_mode mode)
{
	struct statvfs fs;
	int r;

	if (mode != STORE_WRITE) {
		s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return s->dir < 0 ? fail_errno("open store '%s'", s->path)
				  : check_owner(s->dir, s->path, false);
	}
	s->dir = open_made(s->path);
	if (s->dir < 0)
		return s->dir;
	if (fstatvfs(s->dir, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return fail(EROFS, "store '%s' is on a read-only file system", s->path);
	r = check_content(s);
	return r < 0 ? r : check_owner(s->dir, s->path, true);
}

int store_open(struct store **out, const char *path, enum store_mode mode)
{
	auto_free char *place = NULL;
	struct store *s;
	int r;

	*out = NULL;
	if (!path)
		path = getenv("QBOX_STORE");
	if (!path || !*path) {
		path = place = store_default_path();
		if (!path)
			return fail(
				ENOENT, "no place for a store: neither QBOX_STORE nor HOME is set");
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(ENOMEM, "out of memory");
	s->dir = s->blobs = s->refs = s->layers = s->tmp = s->lock = s->run = -1;
	s->read_only = mode != STORE_WRITE;
	s->path = absolute(path);
	r = s->path ? open_top(s, mode) : fail(ENOMEM, "out of memory");
	if (r == 0)
		r = mode == STORE_WRITE ? begin_writing(s) : open_parts(s);
	/* A writer was stopped before it had made all parts, so nothing can be there. */
	if (r == -ENOENT && s->dir >= 0 && mode != STORE_WRITE) {
		r = check_content(s);
		if (r == 0)
			r = fail(ENODATA, "the store '%s' has never been finished; it is empty",
				s->path);
	}
	if (mode == STORE_RUN && (r == -ENOENT || r == -ENODATA)) {
		fail_clear();
		r = 0;
	}
	if (r < 0) {
		store_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	db_close(s->run_db);
	db_close(s->db);
	cleanup_close(&s->blobs);
	cleanup_close(&s->refs);
	cleanup_close(&s->layers);
	cleanup_close(&s->tmp);
	cleanup_close(&s->run);
	cleanup_close(&s->dir);
	cleanup_close(&s->lock);
	free(s->path);
	free(s);
}

/* --- tmp/ --- */

static int sweep_entry(struct store *s, const char *name, bool alone)
{
	auto_free char *target = NULL;
	char lock_name[192];
	size_t len = strlen(name);
	int lock, r;

	if (str_ends(name, ".lock")) {
		target = strndup(name, len - strlen(".lock"));
		if (!target)
			return fail(ENOMEM, "out of memory");
		lock = file_lock(s->tmp, name, FILE_LOCK_EXCLUSIVE, false);
		if (lock < 0)
			return lock == -EAGAIN ? 0 : lock;
		r = path_remove_tree(s->tmp, target);
		file_unlock_remove(s->tmp, name, lock);
		return r;
	}
	if (!alone ||
		snprintf(lock_name, sizeof(lock_name), "%s.lock", name) >= (int)sizeof(lock_name))
		return 0;
	/* One that has a lock is judged by it. */
	return faccessat(s->tmp, lock_name, F_OK, 0) == 0 ? 0 : path_remove_tree(s->tmp, name);
}

int store_sweep(struct store *s, bool alone)
{
	int fd = openat(s->tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;
	int r;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return fail_errno("read 'tmp' of the store");
	}
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = sweep_entry(s, e->d_name, alone);
		/* What cannot go now (a mount in it) is no reason to refuse all work; it is named. */
		if (r < 0)
			log_note("cannot remove '%s/tmp/%s': %s", s->path, e->d_name, fail_text());
	}
	closedir(d);
	return 0;
}

int store_stage(struct store *s, const char *name, bool wait, struct staging *out)
{
	char lock_name[sizeof(out->name) + 8];
	int r;

	*out = (struct staging){ .lock = -1, .dir = -1 };
	r = str_copy(out->name, sizeof(out->name), name);
	if (r < 0)
		return r;
	snprintf(lock_name, sizeof(lock_name), "%s.lock", name);
	r = out->lock = file_lock(s->tmp, lock_name, FILE_LOCK_EXCLUSIVE, wait);
	if (r < 0)
		return r;
	r = path_remove_tree(s->tmp, name);
	if (r == 0)
		r = out->dir = file_mkdir(s->tmp, name);
	if (r < 0) {
		file_unlock_remove(s->tmp, lock_name, out->lock);
		out->lock = -1;
		return r;
	}
	return 0;
}

void store_staged(struct store *s, struct staging *st)
{
	char lock_name[sizeof(st->name) + 8];

	if (st->lock < 0)
		return;
	cleanup_close(&st->dir);
	snprintf(lock_name, sizeof(lock_name), "%s.lock", st->name);
	file_unlock_remove(s->tmp, lock_name, st->lock);
	*st = (struct staging){ .lock = -1, .dir = -1 };
}

void store_unstage(struct store *s, struct staging *st)
{
	if (st->lock < 0)
		return;
	if (path_remove_tree(s->tmp, st->name) < 0)
		log_note("cannot remove '%s/tmp/%s': %s", s->path, st->name, fail_text());
	store_staged(s, st);
}

int store_lock_index(struct store *s)
{
	return file_lock(s->dir, "index.lock", FILE_LOCK_EXCLUSIVE, true);
}

/* --- reserve --- */

int store_free_space(struct store *s, uint64_t *bytes)
{
	struct statvfs fs;
	uint64_t keep;

	*bytes = 0;
	if (fstatvfs(s->dir, &fs) < 0)
		return fail_errno("look at the file system of '%s'", s->path);
	keep = faccessat(s->dir, "reserve", F_OK, 0) == 0 ? 0 : RESERVE;
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	*bytes = *bytes > keep ? *bytes - keep : 0;
	return 0;
}

void store_use_reserve(struct store *s)
{
	struct statvfs fs;

	if (fstatvfs(s->dir, &fs) < 0)
		return;
	/* File systems without a limit of inodes say 0 of 0. */
	if ((uint64_t)fs.f_bavail * fs.f_frsize < RESERVE || (fs.f_files && fs.f_favail < 8))
		unlinkat(s->dir, "reserve", 0);
}

/* --- databases --- */

/* Move FILE and its journals out of the way, all with one time stamp so that they still belong together. */
static int move_aside(int dir, const char *file)
{
	static const char *const tails[] = { "-wal", "-shm", "-journal", "" };
	char stamp[40], from[64], to[128];
	size_t i;

	time_format(stamp, sizeof(stamp), time_now());
	for (i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(from, sizeof(from), "%s%s", file, tails[i]);
		snprintf(to, sizeof(to), "%s.%s%s", file, stamp, tails[i]);
		if (renameat(dir, from, dir, to) < 0 && errno != ENOENT)
			return fail_errno("move '%s' aside", from);
	}
	log_note("it is kept as '%s.%s'", file, stamp);
	return 0;
}

/* Hold db.lock exclusively, so that nobody else has the database open. Returns 1 if meanwhile another process
 * put a good one there (it is open then, and db.lock is shared again). */
static int lock_alone(struct store *s)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };
	bool noted = false;
	int r;

	for (;;) {
		cleanup_close(&s->lock);
		r = s->lock = file_lock(s->dir, "db.lock", FILE_LOCK_EXCLUSIVE, false);
		if (r != -EAGAIN)
			return r < 0 ? r : 0;
		if (!noted)
			log_note("waiting for other processes that use '%s'", s->path);
		noted = true;
		nanosleep(&pause, NULL);
		r = s->lock = file_lock(s->dir, "db.lock", FILE_LOCK_SHARED, true);
		if (r < 0)
			return r;
		r = db_open(&s->db, s->dir, s->path, &catalog_kind, NULL);
		if (r != -EBADMSG)
			return r < 0 ? r : 1;
	}
}

/* Put a new store.db in the place of a damaged one. */
static int replace_db(struct store *s)
{
	int r = lock_alone(s);

	if (r != 0)
		return r < 0 ? r : 0;
	/* Another process may have replaced it just before. */
	r = db_open(&s->db, s->dir, s->path, &catalog_kind, NULL);
	if (r == -EBADMSG) {
		log_note("%s; making it again from the files", fail_text());
		r = move_aside(s->dir, catalog_kind.file);
		if (r == 0)
			r = db_open(&s->db, s->dir, s->path, &catalog_kind, NULL);
	}
	return r < 0 ? r : to_shared(s->lock);
}

int store_db(struct store *s)
{
	int r;

	if (s->db)
		return 0;
	if (s->read_only)
		return fail(EROFS, "store '%s' is open for reading only", s->path);
	r = db_open(&s->db, s->dir, s->path, &catalog_kind, NULL);
	if (r == -EBADMSG)
		r = replace_db(s);
	return r < 0 ? r : catalog_fill(s);
}

static char *run_path(struct store *s)
{
	const char *set = getenv("QBOX_RUN");
	char *out;

	if (set && *set)
		return absolute(set);
	if (geteuid() == 0)
		return strdup("/run/qbox");
	out = below("XDG_RUNTIME_DIR", "qbox");
	return out || asprintf(&out, "%s/run", s->path) >= 0 ? out : NULL;
}

/* 1: run.db is of this boot; 0: of another. A new one gets its mark. */
static int check_boot(struct store *s)
{
	auto_query struct db_query q = { 0 };
	char boot[37];
	int r;

	r = proc_boot_id(boot);
	if (r == 0)
		r = db_query(s->run_db, &q, "SELECT value FROM meta WHERE key='boot_id'", "");
	if (r == 0)
		r = db_step(&q);
	if (r > 0)
		return strcmp(db_text(&q, 0), boot) == 0;
	if (r == 0)
		r = db_exec(s->run_db, "INSERT OR IGNORE INTO meta VALUES('boot_id',?)", "s", boot);
	return r < 0 ? r : 1;
}

static int open_run_db(struct store *s, const char *path, bool check)
{
	int r = db_open(&s->run_db, s->run, path, &instance_kind, NULL);

	if (r == 0 && check)
		r = db_check(s->run_db);
	if (r == 0)
		r = check_boot(s);
	if (r > 0)
		return 0;
	if (r == 0) {
		/* Another boot: nothing in it is true now. */
		db_close(s->run_db);
		s->run_db = NULL;
		unlinkat(s->run, "run.db-wal", 0);
		unlinkat(s->run, "run.db-shm", 0);
		if (unlinkat(s->run, "run.db", 0) < 0)
			return fail_errno("remove '%s/run.db'", path);
	} else if (r == -EBADMSG || r == -EPROTO) {
		log_note("%s; making it again", fail_text());
		db_close(s->run_db);
		s->run_db = NULL;
		r = move_aside(s->run, instance_kind.file);
		if (r < 0)
			return r;
	} else {
		return r;
	}
	r = db_open(&s->run_db, s->run, path, &instance_kind, NULL);
	if (r == 0)
		r = check_boot(s);
	return r < 0 ? r : 0;
}

static int open_run(struct store *s, bool check)
{
	auto_free char *path = NULL;
	auto_close int lock = -1;
	int r;

	path = run_path(s);
	if (!path)
		return fail(ENOMEM, "out of memory");
	if (s->run < 0) {
		s->run = open_made(path);
		if (s->run < 0)
			return s->run;
		r = check_owner(s->run, path, true);
		if (r < 0)
			return r;
	}
	/* Opening may replace the file. */
	lock = file_lock(s->run, "run.lock", FILE_LOCK_EXCLUSIVE, true);
	if (lock < 0)
		return lock;
	r = open_run_db(s, path, check);
	if (r < 0) {
		db_close(s->run_db);
		s->run_db = NULL;
	}
	return r;
}

int store_run(struct store *s)
{
	return s->run_db ? 0 : open_run(s, false);
}

int store_run_check(struct store *s)
{
	db_close(s->run_db);
	s->run_db = NULL;
	return open_run(s, true);
}

/* --- leases --- */

/* The holder that a row (pid, start, pidns from COLUMN on) names is dead for sure. */
static bool holder_dead(struct db_query *q, int column, uint64_t pidns)
{
	struct proc_id id = {
		.pid = (pid_t)db_int(q, column),
		.start = (uint64_t)db_int(q, column + 1),
		.pidns = (uint64_t)db_int(q, column + 2),
	};

	return id.pidns == pidns && !proc_alive(&id);
}

int store_lease(struct store *s, const char *kind, const char *object, int64_t *id)
{
	struct proc_id self;
	int r;

	*id = 0;
	r = store_run(s);
	if (r == 0)
		r = proc_identify(&self, 0);
	if (r < 0)
		return r;
	r = db_exec(s->run_db,
		"INSERT INTO lease(kind,object,pid,start,pidns,mono)VALUES(?,?,?,?,?,?)", "ssiiii",
		kind, object, (int64_t)self.pid, (int64_t)self.start, (int64_t)self.pidns,
		time_mono());
	if (r == 0)
		r = db_get_int(s->run_db, id, "SELECT last_insert_rowid()", "");
	return r < 0 ? r : 0;
}

void store_unlease(struct store *s, int64_t id)
{
	/* A lease that stays is gone with this process anyway. */
	if (s->run_db && id)
		(void)db_exec(s->run_db, "DELETE FROM lease WHERE id=?", "i", id);
}

int store_leases(
	struct store *s, const char *kind, int (*each)(void *ctx, const char *object), void *ctx)
{
	auto_query struct db_query q = { 0 };
	struct proc_id self;
	int r;

	r = store_run(s);
	if (r == 0)
		r = proc_identify(&self, 0);
	if (r == 0)
		r = db_query(s->run_db, &q,
			"SELECT pid,start,pidns,id,object FROM lease WHERE kind=?", "s", kind);
	if (r < 0)
		return r;
	while ((r = db_step(&q)) > 0) {
		if (holder_dead(&q, 0, self.pidns))
			r = db_exec(s->run_db, "DELETE FROM lease WHERE id=?", "i", db_int(&q, 3));
		else
			r = each(ctx, db_text(&q, 4));
		if (r != 0)
			return r;
	}
	return r;
}
