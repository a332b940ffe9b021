/* SPDX-License-Identifier: MIT */
/* tar - unit tests of the writer: what it makes reads back the same */
#include "format/tar.h"

#include "tarseen.h"

static void check_writer_names(void)
{
	struct buf tar = { 0 }, want = { 0 };
	char name[TAR_NAME_MAX + 2];
	struct tar_entry e = { .type = TAR_DIR, .name = name, .link = "", .user = "", .group = "" };
	size_t len;

	unit_case("writer: names of every length, with and without slashes");
	for (len = 1; len <= TAR_NAME_MAX; len += len < 300 ? 1 : 379) {
		memset(name, 'x', len);
		name[len] = '\0';
		if (len % 2)
			memset(name + len / 2, '/', 1);
		buf_clear(&tar);
		buf_clear(&want);
		CHECK(tar_format(&tar, &e) == 0);
		buf_printf(&want, "d %s 0 0:0 0 0\n", name);
		expect(&tar, buf_str(&want));
		CHECK((tar.len == TAR_BLOCK_SIZE) ==
			(len <= 100 || (len % 2 && len / 2 <= 155 && len < 202)));
	}
	memset(name, 'x', TAR_NAME_MAX + 1);
	name[TAR_NAME_MAX + 1] = '\0';
	CHECK(tar_format(&tar, &e) == -EINVAL);
	e.name = "";
	CHECK(tar_format(&tar, &e) == -EINVAL);
	buf_free(&tar);
	buf_free(&want);
}

static void check_writer(void)
{
	static const struct tar_xattr xattrs[] = {
		{ "user.a", (const uint8_t *)"x=\ny", 4 },
		{ "security.capability", (const uint8_t *)"q\0r", 3 },
	};
	static const struct tar_xattr equal = { "user.a=b", (const uint8_t *)"", 0 };
	struct tar_entry e = { .type = TAR_FILE,
		.name = "f",
		.link = "",
		.mode = 06755,
		.uid = 2097151,
		.gid = 2097152,
		.user = "",
		.group = "",
		.mtime = 8589934591000000000,
		.size = 8589934591 };
	struct tar_sparse piece = { 0, 0 };
	struct buf tar = { 0 };

	unit_case("writer: every fact comes back");
	CHECK(tar_format(&tar, &e) == 0);
	content(&tar, "", 0);
	tar.len = 0;
	e.size = 4;
	e.xattrs = xattrs;
	e.xattr_count = 2;
	e.user = "someone with a name of more than thirty-two bytes";
	CHECK(tar_format(&tar, &e) == 0);
	content(&tar, "abcd", 4);
	e = (struct tar_entry){ .type = TAR_CHAR,
		.name = "c",
		.link = "",
		.user = "u",
		.group = "g",
		.uid = 4294967294,
		.mtime = -1,
		.major = 4095,
		.minor = 1048575 };
	CHECK(tar_format(&tar, &e) == 0);
	e = (struct tar_entry){ .type = TAR_SYMLINK,
		.name = "s",
		.user = "",
		.group = "",
		.link = "/a/b",
		.mode = 0777,
		.mtime = 1500000000 };
	CHECK(tar_format(&tar, &e) == 0);
	end_blocks(&tar);
	expect(&tar,
		"f f 6755 2097151:2097152 8589934591000000000 4 "
		"someone with a name of more than thirty-two bytes/ user.a=4:x=\ny "
		"security.capability=3:q\n@0 abcd.\n"
		"c c 0 4294967294:0 -1 0 dev 4095,1048575 u/g\ns s->/a/b 777 0:0 1500000000 0\n");
	buf_clear(&tar);

	unit_case("writer: sizes that ustar cannot say");
	e = (struct tar_entry){ .type = TAR_FILE,
		.name = "f",
		.link = "",
		.user = "",
		.group = "",
		.size = 8589934591 };
	CHECK(tar_format(&tar, &e) == 0 && tar.len == 512);
	e.size = 8589934592;
	CHECK(tar_format(&tar, &e) == 0 && tar.len == 512 + 1536);
	CHECK(memcmp(tar.data + 1024, "19 size=8589934592\n", 19) == 0);

	unit_case("writer: what tar cannot hold");
	e.xattrs = &equal;
	e.xattr_count = 1;
	CHECK(tar_format(&tar, &e) == -EINVAL);
	e.xattr_count = 0;
	e.sparse = &piece;
	CHECK(tar_format(&tar, &e) == -EINVAL);
	buf_free(&tar);
}

static void check_pax_add(void)
{
	struct buf b = { 0 };
	char value[1000];
	size_t len;

	unit_case("lengths of PAX records count themselves");
	memset(value, 'v', sizeof(value));
	for (len = 0; len < sizeof(value); len++) {
		buf_clear(&b);
		pax_add(&b, "k", value, len);
		CHECK((size_t)atoi(b.data) == b.len);
	}
	buf_free(&b);
}

int main(void)
{
	check_writer_names();
	check_writer();
	check_pax_add();
	return unit_end();
}
