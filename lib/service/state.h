/* SPDX-License-Identifier: MIT */
/* state - the states of a container and what may happen in each */
#ifndef SERVICE_STATE_H
#define SERVICE_STATE_H

#include <stdbool.h>

enum container_state {
	STATE_CREATING, /* a command makes it */
	STATE_CREATED,
	STATE_STARTING, /* a command starts it */
	STATE_RUNNING,
	STATE_PAUSED,
	STATE_RESTARTING, /* ended, and its monitor will start it again */
	STATE_STOPPING,   /* a command ends it */
	STATE_STOPPED,
	STATE_REMOVING, /* a command removes it */
	STATE_COUNT,
};

enum container_event {
	EVENT_CREATED, /* it is made, and not started */
	EVENT_START,   /* a command begins to start it */
	EVENT_STARTED, /* its first process runs */
	EVENT_PAUSE,
	EVENT_UNPAUSE,
	EVENT_STOP,    /* a command begins to end it */
	EVENT_END,     /* its first process ended */
	EVENT_RESTART, /* the same, and its monitor will start it again */
	EVENT_REMOVE,  /* a command begins to remove it */
	EVENT_ABANDON, /* the command that was at it ended before its work was done */
	EVENT_COUNT,
};

/* The state after EVENT in STATE: false if that is refused. */
bool state_next(enum container_state state, enum container_event event, enum container_state *next);

/* "running"; the same words in run.db, in JSON and for people. */
const char *state_name(enum container_state state);

/* The word for what the event does, for "cannot VERB the container": "start". */
const char *state_verb(enum container_event event);

/* A state by its name, or "exited" for stopped. -EINVAL with the names in the hint. */
int state_parse(const char *name, enum container_state *out);

/* Is a command at work on it, whose death must be repaired? */
bool state_is_transitional(enum container_state state);

/* Does it have, or may it have, a first process? */
bool state_is_live(enum container_state state);

#endif
