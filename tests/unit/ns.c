/* SPDX-License-Identifier: MIT */
/* ns - unit test */
#include "kernel/ns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* Does 127.0.0.1 answer? A connection to a closed port is refused only by a live interface. */
static int try_loopback(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int brings_up(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return 1;
	if (try_loopback() != ENETUNREACH)
		return 2;
	if (ns_loopback_up() != 0)
		return 3;
	if (try_loopback() != ECONNREFUSED)
		return 4;
	return ns_loopback_up() == 0 ? 0 : 5;
}

static int unprivileged(void)
{
	if (unshare(CLONE_NEWNET) < 0 || setuid(65534) < 0)
		return 1;
	return ns_loopback_up() == -EPERM ? 0 : 2;
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

int main(void)
{
	unit_case("names the option of each namespace");
	CHECK_STR(ns_config_name(CLONE_NEWUSER), "CONFIG_USER_NS");
	CHECK_STR(ns_config_name(CLONE_NEWNET), "CONFIG_NET_NS");
	CHECK(!ns_config_name(0) && !ns_config_name(CLONE_NEWNET | CLONE_NEWPID));
	if (geteuid() != 0) {
		unit_skip("brings loopback up", "needs root");
		return unit_end();
	}
	unit_case("brings loopback up, once and again");
	CHECK(run(brings_up) == 0);
	unit_case("needs the right to do so");
	CHECK(run(unprivileged) == 0);
	return unit_end();
}
