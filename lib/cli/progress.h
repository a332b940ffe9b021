/* SPDX-License-Identifier: MIT */
/* progress - one bar per layer on a terminal, else one line at its start and one at its end
 *
 * Written to stderr, without colours; at most ten redraws a second. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_MAX 128 /* an image has at most 127 layers */

struct progress_item {
	char name[16]; /* cut if longer */
	const char *state;
	uint64_t done;
	uint64_t total; /* 0: not known */
	bool started;
	bool ended;
};

struct progress {
	int fd; /* -1: quiet */
	bool terminal;
	int64_t drawn; /* when, CLOCK_BOOTTIME; 0: never */
	size_t first;  /* items before it have ended and scrolled away */
	size_t lines;  /* drawn last time: the cursor stands below them */
	size_t count;
	struct progress_item items[PROGRESS_MAX];
};

/* Begin on stderr. QUIET: all calls do nothing. */
void progress_init(struct progress *p, bool quiet);

/* Add an item of TOTAL bytes (0: not known) and return its index; -1, which the other calls ignore,
 * when there are too many. */
int progress_add(struct progress *p, const char *name, uint64_t total);

/* Item I is in STATE ("pulling"), a static text, and DONE bytes are through. */
void progress_set(struct progress *p, int i, const char *state, uint64_t done);

/* Item I has come to its end, with STATE "done", "exists" or "failed". */
void progress_done(struct progress *p, int i, const char *state);

/* Draw the last state; what is printed next stands below it. */
void progress_end(struct progress *p);

#endif
