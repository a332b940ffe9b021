/* SPDX-License-Identifier: MIT */
/* tarblock - the fields of one 512-byte tar header block */
#ifndef FORMAT_TARBLOCK_H
#define FORMAT_TARBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK_SIZE 512

/* Fields as offset and length, to be given to the functions below. */
#define TAR_NAME      0, 100
#define TAR_MODE      100, 8
#define TAR_UID       108, 8
#define TAR_GID       116, 8
#define TAR_SIZE      124, 12
#define TAR_MTIME     136, 12
#define TAR_CHECKSUM  148, 8
#define TAR_LINK      157, 100
#define TAR_USER      265, 32
#define TAR_GROUP     297, 32
#define TAR_MAJOR     329, 8
#define TAR_MINOR     337, 8
#define TAR_PREFIX    345, 155
#define TAR_REAL_SIZE 483, 12 /* old GNU sparse */

#define TAR_AT_TYPE          156
#define TAR_AT_MAGIC         257
#define TAR_AT_PREFIX        345
#define TAR_AT_SPARSE        386 /* old GNU: 4 pieces of 24 bytes, then the flag that more follow */
#define TAR_AT_MORE          482
#define TAR_AT_MORE_EXTENDED 504 /* the same flag in a block of 21 pieces */

/* Octal as text, or binary with the top bit set, two's complement (GNU). False if it is neither. */
bool tarblock_number(const uint8_t *block, size_t at, size_t len, int64_t *out);

/* The same for what must lie between 0 and MAX. */
bool tarblock_unsigned(const uint8_t *block, size_t at, size_t len, uint64_t max, uint64_t *out);
bool tarblock_u32(const uint8_t *block, size_t at, size_t len, uint32_t max, uint32_t *out);

/* Text that ends with the field or the first NUL; OUT holds LEN + 1. Returns OUT. */
const char *tarblock_text(char *out, const uint8_t *block, size_t at, size_t len);

/* Does the block hold only zeros; does it add up? */
bool tarblock_zero(const uint8_t *block);
bool tarblock_sum_good(const uint8_t *block);

/* Write VALUE as octal digits and a NUL, all zeros in front; it must fit. */
void tarblock_put(uint8_t *block, size_t at, size_t len, uint64_t value);
void tarblock_put_sum(uint8_t *block);

#endif
