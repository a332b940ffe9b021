/* SPDX-License-Identifier: MIT */
/* seccomp - system call filters */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

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

#define COUNT_MAX 200 /* jumps reach 255 instructions */
#define HEAD      4
#define KILL      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

int seccomp_allow(const int *numbers, size_t count)
{
	struct sock_filter code[HEAD + COUNT_MAX + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		KILL,
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .len = (unsigned short)(HEAD + count + 2), .filter = code };
	struct sock_filter *at = code + HEAD;
	int r;

	if (count > COUNT_MAX)
		return fail(EINVAL, "a filter of %zu system calls is too long", count);
	/* From number I on there are COUNT - I - 1 more, then the end that kills, then the one that allows. */
	for (size_t i = 0; i < count; i++)
		*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(unsigned)numbers[i], (unsigned char)(count - i), 0);
	*at++ = (struct sock_filter)KILL;
	*at = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno("set no_new_privs");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return fail_errno("load a system call filter");
	r = fail(ENOSYS, "this kernel has no system call filters");
	return fail_hint(r, "it needs CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER");
}
