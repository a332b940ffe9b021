/* SPDX-License-Identifier: MIT */
/* url - unit tests */
#include "format/url.h"

#include <errno.h>

#include "base/fail.h"
#include "unit.h"

/* "https://host:port/path" with nothing left out. */
static const char *spell(const struct url *u)
{
	static char text[URL_MAX + 300];

	snprintf(text, sizeof(text), "%s://%s:%d%s", u->https ? "https" : "http", u->host, u->port,
		u->path);
	return text;
}

static void check_accepts(void)
{
	static const struct {
		const char *s, *want, *authority;
		bool literal;
	} rows[] = {
		{ "https://a.example", "https://a.example:443/", "a.example", false },
		{ "http://a.example/", "http://a.example:80/", "a.example", false },
		{ "HTTPS://A.Example/P", "https://a.example:443/P", "a.example", false },
		{ "https://a:5000/v2/", "https://a:5000/v2/", "a:5000", false },
		{ "https://a:443/x", "https://a:443/x", "a", false },
		{ "http://a:443/x", "http://a:443/x", "a:443", false },
		{ "https://a:00080/x", "https://a:80/x", "a:80", false },
		{ "https://a?q=1", "https://a:443/?q=1", "a", false },
		{ "https://a#f", "https://a:443/", "a", false },
		{ "https://a/x?q=/../#f?g", "https://a:443/x?q=/../", "a", false },
		{ "https://a/%2e%2E/x;y=z", "https://a:443/%2e%2E/x;y=z", "a", false },
		{ "https://a//b/../c", "https://a:443//b/../c", "a", false },
		{ "https://a/x@y:z", "https://a:443/x@y:z", "a", false },
		{ "https://127.0.0.1:8/", "https://127.0.0.1:8/", "127.0.0.1:8", true },
		{ "https://[::1]/", "https://::1:443/", "[::1]", true },
		{ "https://[0:0::0:1]:8/", "https://::1:8/", "[::1]:8", true },
		{ "https://[FE80::ABCD]/", "https://fe80::abcd:443/", "[fe80::abcd]", true },
		{ "https://[::ffff:1.2.3.4]/", "https://::ffff:1.2.3.4:443/", "[::ffff:1.2.3.4]",
			true },
		{ "https://1.2.3.4a/", "https://1.2.3.4a:443/", "1.2.3.4a", false },
		{ "https://3com/", "https://3com:443/", "3com", false },
		{ "https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443/",
			"xn--bcher-kva.example", false },
	};
	char authority[272];
	struct url u;
	size_t i;

	unit_case("accepts absolute URLs");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (url_parse(&u, rows[i].s) < 0)
			printf("# %s\n", fail_text());
		CHECK_STR(spell(&u), rows[i].want);
		CHECK(u.literal == rows[i].literal);
		url_authority(authority, &u);
		CHECK_STR(authority, rows[i].authority);
	}
}

static void check_refuses(void)
{
	static const char *const rows[] = {
		"",
		"a",
		"/",
		"//a/",
		"/a",
		"a.example/x",
		"http",
		"http:",
		"http:/",
		"http://",
		"https:///x",
		"http:a",
		"http:/a/",
		"ftp://a/",
		"file:///etc/passwd",
		"httpss://a/",
		"https//a/",
		"javascript:alert(1)",
		" https://a/",
		"https ://a/",
		"https://:80/",
		"https://a:/",
		"https://a:0/",
		"https://a:65536/",
		"https://a:99999999999999999999/",
		"https://a:-1/",
		"https://a:+1/",
		"https://a:1x/",
		"https://a:1:2/",
		"https://a: 1/",
		"https://u@a/",
		"https://u:p@a/",
		"https://@a/",
		"https://a@/",
		"https://a.example:443@evil/",
		"https://a\\@b/",
		"https://a\\b/",
		"https://a%2fb/",
		"https://a%00/",
		"https://a b/",
		"https://a/b c",
		"https://a/\t",
		"https://a/\r\nX: y",
		"https://a\n/",
		"https://a/\x7f",
		"https://a/\xc3\xa4",
		"https://\xc3\xa4/",
		"https://a/#\x01",
		"https://-a/",
		"https://a-/",
		"https://a..b/",
		"https://.a/",
		"https://a./",
		"https://a_b/",
		"https://a,b/",
		"https://*/",
		"https://127.1/",
		"https://2130706433/",
		"https://0x7f000001/",
		"https://0177.0.0.1/",
		"https://1.2.3.256/",
		"https://1.2.3.4.5/",
		"https://1.2.3.4./",
		"https://a.1/",
		"https://a.0x1/",
		"https://[::1/",
		"https://::1/",
		"https://[]/",
		"https://[::1]a/",
		"https://[::1]:/",
		"https://[::1%25lo]/",
		"https://[1.2.3.4]/",
		"https://[a]/",
		"https://[[::1]]/",
		"https://a[::1]/",
		"https://[::1]x80/",
		"https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
	};
	struct url u;
	size_t i;
	int r;

	unit_case("refuses everything else");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		u.port = 7;
		r = url_parse(&u, rows[i]);
		if (r != -EINVAL)
			printf("# accepted: '%s'\n", rows[i]);
		CHECK(r == -EINVAL && u.port == 0 && u.host[0] == '\0' && u.path[0] == '\0');
		CHECK(strstr(fail_text(), "is not a valid URL: "));
	}
	CHECK(url_parse(&u, "https://user:pw@a/") == -EINVAL);
	CHECK(strstr(fail_text(), "user information"));
}

static void check_lengths(void)
{
	static char text[2 * URL_MAX];
	struct url u, base;
	size_t i;

	unit_case("long URLs");
	strcpy(text, "https://a?");
	memset(text + 10, 'x', URL_MAX);
	text[9 + URL_MAX - 2] = '\0';
	CHECK(url_parse(&base, text) == 0 && strlen(base.path) == URL_MAX - 1);
	CHECK(url_resolve(&u, &base, "") == 0 && strcmp(u.path, base.path) == 0);
	text[9 + URL_MAX - 2] = 'x';
	text[9 + URL_MAX - 1] = '\0';
	CHECK(url_parse(&u, text) == -EINVAL && !u.host[0]);
	CHECK(strlen(fail_text()) < 300 && strstr(fail_text(), "too long"));
	memset(text, 'x', sizeof(text) - 1);
	CHECK(url_resolve(&u, &base, text) == -EINVAL);
	text[URL_MAX - 1] = '\0';
	CHECK(url_resolve(&u, &base, text) == -EINVAL);
	text[URL_MAX - 2] = '\0';
	CHECK(url_resolve(&u, &base, text) == 0 && strlen(u.path) == URL_MAX - 1);

	unit_case("names of 253 bytes and labels of 63");
	strcpy(text, "https://");
	for (i = 0; i < 253; i++)
		text[8 + i] = i % 64 == 63 ? '.' : 'a';
	strcpy(text + 8 + 253, ":65535/");
	CHECK(url_parse(&u, text) == 0 && strlen(u.host) == 253 && u.port == 65535);
	strcpy(text + 8 + 253, "a:65535/");
	CHECK(url_parse(&u, text) == -EINVAL);
	memset(text + 8, 'a', 1000);
	strcpy(text + 8 + 1000, "/");
	CHECK(url_parse(&u, text) == -EINVAL);
}

static void check_resolve(void)
{
	static const struct {
		const char *location, *want;
	} rows[] = {
		/* RFC 3986, section 5.4 */
		{ "g", "http://a:80/b/c/g" },
		{ "./g", "http://a:80/b/c/g" },
		{ "g/", "http://a:80/b/c/g/" },
		{ "/g", "http://a:80/g" },
		{ "//g", "http://g:80/" },
		{ "?y", "http://a:80/b/c/d;p?y" },
		{ "g?y", "http://a:80/b/c/g?y" },
		{ "#s", "http://a:80/b/c/d;p?q" },
		{ "g#s", "http://a:80/b/c/g" },
		{ ";x", "http://a:80/b/c/;x" },
		{ "", "http://a:80/b/c/d;p?q" },
		{ ".", "http://a:80/b/c/" },
		{ "./", "http://a:80/b/c/" },
		{ "..", "http://a:80/b/" },
		{ "../", "http://a:80/b/" },
		{ "../g", "http://a:80/b/g" },
		{ "../..", "http://a:80/" },
		{ "../../", "http://a:80/" },
		{ "../../g", "http://a:80/g" },
		{ "../../../g", "http://a:80/g" },
		{ "/./g", "http://a:80/g" },
		{ "/../g", "http://a:80/g" },
		{ "g.", "http://a:80/b/c/g." },
		{ ".g", "http://a:80/b/c/.g" },
		{ "g..", "http://a:80/b/c/g.." },
		{ "..g", "http://a:80/b/c/..g" },
		{ "./../g", "http://a:80/b/g" },
		{ "./g/.", "http://a:80/b/c/g/" },
		{ "g/./h", "http://a:80/b/c/g/h" },
		{ "g/../h", "http://a:80/b/c/h" },
		{ "g;x=1/../y", "http://a:80/b/c/y" },
		{ "g?y/../x", "http://a:80/b/c/g?y/../x" },
		/* other hosts, schemes and tricks */
		{ "https://h:5/x/../y", "https://h:5/y" },
		{ "HTTP://H", "http://h:80/" },
		{ "//h:81/x", "http://h:81/x" },
		{ "///x", NULL },
		{ "http:g", NULL },
		{ "ftp://h/", NULL },
		{ "g:h", NULL },
		{ "//u@h/", NULL },
		{ "/\\h/", "http://a:80/\\h/" },
		{ "\\\\h/", "http://a:80/b/c/\\\\h/" },
		{ "g?x:y", "http://a:80/b/c/g?x:y" },
		{ "/x:y", "http://a:80/x:y" },
		{ " /x", NULL },
		{ "/x\r\nA: b", NULL },
		{ "/..//h/x", "http://a:80//h/x" },
		{ "/../../../..", "http://a:80/" },
		{ "/./.", "http://a:80/" },
		{ "%2e%2e/g", "http://a:80/b/c/%2e%2e/g" },
		{ "//", NULL },
		{ "@h/", "http://a:80/b/c/@h/" },
		{ "/a//../b", "http://a:80/a/b" },
		{ ":80/", NULL },
		{ "//[::1]:8/x", "http://::1:8/x" },
	};
	struct url base, u;
	size_t i;
	int r;

	unit_case("resolves locations (RFC 3986, section 5.4)");
	CHECK(url_parse(&base, "http://a/b/c/d;p?q") == 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		r = url_resolve(&u, &base, rows[i].location);
		if (!rows[i].want) {
			CHECK(r == -EINVAL && !u.host[0]);
			continue;
		}
		CHECK(r == 0);
		CHECK_STR(spell(&u), rows[i].want);
	}

	unit_case("keeps scheme, brackets and port of the base, which may be the result");
	CHECK(url_parse(&u, "https://[::1]:8/x") == 0 && url_resolve(&u, &u, "y") == 0);
	CHECK_STR(spell(&u), "https://::1:8/y");
	CHECK(url_resolve(&u, &u, "//b:9/z?/w") == 0 && url_resolve(&u, &u, "v") == 0);
	CHECK_STR(spell(&u), "https://b:9/v");
}

static bool same(const char *a, const char *b)
{
	struct url x, y;

	CHECK(url_parse(&x, a) == 0 && url_parse(&y, b) == 0);
	return url_same_origin(&x, &y);
}

static void check_origin(void)
{
	auto_buf struct buf b = { 0 };

	unit_case("same origin is scheme, host and port");
	CHECK(same("https://a/x", "HTTPS://A:443/y?z"));
	CHECK(same("https://[::1]/", "https://[0:0:0:0:0:0:0:1]:443/"));
	CHECK(!same("https://a/", "http://a/"));
	CHECK(!same("https://a:443/", "http://a:443/"));
	CHECK(!same("https://a/", "https://a:444/"));
	CHECK(!same("https://a/", "https://b/"));
	CHECK(!same("https://a/", "https://a.b/"));
	CHECK(!same("https://b.a/", "https://a/"));

	unit_case("percent-encodes all but the unreserved");
	url_encode(&b, "aZ09-._~");
	url_encode(&b, "");
	url_encode(&b, ":/ +&=%?#\n\x7f\xc3\xa4");
	CHECK_STR(buf_str(&b), "aZ09-._~%3A%2F%20%2B%26%3D%25%3F%23%0A%7F%C3%A4");
}

int main(void)
{
	check_accepts();
	check_refuses();
	check_lengths();
	check_resolve();
	check_origin();
	return unit_end();
}
