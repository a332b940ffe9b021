/* SPDX-License-Identifier: MIT */
/* sig - unit test */
#include "kernel/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static int resets(void)
{
	struct sigaction action;
	sigset_t mask;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigfillset(&mask);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sig_reset();
	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i < 32; i++) {
		sigaction(i, NULL, &action);
		if (sigismember(&mask, i) || action.sa_handler != SIG_DFL)
			return i;
	}
	return 0;
}

static int run(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	struct signalfd_siginfo info;
	sigset_t old, now;
	int fd;

	unit_case("reads names and numbers in any case");
	CHECK(sig_parse("TERM") == SIGTERM);
	CHECK(sig_parse("SIGTERM") == SIGTERM);
	CHECK(sig_parse("sigwinch") == SIGWINCH);
	CHECK(sig_parse("15") == 15 && sig_parse("64") == 64 && sig_parse("1") == 1);
	CHECK(sig_parse("RTMIN") == SIGRTMIN);
	CHECK(sig_parse("SIGRTMIN+3") == SIGRTMIN + 3);
	CHECK(sig_parse("rtmax-1") == 63);
	CHECK(sig_parse("POLL") == SIGIO);

	unit_case("refuses everything else");
	CHECK(sig_parse("") == -EINVAL);
	CHECK(sig_parse("SIG") == -EINVAL);
	CHECK(sig_parse("TERMS") == -EINVAL);
	CHECK(sig_parse("0") == -EINVAL && sig_parse("65") == -EINVAL);
	CHECK(sig_parse("-9") == -EINVAL && sig_parse("9 ") == -EINVAL);
	CHECK(sig_parse("9x") == -EINVAL);
	CHECK(sig_parse("99999999999999999999") == -EINVAL);
	CHECK(sig_parse("RTMIN-1") == -EINVAL && sig_parse("RTMIN+") == -EINVAL);
	CHECK(sig_parse("RTMIN+99") == -EINVAL);
	CHECK(sig_parse("SIGSIGTERM") == -EINVAL);

	unit_case("names signals");
	CHECK_STR(sig_name(SIGKILL), "SIGKILL");
	CHECK_STR(sig_name(40), "signal 40");
	CHECK_STR(sig_name(0), "signal 0");
	CHECK_STR(sig_name(-3), "signal -3");

	unit_case("resets every disposition and the mask");
	CHECK(run(resets) == 0);

	unit_case("delivers blocked signals through a descriptor");
	fd = sig_open(NULL, &old);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(!sigismember(&old, SIGUSR1));
	CHECK(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
	kill(getpid(), SIGUSR1);
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGTERM) && !sigismember(&now, SIGSEGV));
	close(fd);
	return unit_end();
}
