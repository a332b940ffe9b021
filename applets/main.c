/* qbox - pull, run and look after containers with one static file
 *
 * usage: qbox APPLET [ARG...]
 *        qbox --list
 *        qbox --install [-s] DIR
 *        qbox --version [--json]
 *
 * Each applet is also run by its own name, through a link to this file.
 * APPLET --help says what an applet takes.
 *
 * options:
 *       --list       print the names of all applets
 *       --install    make a link for each applet in DIR
 *   -s, --symbolic   make symbolic links
 *       --version    print the version
 *       --json       with --version: also the libraries inside, as JSON
 *
 * exit status:
 *   0  done
 *   1  failed
 *   2  wrong usage
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "applet.h"
#include "gen/main.h"

#include "base/attr.h"
#include "base/fail.h"

static const struct applet *applet_find(const char *name)
{
	for (size_t i = 0; i < applet_count; i++)
		if (strcmp(applets[i].syntax.word, name) == 0)
			return &applets[i];
	return NULL;
}

/* Run APPLET with the words of ARGV, NULL-terminated and without its name, for a caller whose umask
 * is MASK. */
static int applet_run(const struct applet *applet, char **argv, mode_t mask)
{
	struct args args = {
		.applet = applet->syntax.word,
		.help = applet->help,
		.usage_status = applet->usage_status,
		.syntax = &applet->syntax,
		.commands = applet->commands,
		.command_count = applet->command_count,
		.umask = mask,
	};
	bool ours = applet->usage_status == EXIT_OURS;
	int status;

	program_invocation_short_name = (char *)applet->syntax.word;
	args_init(&args, argv);
	status = applet->main(&args);
	if (status < 0)
		die(ours ? EXIT_OURS : die_status(status));
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fail_errno("write to standard output");
		die(ours ? EXIT_OURS : EXIT_FAILURE);
	}
	return status;
}

static NORETURN void unknown_applet(const char *name)
{
	const char *near = args_nearest(name, applets, applet_count, sizeof(applets[0]));

	fail(ENOENT, "unknown applet '%s'", name);
	if (near)
		fail_hint(-ENOENT, "did you mean '%s'?", near);
	else
		fail_hint(-ENOENT, "qbox --list names them all");
	die(EXIT_USAGE);
}

static void list(void)
{
	for (size_t i = 0; i < applet_count; i++)
		if (!applets[i].internal)
			printf("%-9s %s\n", applets[i].syntax.word, applets[i].summary);
}

static void version(bool json)
{
	if (!json) {
		printf("qbox %s\n", qbox_version);
		return;
	}
	/* All of it is text of this build: nothing to escape. */
	printf("{\"name\":\"qbox\",\"version\":\"%s\",\"components\":[", qbox_version);
	for (size_t i = 0; i < component_count; i++)
		printf("%s{\"name\":\"%s\",\"version\":\"%s\",\"licence\":\"%s\"}", i ? "," : "",
			components[i].name, components[i].version, components[i].licence);
	printf("]}\n");
}

/* Does PATH already lead to the file EXE? */
static bool same_file(const char *path, const char *exe)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(exe, &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

/* Make one link per applet in DIR. A file of another origin is never replaced. */
static int install(const char *dir, bool symbolic)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int result = 0;

	if (len < 0)
		return fail_errno("read '/proc/self/exe'");
	exe[len] = '\0';
	for (size_t i = 0; i < applet_count; i++) {
		const char *name = applets[i].syntax.word;
		char path[PATH_MAX];
		int r;

		if (applets[i].internal || strcmp(name, "qbox") == 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
			return fail(ENAMETOOLONG, "path of '%s' is too long", name);
		r = symbolic ? symlink(exe, path) : link(exe, path);
		if (r < 0 && !(errno == EEXIST && same_file(path, exe))) {
			fail_errno("link '%s'", path);
			die_print();
			result = EXIT_FAILURE;
		}
	}
	return result;
}

int qbox_main(struct args *args)
{
	bool want_list = false, want_install = false, symbolic = false, want_version = false,
	     json = false;
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_LIST: want_list = args->on; break;
		case OPT_INSTALL: want_install = args->on; break;
		case OPT_SYMBOLIC: symbolic = args->on; break;
		case OPT_VERSION: want_version = args->on; break;
		case OPT_JSON: json = args->on; break;
		}
	if (want_install) {
		args_want(args, 1, 1);
		return install(args->operands[0], symbolic);
	}
	if (want_list || want_version) {
		args_want(args, 0, 0);
		if (want_list)
			list();
		else
			version(json);
		return 0;
	}
	if (!args->count)
		args_usage(args, "which applet?");

	const struct applet *applet = applet_find(args->operands[0]);

	if (!applet)
		unknown_applet(args->operands[0]);
	return applet_run(applet, args->operands + 1, args->umask);
}

/* Descriptors 0-2 always exist, so that nothing we open later is taken for one of them. Where even
 * /dev/null is missing (an early initramfs) a path descriptor keeps the place: it refuses I/O. */
static void open_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			(void)open("/", O_PATH | O_DIRECTORY);
}

int main(int argc, char **argv)
{
	static char boot[] = "--boot";
	const struct applet *applet;
	const char *name;
	mode_t mask;

	open_standard_fds();
	if (getauxval(AT_SECURE)) {
		fail(EPERM, "refusing to run with the privileges of a set-id file");
		die(EXIT_FAILURE);
	}
	mask = umask(077);
	signal(SIGPIPE, SIG_DFL);
	if (argc < 1)
		return EXIT_USAGE;
	name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	/* The kernel starts the first process as "init" and hands it words of its command line only. */
	if (strcmp(name, "init") == 0 && getpid() == 1) {
		argv[0] = boot;
		return applet_run(applet_find("minit"), argv, mask);
	}
	/* A copy of the file may be called qbox-1.0 or qbox.debug. */
	applet = applet_find(strncmp(name, "qbox", 4) == 0 ? "qbox" : name);
	if (!applet)
		unknown_applet(name);
	return applet_run(applet, argv + 1, mask);
}
