/* SPDX-License-Identifier: MIT */
/* monitor - look after a running container from outside */
#include "engine/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/time.h"
#include "kernel/cgroupkill.h"
#include "kernel/sig.h"

#define MS          1000000LL
#define STOP_MS     10000
#define DRAIN_TIME  NS_PER_S /* for output after the end, if somebody else keeps writing */
#define END_OF_FILE 4        /* what one types for it: Ctrl-D */

/* What poll waits for. */
enum { POLL_SIGNALS, POLL_RELAYS, POLL_CTL = POLL_RELAYS + 3, POLL_COUNT = POLL_CTL + CTL_POLLS };

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

/* --- ends --- */

static int open_through(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NOCTTY | O_CLOEXEC);
}

static int set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* A terminal FD of our own is described again, so that O_NONBLOCK concerns nobody else. Anything
 * else is used as it is: poll says when it would not block. */
static int open_again(int fd, int flags)
{
	int again = isatty(fd) ? open_through(fd, flags | O_NONBLOCK) : -1;

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
	if (r->from < 0 || r->to < 0 || set_nonblock(input ? r->to : r->from) < 0)
		return fail_errno("open the terminal");
	return 0;
}

/* The container's end can also be read: so it never writes to a pipe without a reader, which would
 * kill it, when the monitor dies. */
static int open_log_pipe(struct relay *r, int fd, int *other)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return fail_errno("make a pipe");
	r->from = p[0];
	r->stream = fd == 1 ? CRILOG_STDOUT : CRILOG_STDERR;
	*other = open_through(p[1], O_RDWR);
	if (*other < 0)
		*other = p[1];
	else
		close(p[1]);
	return set_nonblock(r->from) < 0 ? fail_errno("make a pipe") : 0;
}

static int open_null(int *other)
{
	*other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *other < 0 ? fail_errno("open '/dev/null'") : 0;
}

/* What becomes descriptor I of the container. */
static int open_end(struct monitor *m, int i, int *other)
{
	if (m->want.tty)
		return 0;
	if (i == 0 && (m->want.no_input || m->want.log))
		return open_null(other);
	if (m->want.log)
		return open_log_pipe(&m->relays[i], i, other);
	return isatty(i) ? open_relay(&m->relays[i], i, other) : 0;
}

/* All that is passed on. What our caller has us ignore (nohup, a job of a script) stays ignored,
 * but for the end of the child, which would otherwise be lost. */
static void choose_signals(sigset_t *set, bool terminal)
{
	struct sigaction now;

	signal(SIGCHLD, SIG_DFL);
	sigfillset(set);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(set, own[i]);
	for (int i = 1; i <= SIGRTMAX; i++)
		if (sigaction(i, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			sigdelset(set, i);
	/* Who stopped us has put our terminal back; it must be raw again. */
	if (terminal)
		sigaddset(set, SIGCONT);
}

int monitor_open(struct monitor *m, int other[3])
{
	sigset_t set;
	int r = 0;

	m->stopping = m->timed_out = m->ended = false;
	m->pid = 0;
	m->saved.fd = -1;
	m->kill_at = m->stop_at = 0;
	for (int i = 0; i < 3; i++) {
		m->relays[i].from = m->relays[i].to = other[i] = -1;
		m->relays[i].stream = 0;
		m->relays[i].typed = false;
		m->relays[i].start = m->relays[i].len = 0;
	}
	choose_signals(&set, m->want.tty && !m->want.log);
	m->signals = sig_open(&set, NULL);
	if (m->signals < 0)
		return m->signals;
	for (int i = 0; i < 3 && r == 0; i++)
		r = open_end(m, i, &other[i]);
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

/* --- the container's terminal --- */

static bool has_terminal(const struct monitor *m)
{
	return m->want.tty && !m->want.log;
}

/* The container's is as large as ours. Without one of ours it stays as it is. */
static void copy_size(const struct monitor *m)
{
	for (int i = 0; i < 3; i++)
		if (m->relays[1].from >= 0 && isatty(i)) {
			if (pty_copy_size(m->relays[1].from, i) < 0)
				fail_clear(); /* it has just hung up */
			return;
		}
}

int monitor_set_pty(struct monitor *m, int master)
{
	struct relay *in = &m->relays[0], *out = &m->relays[1];

	out->from = master;
	if (set_nonblock(master) < 0)
		return fail_errno("open the container's terminal");
	if (m->want.log) {
		out->stream = CRILOG_STDOUT;
		return 0;
	}
	copy_size(m);
	out->to = open_again(1, O_WRONLY);
	if (out->to < 0)
		return fail_errno("open standard output");
	if (m->want.no_input)
		return 0;
	in->from = open_again(0, O_RDONLY);
	in->to = fcntl(master, F_DUPFD_CLOEXEC, 3);
	in->typed = !isatty(0);
	return in->from < 0 || in->to < 0 ? fail_errno("open standard input") : 0;
}

/* The container's terminal does what ours would do with what is typed. */
static void make_raw(struct monitor *m)
{
	struct pty_saved again;

	copy_size(m);
	if (m->relays[0].from < 0 || !isatty(0))
		return;
	/* After a stop what it was before the first time counts. */
	if (pty_raw(0, m->saved.fd < 0 ? &m->saved : &again) < 0)
		fail_clear();
}

/* --- bytes --- */

static bool try_again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void relay_read(struct monitor *m, struct relay *r)
{
	ssize_t n = read(r->from, r->data, sizeof(r->data));

	if (n > 0 && r->stream) {
		crilog_write(m->want.log, r->stream, r->data, (size_t)n);
	} else if (n > 0) {
		r->start = 0;
		r->len = (size_t)n;
	} else if (n == 0 || !try_again()) {
		/* The end, or a terminal that hung up. */
		close_end(&r->from);
		if (r->typed && n == 0) {
			r->data[0] = END_OF_FILE;
			r->start = 0;
			r->len = 1;
		}
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

static void relay_move(struct monitor *m, struct relay *r)
{
	if (r->len > 0)
		relay_write(r);
	else
		relay_read(m, r);
}

/* --- signals, stop --- */

static int reap(struct monitor *m)
{
	pid_t r = waitpid(m->pid, &m->status, WNOHANG);

	if (r < 0)
		return fail_errno("wait for the container");
	m->ended = r == m->pid;
	return 0;
}

static void kill_container(struct monitor *m)
{
	/* Where it has processes besides those that die with the first. */
	if (m->want.cgroup && cgroup_kill(m->want.cgroup) < 0)
		fail_clear();
	kill(m->pid, SIGKILL);
}

/* MS until KILL as asked for: 0 is the container's own, less than 0 at once. */
static int64_t choose_timeout(const struct monitor *m, int64_t ms)
{
	if (ms == 0)
		ms = m->want.stop_timeout;
	return ms == 0 ? STOP_MS : ms < 0 ? 0 : ms;
}

static void begin_stop(struct monitor *m, int number, int64_t timeout)
{
	int64_t at = time_mono() + timeout * MS;

	if (!m->pid || m->ended)
		return;
	if (!m->kill_at || at < m->kill_at)
		m->kill_at = at;
	kill(m->pid, number ? number : m->want.stop_signal ? m->want.stop_signal : SIGTERM);
}

/* A signal that ends a command that does not care for it. */
static bool is_end(int number)
{
	return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

static void pass_signal(struct monitor *m, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (has_terminal(m) && number == SIGWINCH) {
		copy_size(m);
	} else if (has_terminal(m) && number == SIGCONT) {
		make_raw(m);
	} else if (!m->pid) {
		m->stopping = m->stopping || is_end(number);
	} else if (number == SIGINT && info->ssi_code == SI_KERNEL && ++m->interrupts > 1) {
		kill_container(m);
	} else {
		kill(m->pid, number);
	}
}

/* Read what came. 1: the user wants no more of what is left to print. */
static int take_signals(struct monitor *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD || number == SIGPIPE)
			continue;
		if (!m->ended)
			pass_signal(m, &info);
		else if (is_end(number))
			return 1;
	}
	return m->ended || !m->pid ? 0 : reap(m);
}

/* --- control socket --- */

static int signal_all(const struct monitor *m, int number)
{
	auto_buf struct buf pids = { 0 };
	int r;

	if (!m->want.cgroup)
		return fail(EINVAL, "the container has no cgroup that knows all its processes");
	r = cgroup_pids(m->want.cgroup, &pids);
	for (size_t at = 0; r >= 0 && at < pids.len; at += sizeof(pid_t)) {
		pid_t pid;

		memcpy(&pid, pids.data + at, sizeof(pid));
		if (pid != getpid())
			kill(pid, number);
	}
	return r < 0 ? r : 0;
}

static int send_signal(const struct monitor *m, const struct ctl_request *q)
{
	if (!m->pid || m->ended)
		return fail(ESRCH, "the container does not run");
	if (q->all)
		return signal_all(m, q->signal);
	return kill(m->pid, q->signal) < 0 ? fail_errno("signal the container") : 0;
}

static int resize(const struct monitor *m, const struct ctl_request *q)
{
	if (!m->want.tty || m->relays[1].from < 0)
		return fail(ENOTTY, "the container has no terminal");
	return pty_set_size(m->relays[1].from, q->rows, q->cols);
}

static int answer(void *ctx, const struct ctl_request *q, struct buf *result)
{
	struct monitor *m = ctx;
	int64_t timeout;

	switch (q->method) {
	case CTL_PING:
	case CTL_WAIT:
	case CTL_SUBSCRIBE: return 0;
	case CTL_STATUS:
		buf_printf(result, "{\"pid\":%d,\"stopping\":%s,\"tty\":%s}",
			m->ended ? 0 : (int)m->pid, m->stopping ? "true" : "false",
			m->want.tty ? "true" : "false");
		return 0;
	case CTL_SIGNAL: return send_signal(m, q);
	case CTL_STOP:
		m->stopping = true;
		timeout = choose_timeout(m, q->timeout < 0 ? 0 : q->timeout ? q->timeout : -1);
		begin_stop(m, q->signal, timeout);
		buf_printf(result, "{\"timeout_ms\":%" PRId64 "}", timeout);
		return 0;
	case CTL_RESIZE: return resize(m, q);
	case CTL_ROTATE:
		if (!m->want.log)
			return fail(EINVAL, "the container has no log");
		crilog_rotate(m->want.log);
		return 0;
	}
	return 0;
}

/* --- the loop --- */

static int ms_until(int64_t at, int64_t now)
{
	int64_t ms = at <= now ? 0 : (at - now) / MS + 1;

	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* The sooner of two, each -1 for never. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void meet_deadlines(struct monitor *m, int64_t now)
{
	if (m->stop_at && now >= m->stop_at) {
		m->stop_at = 0;
		m->timed_out = true;
		begin_stop(m, 0, choose_timeout(m, 0));
	}
	if (m->kill_at && now >= m->kill_at) {
		m->kill_at = 0;
		kill_container(m);
	}
}

/* Wait for at most MS (-1: no limit) and do what there is to do. */
static int turn(struct monitor *m, int ms)
{
	struct pollfd p[POLL_COUNT];
	int64_t now = time_mono();
	int r = 0;

	p[POLL_SIGNALS] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
	for (int i = 0; i < 3; i++)
		relay_poll(&m->relays[i], &p[POLL_RELAYS + i]);
	if (m->stop_at)
		ms = sooner(ms, ms_until(m->stop_at, now));
	if (m->kill_at)
		ms = sooner(ms, ms_until(m->kill_at, now));
	if (m->want.ctl)
		ms = sooner(ms, ctl_poll(m->want.ctl, &p[POLL_CTL]));
	if (poll(p, m->want.ctl ? POLL_COUNT : POLL_CTL, ms) < 0)
		return errno == EINTR ? 0 : fail_errno("wait for the container");
	for (int i = 0; i < 3; i++)
		if (p[POLL_RELAYS + i].revents)
			relay_move(m, &m->relays[i]);
	if (p[POLL_SIGNALS].revents)
		r = take_signals(m);
	if (m->want.ctl)
		ctl_serve(m->want.ctl, &p[POLL_CTL], answer, m);
	if (r == 0 && !m->ended)
		meet_deadlines(m, time_mono());
	return r < 0 ? r : 0;
}

/* After the end nobody can write any more: what the pipes hold is all there is. */
static void drain(struct monitor *m)
{
	int64_t until = time_mono() + DRAIN_TIME;
	struct pollfd p[4];
	int ready = 1;

	while (ready > 0) {
		bool full = m->relays[1].len > 0 || m->relays[2].len > 0;

		p[0] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
		for (int i = 1; i < 3; i++)
			relay_poll(&m->relays[i], &p[i]);
		ready = poll(p, 3, full ? -1 : 0);
		if (ready < 0 && errno == EINTR)
			ready = 1;
		for (int i = 1; i < 3; i++)
			if (p[i].revents)
				relay_move(m, &m->relays[i]);
		if (p[0].revents && take_signals(m) > 0)
			return;
		if (!full && time_mono() >= until)
			return;
	}
}

int monitor_run(struct monitor *m, pid_t pid, int *status)
{
	int r;

	m->pid = pid;
	m->ended = false;
	m->interrupts = 0;
	m->stop_at = m->want.timeout ? time_mono() + m->want.timeout * MS : 0;
	if (has_terminal(m))
		make_raw(m);
	r = reap(m);
	while (r == 0 && !m->ended)
		r = turn(m, -1);
	if (r == 0)
		drain(m);
	pty_restore(&m->saved);
	m->kill_at = m->stop_at = 0;
	m->pid = 0;
	*status = m->status;
	return r;
}

int monitor_pause(struct monitor *m, int64_t ns)
{
	int64_t until = time_mono() + ns, now;
	sigset_t set;
	int r = 0;

	m->pid = 0;
	m->ended = m->stopping = false;
	choose_signals(&set, false);
	m->signals = sig_open(&set, NULL);
	if (m->signals < 0)
		return m->signals;
	while (r == 0 && !m->stopping && (now = time_mono()) < until)
		r = turn(m, ms_until(until, now));
	close_end(&m->signals);
	return r;
}

void monitor_describe(const struct monitor *m, int status, struct exit_record *e)
{
	exitrecord_set_status(e, status);
	e->oom = m->want.cgroup && cgroup_oom_kills(m->want.cgroup) > 0;
	if (m->timed_out)
		e->reason = REASON_TIMEOUT;
	else if (m->stopping)
		e->reason = REASON_STOPPED;
	else if (e->oom && e->signal == SIGKILL)
		e->reason = REASON_OOM;
}
