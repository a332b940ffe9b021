/* SPDX-License-Identifier: MIT */
/* url - fuzz target: a URL and a location against it; what is accepted reads back as the same */
#include "format/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void same(const struct url *u)
{
	auto_buf struct buf text = { 0 };
	char authority[272];
	struct url again;

	url_authority(authority, u);
	buf_printf(&text, "%s://%s%s", u->https ? "https" : "http", authority, u->path);
	if (u->path[0] != '/' || !u->port || url_parse(&again, buf_str(&text)) < 0)
		abort();
	if (!url_same_origin(u, &again) || u->literal != again.literal ||
		strcmp(u->path, again.path) != 0)
		abort();
}

/* The first line is the base, the rest the location. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_buf struct buf text = { 0 };
	struct url base, u;
	char *location;

	buf_add(&text, data, len);
	buf_putc(&text, '\0');
	location = strchr(text.data, '\n');
	if (location)
		*location++ = '\0';
	if (url_parse(&base, text.data) < 0) {
		if (!*fail_text() || *base.host)
			abort();
		return 0;
	}
	same(&base);
	if (!location || url_resolve(&u, &base, location) < 0)
		return 0;
	same(&u);
	if (strstr(u.path, "/../") &&
		strcspn(u.path, "?") > (size_t)(strstr(u.path, "/../") - u.path))
		abort();
	return 0;
}
