/* SPDX-License-Identifier: MIT */
/* flatten - unit test: layers of a store as one tar stream */
#include "engine/flatten.h"

#include <errno.h>
#include <signal.h>

#include "base/fail.h"
#include "layerdir.h"

static struct store *store;

/* Make layers/NAME/fs from LINES as stream_of has them. */
static void layer(const char *name, const char *lines)
{
	auto_buf struct buf tar = { 0 };
	struct unpacked u;

	stream_of(&tar, lines);
	end_blocks(&tar);
	CHECK(unpack_as(&u, name, &tar, 512) == 0);
	CHECK(layer_settle(u.dir, u.all, u.count, NULL, 0) >= 0);
	unpacked_free(&u);
	CHECK(renameat(scratch, name, store->layers, name) == 0);
}

static int flatten(char **layers, struct seen *seen)
{
	struct image image = { .layers = layers };
	auto_buf struct buf tar = { 0 };
	int fd = fresh_file("stream", false), r;

	while (layers[image.layer_count])
		image.layer_count++;
	r = flatten_write(store, &image, fd);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && fd_read_all(fd, &tar, 1 << 20) == 0);
	close(fd);
	*seen = (struct seen){ 0 };
	return r < 0 ? r : read_tar(seen, &tar);
}

/* The flattened LAYERS hold each of HAS (ended by NULL) and then none of LACKS. */
static void holds(char **layers, const char *const *has, const char *const *lacks)
{
	struct seen seen;
	int r = flatten(layers, &seen);

	if (r < 0)
		printf("# %s\n", fail_text());
	CHECK(r == 0);
	for (; *has; has++)
		if (!strstr(buf_str(&seen.log), *has))
			CHECK_STR(buf_str(&seen.log), *has);
	for (; *lacks; lacks++)
		if (strstr(buf_str(&seen.log), *lacks))
			printf("# has '%s'\n%s", *lacks, buf_str(&seen.log)), CHECK(!"lacks");
	seen_free(&seen);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE      ((const char *const[]){ NULL })

static void test_layers(void)
{
	layer("aa", "d ./\nm 700\nd etc\nf etc/old 1\nf etc/both low\nd gone\nf gone/x 1\n");
	layer("bb", "d etc\nf etc/.wh.old x\nf etc/both high\nf .wh.gone x\n");
	layer("cc", "d etc\nf etc/.wh..wh..opq x\nf etc/new 3\n");
	unit_case("one layer");
	holds((char *[]){ "aa", NULL }, LIST("d ./ 700", "etc/old", "gone/x", "@0 low"),
		LIST(".wh."));
	unit_case("what a higher layer changes, removes and hides");
	holds((char *[]){ "aa", "bb", NULL }, LIST("d ./ 700", "@0 high"),
		LIST("etc/old", "gone", ".wh.", "@0 low"));
	holds((char *[]){ "aa", "bb", "cc", NULL }, LIST("etc/new"),
		LIST("etc/old", "etc/both", ".wh."));
	unit_case("whiteouts of nothing leave nothing");
	holds((char *[]){ "bb", NULL }, LIST("etc/both"), LIST(".wh.", "gone", "c "));
	unit_case("no layer is an empty root");
	holds((char *[]){ NULL }, LIST("d ./"), NONE);
}

static void test_many(void)
{
	static char names[128][8];
	char *layers[129] = { NULL };
	struct seen seen;

	unit_case("127 layers");
	layer("m0", "f low x\n");
	for (int i = 0; i < 127; i++) {
		snprintf(names[i], sizeof(names[i]), "m%d", i);
		if (i) {
			CHECK(mkdirat(store->layers, names[i], 0700) == 0);
			char path[32];

			snprintf(path, sizeof(path), "%s/fs", names[i]);
			CHECK(mkdirat(store->layers, path, 0755) == 0);
		}
		layers[i] = names[i];
	}
	holds(layers, LIST("f low"), NONE);
	unit_case("one more is refused");
	layers[127] = "m1";
	CHECK(flatten(layers, &seen) == -EINVAL && strstr(fail_text(), "127"));
}

static void test_fail(void)
{
	auto_buf struct buf before = { 0 }, after = { 0 };
	struct image image = { .layers = (char *[]){ "aa", NULL }, .layer_count = 1 };
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY), pipes[2], full;
	struct seen seen;

	unit_case("a layer that is missing is named");
	CHECK(flatten((char *[]){ "aa", "none", NULL }, &seen) == -ENOENT);
	CHECK(strstr(fail_text(), "none"));
	unit_case("a stream that cannot be written");
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	CHECK(flatten_write(store, &image, full) == -ENOSPC);
	close(full);
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	close(pipes[0]);
	signal(SIGPIPE, SIG_DFL);
	CHECK(flatten_write(store, &image, pipes[1]) == -EPIPE);
	CHECK(strstr(fail_text(), "write the tar stream"));
	close(pipes[1]);
	unit_case("the mounts of the host are as they were");
	CHECK(fd_read_file(proc, "mountinfo", &before, 1 << 20) == 0);
	CHECK(flatten((char *[]){ "aa", NULL }, &seen) == 0);
	seen_free(&seen);
	CHECK(fd_read_file(proc, "mountinfo", &after, 1 << 20) == 0);
	CHECK_STR(buf_str(&after), buf_str(&before));
	close(proc);
}

int main(void)
{
	char path[300];

	if (geteuid() != 0) {
		unit_skip("flattens", "needs root");
		return unit_end();
	}
	scratch_begin();
	snprintf(path, sizeof(path), "%s/store", scratch_path);
	if (store_open(&store, path, STORE_WRITE) < 0)
		return 1;
	test_layers();
	test_many();
	test_fail();
	store_close(store);
	unit_case("leaves what lies beside alone");
	CHECK(canary_lives());
	scratch_end();
	return unit_end();
}
