/* SPDX-License-Identifier: MIT */
/* relaunch - make a detached container of its spec, as often as it is started */
#include "engine/relaunch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "engine/specjson.h"
#include "kernel/cgroup.h"
#include "kernel/proc.h"

static int parse(struct relaunch *r, const char *text)
{
	auto_json struct json *j = NULL;
	int n = json_parse(text, strlen(text), &j);

	if (n == 0)
		n = spec_parse(&r->spec, j, "/");
	r->parsed = n == 0;
	if (n < 0)
		spec_free(&r->spec);
	return n;
}

/* What a durable container writes lies with it: the spec says so without knowing where that is. */
static int set_upper(struct spec *s, int home)
{
	char link[40], path[PATH_MAX];
	ssize_t n;

	if (!s->root.upper || strcmp(s->root.upper, SPEC_UPPER_HOME) != 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", home);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return fail_errno("find the container's directory");
	path[n] = '\0';
	return spec_set(&s->root.upper, path);
}

static int prepared(void *ctx, const struct running *running)
{
	const struct relaunch *r = ctx;
	struct container_start start = { 0 };
	auto_buf struct buf cgroup = { 0 };
	int n = proc_identify(&start.init, running->pid);

	cgroup_format(&running->cgroup, &cgroup);
	if (n == 0)
		n = buf_check(&cgroup);
	start.cgroup = buf_str(&cgroup);
	return n < 0 ? n : r->created(r->ctx, &start);
}

static int launch(struct relaunch *r, const char *id, struct monitor *m, int *status)
{
	int n;

	launch_init(&r->launch, &r->spec);
	r->launch.id = id;
	n = monitor_open(m, r->launch.stdio);
	if (n < 0)
		return n;
	r->launch.signals = m->signals;
	r->launch.stays = true;
	r->launch.prepared = prepared;
	r->launch.ctx = r;
	n = launch_begin(&r->launch, &r->running, status);
	for (int i = 0; i < 3; i++)
		if (r->launch.stdio[i] >= 0)
			close(take_fd(&r->launch.stdio[i]));
	if (n < 0)
		monitor_close(m);
	return n;
}

static int begin(void *state, const struct handover *h, struct monitor *m,
	int (*created)(void *ctx, const struct container_start *start), void *ctx, pid_t *pid,
	int *status)
{
	struct relaunch *r = state;
	int n = r->parsed ? 0 : parse(r, h->spec);

	if (n == 0)
		n = set_upper(&r->spec, h->home);
	if (n < 0)
		return n;
	r->created = created;
	r->ctx = ctx;
	m->want.tty = r->spec.terminal;
	m->want.stop_signal = r->spec.stop_signal;
	m->want.stop_timeout = r->spec.stop_timeout ? r->spec.stop_timeout * INT64_C(1000) : -1;
	n = launch(r, h->id, m, status);
	if (n < 0)
		return n;
	*pid = r->running.pid;
	m->want.cgroup = &r->running.cgroup;
	/* If it fails the container has no terminal any more and ends of that. */
	if (r->spec.terminal && monitor_set_pty(m, take_fd(&r->running.terminal)) < 0)
		fail_clear();
	return 0;
}

static void end(void *state, struct monitor *m)
{
	struct relaunch *r = state;

	launch_end(&r->launch, &r->running);
	monitor_close(m);
}

const struct detach_launcher relaunch_launcher = { begin, end };

void relaunch_free(struct relaunch *r)
{
	if (r->parsed)
		spec_free(&r->spec);
	r->parsed = false;
}
