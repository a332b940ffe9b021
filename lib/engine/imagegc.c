/* SPDX-License-Identifier: MIT */
/* imagegc - remove references, and what no reference needs any more
 *
 * Parts: sets, what lives, collection, removal. */
#include "engine/imagegc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/image.h"
#include "engine/imageindex.h"
#include "format/oci.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "service/blob.h"
#include "service/catalog.h"
#include "service/db.h"
#include "service/layer.h"

/* --- sets --- */

static int set_add(struct imagegc_set *set, const char *name)
{
	size_t room;
	void *names;

	if (set->count == set->room) {
		room = set->room ? 2 * set->room : 64;
		names = realloc(set->names, room * sizeof(*set->names));
		if (!names)
			return fail(ENOMEM, "out of memory");
		set->names = names;
		set->room = room;
	}
	set->sorted = false;
	return str_copy(set->names[set->count++], DIGEST_TEXT, name);
}

static int set_add_digest(struct imagegc_set *set, const struct digest *d)
{
	char hex[DIGEST_TEXT];

	digest_hex(hex, d);
	return set_add(set, hex);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool imagegc_has(struct imagegc_set *set, const char *name)
{
	if (!set->count)
		return false;
	if (!set->sorted)
		qsort(set->names, set->count, sizeof(*set->names), compare);
	set->sorted = true;
	return bsearch(name, set->names, set->count, sizeof(*set->names), compare);
}

void imagegc_live_free(struct imagegc_live *l)
{
	free(l->layers.names);
	free(l->blobs.names);
	*l = (struct imagegc_live){ 0 };
}

/* --- what lives --- */

/* Every digest that a document names, whatever its kind: what we do not know must not be lost. */
static int add_digests(struct imagegc_set *set, const struct json *j)
{
	struct digest d;
	int r = 0;

	if (j->key && strcmp(j->key, "digest") == 0 && j->type == JSON_STRING &&
		digest_parse(&d, j->string) == 0)
		return set_add_digest(set, &d);
	if (j->type != JSON_OBJECT && j->type != JSON_ARRAY)
		return 0;
	for (j = j->child; j && r == 0; j = j->next)
		r = add_digests(set, j);
	return r;
}

/* The document D and what it names; of an index also what its manifests name. */
static int add_document(struct store *s, struct imagegc_set *set, const struct digest *d, int depth)
{
	auto_json struct json *j = NULL;
	auto_buf struct buf text = { 0 };
	const struct json *manifests = NULL, *item;
	const char *name;
	struct digest child;
	int r = set_add_digest(set, d);

	if (r < 0 || depth > 4)
		return r;
	/* What is missing or no document names nothing. */
	if (blob_get(s, d, OCI_MANIFEST_MAX, &text) < 0 ||
		json_parse(buf_str(&text), text.len, &j) < 0)
		return 0;
	r = add_digests(set, j);
	if (json_get_array(j, "manifests", &manifests) <= 0)
		return r;
	for (item = manifests->child; item && r == 0; item = item->next)
		if (json_get_string(item, "digest", &name) > 0 && digest_parse(&child, name) == 0)
			r = add_document(s, set, &child, depth + 1);
	return r;
}

static int add_image(struct store *s, struct imagegc_live *live, const struct image *i)
{
	static const struct digest none;
	size_t n;
	int r = 0;

	for (n = 0; n < i->layer_count && r == 0; n++)
		r = set_add(&live->layers, i->layers[n]);
	if (r == 0)
		r = set_add_digest(&live->blobs, &i->config_digest);
	/* The index itself, not the images of other platforms that it names. */
	if (r == 0 && !digest_equal(&i->index, &none))
		r = set_add_digest(&live->blobs, &i->index);
	if (r == 0)
		r = add_document(s, &live->blobs, &i->manifest, 0);
	return r;
}

static int add_layer(void *ctx, const char *dir)
{
	return set_add(ctx, dir);
}

int imagegc_live(struct store *s, struct imagegc_live *out)
{
	auto_image_list struct image_list list = { 0 };
	auto_json struct json *index = NULL;
	const struct json *item;
	const char *name;
	struct digest d;
	size_t n;
	int r;

	r = image_list(s, &list);
	if (r == 0 && list.damaged)
		r = fail_hint(-EBADMSG, "qstore repair puts it right");
	for (n = 0; n < list.count && r == 0; n++)
		r = add_image(s, out, list.items[n]);
	if (r == 0)
		r = container_layers(s, add_layer, &out->layers);
	if (r == 0)
		r = imageindex_load(s, &index);
	if (r == -ENOENT)
		return 0;
	item = index ? json_get(index, "manifests")->child : NULL;
	for (; item && r == 0; item = item->next)
		if (json_get_string(item, "digest", &name) > 0 && digest_parse(&d, name) == 0)
			r = add_document(s, &out->blobs, &d, 0);
	return r;
}

/* --- leases --- */

static int add_lease(void *ctx, const char *object)
{
	const char *hex = strchr(object, ':');

	return set_add(ctx, hex ? hex + 1 : object);
}

struct pinning {
	struct store *s;
	struct imagegc_live *live;
};

/* An image that runs may have no reference left; its row still tells its parts. */
static int pin_image(void *ctx, const char *object)
{
	struct pinning *p = ctx;
	auto_query struct db_query q = { 0 };
	struct digest d;
	int r, found = 0;

	r = db_query(p->s->db, &q,
		"SELECT config,dir FROM image LEFT JOIN image_layer ON image=image.id "
		"LEFT JOIN layer ON layer=layer.id WHERE digest=?",
		"s", object);
	while (r == 0 && (r = db_step(&q)) > 0) {
		found = 1;
		r = add_lease(&p->live->blobs, db_text(&q, 0));
		if (r == 0 && *db_text(&q, 1))
			r = set_add(&p->live->layers, db_text(&q, 1));
	}
	if (r == 0)
		r = digest_parse(&d, object);
	if (r == 0 && !found)
		r = fail(EBUSY, "image '%s' is in use and its parts are not known", object);
	return r < 0 ? r : add_document(p->s, &p->live->blobs, &d, 0);
}

static int same_object(void *ctx, const char *object)
{
	return strcmp(ctx, object) == 0;
}

/* --- collection --- */

/* What goes: names in layers/ and in blobs/sha256/. */
struct collection {
	struct store *s;
	struct imagegc *gc;
	struct imagegc_live live;
	struct imagegc_live only; /* if not empty: nothing else */
	struct imagegc_live goes;
	struct imagegc_live leased;
	bool all;
	/* What goes is renamed to tmp/PREFIX-N. These names need no lock, so no inode on a full disk: names
	 * without a lock are swept only when nobody else holds db.lock, and this process does. */
	char random[17];
	unsigned moved;
};

static void free_collection(struct collection *c)
{
	imagegc_live_free(&c->live);
	imagegc_live_free(&c->only);
	imagegc_live_free(&c->goes);
	imagegc_live_free(&c->leased);
}

static int choose_layer(void *ctx, const char *name)
{
	struct collection *c = ctx;
	bool wanted = c->all || imagegc_has(&c->only.layers, name);

	return !wanted || imagegc_has(&c->live.layers, name) ? 0 : set_add(&c->goes.layers, name);
}

static int choose_blob(void *ctx, const char *name)
{
	struct collection *c = ctx;
	bool wanted = c->all || imagegc_has(&c->only.blobs, name);

	return !wanted || imagegc_has(&c->live.blobs, name) ? 0 : set_add(&c->goes.blobs, name);
}

/* From here on a pull that looks for one of these waits for us. */
static int mark(struct collection *c)
{
	struct db *db = c->s->db;
	char digest[DIGEST_TEXT + 8];
	size_t n;
	int r = db_begin(db);

	if (r < 0)
		return r;
	for (n = 0; n < c->goes.layers.count && r == 0; n++)
		r = db_exec(db,
			"INSERT INTO layer(dir,diff_id,tar_size,disk_size,entries,exact,state,added_ns)"
			"VALUES(?1,?1,0,0,0,0,'deleting',0)ON CONFLICT(location,dir)DO UPDATE SET "
			"state='deleting'",
			"s", c->goes.layers.names[n]);
	for (n = 0; n < c->goes.blobs.count && r == 0; n++) {
		snprintf(digest, sizeof(digest), "sha256:%s", c->goes.blobs.names[n]);
		r = db_exec(db,
			"INSERT INTO blob(digest,size,media_type,state,added_ns)VALUES(?,0,'',"
			"'deleting',0)ON CONFLICT(digest)DO UPDATE SET state='deleting'",
			"s", digest);
	}
	if (r == 0)
		r = db_commit(db);
	if (r < 0)
		db_rollback(db);
	return r;
}

/* Size of the layer on the disk, and its diff id, by which a pull may have leased it. */
static uint64_t look_at_layer(struct collection *c, const char *name, char *diff)
{
	auto_close int fd =
		openat(c->s->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct layer_facts f;

	str_copy(diff, DIGEST_TEXT, name);
	if (fd < 0 || layer_facts_load(fd, &f) < 0)
		return 0; /* damaged: it only has its name */
	digest_hex(diff, &f.diff_id);
	return f.disk_size;
}

static void say(struct imagegc *gc, const char *verb, const char *object)
{
	if (gc->say)
		gc->say(gc->ctx, verb, object);
}

static int move_away(struct collection *c, int dir, const char *name)
{
	char to[40];

	if (!c->moved)
		file_random_name(c->random);
	snprintf(to, sizeof(to), "gc-%s-%u", c->random, c->moved);
	if (renameat(dir, name, c->s->tmp, to) < 0)
		return errno == ENOENT ? 0 : fail_errno("remove '%.12s'", name);
	c->moved++;
	return 0;
}

/* The slow part, when others may go on already. */
static void remove_moved(struct collection *c)
{
	char name[40];
	unsigned n;

	for (n = 0; n < c->moved; n++) {
		snprintf(name, sizeof(name), "gc-%s-%u", c->random, n);
		if (path_remove_tree(c->s->tmp, name) < 0)
			log_note("cannot remove '%s/tmp/%s': %s", c->s->path, name, fail_text());
	}
}

static int remove_layers(struct collection *c)
{
	char diff[DIGEST_TEXT], digest[DIGEST_TEXT + 8];
	const char *name;
	uint64_t size;
	size_t n;
	int r = 0;

	for (n = 0; n < c->goes.layers.count && r == 0; n++) {
		name = c->goes.layers.names[n];
		size = look_at_layer(c, name, diff);
		if (imagegc_has(&c->leased.layers, name) || imagegc_has(&c->leased.layers, diff)) {
			if (!c->gc->dry_run && catalog_layer(c->s, name, true) < 0)
				log_note("layer '%.12s' is in use: %s", name, fail_text());
			continue;
		}
		c->gc->layers++;
		c->gc->bytes += size;
		snprintf(digest, sizeof(digest), "sha256:%s", name);
		say(c->gc, "deleted", digest);
		if (c->gc->dry_run)
			continue;
		r = move_away(c, c->s->layers, name);
		if (r == 0)
			r = catalog_forget_layer(c->s, name);
	}
	return r;
}

static int remove_blobs(struct collection *c)
{
	char digest[DIGEST_TEXT + 8];
	struct stat st;
	const char *name;
	size_t n;
	int r = 0;

	for (n = 0; n < c->goes.blobs.count && r == 0; n++) {
		name = c->goes.blobs.names[n];
		if (imagegc_has(&c->leased.blobs,
			    name)) /* the mark stays until the next sync: a pull only waits */
			continue;
		if (fstatat(c->s->blobs, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			c->gc->bytes += (uint64_t)st.st_size;
		c->gc->blobs++;
		snprintf(digest, sizeof(digest), "sha256:%s", name);
		say(c->gc, "deleted", digest);
		if (c->gc->dry_run)
			continue;
		if (unlinkat(c->s->blobs, name, 0) < 0 && errno != ENOENT)
			return fail_errno("remove blob '%.12s'", name);
		r = catalog_forget_blob(c->s, digest);
	}
	return r;
}

/* Rows of images without a reference go, unless they run. */
static int forget_images(struct collection *c)
{
	auto_query struct db_query q = { 0 };
	struct imagegc_set running = { 0 };
	struct digest d;
	char hex[DIGEST_TEXT];
	int r;

	r = store_leases(c->s, "image", add_lease, &running);
	if (r == 0)
		r = db_query(c->s->db, &q,
			"SELECT digest FROM image WHERE id NOT IN(SELECT image FROM tag)", "");
	while (r == 0 && (r = db_step(&q)) > 0) {
		r = digest_parse(&d, db_text(&q, 0));
		if (r < 0)
			break;
		digest_hex(hex, &d);
		if (!imagegc_has(&running, hex))
			r = db_exec(
				c->s->db, "DELETE FROM image WHERE digest=?", "s", db_text(&q, 0));
	}
	free(running.names);
	return r;
}

static int remove_chosen(struct collection *c)
{
	struct db *db = c->s->db;
	int r;

	r = store_leases(c->s, "layer", add_lease, &c->leased.layers);
	if (r == 0)
		r = store_leases(c->s, "blob", add_lease, &c->leased.blobs);
	/* Again: one may have been made since, and looks for its layers now. */
	if (r == 0)
		r = container_layers(c->s, add_layer, &c->leased.layers);
	if (r == 0 && !c->gc->dry_run)
		r = db_begin(db);
	if (r < 0)
		return r;
	if (!c->gc->dry_run)
		r = forget_images(c);
	if (r == 0)
		r = remove_layers(c);
	if (r == 0)
		r = remove_blobs(c);
	if (c->gc->dry_run)
		return r;
	if (r == 0)
		r = db_commit(db);
	if (r < 0)
		db_rollback(db);
	return r;
}

/* Caller holds index.lock. */
static int collect(struct collection *c)
{
	struct pinning pinning = { c->s, &c->live };
	int r;

	r = imagegc_live(c->s, &c->live);
	if (r == 0)
		r = store_leases(c->s, "image", pin_image, &pinning);
	if (r == 0)
		r = catalog_walk(c->s->layers, choose_layer, c);
	if (r == 0)
		r = catalog_walk(c->s->blobs, choose_blob, c);
	if (r == 0 && !c->gc->dry_run)
		r = mark(c);
	return r < 0 ? r : remove_chosen(c);
}

/* What repair put aside: the next collection is its end. */
static int remove_damaged(struct collection *c)
{
	if (faccessat(c->s->dir, "damaged", F_OK, 0) < 0)
		return 0;
	say(c->gc, "deleted", "what was damaged");
	return c->gc->dry_run ? 0 : move_away(c, c->s->dir, "damaged");
}

int imagegc_run(struct store *s, struct imagegc *gc)
{
	struct collection c = { .s = s, .gc = gc, .all = true };
	auto_close int lock = -1;
	int r;

	store_use_reserve(s);
	r = store_db(s);
	if (r < 0)
		return r;
	r = lock = store_lock_index(s);
	if (r >= 0 && !gc->dry_run)
		r = imageindex_write(s, NULL);
	if (r >= 0 && !gc->dry_run)
		r = catalog_sync(s);
	if (r >= 0)
		r = collect(&c);
	if (r == 0)
		r = remove_damaged(&c);
	free_collection(&c);
	cleanup_close(&lock);
	lock = -1;
	remove_moved(&c);
	return r;
}

/* --- removal --- */

/* Take one reference away: row, index.json, file. */
static int untag(struct store *s, struct imagegc *gc, const char *reference)
{
	char file[DIGEST_TEXT];
	int r;

	r = db_exec(s->db, "DELETE FROM tag WHERE reference=?", "s", reference);
	if (r == 0)
		r = imageindex_write(s, reference);
	if (r < 0)
		return r;
	image_file_name(file, reference);
	r = file_remove(s->refs, file);
	if (r == 0)
		say(gc, "untagged", reference);
	return r;
}

/* Is NAME the reference of I, or its id? */
static bool is_reference(const char *name, const struct image *i)
{
	char text[REF_TEXT];
	struct ref ref;

	if (ref_parse(&ref, name) < 0)
		return false;
	ref_format(text, &ref);
	return strcmp(text, i->reference) == 0;
}

static bool is_same(const struct image *a, const struct image *b)
{
	return digest_equal(&a->config_digest, &b->config_digest);
}

/* May I go? It may when other references keep its parts, or when nobody runs it. */
static int check_free(
	struct store *s, const struct image_list *list, const struct image *i, bool only_this)
{
	char digest[DIGEST_TEXT];
	size_t n, others = 0;
	int r;

	for (n = 0; n < list->count; n++)
		others += is_same(list->items[n], i) &&
			strcmp(list->items[n]->reference, i->reference) != 0;
	if (only_this && others)
		return 0;
	digest_format(digest, &i->manifest);
	r = store_leases(s, "image", same_object, digest);
	return r > 0 ? fail(EBUSY, "image '%s' is in use", i->reference) : r;
}

static int several(const char *name, const struct image_list *list, const struct image *i)
{
	auto_buf struct buf names = { 0 };
	size_t n, count = 0;

	for (n = 0; n < list->count; n++) {
		if (!is_same(list->items[n], i))
			continue;
		buf_printf(&names, "%s%s", count++ ? ", " : "", list->items[n]->reference);
	}
	if (count < 2)
		return 0;
	fail(EEXIST, "'%s' has several references: %s", name, buf_str(&names));
	return fail_hint(-EEXIST, "name one of them, or remove all with -f");
}

/* Untag I (all references of its id unless ONLY_THIS) and note what only it may have needed. */
static int untag_all(
	struct collection *c, const struct image_list *list, const struct image *i, bool only_this)
{
	struct store *s = c->s;
	size_t n;
	int r = 0;

	for (n = 0; n < list->count && r == 0; n++) {
		if (only_this ? strcmp(list->items[n]->reference, i->reference) != 0
			      : !is_same(list->items[n], i))
			continue;
		r = check_free(s, list, list->items[n], only_this);
		if (r == 0)
			r = add_image(s, &c->only, list->items[n]);
		if (r == 0)
			r = untag(s, c->gc, list->items[n]->reference);
	}
	return r;
}

/* What an interrupted removal left marked goes along. */
static int add_marked(struct collection *c)
{
	auto_query struct db_query q = { 0 };
	int r = db_query(
		c->s->db, &q, "SELECT dir FROM layer WHERE location=''AND state='deleting'", "");

	while (r == 0 && (r = db_step(&q)) > 0)
		r = set_add(&c->only.layers, db_text(&q, 0));
	return r;
}

static int remove_locked(struct collection *c, const char *name, bool force)
{
	auto_image_list struct image_list list = { 0 };
	auto_image struct image *i = NULL;
	bool only_this;
	int r;

	r = image_find(c->s, name, &i);
	if (r == 0)
		r = image_list(c->s, &list);
	if (r < 0)
		return r;
	only_this = is_reference(name, i);
	if (!only_this && !force) {
		r = several(name, &list, i);
		if (r < 0)
			return r;
	}
	r = untag_all(c, &list, i, only_this);
	if (r == 0)
		r = add_marked(c);
	if (r < 0)
		return r;
	r = collect(c);
	if (r == -EBADMSG || r == -EBUSY) {
		/* The reference is gone; its parts wait until the store can be judged again. */
		log_note("nothing else is removed: %s", fail_text());
		return 0;
	}
	return r;
}

int imagegc_remove(struct store *s, const char *name, bool force, struct imagegc *gc)
{
	struct collection c = { .s = s, .gc = gc };
	auto_close int lock = -1;
	int r;

	store_use_reserve(s);
	r = store_db(s);
	if (r < 0)
		return r;
	r = lock = store_lock_index(s);
	if (r >= 0)
		r = remove_locked(&c, name, force);
	free_collection(&c);
	cleanup_close(&lock);
	lock = -1;
	remove_moved(&c);
	return r;
}
