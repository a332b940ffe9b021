/* SPDX-License-Identifier: MIT */
/* seccomp - system call filters
 *
 * This issue needs one form: an allow-list of plain numbers for our own confined processes. */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include <stddef.h>

/* From now on only the COUNT calls in NUMBERS (native ABI, at most 200) succeed; another ABI or x32 or
 * any other number kills the process. Sets no_new_privs. -ENOSYS with the CONFIG names when the kernel
 * has no CONFIG_SECCOMP_FILTER. */
int seccomp_allow(const int *numbers, size_t count);

#endif
