/* SPDX-License-Identifier: MIT */
/* args - options and operands of an applet */
#include "cli/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "cli/die.h"

void args_init(struct args *args, char **argv)
{
	args->argv = argv;
	args->operands = argv;
	args->count = 0;
	args->cluster = NULL;
	args->value = NULL;
	args->have_last = false;
}

const char *args_nearest(const char *name, const void *words, size_t count, size_t stride)
{
	size_t length = strlen(name);
	const char *best = NULL;
	/* About a third of the letters may be wrong. */
	int limit = length < 2 ? 0 : length < 6 ? 1 : 2;

	for (size_t i = 0; i < count; i++) {
		const char *word = *(const char *const *)((const char *)words + i * stride);
		int distance = str_distance(name, word);

		if (distance <= limit) {
			limit = distance - 1;
			best = word;
		}
	}
	return best;
}

/* Record an unknown option, NAME as far as its argument, with the nearest spelling. */
static int unknown_option(const struct args *args, const char *name, size_t len)
{
	const struct args_syntax *s = args->syntax;
	char word[41];
	const char *near;
	int r = fail(EINVAL, "unknown option '--%.*s'", (int)len, name);

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	near = len < sizeof(word) ? args_nearest(word, s->options, s->count, sizeof(s->options[0]))
				  : NULL;
	if (near)
		return fail_hint(r, "did you mean '--%s'?", near);
	return fail_hint(r, "%s --help lists the options", args->applet);
}

static int parse_bool(struct args *args, const struct args_option *option, const char *value)
{
	args->on = !value || strcmp(value, "true") == 0;
	if (args->on || strcmp(value, "false") == 0)
		return 1;
	return fail(EINVAL, "option '--%s' takes true or false, not '%s'", option->name, value);
}

/* The option I was read; VALUE is what stands in the same word, NULL if nothing does. */
static int take_option(struct args *args, size_t i, const char *value, int *opt)
{
	const struct args_option *option = &args->syntax->options[i];

	args->last = i;
	args->have_last = true;
	args->value = value;
	args->on = true;
	*opt = (int)i;
	switch (option->kind) {
	case ARGS_BOOL: args->value = NULL; return parse_bool(args, option, value);
	case ARGS_VALUE:
		if (!args->value)
			args->value = *args->argv ? *args->argv++ : NULL;
		if (!args->value)
			return fail(EINVAL, "option '--%s' needs an argument", option->name);
		return 1;
	case ARGS_OPTIONAL: return 1;
	}
	return 1;
}

/* WORD is what follows "--". */
static int long_option(struct args *args, const char *word, int *opt)
{
	const struct args_syntax *s = args->syntax;
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : NULL;

	if (strcmp(word, "help") == 0)
		return -ECANCELED;
	for (size_t i = 0; i < s->count; i++)
		if (strncmp(s->options[i].name, word, len) == 0 && !s->options[i].name[len])
			return take_option(args, i, value, opt);
	return unknown_option(args, word, len);
}

/* The next letter of a cluster. The rest of the word is its argument if it takes one; "=" in
 * front of it is dropped, and gives even a boolean its value. */
static int letter_option(struct args *args, int *opt)
{
	const struct args_syntax *s = args->syntax;
	char *rest = args->cluster + 1;
	char letter = *args->cluster;
	int r;

	args->cluster = NULL;
	for (size_t i = 0; i < s->count; i++) {
		if (s->options[i].letter != letter)
			continue;
		if (*rest == '=')
			return take_option(args, i, rest + 1, opt);
		if (*rest && s->options[i].kind == ARGS_VALUE)
			return take_option(args, i, rest, opt);
		if (*rest)
			args->cluster = rest;
		return take_option(args, i, NULL, opt);
	}
	if (letter == 'h')
		return -ECANCELED;
	r = fail(EINVAL, "unknown option '-%c'", letter);
	return fail_hint(r, "%s --help lists the options", args->applet);
}

/* What is left are operands, behind those gathered before. */
static int finish(struct args *args)
{
	while (*args->argv)
		args->operands[args->count++] = *args->argv++;
	args->operands[args->count] = NULL;
	args->value = NULL;
	args->have_last = false;
	return 0;
}

int args_try(struct args *args, int *opt)
{
	if (args->cluster)
		return letter_option(args, opt);
	while (*args->argv) {
		char *word = *args->argv;

		if (strcmp(word, "--") == 0) {
			args->argv++;
			return finish(args);
		}
		if (word[0] != '-' || !word[1]) {
			if (args->syntax->stop)
				return finish(args);
			/* Never ahead of what is read: each operand was a word before. */
			args->operands[args->count++] = word;
			args->argv++;
			continue;
		}
		args->argv++;
		if (word[1] == '-')
			return long_option(args, word + 2, opt);
		args->cluster = word + 1;
		return letter_option(args, opt);
	}
	return finish(args);
}

static NORETURN void print_help(const struct args *args)
{
	fputs(args->help, stdout);
	if (fflush(stdout) == 0 && !ferror(stdout))
		exit(0);
	fail_errno("write to standard output");
	die(EXIT_FAILURE);
}

int args_next(struct args *args)
{
	int opt;
	int r = args_try(args, &opt);

	if (r == -ECANCELED)
		print_help(args);
	if (r < 0)
		die(args->usage_status);
	return r ? opt : OPT_END;
}

int args_command(struct args *args)
{
	const char *word = *args->argv;
	const char *near;

	if (!word)
		args_usage(args, "which command?");
	if (strcmp(word, "--help") == 0)
		print_help(args);
	for (size_t i = 0; i < args->command_count; i++)
		if (strcmp(args->commands[i].word, word) == 0) {
			args->syntax = &args->commands[i];
			args->operands = ++args->argv;
			return (int)i;
		}
	if (word[0] == '-')
		args_usage(args, "the command comes before options such as '%s'", word);
	near = args_nearest(word, args->commands, args->command_count, sizeof(args->commands[0]));
	fail(EINVAL, "unknown command '%s'", word);
	if (near)
		fail_hint(-EINVAL, "did you mean '%s'?", near);
	else
		fail_hint(-EINVAL, "%s --help lists the commands", args->applet);
	die(args->usage_status);
}

void args_check(struct args *args, int r)
{
	if (r >= 0)
		return;
	if (args->have_last)
		fail_wrap(r, "option '--%s'", args->syntax->options[args->last].name);
	die(args->usage_status);
}

void args_usage(const struct args *args, const char *fmt, ...)
{
	const char *usage = strstr(args->help, "usage: ");
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail(EINVAL, "%s", text);
	if (usage)
		fail_hint(-EINVAL, "%.*s", (int)strcspn(usage, "\n"), usage);
	die(args->usage_status);
}

void args_want(struct args *args, size_t min, size_t max)
{
	if (args->count < min && args->count)
		args_usage(
			args, "an operand is missing after '%s'", args->operands[args->count - 1]);
	if (args->count < min)
		args_usage(args, "an operand is missing");
	if (args->count > max)
		args_usage(args, "unexpected operand '%s'", args->operands[max]);
}
