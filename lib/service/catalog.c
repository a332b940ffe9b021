/* SPDX-License-Identifier: MIT */
/* catalog - the rows of store.db, made from the files of the store */
#include "service/catalog.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "service/blob.h"
#include "service/layer.h"

#define REFERENCE_MAX (1u << 20)
#define DOCUMENT_MAX  (4u << 20)

const struct db_kind catalog_kind = {
	.file = "store.db",
	.application_id = 1902277425, /* "qbs1" */
	.version = 1,
	.durable = true,
	.check = true,
	.schema =
		"CREATE TABLE meta(key TEXT PRIMARY KEY,value TEXT NOT NULL)STRICT,WITHOUT ROWID;"
		"CREATE TABLE blob(digest TEXT PRIMARY KEY CHECK(digest GLOB'sha256:*'OR digest GLOB'sha512:*'),"
		"size INTEGER NOT NULL CHECK(size>=0),media_type TEXT NOT NULL,subject TEXT,"
		"state TEXT NOT NULL DEFAULT'ready'CHECK(state IN('ready','deleting')),"
		"added_ns INTEGER NOT NULL)STRICT,WITHOUT ROWID;"
		"CREATE INDEX blob_subject ON blob(subject)WHERE subject IS NOT NULL;"
		"CREATE TABLE layer(id INTEGER PRIMARY KEY,dir TEXT NOT NULL,location TEXT NOT NULL DEFAULT'',"
		"diff_id TEXT NOT NULL,chain_bound TEXT,tar_size INTEGER NOT NULL,disk_size INTEGER NOT NULL,"
		"entries INTEGER NOT NULL,exact INTEGER NOT NULL CHECK(exact IN(0,1)),"
		"state TEXT NOT NULL CHECK(state IN('ready','deleting','damaged')),"
		"verified_ns INTEGER NOT NULL DEFAULT 0,added_ns INTEGER NOT NULL,UNIQUE(location,dir))STRICT;"
		"CREATE UNIQUE INDEX layer_diff ON layer(location,diff_id)WHERE chain_bound IS NULL;"
		"CREATE INDEX layer_chain ON layer(chain_bound)WHERE chain_bound IS NOT NULL;"
		"CREATE TABLE encoding(digest TEXT PRIMARY KEY,diff_id TEXT NOT NULL,size INTEGER NOT NULL,"
		"media_type TEXT NOT NULL,ours INTEGER NOT NULL DEFAULT 0)STRICT,WITHOUT ROWID;"
		"CREATE INDEX encoding_diff ON encoding(diff_id);"
		"CREATE TABLE image(id INTEGER PRIMARY KEY,digest TEXT NOT NULL UNIQUE REFERENCES blob(digest),"
		"config TEXT NOT NULL REFERENCES blob(digest),os TEXT NOT NULL,arch TEXT NOT NULL,"
		"variant TEXT NOT NULL DEFAULT'',size INTEGER NOT NULL,created_ns INTEGER NOT NULL,"
		"pulled_ns INTEGER NOT NULL,used_ns INTEGER NOT NULL,keep INTEGER NOT NULL DEFAULT 0,"
		"state TEXT NOT NULL DEFAULT'ready'CHECK(state IN('ready','deleting')))STRICT;"
		"CREATE INDEX image_config ON image(config);"
		"CREATE TABLE image_layer(image INTEGER NOT NULL REFERENCES image(id)ON DELETE CASCADE,"
		"position INTEGER NOT NULL,layer INTEGER NOT NULL REFERENCES layer(id),"
		"PRIMARY KEY(image,position))STRICT,WITHOUT ROWID;"
		"CREATE INDEX image_layer_layer ON image_layer(layer);"
		"CREATE TABLE tag(reference TEXT PRIMARY KEY,image INTEGER NOT NULL REFERENCES image(id)"
		"ON DELETE CASCADE,index_digest TEXT REFERENCES blob(digest),updated_ns INTEGER NOT NULL"
		")STRICT,WITHOUT ROWID;"
		"CREATE INDEX tag_image ON tag(image);"
		"CREATE INDEX tag_index ON tag(index_digest)",
};

int catalog_walk(int dir, int (*each)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	int r = 0;
	DIR *d;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return fail_errno("read a directory of the store");
	}
	while (r >= 0 && (e = readdir(d)))
		if (str_only(e->d_name, "0123456789abcdef"))
			r = each(ctx, e->d_name);
	closedir(d);
	return r < 0 ? r : 0;
}

/* --- blobs --- */

/* What a JSON document is, if it does not say so itself. */
static void judge_type(struct store *s, const struct digest *d, char *out, size_t size)
{
	auto_json struct json *j = NULL;
	auto_buf struct buf text = { 0 };
	const char *type = "application/octet-stream";

	if (blob_get(s, d, DOCUMENT_MAX, &text) == 0 &&
		json_parse(buf_str(&text), text.len, &j) == 0 &&
		json_get_string(j, "mediaType", &type) <= 0) {
		if (json_get(j, "manifests"))
			type = "application/vnd.oci.image.index.v1+json";
		else if (json_get(j, "layers"))
			type = "application/vnd.oci.image.manifest.v1+json";
		else if (json_get(j, "rootfs"))
			type = "application/vnd.oci.image.config.v1+json";
	}
	fail_clear(); /* whatever cannot be read is just bytes here */
	snprintf(out, size, "%s", type);
}

int catalog_blob(struct store *s, const struct digest *d, const char *media_type)
{
	char text[DIGEST_TEXT], judged[256];
	int64_t known = 0;
	struct stat st;
	int fd, r;

	fd = blob_open(s, d);
	if (fd < 0)
		return fd;
	digest_format(text, d);
	r = fstat(fd, &st) < 0 ? fail_errno("look at blob '%s'", text) : 0;
	close(fd);
	if (r == 0)
		r = db_get_int(s->db, &known,
			"SELECT 1 FROM blob WHERE digest=? AND size=? AND state='ready'", "si",
			text, (int64_t)st.st_size);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!media_type) {
		judge_type(s, d, judged, sizeof(judged));
		media_type = judged;
	}
	return db_exec(s->db,
		"INSERT INTO blob(digest,size,media_type,added_ns)VALUES(?1,?2,?3,?4)"
		"ON CONFLICT(digest)DO UPDATE SET state='ready',size=?2,media_type=?3",
		"sisi", text, (int64_t)st.st_size, media_type, time_now());
}

static int sync_blob(void *ctx, const char *name)
{
	struct digest d = { .algorithm = DIGEST_SHA256 };

	if (str_unhex(d.bytes, 32, name) < 0)
		return 0; /* not one of ours */
	return catalog_blob(ctx, &d, NULL);
}

/* --- layers --- */

int catalog_layer(struct store *s, const char *dir, bool ready)
{
	char diff[DIGEST_TEXT], chain[DIGEST_TEXT], encoding[DIGEST_TEXT];
	auto_close int fd = -1;
	struct layer_facts f;
	int r;

	fd = openat(s->layers, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("open layer '%s'", dir);
	r = layer_facts_load(fd, &f);
	if (r < 0)
		return fail_wrap(r, "layer '%s'", dir);
	digest_hex(chain, f.chain_bound ? &f.chain : &f.diff_id);
	if (strcmp(chain, dir) != 0)
		return fail(EBADMSG, "layer '%s': its layer.json names another", dir);
	digest_format(diff, &f.diff_id);
	digest_format(chain, &f.chain);
	r = db_exec(s->db,
		"INSERT INTO layer(dir,diff_id,chain_bound,tar_size,disk_size,entries,exact,state,"
		"added_ns)VALUES(?,?,?,?,?,?,1,'ready',?)ON CONFLICT(location,dir)DO UPDATE SET "
		"diff_id=excluded.diff_id,chain_bound=excluded.chain_bound,tar_size=excluded.tar_size,"
		"disk_size=excluded.disk_size,entries=excluded.entries",
		"sssiiii", dir, diff, f.chain_bound ? chain : NULL, (int64_t)f.tar_size,
		(int64_t)f.disk_size, (int64_t)f.entries, f.added);
	if (r == 0 && ready)
		r = db_exec(s->db,
			"UPDATE layer SET state='ready'WHERE location=''AND dir=?AND state<>'ready'",
			"s", dir);
	if (r < 0 || !f.has_encoding)
		return r;
	digest_format(encoding, &f.encoding);
	return db_exec(s->db, "INSERT OR REPLACE INTO encoding VALUES(?,?,?,?,0)", "ssis", encoding,
		diff, (int64_t)f.encoding_size, f.encoding_type);
}

static int sync_layer(void *ctx, const char *name)
{
	int r = catalog_layer(ctx, name, false);

	/* A layer that cannot be read has no row; verify tells. */
	return r == -EBADMSG || r == -ENOENT ? 0 : r;
}

/* --- references --- */

struct reference {
	const char *name, *manifest, *config, *index, *os, *arch, *variant;
	const struct json *layers;
	int64_t size, created, pulled;
};

static int read_reference(struct reference *f, const struct json *ref)
{
	const struct json *platform = NULL;

	*f = (struct reference){ .variant = "" };
	if (json_get_string(ref, "reference", &f->name) <= 0 ||
		json_get_string(ref, "manifest", &f->manifest) <= 0 ||
		json_get_string(ref, "config_digest", &f->config) <= 0 ||
		json_get_object(ref, "platform", &platform) <= 0 ||
		json_get_string(platform, "os", &f->os) <= 0 ||
		json_get_string(platform, "architecture", &f->arch) <= 0 ||
		json_get_string(platform, "variant", &f->variant) < 0 ||
		json_get_array(ref, "layers", &f->layers) <= 0 ||
		json_get_string(ref, "index", &f->index) < 0 ||
		json_get_int(ref, "size", &f->size) < 0 ||
		json_get_int(ref, "created", &f->created) < 0 ||
		json_get_int(ref, "pulled", &f->pulled) < 0)
		return fail(EBADMSG, "damaged file in 'refs'");
	return 0;
}

static int add_blobs(struct store *s, const struct reference *f)
{
	const char *const texts[] = { f->manifest, f->config, f->index };
	struct digest d;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		if (!texts[i])
			continue;
		r = digest_parse(&d, texts[i]);
		if (r == 0)
			r = catalog_blob(s, &d, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_layers(struct store *s, const struct json *layers)
{
	const struct json *item;
	int r = 0;

	for (item = layers->child; item && r == 0; item = item->next) {
		if (item->type != JSON_STRING || !*item->string ||
			!str_only(item->string, "0123456789abcdef"))
			return fail(EBADMSG, "damaged list of layers in 'refs'");
		r = catalog_layer(s, item->string, true);
	}
	return r;
}

static int link_layers(struct store *s, const struct json *layers, int64_t image)
{
	const struct json *item;
	int64_t position = 0;
	int r;

	r = db_exec(s->db, "DELETE FROM image_layer WHERE image=?", "i", image);
	for (item = layers->child; item && r == 0; item = item->next)
		r = db_exec(s->db,
			"INSERT INTO image_layer SELECT ?,?,id FROM layer "
			"WHERE location=''AND dir=?",
			"iis", image, position++, item->string);
	return r;
}

int catalog_reference(struct store *s, const struct json *ref)
{
	struct reference f;
	int64_t image = 0;
	int r;

	r = read_reference(&f, ref);
	if (r == 0)
		r = add_blobs(s, &f);
	if (r == 0)
		r = add_layers(s, f.layers);
	if (r == 0)
		r = db_exec(s->db,
			"INSERT INTO image(digest,config,os,arch,variant,size,created_ns,pulled_ns,"
			"used_ns)VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?8)ON CONFLICT(digest)DO UPDATE SET config=?2,"
			"os=?3,arch=?4,variant=?5,size=?6,created_ns=?7,pulled_ns=?8",
			"sssssiii", f.manifest, f.config, f.os, f.arch, f.variant, f.size,
			f.created, f.pulled);
	if (r == 0)
		r = db_get_int(
			s->db, &image, "SELECT id FROM image WHERE digest=?", "s", f.manifest);
	if (r >= 0)
		r = link_layers(s, f.layers, image);
	if (r == 0)
		r = db_exec(s->db, "INSERT OR REPLACE INTO tag VALUES(?,?,?,?)", "sisi", f.name,
			image, f.index, f.pulled);
	return r;
}

static int sync_reference(void *ctx, const char *name)
{
	struct store *s = ctx;
	auto_json struct json *j = NULL;
	auto_buf struct buf text = { 0 };
	int r;

	r = fd_read_file(s->refs, name, &text, REFERENCE_MAX);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &j);
	if (r == 0)
		r = catalog_reference(s, j);
	/* What cannot be run has no rows; verify tells. */
	return r == -EBADMSG || r == -ENOENT || r == -EINVAL || r == -EFBIG ? 0 : r;
}

/* --- all --- */

/* Name of the file in refs/ that holds REFERENCE. */
static void reference_file(char out[DIGEST_TEXT], const char *reference)
{
	struct digest d;

	digest_of(&d, reference, strlen(reference));
	digest_hex(out, &d);
}

int catalog_forget_blob(struct store *s, const char *name)
{
	int r = db_exec(s->db, "DELETE FROM image WHERE ?1 IN(digest,config)", "s", name);

	if (r == 0)
		r = db_exec(
			s->db, "UPDATE tag SET index_digest=NULL WHERE index_digest=?", "s", name);
	if (r == 0)
		r = db_exec(s->db, "DELETE FROM blob WHERE digest=?", "s", name);
	return r;
}

int catalog_forget_layer(struct store *s, const char *name)
{
	int r = db_exec(s->db,
		"DELETE FROM image WHERE id IN(SELECT image FROM image_layer JOIN layer ON "
		"id=layer WHERE location=''AND dir=?)",
		"s", name);

	if (r == 0)
		r = db_exec(s->db, "DELETE FROM layer WHERE location=''AND dir=?", "s", name);
	return r;
}

static int forget_tag(struct store *s, const char *reference)
{
	return db_exec(s->db, "DELETE FROM tag WHERE reference=?", "s", reference);
}

/* Call FORGET for what SELECT names and DIR has no file for. */
static int prune(struct store *s, int dir, const char *select,
	int (*forget)(struct store *s, const char *name))
{
	auto_query struct db_query q = { 0 };
	char hashed[DIGEST_TEXT];
	const char *file;
	int r;

	r = db_query(s->db, &q, select, "");
	if (r < 0)
		return r;
	while ((r = db_step(&q)) > 0) {
		file = db_text(&q, 0);
		if (dir == s->refs) {
			reference_file(hashed, file);
			file = hashed;
		} else if (str_starts(file, "sha256:")) {
			file += strlen("sha256:");
		}
		if (faccessat(dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = forget(s, db_text(&q, 0));
		if (r < 0)
			return r;
	}
	return r;
}

static int sync_rows(struct store *s)
{
	int r = catalog_walk(s->blobs, sync_blob, s);

	if (r == 0)
		r = catalog_walk(s->layers, sync_layer, s);
	if (r == 0)
		r = catalog_walk(s->refs, sync_reference, s);
	if (r == 0)
		r = prune(s, s->refs, "SELECT reference FROM tag", forget_tag);
	if (r == 0)
		r = prune(s, s->layers, "SELECT dir FROM layer WHERE location=''",
			catalog_forget_layer);
	if (r == 0)
		r = prune(s, s->blobs, "SELECT digest FROM blob", catalog_forget_blob);
	if (r == 0)
		r = db_exec(s->db,
			"DELETE FROM encoding WHERE diff_id NOT IN(SELECT diff_id FROM layer)", "");
	return r;
}

int catalog_sync(struct store *s)
{
	int r = db_begin(s->db);

	if (r < 0)
		return r;
	r = sync_rows(s);
	if (r == 0)
		r = db_exec(s->db, "INSERT OR REPLACE INTO meta VALUES('filled','1')", "");
	if (r == 0)
		r = db_commit(s->db);
	if (r < 0)
		db_rollback(s->db);
	return r;
}

int catalog_fill(struct store *s)
{
	int64_t filled = 0;
	int r = db_get_int(s->db, &filled, "SELECT 1 FROM meta WHERE key='filled'", "");

	return r < 0 ? r : filled ? 0 : catalog_sync(s);
}
