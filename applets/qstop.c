/* qstop - stop containers
 *
 * usage: qstop [-s SIGNAL] [-t SECONDS] CONTAINER...
 *
 * Send each container its stop signal, wait until it has ended, and kill what has not by then. A
 * container that does not run is left as it is. None is started again by its restart policy.
 *
 * options:
 *   -s, --signal=SIGNAL  instead of the image's stop signal, or TERM
 *   -t, --time=SECONDS   how long to wait before killing (10)
 *       --store=DIR      the store to use
 *
 * environment:
 *   QBOX_STORE           the store, if --store is not given
 *   QBOX_RUN             where the state of this boot is kept
 *
 * exit status:
 *   0  done
 *   1  there is no such container, or one would not end
 *   2  wrong usage
 *
 * examples:
 *   qstop -t 30 db
 *   qstop -s HUP -t 0 web1 web2
 *
 * see also:
 *   qps, qrm, qwait
 */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "applet.h"
#include "gen/qstop.h"

#include "base/num.h"
#include "engine/container.h"
#include "engine/stop.h"
#include "kernel/sig.h"

static int set_signal(struct stop_how *how, const char *value)
{
	int number = sig_parse(value);

	how->signal = number;
	return number < 0 ? number : 0;
}

static int set_time(struct stop_how *how, const char *value)
{
	int64_t ns;
	int r = num_parse_duration(value, &ns);

	if (r == 0)
		how->timeout = ns / 1000000;
	return r;
}

static int stop(struct store *s, const char *name, const struct stop_how *how)
{
	auto_container struct container *c = NULL;
	int r = container_find(s, name, &c);

	if (r == 0)
		r = stop_container(s, c, how);
	if (r < 0)
		return r;
	puts(name);
	return 0;
}

int qstop_main(struct args *args)
{
	struct stop_how how = { .timeout = -1 };
	const char *store = NULL;
	int opt, r, status = 0;
	struct store *s;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_SIGNAL: args_check(args, set_signal(&how, args->value)); break;
		case OPT_TIME: args_check(args, set_time(&how, args->value)); break;
		case OPT_STORE: store = args->value; break;
		}
	args_want(args, 1, SIZE_MAX);
	r = store_open(&s, store, STORE_RUN);
	if (r < 0)
		return r;
	for (size_t i = 0; i < args->count; i++)
		if (stop(s, args->operands[i], &how) < 0) {
			die_print();
			status = EXIT_FAILURE;
		}
	store_close(s);
	return status;
}
