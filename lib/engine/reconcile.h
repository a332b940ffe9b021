/* SPDX-License-Identifier: MIT */
/* reconcile - make what run.db says of containers true again
 *
 * Whoever looks repairs: an end nobody wrote down, a command that was killed half-way, rows that a boot or a
 * damaged run.db took away. Each half-way state has one repair. */
#ifndef ENGINE_RECONCILE_H
#define ENGINE_RECONCILE_H

#include "engine/container.h"

/* Open run.db; if it is new, make its rows from the files. */
int reconcile_open(struct store *s);

/* Repair C if nobody else is at it, and look again. -ENOENT without text: it is gone. */
int reconcile_container(struct store *s, struct container *c);

/* Remove the directories in RUN/c that have no row and no holder. ROWS are those known to have one. */
void reconcile_sweep(struct store *s, const struct instance_list *rows);

/* Is the process gone? What this pid namespace cannot tell is not gone. */
bool reconcile_is_dead(const struct proc_id *id);

#endif
