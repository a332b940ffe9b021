/* SPDX-License-Identifier: MIT */
/* json - unit tests: what is read and how it is written, what is refused, limits, trees */
#include "base/json.h"

#include <inttypes.h>

#include "base/fail.h"
#include "unit.h"

/* Text with its length, so that it may hold NUL. */
#define TEXT(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}

struct text {
	const char *s;
	size_t len;
};

static void show(const char *why, struct text t)
{
	printf("# %s: %.*s\n", why, (int)(t.len > 60 ? 60 : t.len), t.s);
}

/* T is read and written as WANT, which is read and written as itself. */
static void accept_text(struct text t, const char *want)
{
	auto_buf struct buf out = { 0 }, again = { 0 };
	auto_json struct json *j = NULL, *k = NULL;
	/* a copy of its own size, so that the sanitizer sees a read behind the end */
	auto_free char *exact = malloc(t.len ? t.len : 1);

	memcpy(exact, t.s, t.len);
	if (json_parse(exact, t.len, &j) < 0) {
		show(fail_text(), t);
		CHECK(!"accepted");
		return;
	}
	json_format(&out, j);
	CHECK_STR(buf_str(&out), want);
	CHECK(json_parse(want, strlen(want), &k) == 0);
	json_format(&again, k);
	CHECK_STR(buf_str(&again), want);
}

static void refuse_text(struct text t)
{
	struct json *j = (struct json *)1;
	auto_free char *exact = malloc(t.len ? t.len : 1);
	int r;

	memcpy(exact, t.s, t.len);
	r = json_parse(exact, t.len, &j);
	if (r != -EBADMSG || j)
		show("not refused", t);
	CHECK(r == -EBADMSG && !j);
	CHECK(strstr(fail_text(), "invalid JSON"));
	if (r == 0)
		json_free(j);
}

struct row {
	const char *text, *want; /* want NULL: the same */
};

static void accept_rows(const struct row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		accept_text((struct text){ rows[i].text, strlen(rows[i].text) },
			rows[i].want ? rows[i].want : rows[i].text);
}

static void check_accepts_structure(void)
{
	static const struct row rows[] = {
		{ "[]", NULL },
		{ "{}", NULL },
		{ "null", NULL },
		{ "true", NULL },
		{ "false", NULL },
		{ "\"\"", NULL },
		{ "0", NULL },
		{ " \t\r\n[ \t\r\n] \t\r\n", "[]" },
		{ "{ }", "{}" },
		{ "[1 , 2]", "[1,2]" },
		{ "{ \"a\" : 1 }", "{\"a\":1}" },
		{ "[[],[[]],{}]", NULL },
		{ "[null,1,\"1\",{}]", NULL },
		{ "[1,null,null,2]", NULL },
		{ "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
		{ "{\"\":0}", NULL },
		{ "{\"a\":{\"a\":{\"a\":[]}}}", NULL },
		{ "[{\"a\":1},{\"a\":1}]", NULL },
		{ "{\"A\":1,\"a\":2}", NULL },
		{ "{\"a\":1,\"aa\":2,\"\":3}", "{\"\":3,\"a\":1,\"aa\":2}" },
		{ "[true,false,null]\n", "[true,false,null]" },
		{ "{\"title\":\"\\u041f\\u043e\"}", "{\"title\":\"\xd0\x9f\xd0\xbe\"}" },
	};

	unit_case("accepts structure");
	accept_rows(rows, ARRAY_LEN(rows));
}

static void check_accepts_strings(void)
{
	static const struct row rows[] = {
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
		{ "\"\\u0022\\u005c\\u002f\\u0008\"", "\"\\\"\\\\/\\b\"" },
		{ "\"\\u0001\\u001f\\u000B\"", "\"\\u0001\\u001f\\u000b\"" },
		{ "\"\\u0020\\u007f\\u0080\"", "\" \x7f\xc2\x80\"" },
		{ "\"\\u00e9\\u00E9\"", "\"\xc3\xa9\xc3\xa9\"" },
		{ "\"\\u20ac\"", "\"\xe2\x82\xac\"" },
		{ "\"\\u2028\\u2029\"", "\"\xe2\x80\xa8\xe2\x80\xa9\"" },
		{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
		{ "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
		{ "\"\\uD7FF\\uE000\\uFFFF\"", "\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"" },
		{ "\"\\ufeff\\ufffe\"", "\"\xef\xbb\xbf\xef\xbf\xbe\"" },
		{ "\"\\\\u0000\"", NULL },
		{ "\"\\\\\\\"\"", NULL },
		{ "\"\x7f\"", NULL },
		{ "\"/ * // # '\"", NULL },
		{ "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", NULL },
		{ "\"\\u00610062\"", "\"a0062\"" },
		{ "{\"\\u0061\":\"\\u0062\"}", "{\"a\":\"b\"}" },
		{ "\"\xf4\x8f\xbf\xbf\xc2\x80\xe0\xa0\x80\"", NULL },
	};

	unit_case("accepts strings, escapes no more than it must");
	accept_rows(rows, ARRAY_LEN(rows));
}

static void check_accepts_numbers(void)
{
	static const struct row rows[] = {
		{ "-0", "0" },
		{ "-0.0", "0" },
		{ "0e99999", "0" },
		{ "1e-99999", "0" },
		{ "-1", NULL },
		{ "123", NULL },
		{ "1.0", "1" },
		{ "1.50", "1.5" },
		{ "1E2", "100" },
		{ "1e+2", "100" },
		{ "1E-2", "0.01" },
		{ "0.1e1", "1" },
		{ "20e1", "200" },
		{ "123.456e78", "1.23456e+80" },
		{ "9223372036854775807", NULL },
		{ "-9223372036854775808", NULL },
		{ "9223372036854775808", "9223372036854776000" },
		{ "-9223372036854775809", "-9223372036854776000" },
		{ "9007199254740993", NULL },
		{ "9007199254740993.0", "9007199254740992" },
		{ "18446744073709551615", "18446744073709552000" },
		{ "100000000000000000000000", "1e+23" },
		{ "1e21", "1e+21" },
		{ "1e20", "100000000000000000000" },
		{ "0.000001", NULL },
		{ "0.0000001", "1e-7" },
		{ "-1.5E-10", "-1.5e-10" },
		{ "4.50", "4.5" },
		{ "2e-3", "0.002" },
		{ "1e-27", NULL },
		{ "1E30", "1e+30" },
		{ "333333333.33333329", "333333333.3333333" },
		{ "5.684341886080801486968994140625e-14", "5.684341886080802e-14" },
		{ "1.7976931348623158e308", "1.7976931348623157e+308" },
		{ "-123123123123123123123123123123", "-1.2312312312312312e+29" },
		{ "5e-324", NULL },
	};

	unit_case("accepts numbers, writes the shortest");
	accept_rows(rows, ARRAY_LEN(rows));
}

static void check_refuses_structure(void)
{
	static const struct text rows[] = {
		TEXT(""),
		TEXT(" "),
		TEXT("[1 true]"),
		TEXT("[a]"),
		TEXT("[1,]"),
		TEXT("[,1]"),
		TEXT("[1,,2]"),
		TEXT("[,]"),
		TEXT("[1"),
		TEXT("["),
		TEXT("[1,"),
		TEXT("[\"a\""),
		TEXT("]"),
		TEXT("[]]"),
		TEXT("[[]"),
		TEXT("[1}"),
		TEXT("{\"a\":1]"),
		TEXT("{"),
		TEXT("}"),
		TEXT("{\"a\""),
		TEXT("{\"a\":"),
		TEXT("{\"a\":1"),
		TEXT("{\"a\":1,"),
		TEXT("{\"a\":1,}"),
		TEXT("{,\"a\":1}"),
		TEXT("{\"a\"}"),
		TEXT("{\"a\" 1}"),
		TEXT("{\"a\"::1}"),
		TEXT("{\"a\":1 \"b\":2}"),
		TEXT("{\"a\":1,,\"b\":2}"),
		TEXT("{a:1}"),
		TEXT("{'a':1}"),
		TEXT("{1:1}"),
		TEXT("{null:1}"),
		TEXT("{[]:1}"),
		TEXT("{:1}"),
		TEXT("{\"a\",\"b\"}"),
		TEXT("[\"a\":1]"),
		TEXT("{\"a\":}"),
		TEXT("{\"a\":1,1}"),
		TEXT("{[1]}"),
		TEXT("nul"),
		TEXT("nulL"),
		TEXT("Null"),
		TEXT("tru"),
		TEXT("True"),
		TEXT("fals"),
		TEXT("falsee"),
		TEXT("truefalse"),
		TEXT("[nul]"),
		TEXT("1 2"),
		TEXT("{}{}"),
		TEXT("[] x"),
		TEXT("[]#"),
		TEXT("// c\n1"),
		TEXT("1 // c"),
		TEXT("/* c */1"),
		TEXT("[1,/**/2]"),
		TEXT("\v1"),
		TEXT("\f1"),
		TEXT("[1\f]"),
		TEXT("\xc2\xa0"
		     "1"),
		TEXT("\xe2\x80\x89[]"),
		TEXT("\xef\xbb\xbf{}"),
		TEXT("\xef\xbb{}"),
		TEXT("\xfe\xff\0[\0]"),
		TEXT("[\0]\0"),
		TEXT("\0"),
		TEXT("[]\0"),
		TEXT("1\0"),
		TEXT("\x1a[]"),
		TEXT("undefined"),
		TEXT("[*]"),
		TEXT("<null>"),
		TEXT("[<a>]"),
		TEXT("\\u0031"),
		TEXT("[\\n]"),
	};
	size_t i;

	unit_case("refuses broken structure");
	for (i = 0; i < ARRAY_LEN(rows); i++)
		refuse_text(rows[i]);
}

static void check_refuses_strings(void)
{
	static const struct text rows[] = {
		TEXT("\""),
		TEXT("\"a"),
		TEXT("\"\\\""),
		TEXT("\"\\"),
		TEXT("'a'"),
		TEXT("\"a\nb\""),
		TEXT("\"a\tb\""),
		TEXT("\"\x1f\""),
		TEXT("\"\x01\""),
		TEXT("\"a\0b\""),
		TEXT("\"\0\""),
		TEXT("\"\\\0\""),
		TEXT("\"\\a\""),
		TEXT("\"\\v\""),
		TEXT("\"\\x00\""),
		TEXT("\"\\'\""),
		TEXT("\"\\0\""),
		TEXT("\"\\U0041\""),
		TEXT("\"\\ \""),
		TEXT("\"\\\n\""),
		TEXT("\"\\\xc3\xa9\""),
		TEXT("\"\\u\""),
		TEXT("\"\\u1\""),
		TEXT("\"\\u12\""),
		TEXT("\"\\u123\""),
		TEXT("\"\\u123"),
		TEXT("\"\\u12g4\""),
		TEXT("\"\\u+123\""),
		TEXT("\"\\u 123\""),
		TEXT("\"\\u0x12\""),
		TEXT("\"\\u12\\u0034\""),
		TEXT("\"\\uDC00\""),
		TEXT("\"\\uDC00\\uDC00\""),
		TEXT("\"\\uD800\\uE000\""),
		TEXT("\"\\uDFFF\\uD800\""),
		TEXT("\"\\uD800\""),
		TEXT("\"\\uD800a\""),
		TEXT("\"\\uD800\\n\""),
		TEXT("\"\\uD800\\u\""),
		TEXT("\"\\uD800\\u1\""),
		TEXT("\"\\uD800\\uD800\""),
		TEXT("\"\\uD800\\u0041\""),
		TEXT("\"\\uD800\\"),
		TEXT("\"\\uD83D\\uDE0\""),
		TEXT("\"\\uD800\xed\xb0\x80\""),
		TEXT("\"\\u0000\""),
		TEXT("{\"\\u0000\":1}"),
		TEXT("{\"a\\u0000b\":1}"),
		TEXT("\"\x80\""),
		TEXT("\"\xc3\""),
		TEXT("\"\xc3\"\""),
		TEXT("\"\xc0\x80\""),
		TEXT("\"\xc0\xaf\""),
		TEXT("\"\xe0\x80\xaf\""),
		TEXT("\"\xed\xa0\x80\""),
		TEXT("\"\xed\xbf\xbf\""),
		TEXT("\"\xf0\x80\x80\x80\""),
		TEXT("\"\xf4\x90\x80\x80\""),
		TEXT("\"\xf5\x80\x80\x80\""),
		TEXT("\"\xff\""),
		TEXT("\"\xfe\""),
		TEXT("\"\xe2\x82\""),
		TEXT("\"\xf0\x9f\x98\""),
		TEXT("{\"\xff\":1}"),
		TEXT("\"\xfc\x83\xbf\xbf\xbf\xbf\""),
		TEXT("\"a\\"),
		TEXT("[\"a]"),
		TEXT("{\"a:1}"),
	};
	size_t i;

	unit_case("refuses broken strings");
	for (i = 0; i < ARRAY_LEN(rows); i++)
		refuse_text(rows[i]);
}

static void check_refuses_numbers(void)
{
	static const struct text rows[] = {
		TEXT("-"),
		TEXT("+1"),
		TEXT("--1"),
		TEXT("-+1"),
		TEXT("- 1"),
		TEXT("01"),
		TEXT("-01"),
		TEXT("00"),
		TEXT("1."),
		TEXT("-1."),
		TEXT(".5"),
		TEXT("-.5"),
		TEXT("1.e1"),
		TEXT("1..2"),
		TEXT("1.2.3"),
		TEXT("1e"),
		TEXT("1E+"),
		TEXT("1e-"),
		TEXT("1e1.5"),
		TEXT("1ee1"),
		TEXT("1e1e1"),
		TEXT("0e"),
		TEXT("0.e1"),
		TEXT("1 000"),
		TEXT("1,5"),
		TEXT("1_000"),
		TEXT("0x10"),
		TEXT("0b1"),
		TEXT("0o7"),
		TEXT("1f"),
		TEXT("1L"),
		TEXT("1a"),
		TEXT("NaN"),
		TEXT("-NaN"),
		TEXT("nan"),
		TEXT("Infinity"),
		TEXT("-Infinity"),
		TEXT("inf"),
		TEXT("-inf"),
		TEXT("1e999"),
		TEXT("-1e999"),
		TEXT("1.8e308"),
		TEXT("[1e400]"),
		TEXT("{\"a\":1e309}"),
		TEXT("2e308"),
		TEXT("\xef\xbc\x91"),
		TEXT("1\xe5"),
		TEXT("[-"),
		TEXT("[1e"),
		TEXT("[0."),
		TEXT("-a"),
		TEXT("1+1"),
	};
	size_t i;

	unit_case("refuses broken numbers");
	for (i = 0; i < ARRAY_LEN(rows); i++)
		refuse_text(rows[i]);
}

static void check_duplicates(void)
{
	static const struct text rows[] = {
		TEXT("{\"a\":1,\"a\":1}"),
		TEXT("{\"a\":1,\"b\":2,\"a\":3}"),
		TEXT("{\"a\":1,\"\\u0061\":2}"),
		TEXT("{\"\":1,\"\":2}"),
		TEXT("[{\"x\":{\"a\":1,\"a\":null}}]"),
		TEXT("{\"\xc3\xa9\":1,\"\\u00E9\":2}"),
		TEXT("{\"manifests\":[],\"layers\":[],\"manifests\":1}"),
		TEXT("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":1}"),
		TEXT("{\"/\":1,\"\\/\":1}"),
	};
	size_t i;

	unit_case("refuses duplicate members, whatever their spelling");
	for (i = 0; i < ARRAY_LEN(rows); i++)
		refuse_text(rows[i]);
	CHECK_STR(fail_text(), "invalid JSON before byte 14: duplicate member '/'");
}

/* HEAD, then COUNT times TEXT with commas between, then TAIL; "%zu" in TEXT is its number. */
static void list(
	struct buf *out, const char *head, const char *text, size_t count, const char *tail)
{
	const char *mark = strstr(text, "%zu");
	size_t i;

	buf_clear(out);
	buf_puts(out, head);
	for (i = 0; i < count; i++) {
		if (i)
			buf_putc(out, ',');
		buf_add(out, text, mark ? (size_t)(mark - text) : strlen(text));
		if (mark)
			buf_printf(out, "%zu%s", i, mark + 3);
	}
	buf_puts(out, tail);
}

static int parse_buf(const struct buf *b)
{
	auto_json struct json *j = NULL;

	return json_parse(b->data, b->len, &j);
}

static void nest(
	struct buf *out, const char *open, const char *inner, const char *shut, size_t depth)
{
	size_t i;

	buf_clear(out);
	for (i = 0; i < depth; i++)
		buf_puts(out, open);
	buf_puts(out, inner);
	for (i = 0; i < depth; i++)
		buf_puts(out, shut);
}

static void check_depth(void)
{
	auto_buf struct buf b = { 0 };

	unit_case("depth 64 and no more");
	nest(&b, "[", "", "]", 64);
	CHECK(parse_buf(&b) == 0);
	nest(&b, "[", "", "]", 65);
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "byte 64: nested too deep"));
	nest(&b, "{\"a\":", "1", "}", 64);
	CHECK(parse_buf(&b) == 0);
	nest(&b, "{\"a\":", "1", "}", 65);
	CHECK(parse_buf(&b) == -EBADMSG);
	nest(&b, "[{\"a\":", "1", "}]", 32);
	CHECK(parse_buf(&b) == 0);
	nest(&b, "[", "", "", 100000);
	CHECK(parse_buf(&b) == -EBADMSG);
	nest(&b, "{\"\":", "", "", 100000);
	CHECK(parse_buf(&b) == -EBADMSG);

	unit_case("depth counts open lists only");
	list(&b, "[", "[[]]", 1000, "]");
	CHECK(parse_buf(&b) == 0);
}

static void check_counts(void)
{
	auto_buf struct buf b = { 0 };

	unit_case("10,000 members of an object and no more");
	list(&b, "{", "\"%zu\":0", 10000, "}");
	CHECK(parse_buf(&b) == 0);
	list(&b, "{", "\"%zu\":0", 10001, "}");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "too many"));

	unit_case("10,000 members with long common beginnings");
	list(&b, "{", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%zu\":0",
		10000, "}");
	CHECK(parse_buf(&b) == 0);

	unit_case("a duplicate among 10,000 members");
	list(&b, "{\"9998\":1,", "\"%zu\":0", 9999, "}");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "duplicate member '9998'"));

	unit_case("100,000 items of an array and no more");
	list(&b, "[", "0", 100000, "]");
	CHECK(parse_buf(&b) == 0);
	list(&b, "[", "0", 100001, "]");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "too many"));

	unit_case("200,000 values in all");
	list(&b, "[", "[0,0,0]", 49999, "]");
	CHECK(parse_buf(&b) == 0);
	list(&b, "[", "[0,0,0]", 50000, "]");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "too many values"));
}

/* HEAD, COUNT times C, TAIL. */
static void fill(struct buf *out, const char *head, char c, size_t count, const char *tail)
{
	char *to;

	buf_clear(out);
	buf_puts(out, head);
	to = buf_reserve(out, count);
	memset(to, c, count);
	out->len += count;
	buf_puts(out, tail);
}

static void check_lengths(void)
{
	auto_buf struct buf b = { 0 };

	unit_case("strings of 1 MiB and no more");
	fill(&b, "\"", 'x', 1 << 20, "\"");
	CHECK(parse_buf(&b) == 0);
	fill(&b, "\"", 'x', (1 << 20) + 1, "\"");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "string too long"));
	fill(&b, "{\"", 'x', (1 << 20) + 1, "\":1}");
	CHECK(parse_buf(&b) == -EBADMSG);
	fill(&b, "\"", '\\', 2 << 20, "\"");
	CHECK(parse_buf(&b) == 0);

	unit_case("numbers of 1,000 characters and no more");
	fill(&b, "0.", '3', 998, "");
	CHECK(parse_buf(&b) == 0);
	fill(&b, "0.", '3', 999, "");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "number too long"));
	fill(&b, "", '1', 309, "");
	CHECK(parse_buf(&b) == 0);
	fill(&b, "", '1', 310, "");
	CHECK(parse_buf(&b) == -EBADMSG);
	CHECK(strstr(fail_text(), "out of range"));
}

/* RFC 8785, appendix B. */
static void check_canonical_numbers(void)
{
	static const struct {
		uint64_t bits;
		const char *text;
	} rows[] = {
		{ 0x0000000000000000, "0" },
		{ 0x8000000000000000, "0" },
		{ 0x0000000000000001, "5e-324" },
		{ 0x8000000000000001, "-5e-324" },
		{ 0x7fefffffffffffff, "1.7976931348623157e+308" },
		{ 0xffefffffffffffff, "-1.7976931348623157e+308" },
		{ 0x4340000000000000, "9007199254740992" },
		{ 0xc340000000000000, "-9007199254740992" },
		{ 0x4430000000000000, "295147905179352830000" },
		{ 0x44b52d02c7e14af5, "9.999999999999997e+22" },
		{ 0x44b52d02c7e14af6, "1e+23" },
		{ 0x44b52d02c7e14af7, "1.0000000000000001e+23" },
		{ 0x444b1ae4d6e2ef4e, "999999999999999700000" },
		{ 0x444b1ae4d6e2ef4f, "999999999999999900000" },
		{ 0x444b1ae4d6e2ef50, "1e+21" },
		{ 0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7" },
		{ 0x3eb0c6f7a0b5ed8d, "0.000001" },
		{ 0x41b3de4355555553, "333333333.3333332" },
		{ 0x41b3de4355555554, "333333333.33333325" },
		{ 0x41b3de4355555555, "333333333.3333333" },
		{ 0x41b3de4355555556, "333333333.3333334" },
		{ 0x41b3de4355555557, "333333333.33333343" },
		{ 0xbecbf647612f3696, "-0.0000033333333333333333" },
		{ 0x43143ff3c1cb0959, "1424953923781206.2" },
		/* powers of two, whose nearest short number below does not read back */
		{ 0x3d30000000000000, "5.684341886080802e-14" },
		{ 0x0060000000000000, "7.120236347223045e-307" },
	};
	auto_buf struct buf b = { 0 };
	struct json j = { .type = JSON_REAL };
	size_t i;

	unit_case("numbers of RFC 8785, appendix B");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(&j.real, &rows[i].bits, sizeof(j.real));
		buf_clear(&b);
		json_format(&b, &j);
		CHECK_STR(buf_str(&b), rows[i].text);
	}
}

static void check_canonical(void)
{
	unit_case("RFC 8785, section 3.2.2: literals, strings and numbers");
	accept_text((struct text)TEXT("{\n"
				      "  \"numbers\": [333333333.33333329, 1E30, 4.50,\n"
				      "              2e-3, 0.000000000000000000000000001],\n"
				      "  \"string\": \"\\u20ac$\\u000F\\u000aA'"
				      "\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
				      "  \"literals\": [null, true, false]\n"
				      "}"),
		"{\"literals\":[null,true,false],"
		"\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
		"\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");

	unit_case("RFC 8785, section 3.2.3: members in order of UTF-16 units");
	accept_text((struct text)TEXT(
			    "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
			    "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
			    "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
			    "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}"),
		"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
		"\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
		"\"\xe2\x82\xac\":\"Euro Sign\","
		"\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
		"\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");

	unit_case("members in order where UTF-8 has another");
	accept_text(
		(struct text)TEXT("{\"\xef\xbf\xbf\":1,\"\xee\x80\x80\":2,\"\xf4\x8f\xbf\xbf\":3,"
				  "\"\xf0\x90\x80\x80\":4,\"\xed\x9f\xbf\":5,"
				  "\"a\xef\xbf\xbf\":6,\"a\xf0\x90\x80\x80\":7}"),
		"{\"a\xf0\x90\x80\x80\":7,\"a\xef\xbf\xbf\":6,"
		"\"\xed\x9f\xbf\":5,\"\xf0\x90\x80\x80\":4,"
		"\"\xf4\x8f\xbf\xbf\":3,\"\xee\x80\x80\":2,\"\xef\xbf\xbf\":1}");
}

static void check_look_up(void)
{
	static const char text[] =
		"{\"s\":\"x\",\"i\":7,\"r\":7.0,\"b\":true,\"o\":{},\"a\":[],\"n\":null}";
	auto_json struct json *j = NULL;
	const struct json *member = NULL;
	const char *s = "before";
	int64_t i = 1;
	bool b = false;

	unit_case("typed members");
	CHECK(json_parse(text, strlen(text), &j) == 0);
	CHECK(j->count == 7);
	CHECK(json_get_string(j, "s", &s) == 1);
	CHECK_STR(s, "x");
	CHECK(json_get_int(j, "i", &i) == 1 && i == 7);
	CHECK(json_get_bool(j, "b", &b) == 1 && b);
	CHECK(json_get_object(j, "o", &member) == 1 && member == json_get(j, "o"));
	CHECK(json_get_array(j, "a", &member) == 1 && member->type == JSON_ARRAY);

	unit_case("absent and null members leave the result alone");
	CHECK(json_get_string(j, "n", &s) == 0 && json_get_string(j, "z", &s) == 0);
	CHECK_STR(s, "x");
	CHECK(json_get_int(j, "n", &i) == 0 && json_get_int(j, "S", &i) == 0 && i == 7);
	CHECK(!json_get(j, "") && !json_get(NULL, "s") && !json_get(member, "s"));
	CHECK(json_get_bool(NULL, "b", &b) == 0);

	unit_case("members of another type are named");
	CHECK(json_get_string(j, "i", &s) == -EBADMSG);
	CHECK_STR(fail_text(), "'i' is an integer, not a string");
	CHECK(json_get_int(j, "r", &i) == -EBADMSG && json_get_int(j, "s", &i) == -EBADMSG);
	CHECK(json_get_bool(j, "i", &b) == -EBADMSG);
	CHECK(json_get_object(j, "a", &member) == -EBADMSG);
	CHECK(json_get_array(j, "o", &member) == -EBADMSG);
	CHECK_STR(fail_text(), "'o' is an object, not an array");
}

static void check_trees(void)
{
	static const char text[] = "{\"a\":[1,2.5,\"x\",null,false,{\"b\":{}}]}";
	auto_json struct json *j = json_new(JSON_OBJECT), *copy = NULL;
	struct json *items = json_new(JSON_ARRAY);
	auto_buf struct buf b = { 0 };

	unit_case("builds a tree");
	CHECK(json_add(items, NULL, json_new_int(INT64_MIN)));
	CHECK(json_add(items, NULL,
		json_new_string("\xff"
				"a\xc3")));
	CHECK(json_add(j, "z", json_new_bool(true)));
	CHECK(json_add(j, "list", items));
	CHECK(json_add(j, "a", json_new(JSON_NULL)));
	json_format(&b, j);
	CHECK_STR(buf_str(&b),
		"{\"a\":null,\"list\":[-9223372036854775808,"
		"\"\xef\xbf\xbd"
		"a\xef\xbf\xbd\"],\"z\":true}");
	CHECK_STR(j->child->key, "z");

	unit_case("replaces the first, a middle and the last member in place");
	CHECK(json_add(j, "z", json_new_int(1)) && json_add(j, "list", json_new_int(2)));
	CHECK(json_add(j, "a", json_new_int(3)) && json_add(j, "b", json_new_int(4)));
	CHECK(j->count == 4);
	CHECK_STR(j->child->key, "z");
	CHECK_STR(j->last->key, "b");
	buf_clear(&b);
	json_format(&b, j);
	CHECK_STR(buf_str(&b), "{\"a\":3,\"b\":4,\"list\":2,\"z\":1}");

	unit_case("refuses what does not belong, and keeps nothing");
	CHECK(!json_add(NULL, "a", json_new_int(1)));
	CHECK(!json_add(j, "x", NULL));
	CHECK(!json_add(j, NULL, json_new_int(1)));
	CHECK(!json_add(j->child, "a", json_new_int(1)) &&
		!json_add(j->child, NULL, json_new_int(1)));
	CHECK(j->count == 4 && !j->child->child);

	unit_case("copies a tree");
	CHECK(json_parse(text, strlen(text), &copy) == 0);
	CHECK(json_add(j, "copy", json_copy(json_get(copy, "a"))));
	CHECK(!json_copy(NULL));
	json_free(take_ptr(copy));
	buf_clear(&b);
	json_format(&b, json_get(j, "copy"));
	CHECK_STR(buf_str(&b), "[1,2.5,\"x\",null,false,{\"b\":{}}]");

	unit_case("a missing tree fails the buffer");
	json_format(&b, NULL);
	CHECK(buf_check(&b) == -ENOMEM);
	json_free(NULL);
}

static void check_quote(void)
{
	auto_buf struct buf b = { 0 };

	unit_case("quotes");
	json_quote(&b, "");
	json_quote(&b, "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xed\xa0\x80");
	CHECK_STR(buf_str(&b),
		"\"\"\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

int main(void)
{
	check_accepts_structure();
	check_accepts_strings();
	check_accepts_numbers();
	check_refuses_structure();
	check_refuses_strings();
	check_refuses_numbers();
	check_duplicates();
	check_depth();
	check_counts();
	check_lengths();
	check_canonical_numbers();
	check_canonical();
	check_look_up();
	check_trees();
	check_quote();
	return unit_end();
}
