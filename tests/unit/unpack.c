/* SPDX-License-Identifier: MIT */
/* unpack - unit tests: hostile and odd layers unpacked for real beside a canary, and rebuilt */
#include "layerdir.h"

/* LINES must unpack to TREE and send NOTES, whole, byte by byte and compressed, and rebuild. */
static void accept_stream(const struct buf *tar, const char *tree, const char *notes)
{
	struct buf gz = { 0 };
	int way;

	compress(&gz, tar);
	for (way = 0; way < 3; way++) {
		struct unpacked u;
		struct buf got = { 0 };
		int r = unpack_as(&u, "layer", way == 2 ? &gz : tar, way == 1 ? 1 : 3000);

		if (r < 0)
			printf("# %s\n", fail_text());
		CHECK(r == 0);
		describe(&got, u.dir, "fs");
		CHECK_STR(buf_str(&got), tree);
		CHECK_STR(buf_str(&u.notes), notes);
		CHECK(rebuilds(u.dir, tar));
		CHECK(u.done.tar_size == tar->len && u.done.gzip == (way == 2));
		CHECK(u.done.blob_size == (way == 2 ? gz.len : tar->len));
		CHECK(canary_lives());
		buf_free(&got);
		unpacked_free(&u);
	}
	buf_free(&gz);
}

static void accept(const char *lines, const char *tree, const char *notes)
{
	struct buf tar = { 0 };

	stream_of(&tar, lines);
	end_blocks(&tar);
	accept_stream(&tar, tree, notes);
	buf_free(&tar);
}

static void refuse_stream(const struct buf *tar, int err, const char *why)
{
	struct buf gz = { 0 };
	int way;

	compress(&gz, tar);
	for (way = 0; way < 3; way++) {
		struct unpacked u;
		int r = unpack_as(&u, "layer", way == 2 ? &gz : tar, way == 1 ? 1 : 3000);

		if (r != -err || !strstr(fail_text(), why))
			printf("# got %d '%s'\n", r, fail_text());
		CHECK(r == -err && strstr(fail_text(), why));
		CHECK(canary_lives());
		unpacked_free(&u);
	}
	buf_free(&gz);
}

static void refuse_lines(const char *lines, int err, const char *why)
{
	struct buf tar = { 0 };

	stream_of(&tar, lines);
	end_blocks(&tar);
	refuse_stream(&tar, err, why);
	buf_free(&tar);
}

/* LINES with CANARY replaced by its path below the scratch directory. */
static void inside(const char *lines)
{
	struct buf tar = { 0 }, text = { 0 };
	const char *at;

	while ((at = strstr(lines, "CANARY"))) {
		buf_add(&text, lines, (size_t)(at - lines));
		buf_printf(&text, "%s/canary", scratch_path);
		lines = at + strlen("CANARY");
	}
	buf_puts(&text, lines);
	stream_of(&tar, text.data);
	end_blocks(&tar);
	for (int way = 0; way < 2; way++) {
		struct unpacked u;
		int r = unpack_as(&u, "layer", &tar, way ? 1 : 3000);

		CHECK(canary_lives());
		if (r == 0)
			CHECK(rebuilds(u.dir, &tar));
		else
			CHECK(*fail_text());
		unpacked_free(&u);
	}
	buf_free(&tar);
	buf_free(&text);
}

static void check_escapes(void)
{
	static const char *const rows[] = {
		"f CANARY/evil x",
		"l a CANARY\nf a/evil x",
		"l a CANARY\nf a/secret x",
		"l a CANARY\nd a\nf a/evil x",
		"l a CANARY/secret\nf a x",
		"l a CANARY/secret\nd a\nm 777",
		"l a CANARY\nm 777",
		"l a b\nl b c\nl c CANARY\nf a/evil x",
		"h a CANARY/secret",
		"h a CANARY/secret\nf a x",
		"l d CANARY\nh a d/secret",
		"l s CANARY/secret\nh a s\nf a x\nm 777",
		"f f x\nl d CANARY\nh d/evil f",
		"l d CANARY\np d/evil",
		"l d CANARY\nl d/evil /",
		"l d CANARY\nf d/.wh.secret",
		"l d CANARY\nf d/.wh..wh..opq",
		"f CANARY/.wh.secret",
		"d a\nl a/b CANARY\nf a/b/secret x\nf a/b/evil x\nf a x",
		"l a ../../../../../../../../../../../../tmp\nf a/evil x",
		"l a /proc/self/root\nf a/CANARY/evil x",
		"l a a\nf a/evil x",
		"l a b/x\nl b a/y\nf a/evil x",
		"d a\nl a/up ..\nl a/up2 up/..\nf a/up2/up/CANARY/evil x",
	};
	size_t i;

	unit_case("names and links that lead out stay inside");
	for (i = 0; i < ARRAY_LEN(rows); i++)
		inside(rows[i]);

	unit_case("what cannot mean anything inside is refused");
	refuse_lines("f ../x y", EPERM, "leads out");
	refuse_lines("f a/../../x y", EPERM, "leads out");
	refuse_lines("d ..", EPERM, "leads out");
	refuse_lines("f /../x y", EPERM, "leads out");
	refuse_lines("f a y\nh b ../a", EPERM, "leads out");
	refuse_lines("l . /etc", EPERM, "root of a layer");
	refuse_lines("l ./ /etc", EPERM, "root of a layer");
	refuse_lines("l / /etc", EPERM, "root of a layer");
	refuse_lines("f a/.. x", EPERM, "root of a layer");
	refuse_lines("p //./", EPERM, "root of a layer");
	refuse_lines("f f x\nh . f", EPERM, "root of a layer");
	refuse_lines("d d\nh a d", EPERM, "hard link to a directory");
	refuse_lines("h a /", EPERM, "hard link to a directory");
	refuse_lines("f a x\nf a/b y", ENOTDIR, "'a' cannot be a directory");
	refuse_lines("l a b\nl b a\nf a/x y", ELOOP, "'a' cannot be a directory");
}

static void check_names(void)
{
	struct buf tar = { 0 };
	char name[301];

	unit_case("names");
	header(&tar, '0', "", 0);
	refuse_stream(&tar, EBADMSG, "without a name");
	buf_clear(&tar);
	memset(name, 'n', 300);
	name[300] = '\0';
	member(&tar, 'L', "x", name);
	header(&tar, '0', "x", 0);
	refuse_stream(&tar, ENAMETOOLONG, "too long");
	buf_clear(&tar);
	link_member(&tar, '2', "s", "");
	refuse_stream(&tar, EBADMSG, "a symbolic link to nothing");
	buf_free(&tar);
	accept("d /abs\nf ./abs//f x\nd .\nf abs/../abs/./g y\nd /",
		"abs dir 755\nabs/f 644 'x'\nabs/g 644 'y'\n", "");
}

static void check_odd(void)
{
	unit_case("odd, but legal");
	accept("", "", "");
	accept("d etc\nf etc/a x\nh etc/b /etc/a",
		"etc dir 755\netc/a 644 'x' x2\netc/b 644 'x' x2\n", "");
	accept("f a/b/c x", "a dir 755 @0\na/b dir 755 @0\na/b/c 644 'x'\n",
		"implied a\nimplied a/b\n");
	accept("f a/b x\nd a\nm 700", "a dir 700\na/b 644 'x'\n", "");
	accept("l a /etc\nd a\nf a/f x", "a dir 755\na/f 644 'x'\n", "");
	accept("d a\nf a/f x\nl a b", "a -> b\n", "");
	accept("d a\nf a/f x\nf a y", "a 644 'y'\n", "");
	accept("f a x\nd a", "a dir 755\n", "");
	accept("f a x\nf a yy", "a 644 'yy'\n", "");
	accept("f a x\nh b a\nf a yy", "a 644 'yy'\nb 644 'x'\n", "");
	accept("f a x\nh b a\nh a b", "a 644 'x' x2\nb 644 'x' x2\n", "");
	accept("f a x\nh a a", "a 644 'x'\n", "");
	accept("d a\nf a/f x\nd a\nm 700", "a dir 700\na/f 644 'x'\n", "");
	accept("d usr\nd usr/lib\nl lib usr/lib\nf lib/x y",
		"lib -> usr/lib\nusr dir 755\nusr/lib dir 755\nusr/lib/x 644 'y'\n", "");
	accept("l lib /usr/lib\nf lib/x y",
		"lib -> /usr/lib\nusr dir 755 @0\nusr/lib dir 755 @0\nusr/lib/x 644 'y'\n",
		"implied usr\nimplied usr/lib\n");
	accept("l s t\nh u s", "s -> t\nu -> t\n", "");
	accept("p p\nm 600\nh q p", "p fifo 600\nq fifo 600\n", "");
	accept("d d\nl l d\nf d/f x\nh g l/f", "d dir 755\nd/f 644 'x' x2\ng 644 'x' x2\nl -> d\n",
		"");
	accept("f a x\nm 4755\nd d\nm 1777\nd e\nm 2755\nd e/f",
		"a 4755 'x'\nd dir 1777\ne dir 2755\ne/f dir 755\n", "");
	accept("d a\nm 0\nf a/b x\nm 0", "a dir 0\na/b 0 'x'\n", "");

	unit_case("a directory found through a link that goes, or through a removed directory");
	accept("d d\nl l d\nf l/a x\nf l y\nf d/b z",
		"d dir 755\nd/a 644 'x'\nd/b 644 'z'\nl 644 'y'\n", "");
	accept("d d\nl d/l .\nf d/l/a x\nf d/l/l y\nf d/l2 z",
		"d dir 755\nd/a 644 'x'\nd/l 644 'y'\nd/l2 644 'z'\n", "");
	accept("d a\nd a/b\nf a/b/x y\nf a z\nd a\nd a/b\nf a/b/w v",
		"a dir 755\na/b dir 755\na/b/w 644 'v'\n", "");
	accept("f a/x y\nf a z\nf a/../b/c w", "a 644 'z'\nb dir 755 @0\nb/c 644 'w'\n",
		"implied b\n");

	unit_case("hard links to what is not in this layer are for the settle pass");
	accept("h a nowhere", "", "link a nowhere\n");
	accept("d d\nh d/a /e/f", "d dir 755\n", "link d/a e/f\n");
	accept("f f x\nh a f/g", "f 644 'x'\n", "link a f/g\n");
	accept("f a x\nh a b", "", "link a b\n");
	accept("d d\nf d/f x\nh d d/f", "", "link d d/f\n");
	accept("f .wh.f x\nh a f", "f whiteout\n", "link a f\n");
}

static void check_replaced(void)
{
	struct buf tar = { 0 }, lines = { 0 };
	int i;

	unit_case("content that later entries take away is in the record");
	accept("f a 1\nf a 2\nf a 3", "a 644 '3'\n", "");
	accept("f a 1\nd a\nf a/b 2\nf a 3\nd a\nf a/b 4", "a dir 755\na/b 644 '4'\n", "");
	accept("f a 1\nf b 2\nh a b\nf a 3\nf b 4\nh b a\nf a 5", "a 644 '5'\nb 644 '3'\n", "");
	accept("f a 1\nh b a\nf b 2\nf b 3\nf a 4", "a 644 '4'\nb 644 '3'\n", "");
	accept("f a 1\nh b a\nh c b\nf a\nf b\nf c", "a 644 ''\nb 644 ''\nc 644 ''\n", "");
	accept("f a 1\nl a x\nf a 2\np a\nf a 3\nl a y", "a -> y\n", "");
	accept("f a 1\nf a\nf a 2\nf a", "a 644 ''\n", "");
	accept("f a same\nf a same\nf a same", "a 644 'same'\n", "");
	accept("d d\nd d/e\nf d/e/f 1\nf d/g 2\nh d/h d/g\nl d/l g\nd d/i\np d/i/p\nf d/.wh.x\nl d x",
		"d -> x\n", "");
	accept("d d\nf d/a 1\nl l d\nf l/a 2\nf d/a 3", "d dir 755\nd/a 644 '3'\nl -> d\n", "");

	unit_case("a thousand of them");
	for (i = 0; i < 1000; i++)
		buf_printf(&lines, "f n%d %d\n", i % 7, i);
	stream_of(&tar, lines.data);
	accept_stream(&tar,
		"n0 644 '994'\nn1 644 '995'\nn2 644 '996'\nn3 644 '997'\nn4 644 '998'\n"
		"n5 644 '999'\nn6 644 '993'\n",
		"");
	buf_free(&tar);
	buf_free(&lines);

	unit_case("a deep tree in the way");
	for (i = 0; i < 300; i++)
		buf_puts(&lines, "d/");
	buf_puts(&lines, "f");
	member(&tar, 'L', "x", lines.data);
	member(&tar, '0', "x", "deep");
	stream_of(&tar, "f d x");
	accept_stream(&tar, "d 644 'x'\n", "");
	buf_free(&tar);
	buf_free(&lines);
}

static void check_whiteouts(void)
{
	static const char *const bad[] = {
		"f .wh.",
		"f .wh..",
		"f .wh...",
		"f a/.wh.",
		"f a/.wh..",
		"f a/.wh...",
		"d .wh.",
	};
	size_t i;

	unit_case("whiteouts");
	accept("f .wh.a", "a whiteout\n", "");
	accept("d d\nf d/.wh.a content\nl .wh.b x", "b whiteout\nd dir 755\nd/a whiteout\n", "");
	accept("f d/.wh.a", "d dir 755 @0\nd/a whiteout\n", "implied d\n");
	accept("f .wh.a\nf .wh.a", "a whiteout\n", "");
	accept("f a x\nf .wh.a", "a 644 'x'\n", "");
	accept("f .wh.a\nf a x", "a 644 'x'\n", "");
	accept("l a x\nf .wh.a", "a -> x\n", "");
	accept("d a\nf a/f x\nf .wh.a", "a dir 755\na/f 644 'x'\n", "opaque a\n");
	accept("f .wh.a\nd a\nf a/f x", "a dir 755\na/f 644 'x'\n", "opaque a\n");
	accept("f .wh.a\nf a/f x", "a dir 755 @0\na/f 644 'x'\n", "opaque a\n");
	accept("f .wh.a\nf a x\nd a", "a dir 755\n", "");

	unit_case("opaque directories");
	accept("d d\nf d/.wh..wh..opq\nf d/x y", "d dir 755\nd/x 644 'y'\n", "opaque d\n");
	accept("f d/e/.wh..wh..opq", "d dir 755 @0\nd/e dir 755 @0\n",
		"opaque d/e\nimplied d\nimplied d/e\n");
	accept("f .wh..wh..opq\nf x y", "x 644 'y'\n", "opaque \n");
	refuse_lines("d d\nl l d\nf l/.wh..wh..opq", EPERM, "behind a symbolic link");

	unit_case("what aufs kept for itself is ignored");
	accept("d .wh..wh.plnk\nf .wh..wh.plnk/123.4 x\nf .wh..wh.aufs\nf d/.wh..wh.orph x\nh a .wh..wh.plnk/123.4",
		"", "link a .wh..wh.plnk/123.4\n");

	unit_case("whiteouts of no name, and names that others would take for whiteouts");
	for (i = 0; i < ARRAY_LEN(bad); i++)
		refuse_lines(bad[i], EPERM, "a whiteout of no name");
	refuse_lines("f .wh.a/b x", EPERM, "no last part");
	refuse_lines("d .wh.a/b", EPERM, "no last part");
	refuse_lines("l a .wh.b\nf a/x y", EPERM, "cannot be a directory");
	refuse_lines("l a .wh..wh.x/y\nf a/x y", EPERM, "cannot be a directory");
}

static void check_owners(void)
{
	struct buf tar = { 0 };

	if (geteuid() != 0) {
		unit_skip("owners and device nodes", "needs root");
		return;
	}
	unit_case("owners, with the bits that changing them would clear");
	accept("f f x\nm 6755\no 5 6\nd d\nm 2755\no 7 8\nl l x\no 9 10\np p\nm 4700\no 11 12\nf g x\no 1 0",
		"d dir 2755 7:8\nf 6755 'x' 5:6\ng 644 'x' 1:0\nl -> x 9:10\np fifo 4700 11:12\n",
		"");

	unit_case("device nodes");
	stream_of(&tar, "f n x\nf m x");
	device(&tar, '3', "n", 1, 3);
	device(&tar, '4', "b", 8, 1);
	accept_stream(&tar, "b block 8:1 1:2\nm 644 'x'\nn char 1:3 1:2\n", "");
	allow_devices = false;
	accept_stream(&tar, "m 644 'x'\nn 644 'x'\n",
		"skipped n device nodes cannot be made here\nskipped b device nodes cannot be made here\n");
	allow_devices = true;
	buf_clear(&tar);
	device(&tar, '3', "n", 0, 0);
	refuse_stream(&tar, EPERM, "character device 0:0");
	buf_free(&tar);
}

static void check_times(void)
{
	static const char *const records[] = { "mtime", "-1.25", NULL };
	struct buf tar = { 0 };
	struct unpacked u;
	struct stat st;
	char name[2] = "a";

	unit_case("times of every type, with ns and before 1970");
	for (; *name < 'd'; ++*name) {
		pax_of(&tar, records);
		if (*name == 'b')
			link_member(&tar, '2', name, "x");
		else
			header(&tar, *name == 'a' ? '0' : '5', name, 0);
	}
	stream_of(&tar, "f c/f x");
	CHECK(unpack_as(&u, "layer", &tar, 512) == 0);
	for (name[0] = 'a'; *name < 'd'; ++*name) {
		char path[8];

		snprintf(path, sizeof(path), "fs/%s", name);
		CHECK(fstatat(u.dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0);
		CHECK(st.st_mtim.tv_sec == -2 && st.st_mtim.tv_nsec == 750000000);
	}
	unpacked_free(&u);
	buf_free(&tar);
}

static ssize_t xattr_of(const struct unpacked *u, const char *path, const char *name, char *value)
{
	int fd = openat(u->dir, path, O_RDONLY | O_NOFOLLOW);
	ssize_t n = fgetxattr(fd, name, value, 64);

	close(fd);
	return n;
}

static void check_xattrs(void)
{
	static const char capability[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0";
	static const char *const dropped[] = { "trusted.overlay.opaque", "trusted.overlay.redirect",
		"trusted.overlay.metacopy", "user.overlay.opaque", "trusted.x", "security.selinux",
		"system.posix_acl_access", "security.ima", "other" };
	struct buf tar = { 0 }, records = { 0 };
	struct unpacked u;
	char value[64];
	size_t i;

	unit_case("attributes: user.* and file capabilities stay, all others are dropped");
	pax_add(&records, "SCHILY.xattr.user.note", "a\0b", 3);
	pax_add(&records, "SCHILY.xattr.user.empty", "", 0);
	pax_add(&records, "SCHILY.xattr.security.capability", capability, 20);
	for (i = 0; i < ARRAY_LEN(dropped); i++) {
		snprintf(value, sizeof(value), "SCHILY.xattr.%s", dropped[i]);
		pax_add(&records, value, "y", 1);
	}
	pax(&tar, &records);
	member(&tar, '0', "f", "content");
	pax(&tar, &records);
	header(&tar, '5', "d", 0);
	pax(&tar, &records);
	header(&tar, '5', "./", 0);
	pax(&tar, &records);
	link_member(&tar, '2', "l", "f");
	CHECK(unpack_as(&u, "layer", &tar, 512) == 0);
	if (u.notes.len > 0 && geteuid() != 0) {
		unit_skip("attributes are there", "not on this file system, or not without root");
	} else {
		CHECK(xattr_of(&u, "fs/f", "user.note", value) == 3 &&
			memcmp(value, "a\0b", 3) == 0);
		CHECK(xattr_of(&u, "fs/f", "user.empty", value) == 0);
		CHECK(xattr_of(&u, "fs/f", "security.capability", value) == 20);
		CHECK(xattr_of(&u, "fs/d", "user.note", value) == 3);
		CHECK(xattr_of(&u, "fs", "user.note", value) == 3);
		CHECK_STR(buf_str(&u.notes), "");
	}
	for (i = 0; i < ARRAY_LEN(dropped); i++) {
		CHECK(xattr_of(&u, "fs/f", dropped[i], value) < 0);
		CHECK(xattr_of(&u, "fs/d", dropped[i], value) < 0);
		CHECK(xattr_of(&u, "fs", dropped[i], value) < 0);
	}
	CHECK(rebuilds(u.dir, &tar));
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&records);
}

static void sparse_file(struct buf *tar, const char *name, const char *size)
{
	const char *const records[] = { "GNU.sparse.size", size, "GNU.sparse.map", "1,2,4,1",
		NULL };

	pax_of(tar, records);
	member(tar, '0', name, "abc");
	tarblock_put((uint8_t *)tar->data + tar->len - 1024, TAR_UID, 0);
	tarblock_put((uint8_t *)tar->data + tar->len - 1024, TAR_GID, 0);
	tarblock_put_sum((uint8_t *)tar->data + tar->len - 1024);
}

static void check_sparse(void)
{
	struct buf tar = { 0 };
	struct unpacked u;
	struct stat st;
	char got[8];
	int fd;

	unit_case("sparse files");
	sparse_file(&tar, "s", "7");
	CHECK(unpack_as(&u, "layer", &tar, 1) == 0);
	fd = openat(u.dir, "fs/s", O_RDONLY);
	CHECK(fd_read(fd, got, 8) == 7 && memcmp(got, "\0ab\0c\0\0", 7) == 0);
	close(fd);
	CHECK(rebuilds(u.dir, &tar));
	unpacked_free(&u);
	sparse_file(&tar, "s", "9");
	stream_of(&tar, "f s x\nf s y");
	accept_stream(&tar, "s 644 'y'\n", "");
	buf_clear(&tar);

	unit_case("holes count for the cap, as if they were read");
	limits.bytes = 100000;
	sparse_file(&tar, "s", "90000");
	CHECK(unpack_as(&u, "layer", &tar, 512) == 0);
	CHECK(fstatat(u.dir, "fs/s", &st, 0) == 0 && st.st_size == 90000);
	unpacked_free(&u);
	buf_clear(&tar);
	sparse_file(&tar, "s", "100000");
	refuse_stream(&tar, EFBIG, "larger than 100000");
	buf_clear(&tar);
	sparse_file(&tar, "s", "9223372036854775807");
	refuse_stream(&tar, EFBIG, "more than a layer may have");
	limits.bytes = 1u << 30;
	buf_free(&tar);
}

static void check_limits(void)
{
	struct layer_limits usual = limits;
	struct buf tar = { 0 }, gz = { 0 }, name = { 0 };
	struct unpacked u;
	int i;

	unit_case("bytes and entries at their caps and over them");
	stream_of(&tar, "f a x\nf b y\nd c");
	end_blocks(&tar);
	limits.bytes = tar.len;
	limits.entries = 3;
	accept_stream(&tar, "a 644 'x'\nb 644 'y'\nc dir 755\n", "");
	limits.bytes = tar.len - 1;
	refuse_stream(&tar, EFBIG, "larger than");
	limits.bytes = tar.len;
	limits.entries = 2;
	refuse_stream(&tar, EFBIG, "more than 2 entries");
	limits = usual;

	unit_case("the reserve of the file system");
	limits.reserve = UINT64_MAX;
	refuse_stream(&tar, ENOSPC, "reserve");
	limits = usual;
	buf_clear(&tar);

	unit_case("what grows to more than 1,000 times its size");
	sparse_file(&tar, "s", "110000000");
	compress(&gz, &tar);
	CHECK(unpack_as(&u, "layer", &gz, gz.len) == -EFBIG && strstr(fail_text(), "1000 times"));
	unpacked_free(&u);
	CHECK(unpack_as(&u, "layer", &tar, tar.len) == 0);
	unpacked_free(&u);
	buf_clear(&tar);

	unit_case("notes without end");
	for (i = 0; i < 2047; i++)
		buf_puts(&name, "d/");
	buf_puts(&name, "f");
	member(&tar, 'L', "x", name.data);
	header(&tar, '0', "x", 0);
	CHECK(unpack_as(&u, "layer", &tar, tar.len) == -EFBIG &&
		strstr(fail_text(), "no entry describes"));
	unpacked_free(&u);
	buf_clear(&tar);

	unit_case("hard links of one file replaced again and again");
	buf_clear(&name);
	while (name.len < 4000)
		buf_putc(&name, 'z');
	member(&tar, '0', "big", name.data);
	for (i = 0; i < 30; i++)
		stream_of(&tar, "h l big\nf l x");
	refuse_stream(&tar, EFBIG, "replaces too much");
	buf_free(&tar);
	buf_free(&gz);
	buf_free(&name);
}

static void check_input(void)
{
	static const char zstd[] = "\x28\xb5\x2f\xfd\0\0\0\0";
	struct buf one = { 0 }, two = { 0 }, gz = { 0 };
	struct unpacked u;
	struct digest want;
	size_t at;

	unit_case("several gzip members, digests of blob and stream");
	stream_of(&one, "f a x");
	stream_of(&two, "f b y");
	compress(&gz, &one);
	compress(&gz, &two);
	buf_add(&one, two.data, two.len);
	CHECK(unpack_as(&u, "layer", &gz, 5) == 0 && rebuilds(u.dir, &one));
	digest_of(&want, gz.data, gz.len);
	CHECK(digest_equal(&u.done.blob, &want) && u.done.gzip);
	digest_of(&want, one.data, one.len);
	CHECK(digest_equal(&u.done.diff_id, &want) && u.done.entries == 2);
	unpacked_free(&u);

	unit_case("compressed input cut anywhere is never taken for whole");
	for (at = 1; at < gz.len; at += 2) {
		struct buf part = { gz.data, at, gz.cap, 0, false };
		int r = unpack_as(&u, "layer", &part, 1000);

		/* But for the end of the first member: that is a whole layer. */
		CHECK(r == -EBADMSG || (r == 0 && u.done.tar_size == 1024));
		unpacked_free(&u);
	}

	unit_case("other compressions, noise, nothing");
	buf_clear(&gz);
	buf_add(&gz, zstd, 8);
	CHECK(unpack_as(&u, "layer", &gz, 1) == -ENOTSUP && strstr(fail_text(), "zstd"));
	unpacked_free(&u);
	buf_clear(&gz);
	buf_puts(&gz, "abc");
	CHECK(unpack_as(&u, "layer", &gz, 1) == -EBADMSG);
	unpacked_free(&u);
	buf_clear(&gz);
	CHECK(unpack_as(&u, "layer", &gz, 1) == 0 && u.done.entries == 0 && rebuilds(u.dir, &gz));
	unpacked_free(&u);
	buf_free(&one);
	buf_free(&two);
	buf_free(&gz);
}

static void check_rebuild(void)
{
	struct buf tar = { 0 }, out = { 0 };
	struct unpacked u;
	int fs;

	unit_case("a damaged layer is not rebuilt, and the file is named");
	stream_of(&tar, "d d\nf d/a hello\nf d/b world");
	CHECK(unpack_as(&u, "layer", &tar, 512) == 0);
	fs = openat(u.dir, "fs", O_RDONLY | O_DIRECTORY);
	write_file(fs, "d/a", "hellO");
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG &&
		strstr(fail_text(), "changed"));
	write_file(fs, "d/a", "hell");
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG && strstr(fail_text(), "'d/a'"));
	write_file(fs, "d/a", "hello!");
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG && strstr(fail_text(), "'d/a'"));
	unlinkat(fs, "d/a", 0);
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG && strstr(fail_text(), "'d/a'"));
	CHECK(mknodat(fs, "d/a", S_IFIFO | 0600, 0) == 0);
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG && strstr(fail_text(), "'d/a'"));
	unlinkat(fs, "d/a", 0);
	CHECK(symlinkat("b", fs, "d/a") == 0);
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG && strstr(fail_text(), "'d/a'"));
	unlinkat(fs, "d/a", 0);
	write_file(fs, "d/a", "hello");
	CHECK(rebuilds(u.dir, &tar));
	CHECK(symlinkat("d", fs, "e") == 0 && renameat(fs, "d", fs, "f") == 0 &&
		renameat(fs, "e", fs, "d") == 0);
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG && strstr(fail_text(), "'d/a'"));
	unlinkat(u.dir, "tar", 0);
	CHECK(layer_rebuild(u.dir, to_buf, &out, NULL) == -EBADMSG &&
		strstr(fail_text(), "record"));
	close(fs);
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&out);
}

int main(void)
{
	scratch_begin();
	check_escapes();
	check_names();
	check_odd();
	check_replaced();
	check_whiteouts();
	check_owners();
	check_times();
	check_xattrs();
	check_sparse();
	check_limits();
	check_input();
	check_rebuild();
	scratch_end();
	return unit_end();
}
