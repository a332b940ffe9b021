/* SPDX-License-Identifier: MIT */
/* container - containers of this machine: create, find, list, change, remove
 *
 * The files are the truth, run.db is the index that makes lists fast and names unique:
 *	RUN/c/ID/{lock,alive,state.json,exit}             every container of this boot
 *	RUN/c/ID/{container.json,spec.json}               one without a place in the store (--rm)
 *	STORE/containers/ID/{container.json,spec.json,upper/,work/,exit}     a durable one
 * The monitor holds alive for its life; a command that changes a container holds lock. A process may be
 * killed at any point: whoever looks next makes the one repair that its state asks for. All functions below
 * open run.db when it is not, and after a boot or a loss make its rows again from the files.
 *
 * S may be open in any mode; making a durable container needs STORE_WRITE. */
#ifndef ENGINE_CONTAINER_H
#define ENGINE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "kernel/proc.h"
#include "service/exitrecord.h"
#include "service/instance.h"
#include "service/state.h"
#include "service/store.h"

struct container {
	struct instance *row; /* id, name, state, processes, times, last exit, ... */
	int lock;             /* c/ID/lock while we hold it, else -1 */
};
void container_free(struct container *c); /* gives the lock back too */
void cleanup_container(struct container **c);
#define auto_container __attribute__((cleanup(cleanup_container)))

/* --- life --- */

enum container_restart { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

/* Strings and lists may be NULL for none; nothing of it is kept. */
struct container_new {
	const char *name; /* NULL: made from the image, as alpine-3f2a */
	const char *image_ref, *image_digest;
	const char *command; /* for people */
	char *const *labels; /* KEY=VALUE or KEY, NULL-terminated; of a key given twice the last */
	char *const *layers; /* names in layers/, NULL-terminated: kept from gc for its life */
	const char *spec;    /* JSON of what is to run */
	size_t spec_len;
	bool durable;    /* it stays after its end; else it is removed then (--rm) */
	bool foreground; /* its monitor is a command that somebody waits for */
	bool replace;    /* end and remove the container that has the name */
	enum container_restart restart;
	unsigned restart_max; /* of RESTART_ON_FAILURE; 0: no limit */
};

/* Make a container in state creating, owned by this process, run 1, with its lock held. Its layers are pinned
 * from here on, so look for them (image_check) afterwards. If the start fails container_remove undoes it; if
 * this process dies, whoever looks next does. -EEXIST: the name is taken (the text names who has it); -EINVAL: a
 * name or label that cannot be; -EROFS, -ENOSPC. */
int container_create(struct store *s, const struct container_new *n, struct container **out);

/* Its first process is INIT, which has not executed anything yet; MONITOR is 0 if there is none. Writes
 * state.json, then: running. From any state that waits for it. */
struct container_start {
	struct proc_id init, monitor;
	const char *cgroup; /* NULL: none */
	int64_t netns;      /* inode, 0: not its own */
};
int container_started(struct store *s, struct container *c, const struct container_start *start);

/* Its run ended as E tells (id, run and boot are filled in here). Writes the exit files first, if the monitor
 * has not; then stopped or, with AGAIN, restarting with the next run number; a container that is not durable
 * is removed. Being told twice, or for a run that is over, is fine. Takes no lock: who stops it holds that.
 * Returns 1 if it is to be started again, which it is not when a command is stopping it. */
int container_ended(struct store *s, struct container *c, const struct exit_record *e, bool again);

/* Move along the table of states: EVENT_START (owner: this process, next run number), EVENT_CREATED, PAUSE,
 * UNPAUSE, STOP (owner: this process), ABANDON (give back what START or STOP took). -EINVAL with a text that
 * names state and event when it is refused; -ENOENT: gone. Hold the lock. */
int container_event(struct store *s, struct container *c, enum container_event e);

/* Remove one that does not run, and all its files: state, then files, then row, so that it can be cut short
 * anywhere and done again. Refuses while something is mounted in it (-EBUSY, text names the place). Takes the
 * lock if it is not held. Gone is fine. */
int container_remove(struct store *s, struct container *c);

/* End it: SIGKILL to its first process through a pidfd, and wait for the end. Not running is fine. Takes the
 * lock if it is not held. -ETIMEDOUT: it would not die within 10 s. */
int container_kill(struct store *s, struct container *c);

/* --- finding --- */

/* By exact name, id, or a prefix of the id of 2 digits or more; its state is true: what died unseen is
 * stopped (reason lost). -ENOENT with a suggestion, -EEXIST: ambiguous, the text lists who. */
int container_find(struct store *s, const char *name, struct container **out);

/* All, newest first. */
struct container_list {
	struct container **items;
	size_t count;
};
int container_list(struct store *s, struct container_list *out);
void container_list_free(struct container_list *l);
#define auto_container_list __attribute__((cleanup(container_list_free)))

/* Look at it again. -ENOENT: gone. */
int container_reload(struct store *s, struct container *c);

/* Take c/ID/lock, c->lock, and look again. WAIT false: -EAGAIN with text when a command is at work on it. */
int container_lock(struct store *s, struct container *c, bool wait);
void container_unlock(struct container *c);

/* Wait until its present run has ended (of one that is not running: the last), at most TIMEOUT ms (-1: for
 * ever). 1 and *OUT, 0 if it never ran; -ETIMEDOUT without text. An exit nobody saw is REASON_LOST. */
int container_wait(
	struct store *s, const struct container *c, int timeout, struct exit_record *out);

/* The newest exit of NAME (as container_find, but it may be removed): 1, or 0 if there is none. */
int container_find_exit(struct store *s, const char *name, struct exit_record *out);

/* --- facts --- */

/* Is its monitor there? */
bool container_is_supervised(struct store *s, const struct container *c);

/* "Up 3 minutes", "Exited (0) 2 hours ago". OUT holds 96. */
void container_status(struct store *s, const struct container *c, char *out, size_t size);

/* What run.db knows as one object; the same names as everywhere. *OUT is the caller's. */
int container_describe(struct store *s, const struct container *c, struct json **out);

/* The same and what its files say: policy, layers, "spec" (what runs). */
int container_inspect(struct store *s, const struct container *c, struct json **out);

/* Call EACH for the name of every layer that a container needs; some come more than once. -EBADMSG when a
 * container.json is damaged: then nobody knows. A result other than 0 ends the walk and is returned. */
int container_layers(struct store *s, int (*each)(void *ctx, const char *dir), void *ctx);

/* --- places; descriptors are the caller's --- */

int container_run_dir(struct store *s, const char *id); /* RUN/c/ID */
int container_store_dir(
	struct store *s, const char *id); /* STORE/containers/ID; -ENOENT: not durable */

/* The directory with container.json, spec.json and, for a durable one, the rest. */
int container_home(struct store *s, const struct container *c);

#endif
