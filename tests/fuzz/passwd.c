/* SPDX-License-Identifier: MIT */
/* passwd - fuzz target: the user, the passwd and the group file, separated by
 * NUL */
#include "format/passwd.h"

#include <stdlib.h>
#include <string.h>

static struct passwd_user user;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	struct passwd_files files = { 0 };
	const char *rest;

	if (!end)
		return 0;
	rest = (const char *)end + 1;
	files.passwd = rest;
	files.passwd_len = size - (size_t)(end + 1 - data);
	rest = memchr(rest, '\1', files.passwd_len);
	if (rest) {
		files.group_len = files.passwd_len - (size_t)(rest + 1 - files.passwd);
		files.passwd_len = (size_t)(rest - files.passwd);
		files.group = rest + 1;
	}
	if (passwd_find(&user, (const char *)data, &files) < 0)
		return 0;
	if (user.uid == UINT32_MAX || user.gid == UINT32_MAX || user.home[0] != '/')
		abort();
	if (user.group_count == 0 || user.group_count > PASSWD_GROUPS_MAX ||
		user.groups[0] != user.gid)
		abort();
	/* Digits mean themselves, whatever the files say. */
	if (data[0] >= '0' && data[0] <= '9' && strtoul((const char *)data, NULL, 10) != user.uid)
		abort();
	return 0;
}
