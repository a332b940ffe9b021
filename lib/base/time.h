/* SPDX-License-Identifier: MIT */
/* time - clocks in nanoseconds and RFC 3339 text */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000LL

/* CLOCK_REALTIME, for people. */
int64_t time_now(void);

/* CLOCK_BOOTTIME, for decisions. */
int64_t time_mono(void);

/* RFC 3339 in UTC with nanoseconds only if they are not zero: "2026-11-24T08:00:00.5Z". OUT
 * holds 40. */
void time_format(char *out, size_t size, int64_t ns);

/* RFC 3339, any offset, to nanoseconds since 1970. -EINVAL (text recorded) for anything else or a
 * date that does not exist; years 1678 to 2261. */
int time_parse(const char *s, int64_t *ns);

/* Time span for people as docker prints: "3 minutes", "About an hour". OUT holds 32. */
void time_format_ago(char *out, size_t size, int64_t ns);

#endif
