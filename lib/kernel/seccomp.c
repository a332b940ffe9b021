/* SPDX-License-Identifier: MIT */
/* seccomp - system call filters */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/attr.h"
#include "base/fail.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64 /* x32 shares it: its numbers have bit 30 set, so none is listed */
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARMEL__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCH AUDIT_ARCH_S390X
#elif defined(__mips__) && defined(__MIPSEL__) && !defined(__mips64)
#define ARCH AUDIT_ARCH_MIPSEL
#elif defined(__mips__) && !defined(__mips64)
#define ARCH AUDIT_ARCH_MIPS
#else
#error "name the audit architecture of this machine"
#endif

#define COUNT_MAX 200
#define CALL_MAX  6 /* instructions of one call */
#define LOAD(at)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define ALLOW     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
/* Go on with the next instruction if the accumulator is VALUE, else pass over SKIP of them. */
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))

/* Where the low half of an argument lies. */
static uint32_t low_half(unsigned arg)
{
	const uint32_t at = offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? at + 4 : at;
}

/* The instructions for CALL; the accumulator holds the number before and after. Returns their count. */
static size_t add_call(struct sock_filter *to, const struct seccomp_call *call)
{
	const uint32_t number = (uint32_t)call->number;
	const struct sock_filter plain[] = { UNLESS(number, 1), ALLOW };
	const struct sock_filter judged[CALL_MAX] = {
		UNLESS(number, 5),
		LOAD(low_half(call->arg)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, call->mask),
		UNLESS(call->value, 1),
		ALLOW,
		LOAD(offsetof(struct seccomp_data, nr)),
	};
	const size_t count = call->mask ? ARRAY_LEN(judged) : ARRAY_LEN(plain);

	memcpy(to, call->mask ? judged : plain, count * sizeof(*to));
	return count;
}

int seccomp_allow(const struct seccomp_call *calls, size_t count)
{
	struct sock_filter code[4 + COUNT_MAX * CALL_MAX + 1] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		KILL,
		LOAD(offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .filter = code };
	size_t n = 4;
	int r;

	if (count > COUNT_MAX)
		return fail(EINVAL, "a filter of %zu system calls is too long", count);
	for (size_t i = 0; i < count; i++)
		n += add_call(code + n, &calls[i]);
	code[n++] = (struct sock_filter)KILL;
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno("set no_new_privs");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return fail_errno("load a system call filter");
	r = fail(ENOSYS, "this kernel has no system call filters");
	return fail_hint(r, "it needs CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER");
}
