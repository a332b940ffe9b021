/* SPDX-License-Identifier: MIT */
/* syscalls - the table that syscalls.awk makes of syscalls.txt: names, numbers, default rules
 *
 * It has the native ABI of the target and the 32-bit one next to it, in the order of seccomp_abis;
 * on machines other than amd64, x86, arm64 and arm it is empty. */
#ifndef ENGINE_SYSCALLS_H
#define ENGINE_SYSCALLS_H

#include <stddef.h>
#include <stdint.h>

enum syscall_rule {
	SYSCALL_RULE_ALLOW = 64, /* below: the number of a capability that allows it */
	SYSCALL_RULE_DENY,
	SYSCALL_RULE_CLONE,
	SYSCALL_RULE_CLONE3,
	SYSCALL_RULE_IOCTL,
	SYSCALL_RULE_PERSONALITY,
	SYSCALL_RULE_PTRACE,
	SYSCALL_RULE_SOCKET,
};

struct syscall {
	uint16_t name;      /* offset in syscall_names */
	uint16_t number[2]; /* see syscall_number */
	uint8_t ints;       /* bit I: argument I is a 32-bit integer */
	uint8_t rule;
};

extern const char syscall_names[];
extern const struct syscall syscalls[]; /* sorted by name */
extern const size_t syscall_count;
extern const uint32_t syscall_newest; /* the highest number that any ABI has in its usual range */

#endif
