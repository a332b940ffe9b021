/* SPDX-License-Identifier: MIT */
/* container - create containers, move them from state to state, remove them
 *
 * Parts: memory, places, changes of state, life, creation, removal. */
#include "engine/container.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "engine/containerfile.h"
#include "engine/reconcile.h"
#include "kernel/file.h"
#include "kernel/mnt.h"
#include "kernel/path.h"

#define NAME_MAX_LEN 63

/* --- memory --- */

void container_free(struct container *c)
{
	if (!c)
		return;
	container_unlock(c);
	instance_free(c->row);
	free(c);
}

void cleanup_container(struct container **c)
{
	container_free(*c);
}

/* --- places --- */

/* The directory that all of RUN/c (STORE/containers) lie in. */
static int open_all(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 || errno == ENOENT ? fd >= 0 ? fd : -ENOENT : fail_errno("open '%s'", name);
}

static int open_place(int dir, const char *all, const char *id)
{
	auto_close int parent = open_all(dir, all);
	int fd;

	if (parent < 0)
		return parent;
	fd = openat(parent, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENOENT : fail_errno("open '%s/%s'", all, id);
}

int container_run_dir(struct store *s, const char *id)
{
	return open_place(s->run, "c", id);
}

int container_store_dir(struct store *s, const char *id)
{
	return s->dir < 0 ? -ENOENT : open_place(s->dir, "containers", id);
}

int container_home(struct store *s, const struct container *c)
{
	return c->row->durable ? container_store_dir(s, c->row->id)
			       : container_run_dir(s, c->row->id);
}

/* --- locks --- */

void container_unlock(struct container *c)
{
	if (c->lock >= 0)
		close(c->lock);
	c->lock = -1;
}

static int gone(const struct container *c)
{
	return fail(ENOENT, "container '%s' is gone", c->row->name);
}

static int reload_row(struct store *s, struct container *c)
{
	struct instance *row;
	int r = instance_get(s, c->row->id, &row);

	if (r < 0)
		return r;
	instance_free(c->row);
	c->row = row;
	return 0;
}

int container_reload(struct store *s, struct container *c)
{
	int r = reload_row(s, c);

	if (r == 0)
		r = reconcile_container(s, c);
	return r == -ENOENT ? gone(c) : r;
}

/* RUN/c/ID, made if it is missing: one that is durable has none before its first start of a boot. */
static int make_dir(struct store *s, struct container *c)
{
	auto_close int all = -1;
	int r = container_run_dir(s, c->row->id);

	if (r != -ENOENT)
		return r;
	r = reload_row(s, c);
	if (r == 0)
		r = all = file_mkdir(s->run, "c");
	return r < 0 ? r : file_mkdir(all, c->row->id);
}

int container_lock(struct store *s, struct container *c, bool wait)
{
	auto_close int dir = -1;

	if (c->lock >= 0)
		return 0;
	dir = make_dir(s, c);
	if (dir < 0)
		return dir == -ENOENT ? gone(c) : dir;
	c->lock = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, wait);
	if (c->lock == -EAGAIN)
		return fail(EAGAIN, "another command is at work on container '%s' (%s)",
			c->row->name, state_name(c->row->state));
	if (c->lock < 0)
		return c->lock == -ENOENT ? gone(c) : c->lock;
	return container_reload(s, c);
}

/* --- changes of state --- */

/* One step along the table, with what is written in the same transaction. */
struct change {
	enum container_event event;
	const struct container_start *start; /* of STARTED */
	const struct exit_record *end;       /* of END and RESTART; may be NULL */
	const char *action, *attr;           /* of the event for qevents; NULL: none */
};

static int refuse(const struct container *c, enum container_event event)
{
	const struct instance *i = c->row;

	fail(EINVAL, "cannot %s container '%s': it is %s", state_verb(event), i->name,
		state_name(i->state));
	if (event == EVENT_REMOVE && state_is_live(i->state))
		return fail_hint(
			-EINVAL, "stop it first (qstop %s), or remove it with -f", i->name);
	return -EINVAL;
}

/* Who is at work on it now: this process, or nobody. The row counts all processes in one pid namespace;
 * from another one no number would be true, and the lock has to tell. */
static int set_owner(struct instance *i, bool us)
{
	struct proc_id self;
	int r;

	i->owner = (struct proc_id){ 0 };
	if (!us)
		return 0;
	r = proc_identify(&self, 0);
	if (r < 0)
		return r;
	if (!i->init.pid && !i->monitor.pid)
		i->init.pidns = self.pidns;
	if (i->init.pidns == self.pidns)
		i->owner = self;
	return 0;
}

static int set_start(struct instance *i, const struct container_start *start)
{
	char *cgroup = strdup(start->cgroup ? start->cgroup : "");

	if (!cgroup)
		return fail(ENOMEM, "out of memory");
	free(i->cgroup);
	i->cgroup = cgroup;
	i->init = start->init;
	i->monitor = start->monitor;
	i->netns = start->netns;
	i->started = time_now();
	i->started_mono = time_mono();
	return 0;
}

static void next_run(struct instance *i)
{
	i->run++;
	i->init.pid = 0;
	i->started = i->started_mono = 0;
}

/* What the row is after the event; the state is NEXT already. */
static int apply(struct instance *i, const struct change *ch)
{
	switch (ch->event) {
	case EVENT_START:
		i->monitor.pid = 0;
		next_run(i);
		return set_owner(i, true);
	case EVENT_STARTED: return ch->start ? set_start(i, ch->start) : 0;
	case EVENT_END:
		i->init.pid = i->monitor.pid = 0;
		if (i->durable)
			return set_owner(i, false);
		i->state = STATE_REMOVING;
		return set_owner(i, true);
	case EVENT_RESTART:
		i->restarts++;
		next_run(i);
		return 0;
	case EVENT_STOP:
	case EVENT_REMOVE: return set_owner(i, true);
	case EVENT_ABANDON: return set_owner(i, i->state == STATE_REMOVING);
	case EVENT_CREATED: return set_owner(i, false);
	case EVENT_PAUSE:
	case EVENT_UNPAUSE:
	case EVENT_COUNT: break;
	}
	return 0;
}

static int write_change(struct store *s, struct container *c, const struct change *ch)
{
	int r = db_begin(s->run_db);

	if (r < 0)
		return r;
	r = instance_update(s, c->row);
	if (r == 0 && ch->end)
		r = instance_add_exit(s, c->row, ch->end);
	if (r == 0 && ch->action)
		r = instance_add_event(s, c->row, ch->action, ch->attr ? ch->attr : "{}");
	if (r == 0)
		r = db_commit(s->run_db);
	if (r < 0)
		db_rollback(s->run_db);
	return r;
}

/* Where the row was changed since it was read, look again and judge anew. -ESTALE without text: the run whose
 * end this is about is not the present one any more. */
static int change(struct store *s, struct container *c, const struct change *ch)
{
	int64_t run = c->row->run;
	int r;

	do {
		if (ch->end && c->row->run != run)
			return -ESTALE;
		if (!state_next(c->row->state, ch->event, &c->row->state))
			return refuse(c, ch->event);
		r = apply(c->row, ch);
		if (r == 0)
			r = write_change(s, c, ch);
		if (r == 0)
			return 0;
		/* Nothing was written: what is in memory is not true. */
		if (reload_row(s, c) == -ENOENT)
			return gone(c);
	} while (r == -ESTALE);
	return r;
}

int container_event(struct store *s, struct container *c, enum container_event e)
{
	static const char *const actions[EVENT_COUNT] = {
		[EVENT_PAUSE] = "pause",
		[EVENT_UNPAUSE] = "unpause",
		[EVENT_STOP] = "stop",
	};
	struct change ch = { .event = e, .action = actions[e] };
	auto_close int home = -1;
	int r = change(s, c, &ch);

	/* A number that is not written before a power cut makes an end that nobody saw look like the one
	 * before it. */
	if (r == 0 && e == EVENT_START && c->row->durable) {
		r = home = container_home(s, c);
		if (r >= 0)
			r = containerfile_set_run(home, c->row);
	}
	return r;
}

/* --- life --- */

int container_started(struct store *s, struct container *c, const struct container_start *start)
{
	struct change ch = { .event = EVENT_STARTED, .start = start, .action = "start" };
	auto_close int dir = container_run_dir(s, c->row->id);
	int r = dir;

	if (r == -ENOENT)
		return gone(c);
	if (r >= 0)
		r = set_start(c->row, start);
	if (r == 0)
		r = containerfile_save_state(dir, c->row);
	return r < 0 ? r : change(s, c, &ch);
}

/* Write DIR/exit unless it tells of this run already. */
static int save_exit(int dir, const struct exit_record *e)
{
	struct exit_record old;

	if (exitrecord_load(dir, e->id, &old) == 0 && old.run == e->run)
		return 0;
	return exitrecord_save(dir, e);
}

/* A record that nobody saw is not written: that there is none says the same. */
static int save_exits(struct store *s, const struct container *c, const struct exit_record *e)
{
	auto_close int run = container_run_dir(s, c->row->id);
	auto_close int home = c->row->durable ? container_store_dir(s, c->row->id) : -ENOENT;
	int r = 0;

	if (e->reason == REASON_LOST)
		return 0;
	if (run >= 0)
		r = save_exit(run, e);
	/* A full or read-only disk must not keep a container from being stopped. */
	if (home >= 0 && save_exit(home, e) < 0)
		log_note("exit of container '%s' is known until the next boot only: %s",
			c->row->name, fail_text());
	return r;
}

static int finish_removal(struct store *s, struct container *c);

static bool may_end(const struct instance *i, const struct exit_record *e)
{
	enum container_state next;

	return i->run == e->run && i->state != STATE_RESTARTING &&
		state_next(i->state, EVENT_END, &next);
}

static int end_run(struct store *s, struct container *c, const struct exit_record *e, bool again)
{
	char attr[64];
	struct change ch = { .event = EVENT_END, .end = e, .action = "die", .attr = attr };
	enum container_state next;
	int r;

	snprintf(attr, sizeof(attr), "{\"exitCode\":%d}", e->code);
	while (may_end(c->row, e)) {
		ch.event = again && state_next(c->row->state, EVENT_RESTART, &next) ? EVENT_RESTART
										    : EVENT_END;
		r = change(s, c, &ch);
		if (r == 0)
			return 1;
		if (r != -ESTALE && r != -EINVAL && r != -ENOENT)
			return r;
		fail_clear();
		if (r == -ENOENT)
			break;
	}
	return 0; /* another was faster */
}

int container_ended(struct store *s, struct container *c, const struct exit_record *e, bool again)
{
	struct exit_record record = *e;
	auto_close int home = -1;
	int r;

	strcpy(record.id, c->row->id);
	if (!record.run)
		record.run = c->row->run;
	if (!record.started)
		record.started = c->row->started;
	r = proc_boot_id(record.boot);
	if (r == 0)
		r = save_exits(s, c, &record);
	if (r == 0)
		r = end_run(s, c, &record, again);
	if (r > 0 && c->row->state == STATE_REMOVING)
		return finish_removal(s, c);
	if (r < 0 || c->row->state != STATE_RESTARTING || c->row->run != record.run + 1)
		return r < 0 ? r : 0;
	if (r > 0 && c->row->durable) {
		r = home = container_home(s, c);
		if (r >= 0)
			r = containerfile_set_run(home, c->row);
	}
	return r < 0 ? r : 1;
}

/* --- creation --- */

static int check_name(const char *name)
{
	size_t len = strlen(name);

	if (len && len <= NAME_MAX_LEN && strchr("_.-", name[0]) == NULL &&
		str_only(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-"))
		return 0;
	fail(EINVAL, "'%s' is not a name for a container", name);
	return fail_hint(-EINVAL,
		"letters, digits and _ . - (not as the first), at most %d of them", NAME_MAX_LEN);
}

static void random_bytes(void *out, size_t size)
{
	/* As in file_random_name: small requests are never cut short. */
	while (getrandom(out, size, 0) != (ssize_t)size)
		;
}

/* Twelve digits alone would look like a number to many a script. */
static void make_id(char out[65])
{
	unsigned char bytes[32];

	do {
		random_bytes(bytes, sizeof(bytes));
		str_hex(out, bytes, sizeof(bytes));
	} while (strspn(out, "0123456789") >= 12);
}

/* IMAGE-3f2a: the last part of the reference without tag and digest, as far as it can be in a name. */
static void make_name(char out[64], const char *reference)
{
	const char *base =
		reference && strrchr(reference, '/') ? strrchr(reference, '/') + 1 : reference;
	unsigned char bytes[2];
	size_t n = 0;

	for (; base && *base && *base != ':' && *base != '@' && n < 48; base++)
		if (isalnum((unsigned char)*base) || (n && strchr("_.-", *base)))
			out[n++] = *base;
	out[n] = '\0';
	random_bytes(bytes, sizeof(bytes));
	snprintf(out + n, 64 - n, "%s-%02x%02x", n ? "" : "container", bytes[0], bytes[1]);
}

static int copy_labels(char *const *labels, struct instance *i)
{
	size_t count = 0, n = 0;

	while (labels && labels[count])
		count++;
	i->labels = calloc(count + 1, sizeof(*i->labels));
	for (n = 0; i->labels && n < count; n++) {
		if (!*labels[n] || *labels[n] == '=')
			return fail(EINVAL, "'%s' is not a label: KEY=VALUE", labels[n]);
		i->labels[n] = strdup(labels[n]);
		if (!i->labels[n])
			break;
	}
	return i->labels && n == count ? 0 : fail(ENOMEM, "out of memory");
}

static char *copy_of(const char *s)
{
	return strdup(s ? s : "");
}

static int new_row(const struct container_new *n, struct instance **out)
{
	auto_instance struct instance *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return fail(ENOMEM, "out of memory");
	make_id(i->id);
	i->image_ref = copy_of(n->image_ref);
	i->image_digest = copy_of(n->image_digest);
	i->command = copy_of(n->command);
	i->cgroup = copy_of(NULL);
	i->state = STATE_CREATING;
	i->durable = n->durable;
	i->foreground = n->foreground;
	i->created = time_now();
	i->run = 1;
	r = i->image_ref && i->image_digest && i->command && i->cgroup
		? copy_labels(n->labels, i)
		: fail(ENOMEM, "out of memory");
	if (r == 0)
		r = set_owner(i, true);
	if (r == 0)
		*out = take_ptr(i);
	return r;
}

static int set_name(struct instance *i, const struct container_new *n)
{
	char made[64];

	make_name(made, n->image_ref);
	free(i->name);
	i->name = copy_of(n->name ? n->name : made);
	return i->name ? 0 : fail(ENOMEM, "out of memory");
}

/* RUN/c/ID with its lock. Who sweeps what has no row may remove it before it is locked. */
static int make_run_dir(struct store *s, struct container *c)
{
	auto_close int all = file_mkdir(s->run, "c");
	int tries, r = all;

	for (tries = 0; r >= 0 && c->lock < 0 && tries < 10; tries++) {
		auto_close int dir = file_mkdir(all, c->row->id);

		if (dir >= 0)
			c->lock = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, true);
		if (dir < 0 && dir != -ENOENT)
			r = dir;
		else if (c->lock < 0 && c->lock != -ENOENT)
			r = c->lock;
	}
	return r < 0          ? r
		: c->lock < 0 ? fail(EBUSY, "cannot make the directory of a container")
			      : 0;
}

static int insert_row(struct store *s, struct instance *i, const struct container_new *n)
{
	int r = db_begin(s->run_db);

	if (r < 0)
		return r;
	r = instance_insert(s, i, n->layers);
	if (r == 0)
		r = instance_add_event(s, i, "create", "{}");
	if (r == 0)
		r = db_commit(s->run_db);
	if (r < 0)
		db_rollback(s->run_db);
	return r;
}

static int name_taken(const struct container *holder)
{
	fail(EEXIST, "the name '%s' is taken by container %.12s (%s)", holder->row->name,
		holder->row->id, state_name(holder->row->state));
	return fail_hint(-EEXIST, "remove it (qrm %s), choose another name, or use --replace",
		holder->row->name);
}

/* The name is taken: by whom? 0: try again. */
static int clear_name(struct store *s, const struct container_new *n)
{
	auto_container struct container *holder = NULL;
	int r;

	if (!n->name)
		return 0; /* another random one */
	r = container_find(s, n->name, &holder);
	if (r == -ENOENT || (r == 0 && strcmp(holder->row->name, n->name) != 0)) {
		fail_clear();
		return 0; /* it was on its way out */
	}
	if (r < 0)
		return r;
	if (!n->replace)
		return name_taken(holder);
	r = container_kill(s, holder);
	if (r == 0)
		r = container_remove(s, holder);
	return r == -ENOENT ? 0 : r;
}

/* Of many that want one name the unique key lets one through. */
static int claim_name(struct store *s, struct instance *i, const struct container_new *n)
{
	int tries, r = -EEXIST;

	for (tries = 0; r == -EEXIST && tries < 100; tries++) {
		r = set_name(i, n);
		if (r == 0)
			r = insert_row(s, i, n);
		if (r != -EEXIST)
			return r;
		r = clear_name(s, n);
		if (r == 0)
			r = -EEXIST;
		else
			return r;
	}
	return fail(EEXIST, "the name '%s' is taken again and again", i->name);
}

static int write_files(int dir, const struct instance *i, const struct container_new *n)
{
	int r = containerfile_save(dir, i, n);

	return r < 0 ? r
		     : file_replace(dir, dir, "spec.json", n->spec ? n->spec : "{}",
			       n->spec ? n->spec_len : 2);
}

/* upper becomes the root directory that all users inside walk through; the place it lies in is private. */
static int make_upper(int dir)
{
	if (mkdirat(dir, "upper", 0755) < 0 || fchmodat(dir, "upper", 0755, 0) < 0 ||
		mkdirat(dir, "work", 0700) < 0)
		return fail_errno("make the writable layer");
	return 0;
}

/* All of it or nothing: made in tmp/, then renamed. */
static int make_store_dir(struct store *s, const struct instance *i, const struct container_new *n)
{
	struct staging st;
	auto_close int all = -1;
	int r;

	if (s->read_only)
		return fail(EROFS, "store '%s' is open for reading only", s->path);
	r = all = file_mkdir(s->dir, "containers");
	if (r >= 0)
		r = store_stage(s, i->id, false, &st);
	if (r < 0)
		return r;
	r = write_files(st.dir, i, n);
	if (r == 0)
		r = make_upper(st.dir);
	if (r == 0)
		r = file_rename(s->tmp, st.name, all, i->id, 0);
	if (r == 0)
		store_staged(s, &st);
	else
		store_unstage(s, &st);
	return r;
}

static int make_files(struct store *s, const struct container *c, const struct container_new *n)
{
	auto_close int dir = -1;

	if (n->durable)
		return make_store_dir(s, c->row, n);
	dir = container_run_dir(s, c->row->id);
	return dir < 0 ? dir : write_files(dir, c->row, n);
}

/* Take back what CREATE made; the error that made it necessary stays. */
static void undo_create(struct store *s, struct container *c)
{
	auto_free char *text = strdup(fail_text()), *advice = strdup(fail_hint_text());

	if (container_remove(s, c) < 0)
		log_note("cannot take container '%s' back: %s", c->row->name, fail_text());
	if (text)
		fail(EIO, "%s", text);
	if (advice && *advice)
		fail_hint(-EIO, "%s", advice);
}

static void remove_run_dir(struct store *s, const char *id)
{
	auto_close int all = open_all(s->run, "c");

	/* What stays is swept when somebody lists. */
	if (all >= 0)
		(void)path_remove_tree(all, id);
}

int container_create(struct store *s, const struct container_new *n, struct container **out)
{
	auto_container struct container *c = calloc(1, sizeof(*c));
	int r;

	*out = NULL;
	if (!c)
		return fail(ENOMEM, "out of memory");
	c->lock = -1;
	r = n->name ? check_name(n->name) : 0;
	if (r == 0)
		r = reconcile_open(s);
	if (r == 0)
		r = new_row(n, &c->row);
	if (r == 0)
		r = make_run_dir(s, c);
	if (r < 0)
		return r;
	r = claim_name(s, c->row, n);
	if (r < 0) {
		remove_run_dir(s, c->row->id);
		return r;
	}
	r = make_files(s, c, n);
	if (r < 0) {
		undo_create(s, c);
		return r;
	}
	*out = take_ptr(c);
	return 0;
}

/* --- removal --- */

/* The deletion would go no further than the mount, but what lies beside it would be lost already. */
static int check_mounts(struct store *s, const struct container *c)
{
	auto_close int run = container_run_dir(s, c->row->id);
	auto_close int home = container_store_dir(s, c->row->id);

	if ((run < 0 || !mnt_is_busy(run)) && (home < 0 || !mnt_is_busy(home)))
		return 0;
	fail(EBUSY, "container '%s': something is still mounted below '%s%s%s'", c->row->name,
		home >= 0 ? s->path : "the run directory", home >= 0 ? "/containers/" : "/c/",
		c->row->id);
	return fail_hint(-EBUSY, "unmount it, then remove the container again");
}

/* One rename takes it out of the list of the store for good, however long the rest lasts. */
static int remove_store_dir(struct store *s, const char *id)
{
	auto_close int all = s->dir < 0 ? -ENOENT : open_all(s->dir, "containers");
	char away[72];
	int r;

	if (all < 0)
		return all == -ENOENT ? 0 : all;
	snprintf(away, sizeof(away), ".%s", id);
	r = path_remove_tree(all, away);
	if (r == 0 && faccessat(all, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = file_rename(all, id, all, away, 0);
	return r < 0 ? r : path_remove_tree(all, away);
}

/* State is removing, and we are its owner. The row goes last: it is what says that there is work to do. */
static int finish_removal(struct store *s, struct container *c)
{
	int r = check_mounts(s, c);

	if (r == 0)
		r = remove_store_dir(s, c->row->id);
	if (r < 0)
		return fail_wrap(r, "remove container '%s'", c->row->name);
	remove_run_dir(s, c->row->id);
	container_unlock(c);
	r = db_begin(s->run_db);
	if (r < 0)
		return r;
	r = instance_delete(s, c->row->id);
	if (r == 0)
		r = instance_add_event(s, c->row, "destroy", "{}");
	if (r == 0)
		r = db_commit(s->run_db);
	if (r < 0)
		db_rollback(s->run_db);
	return r;
}

int container_remove(struct store *s, struct container *c)
{
	struct change ch = { .event = EVENT_REMOVE };
	int r = c->lock >= 0 ? 0 : container_lock(s, c, true);

	if (r == 0)
		r = check_mounts(s, c);
	if (r == 0 && c->row->durable && s->dir >= 0 && faccessat(s->dir, ".", W_OK, 0) < 0)
		r = fail_errno("cannot remove container '%s'", c->row->name);
	if (r == 0)
		store_use_reserve(s);
	if (r == 0)
		r = change(s, c, &ch);
	if (r == 0)
		r = finish_removal(s, c);
	return r == -ENOENT ? 0 : r;
}
