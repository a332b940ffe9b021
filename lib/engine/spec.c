/* SPDX-License-Identifier: MIT */
/* spec - what to run and how: the template and its changes */
#include "engine/spec.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
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

/* --- the defaults --- */

#define CAPS_DEFAULT                                                                      \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) |           \
		CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_NET_BIND_SERVICE) | \
		CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP) |       \
		CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SYS_CHROOT))

#define NAMESPACES_DEFAULT \
	(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

static const char path_default[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const struct spec_mount mounts[] = {
	{ "/proc", "proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, false, false },
	{ "/dev", "tmpfs", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64m", false, false },
	{ "/dev/pts", "devpts", "devpts", MS_NOSUID | MS_NOEXEC,
		"newinstance,ptmxmode=0666,mode=0620,gid=5", false, false },
	{ "/dev/shm", "tmpfs", "shm", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=64m", false,
		false },
	{ "/dev/mqueue", "mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, true, false },
	{ "/sys", "sysfs", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL, false,
		false },
	{ "/sys/fs/cgroup", "cgroup2", "cgroup2", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY,
		NULL, false, true },
};

static const struct spec_device devices[] = {
	{ "null", 1, 3 },
	{ "zero", 1, 5 },
	{ "full", 1, 7 },
	{ "random", 1, 8 },
	{ "urandom", 1, 9 },
	{ "tty", 5, 0 },
};

static const struct spec_link links[] = {
	{ "ptmx", "pts/ptmx" },
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
};

/* Let an unprivileged user ping and listen below 1024: of a network that is the container's
 * alone. */
static const struct spec_sysctl sysctls[] = {
	{ "net/ipv4/ip_unprivileged_port_start", "0", CLONE_NEWNET },
	{ "net/ipv4/ping_group_range", "0 2147483647", CLONE_NEWNET },
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

static const struct spec template = {
	.namespaces = NAMESPACES_DEFAULT,
	.caps = CAPS_DEFAULT,
	.umask = 022,
	.mounts = mounts,
	.mount_count = ARRAY_LEN(mounts),
	.devices = devices,
	.device_count = ARRAY_LEN(devices),
	.links = links,
	.link_count = ARRAY_LEN(links),
	.sysctls = sysctls,
	.sysctl_count = ARRAY_LEN(sysctls),
	.rlimits = rlimits,
	.rlimit_count = ARRAY_LEN(rlimits),
	.masked = masked,
	.masked_count = ARRAY_LEN(masked),
	.read_only = read_only,
	.read_only_count = ARRAY_LEN(read_only),
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

static int set_string(char **to, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		return no_memory();
	free(*to);
	*to = copy;
	return 0;
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

int spec_init(struct spec *s)
{
	char item[sizeof("HOSTNAME=") + sizeof(s->hostname)] = "HOSTNAME=";
	int r;

	*s = template;
	make_hostname(s->hostname);
	strcat(item, s->hostname);
	r = spec_set_env(s, path_default);
	if (r == 0)
		r = spec_set_env(s, item);
	if (r == 0)
		r = spec_set_cwd(s, "/");
	return r < 0 ? r : spec_set_user(s, "");
}

void spec_free(struct spec *s)
{
	free(s->root.dir);
	free_list(s->root.layers);
	free_list(s->args);
	free_list(s->env);
	free(s->cwd);
	free(s->user);
	*s = (struct spec){ 0 };
}

int spec_set_root_dir(struct spec *s, const char *dir)
{
	s->root.kind = SPEC_ROOT_DIR;
	return set_string(&s->root.dir, dir);
}

static int add_args(struct spec *s, char *const *args, size_t count)
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
	return add_args(s, args, count);
}

/* Where KEY, of LEN bytes, stands in the environment; its length if it does not. */
static size_t find_env(const struct spec *s, const char *key, size_t len)
{
	size_t i = 0;

	while (s->env && s->env[i] && !(strncmp(s->env[i], key, len) == 0 && s->env[i][len] == '='))
		i++;
	return i;
}

int spec_set_env(struct spec *s, const char *item)
{
	const char *equals = strchr(item, '=');
	size_t at;

	if (!equals || equals == item)
		return fail(EINVAL, "environment '%s' is not KEY=VALUE", item);
	at = find_env(s, item, (size_t)(equals - item));
	if (s->env && s->env[at])
		return set_string(&s->env[at], item);
	return list_add(&s->env, item);
}

const char *spec_env(const struct spec *s, const char *key)
{
	size_t len = strlen(key), at = find_env(s, key, len);

	return s->env && s->env[at] ? s->env[at] + len + 1 : NULL;
}

int spec_set_cwd(struct spec *s, const char *cwd)
{
	return set_string(&s->cwd, cwd);
}

int spec_set_user(struct spec *s, const char *user)
{
	return set_string(&s->user, user);
}

/* --- from an image --- */

static int take_layers(struct spec *s, const struct image *i, const char *layers)
{
	int r;

	if (i->layer_count == 0)
		return fail(EINVAL, "image '%s' has no layers", i->reference);
	s->root.kind = SPEC_ROOT_LAYERS;
	s->root.layer_count = i->layer_count;
	r = set_string(&s->root.dir, layers);
	for (size_t n = i->layer_count; n > 0 && r == 0; n--)
		r = list_add(&s->root.layers, i->layers[n - 1]);
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
	return spec_set_cwd(s, absolute);
}

int spec_from_image(
	struct spec *s, const struct image *i, const char *layers, char *const *args, size_t count)
{
	int r = take_layers(s, i, layers);

	for (size_t n = 0; i->env && i->env[n] && r == 0; n++)
		r = spec_set_env(s, i->env[n]);
	if (r == 0)
		r = take_cwd(s, i->workdir);
	if (r == 0 && i->user)
		r = spec_set_user(s, i->user);
	if (r == 0)
		r = spec_set_args(s, i->entrypoint, list_length(i->entrypoint));
	if (r == 0 && count > 0)
		r = add_args(s, args, count);
	else if (r == 0)
		r = add_args(s, i->cmd, list_length(i->cmd));
	if (r < 0)
		return fail_wrap(r, "image '%s'", i->reference);
	if (s->args)
		return 0;
	r = fail(EINVAL, "image '%s' names no command", i->reference);
	return fail_hint(r, "give one: qrun IMAGE COMMAND [ARG...]");
}
