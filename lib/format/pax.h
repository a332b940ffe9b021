/* SPDX-License-Identifier: MIT */
/* pax - the records of PAX headers: "LENGTH KEY=VALUE\n", one after another */
#ifndef FORMAT_PAX_H
#define FORMAT_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One record: VALUE has LEN bytes, any of which may be NUL, and a NUL after them. */
typedef int pax_record(void *ctx, const char *key, const char *value, size_t len);

/* Cut the LEN bytes at DATA into strings where they lie and call RECORD for each, in order.
 * False if they are damaged; else *RESULT is 0 or the first negative value that RECORD returned. */
bool pax_parse(char *data, size_t len, pax_record *record, void *ctx, int *result);

/* Append a record. */
void pax_add(struct buf *out, const char *key, const void *value, size_t len);

/* A time, "-12.345" with any number of decimals, in ns since 1970. False if S is none. */
bool pax_parse_time(const char *s, int64_t *out);

/* Seconds and ns to ns; beyond the years 1678 to 2261 the nearest time that can be told. */
int64_t pax_clamp_time(int64_t seconds, int64_t ns);

#endif
