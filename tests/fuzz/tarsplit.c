/* SPDX-License-Identifier: MIT */
/* tarsplit - fuzz target: any bytes read back the same however they are cut, and never give more than the
 * head of the file says */
#include "format/tarsplit.h"

#include <stdlib.h>
#include <string.h>

struct seen {
	uint64_t sum, hash;
};

static int raw(void *ctx, const uint8_t *bytes, size_t len)
{
	struct seen *s = ctx;

	s->sum += len;
	/* Enough to read a record of zeros, not to write terabytes of them. */
	if (s->sum > 1 << 24)
		return -1;
	for (size_t i = 0; i < len; i++)
		s->hash = s->hash * 31 + bytes[i];
	return 0;
}

static int file(void *ctx, const char *path, uint64_t len)
{
	struct seen *s = ctx;

	if (!*path || strlen(path) >= 4096)
		abort();
	s->sum += len;
	s->hash = s->hash * 31 + len;
	return 0;
}

static int run(const uint8_t *data, size_t size, size_t step, struct seen *s)
{
	static const struct tarsplit_events events = { .raw = raw, .file = file };
	struct tarsplit_reader *r;
	struct digest id;
	int e = 0;

	if (tarsplit_reader_new(&r, &events, s) < 0)
		abort();
	for (size_t at = 0; at < size && e == 0; at += step)
		e = tarsplit_reader_feed(r, data + at, size - at < step ? size - at : step);
	if (e == 0)
		e = tarsplit_reader_end(r, &id);
	tarsplit_reader_free(r);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };
	uint64_t total = 0;

	if (run(data, size, size + 1, &whole) < 0)
		return 0;
	if (run(data, size, 1, &cut) < 0 || whole.hash != cut.hash || whole.sum != cut.sum)
		abort();
	for (int i = 15; i > 7; i--)
		total = total << 8 | data[i];
	if (whole.sum != total)
		abort();
	return 0;
}
