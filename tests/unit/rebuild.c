/* SPDX-License-Identifier: MIT */
/* rebuild - unit tests with real archives: what GNU tar writes comes back to the last byte */
#include <sys/wait.h>

#include "layerdir.h"

/* Run ARGV in the scratch directory; its status, stdout in OUT. */
static int run(const char *const *argv, struct buf *out)
{
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		char *copy[24] = { 0 };
		size_t i;

		for (i = 0; argv[i]; i++)
			copy[i] = strdup(argv[i]);
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		if (fchdir(scratch) < 0)
			_exit(127);
		execvp(copy[0], copy);
		_exit(127);
	}
	close(fds[1]);
	CHECK(fd_read_all(fds[0], out, 512 << 20) == 0);
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A tree with one of each, long names, holes, sizes around the block. */
static void make_tree(void)
{
	struct buf tar = { 0 }, name = { 0 };
	struct unpacked u;
	char content[1600];
	int i, fd;

	memset(content, 'c', sizeof(content));
	for (i = 0; i < 60; i++) {
		buf_clear(&name);
		buf_printf(&name, "dir%d/", i % 7);
		while (name.len < (size_t)(i * 4))
			buf_puts(&name, name.len % 50 == 0 ? "/" : "n");
		buf_printf(&name, "f%d", i);
		member(&tar, 'L', "x", name.data);
		content[i * 26] = '\0';
		member(&tar, '0', "x", content);
		content[i * 26] = 'c';
	}
	stream_of(&tar, "d d\nm 1777\nl d/l ../target\nh d/h d/l\np p\nf \xff\xfe x");
	CHECK(unpack_as(&u, "tree", &tar, 10000) == 0);
	fd = openat(u.dir, "fs/sparse", O_WRONLY | O_CREAT, 0600);
	CHECK(pwrite(fd, "x", 1, 100000) == 1 && pwrite(fd, "y", 1, 300000) == 1);
	CHECK(ftruncate(fd, 500000) == 0);
	fsetxattr(fd, "user.x", "y", 1, 0);
	close(fd);
	unpacked_free(&u);
	buf_free(&tar);
	buf_free(&name);
}

static void round_trip(const char *const *argv)
{
	struct buf tar = { 0 }, tree = { 0 }, got = { 0 };
	struct unpacked u;
	size_t pieces[] = { 1000000, 511 }, i;

	CHECK(run(argv, &tar) == 0 && tar.len > 10240);
	for (i = 0; i < ARRAY_LEN(pieces); i++) {
		int r = unpack_as(&u, "layer", &tar, pieces[i]);

		if (r < 0)
			printf("# %s\n", fail_text());
		CHECK(r == 0);
		CHECK(rebuilds(u.dir, &tar));
		buf_clear(&tree);
		buf_clear(&got);
		describe(&tree, scratch, "tree/fs");
		describe(&got, u.dir, "fs");
		if (strcmp(buf_str(&tree), buf_str(&got)) != 0)
			printf("# %s\n---\n%s\n", buf_str(&tree), buf_str(&got));
		CHECK(strcmp(buf_str(&tree), buf_str(&got)) == 0);
		unpacked_free(&u);
	}
	buf_free(&tar);
	buf_free(&tree);
	buf_free(&got);
}

int main(void)
{
	static const char *const rows[][4] = {
		{ "GNU format", "--format=gnu" },
		{ "GNU format, sparse", "--format=gnu", "-S" },
		{ "old GNU format", "--format=oldgnu" },
		{ "PAX format with attributes", "--format=posix", "--xattrs" },
		{ "PAX format, sparse 0.0", "--format=posix", "-S", "--sparse-version=0.0" },
		{ "PAX format, sparse 0.1", "--format=posix", "-S", "--sparse-version=0.1" },
		{ "PAX format, sparse 1.0", "--format=posix", "-S", "--sparse-version=1.0" },
	};
	struct buf version = { 0 };
	size_t i, j;

	scratch_begin();
	if (run((const char *const[]){ "tar", "--version", NULL }, &version) != 0 ||
		!strstr(buf_str(&version), "GNU tar")) {
		unit_skip("archives of GNU tar", "there is none");
		buf_free(&version);
		scratch_end();
		return unit_end();
	}
	buf_free(&version);
	make_tree();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *argv[12] = { "tar", "-C", "tree/fs", "-cf", "-" };
		size_t n = 5;

		for (j = 1; j < 4 && rows[i][j]; j++)
			argv[n++] = rows[i][j];
		argv[n] = ".";
		unit_case(rows[i][0]);
		round_trip(argv);
	}
	scratch_end();
	return unit_end();
}
