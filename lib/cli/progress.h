/* SPDX-License-Identifier: MIT */
/* progress - one bar per layer on a terminal, else one line at its start and one at its end
 *
 * Written to stderr. NO_COLOR is honoured; at most ten redraws a second. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress_item {
	char name[16];      /* cut if longer */
	const char *state;  /* "waiting", "pulling", "done"; static text */
	uint64_t done;
	uint64_t total;     /* 0: not known */
	bool started;
	bool ended;
};

struct progress {
	int fd; /* -1: quiet */
	bool terminal;
	bool colour;
	unsigned width;
	int64_t drawn;  /* when, CLOCK_BOOTTIME; 0: never */
	size_t lines;   /* drawn last time, to go back over */
	size_t count;
	struct progress_item items[128]; /* an image has at most 127 layers */
};

/* Begin on stderr; QUIET: every call does nothing. */
void progress_init(struct progress *p, bool quiet);

/* Add an item and return its index; -1 when there are too many, which the other calls accept. */
int progress_add(struct progress *p, const char *name, uint64_t total);

/* DONE bytes of item I so far. STATE must be static text. */
void progress_set(struct progress *p, int i, const char *state, uint64_t done);

/* Item I has come to its end: "done", "exists", "failed". */
void progress_done(struct progress *p, int i, const char *state);

/* Draw the last state, so that what is printed next stands below. */
void progress_end(struct progress *p);

/* One line above the bars. */
void progress_note(struct progress *p, const char *text);

#endif
