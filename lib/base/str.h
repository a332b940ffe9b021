/* SPDX-License-Identifier: MIT */
/* str - small questions about and operations on strings */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* Does S begin (end) with the other string? */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Is every byte of S one of SET? True for "". */
bool str_only(const char *s, const char *set);

/* Copy S into DST of SIZE bytes. -ENAMETOOLONG (text recorded) if it does not fit; DST is "" then. */
int str_copy(char *dst, size_t size, const char *s);

/* Lower-case ASCII letters in place; no locale. */
void str_lower(char *s);

/* Compare ASCII without regard to case, LEN bytes at most. */
int str_casecmp(const char *a, const char *b);

/* Bytes to lower-case hex; OUT holds 2 * LEN + 1. And back: -EINVAL unless S is exactly 2 * LEN
 * lower-case hex digits. */
void str_hex(char *out, const void *data, size_t len);
int str_unhex(void *out, size_t len, const char *s);

/* Decode standard base64 (RFC 4648, padding optional) into OUT, at most SIZE bytes.
 * Returns the length; -EINVAL for other characters, -ENAMETOOLONG if it does not fit. */
int str_unbase64(void *out, size_t size, const char *s, size_t len);

/* Encode as base64 with padding; OUT holds 4 * ((LEN + 2) / 3) + 1. */
void str_base64(char *out, const void *data, size_t len);

/* Edit distance (insert, delete, replace, swap neighbours) of short strings, for suggestions;
 * strings longer than 40 bytes are far from everything (returns 99). */
int str_distance(const char *a, const char *b);

struct buf;
/* Append S with control characters, DEL and invalid UTF-8 as \xNN, for a terminal or one line. */
void str_escape(struct buf *out, const char *s, size_t len);

#endif
