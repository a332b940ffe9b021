/* SPDX-License-Identifier: MIT */
/* instance - rows of run.db
 *
 * Parts: schema, memory, reading, writing, exits, events. */
#include "service/instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "base/time.h"

#define EXITS_KEPT  "1024"
#define EVENTS_KEPT "4096"

const struct db_kind instance_kind = {
	.file = "run.db",
	.application_id = 1902277169, /* "qbr1" */
	.version = 1,
	.schema =
		"CREATE TABLE meta(key TEXT PRIMARY KEY,value TEXT NOT NULL)STRICT,WITHOUT ROWID;"
		"CREATE TABLE instance(id TEXT PRIMARY KEY CHECK(length(id)=64),name TEXT NOT NULL UNIQUE,"
		"durable INTEGER NOT NULL CHECK(durable IN(0,1)),"
		"foreground INTEGER NOT NULL CHECK(foreground IN(0,1)),"
		"state TEXT NOT NULL CHECK(state IN('creating','created','starting','running','paused',"
		"'restarting','stopping','stopped','removing')),"
		"frozen_by TEXT NOT NULL DEFAULT''CHECK(frozen_by IN('','user','copy','checkpoint')),"
		"init_pid INTEGER NOT NULL DEFAULT 0,init_start INTEGER NOT NULL DEFAULT 0,"
		"mon_pid INTEGER NOT NULL DEFAULT 0,mon_start INTEGER NOT NULL DEFAULT 0,"
		"owner_pid INTEGER NOT NULL DEFAULT 0,owner_start INTEGER NOT NULL DEFAULT 0,"
		"pidns INTEGER NOT NULL,image_ref TEXT NOT NULL DEFAULT'',"
		"image_digest TEXT NOT NULL DEFAULT'',command TEXT NOT NULL DEFAULT'',"
		"cgroup TEXT NOT NULL DEFAULT'',netns INTEGER NOT NULL DEFAULT 0,"
		"netns_of TEXT REFERENCES instance(id),run INTEGER NOT NULL DEFAULT 0,"
		"started_ns INTEGER NOT NULL DEFAULT 0,started_mono INTEGER NOT NULL DEFAULT 0,"
		"restarts INTEGER NOT NULL DEFAULT 0,oom_kills INTEGER NOT NULL DEFAULT 0,"
		"created_ns INTEGER NOT NULL,seq INTEGER NOT NULL UNIQUE,gen INTEGER NOT NULL DEFAULT 0"
		")STRICT,WITHOUT ROWID;"
		"CREATE INDEX instance_state ON instance(state);"
		"CREATE INDEX instance_netns_of ON instance(netns_of)WHERE netns_of IS NOT NULL;"
		"CREATE TABLE instance_layer(instance TEXT NOT NULL REFERENCES instance(id)ON DELETE CASCADE,"
		"dir TEXT NOT NULL,PRIMARY KEY(instance,dir))STRICT,WITHOUT ROWID;"
		"CREATE INDEX instance_layer_dir ON instance_layer(dir);"
		"CREATE TABLE instance_label(instance TEXT NOT NULL REFERENCES instance(id)ON DELETE CASCADE,"
		"key TEXT NOT NULL,value TEXT NOT NULL,PRIMARY KEY(instance,key))STRICT,WITHOUT ROWID;"
		"CREATE INDEX instance_label_key ON instance_label(key,value);"
		"CREATE TABLE exit(seq INTEGER PRIMARY KEY AUTOINCREMENT,instance TEXT NOT NULL,"
		"name TEXT NOT NULL,run INTEGER NOT NULL,started_ns INTEGER NOT NULL,"
		"ended_ns INTEGER NOT NULL,known INTEGER NOT NULL,code INTEGER NOT NULL,"
		"signal INTEGER NOT NULL,oom INTEGER NOT NULL,reason TEXT NOT NULL,"
		"error TEXT NOT NULL DEFAULT'',UNIQUE(instance,run))STRICT;"
		"CREATE TABLE event(seq INTEGER PRIMARY KEY AUTOINCREMENT,time_ns INTEGER NOT NULL,"
		"kind TEXT NOT NULL,action TEXT NOT NULL,object TEXT NOT NULL,name TEXT NOT NULL DEFAULT'',"
		"attr TEXT NOT NULL DEFAULT'{}')STRICT;"
		"CREATE INDEX event_object ON event(object,seq);"
		"CREATE TABLE lease(id INTEGER PRIMARY KEY AUTOINCREMENT,kind TEXT NOT NULL "
		"CHECK(kind IN('layer','blob','image','volume','tmp')),object TEXT NOT NULL,"
		"pid INTEGER NOT NULL,start INTEGER NOT NULL,pidns INTEGER NOT NULL,mono INTEGER NOT NULL"
		")STRICT;CREATE INDEX lease_object ON lease(kind,object)",
};

/* --- memory --- */

void instance_free(struct instance *i)
{
	if (!i)
		return;
	for (char **label = i->labels; label && *label; label++)
		free(*label);
	free(i->labels);
	free(i->name);
	free(i->image_ref);
	free(i->image_digest);
	free(i->command);
	free(i->cgroup);
	free(i);
}

void cleanup_instance(struct instance **i)
{
	instance_free(*i);
}

void instance_list_free(struct instance_list *l)
{
	for (size_t n = 0; n < l->count; n++)
		instance_free(l->items[n]);
	free(l->items);
	*l = (struct instance_list){ 0 };
}

/* --- reading --- */

/* In the order of enum column. */
#define COLUMNS                                                                                 \
	"id,name,image_ref,image_digest,command,cgroup,state,durable,foreground,init_pid,"      \
	"init_start,mon_pid,mon_start,owner_pid,owner_start,pidns,netns,created_ns,started_ns," \
	"started_mono,run,restarts,oom_kills,seq,gen"

enum column {
	ID,
	NAME,
	IMAGE_REF,
	IMAGE_DIGEST,
	COMMAND,
	CGROUP,
	STATE,
	DURABLE,
	FOREGROUND,
	INIT,
	MONITOR = INIT + 2,
	OWNER = MONITOR + 2,
	PIDNS = OWNER + 2,
	NETNS,
	CREATED,
	STARTED,
	STARTED_MONO,
	RUN,
	RESTARTS,
	OOM_KILLS,
	SEQ,
	GEN,
};

static struct proc_id read_process(struct db_query *q, enum column column)
{
	return (struct proc_id){
		.pid = (pid_t)db_int(q, (int)column),
		.start = (uint64_t)db_int(q, (int)column + 1),
		.pidns = (uint64_t)db_int(q, PIDNS),
	};
}

static int read_row(struct db_query *q, struct instance **out)
{
	auto_instance struct instance *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return fail(ENOMEM, "out of memory");
	r = str_copy(i->id, sizeof(i->id), db_text(q, ID));
	if (r == 0)
		r = state_parse(db_text(q, STATE), &i->state);
	if (r < 0)
		return fail_wrap(-EBADMSG, "run.db");
	i->name = strdup(db_text(q, NAME));
	i->image_ref = strdup(db_text(q, IMAGE_REF));
	i->image_digest = strdup(db_text(q, IMAGE_DIGEST));
	i->command = strdup(db_text(q, COMMAND));
	i->cgroup = strdup(db_text(q, CGROUP));
	if (!i->name || !i->image_ref || !i->image_digest || !i->command || !i->cgroup)
		return fail(ENOMEM, "out of memory");
	i->durable = db_int(q, DURABLE);
	i->foreground = db_int(q, FOREGROUND);
	i->init = read_process(q, INIT);
	i->monitor = read_process(q, MONITOR);
	i->owner = read_process(q, OWNER);
	i->netns = db_int(q, NETNS);
	i->created = db_int(q, CREATED);
	i->started = db_int(q, STARTED);
	i->started_mono = db_int(q, STARTED_MONO);
	i->run = db_int(q, RUN);
	i->restarts = db_int(q, RESTARTS);
	i->oom_kills = db_int(q, OOM_KILLS);
	i->seq = db_int(q, SEQ);
	i->gen = db_int(q, GEN);
	*out = take_ptr(i);
	return 0;
}

static int append(struct instance_list *l, struct instance *i)
{
	struct instance **items = l->items;

	/* Room in powers of two. */
	if ((l->count & (l->count - 1)) == 0) {
		items = realloc(items, (l->count ? 2 * l->count : 1) * sizeof(*items));
		if (!items) {
			instance_free(i);
			return fail(ENOMEM, "out of memory");
		}
		l->items = items;
	}
	items[l->count++] = i;
	return 0;
}

/* Which instances: the condition, with the id, name or prefix as its arguments ?1 and ?2. */
struct choice {
	const char *where, *types, *a, *b;
};

static int read_rows(struct store *s, const struct choice *c, struct instance_list *out)
{
	auto_query struct db_query q = { 0 };
	auto_free char *sql = NULL;
	struct instance *i;
	int r;

	if (asprintf(&sql, "SELECT " COLUMNS " FROM instance%s ORDER BY id", c->where) < 0)
		return fail(ENOMEM, "out of memory");
	r = db_query(s->run_db, &q, sql, c->types, c->a, c->b);
	while (r == 0 && (r = db_step(&q)) > 0) {
		r = read_row(&q, &i);
		if (r == 0)
			r = append(out, i);
	}
	return r;
}

static int add_label(struct instance *i, size_t *count, const char *label)
{
	char **labels = realloc(i->labels, (*count + 2) * sizeof(*labels));

	if (!labels)
		return fail(ENOMEM, "out of memory");
	i->labels = labels;
	labels[*count] = strdup(label);
	labels[*count + 1] = NULL;
	return labels[(*count)++] ? 0 : fail(ENOMEM, "out of memory");
}

/* Both lists are in the order of ids. */
static int read_labels(struct store *s, const struct choice *c, struct instance_list *l)
{
	auto_query struct db_query q = { 0 };
	auto_free char *sql = NULL;
	size_t n = 0, count = 0;
	int r;

	if (asprintf(&sql,
		    "SELECT instance,key||'='||value FROM instance_label WHERE instance IN"
		    "(SELECT id FROM instance%s)ORDER BY instance,key",
		    c->where) < 0)
		return fail(ENOMEM, "out of memory");
	r = db_query(s->run_db, &q, sql, c->types, c->a, c->b);
	while (r == 0 && (r = db_step(&q)) > 0) {
		while (n < l->count && strcmp(l->items[n]->id, db_text(&q, 0)) < 0) {
			n++;
			count = 0;
		}
		/* A row that came between the two queries is not in the list. */
		r = n < l->count && strcmp(l->items[n]->id, db_text(&q, 0)) == 0
			? add_label(l->items[n], &count, db_text(&q, 1))
			: 0;
	}
	return r;
}

/* In the order of read_exit. */
#define EXIT_COLUMNS "instance,run,started_ns,ended_ns,known,code,signal,oom,reason,error"

static int read_exit(struct db_query *q, struct exit_record *e)
{
	*e = (struct exit_record){
		.run = db_int(q, 1),
		.started = db_int(q, 2),
		.ended = db_int(q, 3),
		.known = db_int(q, 4),
		.code = (int)db_int(q, 5),
		.signal = (int)db_int(q, 6),
		.oom = db_int(q, 7),
	};
	snprintf(e->id, sizeof(e->id), "%s", db_text(q, 0));
	snprintf(e->error, sizeof(e->error), "%s", db_text(q, 9));
	return exitrecord_parse_reason(db_text(q, 8), &e->reason) < 0
		? fail_wrap(-EBADMSG, "run.db")
		: 0;
}

/* The newest exit of each. */
static int read_exits(struct store *s, const struct choice *c, struct instance_list *l)
{
	auto_query struct db_query q = { 0 };
	auto_free char *sql = NULL;
	size_t n = 0;
	int r;

	if (asprintf(&sql,
		    "SELECT " EXIT_COLUMNS ",max(run)FROM exit WHERE instance IN"
		    "(SELECT id FROM instance%s)GROUP BY instance ORDER BY instance",
		    c->where) < 0)
		return fail(ENOMEM, "out of memory");
	r = db_query(s->run_db, &q, sql, c->types, c->a, c->b);
	while (r == 0 && (r = db_step(&q)) > 0) {
		while (n < l->count && strcmp(l->items[n]->id, db_text(&q, 0)) < 0)
			n++;
		r = 0;
		if (n == l->count || strcmp(l->items[n]->id, db_text(&q, 0)) != 0)
			continue;
		r = read_exit(&q, &l->items[n]->last);
		l->items[n]->has_last = r == 0;
	}
	return r;
}

static int by_seq(const void *a, const void *b)
{
	const struct instance *x = *(struct instance *const *)a, *y = *(struct instance *const *)b;

	return x->seq < y->seq ? 1 : -1;
}

static int load(struct store *s, const struct choice *c, struct instance_list *out)
{
	int r = read_rows(s, c, out);

	if (r == 0 && out->count)
		r = read_labels(s, c, out);
	if (r == 0 && out->count)
		r = read_exits(s, c, out);
	if (r == 0 && out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_seq);
	return r;
}

int instance_list(struct store *s, const char *name, struct instance_list *out)
{
	struct choice c = { "", "", NULL, NULL };

	*out = (struct instance_list){ 0 };
	if (name)
		/* substr, because GLOB would take a user's "*" for a pattern */
		c = (struct choice){ " WHERE name=?1 OR substr(id,1,length(?1))=?1", "s", name,
			NULL };
	return load(s, &c, out);
}

int instance_get(struct store *s, const char *id, struct instance **out)
{
	auto_instance_list struct instance_list list = { 0 };
	struct choice c = { " WHERE id=?1", "s", id, NULL };
	int r = load(s, &c, &list);

	*out = NULL;
	if (r < 0)
		return r;
	if (list.count == 0)
		return -ENOENT;
	*out = take_ptr(list.items[0]);
	list.count = 0;
	return 0;
}

/* --- writing --- */

static int insert_label(struct store *s, const char *id, const char *label)
{
	const char *value = strchr(label, '=');
	auto_free char *key = value ? strndup(label, (size_t)(value - label)) : strdup(label);

	if (!key)
		return fail(ENOMEM, "out of memory");
	return db_exec(s->run_db, "INSERT OR REPLACE INTO instance_label VALUES(?,?,?)", "sss", id,
		key, value ? value + 1 : "");
}

int instance_insert(struct store *s, struct instance *i, char *const *layers)
{
	char *const *label = i->labels;
	int r;

	r = db_exec(s->run_db,
		"INSERT INTO instance(" COLUMNS
		")VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
		"coalesce(nullif(?,0),(SELECT coalesce(max(seq),0)+1 FROM instance)),?)",
		"sssssssiiiiiiiiiiiiiiiiii", i->id, i->name, i->image_ref, i->image_digest,
		i->command, i->cgroup, state_name(i->state), (int64_t)i->durable,
		(int64_t)i->foreground, (int64_t)i->init.pid, (int64_t)i->init.start,
		(int64_t)i->monitor.pid, (int64_t)i->monitor.start, (int64_t)i->owner.pid,
		(int64_t)i->owner.start, (int64_t)i->init.pidns, i->netns, i->created, i->started,
		i->started_mono, i->run, i->restarts, i->oom_kills, i->seq, i->gen);
	if (r == 0)
		r = db_get_int(
			s->run_db, &i->seq, "SELECT seq FROM instance WHERE id=?", "s", i->id);
	r = r < 0 ? r : 0;
	for (; r == 0 && label && *label; label++)
		r = insert_label(s, i->id, *label);
	for (; r == 0 && layers && *layers; layers++)
		r = db_exec(s->run_db, "INSERT OR IGNORE INTO instance_layer VALUES(?,?)", "ss",
			i->id, *layers);
	return r;
}

int instance_update(struct store *s, struct instance *i)
{
	int64_t found = 0;
	int r;

	r = db_exec(s->run_db,
		"UPDATE instance SET name=?,state=?,init_pid=?,init_start=?,mon_pid=?,mon_start=?,"
		"owner_pid=?,owner_start=?,pidns=?,cgroup=?,netns=?,started_ns=?,started_mono=?,run=?,"
		"restarts=?,oom_kills=?,foreground=?,gen=gen+1 WHERE id=? AND gen=?",
		"ssiiiiiiisiiiiiiisi", i->name, state_name(i->state), (int64_t)i->init.pid,
		(int64_t)i->init.start, (int64_t)i->monitor.pid, (int64_t)i->monitor.start,
		(int64_t)i->owner.pid, (int64_t)i->owner.start, (int64_t)i->init.pidns, i->cgroup,
		i->netns, i->started, i->started_mono, i->run, i->restarts, i->oom_kills,
		(int64_t)i->foreground, i->id, i->gen);
	if (r < 0)
		return r;
	if (db_changes(s->run_db) == 1) {
		i->gen++;
		return 0;
	}
	r = db_get_int(s->run_db, &found, "SELECT 1 FROM instance WHERE id=?", "s", i->id);
	return r < 0 ? r : r == 0 ? -ENOENT : -ESTALE;
}

int instance_delete(struct store *s, const char *id)
{
	return db_exec(s->run_db, "DELETE FROM instance WHERE id=?", "s", id);
}

/* --- exits --- */

int instance_add_exit(struct store *s, const struct instance *i, const struct exit_record *e)
{
	int r = db_exec(s->run_db,
		"INSERT OR IGNORE INTO exit(instance,name,run,started_ns,ended_ns,known,code,signal,oom,"
		"reason,error)VALUES(?,?,?,?,?,?,?,?,?,?,?)",
		"ssiiiiiiiss", i->id, i->name, e->run, e->started, e->ended, (int64_t)e->known,
		(int64_t)e->code, (int64_t)e->signal, (int64_t)e->oom, exitrecord_reason(e->reason),
		e->error);

	return r < 0
		? r
		: db_exec(s->run_db,
			  "DELETE FROM exit WHERE seq<=(SELECT max(seq)FROM exit)-" EXITS_KEPT, "");
}

int instance_find_exit(struct store *s, const char *name, struct exit_record *out)
{
	auto_query struct db_query q = { 0 };
	int r = db_query(s->run_db, &q,
		"SELECT " EXIT_COLUMNS
		" FROM exit WHERE name=?1 OR instance=?1 OR(length(?1)>1 AND "
		"substr(instance,1,length(?1))=?1)ORDER BY name=?1 DESC,seq DESC LIMIT 1",
		"s", name);

	if (r == 0)
		r = db_step(&q);
	if (r > 0) {
		r = read_exit(&q, out);
		return r < 0 ? r : 1;
	}
	return r;
}

/* --- events --- */

int instance_add_event(
	struct store *s, const struct instance *i, const char *action, const char *attr)
{
	int r = db_exec(s->run_db,
		"INSERT INTO event(time_ns,kind,action,object,name,attr)VALUES(?,'container',?,?,?,?)",
		"issss", time_now(), action, i->id, i->name, attr);

	return r < 0
		? r
		: db_exec(s->run_db,
			  "DELETE FROM event WHERE seq<=(SELECT max(seq)FROM event)-" EVENTS_KEPT,
			  "");
}

/* --- the rest --- */

int instance_layers(struct store *s, int (*each)(void *ctx, const char *dir), void *ctx)
{
	auto_query struct db_query q = { 0 };
	int r = db_query(s->run_db, &q, "SELECT DISTINCT dir FROM instance_layer", "");

	while (r == 0 && (r = db_step(&q)) > 0)
		r = each(ctx, db_text(&q, 0));
	return r;
}

int instance_get_mark(struct store *s, const char *key)
{
	int64_t one = 0;

	return db_get_int(s->run_db, &one, "SELECT 1 FROM meta WHERE key=?", "s", key);
}

int instance_set_mark(struct store *s, const char *key)
{
	return db_exec(s->run_db, "INSERT OR REPLACE INTO meta VALUES(?,'1')", "s", key);
}
