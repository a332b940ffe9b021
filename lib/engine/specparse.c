/* SPDX-License-Identifier: MIT */
/* specparse - words of a spec: mount options, resources */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "engine/spec.h"

/* --- mount options --- */

struct option {
	const char *name;
	unsigned long set, clear, propagation;
};

#define PROPAGATION (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE)
#define ATIME       (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

/* mount(8)'s words, as far as the runtime specification 1.2 lists them. */
static const struct option options[] = {
	{ "async", 0, MS_SYNCHRONOUS, 0 },
	{ "atime", 0, MS_NOATIME, 0 },
	{ "bind", MS_BIND, MS_REC, 0 },
	{ "defaults", 0, 0, 0 },
	{ "dev", 0, MS_NODEV, 0 },
	{ "diratime", 0, MS_NODIRATIME, 0 },
	{ "dirsync", MS_DIRSYNC, 0, 0 },
	{ "exec", 0, MS_NOEXEC, 0 },
	{ "noatime", MS_NOATIME, ATIME, 0 },
	{ "nodev", MS_NODEV, 0, 0 },
	{ "nodiratime", MS_NODIRATIME, 0, 0 },
	{ "noexec", MS_NOEXEC, 0, 0 },
	{ "norelatime", 0, MS_RELATIME, 0 },
	{ "nostrictatime", 0, MS_STRICTATIME, 0 },
	{ "nosuid", MS_NOSUID, 0, 0 },
	{ "private", 0, 0, MS_PRIVATE },
	{ "rbind", MS_BIND | MS_REC, 0, 0 },
	{ "relatime", MS_RELATIME, ATIME, 0 },
	{ "ro", MS_RDONLY, 0, 0 },
	{ "rprivate", 0, 0, MS_PRIVATE | MS_REC },
	{ "rshared", 0, 0, MS_SHARED | MS_REC },
	{ "rslave", 0, 0, MS_SLAVE | MS_REC },
	{ "runbindable", 0, 0, MS_UNBINDABLE | MS_REC },
	{ "rw", 0, MS_RDONLY, 0 },
	{ "shared", 0, 0, MS_SHARED },
	{ "silent", MS_SILENT, 0, 0 },
	{ "slave", 0, 0, MS_SLAVE },
	{ "strictatime", MS_STRICTATIME, ATIME, 0 },
	{ "suid", 0, MS_NOSUID, 0 },
	{ "sync", MS_SYNCHRONOUS, 0, 0 },
	{ "unbindable", 0, 0, MS_UNBINDABLE },
};

static const struct option *find_option(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

int spec_parse_mount_options(struct spec_mount *m, const char *text)
{
	auto_buf struct buf data = { 0 };

	while (*text) {
		size_t len = strcspn(text, ",");
		const struct option *o = find_option(text, len);

		if (len == 14 && memcmp(text, "x-qbox.copy-up", len) == 0) {
			m->copy_up = true;
		} else if (o) {
			m->flags = (m->flags & ~o->clear) | o->set;
			if (o->propagation)
				m->propagation = o->propagation;
		} else if (len > 0) {
			/* What is no flag is the file system's to judge; a bind has none to ask. */
			if (m->flags & MS_BIND)
				return fail(EINVAL, "'%.*s' is no option of a bind mount", (int)len,
					text);
			if (data.len > 0)
				buf_putc(&data, ',');
			buf_add(&data, text, len);
		}
		text += len + (text[len] == ',');
	}
	if (buf_check(&data) < 0)
		return -ENOMEM;
	return data.len > 0 ? spec_set(&m->data, data.data) : 0;
}

/* --- cgroups --- */

static const char *const cgroup_words[] = {
	[SPEC_CGROUPS_ENABLED] = "enabled",
	[SPEC_CGROUPS_BEST_EFFORT] = "best-effort",
	[SPEC_CGROUPS_DISABLED] = "disabled",
};

int spec_parse_cgroups(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(cgroup_words); i++)
		if (strcmp(cgroup_words[i], word) == 0)
			return (int)i;
	return fail(EINVAL, "'%s' is not enabled, best-effort or disabled", word);
}

const char *spec_cgroups_word(enum spec_cgroups mode)
{
	return cgroup_words[mode];
}

/* --- resources --- */

static const char *const resources[] = {
	[RLIMIT_AS] = "RLIMIT_AS",
	[RLIMIT_CORE] = "RLIMIT_CORE",
	[RLIMIT_CPU] = "RLIMIT_CPU",
	[RLIMIT_DATA] = "RLIMIT_DATA",
	[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
	[RLIMIT_LOCKS] = "RLIMIT_LOCKS",
	[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
	[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
	[RLIMIT_NICE] = "RLIMIT_NICE",
	[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
	[RLIMIT_NPROC] = "RLIMIT_NPROC",
	[RLIMIT_RSS] = "RLIMIT_RSS",
	[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
	[RLIMIT_RTTIME] = "RLIMIT_RTTIME",
	[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	[RLIMIT_STACK] = "RLIMIT_STACK",
};

int spec_parse_rlimit(const char *name)
{
	const char *tail = strncasecmp(name, "RLIMIT_", 7) == 0 ? name + 7 : name;

	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (strcasecmp(resources[i] + 7, tail) == 0)
			return (int)i;
	return fail(EINVAL, "'%s' is no resource with a limit (nofile, nproc, core, ...)", name);
}

const char *spec_rlimit_name(int resource)
{
	return resources[resource];
}

/* --- sysctls --- */

int spec_sysctl_namespace(const char *path)
{
	static const struct {
		const char *prefix;
		int namespace;
	} known[] = {
		{ "net/", CLONE_NEWNET },
		{ "fs/mqueue/", CLONE_NEWIPC },
		{ "kernel/msg", CLONE_NEWIPC },
		{ "kernel/sem", CLONE_NEWIPC },
		{ "kernel/shm", CLONE_NEWIPC },
		{ "kernel/domainname", CLONE_NEWUTS },
		{ "kernel/hostname", CLONE_NEWUTS },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strncmp(path, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].namespace;
	return 0;
}
