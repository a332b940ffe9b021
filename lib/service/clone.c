/* SPDX-License-Identifier: MIT */
/* clone - make a file or directory as another one is */
#include "service/clone.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "service/layer.h"

#define XATTR_LIST_MAX 65536
#define XATTR_MAX      65536

static int copy_xattrs(int from, int to)
{
	auto_free char *names = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_MAX);
	ssize_t len, n;
	char *name;

	if (!names || !value)
		return fail(ENOMEM, "out of memory");
	len = flistxattr(from, names, XATTR_LIST_MAX);
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : fail_errno("list extended attributes");
	for (name = names; name < names + len; name += strlen(name) + 1) {
		if (!layer_keeps_xattr(name))
			continue;
		n = fgetxattr(from, name, value, XATTR_MAX);
		if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
			return fail_errno("copy an extended attribute");
	}
	return 0;
}

int clone_meta(int from, int to)
{
	struct timespec times[2];
	struct stat st;
	int r;

	/* In the order in which they do not undo each other. */
	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
		fchmod(to, st.st_mode & 07777) < 0)
		return fail_errno("copy owner and mode");
	r = copy_xattrs(from, to);
	if (r < 0)
		return r;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return futimens(to, times) < 0 ? fail_errno("copy the time") : 0;
}

int clone_file(int from_dir, const char *from, int to_dir, const char *to)
{
	auto_close int in = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int out = -1;
	char piece[16384];
	struct stat st;
	ssize_t n;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return fail_errno("open '%s'", from);
	if (!S_ISREG(st.st_mode))
		return fail(EXDEV, "'%s' cannot be linked and is no file to copy", from);
	out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return fail_errno("make '%s'", to);
	while ((n = fd_read(in, piece, sizeof(piece))) > 0) {
		r = fd_write(out, piece, (size_t)n);
		if (r < 0)
			return fail(-r, "write '%s': %s", to, strerror(-r));
	}
	return n < 0 ? fail((int)-n, "read '%s': %s", from, strerror((int)-n))
		     : clone_meta(in, out);
}
