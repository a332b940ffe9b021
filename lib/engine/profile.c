/* SPDX-License-Identifier: MIT */
/* profile - a system call filter from JSON
 *
 * docker's and podman's profiles are linux.seccomp of a runtime spec with three additions: archMap in
 * place of architectures, conditions (includes, excludes) on a rule, and an older spelling of names.
 * So one reader serves both. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/filter.h"
#include "engine/syscalls.h"
#include "kernel/caps.h"

#define ARGS_MAX 6

struct word {
	const char *word;
	uint32_t value;
};

static const struct word actions[] = {
	{ "ALLOW", SECCOMP_RET_ALLOW },
	{ "ERRNO", SECCOMP_RET_ERRNO },
	{ "KILL", SECCOMP_RET_KILL_THREAD },
	{ "KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	{ "KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "LOG", SECCOMP_RET_LOG },
	{ "NOTIFY", SECCOMP_RET_USER_NOTIF },
	{ "TRACE", SECCOMP_RET_TRACE },
	{ "TRAP", SECCOMP_RET_TRAP },
};

static const struct word operators[] = {
	{ "EQ", SECCOMP_OP_EQ },
	{ "GE", SECCOMP_OP_GE },
	{ "GT", SECCOMP_OP_GT },
	{ "LE", SECCOMP_OP_LE },
	{ "LT", SECCOMP_OP_LT },
	{ "MASKED_EQ", SECCOMP_OP_MASKED_EQ },
	{ "NE", SECCOMP_OP_NE },
};

static const struct word flags[] = {
	{ "LOG", SECCOMP_FILTER_FLAG_LOG }, { "SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "TSYNC", 0 }, /* we have one thread when we install it */
};

/* The value of S, which is PREFIX and one of WORDS. */
static int find_word(
	const char *s, const char *prefix, const struct word *words, size_t count, uint32_t *out)
{
	for (size_t i = 0; i < count && str_starts(s, prefix); i++)
		if (strcmp(s + strlen(prefix), words[i].word) == 0) {
			*out = words[i].value;
			return 0;
		}
	return fail(EBADMSG, "unknown word '%s'", s);
}

/* The first item of the array KEY, NULL if there is none; all items are of TYPE. */
static int get_items(
	const struct json *j, const char *key, enum json_type type, const struct json **out)
{
	const struct json *list;
	int r = json_get_array(j, key, &list);

	*out = NULL;
	if (r <= 0)
		return r;
	for (const struct json *item = list->child; item; item = item->next)
		if (item->type != type)
			return fail(EBADMSG, "'%s' has an item of a wrong type", key);
	*out = list->child;
	return 0;
}

static bool has_item(const struct json *items, const char *s)
{
	for (; items; items = items->next)
		if (strcmp(items->string, s) == 0)
			return true;
	return false;
}

/* --- actions --- */

/* KEY names an action, KEY_DATA its number, which only two of them take. */
static int get_action(const struct json *j, const char *key, const char *key_data, uint32_t *out)
{
	const char *word;
	int64_t data = EPERM;
	int r = json_get_string(j, key, &word), given;

	if (r == 0)
		return fail(EBADMSG, "'%s' is missing", key);
	if (r > 0)
		r = find_word(word, "SCMP_ACT_", actions, ARRAY_LEN(actions), out);
	if (r < 0)
		return r;
	given = json_get_int(j, key_data, &data);
	if (given < 0)
		return given;
	if (*out == SECCOMP_RET_USER_NOTIF)
		return fail(ENOTSUP, "%s: nobody here would answer the calls", word);
	if (*out != SECCOMP_RET_ERRNO && *out != SECCOMP_RET_TRACE)
		return given ? fail(EBADMSG, "'%s' does not go with %s", key_data, word) : 0;
	if (data < 0 || data > (*out == SECCOMP_RET_ERRNO ? 4095 : 65535))
		return fail(EBADMSG, "'%s' is out of range", key_data);
	*out |= (uint32_t)data;
	return 0;
}

/* Does the program go on after ACTION? */
static bool is_permissive(uint32_t action)
{
	uint32_t kind = action & SECCOMP_RET_ACTION_FULL;

	return kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG || kind == SECCOMP_RET_TRACE;
}

/* --- includes and excludes --- */

struct condition {
	int arch, kernel; /* 1: holds, 0: does not, -1: is not there */
	bool all_caps, any_cap;
};

static int get_kernel(const struct json *j, int *out)
{
	const char *version;
	char *end;
	unsigned long major, minor = 0;
	int r = json_get_string(j, "minKernel", &version);

	if (r <= 0)
		return r;
	major = strtoul(version, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, &end, 10);
	if (!str_only(version, "0123456789.") || *end || end == version)
		return fail(EBADMSG, "'minKernel' is not a version: '%s'", version);
	*out = filter_kernel((unsigned)major, (unsigned)minor);
	return 0;
}

/* A member we do not know could be a condition as well: the rule would mean something else. */
static int check_members(const struct json *j)
{
	static const char *const known[] = { "arches", "caps", "minKernel" };

	for (const struct json *member = j->child; member; member = member->next) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(member->key, known[i]) != 0)
			i++;
		if (i == ARRAY_LEN(known))
			return fail(EBADMSG, "unknown condition '%s'", member->key);
	}
	return 0;
}

static int get_condition(
	const struct json *rule, const char *key, uint64_t caps, struct condition *out)
{
	const struct json *j, *arches, *names;
	int r = json_get_object(rule, key, &j);

	*out = (struct condition){ .arch = -1, .kernel = -1, .all_caps = true };
	if (r <= 0)
		return r;
	r = check_members(j);
	if (r == 0)
		r = get_items(j, "arches", JSON_STRING, &arches);
	if (r == 0)
		r = get_items(j, "caps", JSON_STRING, &names);
	if (r == 0)
		r = get_kernel(j, &out->kernel);
	if (r < 0)
		return r;
	if (arches)
		out->arch = has_item(arches, seccomp_abis[0].arch);
	for (; names; names = names->next) {
		int cap = caps_parse(names->string);

		/* A name that is not ours is a capability that the container does not have. */
		if (cap < 0)
			fail_clear();
		if (cap >= 0 && caps & CAP_BIT(cap))
			out->any_cap = true;
		else
			out->all_caps = false;
	}
	return 0;
}

/* 1 if the rule is there for this machine and CAPS. */
static int is_included(const struct json *rule, uint64_t caps)
{
	struct condition in, ex;
	int r = get_condition(rule, "includes", caps, &in);

	if (r == 0)
		r = get_condition(rule, "excludes", caps, &ex);
	if (r < 0)
		return r;
	return in.arch != 0 && in.kernel != 0 && in.all_caps && ex.arch != 1 && ex.kernel != 1 &&
		!ex.any_cap;
}

/* --- rules --- */

static int get_arg(const struct json *j, struct seccomp_arg *out)
{
	const char *word;
	int64_t index, value, two = 0;
	uint32_t op;
	int r = json_get_int(j, "index", &index);

	if (r > 0)
		r = json_get_int(j, "value", &value);
	if (r > 0)
		r = json_get_string(j, "op", &word);
	if (r == 0)
		return fail(EBADMSG, "a condition needs 'index', 'value' and 'op'");
	if (r > 0)
		r = json_get_int(j, "valueTwo", &two);
	if (r >= 0)
		r = find_word(word, "SCMP_CMP_", operators, ARRAY_LEN(operators), &op);
	if (r < 0)
		return r;
	if (index < 0 || index >= ARGS_MAX)
		return fail(EBADMSG, "there is no argument %d", (int)index);
	if (value < 0 || two < 0)
		return fail(EBADMSG, "a value is negative");
	*out = (struct seccomp_arg){ .index = (uint8_t)index, .op = op, .value = (uint64_t)value };
	if (op == SECCOMP_OP_MASKED_EQ) {
		out->mask = (uint64_t)value;
		out->value = (uint64_t)two;
	}
	return 0;
}

/* The rules of the call S: one for all conditions; or, as other runtimes do, one for each if an
 * argument is in two of them. */
static int add_call(struct seccomp_filter *f, const struct syscall *s, uint32_t action,
	struct seccomp_arg *args, size_t count)
{
	unsigned seen = 0, twice = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned bit = 1u << args[i].index;

		args[i].low = s->ints & bit;
		if (args[i].low && (args[i].value | args[i].mask) > UINT32_MAX)
			return fail(EBADMSG, "argument %d of '%s' has 32 bits, a value has more",
				args[i].index, syscall_names + s->name);
		twice |= seen & bit;
		seen |= bit;
	}
	if (!twice)
		return filter_add(f, s, action, args, count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = filter_add(f, s, action, args + i, 1);
	return r;
}

static int get_names(const struct json *rule, const struct json **names, const char **name)
{
	int r = json_get_string(rule, "name", name);

	if (r >= 0)
		r = get_items(rule, "names", JSON_STRING, names);
	if (r == 0 && !*name == !*names)
		r = fail(EBADMSG, *name ? "'name' and 'names' are both there" : "no 'names'");
	return r;
}

static int add_names(struct seccomp_filter *f, const struct json *rule, uint32_t action,
	struct seccomp_arg *args, size_t count)
{
	const struct json *names;
	const char *name = NULL;
	int r = get_names(rule, &names, &name);

	while (r == 0 && (name || names)) {
		const struct syscall *s = filter_syscall(name ? name : names->string);

		if (s)
			r = add_call(f, s, action, args, count);
		names = name ? NULL : names->next;
		name = NULL;
	}
	return r;
}

static int add_rule(struct seccomp_filter *f, const struct json *rule, uint64_t caps)
{
	auto_free struct seccomp_arg *args = NULL;
	const struct json *item;
	uint32_t action;
	size_t count = 0;
	int included = is_included(rule, caps), r = included;

	if (r >= 0)
		r = get_action(rule, "action", "errnoRet", &action);
	if (r == 0)
		r = get_items(rule, "args", JSON_OBJECT, &item);
	if (r < 0)
		return r;
	if (item) {
		args = calloc(json_get(rule, "args")->count, sizeof(*args));
		if (!args)
			return fail(ENOMEM, "out of memory for a system call filter");
	}
	for (; item; item = item->next) {
		r = get_arg(item, &args[count++]);
		if (r < 0)
			return r;
	}
	return included ? add_names(f, rule, action, args, count) : 0;
}

static int add_rules(struct seccomp_filter *f, const struct json *profile, uint64_t caps)
{
	const struct json *rule;
	int r = get_items(profile, "syscalls", JSON_OBJECT, &rule);

	for (size_t i = 0; r == 0 && rule; i++, rule = rule->next) {
		r = add_rule(f, rule, caps);
		if (r < 0)
			return fail_wrap(r, "syscalls[%zu]", i);
	}
	return r;
}

/* --- the rest of the document --- */

static int check_arches(const struct json *names)
{
	for (; names; names = names->next)
		if (!str_starts(names->string, "SCMP_ARCH_"))
			return fail(EBADMSG, "unknown architecture '%s'", names->string);
	return 0;
}

/* The native ABI is always judged; the second one where the profile lists it. */
static int get_arches(struct seccomp_filter *f, const struct json *profile)
{
	const struct json *map, *names;
	int r = get_items(profile, "architectures", JSON_STRING, &names);

	if (r == 0)
		r = get_items(profile, "archMap", JSON_OBJECT, &map);
	if (r < 0)
		return r;
	if (names && map)
		return fail(EBADMSG, "'architectures' and 'archMap' are both there");
	for (; map; map = map->next) {
		const char *native;
		const struct json *subs;

		r = json_get_string(map, "architecture", &native);
		if (r == 0)
			return fail(EBADMSG, "'architecture' is missing in 'archMap'");
		if (r > 0)
			r = get_items(map, "subArchitectures", JSON_STRING, &subs);
		if (r == 0)
			r = check_arches(subs);
		if (r < 0)
			return r;
		if (strcmp(native, seccomp_abis[0].token) == 0)
			names = subs;
	}
	f->compat = seccomp_abi_count > 1 && has_item(names, seccomp_abis[1].token);
	return check_arches(names);
}

static int get_flags(struct seccomp_filter *f, const struct json *profile)
{
	const struct json *item;
	int r = get_items(profile, "flags", JSON_STRING, &item);

	for (; r == 0 && item; item = item->next) {
		uint32_t flag;

		r = find_word(item->string, "SECCOMP_FILTER_FLAG_", flags, ARRAY_LEN(flags), &flag);
		if (r == 0)
			f->flags |= flag;
	}
	return r;
}

int filter_from_json(struct seccomp_filter *f, const struct json *profile, uint64_t caps)
{
	int r = 0;

	*f = (struct seccomp_filter){ .foreign = SECCOMP_ERRNO(ENOSYS), .newest = syscall_newest };
	if (profile->type != JSON_OBJECT)
		r = fail(EBADMSG, "not an object");
	else if (!syscall_count)
		r = fail(ENOSYS, "no table of system calls for %s", seccomp_abis[0].arch);
	if (r == 0)
		r = get_action(profile, "defaultAction", "defaultErrnoRet", &f->fallback);
	f->unknown = is_permissive(f->fallback) ? f->fallback : SECCOMP_ERRNO(ENOSYS);
	if (r == 0)
		r = get_arches(f, profile);
	if (r == 0)
		r = get_flags(f, profile);
	if (r == 0)
		r = add_rules(f, profile, caps);
	if (r == 0)
		return 0;
	seccomp_filter_free(f);
	return fail_wrap(r, "seccomp profile");
}

int filter_parse(struct seccomp_filter *f, const char *text, size_t len, uint64_t caps)
{
	auto_json struct json *profile = NULL;
	int r = json_parse(text, len, &profile);

	*f = (struct seccomp_filter){ 0 };
	return r < 0 ? fail_wrap(r, "seccomp profile") : filter_from_json(f, profile, caps);
}
