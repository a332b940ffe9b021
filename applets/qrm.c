/* qrm - remove containers
 *
 * usage: qrm [-f] CONTAINER...
 *
 * Remove each CONTAINER (name, id, or two or more of its first digits) with what it has written and
 * its log. Volumes stay. One that runs is refused unless -f is given, which kills it first.
 *
 * options:
 *   -f, --force      kill what runs; a missing container is no error
 *       --store=DIR  the store to use
 *
 * environment:
 *   QBOX_STORE       the store, if --store is not given
 *   QBOX_RUN         where the state of this boot is kept
 *
 * exit status:
 *   0   done
 *   1   failed, or no such container
 *   2   wrong usage
 *   75  another command is at work on it, or something is mounted in it
 *
 * examples:
 *   qrm -f web1
 *   qrm $(qps -aq --filter=status=exited)
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "applet.h"
#include "gen/qrm.h"

#include "base/attr.h"
#include "base/fail.h"
#include "engine/container.h"

static int remove_one(struct store *s, const char *name, bool force)
{
	auto_container struct container *c = NULL;
	int r = container_find(s, name, &c);

	if (r == 0 && force)
		r = container_kill(s, c);
	if (r == 0)
		r = container_remove(s, c);
	return r == -ENOENT && force ? 0 : r;
}

int qrm_main(struct args *args)
{
	int opt, r, status = 0;
	const char *store = NULL;
	bool force = false;
	struct store *s;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_FORCE: force = args->on; break;
		case OPT_STORE: store = args->value; break;
		}
	args_want(args, 1, SIZE_MAX);
	r = store_open(&s, store, STORE_RUN);
	if (r < 0)
		return r;
	for (size_t n = 0; n < args->count; n++) {
		r = remove_one(s, args->operands[n], force);
		if (r == 0) {
			printf("%s\n", args->operands[n]);
			continue;
		}
		die_print();
		if (status != EXIT_FAILURE)
			status = die_status(r);
	}
	store_close(s);
	return status;
}
