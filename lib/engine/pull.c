/* SPDX-License-Identifier: MIT */
/* pull - bring an image into the store: the parent of the network and unpack processes
 *
 * Parts: the loop over the layers, the image around them. */
#include "engine/pull.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "engine/pulljob.h"
#include "engine/source.h"
#include "engine/unpacker.h"
#include "service/layer.h"

#define TICK_MS 100 /* between looks at a layer that another pull holds, and at the progress */

/* --- the loop --- */

/* Commit what can be: layers that stand alone, and others whose layers below are all there. */
static int commit_ready(struct pull *p)
{
	bool all_below = true;
	int r;

	for (size_t i = 0; i < p->count; i++) {
		struct pulljob *j = &p->jobs[i];

		if (j->state == PULLJOB_UNPACKED && (all_below || !pulljob_needs_below(j))) {
			r = pulljob_commit(p, j);
			if (r < 0)
				return r;
		}
		all_below = all_below && j->state == PULLJOB_DONE;
	}
	return 0;
}

/* Start as many as may run. *BUSY: some are held by another pull. */
static int start_waiting(struct pull *p, bool *busy)
{
	int r;

	*busy = false;
	for (size_t i = 0; i < p->count && p->running < p->limit; i++) {
		if (p->jobs[i].state != PULLJOB_WAITING)
			continue;
		r = pulljob_start(p, &p->jobs[i]);
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
		if (p->jobs[i].state == PULLJOB_RUNNING)
			p->o->events.layer_progress(p->o->events.ctx, (unsigned)i, p->received[i]);
}

/* Wait until an unpacker says something, and take it. */
static int wait_running(struct pull *p, bool busy)
{
	struct pollfd polls[OCI_LAYERS_MAX + 1];
	size_t n = 0;
	int r;

	for (size_t i = 0; i < p->count; i++)
		if (p->jobs[i].state == PULLJOB_RUNNING)
			polls[n++] = (struct pollfd){ p->jobs[i].unpack.notes, POLLIN, 0 };
	if (poll(polls, n, busy || p->o->events.layer_progress ? TICK_MS : -1) < 0 &&
		errno != EINTR)
		return fail_errno("poll");
	tell_progress(p);
	for (size_t i = 0; i < p->count; i++) {
		struct pulljob *j = &p->jobs[i];

		if (j->state != PULLJOB_RUNNING)
			continue;
		r = unpack_read(&j->unpack);
		if (r == 0)
			r = pulljob_finish(p, j);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool all_done(const struct pull *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->jobs[i].state != PULLJOB_DONE)
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

static bool same_platform(const struct oci_platform *have, const struct oci_platform *want)
{
	return strcmp(have->os, want->os) == 0 && strcmp(have->arch, want->arch) == 0 &&
		(!want->variant[0] || !have->variant[0] ||
			strcmp(have->variant, want->variant) == 0);
}

/* An image that is not in an index is taken as it is, but not without a word. */
static void tell_platform(const struct oci_platform *have, const struct oci_platform *want)
{
	char is[100], wanted[100];

	if (same_platform(have, want))
		return;
	oci_platform_format(is, have);
	oci_platform_format(wanted, want);
	log_note("the image is for %s, not for %s", is, wanted);
}

/* Fill in the jobs from the config (diff ids) and the manifest (blobs). */
static int fill_jobs(struct pull *p, const struct oci_config *c)
{
	const struct oci_document *d = &p->src.document;
	size_t members = 0;
	int r;

	while (p->src.members && p->src.members[members])
		members++;
	if (c->layers != (d->items ? d->count : members))
		return fail(EBADMSG, "%zu layers, but %zu diff ids", d->items ? d->count : members,
			c->layers);
	r = pulljob_init(p, c->layers);
	for (size_t i = 0; r == 0 && i < p->count; i++) {
		struct pulljob *j = &p->jobs[i];

		j->known = true;
		j->diff = c->diff_ids[i];
		digest_chain(&j->chain, i ? &p->jobs[i - 1].chain : NULL, &j->diff);
		j->descriptor = d->items ? &d->items[i] : NULL;
		r = pulljob_lease(p, j);
	}
	return r;
}

static int make_jobs(struct pull *p)
{
	struct oci_config c;
	int r;

	/* A rootfs is one layer about which nothing is known before. */
	if (p->src.kind == SOURCE_ROOTFS)
		return pulljob_init(p, 1);
	r = oci_config_parse(&c, buf_str(&p->src.config), p->src.config.len);
	if (r < 0)
		return fail_wrap(r, "config");
	tell_platform(&c.platform, &p->o->platform);
	r = fill_jobs(p, &c);
	oci_config_free(&c);
	return r;
}

/* The compressed sizes are a lower bound of what the missing layers take. */
static int check_space(struct pull *p)
{
	uint64_t need = 0, have;
	char dir[DIGEST_TEXT];
	int r;

	for (size_t i = 0; i < p->count; i++) {
		struct pulljob *j = &p->jobs[i];

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

static int layer_size(struct pull *p, const struct pulljob *j, uint64_t *out)
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

/* Is the image of this name and digest here, whole? 1 and *OUT. */
static int find_present(struct pull *p, const struct digest *d, struct image **out)
{
	char text[REF_TEXT];
	struct image *i = NULL;
	bool same;

	/* What the image was pulled without may be wanted now. */
	if (p->o->keep_blobs)
		return 0;
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
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	p->limit = p->o->jobs ? p->o->jobs : cpus > 0 ? (size_t)cpus : 1;
	p->received = mmap(NULL, (OCI_LAYERS_MAX + 1) * sizeof(*p->received),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->received == MAP_FAILED) {
		p->received = NULL;
		return fail_errno("map shared memory");
	}
	r = make_jobs(p);
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
		pulljob_abort(p, &p->jobs[i]);
	free(p->jobs);
	if (p->received)
		munmap(p->received, (OCI_LAYERS_MAX + 1) * sizeof(*p->received));
	source_close(&p->src);
}

int pull_run(struct store *s, const struct pull_options *o, struct image **out, bool *changed)
{
	struct pull p = { .s = s, .o = o };
	/* A network process that died is an error with a name. */
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	int r;

	*out = NULL;
	*changed = false;
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
	signal(SIGPIPE, old);
	return r;
}
