/* SPDX-License-Identifier: MIT */
/* monitor - look after a running container from outside */
#include "engine/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/sig.h"

/* Not passed on: faults are ours, job control stops and continues us as any program (the
 * container then waits for us when its pipes are full). */
static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGCONT };

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- terminals --- */

/* A description of the terminal FD of our own, so that O_NONBLOCK concerns nobody else. */
static int open_again(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return again >= 0 ? again : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int open_relay(struct relay *r, int fd, int *other)
{
	int p[2];
	bool input = fd == 0;

	if (pipe2(p, O_CLOEXEC) < 0)
		return fail_errno("make a pipe");
	*other = input ? p[0] : p[1];
	if (input) {
		r->to = p[1];
		r->from = open_again(fd, O_RDONLY);
	} else {
		r->from = p[0];
		r->to = open_again(fd, O_WRONLY);
	}
	/* Only our end: the container shall find a pipe like any other. */
	if (r->from < 0 || r->to < 0 || fcntl(input ? r->to : r->from, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno("open the terminal");
	return 0;
}

/* All that is passed on. What our caller has us ignore (nohup, a job of a script) stays ignored,
 * but for the end of the child, which would otherwise be lost. */
static void choose_signals(sigset_t *set)
{
	struct sigaction now;

	signal(SIGCHLD, SIG_DFL);
	sigfillset(set);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(set, own[i]);
	for (int i = 1; i <= SIGRTMAX; i++)
		if (sigaction(i, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			sigdelset(set, i);
}

int monitor_open(struct monitor *m, int other[3])
{
	sigset_t set;
	int r = 0;

	*m = (struct monitor){ .signals = -1 };
	for (int i = 0; i < 3; i++)
		m->relays[i].from = m->relays[i].to = other[i] = -1;
	choose_signals(&set);
	m->signals = sig_open(&set, NULL);
	if (m->signals < 0)
		return m->signals;
	for (int i = 0; i < 3 && r == 0; i++)
		if (isatty(i))
			r = open_relay(&m->relays[i], i, &other[i]);
	if (r < 0) {
		for (int i = 0; i < 3; i++)
			close_end(&other[i]);
		monitor_close(m);
	}
	return r;
}

void monitor_close(struct monitor *m)
{
	for (int i = 0; i < 3; i++) {
		close_end(&m->relays[i].from);
		close_end(&m->relays[i].to);
	}
	close_end(&m->signals);
}

/* --- bytes --- */

static bool try_again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void relay_read(struct relay *r)
{
	ssize_t n = read(r->from, r->data, sizeof(r->data));

	if (n > 0) {
		r->start = 0;
		r->len = (size_t)n;
	} else if (n == 0 || !try_again()) {
		/* The end, or a terminal that hung up. */
		close_end(&r->from);
	}
}

static void relay_write(struct relay *r)
{
	ssize_t n = write(r->to, r->data + r->start, r->len);

	if (n >= 0) {
		r->start += (size_t)n;
		r->len -= (size_t)n;
	} else if (!try_again()) {
		/* Nobody reads any more; the writer shall see that, too. */
		close_end(&r->to);
		close_end(&r->from);
		r->len = 0;
	}
}

/* What to wait for. A relay reads only when it holds nothing: a full pipe makes the writer wait. */
static void relay_poll(struct relay *r, struct pollfd *p)
{
	if (r->from < 0 && r->len == 0)
		close_end(&r->to); /* the container's input ends here */
	p->fd = r->len > 0 ? r->to : r->from;
	p->events = r->len > 0 ? POLLOUT : POLLIN;
	p->revents = 0;
}

static void relay_move(struct relay *r)
{
	if (r->len > 0)
		relay_write(r);
	else
		relay_read(r);
}

/* --- signals --- */

struct watch {
	pid_t pid;
	unsigned interrupts; /* Ctrl-C so far */
	bool ended;
	int status;
};

static int reap(struct watch *w)
{
	pid_t r = waitpid(w->pid, &w->status, WNOHANG);

	if (r < 0)
		return fail_errno("wait for the container");
	w->ended = r == w->pid;
	return 0;
}

/* Read what came. 1: the user wants no more of what is left to print. */
static int take_signals(struct monitor *m, struct watch *w)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD || number == SIGPIPE)
			continue;
		if (w->ended) {
			if (number == SIGINT || number == SIGTERM || number == SIGHUP ||
				number == SIGQUIT)
				return 1;
			continue;
		}
		if (number == SIGINT && info.ssi_code == SI_KERNEL && ++w->interrupts > 1)
			number = SIGKILL;
		kill(w->pid, number);
	}
	return w->ended ? 0 : reap(w);
}

/* --- the loop --- */

int monitor_run(struct monitor *m, pid_t pid, int *status)
{
	struct watch w = { .pid = pid };
	struct pollfd p[4];
	int r = reap(&w), ready = 1;

	/* After the end nobody can write any more: what the pipes hold is all there is. */
	while (r == 0 && (!w.ended || ready > 0)) {
		p[0] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
		for (int i = 0; i < 3; i++)
			relay_poll(&m->relays[i], &p[i + 1]);
		if (w.ended) {
			bool full = m->relays[1].len > 0 || m->relays[2].len > 0;

			p[1].fd = -1;
			ready = poll(p, 4, full ? -1 : 0);
		} else {
			ready = poll(p, 4, -1);
		}
		if (ready < 0 && errno == EINTR)
			ready = 1;
		for (int i = 0; i < 3; i++)
			if (p[i + 1].revents)
				relay_move(&m->relays[i]);
		if (p[0].revents)
			r = take_signals(m, &w);
	}
	*status = w.status;
	return r < 0 ? r : 0;
}
