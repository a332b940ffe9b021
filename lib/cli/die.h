/* SPDX-License-Identifier: MIT */
/* die - what people read on stderr, and the exit statuses
 *
 * Each message is one line "APPLET: text", control characters escaped, in one write. The name is
 * program_invocation_short_name, which main sets. Only applets use this module. */
#ifndef CLI_DIE_H
#define CLI_DIE_H

#include "base/attr.h"

/* Exit statuses besides 0 and 1 (failed); a command's own, and 128+N for signal N, are passed on. */
enum {
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 69,     /* the kernel or the other side lacks it */
	EXIT_TEMPORARY = 75,       /* network, lock: try again */
	EXIT_TIMEOUT = 124,        /* --timeout was reached */
	EXIT_OURS = 125,           /* qrun, qexec: we failed, not the command */
	EXIT_CANNOT_EXECUTE = 126, /* found, but not executable */
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};

/* Print the recorded failure and its hint; forget both. For work that goes on. */
void die_print(void);

/* The same, then exit(STATUS). */
NORETURN void die(int status);

/* The exit status for a negative errno value: 75 for what may work later, 69 for what is not
 * there, else 1. */
int die_status(int r);

/* Print one line that is not an error of ours. */
void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Print "hint: TEXT", what to do about the line before it. */
void hint(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
