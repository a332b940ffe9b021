/* SPDX-License-Identifier: MIT */
/* instance - rows of run.db: the containers of this boot, how they ended, what happened
 *
 * Typed functions only, no SQL elsewhere. A row is changed only by whom has seen its latest state: gen counts
 * the changes (compare and set). store_run comes first. */
#ifndef SERVICE_INSTANCE_H
#define SERVICE_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/proc.h"
#include "service/db.h"
#include "service/exitrecord.h"
#include "service/state.h"
#include "service/store.h"

extern const struct db_kind instance_kind; /* run.db */

struct instance {
	char id[65];
	char *name;
	char *image_ref, *image_digest, *command, *cgroup; /* "" if there is none, never NULL */
	char **labels; /* KEY=VALUE by key, NULL-terminated; NULL: none */
	enum container_state state;
	bool durable, foreground;
	struct proc_id init, monitor; /* pid 0: none, or not to be named in init.pidns */
	struct proc_id owner;         /* the command at work in a transitional state */
	int64_t netns;
	int64_t created, started, started_mono; /* ns */
	int64_t run;                            /* number of the present or last run, from 1 */
	int64_t restarts, oom_kills;
	int64_t seq; /* order of creation */
	int64_t gen;
	bool has_last;
	struct exit_record
		last; /* of the last run that ended; id, boot, pid, start and core are not in it */
};
void instance_free(struct instance *i);
void cleanup_instance(struct instance **i);
#define auto_instance __attribute__((cleanup(cleanup_instance)))

struct instance_list {
	struct instance **items;
	size_t count;
};
void instance_list_free(struct instance_list *l);
#define auto_instance_list __attribute__((cleanup(instance_list_free)))

/* Insert I with its labels and the NULL-terminated directory names LAYERS (may be NULL). I->seq 0: it becomes
 * the newest. -EEXIST: the id, name or seq is taken. In the caller's transaction. */
int instance_insert(struct store *s, struct instance *i, char *const *layers);

/* Write what changed of I (not id, labels, layers) if nobody else changed it since it was read, and count gen
 * up; -ESTALE if somebody did, -ENOENT if it is gone (both without text). */
int instance_update(struct store *s, struct instance *i);

/* Gone is fine. Its exits stay. */
int instance_delete(struct store *s, const char *id);

/* By exact id. -ENOENT without text. */
int instance_get(struct store *s, const char *id, struct instance **out);

/* All (NAME NULL), or those with that name, or whose id starts with NAME; newest first. */
int instance_list(struct store *s, const char *name, struct instance_list *out);

/* Note the end of I's run as E tells it; noting it again is fine. The newest 1024 are kept. */
int instance_add_exit(struct store *s, const struct instance *i, const struct exit_record *e);

/* The newest exit of the container with the name or id NAME, or an id that starts with NAME; it may be gone.
 * 1, or 0 if there is none. */
int instance_find_exit(struct store *s, const char *name, struct exit_record *out);

/* Note an event of the container I; ATTR is a JSON object. The newest 4096 are kept. */
int instance_add_event(
	struct store *s, const struct instance *i, const char *action, const char *attr);

/* Call EACH for every name in layers/ that an instance needs. A result other than 0 ends the walk and is
 * returned. */
int instance_layers(struct store *s, int (*each)(void *ctx, const char *dir), void *ctx);

/* Facts about run.db itself: 1 and it is set, 0 if not. */
int instance_get_mark(struct store *s, const char *key);
int instance_set_mark(struct store *s, const char *key);

#endif
