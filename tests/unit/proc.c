/* SPDX-License-Identifier: MIT */
/* proc - unit test */
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "unit.h"

static void test_identity(void)
{
	struct proc_id me, other, child;
	int p[2], status, fd;
	pid_t pid;
	char c;

	unit_case("knows itself");
	CHECK(proc_identify(&me, 0) == 0);
	CHECK(me.pid == getpid() && me.start > 0 && me.pidns > 0);
	CHECK(proc_alive(&me));

	unit_case("tells another start time and another pid namespace apart");
	other = me;
	other.start++;
	CHECK(!proc_alive(&other));
	other = me;
	other.pidns++;
	CHECK(!proc_alive(&other));

	unit_case("counts from the last parenthesis of a hostile name");
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "a) Z 1 (b) S");
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	CHECK(read(p[0], &c, 1) == 1);
	CHECK(proc_identify(&child, pid) == 0);
	CHECK(child.start >= me.start && proc_alive(&child));

	unit_case("opens and signals exactly this process");
	other = child;
	other.start++;
	CHECK(proc_open(&other) == -ESRCH && proc_signal(&other, SIGKILL) == -ESRCH);
	other.pid = 0;
	CHECK(proc_open(&other) == -ESRCH && proc_signal(&other, SIGKILL) == -ESRCH);
	CHECK(proc_alive(&child) && proc_signal(&child, 0) == 0);
	fd = proc_open(&child);
	CHECK(fd >= 0 || fd == -ENOSYS);
	CHECK(proc_signal(&child, SIGKILL) == 0);
	CHECK(fd < 0 || poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000) == 1);

	unit_case("takes a zombie for dead");
	CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) == 0);
	CHECK(!proc_alive(&child) && proc_open(&child) == -ESRCH);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(!proc_alive(&child));
	CHECK(proc_identify(&child, pid) == -ESRCH);
	if (fd >= 0)
		close(fd);
	close(p[0]);
	close(p[1]);
}

static void test_boot_id(void)
{
	char a[37], b[37];

	unit_case("reads the boot id");
	CHECK(proc_boot_id(a) == 0 && proc_boot_id(b) == 0);
	CHECK_STR(a, b);
	CHECK(strlen(a) == 36 && strspn(a, "0123456789abcdef-") == 36);
}

static void test_fork(void)
{
	int pidfd, keep, lost, status;
	pid_t pid;

	unit_case("keeps the descriptors it is told to, closes the others");
	keep = fcntl(2, F_DUPFD_CLOEXEC, 10);
	lost = fcntl(2, F_DUPFD_CLOEXEC, 11);
	pid = proc_fork(0, &keep, 1, &pidfd);
	if (pid == 0)
		_exit(fcntl(keep, F_GETFD) >= 0 && fcntl(lost, F_GETFD) < 0 ? 7 : 1);
	CHECK(pid > 0 && pidfd >= 0 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	CHECK(proc_wait(pid, &status) == 0 && WEXITSTATUS(status) == 7);
	CHECK(fcntl(lost, F_GETFD) >= 0);
	close(pidfd);

	unit_case("forks without a pidfd asked for, leaving no descriptor");
	pid = proc_fork(0, NULL, 0, NULL);
	if (pid == 0)
		_exit(0);
	CHECK(proc_wait(pid, &status) == 0 && status == 0);
	CHECK(fcntl(pidfd, F_GETFD) < 0);
	close(keep);
	close(lost);
	CHECK(proc_wait(pid, &status) == -ECHILD);
}

/* A middle process forks with FLAGS and is killed; does the grandchild go? */
static int dies_with_parent(int flags)
{
	struct pollfd poll_end;
	int p[2], status;
	pid_t middle;
	char c;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	middle = fork();
	if (middle == 0) {
		pid_t pid = proc_fork(flags, &p[1], 1, NULL);

		if (pid == 0 && write(p[1], "x", 1) != 1)
			_exit(1);
		if (pid < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	close(p[1]);
	if (read(p[0], &c, 1) != 1)
		return -1;
	kill(middle, SIGKILL);
	waitpid(middle, &status, 0);
	poll_end = (struct pollfd){ .fd = p[0], .events = POLLIN };
	/* The pipe ends when nobody holds the other side any more. */
	status = poll(&poll_end, 1, 5000) == 1 && read(p[0], &c, 1) == 0;
	close(p[0]);
	return status;
}

/* The parent is dead before the child gets to ask for PDEATHSIG: the fork itself is the last thing
 * the parent does, many times, so that both orders happen. */
static int never_outlives(void)
{
	int p[2];
	char c;
	int status;

	if (pipe2(p, O_CLOEXEC) < 0)
		return 0;
	for (int i = 0; i < 50; i++) {
		pid_t middle = fork();

		if (middle == 0) {
			if (proc_fork(0, &p[1], 1, NULL) == 0)
				pause();
			_exit(0);
		}
		waitpid(middle, &status, 0);
	}
	close(p[1]);
	status = poll(&(struct pollfd){ .fd = p[0], .events = POLLIN }, 1, 5000) == 1 &&
		read(p[0], &c, 1) == 0;
	close(p[0]);
	return status;
}

static void test_format(void)
{
	char text[64];
	int status;
	pid_t pid;

	unit_case("says how a process ended");
	pid = fork();
	if (pid == 0)
		_exit(3);
	proc_wait(pid, &status);
	proc_format_status(text, sizeof(text), status);
	CHECK_STR(text, "exited with status 3");
	pid = fork();
	if (pid == 0)
		kill(getpid(), SIGKILL);
	proc_wait(pid, &status);
	proc_format_status(text, sizeof(text), status);
	CHECK_STR(text, "killed by SIGKILL");
}

int main(void)
{
	test_identity();
	test_boot_id();
	test_fork();
	unit_case("a child dies with its parent");
	CHECK(dies_with_parent(0) == 1);
	if (geteuid() == 0) {
		unit_case("a child in its own pid namespace dies with its parent");
		CHECK(dies_with_parent(CLONE_NEWPID) == 1);
	} else {
		unit_skip("a child in its own pid namespace dies with its parent", "needs root");
	}
	unit_case("a child whose parent is gone at once does not stay");
	CHECK(never_outlives() == 1);
	test_format();
	return unit_end();
}
