/* SPDX-License-Identifier: MIT */
/* clone - unit tests */
#include "service/clone.h"

#include "layerdir.h"

int main(void)
{
	struct buf b = { 0 };
	struct stat st;
	const struct timespec times[2] = { { 5, 6 }, { 7, 8 } };
	char big[40000], value[8];
	int from, to;

	if (geteuid() != 0) {
		unit_skip("clones", "needs root");
		return unit_end();
	}
	scratch_begin();
	unit_case("a file is copied with all that layers keep");
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	write_file(scratch, "from", big);
	from = openat(scratch, "from", O_RDONLY);
	CHECK(fsetxattr(from, "user.x", "y", 1, 0) == 0 && fchown(from, 3, 4) == 0);
	CHECK(fsetxattr(from, "trusted.overlay.opaque", "y", 1, 0) == 0);
	CHECK(fchmod(from, 04711) == 0 && futimens(from, times) == 0);
	CHECK(clone_file(scratch, "from", scratch, "to") == 0);
	CHECK(fd_read_file(scratch, "to", &b, 1 << 20) == 0 && strcmp(buf_str(&b), big) == 0);
	to = openat(scratch, "to", O_RDONLY);
	CHECK(fstat(to, &st) == 0 && st.st_uid == 3 && st.st_gid == 4);
	CHECK((st.st_mode & 07777) == 04711 && st.st_mtim.tv_sec == 7 && st.st_mtim.tv_nsec == 8);
	CHECK(fgetxattr(to, "user.x", value, sizeof(value)) == 1);
	CHECK(fgetxattr(to, "trusted.overlay.opaque", value, sizeof(value)) < 0);

	unit_case("what is there is not overwritten, what is no file is not copied");
	CHECK(clone_file(scratch, "from", scratch, "to") == -EEXIST);
	CHECK(mkfifoat(scratch, "fifo", 0600) == 0);
	CHECK(clone_file(scratch, "fifo", scratch, "new") == -EXDEV);
	CHECK(symlinkat("from", scratch, "link") == 0);
	CHECK(clone_file(scratch, "link", scratch, "new") == -ELOOP);
	CHECK(clone_file(scratch, "nowhere", scratch, "new") == -ENOENT);
	close(from);
	close(to);
	buf_free(&b);
	scratch_end();
	return unit_end();
}
