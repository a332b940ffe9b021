/* SPDX-License-Identifier: MIT */
/* state - the states of a container and what may happen in each */
#include "service/state.h"

#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "base/fail.h"

static const char *const names[STATE_COUNT] = {
	[STATE_CREATING] = "creating",
	[STATE_CREATED] = "created",
	[STATE_STARTING] = "starting",
	[STATE_RUNNING] = "running",
	[STATE_PAUSED] = "paused",
	[STATE_RESTARTING] = "restarting",
	[STATE_STOPPING] = "stopping",
	[STATE_STOPPED] = "stopped",
	[STATE_REMOVING] = "removing",
};

static const char *const verbs[EVENT_COUNT] = {
	[EVENT_CREATED] = "create",
	[EVENT_START] = "start",
	[EVENT_STARTED] = "start",
	[EVENT_PAUSE] = "pause",
	[EVENT_UNPAUSE] = "unpause",
	[EVENT_STOP] = "stop",
	[EVENT_END] = "end",
	[EVENT_RESTART] = "restart",
	[EVENT_REMOVE] = "remove",
	[EVENT_ABANDON] = "repair",
};

/* What comes next, plus one; an empty slot is refused. */
#define TO(state) (STATE_##state + 1)
static const unsigned char action[STATE_COUNT][EVENT_COUNT] = {
	[STATE_CREATING] = {
		[EVENT_CREATED] = TO(CREATED),
		[EVENT_STARTED] = TO(RUNNING),
		[EVENT_END] = TO(STOPPED), /* it ended before anybody wrote down that it ran */
		[EVENT_REMOVE] = TO(REMOVING),
		[EVENT_ABANDON] = TO(REMOVING), /* nobody was promised anything */
	},
	[STATE_CREATED] = {
		[EVENT_START] = TO(STARTING),
		[EVENT_REMOVE] = TO(REMOVING),
	},
	[STATE_STARTING] = {
		[EVENT_STARTED] = TO(RUNNING),
		[EVENT_END] = TO(STOPPED),
		[EVENT_ABANDON] = TO(STOPPED),
	},
	[STATE_RUNNING] = {
		[EVENT_PAUSE] = TO(PAUSED),
		[EVENT_STOP] = TO(STOPPING),
		[EVENT_END] = TO(STOPPED),
		[EVENT_RESTART] = TO(RESTARTING),
	},
	[STATE_PAUSED] = {
		[EVENT_UNPAUSE] = TO(RUNNING),
		[EVENT_STOP] = TO(STOPPING),
		[EVENT_END] = TO(STOPPED),
		[EVENT_RESTART] = TO(RESTARTING),
	},
	[STATE_RESTARTING] = {
		[EVENT_STARTED] = TO(RUNNING),
		[EVENT_STOP] = TO(STOPPING),
		[EVENT_END] = TO(STOPPED),
		[EVENT_RESTART] = TO(RESTARTING), /* the next start failed too */
	},
	[STATE_STOPPING] = {
		[EVENT_END] = TO(STOPPED),
		[EVENT_ABANDON] = TO(RUNNING), /* if it has ended, END is what follows */
	},
	[STATE_STOPPED] = {
		[EVENT_START] = TO(STARTING),
		[EVENT_REMOVE] = TO(REMOVING),
	},
	[STATE_REMOVING] = {
		[EVENT_REMOVE] = TO(REMOVING), /* an earlier removal was cut short */
		[EVENT_ABANDON] = TO(REMOVING),
	},
};

bool state_next(enum container_state state, enum container_event event, enum container_state *next)
{
	unsigned char to = action[state][event];

	if (!to)
		return false;
	*next = (enum container_state)(to - 1);
	return true;
}

const char *state_name(enum container_state state)
{
	return names[state];
}

const char *state_verb(enum container_event event)
{
	return verbs[event];
}

int state_parse(const char *name, enum container_state *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum container_state)i;
			return 0;
		}
	if (strcmp(name, "exited") == 0) {
		*out = STATE_STOPPED;
		return 0;
	}
	fail(EINVAL, "'%s' is not a state of a container", name);
	return fail_hint(-EINVAL, "states: created, running, paused, restarting, stopped (exited)");
}

bool state_is_transitional(enum container_state state)
{
	switch (state) {
	case STATE_CREATING:
	case STATE_STARTING:
	case STATE_STOPPING:
	case STATE_REMOVING: return true;
	case STATE_CREATED:
	case STATE_RUNNING:
	case STATE_PAUSED:
	case STATE_RESTARTING:
	case STATE_STOPPED:
	case STATE_COUNT: return false;
	}
	return false;
}

bool state_is_live(enum container_state state)
{
	switch (state) {
	case STATE_RUNNING:
	case STATE_PAUSED:
	case STATE_RESTARTING:
	case STATE_STOPPING: return true;
	case STATE_CREATING:
	case STATE_CREATED:
	case STATE_STARTING:
	case STATE_STOPPED:
	case STATE_REMOVING:
	case STATE_COUNT: return false;
	}
	return false;
}
