/* SPDX-License-Identifier: MIT */
/* seccomp - system call filters: rules in, a program for the kernel out
 *
 * The rules of an ABI become ranges of numbers with one decision each, and those a balanced tree of
 * comparisons. Classic BPF only jumps forward, by at most 255 instructions where it decides
 * something; so the program is made from its end, and a label is a distance from there: every
 * target is known when a jump to it is made. */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"

#define X32_BIT   0x40000000u
#define NUMBERS   ((uint64_t)UINT32_MAX + 1)
#define JUMP_MAX  255
#define LOW_WORD  (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)
#define HIGH_WORD (4 - LOW_WORD)

const struct seccomp_abi seccomp_abis[] = {
#if defined(__x86_64__)
	{ AUDIT_ARCH_X86_64, "amd64", "SCMP_ARCH_X86_64" },
	{ AUDIT_ARCH_I386, "x86", "SCMP_ARCH_X86" },
#elif defined(__i386__)
	{ AUDIT_ARCH_I386, "x86", "SCMP_ARCH_X86" },
#elif defined(__aarch64__) && defined(__AARCH64EL__)
	{ AUDIT_ARCH_AARCH64, "arm64", "SCMP_ARCH_AARCH64" },
	{ AUDIT_ARCH_ARM, "arm", "SCMP_ARCH_ARM" },
#elif defined(__arm__) && defined(__ARMEL__)
	{ AUDIT_ARCH_ARM, "arm", "SCMP_ARCH_ARM" },
#elif defined(__riscv) && __riscv_xlen == 64
	{ AUDIT_ARCH_RISCV64, "riscv64", "SCMP_ARCH_RISCV64" },
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	{ AUDIT_ARCH_PPC64LE, "ppc64le", "SCMP_ARCH_PPC64LE" },
#elif defined(__s390x__)
	{ AUDIT_ARCH_S390X, "s390x", "SCMP_ARCH_S390X" },
#elif defined(__mips__) && defined(__MIPSEL__) && !defined(__mips64)
	{ AUDIT_ARCH_MIPSEL, "mipsel", "SCMP_ARCH_MIPSEL" },
#elif defined(__mips__) && !defined(__mips64)
	{ AUDIT_ARCH_MIPS, "mips", "SCMP_ARCH_MIPS" },
#else
#error "name the audit architecture of this machine"
#endif
};
const size_t seccomp_abi_count = ARRAY_LEN(seccomp_abis);

/* --- rules --- */

/* Room for MORE items of SIZE bytes in the array *P that holds COUNT. */
static int grow(void *p, size_t *room, size_t count, size_t more, size_t size)
{
	void **items = p, *bigger;
	size_t want = *room ? *room : 64;

	while (want < count + more)
		want *= 2;
	if (want == *room)
		return 0;
	bigger = realloc(*items, want * size);
	if (!bigger)
		return fail(ENOMEM, "out of memory for a system call filter");
	*items = bigger;
	*room = want;
	return 0;
}

int seccomp_add(struct seccomp_filter *f, const struct seccomp_rule *rule,
	const struct seccomp_arg *args, size_t count)
{
	int r;

	if (f->rule_count == SECCOMP_RULES_MAX)
		return fail(E2BIG, "a filter of more than %d rules", SECCOMP_RULES_MAX);
	r = grow(&f->rules, &f->rule_room, f->rule_count, 1, sizeof(*f->rules));
	if (r == 0)
		r = grow(&f->args, &f->arg_room, f->arg_count, count, sizeof(*f->args));
	if (r < 0)
		return r;
	if (count)
		memcpy(f->args + f->arg_count, args, count * sizeof(*args));
	f->rules[f->rule_count] = *rule;
	f->rules[f->rule_count].first = (uint32_t)f->arg_count;
	f->rules[f->rule_count++].count = (uint32_t)count;
	f->arg_count += count;
	return 0;
}

void seccomp_filter_free(struct seccomp_filter *f)
{
	free(f->rules);
	free(f->args);
	*f = (struct seccomp_filter){ 0 };
}

/* --- instructions --- */

/* COUNT goes on above what fits, so that the error can tell the need. */
struct emitter {
	const struct seccomp_filter *filter;
	struct sock_filter *code;
	size_t count; /* also the label of what was made last */
};

static size_t emit(struct emitter *e, unsigned code, struct sock_filter rest)
{
	rest.code = (uint16_t)code;
	if (++e->count <= BPF_MAXINSNS)
		e->code[BPF_MAXINSNS - e->count] = rest;
	return e->count;
}

static size_t emit_load(struct emitter *e, size_t offset)
{
	return emit(e, BPF_LD | BPF_W | BPF_ABS, (struct sock_filter){ .k = (uint32_t)offset });
}

/* The end of the program; one that is near enough is used again. */
static size_t emit_return(struct emitter *e, uint32_t action)
{
	if (e->count <= BPF_MAXINSNS)
		for (size_t label = e->count; label > 0 && e->count - label < JUMP_MAX / 2;
			label--) {
			const struct sock_filter *at = &e->code[BPF_MAXINSNS - label];

			if (at->code == (BPF_RET | BPF_K) && at->k == action)
				return label;
		}
	return emit(e, BPF_RET | BPF_K, (struct sock_filter){ .k = action });
}

/* A label that means LABEL and that the instruction after the next SPARE ones can jump to. */
static size_t reachable(struct emitter *e, size_t label, size_t spare)
{
	size_t distance = e->count - label;

	if (distance + spare <= JUMP_MAX)
		return label;
	return emit(e, BPF_JMP | BPF_JA, (struct sock_filter){ .k = (uint32_t)distance });
}

static size_t emit_jump(struct emitter *e, unsigned test, uint32_t value, size_t yes, size_t no)
{
	yes = reachable(e, yes, 1);
	no = reachable(e, no, 0);
	return emit(e, BPF_JMP | BPF_K | test,
		(struct sock_filter){ .k = value,
			.jt = (uint8_t)(e->count - yes),
			.jf = (uint8_t)(e->count - no) });
}

static size_t emit_word(
	struct emitter *e, const struct seccomp_arg *a, size_t offset, uint32_t mask)
{
	if (a->op == SECCOMP_OP_MASKED_EQ)
		emit(e, BPF_ALU | BPF_AND | BPF_K, (struct sock_filter){ .k = mask });
	return emit_load(e, offsetof(struct seccomp_data, args) + 8 * a->index + offset);
}

static size_t emit_condition(struct emitter *e, const struct seccomp_arg *a, size_t yes, size_t no)
{
	bool negated = a->op == SECCOMP_OP_NE || a->op == SECCOMP_OP_LT || a->op == SECCOMP_OP_LE;
	size_t when = negated ? no : yes, otherwise = negated ? yes : no, low, same;
	unsigned test = BPF_JEQ;

	if (a->op == SECCOMP_OP_GE || a->op == SECCOMP_OP_LT)
		test = BPF_JGE;
	else if (a->op == SECCOMP_OP_GT || a->op == SECCOMP_OP_LE)
		test = BPF_JGT;
	emit_jump(e, test, (uint32_t)a->value, when, otherwise);
	low = emit_word(e, a, LOW_WORD, (uint32_t)a->mask);
	if (a->low)
		return low;
	same = emit_jump(e, BPF_JEQ, (uint32_t)(a->value >> 32), low, otherwise);
	if (test != BPF_JEQ)
		emit_jump(e, BPF_JGT, (uint32_t)(a->value >> 32), when, same);
	return emit_word(e, a, HIGH_WORD, (uint32_t)(a->mask >> 32));
}

/* --- ranges of numbers --- */

struct item {
	uint32_t number;
	uint32_t rule;
};

/* The numbers from FROM up to the next range: COUNT rules with conditions, then ACTION. */
struct range {
	uint32_t from, action;
	const struct item *rules;
	size_t count;
};

static size_t emit_range(struct emitter *e, const struct range *range)
{
	size_t no = emit_return(e, range->action);

	for (size_t i = range->count; i-- > 0;) {
		const struct seccomp_rule *rule = &e->filter->rules[range->rules[i].rule];
		size_t yes = emit_return(e, rule->action);

		for (size_t j = rule->count; j-- > 0;)
			yes = emit_condition(e, &e->filter->args[rule->first + j], yes, no);
		no = yes;
	}
	return no;
}

static size_t emit_tree(struct emitter *e, const struct range *ranges, size_t count)
{
	size_t half = count / 2, above, below;

	if (count == 1)
		return emit_range(e, ranges);
	above = emit_tree(e, ranges + half, count - half);
	below = emit_tree(e, ranges, half);
	return emit_jump(e, BPF_JGE, ranges[half].from, above, below);
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* What is decided about number N without a rule, and *END, the first number where that ends. */
static uint32_t without_rule(const struct seccomp_filter *f, size_t abi, uint32_t n, uint64_t *end)
{
	bool x32 = seccomp_abis[abi].audit == AUDIT_ARCH_X86_64;

	if (n <= f->newest) {
		*end = (uint64_t)f->newest + 1;
		return f->fallback;
	}
	*end = x32 && n < X32_BIT ? X32_BIT : NUMBERS;
	return x32 && n >= X32_BIT ? f->foreign : f->unknown;
}

static size_t add_range(struct range *ranges, size_t count, struct range new)
{
	if (count && !new.count && !ranges[count - 1].count &&
		ranges[count - 1].action == new.action)
		return count;
	ranges[count] = new;
	return count + 1;
}

static size_t make_ranges(struct range *ranges, const struct seccomp_filter *f, size_t abi,
	const struct item *items, size_t count)
{
	size_t made = 0, i = 0;

	for (uint64_t at = 0, end; at < NUMBERS; at = end) {
		struct range range = { .from = (uint32_t)at };

		range.action = without_rule(f, abi, range.from, &end);
		if (i == count || items[i].number > at) {
			if (i < count && items[i].number < end)
				end = items[i].number;
			made = add_range(ranges, made, range);
			continue;
		}
		end = at + 1;
		range.rules = items + i;
		while (i < count && items[i].number == at && f->rules[items[i].rule].count)
			i++;
		range.count = (size_t)(items + i - range.rules);
		if (i < count && items[i].number == at)
			range.action = f->rules[items[i].rule].action;
		while (i < count && items[i].number == at)
			i++;
		made = add_range(ranges, made, range);
	}
	return made;
}

/* The part of the program for one ABI. */
static int emit_abi(struct emitter *e, size_t abi, size_t *label)
{
	const struct seccomp_filter *f = e->filter;
	auto_free struct item *items = calloc(f->rule_count + 1, sizeof(*items));
	/* A range for each number with rules, one after each, and three without any. */
	auto_free struct range *ranges = calloc(2 * f->rule_count + 3, sizeof(*ranges));
	size_t count = 0;

	if (!items || !ranges)
		return fail(ENOMEM, "out of memory for a system call filter");
	for (size_t i = 0; i < f->rule_count; i++)
		if (f->rules[i].number[abi] != SECCOMP_NONE)
			items[count++] = (struct item){ f->rules[i].number[abi], (uint32_t)i };
	qsort(items, count, sizeof(*items), compare_items);
	emit_tree(e, ranges, make_ranges(ranges, f, abi, items, count));
	*label = emit_load(e, offsetof(struct seccomp_data, nr));
	return 0;
}

/* --- programs --- */

int seccomp_compile(const struct seccomp_filter *f, struct seccomp_program *out)
{
	struct emitter e = { .filter = f, .code = out->code };
	size_t labels[SECCOMP_ABIS_MAX], abis = f->compat ? seccomp_abi_count : 1, no;

	out->len = 0;
	out->flags = f->flags;
	for (size_t abi = abis; abi-- > 0;) {
		int r = emit_abi(&e, abi, &labels[abi]);

		if (r < 0)
			return r;
	}
	no = emit_return(&e, f->foreign);
	for (size_t abi = abis; abi-- > 0;)
		no = emit_jump(&e, BPF_JEQ, seccomp_abis[abi].audit, labels[abi], no);
	emit_load(&e, offsetof(struct seccomp_data, arch));
	if (e.count > BPF_MAXINSNS)
		return fail(E2BIG, "the filter needs %zu instructions, the kernel takes %d",
			e.count, BPF_MAXINSNS);
	memmove(out->code, out->code + BPF_MAXINSNS - e.count, e.count * sizeof(*out->code));
	out->len = (unsigned short)e.count;
	return 0;
}

int seccomp_install(const struct seccomp_program *p)
{
	struct sock_fprog program = { .len = p->len };
	int r;

	memcpy(&program.filter, &(const struct sock_filter *){ p->code }, sizeof(program.filter));
	/* prctl is older than seccomp, but has no flags. */
	if (p->flags)
		r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->flags, &program);
	else
		r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
	if (r == 0)
		return 0;
	if (p->flags ? errno != ENOSYS : errno != EINVAL && errno != ENOSYS)
		return fail_errno("load a system call filter");
	r = fail(ENOSYS, "this kernel has no system call filters%s", p->flags ? " with flags" : "");
	return fail_hint(r, "it needs CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER");
}

int seccomp_allow(const struct seccomp_call *calls, size_t count)
{
	auto_filter struct seccomp_filter f = {
		.fallback = SECCOMP_RET_KILL_PROCESS,
		.unknown = SECCOMP_RET_KILL_PROCESS,
		.foreign = SECCOMP_RET_KILL_PROCESS,
	};
	struct seccomp_program program;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct seccomp_rule rule = { .number = { (uint32_t)calls[i].number, SECCOMP_NONE },
			.action = SECCOMP_RET_ALLOW };
		struct seccomp_arg arg = { .index = (uint8_t)calls[i].arg,
			.low = true,
			.op = SECCOMP_OP_MASKED_EQ,
			.mask = calls[i].mask,
			.value = calls[i].value };

		r = seccomp_add(&f, &rule, &arg, calls[i].mask ? 1 : 0);
	}
	if (r == 0)
		r = seccomp_compile(&f, &program);
	if (r < 0)
		return r;
	/* Before the filter: what it allows may not be enough to give memory back. */
	seccomp_filter_free(&f);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno("set no_new_privs");
	return seccomp_install(&program);
}
