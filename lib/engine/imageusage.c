/* SPDX-License-Identifier: MIT */
/* imageusage - what the store holds and what of it could go */
#include "engine/imageusage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "engine/image.h"
#include "engine/imagegc.h"
#include "service/catalog.h"
#include "service/layer.h"

/* One run. */
struct counting {
	struct store *s;
	struct imageusage *out;
	struct imagegc_live live;
};

static void count(struct imageusage_kind *kind, uint64_t bytes, bool idle)
{
	kind->count++;
	kind->bytes += bytes;
	kind->idle += idle;
	kind->idle_bytes += idle ? bytes : 0;
}

static uint64_t layer_size(struct store *s, const char *name)
{
	auto_close int dir =
		openat(s->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct layer_facts f;

	return dir >= 0 && layer_facts_load(dir, &f) == 0 ? f.disk_size : 0;
}

static int count_layer(void *ctx, const char *name)
{
	struct counting *c = ctx;

	count(&c->out->layers, layer_size(c->s, name), !imagegc_has(&c->live.layers, name));
	return 0;
}

static int count_blob(void *ctx, const char *name)
{
	struct counting *c = ctx;
	struct stat st;

	if (fstatat(c->s->blobs, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		count(&c->out->blobs, (uint64_t)st.st_size, !imagegc_has(&c->live.blobs, name));
	return 0;
}

/* Disk blocks of NAME of DIR and of everything below. */
static uint64_t tree_size(int dir, const char *name, int depth)
{
	uint64_t sum = 0;
	struct stat st;
	struct dirent *e;
	DIR *d;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	sum = (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode) || depth > 64)
		return sum;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		cleanup_close(&fd);
		return sum;
	}
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sum += tree_size(fd, e->d_name, depth + 1);
	closedir(d);
	return sum;
}

static void count_rest(struct counting *c)
{
	static const char *const parts[] = { "blobs", "layers", "refs", "tmp", "damaged", ".",
		".." };
	int fd = openat(c->s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	size_t i;
	DIR *d;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		cleanup_close(&fd);
		return;
	}
	while ((e = readdir(d))) {
		for (i = 0; i < ARRAY_LEN(parts) && strcmp(e->d_name, parts[i]) != 0; i++)
			;
		if (i == ARRAY_LEN(parts))
			count(&c->out->other, tree_size(fd, e->d_name, 0), false);
		else if (strcmp(e->d_name, "tmp") == 0)
			count(&c->out->tmp, tree_size(fd, "tmp", 0), false);
		else if (strcmp(e->d_name, "damaged") == 0)
			count(&c->out->damaged, tree_size(fd, "damaged", 0), true);
	}
	closedir(d);
}

static bool uses(const struct image *i, const char *layer)
{
	size_t n;

	for (n = 0; n < i->layer_count; n++)
		if (strcmp(i->layers[n], layer) == 0)
			return true;
	return false;
}

static void share(struct store *s, const struct image_list *list, const struct image *i,
	struct imageusage_image *out)
{
	uint64_t size;
	size_t n, k;

	for (n = 0; n < i->layer_count; n++) {
		size = layer_size(s, i->layers[n]);
		for (k = 0; k < list->count; k++)
			if (!digest_equal(&list->items[k]->config_digest, &i->config_digest) &&
				uses(list->items[k], i->layers[n]))
				break;
		*(k < list->count ? &out->shared : &out->unique) += size;
	}
}

static int count_images(struct store *s, struct imageusage *out)
{
	auto_image_list struct image_list list = { 0 };
	size_t n;
	int r;

	r = image_list(s, &list);
	if (r < 0)
		return r;
	out->images = calloc(list.count + 1, sizeof(*out->images));
	if (!out->images)
		return fail(ENOMEM, "out of memory");
	for (n = 0; n < list.count; n++) {
		image_id(out->images[n].id, list.items[n]);
		share(s, &list, list.items[n], &out->images[n]);
		out->images[n].reference = take_ptr(list.items[n]->reference);
		out->image_count++;
	}
	return 0;
}

int imageusage_get(struct store *s, struct imageusage *out)
{
	struct counting c = { .s = s, .out = out };
	int r;

	*out = (struct imageusage){ 0 };
	r = imagegc_live(s, &c.live);
	if (r == 0)
		r = catalog_walk(s->layers, count_layer, &c);
	if (r == 0)
		r = catalog_walk(s->blobs, count_blob, &c);
	if (r == 0)
		r = count_images(s, out);
	count_rest(&c);
	imagegc_live_free(&c.live);
	return r;
}

void imageusage_free(struct imageusage *u)
{
	size_t n;

	for (n = 0; n < u->image_count; n++)
		free(u->images[n].reference);
	free(u->images);
	*u = (struct imageusage){ 0 };
}
