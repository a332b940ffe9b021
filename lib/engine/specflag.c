/* SPDX-License-Identifier: MIT */
/* specflag - the values of qrun's options put into a spec
 *
 * Map: environment; mounts; devices; limits; rights. */
#include "engine/specflag.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/num.h"
#include "kernel/caps.h"
#include "kernel/fd.h"
#include "kernel/path.h"
#include "kernel/sig.h"

#define FILE_MAX   (1u << 20)
#define CPU_PERIOD 100000
#define CPUS_MAX   100000

static int no_memory(void)
{
	return fail(ENOMEM, "out of memory");
}

/* --- environment --- */

int specflag_env(struct spec *s, const char *value)
{
	auto_free char *item = NULL;
	const char *now;

	if (strchr(value, '='))
		return spec_set_env(s, value);
	if (!*value)
		return fail(EINVAL, "'' is not KEY=VALUE");
	now = getenv(value);
	if (!now)
		return 0;
	if (asprintf(&item, "%s=%s", value, now) < 0) {
		item = NULL;
		return no_memory();
	}
	return spec_set_env(s, item);
}

int specflag_env_file(struct spec *s, const char *file)
{
	auto_buf struct buf text = { 0 };
	unsigned line = 0;
	char *at, *next;
	int r = fd_read_file(AT_FDCWD, file, &text, FILE_MAX);

	if (r < 0)
		return r;
	if (memchr(text.data ? text.data : "", '\0', text.len))
		return fail(EINVAL, "'%s' holds a zero byte", file);
	for (at = text.data; r == 0 && at && *at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		line++;
		at += strspn(at, " \t");
		if (*at && *at != '#')
			r = specflag_env(s, at);
	}
	return r < 0 ? fail_wrap(r, "'%s' line %u", file, line) : 0;
}

int specflag_workdir(struct spec *s, const char *value)
{
	return *value == '/' ? spec_set(&s->cwd, value)
			     : fail(EINVAL, "'%s' is not an absolute path", value);
}

/* --- mounts --- */

/* TARGET as it is kept: absolute and normal, so that the same place is the same text. */
static int set_target(struct spec_mount *m, const char *target)
{
	auto_buf struct buf normal = { 0 };

	if (*target != '/')
		return fail(EINVAL, "'%s' is not an absolute path", target);
	if (path_normalise(&normal, target) < 0)
		return -ENAMETOOLONG;
	if (!normal.len)
		return fail(EINVAL, "nothing can be mounted on the root itself");
	free(m->target);
	if (asprintf(&m->target, "/%s", normal.data) >= 0)
		return 0;
	m->target = NULL;
	return no_memory();
}

/* A bind of SOURCE. What is not there is not made: most often the path is wrong. */
static int set_source(struct spec_mount *m, const char *source)
{
	struct stat st;

	if (*source != '/')
		return fail(EINVAL, "'%s' is not an absolute path", source);
	if (stat(source, &st) < 0) {
		int r = fail_errno("'%s'", source);

		return r == -ENOENT ? fail_hint(r, "make it first: mkdir -p %s", source) : r;
	}
	return spec_set(&m->source, source);
}

static int check_propagation(const struct spec_mount *m)
{
	if (m->propagation & MS_SHARED)
		return fail(EINVAL, "shared propagation would let mounts of the container out");
	return 0;
}

static void free_parts(struct spec_mount *m)
{
	free(m->target);
	free(m->type);
	free(m->source);
	free(m->data);
}

/* Add M if R is 0; free its strings in any case. */
static int add_mount(struct spec *s, struct spec_mount *m, int r)
{
	if (r == 0)
		r = check_propagation(m);
	if (r == 0)
		r = spec_add_mount(s, m);
	free_parts(m);
	return r;
}

int specflag_volume(struct spec *s, const char *value)
{
	struct spec_mount m = { .type = strdup("bind"), .flags = MS_BIND | MS_REC };
	auto_free char *text = strdup(value);
	char *target, *options;
	int r = m.type && text ? 0 : no_memory();

	if (r == 0) {
		target = strchr(text, ':');
		if (!target) {
			r = fail(EINVAL, "'%s' is not SOURCE:TARGET", value);
		} else {
			*target++ = '\0';
			options = strchr(target, ':');
			if (options)
				*options++ = '\0';
			r = set_source(&m, text);
			if (r == 0)
				r = set_target(&m, target);
			if (r == 0 && options)
				r = spec_parse_mount_options(&m, options);
		}
	}
	return add_mount(s, &m, r);
}

static int set_tmpfs(struct spec_mount *m)
{
	int r = spec_set(&m->type, "tmpfs");

	m->flags |= MS_NOSUID | MS_NODEV | MS_NOEXEC;
	return r < 0 ? r : spec_set(&m->source, "tmpfs");
}

int specflag_tmpfs(struct spec *s, const char *value)
{
	auto_free char *text = strdup(value);
	struct spec_mount m = { 0 };
	char *options = text ? strchr(text, ':') : NULL;
	int r = text ? set_tmpfs(&m) : no_memory();

	if (options)
		*options++ = '\0';
	if (r == 0)
		r = set_target(&m, text);
	if (r == 0)
		r = spec_parse_mount_options(&m, options ? options : "mode=1777");
	return add_mount(s, &m, r);
}

/* One word of --mount, KEY=VALUE or KEY. Options of a tmpfs gather in DATA. */
static int mount_word(struct spec_mount *m, const char *key, const char *value, struct buf *data)
{
	uint64_t size;
	int r;

	if (strcmp(key, "type") == 0)
		return spec_set(&m->type, value);
	if (strcmp(key, "source") == 0 || strcmp(key, "src") == 0)
		return set_source(m, value);
	if (strcmp(key, "target") == 0 || strcmp(key, "dst") == 0 ||
		strcmp(key, "destination") == 0)
		return set_target(m, value);
	if (strcmp(key, "readonly") == 0 || strcmp(key, "ro") == 0) {
		if (*value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return fail(EINVAL, "'%s' is neither true nor false", value);
		if (strcmp(value, "false") != 0)
			m->flags |= MS_RDONLY;
		return 0;
	}
	if (strcmp(key, "bind-propagation") == 0)
		return spec_parse_mount_options(m, value);
	if (strcmp(key, "tmpfs-size") == 0) {
		r = num_parse_size(value, &size);
		buf_printf(data, ",size=%llu", (unsigned long long)size);
		return r;
	}
	if (strcmp(key, "tmpfs-mode") == 0) {
		r = num_parse_octal(value, strlen(value), 07777, &size);
		buf_printf(data, ",mode=%s", value);
		return r;
	}
	return fail(
		EINVAL, "'%s' is no word of a mount (type, source, target, readonly, ...)", key);
}

static int mount_words(struct spec_mount *m, char *text, struct buf *data)
{
	char *next, *value;
	int r = 0;

	for (; text && r == 0; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		value = strchr(text, '=');
		if (value)
			*value++ = '\0';
		r = mount_word(m, text, value ? value : "", data);
	}
	return r < 0 ? r : buf_check(data);
}

/* Does it make sense as a whole? */
static int finish_mount(struct spec_mount *m, const struct buf *data)
{
	if (!m->target)
		return fail(EINVAL, "the mount has no target=");
	if (m->type && strcmp(m->type, "tmpfs") == 0) {
		if (m->source)
			return fail(EINVAL, "a tmpfs has no source");
		if (data->len > 0 && spec_set(&m->data, data->data + 1) < 0)
			return -ENOMEM;
		return set_tmpfs(m);
	}
	if (!m->type || strcmp(m->type, "bind") != 0)
		return fail(EINVAL, "the type of a mount is bind or tmpfs");
	if (data->len > 0)
		return fail(EINVAL, "a bind mount has no size or mode");
	m->flags |= MS_BIND | MS_REC;
	return m->source ? 0 : fail(EINVAL, "the mount has no source=");
}

int specflag_mount(struct spec *s, const char *value)
{
	auto_free char *text = strdup(value);
	auto_buf struct buf data = { 0 };
	struct spec_mount m = { 0 };
	int r = text ? mount_words(&m, text, &data) : no_memory();

	if (r == 0)
		r = finish_mount(&m, &data);
	return add_mount(s, &m, r);
}

int specflag_shm_size(struct spec *s, const char *value)
{
	struct spec_mount m = { .flags = MS_NOSUID | MS_NODEV | MS_NOEXEC };
	uint64_t size;
	int r = num_parse_size(value, &size);

	if (r < 0)
		return r;
	if (asprintf(&m.data, "mode=1777,size=%llu", (unsigned long long)size) < 0)
		m.data = NULL;
	m.target = strdup("/dev/shm");
	m.type = strdup("tmpfs");
	m.source = strdup("shm");
	r = m.data && m.target && m.type && m.source ? 0 : no_memory();
	return add_mount(s, &m, r);
}

/* --- devices --- */

int specflag_device(struct spec *s, const char *value)
{
	auto_free char *text = strdup(value);
	struct spec_device d = { 0 };
	struct cgroup_device rule = { .allow = true };
	const char *words = "rwm";
	char *access, *path;
	struct stat st;
	int r;

	if (!text)
		return no_memory();
	path = strchr(text, ':');
	if (path)
		*path++ = '\0';
	access = path ? strchr(path, ':') : NULL;
	if (access)
		*access++ = '\0';
	else if (path && *path != '/') {
		access = path;
		path = NULL;
	}
	d.path = path && *path ? path : text;
	if (*text != '/' || *d.path != '/' || strstr(d.path, "..") || !d.path[1])
		return fail(EINVAL, "'%s' is not DEVICE[:PATH][:rwm] with absolute paths", value);
	if (access && (!*access || strspn(access, "rwm") != strlen(access) || strlen(access) > 3))
		return fail(EINVAL, "'%s': access is of the letters r, w, m", value);
	if (access)
		words = access;
	if (stat(text, &st) < 0)
		return fail_errno("'%s'", text);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(ENODEV, "'%s' is no device", text);
	d.type = st.st_mode & S_IFMT;
	d.mode = st.st_mode & 0777;
	d.uid = st.st_uid;
	d.gid = st.st_gid;
	d.major = major(st.st_rdev);
	d.minor = minor(st.st_rdev);
	rule.type = S_ISCHR(st.st_mode) ? 'c' : 'b';
	rule.major = (int32_t)d.major;
	rule.minor = (int32_t)d.minor;
	rule.access = (strchr(words, 'r') ? CGROUP_READ : 0) |
		(strchr(words, 'w') ? CGROUP_WRITE : 0) | (strchr(words, 'm') ? CGROUP_MKNOD : 0);
	r = spec_add_device(s, &d);
	return r < 0 ? r : spec_add_rule(s, &rule);
}

/* --- limits --- */

static int parse_limit(const char *text, uint64_t *out)
{
	if (strcmp(text, "-1") == 0 || strcmp(text, "unlimited") == 0) {
		*out = RLIM_INFINITY;
		return 0;
	}
	return num_parse(text, RLIM_INFINITY - 1, out);
}

int specflag_ulimit(struct spec *s, const char *value)
{
	auto_free char *name = strdup(value);
	struct spec_rlimit l = { 0 };
	char *soft, *hard;
	int r;

	if (!name)
		return no_memory();
	soft = strchr(name, '=');
	if (!soft)
		return fail(EINVAL, "'%s' is not NAME=SOFT[:HARD]", value);
	*soft++ = '\0';
	hard = strchr(soft, ':');
	if (hard)
		*hard++ = '\0';
	l.resource = spec_parse_rlimit(name);
	if (l.resource < 0)
		return l.resource;
	r = parse_limit(soft, &l.soft);
	if (r == 0)
		r = parse_limit(hard ? hard : soft, &l.hard);
	if (r < 0)
		return r;
	if (l.soft > l.hard)
		return fail(EINVAL, "'%s': the soft limit is above the hard one", value);
	return spec_add_rlimit(s, &l);
}

int specflag_sysctl(struct spec *s, const char *value)
{
	auto_free char *path = strdup(value);
	char *equals, *at;

	if (!path)
		return no_memory();
	equals = strchr(path, '=');
	if (!equals || equals == path || *path == '.' || *path == '/' || strstr(path, ".."))
		return fail(EINVAL, "'%s' is not KEY=VALUE", value);
	*equals = '\0';
	/* As sysctl(8) has it: the first separator decides which of the two separates. */
	if (strcspn(path, "/.") < strlen(path) && path[strcspn(path, "/.")] == '.')
		for (at = path; *at; at++)
			*at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
	if (strstr(path, ".."))
		return fail(EINVAL, "'%s' is not KEY=VALUE", value);
	if (!spec_sysctl_namespace(path))
		return fail(EPERM, "'%s' is a setting of the whole host", value);
	return spec_add_sysctl(s, path, equals + 1, false);
}

/* A size in bytes above LEAST. */
static int parse_bytes(const char *value, uint64_t least, int64_t *out)
{
	uint64_t size;
	int r = num_parse_size(value, &size);

	if (r < 0)
		return r;
	if (size < least || size > INT64_MAX)
		return fail(
			ERANGE, "'%s' is less than %llu bytes", value, (unsigned long long)least);
	*out = (int64_t)size;
	return 0;
}

#define MEMORY_LEAST (512u << 10) /* less does not hold a first process */

int specflag_memory(struct spec *s, const char *value)
{
	s->limited = true;
	return parse_bytes(value, MEMORY_LEAST, &s->limits.memory);
}

int specflag_memory_swap(struct spec *s, const char *value)
{
	s->limited = true;
	if (strcmp(value, "-1") != 0)
		return parse_bytes(value, MEMORY_LEAST, &s->limits.memory_swap);
	s->limits.memory_swap = -1;
	return 0;
}

int specflag_memory_reservation(struct spec *s, const char *value)
{
	s->limited = true;
	return parse_bytes(value, MEMORY_LEAST, &s->limits.memory_reservation);
}

int specflag_cpus(struct spec *s, const char *value)
{
	char *end;
	double cpus = strtod(value, &end);

	if (end == value || *end || strspn(value, "0123456789.") != strlen(value))
		return fail(EINVAL, "'%s' is no number of CPUs", value);
	if (cpus < 0.01 || cpus > CPUS_MAX)
		return fail(ERANGE, "'%s' is not from 0.01 to %d CPUs", value, CPUS_MAX);
	s->limited = true;
	s->limits.cpu_period = CPU_PERIOD;
	s->limits.cpu_quota = (int64_t)(cpus * CPU_PERIOD + 0.5);
	return 0;
}

int specflag_cpu_shares(struct spec *s, const char *value)
{
	int r = num_parse(value, 262144, &s->limits.cpu_shares);

	s->limited = true;
	return r == 0 && s->limits.cpu_shares < 2 ? fail(ERANGE, "'%s' is less than 2", value) : r;
}

int specflag_cpuset(struct spec *s, const char *value)
{
	if (!*value || strspn(value, "0123456789,-") != strlen(value))
		return fail(EINVAL, "'%s' is no list of CPUs like 0-3,7", value);
	s->limited = true;
	return spec_set((char **)&s->limits.cpuset_cpus, value);
}

int specflag_pids(struct spec *s, const char *value)
{
	uint64_t count = 0;
	int r = strcmp(value, "-1") == 0 ? 0 : num_parse(value, 4 << 20, &count);

	s->limits.pids = (int64_t)count;
	s->limited = s->limited || count;
	return r;
}

int specflag_seconds(int *out, const char *value)
{
	uint64_t seconds;
	int r = num_parse(value, INT_MAX / 1000, &seconds);

	*out = (int)seconds;
	return r;
}

int specflag_stop_signal(struct spec *s, const char *value)
{
	int r = sig_parse(value);

	if (r < 0)
		return r;
	s->stop_signal = r;
	return 0;
}

int specflag_oom_score(struct spec *s, const char *value)
{
	uint64_t score;
	int r = num_parse(value + (*value == '-'), 1000, &score);

	if (r == 0)
		s->oom_score = *value == '-' ? -(int)score : (int)score;
	return r;
}

/* --- rights --- */

static int set_seccomp(struct spec *s, const char *value)
{
	auto_buf struct buf text = { 0 };
	int r;

	if (strcmp(value, "unconfined") == 0)
		return spec_set(&s->seccomp, value);
	if (strcmp(value, "default") == 0) {
		free(s->seccomp);
		s->seccomp = NULL;
		return 0;
	}
	r = fd_read_file(AT_FDCWD, value, &text, FILE_MAX);
	return r < 0 ? r : spec_set(&s->seccomp, buf_str(&text));
}

static void unmask(struct spec *s)
{
	for (size_t i = 0; s->masked && s->masked[i]; i++)
		free(s->masked[i]);
	for (size_t i = 0; s->read_only && s->read_only[i]; i++)
		free(s->read_only[i]);
	free(s->masked);
	free(s->read_only);
	s->masked = s->read_only = NULL;
}

int specflag_security(struct spec *s, const char *value)
{
	if (strcmp(value, "no-new-privileges") == 0 ||
		strcmp(value, "no-new-privileges:true") == 0 ||
		strcmp(value, "no-new-privileges=true") == 0) {
		s->no_new_privileges = true;
		return 0;
	}
	if (strcmp(value, "no-new-privileges:false") == 0 ||
		strcmp(value, "no-new-privileges=false") == 0) {
		s->no_new_privileges = false;
		return 0;
	}
	if (strncmp(value, "seccomp=", 8) == 0)
		return set_seccomp(s, value + 8);
	if (strcmp(value, "systempaths=unconfined") == 0 || strcmp(value, "unmask=ALL") == 0) {
		unmask(s);
		return 0;
	}
	/* True of every container of ours: no profile is applied. */
	if (strcmp(value, "apparmor=unconfined") == 0 || strcmp(value, "label=disable") == 0)
		return 0;
	return fail(EINVAL,
		"'%s' is not no-new-privileges, seccomp=FILE|unconfined, or "
		"systempaths=unconfined",
		value);
}

int specflag_cap(struct spec *s, const char *value, bool add)
{
	uint64_t set;
	int cap;

	if (strcasecmp(value, "ALL") == 0) {
		set = (CAP_BIT(caps_last()) - 1) | CAP_BIT(caps_last());
	} else {
		cap = caps_parse(value);
		if (cap < 0)
			return cap;
		set = CAP_BIT(cap);
	}
	s->caps = add ? s->caps | set : s->caps & ~set;
	return 0;
}
