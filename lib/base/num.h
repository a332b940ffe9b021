/* SPDX-License-Identifier: MIT */
/* num - strict numbers, sizes and durations: the whole string or an error */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/* Decimal digits only: no sign, no space, no prefix; leading zeros are fine. -EINVAL for anything
 * else, -ERANGE above MAX. Text recorded, naming the string. */
int num_parse(const char *s, uint64_t max, uint64_t *out);

/* The same for LEN octal digits (file modes, tar). */
int num_parse_octal(const char *s, size_t len, uint64_t max, uint64_t *out);

/* A size as docker spells it: digits with an optional fraction and b k m g t (powers of 1024, upper
 * or lower case, optional trailing b or ib). -EINVAL, -ERANGE. */
int num_parse_size(const char *s, uint64_t *out);

/* A duration: 1h2m3.5s, 300ms, or plain seconds. Result in nanoseconds. -EINVAL, -ERANGE. */
int num_parse_duration(const char *s, int64_t *out);

/* Size for people, three significant digits in powers of 1000 as docker prints: "101MB". OUT holds
 * 16. */
void num_format_size(char *out, size_t size, uint64_t bytes);

#endif
