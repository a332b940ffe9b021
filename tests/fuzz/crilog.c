/* SPDX-License-Identifier: MIT */
/* crilog - fuzz target: a record that parses lies inside its line and is one of the known kinds */
#include "service/crilog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *line = (const char *)data;
	struct crilog_record r;

	if (!crilog_parse(line, len, &r))
		return 0;
	if (r.stamp != line || r.stamp_len > 40 || r.text < line || r.text + r.len != line + len)
		abort();
	if ((r.stream != CRILOG_STDOUT && r.stream != CRILOG_STDERR) || (r.partial && r.gap))
		abort();
	return 0;
}
