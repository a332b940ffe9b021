/* SPDX-License-Identifier: MIT */
/* cgrouphost - unit test, on given texts of mountinfo and /proc/self/cgroup */
#include "kernel/cgrouphost.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

#include "unit.h"

/* Copies that end where the text ends, so that a read beyond is seen. */
static int parse(struct cgroup_host *host, const char *mounts, size_t mounts_len, const char *place,
	size_t place_len)
{
	char *a = malloc(mounts_len + 1), *b = malloc(place_len + 1);
	struct cgroup_text text = { a, b, mounts_len, place_len };
	int r;

	/* The last byte is no line end: proc files are read as strings. */
	memcpy(a, mounts, mounts_len);
	memcpy(b, place, place_len);
	a[mounts_len] = b[place_len] = '\0';
	r = cgroup_host_parse(host, &text, NULL);
	free(a);
	free(b);
	return r;
}

#define PARSE(host, mounts, place) parse(host, mounts, strlen(mounts), place, strlen(place))

#define TMPFS "30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
#define V2 \
	"24 22 0:22 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
#define UNIFIED "40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
#define SYSTEMD "39 30 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
#define CPU     "31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define MEMORY  "34 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

static void kinds(void)
{
	struct cgroup_host h;

	unit_case("nothing is mounted");
	CHECK(PARSE(&h, TMPFS, "0::/\n") == 0 && cgroup_host_kind(&h) == CGROUP_NONE);
	CHECK(PARSE(&h, "", "") == 0 && h.count == 0);
	CHECK(PARSE(&h, SYSTEMD, "1:name=systemd:/\n") == 0 && h.count == 0);

	unit_case("only v2");
	CHECK(PARSE(&h, TMPFS V2, "0::/user.slice/a b.scope\n") == 0);
	CHECK(cgroup_host_kind(&h) == CGROUP_V2 && h.count == 1);
	CHECK_STR(h.tree[0].mount, "/sys/fs/cgroup");
	CHECK_STR(h.tree[0].own, "/user.slice/a b.scope");
	cgroup_host_free(&h);

	unit_case("only v1, two controllers in one tree");
	CHECK(PARSE(&h, TMPFS SYSTEMD CPU MEMORY,
		      "9:name=systemd:/s\n5:memory:/m/x\n4:cpu,cpuacct:/c\n") == 0);
	CHECK(cgroup_host_kind(&h) == CGROUP_V1 && h.count == 2);
	CHECK(cgroup_host_v1(&h, CGROUP_CPU) == cgroup_host_v1(&h, CGROUP_CPUACCT));
	CHECK(!cgroup_host_v1(&h, CGROUP_PIDS) && !cgroup_host_unified(&h));
	CHECK_STR(cgroup_host_v1(&h, CGROUP_CPU)->own, "/c");
	CHECK_STR(cgroup_host_v1(&h, CGROUP_MEMORY)->own, "/m/x");
	cgroup_host_free(&h);

	unit_case("both");
	CHECK(PARSE(&h, TMPFS MEMORY UNIFIED, "5:memory:/\n0::/u\n") == 0);
	CHECK(cgroup_host_kind(&h) == CGROUP_HYBRID);
	CHECK_STR(cgroup_host_unified(&h)->own, "/u");
	CHECK_STR(cgroup_host_v1(&h, CGROUP_MEMORY)->own, "");
	cgroup_host_free(&h);
}

static void places(void)
{
	struct cgroup_host h;
	static const char inner[] = "9 8 0:31 /d/abc /c rw - cgroup2 cgroup2 rw\n";

	unit_case("a part of the tree is mounted");
	CHECK(PARSE(&h, inner, "0::/d/abc\n") == 0 && h.count == 1 && !h.tree[0].outside);
	CHECK_STR(h.tree[0].own, "");
	cgroup_host_free(&h);
	CHECK(PARSE(&h, inner, "0::/d/abc/x:y\n") == 0 && !h.tree[0].outside);
	CHECK_STR(h.tree[0].own, "/x:y");
	cgroup_host_free(&h);

	unit_case("a place that the mount does not show");
	CHECK(PARSE(&h, inner, "0::/d/abcd\n") == 0 && h.count == 1 && h.tree[0].outside);
	CHECK_STR(h.tree[0].own, "");
	cgroup_host_free(&h);
	CHECK(PARSE(&h, V2, "0::/../up\n") == 0 && h.tree[0].outside);
	cgroup_host_free(&h);
	CHECK(PARSE(&h, V2, "0::/..\n") == 0 && h.tree[0].outside);
	cgroup_host_free(&h);
	CHECK(PARSE(&h, V2, "0::/a..b/..c\n") == 0 && !h.tree[0].outside);
	cgroup_host_free(&h);

	unit_case("of two mounts the one that shows our place");
	CHECK(PARSE(&h,
		      "9 8 0:31 /other /a rw - cgroup2 c rw\n9 8 0:31 / /b rw - cgroup2 c rw\n"
		      "9 8 0:31 / /c rw - cgroup2 c rw\n",
		      "0::/x\n") == 0 &&
		h.count == 1);
	CHECK_STR(h.tree[0].mount, "/b");
	cgroup_host_free(&h);
}

static bool not_b(const char *mount, dev_t dev)
{
	return strcmp(mount, "/b") != 0 && dev == makedev(3, 31);
}

static void odd_bytes(void)
{
	static const char mounts[] =
		"9 8 0:31 /a\\134b /c\\040d\\011\\043\\012\\303\\244\\ rw,x shared:1 - cgroup2  rw\n";
	static const char covered[] =
		"1 2 3:31 / /b rw - cgroup2 - rw\n1 2 3:32 / /a rw - cgroup2 - rw\n"
		"1 2 3:31 / /c rw - cgroup2 - rw\n";
	struct cgroup_text text = { covered, "0::/\n", strlen(covered), 5 };
	struct cgroup_host h;

	unit_case("octal escapes, empty source");
	CHECK(PARSE(&h, mounts, "0::/a\\b/\\040\n") == 0 && h.count == 1);
	CHECK_STR(h.tree[0].mount, "/c d\t#\n\303\244\\");
	CHECK_STR(h.tree[0].own, "/\\040");
	cgroup_host_free(&h);
	CHECK(PARSE(&h, "9 8 0:31 / /\\04\\08\\400\\779\\1\\ rw - cgroup2 - rw\n", "0::/\n") == 0);
	CHECK_STR(h.tree[0].mount, "/\\04\\08\\400\\779\\1\\");
	cgroup_host_free(&h);

	unit_case("lines that are not what they seem");
	CHECK(PARSE(&h,
		      "9 8 0:31 / /cgroup rw - ext4 cgroup2 rw,memory\n"
		      "9 8 0:x / /a rw - cgroup2 - rw\n9 8 : / /a rw - cgroup2 - rw\n"
		      "9 8 0:3 / /a rw cgroup2 - rw\n9 8 0:3 / /a rw - cgroup2\n- - - - - - - - - -\n\n",
		      "0::/\n") == 0 &&
		h.count == 0);
	CHECK(PARSE(&h, V2 MEMORY, "0::\n0:\n:\n\n3:memoryx:/a\n3:xmemory:/a\n4:memory\n1::/\n") ==
			0 &&
		h.count == 0);

	unit_case("a mount that is covered by another");
	CHECK(cgroup_host_parse(&h, &text, not_b) == 0 && h.count == 1);
	CHECK_STR(h.tree[0].mount, "/c");
	cgroup_host_free(&h);
}

/* Every beginning of the texts, and every byte changed: no crash, and strings that are strings. */
static void cut_texts(void)
{
	static const char mounts[] = TMPFS MEMORY CPU "9 8 0:31 /\\040a /\\134 rw - cgroup2 - rw\n";
	static const char place[] = "5:memory:/\n4:cpu,cpuacct:/b\n0::/ a/b\n";
	char copy[sizeof(mounts)];
	struct cgroup_host h;

	unit_case("cut and damaged texts");
	for (size_t i = 0; i < sizeof(mounts); i++) {
		CHECK(parse(&h, mounts, i, place, strlen(place)) == 0);
		cgroup_host_free(&h);
		memcpy(copy, mounts, sizeof(mounts));
		for (int byte = 0; byte < 256; byte += 51) {
			copy[i] = (char)byte;
			CHECK(parse(&h, copy, strlen(mounts), place, strlen(place)) == 0);
			cgroup_host_free(&h);
		}
	}
	for (size_t i = 0; i < sizeof(place); i++) {
		CHECK(parse(&h, mounts, strlen(mounts), place, i) == 0);
		cgroup_host_free(&h);
	}
}

int main(void)
{
	kinds();
	places();
	odd_bytes();
	cut_texts();
	return unit_end();
}
