/* SPDX-License-Identifier: MIT */
/* json - fuzz target: what is accepted is written canonically, and that reads back to itself */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_buf struct buf first = { 0 }, second = { 0 };
	auto_json struct json *j = NULL, *again = NULL, *copy = NULL;

	if (json_parse((const char *)data, len, &j) < 0) {
		if (j || !*fail_text())
			abort();
		return 0;
	}
	json_format(&first, j);
	if (first.failed || json_parse(first.data, first.len, &again) < 0)
		abort();
	copy = json_copy(again);
	json_format(&second, copy);
	if (second.failed || second.len != first.len ||
		memcmp(first.data, second.data, first.len) != 0)
		abort();
	return 0;
}
