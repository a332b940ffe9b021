/* SPDX-License-Identifier: MIT */
/* passwd - who an image's user is */
#include "format/passwd.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"

#define ID_MAX       0xfffffffeu /* (uid_t)-1 is "no change" to the kernel */
#define FIELDS       7
#define NAME_MAX_LEN 255

/* One side of "user:group". */
struct who {
	bool given, is_number;
	uint32_t id;
	char name[NAME_MAX_LEN + 1];
};

struct lines {
	const char *at, *end;
	const char *file;
	unsigned number;
	char line[PASSWD_LINE_MAX];
	char *field[FIELDS];
	size_t fields;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool all_digits(const char *s)
{
	return *s && str_only(s, "0123456789");
}

/* A first character that no number has, then nothing that separates. */
static bool is_name(const char *s)
{
	if (!*s || is_digit(*s) || strchr("+-. ", *s))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr(":/,", *s))
			return false;
	return true;
}

static int parse_who(struct who *out, const char *s, size_t len, const char *whole)
{
	uint64_t n;

	*out = (struct who){ .given = len > 0 };
	if (len == 0)
		return 0;
	if (len > NAME_MAX_LEN)
		return fail(EINVAL, "the user or group name is longer than %d", NAME_MAX_LEN);
	memcpy(out->name, s, len);
	if (is_digit(*s)) {
		out->is_number = true;
		if (!all_digits(out->name) || num_parse(out->name, ID_MAX, &n) < 0)
			return fail(EINVAL, "user '%s': '%s' is not an id from 0 to %u", whole,
				out->name, ID_MAX);
		out->id = (uint32_t)n;
		return 0;
	}
	return is_name(out->name) ? 0 : fail(EINVAL, "'%s' is not a user", whole);
}

/* Cut the line into its fields at ":". */
static void split(struct lines *l)
{
	char *at = l->line;

	l->fields = 0;
	while (at && l->fields < FIELDS) {
		l->field[l->fields++] = at;
		at = strchr(at, ':');
		if (at)
			*at++ = '\0';
	}
}

/* The next line: 1, 0 at the end, -E2BIG. */
static int next_line(struct lines *l)
{
	const char *newline;
	size_t len;

	if (l->at == l->end)
		return 0;
	l->number++;
	newline = memchr(l->at, '\n', (size_t)(l->end - l->at));
	len = (size_t)((newline ? newline : l->end) - l->at);
	if (len >= sizeof(l->line))
		return fail(E2BIG, "line %u of %s is longer than %d bytes", l->number, l->file,
			PASSWD_LINE_MAX - 1);
	memcpy(l->line, l->at, len);
	l->line[len] = '\0';
	l->at += len + (newline ? 1 : 0);
	/* A NUL would hide the rest from us, but not from others: no line at all. */
	if (memchr(l->line, '\0', len))
		l->line[0] = '\0';
	split(l);
	return 1;
}

/* An id of a file: a number, or the line does not count. */
static bool parse_id(const char *s, uint32_t *out)
{
	uint64_t n;

	if (!all_digits(s) || num_parse(s, ID_MAX, &n) < 0)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* Does the line with this name and id mean WHO? */
static bool matches(const struct who *who, const char *name, uint32_t id)
{
	return who->is_number ? who->id == id : strcmp(who->name, name) == 0;
}

/* Look USER up in passwd; NAME becomes the name of its line, "" if there is
 * none. 1: found. */
static int find_user(struct passwd_user *out, const struct who *user,
	const struct passwd_files *files, char *name)
{
	struct lines l = { .at = files->passwd,
		.end = files->passwd ? files->passwd + files->passwd_len : NULL,
		.file = "/etc/passwd" };
	uint32_t uid, gid;
	int r;

	*name = '\0';
	while ((r = next_line(&l)) > 0) {
		if (l.fields < 6 || strlen(l.field[0]) > NAME_MAX_LEN ||
			!parse_id(l.field[2], &uid) || !parse_id(l.field[3], &gid) ||
			!matches(user, l.field[0], uid))
			continue;
		out->uid = uid;
		out->gid = gid;
		strcpy(name, l.field[0]);
		if (l.field[5][0] == '/')
			strcpy(out->home, l.field[5]);
		return 1;
	}
	return r;
}

static int add_group(struct passwd_user *out, uint32_t gid)
{
	for (size_t i = 0; i < out->group_count; i++)
		if (out->groups[i] == gid)
			return 0;
	if (out->group_count == ARRAY_LEN(out->groups))
		return fail(E2BIG, "the user is in more than %d groups", PASSWD_GROUPS_MAX);
	out->groups[out->group_count++] = gid;
	return 0;
}

/* Is NAME one of the LIST, which is separated by commas? */
static bool is_member(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (*list) {
		size_t here = strcspn(list, ",");

		if (here == len && memcmp(list, name, len) == 0)
			return true;
		list += here + (list[here] == ',');
	}
	return false;
}

/* Every line of group: the one that GROUP names becomes the gid, or those with
 * NAME as a member are added. */
static int find_groups(struct passwd_user *out, const struct who *group,
	const struct passwd_files *files, const char *name)
{
	struct lines l = { .at = files->group,
		.end = files->group ? files->group + files->group_len : NULL,
		.file = "/etc/group" };
	uint32_t gid;
	int r;

	while ((r = next_line(&l)) > 0) {
		if (l.fields < 4 || !parse_id(l.field[2], &gid))
			continue;
		if (group->given && matches(group, l.field[0], gid)) {
			out->gid = gid;
			return 0;
		}
		if (!group->given && *name && is_member(l.field[3], name)) {
			r = add_group(out, gid);
			if (r < 0)
				return r;
		}
	}
	if (r == 0 && group->given && !group->is_number)
		return fail(ENOENT, "group '%s' is not in the image's /etc/group", group->name);
	return r;
}

int passwd_find(struct passwd_user *out, const char *user, const struct passwd_files *files)
{
	const char *colon = strchr(user, ':');
	struct who who, group = { .given = false };
	char name[NAME_MAX_LEN + 1];
	int r;

	memset(out, 0, sizeof(*out));
	strcpy(out->home, "/");
	r = parse_who(&who, user, colon ? (size_t)(colon - user) : strlen(user), user);
	if (r == 0 && colon) {
		r = parse_who(&group, colon + 1, strlen(colon + 1), user);
		if (r == 0 && !group.given)
			r = fail(EINVAL, "user '%s': the group is missing", user);
	}
	if (r < 0)
		return r;
	who.is_number = who.is_number || !who.given;
	out->uid = who.id;
	r = find_user(out, &who, files, name);
	if (r == 0 && !who.is_number)
		return fail(ENOENT, "user '%s' is not in the image's /etc/passwd", who.name);
	if (r < 0)
		return r;
	if (group.is_number)
		out->gid = group.id;
	/* The gid is the first of the list: it may turn out only from the file. */
	if (!group.given)
		add_group(out, out->gid);
	if (!group.is_number)
		r = find_groups(out, &group, files, name);
	if (r >= 0 && group.given)
		r = add_group(out, out->gid);
	return r < 0 ? r : 0;
}
