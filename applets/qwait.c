/* qwait - wait until containers end and print their exit codes
 *
 * usage: qwait CONTAINER...
 *
 * Wait until each CONTAINER (name, id, or two or more of its first digits) has ended, and print its
 * exit code on a line of its own: 128+N if signal N ended it, "unknown" if nobody saw the end. Of one
 * that has ended already the last code is printed, also when it has been removed since (--rm).
 *
 * options:
 *       --store=DIR  the store to use
 *
 * environment:
 *   QBOX_STORE       the store, if --store is not given
 *   QBOX_RUN         where the state of this boot is kept
 *
 * exit status:
 *   N    the exit code of the last CONTAINER
 *   125  qwait failed, wrong usage, or a code that is not known
 *
 * examples:
 *   id=$(qrun -d debian make) && qwait "$id"
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "applet.h"
#include "gen/qwait.h"

#include "base/attr.h"
#include "base/fail.h"
#include "engine/container.h"

/* Of a container that is here. 1, or 0 if it has never run. */
static int wait_for(struct store *s, const char *name, struct exit_record *e)
{
	auto_container struct container *c = NULL;
	int r = container_find(s, name, &c);

	if (r == 0)
		r = container_wait(s, c, -1, e);
	return r == 0 ? fail(EINVAL, "container '%s' has never run", c->row->name) : r;
}

/* The exit status that stands for it, or a negative errno value. */
static int wait_and_print(struct store *s, const char *name)
{
	struct exit_record e;
	int r = wait_for(s, name, &e);

	if (r == -ENOENT) {
		/* Removed? The text of the failure stays if not. */
		int found = container_find_exit(s, name, &e);

		r = found != 0 ? found : r;
	}
	if (r < 0)
		return r;
	if (!e.known) {
		printf("unknown\n");
		return EXIT_OURS;
	}
	printf("%d\n", e.code);
	return e.code;
}

int qwait_main(struct args *args)
{
	const char *store = NULL;
	int opt, r, status = 0;
	struct store *s;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_STORE: store = args->value; break;
		}
	args_want(args, 1, SIZE_MAX);
	r = store_open(&s, store, STORE_RUN);
	if (r < 0)
		return r;
	for (size_t n = 0; n < args->count; n++) {
		r = wait_and_print(s, args->operands[n]);
		fflush(stdout);
		if (r < 0)
			die_print();
		status = r < 0 ? EXIT_OURS : r;
	}
	store_close(s);
	return status;
}
