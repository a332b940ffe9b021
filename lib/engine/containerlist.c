/* SPDX-License-Identifier: MIT */
/* container - find and list containers */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/reconcile.h"

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
	reconcile_sweep(s);
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

int container_find_exit(struct store *s, const char *name, struct exit_record *out)
{
	int r = reconcile_open(s);

	return r < 0 ? r : instance_find_exit(s, name, out);
}
