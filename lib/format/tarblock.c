/* SPDX-License-Identifier: MIT */
/* tarblock - the fields of one 512-byte tar header block */
#include "format/tarblock.h"

#include <string.h>

#define SUM_BEGIN 148
#define SUM_END   156

bool tarblock_number(const uint8_t *block, size_t at, size_t len, int64_t *out)
{
	const uint8_t *f = block + at;
	uint8_t invert = f[0] & 0x40 ? 0xff : 0;
	uint64_t n = 0;
	size_t i;

	*out = 0;
	if (f[0] & 0x80) {
		for (i = 0; i < len; i++) {
			if (n >> 55)
				return false;
			n = n << 8 | (uint8_t)((f[i] ^ invert) & (i == 0 ? 0x7f : 0xff));
		}
		*out = invert ? -(int64_t)n - 1 : (int64_t)n;
		return true;
	}
	for (i = 0; i < len && (f[i] == ' ' || f[i] == 0); i++)
		;
	for (; i < len && f[i] >= '0' && f[i] <= '7'; i++)
		n = n << 3 | (uint64_t)(f[i] - '0');
	*out = (int64_t)n;
	return i == len || f[i] == ' ' || f[i] == 0;
}

bool tarblock_unsigned(const uint8_t *block, size_t at, size_t len, uint64_t max, uint64_t *out)
{
	int64_t n;

	if (!tarblock_number(block, at, len, &n) || n < 0 || (uint64_t)n > max)
		return false;
	*out = (uint64_t)n;
	return true;
}

bool tarblock_u32(const uint8_t *block, size_t at, size_t len, uint32_t max, uint32_t *out)
{
	uint64_t n;

	if (!tarblock_unsigned(block, at, len, max, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

const char *tarblock_text(char *out, const uint8_t *block, size_t at, size_t len)
{
	size_t n = strnlen((const char *)block + at, len);

	memcpy(out, block + at, n);
	out[n] = '\0';
	return out;
}

bool tarblock_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK_SIZE - 1) == 0;
}

/* The sum of all bytes, those of the field itself as spaces. */
static int64_t sum(const uint8_t *block)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < TAR_BLOCK_SIZE; i++)
		n += block[i];
	for (i = SUM_BEGIN; i < SUM_END; i++)
		n += ' ' - block[i];
	return n;
}

bool tarblock_sum_good(const uint8_t *block)
{
	int64_t want, got;
	size_t i;

	if (!tarblock_number(block, TAR_CHECKSUM, &want))
		return false;
	got = sum(block);
	if (got == want)
		return true;
	/* Some old writers took bytes as signed. */
	for (i = 0; i < TAR_BLOCK_SIZE; i++)
		if ((i < SUM_BEGIN || i >= SUM_END) && block[i] >= 0x80)
			got -= 0x100;
	return got == want;
}

void tarblock_put(uint8_t *block, size_t at, size_t len, uint64_t value)
{
	size_t i = at + len - 1;

	block[i] = 0;
	while (i-- > at) {
		block[i] = (uint8_t)('0' + (value & 7));
		value >>= 3;
	}
}

void tarblock_put_sum(uint8_t *block)
{
	/* Six digits, a NUL, a space: as everybody does. */
	tarblock_put(block, SUM_BEGIN, 7, (uint64_t)sum(block));
	block[SUM_END - 1] = ' ';
}
