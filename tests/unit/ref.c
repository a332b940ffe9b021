/* SPDX-License-Identifier: MIT */
/* ref - unit tests: what is a reference and what is not (security D8) */
#include "format/ref.h"

#include <errno.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

#define HEX32   "0123456789abcdef0123456789abcdef"
#define SHA256  "sha256:" HEX32 HEX32
#define SHA512  "sha512:" HEX32 HEX32 HEX32 HEX32
#define LABEL50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void check_accepts(void)
{
	static const struct {
		const char *s, *canonical, *brief;
	} rows[] = {
		{ "alpine", "docker.io/library/alpine:latest", "alpine:latest" },
		{ "alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20" },
		{ "a", "docker.io/library/a:latest", "a:latest" },
		{ "user/app", "docker.io/user/app:latest", "user/app:latest" },
		{ "a/b/c/d", "docker.io/a/b/c/d:latest", "a/b/c/d:latest" },
		{ "docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
		{ "docker.io/library/alpine:1", "docker.io/library/alpine:1", "alpine:1" },
		{ "DOCKER.IO/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
		{ "index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest" },
		{ "library/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
		{ "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
		{ "localhost/a", "localhost/a:latest", "localhost/a:latest" },
		{ "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000" },
		{ "localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest" },
		{ "localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000/a/b:1" },
		{ "LOCALHOST:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest" },
		{ "Example.COM/a", "example.com/a:latest", "example.com/a:latest" },
		{ "x-1.example.com:65535/a", "x-1.example.com:65535/a:latest",
			"x-1.example.com:65535/a:latest" },
		{ "example.com:0443/a", "example.com:443/a:latest", "example.com:443/a:latest" },
		{ "127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", "127.0.0.1:5000/a:latest" },
		{ "127.0.0.1/a", "127.0.0.1/a:latest", "127.0.0.1/a:latest" },
		{ "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest" },
		{ "[0:0:0:0:0:0:0:1]/a", "[::1]/a:latest", "[::1]/a:latest" },
		{ "[FE80::A]/a:1", "[fe80::a]/a:1", "[fe80::a]/a:1" },
		{ "a:_", "docker.io/library/a:_", "a:_" },
		{ "a:0", "docker.io/library/a:0", "a:0" },
		{ "a:V1.2_x-y.", "docker.io/library/a:V1.2_x-y.", "a:V1.2_x-y." },
		{ "a:1..2", "docker.io/library/a:1..2", "a:1..2" },
		{ "a_b", "docker.io/library/a_b:latest", "a_b:latest" },
		{ "a__b", "docker.io/library/a__b:latest", "a__b:latest" },
		{ "a.b", "docker.io/library/a.b:latest", "a.b:latest" },
		{ "a-----b", "docker.io/library/a-----b:latest", "a-----b:latest" },
		{ "0/0_0.0-0", "docker.io/0/0_0.0-0:latest", "0/0_0.0-0:latest" },
		{ "docker.io/localhost/a", "docker.io/localhost/a:latest",
			"docker.io/localhost/a:latest" },
		{ "docker.io/a.b/c:1", "docker.io/a.b/c:1", "docker.io/a.b/c:1" },
		{ "a@" SHA256, "docker.io/library/a@" SHA256, "a@" SHA256 },
		{ "a:1@" SHA256, "docker.io/library/a:1@" SHA256, "a:1@" SHA256 },
		{ "h:1/a@" SHA512, "h:1/a@" SHA512, "h:1/a@" SHA512 },
		{ SHA256, "docker.io/library/" SHA256,
			SHA256 }, /* a name and its tag, as docker has it */
		{ HEX32 HEX32 ":1", "docker.io/library/" HEX32 HEX32 ":1", HEX32 HEX32 ":1" },
		{ HEX32 HEX32 "a", "docker.io/library/" HEX32 HEX32 "a:latest",
			HEX32 HEX32 "a:latest" },
	};
	char text[REF_TEXT];
	struct ref r;
	size_t i;

	unit_case("accepts references; canonical and short form read back as the same");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (ref_parse(&r, rows[i].s) < 0)
			printf("# %s\n", fail_text());
		ref_format(text, &r);
		CHECK_STR(text, rows[i].canonical);
		CHECK(ref_parse(&r, rows[i].canonical) == 0);
		ref_format(text, &r);
		CHECK_STR(text, rows[i].canonical);
		ref_format_short(text, &r);
		CHECK_STR(text, rows[i].brief);
		CHECK(ref_parse(&r, rows[i].brief) == 0);
		ref_format(text, &r);
		CHECK_STR(text, rows[i].canonical);
	}
}

static void check_refuses(void)
{
	static const char *const rows[] = {
		"",
		" ",
		"/",
		":",
		"@",
		"a ",
		" a",
		"a b",
		"a\n",
		"a\x1b[2J",
		"a\x7f",
		"\xc3\xa4",
		"a\xff",
		"UPPER",
		"UPPER/case",
		"a/B",
		"localhost/A",
		"-a",
		"--help",
		"-a/b",
		"a-",
		"a/-b",
		"_a",
		"a_",
		".a",
		"a.",
		"a..b",
		"a___b",
		"a.-b",
		"a_.b",
		"a-_b",
		".",
		"..",
		"../a",
		"a/../b",
		"./a",
		"a/.",
		"a/..",
		"a//b",
		"/a",
		"a/",
		"//a",
		"a/b/",
		"localhost:5000/",
		"localhost//a",
		"localhost/../a",
		"a:",
		"a:.",
		"a:..",
		"a:-1",
		"a:1:2",
		"a:b/c",
		"a:1/",
		"a:+",
		"a: 1",
		"a:\xc3\xa4",
		"a:1 ",
		"a:/1",
		"a:1\n",
		"a@",
		"a@@" SHA256,
		"a@" SHA256 "@" SHA256,
		"@" SHA256,
		"a:@" SHA256,
		"a@sha256:",
		"a@sha256:abc",
		"a@" SHA256 "0",
		"a@" SHA256 ":1",
		"a@md5:" HEX32,
		"a@SHA256:" HEX32 HEX32,
		"a@sha256:" HEX32 "0123456789ABCDEF0123456789ABCDEF",
		"a@sha256:../../etc/passwd",
		"a@" HEX32 HEX32,
		"a@sha512:" HEX32 HEX32,
		HEX32 HEX32,
		"example.com./a",
		".example.com/a",
		"a..b/c",
		"-a.com/b",
		"a-.com/b",
		"a.com-/b",
		"a_b.com/c",
		"a.com:/b",
		"a.com:0/b",
		"a.com:65536/b",
		"a.com:x/b",
		"a.com:-1/b",
		"a.com:+1/b",
		"a.com:1:2/b",
		"a.com: 1/b",
		":5000/b",
		"a.com%2f/b",
		"user:pw@a.com/b",
		"user@a.com/b",
		"http://a.com/b",
		"https://alpine",
		"docker://alpine",
		"127.1/a",
		"127.0.0.1.:1/a",
		"1.2.3.4.5/a",
		"256.1.1.1/a",
		"0x7f.1/a",
		"127.0x1/a",
		"2130706433:80/a",
		"01.2.3.4/a",
		"[::1/a",
		"::1/a",
		"[]/a",
		"[::1]]/a",
		"[::1]x/a",
		"[::1]:/a",
		"[fe80::1%eth0]/a",
		"[1.2.3.4]/a",
		"[localhost]/a",
		LABEL50 LABEL50 ".com/a",
		"a\\b",
		"a?b",
		"a#b",
		"a*b",
		"a~b",
		"a,b",
		"a=b",
		"a$b",
		"a%b",
		"a&b",
		"a;b",
		"`a`",
	};
	static const struct ref zero;
	struct ref r;
	size_t i;
	int ret;

	unit_case("refuses what is no reference");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		memset(&r, 1, sizeof(r));
		ret = ref_parse(&r, rows[i]);
		if (ret != -EINVAL)
			printf("# accepted: '%s'\n", rows[i]);
		CHECK(ret == -EINVAL && memcmp(&r, &zero, sizeof(r)) == 0);
		CHECK(strstr(fail_text(), "is not a valid reference: "));
	}
}

/* COUNT letters a, then TAIL. */
static int parse_long(struct ref *r, size_t count, const char *tail)
{
	auto_free char *s = malloc(count + strlen(tail) + 1);

	memset(s, 'a', count);
	strcpy(s + count, tail);
	return ref_parse(r, s);
}

static void check_lengths(void)
{
	char tag[130], text[REF_TEXT];
	struct ref r;

	unit_case("repository of 255 bytes, with what is left out");
	CHECK(parse_long(&r, 247, "") == 0 && strlen(r.repository) == 255);
	CHECK(parse_long(&r, 248, "") == -EINVAL);
	CHECK(parse_long(&r, 253, "/b") == 0 && strlen(r.repository) == 255);
	CHECK(parse_long(&r, 254, "/b") == -EINVAL);

	unit_case("tag of 128 bytes");
	memset(tag, 't', sizeof(tag));
	tag[129] = '\0';
	CHECK(!ref_is_tag(tag));
	tag[128] = '\0';
	CHECK(ref_is_tag(tag) && !ref_is_tag("") && !ref_is_tag(".") && !ref_is_tag("-"));

	unit_case("512 bytes in all, with what is left out");
	snprintf(text, sizeof(text), "/b:%.*s@%s", 105, tag, SHA512);
	CHECK(parse_long(&r, 259, text) == -EINVAL);
	CHECK(parse_long(&r, 253, text) == 0);
	ref_format(text, &r);
	CHECK(strlen(text) == 253 + 244 + strlen("docker.io/") && ref_parse(&r, text) == 0);
	snprintf(text, sizeof(text), "/b:%.*s@%s", 110, tag, SHA512);
	CHECK(parse_long(&r, 253, text) == 0);
	ref_format(text, &r);
	CHECK(strlen(text) == 512 && ref_parse(&r, text) == 0);
	snprintf(text, sizeof(text), "/b:%.*s@%s", 111, tag, SHA512);
	CHECK(parse_long(&r, 253, text) == -EINVAL);

	unit_case("a reference of 1 MB is refused, with a short text");
	CHECK(parse_long(&r, 1000000, "") == -EINVAL);
	CHECK(strlen(fail_text()) < 300 &&
		strstr(fail_text(), "...' is not a valid reference: too long"));
}

static void check_registry(void)
{
	struct ref r;

	unit_case("where to connect to");
	CHECK(ref_parse(&r, "alpine") == 0);
	CHECK_STR(ref_registry(&r), "registry-1.docker.io");
	CHECK(ref_parse(&r, "localhost:5000/a") == 0);
	CHECK_STR(ref_registry(&r), "localhost:5000");

	unit_case("a digest alone leaves the tag empty");
	CHECK(ref_parse(&r, "a@" SHA256) == 0);
	CHECK_STR(r.tag, "");
	CHECK(r.has_digest && r.digest.algorithm == DIGEST_SHA256 && r.digest.bytes[1] == 0x23);
}

int main(void)
{
	check_accepts();
	check_refuses();
	check_lengths();
	check_registry();
	return unit_end();
}
