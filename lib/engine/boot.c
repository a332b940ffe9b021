/* SPDX-License-Identifier: MIT */
/* boot - what the first process of a machine does before its program and after it */
#include "engine/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "kernel/fd.h"
#include "kernel/ns.h"

#define MODULES_FILE "/etc/modules"
#define SMALL_FILE   65536
#define END_SECONDS  2

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4 /* Linux 5.17 */
#endif

/* --- file systems --- */

static const struct {
	const char *path, *type, *options;
	unsigned long flags;
} mounts[] = {
	{ "/proc", "proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "/sys", "sysfs", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "/dev", "devtmpfs", "mode=755", MS_NOSUID | MS_NOEXEC },
	{ "/dev/pts", "devpts", "ptmxmode=666,mode=620,gid=5", MS_NOSUID | MS_NOEXEC },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV },
	{ "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "/sys/fs/cgroup", "cgroup2", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

static bool is_mounted(const char *path)
{
	char above[PATH_MAX];
	struct stat here, parent;

	snprintf(above, sizeof(above), "%s/..", path);
	return stat(path, &here) == 0 && stat(above, &parent) == 0 && here.st_dev != parent.st_dev;
}

static void mount_one(size_t i)
{
	const char *path = mounts[i].path;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		log_note("make '%s': %s", path, strerror(errno));
	else if (!is_mounted(path) &&
		mount(mounts[i].type, path, mounts[i].type, mounts[i].flags, mounts[i].options) < 0)
		log_note("mount '%s': %s", path, strerror(errno));
}

/* The pid namespace of a machine has a number that never changes (PROC_PID_INIT_INO); without a
 * file there are no namespaces. */
static bool is_machine(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == 0xeffffffcu;
}

/* --- modules --- */

static int load_module(const char *path, const char *parameters)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Loaded already, or part of the kernel: what was wanted. */
	if (syscall(SYS_finit_module, fd, parameters,
		    str_ends(path, ".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE) < 0 &&
		errno != EEXIST)
		return -errno;
	return 0;
}

/* One line of /etc/modules: the path of a module, then perhaps its parameters. */
static void load_line(char *line)
{
	char *end = line + strcspn(line, " \t");
	int r;

	if (!*line || *line == '#')
		return;
	if (*end)
		*end++ = '\0';
	if (*line != '/') {
		log_note("%s: '%s' is not an absolute path", MODULES_FILE, line);
		return;
	}
	r = load_module(line, end);
	if (r < 0)
		log_note("load '%s': %s", line, strerror(-r));
}

static void load_modules(void)
{
	auto_buf struct buf text = { 0 };
	char *line, *rest;

	if (access(MODULES_FILE, F_OK) < 0)
		return;
	if (fd_read_file(AT_FDCWD, MODULES_FILE, &text, SMALL_FILE) < 0 || buf_check(&text) < 0) {
		log_note("%s", fail_text());
		fail_clear();
		return;
	}
	buf_putc(&text, '\0');
	if (text.failed)
		return;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		load_line(line + strspn(line, " \t"));
}

/* --- console, name, loopback --- */

/* The terminal behind /dev/console, which itself cannot be a controlling terminal: the last name
 * in the list of active consoles. */
static int open_console(void)
{
	char path[64] = "/dev/";
	char *name = path + strlen(path);
	auto_close int list = open("/sys/class/tty/console/active", O_RDONLY | O_CLOEXEC);
	ssize_t n = list < 0 ? -1 : read(list, name, sizeof(path) - strlen(path) - 1);
	int fd = -1;

	if (n > 0) {
		char *last;

		name[strcspn(name, "\n")] = '\0';
		last = strrchr(name, ' ');
		if (last)
			memmove(name, last + 1, strlen(last + 1) + 1);
		fd = open(path, O_RDWR | O_NOCTTY);
	}
	return fd < 0 ? open("/dev/console", O_RDWR | O_NOCTTY) : fd;
}

/* The kernel gave us its console if the initramfs had /dev/console, else nothing. */
static void take_console(void)
{
	int fd;

	(void)setsid();
	fd = open_console();
	if (fd < 0)
		return;
	(void)ioctl(fd, TIOCSCTTY, 0);
	for (int i = 0; i <= 2; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* A name that the kernel has (its parameter hostname=, Linux 6.0) stays; an older kernel hands
 * that word to us as a variable. */
static void set_host_name(void)
{
	char name[HOST_NAME_MAX + 1] = "";
	const char *given = getenv("hostname");
	auto_close int fd = -1;

	gethostname(name, sizeof(name));
	if (strcmp(name, "(none)") != 0)
		return;
	snprintf(name, sizeof(name), "%s", given ? given : "localhost");
	fd = given ? -1 : open("/etc/hostname", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, name, sizeof(name) - 1);

		name[n > 0 ? n : 0] = '\0';
		name[strcspn(name, "\n")] = '\0';
	}
	if (sethostname(name, strlen(name)) < 0)
		log_note("set the host name '%s': %s", name, strerror(errno));
}

int boot_start(void)
{
	int r;

	umask(022);
	/* /proc comes first in the table, and a container has its own: nothing is changed there. */
	mount_one(0);
	if (!is_machine()) {
		r = fail(EPERM, "this is the first process of a container, not of a machine");
		return fail_hint(r, "leave --boot out, or call minit by its own name");
	}
	for (size_t i = 1; i < ARRAY_LEN(mounts); i++)
		mount_one(i);
	take_console();
	load_modules();
	set_host_name();
	if (ns_loopback_up() < 0) {
		log_note("%s", fail_text());
		fail_clear();
	}
	/* Ctrl-Alt-Del is SIGINT for us from now on. */
	(void)reboot(RB_DISABLE_CAD);
	return 0;
}

/* --- the end --- */

/* Wait until there is no child any more, SECONDS at most: all processes are children of ours in
 * the end. Signals are blocked. */
static void wait_for_all(time_t seconds)
{
	struct timespec now, end, left;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (pid < 0 || now.tv_sec >= end.tv_sec)
			return;
		left = (struct timespec){ .tv_sec = end.tv_sec - now.tv_sec };
		(void)sigtimedwait(&child, NULL, &left);
	}
}

static void end_processes(void)
{
	if (kill(-1, SIGTERM) == 0) {
		kill(-1, SIGCONT);
		wait_for_all(END_SECONDS);
	}
	if (kill(-1, SIGKILL) == 0)
		wait_for_all(END_SECONDS);
}

/* Field 5 of a line of mountinfo, in place, its octal escapes undone. NULL if there is none. */
static char *mount_point(char *line)
{
	char *in = line, *out;

	for (int field = 1; field < 5; field++) {
		in = strchr(in, ' ');
		if (!in)
			return NULL;
		in++;
	}
	line = out = in;
	for (; *in && *in != ' '; in++) {
		unsigned value;

		if (*in == '\\' && sscanf(in, "\\%3o", &value) == 1) {
			*out++ = (char)value;
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return line;
}

/* Unmount, the newest first; what is in use becomes read-only instead. */
static void unmount_all(void)
{
	auto_buf struct buf text = { 0 };

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, 16u << 20) < 0)
		return;
	buf_putc(&text, '\0');
	if (text.failed)
		return;
	for (char *line; text.len > 1;) {
		text.data[text.len - 1] = '\0';
		line = memrchr(text.data, '\n', text.len - 1);
		text.len = line ? (size_t)(line - text.data) + 1 : 0;
		line = mount_point(line ? line + 1 : text.data);
		if (line && umount2(line, UMOUNT_NOFOLLOW) < 0)
			(void)mount(NULL, line, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
}

int boot_end(bool restart)
{
	end_processes();
	sync();
	if (chdir("/") == 0)
		unmount_all();
	sync();
	if (reboot(restart ? RB_AUTOBOOT : RB_POWER_OFF) < 0)
		return fail_errno("ask the kernel for the end");
	return 0;
}
