/* SPDX-License-Identifier: MIT */
/* blob - files named by the digest of their content */
#include "service/blob.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "service/db.h"

/* File name of D. Only SHA-256 is kept: blobs/ has one folder. */
static int blob_name(char *out, const struct digest *d)
{
	char text[DIGEST_TEXT];

	digest_hex(out, d);
	if (d->algorithm == DIGEST_SHA256)
		return 0;
	digest_format(text, d);
	return fail(EOPNOTSUPP, "blob '%s': only sha256 can be kept", text);
}

/* Nobody writes a blob again (security.md I2). */
static int seal(struct store *s, const char *name)
{
	if (fchmodat(s->blobs, name, 0444, 0) < 0)
		return fail_errno("protect blob '%s'", name);
	return 0;
}

int blob_put(struct store *s, const void *data, size_t len, struct digest *out)
{
	char name[DIGEST_TEXT];
	struct digest d;
	struct buf old = { 0 };
	int r;

	digest_of(&d, data, len);
	digest_hex(name, &d);
	r = file_create(s->tmp, s->blobs, name, data, len);
	if (r == -EEXIST) {
		/* What lies there is believed only after a look: a damaged file is replaced. */
		r = blob_get(s, &d, len, &old);
		buf_free(&old);
		if (r < 0)
			r = file_replace(s->tmp, s->blobs, name, data, len);
	}
	if (r == 0)
		r = seal(s, name);
	if (r < 0)
		return fail_wrap(r, "keep blob '%s'", name);
	if (out)
		*out = d;
	return 0;
}

int blob_open(struct store *s, const struct digest *d)
{
	char name[DIGEST_TEXT];
	int fd, r;

	r = blob_name(name, d);
	if (r < 0)
		return r;
	fd = openat(s->blobs, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 ? fd : fail_errno("open blob 'sha256:%s'", name);
}

int blob_get(struct store *s, const struct digest *d, size_t max, struct buf *out)
{
	char name[DIGEST_TEXT];
	struct digest is;
	size_t before = out->len;
	int r;

	r = blob_name(name, d);
	if (r == 0)
		r = fd_read_file(s->blobs, name, out, max);
	if (r < 0)
		return fail_wrap(r, "blob");
	digest_of(&is, buf_str(out) + before, out->len - before);
	if (!digest_equal(&is, d))
		return fail(EBADMSG, "blob 'sha256:%s' is damaged: its content has another digest",
			name);
	return 0;
}

/* Is the garbage collector about to remove the blob? Then wait until it has. A question, so an index that
 * cannot be read means no. */
static void wait_deleting(struct store *s, const struct digest *d)
{
	char text[DIGEST_TEXT];
	int64_t deleting = 0;
	int lock;

	digest_format(text, d);
	if (!s->db ||
		db_get_int(s->db, &deleting, "SELECT state='deleting' FROM blob WHERE digest=?",
			"s", text) <= 0 ||
		!deleting)
		return;
	lock = store_lock_index(s);
	cleanup_close(&lock);
}

bool blob_exists(struct store *s, const struct digest *d)
{
	char name[DIGEST_TEXT];
	struct stat st;

	if (d->algorithm != DIGEST_SHA256)
		return false;
	wait_deleting(s, d);
	digest_hex(name, d);
	return fstatat(s->blobs, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

int blob_adopt(struct store *s, int dir, const char *name, const struct digest *d)
{
	char to[DIGEST_TEXT];
	int r = blob_name(to, d);

	if (r < 0)
		return r;
	if (fchmodat(dir, name, 0444, 0) < 0)
		return fail_errno("protect '%s'", name);
	r = file_rename(dir, name, s->blobs, to, 0);
	return r < 0 ? fail_wrap(r, "keep blob '%s'", to) : 0;
}

int blob_remove(struct store *s, const struct digest *d)
{
	char name[DIGEST_TEXT];
	int r = blob_name(name, d);

	return r < 0 ? r : file_remove(s->blobs, name);
}
