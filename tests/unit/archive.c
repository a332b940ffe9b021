/* SPDX-License-Identifier: MIT */
/* archive - unit test: lines of a hijacked reader, links between members, archives of every kind */
#include "engine/archive.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "kernel/proc.h"
#include "layerdir.h"

static struct store *store;

/* --- lines --- */

static int add_lines(struct archive *a, const char *lines, size_t len)
{
	*a = (struct archive){ .fd = -1 };
	return archive_add(a, lines, len);
}

#define AT ",\"offset\":512,\"size\":1}\n"

static void test_hostile_lines(void)
{
	static const struct {
		const char *lines;
		int result;
	} rows[] = {
		{ "", 0 },
		{ "{\"name\":\"a\"" AT, 0 },
		{ "{\"name\":\"a\"" AT "{\"name\":\"a\"" AT, 0 },
		{ "{\"name\":\"a\",\"more\":1" AT, 0 },
		{ "{\"name\":\"a\"" AT "{\"name\":\"b\"", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":512,\"size\":1}", -EBADMSG },
		{ "\n", -EBADMSG },
		{ "null\n", -EBADMSG },
		{ "[]\n", -EBADMSG },
		{ "{\"name\":1" AT, -EBADMSG },
		{ "{\"name\":null" AT, -EBADMSG },
		{ "{\"name\":\"a\",\"name\":\"b\"" AT, -EBADMSG },
		{ "{\"offset\":512,\"size\":1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"size\":1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":0}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":-1,\"size\":1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":0,\"size\":-1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":1.5,\"size\":1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":9223372036854775807,\"size\":0}\n", 0 },
		{ "{\"name\":\"a\",\"offset\":9223372036854775807,\"size\":1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":1,\"size\":9223372036854775807}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"offset\":9223372036854775808,\"size\":1}\n", -EBADMSG },
		{ "{\"name\":\"a\",\"link\":[]" AT, -EBADMSG },
		{ "{\"name\":\"a\",\"symlink\":{}" AT, -EBADMSG },
		{ "{\"name\":\"a\\u0000b\"" AT, -EBADMSG },
	};
	struct archive a;

	unit_case("lines that are none of ours are refused");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = add_lines(&a, rows[i].lines, strlen(rows[i].lines));

		if (r != rows[i].result)
			printf("# %s", rows[i].lines);
		CHECK(r == rows[i].result);
		archive_close(&a);
	}
	CHECK(add_lines(&a, "{\"name\":\"a\"}\n\0{\"name\":\"b\"}\n", 26) == -EBADMSG);
	archive_close(&a);
}

static void test_many_lines(void)
{
	auto_buf struct buf lines = { 0 }, name = { 0 };
	struct archive a;

	unit_case("more members than there may be");
	for (int i = 0; i < 10000; i++)
		buf_printf(&lines, "{\"name\":\"%d\"" AT, i);
	CHECK(add_lines(&a, lines.data, lines.len) == 0);
	CHECK(a.count == 10000 && archive_find(&a, "9999"));
	archive_close(&a);
	buf_puts(&lines, "{\"name\":\"one more\"" AT);
	CHECK(add_lines(&a, lines.data, lines.len) == -EFBIG);
	archive_close(&a);

	unit_case("a name longer than any path");
	for (int i = 0; i < 2100; i++)
		buf_puts(&name, "a/");
	buf_clear(&lines);
	buf_printf(&lines, "{\"name\":\"%s\"" AT, buf_str(&name));
	CHECK(add_lines(&a, lines.data, lines.len) == -EBADMSG);
	archive_close(&a);
	buf_clear(&lines);
	buf_printf(&lines, "{\"name\":\"a\",\"symlink\":\"%s\"" AT, buf_str(&name));
	CHECK(add_lines(&a, lines.data, lines.len) == -EBADMSG);
	archive_close(&a);
}

/* --- links --- */

/* Offset of the member that NAME leads to, -1 if to none. */
static long leads_to(const struct archive *a, const char *name)
{
	const struct archive_member *m = archive_find(a, name);

	return m ? (long)m->offset : -1;
}

#define FILE_AT(name, at) "{\"name\":\"" name "\",\"offset\":" #at ",\"size\":1}\n"
#define SYMLINK(name, to) "{\"name\":\"" name "\",\"symlink\":\"" to "\",\"offset\":0,\"size\":0}\n"
#define HARD(name, to)    "{\"name\":\"" name "\",\"link\":\"" to "\",\"offset\":0,\"size\":0}\n"

static void test_links(void)
{
	static const char lines[] = FILE_AT("a", 1) FILE_AT("dir/b", 2) FILE_AT("./c/", 3) FILE_AT(
		"../../d", 4) FILE_AT("twice", 5) FILE_AT("twice", 6) SYMLINK("dir/up", "../a")
		SYMLINK("dir/near", "b") SYMLINK("dir/top", "/a") SYMLINK("out", "../../../a")
			SYMLINK("nowhere", "x") SYMLINK("self", "self") SYMLINK("loop1", "loop2")
				SYMLINK("loop2", "loop1") HARD("hard", "dir/b") HARD(
					"dir/hard", "a") SYMLINK("l1", "a") SYMLINK("l2", "l1")
					SYMLINK("l3", "l2") SYMLINK("l4", "l3") SYMLINK("l5", "l4")
						SYMLINK("l6", "l5") SYMLINK("l7", "l6")
							SYMLINK("l8", "l7") SYMLINK("l9", "l8");
	struct archive a;

	CHECK(add_lines(&a, lines, sizeof(lines) - 1) == 0);
	unit_case("names are normalised, the last of a name counts");
	CHECK(leads_to(&a, "a") == 1 && leads_to(&a, "dir/b") == 2 && leads_to(&a, "c") == 3);
	CHECK(leads_to(&a, "d") == 4 && leads_to(&a, "twice") == 6);
	CHECK(leads_to(&a, "b") == -1 && leads_to(&a, "") == -1);
	unit_case("links are followed inside the archive");
	CHECK(leads_to(&a, "dir/up") == 1 && leads_to(&a, "dir/near") == 2);
	CHECK(leads_to(&a, "dir/top") == 1 && leads_to(&a, "out") == 1);
	CHECK(leads_to(&a, "hard") == 2 && leads_to(&a, "dir/hard") == 1);
	unit_case("links to nowhere, in circles and of more than eight steps lead to nothing");
	CHECK(leads_to(&a, "nowhere") == -1 && leads_to(&a, "self") == -1);
	CHECK(leads_to(&a, "loop1") == -1 && leads_to(&a, "loop2") == -1);
	CHECK(leads_to(&a, "l8") == 1 && leads_to(&a, "l9") == -1);
	archive_close(&a);
}

static void test_read(void)
{
	static const char lines[] =
		"{\"name\":\"all\",\"offset\":0,\"size\":10}\n"
		"{\"name\":\"none\",\"offset\":10,\"size\":0}\n"
		"{\"name\":\"over\",\"offset\":5,\"size\":6}\n"
		"{\"name\":\"far\",\"offset\":9223372036854775806,\"size\":1}\n"
		"{\"name\":\"huge\",\"offset\":0,\"size\":9223372036854775807}\n";
	auto_buf struct buf out = { 0 };
	struct archive a;

	CHECK(add_lines(&a, lines, sizeof(lines) - 1) == 0);
	a.fd = fresh_file("content", false);
	CHECK(write(a.fd, "0123456789", 10) == 10);
	unit_case("reads a member that is whole");
	buf_puts(&out, "> ");
	CHECK(archive_read(&a, "all", 10, &out) == 0 && archive_read(&a, "none", 0, &out) == 0);
	CHECK_STR(buf_str(&out), "> 0123456789");
	unit_case("refuses one that is larger than allowed, not whole, or not there");
	CHECK(archive_read(&a, "all", 9, &out) == -EFBIG);
	CHECK(archive_read(&a, "huge", 1 << 20, &out) == -EFBIG);
	CHECK(archive_read(&a, "over", 10, &out) == -EBADMSG);
	CHECK(archive_read(&a, "far", 10, &out) < 0);
	CHECK(archive_read(&a, "other", 10, &out) == -ENOENT);
	CHECK(out.len == 12);
	archive_close(&a);
}

/* --- whole archives --- */

static bool nothing_left(void)
{
	DIR *d = fdopendir(openat(store->tmp, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n == 0;
}

/* Open BYTES as a file, or through a pipe after FIRST bytes of it were read. */
static int open_bytes(struct archive *a, const struct buf *bytes, bool piped, size_t first)
{
	int pipes[2], status, r;
	pid_t pid;

	if (!piped) {
		int fd = fresh_file("archive", true);

		CHECK(fd_write(fd, buf_str(bytes), bytes->len) == 0 && lseek(fd, 0, SEEK_SET) == 0);
		return archive_open(a, store, fd, NULL, 0);
	}
	CHECK(pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		close(pipes[0]);
		fd_write(pipes[1], buf_str(bytes) + first, bytes->len - first);
		_exit(0);
	}
	close(pipes[1]);
	r = archive_open(a, store, pipes[0], bytes->data, first);
	proc_wait(pid, &status);
	return r;
}

static bool holds(const struct archive *a)
{
	auto_buf struct buf out = { 0 };

	return archive_read(a, "dir/file", 100, &out) == 0 && strcmp(buf_str(&out), "content") == 0;
}

static void test_open(void)
{
	auto_buf struct buf tar = { 0 }, gz = { 0 };
	struct archive a;

	stream_of(&tar, "d dir\nf dir/file content\nl link dir/file\nf last x\n");
	end_blocks(&tar);
	compress(&gz, &tar);
	unit_case("a plain file stays where it is");
	CHECK(open_bytes(&a, &tar, false, 0) == 0 && holds(&a) && a.count == 3);
	archive_close(&a);
	unit_case("a compressed one, and one on a pipe, is copied and leaves nothing");
	CHECK(open_bytes(&a, &gz, false, 0) == 0 && holds(&a) && nothing_left());
	archive_close(&a);
	CHECK(open_bytes(&a, &tar, true, 0) == 0 && holds(&a) && nothing_left());
	archive_close(&a);
	CHECK(open_bytes(&a, &tar, true, 700) == 0 && holds(&a));
	archive_close(&a);
	CHECK(open_bytes(&a, &gz, true, 0) == 0 && holds(&a));
	archive_close(&a);
	CHECK(open_bytes(&a, &gz, true, gz.len) == 0 && holds(&a));
	archive_close(&a);
}

/* What the confined reader says comes through, and nothing stays open or lies about. */
static void refuse_archive(const struct buf *bytes, int want, const char *why)
{
	int before = dup(0), after;
	struct archive a;

	close(before);
	for (int piped = 0; piped < 2; piped++) {
		CHECK(open_bytes(&a, bytes, piped, 0) == want);
		if (!strstr(fail_text(), why))
			printf("# got '%s', wanted '%s'\n", fail_text(), why);
		CHECK(strstr(fail_text(), why) && a.fd == -1 && !a.members && nothing_left());
	}
	after = dup(0);
	CHECK(before == after);
	close(after);
}

static void test_refuse(void)
{
	auto_buf struct buf tar = { 0 }, gz = { 0 }, cut = { 0 };

	stream_of(&tar, "f file content\n");
	end_blocks(&tar);
	compress(&gz, &tar);
	unit_case("says what is wrong with an archive");
	buf_add(&cut, tar.data, 515);
	refuse_archive(&cut, -EBADMSG, "cut short");
	buf_clear(&cut);
	buf_add(&cut, gz.data, gz.len - 1);
	refuse_archive(&cut, -EBADMSG, "");
	buf_add(&cut, "noise", 5);
	refuse_archive(&cut, -EBADMSG, "");
	tar.data[0] ^= 1;
	refuse_archive(&tar, -EBADMSG, "checksum");
}

static void test_too_many(void)
{
	auto_buf struct buf tar = { 0 };
	char name[32];

	unit_case("an archive of too many members, or too long names");
	for (int i = 0; i <= 10000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		header(&tar, '0', name, 0);
	}
	refuse_archive(&tar, -EFBIG, "too many members");
	buf_clear(&tar);
	for (int i = 0; i < 1100; i++) {
		/* In JSON each of these bytes takes six. */
		uint8_t *h = header(&tar, 'L', "././@LongLink", 1000);
		char bytes[1024] = { 0 };

		(void)h;
		memset(bytes, '\1', 999);
		buf_add(&tar, bytes, sizeof(bytes));
		header(&tar, '0', "x", 0);
	}
	refuse_archive(&tar, -EFBIG, "too many members");
}

static void test_sniff(void)
{
	static const struct {
		const char *lines;
		int image;
	} rows[] = {
		{ "f index.json x\n", 1 },
		{ "f oci-layout x\n", 1 },
		{ "f manifest.json x\n", 1 },
		{ "d blobs/\n", 1 },
		{ "f blobs/sha256/aa x\n", 1 },
		{ "d ./\nf ./oci-layout x\n", 1 },
		{ "d ./\nd ./blobs/\n", 1 },
		{ "f 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.json x\n",
			1 },
		{ "f 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde x\n", 0 },
		{ "d ./\nd ./bin/\n", 0 },
		{ "d ./\n", 0 },
		{ "f bin/sh x\n", 0 },
		{ "f index.jsonx x\n", 0 },
	};

	unit_case("tells archives of images from root file systems");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf tar = { 0 }, gz = { 0 };

		stream_of(&tar, rows[i].lines);
		end_blocks(&tar);
		compress(&gz, &tar);
		if (archive_sniff(tar.data, tar.len) != rows[i].image)
			printf("# %s", rows[i].lines);
		CHECK(archive_sniff(tar.data, tar.len) == rows[i].image);
		CHECK(archive_sniff(gz.data, gz.len) == rows[i].image);
	}
	CHECK(archive_sniff("x", 1) == 0 && archive_sniff("\x1f\x8b\x08\0\0\0", 6) == 0);
	CHECK(archive_sniff("\x1f\x8b\x08\0\0\0\0\0\0\3noise", 15) == 0);
}

int main(void)
{
	char path[300];

	scratch_begin();
	test_hostile_lines();
	test_many_lines();
	test_links();
	test_read();
	snprintf(path, sizeof(path), "%s/store", scratch_path);
	if (geteuid() != 0) {
		unit_skip("opens archives", "needs root");
	} else if (store_open(&store, path, STORE_WRITE) == 0) {
		test_sniff();
		test_open();
		test_refuse();
		test_too_many();
		store_close(store);
	} else {
		CHECK(!"a store");
	}
	unit_case("leaves what lies beside alone");
	CHECK(canary_lives());
	scratch_end();
	return unit_end();
}
