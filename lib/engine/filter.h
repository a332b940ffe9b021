/* SPDX-License-Identifier: MIT */
/* filter - the system call filter of a container: our default, or a profile in JSON
 *
 * Where a filter denies by default, a call newer than those we know gets ENOSYS, so that programs
 * fall back to older ones. Another ABI than the listed ones, and x32 always, gets ENOSYS too. */
#ifndef ENGINE_FILTER_H
#define ENGINE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/seccomp.h"

struct json;
struct syscall;

/* The default for a container whose bounding set is CAPS. *F is the caller's (seccomp_filter_free),
 * here and below. -ENOSYS: we have no table of system calls for this machine. */
int filter_default(struct seccomp_filter *f, uint64_t caps);

/* The filter that PROFILE says: linux.seccomp of a runtime spec, or a profile of docker and podman,
 * whose includes and excludes are judged for the bounding set CAPS. Names that this machine's ABIs
 * do not have are skipped. Differences to libseccomp: the first rule that matches decides, and
 * arguments that are 32-bit integers to the kernel are compared as such. -EBADMSG, text with the place
 * recorded; -E2BIG; -ENOTSUP: SCMP_ACT_NOTIFY, which needs somebody who answers. */
int filter_from_json(struct seccomp_filter *f, const struct json *profile, uint64_t caps);

/* The same for the LEN bytes of TEXT. */
int filter_parse(struct seccomp_filter *f, const char *text, size_t len, uint64_t caps);

/* The row of the call NAME, NULL if this machine's ABIs do not have it; its number in one of them, or
 * SECCOMP_NONE. */
const struct syscall *filter_syscall(const char *name);
uint32_t filter_number(const struct syscall *s, size_t abi);

/* Add a rule for the call S. */
int filter_add(struct seccomp_filter *f, const struct syscall *s, uint32_t action,
	const struct seccomp_arg *args, size_t count);

/* Is the running kernel at least of version MAJOR.MINOR? */
bool filter_kernel(unsigned major, unsigned minor);

#endif
