/* SPDX-License-Identifier: MIT */
/* specjson - a spec of a config.json
 *
 * Map: typed members; process; mounts; namespaces and devices; resources; annotations; the whole. */
#include "engine/specjson.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/caps.h"
#include "kernel/sig.h"

/* What goes wrong first stays: nothing below does more after that. */
struct parse {
	struct spec *s;
	int r;
};

static void take(struct parse *p, int r)
{
	if (p->r == 0 && r < 0)
		p->r = r;
}

static void refuse(struct parse *p, const char *what)
{
	if (p->r == 0)
		p->r = fail(ENOTSUP, "config.json: %s is more than qbox can do", what);
}

static void wrong(struct parse *p, const char *what)
{
	if (p->r == 0)
		p->r = fail(EBADMSG, "config.json: %s", what);
}

/* --- typed members; absent is NULL or false --- */

static const char *get_string(struct parse *p, const struct json *j, const char *key)
{
	const char *out = NULL;

	take(p, json_get_string(j, key, &out));
	return p->r == 0 ? out : NULL;
}

static bool get_int(struct parse *p, const struct json *j, const char *key, int64_t *out)
{
	int r = json_get_int(j, key, out);

	take(p, r);
	return p->r == 0 && r > 0;
}

/* A number that cannot be less than 0 or above MAX. */
static uint64_t get_count(struct parse *p, const struct json *j, const char *key, uint64_t max)
{
	int64_t value = 0;

	if (!get_int(p, j, key, &value))
		return 0;
	if (value < 0 || (uint64_t)value > max) {
		take(p, fail(EBADMSG, "config.json: %s is out of range", key));
		return 0;
	}
	return (uint64_t)value;
}

static bool get_bool(struct parse *p, const struct json *j, const char *key)
{
	bool out = false;

	take(p, json_get_bool(j, key, &out));
	return out;
}

static const struct json *get_object(struct parse *p, const struct json *j, const char *key)
{
	const struct json *out = NULL;

	take(p, json_get_object(j, key, &out));
	return p->r == 0 ? out : NULL;
}

/* The first item of a list, each of which must be of TYPE. */
static const struct json *get_items(
	struct parse *p, const struct json *j, const char *key, enum json_type type)
{
	const struct json *list = NULL, *i;

	take(p, json_get_array(j, key, &list));
	if (p->r < 0 || !list)
		return NULL;
	for (i = list->child; i; i = i->next)
		if (i->type != type) {
			take(p,
				fail(EBADMSG, "config.json: an item of %s has the wrong type",
					key));
			return NULL;
		}
	return list->child;
}

/* Members that must not say anything. */
static void refuse_member(struct parse *p, const struct json *j, const char *key)
{
	const struct json *m = json_get(j, key);

	if (!m || m->type == JSON_NULL || (m->type == JSON_STRING && !*m->string) ||
		((m->type == JSON_ARRAY || m->type == JSON_OBJECT) && !m->count))
		return;
	refuse(p, key);
}

/* --- process --- */

static void take_user(struct parse *p, const struct json *process)
{
	const struct json *user = get_object(p, process, "user"), *i;
	uint64_t uid = get_count(p, user, "uid", UINT32_MAX - 1),
		 gid = get_count(p, user, "gid", UINT32_MAX - 1);
	char text[32];
	int64_t umask;

	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)uid, (unsigned long long)gid);
	take(p, spec_set(&p->s->user, text));
	if (get_int(p, user, "umask", &umask))
		p->s->umask = (mode_t)umask & 0777;
	for (i = get_items(p, user, "additionalGids", JSON_INT); i && p->r == 0; i = i->next) {
		if (i->integer < 0 || i->integer >= UINT32_MAX)
			wrong(p, "a group is out of range");
		snprintf(text, sizeof(text), "%lld", (long long)i->integer);
		take(p, spec_add_group(p->s, text));
	}
}

static void take_capabilities(struct parse *p, const struct json *process)
{
	const struct json *sets = get_object(p, process, "capabilities"), *i;
	int cap;

	refuse_member(p, sets, "ambient");
	for (i = get_items(p, sets, "bounding", JSON_STRING); i && p->r == 0; i = i->next) {
		cap = caps_parse(i->string);
		take(p, cap);
		if (cap >= 0)
			p->s->caps |= CAP_BIT(cap);
	}
}

static void take_rlimits(struct parse *p, const struct json *process)
{
	const struct json *i = get_items(p, process, "rlimits", JSON_OBJECT);

	for (; i && p->r == 0; i = i->next) {
		const char *type = get_string(p, i, "type");
		struct spec_rlimit l = {
			.resource = spec_parse_rlimit(type ? type : ""),
			.soft = get_count(p, i, "soft", INT64_MAX),
			.hard = get_count(p, i, "hard", INT64_MAX),
		};

		take(p, l.resource);
		if (l.soft == INT64_MAX)
			l.soft = UINT64_MAX;
		if (l.hard == INT64_MAX)
			l.hard = UINT64_MAX;
		if (p->r == 0)
			take(p, spec_add_rlimit(p->s, &l));
	}
}

static void take_words(struct parse *p, const struct json *process)
{
	const struct json *i;

	for (i = get_items(p, process, "args", JSON_STRING); i && p->r == 0; i = i->next)
		take(p, spec_add_args(p->s, (char *const *)&i->string, 1));
	for (i = get_items(p, process, "env", JSON_STRING); i && p->r == 0; i = i->next)
		take(p, spec_set_env(p->s, i->string));
	if (p->r == 0 && !p->s->args)
		wrong(p, "process.args is empty");
}

static void take_process(struct parse *p, const struct json *config)
{
	static const char *const more[] = { "scheduler", "ioPriority", "execCPUAffinity",
		"selinuxLabel" };
	const struct json *process = get_object(p, config, "process"), *size;
	const char *cwd = get_string(p, process, "cwd"), *profile;
	int64_t score;

	if (p->r == 0 && !process)
		wrong(p, "there is no process");
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		refuse_member(p, process, more[i]);
	profile = get_string(p, process, "apparmorProfile");
	if (profile && *profile && strcmp(profile, "unconfined") != 0)
		refuse(p, "apparmorProfile");
	take_user(p, process);
	take_words(p, process);
	take_capabilities(p, process);
	take_rlimits(p, process);
	if (cwd && *cwd != '/')
		wrong(p, "process.cwd is not absolute");
	take(p, spec_set(&p->s->cwd, cwd ? cwd : "/"));
	p->s->no_new_privileges = get_bool(p, process, "noNewPrivileges");
	p->s->terminal = get_bool(p, process, "terminal");
	size = get_object(p, process, "consoleSize");
	p->s->rows = (unsigned short)get_count(p, size, "height", USHRT_MAX);
	p->s->columns = (unsigned short)get_count(p, size, "width", USHRT_MAX);
	if (get_int(p, process, "oomScoreAdj", &score)) {
		if (score < -1000 || score > 1000)
			wrong(p, "oomScoreAdj is out of range");
		p->s->oom_score = (int)score;
	}
}

/* --- mounts --- */

static void take_mount(struct parse *p, const struct json *j)
{
	const char *target = get_string(p, j, "destination"), *type = get_string(p, j, "type"),
		   *source = get_string(p, j, "source");
	const struct json *i = get_items(p, j, "options", JSON_STRING);
	struct spec_mount m = { 0 };

	if (!target || *target != '/')
		wrong(p, "a mount has no absolute destination");
	if (p->r == 0)
		take(p, spec_set(&m.target, target));
	take(p, spec_set(&m.source, source ? source : ""));
	for (; i && p->r == 0; i = i->next)
		take(p, spec_parse_mount_options(&m, i->string));
	if (!type)
		type = m.flags & MS_BIND ? "bind" : "";
	if (strcmp(type, "bind") == 0 && !(m.flags & MS_BIND))
		m.flags |= MS_BIND;
	if (p->r == 0 && !*type)
		wrong(p, "a mount has no type");
	take(p, spec_set(&m.type, type));
	if (m.propagation & MS_SHARED)
		refuse(p, "shared propagation");
	/* Kernels without message queues are common, and so are specs with them. */
	m.optional = strcmp(type, "mqueue") == 0 || strcmp(type, "cgroup") == 0;
	if (p->r == 0)
		take(p, spec_add_mount(p->s, &m));
	free(m.target);
	free(m.source);
	free(m.type);
	free(m.data);
}

/* --- namespaces and devices --- */

static void take_namespace(struct parse *p, const struct json *j)
{
	static const struct {
		const char *type;
		int flag;
	} types[] = {
		{ "pid", CLONE_NEWPID },
		{ "network", CLONE_NEWNET },
		{ "ipc", CLONE_NEWIPC },
		{ "uts", CLONE_NEWUTS },
		{ "mount", CLONE_NEWNS },
		{ "cgroup", CLONE_NEWCGROUP },
	};
	const char *type = get_string(p, j, "type"), *path = get_string(p, j, "path");

	for (size_t i = 0; type && i < ARRAY_LEN(types); i++) {
		if (strcmp(type, types[i].type) != 0)
			continue;
		if (!path || !*path)
			p->s->namespaces |= types[i].flag;
		else if (types[i].flag == CLONE_NEWNS)
			refuse(p, "to join a mount namespace");
		else
			take(p, spec_add_join(p->s, types[i].flag, path));
		return;
	}
	refuse(p, type ? type : "a namespace without a type");
}

static void take_device(struct parse *p, const struct json *j)
{
	const char *path = get_string(p, j, "path"), *type = get_string(p, j, "type");
	struct spec_device d = {
		.path = (char *)path,
		.major = (unsigned)get_count(p, j, "major", 4095),
		.minor = (unsigned)get_count(p, j, "minor", 1048575),
		.uid = (uid_t)get_count(p, j, "uid", UINT32_MAX - 1),
		.gid = (gid_t)get_count(p, j, "gid", UINT32_MAX - 1),
		.mode = 0666,
	};
	int64_t mode;

	if (get_int(p, j, "fileMode", &mode))
		d.mode = (mode_t)mode & 07777;
	if (!path || *path != '/' || !path[1] || !type || !*type)
		wrong(p, "a device has no absolute path, or no type");
	if (p->r < 0)
		return;
	d.type = *type == 'b' ? S_IFBLK : *type == 'p' ? S_IFIFO : S_IFCHR;
	if (!strchr("bcup", *type) || type[1])
		wrong(p, "a device is of no type that exists");
	take(p, spec_add_device(p->s, &d));
}

/* --- resources --- */

static void take_rule(struct parse *p, const struct json *j)
{
	const char *type = get_string(p, j, "type"), *access = get_string(p, j, "access");
	struct cgroup_device r = {
		.allow = get_bool(p, j, "allow"), .type = 'a', .major = -1, .minor = -1
	};
	int64_t number;

	if (type && *type)
		r.type = *type;
	if (get_int(p, j, "major", &number) && number >= 0)
		r.major = (int32_t)number;
	if (get_int(p, j, "minor", &number) && number >= 0)
		r.minor = (int32_t)number;
	for (const char *at = access ? access : "rwm"; *at; at++)
		r.access |= *at == 'r' ? CGROUP_READ : *at == 'w' ? CGROUP_WRITE : CGROUP_MKNOD;
	take(p, spec_add_rule(p->s, &r));
}

static void take_resources(struct parse *p, const struct json *linux_part)
{
	static const char *const more[] = { "hugepageLimits", "network", "rdma", "unified" };
	const struct json *all = get_object(p, linux_part, "resources"),
			  *memory = get_object(p, all, "memory"), *cpu = get_object(p, all, "cpu"),
			  *i = get_items(p, all, "devices", JSON_OBJECT);
	struct cgroup_limits *l = &p->s->limits;
	const char *text;

	for (size_t n = 0; n < ARRAY_LEN(more); n++)
		refuse_member(p, all, more[n]);
	get_int(p, memory, "limit", &l->memory);
	get_int(p, memory, "swap", &l->memory_swap);
	get_int(p, memory, "reservation", &l->memory_reservation);
	get_int(p, cpu, "quota", &l->cpu_quota);
	l->cpu_period = get_count(p, cpu, "period", INT64_MAX);
	l->cpu_shares = get_count(p, cpu, "shares", INT64_MAX);
	text = get_string(p, cpu, "cpus");
	if (text && *text)
		take(p, spec_set((char **)&l->cpuset_cpus, text));
	text = get_string(p, cpu, "mems");
	if (text && *text)
		take(p, spec_set((char **)&l->cpuset_mems, text));
	get_int(p, get_object(p, all, "pids"), "limit", &l->pids);
	l->blkio_weight = get_count(p, get_object(p, all, "blockIO"), "weight", 10000);
	p->s->limited = l->memory || l->memory_swap || l->memory_reservation || l->cpu_quota ||
		l->cpu_shares || l->cpuset_cpus || l->cpuset_mems || l->pids || l->blkio_weight;
	for (; i && p->r == 0; i = i->next)
		take_rule(p, i);
}

static void take_sysctls(struct parse *p, const struct json *linux_part)
{
	const struct json *i = get_object(p, linux_part, "sysctl");

	for (i = i ? i->child : NULL; i && p->r == 0; i = i->next) {
		auto_free char *path = strdup(i->key);

		if (!path || i->type != JSON_STRING || strstr(i->key, "..")) {
			wrong(p, "a sysctl is no string");
			return;
		}
		/* Dots separate, unless a slash does first. */
		if (path[strcspn(path, "./")] == '.')
			for (char *at = path; *at; at++)
				*at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
		take(p, spec_add_sysctl(p->s, path, i->string, false));
	}
}

static void take_filter(struct parse *p, const struct json *linux_part)
{
	const struct json *profile = get_object(p, linux_part, "seccomp");
	auto_buf struct buf text = { 0 };

	if (!profile) {
		take(p, spec_set(&p->s->seccomp, "unconfined"));
		return;
	}
	json_format(&text, profile);
	take(p, buf_check(&text));
	if (p->r == 0)
		take(p, spec_set(&p->s->seccomp, text.data));
}

static void take_linux(struct parse *p, const struct json *config)
{
	static const char *const more[] = { "uidMappings", "gidMappings", "intelRdt", "personality",
		"mountLabel", "timeOffsets" };
	const struct json *part = get_object(p, config, "linux"), *i;
	struct spec_mount propagation = { 0 };
	const char *text;

	for (size_t n = 0; n < ARRAY_LEN(more); n++)
		refuse_member(p, part, more[n]);
	for (i = get_items(p, part, "namespaces", JSON_OBJECT); i && p->r == 0; i = i->next)
		take_namespace(p, i);
	if (!(p->s->namespaces & CLONE_NEWNS))
		refuse(p, "a container without a mount namespace");
	for (i = get_items(p, part, "devices", JSON_OBJECT); i && p->r == 0; i = i->next)
		take_device(p, i);
	take_resources(p, part);
	take_sysctls(p, part);
	take_filter(p, part);
	for (i = get_items(p, part, "maskedPaths", JSON_STRING); i && p->r == 0; i = i->next)
		take(p, spec_add_masked(p->s, i->string));
	for (i = get_items(p, part, "readonlyPaths", JSON_STRING); i && p->r == 0; i = i->next)
		take(p, spec_add_read_only(p->s, i->string));
	text = get_string(p, part, "cgroupsPath");
	if (text && *text)
		take(p, spec_set(&p->s->cgroup, text));
	text = get_string(p, part, "rootfsPropagation");
	if (text && *text) {
		take(p, spec_parse_mount_options(&propagation, text));
		p->s->root.propagation = propagation.propagation;
		free(propagation.data);
	}
}

/* --- annotations --- */

/* Words with ":" between them, to the function that adds one. */
static void take_list(
	struct parse *p, const char *text, int (*add)(struct spec *s, const char *word))
{
	auto_free char *copy = strdup(text);
	char *at, *next;

	if (!copy)
		take(p, fail(ENOMEM, "out of memory"));
	for (at = copy; at && *at && p->r == 0; at = next) {
		next = strchr(at, ':');
		if (next)
			*next++ = '\0';
		take(p, add(p->s, at));
	}
}

/* The bytes that add_bytes of specformat wrote. */
static void take_bytes(
	struct parse *p, const char *hex, int (*add)(struct spec *s, const char *word))
{
	size_t len = strlen(hex) / 2;
	auto_free char *bytes = malloc(len + 1);

	if (!bytes)
		take(p, fail(ENOMEM, "out of memory"));
	else if (str_unhex(bytes, len, hex) < 0 || (len > 0 && bytes[len - 1]))
		wrong(p, "an annotation of qbox is no list of words");
	for (size_t at = 0; p->r == 0 && at < len; at += strlen(bytes + at) + 1)
		take(p, add(p->s, bytes + at));
}

static int add_word(struct spec *s, const char *word)
{
	return spec_add_args(s, (char *const *)&word, 1);
}

static void take_number(struct parse *p, const char *text, int *out)
{
	uint64_t value = 0;

	take(p, num_parse(text, INT_MAX / 1000, &value));
	*out = (int)value;
}

static void take_own(struct parse *p, const char *key, const char *value)
{
	struct spec *s = p->s;
	int n = 0;

	if (strcmp(key, SPEC_LAYERS) == 0) {
		s->root.kind = SPEC_ROOT_LAYERS;
		take_list(p, value, spec_add_layer);
	} else if (strcmp(key, SPEC_UPPER) == 0) {
		take(p, spec_set(&s->root.upper, value));
	} else if (strcmp(key, SPEC_USER) == 0) {
		take(p, spec_set(&s->user, value));
	} else if (strcmp(key, SPEC_GROUPS) == 0) {
		take_list(p, value, spec_add_group);
	} else if (strcmp(key, SPEC_ARGS) == 0) {
		take(p, spec_set_args(s, NULL, 0));
		take_bytes(p, value, add_word);
	} else if (strcmp(key, SPEC_ENV) == 0) {
		take_bytes(p, value, spec_set_env);
	} else if (strcmp(key, SPEC_STOP_SIGNAL) == 0) {
		n = sig_parse(value);
		take(p, n);
		s->stop_signal = n;
	} else if (strcmp(key, SPEC_STOP_TIMEOUT) == 0) {
		take_number(p, value, &s->stop_timeout);
	} else if (strcmp(key, SPEC_SECCOMP) == 0) {
		free(s->seccomp);
		s->seccomp = NULL;
	} else if (strcmp(key, SPEC_INIT) == 0) {
		s->init = true;
	} else if (strcmp(key, SPEC_LIMITED) == 0) {
		s->limited = true;
	} else if (strcmp(key, SPEC_CGROUPS) == 0) {
		n = spec_parse_cgroups(value);
		take(p, n);
		s->cgroups = (enum spec_cgroups)n;
	}
}

static void take_annotations(struct parse *p, const struct json *config)
{
	const struct json *all = get_object(p, config, "annotations"), *i;

	/* Our own limits are a wish unless they were asked for. */
	if (json_get(all, SPEC_USER))
		p->s->limited = false;
	for (i = all ? all->child : NULL; i && p->r == 0; i = i->next) {
		auto_buf struct buf item = { 0 };

		if (i->type != JSON_STRING) {
			wrong(p, "an annotation is no string");
			return;
		}
		if (strncmp(i->key, "qbox.", 5) == 0) {
			take_own(p, i->key, i->string);
			continue;
		}
		buf_printf(&item, "%s=%s", i->key, i->string);
		take(p, buf_check(&item));
		if (p->r == 0)
			take(p, spec_set_label(p->s, item.data));
	}
}

/* --- the whole --- */

static void take_root(struct parse *p, const struct json *config, const char *bundle)
{
	const struct json *root = get_object(p, config, "root");
	const char *path = get_string(p, root, "path");
	auto_free char *full = NULL;

	if (!path || !*path) {
		wrong(p, "root.path is empty");
		return;
	}
	p->s->root.kind = SPEC_ROOT_DIR;
	p->s->root.read_only = get_bool(p, root, "readonly");
	if (asprintf(&full, "%s%s%s", *path == '/' ? "" : bundle, *path == '/' ? "" : "/", path) <
		0) {
		full = NULL;
		take(p, fail(ENOMEM, "out of memory"));
	} else {
		take(p, spec_set(&p->s->root.dir, full));
	}
}

int spec_parse(struct spec *s, const struct json *config, const char *bundle)
{
	struct parse p = { .s = s };
	const struct json *i;
	const char *text;

	spec_clear(s);
	refuse_member(&p, config, "hooks");
	refuse_member(&p, config, "domainname");
	take_root(&p, config, bundle);
	take_process(&p, config);
	for (i = get_items(&p, config, "mounts", JSON_OBJECT); i && p.r == 0; i = i->next)
		take_mount(&p, i);
	take_linux(&p, config);
	text = get_string(&p, config, "hostname");
	if (text && *text) {
		if (strlen(text) >= sizeof(s->hostname))
			wrong(&p, "hostname is too long");
		else
			strcpy(s->hostname, text);
	}
	take_annotations(&p, config);
	return p.r;
}
