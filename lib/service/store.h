/* SPDX-License-Identifier: MIT */
/* store - the directory that holds images and layers: places, locks, leases, temporary names
 *
 * Files are the truth, store.db is an index (DESIGN 2). The store is an OCI image layout:
 *	oci-layout index.json blobs/sha256/HEX refs/HEX layers/DIR/{fs/,tar,layer.json} tmp/ reserve
 *	damaged/    what repair put aside, until the next collection
 * Everything is 0700 and owned by the caller, checked with fstat on each open. */
#ifndef SERVICE_STORE_H
#define SERVICE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/digest.h"

struct db;

struct store {
	char *path; /* absolute */
	int dir;    /* of the store */
	int blobs;  /* blobs/sha256 */
	int refs, layers, tmp;
	int lock;       /* db.lock, shared; -1 when opened for reading */
	int run;        /* run directory; -1 until store_run */
	bool read_only; /* a read-only file system, or opened so: files only, no database */
	struct db *db;  /* store.db; NULL until store_db */
	struct db *run_db;
};

enum store_mode {
	STORE_READ,
	STORE_WRITE,
	STORE_RUN, /* as STORE_READ, but what is not there is no error: store_run serves without a store */
};

/* Open the store at PATH (NULL: QBOX_STORE, else /var/lib/qbox, or without root below XDG_DATA_HOME).
 * STORE_WRITE makes what is missing, takes db.lock shared and sweeps tmp/; -EROFS on a read-only file
 * system. STORE_READ of an absent store: -ENOENT (an empty list, not an error, for ls); of one whose
 * making was cut short: -ENODATA, nothing is in it. Refused: another owner, or group or others may write (-EPERM with the cure); a directory of other things. */
int store_open(struct store **out, const char *path, enum store_mode mode);
void store_close(struct store *s);

/* Open store.db (run.db), made or rebuilt from the files if it is missing, not ours, or damaged: the old
 * file is moved aside, never removed, and a note is printed. store_db needs a store opened for writing
 * (-EROFS) and waits for other processes before it replaces a damaged file, so call it before taking any
 * lock below. -EPROTO: made by a newer qbox. */
int store_db(struct store *s);
int store_run(struct store *s);

/* A query said -EBADMSG: open run.db again and look at all of it; what is damaged is moved aside and made
 * anew, empty. */
int store_run_check(struct store *s);

/* Where the user who runs us keeps the store if nothing else is said; for messages. NULL: no memory. */
char *store_default_path(void);

/* Guarded staging place tmp/NAME, empty, with the exclusive lock tmp/NAME.lock held: what a dead process
 * left there is removed first. WAIT as file_lock (-EAGAIN). store_unstage removes it, lock included;
 * store_staged gives the lock back after the directory was renamed away. */
struct staging {
	char name[160];
	int lock;
	int dir;
};
int store_stage(struct store *s, const char *name, bool wait, struct staging *out);
void store_unstage(struct store *s, struct staging *st);
void store_staged(struct store *s, struct staging *st);

/* Remove from tmp/ what no live process holds: NAME by the lock NAME.lock; names without a lock, such as the
 * temporary files of file_replace, only when ALONE, that is while db.lock is held exclusively. */
int store_sweep(struct store *s, bool alone);

/* Bytes that may still be written without touching the last ones (1 MiB reserve kept). */
int store_free_space(struct store *s, uint64_t *bytes);

/* Before removing things: give the reserve up if the disk is so full that removing could not be written
 * down. The next store_open for writing that finds room makes it again. */
void store_use_reserve(struct store *s);

/* Take index.lock, which guards refs/, index.json and the removal of blobs; close the descriptor to give
 * it back. */
int store_lock_index(struct store *s);

/* Pin an object against gc until this process ends or the lease is given back (FORMATS 1, run.db lease).
 * KIND is "layer" (OBJECT: diff id or name of its directory), "blob" (digest) or "image" (digest of the
 * manifest, pins its layers too). Insert before looking whether the object exists. */
int store_lease(struct store *s, const char *kind, const char *object, int64_t *id);
void store_unlease(struct store *s, int64_t id);

/* Call EACH for the object of every lease of KIND whose holder lives; those of dead processes are removed. A
 * holder in another pid namespace counts as alive: nobody can tell. A result other than 0 ends the walk and is
 * returned. */
int store_leases(
	struct store *s, const char *kind, int (*each)(void *ctx, const char *object), void *ctx);

#endif
