/* SPDX-License-Identifier: MIT */
/* args: the option rules of FORMATS 4 */
#include "unit.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "cli/args.h"
#include "cli/die.h"

enum { ALL, ENV, JSON, QUIET, PUBLISH, LONG };

static const struct args_option options[] = {
	{ "all", 'a', ARGS_BOOL },
	{ "env", 'e', ARGS_VALUE },
	{ "json", 'j', ARGS_OPTIONAL },
	{ "quiet", 'q', ARGS_BOOL },
	{ "publish", 'p', ARGS_VALUE },
	{ "long-name", 0, ARGS_BOOL },
};
static const struct args_syntax permuting = { "x", options, ARRAY_LEN(options), false };
static const struct args_syntax stopping = { "x", options, ARRAY_LEN(options), true };
static const struct args_syntax commands[] = {
	{ "ls", options, 1, false },
	{ "run", options, 2, true },
};

static struct args args;

/* Begin to read the words, the last one NULL. */
#define BEGIN(syntax_, ...)                                       \
	char *words[] = { __VA_ARGS__ };                          \
	args = (struct args){ .applet = "x",                      \
		.help = "x - test\n\nusage: x [-a] FILE\nmore\n", \
		.usage_status = 2,                                \
		.syntax = &(syntax_),                             \
		.commands = commands,                             \
		.command_count = ARRAY_LEN(commands) };           \
	args_init(&args, words)

/* The next option must be WANT with VALUE. */
static bool next_is(int want, const char *value)
{
	int opt = -1, r = args_try(&args, &opt);

	if (want == OPT_END)
		return r == 0;
	if (r != 1 || opt != want)
		return false;
	return value ? args.value && strcmp(args.value, value) == 0 : !args.value;
}

static bool refused(const char *text, const char *hint_text)
{
	int opt;

	return args_try(&args, &opt) == -EINVAL && strcmp(fail_text(), text) == 0 &&
		strcmp(fail_hint_text(), hint_text) == 0;
}

static void test_forms(void)
{
	unit_case("--x=Y and --x Y");
	{
		BEGIN(permuting, "--env=K=V", "--env", "-a", "--env=", NULL);
		CHECK(next_is(ENV, "K=V"));
		CHECK(next_is(ENV, "-a"));
		CHECK(next_is(ENV, ""));
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 0);
	}
	unit_case("-p8080:80, -p 8080:80, -e=K=V");
	{
		BEGIN(permuting, "-p8080:80", "-p", "8080:80", "-e=K=V", "-e=", NULL);
		CHECK(next_is(PUBLISH, "8080:80"));
		CHECK(next_is(PUBLISH, "8080:80"));
		CHECK(next_is(ENV, "K=V"));
		CHECK(next_is(ENV, ""));
		CHECK(next_is(OPT_END, NULL));
	}
	unit_case("-abc bundles, the last may take an argument");
	{
		BEGIN(permuting, "-aqeK=V", "-qa", "-je", "X", NULL);
		CHECK(next_is(ALL, NULL));
		CHECK(next_is(QUIET, NULL));
		CHECK(next_is(ENV, "K=V"));
		CHECK(next_is(QUIET, NULL));
		CHECK(next_is(ALL, NULL));
		CHECK(next_is(JSON, NULL));
		CHECK(next_is(ENV, "X"));
		CHECK(next_is(OPT_END, NULL));
	}
	unit_case("booleans take =true and =false");
	{
		BEGIN(permuting, "--all", "--all=false", "-a=true", "-qa=false", NULL);
		CHECK(next_is(ALL, NULL) && args.on);
		CHECK(next_is(ALL, NULL) && !args.on);
		CHECK(next_is(ALL, NULL) && args.on);
		CHECK(next_is(QUIET, NULL) && args.on);
		CHECK(next_is(ALL, NULL) && !args.on);
		CHECK(next_is(OPT_END, NULL));
	}
	unit_case("an optional argument stands behind = only");
	{
		BEGIN(permuting, "--json", "array", "--json=array", "-j=array", NULL);
		CHECK(next_is(JSON, NULL));
		CHECK(next_is(JSON, "array"));
		CHECK(next_is(JSON, "array"));
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 1);
		CHECK_STR(args.operands[0], "array");
	}
}

static void test_operands(void)
{
	unit_case("options and operands may be mixed");
	{
		BEGIN(permuting, "one", "-a", "two", "-e", "x", "-", "--", "-q", "--", "three",
			NULL);
		CHECK(next_is(ALL, NULL));
		CHECK(next_is(ENV, "x"));
		CHECK(next_is(OPT_END, NULL));
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 6);
		CHECK_STR(args.operands[0], "one");
		CHECK_STR(args.operands[1], "two");
		CHECK_STR(args.operands[2], "-");
		CHECK_STR(args.operands[3], "-q");
		CHECK_STR(args.operands[4], "--");
		CHECK_STR(args.operands[5], "three");
		CHECK(!args.operands[6]);
	}
	unit_case("where options stop, the rest is passed on as it is");
	{
		BEGIN(stopping, "-a", "image", "-q", "--", "--help", "", NULL);
		CHECK(next_is(ALL, NULL));
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 5);
		CHECK_STR(args.operands[0], "image");
		CHECK_STR(args.operands[2], "--");
		CHECK_STR(args.operands[3], "--help");
		CHECK_STR(args.operands[4], "");
		CHECK(!args.operands[5]);
	}
	unit_case("-- before the first operand is dropped");
	{
		BEGIN(stopping, "--", "-q", NULL);
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 1);
		CHECK_STR(args.operands[0], "-q");
	}
	unit_case("no words at all");
	{
		BEGIN(permuting, NULL);
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 0 && !args.operands[0]);
	}
}

static void test_wrong(void)
{
	unit_case("no abbreviation, the nearest spelling as a hint");
	{
		BEGIN(permuting, "--publis=80", "--qiuet", "--env-file", "--long", "-x", "--=a",
			"-=", "--alll", NULL);
		CHECK(refused("unknown option '--publis'", "did you mean '--publish'?"));
		CHECK(refused("unknown option '--qiuet'", "did you mean '--quiet'?"));
		CHECK(refused("unknown option '--env-file'", "x --help lists the options"));
		CHECK(refused("unknown option '--long'", "x --help lists the options"));
		CHECK(refused("unknown option '-x'", "x --help lists the options"));
		CHECK(refused("unknown option '--'", "x --help lists the options"));
		CHECK(refused("unknown option '-='", "x --help lists the options"));
		CHECK(refused("unknown option '--alll'", "did you mean '--all'?"));
	}
	unit_case("an argument that is missing or is no boolean");
	{
		BEGIN(permuting, "--all=maybe", "-a=", "-ax", "-e", NULL);
		CHECK(refused("option '--all' takes true or false, not 'maybe'", ""));
		CHECK(refused("option '--all' takes true or false, not ''", ""));
		CHECK(next_is(ALL, NULL));
		CHECK(refused("unknown option '-x'", "x --help lists the options"));
		CHECK(refused("option '--env' needs an argument", ""));
	}
	unit_case("--help, unless it is an argument");
	{
		BEGIN(permuting, "-e", "--help", "--help", NULL);
		int opt;

		CHECK(next_is(ENV, "--help"));
		CHECK(args_try(&args, &opt) == -ECANCELED);
	}
	unit_case("-h, where no option has that letter");
	{
		BEGIN(permuting, "-ah", NULL);
		int opt;

		CHECK(next_is(ALL, NULL));
		CHECK(args_try(&args, &opt) == -ECANCELED);
	}
	unit_case("a very long option");
	{
		char word[300] = "--";

		memset(word + 2, 'a', sizeof(word) - 3);
		BEGIN(permuting, word, NULL);
		int opt;

		CHECK(args_try(&args, &opt) == -EINVAL);
	}
}

static void test_nearest(void)
{
	static const char *const names[] = { "qps", "qpull", "qpush", "qrun" };

	unit_case("nearest: never far away, the nearer one wins");
	CHECK_STR(args_nearest("qpul", names, 4, sizeof(*names)), "qpull");
	CHECK_STR(args_nearest("qrum", names, 4, sizeof(*names)), "qrun");
	CHECK_STR(args_nearest("qpuhs", names, 4, sizeof(*names)), "qpush");
	CHECK(!args_nearest("docker", names, 4, sizeof(*names)));
	CHECK(!args_nearest("q", names, 4, sizeof(*names)));
	CHECK(!args_nearest("", names, 4, sizeof(*names)));
}

/* The exit status of RUN in a child, and what it printed on both descriptors. */
static int status_of(void (*run)(void), char *out, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		program_invocation_short_name = (char *)"x";
		run();
		exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, size - len - 1)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_help(void)
{
	BEGIN(permuting, "--help", NULL);
	args_next(&args);
}

static void run_unknown(void)
{
	BEGIN(permuting,
		"--al\x1b"
		"l",
		NULL);
	args.usage_status = 125;
	args_next(&args);
}

static void run_too_many(void)
{
	BEGIN(permuting, "a", "b", NULL);
	while (args_next(&args) != OPT_END)
		;
	args_want(&args, 1, 2);
	args_want(&args, 0, 1);
}

static void run_too_few(void)
{
	BEGIN(permuting, "a", NULL);
	while (args_next(&args) != OPT_END)
		;
	args_want(&args, 2, 2);
}

static void run_check(void)
{
	BEGIN(permuting, "-e", "x", NULL);
	args_next(&args);
	args_check(&args, 0);
	args_check(&args, fail(ERANGE, "too big"));
}

static void run_command(void)
{
	BEGIN(permuting, "ru", NULL);
	args_command(&args);
}

static void run_command_late(void)
{
	BEGIN(permuting, "-a", "ls", NULL);
	args_command(&args);
}

static void test_ends(void)
{
	char out[1000];

	unit_case("--help goes to stdout and exits 0");
	CHECK(status_of(run_help, out, sizeof(out)) == 0);
	CHECK_STR(out, "x - test\n\nusage: x [-a] FILE\nmore\n");
	unit_case("wrong usage exits with the applet's status, in escaped lines");
	CHECK(status_of(run_unknown, out, sizeof(out)) == 125);
	CHECK_STR(out, "x: unknown option '--al\\x1bl'\nhint: did you mean '--all'?\n");
	unit_case("too many and too few operands");
	CHECK(status_of(run_too_many, out, sizeof(out)) == 2);
	CHECK_STR(out, "x: unexpected operand 'b'\nhint: usage: x [-a] FILE\n");
	CHECK(status_of(run_too_few, out, sizeof(out)) == 2);
	CHECK_STR(out, "x: an operand is missing after 'a'\nhint: usage: x [-a] FILE\n");
	unit_case("a bad argument is reported with its option");
	CHECK(status_of(run_check, out, sizeof(out)) == 2);
	CHECK_STR(out, "x: option '--env': too big\n");
	unit_case("an unknown command, and options before it");
	CHECK(status_of(run_command, out, sizeof(out)) == 2);
	CHECK_STR(out, "x: unknown command 'ru'\nhint: did you mean 'run'?\n");
	CHECK(status_of(run_command_late, out, sizeof(out)) == 2);
	CHECK_STR(out,
		"x: the command comes before options such as '-a'\n"
		"hint: usage: x [-a] FILE\n");
}

static void test_commands(void)
{
	unit_case("a command brings its own options");
	{
		BEGIN(permuting, "run", "-a", "-e", "x", "y", "-a", NULL);
		CHECK(args_command(&args) == 1);
		CHECK(next_is(ALL, NULL));
		CHECK(next_is(ENV, "x"));
		CHECK(next_is(OPT_END, NULL));
		CHECK(args.count == 2);
		CHECK_STR(args.operands[0], "y");
	}
	{
		BEGIN(permuting, "ls", "-e", NULL);
		CHECK(args_command(&args) == 0);
		CHECK(refused("unknown option '-e'", "x --help lists the options"));
	}
}

int main(void)
{
	test_forms();
	test_operands();
	test_wrong();
	test_nearest();
	test_commands();
	test_ends();
	return unit_end();
}
