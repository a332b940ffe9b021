/* SPDX-License-Identifier: MIT */
/* pull - bring an image into the store: the parent of the network and unpack processes
 *
 * Parts: layer jobs (find, start, finish, commit), the loop over them, the image around them.
 * A layer that stands alone is committed as soon as it is unpacked; one that depends on the layers below
 * waits for them, and gives its lock back meanwhile, so that two pulls with crossed layers cannot wait
 * for each other. */
#include "engine/pull.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/source.h"
#include "engine/unpacker.h"
#include "kernel/file.h"
#include "service/blob.h"
#include "service/layer.h"

#define IMAGE_BYTES_MAX   (256ull << 30)
#define IMAGE_ENTRIES_MAX 10000000
#define RESERVE           (4u << 20)
#define TICK_MS           100 /* between looks at a layer that another pull holds, and at the progress */

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_UNPACKED, JOB_DONE };

struct job {
	enum job_state state;
	bool known; /* diff and chain are (not for a rootfs) */
	struct digest diff, chain;
	const struct oci_descriptor *descriptor; /* NULL for docker archives and rootfs */
	bool staged;
	struct staging staging;
	struct unpack unpack;
	struct unpack_result result;
	char dir[DIGEST_TEXT]; /* in layers/ when done */
	uint64_t tar_size;
};

struct pull {
	struct store *s;
	const struct pull_options *o;
	struct source src;
	struct job *jobs;
	size_t count, running, limit;
	uint64_t bytes, entries; /* unpacked so far */
	uint64_t *received;      /* per job, shared with the unpackers */
};

/* --- layer jobs --- */

static int lease(struct pull *p, const struct digest *d)
{
	char hex[DIGEST_TEXT];
	int64_t id;

	digest_hex(hex, d);
	return store_lease(p->s, "layer", hex, &id);
}

static void job_done(struct pull *p, struct job *j, bool existed)
{
	j->state = JOB_DONE;
	if (p->o->events.layer_done)
		p->o->events.layer_done(p->o->events.ctx, (unsigned)(j - p->jobs), existed);
}

/* Is the layer there already? 1: done. */
static int job_find(struct pull *p, struct job *j)
{
	int r;

	if (!j->known)
		return 0;
	r = image_find_layer(p->s, &j->diff, &j->chain, j->dir);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	job_done(p, j, true);
	return 1;
}

static int job_stage(struct pull *p, struct job *j)
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
static int job_unpack(struct pull *p, struct job *j)
{
	size_t i = (size_t)(j - p->jobs);
	struct unpack_output to = {
		.dir = j->staging.dir,
		.keep_blob = p->o->keep_blobs && j->descriptor,
		.limits = { .bytes = IMAGE_BYTES_MAX - p->bytes,
			.entries = IMAGE_ENTRIES_MAX - p->entries,
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

/* Start the unpacker if the layer is free: 1 started or done, 0 another pull holds it. */
static int job_start(struct pull *p, struct job *j)
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
	j->state = JOB_RUNNING;
	p->running++;
	if (p->o->events.layer_start)
		p->o->events.layer_start(p->o->events.ctx, (unsigned)i,
			j->descriptor ? &j->descriptor->digest : &j->diff,
			j->descriptor ? j->descriptor->size : 0);
	return 1;
}

/* Do the bytes match what manifest and config promised? */
static int job_verify(const struct job *j)
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

/* Does the tree need facts of the layers below it? */
static bool needs_below(const struct unpack_result *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct layer_note *n = &r->notes[i];

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
static int job_set_aside(struct pull *p, struct job *j)
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
static int job_fail(const struct job *j, int r)
{
	char text[DIGEST_TEXT];

	if (!j->descriptor)
		return r;
	digest_format(text, &j->descriptor->digest);
	return fail_wrap(r, "layer %s", text);
}

/* The unpacker closed its notes. */
static int job_finish(struct pull *p, struct job *j)
{
	int r = unpack_end(&j->unpack, &j->result);

	p->running--;
	if (r == 0)
		r = job_verify(j);
	unpack_abort(&j->unpack);
	if (r < 0)
		return job_fail(j, r);
	tell_skipped(&j->result);
	j->state = JOB_UNPACKED;
	j->tar_size = j->result.done->tar_size;
	p->bytes += j->tar_size;
	p->entries += j->result.done->entries;
	if (p->bytes > IMAGE_BYTES_MAX || p->entries > IMAGE_ENTRIES_MAX)
		return fail(EFBIG, "the image unpacks to more than %llu bytes or %d entries",
			IMAGE_BYTES_MAX, IMAGE_ENTRIES_MAX);
	if (!j->known) {
		j->diff = j->chain = j->result.done->diff_id;
		j->known = true;
		/* The lease comes before the question whether it is there. */
		return lease(p, &j->diff);
	}
	return needs_below(&j->result) && j != p->jobs ? job_set_aside(p, j) : 0;
}

static int job_settle(struct pull *p, struct job *j)
{
	/* A layer that stands alone may come before those below it. */
	size_t count = needs_below(&j->result) ? (size_t)(j - p->jobs) : 0, i;
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

static int save_facts(struct pull *p, const struct job *j, bool chain_bound)
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

/* Make an unpacked layer last and visible. All layers below are done if it needs them. */
static int job_commit(struct pull *p, struct job *j)
{
	int r = 0, bound;

	bound = job_settle(p, j);
	if (bound < 0)
		return bound;
	digest_hex(j->dir, bound ? &j->chain : &j->diff);
	if (p->o->keep_blobs && j->descriptor)
		r = blob_adopt(p->s, j->staging.dir, "blob", &j->descriptor->digest);
	if (r == 0)
		r = save_facts(p, j, bound);
	if (r == 0)
		r = file_sync_tree(j->staging.dir);
	if (r < 0)
		return r;
	r = file_rename(p->s->tmp, j->staging.name, p->s->layers, j->dir, RENAME_NOREPLACE);
	j->staged = false;
	if (r == -EEXIST || r == -ENOTEMPTY) {
		/* Another pull made the same tree under the same name. */
		fail_clear();
		store_unstage(p->s, &j->staging);
	} else if (r < 0) {
		j->staged = true;
		return r;
	} else {
		store_staged(p->s, &j->staging);
	}
	r = image_add_layer(p->s, j->dir);
	unpack_result_free(&j->result);
	if (r == 0)
		job_done(p, j, false);
	return r;
}

static void job_abort(struct pull *p, struct job *j)
{
	unpack_abort(&j->unpack);
	unpack_result_free(&j->result);
	if (j->staged)
		store_unstage(p->s, &j->staging);
	j->staged = false;
}

/* --- the loop --- */

/* Commit what can be: layers that stand alone, and others whose layers below are all there. */
static int commit_ready(struct pull *p)
{
	bool all_below = true;
	int r;

	for (size_t i = 0; i < p->count; i++) {
		struct job *j = &p->jobs[i];

		if (j->state == JOB_UNPACKED && (all_below || !needs_below(&j->result))) {
			r = job_commit(p, j);
			if (r < 0)
				return r;
		}
		all_below = all_below && j->state == JOB_DONE;
	}
	return 0;
}

/* Start as many as may run. *BUSY: some are held by another pull. */
static int start_waiting(struct pull *p, bool *busy)
{
	int r;

	*busy = false;
	for (size_t i = 0; i < p->count && p->running < p->limit; i++) {
		if (p->jobs[i].state != JOB_WAITING)
			continue;
		r = job_start(p, &p->jobs[i]);
		if (r < 0)
			return r;
		*busy |= r == 0;
	}
	return 0;
}

static void tell_progress(struct pull *p)
{
	if (!p->o->events.layer_progress)
		return;
	for (size_t i = 0; i < p->count; i++)
		if (p->jobs[i].state == JOB_RUNNING)
			p->o->events.layer_progress(p->o->events.ctx, (unsigned)i, p->received[i]);
}

/* Wait until an unpacker says something, and take it. */
static int wait_running(struct pull *p, bool busy)
{
	struct pollfd polls[OCI_LAYERS_MAX + 1];
	size_t n = 0;
	int r;

	for (size_t i = 0; i < p->count; i++)
		if (p->jobs[i].state == JOB_RUNNING)
			polls[n++] = (struct pollfd){ p->jobs[i].unpack.notes, POLLIN, 0 };
	if (poll(polls, n, busy || p->o->events.layer_progress ? TICK_MS : -1) < 0 &&
		errno != EINTR)
		return fail_errno("poll");
	tell_progress(p);
	for (size_t i = 0; i < p->count; i++) {
		struct job *j = &p->jobs[i];

		if (j->state != JOB_RUNNING)
			continue;
		r = unpack_read(&j->unpack);
		if (r == 0)
			r = job_finish(p, j);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool all_done(const struct pull *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->jobs[i].state != JOB_DONE)
			return false;
	return true;
}

static int run_jobs(struct pull *p)
{
	bool busy;
	int r;

	while (!all_done(p)) {
		r = start_waiting(p, &busy);
		if (r == 0 && (p->running || busy))
			r = wait_running(p, busy);
		if (r == 0)
			r = commit_ready(p);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the image --- */

/* Fill in the jobs from the config (diff ids) and the manifest (blobs). */
static int make_jobs(struct pull *p)
{
	const struct oci_document *d = &p->src.document;
	size_t members = 0, i;
	struct oci_config c;
	int r = 0;

	while (p->src.members && p->src.members[members])
		members++;
	r = oci_config_parse(&c, buf_str(&p->src.config), p->src.config.len);
	if (r < 0)
		return fail_wrap(r, "config");
	if (c.layers != (d->items ? d->count : members)) {
		r = fail(EBADMSG, "%zu layers, but %zu diff ids", d->items ? d->count : members,
			c.layers);
	} else {
		p->count = c.layers;
		p->jobs = calloc(p->count + 1, sizeof(*p->jobs));
		r = p->jobs ? 0 : fail(ENOMEM, "out of memory");
	}
	for (i = 0; r == 0 && i < p->count; i++) {
		struct job *j = &p->jobs[i];

		j->known = true;
		j->diff = c.diff_ids[i];
		digest_chain(&j->chain, i ? &p->jobs[i - 1].chain : NULL, &j->diff);
		j->descriptor = d->items ? &d->items[i] : NULL;
		j->unpack = (struct unpack){ .pid = -1, .notes = -1, .failure = -1 };
		r = lease(p, &j->diff);
		if (r == 0 && i)
			r = lease(p, &j->chain);
	}
	oci_config_free(&c);
	return r;
}

/* A rootfs is one layer about which nothing is known before. */
static int make_rootfs_job(struct pull *p)
{
	p->count = 1;
	p->jobs = calloc(2, sizeof(*p->jobs));
	if (!p->jobs)
		return fail(ENOMEM, "out of memory");
	p->jobs[0].unpack = (struct unpack){ .pid = -1, .notes = -1, .failure = -1 };
	return 0;
}

/* The compressed sizes are a lower bound of what the missing layers take. */
static int check_space(struct pull *p)
{
	uint64_t need = 0, have;
	char dir[DIGEST_TEXT];
	int r;

	for (size_t i = 0; i < p->count; i++) {
		struct job *j = &p->jobs[i];

		if (j->descriptor && image_find_layer(p->s, &j->diff, &j->chain, dir) == -ENOENT)
			need += j->descriptor->size;
	}
	r = store_free_space(p->s, &have);
	if (r < 0)
		return r;
	if (need <= have)
		return 0;
	return fail_hint(
		fail(ENOSPC,
			"no space left: the layers take at least %llu bytes, there is room for %llu",
			(unsigned long long)need, (unsigned long long)have),
		"qstore gc removes what no image needs");
}

/* The config of an image made from a bare root file system. */
static int make_config(struct pull *p)
{
	struct buf *b = &p->src.config;
	char diff[DIGEST_TEXT];

	digest_format(diff, &p->jobs[0].diff);
	buf_puts(b, "{\"architecture\":");
	json_quote(b, p->o->platform.arch);
	buf_puts(b, ",\"config\":{},\"os\":");
	json_quote(b, p->o->platform.os);
	buf_printf(b, ",\"rootfs\":{\"diff_ids\":[\"%s\"],\"type\":\"layers\"}", diff);
	if (p->o->platform.variant[0]) {
		buf_puts(b, ",\"variant\":");
		json_quote(b, p->o->platform.variant);
	}
	buf_putc(b, '}');
	return buf_check(b);
}

static int layer_size(struct pull *p, const struct job *j, uint64_t *out)
{
	struct layer_facts facts;
	auto_close int dir = openat(p->s->layers, j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? fail_errno("open the layer '%s'", j->dir) : layer_facts_load(dir, &facts);

	if (r == 0)
		*out = facts.tar_size;
	return r;
}

/* The manifest of an image that came without one: its layers are described as plain tar, so that it does
 * not depend on how the archive was packed. */
static int make_manifest(struct pull *p)
{
	struct buf *b = &p->src.manifest;
	char text[DIGEST_TEXT];
	struct digest d;
	uint64_t size;
	int r;

	digest_of(&d, buf_str(&p->src.config), p->src.config.len);
	digest_format(text, &d);
	buf_printf(b,
		"{\"config\":{\"digest\":\"%s\",\"mediaType\":\"" OCI_TYPE_CONFIG
		"\",\"size\":%zu},"
		"\"layers\":[",
		text, p->src.config.len);
	for (size_t i = 0; i < p->count; i++) {
		r = layer_size(p, &p->jobs[i], &size);
		if (r < 0)
			return r;
		digest_format(text, &p->jobs[i].diff);
		buf_printf(b,
			"%s{\"digest\":\"%s\",\"mediaType\":\"" OCI_TYPE_LAYER "\",\"size\":%llu}",
			i ? "," : "", text, (unsigned long long)size);
	}
	buf_puts(b, "],\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"schemaVersion\":2}");
	return buf_check(b);
}

static int add_image(struct pull *p, bool index, struct image **out)
{
	struct image_new n = { .ref = &p->src.ref, .layer_count = p->count };
	char *dirs[OCI_LAYERS_MAX + 1];

	for (size_t i = 0; i < p->count; i++)
		dirs[i] = p->jobs[i].dir;
	dirs[p->count] = NULL;
	n.layers = dirs;
	n.manifest = buf_str(&p->src.manifest);
	n.manifest_len = p->src.manifest.len;
	n.config = buf_str(&p->src.config);
	n.config_len = p->src.config.len;
	if (index) {
		n.index = buf_str(&p->src.top);
		n.index_len = p->src.top.len;
	}
	return image_add(p->s, &n, out);
}

static bool same_platform(const struct oci_platform *have, const struct oci_platform *want)
{
	return strcmp(have->os, want->os) == 0 && strcmp(have->arch, want->arch) == 0 &&
		(!want->variant[0] || !have->variant[0] ||
			strcmp(have->variant, want->variant) == 0);
}

/* Is the image of this name and digest here, whole? 1 and *OUT. */
static int find_present(struct pull *p, const struct digest *d, struct image **out)
{
	char text[REF_TEXT];
	struct image *i = NULL;
	bool same;

	ref_format(text, &p->src.ref);
	if (image_find(p->s, text, &i) < 0) {
		fail_clear();
		return 0;
	}
	same = strcmp(i->reference, text) == 0 &&
		(digest_equal(&i->manifest, d) ||
			(digest_equal(&i->index, d) &&
				same_platform(&i->platform, &p->o->platform)));
	if (same && image_check(p->s, i) < 0) {
		fail_clear();
		same = false;
	}
	if (!same) {
		image_free(i);
		return 0;
	}
	*out = i;
	return 1;
}

static int pull_layers(struct pull *p)
{
	int r;

	p->limit = p->o->jobs ? p->o->jobs : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	p->received = mmap(NULL, (OCI_LAYERS_MAX + 1) * sizeof(*p->received),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->received == MAP_FAILED) {
		p->received = NULL;
		return fail_errno("map shared memory");
	}
	r = p->src.kind == SOURCE_ROOTFS ? make_rootfs_job(p) : make_jobs(p);
	if (r == 0)
		r = check_space(p);
	return r < 0 ? r : run_jobs(p);
}

static int pull_image(struct pull *p, struct image **out, bool *changed)
{
	bool index = false;
	int r;

	if (p->src.kind == SOURCE_REGISTRY && p->src.remote.has_digest &&
		find_present(p, &p->src.remote.digest, out))
		return 0;
	r = source_read_top(&p->src);
	if (r < 0)
		return r;
	if (p->src.top.len && find_present(p, &p->src.top_digest, out))
		return 0;
	*changed = true;
	r = source_read_image(&p->src, &p->o->platform, &index);
	if (r == 0)
		r = pull_layers(p);
	if (r == 0 && p->src.kind == SOURCE_ROOTFS)
		r = make_config(p);
	if (r == 0 && !p->src.manifest.len)
		r = make_manifest(p);
	return r < 0 ? r : add_image(p, index, out);
}

static void pull_free(struct pull *p)
{
	for (size_t i = 0; i < p->count; i++)
		job_abort(p, &p->jobs[i]);
	free(p->jobs);
	if (p->received)
		munmap(p->received, (OCI_LAYERS_MAX + 1) * sizeof(*p->received));
	source_close(&p->src);
}

int pull_run(struct store *s, const struct pull_options *o, struct image **out, bool *changed)
{
	struct pull p = { .s = s, .o = o };
	int r;

	*out = NULL;
	*changed = false;
	signal(SIGPIPE, SIG_IGN);
	r = source_open(&p.src, s,
		&(struct source_options){
			.text = o->source,
			.name = o->name,
			.insecure = o->insecure,
			.authfile = o->authfile,
			.cacert = o->cacert,
			.auth = o->auth,
		});
	if (r == 0)
		r = pull_image(&p, out, changed);
	pull_free(&p);
	return r;
}
