/* SPDX-License-Identifier: MIT */
/* startproc - steps of the new process: what it may do, and the program it becomes */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/start.h"

#include "base/attr.h"
#include "kernel/caps.h"
#include "kernel/fd.h"
#include "kernel/ns.h"
#include "kernel/sig.h"

int start_session(struct start *s)
{
	/* Away from the caller's terminal: it is not ours to type into (CVE-2017-5226). */
	if (setsid() < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		if (s->stdio[i] >= 0 && dup2(s->stdio[i], i) < 0)
			return -errno;
	return 0;
}

/* --- limits --- */

static int lower_limit(const struct spec_rlimit *want)
{
	struct rlimit now;

	if (getrlimit(want->resource, &now) < 0)
		return -errno;
	if (now.rlim_max > want->hard)
		now.rlim_max = want->hard;
	now.rlim_cur = want->soft < now.rlim_max ? want->soft : now.rlim_max;
	return setrlimit(want->resource, &now) < 0 ? -errno : 0;
}

static int set_oom_score(int score)
{
	auto_close int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char text[16] = "";

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (score == INT_MIN) {
		/* A caller that the memory killer spares must not pass that on. */
		if (fd_read(fd, text, sizeof(text) - 1) < 0 || text[0] != '-')
			return 0;
		score = 0;
	}
	snprintf(text, sizeof(text), "%d", score);
	return fd_write(fd, text, strlen(text));
}

int start_limits(struct start *s)
{
	int r = set_oom_score(s->spec->oom_score);

	for (size_t i = 0; i < s->spec->rlimit_count && r == 0; i++)
		r = lower_limit(&s->spec->rlimits[i]);
	return r;
}

/* --- namespaces --- */

int start_hostname(struct start *s)
{
	const char *name = s->spec->hostname;

	return sethostname(name, strlen(name)) < 0 ? start_failed(s, errno, name) : 0;
}

int start_network(struct start *s)
{
	return s->spec->namespaces & CLONE_NEWNET ? ns_loopback_up() : 0;
}

int start_keyring(struct start *s)
{
	(void)s;
	/* Keyrings have no namespace: with the caller's go its keys. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return -errno;
	return 0;
}

/* --- credentials --- */

/* A change of credentials takes PDEATHSIG back. The parent holds the other end of the report
 * until it dies, and that is seen here. */
static void follow_parent(int report)
{
	struct pollfd p = { .fd = report };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&p, 1, 0) > 0 && p.revents & POLLERR)
		_exit(EXIT_FAILURE);
}

int start_credentials(struct start *s)
{
	const struct passwd_user *u = &s->user;
	uint64_t have = 0;
	int r;

	snprintf(s->object, sizeof(s->object), "%s", s->spec->user);
	/* Pipes of ours stand for the terminal: /dev/stdout must open for the user, too. */
	for (int i = 0; i < 3; i++)
		if (s->stdio[i] >= 0 && fchown(i, u->uid, u->gid) < 0)
			return -errno;
	r = caps_get(&have);
	if (r == 0)
		r = caps_bound(s->spec->caps);
	if (r < 0)
		return r;
	/* A filter needs a right that goes here, or the promise to gain none. */
	if (s->spec->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (s->filter && !s->spec->no_new_privileges) {
		r = seccomp_install(s->filter);
		if (r < 0)
			return r;
	}
	if (setgroups(u->group_count, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
		setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	/* What another user than root would have lost at the exec is gone already. */
	r = caps_set(u->uid == 0 ? s->spec->caps & have : 0);
	if (r < 0)
		return r;
	if (!s->stays)
		follow_parent(s->report);
	s->object[0] = '\0';
	return 0;
}

int start_chdir(struct start *s)
{
	char path[PATH_MAX];

	if (fchdir(s->workdir) < 0)
		return start_failed(s, errno, s->spec->cwd);
	/* The system call itself: outside the root it says "(unreachable)" (CVE-2024-21626). */
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0 || path[0] != '/') {
		s->hint = HINT_OUTSIDE;
		return start_failed(s, ENOENT, s->spec->cwd);
	}
	return 0;
}

int start_wait(struct start *s)
{
	char path[START_FD_PATH];
	auto_close int fd = -1;

	if (s->wait >= 0) {
		/* All is set up: the parent learns that by the end of the report. */
		close(s->report);
		s->report = -1;
		fd = open(start_fd_path(path, s->wait), O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	return s->filter && s->spec->no_new_privileges ? seccomp_install(s->filter) : 0;
}

/* --- exec --- */

/* The environment of the spec and, unless it is set, HOME. */
static char **make_env(const struct start *s)
{
	size_t count = 0;
	char **env;

	while (s->spec->env[count])
		count++;
	env = calloc(count + 2, sizeof(*env));
	if (!env)
		return NULL;
	memcpy(env, s->spec->env, count * sizeof(*env));
	if (spec_env(s->spec, "HOME") || asprintf(&env[count], "HOME=%s", s->user.home) >= 0)
		return env;
	free(env);
	return NULL;
}

/* Try the directories of PATH. Returns an errno value: EACCES if one had it but must not be run. */
static int search_path(const char *name, char *const *args, char *const *env, const char *path)
{
	char file[PATH_MAX];
	int seen = ENOENT;

	while (*path) {
		size_t len = strcspn(path, ":");

		/* An empty part would be the working directory, which is nobody's wish. */
		if (len > 0 &&
			snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name) <
				(int)sizeof(file)) {
			execve(file, args, env);
			if (errno == ENOENT && access(file, F_OK) == 0)
				return -ENOENT;
			if (errno == EACCES)
				seen = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		path += len + (path[len] == ':');
	}
	return seen;
}

/* Returns what execve left in errno, or -ENOENT if the file is there and something behind it is
 * not. */
static int execute(const char *name, char *const *args, char *const *env, const char *path)
{
	if (!*name)
		return ENOENT;
	if (!strchr(name, '/'))
		return search_path(name, args, env, path);
	execve(name, args, env);
	if (errno == ENOENT && access(name, F_OK) == 0)
		return -ENOENT;
	return errno;
}

int start_exec(struct start *s)
{
	char *const *args = s->spec->args;
	const char *path = spec_env(s->spec, "PATH");
	char **env = make_env(s);
	int err;

	if (!env)
		return -ENOMEM;
	umask(s->spec->umask);
	sig_reset();
	fd_close_others(&s->report, s->report >= 0);
	err = execute(args[0], args, env, path ? path : "");
	s->status = err == ENOENT || err == ENOTDIR ? 127 : 126;
	if (err < 0)
		s->hint = HINT_INTERPRETER;
	return start_failed(s, err < 0 ? -err : err, args[0]);
}
