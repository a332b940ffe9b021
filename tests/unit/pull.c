/* SPDX-License-Identifier: MIT */
/* pull - unit test of pull and pulljob: images from files into a store, and what lies about them */
#include "engine/pull.h"

#include <errno.h>
#include <signal.h>

#include "base/fail.h"
#include "base/log.h"
#include "engine/imageverify.h"
#include "layerdir.h"

static struct store *store;
static int started, done, existed, unnamed;

static void on_start(
	void *ctx UNUSED, unsigned layer UNUSED, const struct digest *blob, uint64_t size UNUSED)
{
	started++;
	unnamed += blob == NULL;
}

static void on_layer_done(void *ctx UNUSED, unsigned layer UNUSED, bool was)
{
	done++;
	existed += was;
}

/* Pull KIND:scratch/FILE. */
static int pull_as(
	const char *kind, const char *file, const char *name, struct image **out, bool *changed)
{
	char source[300];
	struct pull_options o = { .source = source,
		.name = name,
		.jobs = 2,
		.events = { .layer_start = on_start, .layer_done = on_layer_done } };

	started = done = existed = unnamed = 0;
	snprintf(source, sizeof(source), "%s:%s/%s", kind, scratch_path, file);
	oci_platform_native(&o.platform);
	return pull_run(store, &o, out, changed);
}

static void write_tar(const char *name, const struct buf *tar)
{
	int fd = fresh_file(name, true);

	CHECK(fd_write(fd, buf_str(tar), tar->len) == 0);
	close(fd);
}

static int count_in(int parent)
{
	DIR *d = fdopendir(openat(parent, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void say(
	void *ctx UNUSED, enum imageverify_kind kind UNUSED, const char *object, const char *text)
{
	printf("# %s: %s\n", object, text);
}

static bool sound(void)
{
	struct imageverify v = { .problem = say };

	return imageverify_run(store, &v) >= 0 && v.problems == 0 && count_in(store->tmp) == 0;
}

static void test_rootfs(void)
{
	auto_buf struct buf tar = { 0 };
	struct image *image, *again;
	bool changed;

	stream_of(&tar, "d dir\nf dir/file content\nl link dir/file\n");
	end_blocks(&tar);
	write_tar("root.tar", &tar);
	unit_case("a root file system becomes an image");
	signal(SIGPIPE, SIG_DFL);
	CHECK(pull_as("rootfs", "root.tar", NULL, &image, &changed) == 0);
	CHECK(changed && started == 1 && unnamed == 1 && done == 1 && existed == 0);
	CHECK_STR(image->reference, "localhost/root:latest");
	CHECK(image->layer_count == 1 && sound());
	unit_case("SIGPIPE is as it was");
	CHECK(signal(SIGPIPE, SIG_DFL) == SIG_DFL);
	unit_case("the same again is the same image");
	CHECK(pull_as("rootfs", "root.tar", "b:2", &again, &changed) == 0);
	CHECK(digest_equal(&image->manifest, &again->manifest));
	CHECK(count_in(store->layers) == 1 && sound());
	image_free(image);
	image_free(again);
}

/* --- docker archives of two layers --- */

static void diff_id(const struct buf *tar, char *out)
{
	struct digest d;

	digest_of(&d, tar->data, tar->len);
	digest_format(out, &d);
}

/* Write docker.tar with the layers A and B, whose diff ids are said to be IDS, as a list in JSON. */
static void write_docker(const struct buf *a, const struct buf *b, const char *ids)
{
	auto_buf struct buf tar = { 0 }, config = { 0 };

	buf_printf(&config,
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":%s}}",
		ids);
	member(&tar, '0', "manifest.json",
		"[{\"Config\":\"c\",\"RepoTags\":[\"two:1\"],\"Layers\":[\"a\",\"b\"]}]");
	member(&tar, '0', "c", buf_str(&config));
	header(&tar, '0', "a", a->len);
	content(&tar, buf_str(a), a->len);
	header(&tar, '0', "b", b->len);
	content(&tar, buf_str(b), b->len);
	end_blocks(&tar);
	write_tar("docker.tar", &tar);
}

static void refuse_docker(int result, const char *text)
{
	int layers = count_in(store->layers);
	struct image *image;
	bool changed;

	CHECK(pull_as("docker-archive", "docker.tar", NULL, &image, &changed) == result);
	if (!strstr(fail_text(), text))
		CHECK_STR(fail_text(), text);
	CHECK(!image && sound());
	/* A layer that was complete may stay for the next try. */
	CHECK(count_in(store->layers) <= layers + 1);
}

static void test_two_layers(void)
{
	auto_buf struct buf a = { 0 }, b = { 0 }, gz = { 0 }, bad = { 0 };
	char ids[2][DIGEST_TEXT], list[300], path[DIGEST_TEXT + 8];
	struct image *image;
	bool changed;

	stream_of(&a, "d lib\nm 700\nf lib/low 1\n");
	end_blocks(&a);
	/* A parent that no entry describes: it needs the layer below. */
	stream_of(&b, "f lib/high 2\n");
	end_blocks(&b);
	diff_id(&a, ids[0]);
	diff_id(&b, ids[1]);
	compress(&gz, &b);

	unit_case("layers that are not what the config says are refused, and nothing stays");
	snprintf(list, sizeof(list), "[\"%s\",\"%s\"]", ids[1], ids[0]);
	write_docker(&a, &b, list);
	refuse_docker(-EBADMSG, "diff id");
	snprintf(list, sizeof(list), "[\"%s\"]", ids[0]);
	write_docker(&a, &b, list);
	refuse_docker(-EBADMSG, "2 layers, but 1");
	write_docker(&a, &b, "[]");
	refuse_docker(-EBADMSG, "2 layers, but 0");
	snprintf(list, sizeof(list), "[\"%s\",\"%s\"]", ids[0], ids[1]);
	buf_add(&bad, b.data, 600);
	write_docker(&a, &bad, list);
	refuse_docker(-EBADMSG, "");
	buf_clear(&bad);
	write_docker(&a, &bad, list);
	refuse_docker(-EBADMSG, "empty");

	unit_case("a layer that needs the one below is kept with it");
	write_docker(&a, &gz, list);
	CHECK(pull_as("docker-archive", "docker.tar", NULL, &image, &changed) == 0);
	CHECK(image && image->layer_count == 2 && strcmp(image->layers[1], ids[1] + 7) != 0);
	CHECK(sound());
	image_free(image);

	unit_case("layers that are here are not unpacked again");
	CHECK(pull_as("docker-archive", "docker.tar", "copy:1", &image, &changed) == 0);
	CHECK(started == 0 && done == 2 && existed == 2);
	image_free(image);

	unit_case("a layer whose files were replaced by a link is made again");
	snprintf(path, sizeof(path), "%s/fs", ids[0] + 7);
	CHECK(renameat(store->layers, path, scratch, "moved") == 0);
	CHECK(symlinkat("/etc", store->layers, path) == 0);
	CHECK(pull_as("docker-archive", "docker.tar", "copy:1", &image, &changed) == 0);
	CHECK(started == 1 && done == 2 && existed == 1 && sound());
	image_free(image);
	unit_case("a layer that was replaced by a link too");
	CHECK(renameat(store->layers, ids[0] + 7, scratch, "moved2") == 0);
	CHECK(symlinkat("/etc", store->layers, ids[0] + 7) == 0);
	CHECK(pull_as("docker-archive", "docker.tar", "copy:1", &image, &changed) == 0);
	CHECK(started == 1 && sound() && access("/etc/passwd", F_OK) == 0);
	image_free(image);

	unit_case("the same layer twice, also when it needs those below");
	snprintf(list, sizeof(list), "[\"%s\",\"%s\"]", ids[1], ids[1]);
	write_docker(&b, &gz, list);
	CHECK(pull_as("docker-archive", "docker.tar", "twice:1", &image, &changed) == 0);
	CHECK(image && image->layer_count == 2 && sound());
	image_free(image);
}

int main(void)
{
	int before, after;
	char path[300];

	if (geteuid() != 0) {
		unit_skip("pulls", "needs root");
		return unit_end();
	}
	scratch_begin();
	log_init(2, "unit", true);
	snprintf(path, sizeof(path), "%s/run", scratch_path);
	setenv("QBOX_RUN", path, 1);
	snprintf(path, sizeof(path), "%s/store", scratch_path);
	if (store_open(&store, path, STORE_WRITE) < 0 || store_db(store) < 0 ||
		store_run(store) < 0)
		return 1;
	before = dup(0);
	close(before);
	test_rootfs();
	test_two_layers();
	after = dup(0);
	unit_case("leaves no descriptor open, and what lies beside alone");
	CHECK(before == after);
	CHECK(canary_lives());
	store_close(store);
	scratch_end();
	return unit_end();
}
