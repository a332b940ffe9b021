/* SPDX-License-Identifier: MIT */
/* launch - from a spec to a running container: the steps of the parent */
#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/filter.h"
#include "engine/start.h"
#include "kernel/cgroupkill.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/record.h"
#include "kernel/self.h"

#define STATUS_OURS   125
#define STATUS_SIGNAL 128

struct run {
	const struct launch *launch;
	struct running *out;
	int report[2];
	struct seccomp_program *filter;
	bool placed; /* the process was made in its cgroup */
	int talk[2]; /* sockets: our word to go on, the child's terminal */
	int status;
};

static void close_pair(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int open_ways(struct run *r)
{
	if (pipe2(r->report, O_CLOEXEC) < 0)
		return fail_errno("make a pipe");
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->talk) < 0
		? fail_errno("make a socket")
		: 0;
}

static void close_ways(struct run *r)
{
	close_pair(r->report, 2);
	close_pair(r->talk, 2);
}

/* --- filter and cgroup --- */

static int make_filter(struct run *r)
{
	const struct spec *spec = r->launch->spec;
	struct seccomp_filter f = { 0 };
	int n;

	if (spec->seccomp && strcmp(spec->seccomp, "unconfined") == 0)
		return 0;
	r->filter = malloc(sizeof(*r->filter));
	if (!r->filter)
		return fail(ENOMEM, "out of memory");
	n = spec->seccomp ? filter_parse(&f, spec->seccomp, strlen(spec->seccomp), spec->caps)
			  : filter_default(&f, spec->caps);
	if (n == 0)
		n = seccomp_compile(&f, r->filter);
	seccomp_filter_free(&f);
	return n;
}

/* A default that this host cannot enforce is left out; what was asked for is an error, or said. */
static void tell_unenforced(const struct spec *spec, const struct cgroup *cg)
{
	if (!spec->limited)
		return;
	for (unsigned i = 0; i < CGROUP_LIMITS; i++)
		if (cg->unenforced & 1u << i)
			log_note("this host cannot enforce the limit of %s",
				cgroup_limit_name((enum cgroup_limit)i));
}

static int make_cgroup(struct run *r)
{
	const struct spec *spec = r->launch->spec;
	auto_cgroup_host struct cgroup_host host = { 0 };
	char path[80] = "qbox/";
	bool strict = spec->limited && spec->cgroups == SPEC_CGROUPS_ENABLED;
	int n;

	if (spec->cgroups == SPEC_CGROUPS_DISABLED)
		return spec->limited ? fail(EINVAL, "limits need a cgroup") : 0;
	if (r->launch->id)
		snprintf(path, sizeof(path), "qbox/%s", r->launch->id);
	else
		file_random_name(path + 5);
	n = cgroup_host_load(&host, 0);
	if (n == 0)
		n = cgroup_create(&r->out->cgroup, &host, spec->cgroup ? spec->cgroup : path,
			&spec->limits, strict ? 0 : CGROUP_BEST_EFFORT);
	if (n == 0)
		tell_unenforced(spec, &r->out->cgroup);
	/* Where none may be made the container is where we are. */
	if (!strict && !spec->cgroup && (n == -EACCES || n == -EPERM || n == -EROFS)) {
		fail_clear();
		return 0;
	}
	return n;
}

static void remove_cgroup(struct run *r)
{
	(void)cgroup_destroy(&r->out->cgroup);
	cgroup_close(&r->out->cgroup);
}

/* On v1 the kernel waits here for 6 to 12 ms, in which the child mounts. */
static int enter_cgroup(struct run *r)
{
	return cgroup_add(&r->out->cgroup, r->out->pid, r->placed);
}

/* --- the process --- */

/* Which of the namespaces this kernel does not have: it refuses them all together. */
static int explain_clone(int namespaces, int err)
{
	static const int flags[] = { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWNET, CLONE_NEWCGROUP };
	static const char *const files[] = { "mnt", "pid", "uts", "ipc", "net", "cgroup" };

	if (err == -EPERM)
		return fail_hint(err, "it needs the right to make namespaces: run it as root");
	for (size_t i = 0; err == -EINVAL && i < ARRAY_LEN(flags); i++) {
		char path[32] = "/proc/self/ns/";

		strcat(path, files[i]);
		if (namespaces & flags[i] && access(path, F_OK) < 0)
			return fail_hint(err, "the kernel needs %s", ns_config_name(flags[i]));
	}
	return err;
}

/* A pid namespace holds for the children of who enters it. */
static int enter_pid_namespace(const struct spec *spec)
{
	for (size_t i = 0; i < spec->join_count; i++) {
		const struct spec_join *j = &spec->joins[i];
		auto_close int fd = -1;

		if (j->flag != CLONE_NEWPID)
			continue;
		fd = open(j->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWPID) < 0)
			return fail_errno("join '%s'", j->path);
	}
	return 0;
}

static NORETURN void run_child(struct run *r)
{
	const struct launch *l = r->launch;
	struct start s;

	start_init(&s, l->spec);
	s.report = r->report[1];
	s.gate = r->talk[1];
	s.console = l->console >= 0 ? l->console : r->talk[1];
	s.wait = l->wait;
	s.stays = l->stays;
	s.placed = r->placed;
	s.filter = r->filter;
	for (int i = 0; i < 3; i++)
		s.stdio[i] = l->stdio[i];
	start_run(&s);
}

static int start_process(struct run *r)
{
	const struct launch *l = r->launch;
	int keep[] = { r->report[1], r->talk[1], l->console, l->wait, l->stdio[0], l->stdio[1],
		l->stdio[2] };
	/* The namespace of cgroups is made when the process is in its own. */
	int namespaces = l->spec->namespaces & ~CLONE_NEWCGROUP;
	int n = enter_pid_namespace(l->spec);

	if (n < 0)
		return n;
	if (cgroup_fd(&r->out->cgroup) >= 0)
		r->out->pid = proc_fork_into(
			cgroup_fd(&r->out->cgroup), namespaces, keep, ARRAY_LEN(keep), &r->placed);
	else
		r->out->pid = proc_fork(namespaces, keep, ARRAY_LEN(keep), NULL);
	if (r->out->pid < 0)
		return explain_clone(namespaces, fail_wrap((int)r->out->pid, "make the container"));
	if (r->out->pid == 0)
		run_child(r);
	close_pair(&r->report[1], 1);
	close_pair(&r->talk[1], 1);
	return 0;
}

/* With its first process all others of the container die, and its mounts go with the last of
 * them. */
static void kill_process(struct run *r)
{
	int status;

	if (r->out->pid > 0) {
		kill(r->out->pid, SIGKILL);
		proc_wait(r->out->pid, &status);
	}
	r->out->pid = 0;
}

static void unpin_image(struct run *r)
{
	if (r->out->lease)
		store_unlease(r->launch->store, r->out->lease);
	r->out->lease = 0;
}

/* While the child mounts: keep the image from gc, and see that gc has not been faster. */
static int pin_image(struct run *r)
{
	const struct launch *l = r->launch;
	char digest[DIGEST_TEXT];
	int n;

	if (!l->image)
		return 0;
	digest_format(digest, &l->image->manifest);
	n = store_lease(l->store, "image", digest, &r->out->lease);
	if (n < 0)
		return n;
	n = image_check(l->store, l->image);
	if (n < 0)
		unpin_image(r);
	return n;
}

/* Write down who it is, then let it go on. */
static int open_gate(struct run *r)
{
	int n = r->launch->prepared ? r->launch->prepared(r->launch->ctx, r->out) : 0;

	if (n < 0)
		return n;
	/* If it has failed meanwhile its report says why. */
	(void)send(r->talk[0], "g", 1, MSG_NOSIGNAL);
	return 0;
}

/* Wait for the report, or for a signal that ends us: a mount may hang for as long as a server is
 * away. */
static int wait_for_report(struct run *r)
{
	struct pollfd p[2] = {
		{ .fd = r->report[0], .events = POLLIN },
		{ .fd = r->launch->signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail_errno("wait for the container");
		if (p[0].revents)
			return 0;
		if (!p[1].revents || read(r->launch->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		switch (info.ssi_signo) {
		case SIGHUP:
		case SIGINT:
		case SIGQUIT:
		case SIGTERM:
			r->status = STATUS_SIGNAL + (int)info.ssi_signo;
			return fail(EINTR, "ended by a signal before the container ran");
		}
	}
}

static int confirm_start(struct run *r)
{
	struct start_error e;
	int n = wait_for_report(r);

	if (n == 0)
		n = record_recv(r->report[0], &e, STEP_COUNT, HINT_COUNT);
	if (n <= 0)
		return n;
	r->status = (int)e.status;
	return start_describe(&e);
}

/* The child sent it before it began its report's end. */
static int receive_terminal(struct run *r)
{
	size_t count = 1;
	char word;

	if (!r->launch->spec->terminal || r->launch->console >= 0)
		return 0;
	if (fd_recv(r->talk[0], &word, 1, &r->out->terminal, &count) != 1 || count != 1)
		return fail(EPROTO, "no terminal came from the container");
	return fcntl(r->out->terminal, F_SETFL, O_RDWR | O_NONBLOCK) < 0
		? fail_errno("use the terminal")
		: 0;
}

static void close_terminal(struct run *r)
{
	close_pair(&r->out->terminal, 1);
}

/* In order; if one fails, what came before is undone in reverse. */
static const struct {
	int (*run)(struct run *r);
	void (*undo)(struct run *r);
} steps[] = {
	{ open_ways, NULL },
	{ make_filter, NULL },
	{ make_cgroup, remove_cgroup },
	{ start_process, kill_process },
	{ pin_image, unpin_image },
	{ enter_cgroup, NULL },
	{ open_gate, NULL },
	{ confirm_start, NULL },
	{ receive_terminal, close_terminal },
};

int launch_protect(const char *name, char *const *args)
{
	return self_protect(name, args);
}

void launch_init(struct launch *l, const struct spec *spec)
{
	*l = (struct launch){
		.spec = spec,
		.stdio = { -1, -1, -1 },
		.signals = -1,
		.console = -1,
		.wait = -1,
	};
}

int launch_begin(const struct launch *l, struct running *out, int *status)
{
	struct run r = {
		.launch = l,
		.out = out,
		.report = { -1, -1 },
		.talk = { -1, -1 },
		.status = STATUS_OURS,
	};
	size_t done = 0;
	int n = 0;

	*out = (struct running){ .terminal = -1 };
	while (done < ARRAY_LEN(steps) && n == 0) {
		n = steps[done].run(&r);
		if (n == 0)
			done++;
	}
	while (n < 0 && done > 0)
		if (steps[--done].undo)
			steps[done].undo(&r);
	close_ways(&r);
	free(r.filter);
	*status = r.status;
	return n;
}

void launch_end(const struct launch *l, struct running *r)
{
	close_pair(&r->terminal, 1);
	/* With the first process all others ended, but for those of a container that shares its pid namespace. */
	(void)cgroup_kill(&r->cgroup);
	if (cgroup_destroy(&r->cgroup) < 0)
		log_note("%s", fail_text());
	cgroup_close(&r->cgroup);
	if (r->lease)
		store_unlease(l->store, r->lease);
	r->lease = 0;
}

int launch_status(int status)
{
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
