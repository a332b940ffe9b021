/* SPDX-License-Identifier: MIT */
/* state - unit tests: every cell of the table */
#include "service/state.h"

#include <errno.h>

#include "base/fail.h"
#include "unit.h"

/* A row per state, a column per event: the first letters of the state that follows, "." for refused. In the
 * order created, start, started, pause, unpause, stop, end, restart, remove, abandon. */
static const char *const wanted[STATE_COUNT][EVENT_COUNT] = {
	[STATE_CREATING] = { "created", "", "running", "", "", "", "stopped", "", "removing",
		"removing" },
	[STATE_CREATED] = { "", "starting", "", "", "", "", "", "", "removing", "" },
	[STATE_STARTING] = { "", "", "running", "", "", "", "stopped", "", "", "stopped" },
	[STATE_RUNNING] = { "", "", "", "paused", "", "stopping", "stopped", "restarting", "", "" },
	[STATE_PAUSED] = { "", "", "", "", "running", "stopping", "stopped", "restarting", "", "" },
	[STATE_RESTARTING] = { "", "", "running", "", "", "stopping", "stopped", "restarting", "",
		"" },
	[STATE_STOPPING] = { "", "", "", "", "", "", "stopped", "", "", "running" },
	[STATE_STOPPED] = { "", "starting", "", "", "", "", "", "", "removing", "" },
	[STATE_REMOVING] = { "", "", "", "", "", "", "", "", "removing", "removing" },
};

static void check_table(void)
{
	enum container_state next;
	static char name[80];

	for (int s = 0; s < STATE_COUNT; s++)
		for (int e = 0; e < EVENT_COUNT; e++) {
			snprintf(name, sizeof(name), "%s, %s", state_name(s), state_verb(e));
			unit_case(name);
			next = STATE_COUNT;
			if (!*wanted[s][e])
				CHECK(!state_next(s, e, &next) && next == STATE_COUNT);
			else if (CHECK(state_next(s, e, &next)), next != STATE_COUNT)
				CHECK_STR(state_name(next), wanted[s][e]);
		}
}

int main(void)
{
	enum container_state s;

	check_table();

	unit_case("every state by its name");
	for (int i = 0; i < STATE_COUNT; i++)
		CHECK(state_parse(state_name(i), &s) == 0 && (int)s == i);
	CHECK(state_parse("exited", &s) == 0 && s == STATE_STOPPED);
	CHECK(state_parse("", &s) == -EINVAL && state_parse("Running", &s) == -EINVAL);
	CHECK(strstr(fail_text(), "'Running'") && strstr(fail_hint_text(), "exited"));

	unit_case("which states a command is at work in, and which may have a process");
	for (int i = 0; i < STATE_COUNT; i++) {
		CHECK(state_is_transitional(i) ==
			(i == STATE_CREATING || i == STATE_STARTING || i == STATE_STOPPING ||
				i == STATE_REMOVING));
		CHECK(state_is_live(i) ==
			(i == STATE_RUNNING || i == STATE_PAUSED || i == STATE_RESTARTING ||
				i == STATE_STOPPING));
	}
	return unit_end();
}
