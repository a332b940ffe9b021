/* SPDX-License-Identifier: MIT */
/* source - unit test: what names mean; layouts and docker archives that lie */
#include "engine/source.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "layerdir.h"

static struct store *store;
static const struct oci_platform amd64 = { .os = "linux", .arch = "amd64" };

static void test_check(void)
{
	static const struct {
		const char *text, *name;
		int result;
	} rows[] = {
		{ "alpine", NULL, 0 },
		{ "host:1/a:b", "c:d", 0 },
		{ "-", NULL, 0 },
		{ "-", "UPPER", -EINVAL },
		{ "oci:", NULL, 0 }, /* a path is looked at later */
		{ "oci:x", "a@sha256:00", -EINVAL },
		{ "oci:x",
			"a@sha256:0000000000000000000000000000000000000000000000000000000000000000",
			-EINVAL },
		{ "docker://alpine", NULL, -EINVAL },
		{ "/file", NULL, -EINVAL },
		{ "", NULL, -EINVAL },
		{ "--x", NULL, -EINVAL },
	};

	unit_case("judges names without opening anything");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (source_check(rows[i].text, rows[i].name) != rows[i].result)
			printf("# %s %s\n", rows[i].text, rows[i].name ? rows[i].name : "");
		CHECK(source_check(rows[i].text, rows[i].name) == rows[i].result);
	}
}

/* --- layouts by hand --- */

#define CONFIG \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"

/* Store TEXT as a blob of the layout DIR; its digest goes to OUT. */
static void blob(int dir, const char *text, char *out)
{
	char hex[DIGEST_TEXT], path[200];
	struct digest d;

	mkdirat(dir, "blobs", 0700);
	mkdirat(dir, "blobs/sha256", 0700);
	digest_of(&d, text, strlen(text));
	digest_hex(hex, &d);
	digest_format(out, &d);
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	write_file(dir, path, text);
}

/* A manifest without layers: its descriptor, with MORE members, goes to OUT. */
static void image(int dir, const char *config, const char *more, struct buf *out)
{
	char digest[DIGEST_TEXT], text[1000];

	blob(dir, config, digest);
	snprintf(text, sizeof(text),
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST
		"\",\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG
		"\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
		digest, strlen(config));
	blob(dir, text, digest);
	buf_printf(out,
		"{\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu%s}",
		digest, strlen(text), more);
}

static void index_text(struct buf *out, const char *manifests)
{
	buf_printf(out,
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[%s]}",
		manifests);
}

static void write_index(int dir, const char *manifests)
{
	auto_buf struct buf b = { 0 };

	index_text(&b, manifests);
	write_file(dir, "index.json", buf_str(&b));
}

/* An index as a blob: its descriptor goes to OUT. */
static void nested(int dir, const char *manifests, struct buf *out)
{
	auto_buf struct buf b = { 0 };
	char digest[DIGEST_TEXT];

	index_text(&b, manifests);
	blob(dir, buf_str(&b), digest);
	buf_printf(out, "{\"mediaType\":\"" OCI_TYPE_INDEX "\",\"digest\":\"%s\",\"size\":%zu}",
		digest, b.len);
}

static int layout(const char *name)
{
	CHECK(path_remove_tree(scratch, name) == 0);
	CHECK(mkdirat(scratch, name, 0700) == 0);
	return openat(scratch, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Open and read the source KIND:scratch/FILE; its reference goes to NAME. */
static int read_source(const char *kind, const char *file, const char *as, char *name)
{
	char text[600];
	struct source src;
	bool index;
	int r;

	name[0] = '\0';
	snprintf(text, sizeof(text), "%s:%s/%s", kind, scratch_path, file);
	r = source_open(&src, store, &(struct source_options){ .text = text, .name = as });
	if (r == 0)
		r = source_read_top(&src);
	if (r == 0)
		r = source_read_image(&src, &amd64, &index);
	if (r == 0)
		ref_format(name, &src.ref);
	source_close(&src);
	return r;
}

static void wants(const char *kind, const char *file, const char *as, int result, const char *text)
{
	char name[REF_TEXT];
	int r = read_source(kind, file, as, name);

	if (r != result)
		printf("# %s %s: %d, %s\n", kind, file, r, r < 0 ? fail_text() : name);
	CHECK(r == result);
	if (r == 0)
		CHECK_STR(name, text);
	else if (!strstr(fail_text(), text))
		CHECK_STR(fail_text(), text);
}

#define REF(name) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"

static void test_names(void)
{
	auto_buf struct buf one = { 0 }, two = { 0 }, both = { 0 };
	int dir = layout("Name.tar");

	unit_case("an image is named after its layout, or what holds it");
	image(dir, CONFIG, "", &one);
	write_index(dir, buf_str(&one));
	wants("oci", "Name.tar", NULL, 0, "localhost/name:latest");
	wants("oci", "Name.tar/", NULL, 0, "localhost/name:latest");
	wants("oci", "Name.tar", "other:1", 0, "docker.io/library/other:1");
	buf_clear(&one);
	image(dir, CONFIG, REF("v1"), &one);
	write_index(dir, buf_str(&one));
	wants("oci", "Name.tar", NULL, 0, "localhost/name:v1");
	wants("oci", "Name.tar:v1", NULL, 0, "localhost/name:v1");
	wants("oci", "Name.tar:v2", NULL, -ENOENT, "'v1'");

	unit_case("a tag may hold colons and slashes");
	image(dir, CONFIG, REF("host:1/a/b:c"), &two);
	buf_printf(&both, "%s,%s", buf_str(&one), buf_str(&two));
	write_index(dir, buf_str(&both));
	wants("oci", "Name.tar:host:1/a/b:c", NULL, 0, "host:1/a/b:c");
	wants("oci", "Name.tar", NULL, -EINVAL, "more than one");

	unit_case("a name that is none is refused, unless another is given");
	buf_clear(&one);
	image(dir, CONFIG, REF("UPPER/x"), &one);
	write_index(dir, buf_str(&one));
	wants("oci", "Name.tar", NULL, -EINVAL, "UPPER");
	wants("oci", "Name.tar", "x", 0, "docker.io/library/x:latest");
	close(dir);
}

static void test_layout_lies(void)
{
	auto_buf struct buf one = { 0 }, bad = { 0 };
	char digest[DIGEST_TEXT], path[200];
	int dir = layout("lies");

	unit_case("no index, no image, a pipe in place of the index");
	wants("oci", "lies", "x", -ENOENT, "index.json");
	write_index(dir, "");
	wants("oci", "lies", "x", -ENOENT, "no image");
	unlinkat(dir, "index.json", 0);
	mkfifoat(dir, "index.json", 0600);
	wants("oci", "lies", "x", -EINVAL, "regular");
	unlinkat(dir, "index.json", 0);

	unit_case("a blob that is missing, changed, of another size, not regular");
	image(dir, CONFIG, "", &one);
	write_index(dir, buf_str(&one));
	wants("oci", "lies", "x", 0, "docker.io/library/x:latest");
	blob(dir, CONFIG, digest);
	snprintf(path, sizeof(path), "blobs/sha256/%s", digest + 7);
	write_file(dir, path, CONFIG " ");
	wants("oci", "lies", "x", -EBADMSG, "config");
	unlinkat(dir, path, 0);
	wants("oci", "lies", "x", -ENOENT, digest + 7);
	mkfifoat(dir, path, 0600);
	wants("oci", "lies", "x", -EINVAL, "regular");
	unlinkat(dir, path, 0);
	symlinkat("/dev/zero", dir, path);
	wants("oci", "lies", "x", -EINVAL, "regular");
	unlinkat(dir, path, 0);
	blob(dir, CONFIG, digest);
	buf_printf(&bad, "{\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":7}",
		digest);
	write_index(dir, buf_str(&bad));
	wants("oci", "lies", "x", -EBADMSG, "not 7");
	close(dir);
}

static void test_nesting(void)
{
	auto_buf struct buf one = { 0 }, in1 = { 0 }, in2 = { 0 }, in3 = { 0 };
	auto_buf struct buf arm = { 0 };
	int dir = layout("nest");

	unit_case("an index in an index, and no deeper");
	image(dir, CONFIG, "", &one);
	nested(dir, buf_str(&one), &in1);
	write_index(dir, buf_str(&in1));
	wants("oci", "nest", "x", 0, "docker.io/library/x:latest");
	nested(dir, buf_str(&in1), &in2);
	write_index(dir, buf_str(&in2));
	wants("oci", "nest", "x", 0, "docker.io/library/x:latest");
	nested(dir, buf_str(&in2), &in3);
	write_index(dir, buf_str(&in3));
	wants("oci", "nest", "x", -EINVAL, "two deep");

	unit_case("another platform is named");
	image(dir, CONFIG, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}", &arm);
	buf_clear(&in1);
	nested(dir, buf_str(&arm), &in1);
	write_index(dir, buf_str(&in1));
	wants("oci", "nest", "x", -ENOENT, "s390x");
	close(dir);
}

static void test_paths(void)
{
	unit_case("a path of the wrong kind says so");
	write_file(scratch, "file", "x");
	wants("oci", "file", NULL, -ENOTDIR, "file");
	wants("oci-archive", "canary", NULL, -EISDIR, "directory");
	CHECK(strstr(fail_hint_text(), "oci:"));
	wants("rootfs", "canary", NULL, -EISDIR, "directory");
	wants("docker-archive", "file:x", NULL, -ENOENT, "file:x");
	wants("oci-archive", "none:x", NULL, -ENOENT, "none:x");
	wants("oci-archive", "file", NULL, -EBADMSG, "file");
}

/* --- docker archives --- */

static void docker(const char *manifest, int result, const char *text)
{
	auto_buf struct buf tar = { 0 };
	int fd = openat(scratch, "docker.tar", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (manifest)
		member(&tar, '0', "manifest.json", manifest);
	member(&tar, '0', "config", CONFIG);
	member(&tar, '0', "layer", "");
	end_blocks(&tar);
	CHECK(fd_write(fd, tar.data, tar.len) == 0);
	close(fd);
	wants("docker-archive", "docker.tar", NULL, result, text);
}

static void test_docker(void)
{
	auto_buf struct buf many = { 0 };

	unit_case("a docker archive");
	docker("[{\"Config\":\"config\",\"RepoTags\":[\"a:b\",\"c:d\"],\"Layers\":[]}]", 0,
		"docker.io/library/a:b");
	docker("[{\"Config\":\"config\",\"RepoTags\":null,\"Layers\":[\"layer\"]}]", 0,
		"localhost/docker:latest");
	docker("[{\"Config\":\"config\",\"RepoTags\":[],\"Layers\":[]}]", 0,
		"localhost/docker:latest");
	unit_case("a docker archive that lies");
	docker(NULL, -ENOENT, "manifest.json");
	docker("", -EBADMSG, "manifest.json");
	docker("{}", -EINVAL, "not one");
	docker("[]", -EINVAL, "not one");
	docker("[1]", -EBADMSG, "docker");
	docker("[{\"Config\":\"config\",\"Layers\":[]},{}]", -EINVAL, "2 images");
	docker("[{\"Layers\":[]}]", -EBADMSG, "docker");
	docker("[{\"Config\":\"config\"}]", -EBADMSG, "docker");
	docker("[{\"Config\":\"config\",\"Layers\":[1]}]", -EBADMSG, "docker");
	docker("[{\"Config\":\"config\",\"Layers\":{}}]", -EBADMSG, "docker");
	docker("[{\"Config\":\"none\",\"Layers\":[]}]", -ENOENT, "none");
	docker("[{\"Config\":\"config\",\"RepoTags\":[\"UP:x\"],\"Layers\":[]}]", -EINVAL, "UP");
	buf_puts(&many, "[{\"Config\":\"config\",\"Layers\":[");
	for (int i = 0; i < 128; i++)
		buf_printf(&many, "%s\"layer\"", i ? "," : "");
	buf_puts(&many, "]}]");
	docker(buf_str(&many), -EBADMSG, "docker");
}

int main(void)
{
	char path[300];

	scratch_begin();
	test_check();
	test_names();
	test_layout_lies();
	test_nesting();
	snprintf(path, sizeof(path), "%s/store", scratch_path);
	if (geteuid() != 0) {
		unit_skip("opens archives", "needs root");
	} else if (store_open(&store, path, STORE_WRITE) == 0) {
		test_paths();
		test_docker();
		store_close(store);
	} else {
		CHECK(!"a store");
	}
	unit_case("leaves what lies beside alone");
	CHECK(canary_lives());
	scratch_end();
	return unit_end();
}
