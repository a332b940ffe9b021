/* SPDX-License-Identifier: MIT */
/* cgroup - the cgroup of a container: one directory in each hierarchy that is needed
 *
 * Parts: destroy - making directories - limits - create - use - text - numbers */
#include "kernel/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/cgroupfile.h"

/* Those that have to be handed down on v2. */
#define V2_CONTROLLERS                                                                    \
	(CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUSET) | CGROUP_BIT(CGROUP_MEMORY) | \
		CGROUP_BIT(CGROUP_PIDS) | CGROUP_BIT(CGROUP_IO))
#define RACES_MAX       100
#define DESTROY_WAIT_NS (5 * NS_PER_S)

/* --- destroy --- */

static int remove_child(int parent, const char *name, int child UNUSED, void *arg UNUSED)
{
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* Remove the directory of P if nobody is in it. */
static int remove_part(const struct cgroup_part *p)
{
	int r = 0;

	/* Mostly it has no children. */
	if (rmdir(p->path) == 0 || errno == ENOENT)
		return 0;
	if (p->fd >= 0)
		r = cgroup_walk(p->fd, remove_child, NULL);
	return r == 0 && rmdir(p->path) < 0 && errno != ENOENT ? -errno : r;
}

static bool is_cgroup(const char *path)
{
	struct statfs st;

	errno = 0;
	return statfs(path, &st) == 0 &&
		(st.f_type == CGROUP_SUPER_MAGIC || st.f_type == CGROUP2_SUPER_MAGIC);
}

/* Those above that are ours; another container may be in them. */
static void remove_parents(const char *full, size_t keep)
{
	char *path = strdup(full), *slash;

	while (path && (slash = strrchr(path, '/')) && (size_t)(slash - path) > keep) {
		*slash = '\0';
		/* KEEP may come from a damaged file. */
		if ((!is_cgroup(path) || rmdir(path) < 0) && errno != ENOENT && errno != ENOTDIR)
			break;
	}
	free(path);
}

/* The kernel does not say when the last process has left a v1 cgroup, so look again, less and
 * less often. */
int cgroup_destroy(const struct cgroup *cg)
{
	int64_t end = time_mono() + DESTROY_WAIT_NS;
	struct timespec pause = { .tv_nsec = 200000 };

	for (size_t i = 0; i < cg->count; i++) {
		const struct cgroup_part *p = &cg->part[i];
		int r;

		if (p->path[p->keep] == '\0')
			continue; /* not ours */
		while ((r = remove_part(p)) == -EBUSY && time_mono() < end) {
			nanosleep(&pause, NULL);
			if (pause.tv_nsec < 10000000)
				pause.tv_nsec *= 2;
		}
		if (r < 0)
			return r == -EBUSY
				? fail(EBUSY, "cgroup '%s' still has processes", p->path)
				: fail(-r, "remove cgroup '%s': %s", p->path, strerror(-r));
		remove_parents(p->path, p->keep);
	}
	return 0;
}

/* After a failure, whose text is to be kept. Nobody was in it, so there is nothing to wait for. */
static void undo(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->count; i++)
		if (remove_part(&cg->part[i]) == 0)
			remove_parents(cg->part[i].path, cg->part[i].keep);
	cgroup_close(cg);
}

/* --- making directories --- */

/* A path that is being made below the mount point of a hierarchy. */
struct making {
	const struct cgroup_tree *tree;
	unsigned need; /* v2: controllers to hand down */
	size_t base;   /* the first bytes of the path are where we are */
	struct buf path;
};

/* v2: has DIR processes, and is it not the real root, which alone may have some and hand
 * controllers down? */
static bool is_occupied(int dir)
{
	char text[16];

	return faccessat(dir, "cgroup.type", F_OK, 0) == 0 &&
		cgroup_read(dir, "cgroup.procs", text, sizeof(text)) > 0;
}

/* v2: let the children of DIR have the controllers. -EBUSY: it has processes. To find that out
 * by trying is not enough: it may succeed for some controllers, and then nothing can enter the
 * children. What else stands in the way shows in cgroup.controllers of the child. */
static int hand_down(int dir, unsigned need)
{
	char text[256];

	if (cgroup_read(dir, "cgroup.subtree_control", text, sizeof(text)) < 0)
		return 0;
	need &= ~cgroup_controller_parse(text, strcspn(text, "\n"), ' ', true);
	if (need && is_occupied(dir))
		return -EBUSY;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *name = cgroup_controller_name((enum cgroup_controller)c, true);

		if (!name || !(need & CGROUP_BIT(c)))
			continue;
		snprintf(text, sizeof(text), "+%s", name);
		cgroup_write(dir, "cgroup.subtree_control", text);
	}
	return 0;
}

/* v1: a new cgroup has no cpus and no memory nodes, and nothing can join it until it has. */
static int inherit_cpuset(int parent, int dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char text[4096];
		int r = cgroup_read(dir, files[i], text, sizeof(text));

		if (r >= 0 && text[0] != '\n' && text[0])
			continue;
		r = cgroup_read(parent, files[i], text, sizeof(text));
		if (r >= 0)
			r = cgroup_write(dir, files[i], text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Make or find the part NAME in PARENT. Returns its descriptor. */
static int enter(const struct making *m, int parent, const char *name, bool last)
{
	int r, fd;

	if (mkdirat(parent, name, 0755) < 0 && (last || errno != EEXIST))
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = m->tree->controllers & CGROUP_BIT(CGROUP_CPUSET) ? inherit_cpuset(parent, fd) : 0;
	if (r == 0)
		return fd;
	close(fd);
	if (last)
		unlinkat(parent, name, AT_REMOVEDIR);
	return r;
}

/* Walk m->path from the mount point, making what is missing; the last part must be new. Returns its
 * descriptor. -EAGAIN: our own cgroup cannot hand down what is needed. */
static int make_path(const struct making *m)
{
	auto_close int fd = open(m->tree->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *copy = NULL;
	char *name, *next;

	if (fd < 0)
		return -errno;
	copy = strdup(buf_str(&m->path));
	if (!copy)
		return -ENOMEM;
	for (name = copy + 1; name; name = next) {
		size_t at = (size_t)(name - copy) - 1; /* length of the path of FD */
		int child;

		next = strchr(name, '/');
		if (next)
			*next++ = '\0';
		if (m->need && hand_down(fd, m->need) == -EBUSY && at <= m->base && m->base > 0)
			return -EAGAIN;
		child = enter(m, fd, name, !next);
		if (child < 0)
			return child;
		close(fd);
		fd = child;
	}
	return take_fd(&fd);
}

static int set_path(struct making *m, size_t base, const char *path)
{
	buf_clear(&m->path);
	buf_add(&m->path, m->tree->own, base);
	if (path[0] != '/')
		buf_putc(&m->path, '/');
	buf_puts(&m->path, path);
	m->base = base;
	return buf_check(&m->path);
}

/* Make PATH in the tree of M, as cgroup_create says. */
static int make(struct making *m, const char *path)
{
	size_t base = path[0] == '/' ? 0 : strlen(m->tree->own);
	int r, races = 0;

	for (;;) {
		r = set_path(m, base, path);
		if (r < 0)
			return r;
		r = make_path(m);
		/* Another one may remove the parent that we share, since it was empty. */
		if (r == -ENOENT && races++ < RACES_MAX)
			continue;
		if (r != -EAGAIN)
			return r < 0 ? fail(-r, "create cgroup '%s%s': %s", m->tree->mount,
					       buf_str(&m->path), strerror(-r))
				     : r;
		while (base > 0 && m->tree->own[--base] != '/')
			;
	}
}

/* Which controllers a v2 directory has. */
static unsigned controllers_of(int dir)
{
	char text[256];

	if (cgroup_read(dir, "cgroup.controllers", text, sizeof(text)) < 0)
		return 0;
	return cgroup_controller_parse(text, strcspn(text, "\n"), ' ', true);
}

/* Add the directory PATH of TREE to CG; on v2 with the controllers NEED if it can have them. */
static int add_part(
	struct cgroup *cg, const struct cgroup_tree *tree, const char *path, unsigned need)
{
	struct making m = { .tree = tree, .need = tree->unified ? need & V2_CONTROLLERS : 0 };
	auto_buf struct buf full = { 0 };
	auto_close int fd = make(&m, path);
	size_t keep = strlen(tree->mount) + m.base;
	auto_free char *name = NULL;

	buf_puts(&full, tree->mount);
	buf_puts(&full, buf_str(&m.path));
	buf_free(&m.path);
	name = buf_take(&full);
	if (!name)
		return -ENOMEM;
	if (path[0] == '/')
		keep = (size_t)(strrchr(name, '/') - name);
	if (fd < 0) {
		remove_parents(name, keep);
		return fd;
	}
	cg->part[cg->count++] = (struct cgroup_part){ .fd = fd,
		.unified = tree->unified,
		.controllers = tree->unified ? controllers_of(fd) : tree->controllers,
		.path = take_ptr(name),
		.keep = keep };
	take_fd(&fd);
	return 0;
}

/* --- limits --- */

static const struct cgroup_part *part_with(const struct cgroup *cg, unsigned controller)
{
	for (size_t i = 0; i < cg->count; i++)
		if (cg->part[i].fd >= 0 && cg->part[i].controllers & CGROUP_BIT(controller))
			return &cg->part[i];
	return NULL;
}

static int set_limit(
	struct cgroup *cg, enum cgroup_limit which, const struct cgroup_limits *l, unsigned flags)
{
	unsigned controller = cgroup_limit_controller(which);
	const struct cgroup_part *p = part_with(cg, controller);
	int r;

	if (p)
		r = cgroup_limit_write(which, l, p->fd, p->unified);
	else if (which == CGROUP_LIMIT_SWAP && !l->memory_swap)
		r = 0; /* follows from memory, which was reported */
	else
		r = fail(ENOTSUP, "limit of %s: no cgroup controller '%s' can be used here",
			cgroup_limit_name(which),
			cgroup_controller_name((enum cgroup_controller)controller, false));
	if (r == -ENOTSUP) {
		cg->unenforced |= 1u << which;
		if (flags & CGROUP_BEST_EFFORT) {
			log_note("%s; going on without", fail_text());
			fail_clear();
			r = 0;
		}
	}
	return r;
}

int cgroup_update(struct cgroup *cg, const struct cgroup_limits *limits, unsigned flags)
{
	int r = cgroup_limit_check(limits);

	cg->unenforced = 0;
	for (int i = 0; r == 0 && i < CGROUP_LIMIT_DEVICES; i++)
		if (cgroup_limit_given((enum cgroup_limit)i, limits))
			r = set_limit(cg, (enum cgroup_limit)i, limits, flags);
	return r;
}

/* --- create --- */

static int check_path(const char *path)
{
	const char *at = path + (path[0] == '/');

	for (;;) {
		size_t len = strcspn(at, "/");

		/* A newline cannot be in a cgroup's name, nor in our text. */
		if (len == 0 || len > 255 ||
			(at[0] == '.' && (len == 1 || (len == 2 && at[1] == '.'))) ||
			memchr(at, '\n', len))
			return fail(EINVAL, "'%s' is not a cgroup path", path);
		if (!at[len])
			return 0;
		at += len + 1;
	}
}

static unsigned needed(const struct cgroup_limits *limits, unsigned flags)
{
	unsigned mask = 0;

	for (int i = 0; i < CGROUP_LIMITS; i++)
		if (cgroup_limit_given((enum cgroup_limit)i, limits))
			mask |= CGROUP_BIT(cgroup_limit_controller((enum cgroup_limit)i));
	if (flags & CGROUP_ACCOUNT)
		mask |= CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_MEMORY) |
			CGROUP_BIT(CGROUP_PIDS);
	return mask;
}

static int add_parts(
	struct cgroup *cg, const struct cgroup_host *host, const char *path, unsigned need)
{
	const struct cgroup_tree *unified = cgroup_host_unified(host);
	struct cgroup_part *p;
	unsigned v1 = 0;
	int r = 0;

	for (size_t i = 0; i < host->count; i++)
		v1 |= host->tree[i].controllers;
	if (unified) {
		r = add_part(cg, unified, path, need & ~v1);
		if (r < 0)
			return r;
		p = &cg->part[0];
		if (!(v1 & CGROUP_BIT(CGROUP_DEVICES)))
			p->controllers |= CGROUP_BIT(CGROUP_DEVICES); /* a program */
	}
	if (!unified || faccessat(cg->part[0].fd, "cgroup.freeze", F_OK, 0) < 0)
		need |= CGROUP_BIT(CGROUP_FREEZER);
	for (size_t i = 0; r == 0 && i < host->count; i++)
		if (host->tree[i].controllers & need)
			r = add_part(cg, &host->tree[i], path, 0);
	return r;
}

int cgroup_create(struct cgroup *out, const struct cgroup_host *host, const char *path,
	const struct cgroup_limits *limits, unsigned flags)
{
	int r = check_path(path);

	*out = (struct cgroup){ 0 };
	if (r == 0)
		r = cgroup_limit_check(limits);
	if (r < 0)
		return r;
	r = add_parts(out, host, path, needed(limits, flags));
	if (r == 0)
		r = cgroup_update(out, limits, flags);
	if (r == 0 && cgroup_limit_given(CGROUP_LIMIT_DEVICES, limits))
		r = set_limit(out, CGROUP_LIMIT_DEVICES, limits, flags);
	if (r < 0)
		undo(out);
	return r;
}

/* --- use --- */

int cgroup_add(const struct cgroup *cg, pid_t pid, bool cloned)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cg->count; i++) {
		const struct cgroup_part *p = &cg->part[i];
		int r = p->fd < 0 ? -ENOENT : 0;

		if (cloned && p->unified)
			continue;
		if (r == 0)
			r = cgroup_write(p->fd, "cgroup.procs", text);
		if (r < 0)
			return fail(-r, "move process %d to cgroup '%s': %s", (int)pid, p->path,
				strerror(-r));
	}
	return 0;
}

int cgroup_fd(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->count; i++)
		if (cg->part[i].unified)
			return cg->part[i].fd;
	return -1;
}

void cgroup_close(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->count; i++) {
		if (cg->part[i].fd >= 0)
			close(cg->part[i].fd);
		free(cg->part[i].path);
	}
	*cg = (struct cgroup){ 0 };
}

/* --- text --- */

/* A line for each directory: "KEEP CONTROLLERS PATH", where CONTROLLERS is a list of v1's or
 * "unified". */
static void format_part(struct buf *out, const struct cgroup_part *p)
{
	const char *comma = "";

	buf_printf(out, "%zu ", p->keep);
	for (int c = 0; !p->unified && c < CGROUP_CONTROLLERS; c++) {
		if (!(p->controllers & CGROUP_BIT(c)))
			continue;
		buf_puts(out, comma);
		buf_puts(out, cgroup_controller_name((enum cgroup_controller)c, false));
		comma = ",";
	}
	buf_printf(out, "%s %s\n", p->unified ? "unified" : "", p->path);
}

void cgroup_format(const struct cgroup *cg, struct buf *out)
{
	for (size_t i = 0; i < cg->count; i++)
		format_part(out, &cg->part[i]);
}

/* Open the directory of P if it is there. It must be a cgroup, whatever the text says. */
static int open_part(struct cgroup_part *p)
{
	struct statfs st;

	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd < 0)
		return errno == ENOENT ? 0 : fail_errno("open cgroup '%s'", p->path);
	if (fstatfs(p->fd, &st) < 0)
		return fail_errno("look at cgroup '%s'", p->path);
	if (st.f_type != (p->unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return fail(EBADMSG, "'%s' is not a cgroup", p->path);
	if (p->unified)
		p->controllers = controllers_of(p->fd);
	return 0;
}

static int parse_part(struct cgroup_part *p, const char *line, size_t len)
{
	char *end;
	size_t keep = strtoul(line, &end, 10);
	const char *list = end + 1, *path;

	*p = (struct cgroup_part){ .fd = -1 };
	if (line[0] < '0' || line[0] > '9' || *end != ' ')
		return -EBADMSG;
	path = memchr(list, ' ', len - (size_t)(list - line));
	if (!path || path[1] != '/')
		return -EBADMSG;
	p->unified = path - list == 7 && memcmp(list, "unified", 7) == 0;
	p->controllers = cgroup_controller_parse(list, (size_t)(path - list), ',', false);
	len -= (size_t)(++path - line);
	if ((!p->unified && !p->controllers) || keep > len || (path[keep] != '/' && keep != len))
		return -EBADMSG;
	p->keep = keep;
	p->path = strndup(path, len);
	return !p->path ? -ENOMEM : check_path(p->path) < 0 ? -EBADMSG : 0;
}

int cgroup_open(struct cgroup *out, const char *text)
{
	int r = 0;

	*out = (struct cgroup){ 0 };
	while (r == 0 && *text) {
		size_t len = strcspn(text, "\n");
		struct cgroup_part *p = &out->part[out->count];

		if (out->count == CGROUP_TREES_MAX || !text[len])
			r = -EBADMSG;
		else {
			out->count++;
			r = parse_part(p, text, len);
		}
		if (r < 0)
			fail(-r, "a recorded cgroup is not readable");
		else
			r = open_part(p);
		text += len + 1;
	}
	if (r < 0)
		cgroup_close(out);
	return r;
}

int cgroup_open_place(struct cgroup *out, const struct cgroup_host *host)
{
	auto_buf struct buf text = { 0 }, path = { 0 };

	*out = (struct cgroup){ 0 };
	for (size_t i = 0; i < host->count; i++) {
		const struct cgroup_tree *t = &host->tree[i];
		struct cgroup_part p = { .unified = t->unified, .controllers = t->controllers };

		if (t->outside)
			return fail(ENOENT, "the place of that process is not visible below '%s'",
				t->mount);
		buf_clear(&path);
		buf_puts(&path, t->mount);
		buf_puts(&path, t->own);
		if (buf_check(&path) < 0)
			return -ENOMEM;
		p.keep = path.len;
		p.path = path.data;
		format_part(&text, &p);
	}
	return buf_check(&text) < 0 ? -ENOMEM : cgroup_open(out, buf_str(&text));
}

/* --- numbers --- */

int64_t cgroup_oom_kills(const struct cgroup *cg)
{
	const struct cgroup_part *p = part_with(cg, CGROUP_MEMORY);
	int64_t n = -ENODATA;

	if (p)
		n = cgroup_read_number(
			p->fd, p->unified ? "memory.events" : "memory.oom_control", "oom_kill");
	return n < 0 ? -ENODATA : n;
}

/* The number in a file of the first directory that has it, -1 if none has. */
static int64_t number(const struct cgroup *cg, bool unified, const char *name, const char *key)
{
	for (size_t i = 0; i < cg->count; i++) {
		const struct cgroup_part *p = &cg->part[i];
		int64_t n = -1;

		if (p->fd >= 0 && p->unified == unified)
			n = cgroup_read_number(p->fd, name, key);
		if (n >= 0)
			return n;
	}
	return -1;
}

void cgroup_get_stats(const struct cgroup *cg, struct cgroup_stats *out)
{
	*out = (struct cgroup_stats){
		.cpu_ns = number(cg, false, "cpuacct.usage", NULL),
		.memory = number(cg, false, "memory.usage_in_bytes", NULL),
		.cache = number(cg, false, "memory.stat", "total_inactive_file"),
		.pids = number(cg, false, "pids.current", NULL),
	};
	/* v2 counts the time of every cgroup, also where it has no controller. */
	if (out->cpu_ns < 0) {
		out->cpu_ns = number(cg, true, "cpu.stat", "usage_usec");
		if (out->cpu_ns > 0)
			out->cpu_ns *= 1000;
	}
	if (out->memory < 0) {
		out->memory = number(cg, true, "memory.current", NULL);
		out->cache = number(cg, true, "memory.stat", "inactive_file");
	}
	if (out->pids < 0)
		out->pids = number(cg, true, "pids.current", NULL);
}
