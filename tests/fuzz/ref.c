/* SPDX-License-Identifier: MIT */
/* ref - fuzz target: canonical and short form read back as the same; no part is a way out */
#include "format/ref.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* TEXT must read as WANT's canonical form. */
static void same(const char *text, const char *canonical)
{
	char again[REF_TEXT];
	struct ref r;

	if (ref_parse(&r, text) < 0)
		abort();
	ref_format(again, &r);
	if (strcmp(again, canonical) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[REF_MAX + 100], canonical[REF_TEXT], brief[REF_TEXT];
	const char *p;
	struct ref r;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	if (ref_parse(&r, text) < 0) {
		if (!*fail_text() || *r.host)
			abort();
		return 0;
	}
	ref_format(canonical, &r);
	same(canonical, canonical);
	ref_format_short(brief, &r);
	same(brief, canonical);
	for (p = canonical; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			abort();
	if (strstr(r.repository, "..") || strstr(r.repository, "//") || *r.repository == '-' ||
		*r.host == '-' || *r.tag == '-' || *r.tag == '.' || !*ref_registry(&r))
		abort();
	return 0;
}
