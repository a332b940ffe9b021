/* SPDX-License-Identifier: MIT */
#include "service/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

static char dir[] = "/tmp/qbox-unit-auth.XXXXXX";
static struct auth got;

static const char *path(const char *name)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static void put_bytes(const char *name, const char *text, size_t len, mode_t mode)
{
	FILE *f = fopen(path(name), "w");

	CHECK(f && fwrite(text, 1, len, f) == len && fchmod(fileno(f), mode) == 0);
	if (f)
		fclose(f);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text), 0600);
}

static int load(const char *reference, const char *file)
{
	struct ref ref;

	auth_free(&got);
	fail_clear();
	CHECK(ref_parse(&ref, reference) == 0);
	return auth_load(&got, &ref, file ? path(file) : NULL);
}

/* The user found for a reference in a file with this content; "" if none. */
static const char *user(const char *reference, const char *text)
{
	put("file", text);
	if (load(reference, "file") < 0)
		return fail_text();
	return got.user ? got.user : "";
}

static void lines(void)
{
	static const char *const bad[] = { "", "user", ":password", ":" };
	struct auth a;

	unit_case("splits at the first colon");
	CHECK(auth_parse(&a, "user:pass:word ") == 0);
	CHECK_STR(a.user, "user");
	CHECK_STR(a.password, "pass:word ");
	CHECK(!a.identity_token);
	auth_free(&a);
	CHECK(!a.user && !a.password);
	unit_case("a password may be empty, a user not");
	CHECK(auth_parse(&a, "user:") == 0);
	CHECK_STR(a.password, "");
	auth_free(&a);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(auth_parse(&a, bad[i]) == -EINVAL);
	unit_case("the text of a failure does not show the secret");
	CHECK(auth_parse(&a, "S3cret") == -EINVAL && !strstr(fail_text(), "S3cret"));
}

static void pipes(void)
{
	static const char text[] = "user:pass word\r\nrest";
	char rest[8] = "", *big = malloc(5000);
	struct auth a;
	int fds[2];

	unit_case("reads one line and not a byte further");
	CHECK(pipe(fds) == 0 && write(fds[1], text, sizeof(text) - 1) > 0);
	CHECK(auth_read(&a, fds[0]) == 0);
	CHECK_STR(a.password, "pass word");
	auth_free(&a);
	CHECK(read(fds[0], rest, 4) == 4);
	CHECK_STR(rest, "rest");
	unit_case("the last line needs no newline");
	CHECK(write(fds[1], "a:b", 3) == 3);
	close(fds[1]);
	CHECK(auth_read(&a, fds[0]) == 0);
	CHECK_STR(a.password, "b");
	auth_free(&a);
	unit_case("no line is no credentials");
	CHECK(auth_read(&a, fds[0]) == -EINVAL);
	close(fds[0]);
	CHECK(auth_read(&a, fds[0]) == -EBADF);
	unit_case("a line of 4,096 bytes is refused");
	memset(big, 'a', 5000);
	CHECK(pipe(fds) == 0 && write(fds[1], big, 5000) == 5000);
	CHECK(auth_read(&a, fds[0]) == -EINVAL);
	close(fds[0]);
	close(fds[1]);
	free(big);
}

static void basic(void)
{
	struct auth a = { .user = strdup("user"), .password = strdup("pass word") };
	struct buf b = { 0 };

	unit_case("makes the header line");
	auth_basic(&a, &b);
	CHECK_STR(buf_str(&b), "Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n");
	unit_case("wipes it, to the last byte of its memory");
	auth_wipe(&b);
	CHECK(b.len == 0);
	for (size_t i = 0; i < b.cap; i++)
		CHECK(b.data[i] == 0);
	buf_free(&b);
	auth_free(&a);
}

/* dTE6cA== is u1:p, dTI6cA== u2:p, dTM6cA== u3:p */
#define ENTRY(key, n)  "\"" key "\":{\"auth\":\"dT" n "6cA==\"}"
#define U1             "E"
#define U2             "I"
#define U3             "M"
#define AUTHS(entries) "{\"auths\":{" entries "}}"

static void keys(void)
{
	static const struct {
		const char *key, *reference;
		bool matches;
	} table[] = {
		{ "localhost:5000", "localhost:5000/a/b", true },
		{ "localhost:5000", "localhost:5001/a/b", false },
		{ "localhost", "localhost:5000/a/b", false },
		{ "localhost:5000", "localhost/a/b", false },
		{ "LocalHost:5000", "localhost:5000/a/b", true },
		{ "https://localhost:5000", "localhost:5000/a/b", true },
		{ "https://localhost:5000/v2/", "localhost:5000/a/b", true },
		{ "http://localhost:5000/v1/", "localhost:5000/a/b", true },
		{ "localhost:5000/", "localhost:5000/a/b", false },
		{ "localhost:5000/a", "localhost:5000/a/b", true },
		{ "localhost:5000/a/b", "localhost:5000/a/b", true },
		{ "localhost:5000/a/b/c", "localhost:5000/a/b", false },
		{ "localhost:5000/A", "localhost:5000/a/b", false },
		{ "localhost:5000/a/", "localhost:5000/a/b", false },
		{ "localhost:5000/ab", "localhost:5000/a/b", false },
		{ "reg.test", "reg.test.evil.example/a", false },
		{ "reg.test", "evil.reg.test/a", false },
		{ "evil.reg.test", "reg.test/a", false },
		{ "*.reg.test", "a.reg.test/a", false },
		{ "https://reg.test@evil.example", "reg.test/a", false },
		{ "https://index.docker.io/v1/", "alpine", true },
		{ "docker.io", "alpine", true },
		{ "docker.io/library", "alpine", true },
		{ "registry-1.docker.io", "alpine", true },
		{ "index.docker.io.evil.example", "alpine", false },
		{ "", "alpine", false },
		{ "https://", "alpine", false },
		{ "/", "alpine", false },
	};
	char text[300], title[200];

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		snprintf(title, sizeof(title), "'%s' for '%s'", table[i].key, table[i].reference);
		unit_case(title);
		snprintf(text, sizeof(text), "{\"auths\":{\"%s\":{\"auth\":\"dTE6cA==\"}}}",
			table[i].key);
		CHECK_STR(user(table[i].reference, text), table[i].matches ? "u1" : "");
		unit_close();
	}
	unit_case("the longest path counts, wherever it stands");
	CHECK_STR(user("r.test/a/b",
			  AUTHS(ENTRY("r.test", U1) "," ENTRY("r.test/a/b", U2) "," ENTRY(
				  "r.test/a", U3))),
		"u2");
	CHECK_STR(user("r.test/a/c",
			  AUTHS(ENTRY("r.test", U1) "," ENTRY("r.test/a/b", U2) "," ENTRY(
				  "r.test/a", U3))),
		"u3");
	CHECK_STR(user("r.test/c",
			  AUTHS(ENTRY("r.test", U1) "," ENTRY("r.test/a/b", U2) "," ENTRY(
				  "r.test/a", U3))),
		"u1");
}

static void forms(void)
{
	unit_case("user name and password by themselves");
	CHECK_STR(
		user("r.test/a", AUTHS("\"r.test\":{\"username\":\"u\",\"password\":\"p\"}")), "u");
	CHECK_STR(got.password, "p");
	unit_case("'auth' comes before them");
	CHECK_STR(user("r.test/a",
			  AUTHS("\"r.test\":{\"username\":\"u\",\"password\":\"p\",\"auth\":"
				"\"dTE6cA==\"}")),
		"u1");
	unit_case("an identity token, with the user that docker writes");
	CHECK_STR(user("r.test/a", AUTHS("\"r.test\":{\"auth\":\"dTE6\",\"identitytoken\":\"T\"}")),
		"u1");
	CHECK_STR(got.identity_token, "T");
	unit_case("an identity token alone");
	CHECK_STR(user("r.test/a", AUTHS("\"r.test\":{\"identitytoken\":\"T\"}")), "");
	CHECK_STR(got.identity_token, "T");
	unit_case("an empty entry is none");
	CHECK_STR(user("r.test/a", AUTHS("\"r.test\":{}")), "");
	CHECK_STR(user("r.test/a", AUTHS("\"r.test\":{\"auth\":\"\"}")), "");
	CHECK_STR(user("r.test/a", "{}"), "");
	CHECK_STR(user("r.test/a", "{\"auths\":null}"), "");
	unit_case("what else docker keeps there is passed over");
	CHECK_STR(user("r.test/a",
			  "{\"HttpHeaders\":{\"a\":\"b\"},\"psFormat\":\"x\",\"auths\":{" ENTRY(
				  "r.test", U1) "}}"),
		"u1");
}

static void damage(void)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"\"x\"",
		"{\"auths\":[{}]}",
		"{\"auths\":\"x\"}",
		"{\"credHelpers\":[\"r.test\"]}",
		"{\"credsStore\":5,\"auths\":{\"r.test\":{}}}",
		"{\"auths\":{\"r.test\":\"x\"}}",
		"{\"auths\":{\"r.test\":[]}}",
		"{\"auths\":{\"r.test\":{\"auth\":5}}}",
		"{\"auths\":{\"r.test\":{\"auth\":\"!\"}}}",
		"{\"auths\":{\"r.test\":{\"auth\":\"dTE6cA==x\"}}}",
		"{\"auths\":{\"r.test\":{\"auth\":\"dTE6cA== \"}}}",
		"{\"auths\":{\"r.test\":{\"auth\":\"dTFw\"}}}",
		"{\"auths\":{\"r.test\":{\"auth\":\"OnA=\"}}}",
		"{\"auths\":{\"r.test\":{\"auth\":\"dTE6AHA=\"}}}",
		"{\"auths\":{\"r.test\":{\"username\":5}}}",
		"{\"auths\":{\"r.test\":{\"identitytoken\":{}}}}",
		"{\"auths\":{\"r.test\":{},\"r.test\":{}}}",
	};
	char *big;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unit_case(*bad[i] ? bad[i] : "an empty file"); /* refused, with its name */
		put("file", bad[i]);
		CHECK(load("r.test/a", "file") == -EBADMSG);
		CHECK(strstr(fail_text(), path("file")));
		CHECK(!got.user && !got.password && !got.identity_token);
	}
	unit_case("a text about a damaged secret does not show it");
	put("file", "{\"auths\":{\"r.test\":{\"auth\":\"UzNjcmV0\"}}}");
	CHECK(load("r.test/a", "file") == -EBADMSG);
	CHECK(!strstr(fail_text(), "UzNjcmV0") && !strstr(fail_text(), "S3cret"));
	unit_case("a file over 1 MiB is refused");
	big = calloc(1, 2 << 20);
	memset(big, ' ', 2 << 20);
	put_bytes("file", big, 2 << 20, 0600);
	CHECK(load("r.test/a", "file") < 0);
	free(big);
	unit_case("what is no regular file is refused, without waiting");
	unlink(path("file"));
	CHECK(mkfifo(path("file"), 0600) == 0);
	CHECK(load("r.test/a", "file") == -EBADMSG);
	unlink(path("file"));
	CHECK(load("r.test/a", "") == -EBADMSG);
}

static void modes(void)
{
	static const char text[] = AUTHS(ENTRY("r.test", U1));

	unit_case("others must not have access to a password");
	for (mode_t bit = 1; bit < 0100; bit <<= 1) {
		put_bytes("file", text, sizeof(text) - 1, 0600 | bit);
		CHECK(load("r.test/a", "file") == -EPERM);
		CHECK(!got.password);
		CHECK_STR(fail_hint_text(), "chmod 600");
	}
	unit_case("but may have where there is none for this registry");
	put_bytes("file", text, sizeof(text) - 1, 0644);
	CHECK(load("other.test/a", "file") == 0 && !got.password);
	put_bytes("file", text, sizeof(text) - 1, 0400);
	CHECK(load("r.test/a", "file") == 0 && got.password);
}

static void helpers(void)
{
	unit_case("a helper of the registry is named, not called");
	put("file", "{\"credHelpers\":{\"r.test\":\"x\"}}");
	CHECK(load("r.test/a", "file") == -ENOTSUP);
	CHECK(strstr(fail_text(), "docker-credential-x") && strstr(fail_hint_text(), "--creds"));
	CHECK(load("other.test/a", "file") == 0 && !got.user);
	unit_case("and so is the store of all, where an empty entry points to it");
	put("file", "{\"credsStore\":\"pass\",\"auths\":{\"r.test\":{}}}");
	CHECK(load("r.test/a", "file") == -ENOTSUP);
	CHECK(load("other.test/a", "file") == 0 && !got.user);
	unit_case("a secret in the file needs no helper");
	CHECK_STR(
		user("r.test/a",
			"{\"credHelpers\":{\"r.test\":\"x\"},\"auths\":{" ENTRY("r.test", U1) "}}"),
		"u1");
	unit_case("helpers that are no strings are none");
	CHECK_STR(user("r.test/a", "{\"credHelpers\":{\"r.test\":5}}"), "");
	CHECK_STR(user("r.test/a", "{\"credHelpers\":{\"r.test\":\"\"}}"), "");
}

/* The places in the order they are looked at; each has a user of its own. */
static void places(void)
{
	static const struct {
		const char *file, *text, *user;
	} files[] = {
		{ "run/containers/auth.json", AUTHS(ENTRY("r.test", U1)), "u1" },
		{ "home/.config/containers/auth.json", AUTHS(ENTRY("r.test", U2)), "u2" },
		{ "home/.docker/config.json", AUTHS(ENTRY("r.test", U3)), "u3" },
	};
	static const char *const dirs[] = { "run", "run/containers", "home", "home/.config",
		"home/.config/containers", "home/.docker", "docker", "xdg", "xdg/containers" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		CHECK(mkdir(path(dirs[i]), 0700) == 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put(files[i].file, files[i].text);
	unsetenv("REGISTRY_AUTH_FILE");
	unsetenv("DOCKER_CONFIG");
	unsetenv("XDG_CONFIG_HOME");
	setenv("XDG_RUNTIME_DIR", path("run"), 1);
	setenv("HOME", path("home"), 1);
	unit_case("the first place with an entry counts");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CHECK(load("r.test/a", NULL) == 0);
		CHECK_STR(got.user, files[i].user);
		put(files[i].file, "{}");
	}
	CHECK(load("r.test/a", NULL) == 0 && !got.user);
	unit_case("the environment names other places");
	put("docker/config.json", AUTHS(ENTRY("r.test", U2)));
	put("xdg/containers/auth.json", AUTHS(ENTRY("r.test", U3)));
	setenv("DOCKER_CONFIG", path("docker"), 1);
	CHECK(load("r.test/a", NULL) == 0);
	CHECK_STR(got.user, "u2");
	setenv("XDG_CONFIG_HOME", path("xdg"), 1);
	CHECK(load("r.test/a", NULL) == 0);
	CHECK_STR(got.user, "u3");
	unit_case("a file that is named is the only one");
	put("one", "{}");
	setenv("REGISTRY_AUTH_FILE", path("one"), 1);
	CHECK(load("r.test/a", NULL) == 0 && !got.user);
	put("two", AUTHS(ENTRY("r.test", U1)));
	CHECK(load("r.test/a", "two") == 0);
	CHECK_STR(got.user, "u1");
	unit_case("and must be there");
	CHECK(load("r.test/a", "three") == -ENOENT);
	setenv("REGISTRY_AUTH_FILE", path("three"), 1);
	CHECK(load("r.test/a", NULL) == -ENOENT);
	unit_case("a damaged file at a known place is not passed over");
	unsetenv("REGISTRY_AUTH_FILE");
	put("run/containers/auth.json", "{");
	CHECK(load("r.test/a", NULL) == -EBADMSG);
	unit_case("no home is no place");
	unsetenv("HOME");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("DOCKER_CONFIG");
	CHECK(load("r.test/a", NULL) == 0 && !got.user && !*fail_text());
}

int main(void)
{
	char command[100];

	CHECK(mkdtemp(dir));
	lines();
	pipes();
	basic();
	keys();
	forms();
	damage();
	modes();
	helpers();
	places();
	auth_free(&got);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
	return unit_end();
}
