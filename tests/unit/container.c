/* SPDX-License-Identifier: MIT */
/* container - unit tests: creation, states, ends, removal, loss of run.db, commands that die half-way */
#include "engine/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "unit.h"

static char top[] = "/tmp/unit-container.XXXXXX";
static int dir;
static struct store *s;

static void open_store(void)
{
	store_close(s);
	s = NULL;
	CHECK(store_open(&s, NULL, STORE_WRITE) == 0);
}

static void fresh(void)
{
	store_close(s);
	s = NULL;
	CHECK(path_remove_tree(dir, "s") == 0 && path_remove_tree(dir, "run") == 0);
	open_store();
}

/* As after a boot: what lay in memory is gone, the store is not. */
static void reboot(void)
{
	store_close(s);
	s = NULL;
	CHECK(path_remove_tree(dir, "run") == 0);
	open_store();
}

static bool exists(const char *fmt, const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), fmt, id);
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int entries(const char *name)
{
	DIR *d = fdopendir(openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = -2;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static pid_t sleeper(struct proc_id *id)
{
	pid_t pid = fork();

	/* As the process of a container it has none of our descriptors: a lock would live on in it. */
	if (pid == 0)
		fd_close_others(NULL, 0);
	while (pid == 0)
		pause();
	CHECK(proc_identify(id, pid) == 0);
	return pid;
}

static void reap(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct container *create(const char *name, bool durable)
{
	static char *labels[] = { "b=2", "a=1", "b=3", "flag", NULL };
	static char *layers[] = { "aaaa", "bbbb", NULL };
	struct container_new n = {
		.name = name,
		.image_ref = "docker.io/library/web:1",
		.image_digest = "sha256:00",
		.command = "sleep 1",
		.labels = labels,
		.layers = layers,
		.spec = "{\"x\":1}",
		.spec_len = 7,
		.durable = durable,
	};
	struct container *c = NULL;
	int r = container_create(s, &n, &c);

	if (r < 0)
		printf("# create: %s\n", fail_text());
	CHECK(r == 0 && c);
	return c;
}

static pid_t start(struct container *c)
{
	struct container_start st = { 0 };
	pid_t pid = sleeper(&st.init);

	CHECK(container_started(s, c, &st) == 0);
	container_unlock(c);
	return pid;
}

static struct container *find(const char *name)
{
	struct container *c = NULL;
	int r = container_find(s, name, &c);

	if (r < 0)
		printf("# find: %s\n", fail_text());
	CHECK(r == 0 && c);
	return c;
}

static enum container_state state_of(const char *name)
{
	auto_container struct container *c = NULL;

	return container_find(s, name, &c) == 0 ? c->row->state : STATE_COUNT;
}

static size_t listed(void)
{
	auto_container_list struct container_list l = { 0 };

	CHECK(container_list(s, &l) == 0);
	return l.count;
}

static void check_life(bool durable)
{
	struct exit_record e = { .known = true, .code = 7, .reason = REASON_EXITED };
	struct container *c, *other;
	char id[65];
	pid_t pid;

	unit_case(
		durable ? "life of a durable container" : "life of one that is removed at its end");
	fresh();
	c = create("web", durable);
	strcpy(id, c->row->id);
	CHECK(c->lock >= 0 && c->row->state == STATE_CREATING && c->row->run == 1);
	CHECK(exists(durable ? "s/containers/%s/spec.json" : "run/c/%s/spec.json", id));
	CHECK(exists("s/containers/%s/upper", id) == durable);
	CHECK(state_of("web") == STATE_CREATING);
	pid = start(c);
	CHECK(exists("run/c/%s/state.json", id));
	other = find(id);
	CHECK_STR(other->row->name, "web");
	CHECK(other->row->state == STATE_RUNNING && other->row->init.pid == pid);
	CHECK(other->row->labels && other->row->labels[2] && !other->row->labels[3]);
	CHECK_STR(other->row->labels[0], "a=1");
	CHECK_STR(other->row->labels[1], "b=3");
	CHECK_STR(other->row->labels[2], "flag=");
	container_free(other);
	CHECK(container_remove(s, c) == -EINVAL && strstr(fail_text(), "it is running"));
	container_unlock(c);
	reap(pid);
	e.ended = time_now();
	CHECK(container_ended(s, c, &e, false) == 0);
	CHECK(container_ended(s, c, &e, false) == 0); /* twice */
	CHECK(exists("run/c/%s/exit", id) == durable);
	CHECK(exists("s/containers/%s/exit", id) == durable);
	CHECK(state_of("web") == (durable ? STATE_STOPPED : STATE_COUNT));
	memset(&e, 0, sizeof(e));
	CHECK(container_find_exit(s, "web", &e) == 1 && e.code == 7 && e.run == 1 && e.known);
	CHECK(container_find_exit(s, id, &e) == 1 && container_find_exit(s, "none", &e) == 0);
	if (durable) {
		CHECK(container_remove(s, c) == 0 && state_of("web") == STATE_COUNT);
		CHECK(container_remove(s, c) == 0);
	}
	container_free(c);
	CHECK(listed() == 0 && entries("run/c") == 0 && entries("s/containers") == 0);
	CHECK(entries("s/tmp") == 0);
}

static void check_names(void)
{
	static const char *const bad[] = { "", "-a", ".a", "a/b", "a b", "a\nb", "\xc3\xa4",
		"a123456789a123456789a123456789a123456789a123456789a123456789a123" };
	struct container_new n = { 0 };
	struct container *c, *other = NULL;
	char prefix[65];

	unit_case("names that cannot be");
	fresh();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		n.name = bad[i];
		CHECK(container_create(s, &n, &other) == -EINVAL && !other);
	}
	CHECK(entries("run/c") == 0);

	unit_case("a label without a key");
	n = (struct container_new){ .labels = (char *[]){ "=x", NULL } };
	CHECK(container_create(s, &n, &other) == -EINVAL && strstr(fail_text(), "label"));

	unit_case("a name made from the image");
	c = create(NULL, false);
	CHECK(strlen(c->row->name) == 8 && strncmp(c->row->name, "web-", 4) == 0);
	container_remove(s, c);
	container_free(c);

	unit_case("a name that is taken");
	c = create("web", false);
	n = (struct container_new){ .name = "web" };
	CHECK(container_create(s, &n, &other) == -EEXIST && !other);
	CHECK(strstr(fail_text(), c->row->id) == NULL && strstr(fail_text(), "'web'"));
	CHECK(strstr(fail_hint_text(), "--replace"));
	snprintf(prefix, sizeof(prefix), "%.12s", c->row->id);
	CHECK(strstr(fail_text(), prefix));
	CHECK(entries("run/c") == 1);

	unit_case("found by prefix, not by one digit; a near miss");
	prefix[2] = '\0';
	CHECK(container_find(s, prefix, &other) == 0);
	container_free(other);
	prefix[1] = '\0';
	CHECK(container_find(s, prefix, &other) == -ENOENT && !other);
	CHECK(container_find(s, "", &other) == -ENOENT);
	CHECK(container_find(s, "*", &other) == -ENOENT);
	CHECK(container_find(s, "wbe", &other) == -ENOENT && strstr(fail_hint_text(), "'web'"));
	container_remove(s, c);
	container_free(c);
}

/* After a boot and after run.db was lost the rows come from the files. */
static void check_loss(void)
{
	struct exit_record e = { .known = true, .code = 3, .reason = REASON_EXITED };
	struct container *c;
	pid_t pid;

	unit_case("a boot: who ran has ended, nobody knows how");
	fresh();
	c = create("web", true);
	pid = start(c);
	container_free(c);
	reboot();
	c = find("web");
	CHECK(c->row->state == STATE_STOPPED && c->row->has_last);
	CHECK(!c->row->last.known && c->row->last.reason == REASON_LOST && c->row->last.ended);
	CHECK_STR(c->row->labels[0], "a=1");
	CHECK_STR(c->row->image_ref, "docker.io/library/web:1");

	unit_case("started again after a boot: its second run");
	CHECK(container_lock(s, c, true) == 0 && container_event(s, c, EVENT_START) == 0);
	CHECK(c->row->run == 2);
	reap(pid);
	pid = start(c);
	e.ended = time_now();
	CHECK(container_ended(s, c, &e, false) == 0);
	container_free(c);
	reap(pid);
	reboot();
	c = find("web");
	CHECK(c->row->run == 2 && c->row->last.known && c->row->last.code == 3);

	unit_case("started, then power was cut: the exit before is not taken for it");
	CHECK(container_lock(s, c, true) == 0 && container_event(s, c, EVENT_START) == 0);
	container_free(c);
	reboot();
	c = find("web");
	CHECK(c->row->run == 3 && !c->row->last.known && c->row->last.run == 3);
	CHECK(container_remove(s, c) == 0);
	container_free(c);
	reboot();
	CHECK(listed() == 0);

	unit_case("run.db removed under us: what runs goes on running");
	c = create("web", true);
	pid = start(c);
	container_free(c);
	c = create("tmp", false);
	pid_t second = start(c);
	container_free(c);
	store_close(s);
	s = NULL;
	for (const char *const *f =
			(const char *const[]){ "run.db", "run.db-wal", "run.db-shm", NULL };
		*f; f++) {
		char path[64];

		snprintf(path, sizeof(path), "run/%s", *f);
		unlinkat(dir, path, 0);
	}
	open_store();
	c = find("web");
	CHECK(c->row->state == STATE_RUNNING && c->row->init.pid == pid && c->row->durable);
	container_free(c);
	c = find("tmp");
	CHECK(c->row->state == STATE_RUNNING && c->row->init.pid == second && !c->row->durable);
	container_free(c);
	CHECK(listed() == 2);

	unit_case("run.db damaged under us");
	int fd = openat(dir, "run/run.db", O_RDWR | O_CLOEXEC);
	static char noise[4096];

	memset(noise, 0xa5, sizeof(noise));
	for (int page = 1; page < 60; page++)
		CHECK(pwrite(fd, noise, sizeof(noise), page * 4096) == sizeof(noise));
	close(fd);
	unlinkat(dir, "run/run.db-wal", 0);
	unlinkat(dir, "run/run.db-shm", 0);
	open_store();
	CHECK(listed() == 2 && state_of("tmp") == STATE_RUNNING);
	reap(pid);
	reap(second);
	CHECK(listed() == 1 && state_of("web") == STATE_STOPPED);
}

/* A process that makes the container NAME, comes as far as STEP and is gone. */
enum step { CREATE, START_AGAIN, STOP, REMOVE, RUN };
static void die_at(enum step step, const char *name, bool durable)
{
	static const enum container_event events[] = {
		[START_AGAIN] = EVENT_START,
		[STOP] = EVENT_STOP,
	};
	pid_t pid = fork();
	struct container *c = NULL;

	if (pid == 0) {
		s = NULL; /* a handle never crosses a fork */
		open_store();
		if (step == CREATE || step == RUN) {
			c = create(name, durable);
			if (step == RUN)
				start(c);
		} else if (container_find(s, name, &c) == 0 && container_lock(s, c, true) == 0) {
			if (step == REMOVE) {
				c->row->state = STATE_REMOVING;
				proc_identify(&c->row->owner, 0);
				CHECK(instance_update(s, c->row) == 0);
			} else {
				CHECK(container_event(s, c, events[step]) == 0);
			}
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void check_repair(void)
{
	struct container *c, *other = NULL;
	struct container_new n = { .name = "web" };
	pid_t pid;

	unit_case("killed while creating: nothing is left");
	fresh();
	die_at(CREATE, "web", true);
	die_at(CREATE, "tmp", false);
	CHECK(entries("run/c") == 2 && entries("s/containers") == 1);
	CHECK(listed() == 0 && entries("run/c") == 0 && entries("s/containers") == 0);

	unit_case("and the name is free for the next");
	die_at(CREATE, "web", true);
	CHECK(container_create(s, &n, &other) == 0 && other);
	container_remove(s, other);
	container_free(other);

	unit_case("killed while starting again: stopped, its last exit is what it was");
	c = create("web", true);
	pid = start(c);
	reap(pid);
	CHECK(state_of("web") == STATE_STOPPED);
	die_at(START_AGAIN, "web", true);
	CHECK(state_of("web") == STATE_STOPPED);

	unit_case("killed while stopping: runs on");
	CHECK(container_lock(s, c, true) == 0 && container_event(s, c, EVENT_START) == 0);
	pid = start(c);
	die_at(STOP, "web", true);
	CHECK(state_of("web") == STATE_RUNNING);

	unit_case("killed while stopping, and it ended: stopped");
	die_at(STOP, "web", true);
	reap(pid);
	CHECK(state_of("web") == STATE_STOPPED);

	unit_case("killed while removing: removed by whoever looks");
	die_at(REMOVE, "web", true);
	CHECK(listed() == 0 && entries("run/c") == 0 && entries("s/containers") == 0);
	container_free(c);

	unit_case("while a command lives nobody else repairs");
	c = create("web", false);
	CHECK(listed() == 1 && state_of("web") == STATE_CREATING);
	CHECK(container_find(s, "web", &other) == 0);
	CHECK(container_lock(s, other, false) == -EAGAIN && strstr(fail_text(), "creating"));
	container_free(other);
	CHECK(container_remove(s, c) == 0);
	container_free(c);

	unit_case("a directory without a row is swept, one that is locked is not");
	CHECK(mkdirat(dir, "run/c/0000000000000000000000000000000000000000000000000000000000000001",
		      0700) == 0);
	CHECK(listed() == 0 && entries("run/c") == 0);
}

/* The monitor holds alive: what it will write down is not guessed. */
static void check_monitor(void)
{
	struct exit_record e = { .known = true, .code = 5, .reason = REASON_EXITED, .run = 1 };
	struct container *c = NULL;
	struct container_start again = { 0 };
	int alive, run;
	char id[65];
	pid_t pid;

	unit_case("the process ended and the monitor has not told yet: still running");
	fresh();
	c = create("web", false);
	strcpy(id, c->row->id);
	run = container_run_dir(s, id);
	alive = file_lock(run, "alive", FILE_LOCK_EXCLUSIVE, false);
	CHECK(alive >= 0);
	pid = start(c);
	CHECK(container_is_supervised(s, c));
	reap(pid);
	CHECK(state_of("web") == STATE_RUNNING);

	unit_case("as soon as its record is there, that is the answer");
	strcpy(e.id, id);
	e.ended = time_now();
	CHECK(exitrecord_save(run, &e) == 0);
	CHECK(state_of("web") == STATE_COUNT);
	memset(&e, 0, sizeof(e));
	CHECK(container_find_exit(s, id, &e) == 1 && e.code == 5);
	close(alive);
	close(run);
	CHECK(container_ended(s, c, &e, false) == 0); /* what the monitor does next */
	container_free(c);

	unit_case("an exit of an earlier run or another container is not taken for it");
	c = create("web", true);
	run = container_run_dir(s, c->row->id);
	pid = start(c);
	snprintf(e.id, sizeof(e.id), "%s", c->row->id);
	e = (struct exit_record){ .known = true, .code = 6, .run = 9, .ended = 1 };
	memcpy(e.id, c->row->id, sizeof(e.id));
	CHECK(exitrecord_save(run, &e) == 0);
	reap(pid);
	CHECK(container_reload(s, c) == 0 && c->row->state == STATE_STOPPED);
	CHECK(c->row->has_last && !c->row->last.known && c->row->last.run == 1);

	unit_case("restarts: the number of the run goes up, the end of an old run says nothing");
	CHECK(container_lock(s, c, true) == 0 && container_event(s, c, EVENT_START) == 0);
	pid = start(c);
	e = (struct exit_record){ .known = true, .code = 1, .ended = time_now() };
	CHECK(container_ended(s, c, &e, true) == 1);
	CHECK(c->row->state == STATE_RESTARTING && c->row->run == 3 && c->row->restarts == 1);
	e.run = 2;
	CHECK(container_ended(s, c, &e, true) == 1 && c->row->run == 3);
	CHECK(proc_identify(&again.init, pid) == 0 && container_started(s, c, &again) == 0);
	CHECK(container_ended(s, c, &e, false) == 0 && c->row->state == STATE_RUNNING);

	unit_case("what a command stops is not restarted");
	CHECK(container_event(s, c, EVENT_STOP) == 0);
	e.run = 0;
	e.code = 2;
	CHECK(container_ended(s, c, &e, true) == 0 && c->row->state == STATE_STOPPED);
	CHECK(container_reload(s, c) == 0 && c->row->last.code == 2 && c->row->last.run == 3);
	reap(pid);
	close(run);
	container_free(c);

	unit_case("a refused step names state and event");
	c = find("web");
	CHECK(container_event(s, c, EVENT_PAUSE) == -EINVAL);
	CHECK_STR(fail_text(), "cannot pause container 'web': it is stopped");
	CHECK(container_remove(s, c) == 0);
	container_free(c);
}

/* Start C with a process that holds alive. */
static pid_t start_monitored(struct container *c)
{
	struct container_start st = { 0 };
	int run = container_run_dir(s, c->row->id), ready[2];
	char byte;
	pid_t pid;

	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		fd_close_others((int[]){ run, ready[1] }, 2);
		if (file_lock(run, "alive", FILE_LOCK_EXCLUSIVE, false) < 0 ||
			write(ready[1], "", 1) != 1)
			_exit(1);
	}
	while (pid == 0)
		pause();
	CHECK(read(ready[0], &byte, 1) == 1 && proc_identify(&st.monitor, pid) == 0);
	close(ready[0]);
	close(ready[1]);
	close(run);
	st.init = st.monitor;
	CHECK(container_started(s, c, &st) == 0);
	container_unlock(c);
	return pid;
}

static void check_kill(void)
{
	struct exit_record e;
	struct container *c, *other = NULL;
	char name[] = "web";
	struct container_new n = { .name = name, .replace = true };
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	unit_case("kill, wait, remove");
	fresh();
	c = create("web", true);
	pid = start(c);
	CHECK(container_wait(s, c, 30, &e) == -ETIMEDOUT);
	CHECK(container_kill(s, c) == 0 && c->row->state == STATE_STOPPED && kill(pid, 0) < 0);
	CHECK(container_kill(s, c) == 0);
	CHECK(container_wait(s, c, 0, &e) == 1 && !e.known);
	CHECK(container_remove(s, c) == 0);
	container_free(c);

	unit_case("one that is removed at its end");
	c = create("web", false);
	start(c);
	CHECK(container_kill(s, c) == -ENOENT && listed() == 0);
	CHECK(container_wait(s, c, 0, &e) == 1 && e.reason == REASON_LOST);
	container_free(c);

	unit_case("--replace ends and removes who has the name");
	c = create("web", true);
	pid = start(c);
	CHECK(container_create(s, &n, &other) == 0 && other && listed() == 1);
	CHECK(kill(pid, 0) < 0 && strcmp(other->row->id, c->row->id) != 0);
	container_free(c);
	container_remove(s, other);
	container_free(other);

	unit_case("one that waits to be started again: its monitor goes");
	c = create("web", true);
	pid = start_monitored(c);
	e = (struct exit_record){ .known = true, .code = 1, .ended = time_now() };
	CHECK(container_ended(s, c, &e, true) == 1 && c->row->state == STATE_RESTARTING);
	CHECK(state_of("web") == STATE_RESTARTING);
	CHECK(container_kill(s, c) == 0 && c->row->state == STATE_STOPPED && kill(pid, 0) < 0);
	CHECK(container_remove(s, c) == 0);
	container_free(c);
	signal(SIGCHLD, SIG_DFL);

	unit_case("a stranger with the number of a dead process lives on");
	c = create("web", true);
	pid = start(c);
	CHECK(container_reload(s, c) == 0);
	c->row->init.start++;
	CHECK(instance_update(s, c->row) == 0);
	CHECK(container_kill(s, c) == 0 && c->row->state == STATE_STOPPED && kill(pid, 0) == 0);
	reap(pid);
	CHECK(container_remove(s, c) == 0);
	container_free(c);
}

static void check_mounts(void)
{
	char canary[160], where[160];
	struct container *c;

	if (geteuid() != 0) {
		unit_skip("what is mounted in it survives", "needs root");
		return;
	}
	unit_case("what is mounted in it survives");
	fresh();
	c = create("web", true);
	reap(start(c));
	CHECK(state_of("web") == STATE_STOPPED);
	snprintf(canary, sizeof(canary), "%s/canary", top);
	snprintf(where, sizeof(where), "%s/s/containers/%s/upper/in", top, c->row->id);
	CHECK(mkdir(canary, 0700) == 0 && mkdir(where, 0700) == 0);
	close(openat(dir, "canary/file", O_CREAT | O_CLOEXEC, 0600));
	CHECK(mount(canary, where, NULL, MS_BIND, NULL) == 0);
	CHECK(container_remove(s, c) == -EBUSY && strstr(fail_text(), "still mounted"));
	CHECK(state_of("web") == STATE_STOPPED && exists("canary/file%s", ""));
	CHECK(exists("s/containers/%s/container.json", c->row->id));
	CHECK(umount2(where, MNT_DETACH) == 0);
	CHECK(container_remove(s, c) == 0 && exists("canary/file%s", "") && listed() == 0);
	container_free(c);
}

/* Of many that want a name one has it. */
static void check_race(void)
{
	enum { COUNT = 50 };
	struct container_new n = { .name = "web" };
	int status, won = 0, taken = 0, go[2];
	struct container *c;
	char byte;

	unit_case("50 creations of one name at once: one wins");
	fresh();
	CHECK(pipe2(go, O_CLOEXEC) == 0);
	for (int i = 0; i < COUNT; i++)
		if (fork() == 0) {
			int r;

			s = NULL;
			close(go[1]);
			if (read(go[0], &byte, 1) != 0 || store_open(&s, NULL, STORE_WRITE) < 0)
				_exit(9);
			r = container_create(s, &n, &c);
			if (r == 0)
				r = container_event(s, c, EVENT_CREATED);
			_exit(r == 0 ? 0 : r == -EEXIST ? 1 : 2);
		}
	close(go[1]);
	close(go[0]);
	for (int i = 0; i < COUNT; i++) {
		wait(&status);
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		taken += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	CHECK(won == 1 && taken == COUNT - 1);
	CHECK(listed() == 1 && state_of("web") == STATE_CREATED && entries("run/c") == 1);
}

/* For the applet tests: run COMMAND as the first process of the container NAME and be its monitor. */
static int monitor(char **args)
{
	struct container_start st = { 0 };
	struct exit_record e = { 0 };
	struct container *c = NULL;
	struct container_new n = {
		.name = args[0],
		.durable = strcmp(args[1], "durable") == 0,
		.command = args[2],
		.image_ref = "docker.io/library/web:1",
		.image_digest = "sha256:0123",
		.layers = (char *[]){ getenv("LAYER"), NULL },
		.labels = (char *[]){ "tier=front", "empty", NULL },
		.spec = "{\"process\":{}}",
		.spec_len = strlen(n.spec),
	};
	int status, alive, run, r, go[2];
	pid_t pid;
	char byte;

	if (store_open(&s, NULL, STORE_WRITE) < 0 || container_create(s, &n, &c) < 0 ||
		pipe2(go, O_CLOEXEC) < 0)
		goto failed;
	run = container_run_dir(s, c->row->id);
	alive = file_lock(run, "alive", FILE_LOCK_EXCLUSIVE, false);
	pid = alive < 0 ? -1 : fork();
	if (pid == 0) {
		fd_close_others(&go[0], 1);
		if (read(go[0], &byte, 1) == 1)
			execvp(args[2], args + 2);
		_exit(127);
	}
	if (pid < 0 || proc_identify(&st.init, pid) < 0 || proc_identify(&st.monitor, 0) < 0 ||
		container_started(s, c, &st) < 0 || write(go[1], "", 1) != 1)
		goto failed;
	container_unlock(c);
	printf("%s\n", c->row->id);
	fflush(stdout);
	proc_wait(pid, &status);
	exitrecord_set_status(&e, status);
	e.ended = time_now();
	r = container_ended(s, c, &e, false);
	if (r >= 0)
		return 0;
failed:
	printf("# %s\n", fail_text());
	return 1;
}

int main(int argc, char **argv)
{
	char path[64];

	if (argc > 3)
		return monitor(argv + 1);
	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), "unit", false);
	if (!mkdtemp(top))
		return 1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/s", top);
	setenv("QBOX_STORE", path, 1);
	snprintf(path, sizeof(path), "%s/run", top);
	setenv("QBOX_RUN", path, 1);
	umask(077);

	check_life(false);
	check_life(true);
	check_names();
	check_loss();
	check_repair();
	check_monitor();
	check_kill();
	check_mounts();
	check_race();

	store_close(s);
	path_remove_tree(AT_FDCWD, top);
	return unit_end();
}
