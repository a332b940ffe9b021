/* SPDX-License-Identifier: MIT */
/* cgroupdev - which devices the processes of a cgroup may use */
#include "kernel/cgroupdev.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "kernel/cgroupfile.h"

static bool is_everything(const struct cgroup_device *d)
{
	return d->type == 'a' && d->major < 0 && d->minor < 0 && d->access == CGROUP_RWM;
}

bool cgroup_devices_restrict(const struct cgroup_device *rules, size_t count)
{
	return count > 0 && !(rules[count - 1].allow && is_everything(&rules[count - 1]));
}

/* "c 1:*  rw", as v1 reads it. */
static void format(char out[40], const struct cgroup_device *d)
{
	char number[2][12] = { "*", "*" };

	if (d->major >= 0)
		snprintf(number[0], sizeof(number[0]), "%d", (int)d->major);
	if (d->minor >= 0)
		snprintf(number[1], sizeof(number[1]), "%d", (int)d->minor);
	snprintf(out, 40, "%c %s:%s %s%s%s", d->type, number[0], number[1],
		d->access & CGROUP_READ ? "r" : "", d->access & CGROUP_WRITE ? "w" : "",
		d->access & CGROUP_MKNOD ? "m" : "");
}

/* Reject what neither version could be told. */
static int check(const struct cgroup_device *rules, size_t count)
{
	if (count > CGROUP_DEVICES_MAX)
		return fail(E2BIG, "%zu device rules are more than %d", count, CGROUP_DEVICES_MAX);
	for (size_t i = 0; i < count; i++)
		if (!rules[i].type || !strchr("abc", rules[i].type) || !rules[i].access ||
			rules[i].access & ~(unsigned)CGROUP_RWM)
			return fail(EINVAL, "device rule %zu is not valid", i + 1);
	return 0;
}

/* --- v1 --- */

/* A v1 cgroup holds one answer for all devices and a list of exceptions from it. Taking an
 * exception back needs exactly its numbers, so what the kernel gets is the outcome of the rules. */
struct exceptions {
	bool allow; /* the answer for all */
	size_t count;
	struct cgroup_device list[];
};

static bool overlaps(int32_t a, int32_t b)
{
	return a < 0 || b < 0 || a == b;
}

static bool covers(int32_t wide, int32_t narrow)
{
	return wide < 0 || wide == narrow;
}

/* RULE says what holds for all devices anyway: take it out of the exceptions. */
static int take_back(struct exceptions *x, const struct cgroup_device *rule)
{
	for (size_t i = 0; i < x->count; i++) {
		struct cgroup_device *e = &x->list[i];
		char text[40];

		if (e->type != rule->type || !(e->access & rule->access) ||
			!overlaps(e->major, rule->major) || !overlaps(e->minor, rule->minor))
			continue;
		if (!covers(rule->major, e->major) || !covers(rule->minor, e->minor)) {
			format(text, rule);
			return fail(ENOTSUP,
				"device rule '%s' takes back a part of a wider one, "
				"which cgroup v1 cannot do",
				text);
		}
		e->access &= ~rule->access;
	}
	return 0;
}

static int apply(struct exceptions *x, const struct cgroup_device *rule)
{
	if (is_everything(rule)) {
		x->allow = rule->allow;
		x->count = 0;
		return 0;
	}
	for (const char *type = "bc"; *type; type++) {
		struct cgroup_device one = *rule;
		int r = 0;

		if (rule->type != 'a' && rule->type != *type)
			continue;
		one.type = *type;
		if (one.allow != x->allow)
			x->list[x->count++] = one;
		else
			r = take_back(x, &one);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_rule(int dir, bool allow, const char *text)
{
	int r = cgroup_write(dir, allow ? "devices.allow" : "devices.deny", text);

	return r < 0 ? fail(-r, "device rule '%s': %s", text, strerror(-r)) : 0;
}

int cgroup_devices_write(int dir, const struct cgroup_device *rules, size_t count)
{
	auto_free struct exceptions *x = NULL;
	int r = check(rules, count);

	if (r < 0)
		return r;
	x = calloc(1, sizeof(*x) + 2 * count * sizeof(x->list[0]));
	if (!x)
		return fail(ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		r = apply(x, &rules[i]);
		if (r < 0)
			return r;
	}
	r = write_rule(dir, x->allow, "a");
	for (size_t i = 0; r == 0 && i < x->count; i++) {
		char text[40];

		format(text, &x->list[i]);
		if (x->list[i].access)
			r = write_rule(dir, !x->allow, text);
	}
	return r;
}

/* --- v2 --- */

struct program {
	size_t len;
	struct bpf_insn code[8 + CGROUP_DEVICES_MAX * 7];
};

static void emit(struct program *p, int code, int reg, int off, int imm)
{
	p->code[p->len++] = (struct bpf_insn){ .code = (uint8_t)code,
		.dst_reg = (uint8_t)(reg & 0xf),
		.src_reg = (uint8_t)((reg >> 4) & 0xf),
		.off = (int16_t)off,
		.imm = imm };
}

enum { RESULT, CONTEXT, TYPE, ACCESS, MAJOR, MINOR }; /* registers */
#define FROM(reg) ((reg) << 4)

static void emit_answer(struct program *p, int answer)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, answer);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* ACCESS holds what is still to be answered: a rule that allows takes its part off and says yes
 * when nothing remains; one that forbids says no if any of it is its own. */
static void emit_rule(struct program *p, const struct cgroup_device *d)
{
	int left = 4 + (d->type != 'a') + (d->major >= 0) + (d->minor >= 0);

	if (d->type != 'a')
		emit(p, BPF_JMP | BPF_JNE | BPF_K, TYPE, --left,
			d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (d->major >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, MAJOR, --left, d->major);
	if (d->minor >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, MINOR, --left, d->minor);
	if (d->allow) {
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, ACCESS, 0, (int)~d->access);
		emit(p, BPF_JMP | BPF_JNE | BPF_K, ACCESS, 2, 0);
	} else {
		emit(p, BPF_JMP | BPF_JSET | BPF_K, ACCESS, 1, (int)d->access);
		emit(p, BPF_JMP | BPF_JA, 0, 2, 0);
	}
	emit_answer(p, d->allow);
}

static void assemble(struct program *p, const struct cgroup_device *rules, size_t count)
{
	const int load = BPF_LDX | BPF_MEM | BPF_W;

	p->len = 0;
	emit(p, load, TYPE | FROM(CONTEXT), offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(p, load, MAJOR | FROM(CONTEXT), offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(p, load, MINOR | FROM(CONTEXT), offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, ACCESS | FROM(TYPE), 0, 0);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, ACCESS, 0, 16);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0xffff);
	while (count-- > 0)
		emit_rule(p, &rules[count]);
	emit_answer(p, 0);
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const struct program *p)
{
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)p->code;
	attr.insn_cnt = (uint32_t)p->len;
	attr.license = (uintptr_t) "MIT";
	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int dir, int program)
{
	union bpf_attr attr = { 0 };

	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI; /* those inside may attach more */
	return bpf(BPF_PROG_ATTACH, &attr);
}

int cgroup_devices_attach(int dir, const struct cgroup_device *rules, size_t count)
{
	auto_free struct program *p = NULL;
	auto_close int fd = -1;
	int r = check(rules, count);

	if (r < 0)
		return r;
	p = malloc(sizeof(*p));
	if (!p)
		return fail(ENOMEM, "out of memory");
	assemble(p, rules, count);
	fd = load(p);
	if (fd < 0 && (errno == ENOSYS || errno == EINVAL))
		return fail_hint(fail(ENOTSUP, "the kernel has no device programs for cgroup v2"),
			"the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF");
	if (fd < 0 || attach(dir, fd) < 0)
		return fail_errno("attach the device rules to the cgroup");
	return 0;
}
