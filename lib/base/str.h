/* SPDX-License-Identifier: MIT */
/* str - small questions about and operations on strings */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does S begin (end) with the other string? */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Is every byte of S one of SET? True for "". */
bool str_only(const char *s, const char *set);

/* Copy S into DST of SIZE bytes. -ENAMETOOLONG (text recorded) if it does not fit; DST is ""
 * then. */
int str_copy(char *dst, size_t size, const char *s);

/* Lower-case ASCII letters in place; no locale. */
void str_lower(char *s);

/* Compare without regard to the case of ASCII letters; the result is as strcmp's. */
int str_casecmp(const char *a, const char *b);

/* Bytes to lower-case hex; OUT holds 2 * LEN + 1. And back: -EINVAL (text recorded) unless S is
 * exactly 2 * LEN lower-case hex digits. */
void str_hex(char *out, const void *data, size_t len);
int str_unhex(void *out, size_t len, const char *s);

/* Decode standard base64 (RFC 4648, padding optional) into OUT, at most SIZE bytes.
 * Returns the length; -EINVAL for other characters or bits that no encoder leaves, -ENAMETOOLONG if
 * it does not fit. The recorded text does not show S, which may be a secret. */
int str_unbase64(void *out, size_t size, const char *s, size_t len);

/* Encode as base64 with padding; OUT holds 4 * ((LEN + 2) / 3) + 1. */
void str_base64(char *out, const void *data, size_t len);

/* Edit distance (insert, delete, replace, swap neighbours) of short strings, for suggestions;
 * strings longer than 40 bytes are far from everything (returns 99). */
int str_distance(const char *a, const char *b);

/* Read one UTF-8 sequence (RFC 3629) of the LEN bytes at S: *CODE is the code point. Returns its
 * length, 0 if it is invalid or LEN is 0. */
size_t str_utf8(const char *s, size_t len, uint32_t *code);

struct buf;
/* Append S with control characters (C0, DEL, C1) and invalid UTF-8 as \xNN, for a terminal or one
 * line. */
void str_escape(struct buf *out, const char *s, size_t len);

#endif
