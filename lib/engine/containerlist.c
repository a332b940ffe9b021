/* SPDX-License-Identifier: MIT */
/* container - find and list containers */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/containerfile.h"
#include "engine/reconcile.h"
#include "service/catalog.h"

void container_list_free(struct container_list *l)
{
	for (size_t n = 0; n < l->count; n++)
		container_free(l->items[n]);
	free(l->items);
	*l = (struct container_list){ 0 };
}

/* Rows of run.db; if it turns out damaged, of the one that is made in its place. */
static int load(struct store *s, const char *name, struct instance_list *out)
{
	int r = reconcile_open(s);

	*out = (struct instance_list){ 0 };
	if (r == 0)
		r = instance_list(s, name, out);
	if (r != -EBADMSG)
		return r;
	instance_list_free(out);
	r = store_run_check(s);
	if (r == 0)
		r = reconcile_open(s);
	return r == 0 ? instance_list(s, name, out) : r;
}

/* A container of the row *I, which is taken. */
static struct container *wrap(struct instance **i)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c) {
		fail(ENOMEM, "out of memory");
		return NULL;
	}
	c->lock = -1;
	c->row = take_ptr(*i);
	return c;
}

int container_list(struct store *s, struct container_list *out)
{
	auto_instance_list struct instance_list rows = { 0 };
	struct container *c;
	size_t n;
	int r = load(s, NULL, &rows);

	*out = (struct container_list){ 0 };
	if (r < 0)
		return r;
	reconcile_sweep(s, &rows);
	out->items = calloc(rows.count + 1, sizeof(*out->items));
	if (!out->items)
		return fail(ENOMEM, "out of memory");
	for (n = 0; n < rows.count; n++) {
		c = wrap(&rows.items[n]);
		r = c ? reconcile_container(s, c) : -ENOMEM;
		if (r == 0) {
			out->items[out->count++] = c;
			continue;
		}
		container_free(c);
		if (r != -ENOENT) {
			container_list_free(out);
			return r;
		}
	}
	return 0;
}

/* --- find --- */

static int not_found(struct store *s, const char *name)
{
	auto_instance_list struct instance_list rows = { 0 };
	const char *best = NULL;
	int distance, least = 4;

	if (instance_list(s, NULL, &rows) == 0)
		for (size_t n = 0; n < rows.count; n++) {
			distance = str_distance(name, rows.items[n]->name);
			if (distance < least) {
				least = distance;
				best = rows.items[n]->name;
			}
		}
	fail(ENOENT, "no container '%s'", name);
	return best ? fail_hint(-ENOENT, "did you mean '%s'?", best)
		    : fail_hint(-ENOENT, "qps -a lists all");
}

static int ambiguous(const char *name, const struct instance_list *rows)
{
	auto_buf struct buf names = { 0 };

	for (size_t n = 0; n < rows->count && names.len < 400; n++)
		buf_printf(&names, "%s%.12s %s", n ? ", " : "", rows->items[n]->id,
			rows->items[n]->name);
	return fail(EEXIST, "id '%s' is ambiguous: %s", name, buf_str(&names));
}

/* The row that NAME means: a name is stronger than the beginning of an id. */
static int choose(struct store *s, const char *name, struct instance_list *rows, size_t *out)
{
	for (size_t n = 0; n < rows->count; n++)
		if (strcmp(rows->items[n]->name, name) == 0) {
			*out = n;
			return 0;
		}
	if (rows->count == 0 || strlen(name) < 2)
		return not_found(s, name);
	*out = 0;
	return rows->count == 1 ? 0 : ambiguous(name, rows);
}

int container_find(struct store *s, const char *name, struct container **out)
{
	auto_instance_list struct instance_list rows = { 0 };
	auto_container struct container *c = NULL;
	size_t n = 0;
	int r = load(s, name, &rows);

	*out = NULL;
	if (r == 0)
		r = choose(s, name, &rows, &n);
	if (r < 0)
		return r;
	c = wrap(&rows.items[n]);
	if (!c)
		return -ENOMEM;
	r = reconcile_container(s, c);
	if (r < 0)
		return r == -ENOENT ? not_found(s, name) : r;
	*out = take_ptr(c);
	return 0;
}

/* --- layers --- */

struct layer_walk {
	struct store *s;
	int (*each)(void *ctx, const char *dir);
	void *ctx;
};

/* The layers in STORE/containers/ID: rows may be missing while nobody has looked since a boot. */
static int walk_layers(void *ctx, const char *id)
{
	struct layer_walk *w = ctx;
	auto_json struct json *j = NULL;
	auto_close int home = strlen(id) == 64 ? container_store_dir(w->s, id) : -ENOENT;
	const struct json *layers = NULL, *item;
	int r = home < 0 ? home : containerfile_load(home, id, &j);

	if (r == 0 && json_get_array(j, "layers", &layers) <= 0)
		r = fail(EBADMSG, "container %.12s: container.json is damaged", id);
	for (item = r == 0 ? layers->child : NULL; item && r == 0; item = item->next)
		if (item->type == JSON_STRING)
			r = w->each(w->ctx, item->string);
	return r == -ENOENT ? 0 : r; /* it has just been removed */
}

int container_layers(struct store *s, int (*each)(void *ctx, const char *dir), void *ctx)
{
	struct layer_walk w = { s, each, ctx };
	auto_close int all = s->dir < 0
		? -1
		: openat(s->dir, "containers", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = reconcile_open(s);

	if (r == 0)
		r = instance_layers(s, each, ctx);
	return r == 0 && all >= 0 ? catalog_walk(all, walk_layers, &w) : r;
}

int container_find_exit(struct store *s, const char *name, struct exit_record *out)
{
	int r = reconcile_open(s);

	return r < 0 ? r : instance_find_exit(s, name, out);
}
