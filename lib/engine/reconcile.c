/* SPDX-License-Identifier: MIT */
/* reconcile - make what run.db says of containers true again
 *
 * Parts: judging processes, repair of one container, rows from files, sweeping. */
#include "engine/reconcile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "engine/containerfile.h"
#include "kernel/cgroup.h"
#include "kernel/cgroupkill.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "service/catalog.h"

/* --- judging processes --- */

bool reconcile_is_dead(const struct proc_id *id)
{
	struct proc_id self;

	if (proc_alive(id))
		return false;
	return !id->pid || (proc_identify(&self, 0) == 0 && self.pidns == id->pidns);
}

/* --- repair of one container --- */

/* Will its monitor, which lives, perhaps start it again? */
static bool may_restart(struct store *s, const struct container *c)
{
	auto_json struct json *j = NULL;
	auto_close int home = -1;

	if (!c->row->durable)
		return false;
	home = container_home(s, c);
	return home >= 0 && containerfile_load(home, c->row->id, &j) == 0 &&
		containerfile_restarts(j);
}

/* What a monitor takes away that lives to see the end. */
static void remove_cgroup(const char *text)
{
	auto_cgroup struct cgroup cg = { 0 };

	if (!*text || cgroup_open(&cg, text) < 0 || cgroup_kill(&cg) < 0 || cgroup_destroy(&cg) < 0)
		fail_clear(); /* there is none, or somebody holds it: the state matters more */
}

/* Its first process is gone. DIR is RUN/c/ID. The monitor writes the record before it ends, so look for the
 * monitor first. */
static int settle_end(struct store *s, struct container *c, int dir)
{
	bool monitored = dir >= 0 && file_is_locked(dir, "alive");
	struct exit_record e = { 0 };
	bool seen = dir >= 0 && exitrecord_load(dir, c->row->id, &e) == 0 && e.run == c->row->run;
	int r;

	fail_clear();
	if (monitored && (!seen || may_restart(s, c)))
		return 0;
	if (!monitored)
		remove_cgroup(c->row->cgroup);
	if (!seen) {
		e = (struct exit_record){ .run = c->row->run, .ended = time_now() };
		exitrecord_set_lost(&e);
	}
	r = container_ended(s, c, &e, false);
	return r < 0 ? r : 0;
}

/* The command that made or started it is gone: perhaps it came so far that it runs. */
static int settle_start(struct store *s, struct container *c, int dir)
{
	struct container_start start;
	struct instance found = *c->row;
	int r;

	if (dir >= 0 && file_is_locked(dir, "alive"))
		return 0; /* its monitor will tell */
	found.cgroup = strdup("");
	r = dir < 0 || !found.cgroup ? -ENOENT : containerfile_load_state(dir, &found);
	start = (struct container_start){ found.init, found.monitor, found.cgroup, found.netns };
	if (r == 0 && found.run == c->row->run && !reconcile_is_dead(&found.init))
		r = container_started(s, c, &start);
	else
		r = container_event(s, c, EVENT_ABANDON);
	free(found.cgroup);
	if (r == 0 && c->row->state == STATE_REMOVING)
		r = container_remove(s, c);
	return r;
}

/* No command is at it. */
static int settle(struct store *s, struct container *c)
{
	auto_close int dir = container_run_dir(s, c->row->id);
	int r;

	switch (c->row->state) {
	case STATE_CREATING:
	case STATE_STARTING: return settle_start(s, c, dir);
	case STATE_RUNNING:
	case STATE_PAUSED: return reconcile_is_dead(&c->row->init) ? settle_end(s, c, dir) : 0;
	case STATE_RESTARTING:
		return dir >= 0 && file_is_locked(dir, "alive") ? 0
								: container_event(s, c, EVENT_END);
	case STATE_STOPPING:
		if (reconcile_is_dead(&c->row->init))
			return settle_end(s, c, dir);
		return container_event(s, c, EVENT_ABANDON);
	case STATE_REMOVING: r = container_remove(s, c); return r;
	case STATE_CREATED:
	case STATE_STOPPED:
	case STATE_COUNT: break;
	}
	return 0;
}

/* Needs it a repair, as far as can be told without its lock? */
static bool is_settled(const struct instance *i)
{
	switch (i->state) {
	case STATE_CREATED:
	case STATE_STOPPED:
	case STATE_COUNT: return true;
	case STATE_RUNNING:
	case STATE_PAUSED: return !reconcile_is_dead(&i->init);
	case STATE_RESTARTING: return false;
	case STATE_STOPPING: return !reconcile_is_dead(&i->owner) && !reconcile_is_dead(&i->init);
	case STATE_CREATING:
	case STATE_STARTING:
	case STATE_REMOVING: return i->owner.pid && !reconcile_is_dead(&i->owner);
	}
	return true;
}

/* Take c/ID/lock if it is free. 1: it is ours, or there is nothing to lock. */
static int try_lock(struct store *s, struct container *c)
{
	auto_close int dir = container_run_dir(s, c->row->id);
	int lock;

	if (dir < 0)
		return dir == -ENOENT ? 1 : dir;
	lock = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false);
	if (lock == -EAGAIN)
		return 0;
	if (lock < 0)
		return lock == -ENOENT ? 1 : lock;
	c->lock = lock;
	return 1;
}

static int look_again(struct store *s, struct container *c)
{
	struct instance *row;
	int r = instance_get(s, c->row->id, &row);

	if (r < 0)
		return r;
	instance_free(c->row);
	c->row = row;
	return 0;
}

/* The end of a run needs no lock: who waits for it while stopping has that. */
static bool needs_lock(const struct instance *i)
{
	return state_is_transitional(i->state) &&
		!(i->state == STATE_STOPPING && reconcile_is_dead(&i->init));
}

int reconcile_container(struct store *s, struct container *c)
{
	bool locked = c->lock >= 0;
	int r = 1;

	if (is_settled(c->row))
		return 0;
	if (!locked && needs_lock(c->row)) {
		r = try_lock(s, c);
		if (r > 0)
			r = look_again(s, c) < 0 ? -ENOENT : 1;
	}
	if (r > 0 && !is_settled(c->row))
		r = settle(s, c);
	if (!locked)
		container_unlock(c);
	if (r < 0 && r != -ENOENT) {
		/* What cannot be repaired is shown as it is. */
		log_note("container '%s': %s", c->row->name, fail_text());
		fail_clear();
	}
	return look_again(s, c);
}

/* --- rows from files --- */

struct import {
	struct store *s;
	int all;                          /* STORE/containers, RUN/c */
	bool durable;                     /* which of them */
	const struct instance_list *rows; /* when sweeping: what is known to have a row */
};

/* When the machine started, for ends that happened before. */
static int64_t boot_time(void)
{
	return time_now() - time_mono();
}

static bool find_exit(int dir, const struct instance *i, struct exit_record *e)
{
	return dir >= 0 && exitrecord_load(dir, i->id, e) == 0 && e->run == i->run;
}

/* How the last run of I, which does not run, ended. */
static int import_exit(struct import *im, const struct instance *i, int home, int run)
{
	struct exit_record e = { 0 };

	if (!i->run)
		return 0;
	if (!find_exit(run, i, &e) && !find_exit(home, i, &e)) {
		e = (struct exit_record){ .run = i->run, .ended = boot_time() };
		exitrecord_set_lost(&e);
	}
	fail_clear();
	return instance_add_exit(im->s, i, &e);
}

static int insert(struct store *s, struct instance *i, char *const *layers)
{
	char *name;
	int r = instance_insert(s, i, layers);

	if (r != -EEXIST)
		return r;
	/* Two of one name or number: nothing of ours makes that, but both must be seen. */
	i->seq = 0;
	r = instance_insert(s, i, layers);
	if (r != -EEXIST)
		return r;
	name = strndup(i->id, 12);
	if (!name)
		return fail(ENOMEM, "out of memory");
	log_note("container %s: another has the name '%s'", name, i->name);
	free(i->name);
	i->name = name;
	return instance_insert(s, i, layers);
}

/* A row for the container whose container.json lies in HOME; RUN is its directory of this boot, if any. */
static int import_from(struct import *im, int home, int run, const char *id)
{
	auto_json struct json *j = NULL;
	auto_instance struct instance *i = NULL;
	char **layers = NULL;
	struct proc_id self;
	int r, state;

	r = containerfile_load(home, id, &j);
	if (r == 0)
		r = containerfile_read(j, &i, &layers);
	if (r == 0)
		r = proc_identify(&self, 0);
	if (r < 0)
		return r;
	i->durable = im->durable;
	i->init.pidns = self.pidns;
	state = run < 0 ? -ENOENT : containerfile_load_state(run, i);
	if (state == 0)
		i->state = STATE_RUNNING;
	else if (run >= 0 && file_is_locked(run, "lock"))
		i->state = STATE_CREATING; /* its owner will find this row when it is done */
	if (state == 0 || im->durable || i->state == STATE_CREATING)
		r = insert(im->s, i, layers);
	if (r == 0 && i->state != STATE_RUNNING && i->state != STATE_CREATING)
		r = import_exit(im, i, home, run);
	containerfile_free_list(layers);
	return r;
}

static int import_one(void *ctx, const char *id)
{
	struct import *im = ctx;
	auto_close int home = -1, run = -1, other = -1;
	int r;

	if (strlen(id) != 64)
		return 0;
	run = container_run_dir(im->s, id);
	other = container_store_dir(im->s, id);
	if (!im->durable && other >= 0)
		return 0;
	home = im->durable ? take_fd(&other)
			   : openat(im->all, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home < 0)
		return 0;
	r = import_from(im, home, run, id);
	if (r == -EBADMSG)
		log_note("container %.12s is left out: %s", id, fail_text());
	return r == -EBADMSG || r == -ENOENT ? 0 : r;
}

/* Call EACH for the names in the directory NAME of DIR, if there is one. */
static int walk(int dir, const char *name, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct import *im = ctx;
	int r = 0;

	im->all = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (im->all < 0)
		return 0;
	r = catalog_walk(im->all, each, ctx);
	close(im->all);
	return r;
}

static int import_all(struct store *s)
{
	struct import im = { .s = s, .durable = true };
	int r;

	/* Another may have done it while we waited for the transaction. */
	r = instance_get_mark(s, "imported");
	if (r != 0)
		return r < 0 ? r : 0;
	r = walk(s->dir, "containers", import_one, &im);
	im.durable = false;
	if (r == 0)
		r = walk(s->run, "c", import_one, &im);
	return r == 0 ? instance_set_mark(s, "imported") : r;
}

/* What removals that were cut short by the end of a boot left in STORE/containers. */
static void sweep_removed(struct store *s)
{
	int fd = s->dir < 0 ? -1 : openat(s->dir, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] == '.' && strlen(e->d_name) == 65 &&
			path_remove_tree(dirfd(d), e->d_name) < 0)
			log_note("cannot remove '%s/containers/%s': %s", s->path, e->d_name,
				fail_text());
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

int reconcile_open(struct store *s)
{
	int r = store_run(s);

	if (r == 0)
		r = instance_get_mark(s, "imported");
	if (r == -EBADMSG) {
		r = store_run_check(s);
		if (r == 0)
			r = instance_get_mark(s, "imported");
	}
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_begin(s->run_db);
	if (r < 0)
		return r;
	r = import_all(s);
	if (r == 0)
		r = db_commit(s->run_db);
	if (r < 0)
		db_rollback(s->run_db);
	else
		sweep_removed(s);
	return r;
}

/* --- sweeping --- */

static bool is_listed(const struct instance_list *rows, const char *id)
{
	for (size_t n = 0; n < rows->count; n++)
		if (strcmp(rows->items[n]->id, id) == 0)
			return true;
	return false;
}

static int sweep_one(void *ctx, const char *id)
{
	struct import *im = ctx;
	auto_instance struct instance *i = NULL;
	auto_close int dir = -1, lock = -1;

	if (strlen(id) != 64 || is_listed(im->rows, id))
		return 0;
	dir = openat(im->all, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || file_is_locked(dir, "alive"))
		return 0;
	lock = file_lock(dir, "lock", FILE_LOCK_EXCLUSIVE, false);
	/* The row may have come in between: it is written under the lock. */
	if (lock >= 0 && instance_get(im->s, id, &i) == -ENOENT &&
		path_remove_tree(im->all, id) < 0)
		log_note("cannot remove '%s': %s", id, fail_text());
	return 0;
}

void reconcile_sweep(struct store *s, const struct instance_list *rows)
{
	struct import im = { .s = s, .rows = rows };

	walk(s->run, "c", sweep_one, &im);
}
