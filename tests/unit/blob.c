/* SPDX-License-Identifier: MIT */
/* blob - unit tests */
#include "service/blob.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fail.h"
#include "kernel/path.h"
#include "service/db.h"
#include "unit.h"

static char top[] = "/tmp/unit-blob.XXXXXX";

static void overwrite(struct store *s, const struct digest *d, const char *text)
{
	char name[DIGEST_TEXT];
	int fd;

	digest_hex(name, d);
	fchmodat(s->blobs, name, 0600, 0);
	fd = openat(s->blobs, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void check_put(struct store *s)
{
	auto_buf struct buf text = { 0 };
	struct digest d, other = { 0 };
	char name[DIGEST_TEXT];
	struct stat st;

	unit_case("what is put is got, and cannot be written");
	CHECK(blob_put(s, "hello", 5, &d) == 0);
	digest_hex(name, &d);
	CHECK_STR(name, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	CHECK(fstatat(s->blobs, name, &st, 0) == 0 && (st.st_mode & 0777) == 0444);
	buf_puts(&text, "say ");
	CHECK(blob_get(s, &d, 5, &text) == 0);
	CHECK_STR(buf_str(&text), "say hello");
	CHECK(blob_put(s, "hello", 5, NULL) == 0 && blob_exists(s, &d));
	CHECK(blob_put(s, "", 0, &other) == 0 && blob_exists(s, &other));

	unit_case("limits and absence");
	buf_clear(&text);
	CHECK(blob_get(s, &d, 4, &text) == -EFBIG);
	other.bytes[0] ^= 1;
	CHECK(blob_get(s, &other, 10, &text) == -ENOENT && blob_open(s, &other) == -ENOENT);
	CHECK(!blob_exists(s, &other) && blob_remove(s, &other) == 0);
	other.algorithm = DIGEST_SHA512;
	CHECK(blob_open(s, &other) == -EOPNOTSUPP && !blob_exists(s, &other));

	unit_case("damage is noticed and repaired by putting it again");
	overwrite(s, &d, "jello");
	buf_clear(&text);
	CHECK(blob_get(s, &d, 5, &text) == -EBADMSG && strstr(fail_text(), name));
	CHECK(blob_put(s, "hello", 5, NULL) == 0);
	buf_clear(&text);
	CHECK(blob_get(s, &d, 5, &text) == 0);
	overwrite(s, &d, "much longer than it was");
	CHECK(blob_put(s, "hello", 5, NULL) == 0);
	buf_clear(&text);
	CHECK(blob_get(s, &d, 5, &text) == 0);

	unit_case("a link or a directory in its place is no blob");
	CHECK(blob_remove(s, &d) == 0 && !blob_exists(s, &d));
	CHECK(symlinkat("/etc/passwd", s->blobs, name) == 0 && !blob_exists(s, &d) &&
		blob_open(s, &d) < 0);
	CHECK(blob_remove(s, &d) == 0);
}

static void check_adopt(struct store *s)
{
	auto_buf struct buf text = { 0 };
	struct digest d;
	struct stat st;
	char name[DIGEST_TEXT];
	int fd;

	unit_case("adopts a finished file");
	digest_of(&d, "big", 3);
	digest_hex(name, &d);
	fd = openat(s->tmp, "part", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(write(fd, "big", 3) == 3);
	close(fd);
	CHECK(blob_adopt(s, s->tmp, "part", &d) == 0);
	CHECK(faccessat(s->tmp, "part", F_OK, 0) < 0 && blob_get(s, &d, 3, &text) == 0);
	CHECK(fstatat(s->blobs, name, &st, 0) == 0 && (st.st_mode & 0777) == 0444);
	CHECK(blob_adopt(s, s->tmp, "part", &d) == -ENOENT);
}

/* A pull asks for a blob while the garbage collector is between its decision and the removal. */
static void check_deleting(struct store *s)
{
	static const struct timespec pause = { .tv_nsec = 50000000 };
	char text[DIGEST_TEXT];
	struct digest d;
	int lock, status = 0;

	unit_case("who asks for a blob that is being removed waits for the answer");
	CHECK(blob_put(s, "going", 5, &d) == 0 && store_db(s) == 0);
	digest_format(text, &d);
	CHECK(db_exec(s->db, "INSERT OR REPLACE INTO blob VALUES(?,5,'',NULL,'deleting',0)", "s",
		      text) == 0);
	lock = store_lock_index(s);
	pid_t pid = fork();

	if (pid == 0) {
		struct store *mine;

		close(lock);
		if (store_open(&mine, s->path, STORE_WRITE) < 0 || store_db(mine) < 0)
			_exit(2);
		_exit(blob_exists(mine, &d));
	}
	nanosleep(&pause, NULL);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	CHECK(blob_remove(s, &d) == 0);
	close(lock);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	struct store *s;
	char path[64];

	if (!mkdtemp(top))
		return 1;
	snprintf(path, sizeof(path), "%s/s", top);
	if (store_open(&s, path, STORE_WRITE) < 0) {
		printf("# %s\n", fail_text());
		return 1;
	}
	check_put(s);
	check_adopt(s);
	check_deleting(s);
	store_close(s);
	/* From inside: /tmp may be a mount of its own. */
	CHECK(chdir("/tmp") == 0 && path_remove_tree(AT_FDCWD, top + strlen("/tmp/")) == 0);
	return unit_end();
}
