/* SPDX-License-Identifier: MIT */
/* filter - fuzz target: a profile that is accepted becomes a program whose every path ends */
#include "engine/filter.h"

#include <stdlib.h>

static void check_program(const struct seccomp_program *p)
{
	if (!p->len || p->len > BPF_MAXINSNS)
		abort();
	for (size_t i = 0; i < p->len; i++) {
		const struct sock_filter *at = &p->code[i];
		size_t left = p->len - i - 1;

		/* What falls through or jumps does so inside. */
		if (at->code == (BPF_RET | BPF_K))
			continue;
		if (at->code == (BPF_JMP | BPF_JA) ? at->k >= left : !left)
			abort();
		if (BPF_CLASS(at->code) == BPF_JMP && at->code != (BPF_JMP | BPF_JA) &&
			(at->jt >= left || at->jf >= left))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seccomp_program program;
	struct seccomp_filter f;

	if (filter_parse(&f, (const char *)data, size, 0x00000000a80425fb) < 0) {
		if (f.rules || f.args)
			abort();
		return 0;
	}
	for (size_t i = 0; i < f.rule_count; i++)
		if (f.rules[i].first + f.rules[i].count > f.arg_count)
			abort();
	if (seccomp_compile(&f, &program) == 0)
		check_program(&program);
	seccomp_filter_free(&f);
	return 0;
}
