/* SPDX-License-Identifier: MIT */
/* sparse - unit tests, through the tar reader */
#include "format/sparse.h"

#include "tarseen.h"

static void old_piece(uint8_t *at, uint64_t offset, uint64_t len)
{
	tarblock_put(at, 0, 12, offset);
	tarblock_put(at, 12, 12, len);
}

static void check_sparse_old(void)
{
	struct buf tar = { 0 };
	uint8_t more[TAR_BLOCK_SIZE] = { 0 };
	uint8_t *h;

	unit_case("old GNU sparse files");
	h = header(&tar, 'S', "s", 4);
	memcpy(h + 257, "ustar  ", 8);
	old_piece(h + 386, 1, 2);
	old_piece(h + 410, 100, 2);
	old_piece(h + 434, 1000, 0);
	tarblock_put(h, TAR_REAL_SIZE, 1000);
	tarblock_put_sum(h);
	content(&tar, "abcd", 4);
	expect(&tar, "f s 644 1:2 3000000000 1000 [1+2] [100+2] [1000+0]\n@1 ab@100 cd.\n");

	unit_case("old GNU sparse files that lie");
	h = (uint8_t *)tar.data;
	tarblock_put(h, TAR_REAL_SIZE, 999);
	tarblock_put_sum(h);
	refuse(&tar, "beyond the file");
	tarblock_put(h, TAR_REAL_SIZE, 1000);
	old_piece(h + 386, 99, 2);
	tarblock_put_sum(h);
	refuse(&tar, "out of order");
	old_piece(h + 386, 1, 3);
	tarblock_put_sum(h);
	refuse(&tar, "does not fit");
	memcpy(h + 386, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	tarblock_put_sum(h);
	refuse(&tar, "beyond the file");
	memcpy(h + 483, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	tarblock_put_sum(h);
	refuse(&tar, "beyond the file");
	memset(h + 386, 'z', 24);
	tarblock_put_sum(h);
	refuse(&tar, "damaged sparse map");
	buf_clear(&tar);

	unit_case("old GNU sparse files of more pieces");
	h = header(&tar, 'S', "s", 6);
	old_piece(h + 386, 0, 1);
	old_piece(h + 410, 10, 1);
	old_piece(h + 434, 20, 1);
	old_piece(h + 458, 30, 1);
	h[482] = 1;
	tarblock_put(h, TAR_REAL_SIZE, 60);
	tarblock_put_sum(h);
	old_piece(more, 40, 1);
	more[504] = 1;
	buf_add(&tar, more, sizeof(more));
	old_piece(more, 50, 1);
	more[504] = 0;
	buf_add(&tar, more, sizeof(more));
	content(&tar, "abcdef", 6);
	expect(&tar,
		"f s 644 1:2 3000000000 60 [0+1] [10+1] [20+1] [30+1] [40+1] [50+1]\n"
		"@0 a@10 b@20 c@30 d@40 e@50 f.\n");
	tar.len = 1024;
	refuse(&tar, "cut short");
	buf_free(&tar);
}

static void check_sparse_pax(void)
{
	static const char *const v00[] = {
		"GNU.sparse.size",
		"50",
		"GNU.sparse.numblocks",
		"2",
		"GNU.sparse.offset",
		"0",
		"GNU.sparse.numbytes",
		"2",
		"GNU.sparse.offset",
		"40",
		"GNU.sparse.numbytes",
		"1",
		NULL,
	};
	static const char *const v01[] = {
		"GNU.sparse.size",
		"50",
		"GNU.sparse.name",
		"real",
		"GNU.sparse.map",
		"5,2,40,1",
		NULL,
	};
	static const char *const v10[] = {
		"GNU.sparse.major",
		"1",
		"GNU.sparse.minor",
		"0",
		"GNU.sparse.name",
		"real",
		"GNU.sparse.realsize",
		"50",
		NULL,
	};
	static const char *const bad[][5] = {
		{ "GNU.sparse.major", "2", "GNU.sparse.minor", "0" },
		{ "GNU.sparse.major", "1", "GNU.sparse.minor", "1" },
		{ "GNU.sparse.map", "1" },
		{ "GNU.sparse.map", "1," },
		{ "GNU.sparse.map", ",1" },
		{ "GNU.sparse.map", "0,3," },
		{ "GNU.sparse.map", "0,3 " },
		{ "GNU.sparse.map", "0,-3" },
		{ "GNU.sparse.map", "0,4" },
		{ "GNU.sparse.map", "1,2" },
		{ "GNU.sparse.map", "0,2,1,1" },
		{ "GNU.sparse.map", "2,1,0,2" },
		{ "GNU.sparse.map", "18446744073709551615,3" },
		{ "GNU.sparse.map", "9999999999999999999999,3" },
		{ "GNU.sparse.offset", "0" },
		{ "GNU.sparse.numbytes", "0" },
		{ "GNU.sparse.offset", "0", "GNU.sparse.offset", "0" },
		{ "GNU.sparse.size", "2", "GNU.sparse.map", "0,3" },
		{ "GNU.sparse.size", "-3", "GNU.sparse.map", "0,3" },
	};
	static const char *const maps[] = {
		"",
		"\n",
		"x\n",
		"1\n0\n4\n",
		"2\n0\n3\n",
		"1\n0\n",
		"-1\n",
		"70000\n",
		"1\n0\n3 \n",
		"99999999999999999999\n",
		"2\n1\n1\n0\n2\n",
	};
	struct buf tar = { 0 };
	char map[TAR_BLOCK_SIZE];
	size_t i;

	unit_case("GNU sparse 0.0, 0.1 and 1.0");
	pax_of(&tar, v00);
	member(&tar, '0', "s", "abc");
	pax_of(&tar, v01);
	member(&tar, '0', "s", "abc");
	pax_of(&tar, v10);
	header(&tar, '0', "s", 515);
	content(&tar, "2\n7\n2\n40\n1\n", 11);
	content(&tar, "abc", 3);
	expect(&tar,
		"f s 644 1:2 3000000000 50 [0+2] [40+1]\n@0 ab@40 c.\n"
		"f real 644 1:2 3000000000 50 [5+2] [40+1]\n@5 ab@40 c.\n"
		"f real 644 1:2 3000000000 50 [7+2] [40+1]\n@7 ab@40 c.\n");
	buf_clear(&tar);
	pax_of(&tar, v10);
	header(&tar, '0', "hole", 512);
	content(&tar, "0\n", 2);
	expect(&tar, "f real 644 1:2 3000000000 50\n.\n");
	buf_clear(&tar);

	unit_case("damaged PAX sparse maps");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		pax_of(&tar, bad[i]);
		member(&tar, '0', "s", "abc");
		refuse(&tar, "sparse");
		buf_clear(&tar);
	}
	pax_of(&tar, v01);
	header(&tar, '5', "d", 0);
	refuse(&tar, "no file");
	buf_clear(&tar);
	pax_of(&tar, v01);
	header(&tar, 'S', "d", 0);
	refuse(&tar, "two sparse maps");
	buf_clear(&tar);

	unit_case("damaged sparse maps in the content");
	for (i = 0; i < ARRAY_LEN(maps); i++) {
		memset(map, 0, sizeof(map));
		memcpy(map, maps[i], strlen(maps[i]));
		pax_of(&tar, v10);
		header(&tar, '0', "s", 515);
		buf_add(&tar, map, sizeof(map));
		content(&tar, "abc", 3);
		refuse(&tar, "sparse");
		buf_clear(&tar);
	}
	pax_of(&tar, v10);
	header(&tar, '0', "s", 511);
	content(&tar, "0\n", 2);
	refuse(&tar, "cut short");
	buf_free(&tar);
}

static void check_sparse_limit(void)
{
	struct buf tar = { 0 }, map = { 0 };
	struct seen s = { 0 };
	const char *records[] = { "GNU.sparse.size", "99999999", "GNU.sparse.map", NULL, NULL };
	size_t i;

	unit_case("sparse files of too many pieces");
	for (i = 0; i < 65537; i++) {
		if (i == 65536) {
			records[3] = buf_str(&map);
			pax_of(&tar, records);
			header(&tar, '0', "s", 0);
			CHECK(read_in(&s, &tar, tar.len) == 0);
			buf_clear(&tar);
		}
		buf_printf(&map, "%s%zu,0", i ? "," : "", i);
	}
	records[3] = buf_str(&map);
	pax_of(&tar, records);
	header(&tar, '0', "s", 0);
	CHECK(read_in(&s, &tar, tar.len) == -EBADMSG && strstr(fail_text(), "65536 pieces"));
	seen_free(&s);
	buf_free(&tar);
	buf_free(&map);
}

int main(void)
{
	check_sparse_old();
	check_sparse_pax();
	check_sparse_limit();
	return unit_end();
}
