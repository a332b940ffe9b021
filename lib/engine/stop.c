/* SPDX-License-Identifier: MIT */
/* stop - end a container politely, then by force */
#include "engine/stop.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/num.h"
#include "engine/ctl.h"
#include "kernel/cgroup.h"
#include "kernel/cgroupkill.h"
#include "kernel/fd.h"
#include "kernel/proc.h"
#include "kernel/sig.h"

#define STOP_MS  10000
#define GRACE_MS 5000 /* for a monitor to kill and to write down what it saw */
#define SPEC_MAX (1u << 20)

/* What its spec says, where its monitor cannot tell any more. */
static void read_spec(struct store *s, const struct container *c, struct stop_how *how)
{
	auto_close int home = container_home(s, c);
	auto_buf struct buf text = { 0 };
	auto_json struct json *j = NULL;
	const char *signal = NULL, *seconds = NULL;
	uint64_t n;
	int number;

	if (home >= 0 && fd_read_file(home, "spec.json", &text, SPEC_MAX) == 0 &&
		json_parse(text.data, text.len, &j) == 0) {
		json_get_string(json_get(j, "annotations"), "qbox.stop-signal", &signal);
		json_get_string(json_get(j, "annotations"), "qbox.stop-timeout", &seconds);
	}
	number = signal ? sig_parse(signal) : SIGTERM;
	if (how->signal == 0)
		how->signal = number > 0 ? number : SIGTERM;
	if (how->timeout < 0)
		how->timeout = seconds && num_parse(seconds, INT32_MAX / 1000, &n) == 0
			? (int64_t)n * 1000
			: STOP_MS;
	fail_clear();
}

/* What is frozen gets no signal. */
static void thaw(const struct container *c)
{
	auto_cgroup struct cgroup cg = { 0 };

	if (*c->row->cgroup && cgroup_open(&cg, c->row->cgroup) == 0 && cgroup_is_frozen(&cg))
		cgroup_thaw(&cg);
	fail_clear();
}

/* Its monitor does the rest within *TIMEOUT ms. */
static int ask_monitor(
	struct store *s, const struct container *c, const struct stop_how *how, int64_t *timeout)
{
	auto_close int dir = container_run_dir(s, c->row->id);
	auto_json struct json *result = NULL;
	char signal[32] = "", wait[48] = "", params[96];
	struct ctl ctl;
	int r;

	if (dir < 0)
		return dir;
	if (how->signal)
		snprintf(signal, sizeof(signal), "\"signal\":%d", how->signal);
	if (how->timeout >= 0)
		snprintf(wait, sizeof(wait), "%s\"timeout_ms\":%" PRId64, how->signal ? "," : "",
			how->timeout);
	snprintf(params, sizeof(params), "{%s%s}", signal, wait);
	r = ctl_connect(&ctl, dir);
	if (r == 0)
		r = ctl_call(&ctl, "stop", params, &result);
	ctl_disconnect(&ctl);
	return r < 0 ? r : json_get_int(result, "timeout_ms", timeout);
}

/* Without a monitor: the first process is told by us. Whether it has ended by then is looked at later. */
static void tell_process(struct store *s, const struct container *c, const struct stop_how *asked)
{
	auto_close int fd = proc_open(&c->row->init);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct stop_how how = *asked;

	read_spec(s, c, &how);
	if (proc_signal(&c->row->init, how.signal) < 0)
		return;
	thaw(c);
	while (how.timeout > 0 && proc_alive(&c->row->init)) {
		int step = fd >= 0 ? (int)(how.timeout < 3600000 ? how.timeout : 3600000) : 50;

		if (poll(&p, fd >= 0 ? 1 : 0, step) > 0)
			return;
		how.timeout -= step;
	}
}

/* Wait until the monitor has written how it ended, and note that: whether it does so before us or after
 * us makes no difference. */
static int wait_for_monitor(struct store *s, struct container *c, int64_t timeout)
{
	struct exit_record e;
	int r = container_wait(
		s, c, timeout > INT32_MAX - GRACE_MS ? -1 : (int)timeout + GRACE_MS, &e);

	return r > 0 ? container_ended(s, c, &e, false) : -ETIMEDOUT;
}

int stop_container(struct store *s, struct container *c, const struct stop_how *how)
{
	int64_t timeout = STOP_MS;
	int r = c->lock >= 0 ? container_reload(s, c) : container_lock(s, c, true);

	if (r < 0 || !state_is_live(c->row->state))
		return r;
	r = container_event(s, c, EVENT_STOP);
	if (r < 0)
		return r;
	r = ask_monitor(s, c, how, &timeout);
	if (r >= 0) {
		thaw(c);
		r = wait_for_monitor(s, c, timeout);
	} else {
		tell_process(s, c, how);
	}
	fail_clear();
	/* What is left is killed; what has ended unseen is noted. */
	r = r >= 0 ? container_reload(s, c) : container_kill(s, c);
	return r == -ENOENT ? 0 : r; /* --rm */
}
