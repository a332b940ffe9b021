/* SPDX-License-Identifier: MIT */
/* buf - growable bytes with sticky failure: append freely, check once */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* All zero is an empty buffer. data is NULL or holds len bytes and room for a NUL; appending writes
 * it, whoever fills reserved room does not have to (see buf_str). */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t limit; /* refuse to grow beyond this many bytes; 0: no limit */
	bool failed;  /* an append was lost: memory or limit */
};

#define auto_buf __attribute__((cleanup(buf_free)))

/* Append; after a failure they do nothing. */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Make room for LEN more bytes and return where they go (then add to len), NULL on failure. */
char *buf_reserve(struct buf *b, size_t len);

/* Drop the first LEN bytes; LEN is at most b->len. */
void buf_drop(struct buf *b, size_t len);

/* 0, or -ENOMEM with the text recorded if any append failed. */
int buf_check(const struct buf *b);

/* The content as a NUL-terminated string, "" when empty; valid until the next append. Check
 * first. */
const char *buf_str(const struct buf *b);

/* Give the content away as an allocated, NUL-terminated string; b is empty afterwards.
 * NULL if an append failed (text recorded). */
char *buf_take(struct buf *b);

/* Empty it, keep the memory and the limit. */
void buf_clear(struct buf *b);

/* Release the memory; b is empty and usable again. */
void buf_free(struct buf *b);

#endif
