/* SPDX-License-Identifier: MIT */
/* init - process 1 of a container or a machine: start one program, pass signals on, reap */
#include "engine/init.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/sig.h"

#define STOP_SECONDS 10
#define PAGE         4096 /* at least; the kernel refuses what is not aligned to more */

/* One line on stderr, without memory from the heap. Of numbers and fixed words only. */
static void PRINTF_LIKE(1, 2) say(const char *fmt, ...)
{
	char text[128], line[160];
	va_list args;
	int len;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	len = snprintf(line, sizeof(line), "%s: %s\n", program_invocation_short_name, text);
	/* Where stderr is closed or full nobody can be told. */
	(void)!write(STDERR_FILENO, line, (size_t)len);
}

/* Every signal there is, those included that a libc keeps back: all are passed on. What would be a
 * fault of our own kills us although it is blocked. */
static void all_signals(sigset_t *set)
{
	memset(set, 0xff, sizeof(*set));
}

static int set_up(const struct init *init)
{
	pid_t parent = getppid();
	sigset_t all;

	/* Inherited as ignored, the one would make the kernel reap in our place, and the other would
	 * not stop us when we follow the program. The rest is blocked, which comes before ignored. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	all_signals(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return fail_errno("block signals");
	if (init->subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return fail_errno("become a subreaper");
	if (!init->death_signal)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, init->death_signal) < 0)
		return fail_errno("ask for a signal at the parent's end");
	if (getppid() != parent)
		kill(getpid(), init->death_signal);
	return 0;
}

/* Blocked, SIGTTOU does not stop who changes the foreground from the background. A terminal that
 * has gone away needs nothing more from us, so nobody looks at the result. */
static void give_terminal(const struct init *init, pid_t group)
{
	if (init->terminal)
		(void)tcsetpgrp(STDIN_FILENO, group);
}

static bool in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

pid_t init_start(struct init *init)
{
	/* Started in the background we must not take the terminal from who has it. */
	bool foreground = in_foreground();
	pid_t pid;
	int r = set_up(init);

	if (r < 0)
		return r;
	init->terminal = tcgetpgrp(STDIN_FILENO) >= 0;
	pid = fork();
	if (pid < 0)
		return fail_errno("start a process");
	if (pid == 0) {
		setpgid(0, 0);
		/* By the child: it must be so before the program runs. */
		if (foreground)
			give_terminal(init, getpid());
		sig_reset();
		return 0;
	}
	/* So that a signal to the group finds it at once. Fails after the exec: then the child did it. */
	setpgid(pid, pid);
	fd_close_others(NULL, 0);
	init->child = pid;
	if (init->verbosity >= 2)
		say("started process %d", (int)pid);
	return pid;
}

/* Give back the pages of our own file that the start needed, most of half a megabyte: the few that
 * the loop below needs come back by themselves. */
static void drop_pages(void)
{
	const ElfW(Phdr) *segment = (const void *)getauxval(AT_PHDR);
	uintptr_t base = 0;

	for (unsigned long n = getauxval(AT_PHNUM); n > 0; n--, segment++) {
		if (segment->p_type == PT_PHDR)
			base = (uintptr_t)segment - segment->p_vaddr;
		else if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			(void)madvise((void *)((base + segment->p_vaddr) & ~(uintptr_t)(PAGE - 1)),
				segment->p_memsz, MADV_DONTNEED);
	}
}

static void pass_on(struct init *init, int number)
{
	if (init->machine && (number == SIGTERM || number == SIGINT)) {
		init->end = number;
		number = SIGTERM;
		alarm(STOP_SECONDS);
	}
	if (init->verbosity >= 3)
		say("passing %s on", sig_name(number));
	/* A program that has ended is reaped next. */
	(void)kill(init->group ? -init->child : init->child, number);
}

/* The program was stopped. On a terminal it is part of a job of the shell that started us, and that
 * shell waits for us to stop: stop with all of the job, as if the terminal had done it.
 * Process 1 and whatever has no such shell do not stop, by the kernel's rule for orphaned groups. */
static void follow_stop(const struct init *init)
{
	sigset_t stop;

	if (!init->terminal)
		return;
	give_terminal(init, getpgrp());
	kill(0, SIGTSTP);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
}

/* Reap what can be. True if the program was among it: *STATUS is its exit status then. */
static bool reap(struct init *init, int *status)
{
	bool ended = false;
	int how;
	pid_t pid;

	while ((pid = waitpid(-1, &how, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(how)) {
			if (pid == init->child)
				follow_stop(init);
			continue;
		}
		if (pid == init->child) {
			ended = true;
			*status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
		} else if ((init->warn && init->verbosity >= 1) || init->verbosity >= 3) {
			say("reaped process %d, which was left behind", (int)pid);
		}
	}
	return ended;
}

int init_wait(struct init *init)
{
	siginfo_t info;
	sigset_t all;
	int status = 0;

	all_signals(&all);
	drop_pages();
	while (!reap(init, &status)) {
		int number = sigwaitinfo(&all, &info);

		if (number < 0 || number == SIGCHLD)
			continue;
		/* A message of ours that nobody reads is no news for the program. */
		if (number == SIGPIPE && info.si_pid == getpid())
			continue;
		if (number == SIGALRM && info.si_code == SI_KERNEL && init->end) {
			kill(init->child, SIGKILL);
			continue;
		}
		/* The shell brought the job back, perhaps to the foreground. */
		if (number == SIGCONT && in_foreground())
			give_terminal(init, init->child);
		pass_on(init, number);
	}
	alarm(0);
	if (tcgetpgrp(STDIN_FILENO) == init->child)
		give_terminal(init, getpgrp());
	if (init->verbosity >= 2)
		say("process %d ended with status %d", (int)init->child, status);
	return init->success[status / 64] >> (status % 64) & 1 ? 0 : status;
}
