/* SPDX-License-Identifier: MIT */
/* ctl - fuzz target: a request that parses has values within its bounds, one that does not a text */
#include "engine/ctl.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ctl_request q;
	auto_json struct json *id = NULL;
	int r;

	fail_clear();
	r = ctl_parse((const char *)data, len, &q);
	if (r > 0 || (r < 0 && (r > -32600 || !*fail_text())))
		abort();
	if (json_parse(q.id, strlen(q.id), &id) < 0)
		abort();
	if (r == 0 &&
		(id->type == JSON_NULL || q.signal < 0 || q.signal > 64 || q.timeout < -1 ||
			q.rows > 65535 || q.cols > 65535))
		abort();
	return 0;
}
