/* SPDX-License-Identifier: MIT */
/* filter - unit test: what programs are told by the kernel, and every decision of the compiled
 * program against the rules themselves */
#include "engine/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "engine/syscalls.h"
#include "kernel/caps.h"
#include "unit.h"

#define BIT32  0x100000000ll
#define KILLED (-1)
#define PODMAN                                                                                \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FSETID) |               \
		CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) |             \
		CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_NET_BIND_SERVICE) | \
		CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_KILL))
#define ALL UINT64_MAX

static struct seccomp_program program;

/* --- in the kernel --- */

/* The sanitizers' own calls are not in every profile: nothing of theirs may run under a program. */
#define BARE __attribute__((no_sanitize("address", "undefined")))

static void BARE call_and_exit(long number, long a, long b, long c)
{
	long r;

	if (seccomp_install(&program) < 0)
		syscall(SYS_exit_group, 255);
	r = syscall(number, a, b, c, 0, 0, 0);
	syscall(SYS_exit_group, r < 0 ? errno : 0);
}

/* A call in a child under the program: its errno, 0 if it succeeds, KILLED if that ended it. */
static int call(long number, long a, long b, long c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit none = { 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSYS, SIG_DFL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		call_and_exit(number, a, b, c);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 254;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : 253;
	return WEXITSTATUS(status);
}

static int load_default(uint64_t caps)
{
	auto_filter struct seccomp_filter f = { 0 };
	int r = filter_default(&f, caps);

	return r < 0 ? r : seccomp_compile(&f, &program);
}

static int load(const char *text, uint64_t caps)
{
	auto_filter struct seccomp_filter f = { 0 };
	int r = filter_parse(&f, text, strlen(text), caps);

	return r < 0 ? r : seccomp_compile(&f, &program);
}

struct behaviour {
	long number, args[3];
	int without, with; /* errno under the podman set, under ADDED or all capabilities */
	uint64_t added;
};

/* Where both are the same, capabilities do not change it. What the kernel says to an allowed call is
 * not EPERM, whoever runs this. */
static const struct behaviour behaviours[] = {
	{ SYS_getpid, { 0 }, 0, 0, 0 }, { SYS_close, { -1 }, EBADF, EBADF, 0 },
	{ SYS_ptrace, { PTRACE_TRACEME }, 0, 0, 0 },
	{ SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, 0, 0, 0 },
	{ SYS_socket, { AF_INET, SOCK_STREAM, 0 }, 0, 0, 0 },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, 0, 0, 0 },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG }, 0, 0, 0 },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_AUDIT }, EAFNOSUPPORT, -1, 0 },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC }, EAFNOSUPPORT, 0,
		CAP_BIT(CAP_NET_ADMIN) },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC | BIT32 }, EAFNOSUPPORT, 0,
		CAP_BIT(CAP_NET_ADMIN) },
	{ SYS_socket, { AF_PACKET, -1, 0 }, EAFNOSUPPORT, -1, CAP_BIT(CAP_NET_RAW) },
	{ SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, EAFNOSUPPORT, EAFNOSUPPORT, 0 },
	{ SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, EAFNOSUPPORT, EAFNOSUPPORT, 0 },
	{ SYS_socket, { AF_VSOCK | BIT32, SOCK_STREAM, 0 }, EAFNOSUPPORT, EAFNOSUPPORT, 0 },
	{ SYS_socket, { AF_INET | BIT32, SOCK_STREAM, 0 }, 0, 0, 0 },
	{ SYS_personality, { 0xffffffff }, 0, 0, 0 },
	{ SYS_personality, { 0x0040000 }, EPERM, EPERM, 0 },
	{ SYS_personality, { 0x0040000 | BIT32 }, EPERM, EPERM, 0 },
	{ SYS_ioctl, { -1, TIOCGWINSZ, 0 }, EBADF, EBADF, 0 },
	{ SYS_ioctl, { -1, TIOCSTI, 0 }, EPERM, EPERM, 0 },
	{ SYS_ioctl, { -1, TIOCSTI | BIT32, 0 }, EPERM, EPERM, 0 },
	{ SYS_ioctl, { -1, TIOCLINUX, 0 }, EPERM, EPERM, 0 },
	{ SYS_clone, { CLONE_NEWUSER | CLONE_NEWNS }, EPERM, -1, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_clone, { CLONE_NEWNET | BIT32 }, EPERM, -1, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_clone, { CLONE_SIGHAND }, EINVAL, EINVAL, 0 },
	{ SYS_unshare, { CLONE_NEWUSER }, EPERM, -1, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_unshare, { 1 }, EPERM, EINVAL, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_setns, { -1, 0 }, EPERM, EBADF, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_mount, { 0, 0, 0 }, EPERM, -1, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_umount2, { 0, 0x10000 }, EPERM, EINVAL, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_bpf, { -1, 0, 0 }, EPERM, -1, CAP_BIT(CAP_BPF) },
	{ SYS_bpf, { -1, 0, 0 }, EPERM, -1, CAP_BIT(CAP_SYS_ADMIN) },
	{ SYS_syslog, { 99, 0, 0 }, EPERM, -1, CAP_BIT(CAP_SYSLOG) },
	{ SYS_kcmp, { 0, 0, -1 }, EPERM, ESRCH, CAP_BIT(CAP_SYS_PTRACE) },
	{ SYS_open_by_handle_at, { -1, 0, 0 }, EPERM, -1, CAP_BIT(CAP_DAC_READ_SEARCH) },
	{ SYS_keyctl, { -1, 0, 0 }, EPERM, EPERM, 0 }, { SYS_add_key, { 0 }, EPERM, EPERM, 0 },
	{ SYS_request_key, { 0 }, EPERM, EPERM, 0 }, { SYS_userfaultfd, { -1 }, EPERM, EPERM, 0 },
	{ SYS_kexec_load, { 0 }, EPERM, EPERM, 0 }, { SYS_pivot_root, { 0 }, EPERM, EPERM, 0 },
	{ 425, { 0 }, EPERM, EPERM, 0 },                              /* io_uring_setup */
	{ 435, { 0 }, ENOSYS, EINVAL, CAP_BIT(CAP_SYS_ADMIN) },       /* clone3 */
	{ 442, { -1, 0, 0 }, EPERM, EINVAL, CAP_BIT(CAP_SYS_ADMIN) }, /* mount_setattr */
	{ 1000, { 0 }, ENOSYS, ENOSYS, 0 }, { -1, { 0 }, ENOSYS, ENOSYS, 0 },
#ifdef __x86_64__
	{ SYS_getpid | 0x40000000, { 0 }, ENOSYS, ENOSYS, 0 },
	{ 520 | 0x40000000, { 0 }, ENOSYS, ENOSYS, 0 }, /* execve of x32 */
#endif
};

static void check_behaviour(const struct behaviour *b, uint64_t caps, int want)
{
	int got;

	if (load_default(caps) < 0)
		got = 252;
	else
		got = call(b->number, b->args[0], b->args[1], b->args[2]);
	if (want < 0 ? got == ENOSYS || got == EAFNOSUPPORT || got > 200 : got != want)
		printf("# call %ld(%lx, %lx, %lx): %d, wanted %d\n", b->number, b->args[0],
			b->args[1], b->args[2], got, want);
	CHECK(want < 0 ? got != ENOSYS && got != EAFNOSUPPORT && got <= 200 : got == want);
}

static void check_default(void)
{
	unit_case("the default denies what the podman set does not need");
	for (size_t i = 0; i < ARRAY_LEN(behaviours); i++)
		check_behaviour(&behaviours[i], PODMAN, behaviours[i].without);
	unit_case("the default follows the bounding set");
	for (size_t i = 0; i < ARRAY_LEN(behaviours); i++) {
		const struct behaviour *b = &behaviours[i];

		check_behaviour(b, b->added ? PODMAN | b->added : ALL, b->with);
	}
	CHECK(load_default(PODMAN & ~CAP_BIT(CAP_SYS_CHROOT)) == 0);
	CHECK(call(SYS_chroot, 0, 0, 0) == EPERM);
	CHECK(load_default(PODMAN) == 0);
	CHECK(call(SYS_chroot, 0, 0, 0) == EFAULT);
}

/* --- the ABI next to the native one --- */

#ifdef __x86_64__
static long call_i386(long number)
{
	__asm__ volatile("int $0x80" : "+a"(number) : "b"(0) : "memory", "r8", "r9", "r10", "r11");
	return number;
}

/* 0 if the child sees what it must; 1 there is no such ABI. */
static int i386_child(void)
{
	signal(SIGSEGV, SIG_DFL);
	if (call_i386(20) != getpid())
		return 1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&program) < 0)
		return 2;
	if (call_i386(20) != getpid()) /* 20 is writev here */
		return 3;
	if (call_i386(288) != -EPERM) /* keyctl; here it is accept4 */
		return 4;
	return call_i386(1000) == -ENOSYS ? 0 : 5;
}

static void check_i386(void)
{
	int status = 0;
	pid_t pid = load_default(PODMAN) < 0 ? -1 : fork();

	if (pid == 0)
		_exit(i386_child());
	waitpid(pid, &status, 0);
	if (pid > 0 && (WIFSIGNALED(status) || WEXITSTATUS(status) == 1)) {
		unit_skip("calls of i386 are judged by their own numbers", "this kernel has none");
		return;
	}
	unit_case("calls of i386 are judged by their own numbers");
	CHECK(pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

/* --- the program against the rules --- */

/* What the kernel's interpreter does with the instructions we use; the action, or a stop. */
static uint32_t interpret(const struct seccomp_program *p, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *i = &p->code[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k % 4 || i->k > sizeof(*data) - 4)
				abort();
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
		case BPF_JMP | BPF_JA: pc += i->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == i->k ? i->jt : i->jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= i->k ? i->jt : i->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += a > i->k ? i->jt : i->jf; break;
		case BPF_RET | BPF_K: return i->k;
		default: abort();
		}
	}
	abort();
}

/* What the program says to the call NAME with FIRST as its first argument. */
static uint32_t says(size_t abi, const char *name, uint64_t first)
{
	struct seccomp_data data = { .nr = (int)filter_number(filter_syscall(name), abi),
		.arch = seccomp_abis[abi].audit,
		.args = { first } };

	return interpret(&program, &data);
}

static bool holds(const struct seccomp_arg *arg, uint64_t is)
{
	if (arg->low)
		is = (uint32_t)is;
	switch (arg->op) {
	case SECCOMP_OP_NE: return is != arg->value;
	case SECCOMP_OP_LT: return is < arg->value;
	case SECCOMP_OP_LE: return is <= arg->value;
	case SECCOMP_OP_EQ: return is == arg->value;
	case SECCOMP_OP_GE: return is >= arg->value;
	case SECCOMP_OP_GT: return is > arg->value;
	case SECCOMP_OP_MASKED_EQ: return (is & arg->mask) == arg->value;
	}
	abort();
}

static uint32_t decide(const struct seccomp_filter *f, const struct seccomp_data *data)
{
	size_t abi = data->arch == seccomp_abis[0].audit ? 0 : 1;
	uint32_t n = (uint32_t)data->nr;

	if (abi == 1 &&
		!(f->compat && seccomp_abi_count == 2 && data->arch == seccomp_abis[1].audit))
		return f->foreign;
	for (size_t i = 0; i < f->rule_count; i++) {
		const struct seccomp_rule *rule = &f->rules[i];
		bool all = rule->number[abi] == n && n != SECCOMP_NONE;

		for (size_t j = 0; all && j < rule->count; j++)
			all = holds(&f->args[rule->first + j],
				data->args[f->args[rule->first + j].index]);
		if (all)
			return rule->action;
	}
	if (data->arch == AUDIT_ARCH_X86_64 && n >= 0x40000000)
		return f->foreign;
	return n <= f->newest ? f->fallback : f->unknown;
}

static uint64_t random64(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Set an argument to something near the edge of a condition of the filter. */
static void pick_args(const struct seccomp_filter *f, struct seccomp_data *data)
{
	for (int i = 0; i < 6; i++) {
		uint64_t v = random64();

		if (f->arg_count && v % 8) {
			v = f->args[(v >> 8) % f->arg_count].value;
			v += random64() % 3 - 1;
		}
		if (random64() % 4 == 0)
			v ^= (uint64_t)BIT32 << random64() % 32;
		data->args[i] = v;
	}
}

/* The number of disagreements. */
static int compare_number(const struct seccomp_filter *f, uint32_t arch, uint32_t n, int times)
{
	struct seccomp_data data = { .nr = (int)n, .arch = arch };
	int wrong = 0;

	while (times--) {
		uint32_t got, want;

		pick_args(f, &data);
		got = interpret(&program, &data);
		want = decide(f, &data);
		if (got != want && !wrong++)
			printf("# abi %x call %u(%llx, %llx, %llx): %x, wanted %x\n", arch, n,
				data.args[0], data.args[1], data.args[2], got, want);
	}
	return wrong;
}

static int compare(const struct seccomp_filter *f, int times)
{
	static const uint32_t foreign[] = { AUDIT_ARCH_S390X, 0, UINT32_MAX };
	static const uint32_t odd[] = { 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, 0x80000000,
		0xefff, 0xf000, 0xf0000, 0xf0001, 0xf0002, 0xf0005, 0xf0006, UINT32_MAX };
	uint32_t arches[SECCOMP_ABIS_MAX + ARRAY_LEN(foreign)];
	size_t count = 0;
	int wrong = 0;

	if (seccomp_compile(f, &program) < 0)
		return -1;
	for (size_t i = 0; i < seccomp_abi_count; i++)
		arches[count++] = seccomp_abis[i].audit;
	memcpy(arches + count, foreign, sizeof(foreign));
	count += ARRAY_LEN(foreign);
	for (size_t i = 0; i < count; i++) {
		for (uint32_t n = 0; n < 600; n++)
			wrong += compare_number(f, arches[i], n, times);
		for (size_t j = 0; j < ARRAY_LEN(odd); j++)
			wrong += compare_number(f, arches[i], odd[j], times);
	}
	return wrong;
}

static const uint64_t cap_sets[] = { 0, PODMAN, CAP_BIT(CAP_SYS_ADMIN), CAP_BIT(CAP_NET_ADMIN),
	ALL };

static void check_model(void)
{
	auto_buf struct buf text = { 0 };
	struct seccomp_filter f;
	static const char *const ops[] = { "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };

	unit_case("the default program decides as its rules");
	for (size_t i = 0; i < ARRAY_LEN(cap_sets); i++) {
		CHECK(filter_default(&f, cap_sets[i]) == 0);
		CHECK(compare(&f, 4) == 0);
		seccomp_filter_free(&f);
	}

	/* Integers and longs, every operator, many rules of one call, jumps longer than 255. */
	unit_case("a program with every operator decides as its rules");
	buf_puts(&text,
		"{\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":[\"SCMP_ARCH_X86\","
		"\"SCMP_ARCH_ARM\"],\"syscalls\":[");
	for (unsigned i = 0; i < 200; i++)
		buf_printf(&text,
			"%s{\"names\":[\"%s\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%u,\"args\":["
			"{\"index\":%u,\"value\":%u,\"valueTwo\":%u,\"op\":\"SCMP_CMP_%s\"},"
			"{\"index\":%u,\"value\":%llu,\"valueTwo\":7,\"op\":\"SCMP_CMP_%s\"}]}",
			i ? "," : "",
			i % 3           ? "mmap"
				: i % 2 ? "lseek"
					: "dup3",
			i, i % 2 ? 0 : 2, i, i & 5, ops[i % 7], 1 + i % 2 * 2,
			i % 3 ? BIT32 * i + 7 : 7, ops[i / 7 % 7]);
	buf_puts(&text, "]}");
	CHECK(buf_check(&text) == 0);
	CHECK(filter_parse(&f, buf_str(&text), text.len, 0) == 0);
	CHECK(f.rule_count == 200);
	CHECK(compare(&f, 1) == 0);
	for (size_t i = 0; i < seccomp_abi_count; i++) {
		CHECK(compare_number(&f, seccomp_abis[i].audit,
			      filter_number(filter_syscall("lseek"), i), 20000) == 0);
		CHECK(compare_number(&f, seccomp_abis[i].audit, SYS_dup3, 20000) == 0);
		CHECK(compare_number(&f, seccomp_abis[i].audit, SYS_mmap, 20000) == 0);
	}
	CHECK(call(SYS_getpid, 0, 0, 0) == 0); /* and the kernel takes it */
	seccomp_filter_free(&f);
}

static const struct {
	const char *name;
	int cap;
} needs[] = {
	{ "acct", CAP_SYS_PACCT },
	{ "bpf", CAP_BPF },
	{ "bpf", CAP_SYS_ADMIN },
	{ "chroot", CAP_SYS_CHROOT },
	{ "clock_settime", CAP_SYS_TIME },
	{ "fsopen", CAP_SYS_ADMIN },
	{ "init_module", CAP_SYS_MODULE },
	{ "mbind", CAP_SYS_NICE },
	{ "mount", CAP_SYS_ADMIN },
	{ "open_by_handle_at", CAP_DAC_READ_SEARCH },
	{ "perf_event_open", CAP_PERFMON },
	{ "perf_event_open", CAP_SYS_ADMIN },
	{ "pidfd_getfd", CAP_SYS_PTRACE },
	{ "reboot", CAP_SYS_BOOT },
	{ "setns", CAP_SYS_ADMIN },
	{ "syslog", CAP_SYSLOG },
	{ "syslog", CAP_SYS_ADMIN },
	{ "unshare", CAP_SYS_ADMIN },
	{ "vhangup", CAP_SYS_TTY_CONFIG },
};

static void check_decisions(void)
{
	struct syscall private = { .number = { 0xf002, UINT16_MAX } };

	unit_case("each capability allows its calls, for both ABIs");
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		for (size_t abi = 0; abi < seccomp_abi_count; abi++) {
			CHECK(load_default(0) == 0);
			CHECK(says(abi, needs[i].name, 0) == SECCOMP_ERRNO(EPERM));
			CHECK(load_default(CAP_BIT(needs[i].cap)) == 0);
			CHECK(says(abi, needs[i].name, 0) == SECCOMP_RET_ALLOW);
		}

	unit_case("clone makes no namespace without a capability");
	CHECK(load_default(PODMAN) == 0);
	for (size_t abi = 0; abi < seccomp_abi_count; abi++)
		for (int bit = 0; bit < 32; bit++)
			CHECK(says(abi, "clone", 1ull << bit | BIT32) ==
				(0x7e020000u >> bit & 1 ? SECCOMP_ERRNO(EPERM)
							: SECCOMP_RET_ALLOW));

	unit_case("numbers above the newest follow a default that lets calls happen");
	CHECK(load("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", 0) == 0);
	CHECK(interpret(&program,
		      &(struct seccomp_data){ .nr = 2000, .arch = seccomp_abis[0].audit }) ==
		SECCOMP_RET_ALLOW);
	CHECK(load("{\"defaultAction\":\"SCMP_ACT_LOG\"}", 0) == 0);
	CHECK(interpret(&program,
		      &(struct seccomp_data){ .nr = 2000, .arch = seccomp_abis[0].audit }) ==
		SECCOMP_RET_LOG);
	CHECK(load("{\"defaultAction\":\"SCMP_ACT_KILL\"}", 0) == 0);
	CHECK(interpret(&program,
		      &(struct seccomp_data){ .nr = 2000, .arch = seccomp_abis[0].audit }) ==
		SECCOMP_ERRNO(ENOSYS));

	unit_case("the private calls of arm fit the table");
	CHECK(filter_number(&private, 0) == 0xf0002);
	CHECK(filter_number(&private, 1) == SECCOMP_NONE);
}

/* --- profiles --- */

#define PROFILE(action, more) "{\"defaultAction\":\"SCMP_ACT_" action "\"," more "}"
#define RULE(names, action, more) \
	"{\"names\":[" names "],\"action\":\"SCMP_ACT_" action "\"" more "}"
#define ONE(names, action, more) "\"syscalls\":[" RULE(names, action, more) "]"
#define ARG(text)                ",\"args\":[{" text "}]"

static void check_actions(void)
{
	unit_case("every action does what it says");
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "ERRNO", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == EPERM);
	CHECK(call(SYS_getpid, 0, 0, 0) == 0);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "ERRNO", ",\"errnoRet\":42")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == 42);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "KILL_PROCESS", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == KILLED);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "KILL_THREAD", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == KILLED);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "KILL", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == KILLED);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "TRAP", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == KILLED);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "TRACE", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == ENOSYS);
	CHECK(load(PROFILE("ALLOW", ONE("\"getppid\"", "LOG", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == 0);

	unit_case("flags reach the kernel");
	CHECK(load(PROFILE("ALLOW",
			   "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_"
			   "SPEC_ALLOW\",\"SECCOMP_FILTER_FLAG_TSYNC\"]"),
		      0) == 0);
	CHECK(program.flags == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	CHECK(call(SYS_getppid, 0, 0, 0) == 0);

	unit_case("numbers that nobody knew are told from denied ones");
	CHECK(load(PROFILE("ERRNO", "\"defaultErrnoRet\":13," ONE("\"exit_group\"", "ALLOW", "")),
		      0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == EACCES);
	CHECK(call(2000, 0, 0, 0) == ENOSYS);
	CHECK(load(PROFILE("ALLOW", "\"syscalls\":[]"), 0) == 0);
	CHECK(call(2000, 0, 0, 0) == ENOSYS);
	CHECK(load(PROFILE("KILL", ONE("\"exit_group\"", "ALLOW", "")), 0) == 0);
	CHECK(call(SYS_getppid, 0, 0, 0) == KILLED);

	unit_case("the first rule that matches decides");
	CHECK(load(PROFILE("ERRNO",
			   "\"syscalls\":[" RULE("\"dup\"", "ERRNO",
				   ",\"errnoRet\":40" ARG(
					   "\"index\":0,\"value\":9,\"op\":\"SCMP_CMP_EQ\"")) "," RULE("\"dup\",\"exit_group\"",
				   "ALLOW",
				   "") "," RULE("\"dup\"", "ERRNO", ",\"errnoRet\":41") "]"),
		      0) == 0);
	CHECK(call(SYS_dup, 9, 0, 0) == 40);
	CHECK(call(SYS_dup, 9 | BIT32, 0, 0) == 40);
	CHECK(call(SYS_dup, 0, 0, 0) == 0);
}

static void check_conditions(void)
{
	struct seccomp_filter f;
	const char *text;

	unit_case("conditions on one argument are alternatives, on several all count");
	text = PROFILE("ALLOW",
		ONE("\"dup3\"", "ERRNO",
			",\"args\":[{\"index\":1,\"value\":5,\"op\":\"SCMP_CMP_EQ\"},"
			"{\"index\":1,\"value\":6,\"op\":\"SCMP_CMP_EQ\"}]"));
	CHECK(load(text, 0) == 0);
	CHECK(call(SYS_dup3, -1, 5, 0) == EPERM);
	CHECK(call(SYS_dup3, -1, 6, 0) == EPERM);
	CHECK(call(SYS_dup3, -1, 7, 0) == EBADF);
	text = PROFILE("ALLOW",
		ONE("\"dup3\"", "ERRNO",
			",\"args\":[{\"index\":1,\"value\":5,\"op\":\"SCMP_CMP_EQ\"},"
			"{\"index\":0,\"value\":6,\"op\":\"SCMP_CMP_GT\"}]"));
	CHECK(load(text, 0) == 0);
	CHECK(call(SYS_dup3, 7, 5, 0) == EPERM);
	CHECK(call(SYS_dup3, 6, 5, 1) == EINVAL);
	CHECK(call(SYS_dup3, 7, 6, 1) == EINVAL);

	unit_case("longs are compared whole");
	text = PROFILE("ALLOW",
		ONE("\"munmap\"", "ERRNO",
			ARG("\"index\":1,\"value\":4294967297,\"op\":\"SCMP_CMP_EQ\"")));
	CHECK(load(text, 0) == 0);
	CHECK(call(SYS_munmap, 1, BIT32 | 1, 0) == EPERM);
	CHECK(call(SYS_munmap, 1, 1, 0) == EINVAL);

	unit_case("includes and excludes are settled when the filter is made");
	text = PROFILE("ALLOW",
		ONE("\"dup\"", "ERRNO",
			",\"includes\":{\"caps\":[\"CAP_BPF\","
			"\"CAP_KILL\"],\"minKernel\":\"4.8\"}"));
	CHECK(filter_parse(&f, text, strlen(text), CAP_BIT(CAP_BPF)) == 0 && f.rule_count == 0);
	seccomp_filter_free(&f);
	CHECK(filter_parse(&f, text, strlen(text), ALL) == 0 && f.rule_count == 1);
	seccomp_filter_free(&f);
	text = PROFILE("ALLOW",
		ONE("\"dup\"", "ERRNO",
			",\"excludes\":{\"caps\":[\"CAP_BPF\","
			"\"CAP_FUTURE\"]},\"includes\":{}"));
	CHECK(filter_parse(&f, text, strlen(text), CAP_BIT(CAP_BPF)) == 0 && f.rule_count == 0);
	seccomp_filter_free(&f);
	CHECK(filter_parse(&f, text, strlen(text), CAP_BIT(CAP_KILL)) == 0 && f.rule_count == 1);
	seccomp_filter_free(&f);
	text = PROFILE("ALLOW",
		"\"syscalls\":[" RULE("\"dup\"", "ERRNO",
			",\"includes\":{\"arches\":[\"s390x\"]}") "," RULE("\"dup\"", "ERRNO",
			",\"includes\":{\"caps\":[\"CAP_FUTURE\"]}") "," RULE("\"dup\"", "ERRNO",
			",\"includes\":{\"minKernel\":\"999.0\"}") "," RULE("\"dup\"", "ERRNO",
			",\"excludes\":{\"minKernel\":\"2.6\"}") "," RULE("\"dup\"", "ERRNO",
			",\"excludes\":{\"arches\":[\"amd64\",\"x86\",\"arm64\",\"arm\"]}") "]");
	CHECK(filter_parse(&f, text, strlen(text), ALL) == 0 && f.rule_count == 0);
	seccomp_filter_free(&f);

	unit_case("names that do not exist here are skipped, aliases and old forms are known");
	text = PROFILE("ALLOW",
		"\"syscalls\":[" RULE("\"no_such_call\",\"s390_pci_mmio_read\"", "LOG",
			"") ",{\"name\":\"dup\",\"action\":\"SCMP_ACT_LOG\",\"args\":null,\"comment\":\"\"}]");
	CHECK(filter_parse(&f, text, strlen(text), 0) == 0 && f.rule_count == 1);
	CHECK(f.rules[0].number[0] == SYS_dup);
	seccomp_filter_free(&f);
}

static void check_arches(void)
{
	static const char *const lists[] = {
		"\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_ARM\",\"SCMP_ARCH_X32\"]",
		"\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]},"
		"{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}]",
		"\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_AARCH64\"]",
		"\"archMap\":[{\"architecture\":\"SCMP_ARCH_S390X\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}]",
		"\"comment\":\"none\"",
	};

	unit_case("the second ABI is judged where the profile lists it, x32 never");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		auto_filter struct seccomp_filter f = { 0 };
		auto_buf struct buf text = { 0 };

		buf_printf(&text, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",%s}", lists[i]);
		CHECK(filter_parse(&f, buf_str(&text), text.len, 0) == 0);
		CHECK(f.compat == (i < 2 && seccomp_abi_count == 2));
		CHECK(compare(&f, 1) == 0);
	}
}

static const struct {
	const char *text;
	int err;
	const char *says;
} bad[] = {
	{ "", EBADMSG, NULL },
	{ "[]", EBADMSG, "not an object" },
	{ "{}", EBADMSG, "'defaultAction' is missing" },
	{ "{\"defaultAction\":1}", EBADMSG, "defaultAction" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultAction\":\"SCMP_ACT_ALLOW\"}", EBADMSG,
		NULL },
	{ PROFILE("PERMIT", "\"x\":1"), EBADMSG, "unknown word 'SCMP_ACT_PERMIT'" },
	{ "{\"defaultAction\":\"ALLOW\"}", EBADMSG, "unknown word 'ALLOW'" },
	{ PROFILE("NOTIFY", "\"x\":1"), ENOTSUP, "answer" },
	{ PROFILE("ALLOW", "\"defaultErrnoRet\":1"), EBADMSG, "does not go with" },
	{ PROFILE("ERRNO", "\"defaultErrnoRet\":4096"), EBADMSG, "out of range" },
	{ PROFILE("ERRNO", "\"defaultErrnoRet\":-1"), EBADMSG, "out of range" },
	{ PROFILE("TRACE", "\"defaultErrnoRet\":65536"), EBADMSG, "out of range" },
	{ PROFILE("ERRNO", "\"defaultErrnoRet\":\"EPERM\""), EBADMSG, "defaultErrnoRet" },
	{ PROFILE("ALLOW", "\"flags\":[\"SECCOMP_FILTER_FLAG_NEW\"]"), EBADMSG, "unknown word" },
	{ PROFILE("ALLOW", "\"flags\":\"LOG\""), EBADMSG, "flags" },
	{ PROFILE("ALLOW", "\"architectures\":[\"X86\"]"), EBADMSG, "unknown architecture" },
	{ PROFILE("ALLOW", "\"architectures\":[1]"), EBADMSG, "wrong type" },
	{ PROFILE("ALLOW", "\"archMap\":[{}]"), EBADMSG, "'architecture' is missing" },
	{ PROFILE("ALLOW",
		  "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86\"}],\"architectures\":"
		  "[\"SCMP_ARCH_X86\"]"),
		EBADMSG, "are both there" },
	{ PROFILE("ALLOW", "\"syscalls\":{}"), EBADMSG, "syscalls" },
	{ PROFILE("ALLOW", "\"syscalls\":[1]"), EBADMSG, "wrong type" },
	{ PROFILE("ALLOW", "\"syscalls\":[{\"names\":[\"dup\"]}]"), EBADMSG,
		"seccomp profile: syscalls[0]: 'action' is missing" },
	{ PROFILE("ALLOW", "\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\"}]"), EBADMSG,
		"no 'names'" },
	{ PROFILE("ALLOW", ONE("1", "LOG", "")), EBADMSG, "wrong type" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"name\":\"dup\"")), EBADMSG, "are both there" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "NOTIFY", "")), ENOTSUP, "answer" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"errnoRet\":1")), EBADMSG, "does not go with" },
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG", ARG("\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "argument 6" },
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG", ARG("\"index\":-1,\"value\":0,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "argument -1" },
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG",
			  ARG("\"index\":4294967296,\"value\":0,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "no argument" },
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG", ARG("\"index\":0,\"value\":0,\"op\":\"SCMP_CMP_IN\""))),
		EBADMSG, "SCMP_CMP_IN" },
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG", ARG("\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "negative" },
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG", ARG("\"index\":0,\"value\":1.5,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "value" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ARG("\"index\":0,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "needs" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"args\":[0]")), EBADMSG, "wrong type" },
	/* dup takes an int: what is above could never be seen. */
	{ PROFILE("ALLOW",
		  ONE("\"dup\"", "LOG",
			  ARG("\"index\":0,\"value\":4294967296,\"op\":\"SCMP_CMP_EQ\""))),
		EBADMSG, "32 bits" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"includes\":{\"hosts\":[]}")), EBADMSG,
		"unknown condition 'hosts'" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"includes\":{\"minKernel\":\"4.8-rc1\"}")),
		EBADMSG, "minKernel" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"excludes\":{\"minKernel\":\"\"}")), EBADMSG,
		"minKernel" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", ",\"excludes\":[]")), EBADMSG, "excludes" },
	{ PROFILE("ALLOW", ONE("\"dup\"", "LOG", "")) "x", EBADMSG, NULL },
};

static void check_bad(void)
{
	auto_buf struct buf text = { 0 };
	struct seccomp_filter f;

	unit_case("a bad profile is refused with its place");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int r = filter_parse(&f, bad[i].text, strlen(bad[i].text), ALL);

		if (r != -bad[i].err || (bad[i].says && !strstr(fail_text(), bad[i].says)))
			printf("# %s: %d %s\n", bad[i].text, r, fail_text());
		CHECK(r == -bad[i].err);
		CHECK(!bad[i].says || strstr(fail_text(), bad[i].says));
		CHECK(!f.rules && !f.args);
	}

	unit_case("a program that the kernel would not take is refused");
	buf_puts(&text,
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"dup\"],"
		"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[");
	for (int i = 0; i < 3000; i++)
		buf_printf(&text, "%s{\"index\":0,\"value\":%d,\"op\":\"SCMP_CMP_EQ\"}",
			i ? "," : "", i);
	buf_puts(&text, "]}]}");
	CHECK(load(buf_str(&text), 0) == -E2BIG);
	CHECK(strstr(fail_text(), "the kernel takes 4096"));
	CHECK(program.len == 0);

	unit_case("rules without end are refused");
	buf_clear(&text);
	buf_puts(&text, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"dup\"");
	for (int i = 0; i < SECCOMP_RULES_MAX; i++)
		buf_puts(&text, ",\"dup\"");
	buf_puts(&text, "],\"action\":\"SCMP_ACT_ERRNO\"}]}");
	CHECK(filter_parse(&f, buf_str(&text), text.len, 0) == -E2BIG);
}

/* --- the table --- */

static void check_table(void)
{
	bool sorted = true, found = true;

	unit_case("the table is sorted, and a name leads to its row");
	for (size_t i = 0; i < syscall_count; i++) {
		const char *name = syscall_names + syscalls[i].name;

		if (i && strcmp(syscall_names + syscalls[i - 1].name, name) >= 0)
			sorted = false;
		if (filter_syscall(name) != &syscalls[i])
			found = false;
	}
	CHECK(sorted && found && syscall_count > 300);
	CHECK(!filter_syscall("") && !filter_syscall("zzz") && !filter_syscall("get"));
	CHECK(filter_number(filter_syscall("getpid"), 0) == SYS_getpid);
	CHECK(filter_number(filter_syscall("clone3"), 0) == 435);
	CHECK(filter_number(filter_syscall("socketcall"), 0) == SECCOMP_NONE);
	CHECK(filter_kernel(2, 6) && filter_kernel(3, 99) && !filter_kernel(999, 0));
}

int main(void)
{
	check_table();
	check_default();
#ifdef __x86_64__
	check_i386();
#endif
	check_model();
	check_decisions();
	check_actions();
	check_conditions();
	check_arches();
	check_bad();
	return unit_end();
}
