/* SPDX-License-Identifier: MIT */
/* supervise - unit test: plain children stand for the runs of a container */
#include "engine/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/time.h"
#include "unit.h"

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* A story: how each run ends, and what was seen of it. */
struct story {
	const char *
		runs; /* a digit: exit status; k: killed; f: cannot start; w: the same, written down */
	size_t begun, ended, refused;
	int ready;   /* how often it was called */
	int first;   /* with what */
	int64_t run; /* of the last record */
	enum exit_reason reason;
	int code;
	bool again, unwilling, stop;
	int open; /* begins without end */
};

static int begin(void *ctx, struct monitor *m, pid_t *pid, bool *counts)
{
	struct story *s = ctx;
	char what = s->runs[s->begun++];
	int other[3];

	*counts = what != 'f';
	if (what == 'f' || what == 'w')
		return fail(ENOENT, "no such thing");
	CHECK(monitor_open(m, other) == 0);
	for (int i = 0; i < 3; i++)
		if (other[i] >= 0)
			close(other[i]);
	fflush(stdout);
	*pid = fork();
	if (*pid == 0) {
		if (what == 'k')
			raise(SIGKILL);
		_exit(what - '0');
	}
	s->open++;
	return 0;
}

static void end(void *ctx, struct monitor *m)
{
	struct story *s = ctx;

	s->open--;
	monitor_close(m);
}

static void ready(void *ctx, int r)
{
	struct story *s = ctx;

	s->ready++;
	s->first = r;
}

static bool ended(void *ctx, const struct exit_record *e, bool again)
{
	struct story *s = ctx;

	fail_clear();
	s->ended++;
	s->run = e->run;
	s->reason = e->reason;
	s->code = e->code;
	s->again = again;
	CHECK(strcmp(e->id, id) == 0 && strlen(e->boot) == 36 && e->ended > 0);
	if (s->stop)
		kill(getpid(), SIGTERM);
	return !s->unwilling;
}

static const struct supervise_hooks hooks = { begin, end, ready, ended };
static struct monitor monitor;
static int dir;

static int run(struct story *story, enum container_restart restart, unsigned max)
{
	struct supervise s = {
		.hooks = &hooks,
		.ctx = story,
		.monitor = &monitor,
		.policy = { restart, max },
		.id = id,
		.run = 3,
		.dir = dir,
		.home = -1,
	};
	int r;

	monitor = (struct monitor){ 0 };
	r = supervise_run(&s);
	CHECK(story->open == 0);
	return r;
}

static void test_policy(void)
{
	struct exit_record ok = { .known = true }, bad = { .known = true, .code = 1 },
			   stopped = { .known = true, .code = 143, .reason = REASON_STOPPED },
			   lost = { .reason = REASON_LOST };
	struct supervise_policy p = { RESTART_NO, 0 };

	unit_case("starts again as the policy says");
	CHECK(!supervise_again(&p, &ok, 0) && !supervise_again(&p, &bad, 0));
	p.restart = RESTART_ON_FAILURE;
	CHECK(!supervise_again(&p, &ok, 0) && supervise_again(&p, &bad, 1000));
	p.max = 2;
	CHECK(supervise_again(&p, &bad, 0) && supervise_again(&p, &bad, 1) &&
		!supervise_again(&p, &bad, 2));
	CHECK(!supervise_again(&p, &stopped, 0));
	for (int i = 0; i < 2; i++) {
		p.restart = i ? RESTART_ALWAYS : RESTART_UNLESS_STOPPED;
		CHECK(supervise_again(&p, &ok, 1000) && supervise_again(&p, &bad, 1000) &&
			supervise_again(&p, &lost, 0));
		CHECK(!supervise_again(&p, &stopped, 0));
	}

	unit_case("waits longer each time, up to a minute");
	{
		int64_t delay = 0, sum = 0;

		for (int i = 0; i < 20; i++) {
			delay = supervise_delay(delay, NS_PER_S);
			CHECK(i != 0 || delay == NS_PER_S / 10);
			CHECK(i != 3 || delay == NS_PER_S * 8 / 10);
			CHECK(delay <= 60 * NS_PER_S);
			sum += delay;
		}
		CHECK(delay == 60 * NS_PER_S && sum > 600 * NS_PER_S);
		CHECK(supervise_delay(delay, 10 * NS_PER_S) == NS_PER_S / 10);
		CHECK(supervise_delay(delay, 10 * NS_PER_S - 1) == delay);
	}
}

static void test_runs(void)
{
	struct exit_record e;
	struct story s = { .runs = "7" };

	unit_case("runs once, writes the exit record before it tells of it");
	CHECK(run(&s, RESTART_NO, 0) == 0);
	CHECK(s.begun == 1 && s.ended == 1 && s.ready == 1 && s.first == 0 && !s.again);
	CHECK(s.reason == REASON_EXITED && s.code == 7 && s.run == 3);
	CHECK(exitrecord_load(dir, id, &e) == 0 && e.code == 7 && e.run == 3 && e.pid > 0 &&
		e.start > 0 && e.started > 0 && e.ended >= e.started);

	unit_case("a first start that fails is no run");
	s = (struct story){ .runs = "f" };
	CHECK(run(&s, RESTART_ALWAYS, 0) == -ENOENT);
	CHECK(s.ready == 1 && s.first == -ENOENT && s.ended == 0);
	CHECK_STR(fail_text(), "no such thing");

	s = (struct story){ .runs = "w" };
	CHECK(run(&s, RESTART_ALWAYS, 0) == -ENOENT);
	CHECK(s.first == -ENOENT && s.ended == 1 && !s.again && s.reason == REASON_START_FAILED);
	CHECK_STR(fail_text(), "no such thing");

	unit_case("starts again after a failure, after a kill, after a start that fails");
	s = (struct story){ .runs = "1kf0" };
	CHECK(run(&s, RESTART_ON_FAILURE, 0) == 0);
	CHECK(s.begun == 4 && s.ended == 3 && s.ready == 1 && s.run == 5 && s.code == 0);

	s = (struct story){ .runs = "1w0" };
	CHECK(run(&s, RESTART_ON_FAILURE, 0) == 0);
	CHECK(s.begun == 3 && s.ended == 3 && s.run == 5);

	unit_case("as often as it may");
	s = (struct story){ .runs = "1111" };
	CHECK(run(&s, RESTART_ON_FAILURE, 1) == 0);
	CHECK(s.begun == 2 && s.code == 1 && !s.again);
	CHECK(exitrecord_load(dir, id, &e) == 0 && e.run == 4);

	s = (struct story){ .runs = "1ff" };
	CHECK(run(&s, RESTART_ON_FAILURE, 2) == 0);
	CHECK(s.begun == 3 && s.ended == 2 && s.run == 4 && s.reason == REASON_START_FAILED);
	CHECK(exitrecord_load(dir, id, &e) == 0 && strcmp(e.error, "no such thing") == 0);

	unit_case("not when who knows better says no");
	s = (struct story){ .runs = "1111", .unwilling = true };
	CHECK(run(&s, RESTART_ALWAYS, 0) == 0);
	CHECK(s.begun == 1 && s.again);

	unit_case("not when it is stopped while it waits");
	s = (struct story){ .runs = "1111", .stop = true };
	CHECK(run(&s, RESTART_ALWAYS, 0) == 0);
	CHECK(s.begun == 1 && s.ended == 2 && !s.again && s.run == 4 && s.code == 1);
	CHECK(s.reason == REASON_STOPPED);
}

int main(void)
{
	char path[] = "/tmp/qbox-supervise.XXXXXX";
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dup2(null, 0);
	dup2(null, 2);
	test_policy();
	test_runs();
	unlinkat(dir, "exit", 0);
	close(dir);
	CHECK(rmdir(path) == 0);
	return unit_end();
}
