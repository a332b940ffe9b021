/* SPDX-License-Identifier: MIT */
/* spec - what to run and how: the template and its changes */
#include "engine/spec.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/str.h"
#include "engine/image.h"
#include "kernel/caps.h"
#include "kernel/sig.h"

/* --- the defaults --- */

#define CAPS_DEFAULT                                                                      \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) |           \
		CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_NET_BIND_SERVICE) | \
		CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP) |       \
		CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SYS_CHROOT))

#define NAMESPACES_DEFAULT \
	(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

#define PIDS_DEFAULT 2048
#define STOP_TIMEOUT 10

#define HOSTNAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

#define PLAIN (MS_NOSUID | MS_NOEXEC | MS_NODEV)

static const char path_default[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const struct {
	const char *target, *type, *source, *data;
	unsigned long flags;
	bool optional;
} mounts[] = {
	{ "/proc", "proc", "proc", NULL, PLAIN, false },
	{ "/dev", "tmpfs", "tmpfs", "mode=755,size=64m", MS_NOSUID | MS_NOEXEC, false },
	{ "/dev/pts", "devpts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
		MS_NOSUID | MS_NOEXEC, false },
	{ "/dev/shm", "tmpfs", "shm", "mode=1777,size=64m", PLAIN, false },
	{ "/dev/mqueue", "mqueue", "mqueue", NULL, PLAIN, true },
	{ "/sys", "sysfs", "sysfs", NULL, PLAIN | MS_RDONLY, false },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", NULL, PLAIN | MS_RDONLY, true },
};

/* Let an unprivileged user ping and listen below 1024: of a network that is the container's
 * alone. */
static const char *const sysctls[][2] = {
	{ "net/ipv4/ip_unprivileged_port_start", "0" },
	{ "net/ipv4/ping_group_range", "0 2147483647" },
};

/* What a container may do with devices: make any node, which is of no use without this list, and use those
 * that every program expects. As runc has it. */
static const struct cgroup_device rules[] = {
	{ false, 'a', -1, -1, CGROUP_RWM }, { true, 'c', -1, -1, CGROUP_MKNOD },
	{ true, 'b', -1, -1, CGROUP_MKNOD }, { true, 'c', 1, 3, CGROUP_RWM }, /* null */
	{ true, 'c', 1, 5, CGROUP_RWM },                                      /* zero */
	{ true, 'c', 1, 7, CGROUP_RWM },                                      /* full */
	{ true, 'c', 1, 8, CGROUP_RWM },                                      /* random */
	{ true, 'c', 1, 9, CGROUP_RWM },                                      /* urandom */
	{ true, 'c', 5, 0, CGROUP_RWM },                                      /* tty */
	{ true, 'c', 5, 2, CGROUP_RWM },                                      /* ptmx */
	{ true, 'c', 136, -1, CGROUP_RWM },                                   /* pts */
};

static const struct spec_rlimit rlimits[] = {
	{ RLIMIT_CORE, 0, 0 },
	{ RLIMIT_NOFILE, 1024, 524288 },
	{ RLIMIT_MEMLOCK, 8 << 20, 8 << 20 },
};

/* What tells of the host or of other containers; "*" stands for a number. */
static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/system/cpu/cpu*/thermal_throttle",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
};

static const char *const read_only[] = {
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/sys",
	"/proc/sysrq-trigger",
};

/* --- lists --- */

static int no_memory(void)
{
	return fail(ENOMEM, "out of memory");
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static size_t list_length(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Append a copy of S. */
static int list_add(char ***list, const char *s)
{
	size_t n = list_length(*list);
	char **more = realloc(*list, (n + 2) * sizeof(*more));

	if (!more)
		return no_memory();
	*list = more;
	more[n] = strdup(s);
	more[n + 1] = NULL;
	return more[n] ? 0 : no_memory();
}

int spec_set(char **member, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return no_memory();
	free(*member);
	*member = copy;
	return 0;
}

/* OLD with room for one more item after COUNT of SIZE bytes. NULL: no memory, and OLD stays. */
static void *grow(void *old, size_t count, size_t size)
{
	void *more = realloc(old, (count + 1) * size);

	if (!more)
		no_memory();
	return more;
}

/* A copy of S, which may be NULL. A lack of memory is noted in *R. */
static char *copy(const char *s, int *r)
{
	char *out = s ? strdup(s) : NULL;

	if (s && !out)
		*r = no_memory();
	return out;
}

/* --- the spec --- */

/* As docker does: the first 12 digits of an id nobody else has, of which not all are decimal. */
static void make_hostname(char *out)
{
	unsigned char id[6];

	do {
		while (getrandom(id, sizeof(id), 0) != sizeof(id))
			;
		str_hex(out, id, sizeof(id));
	} while (str_only(out, "0123456789"));
}

static int init_lists(struct spec *s)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(mounts) && r == 0; i++)
		r = spec_add_mount(s,
			&(struct spec_mount){ .target = (char *)mounts[i].target,
				.type = (char *)mounts[i].type,
				.source = (char *)mounts[i].source,
				.data = (char *)mounts[i].data,
				.flags = mounts[i].flags,
				.optional = mounts[i].optional });
	for (size_t i = 0; i < ARRAY_LEN(sysctls) && r == 0; i++)
		r = spec_add_sysctl(s, sysctls[i][0], sysctls[i][1], true);
	for (size_t i = 0; i < ARRAY_LEN(rules) && r == 0; i++)
		r = spec_add_rule(s, &rules[i]);
	for (size_t i = 0; i < ARRAY_LEN(rlimits) && r == 0; i++)
		r = spec_add_rlimit(s, &rlimits[i]);
	for (size_t i = 0; i < ARRAY_LEN(masked) && r == 0; i++)
		r = spec_add_masked(s, masked[i]);
	for (size_t i = 0; i < ARRAY_LEN(read_only) && r == 0; i++)
		r = spec_add_read_only(s, read_only[i]);
	return r;
}

void spec_clear(struct spec *s)
{
	*s = (struct spec){
		.umask = 022,
		.oom_score = INT_MIN,
		.stop_signal = SIGTERM,
		.stop_timeout = STOP_TIMEOUT,
	};
}

int spec_init(struct spec *s)
{
	char name[sizeof(s->hostname)];
	int r;

	spec_clear(s);
	s->namespaces = NAMESPACES_DEFAULT;
	s->caps = CAPS_DEFAULT;
	s->limits.pids = PIDS_DEFAULT;
	make_hostname(name);
	r = init_lists(s);
	if (r == 0)
		r = spec_set_env(s, path_default);
	if (r == 0)
		r = spec_set_hostname(s, name);
	if (r == 0)
		r = spec_set(&s->cwd, "/");
	return r < 0 ? r : spec_set(&s->user, "");
}

static void free_mount(struct spec_mount *m)
{
	free(m->target);
	free(m->type);
	free(m->source);
	free(m->data);
}

void spec_free(struct spec *s)
{
	free(s->root.dir);
	free_list(s->root.layers);
	free(s->root.upper);
	free_list(s->args);
	free_list(s->env);
	free_list(s->labels);
	free_list(s->masked);
	free_list(s->read_only);
	free_list(s->groups);
	free(s->cwd);
	free(s->user);
	free(s->seccomp);
	free(s->cgroup);
	free((char *)s->limits.cpuset_cpus);
	free((char *)s->limits.cpuset_mems);
	free((struct cgroup_device *)s->limits.devices);
	while (s->mount_count > 0)
		free_mount(&s->mounts[--s->mount_count]);
	while (s->device_count > 0)
		free(s->devices[--s->device_count].path);
	while (s->sysctl_count > 0) {
		free(s->sysctls[--s->sysctl_count].path);
		free(s->sysctls[s->sysctl_count].value);
	}
	while (s->join_count > 0)
		free(s->joins[--s->join_count].path);
	free(s->mounts);
	free(s->devices);
	free(s->sysctls);
	free(s->joins);
	free(s->rlimits);
	*s = (struct spec){ 0 };
}

int spec_set_root_dir(struct spec *s, const char *dir)
{
	s->root.kind = SPEC_ROOT_DIR;
	return spec_set(&s->root.dir, dir);
}

int spec_add_layer(struct spec *s, const char *layer)
{
	int r = list_add(&s->root.layers, layer);

	if (r == 0)
		s->root.layer_count++;
	return r;
}

int spec_add_args(struct spec *s, char *const *args, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = list_add(&s->args, args[i]);
	return r;
}

int spec_set_args(struct spec *s, char *const *args, size_t count)
{
	free_list(s->args);
	s->args = NULL;
	return spec_add_args(s, args, count);
}

/* Where KEY, of LEN bytes, stands in a list of KEY=VALUE; its length if it does not. */
static size_t find_key(char *const *list, const char *key, size_t len)
{
	size_t i = 0;

	while (list && list[i] && !(strncmp(list[i], key, len) == 0 && list[i][len] == '='))
		i++;
	return i;
}

static int set_item(char ***list, const char *item, const char *what)
{
	const char *equals = strchr(item, '=');
	size_t at;

	if (!equals || equals == item)
		return fail(EINVAL, "%s '%s' is not KEY=VALUE", what, item);
	at = find_key(*list, item, (size_t)(equals - item));
	if (*list && (*list)[at])
		return spec_set(&(*list)[at], item);
	return list_add(list, item);
}

static const char *get_item(char *const *list, const char *key)
{
	size_t len = strlen(key), at = find_key(list, key, len);

	return list && list[at] ? list[at] + len + 1 : NULL;
}

int spec_set_env(struct spec *s, const char *item)
{
	return set_item(&s->env, item, "environment");
}

int spec_set_label(struct spec *s, const char *item)
{
	if (strncmp(item, "qbox.", 5) == 0)
		return fail(EINVAL, "label '%s': names that begin with qbox. are ours", item);
	return set_item(&s->labels, item, "label");
}

const char *spec_env(const struct spec *s, const char *key)
{
	return get_item(s->env, key);
}

const char *spec_label(const struct spec *s, const char *key)
{
	return get_item(s->labels, key);
}

int spec_set_hostname(struct spec *s, const char *name)
{
	char item[sizeof("HOSTNAME=") + sizeof(s->hostname)] = "HOSTNAME=";
	size_t len = strlen(name);

	if (len == 0 || len >= sizeof(s->hostname) || strspn(name, HOSTNAME_CHARS) != len)
		return fail(EINVAL, "'%s' is no host name of 1 to 64 letters, digits, '-' and '.'",
			name);
	strcpy(s->hostname, name);
	strcat(item, name);
	return spec_set_env(s, item);
}

int spec_add_mount(struct spec *s, const struct spec_mount *item)
{
	struct spec_mount m = *item, *more;
	int r = 0;

	m.target = copy(item->target, &r);
	m.type = copy(item->type, &r);
	m.source = copy(item->source, &r);
	m.data = copy(item->data, &r);
	more = r < 0 ? NULL : grow(s->mounts, s->mount_count, sizeof(m));
	if (!more) {
		free_mount(&m);
		return -ENOMEM;
	}
	s->mounts = more;
	spec_remove_mount(s, m.target);
	s->mounts[s->mount_count++] = m;
	return 0;
}

void spec_remove_mount(struct spec *s, const char *target)
{
	for (size_t i = 0; i < s->mount_count; i++) {
		if (strcmp(s->mounts[i].target, target) != 0)
			continue;
		free_mount(&s->mounts[i]);
		memmove(&s->mounts[i], &s->mounts[i + 1],
			(--s->mount_count - i) * sizeof(*s->mounts));
		return;
	}
}

int spec_add_device(struct spec *s, const struct spec_device *item)
{
	struct spec_device d = *item, *more;
	int r = 0;

	d.path = copy(item->path, &r);
	more = r < 0 ? NULL : grow(s->devices, s->device_count, sizeof(d));
	if (!more) {
		free(d.path);
		return -ENOMEM;
	}
	s->devices = more;
	s->devices[s->device_count++] = d;
	return 0;
}

int spec_add_rule(struct spec *s, const struct cgroup_device *item)
{
	struct cgroup_device *more = grow(
		(struct cgroup_device *)s->limits.devices, s->limits.device_count, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->limits.devices = more;
	more[s->limits.device_count++] = *item;
	return 0;
}

int spec_add_sysctl(struct spec *s, const char *path, const char *value, bool optional)
{
	struct spec_sysctl c = { .optional = optional }, *more;
	int r = 0;

	for (size_t i = 0; i < s->sysctl_count; i++)
		if (strcmp(s->sysctls[i].path, path) == 0) {
			s->sysctls[i].optional = optional;
			return spec_set(&s->sysctls[i].value, value);
		}
	c.path = copy(path, &r);
	c.value = copy(value, &r);
	more = r < 0 ? NULL : grow(s->sysctls, s->sysctl_count, sizeof(c));
	if (!more) {
		free(c.path);
		free(c.value);
		return -ENOMEM;
	}
	s->sysctls = more;
	s->sysctls[s->sysctl_count++] = c;
	return 0;
}

int spec_add_rlimit(struct spec *s, const struct spec_rlimit *item)
{
	struct spec_rlimit *more;

	for (size_t i = 0; i < s->rlimit_count; i++)
		if (s->rlimits[i].resource == item->resource) {
			s->rlimits[i] = *item;
			return 0;
		}
	more = grow(s->rlimits, s->rlimit_count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->rlimits = more;
	s->rlimits[s->rlimit_count++] = *item;
	return 0;
}

int spec_add_join(struct spec *s, int flag, const char *path)
{
	struct spec_join *more = grow(s->joins, s->join_count, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->joins = more;
	more[s->join_count] = (struct spec_join){ .flag = flag, .path = strdup(path) };
	if (!more[s->join_count].path)
		return no_memory();
	s->join_count++;
	s->namespaces &= ~flag;
	return 0;
}

int spec_add_group(struct spec *s, const char *group)
{
	return list_add(&s->groups, group);
}

int spec_add_masked(struct spec *s, const char *path)
{
	return list_add(&s->masked, path);
}

int spec_add_read_only(struct spec *s, const char *path)
{
	return list_add(&s->read_only, path);
}

int spec_set_privileged(struct spec *s)
{
	free_list(s->masked);
	free_list(s->read_only);
	s->masked = s->read_only = NULL;
	s->caps = (CAP_BIT(caps_last()) - 1) | CAP_BIT(caps_last());
	for (size_t i = 0; i < s->mount_count; i++)
		if (strncmp(s->mounts[i].target, "/sys", 4) == 0)
			s->mounts[i].flags &= ~(unsigned long)MS_RDONLY;
	/* The last rule that matches decides. */
	if (spec_add_rule(s, &(struct cgroup_device){ true, 'a', -1, -1, CGROUP_RWM }) < 0)
		return -ENOMEM;
	return spec_set(&s->seccomp, "unconfined");
}

/* --- from an image --- */

static int take_layers(struct spec *s, const struct image *i, const char *layers)
{
	int r;

	if (i->layer_count == 0)
		return fail(EINVAL, "image '%s' has no layers", i->reference);
	s->root.kind = SPEC_ROOT_LAYERS;
	r = spec_set(&s->root.dir, layers);
	for (size_t n = i->layer_count; n > 0 && r == 0; n--)
		r = spec_add_layer(s, i->layers[n - 1]);
	return r;
}

/* An image may name a directory that is not absolute; then it is meant from the top. */
static int take_cwd(struct spec *s, const char *cwd)
{
	auto_free char *absolute = NULL;

	if (!cwd || !*cwd)
		return 0;
	absolute = malloc(strlen(cwd) + 2);
	if (!absolute)
		return no_memory();
	strcpy(absolute, *cwd == '/' ? "" : "/");
	strcat(absolute, cwd);
	return spec_set(&s->cwd, absolute);
}

static int take_words(struct spec *s, const struct image *i, const struct spec_words *w)
{
	int r = 0;

	free_list(s->args);
	s->args = NULL;
	if (!w->entrypoint)
		r = spec_add_args(s, i->entrypoint, list_length(i->entrypoint));
	else if (*w->entrypoint)
		r = list_add(&s->args, w->entrypoint);
	if (r == 0 && (w->count > 0 || w->entrypoint))
		r = spec_add_args(s, w->args, w->count);
	else if (r == 0)
		r = spec_add_args(s, i->cmd, list_length(i->cmd));
	if (r < 0 || s->args)
		return r;
	r = fail(EINVAL, "image '%s' names no command", i->reference);
	return fail_hint(r, "give one: qrun IMAGE COMMAND [ARG...]");
}

int spec_from_image(
	struct spec *s, const struct image *i, const char *layers, const struct spec_words *words)
{
	int r = take_layers(s, i, layers);

	for (size_t n = 0; i->env && i->env[n] && r == 0; n++)
		r = spec_set_env(s, i->env[n]);
	if (r == 0)
		r = take_cwd(s, i->workdir);
	if (r == 0 && i->user)
		r = spec_set(&s->user, i->user);
	if (r == 0 && i->stop_signal && *i->stop_signal) {
		r = sig_parse(i->stop_signal);
		s->stop_signal = r > 0 ? r : SIGTERM;
		r = r < 0 ? r : 0;
	}
	return r < 0 ? fail_wrap(r, "image '%s'", i->reference) : take_words(s, i, words);
}
