/* SPDX-License-Identifier: MIT */
/* mnt - unit test; each case runs in a mount namespace of its own, on a tmpfs */
#include "kernel/mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "unit.h"

static char where[] = "/tmp/unit-mnt-XXXXXX";

static int make_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	int r = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text);

	close(fd);
	return r;
}

static int is_file(const char *path, const char *text)
{
	char data[64] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, data, sizeof(data) - 1);

	close(fd);
	return n >= 0 && strcmp(data, text) == 0;
}

/* A tmpfs on the test's directory, as the working directory. */
static int fresh(void)
{
	return unshare(CLONE_NEWNS) < 0 || mnt_isolate() < 0 ||
		mount("tmpfs", where, "tmpfs", 0, NULL) < 0 || chdir(where) < 0;
}

/* Layers whose names hold every separator, the upper one on top. */
static int overlays(void)
{
	char lower[3][64];
	const char *list[3] = { lower[0], lower[1], lower[2] };
	struct mnt_overlay o = {
		.lower = list, .count = 3, .upper = "u,p:\\per", .work = "work", .scratch = ""
	};

	if (fresh())
		return 1;
	for (int i = 0; i < 3; i++) {
		char name[256], text[2] = { (char)('0' + i), 0 };

		snprintf(lower[i], sizeof(lower[i]), "l%d,a:b\\c d", i);
		mkdir(lower[i], 0755);
		snprintf(name, sizeof(name), "%s/all", lower[i]);
		if (make_file(name, text))
			return 2;
		snprintf(name, sizeof(name), "%s/only%d", lower[i], i);
		if (make_file(name, text))
			return 3;
	}
	if (mkdir(o.upper, 0755) < 0 || mkdir("work", 0755) < 0 || mkdir("m", 0755) < 0)
		return 4;
	if (mnt_overlay(&o, "m") < 0)
		return 5;
	if (!is_file("m/all", "0") || !is_file("m/only1", "1") || !is_file("m/only2", "2"))
		return 6;
	if (make_file("m/new", "x") || !is_file("u,p:\\per/new", "x"))
		return 7;
	if (umount("m") < 0)
		return 8;
	o.upper = o.work = NULL;
	if (mnt_overlay(&o, "m") < 0 || !is_file("m/only2", "2"))
		return 9;
	return make_file("m/new", "x") && errno == EBADF ? 0 : 10;
}

/* 127 layers with names of 80 bytes: only through links do they fit. */
static int overlays_many(void)
{
	static char lower[127][128];
	const char *list[127];
	struct mnt_overlay o = {
		.lower = list, .count = 127, .upper = "upper", .work = "work", .scratch = "scratch"
	};

	if (fresh() || mkdir("upper", 0755) || mkdir("work", 0755) || mkdir("m", 0755) ||
		mkdir("scratch", 0700))
		return 1;
	for (int i = 0; i < 127; i++) {
		char name[sizeof(lower[0]) + 32];

		snprintf(lower[i], sizeof(lower[i]), "%s/%064d,%d", where, i, i);
		list[i] = lower[i];
		mkdir(lower[i], 0755);
		snprintf(name, sizeof(name), "%s/f%d", lower[i], i);
		if (make_file(name, "x"))
			return 2;
	}
	o.scratch = "";
	if (mnt_overlay(&o, "m") != -E2BIG)
		return 3;
	o.scratch = "scratch";
	if (mnt_overlay(&o, "m") < 0)
		return 4;
	return is_file("m/f0", "x") && is_file("m/f126", "x") ? 0 : 5;
}

static int fails_with_text(void)
{
	const char *list[] = { "none" };
	struct mnt_overlay o = { .lower = list, .count = 1, .scratch = "" };

	if (fresh() || mkdir("m", 0755))
		return 1;
	if (mnt_overlay(&o, "m") >= 0)
		return 2;
	return strstr(fail_text(), "'m'") ? 0 : 3;
}

static unsigned long flags_of(const char *path)
{
	struct statvfs st;

	return statvfs(path, &st) < 0 ? 0 : st.f_flag;
}

static int sets_flags(void)
{
	if (fresh() || mkdir("a", 0755) || mkdir("b", 0755))
		return 1;
	if (mount("tmpfs", "a", "tmpfs", MS_NOSUID, NULL) < 0 || mkdir("a/sub", 0755) ||
		mount("tmpfs", "a/sub", "tmpfs", 0, NULL) < 0)
		return 2;
	if (mount("a", "b", NULL, MS_BIND | MS_REC, NULL) < 0)
		return 3;
	if (mnt_set_flags("b", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, false) < 0)
		return 4;
	if ((flags_of("b") & (ST_RDONLY | ST_NODEV | ST_NOSUID)) !=
		(ST_RDONLY | ST_NODEV | ST_NOSUID))
		return 5;
	if (flags_of("a") & ST_RDONLY || flags_of("b/sub") & ST_RDONLY)
		return 6;
	if (mnt_set_flags("b", MOUNT_ATTR_RDONLY, true) < 0 || !(flags_of("b/sub") & ST_RDONLY))
		return 7;
	return mnt_set_flags("none", MOUNT_ATTR_RDONLY, false) == -ENOENT ? 0 : 8;
}

static int pivots(void)
{
	struct stat before, after;
	int root;

	if (fresh() || mkdir("root", 0755) || mount("tmpfs", "root", "tmpfs", 0, NULL) < 0)
		return 1;
	if (make_file("root/inside", "x"))
		return 2;
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fstat(root, &before) < 0 || mnt_pivot(root) < 0)
		return 3;
	if (!is_file("/inside", "x") || !is_file("inside", "x") || !is_file("../../inside", "x"))
		return 4;
	if (stat("/", &after) < 0 || after.st_dev != before.st_dev || access("/etc", F_OK) == 0)
		return 5;
	/* Nothing is left to unmount but the root itself: the old one is gone, not hidden. */
	if (fchdir(root) < 0 || access("../etc", F_OK) == 0)
		return 6;
	return mkdir("proc", 0755) == 0 && mount("proc", "proc", "proc", 0, NULL) == 0 &&
			access("/proc/self/root/etc", F_OK) < 0
		? 0
		: 7;
}

static int refuses_plain_directory(void)
{
	int root;

	if (fresh() || mkdir("root", 0755))
		return 1;
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return mnt_pivot(root) == -EINVAL && access("/etc", F_OK) == 0 ? 0 : 2;
}

static int isolates(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int shared = 0;

	if (!f || unshare(CLONE_NEWNS) < 0 || mnt_isolate() < 0)
		return 1;
	rewind(f);
	fclose(f);
	f = fopen("/proc/self/mountinfo", "r");
	while (fgets(line, sizeof(line), f))
		shared |= strstr(line, " shared:") != NULL;
	fclose(f);
	return shared ? 2 : 0;
}

static bool busy(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool r = mnt_is_busy(fd);

	close(fd);
	return r;
}

static int knows_busy(void)
{
	if (fresh() || mkdir("a b", 0755) || mkdir("a b/c\nd", 0755) || mkdir("a b/c\nd/e", 0755) ||
		mkdir("a", 0755) || mkdir("a b/c", 0755))
		return 1;
	if (busy("a b"))
		return 2;
	if (mount("tmpfs", "a b/c\nd/e", "tmpfs", 0, NULL) < 0)
		return 3;
	if (!busy("a b") || !busy("a b/c\nd") || !busy("a b/c\nd/e") || !busy("/") || !busy(where))
		return 4;
	if (busy("a") || busy("a b/c"))
		return 5;
	return mnt_is_busy(-1) ? 0 : 6;
}

static int run(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{ "leaves no mount shared with the host", isolates },
	{ "mounts an overlay of layers with hostile names", overlays },
	{ "mounts 127 layers with long names", overlays_many },
	{ "says which overlay failed", fails_with_text },
	{ "sets flags, keeps others, alone or with what is below", sets_flags },
	{ "makes a mount the root and leaves nothing of the old one", pivots },
	{ "refuses a directory that is no mount", refuses_plain_directory },
	{ "knows what lies below a directory", knows_busy },
};

int main(void)
{
	if (!mkdtemp(where))
		return 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r;

		if (geteuid() != 0) {
			unit_skip(cases[i].name, "needs root");
			continue;
		}
		unit_case(cases[i].name);
		r = run(cases[i].run);
		unit_check(r == 0, cases[i].name, r, "is the place that failed");
	}
	rmdir(where);
	return unit_end();
}
