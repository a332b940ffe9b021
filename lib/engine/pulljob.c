/* SPDX-License-Identifier: MIT */
/* pulljob - one layer of a pull
 *
 * A layer that stands alone is committed as soon as it is unpacked; one that depends on the layers below
 * waits for them, and gives its lock back meanwhile, so that two pulls with crossed layers cannot wait
 * for each other. */
#include "engine/pulljob.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/time.h"
#include "kernel/file.h"
#include "service/blob.h"
#include "service/layer.h"

#define RESERVE (4u << 20)

int pulljob_init(struct pull *p, size_t count)
{
	p->jobs = calloc(count + 1, sizeof(*p->jobs));
	if (!p->jobs)
		return fail(ENOMEM, "out of memory");
	p->count = count;
	for (size_t i = 0; i < count; i++)
		p->jobs[i].unpack = (struct unpack){ .pid = -1, .notes = -1, .failure = -1 };
	return 0;
}

static int lease(struct pull *p, const char *kind, const struct digest *d)
{
	char hex[DIGEST_TEXT];
	int64_t id;

	digest_hex(hex, d);
	return store_lease(p->s, kind, hex, &id);
}

int pulljob_lease(struct pull *p, const struct pulljob *j)
{
	int r = lease(p, "layer", &j->diff);

	if (r == 0 && !digest_equal(&j->chain, &j->diff))
		r = lease(p, "layer", &j->chain);
	if (r == 0 && p->o->keep_blobs && j->descriptor)
		r = lease(p, "blob", &j->descriptor->digest);
	return r;
}

static void job_done(struct pull *p, struct pulljob *j, bool existed)
{
	j->state = PULLJOB_DONE;
	if (p->o->events.layer_done)
		p->o->events.layer_done(p->o->events.ctx, (unsigned)(j - p->jobs), existed);
}

/* Is the layer there already, and its blob if that is wanted? 1: done. */
static int job_find(struct pull *p, struct pulljob *j)
{
	int r;

	if (!j->known ||
		(p->o->keep_blobs && j->descriptor && !blob_exists(p->s, &j->descriptor->digest)))
		return 0;
	r = image_find_layer(p->s, &j->diff, &j->chain, j->dir);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	job_done(p, j, true);
	return 1;
}

static int job_stage(struct pull *p, struct pulljob *j)
{
	char name[160], hex[DIGEST_TEXT];
	int r;

	if (j->known) {
		digest_hex(hex, &j->diff);
		snprintf(name, sizeof(name), "layer-%s", hex);
	} else {
		file_random_name(name);
	}
	r = store_stage(p->s, name, false, &j->staging);
	j->staged = r == 0;
	return r;
}

/* Start the unpacker in the job's staging directory. */
static int job_unpack(struct pull *p, struct pulljob *j)
{
	size_t i = (size_t)(j - p->jobs);
	struct unpack_output to = {
		.dir = j->staging.dir,
		.keep_blob = p->o->keep_blobs && j->descriptor,
		.limits = { .bytes = PULL_BYTES_MAX - p->bytes,
			.entries = PULL_ENTRIES_MAX - p->entries,
			.reserve = RESERVE },
	};
	auto_free char *path = NULL;
	struct unpack_input in;
	int r;

	if (asprintf(&path, "%s/tmp/%s", p->s->path, j->staging.name) < 0) {
		path = NULL;
		return fail(ENOMEM, "out of memory");
	}
	to.path = path;
	r = source_open_layer(&p->src, i, &in);
	if (r < 0)
		return r;
	r = unpack_start(&j->unpack, &in, &to, &p->received[i]);
	close(in.fd);
	return r;
}

int pulljob_start(struct pull *p, struct pulljob *j)
{
	size_t i = (size_t)(j - p->jobs);
	int r;

	r = job_find(p, j);
	if (r != 0)
		return r;
	r = job_stage(p, j);
	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	/* Whoever held the lock may have made it. */
	r = job_find(p, j);
	if (r != 0) {
		store_unstage(p->s, &j->staging);
		j->staged = false;
		return r;
	}
	r = job_unpack(p, j);
	if (r < 0)
		return r;
	j->state = PULLJOB_RUNNING;
	p->running++;
	if (p->o->events.layer_start)
		p->o->events.layer_start(p->o->events.ctx, (unsigned)i,
			j->descriptor      ? &j->descriptor->digest
				: j->known ? &j->diff
					   : NULL,
			j->descriptor ? j->descriptor->size : 0);
	return 1;
}

/* Do the bytes match what manifest and config promised? */
static int job_verify(const struct pulljob *j)
{
	const struct layer_note *done = j->result.done;
	char want[DIGEST_TEXT], got[DIGEST_TEXT];

	if (j->descriptor && !digest_equal(&done->blob, &j->descriptor->digest)) {
		digest_format(got, &done->blob);
		return fail(EBADMSG, "it has the digest %s", got);
	}
	if (j->descriptor && done->blob_size != j->descriptor->size) {
		return fail(EBADMSG, "it has %llu bytes, not %llu",
			(unsigned long long)done->blob_size,
			(unsigned long long)j->descriptor->size);
	}
	if (j->descriptor && done->gzip != (strstr(j->descriptor->media_type, "gzip") != NULL))
		return fail(EBADMSG, "it is %s, its type is '%s'", done->gzip ? "gzip" : "not gzip",
			j->descriptor->media_type);
	if (j->known && !digest_equal(&done->diff_id, &j->diff)) {
		digest_format(want, &j->diff);
		digest_format(got, &done->diff_id);
		return fail(EBADMSG, "its diff id is %s, not %s", got, want);
	}
	return 0;
}

bool pulljob_needs_below(const struct pulljob *j)
{
	for (size_t i = 0; i < j->result.count; i++) {
		const struct layer_note *n = &j->result.notes[i];

		/* The roots of an overlay's layers are merged whatever their marks say, so an opaque root
		 * becomes whiteouts of what lies below it. */
		if (n->kind == LAYER_NOTE_IMPLIED || n->kind == LAYER_NOTE_LINK ||
			(n->kind == LAYER_NOTE_OPAQUE && !n->path[0]))
			return true;
	}
	return false;
}

/* Tell what was left out of a layer. */
static void tell_skipped(const struct unpack_result *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->notes[i].kind == LAYER_NOTE_SKIPPED)
			log_note("skipped '%s': %s", r->notes[i].path, r->notes[i].target);
}

/* Move what was unpacked to a place of its own and let others have the layer's lock. */
static int job_set_aside(struct pull *p, struct pulljob *j)
{
	struct staging place;
	char name[17];
	int r;

	file_random_name(name);
	r = store_stage(p->s, name, true, &place);
	if (r < 0)
		return r;
	/* Onto the empty directory: rename(2) replaces it. */
	if (renameat(p->s->tmp, j->staging.name, p->s->tmp, place.name) < 0) {
		r = fail_errno("set a layer aside");
		store_unstage(p->s, &place);
		return r;
	}
	cleanup_close(&place.dir);
	place.dir = take_fd(&j->staging.dir);
	store_staged(p->s, &j->staging);
	j->staging = place;
	return 0;
}

/* Put the layer's name in front of what is wrong with it. */
static int job_fail(const struct pulljob *j, int r)
{
	char text[DIGEST_TEXT];

	if (!j->descriptor)
		return r;
	digest_format(text, &j->descriptor->digest);
	return fail_wrap(r, "layer %s", text);
}

int pulljob_finish(struct pull *p, struct pulljob *j)
{
	int r = unpack_end(&j->unpack, &j->result);

	p->running--;
	if (r == 0)
		r = job_verify(j);
	unpack_abort(&j->unpack);
	if (r < 0)
		return job_fail(j, r);
	tell_skipped(&j->result);
	j->state = PULLJOB_UNPACKED;
	p->bytes += j->result.done->tar_size;
	p->entries += j->result.done->entries;
	if (p->bytes > PULL_BYTES_MAX || p->entries > PULL_ENTRIES_MAX)
		return fail(EFBIG, "the image unpacks to more than %llu bytes or %d entries",
			PULL_BYTES_MAX, PULL_ENTRIES_MAX);
	if (!j->known) {
		j->diff = j->chain = j->result.done->diff_id;
		j->known = true;
		return pulljob_lease(p, j);
	}
	return pulljob_needs_below(j) && j != p->jobs ? job_set_aside(p, j) : 0;
}

static int job_settle(struct pull *p, struct pulljob *j)
{
	/* A layer that stands alone may come before those below it. */
	size_t count = pulljob_needs_below(j) ? (size_t)(j - p->jobs) : 0, i;
	struct layer_below *below = calloc(count + 1, sizeof(*below));
	char path[DIGEST_TEXT + 8];
	mode_t mask;
	int r = 0;

	if (!below)
		return fail(ENOMEM, "out of memory");
	for (i = 0; i < count && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/fs", p->jobs[count - 1 - i].dir);
		below[i].fs =
			openat(p->s->layers, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (below[i].fs < 0)
			r = fail_errno("open the layer '%s'", path);
	}
	if (r == 0) {
		mask = umask(0);
		r = layer_settle(j->staging.dir, j->result.notes, j->result.count, below, count);
		umask(mask);
	}
	while (i--)
		cleanup_close(&below[i].fs);
	free(below);
	return r;
}

static int save_facts(struct pull *p, const struct pulljob *j, bool chain_bound)
{
	const struct layer_note *done = j->result.done;
	struct layer_facts facts = {
		.diff_id = j->diff,
		.chain_bound = chain_bound,
		.tar_size = done->tar_size,
		.disk_size = done->disk_size,
		.entries = done->entries,
		.added = time_now(),
	};

	if (chain_bound)
		facts.chain = j->chain;
	if (j->descriptor) {
		facts.has_encoding = true;
		facts.encoding = done->blob;
		facts.encoding_size = done->blob_size;
		strcpy(facts.encoding_type, j->descriptor->media_type);
	}
	return layer_facts_save(p->s->tmp, j->staging.dir, &facts);
}

/* Move the layer to its place. Another pull may have made the same tree under the same name: then that one
 * stays, unless it has been damaged since. */
static int move_in(struct pull *p, struct pulljob *j)
{
	char there[DIGEST_TEXT];
	int r = file_rename(p->s->tmp, j->staging.name, p->s->layers, j->dir, RENAME_NOREPLACE);

	if (r == 0) {
		store_staged(p->s, &j->staging);
		j->staged = false;
	}
	if (r != -EEXIST && r != -ENOTEMPTY)
		return r;
	fail_clear();
	if (image_find_layer(p->s, &j->diff, &j->chain, there) == 0)
		return 0;
	return file_rename(p->s->tmp, j->staging.name, p->s->layers, j->dir, RENAME_EXCHANGE);
}

int pulljob_commit(struct pull *p, struct pulljob *j)
{
	int r, bound;

	bound = job_settle(p, j);
	if (bound < 0)
		return bound;
	digest_hex(j->dir, bound ? &j->chain : &j->diff);
	r = save_facts(p, j, bound);
	if (r == 0)
		r = file_sync_tree(j->staging.dir);
	/* The blob is one of the files that were just made to last. */
	if (r == 0 && p->o->keep_blobs && j->descriptor)
		r = blob_adopt(p->s, j->staging.dir, "blob", &j->descriptor->digest);
	if (r < 0)
		return r;
	r = move_in(p, j);
	if (r < 0)
		return r;
	r = image_add_layer(p->s, j->dir);
	pulljob_abort(p, j);
	if (r == 0)
		job_done(p, j, false);
	return r;
}

void pulljob_abort(struct pull *p, struct pulljob *j)
{
	unpack_abort(&j->unpack);
	unpack_result_free(&j->result);
	if (j->staged)
		store_unstage(p->s, &j->staging);
	j->staged = false;
}
