/* SPDX-License-Identifier: MIT */
/* specformat - a spec as a config.json */
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/str.h"
#include "engine/specjson.h"
#include "kernel/caps.h"
#include "kernel/sig.h"

/* The text is written as it comes; json_format puts it into canonical order at the end. */

static void add_key(struct buf *b, const char *key)
{
	if (b->len > 0 && !strchr("{[", b->data[b->len - 1]))
		buf_putc(b, ',');
	if (!key)
		return;
	json_quote(b, key);
	buf_putc(b, ':');
}

/* Begin and end an object '{' or a list '['. */
static void begin(struct buf *b, const char *key, char bracket)
{
	add_key(b, key);
	buf_putc(b, bracket);
}

static void end(struct buf *b, char bracket)
{
	buf_putc(b, bracket);
}

static void add_string(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	add_key(b, key);
	json_quote(b, value);
}

static void add_int(struct buf *b, const char *key, int64_t value)
{
	add_key(b, key);
	buf_printf(b, "%" PRId64, value);
}

static void add_bool(struct buf *b, const char *key, bool value)
{
	add_key(b, key);
	buf_puts(b, value ? "true" : "false");
}

/* What is 0 was not given. */
static void add_given(struct buf *b, const char *key, int64_t value)
{
	if (value)
		add_int(b, key, value);
}

static void add_strings(struct buf *b, const char *key, char *const *list)
{
	begin(b, key, '[');
	for (; list && *list; list++)
		add_string(b, NULL, *list);
	end(b, ']');
}

/* --- process --- */

static void add_capabilities(struct buf *b, uint64_t set)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };

	begin(b, "capabilities", '{');
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		begin(b, sets[i], '[');
		for (int cap = 0; cap < 64; cap++)
			if (set & CAP_BIT(cap))
				add_string(b, NULL, caps_name(cap));
		end(b, ']');
	}
	end(b, '}');
}

static void add_rlimits(struct buf *b, const struct spec *s)
{
	begin(b, "rlimits", '[');
	for (size_t i = 0; i < s->rlimit_count; i++) {
		const struct spec_rlimit *l = &s->rlimits[i];

		begin(b, NULL, '{');
		add_string(b, "type", spec_rlimit_name(l->resource));
		/* Unlimited is 2^64-1, which our reader does not take; the largest that it does means the same. */
		add_int(b, "soft", (int64_t)(l->soft > INT64_MAX ? INT64_MAX : l->soft));
		add_int(b, "hard", (int64_t)(l->hard > INT64_MAX ? INT64_MAX : l->hard));
		end(b, '}');
	}
	end(b, ']');
}

static void add_process(struct buf *b, const struct spec *s)
{
	begin(b, "process", '{');
	/* The numbers are found in the image when it starts; the name is an annotation. */
	begin(b, "user", '{');
	add_int(b, "uid", 0);
	add_int(b, "gid", 0);
	add_int(b, "umask", (int64_t)s->umask);
	end(b, '}');
	add_strings(b, "args", s->args);
	add_strings(b, "env", s->env);
	add_string(b, "cwd", s->cwd);
	add_capabilities(b, s->caps);
	add_rlimits(b, s);
	add_bool(b, "noNewPrivileges", s->no_new_privileges);
	add_bool(b, "terminal", s->terminal);
	if (s->rows) {
		begin(b, "consoleSize", '{');
		add_int(b, "height", s->rows);
		add_int(b, "width", s->columns);
		end(b, '}');
	}
	if (s->oom_score != INT_MIN)
		add_int(b, "oomScoreAdj", s->oom_score);
	end(b, '}');
}

/* --- mounts --- */

static void add_options(struct buf *b, const struct spec_mount *m)
{
	static const struct {
		unsigned long flag;
		const char *word;
	} words[] = {
		{ MS_RDONLY, "ro" },
		{ MS_NOSUID, "nosuid" },
		{ MS_NODEV, "nodev" },
		{ MS_NOEXEC, "noexec" },
		{ MS_SYNCHRONOUS, "sync" },
		{ MS_DIRSYNC, "dirsync" },
		{ MS_NOATIME, "noatime" },
		{ MS_NODIRATIME, "nodiratime" },
		{ MS_RELATIME, "relatime" },
		{ MS_STRICTATIME, "strictatime" },
	};
	static const struct {
		unsigned long flag;
		const char *word; /* after the "r" for the mounts below, too */
	} kinds[] = {
		{ MS_PRIVATE, "rprivate" },
		{ MS_SLAVE, "rslave" },
		{ MS_SHARED, "rshared" },
		{ MS_UNBINDABLE, "runbindable" },
	};

	begin(b, "options", '[');
	if (m->flags & MS_BIND)
		add_string(b, NULL, m->flags & MS_REC ? "rbind" : "bind");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (m->flags & words[i].flag)
			add_string(b, NULL, words[i].word);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (m->propagation & kinds[i].flag)
			add_string(b, NULL, kinds[i].word + !(m->propagation & MS_REC));
	add_string(b, NULL, m->data);
	if (m->copy_up)
		add_string(b, NULL, "x-qbox.copy-up");
	end(b, ']');
}

static void add_mounts(struct buf *b, const struct spec *s)
{
	begin(b, "mounts", '[');
	for (size_t i = 0; i < s->mount_count; i++) {
		const struct spec_mount *m = &s->mounts[i];

		begin(b, NULL, '{');
		add_string(b, "destination", m->target);
		add_string(b, "type", m->type);
		add_string(b, "source", m->source);
		add_options(b, m);
		end(b, '}');
	}
	end(b, ']');
}

/* --- linux --- */

static void add_namespaces(struct buf *b, const struct spec *s)
{
	static const struct {
		int flag;
		const char *type;
	} types[] = {
		{ CLONE_NEWPID, "pid" },
		{ CLONE_NEWNET, "network" },
		{ CLONE_NEWIPC, "ipc" },
		{ CLONE_NEWUTS, "uts" },
		{ CLONE_NEWNS, "mount" },
		{ CLONE_NEWCGROUP, "cgroup" },
	};

	begin(b, "namespaces", '[');
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const char *path = NULL;

		for (size_t n = 0; n < s->join_count; n++)
			if (s->joins[n].flag == types[i].flag)
				path = s->joins[n].path;
		if (!path && !(s->namespaces & types[i].flag))
			continue;
		begin(b, NULL, '{');
		add_string(b, "type", types[i].type);
		add_string(b, "path", path);
		end(b, '}');
	}
	end(b, ']');
}

static void add_devices(struct buf *b, const struct spec *s)
{
	begin(b, "devices", '[');
	for (size_t i = 0; i < s->device_count; i++) {
		const struct spec_device *d = &s->devices[i];

		begin(b, NULL, '{');
		add_string(b, "path", d->path);
		add_string(b, "type", S_ISCHR(d->type) ? "c" : S_ISBLK(d->type) ? "b" : "p");
		add_int(b, "major", d->major);
		add_int(b, "minor", d->minor);
		add_int(b, "fileMode", (int64_t)d->mode);
		add_int(b, "uid", d->uid);
		add_int(b, "gid", d->gid);
		end(b, '}');
	}
	end(b, ']');
}

static void add_rules(struct buf *b, const struct spec *s)
{
	begin(b, "devices", '[');
	for (size_t i = 0; i < s->limits.device_count; i++) {
		const struct cgroup_device *r = &s->limits.devices[i];
		char type[2] = { r->type, '\0' }, access[4] = "";

		if (r->access & CGROUP_READ)
			strcat(access, "r");
		if (r->access & CGROUP_WRITE)
			strcat(access, "w");
		if (r->access & CGROUP_MKNOD)
			strcat(access, "m");
		begin(b, NULL, '{');
		add_bool(b, "allow", r->allow);
		add_string(b, "type", type);
		if (r->major >= 0)
			add_int(b, "major", r->major);
		if (r->minor >= 0)
			add_int(b, "minor", r->minor);
		add_string(b, "access", access);
		end(b, '}');
	}
	end(b, ']');
}

static void add_resources(struct buf *b, const struct spec *s)
{
	const struct cgroup_limits *l = &s->limits;

	begin(b, "resources", '{');
	begin(b, "memory", '{');
	add_given(b, "limit", l->memory);
	add_given(b, "swap", l->memory_swap);
	add_given(b, "reservation", l->memory_reservation);
	end(b, '}');
	begin(b, "cpu", '{');
	add_given(b, "quota", l->cpu_quota);
	add_given(b, "period", (int64_t)l->cpu_period);
	add_given(b, "shares", (int64_t)l->cpu_shares);
	add_string(b, "cpus", l->cpuset_cpus);
	add_string(b, "mems", l->cpuset_mems);
	end(b, '}');
	begin(b, "pids", '{');
	add_given(b, "limit", l->pids);
	end(b, '}');
	begin(b, "blockIO", '{');
	add_given(b, "weight", (int64_t)l->blkio_weight);
	end(b, '}');
	add_rules(b, s);
	end(b, '}');
}

static void add_linux(struct buf *b, const struct spec *s)
{
	begin(b, "linux", '{');
	add_namespaces(b, s);
	add_devices(b, s);
	add_resources(b, s);
	begin(b, "sysctl", '{');
	for (size_t i = 0; i < s->sysctl_count; i++)
		add_string(b, s->sysctls[i].path, s->sysctls[i].value);
	end(b, '}');
	add_strings(b, "maskedPaths", s->masked);
	add_strings(b, "readonlyPaths", s->read_only);
	add_string(b, "cgroupsPath", s->cgroup);
	if (s->seccomp && strcmp(s->seccomp, "unconfined") != 0) {
		/* It was parsed before. */
		add_key(b, "seccomp");
		buf_puts(b, s->seccomp);
	}
	end(b, '}');
}

/* --- the whole --- */

/* A list of words without ":" in one string. */
static void add_list(struct buf *b, const char *key, char *const *list)
{
	auto_buf struct buf text = { 0 };

	for (; list && *list; list++)
		buf_printf(&text, "%s%s", text.len ? ":" : "", *list);
	if (text.len)
		add_string(b, key, text.data);
}

/* Words that are no UTF-8 cannot stand in JSON: then all of them stand here, in hexadecimal digits. */
static void add_bytes(struct buf *b, const char *key, char *const *list)
{
	auto_buf struct buf text = { 0 };
	bool plain = true;

	for (; list && *list; list++) {
		size_t len = strlen(*list);
		uint32_t code;

		for (size_t at = 0, n; at < len && plain; at += n) {
			n = str_utf8(*list + at, len - at, &code);
			plain = n > 0;
		}
		for (size_t i = 0; i <= len; i++)
			buf_printf(&text, "%02x", (unsigned char)(*list)[i]);
	}
	if (!plain)
		add_string(b, key, text.data);
	if (text.failed)
		b->failed = true;
}

static void add_annotations(struct buf *b, const struct spec *s)
{
	char number[16];

	begin(b, "annotations", '{');
	for (char *const *label = s->labels; label && *label; label++) {
		const char *equals = strchr(*label, '=');
		auto_buf struct buf key = { 0 };

		buf_add(&key, *label, (size_t)(equals - *label));
		add_string(b, buf_str(&key), equals + 1);
	}
	if (s->root.kind == SPEC_ROOT_LAYERS)
		add_list(b, SPEC_LAYERS, s->root.layers);
	add_string(b, SPEC_UPPER, s->root.upper);
	add_string(b, SPEC_USER, s->user);
	add_bytes(b, SPEC_ARGS, s->args);
	add_bytes(b, SPEC_ENV, s->env);
	add_list(b, SPEC_GROUPS, s->groups);
	add_string(b, SPEC_STOP_SIGNAL, sig_name(s->stop_signal));
	snprintf(number, sizeof(number), "%d", s->stop_timeout);
	add_string(b, SPEC_STOP_TIMEOUT, number);
	if (!s->seccomp)
		add_string(b, SPEC_SECCOMP, "default");
	if (s->init)
		add_string(b, SPEC_INIT, "true");
	if (s->limited)
		add_string(b, SPEC_LIMITED, "true");
	if (s->cgroups != SPEC_CGROUPS_ENABLED)
		add_string(b, SPEC_CGROUPS, spec_cgroups_word(s->cgroups));
	end(b, '}');
}

static void add_spec(struct buf *b, const struct spec *s)
{
	begin(b, NULL, '{');
	add_string(b, "ociVersion", "1.2.0");
	begin(b, "root", '{');
	add_string(b, "path", s->root.dir);
	add_bool(b, "readonly", s->root.read_only);
	end(b, '}');
	add_process(b, s);
	add_string(b, "hostname", s->hostname);
	add_mounts(b, s);
	add_linux(b, s);
	add_annotations(b, s);
	end(b, '}');
}

int spec_format(struct buf *out, const struct spec *s)
{
	auto_buf struct buf text = { 0 };
	auto_json struct json *j = NULL;
	int r;

	add_spec(&text, s);
	r = buf_check(&text);
	if (r == 0)
		r = json_parse(text.data, text.len, &j);
	if (r < 0)
		return r;
	json_format(out, j);
	return buf_check(out);
}
