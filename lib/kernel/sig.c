/* SPDX-License-Identifier: MIT */
/* sig - signal names, clean dispositions, signalfd */
#include "kernel/sig.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"

/* The numbers of the kernel: a container may be told about RTMIN, which libc keeps back some of. */
#define RT_MIN 32
#define RT_MAX 64

static const char *const names[] = {
	[SIGHUP] = "SIGHUP",
	[SIGINT] = "SIGINT",
	[SIGQUIT] = "SIGQUIT",
	[SIGILL] = "SIGILL",
	[SIGTRAP] = "SIGTRAP",
	[SIGABRT] = "SIGABRT",
	[SIGBUS] = "SIGBUS",
	[SIGFPE] = "SIGFPE",
	[SIGKILL] = "SIGKILL",
	[SIGUSR1] = "SIGUSR1",
	[SIGSEGV] = "SIGSEGV",
	[SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",
	[SIGALRM] = "SIGALRM",
	[SIGTERM] = "SIGTERM",
	[SIGCHLD] = "SIGCHLD",
	[SIGCONT] = "SIGCONT",
	[SIGSTOP] = "SIGSTOP",
	[SIGTSTP] = "SIGTSTP",
	[SIGTTIN] = "SIGTTIN",
	[SIGTTOU] = "SIGTTOU",
	[SIGURG] = "SIGURG",
	[SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ",
	[SIGVTALRM] = "SIGVTALRM",
	[SIGPROF] = "SIGPROF",
	[SIGWINCH] = "SIGWINCH",
	[SIGIO] = "SIGIO",
	[SIGPWR] = "SIGPWR",
	[SIGSYS] = "SIGSYS",
};

/* What is left of S after PREFIX in any case, NULL if it does not begin so. */
static const char *after(const char *s, const char *prefix)
{
	char head[16];
	size_t len = strlen(prefix);

	if (strlen(s) < len)
		return NULL;
	memcpy(head, s, len);
	head[len] = '\0';
	return str_casecmp(head, prefix) == 0 ? s + len : NULL;
}

static int unknown(const char *s)
{
	return fail(EINVAL, "'%s' is not a signal", s);
}

/* "RTMIN", "RTMIN+3", "RTMAX-2" from their tail. */
static int parse_real_time(const char *s, const char *tail, int base, char sign)
{
	uint64_t n = 0;

	if (*tail && (*tail != sign || num_parse(tail + 1, RT_MAX - RT_MIN, &n) < 0))
		return unknown(s);
	return sign == '+' ? base + (int)n : base - (int)n;
}

int sig_parse(const char *s)
{
	const char *name = after(s, "SIG");
	const char *tail;
	uint64_t n;

	if (s[0] >= '0' && s[0] <= '9') {
		if (num_parse(s, RT_MAX, &n) < 0 || n == 0)
			return unknown(s);
		return (int)n;
	}
	if (!name)
		name = s;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i] && str_casecmp(name, names[i] + 3) == 0)
			return (int)i;
	if (str_casecmp(name, "POLL") == 0)
		return SIGIO;
	/* libc's SIGRTMIN: what a program in the container means by it. */
	tail = after(name, "RTMIN");
	if (tail)
		return parse_real_time(s, tail, SIGRTMIN, '+');
	tail = after(name, "RTMAX");
	if (tail)
		return parse_real_time(s, tail, RT_MAX, '-');
	return unknown(s);
}

const char *sig_name(int number)
{
	static char other[24];

	if (number > 0 && (size_t)number < ARRAY_LEN(names) && names[number])
		return names[number];
	snprintf(other, sizeof(other), "signal %d", number);
	return other;
}

void sig_reset(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* KILL, STOP and what libc keeps for itself refuse; nothing to do about those. */
	for (int i = 1; i <= RT_MAX; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int sig_open(const sigset_t *set, sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	sigset_t all, before;
	int fd;

	if (!set) {
		sigfillset(&all);
		for (size_t i = 0; i < ARRAY_LEN(faults); i++)
			sigdelset(&all, faults[i]);
		set = &all;
	}
	/* Blocked first: between the two a signal waits instead of killing us. */
	if (sigprocmask(SIG_BLOCK, set, &before) < 0)
		return fail_errno("block signals");
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		int r = fail_errno("make a signal descriptor");

		sigprocmask(SIG_SETMASK, &before, NULL);
		return fail_hint(r, "the kernel needs CONFIG_SIGNALFD");
	}
	if (old)
		*old = before;
	return fd;
}
