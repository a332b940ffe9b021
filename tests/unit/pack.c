/* SPDX-License-Identifier: MIT */
/* pack - unit tests: a packed tree unpacks to itself, and packs to the same bytes again */
#include <sys/socket.h>
#include <sys/un.h>

#include "layerdir.h"

static int open_fs(const struct unpacked *u)
{
	return openat(u->dir, "fs", O_RDONLY | O_DIRECTORY);
}

/* The tree of u packs to OUT; that gives the same tree, which packs to the same bytes. */
static void pack_again(const struct unpacked *u, struct buf *out)
{
	struct buf tree = { 0 }, got = { 0 }, second = { 0 };
	struct unpacked again;
	int fs = open_fs(u);

	CHECK(layer_pack(fs, to_buf, out) == 0);
	close(fs);
	CHECK(unpack_as(&again, "again", out, 10000) == 0);
	CHECK_STR(buf_str(&again.notes), "");
	describe(&tree, u->dir, "fs");
	describe(&got, again.dir, "fs");
	CHECK_STR(buf_str(&got), buf_str(&tree));
	fs = open_fs(&again);
	CHECK(layer_pack(fs, to_buf, &second) == 0);
	close(fs);
	CHECK(second.len == out->len && memcmp(second.data, out->data, out->len) == 0);
	unpacked_free(&again);
	buf_free(&tree);
	buf_free(&got);
	buf_free(&second);
}

static void check_tree(void)
{
	static const char lines[] =
		"d b\nm 2750\nf b/z 1\nf b/a 22\nm 4755\nl b/l ../x\np b/p\nd a\n"
		"f a-b x\nh c b/a\nh a/h b/a\nd e\nd e/f\nd e/f/g\nf e/f/g/h\nd .\nm 711";
	struct unpacked u;
	struct buf tar = { 0 }, out = { 0 };
	struct seen s = { 0 };

	unit_case("a tree: sorted, hard links kept");
	stream_of(&tar, lines);
	CHECK(unpack_as(&u, "layer", &tar, 4096) == 0);
	pack_again(&u, &out);
	CHECK(read_in(&s, &out, out.len) == 0);
	if (geteuid() == 0)
		CHECK_STR(buf_str(&s.log),
			"d ./ 711 0:0 3000000000 0\nd a/ 755 0:0 3000000000 0\n"
			"f a/h 4755 0:0 3000000000 2\n@0 22.\nf a-b 644 0:0 3000000000 1\n@0 x.\n"
			"d b/ 2750 0:0 3000000000 0\nh b/a->a/h 4755 0:0 3000000000 0\n"
			"s b/l->../x 777 0:0 3000000000 0\np b/p 644 0:0 3000000000 0\n"
			"f b/z 644 0:0 3000000000 1\n@0 1.\nh c->a/h 4755 0:0 3000000000 0\n"
			"d e/ 755 0:0 3000000000 0\nd e/f/ 755 0:0 3000000000 0\n"
			"d e/f/g/ 755 0:0 3000000000 0\nf e/f/g/h 644 0:0 3000000000 0\n.\n");
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&out);
	seen_free(&s);
}

static void check_left_out(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct buf tar = { 0 }, out = { 0 };
	struct unpacked u;
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct seen s = { 0 };

	unit_case("sockets and whiteouts are left out");
	stream_of(&tar, "d d\nf .wh.w");
	CHECK(unpack_as(&u, "layer", &tar, 4096) == 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/layer/fs/sock", scratch_path);
	CHECK(bind(sock, (struct sockaddr *)&address, sizeof(address)) == 0);
	close(sock);
	CHECK(layer_pack(open_fs(&u), to_buf, &out) == 0);
	CHECK(read_in(&s, &out, out.len) == 0);
	CHECK(strstr(buf_str(&s.log), "\nd d/") && !strstr(buf_str(&s.log), "sock"));
	CHECK(!strstr(buf_str(&s.log), " w "));
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&out);
	seen_free(&s);
}

static void check_special(void)
{
	static const char capability[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct buf tar = { 0 }, out = { 0 }, records = { 0 };
	struct unpacked u;

	if (geteuid() != 0) {
		unit_skip("owners, device nodes, attributes, times", "needs root");
		return;
	}
	unit_case("owners, device nodes, attributes, times");
	pax_add(&records, "SCHILY.xattr.user.note", "a\0b", 3);
	pax_add(&records, "SCHILY.xattr.security.capability", capability, 20);
	pax_add(&records, "mtime", "-1.25", 5);
	pax(&tar, &records);
	member(&tar, '0', "f", "content");
	pax(&tar, &records);
	header(&tar, '5', "d", 0);
	device(&tar, '3', "n", 4095, 1048575);
	stream_of(&tar, "f o x\no 2097150 2000000");
	CHECK(unpack_as(&u, "layer", &tar, 4096) == 0);
	pack_again(&u, &out);
	CHECK(memmem(out.data, out.len, "user.note=a\0b\n", 14) != NULL);
	CHECK(memmem(out.data, out.len, "mtime=-1.250000000\n", 19) != NULL);
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&out);
	buf_free(&records);
}

static void check_big(void)
{
	struct buf tar = { 0 }, name = { 0 }, out = { 0 };
	struct unpacked u;
	int i;

	unit_case("deep trees, many names, many hard links");
	for (i = 0; i < 400; i++)
		buf_puts(&name, "d/");
	buf_puts(&name, "f");
	member(&tar, 'L', "x", name.data);
	stream_of(&tar, "f x deep");
	for (i = 0; i < 600; i++) {
		buf_clear(&name);
		buf_printf(&name, "f n%d %d\nh h%d n%d", i, i, i, i);
		stream_of(&tar, name.data);
	}
	CHECK(unpack_as(&u, "layer", &tar, 10000) == 0);
	pack_again(&u, &out);
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&name);
	buf_free(&out);
}

static int full(void *ctx, const void *bytes, size_t len)
{
	size_t *room = ctx;

	(void)bytes;
	if (len > *room)
		return -ENOSPC;
	*room -= len;
	return 0;
}

static void check_sink(void)
{
	struct buf tar = { 0 };
	struct unpacked u;
	size_t room, limit;

	unit_case("a sink that fails at any time");
	stream_of(&tar, "d a\nf a/b x\nl l x\nh h a/b");
	CHECK(unpack_as(&u, "layer", &tar, 10000) == 0);
	for (limit = 0; limit < 4096; limit += 512) {
		room = limit;
		CHECK(layer_pack(open_fs(&u), full, &room) == -ENOSPC);
	}
	room = limit;
	CHECK(layer_pack(open_fs(&u), full, &room) == 0 && room == 0);
	unpacked_free(&u);
	buf_free(&tar);
}

int main(void)
{
	scratch_begin();
	check_tree();
	check_left_out();
	check_special();
	check_big();
	check_sink();
	scratch_end();
	return unit_end();
}
