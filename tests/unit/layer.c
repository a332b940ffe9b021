/* SPDX-License-Identifier: MIT */
/* layer - unit tests of notes and facts: what is written reads back, what is damaged is refused */
#include "layerdir.h"

static void check_notes(void)
{
	static const char path[] = "a\xff\n\"\\/\x01";
	struct layer_note n;
	struct buf b = { 0 };

	unit_case("notes hold any path");
	layer_note_format(&b, LAYER_NOTE_LINK, path, "target");
	CHECK(b.len > 0 && b.data[b.len - 1] == '\n' && strchr(b.data, '\n') == b.data + b.len - 1);
	CHECK(layer_note_parse(&n, b.data, b.len - 1) == 0);
	CHECK(n.kind == LAYER_NOTE_LINK);
	CHECK_STR(n.path, path);
	CHECK_STR(n.target, "target");
	layer_note_free(&n);
	buf_clear(&b);
	layer_note_format(&b, LAYER_NOTE_OPAQUE, "", NULL);
	CHECK(layer_note_parse(&n, b.data, b.len - 1) == 0 && n.kind == LAYER_NOTE_OPAQUE);
	CHECK_STR(n.path, "");
	CHECK(!n.target);
	layer_note_free(&n);
	buf_free(&b);
}

static void check_done(void)
{
	struct layer_note n = {
		.entries = 1, .tar_size = 1ull << 40, .disk_size = 3, .blob_size = 4, .gzip = true
	};
	struct layer_note got;
	struct buf b = { 0 };

	unit_case("the last note");
	digest_of(&n.diff_id, "x", 1);
	digest_of(&n.blob, "y", 1);
	layer_note_format_done(&b, &n);
	CHECK(layer_note_parse(&got, b.data, b.len - 1) == 0 && got.kind == LAYER_NOTE_DONE);
	CHECK(digest_equal(&got.diff_id, &n.diff_id) && digest_equal(&got.blob, &n.blob));
	CHECK(got.entries == 1 && got.tar_size == 1ull << 40 && got.disk_size == 3);
	CHECK(got.blob_size == 4 && got.gzip && !got.path && !got.target);
	buf_free(&b);
}

static void check_bad_notes(void)
{
	static const char *const rows[] = {
		"",
		"{}",
		"[]",
		"{\"note\":\"other\",\"path\":\"61\"}",
		"{\"note\":1,\"path\":\"61\"}",
		"{\"note\":\"opaque\"}",
		"{\"note\":\"opaque\",\"path\":\"6\"}",
		"{\"note\":\"opaque\",\"path\":\"6g\"}",
		"{\"note\":\"opaque\",\"path\":\"610062\"}",
		"{\"note\":\"opaque\",\"path\":7}",
		"{\"note\":\"link\",\"path\":\"61\"}",
		"{\"note\":\"done\"}",
		"{\"note\":\"opaque\",\"path\":\"61\"}x",
	};
	struct layer_note n;
	struct buf b = { 0 };
	size_t i;

	unit_case("notes of a hijacked unpacker");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(layer_note_parse(&n, rows[i], strlen(rows[i])) == -EBADMSG);
		CHECK(strstr(fail_text(), "note of the unpacker") && !n.path && !n.target);
	}
	buf_puts(&b, "{\"note\":\"implied\",\"path\":\"");
	for (i = 0; i < 4097; i++)
		buf_puts(&b, "61");
	buf_puts(&b, "\"}");
	CHECK(layer_note_parse(&n, b.data, b.len) == -EBADMSG);
	buf_clear(&b);
	layer_note_format_done(&b, &(struct layer_note){ .entries = (uint64_t)-1 });
	CHECK(layer_note_parse(&n, b.data, b.len - 1) == -EBADMSG);
	buf_free(&b);
}

static struct layer_facts some_facts(void)
{
	struct layer_facts f = { .tar_size = 1ull << 40, .disk_size = 2, .entries = 3, .added = 4 };

	digest_of(&f.diff_id, "d", 1);
	return f;
}

static void check_facts(void)
{
	struct layer_facts f = some_facts(), got;

	unit_case("facts of a layer");
	CHECK(layer_facts_save(scratch, scratch, &f) == 0 && layer_facts_load(scratch, &got) == 0);
	CHECK(memcmp(&f, &got, sizeof(f)) == 0);
	f.chain_bound = f.has_encoding = true;
	digest_of(&f.chain, "c", 1);
	digest_of(&f.encoding, "e", 1);
	f.encoding_size = 5;
	strcpy(f.encoding_type, "application/x");
	CHECK(layer_facts_save(scratch, scratch, &f) == 0 && layer_facts_load(scratch, &got) == 0);
	CHECK(memcmp(&f, &got, sizeof(f)) == 0);
}

static void check_bad_facts(void)
{
#define DIGEST "sha256:18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"
#define REST   "\"tar_size\":1,\"disk_size\":2,\"entries\":3,\"added\":4"
	static const char *const rows[] = {
		"",
		"{}",
		"{\"v\":2,\"diff_id\":\"" DIGEST "\"," REST "}",
		"{\"v\":1," REST "}",
		"{\"v\":1,\"diff_id\":\"sha256:../../x\"," REST "}",
		"{\"v\":1,\"diff_id\":\"" DIGEST "\"}",
		"{\"v\":1,\"diff_id\":\"" DIGEST
		"\",\"tar_size\":-1,\"disk_size\":2,\"entries\":3}",
		"{\"v\":1,\"diff_id\":\"" DIGEST "\",\"chain\":\"\"," REST "}",
		"{\"v\":1,\"diff_id\":\"" DIGEST "\",\"encoding\":\"" DIGEST "\"," REST "}",
		"{\"v\":1,\"diff_id\":\"" DIGEST "\"," REST "} x",
	};
	struct layer_facts got;
	size_t i;

	unit_case("facts that are damaged or missing");
	write_file(scratch, "layer.json",
		"{\"v\":1,\"diff_id\":\"" DIGEST "\",\"later\":{}," REST "}");
	CHECK(layer_facts_load(scratch, &got) == 0 && got.entries == 3);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		write_file(scratch, "layer.json", rows[i]);
		CHECK(layer_facts_load(scratch, &got) == -EBADMSG);
		CHECK(strstr(fail_text(), "layer.json"));
	}
	unlinkat(scratch, "layer.json", 0);
	CHECK(layer_facts_load(scratch, &got) == -ENOENT);
}

static void check_xattrs(void)
{
	unit_case("attributes that layers keep");
	CHECK(layer_keeps_xattr("user.a") && layer_keeps_xattr("security.capability"));
	CHECK(layer_keeps_xattr("user.overlayfs") && !layer_keeps_xattr("user.overlay.opaque"));
	CHECK(!layer_keeps_xattr("trusted.overlay.opaque") && !layer_keeps_xattr("trusted.x"));
	CHECK(!layer_keeps_xattr("security.selinux") &&
		!layer_keeps_xattr("system.posix_acl_access"));
	CHECK(!layer_keeps_xattr("") && !layer_keeps_xattr("user") &&
		!layer_keeps_xattr("xuser.a"));
}

int main(void)
{
	scratch_begin();
	check_notes();
	check_done();
	check_bad_notes();
	check_facts();
	check_bad_facts();
	check_xattrs();
	scratch_end();
	return unit_end();
}
