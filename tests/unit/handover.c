/* SPDX-License-Identifier: MIT */
/* handover - unit test: this program, run again as qmon, is the monitor */
#include "engine/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "unit.h"

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* --- the monitor --- */

static bool is_clean(void)
{
	struct sigaction action;
	sigset_t mask;
	char cwd[8];

	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigaction(SIGUSR1, NULL, &action);
	return getsid(0) == getpid() && !sigismember(&mask, SIGUSR2) &&
		action.sa_handler == SIG_DFL && getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") == 0 &&
		fcntl(9, F_GETFD) < 0 && fcntl(0, F_GETFD) >= 0;
}

/* What it does stands in its spec. */
static int act(char *number)
{
	struct handover h;
	int r = handover_receive(&h, atoi(number)), mark;

	if (r < 0)
		return 3;
	if (!is_clean())
		r = fail(EIO, "not clean");
	else if (strcmp(h.id, id) != 0 || h.run != 5 || h.policy.restart != RESTART_ON_FAILURE ||
		h.policy.max != 7 || !h.store || strcmp(h.store, "/a \"store\"") != 0)
		r = fail(EIO, "members");
	else if (strcmp(h.spec, "{\"do\":\"die\"}") == 0)
		raise(SIGKILL);
	else if (strcmp(h.spec, "{\"do\":\"fail\"}") == 0)
		r = fail_hint(fail(ENOENT, "no 'program'"), "bring it in");
	mark = openat(h.dir, "mark", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (mark < 0 || fcntl(h.home, F_GETFD) != FD_CLOEXEC)
		r = fail(EIO, "descriptors");
	handover_answer(&h, r, 127);
	handover_answer(&h, -EIO, 1); /* once */
	handover_free(&h);
	return 0;
}

/* --- who starts it --- */

static int start(int dir, const char *spec, int *status)
{
	struct handover h = {
		.id = id,
		.store = "/a \"store\"",
		.run = 5,
		.policy = { RESTART_ON_FAILURE, 7 },
		.spec = spec,
		.dir = dir,
		.home = dir,
	};

	fflush(stdout);
	return handover_start(&h, status);
}

static int receive(const char *text, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;
	struct handover h;

	CHECK(fd_write(fd, text, strlen(text)) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, seals) == 0);
	r = handover_receive(&h, fd);
	handover_free(&h);
	return r;
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/qbox-handover.XXXXXX";
	int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int dir, status, ended;
	sigset_t set;

	if (strcmp(argv[0], "qmon") == 0)
		return argc == 2 ? act(argv[1]) : 2;
	CHECK(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* None of this is inherited. */
	CHECK(dup2(dir, 9) == 9);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);

	unit_case("hands over, the container runs");
	CHECK(start(dir, "{}", &status) == 0);
	CHECK(unlinkat(dir, "mark", 0) == 0);
	CHECK(wait(&ended) > 0 && ended == 0);

	unit_case("brings back why it cannot run");
	CHECK(start(dir, "{\"do\":\"fail\"}", &status) == -ENOENT && status == 127);
	CHECK_STR(fail_text(), "no 'program'");
	CHECK_STR(fail_hint_text(), "bring it in");
	CHECK(unlinkat(dir, "mark", 0) == 0 && wait(&ended) < 0);

	unit_case("knows when the monitor dies");
	CHECK(start(dir, "{\"do\":\"die\"}", &status) == -EIO && status == 125);
	CHECK(strstr(fail_text(), "died before"));

	unit_case("takes nothing that others made");
	CHECK(receive("{}", 0) == -EPERM);
	CHECK(receive("{}", F_SEAL_WRITE) == -EPERM);
	CHECK(receive("{}", seals) == -EPERM);
	CHECK(receive("{\"v\":1,\"exe\":\"1:1\"}", seals) == -EPERM);
	CHECK(receive("", seals) == -EBADMSG);
	{
		struct handover h;

		CHECK(handover_receive(&h, open("/dev/null", O_RDONLY | O_CLOEXEC)) == -EPERM);
		handover_free(&h);
		CHECK(handover_receive(&h, -1) == -EPERM);
		handover_free(&h);
	}
	close(dir);
	CHECK(rmdir(path) == 0);
	return unit_end();
}
