/* SPDX-License-Identifier: MIT */
/* passwd - unit test */
#include "format/passwd.h"

#include <errno.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "\n"
			     "daemon:x:1:1::/usr/sbin\n"
			     "alice:x:1000:100:Alice,,,:/home/alice:/bin/sh\n"
			     "99999999999999999999:x:0:0::/:/bin/sh\n"
			     "4294967296:x:0:0::/:/bin/sh\n"
			     "-1:x:0:0::/:/bin/sh\n"
			     "+1:x:0:0::/:/bin/sh\n"
			     "0x0:x:0:0::/:/bin/sh\n"
			     "1.:x:0:0::/:/bin/sh\n"
			     " 1:x:0:0::/:/bin/sh\n"
			     "huge:x:4294967296:0::/:/bin/sh\n"
			     "minus:x:-1:0::/:/bin/sh\n"
			     "empty:x:::/:/bin/sh\n"
			     "half:x:0\n"
			     "relative:x:50:50::home:/bin/sh\n"
			     "alice:x:0:0::/root:/bin/sh\n"
			     "last:x:60:61::/last:/bin/sh";
static const char group[] = "root:x:0:\n"
			    "adm:x:4:alice,daemon\n"
			    "users:x:100:alice\n"
			    "dup:x:4:alice\n"
			    "al:x:7:alicea,lice,ali\n"
			    "wheel:x:10:root,alice\n"
			    "12:x:13:alice\n"
			    "bad:x:x:alice\n"
			    "short:x:14\n"
			    "last:x:15:alice";

static struct passwd_user user;

static int find(const char *who)
{
	struct passwd_files files = { passwd, group, sizeof(passwd) - 1, sizeof(group) - 1 };

	return passwd_find(&user, who, &files);
}

/* Found as UID, GID, HOME, with the groups GROUPS (up to 4, -1 ends). */
static void good(const char *who, uint32_t uid, const char *home, const int *groups)
{
	size_t count = 0;
	int r = find(who);

	unit_check(r == 0 && user.uid == uid, who, (int)user.uid, fail_text());
	if (r != 0)
		return;
	CHECK_STR(user.home, home);
	for (; groups[count] >= 0; count++)
		unit_check(
			count < user.group_count && user.groups[count] == (uint32_t)groups[count],
			who, (int)count, "groups");
	unit_check(count == user.group_count && user.gid == user.groups[0], who,
		(int)user.group_count, "count of groups");
}

#define GROUPS(...)             \
	(const int[])           \
	{                       \
		__VA_ARGS__, -1 \
	}

static void test_forms(void)
{
	unit_case("finds users by name and number with all their groups");
	good("", 0, "/root", GROUPS(0, 10));
	good("0", 0, "/root", GROUPS(0, 10));
	good("root", 0, "/root", GROUPS(0, 10));
	good("alice", 1000, "/home/alice", GROUPS(100, 4, 10, 13, 15));
	good("1000", 1000, "/home/alice", GROUPS(100, 4, 10, 13, 15));
	good("daemon", 1, "/usr/sbin", GROUPS(1, 4));
	good("001", 1, "/usr/sbin", GROUPS(1, 4));
	good("last", 60, "/last", GROUPS(61));
	good("relative", 50, "/", GROUPS(50));

	unit_case("takes numbers that no file knows");
	good("4294967294", 4294967294u, "/", GROUPS(0));
	good("2000", 2000, "/", GROUPS(0));

	unit_case("a group given takes the place of all others");
	good("alice:wheel", 1000, "/home/alice", GROUPS(10));
	good("alice:77", 1000, "/home/alice", GROUPS(77));
	good("1000:1000", 1000, "/home/alice", GROUPS(1000));
	good("2000:last", 2000, "/", GROUPS(15));
	good(":wheel", 0, "/root", GROUPS(10));
	good(":5", 0, "/root", GROUPS(5));
}

static void test_refused(void)
{
	static const char *const wrong[] = { "4294967295", "4294967296", "99999999999999999999",
		"-1", "+1", "0x0", "1.", " 1", "1 ", "1a", "1:", "alice:", ":", "1:2:3", "a:b:c",
		"1:-1", "1:+1", "1:4294967295", "1:99999999999999999999", "1:1x", "a b", "a\n",
		"a/b", "a,b", "\t", "1:a b" };
	static const char *const absent[] = { "nobody", "Root", "roo", "roott", "half", "huge",
		"minus", "empty", "1:nobody", "alice:short", "alice:bad", ":nobody" };

	unit_case("refuses what is no user");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		unit_check(find(wrong[i]) == -EINVAL, wrong[i], (int)i, fail_text());

	unit_case("does not find what is absent, or not whole");
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		unit_check(find(absent[i]) == -ENOENT, absent[i], (int)i, fail_text());
}

static int find_in(const char *who, const char *p, size_t p_len, const char *g, size_t g_len)
{
	struct passwd_files files = { p, g, p_len, g_len };

	return passwd_find(&user, who, &files);
}

static void test_limits(void)
{
	static char big[200000];
	char name[300];
	size_t len = 0;

	unit_case("works without files");
	CHECK(find_in("", "", 0, "", 0) == 0 && user.uid == 0 && user.group_count == 1);
	CHECK(find_in("5:6", NULL, 0, NULL, 0) == 0 && user.uid == 5 && user.gid == 6);
	CHECK(find_in("root", NULL, 0, NULL, 0) == -ENOENT);
	CHECK(find_in("1:root", NULL, 0, NULL, 0) == -ENOENT);

	unit_case("refuses a line that is too long, takes the longest one");
	memset(big, 'x', 5000);
	memcpy(big, "a:x:1:2::/", 10);
	CHECK(find_in("a", big, PASSWD_LINE_MAX - 1, "", 0) == 0);
	CHECK(strlen(user.home) == PASSWD_LINE_MAX - 1 - 9);
	CHECK(find_in("a", big, PASSWD_LINE_MAX, "", 0) == -E2BIG);
	CHECK(find_in("1", big, PASSWD_LINE_MAX, "", 0) == -E2BIG);
	CHECK(find_in("1", "", 0, big, PASSWD_LINE_MAX) == -E2BIG);

	unit_case("refuses more groups than the kernel could be asked for");
	for (int i = 1; i <= 1024; i++)
		len += (size_t)sprintf(big + len, "g%d:x:%d:a\n", i, 2000 + i);
	CHECK(find_in("a", "a:x:1:2::/\n", 11, big, len) == -E2BIG);
	CHECK(find_in("a", "a:x:1:2001::/\n", 14, big, len) == 0 && user.group_count == 1024);
	CHECK(find_in("a:g1024", "a:x:1:2::/\n", 11, big, len) == 0 && user.group_count == 1);

	unit_case("a NUL makes a line void");
	CHECK(find_in("a", "a:x:1:2::/\0:x\na:x:3:4::/", 23, "", 0) == 0 && user.uid == 3);

	unit_case("refuses a name that is too long");
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	CHECK(find_in(name, "", 0, "", 0) == -EINVAL);
	name[255] = '\0';
	CHECK(find_in(name, "", 0, "", 0) == -ENOENT);
}

int main(void)
{
	test_forms();
	test_refused();
	test_limits();
	return unit_end();
}
