/* SPDX-License-Identifier: MIT */
/* seccomp - unit test */
#include "kernel/seccomp.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* The sanitizers' own calls are not on the lists: nothing of theirs may run under a filter. */
#define BARE __attribute__((no_sanitize("address", "undefined")))

static void BARE leave(int status)
{
	syscall(SYS_exit_group, status);
}

static const struct seccomp_call few[] = { { SYS_exit }, { SYS_exit_group }, { SYS_getpid },
	{ SYS_prctl } };

static int BARE allows(void)
{
	if (seccomp_allow(few, 4) < 0)
		return 1;
	if (syscall(SYS_getpid) <= 0)
		leave(2);
	/* The last of the list, and proof that no_new_privs is on. */
	leave(syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3);
	return 4;
}

static int BARE kills(void)
{
	if (seccomp_allow(few, 4) < 0)
		return 1;
	syscall(SYS_getppid);
	leave(2);
	return 3;
}

/* A long list: the first and the last number, and one that is missing. */
static int BARE longest(int missing)
{
	struct seccomp_call calls[200];

	/* Conditions make the longest programs. */
	for (int i = 0; i < 200; i++)
		calls[i] = (struct seccomp_call){ 2000 + i, 5, ~0u, 1 };
	calls[0] = (struct seccomp_call){ SYS_getpid };
	calls[198] = (struct seccomp_call){ SYS_exit };
	calls[199] = (struct seccomp_call){ SYS_exit_group };
	if (seccomp_allow(calls, 200) < 0)
		return 1;
	syscall(missing ? SYS_getppid : SYS_getpid);
	leave(0);
	return 2;
}

static int longest_allows(void)
{
	return longest(0);
}

static int longest_kills(void)
{
	return longest(1);
}

/* dup2 to 100 or 101, and to no other number below 256. */
static int BARE judges(long to)
{
	static const struct seccomp_call calls[] = {
		{ SYS_exit_group },
		{ SYS_dup3, 1, 0xff, 100 },
		{ SYS_dup3, 1, 0xff, 101 },
		{ SYS_getpid },
	};

	if (seccomp_allow(calls, 4) < 0)
		return 1;
	syscall(SYS_dup3, 0, to, 0);
	/* The number is looked at again after a condition. */
	leave(syscall(SYS_getpid) > 0 ? 0 : 2);
	return 3;
}

static int allows_one_value(void)
{
	return judges(100);
}

static int allows_another_value(void)
{
	return judges(101);
}

static int allows_by_mask(void)
{
	return judges(0x164);
}

static int allows_high_half(void)
{
	return judges((long)0x100000064);
}

static int kills_other_value(void)
{
	return judges(102);
}

static int BARE empty_kills(void)
{
	seccomp_allow(NULL, 0);
	leave(0);
	return 1;
}

#ifdef __x86_64__
static int BARE kills_x32(void)
{
	if (seccomp_allow(few, 4) < 0)
		return 1;
	syscall(SYS_getpid | 0x40000000);
	leave(2);
	return 3;
}

static void getpid_of_i386(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
}

static int i386_works(void)
{
	signal(SIGSEGV, SIG_DFL); /* no report of a sanitizer */
	getpid_of_i386();
	return 0;
}

/* getpid is 20 for i386, which is writev here; the filter must not take one for the other. */
static int BARE kills_i386(void)
{
	static const struct seccomp_call with_20[] = { { SYS_exit }, { SYS_exit_group }, { 20 } };

	if (seccomp_allow(with_20, 3) < 0)
		return 1;
	getpid_of_i386();
	leave(2);
	return 3;
}
#endif

/* The status, or minus the signal. */
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
	static struct seccomp_call calls[2000];

	unit_case("allows what is listed");
	CHECK(run(allows) == 0);
	unit_case("kills for what is not");
	CHECK(run(kills) == -SIGSYS);
	unit_case("reaches both ends of a long list");
	CHECK(run(longest_allows) == 0);
	CHECK(run(longest_kills) == -SIGSYS);
	unit_case("judges an argument");
	CHECK(run(allows_one_value) == 0);
	CHECK(run(allows_another_value) == 0);
	CHECK(run(allows_by_mask) == 0);
	CHECK(run(allows_high_half) == 0);
	CHECK(run(kills_other_value) == -SIGSYS);
	unit_case("kills for everything when nothing is listed");
	CHECK(run(empty_kills) == -SIGSYS);
	unit_case("refuses what the kernel would not take");
	for (int i = 0; i < 2000; i++)
		calls[i] = (struct seccomp_call){ 3 * i, 5, ~0u, 1 };
	CHECK(seccomp_allow(calls, 2000) == -E2BIG);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
#ifdef __x86_64__
	unit_case("kills for the numbers of x32");
	CHECK(run(kills_x32) == -SIGSYS);
	if (run(i386_works) == 0) {
		unit_case("kills for the calls of i386");
		CHECK(run(kills_i386) == -SIGSYS);
	} else {
		unit_skip("kills for the calls of i386", "this kernel has none");
	}
#endif
	return unit_end();
}
