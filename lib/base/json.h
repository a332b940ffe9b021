/* SPDX-License-Identifier: MIT */
/* json - strict RFC 8259 reader, RFC 8785 (canonical) writer
 *
 * Refused: depth over 64, duplicate keys, more than 10,000 members of one object (100,000 items of
 * one array, 200,000 values in all), strings over 1 MiB, numbers over 1,000 characters or beyond a
 * double, NUL in a string, lone surrogates, invalid UTF-8, a byte order mark, anything after the
 * value. So a tree takes at most three times the text plus 16 MiB. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	char *key;          /* name in its object, else NULL */
	struct json *next;  /* next member or item */
	struct json *child; /* first member or item */
	struct json *last;  /* last one, for appending */
	size_t count;       /* members or items */
	union {
		bool boolean;
		int64_t integer; /* JSON_INT: written without fraction and exponent, fits 64 bits */
		double real;     /* JSON_REAL: every other number; never infinite */
		char *string;    /* NUL-terminated UTF-8 */
	};
};

#define auto_json __attribute__((cleanup(cleanup_json)))

/* Parse LEN bytes. *OUT is the caller's (json_free). -EBADMSG: not valid, text recorded with the
 * byte offset; -ENOMEM. */
int json_parse(const char *text, size_t len, struct json **out);

/* Release J and what is in it. J is not in a tree. */
void json_free(struct json *j);
void cleanup_json(struct json **j);

/* Member KEY of object J; NULL if J is NULL, is no object, or has no such member. */
const struct json *json_get(const struct json *j, const char *key);

/* Typed members: 1 and *OUT if present, 0 if absent or null (then *OUT is untouched), -EBADMSG with
 * the key named if it has another type. Strings stay owned by J. */
int json_get_string(const struct json *j, const char *key, const char **out);
int json_get_int(const struct json *j, const char *key, int64_t *out);
int json_get_bool(const struct json *j, const char *key, bool *out);
int json_get_object(const struct json *j, const char *key, const struct json **out);
int json_get_array(const struct json *j, const char *key, const struct json **out);

/* Write J in canonical form (RFC 8785: sorted members, shortest numbers, no spaces), but integers
 * of 64 bits in full, where RFC 8785 would round them to a double. Fails OUT if J is NULL. */
void json_format(struct buf *out, const struct json *j);

/* Build trees: each returns a new value or NULL when out of memory; a copy of NULL is NULL.
 * json_add takes VALUE over (also on failure) and accepts NULL for either, so that a chain is
 * checked once at its end. KEY is NULL for arrays; the order of members is kept and an existing
 * member of that name is replaced. */
struct json *json_new(enum json_type type);
struct json *json_new_string(const char *s);
struct json *json_new_int(int64_t value);
struct json *json_new_bool(bool value);
struct json *json_copy(const struct json *j);
bool json_add(struct json *to, const char *key, struct json *value);

/* Append S as a quoted JSON string; invalid UTF-8 bytes become U+FFFD. */
void json_quote(struct buf *out, const char *s);

#endif
