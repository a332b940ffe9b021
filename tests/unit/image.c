/* SPDX-License-Identifier: MIT */
/* image - unit tests of image, imageindex, imagegc, imageverify, imageusage, imageinfo: stores made by hand */
#include "engine/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/imagegc.h"
#include "engine/imageindex.h"
#include "engine/imageinfo.h"
#include "engine/imageusage.h"
#include "engine/imageverify.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/path.h"
#include "service/blob.h"
#include "service/db.h"
#include "service/layer.h"
#include "unit.h"

static char top[] = "/tmp/unit-image.XXXXXX";
static char path[64], run_path[64];
static int dir;

/* --- stores made by hand --- */

/* A tar stream with one file NAME that holds TEXT. */
static void make_tar(struct buf *out, const char *name, const char *text)
{
	char head[512] = { 0 };
	unsigned sum = 0;
	size_t i;

	snprintf(head, 100, "%s", name);
	memcpy(head + 100, "0000644\0000000000\0000000000", 24);
	snprintf(head + 124, 12, "%011o", (unsigned)strlen(text));
	memcpy(head + 136, "00000000000", 12);
	memset(head + 148, ' ', 8);
	head[156] = '0';
	memcpy(head + 257, "ustar\00000", 8);
	for (i = 0; i < sizeof(head); i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	buf_add(out, head, sizeof(head));
	memset(head, 0, sizeof(head));
	buf_puts(out, text);
	buf_add(out, head, (512 - out->len % 512) % 512);
	buf_add(out, head, sizeof(head));
	buf_add(out, head, sizeof(head));
}

/* A layer with one file; OUT is its directory name, its hex diff id. */
static void make_layer(struct store *s, const char *text, char *out)
{
	auto_buf struct buf tar = { 0 };
	struct layer_unpack where = { .blob = -1, .limits = { .bytes = 1 << 20, .entries = 100 } };
	struct layer_facts facts = { .disk_size = strlen(text), .entries = 1, .added = 1 };
	struct layer_unpacker *u;
	struct staging st;
	FILE *notes = tmpfile(), *spool = tmpfile();

	make_tar(&tar, "file", text);
	digest_of(&facts.diff_id, tar.data, tar.len);
	facts.tar_size = tar.len;
	digest_hex(out, &facts.diff_id);
	CHECK(store_stage(s, "layer-x", true, &st) == 0);
	where.root = file_mkdir(st.dir, "fs");
	where.tar = openat(st.dir, "tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	where.notes = fileno(notes);
	where.spool = fileno(spool);
	CHECK(layer_unpacker_new(&u, &where) == 0);
	CHECK(layer_unpacker_feed(u, tar.data, tar.len) == 0 && layer_unpacker_end(u) == 0);
	layer_unpacker_free(u);
	CHECK(layer_facts_save(s->tmp, st.dir, &facts) == 0);
	if (renameat(s->tmp, "layer-x", s->layers, out) == 0)
		store_staged(s, &st);
	else
		store_unstage(s, &st); /* it was there already */
	close(where.root);
	close(where.tar);
	fclose(notes);
	fclose(spool);
}

/* Config and manifest of an image with COUNT layers. */
static void make_documents(char *const *layers, size_t count, const char *author,
	struct buf *config, struct buf *manifest)
{
	char digest[DIGEST_TEXT];
	struct digest d;
	size_t i;

	buf_printf(config,
		"{\"architecture\":\"amd64\",\"author\":\"%s\",\"config\":{\"Cmd\":[\"sh\"],\"Env\":"
		"[\"A=b\"]},\"created\":\"2026-01-02T03:04:05Z\",\"history\":[{\"created_by\":\"first \\u001b[1m\"}"
		",{\"created_by\":\"none\",\"empty_layer\":true}],\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[",
		author);
	for (i = 0; i < count; i++)
		buf_printf(config, "%s\"sha256:%s\"", i ? "," : "", layers[i]);
	buf_puts(config, "],\"type\":\"layers\"}}");
	digest_of(&d, config->data, config->len);
	digest_format(digest, &d);
	buf_printf(manifest,
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST
		"\",\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG
		"\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
		digest, config->len);
	for (i = 0; i < count; i++) /* made up: compressed forms are not kept */
		buf_printf(manifest,
			"%s{\"mediaType\":\"" OCI_TYPE_LAYER_GZIP
			"\",\"digest\":\"sha256:%s\",\"size\":9}",
			i ? "," : "", layers[i]);
	buf_puts(manifest, "]}");
}

/* An image with one layer per word of TEXTS (NULL-terminated). */
static int add_image(
	struct store *s, const char *name, const char *author, const char *const *texts)
{
	auto_buf struct buf config = { 0 }, manifest = { 0 };
	char names[8][DIGEST_TEXT], *layers[9] = { 0 };
	struct image_new n = { .layers = layers };
	struct ref ref;
	size_t i;

	for (i = 0; texts[i]; i++) {
		make_layer(s, texts[i], names[i]);
		layers[i] = names[i];
		CHECK(image_add_layer(s, names[i]) == 0);
	}
	make_documents(layers, i, author, &config, &manifest);
	CHECK(ref_parse(&ref, name) == 0);
	n.ref = &ref;
	n.layer_count = i;
	n.config = config.data;
	n.config_len = config.len;
	n.manifest = manifest.data;
	n.manifest_len = manifest.len;
	return image_add(s, &n, NULL);
}

#define ADD(s, name, author, ...) \
	CHECK(add_image(s, name, author, (const char *const[]){ __VA_ARGS__, NULL }) == 0)

static struct store *open_store(void)
{
	struct store *s;

	if (store_open(&s, path, STORE_WRITE) < 0 || store_db(s) < 0) {
		printf("not ok - %s\n", fail_text());
		exit(1);
	}
	return s;
}

static struct store *fresh(void)
{
	CHECK(path_remove_tree(dir, "s") == 0);
	return open_store();
}

/* --- questions --- */

static int count_names(int at)
{
	DIR *d = fdopendir(openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int64_t rows(struct store *s, const char *sql)
{
	int64_t n = -1;

	CHECK(db_get_int(s->db, &n, sql, "") == 1);
	return n;
}

static int find(struct store *s, const char *name, char *reference)
{
	auto_image struct image *i = NULL;
	int r = image_find(s, name, &i);

	reference[0] = '\0';
	if (r == 0)
		snprintf(reference, REF_TEXT, "%s", i->reference);
	return r;
}

static char said[8192];

static void note_problem(
	void *ctx, enum imageverify_kind kind, const char *object, const char *text)
{
	(void)ctx;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%d %s: %s\n", kind, object,
		text);
}

/* Findings of verify; repair if REPAIR. */
static size_t verify(struct store *s, bool repair)
{
	struct imageverify v = { .problem = note_problem };
	int r;

	said[0] = '\0';
	r = repair ? imageverify_repair(s, &v) : imageverify_run(s, &v);
	CHECK(r == 0);
	if (r < 0)
		printf("# %s\n", fail_text());
	return v.problems;
}

static void note_removed(void *ctx, const char *verb, const char *object)
{
	(void)ctx;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s %s\n", verb, object);
}

static int remove_image(struct store *s, const char *name, bool force)
{
	struct imagegc gc = { .say = note_removed };

	said[0] = '\0';
	return imagegc_remove(s, name, force, &gc);
}

static int collect(struct store *s, bool dry, size_t *layers, size_t *blobs)
{
	struct imagegc gc = { .say = note_removed, .dry_run = dry };
	int r;

	said[0] = '\0';
	r = imagegc_run(s, &gc);
	*layers = gc.layers;
	*blobs = gc.blobs;
	return r;
}

/* --- cases --- */

static void check_add(void)
{
	char id[DIGEST_TEXT], reference[REF_TEXT], prefix[16];
	struct image *i;
	struct store *s;

	unit_case("an image that is added is found by all its names");
	s = fresh();
	ADD(s, "alpine", "a", "one", "two");
	CHECK(image_find(s, "alpine", &i) == 0);
	CHECK_STR(i->reference, "docker.io/library/alpine:latest");
	CHECK(i->layer_count == 2 && i->size == 6 && i->created == 1767323045000000000);
	CHECK_STR(i->env[0], "A=b");
	CHECK_STR(i->cmd[0], "sh");
	CHECK(!i->entrypoint[0] && !i->cmd[1]);
	CHECK(image_check(s, i) == 0);
	image_id(id, i);
	CHECK(find(s, id, reference) == 0);
	snprintf(prefix, sizeof(prefix), "%.12s", id);
	CHECK(find(s, prefix, reference) == 0);
	prefix[2] = '\0';
	CHECK(find(s, prefix, reference) == 0);
	prefix[1] = '\0';
	CHECK(find(s, prefix, reference) == -ENOENT);
	digest_format(id, &i->manifest);
	CHECK(find(s, id, reference) == 0);
	snprintf(reference, sizeof(reference), "alpine@%s", id);
	CHECK(find(s, reference, reference) == 0);
	snprintf(reference, sizeof(reference), "debian@%s", id);
	CHECK(find(s, reference, reference) == -ENOENT);
	CHECK(find(s, "docker.io/library/alpine:latest", reference) == 0);
	image_free(i);

	unit_case("what is near is suggested");
	CHECK(find(s, "alpin", reference) == -ENOENT);
	CHECK_STR(fail_hint_text(), "did you mean 'alpine:latest'?");
	CHECK(find(s, "something-else", reference) == -ENOENT);
	CHECK_STR(fail_hint_text(), "bring it in: qpull something-else");
	CHECK(find(s, "", reference) == -ENOENT && find(s, "NOT/valid", reference) == -ENOENT);

	unit_case("rows and index.json mirror it");
	CHECK(rows(s, "SELECT count(*) FROM layer WHERE state='ready'") == 2);
	CHECK(rows(s, "SELECT count(*) FROM image_layer") == 2 &&
		rows(s, "SELECT count(*) FROM tag") == 1);
	CHECK(rows(s, "SELECT count(*) FROM blob") == 2);
	CHECK(verify(s, false) == 0);

	unit_case("the same again, and a newer one under the name");
	ADD(s, "alpine", "a", "one", "two");
	CHECK(rows(s, "SELECT count(*) FROM tag") == 1);
	ADD(s, "alpine", "b", "one", "three");
	CHECK(rows(s, "SELECT count(*) FROM tag") == 1 && count_names(s->refs) == 1);
	CHECK(count_names(s->layers) == 3 && verify(s, false) == 0);
	store_close(s);
}

static void check_refused(void)
{
	auto_buf struct buf config = { 0 }, manifest = { 0 };
	char one[DIGEST_TEXT], two[DIGEST_TEXT], *layers[] = { one, NULL },
						 *wrong[] = { two, NULL };
	struct image_new n;
	struct ref ref;
	struct store *s;

	unit_case("documents and layers that do not belong together are refused");
	s = fresh();
	make_layer(s, "one", one);
	make_layer(s, "two", two);
	make_documents(layers, 1, "a", &config, &manifest);
	CHECK(ref_parse(&ref, "x") == 0);
	n = (struct image_new){ &ref, manifest.data, config.data, NULL, manifest.len, config.len, 0,
		wrong, 1 };
	CHECK(image_add(s, &n, NULL) == -EBADMSG);
	n.layer_count = 0;
	CHECK(image_add(s, &n, NULL) == -EBADMSG);
	n.layers = layers;
	n.layer_count = 1;
	config.data[config.len - 3] ^= 1;
	CHECK(image_add(s, &n, NULL) < 0);
	config.data[config.len - 3] ^= 1;
	n.manifest = config.data;
	n.manifest_len = config.len;
	CHECK(image_add(s, &n, NULL) < 0);
	CHECK(count_names(s->refs) == 0 && count_names(s->blobs) == 0 && count_names(s->tmp) == 0);
	n.manifest = manifest.data;
	n.manifest_len = manifest.len;
	CHECK(path_remove_tree(s->layers, one) == 0);
	CHECK(image_add(s, &n, NULL) == -ENOENT && count_names(s->refs) == 0);
	store_close(s);
}

static void check_tag(void)
{
	char reference[REF_TEXT], id[DIGEST_TEXT];
	struct image *i;
	struct store *s;
	struct ref ref;

	unit_case("a second reference");
	s = fresh();
	ADD(s, "alpine", "a", "one", "two");
	CHECK(ref_parse(&ref, "localhost:5000/mine:1") == 0 && image_tag(s, "alpine", &ref) == 0);
	CHECK(find(s, "localhost:5000/mine:1", reference) == 0);
	CHECK_STR(reference, "localhost:5000/mine:1");
	CHECK(image_tag(s, "nothing", &ref) == -ENOENT);
	CHECK(image_find(s, "alpine", &i) == 0);
	image_id(id, i);
	image_free(i);
	CHECK(find(s, id, reference) == 0);

	unit_case("an id with two references goes only by force");
	CHECK(remove_image(s, id, false) == -EEXIST &&
		strstr(fail_text(), "localhost:5000/mine:1"));
	CHECK(count_names(s->refs) == 2);
	CHECK(remove_image(s, "alpine", false) == 0);
	CHECK_STR(said, "untagged docker.io/library/alpine:latest\n");
	CHECK(count_names(s->layers) == 2 && count_names(s->blobs) == 2 && verify(s, false) == 0);
	CHECK(ref_parse(&ref, "other") == 0 && image_tag(s, "localhost:5000/mine:1", &ref) == 0);
	CHECK(remove_image(s, id, true) == 0);
	CHECK(count_names(s->refs) == 0 && count_names(s->layers) == 0 &&
		count_names(s->blobs) == 0);
	CHECK(rows(s,
		      "SELECT (SELECT count(*) FROM image)+(SELECT count(*) FROM layer)+(SELECT count(*) FROM tag)"
		      "+(SELECT count(*) FROM blob)+(SELECT count(*) FROM image_layer)") == 0);
	CHECK(remove_image(s, "other", false) == -ENOENT);
	store_close(s);
}

static void check_remove(void)
{
	struct store *s;

	unit_case("what other images need stays");
	s = fresh();
	ADD(s, "a", "a", "base", "one");
	ADD(s, "b", "b", "base", "two");
	CHECK(remove_image(s, "a", false) == 0);
	CHECK(count_names(s->layers) == 2 && count_names(s->blobs) == 2 &&
		count_names(s->tmp) == 0);
	CHECK(verify(s, false) == 0);

	unit_case("layers of nobody wait for gc: a pull may come back for them");
	char lone[DIGEST_TEXT];

	make_layer(s, "lone", lone);
	CHECK(remove_image(s, "b", false) == 0 && count_names(s->layers) == 1);
	store_close(s);
}

static void check_gc(void)
{
	char lone[DIGEST_TEXT], digest[DIGEST_TEXT + 8];
	size_t layers, blobs;
	struct digest d;
	struct store *s;
	int64_t lease;

	unit_case("gc removes what nothing needs, and says before what it would");
	s = fresh();
	ADD(s, "a", "a", "base", "one");
	make_layer(s, "lone", lone);
	CHECK(blob_put(s, "lone blob", 9, &d) == 0);
	CHECK(collect(s, true, &layers, &blobs) == 0 && layers == 1 && blobs == 1);
	CHECK(count_names(s->layers) == 3 && blob_exists(s, &d));
	CHECK(collect(s, false, &layers, &blobs) == 0 && layers == 1 && blobs == 1);
	CHECK(count_names(s->layers) == 2 && !blob_exists(s, &d) && count_names(s->tmp) == 0);
	CHECK(collect(s, false, &layers, &blobs) == 0 && layers == 0 && blobs == 0);

	unit_case("leases hold layers, by name and by diff id, and blobs");
	make_layer(s, "lone", lone);
	CHECK(blob_put(s, "lone blob", 9, &d) == 0);
	digest_format(digest, &d);
	CHECK(store_lease(s, "layer", lone, &lease) == 0 &&
		store_lease(s, "blob", digest, &lease) == 0);
	CHECK(collect(s, false, &layers, &blobs) == 0 && layers == 0 && blobs == 0);
	CHECK(count_names(s->layers) == 3 && blob_exists(s, &d));
	CHECK(rows(s, "SELECT count(*) FROM layer WHERE state='ready'") == 3);
	CHECK(db_exec(s->run_db, "DELETE FROM lease", "") == 0);
	snprintf(digest, sizeof(digest), "sha256:%s", lone);
	CHECK(store_lease(s, "layer", digest, &lease) == 0);
	CHECK(collect(s, false, &layers, &blobs) == 0 && layers == 0 && blobs == 1);
	CHECK(db_exec(s->run_db, "DELETE FROM lease", "") == 0);

	unit_case("an image that runs is not removed");
	struct image *i;

	CHECK(image_find(s, "a", &i) == 0);
	digest_format(digest, &i->manifest);
	image_free(i);
	CHECK(store_lease(s, "image", digest, &lease) == 0);
	CHECK(remove_image(s, "a", false) == -EBUSY && remove_image(s, "a", true) == -EBUSY);
	CHECK(count_names(s->refs) == 1);

	unit_case("its parts stay even when another image took its name");
	ADD(s, "a", "b", "base", "two");
	CHECK(collect(s, false, &layers, &blobs) == 0 && layers == 1 &&
		blobs == 0); /* the lone one */
	CHECK(count_names(s->layers) == 3);
	store_unlease(s, lease);
	CHECK(collect(s, false, &layers, &blobs) == 0 && layers == 1 && blobs == 2);
	CHECK(verify(s, false) == 0);

	unit_case("a damaged reference stops the collection: nobody knows what it needs");
	int fd = openat(s->refs, "00ff", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	make_layer(s, "lone", lone);
	CHECK(collect(s, false, &layers, &blobs) == -EBADMSG && count_names(s->layers) == 3);
	CHECK(strstr(fail_hint_text(), "repair"));
	CHECK(verify(s, true) == 1 && collect(s, false, &layers, &blobs) == 0 && layers == 1);
	CHECK(faccessat(s->dir, "damaged", F_OK, 0) < 0);
	store_close(s);
}

/* What other tools wrote into the layout. */
static void check_foreign(void)
{
	auto_buf struct buf text = { 0 }, manifest = { 0 };
	struct digest config, layer, m;
	char digest[DIGEST_TEXT];
	size_t layers, blobs;
	struct store *s;

	unit_case(
		"entries of other tools in index.json stay, with their blobs and unknown members");
	s = fresh();
	ADD(s, "a", "a", "base");
	CHECK(blob_put(s, "config", 6, &config) == 0 && blob_put(s, "layer", 5, &layer) == 0);
	digest_format(digest, &config);
	buf_printf(&manifest, "{\"config\":{\"digest\":\"%s\"},\"layers\":[{\"digest\":", digest);
	digest_format(digest, &layer);
	buf_printf(&manifest, "\"%s\"}]}", digest);
	CHECK(blob_put(s, manifest.data, manifest.len, &m) == 0);
	digest_format(digest, &m);
	CHECK(fd_read_file(s->dir, "index.json", &text, 1 << 20) == 0);
	CHECK(strstr(text.data,
		      "\"org.opencontainers.image.ref.name\":\"docker.io/library/a:latest\"") !=
		NULL);
	buf_drop(&text, strlen("{\"manifests\":["));
	buf_clear(&manifest);
	buf_printf(&manifest,
		"{\"theirs\":1,\"manifests\":[{\"digest\":\"%s\",\"mediaType\":\"x\",\"own\":2},%s",
		digest, text.data);
	CHECK(file_replace(s->tmp, s->dir, "index.json", manifest.data, manifest.len) == 0);
	ADD(s, "b", "b", "base");
	CHECK(collect(s, false, &layers, &blobs) == 0 && blobs == 0);
	CHECK(remove_image(s, "a", false) == 0);
	buf_clear(&text);
	CHECK(fd_read_file(s->dir, "index.json", &text, 1 << 20) == 0);
	CHECK(strstr(text.data, "\"theirs\":1") && strstr(text.data, "\"own\":2"));
	CHECK(strstr(text.data, "library/b:latest") && !strstr(text.data, "library/a:latest"));
	CHECK(blob_exists(s, &config) && blob_exists(s, &layer) && blob_exists(s, &m));

	unit_case("index.json of noise is kept beside and written again");
	CHECK(file_replace(s->tmp, s->dir, "index.json", "noise", 5) == 0);
	ADD(s, "a", "a", "base");
	buf_clear(&text);
	CHECK(fd_read_file(s->dir, "index.json", &text, 1 << 20) == 0 &&
		strstr(text.data, "library/b:latest"));
	CHECK(faccessat(s->dir, "index.json.damaged", F_OK, 0) == 0);
	store_close(s);
}

static void scribble(int at, const char *name, const char *text)
{
	int fd;

	fchmodat(at, name, 0600, 0);
	fd = openat(at, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void check_verify(void)
{
	char one[DIGEST_TEXT], name[DIGEST_TEXT + 16], reference[REF_TEXT];
	struct image *i;
	struct store *s;

	unit_case("verify names a changed layer, blob, reference");
	s = fresh();
	ADD(s, "a", "a", "base", "one");
	ADD(s, "b", "b", "base");
	CHECK(verify(s, false) == 0);
	make_layer(s, "one", one);
	snprintf(name, sizeof(name), "%s/tar", one);
	scribble(s->layers, name, "x");
	CHECK(verify(s, false) == 1 && strstr(said, one));
	CHECK(image_find(s, "b", &i) == 0);
	digest_hex(name, &i->config_digest);
	scribble(s->blobs, name, "{}");
	CHECK(verify(s, false) == 3 && strstr(said, name) &&
		strstr(said, "docker.io/library/b:latest"));
	image_free(i);
	CHECK(find(s, "a", reference) == 0);

	unit_case("repair puts aside what is damaged; what is whole stays");
	CHECK(verify(s, true) == 4);
	CHECK(strstr(said, "library/a:latest") && strstr(said, "library/b:latest"));
	CHECK(count_names(s->refs) == 0 && count_names(s->layers) == 1);
	CHECK(verify(s, false) == 0 && find(s, "a", reference) == -ENOENT);
	CHECK(rows(s, "SELECT count(*) FROM tag") == 0 &&
		rows(s, "SELECT count(*) FROM layer") == 1);
	struct digest d = { .algorithm = DIGEST_SHA256 };

	CHECK(str_unhex(d.bytes, 32, one) == 0 && image_find_layer(s, &d, NULL, name) == -ENOENT);

	unit_case("bringing them in again makes all well");
	ADD(s, "a", "a", "base", "one");
	ADD(s, "b", "b", "base");
	CHECK(image_find_layer(s, &d, NULL, name) == 0);
	CHECK_STR(name, one);
	CHECK(verify(s, false) == 0);

	unit_case("a missing layer and a missing blob are findings");
	CHECK(path_remove_tree(s->layers, one) == 0);
	CHECK(verify(s, false) == 1 && strstr(said, "library/a:latest"));
	CHECK(verify(s, true) == 1 && verify(s, false) == 0 && find(s, "b", reference) == 0);

	unit_case("a reference file under another name is one too");
	CHECK(image_find(s, "b", &i) == 0);
	image_file_name(name, i->reference);
	image_free(i);
	CHECK(linkat(s->refs, name, s->refs, "abcdef", 0) == 0);
	CHECK(verify(s, false) == 1 && verify(s, true) == 1 && find(s, "b", reference) == 0);
	store_close(s);
}

/* The index is lost, or lies. */
static void check_index(void)
{
	struct store *s;
	int64_t before;

	unit_case("store.db that was deleted comes back from the files");
	s = fresh();
	ADD(s, "a", "a", "base", "one");
	ADD(s, "b", "b", "base");
	before = rows(s, "SELECT sum(position*size) FROM image JOIN image_layer ON image=id");
	store_close(s);
	CHECK(unlinkat(dir, "s/store.db", 0) == 0);
	s = open_store();
	CHECK(rows(s, "SELECT count(*) FROM layer") == 2 &&
		rows(s, "SELECT count(*) FROM tag") == 2);
	CHECK(rows(s, "SELECT count(*) FROM blob WHERE media_type='" OCI_TYPE_MANIFEST "'") == 2);
	CHECK(rows(s, "SELECT count(*) FROM blob WHERE media_type='" OCI_TYPE_CONFIG "'") == 2);
	CHECK(rows(s, "SELECT sum(position*size) FROM image JOIN image_layer ON image=id") ==
		before);

	unit_case("rows that no file stands for go");
	CHECK(db_exec(s->db, "DELETE FROM tag WHERE reference LIKE '%a:latest'", "") == 0);
	CHECK(db_exec(s->db,
		      "INSERT INTO tag SELECT 'docker.io/library/z:latest',id,NULL,0 FROM image LIMIT 1",
		      "") == 0);
	CHECK(db_exec(s->db, "INSERT INTO blob VALUES('sha256:00',1,'',NULL,'ready',0)", "") == 0);
	CHECK(db_exec(s->db,
		      "INSERT INTO image SELECT 99,'sha256:00',digest,'','','',0,0,0,0,0,'ready' FROM blob "
		      "WHERE digest<>'sha256:00' LIMIT 1",
		      "") == 0);
	CHECK(db_exec(s->db, "UPDATE layer SET state='deleting'", "") == 0);
	CHECK(verify(s, true) == 0);
	CHECK(rows(s, "SELECT count(*) FROM tag") == 2 &&
		rows(s, "SELECT count(*) FROM image") == 2);
	CHECK(rows(s, "SELECT count(*) FROM blob") == 4);
	CHECK(rows(s, "SELECT count(*) FROM layer WHERE state='ready'") == 2);
	store_close(s);
}

static void check_facts(void)
{
	struct imageinfo_step *steps;
	auto_json struct json *facts = NULL;
	struct imageusage u;
	struct image *i;
	struct store *s;
	size_t count;

	unit_case("history pairs steps and layers");
	s = fresh();
	ADD(s, "a", "a", "base", "one!");
	ADD(s, "b", "b", "base");
	CHECK(image_find(s, "a", &i) == 0);
	CHECK(imageinfo_history(s, i, &steps, &count) == 0 && count == 3);
	CHECK_STR(steps[0].created_by, "first \x1b[1m");
	CHECK(steps[0].size == 4 && steps[1].size == 0 && steps[2].size == 4);
	CHECK_STR(steps[1].created_by, "none");
	CHECK_STR(steps[2].created_by, "");
	imageinfo_history_free(steps, count);

	unit_case("inspect tells all facts");
	CHECK(imageinfo_describe(s, i, &facts) == 0);
	CHECK(json_get(facts, "layers")->count == 2 &&
		json_get(json_get(facts, "config"), "history"));
	CHECK_STR(json_get(facts, "created")->string, "2026-01-02T03:04:05Z");
	image_free(i);

	unit_case("usage tells what is shared");
	CHECK(imageusage_get(s, &u) == 0);
	CHECK(u.layers.count == 2 && u.layers.bytes == 8 && u.layers.idle == 0 &&
		u.blobs.count == 4);
	CHECK(u.image_count == 2 && u.images[0].unique == 4 && u.images[0].shared == 4);
	CHECK(u.images[1].unique == 0 && u.images[1].shared == 4);
	imageusage_free(&u);
	store_close(s);
}

/* A pull that looks for a layer while the collector is between its decision and the rename. */
static void check_race(void)
{
	static const struct timespec pause = { .tv_nsec = 50000000 };
	struct digest d = { .algorithm = DIGEST_SHA256 };
	char lone[DIGEST_TEXT], name[DIGEST_TEXT];
	int lock, status = -1;
	struct store *s;

	unit_case("who looks for a layer that is being removed waits for the answer");
	s = fresh();
	make_layer(s, "lone", lone);
	CHECK(str_unhex(d.bytes, 32, lone) == 0 && image_add_layer(s, lone) == 0);
	CHECK(db_exec(s->db, "UPDATE layer SET state='deleting'", "") == 0);
	lock = store_lock_index(s);
	pid_t pid = fork();

	if (pid == 0) {
		close(lock);
		_exit(image_find_layer(open_store(), &d, NULL, name) == -ENOENT ? 0 : 1);
	}
	nanosleep(&pause, NULL);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	CHECK(path_remove_tree(s->layers, lone) == 0);
	close(lock);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	store_close(s);
}

/* Adding and removing at once never loses what somebody was told is there. */
static void check_storm(void)
{
	enum { CHILDREN = 3, ROUNDS = 4 };
	struct store *s;
	size_t layers, blobs;
	int i, k, status;

	unit_case("several processes add, remove and collect at once");
	s = fresh();
	ADD(s, "stays", "z", "base", "kept");
	store_close(s);
	for (i = 0; i < CHILDREN; i++)
		if (fork() == 0) {
			char name[32], reference[REF_TEXT], text[32];
			const char *const texts[] = { "base", text, NULL };

			s = open_store();
			unit_case_failed = 0;
			snprintf(text, sizeof(text), "layer %d", i);
			snprintf(name, sizeof(name), "image%d", i);
			for (k = 0; k < ROUNDS; k++) {
				int64_t lease[2];
				char dirs[2][DIGEST_TEXT];

				/* As a pull does: lease, then make, then add, then give the lease back. */
				for (int n = 0; n < 2; n++) {
					auto_buf struct buf tar = { 0 };
					struct digest d;

					make_tar(&tar, "file", texts[n]);
					digest_of(&d, tar.data, tar.len);
					digest_hex(dirs[n], &d);
					CHECK(store_lease(s, "layer", dirs[n], &lease[n]) == 0);
					if (image_find_layer(s, &d, NULL, dirs[n]) < 0)
						make_layer(s, texts[n], dirs[n]);
				}
				CHECK(add_image(s, name, name, texts) == 0);
				store_unlease(s, lease[0]);
				store_unlease(s, lease[1]);
				CHECK(find(s, name, reference) == 0);
				CHECK(collect(s, false, &layers, &blobs) == 0);
				CHECK(find(s, name, reference) == 0);
				CHECK(remove_image(s, name, false) == 0);
			}
			fflush(stdout);
			_exit(unit_case_failed);
		}
	for (i = 0; i < CHILDREN; i++)
		CHECK(wait(&status) > 0 && status == 0);
	s = open_store();
	CHECK(verify(s, false) == 0 && count_names(s->refs) == 1);
	CHECK(collect(s, false, &layers, &blobs) == 0 && count_names(s->layers) == 2);
	CHECK(count_names(s->blobs) == 2 && count_names(s->tmp) == 0);
	store_close(s);
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	log_init(2, "unit", true);
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/s", top);
	snprintf(run_path, sizeof(run_path), "%s/run", top);
	setenv("QBOX_RUN", run_path, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_add();
	check_refused();
	check_tag();
	check_remove();
	check_gc();
	check_foreign();
	check_verify();
	check_index();
	check_facts();
	check_race();
	check_storm();
	/* From inside: /tmp may be a mount of its own. */
	CHECK(chdir("/tmp") == 0 && path_remove_tree(AT_FDCWD, top + strlen("/tmp/")) == 0);
	return unit_end();
}
