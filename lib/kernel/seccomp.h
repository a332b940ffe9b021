/* SPDX-License-Identifier: MIT */
/* seccomp - system call filters: rules in, a program for the kernel out
 *
 * A filter is a list of rules. For a call whose number has rules, the first one whose conditions
 * all hold decides, in the order they were added; FALLBACK does when there is none. The program
 * looks at the ABI before anything else. */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_NONE      UINT32_MAX /* in place of a number: this ABI has no such call */
#define SECCOMP_ABIS_MAX  2
#define SECCOMP_RULES_MAX 65536
#define SECCOMP_ERRNO(e)  (SECCOMP_RET_ERRNO | (uint32_t)(e))

struct seccomp_abi {
	uint32_t audit;    /* AUDIT_ARCH_* */
	const char *arch;  /* "amd64" */
	const char *token; /* "SCMP_ARCH_X86_64" */
};

/* What programs on this machine can use: the native ABI, then the 32-bit one next to it. */
extern const struct seccomp_abi seccomp_abis[];
extern const size_t seccomp_abi_count;

enum seccomp_op {
	SECCOMP_OP_NE,
	SECCOMP_OP_LT,
	SECCOMP_OP_LE,
	SECCOMP_OP_EQ,
	SECCOMP_OP_GE,
	SECCOMP_OP_GT,
	SECCOMP_OP_MASKED_EQ, /* (argument & mask) == value */
};

/* A condition. LOW is for what the kernel takes as a 32-bit integer: it drops the high word, and so
 * must we, or bit 32 hides the value. */
struct seccomp_arg {
	uint8_t index; /* 0 to 5 */
	bool low;
	enum seccomp_op op;
	uint64_t value, mask;
};

struct seccomp_rule {
	uint32_t number[SECCOMP_ABIS_MAX]; /* by ABI */
	uint32_t action;                   /* SECCOMP_RET_* with its data */
	uint32_t first, count;             /* its conditions in the filter's list */
};

/* All zero is a filter without rules. */
struct seccomp_filter {
	uint32_t fallback; /* action for a call that no rule decides */
	uint32_t unknown;  /* the same for numbers above NEWEST */
	uint32_t foreign;  /* for every other ABI, and on amd64 for x32 */
	uint32_t newest;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* */
	bool compat;    /* judge the second ABI by the rules, else it is foreign */
	struct seccomp_rule *rules;
	struct seccomp_arg *args;
	size_t rule_count, rule_room, arg_count, arg_room;
};
#define auto_filter __attribute__((cleanup(seccomp_filter_free)))

struct seccomp_program {
	unsigned flags;
	unsigned short len;
	struct sock_filter code[BPF_MAXINSNS];
};

/* Append a rule with the COUNT conditions of ARGS, which are copied. -E2BIG above
 * SECCOMP_RULES_MAX, -ENOMEM. */
int seccomp_add(struct seccomp_filter *f, const struct seccomp_rule *rule,
	const struct seccomp_arg *args, size_t count);
void seccomp_filter_free(struct seccomp_filter *f);

/* Make the program. -E2BIG: it is longer than the kernel takes; -ENOMEM. */
int seccomp_compile(const struct seccomp_filter *f, struct seccomp_program *out);

/* The calling thread and what it starts obey P from now on. Allocates nothing. Needs no_new_privs or
 * CAP_SYS_ADMIN. -ENOSYS with the CONFIG names when the kernel has no filters; -EINVAL: it does not
 * know one of the flags. */
int seccomp_install(const struct seccomp_program *p);

/* A call that is allowed; if MASK is not 0, only where (argument ARG & MASK) == VALUE. The low word
 * counts: every argument that is judged is a 32-bit integer to the kernel. */
struct seccomp_call {
	int number;
	unsigned arg;
	uint32_t mask, value;
};

/* From now on only the COUNT calls in CALLS (native ABI) succeed; another ABI or x32 or any other
 * number kills the process. Sets no_new_privs. */
int seccomp_allow(const struct seccomp_call *calls, size_t count);

#endif
