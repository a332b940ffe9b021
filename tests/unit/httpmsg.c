/* SPDX-License-Identifier: MIT */
#include "format/httpmsg.h"

#include "base/fail.h"
#include "unit.h"

struct result {
	struct httpmsg m;
	struct buf body;
	int r;
	size_t left; /* input that was not consumed */
};

/* Feed TEXT in pieces of STEP bytes, then the end of the connection. */
static void feed(struct result *out, const char *text, size_t len, size_t step, bool no_body)
{
	const uint8_t *in, *body;
	size_t in_len, body_len, at = 0;

	memset(out, 0, sizeof(*out));
	httpmsg_init(&out->m, no_body);
	while (at < len && out->r == 0 && !out->m.complete) {
		in = (const uint8_t *)text + at;
		in_len = len - at < step ? len - at : step;
		at += in_len;
		while (in_len && out->r == 0 && !out->m.complete) {
			out->r = httpmsg_feed(&out->m, &in, &in_len, &body, &body_len);
			buf_add(&out->body, body ? (const char *)body : "", body_len);
		}
		at -= in_len;
	}
	out->left = len - at;
	if (out->r == 0)
		out->r = httpmsg_end(&out->m);
}

static void done(struct result *r)
{
	httpmsg_free(&r->m);
	buf_free(&r->body);
}

/* Must give BODY and leave LEFT bytes, whole and byte by byte; BODY NULL: must be refused. */
static void expect(const char *text, size_t len, bool no_body, const char *body, size_t left)
{
	static const size_t steps[] = { 1, 2, 3, 7, 1 << 20 };
	struct result r;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		feed(&r, text, len, steps[i], no_body);
		if (body) {
			CHECK(r.r == 0);
			CHECK_STR(buf_str(&r.body), body);
			CHECK(r.left == left);
			CHECK(r.m.complete);
		} else {
			CHECK(r.r == -EBADMSG);
			CHECK(*fail_text());
		}
		done(&r);
	}
}

#define GOOD(text, body) expect(text, sizeof(text) - 1, false, body, 0)
#define BAD(text)        expect(text, sizeof(text) - 1, false, NULL, 0)
#define OK               "HTTP/1.1 200 OK\r\n"

static void framing(void)
{
	unit_case("a body of a given length");
	GOOD(OK "Content-Length: 5\r\n\r\nhello", "hello");
	GOOD(OK "content-length:5\r\nContent-Length: \t5 \r\n\r\nhello", "hello");
	GOOD(OK "Content-Length: 0\r\n\r\n", "");
	GOOD("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "");
	unit_case("what follows the body is left over");
	expect(OK "Content-Length: 2\r\n\r\nhello", sizeof(OK "Content-Length: 2\r\n\r\nhello") - 1,
		false, "he", 3);
	unit_case("a body that is cut short is refused");
	BAD(OK "Content-Length: 6\r\n\r\nhello");
	BAD(OK "Content-Length: 6\r\n");
	BAD("");
	unit_case("a body until the connection ends");
	GOOD(OK "\r\nhello", "hello");
	GOOD("HTTP/1.0 200 OK\r\n\r\nhello", "hello");
	unit_case("a chunked body");
	GOOD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=\"y\"\r\n, world!!!\r\n0\r\n\r\n",
		"hello, world!!!");
	GOOD(OK "Transfer-Encoding: Chunked\r\n\r\n00000000000001\r\nx\r\n0000\r\nTrailer: 1\r\n\r\n",
		"x");
	unit_case("a chunked body that is cut short is refused");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel");
	unit_case("no body where there can be none");
	GOOD("HTTP/1.1 204 No Content\r\n\r\n", "");
	GOOD("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "");
	expect(OK "Content-Length: 5\r\n\r\n", sizeof(OK "Content-Length: 5\r\n\r\n") - 1, true, "",
		0);
	unit_case("interim responses are skipped");
	GOOD("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK
	     "Content-Length: 1\r\n\r\nx",
		"x");
}

static void refused(void)
{
	unit_case("both kinds of framing");
	BAD(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
	unit_case("differing, negative, signed, listed, huge and empty lengths");
	BAD(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
	BAD(OK "Content-Length: -1\r\n\r\n");
	BAD(OK "Content-Length: +5\r\n\r\nhello");
	BAD(OK "Content-Length: 5, 5\r\n\r\nhello");
	BAD(OK "Content-Length: 5 5\r\n\r\nhello");
	BAD(OK "Content-Length: 0x5\r\n\r\nhello");
	BAD(OK "Content-Length: 18446744073709551621\r\n\r\nhello");
	BAD(OK "Content-Length:\r\n\r\n");
	unit_case("other transfer encodings, and any in HTTP/1.0");
	BAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
	BAD(OK "Transfer-Encoding: identity\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	unit_case("folded headers, spaces before the colon, no name");
	BAD(OK "X: a\r\n b\r\n\r\n");
	BAD(OK "Content-Length : 5\r\n\r\nhello");
	BAD(OK ": 5\r\n\r\n");
	BAD(OK "nonsense\r\n\r\n");
	unit_case("bare LF, bare CR, NUL and other control characters");
	BAD("HTTP/1.1 200 OK\nContent-Length: 0\n\n");
	BAD(OK "X: a\nContent-Length: 0\r\n\r\n");
	BAD(OK "X: a\rb\r\n\r\n");
	BAD(OK "X: a\0b\r\n\r\n");
	BAD(OK "X: \033[2J\r\n\r\n");
	unit_case("what is no status line");
	BAD("HTTP/2 200 OK\r\n\r\n");
	BAD("HTTP/1.1 20 OK\r\n\r\n");
	BAD("HTTP/1.1 2000 OK\r\n\r\n");
	BAD("HTTP/1.1 000 OK\r\n\r\n");
	BAD("HTTP/1.1  200 OK\r\n\r\n");
	BAD("\r\n\r\n");
	BAD("<html>\r\n\r\n");
	BAD("HTTP/1.1 101 Switching Protocols\r\n\r\n");
	unit_case("bad chunk sizes");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n\r\nhello");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n-1\r\nhello");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n;x\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n");
	unit_case("a chunk longer than its size");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n");
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n4\r\nhell\n0\r\n\r\n");
}

/* OK, N times LINE, the end of the head. */
static void repeated(const char *first, const char *line, int n, const char *end, bool good)
{
	struct buf text = { 0 };

	buf_puts(&text, first);
	while (n--)
		buf_puts(&text, line);
	buf_puts(&text, end);
	expect(buf_str(&text), text.len, false, good ? "" : NULL, 0);
	buf_free(&text);
}

static void limits(void)
{
	static char line[20000];

	unit_case("128 lines of a head, not more");
	repeated(OK "Content-Length: 0\r\n", "A: b\r\n", 126, "\r\n", true);
	repeated(OK "Content-Length: 0\r\n", "A: b\r\n", 127, "\r\n", false);
	unit_case("128 lines of a trailer, not more");
	repeated(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 128, "\r\n", true);
	repeated(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 129, "\r\n", false);
	unit_case("8 interim responses, not more");
	repeated("", "HTTP/1.1 100 Continue\r\n\r\n", 8, OK "Content-Length: 0\r\n\r\n", true);
	repeated("", "HTTP/1.1 100 Continue\r\n\r\n", 9, OK "Content-Length: 0\r\n\r\n", false);
	unit_case("16 KiB of a line, not more");
	memset(line, 'x', sizeof(line));
	line[1] = ':';
	strcpy(line + 16384, "\r\n");
	repeated(OK "Content-Length: 0\r\n", line, 1, "\r\n", true);
	strcpy(line + 16385, "\r\n");
	line[16384] = 'x';
	repeated(OK "Content-Length: 0\r\n", line, 1, "\r\n", false);
	unit_case("64 KiB of a head, not more");
	strcpy(line + 16000, "\r\n");
	repeated(OK "Content-Length: 0\r\n", line, 4, "\r\n", true);
	repeated(OK "Content-Length: 0\r\n", line, 5, "\r\n", false);
	unit_case("64 KiB of a trailer, not more");
	repeated(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", line, 4, "\r\n", true);
	repeated(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", line, 5, "\r\n", false);
}

static bool keeps(const char *text)
{
	struct result r;
	bool keep;

	feed(&r, text, strlen(text), 1000, false);
	keep = r.m.keep_alive;
	CHECK(r.m.head_done);
	done(&r);
	return keep;
}

static void headers(void)
{
	static const char text[] =
		"HTTP/1.1 401 No\r\nContent-Length: 0\r\nX-A:\t one \r\nx-ab: no\r\nx-a: two\r\nX-E:\r\n\r\n";
	struct result r;
	char *s;

	feed(&r, text, sizeof(text) - 1, 1, false);
	unit_case("finds headers by name and number");
	CHECK(r.m.status == 401);
	CHECK_STR((s = httpmsg_header(&r.m, "X-a", 0)), "one");
	free(s);
	CHECK_STR((s = httpmsg_header(&r.m, "X-A", 1)), "two");
	free(s);
	CHECK(!httpmsg_header(&r.m, "x-a", 2));
	CHECK(!httpmsg_header(&r.m, "x", 0));
	CHECK_STR((s = httpmsg_header(&r.m, "x-e", 0)), "");
	free(s);
	done(&r);
	unit_case("knows when the connection can be used again");
	CHECK(keeps(OK "Content-Length: 0\r\n\r\n"));
	CHECK(!keeps(OK "Content-Length: 0\r\nConnection: Close\r\n\r\n"));
	CHECK(!keeps(OK "Content-Length: 0\r\nConnection: x\r\nconnection: foo ,close\r\n\r\n"));
	CHECK(!keeps(OK "\r\n"));
	CHECK(!keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
}

static void ranges(void)
{
	static const char *const bad[] = { "", "bytes 1-2", "bytes 2-1/5", "bytes 1-5/5",
		"bytes */5", "bytes 1-2/*", "bytes -1-2/5", "bytes 1-2/5 ", "items 1-2/5",
		"bytes  1-2/5", "bytes 1-2/99999999999999999999", "bytes a-2/5" };
	uint64_t first, last, total;

	unit_case("reads Content-Range");
	CHECK(httpmsg_content_range("bytes 1-2/5", &first, &last, &total) == 0);
	CHECK(first == 1 && last == 2 && total == 5);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unit_case("refuses a bad Content-Range");
		CHECK(httpmsg_content_range(bad[i], &first, &last, &total) == -EBADMSG);
	}
}

static void challenges(void)
{
	static const struct {
		const char *text, *scheme, *realm, *service;
	} good[] = {
		{ "Basic realm=\"a b\"", "basic", "a b", "" },
		{ "basic", "basic", "", "" },
		{ "BEARER realm=\"https://a.test/t\",service=\"s\",scope=\"x y\"", "bearer",
			"https://a.test/t", "s" },
		{ "Bearer realm = x , service=y", "bearer", "x", "y" },
		{ "Basic realm=b, Bearer realm=\"t\", service=s", "bearer", "t", "s" },
		{ "Bearer realm=t, service=s, Basic realm=b", "bearer", "t", "s" },
		{ "Negotiate abc==, Basic realm=b", "basic", "b", "" },
		{ "Digest realm=d, nonce=\"a,b\", Basic realm=\"q\\\"\\\\\"", "basic", "q\"\\",
			"" },
		{ ", ,Basic realm=b,,", "basic", "b", "" },
	};
	static const char *const bad[] = { "Basic realm=\"a", "Basic realm=\"a\\",
		"Bearer realm=a realm=b", "Bearer realm=a,realm=b", "=",
		"Bearer service=s,realm=", "\"x\"", "Basic realm=\"\n\"", "Bearer realm=a\"b\"" };
	static char longest[1100] = "Bearer realm=";
	struct httpmsg_challenge c;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		unit_case(good[i].text);
		CHECK(httpmsg_challenge(&c, good[i].text) == 0);
		CHECK_STR(c.scheme, good[i].scheme);
		CHECK_STR(c.realm, good[i].realm);
		CHECK_STR(c.service, good[i].service);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unit_case("refuses a malformed challenge");
		CHECK(httpmsg_challenge(&c, bad[i]) == -EBADMSG);
		CHECK(!c.scheme[0]);
	}
	unit_case("realms of 1023 bytes, not more");
	memset(longest + 13, 'x', 1023);
	CHECK(httpmsg_challenge(&c, longest) == 0);
	longest[13 + 1023] = 'x';
	CHECK(httpmsg_challenge(&c, longest) == -EBADMSG);
	unit_case("says that no scheme is known");
	CHECK(httpmsg_challenge(&c, "Negotiate") == -ENOENT);
	CHECK(httpmsg_challenge(&c, "") == -ENOENT);
	CHECK(httpmsg_challenge(&c, "Bearerx realm=a, xbasic abc=") == -ENOENT);
}

int main(void)
{
	framing();
	refused();
	limits();
	headers();
	ranges();
	challenges();
	return unit_end();
}
