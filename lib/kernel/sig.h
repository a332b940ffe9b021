/* SPDX-License-Identifier: MIT */
/* sig - signal names, clean dispositions, signalfd */
#ifndef KERNEL_SIG_H
#define KERNEL_SIG_H

#include <signal.h>

/* "TERM", "SIGTERM", "15", "RTMIN+3", any case. The number; -EINVAL, text recorded. */
int sig_parse(const char *s);

/* "SIGTERM"; a static string, "signal N" for what has no name. */
const char *sig_name(int number);

/* All dispositions to default and an empty mask, as before any exec of foreign code. */
void sig_reset(void);

/* Block SET (all signals but faults if NULL) and return a CLOEXEC, non-blocking signalfd for it; *OLD
 * (may be NULL) is the mask before. */
int sig_open(const sigset_t *set, sigset_t *old);

#endif
