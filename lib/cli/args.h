/* SPDX-License-Identifier: MIT */
/* args - options and operands of an applet, by the rules of FORMATS 4
 *
 * The tables come from the header comments (applets/gen.awk). Wrong usage ends the process with the
 * applet's usage status, one line and a hint; that is why only applets use this module. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

#define OPT_END (-1)

enum args_kind {
	ARGS_BOOL,     /* --all, --all=false */
	ARGS_VALUE,    /* --filter=X, --filter X */
	ARGS_OPTIONAL, /* --json, --json=X */
};

struct args_option {
	const char *name; /* without dashes */
	char letter;      /* 0: long name only */
	enum args_kind kind;
};

/* What an applet, or one of its commands, takes. */
struct args_syntax {
	const char *word; /* name of the applet or of the command */
	const struct args_option *options;
	size_t count;
	bool stop; /* options end at the first operand */
};

struct args {
	const char *applet; /* name, for messages */
	const char *help;   /* what --help prints */
	int usage_status;   /* exit status of wrong usage */
	const struct args_syntax *syntax;
	const struct args_syntax *commands; /* NULL: none */
	size_t command_count;
	mode_t umask; /* the caller's; ours is 077 */

	/* The option that args_next returned. */
	const char *value; /* its argument; NULL for a boolean, or when an optional one is absent */
	bool on;           /* a boolean's value: false only for --x=false */

	/* Valid after OPT_END: what is not an option, NULL-terminated, byte for byte. */
	char **operands;
	size_t count;

	/* Private. */
	char **argv;   /* next word to look at; also where operands are gathered */
	char *cluster; /* rest of a word of one-letter options, or NULL */
	size_t last;   /* index of the option that was returned */
	bool have_last;
};

/* Begin to read ARGV, NULL-terminated and without the program's name. It is re-ordered in place
 * and must live as long as ARGS, whose members up to umask the caller has set. */
void args_init(struct args *args, char **argv);

/* The next option as its index in the table (an enum opt value), OPT_END after the last. Prints
 * the help and exits 0 at --help, and at -h where no option has that letter; ends the process at
 * wrong usage. */
int args_next(struct args *args);

/* The same without ending the process: 1 and the index in *OPT, 0 at the end, -EINVAL with text and
 * hint recorded at wrong usage, -ECANCELED at --help. */
int args_try(struct args *args, int *opt);

/* For applets with commands: take the first word, which must be a command, and go on with the
 * options of that command. Returns its index in commands[]; ends the process if there is none. */
int args_command(struct args *args);

/* End the process as wrong usage unless R >= 0; the recorded text gets the last option's name in
 * front: args_check(args, num_parse_size(args->value, &limit)). */
void args_check(struct args *args, int r);

/* End the process as wrong usage unless the number of operands lies between MIN and MAX. */
void args_want(struct args *args, size_t min, size_t max);

/* End the process as wrong usage, with this text and the usage line as a hint. */
NORETURN void args_usage(const struct args *args, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The word of WORDS[COUNT] that NAME was probably meant to be, NULL if none is near. Element size
 * STRIDE, whose first member is the word. */
const char *args_nearest(const char *name, const void *words, size_t count, size_t stride);

#endif
