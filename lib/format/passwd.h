/* SPDX-License-Identifier: MIT */
/* passwd - who an image's user is, from the bytes of its own /etc/passwd and
 * /etc/group
 *
 * Both files are the image's, so hostile: what is too long is refused, a line
 * that is not whole counts as absent, and a number is never looked up as a name
 * (CVE-2026-46680). */
#ifndef FORMAT_PASSWD_H
#define FORMAT_PASSWD_H

#include <stddef.h>
#include <stdint.h>

#define PASSWD_FILE_MAX   (1u << 20)
#define PASSWD_LINE_MAX   4096
#define PASSWD_GROUPS_MAX 1024

struct passwd_user {
	uint32_t uid, gid;
	uint32_t groups[PASSWD_GROUPS_MAX]; /* for setgroups: gid first, no duplicates */
	size_t group_count;
	char home[PASSWD_LINE_MAX]; /* absolute, "/" if unknown */
};

/* The content of the two files; length 0 if there is none. */
struct passwd_files {
	const char *passwd, *group;
	size_t passwd_len, group_len;
};

/* Find USER: "" (as 0), "user", "uid", "user:group", "uid:gid", ":group",
 * ":gid". A number need not be in the files; its group is 0 then. A group that
 * is named takes the place of all others the user has. -EINVAL: not of this
 * form. -ENOENT: no such user or group. -E2BIG: a line or the list of groups is
 * too long. Text recorded. */
int passwd_find(struct passwd_user *out, const char *user, const struct passwd_files *files);

#endif
