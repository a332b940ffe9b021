/* qmon - (internal) supervisor of one detached container
 *
 * usage: qmon DESCRIPTOR
 *
 * Started by qrun -d and qstart, never by people: DESCRIPTOR is a sealed file in memory that says what to
 * run.
 *
 * exit status:
 *   0  the container has ended and is not to be started again
 *   1  it could not be started
 *   2  wrong usage
 */
/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "applet.h"
#include "gen/qmon.h"

#include "base/num.h"
#include "engine/detach.h"
#include "engine/launch.h"
#include "engine/relaunch.h"

int qmon_main(struct args *args)
{
	struct relaunch state = { .parsed = false };
	uint64_t fd;
	int r;

	r = launch_protect(args->applet, args->argv);
	if (r < 0)
		return r;
	while (args_next(args) != OPT_END)
		continue;
	args_want(args, 1, 1);
	if (num_parse(args->operands[0], INT_MAX, &fd) < 0)
		args_usage(args, "which descriptor?");
	r = detach_serve((int)fd, &relaunch_launcher, &state);
	relaunch_free(&state);
	return r;
}
