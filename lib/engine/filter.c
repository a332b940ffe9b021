/* SPDX-License-Identifier: MIT */
/* filter - the default system call filter, made from the table of syscalls.txt
 *
 * What is there beside the facts of the moby profile: few socket families and netlink protocols, no
 * typing into a terminal for others (TIOCSTI, TIOCLINUX), no x32. Known gap: a 32-bit program can
 * open any socket through socketcall, whose arguments lie in memory. Denying that broke old
 * programs. */
#include "engine/filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/attr.h"
#include "base/fail.h"
#include "engine/syscalls.h"
#include "kernel/caps.h"

#define NONE (-1)

static const struct {
	int family, protocol, cap;
} sockets[] = {
	{ AF_UNIX, NONE, NONE },
	{ AF_INET, NONE, NONE },
	{ AF_INET6, NONE, NONE },
	{ AF_NETLINK, NETLINK_ROUTE, NONE },
	{ AF_NETLINK, NETLINK_SOCK_DIAG, NONE },
	{ AF_NETLINK, NETLINK_KOBJECT_UEVENT, NONE },
	{ AF_NETLINK, NETLINK_AUDIT, CAP_AUDIT_WRITE },
	{ AF_NETLINK, NETLINK_XFRM, CAP_NET_ADMIN },
	{ AF_NETLINK, NETLINK_NETFILTER, CAP_NET_ADMIN },
	{ AF_NETLINK, NETLINK_GENERIC, CAP_NET_ADMIN },
	{ AF_PACKET, NONE, CAP_NET_RAW },
};

/* PER_LINUX and PER_LINUX32, each with and without UNAME26; the question what it is. */
static const uint32_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };

#define NAMESPACES                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET)

bool filter_kernel(unsigned major, unsigned minor)
{
	struct utsname name;
	char *end;
	unsigned long is;

	if (uname(&name) < 0)
		return false;
	is = strtoul(name.release, &end, 10);
	if (is != major || *end != '.')
		return is > major;
	return strtoul(end + 1, NULL, 10) >= minor;
}

static int compare_names(const void *key, const void *row)
{
	return strcmp(key, syscall_names + ((const struct syscall *)row)->name);
}

const struct syscall *filter_syscall(const char *name)
{
	return bsearch(name, syscalls, syscall_count, sizeof(*syscalls), compare_names);
}

uint32_t filter_number(const struct syscall *s, size_t abi)
{
	uint32_t n = s->number[abi];

	if (n == UINT16_MAX)
		return SECCOMP_NONE;
	return n < 0xf000 ? n : 0xf0000 | (n & 0xfff); /* arm's private calls */
}

int filter_add(struct seccomp_filter *f, const struct syscall *s, uint32_t action,
	const struct seccomp_arg *args, size_t count)
{
	struct seccomp_rule rule = { .action = action };

	for (size_t abi = 0; abi < SECCOMP_ABIS_MAX; abi++)
		rule.number[abi] = filter_number(s, abi);
	return seccomp_add(f, &rule, args, count);
}

/* A rule with the condition that the low word of argument INDEX under MASK is VALUE. */
static int add_if(
	struct seccomp_filter *f, const struct syscall *s, uint32_t action, struct seccomp_arg arg)
{
	arg.low = true;
	arg.op = arg.mask ? SECCOMP_OP_MASKED_EQ : SECCOMP_OP_EQ;
	return filter_add(f, s, action, &arg, 1);
}

static int add_socket(struct seccomp_filter *f, const struct syscall *s, uint64_t caps)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(sockets); i++) {
		const struct seccomp_arg args[] = {
			{ 0, true, SECCOMP_OP_EQ, (uint32_t)sockets[i].family, 0 },
			{ 2, true, SECCOMP_OP_EQ, (uint32_t)sockets[i].protocol, 0 },
		};

		if (sockets[i].cap == NONE || caps & CAP_BIT(sockets[i].cap))
			r = filter_add(
				f, s, SECCOMP_RET_ALLOW, args, sockets[i].protocol == NONE ? 1 : 2);
	}
	/* Programs know what to do without a family. */
	return r < 0 ? r : filter_add(f, s, SECCOMP_ERRNO(EAFNOSUPPORT), NULL, 0);
}

static int add_ioctl(struct seccomp_filter *f, const struct syscall *s)
{
	int r = add_if(f, s, SECCOMP_ERRNO(EPERM), (struct seccomp_arg){ 1, .value = TIOCSTI });

	if (r == 0)
		r = add_if(
			f, s, SECCOMP_ERRNO(EPERM), (struct seccomp_arg){ 1, .value = TIOCLINUX });
	return r < 0 ? r : filter_add(f, s, SECCOMP_RET_ALLOW, NULL, 0);
}

static int add_personality(struct seccomp_filter *f, const struct syscall *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(personalities); i++)
		r = add_if(f, s, SECCOMP_RET_ALLOW,
			(struct seccomp_arg){ 0, .value = personalities[i] });
	return r;
}

static int add_default(struct seccomp_filter *f, const struct syscall *s, uint64_t caps)
{
	bool admin = caps & CAP_BIT(CAP_SYS_ADMIN), allow = false;

	switch ((enum syscall_rule)s->rule) {
	case SYSCALL_RULE_SOCKET: return add_socket(f, s, caps);
	case SYSCALL_RULE_IOCTL: return add_ioctl(f, s);
	case SYSCALL_RULE_PERSONALITY: return add_personality(f, s);
	case SYSCALL_RULE_CLONE:
		if (!admin)
			return add_if(f, s, SECCOMP_RET_ALLOW,
				(struct seccomp_arg){ 0, .mask = NAMESPACES });
		allow = true;
		break;
	case SYSCALL_RULE_CLONE3:
		/* Its flags lie in memory; without it libraries use clone. */
		if (!admin)
			return filter_add(f, s, SECCOMP_ERRNO(ENOSYS), NULL, 0);
		allow = true;
		break;
	case SYSCALL_RULE_PTRACE:
		/* Before 4.8 a tracer could change a call after the filter had judged it. */
		allow = caps & CAP_BIT(CAP_SYS_PTRACE) || filter_kernel(4, 8);
		break;
	case SYSCALL_RULE_ALLOW: allow = true; break;
	case SYSCALL_RULE_DENY: break;
	}
	if (s->rule < SYSCALL_RULE_ALLOW)
		allow = caps & CAP_BIT(s->rule);
	return allow ? filter_add(f, s, SECCOMP_RET_ALLOW, NULL, 0) : 0;
}

int filter_default(struct seccomp_filter *f, uint64_t caps)
{
	int r = 0;

	*f = (struct seccomp_filter){
		.fallback = SECCOMP_ERRNO(EPERM),
		.unknown = SECCOMP_ERRNO(ENOSYS),
		.foreign = SECCOMP_ERRNO(ENOSYS),
		.newest = syscall_newest,
		.compat = true,
	};
	if (!syscall_count)
		return fail(ENOSYS, "no table of system calls for %s", seccomp_abis[0].arch);
	if (caps & CAP_BIT(CAP_SYS_ADMIN))
		caps |= CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON) | CAP_BIT(CAP_SYSLOG);
	for (size_t i = 0; r == 0 && i < syscall_count; i++)
		r = add_default(f, &syscalls[i], caps);
	if (r < 0)
		seccomp_filter_free(f);
	return r;
}
