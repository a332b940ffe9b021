/* SPDX-License-Identifier: MIT */
/* imageverify - is everything in the store what it says it is? */
#include "engine/imageverify.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/str.h"
#include "engine/image.h"
#include "engine/imageindex.h"
#include "format/oci.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "service/blob.h"
#include "service/catalog.h"
#include "service/layer.h"

/* One run. */
struct run {
	struct store *s;
	struct imageverify *v;
	int damaged; /* directory to move findings to; -1: change nothing */
};

/* Move NAME of DIR to damaged/KIND-NAME. An older finding of that name makes way: it is the same thing. */
static int put_aside(struct run *run, int dir, const char *kind, const char *name)
{
	char to[DIGEST_TEXT + 16];
	int r;

	if (run->damaged < 0)
		return 0;
	snprintf(to, sizeof(to), "%s-%s", kind, name);
	r = path_remove_tree(run->damaged, to);
	return r < 0 ? r : file_rename(dir, name, run->damaged, to, 0);
}

/* The recorded text is the finding. */
static void report(struct run *run, enum imageverify_kind kind, const char *object)
{
	run->v->problems++;
	run->v->problem(run->v->ctx, kind, object, fail_text());
}

/* Not a finding but a reason to stop: nothing was learned about the object. */
static bool is_fatal(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* --- blobs --- */

static int hash_file(int fd, struct digest *out)
{
	struct hash h;
	char chunk[32768];
	ssize_t n;

	hash_init(&h, DIGEST_SHA256);
	while ((n = fd_read(fd, chunk, sizeof(chunk))) > 0)
		hash_add(&h, chunk, (size_t)n);
	if (n < 0) {
		errno = (int)-n;
		return fail_errno("read");
	}
	hash_end(&h, out);
	return 0;
}

static int verify_blob(void *ctx, const char *name)
{
	struct run *run = ctx;
	struct digest want = { .algorithm = DIGEST_SHA256 }, is;
	char object[DIGEST_TEXT];
	int fd, r;

	if (str_unhex(want.bytes, 32, name) < 0)
		return 0; /* not one of ours */
	digest_format(object, &want);
	fd = blob_open(run->s, &want);
	if (fd == -ENOENT)
		return 0; /* it was removed meanwhile */
	run->v->blobs++;
	if (run->v->start)
		run->v->start(run->v->ctx, IMAGEVERIFY_BLOB, object);
	r = fd < 0 ? fd : hash_file(fd, &is);
	cleanup_close(&fd);
	if (r == 0 && !digest_equal(&want, &is))
		r = fail(EBADMSG, "its content has another digest");
	if (r == 0 || is_fatal(r))
		return r;
	report(run, IMAGEVERIFY_BLOB, object);
	return put_aside(run, run->s->blobs, "blob", name);
}

/* --- layers --- */

static int drop(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return 0;
}

static int check_layer(int dir, const char *name)
{
	struct layer_facts f;
	struct digest is;
	char hex[DIGEST_TEXT];
	int r = layer_facts_load(dir, &f);

	if (r < 0)
		return r;
	digest_hex(hex, f.chain_bound ? &f.chain : &f.diff_id);
	if (strcmp(hex, name) != 0)
		return fail(EBADMSG, "its layer.json names another layer");
	r = layer_rebuild(dir, drop, NULL, &is);
	if (r == 0 && !digest_equal(&is, &f.diff_id))
		r = fail(EBADMSG, "its files do not give its diff id again");
	return r;
}

static int verify_layer(void *ctx, const char *name)
{
	struct run *run = ctx;
	char object[DIGEST_TEXT + 8];
	int dir, r;

	dir = openat(run->s->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return 0;
	run->v->layers++;
	snprintf(object, sizeof(object), "sha256:%s", name);
	if (run->v->start)
		run->v->start(run->v->ctx, IMAGEVERIFY_LAYER, object);
	r = dir < 0 ? fail_errno("open") : check_layer(dir, name);
	cleanup_close(&dir);
	if (r == 0 || is_fatal(r))
		return r;
	/* Taken away while we looked: no finding. */
	if (faccessat(run->s->layers, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	report(run, IMAGEVERIFY_LAYER, object);
	return put_aside(run, run->s->layers, "layer", name);
}

/* --- images --- */

/* The layers must be the ones that the config lists. */
static int check_layers(struct store *s, const struct image *i, const struct oci_config *c)
{
	struct layer_facts f;
	size_t n;
	int r;

	if (c->layers != i->layer_count)
		return fail(
			EBADMSG, "it has %zu layers, its config %zu", i->layer_count, c->layers);
	for (n = 0; n < i->layer_count; n++) {
		auto_close int dir = openat(
			s->layers, i->layers[n], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		r = dir < 0 ? fail_errno("open layer '%.12s'", i->layers[n])
			    : layer_facts_load(dir, &f);
		if (r == 0 && !digest_equal(&f.diff_id, &c->diff_ids[n]))
			r = fail(EBADMSG, "layer '%.12s' is not the one its config lists",
				i->layers[n]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_image(struct store *s, const struct image *i)
{
	auto_buf struct buf text = { 0 };
	struct oci_config c = { 0 };
	int r;

	r = image_check(s, i);
	if (r == 0)
		r = blob_get(s, &i->config_digest, OCI_CONFIG_MAX, &text);
	if (r == 0)
		r = oci_config_parse(&c, buf_str(&text), text.len);
	if (r == 0)
		r = check_layers(s, i, &c);
	oci_config_free(&c);
	return r;
}

static int verify_image(void *ctx, const char *file)
{
	struct run *run = ctx;
	auto_image struct image *i = NULL;
	char object[32];
	int r;

	r = image_load(run->s, file, &i);
	if (r == -ENOENT)
		return 0;
	run->v->images++;
	if (r == 0)
		r = check_image(run->s, i);
	if (r == 0 || is_fatal(r))
		return r;
	if (faccessat(run->s->refs, file, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	snprintf(object, sizeof(object), "refs/%.12s", file);
	report(run, IMAGEVERIFY_IMAGE, i ? i->reference : object);
	return put_aside(run, run->s->refs, "ref", file);
}

/* --- all --- */

static int verify_parts(struct run *run)
{
	int r = catalog_walk(run->s->blobs, verify_blob, run);

	return r < 0 ? r : catalog_walk(run->s->layers, verify_layer, run);
}

int imageverify_run(struct store *s, struct imageverify *v)
{
	struct run run = { s, v, -1 };
	int r = verify_parts(&run);

	return r < 0 ? r : catalog_walk(s->refs, verify_image, &run);
}

int imageverify_repair(struct store *s, struct imageverify *v)
{
	struct run run = { s, v, -1 };
	auto_close int damaged = -1, lock = -1;
	int r;

	r = store_db(s);
	if (r == 0)
		r = run.damaged = damaged = file_mkdir(s->dir, "damaged");
	if (r >= 0)
		r = verify_parts(&run);
	if (r >= 0)
		r = lock = store_lock_index(s);
	if (r >= 0)
		r = catalog_walk(s->refs, verify_image, &run);
	if (r >= 0)
		r = imageindex_write(s, NULL);
	if (r >= 0)
		r = catalog_sync(s);
	/* Nothing was damaged: it is empty. */
	unlinkat(s->dir, "damaged", AT_REMOVEDIR);
	return r < 0 ? r : 0;
}
