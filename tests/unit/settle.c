/* SPDX-License-Identifier: MIT */
/* settle - unit tests: layers joined with those below, and rebuilt afterwards */
#include "layerdir.h"

#define LAYERS 4

/* The layers of one image, lowest first, as stacks of lines; the result of the topmost. */
struct stack {
	struct unpacked layers[LAYERS];
	struct buf tars[LAYERS];
	int results[LAYERS];
	size_t count;
};

static void stack_push(struct stack *s, const char *lines)
{
	struct layer_below below[LAYERS];
	char name[2] = { (char)('0' + (int)s->count), '\0' };
	struct unpacked *u = &s->layers[s->count];
	size_t i;

	stream_of(&s->tars[s->count], lines);
	end_blocks(&s->tars[s->count]);
	CHECK(unpack_as(u, name, &s->tars[s->count], 4096) == 0);
	for (i = 0; i < s->count; i++)
		below[i].fs = openat(s->layers[s->count - 1 - i].dir, "fs", O_RDONLY | O_DIRECTORY);
	s->results[s->count] = layer_settle(u->dir, u->all, u->count, below, s->count);
	for (i = 0; i < s->count; i++)
		close(below[i].fs);
	s->count++;
}

static void stack_free(struct stack *s)
{
	while (s->count-- > 0) {
		unpacked_free(&s->layers[s->count]);
		buf_free(&s->tars[s->count]);
	}
}

/* LINES above LOWER (and MIDDLE, if any) must settle to TREE with RESULT, and rebuild. */
static void settled(
	const char *lower, const char *middle, const char *lines, int result, const char *tree)
{
	struct stack s = { .count = 0 };
	struct buf got = { 0 };

	stack_push(&s, lower);
	if (middle)
		stack_push(&s, middle);
	stack_push(&s, lines);
	if (s.results[s.count - 1] != result)
		printf("# got %d %s\n", s.results[s.count - 1], fail_text());
	CHECK(s.results[s.count - 1] == result);
	describe(&got, s.layers[s.count - 1].dir, "fs");
	CHECK_STR(buf_str(&got), tree);
	CHECK(rebuilds(s.layers[s.count - 1].dir, &s.tars[s.count - 1]));
	CHECK(canary_lives());
	buf_free(&got);
	stack_free(&s);
}

static void refused(const char *lower, const char *lines, const char *why)
{
	struct stack s = { .count = 0 };

	stack_push(&s, lower);
	stack_push(&s, lines);
	if (!strstr(fail_text(), why))
		printf("# got %d %s\n", s.results[1], fail_text());
	CHECK(s.results[1] == -EBADMSG && strstr(fail_text(), why));
	CHECK(canary_lives());
	stack_free(&s);
}

static const char lower[] =
	"d usr\nm 711\no 3 4\nd usr/lib\nm 751\nf usr/lib/base b\nl lib usr/lib\n"
	"l abs /usr/lib\nl up ../../../usr\nl chain lib\nl gone nowhere/at/all\n"
	"l loop loop\nl file usr/lib/base\nd tmp\nm 1777\nd srv\nm 700\nd srv/a\n"
	"m 2750\nf srv/a/f x\nm 4711\no 5 6\nl srv/a/l f\np srv/a/p";

static void check_alone(void)
{
	unit_case("a layer that stands alone");
	settled(lower, NULL, "f a x", 0, "a 644 'x'\n");
	settled(lower, NULL, "d srv\nd srv/a\nf srv/a/g x", 0,
		"srv dir 755\nsrv/a dir 755\nsrv/a/g 644 'x'\n");
	settled(lower, NULL, "f .wh.srv", 0, "srv whiteout\n");
	settled(lower, NULL, "d lib\nf lib/x y", 0, "lib dir 755\nlib/x 644 'y'\n");
	settled(lower, NULL, "", 0, "");
}

static void check_implied(void)
{
	unit_case("implied directories are as they are below");
	settled(lower, NULL, "f tmp/x y", 1, "tmp dir 1777\ntmp/x 644 'y'\n");
	settled(lower, NULL, "f srv/a/g y", 1, "srv dir 700\nsrv/a dir 2750\nsrv/a/g 644 'y'\n");
	settled(lower, NULL, "f usr/lib/x y", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 'y'\n");
	settled(lower, NULL, "f new/dir/x y", 1,
		"new dir 755 @0\nnew/dir dir 755 @0\nnew/dir/x 644 'y'\n");
	settled(lower, NULL, "f srv/b/x y", 1, "srv dir 700\nsrv/b dir 755 @0\nsrv/b/x 644 'y'\n");
	settled(lower, "f srv/a/g x", "f srv/a/h y", 1,
		"srv dir 700\nsrv/a dir 2750\nsrv/a/h 644 'y'\n");
	settled(lower, "d srv/a\nm 7", "f srv/a/h y", 1,
		"srv dir 700\nsrv/a dir 7\nsrv/a/h 644 'y'\n");

	unit_case("but not behind whiteouts, opaque directories and files");
	settled(lower, "f .wh.srv", "f srv/a/g y", 1,
		"srv dir 755 @0\nsrv/a dir 755 @0\nsrv/a/g 644 'y'\n");
	settled(lower, "d srv\nm 711\nf srv/.wh..wh..opq", "f srv/a/g y", 1,
		"srv dir 711\nsrv/a dir 755 @0\nsrv/a/g 644 'y'\n");
	settled(lower, "f srv x", "f srv/a/g y", 1,
		"srv dir 755 @0\nsrv/a dir 755 @0\nsrv/a/g 644 'y'\n");
	settled(lower, NULL, "d srv\nf srv/.wh..wh..opq\nf srv/a/g y", 1,
		"srv dir 755 opaque\nsrv/a dir 755 @0\nsrv/a/g 644 'y'\n");
	settled(lower, NULL, "f .wh.srv\nf srv/a/g y", 1,
		"srv dir 755 opaque @0\nsrv/a dir 755 @0\nsrv/a/g 644 'y'\n");
	settled(lower, NULL, "d lib\nf lib/base/x y", 1,
		"lib dir 755\nlib/base dir 755 @0\nlib/base/x 644 'y'\n");

	unit_case("the lowest layer keeps them");
	{
		struct stack s = { .count = 0 };

		stack_push(&s, "f a/b x");
		CHECK(s.results[0] == 1);
		stack_free(&s);
		stack_push(memset(&s, 0, sizeof(s)), "h a b");
		CHECK(s.results[0] == -EBADMSG && strstr(fail_text(), "nowhere in this image"));
		stack_free(&s);
	}
}

static void check_links_below(void)
{
	static const char usr_lib[] = "usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 'y'\n";

	unit_case("a lower symbolic link leads where the content belongs");
	settled(lower, NULL, "f lib/x y", 1, usr_lib);
	settled(lower, NULL, "f abs/x y", 1, usr_lib);
	settled(lower, NULL, "f up/lib/x y", 1, usr_lib);
	settled(lower, NULL, "f chain/x y", 1, usr_lib);
	settled(lower, "f other x", "f lib/x y", 1, usr_lib);
	settled(lower, NULL, "f gone/x y", 1,
		"nowhere dir 755 @0\nnowhere/at dir 755 @0\nnowhere/at/all dir 755 @0\n"
		"nowhere/at/all/x 644 'y'\n");
	settled(lower, NULL, "f lib/.wh.base", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/base whiteout\n");
	settled(lower, NULL, "f lib/d/x y", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/d dir 755 @0\nusr/lib/d/x 644 'y'\n");
	settled(lower, "f .wh.lib\nd lib\nm 701", "f lib/x y", 1, "lib dir 701\nlib/x 644 'y'\n");
	settled(lower, NULL, "d usr2\nl usr usr2\nf lib/x y", 1,
		"usr -> usr2\nusr2 dir 755\nusr2/lib dir 755 @0\nusr2/lib/x 644 'y'\n");

	unit_case("what lies there already is joined");
	settled(lower, NULL, "d usr\nd usr/lib\nm 700\nf usr/lib/x 1\nf lib/y 2", 1,
		"usr dir 755\nusr/lib dir 700\nusr/lib/x 644 '1'\nusr/lib/y 644 '2'\n");
	settled(lower, NULL, "f usr/lib/x 1\nf lib/y 2", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '1'\nusr/lib/y 644 '2'\n");
	settled(lower, NULL, "f usr/lib/d/x 1\nd lib/d\nm 700\nf lib/d/y 2", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/d dir 700\nusr/lib/d/x 644 '1'\n"
		"usr/lib/d/y 644 '2'\n");
	settled(lower, NULL, "d usr/lib/d\nm 700\nf usr/lib/d/x 1\nf lib/d/y 2", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/d dir 700\nusr/lib/d/x 644 '1'\n"
		"usr/lib/d/y 644 '2'\n");
	settled(lower, NULL, "f lib/x 1\nf chain/y 2\nf abs/z 3\nf up/lib/w 4", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/w 644 '4'\nusr/lib/x 644 '1'\n"
		"usr/lib/y 644 '2'\nusr/lib/z 644 '3'\n");

	unit_case("of two things in one place the later in the tar stays");
	settled(lower, NULL, "f lib/x 1\nf usr/lib/x 22", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '22'\n");
	settled(lower, NULL, "f usr/lib/x 1\nf lib/x 22", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '22'\n");
	settled(lower, NULL, "f usr/lib/x 1\nl lib/x z", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x -> z\n");
	settled(lower, NULL, "l usr/lib/x z\nf lib/x", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 ''\n");
	settled(lower, NULL, "f lib/x 1\nf usr/lib/x 2\nf chain/x 3\nf abs/x 4", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '4'\n");
	settled(lower, NULL, "f usr/lib/x 1\nf abs/x 2\nf lib/x 3\nf chain/x 4\nf lib/x 5", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '5'\n");
	settled(lower, NULL, "f usr/lib/x 1\nf lib/.wh.x", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '1'\n");
	settled(lower, NULL, "f usr/lib/.wh.x\nf lib/x 1", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x 644 '1'\n");
	settled(lower, NULL, "f usr/lib/.wh.x\nf lib/.wh.x", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x whiteout\n");
	settled(lower, NULL, "d usr/lib/x\nf lib/.wh.x", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x dir 755 opaque\n");
	settled(lower, NULL, "f usr/lib/.wh.x\nd lib/x", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/x dir 755 opaque\n");

	unit_case("what leads nowhere is refused");
	refused(lower, "f loop/x y", "'loop'");
	refused(lower, "f file/x y", "'file'");
	refused(lower, "d usr/lib/x\nf lib/x y", "which are one place");
	refused("l a b\nl b a", "f a/x y", "'a'");
	refused("d a\nl a/b ../a/b/c", "f a/b/x y", "'a/b'");
}

static void check_hard_links(void)
{
	unit_case("hard links to lower files");
	settled(lower, NULL, "h k srv/a/f", 1, "k 4711 'x' x2 5:6\n");
	settled(lower, NULL, "h k /srv/a/f", 1, "k 4711 'x' x2 5:6\n");
	settled(lower, NULL, "h k lib/base", 1, "k 644 'b' x2\n");
	settled(lower, NULL, "h k srv/a/l", 1, "k -> f\n");
	settled(lower, NULL, "h k srv/a/p", 1, "k fifo 644\n");
	settled(lower, NULL, "h srv/a/k srv/a/f", 1,
		"srv dir 700\nsrv/a dir 2750\nsrv/a/k 4711 'x' x2 5:6\n");
	settled(lower, NULL, "h lib/k usr/lib/base", 1,
		"usr dir 711 3:4\nusr/lib dir 751\nusr/lib/k 644 'b' x2\n");
	settled(lower, NULL, "h a srv/a/f\nh b a", 1, "a 4711 'x' x3 5:6\nb 4711 'x' x3 5:6\n");
	settled(lower, "f srv/a/f new", "h k srv/a/f", 1, "k 644 'new' x2\n");
	settled(lower, NULL, "h k srv/a/f\nf k own", 1, "k 644 'own'\n");
	settled(lower, NULL, "d d\nh d/k srv/a/f", 1, "d dir 755\nd/k 4711 'x' x2 5:6\n");

	unit_case("hard links to what is not there");
	refused(lower, "h a nowhere", "nowhere in this image");
	refused(lower, "h a srv/a/f/g", "hard link 'a'");
	refused(lower, "h a loop/x", "hard link 'a'");
	refused(lower, "h a srv", "a directory");
	refused(lower, "h a a", "nowhere in this image");
	refused(lower, "h a b\nh b a", "nowhere in this image");
	refused(lower, "f srv/a/.wh.f\nh a srv/a/f", "nowhere in this image");
}

static void check_opaque(void)
{
	unit_case("opaque directories are marked");
	settled(lower, NULL, "d srv\nf srv/.wh..wh..opq", 0, "srv dir 755 opaque\n");
	settled(lower, NULL, "d srv\nf .wh.srv", 0, "srv dir 755 opaque\n");
	settled(lower, NULL, "f srv/.wh..wh..opq", 1, "srv dir 700 opaque\n");
	settled(lower, NULL, "d srv\nf .wh.srv\nf srv x", 0, "srv 644 'x'\n");

	unit_case("an opaque root hides each name");
	settled("f a x\nd b\nl c x", "f d x\nf .wh.a", "f .wh..wh..opq\nf b new\nd e", 1,
		"a whiteout\nb 644 'new'\nc whiteout\nd whiteout\ne dir 755\n");
	settled("d b\nf b/x y", NULL, "f .wh..wh..opq\nd b\nf b/z y", 1,
		"b dir 755 opaque\nb/z 644 'y'\n");
}

static void check_times(void)
{
	struct stack s = { .count = 0 };
	struct stat st;

	unit_case("times of directories stay, whatever is moved and linked");
	stack_push(&s, lower);
	stack_push(&s, "d .\nd usr\nf lib/x y\nh usr/k srv/a/f\nf tmp/z y");
	CHECK(s.results[1] == 1);
	CHECK(fstatat(s.layers[1].dir, "fs", &st, 0) == 0 && st.st_mtim.tv_sec == 3);
	CHECK(fstatat(s.layers[1].dir, "fs/usr", &st, 0) == 0 && st.st_mtim.tv_sec == 3);
	CHECK(fstatat(s.layers[1].dir, "fs/usr/lib", &st, 0) == 0 && st.st_mtim.tv_sec == 3);
	CHECK(fstatat(s.layers[1].dir, "fs/tmp", &st, 0) == 0 && st.st_mtim.tv_sec == 3);
	stack_free(&s);
}

/* Notes that no unpacker of ours would send: it may have been taken over. */
static void check_hijacked(void)
{
	static const char *const paths[] = { "../canary", "/etc", "a/../../canary", "", ".", "a//b",
		"a/", "s", "s/x", "f/x" };
	struct stack s = { .count = 0 };
	struct layer_below below;
	size_t i;
	int kind;

	unit_case("notes of a hijacked unpacker stay inside");
	stack_push(&s, "d a\nf f x");
	stack_push(&s, "d a\nf f x\nl s ../../canary");
	below.fs = openat(s.layers[0].dir, "fs", O_RDONLY | O_DIRECTORY);
	for (i = 0; i < ARRAY_LEN(paths); i++)
		for (kind = LAYER_NOTE_OPAQUE; kind <= LAYER_NOTE_LINK; kind++) {
			char path[32], target[32];
			struct layer_note n = {
				.kind = (enum layer_note_kind)kind, .path = path, .target = target
			};

			snprintf(path, sizeof(path), "%s", paths[i]);
			snprintf(target, sizeof(target), "a");
			layer_settle(s.layers[1].dir, &n, 1, &below, 1);
			CHECK(canary_lives());
			snprintf(path, sizeof(path), "new");
			snprintf(target, sizeof(target), "%s", paths[i]);
			layer_settle(s.layers[1].dir, &n, 1, &below, 1);
			CHECK(canary_lives());
		}
	close(below.fs);
	stack_free(&s);
}

int main(void)
{
	if (geteuid() != 0) {
		unit_skip("settling", "needs root");
		return unit_end();
	}
	scratch_begin();
	check_alone();
	check_implied();
	check_links_below();
	check_hard_links();
	check_opaque();
	check_times();
	check_hijacked();
	scratch_end();
	return unit_end();
}
