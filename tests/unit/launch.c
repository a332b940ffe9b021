/* SPDX-License-Identifier: MIT */
/* launch - unit test: the host's own tree as the root, in namespaces of its own */
#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/proc.h"
#include "unit.h"

static struct spec spec;

/* Run /bin/sh -c SCRIPT in the host's tree with the spec changed by CHANGE. */
static int run(const char *script, int (*change)(struct spec *s), int *status)
{
	const char *const args[] = { "/bin/sh", "-c", script };
	struct running running;
	struct launch l;
	int ended, r = spec_init(&spec);

	if (r == 0)
		r = spec_set_root_dir(&spec, "/");
	if (r == 0)
		r = spec_set_args(&spec, (char *const *)(uintptr_t)args, ARRAY_LEN(args));
	if (r == 0 && change)
		r = change(&spec);
	launch_init(&l, &spec);
	if (r == 0)
		r = launch_begin(&l, &running, status);
	if (r == 0) {
		CHECK(proc_wait(running.pid, &ended) == 0);
		*status = launch_status(ended);
		launch_end(&l, &running);
	}
	spec_free(&spec);
	return r;
}

static int open_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int no_such_user(struct spec *s)
{
	return spec_set(&s->user, "nobody_of_that_name");
}

static int no_such_program(struct spec *s)
{
	char *const args[] = { (char[]){ "no-such-program" } };

	return spec_set_args(s, args, 1);
}

static int no_such_root(struct spec *s)
{
	return spec_set_root_dir(s, "/none/at/all");
}

static int magic_directory(struct spec *s)
{
	return spec_set(&s->cwd, "/proc/self/fd/3");
}

static int own_hostname(struct spec *s)
{
	strcpy(s->hostname, "elsewhere");
	return 0;
}

static const struct {
	const char *name;
	int (*change)(struct spec *s);
	int error, status;
	const char *text;
} failures[] = {
	{ "a user who is not there", no_such_user, -ENOENT, 125, "find user" },
	{ "a program that is not there", no_such_program, -ENOENT, 127, "run 'no-such-program'" },
	{ "a root that is not there", no_such_root, -ENOENT, 125, "'/none/at/all'" },
	{ "a directory that is no place", magic_directory, -ELOOP, 125, "working directory" },
};

int main(void)
{
	int status = -1, before = open_count();

	if (geteuid() != 0) {
		unit_skip("runs a command", "needs root");
		return unit_end();
	}
	unit_case("gives the status of the command");
	CHECK(run("exit 0", NULL, &status) == 0 && status == 0);
	CHECK(run("exit 42", NULL, &status) == 0 && status == 42);

	unit_case("makes it process 1 of a host of its own");
	CHECK(run("[ $$ = 1 ] && [ \"$(cat /proc/sys/kernel/hostname)\" = elsewhere ]",
		      own_hostname, &status) == 0);
	CHECK(status == 0);
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		unit_case(failures[i].name);
		status = -1;
		CHECK(run("exit 0", failures[i].change, &status) == failures[i].error);
		CHECK(status == failures[i].status);
		CHECK(strstr(fail_text(), failures[i].text) != NULL);
	}
	unit_case("leaves no descriptor and no process");
	CHECK(open_count() == before);
	CHECK(waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD);
	return unit_end();
}
