/* SPDX-License-Identifier: MIT */
/* detach - unit test: a whole life without a container in it
 *
 * The test, run again as qmon, is the monitor; what it launches are plain children; everything else is as
 * it is: hand-over, run.db, control socket, log, stop. */
#include "engine/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "engine/stop.h"
#include "kernel/fd.h"
#include "kernel/path.h"
#include "kernel/proc.h"
#include "unit.h"

/* --- the monitor --- */

static void run_program(const char *spec)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(60);
	dprintf(1, "hello\n");
	dprintf(2, "problem\n");
	if (strstr(spec, "exit"))
		_exit(7);
	for (;;)
		pause();
}

static int begin(void *state, const struct handover *h, struct monitor *m,
	int (*created)(void *ctx, const struct container_start *start), void *ctx, pid_t *pid,
	int *status)
{
	struct container_start start = { 0 };
	int other[3], p[2], r;
	char go;

	(void)state;
	if (strstr(h->spec, "missing")) {
		*status = 127;
		return fail(ENOENT, "run 'missing': No such file");
	}
	r = monitor_open(m, other);
	if (r < 0 || pipe2(p, O_CLOEXEC) < 0)
		return -EIO;
	*pid = fork();
	if (*pid == 0) {
		for (int i = 0; i < 3; i++)
			dup2(other[i], i);
		if (strstr(h->spec, "stubborn"))
			signal(SIGTERM, SIG_IGN);
		close(p[1]);
		fd_close_others(&p[0], 1);
		if (read(p[0], &go, 1) == 1)
			run_program(h->spec);
		_exit(9);
	}
	close(p[0]);
	for (int i = 0; i < 3; i++)
		close(other[i]);
	r = proc_identify(&start.init, *pid);
	if (r == 0)
		r = created(ctx, &start);
	if (r == 0 && strstr(h->spec, "lacking"))
		r = fail_hint(fail(ENOEXEC, "run 'lacking': no interpreter"), "add one");
	else if (r == 0 && write(p[1], "g", 1) != 1)
		r = fail_errno("go");
	close(p[1]);
	if (r < 0) {
		*status = 127;
		waitpid(*pid, NULL, 0);
		monitor_close(m);
	}
	return r;
}

static void end(void *state, struct monitor *m)
{
	(void)state;
	monitor_close(m);
}

static const struct detach_launcher launcher = { begin, end };

/* --- who starts it --- */

static struct store *store;
static char reason[256]; /* why the last start failed */
static char path[] = "/tmp/qbox-detach.XXXXXX";

static int start(const char *name, const char *spec, bool durable, struct supervise_policy policy,
	struct container **out)
{
	struct container_new n = {
		.name = name,
		.spec = spec,
		.spec_len = strlen(spec),
		.durable = durable,
		.restart = policy.restart,
		.restart_max = policy.max,
	};
	int status, r;

	*out = NULL;
	r = container_create(store, &n, out);
	if (r < 0)
		return r;
	fflush(stdout);
	r = detach_start(store, *out, &policy, spec, &status);
	if (r < 0) {
		CHECK(status == 127);
		snprintf(reason, sizeof(reason), "%s", fail_text());
		CHECK(container_remove(store, *out) == 0);
		return r;
	}
	container_unlock(*out);
	return container_reload(store, *out);
}

static int collect(void *ctx, const struct crilog_record *record)
{
	struct buf *text = ctx;

	buf_add(&text[record->stream], record->text, record->len);
	return 0;
}

/* What it printed, once the monitor wrote it: it ends before we look. */
static void check_log(const struct container *c, const char *out, const char *err)
{
	struct crilog_query q = { .tail = -1, .since = INT64_MIN, .until = -1 };
	struct buf text[3] = { { 0 } };
	int dir = container_home(store, c);

	CHECK(crilog_read(dir, &q, collect, text) == 0);
	CHECK_STR(buf_str(&text[1]), out);
	CHECK_STR(buf_str(&text[2]), err);
	buf_free(&text[1]);
	buf_free(&text[2]);
	close(dir);
}

static void wait_for_monitor(const struct proc_id *id)
{
	for (int i = 0; i < 2000 && proc_alive(id); i++)
		usleep(5000);
	CHECK(!proc_alive(id));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void test_end(void)
{
	struct supervise_policy no = { RESTART_NO, 0 }, twice = { RESTART_ON_FAILURE, 2 };
	struct container *c;
	struct exit_record e;
	struct proc_id monitor;

	unit_case("notes how it ended and what it printed");
	CHECK(start("ends", "{\"do\":\"exit\"}", true, no, &c) == 0);
	CHECK(container_wait(store, c, 20000, &e) == 1 && e.code == 7 && e.known && e.run == 1);
	CHECK(container_reload(store, c) == 0);
	wait_for_monitor(&c->row->monitor);
	container_free(c);
	CHECK(container_find(store, "ends", &c) == 0 && c->row->state == STATE_STOPPED);
	CHECK(c->row->has_last && c->row->last.code == 7);
	check_log(c, "hello", "problem");
	CHECK(container_remove(store, c) == 0);
	container_free(c);

	unit_case("removes what is not durable");
	CHECK(start("gone", "{\"do\":\"exit\"}", false, no, &c) == 0 || c);
	CHECK(container_find_exit(store, "gone", &e) >= 0);
	for (int i = 0; i < 1000 && container_reload(store, c) == 0; i++)
		usleep(5000);
	CHECK(container_find_exit(store, "gone", &e) == 1 && e.code == 7);
	container_free(c);
	CHECK(container_find(store, "gone", &c) == -ENOENT);

	unit_case("starts it again");
	CHECK(start("again", "{\"do\":\"exit\"}", true, twice, &c) == 0);
	monitor = c->row->monitor;
	for (int i = 0;
		i < 2000 && container_reload(store, c) == 0 && c->row->state != STATE_STOPPED; i++)
		usleep(5000);
	CHECK(c->row->state == STATE_STOPPED && c->row->restarts == 2 && c->row->run == 3);
	check_log(c, "hellohellohello", "problemproblemproblem");
	wait_for_monitor(&monitor);
	CHECK(container_remove(store, c) == 0);
	container_free(c);

	unit_case("leaves nothing when it cannot start");
	CHECK(start("never", "{\"do\":\"missing\"}", true, no, &c) == -ENOENT);
	CHECK_STR(reason, "run 'missing': No such file");
	container_free(c);
	CHECK(container_find(store, "never", &c) == -ENOENT);
	for (int durable = 0; durable < 2; durable++) {
		CHECK(start("late", "{\"do\":\"lacking\"}", durable, no, &c) == -ENOEXEC);
		CHECK_STR(reason, "run 'lacking': no interpreter");
		container_free(c);
		CHECK(container_find(store, "late", &c) == -ENOENT);
	}
}

static void test_stop(void)
{
	struct supervise_policy always = { RESTART_ALWAYS, 0 };
	struct stop_how how = { .timeout = -1 };
	struct container *c;
	struct proc_id monitor;
	struct exit_record e;

	unit_case("is stopped by its monitor and not started again");
	CHECK(start("a", "{\"do\":\"sleep\"}", true, always, &c) == 0);
	CHECK(c->row->state == STATE_RUNNING && container_is_supervised(store, c));
	monitor = c->row->monitor;
	CHECK(stop_container(store, c, &how) == 0);
	CHECK(c->row->state == STATE_STOPPED && c->row->last.reason == REASON_STOPPED &&
		c->row->last.signal == SIGTERM);
	container_unlock(c);
	wait_for_monitor(&monitor);
	CHECK(stop_container(store, c, &how) == 0);
	CHECK(container_remove(store, c) == 0);
	container_free(c);

	unit_case("is killed when it does not care");
	CHECK(start("b", "{\"do\":\"stubborn\"}", true, always, &c) == 0);
	how.timeout = 100;
	monitor = c->row->monitor;
	CHECK(stop_container(store, c, &how) == 0);
	CHECK(c->row->state == STATE_STOPPED && c->row->last.signal == SIGKILL);
	container_unlock(c);
	wait_for_monitor(&monitor);
	CHECK(container_remove(store, c) == 0);
	container_free(c);

	unit_case("is stopped without its monitor; nobody knows how it ended");
	CHECK(start("c", "{\"do\":\"sleep\"}", true, always, &c) == 0);
	monitor = c->row->monitor;
	CHECK(proc_signal(&monitor, SIGKILL) == 0);
	wait_for_monitor(&monitor);
	CHECK(container_reload(store, c) == 0 && !container_is_supervised(store, c));
	how.signal = SIGINT;
	CHECK(stop_container(store, c, &how) == 0);
	CHECK(c->row->state == STATE_STOPPED && !c->row->last.known);
	CHECK(container_find_exit(store, "c", &e) == 1 && e.reason == REASON_LOST);
	container_unlock(c);
	CHECK(container_remove(store, c) == 0);
	container_free(c);
}

int main(int argc, char **argv)
{
	int dir;

	if (strcmp(argv[0], "qmon") == 0)
		return argc == 2 && detach_serve(atoi(argv[1]), &launcher, NULL) == 0 ? 0 : 1;
	CHECK(mkdtemp(path));
	{
		char run[64];

		snprintf(run, sizeof(run), "%s/run", path);
		setenv("QBOX_RUN", run, 1);
		snprintf(run, sizeof(run), "%s/store", path);
		CHECK(store_open(&store, run, STORE_WRITE) == 0);
	}
	test_end();
	test_stop();
	store_close(store);
	dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(path_remove_tree(dir, path + 5) == 0);
	close(dir);
	return unit_end();
}
