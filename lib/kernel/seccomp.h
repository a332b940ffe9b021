/* SPDX-License-Identifier: MIT */
/* seccomp - system call filters
 *
 * This issue needs one form: an allow-list for our own confined processes. */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include <stddef.h>
#include <stdint.h>

/* A call that is allowed; if MASK is not 0, only where (argument ARG & MASK) == VALUE. The low word
 * counts: every argument that is judged is a 32-bit integer to the kernel. */
struct seccomp_call {
	int number;
	unsigned arg;
	uint32_t mask, value;
};

/* From now on only the COUNT calls (at most 200) in CALLS (native ABI) succeed; another ABI or x32 or any
 * other number kills the process. Sets no_new_privs. -ENOSYS with the CONFIG names when the kernel has no
 * CONFIG_SECCOMP_FILTER. */
int seccomp_allow(const struct seccomp_call *calls, size_t count);

#endif
