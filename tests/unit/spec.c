/* SPDX-License-Identifier: MIT */
/* spec - unit test */
#include "engine/spec.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/str.h"
#include "engine/image.h"
#include "unit.h"

/* For members that are not const although nobody here writes to them. */
#define LIST(...)                                 \
	(char **)(uintptr_t)(const char *const[]) \
	{                                         \
		__VA_ARGS__, NULL                 \
	}

static void check_list(char *const *got, char *const *want)
{
	size_t i = 0;

	for (; want[i]; i++)
		CHECK_STR(got ? got[i] : NULL, want[i]);
	CHECK(i == 0 ? !got || !got[0] : !got[i]);
}

static bool has(char *const *list, const char *what)
{
	while (*list && strcmp(*list, what) != 0)
		list++;
	return *list;
}

static void test_template(void)
{
	auto_spec struct spec a = { 0 }, b = { 0 };

	unit_case("the template has the documented defaults");
	CHECK(spec_init(&a) == 0 && spec_init(&b) == 0);
	CHECK(a.caps == 0x800405fb); /* the eleven of podman */
	CHECK(a.namespaces ==
		(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
			CLONE_NEWCGROUP));
	CHECK(a.umask == 022 && !a.args);
	CHECK_STR(a.cwd, "/");
	CHECK_STR(a.user, "");
	CHECK_STR(spec_env(&a, "PATH"),
		"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	CHECK_STR(spec_env(&a, "HOSTNAME"), a.hostname);
	CHECK(has(a.masked, "/proc/kcore"));
	CHECK(has(a.masked, "/sys/firmware"));
	CHECK(has(a.read_only, "/proc/sys"));

	unit_case("each has a host name of its own, which is not a number");
	CHECK(strlen(a.hostname) == 12 && str_only(a.hostname, "0123456789abcdef"));
	CHECK(strcmp(a.hostname, b.hostname) != 0);
}

static void test_env(void)
{
	auto_spec struct spec s = { 0 };

	unit_case("sets and replaces environment");
	CHECK(spec_set_env(&s, "A=1") == 0 && spec_set_env(&s, "AB=2") == 0);
	CHECK(spec_set_env(&s, "A=") == 0 && spec_set_env(&s, "C=x=y") == 0);
	check_list(s.env, LIST("A=", "AB=2", "C=x=y"));
	CHECK_STR(spec_env(&s, "C"), "x=y");
	CHECK_STR(spec_env(&s, "A"), "");
	CHECK(!spec_env(&s, "B") && !spec_env(&s, ""));

	unit_case("refuses what has no key or no value");
	CHECK(spec_set_env(&s, "") == -EINVAL && spec_set_env(&s, "=x") == -EINVAL);
	CHECK(spec_set_env(&s, "SECRET") == -EINVAL);
	CHECK(strstr(fail_text(), "'SECRET'") != NULL);
	check_list(s.env, LIST("A=", "AB=2", "C=x=y"));
}

static void test_image(void)
{
	const struct spec_words none = { 0 };
	struct image i = { .reference = (char[]){ "x:1" }, .layer_count = 2 };

	i.layers = LIST("low", "top");
	i.env = LIST("PATH=/bin", "B=2");
	i.entrypoint = LIST("/entry", "-e");
	i.cmd = LIST("cmd");
	i.workdir = (char[]){ "srv" };
	i.user = (char[]){ "alice" };
	unit_case("takes what the image says, layers top first");
	{
		auto_spec struct spec s = { 0 };

		CHECK(spec_init(&s) == 0 && spec_from_image(&s, &i, "/store/layers", &none) == 0);
		check_list(s.args, LIST("/entry", "-e", "cmd"));
		check_list(s.root.layers, LIST("top", "low"));
		CHECK(s.root.kind == SPEC_ROOT_LAYERS && s.root.layer_count == 2);
		CHECK_STR(s.root.dir, "/store/layers");
		CHECK_STR(s.cwd, "/srv");
		CHECK_STR(s.user, "alice");
		CHECK_STR(spec_env(&s, "PATH"), "/bin");
		CHECK_STR(spec_env(&s, "HOSTNAME"), s.hostname);
	}
	unit_case("words given take the place of the command, not of the entry point");
	{
		auto_spec struct spec s = { 0 };

		CHECK(spec_init(&s) == 0);
		CHECK(spec_from_image(&s, &i, "/l",
			      &(struct spec_words){ NULL, LIST("", "a b\xff"), 2 }) == 0);
		check_list(s.args, LIST("/entry", "-e", "", "a b\xff"));
	}
	unit_case("an image without a command needs one");
	{
		auto_spec struct spec s = { 0 };

		i.entrypoint = i.cmd = NULL;
		CHECK(spec_init(&s) == 0 && spec_from_image(&s, &i, "/l", &none) == -EINVAL);
		CHECK(strstr(fail_text(), "'x:1'") != NULL);
	}
	unit_case("an environment without a value is refused, not looked up");
	{
		auto_spec struct spec s = { 0 };

		setenv("SECRET", "1", 1);
		i.env = LIST("SECRET");
		i.cmd = LIST("x");
		CHECK(spec_init(&s) == 0 && spec_from_image(&s, &i, "/l", &none) == -EINVAL);
		CHECK(!spec_env(&s, "SECRET"));
	}
	unit_case("an image without layers is refused");
	{
		auto_spec struct spec s = { 0 };

		i.env = i.cmd = NULL;
		i.layer_count = 0;
		CHECK(spec_init(&s) == 0 && spec_from_image(&s, &i, "/l", &none) == -EINVAL);
	}
}

int main(void)
{
	test_template();
	test_env();
	test_image();
	return unit_end();
}
