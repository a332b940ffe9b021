/* minit - be process 1 of a container, an initramfs or a microVM
 *
 * usage: minit [OPTION...] [--] PROGRAM [ARG...]
 *        minit --boot [OPTION...] [PROGRAM [ARG...]]
 *
 * Start PROGRAM, pass every signal on to it, reap orphans, and end when it ends, with its exit
 * status. PROGRAM leads a process group of its own; it gets the foreground of the terminal if
 * minit was started there, and when it is stopped there, minit's job stops, too.
 *
 * With --boot, or called as "init", it is the first process of a machine: it mounts /proc, /sys,
 * /dev, /dev/pts, /dev/shm, /run, /tmp and a cgroup2 on /sys/fs/cgroup where nothing is mounted,
 * loads modules, takes the console as terminal, sets the host name (hostname= of the kernel command
 * line, else /etc/hostname, else localhost) and brings loopback up. PROGRAM and the options are the
 * words after "--" on the kernel command line; without any it is /bin/sh. At its end every process
 * is ended, all is written out and unmounted, and the machine powered off. SIGTERM asks for that,
 * SIGINT (Ctrl-Alt-Del) for a restart: PROGRAM gets SIGTERM and 10 seconds.
 *
 * options:
 *   -s, --subreaper            take orphans in although not process 1
 *   -g, --group                send signals to the process group of PROGRAM
 *   -e, --expect=STATUS        end with 0 in place of STATUS, 0 to 255 (repeatable)
 *   -p, --parent-death=SIGNAL  get SIGNAL when the process that started minit ends
 *   -v, --verbose              say more; repeat for still more
 *   -w, --warn                 say which orphans are reaped
 *       --boot                 be the first process of a machine
 *       --restart              with --boot: restart at the end instead of powering off
 *       --version              print the version
 *
 * environment:
 *   TINI_SUBREAPER           if set, as -s
 *   TINI_KILL_PROCESS_GROUP  if set, as -g
 *   TINI_VERBOSITY           0 failures only, 1 warnings, 2 start and end, 3 everything
 *
 * exit status:
 *   N      that of PROGRAM
 *   1      it could not be started
 *   2      wrong usage
 *   126    PROGRAM cannot be executed
 *   127    PROGRAM was not found
 *   128+N  signal N ended it
 *
 * files:
 *   /etc/modules  with --boot: paths of kernel modules, one a line, in order, with parameters
 *
 * examples:
 *   minit -g -- /usr/bin/server --foreground
 *   linux ... rdinit=/init console=ttyS0 -- -e 143 /bin/server
 *
 * see also:
 *   qrun
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applet.h"
#include "gen/minit.h"

#include "base/attr.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/num.h"
#include "engine/boot.h"
#include "engine/init.h"
#include "kernel/sig.h"

struct want {
	struct init init;
	bool boot, restart, version;
};

static void read_environment(struct init *init)
{
	const char *verbosity = getenv("TINI_VERBOSITY");

	init->subreaper = getenv("TINI_SUBREAPER");
	init->group = getenv("TINI_KILL_PROCESS_GROUP");
	init->verbosity = verbosity ? atoi(verbosity) : 1;
}

static int add_success(struct init *init, const char *text)
{
	uint64_t status;
	int r = num_parse(text, 255, &status);

	if (r == 0)
		init->success[status / 64] |= UINT64_C(1) << (status % 64);
	return r;
}

static void read_options(struct want *want, struct args *args)
{
	struct init *init = &want->init;
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_SUBREAPER: init->subreaper = args->on; break;
		case OPT_GROUP: init->group = args->on; break;
		case OPT_EXPECT: args_check(args, add_success(init, args->value)); break;
		case OPT_PARENT_DEATH:
			init->death_signal = sig_parse(args->value);
			args_check(args, init->death_signal);
			break;
		case OPT_VERBOSE: init->verbosity += args->on; break;
		case OPT_WARN: init->warn = args->on; break;
		case OPT_BOOT: want->boot = args->on; break;
		case OPT_RESTART: want->restart = args->on; break;
		case OPT_VERSION: want->version = args->on; break;
		}
}

/* Become the program. Never returns. */
static NORETURN void execute(char *const *argv)
{
	const char *name = argv[0];
	int err;

	execvp(name, argv);
	err = errno;
	fail_errno("run '%s'", name);
	/* The file is there: what is not is the interpreter that it names. */
	if (err == ENOENT && strchr(name, '/') && access(name, F_OK) == 0) {
		fail_hint(-err, "the file is there, but its interpreter or loader is not");
		err = EACCES;
	}
	die(err == ENOENT || err == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

/* Orphans come to process 1 or to a subreaper, which we may have been made before. */
static void check_reaper(const struct init *init)
{
	int is_subreaper = 0;

	if (init->verbosity < 1 || init->subreaper || getpid() == 1)
		return;
	if (prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper)
		return;
	warn("orphans will not be reaped: this is not process 1 and no subreaper");
	hint("use -s, or set TINI_SUBREAPER");
}

static int run(struct want *want, struct args *args, char *const *argv)
{
	pid_t pid;

	check_reaper(&want->init);
	pid = init_start(&want->init);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		umask(args->umask);
		execute(argv);
	}
	return init_wait(&want->init);
}

/* The machine ends with the program; nothing here may end this process. */
static int run_machine(struct want *want, struct args *args)
{
	static char *const shell[] = { "/bin/sh", NULL };
	char *const *argv = args->count ? args->operands : shell;
	int status;

	if (getpid() != 1)
		args_usage(args, "--boot is for process 1");
	log_init(STDERR_FILENO, "minit", false);
	status = boot_start();
	if (status < 0)
		return status;
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
	args->umask = 022;
	want->init.machine = true;
	status = run(want, args, argv);
	if (status < 0)
		die_print();
	else
		warn("'%s' ended with status %d", argv[0], status);
	if (boot_end(want->init.end ? want->init.end == SIGINT : want->restart) < 0)
		die_print();
	for (;;)
		pause();
}

int minit_main(struct args *args)
{
	struct want want = { 0 };

	read_environment(&want.init);
	read_options(&want, args);
	if (want.version) {
		args_want(args, 0, 0);
		printf("minit %s\n", qbox_version);
		return 0;
	}
	if (want.boot)
		return run_machine(&want, args);
	if (!args->count)
		args_usage(args, "which program?");
	return run(&want, args, args->operands);
}
