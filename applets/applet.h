/* SPDX-License-Identifier: MIT */
/* applet - all an applet may assume
 *
 * main.c has opened descriptors 0-2, set umask 077 and the default SIGPIPE, and named the process.
 * An applet defines int NAME_main(struct args *args), which returns the exit status; a negative
 * errno value instead makes main print the recorded failure and exit with die_status() of it, or
 * with 125 where the header comment lists that status. Output on stdout is flushed and checked by
 * main. Options and commands come from the applet's own header comment; see gen.awk. */
#ifndef APPLET_H
#define APPLET_H

#include "cli/args.h"
#include "cli/die.h"

struct applet {
	struct args_syntax syntax; /* syntax.word is the applet's name; first, for args_nearest */
	const char *summary;
	const char *help;
	int (*main)(struct args *args);
	const struct args_syntax *commands;
	size_t command_count;
	int usage_status;
	bool internal; /* not listed, not linked */
};

/* One vendored component, for --version. */
struct component {
	const char *name, *version, *licence;
};

/* Made by gen.awk: sorted by name, and what vendor/VERSIONS says. */
extern const struct applet applets[];
extern const size_t applet_count;
extern const struct component components[];
extern const size_t component_count;
extern const char qbox_version[];

#endif
