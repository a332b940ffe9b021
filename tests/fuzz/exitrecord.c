/* SPDX-License-Identifier: MIT */
/* exitrecord - fuzz target: what is accepted is in range */
#include "service/exitrecord.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exit_record e;
	char text[80];

	if (exitrecord_parse((const char *)data, size, &e) < 0)
		return 0;
	if (strlen(e.id) != 64 || e.code < 0 || e.code > 255 || e.signal < 0 || e.signal > 64 ||
		e.run < 0 || (unsigned)e.reason >= REASON_COUNT)
		abort();
	exitrecord_format(text, sizeof(text), &e, 0);
	return 0;
}
