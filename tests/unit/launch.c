/* SPDX-License-Identifier: MIT */
/* launch - unit test: the host's own tree as the root, in namespaces of its own */
#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/caps.h"
#include "kernel/path.h"
#include "kernel/proc.h"
#include "unit.h"

static struct spec spec;

static int start_and_wait(int *status)
{
	struct running running;
	struct launch l;
	int ended, r;

	launch_init(&l, &spec);
	r = launch_begin(&l, &running, status);
	if (r < 0)
		return r;
	CHECK(proc_wait(running.pid, &ended) == 0);
	*status = launch_status(ended);
	launch_end(&l, &running);
	return 0;
}

/* Run /bin/sh -c SCRIPT in the host's tree with the spec changed by CHANGE. */
static int run(const char *script, int (*change)(struct spec *s), int *status)
{
	const char *const args[] = { "/bin/sh", "-c", script };
	int r = spec_init(&spec);

	if (r == 0)
		r = spec_set_root_dir(&spec, "/");
	if (r == 0)
		r = spec_set_args(&spec, (char *const *)(uintptr_t)args, ARRAY_LEN(args));
	if (r == 0 && change)
		r = change(&spec);
	if (r == 0)
		r = start_and_wait(status);
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

/* --- what the started process finds: this program itself, run with the name of a question --- */

static bool default_caps(void)
{
	uint64_t have;

	return caps_get(&have) == 0 && have == 0x800405fb;
}

static bool bounded(void)
{
	for (int cap = 0; cap <= caps_last(); cap++)
		if (prctl(PR_CAPBSET_READ, cap) != (int)(0x800405fbull >> cap & 1))
			return false;
	return true;
}

static bool no_caps(void)
{
	uint64_t have;

	return getuid() == 1000 && geteuid() == 1000 && caps_get(&have) == 0 && have == 0;
}

static bool own_groups(void)
{
	gid_t groups[8];

	return getgid() == 1001 && getegid() == 1001 && getgroups(8, groups) == 1 &&
		groups[0] == 1001;
}

static bool no_descriptors(void)
{
	for (int fd = 3; fd < 100; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return false;
	return true;
}

static bool fresh_signals(void)
{
	struct sigaction now;
	sigset_t set;

	return sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
		sigprocmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, SIGUSR2);
}

static bool own_session(void)
{
	return getsid(0) == getpid();
}

static bool no_keys(void)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "unit-launch",
		       0) < 0;
}

static bool few_limits(void)
{
	struct rlimit core, files;

	return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 &&
		getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max <= 200;
}

static bool own_umask(void)
{
	return umask(0) == 022;
}

static bool masked_files(void)
{
	char c;
	int fd = open("/proc/interrupts", O_RDONLY);

	return fd >= 0 && read(fd, &c, 1) == 0;
}

static bool masked_directories(void)
{
	struct statvfs fs;

	/* Where there is one it is a file system without a single file. */
	return statvfs("/sys/firmware", &fs) < 0 || (fs.f_files == 1 && fs.f_flag & ST_RDONLY);
}

static bool read_only_paths(void)
{
	return open("/proc/sys/kernel/hostname", O_WRONLY) < 0 && errno == EROFS;
}

static bool mount_flags(void)
{
	static const struct {
		const char *path;
		unsigned long flags;
	} rows[] = {
		{ "/proc", ST_NOSUID | ST_NODEV | ST_NOEXEC },
		{ "/sys", ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY },
		{ "/dev", ST_NOSUID | ST_NOEXEC },
		{ "/dev/pts", ST_NOSUID | ST_NOEXEC },
		{ "/dev/shm", ST_NOSUID | ST_NODEV | ST_NOEXEC },
	};
	struct statvfs fs;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (statvfs(rows[i].path, &fs) < 0 || (fs.f_flag & rows[i].flags) != rows[i].flags)
			return false;
	return true;
}

static bool own_home(void)
{
	return getenv("HOME") && !getenv("UNIT_SECRET");
}

static int user_1000(struct spec *s)
{
	return spec_set(&s->user, "1000:1001");
}

static const struct question {
	const char *name;
	bool (*ask)(void);
	int (*change)(struct spec *s);
} questions[] = {
	{ "root has the default capabilities", default_caps, NULL },
	{ "no program can bring others back", bounded, NULL },
	{ "another user has none", no_caps, user_1000 },
	{ "the groups of the caller are left behind", own_groups, user_1000 },
	{ "the descriptors of the caller are closed", no_descriptors, NULL },
	{ "signals are as for a new process", fresh_signals, NULL },
	{ "it has a session of its own", own_session, NULL },
	{ "the keys of the caller are out of reach", no_keys, NULL },
	{ "limits are lowered, never raised", few_limits, NULL },
	{ "the umask is the container's", own_umask, NULL },
	{ "masked files are empty", masked_files, NULL },
	{ "masked directories are empty", masked_directories, NULL },
	{ "what is the host's is read-only", read_only_paths, NULL },
	{ "mounts have their flags", mount_flags, NULL },
	{ "the environment of the caller is left behind", own_home, NULL },
};

static int answer(const char *number)
{
	return questions[atoi(number)].ask() ? 0 : 1;
}

/* Change what a careless start would hand down, and ask all questions. In a process of its own. */
static int ask_all(void)
{
	char self[PATH_MAX] = "", number[12];
	char *args[] = { self, number };
	gid_t groups[] = { 4, 27 };
	struct rlimit files = { 100, 200 };
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	CHECK(setgroups(2, groups) == 0 && setrlimit(RLIMIT_NOFILE, &files) == 0);
	CHECK(dup2(open("/etc/passwd", O_RDONLY), 9) == 9 && dup(9) > 2);
	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(setenv("UNIT_SECRET", "1", 1) == 0);
	umask(077);
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	syscall(SYS_add_key, "user", "unit-launch", "v", 1, KEY_SPEC_SESSION_KEYRING);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		int r = spec_init(&spec);

		snprintf(number, sizeof(number), "%zu", i);
		if (r == 0)
			r = spec_set_root_dir(&spec, "/");
		if (r == 0)
			r = spec_set_args(&spec, args, 2);
		if (r == 0 && questions[i].change)
			r = questions[i].change(&spec);
		if (r == 0)
			r = start_and_wait(&status);
		spec_free(&spec);
		unit_check(r == 0 && status == 0, questions[i].name, status,
			r < 0 ? fail_text() : "not so");
	}
	return unit_case_failed;
}

static void test_questions(void)
{
	int status;
	pid_t pid;

	unit_case("what the started process finds");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		status = ask_all();
		fflush(stdout);
		_exit(status);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* --- trees that lay traps --- */

static char trap[] = "/tmp/unit-launch.XXXXXX";

static int trap_root(struct spec *s)
{
	return spec_set_root_dir(s, trap);
}

static int trap_user(struct spec *s)
{
	int r = spec_set_root_dir(s, trap);

	return r < 0 ? r : spec_set(&s->user, "alice");
}

static void test_traps(void)
{
	static const char *const places[] = { "proc", "dev", "sys" };
	int dir, tmp, status;

	if (!mkdtemp(trap))
		return;
	dir = open(trap, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(dir, "p", 0755);
	unit_case("nothing is mounted through a link of the tree");
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		CHECK(symlinkat("p", dir, places[i]) == 0);
		CHECK(run("exit 0", trap_root, &status) == -ELOOP && status == 125);
		CHECK(strstr(fail_text(), "mount '/") != NULL);
		CHECK(unlinkat(dir, places[i], 0) == 0);
	}
	unit_case("a FIFO in the place of passwd does not stop us");
	mkdirat(dir, "etc", 0755);
	CHECK(mknodat(dir, "etc/passwd", S_IFIFO | 0666, 0) == 0);
	alarm(20);
	CHECK(run("exit 0", trap_user, &status) == -EINVAL && status == 125);
	alarm(0);
	CHECK(strstr(fail_text(), "'/etc/passwd'") != NULL);
	unlinkat(dir, "etc/passwd", 0);
	unit_case("nor one without end");
	CHECK(mknodat(dir, "etc/passwd", S_IFREG | 0666, 0) == 0 &&
		truncate(strcat(strcpy((char[64]){ 0 }, trap), "/etc/passwd"), 1ll << 32) == 0);
	CHECK(run("exit 0", trap_user, &status) == -EFBIG && status == 125);
	close(dir);
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(path_remove_tree(tmp, trap + 5) == 0);
	close(tmp);
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

int main(int argc, char **argv)
{
	int status = -1, before;

	if (argc > 1)
		return answer(argv[1]);
	before = open_count();

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
	test_questions();
	test_traps();
	unit_case("leaves no descriptor and no process");
	CHECK(open_count() == before);
	CHECK(waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD);
	return unit_end();
}
