/* SPDX-License-Identifier: MIT */
#include "engine/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* What the program does, in a process of its own below an init of its own. */
static int program_exit(void)
{
	return 7;
}

static int program_signal(void)
{
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
	return 1;
}

/* Our process group, mask and dispositions are as promised. */
static int program_state(void)
{
	struct sigaction action;
	sigset_t mask;

	if (getpgrp() != getpid())
		return 1;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		if (sigismember(&mask, i) == 1)
			return 2;
		if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			return 3;
	}
	return 0;
}

static volatile sig_atomic_t seen;

static void on_signal(int number)
{
	seen = number;
}

/* Ask init for a signal and end with its number. */
static int ask_for(int number)
{
	sigset_t set, old;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGUSR1, on_signal);
	kill(getppid(), number);
	while (!seen)
		sigsuspend(&old);
	return seen;
}

static int program_usr1(void)
{
	return ask_for(SIGUSR1);
}

static int program_int(void)
{
	return ask_for(SIGINT);
}

/* Leave 50 orphans behind, wait until init has reaped them all. */
static int program_orphans(void)
{
	pid_t pids[50];
	int pipes[2];

	if (pipe(pipes) < 0)
		return 1;
	if (fork() == 0) {
		for (int i = 0; i < 50; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				_exit(0);
		}
		(void)!write(pipes[1], pids, sizeof(pids));
		_exit(0);
	}
	if (read(pipes[0], pids, sizeof(pids)) != sizeof(pids))
		return 2;
	wait(NULL);
	for (int i = 0; i < 50; i++)
		while (kill(pids[i], 0) == 0)
			usleep(1000);
	return 0;
}

/* The status of init over PROGRAM; its end signal is added times 1000. */
static int run(struct init *init, int (*program)(void))
{
	int pipes[2], how, result[2] = { -1, -1 };

	fflush(stdout);
	if (pipe(pipes) < 0)
		return -1;
	if (fork() == 0) {
		/* init_start closes all but 0 to 2. */
		dup2(pipes[1], 0);
		signal(SIGCHLD, SIG_IGN);
		signal(SIGUSR2, SIG_IGN);
		if (init_start(init) == 0)
			_exit(program());
		result[0] = init_wait(init);
		result[1] = init->end;
		(void)!write(0, result, sizeof(result));
		_exit(0);
	}
	close(pipes[1]);
	if (read(pipes[0], result, sizeof(result)) != sizeof(result))
		result[0] = -1;
	close(pipes[0]);
	wait(&how);
	return result[0] + 1000 * result[1];
}

int main(void)
{
	struct init plain = { .subreaper = true };
	struct init some = { .subreaper = true };
	struct init machine = { .machine = true, .subreaper = true };

	unit_case("returns the status of the program");
	CHECK(run(&plain, program_exit) == 7);
	unit_case("128 and the signal");
	CHECK(run(&plain, program_signal) == 128 + SIGTERM);
	unit_case("statuses of the set become 0, the others stay");
	some.success[0] = UINT64_C(1) << 7;
	some.success[2] = UINT64_C(1) << (143 - 128);
	CHECK(run(&some, program_exit) == 0);
	CHECK(run(&some, program_signal) == 0);
	CHECK(run(&some, program_usr1) == SIGUSR1);
	some.success[0] = ~(UINT64_C(1) << 7);
	CHECK(run(&some, program_exit) == 7);
	unit_case("the program leads a group, its signals are reset");
	CHECK(run(&plain, program_state) == 0);
	unit_case("signals are passed on as they are");
	CHECK(run(&plain, program_int) == SIGINT);
	unit_case("on a machine INT and TERM are one TERM, and remembered");
	CHECK(run(&machine, program_int) == SIGTERM + 1000 * SIGINT);
	CHECK(run(&machine, program_usr1) == SIGUSR1);
	unit_case("orphans are reaped");
	CHECK(run(&plain, program_orphans) == 0);
	return unit_end();
}
