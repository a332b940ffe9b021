/* SPDX-License-Identifier: MIT */
/* cgrouphost - which cgroup hierarchies there are, and where a process is in them */
#include "kernel/cgrouphost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "kernel/fd.h"

#define MOUNTINFO_MAX (64u << 20)
#define PLACE_MAX     (1u << 20)

static const struct {
	const char *v1, *v2;
} names[CGROUP_CONTROLLERS] = {
	[CGROUP_CPU] = { "cpu", "cpu" },
	[CGROUP_CPUACCT] = { "cpuacct", NULL },
	[CGROUP_CPUSET] = { "cpuset", "cpuset" },
	[CGROUP_MEMORY] = { "memory", "memory" },
	[CGROUP_PIDS] = { "pids", "pids" },
	[CGROUP_IO] = { "blkio", "io" },
	[CGROUP_DEVICES] = { "devices", NULL },
	[CGROUP_FREEZER] = { "freezer", NULL },
};

const char *cgroup_controller_name(enum cgroup_controller c, bool unified)
{
	return unified ? names[c].v2 : names[c].v1;
}

/* --- pieces of lines --- */

struct span {
	const char *s;
	size_t len;
};

/* Cut the piece before the next C off the front of REST; the last one ends at the end. False:
 * there is none left. An empty piece is one too: a mount may have an empty source. */
static bool cut(struct span *rest, char c, struct span *piece)
{
	const char *end;

	if (!rest->s)
		return false;
	end = memchr(rest->s, c, rest->len);
	piece->s = rest->s;
	piece->len = end ? (size_t)(end - rest->s) : rest->len;
	rest->s = end ? end + 1 : NULL;
	rest->len = end ? rest->len - piece->len - 1 : 0;
	return true;
}

static bool is(struct span a, const char *b)
{
	return a.len == strlen(b) && memcmp(a.s, b, a.len) == 0;
}

unsigned cgroup_controller_parse(const char *list, size_t len, char separator, bool unified)
{
	struct span rest = { list, len }, word;
	unsigned mask = 0;

	while (cut(&rest, separator, &word))
		for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
			const char *name =
				cgroup_controller_name((enum cgroup_controller)c, unified);

			if (name && is(word, name))
				mask |= CGROUP_BIT(c);
		}
	return mask;
}

/* mountinfo writes space, tab, newline, backslash and '#' as \ooo; anything else stands for itself.
 * NULL: no memory. */
static char *unescape(struct span in)
{
	char *out = malloc(in.len + 1);
	size_t n = 0;

	for (size_t i = 0; out && i < in.len; i++) {
		const char *s = in.s + i;

		if (*s == '\\' && in.len - i > 3 && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
			s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			out[n++] = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			i += 3;
		} else {
			out[n++] = *s;
		}
	}
	if (out)
		out[n] = '\0';
	return out;
}

/* --- mountinfo --- */

struct mount {
	struct span root, point;
	dev_t dev;
	bool unified;
	unsigned controllers;
};

/* "MAJOR:MINOR" */
static bool parse_dev(struct span s, dev_t *out)
{
	unsigned long major, minor;
	char *end;

	/* The spaces around the word end the numbers. */
	if (s.len < 3 || s.s[0] < '0' || s.s[0] > '9')
		return false;
	major = strtoul(s.s, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return false;
	minor = strtoul(end + 1, &end, 10);
	*out = makedev(major, minor);
	return end == s.s + s.len;
}

/* "ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER". False: not a mount that
 * matters. */
static bool parse_mount(struct span line, struct mount *out)
{
	struct span word[6], type, super;

	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		if (!cut(&line, ' ', &word[i]))
			return false;
	do
		if (!cut(&line, ' ', &type))
			return false;
	while (!is(type, "-"));
	if (!cut(&line, ' ', &type) || !cut(&line, ' ', &super) || !cut(&line, ' ', &super))
		return false;
	out->root = word[3];
	out->point = word[4];
	out->unified = is(type, "cgroup2");
	out->controllers =
		is(type, "cgroup") ? cgroup_controller_parse(super.s, super.len, ',', false) : 0;
	return (out->unified || out->controllers) && parse_dev(word[2], &out->dev);
}

/* --- place --- */

/* The path of "ID:CONTROLLERS:PATH" for the tree of M. */
static bool find_place(const struct mount *m, struct span text, struct span *path)
{
	struct span line, id, list;

	while (cut(&text, '\n', &line)) {
		if (!cut(&line, ':', &id) || !cut(&line, ':', &list) || !line.s || !line.len)
			continue;
		*path = line;
		if (m->unified ? is(id, "0") && !list.len
			       : cgroup_controller_parse(list.s, list.len, ',', false) ==
					m->controllers)
			return true;
	}
	return false;
}

static bool has_dotdot(struct span path)
{
	struct span part;

	while (cut(&path, '/', &part))
		if (is(part, ".."))
			return true;
	return false;
}

/* PATH below ROOT: "" or "/...". False: it is elsewhere. A path that leads out of this cgroup
 * namespace begins with "/..", and nothing is known about the names there. */
static bool below(struct span path, const char *root, struct span *out)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (path.len < len || memcmp(path.s, root, len) != 0 || has_dotdot(path))
		return false;
	path.s += len;
	path.len -= len;
	if (path.len && path.s[0] != '/')
		return false;
	if (path.len == 1)
		path.len = 0;
	*out = path;
	return true;
}

/* --- host --- */

static void free_tree(struct cgroup_tree *t)
{
	free(t->mount);
	free(t->own);
	*t = (struct cgroup_tree){ 0 };
}

void cgroup_host_free(struct cgroup_host *host)
{
	for (size_t i = 0; i < host->count; i++)
		free_tree(&host->tree[i]);
	host->count = 0;
}

/* Where the tree of M goes: over one that does not show our place, or at the end. NULL: not
 * needed. */
static struct cgroup_tree *slot(struct cgroup_host *host, const struct mount *m, bool outside)
{
	for (size_t i = 0; i < host->count; i++) {
		struct cgroup_tree *t = &host->tree[i];

		if (t->unified == m->unified && t->controllers == m->controllers)
			return t->outside && !outside ? t : NULL;
	}
	return host->count < CGROUP_TREES_MAX ? &host->tree[host->count++] : NULL;
}

static int add_mount(struct cgroup_host *host, const struct mount *m, struct span place,
	bool (*usable)(const char *mount, dev_t dev))
{
	struct span path, own = { "", 0 };
	struct cgroup_tree *t;
	auto_free char *root = unescape(m->root);
	auto_free char *point = unescape(m->point);
	auto_free char *name = NULL;
	bool outside;

	if (!root || !point)
		return fail(ENOMEM, "out of memory");
	if (!find_place(m, place, &path) || (usable && !usable(point, m->dev)))
		return 0;
	outside = !below(path, root, &own);
	name = strndup(own.s, own.len);
	if (!name)
		return fail(ENOMEM, "out of memory");
	t = slot(host, m, outside);
	if (!t)
		return 0;
	free_tree(t);
	*t = (struct cgroup_tree){ .unified = m->unified,
		.outside = outside,
		.controllers = m->controllers,
		.mount = take_ptr(point),
		.own = take_ptr(name) };
	return 0;
}

int cgroup_host_parse(struct cgroup_host *out, const struct cgroup_text *text,
	bool (*usable)(const char *mount, dev_t dev))
{
	struct span rest = { text->mounts, text->mounts_len }, line;
	struct span place = { text->place, text->place_len };
	struct mount m;
	int r = 0;

	*out = (struct cgroup_host){ 0 };
	while (r == 0 && cut(&rest, '\n', &line))
		if (parse_mount(line, &m))
			r = add_mount(out, &m, place, usable);
	if (r < 0)
		cgroup_host_free(out);
	return r;
}

/* The list of mounts has those too that are covered by another mount. */
static bool is_visible(const char *mount, dev_t dev)
{
	struct stat st;

	return stat(mount, &st) == 0 && st.st_dev == dev;
}

static int read_proc(struct buf *out, const char *path, size_t max)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fail_errno("open '%s'", path) : fd_read_all(fd, out, max);
}

int cgroup_host_load(struct cgroup_host *out, pid_t pid)
{
	auto_buf struct buf mounts = { 0 }, place = { 0 };
	char path[32] = "/proc/self/cgroup";
	int r;

	*out = (struct cgroup_host){ 0 };
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	r = read_proc(&place, path, PLACE_MAX);
	if (r == -ENOENT) {
		/* Without the whole file the kernel has no cgroups. */
		if (pid)
			return fail(ESRCH, "process %d: %s", (int)pid, strerror(ESRCH));
		fail_clear();
		return 0;
	}
	if (r == 0)
		r = read_proc(&mounts, "/proc/self/mountinfo", MOUNTINFO_MAX);
	if (r < 0)
		return r;
	return cgroup_host_parse(out,
		&(struct cgroup_text){ buf_str(&mounts), buf_str(&place), mounts.len, place.len },
		is_visible);
}

const struct cgroup_tree *cgroup_host_v1(const struct cgroup_host *host, enum cgroup_controller c)
{
	for (size_t i = 0; i < host->count; i++)
		if (host->tree[i].controllers & CGROUP_BIT(c))
			return &host->tree[i];
	return NULL;
}

const struct cgroup_tree *cgroup_host_unified(const struct cgroup_host *host)
{
	for (size_t i = 0; i < host->count; i++)
		if (host->tree[i].unified)
			return &host->tree[i];
	return NULL;
}

enum cgroup_kind cgroup_host_kind(const struct cgroup_host *host)
{
	if (host->count == 0)
		return CGROUP_NONE;
	if (!cgroup_host_unified(host))
		return CGROUP_V1;
	return host->count == 1 ? CGROUP_V2 : CGROUP_HYBRID;
}
