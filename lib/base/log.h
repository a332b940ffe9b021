/* SPDX-License-Identifier: MIT */
/* log - one-line notes on stderr (or another descriptor), for what is not an error
 *
 * Library code may note a fact that the user should see although the work goes on: a skipped device
 * node, a retry. One call, one line, control characters escaped. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/attr.h"

/* Where notes go and what stands in front of them ("qpull"); QUIET drops them. NAME must stay
 * valid. Before the first call notes go to descriptor 2 without a name. */
void log_init(int fd, const char *name, bool quiet);

/* Note "NAME: TEXT". Keeps errno. */
void log_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
