/* SPDX-License-Identifier: MIT */
/* instance - unit tests: rows, compare and set, exits and events that are kept */
#include "service/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fail.h"
#include "kernel/path.h"
#include "unit.h"

static struct store *s;

static struct instance *make(const char *digit, const char *name)
{
	struct instance *i = calloc(1, sizeof(*i));

	for (int n = 0; n < 64; n++)
		i->id[n] = digit[0];
	i->name = strdup(name);
	i->image_ref = strdup("web:1");
	i->image_digest = strdup("sha256:12");
	i->command = strdup("a 'b'");
	i->cgroup = strdup("");
	i->state = STATE_CREATING;
	i->init.pidns = 7;
	return i;
}

static int count(void *ctx, const char *dir)
{
	(void)dir;
	++*(int *)ctx;
	return 0;
}

static int64_t rows(const char *sql)
{
	int64_t n = -1;

	CHECK(db_get_int(s->run_db, &n, sql, "") == 1);
	return n;
}

static void check_rows(void)
{
	auto_instance struct instance *a = make("a", "one"), *b = make("b", "two"), *back = NULL,
				      *other = NULL;
	auto_instance_list struct instance_list list = { 0 };
	char *labels[] = { "k=v=w", "j", NULL }, *layers[] = { "aa", "bb", "aa", NULL };
	int layer_count = 0;

	unit_case("inserts, with labels and layers, in order");
	a->labels = labels;
	CHECK(instance_insert(s, a, layers) == 0 && a->seq == 1);
	a->labels = NULL;
	CHECK(instance_insert(s, b, layers) == 0 && b->seq == 2);
	CHECK(instance_layers(s, count, &layer_count) == 0 && layer_count == 2);
	CHECK(instance_get(s, a->id, &back) == 0);
	CHECK_STR(back->name, "one");
	CHECK_STR(back->command, "a 'b'");
	CHECK_STR(back->labels[0], "j=");
	CHECK_STR(back->labels[1], "k=v=w");
	CHECK(!back->labels[2] && back->init.pidns == 7 && back->state == STATE_CREATING);
	CHECK(!back->has_last);

	unit_case("a name and an id are there once");
	other = make("c", "one");
	CHECK(instance_insert(s, other, NULL) == -EEXIST);
	instance_free(other);
	other = make("a", "three");
	CHECK(instance_insert(s, other, NULL) == -EEXIST);

	unit_case("newest first; by name, by prefix; no patterns");
	CHECK(instance_list(s, NULL, &list) == 0 && list.count == 2);
	CHECK_STR(list.items[0]->name, "two");
	instance_list_free(&list);
	CHECK(instance_list(s, "one", &list) == 0 && list.count == 1);
	instance_list_free(&list);
	CHECK(instance_list(s, "bbb", &list) == 0 && list.count == 1);
	instance_list_free(&list);
	CHECK(instance_list(s, "*", &list) == 0 && list.count == 0);
	instance_list_free(&list);
	CHECK(instance_list(s, "%", &list) == 0 && list.count == 0);

	unit_case("compare and set: who has not seen the latest loses");
	back->state = STATE_RUNNING;
	back->init.pid = 12;
	CHECK(instance_update(s, back) == 0 && back->gen == 1);
	a->state = STATE_REMOVING;
	CHECK(instance_update(s, a) == -ESTALE);
	instance_free(back);
	CHECK(instance_get(s, a->id, &back) == 0 && back->state == STATE_RUNNING);
	CHECK(back->init.pid == 12 && back->gen == 1);
	CHECK(instance_update(s, back) == 0 && instance_update(s, back) == 0);

	unit_case("gone");
	CHECK(instance_delete(s, b->id) == 0 && instance_delete(s, b->id) == 0);
	CHECK(instance_update(s, b) == -ENOENT);
	instance_free(other);
	CHECK(instance_get(s, b->id, &other) == -ENOENT && !other);
	CHECK(rows("SELECT count(*) FROM instance_layer") == 2);
}

static void check_exits(void)
{
	auto_instance struct instance *a = make("a", "one"), *back = NULL;
	struct exit_record e = { .known = true, .code = 1, .error = "x'y" };

	unit_case("the newest exit, by name and id, once for each run");
	for (e.run = 1; e.run <= 3; e.run++, e.code++)
		CHECK(instance_add_exit(s, a, &e) == 0 && instance_add_exit(s, a, &e) == 0);
	CHECK(rows("SELECT count(*) FROM exit") == 3);
	CHECK(instance_get(s, a->id, &back) == 0 && back->has_last && back->last.code == 3);
	CHECK_STR(back->last.error, "x'y");
	CHECK(instance_find_exit(s, "one", &e) == 1 && e.run == 3);
	CHECK(instance_find_exit(s, a->id, &e) == 1 && instance_find_exit(s, "aa", &e) == 1);
	CHECK(instance_find_exit(s, "a", &e) == 0 && instance_find_exit(s, "", &e) == 0);

	unit_case("1024 exits and 4096 events are kept");
	CHECK(db_begin(s->run_db) == 0);
	for (e.run = 4; e.run < 1100; e.run++)
		if (instance_add_exit(s, a, &e) < 0)
			break;
	for (int n = 0; n < 4200; n++)
		if (instance_add_event(s, a, "start", "{}") < 0)
			break;
	CHECK(db_commit(s->run_db) == 0);
	CHECK(rows("SELECT count(*) FROM exit") == 1024);
	CHECK(rows("SELECT count(*) FROM event") == 4096);
	CHECK(instance_find_exit(s, "one", &e) == 1 && e.run == 1099);

	unit_case("marks");
	CHECK(instance_get_mark(s, "x") == 0 && instance_set_mark(s, "x") == 0);
	CHECK(instance_set_mark(s, "x") == 0 && instance_get_mark(s, "x") == 1);
}

int main(void)
{
	char top[] = "/tmp/unit-instance.XXXXXX", path[64];

	if (!mkdtemp(top))
		return 1;
	snprintf(path, sizeof(path), "%s/run", top);
	setenv("QBOX_RUN", path, 1);
	snprintf(path, sizeof(path), "%s/none", top);

	unit_case("run.db without a store");
	CHECK(store_open(&s, path, STORE_RUN) == 0 && store_run(s) == 0);
	CHECK(s && s->dir < 0 && access(path, F_OK) < 0);
	check_rows();
	check_exits();
	store_close(s);
	path_remove_tree(AT_FDCWD, top);
	return unit_end();
}
