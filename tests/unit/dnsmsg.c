/* SPDX-License-Identifier: MIT */
#include "format/dnsmsg.h"

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

/* A message under construction: the query turned into a response. */
static uint8_t query[DNS_QUERY_MAX], msg[4096];
static size_t q_len, len;
static struct dns_answer got;

static void put(const void *bytes, size_t n)
{
	memcpy(msg + len, bytes, n);
	len += n;
}

#define PUT(s) put(s, sizeof(s) - 1)

static void start(const char *host, uint16_t type)
{
	int n = dnsmsg_query(query, host, type, 0x1234);

	CHECK(n > 0);
	q_len = (size_t)n;
	memcpy(msg, query, q_len);
	len = q_len;
	msg[2] |= 0x80;
}

static int parse(void)
{
	return dnsmsg_parse(&got, msg, len, query, q_len);
}

static void queries(void)
{
	char name[300];
	static const char *const bad[] = { "", ".", "a..b", ".a", "a.", "a b", "a/b",
		"\xc3\xa4.test", "a\n" };

	unit_case("writes the bytes of RFC 1035");
	start("Ab.c", DNS_TYPE_AAAA);
	CHECK(q_len == 22);
	CHECK(memcmp(query, "\x12\x34\x01\0\0\1\0\0\0\0\0\0\2Ab\1c\0\0\x1c\0\1", 22) == 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unit_case("refuses what is no host name");
		CHECK(dnsmsg_query(query, bad[i], 1, 0) == -EINVAL);
	}
	unit_case("labels of 63 and names of 253 are the limit");
	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	name[253] = '\0';
	CHECK(dnsmsg_query(query, name, 1, 0) == 12 + 255 + 4);
	name[253] = 'a';
	name[254] = '\0';
	CHECK(dnsmsg_query(query, name, 1, 0) == -EINVAL);
	name[64] = '\0';
	name[63] = 'a';
	CHECK(dnsmsg_query(query, name, 1, 0) == -EINVAL);
}

static void good(void)
{
	unit_case("reads two addresses");
	start("reg.test", DNS_TYPE_A);
	msg[7] = 2;
	PUT("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1");
	PUT("\3REG\4tesT\0\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\2");
	CHECK(parse() == 0);
	CHECK(got.count == 2 && got.rcode == 0 && !got.truncated);
	CHECK(got.addresses[1].family == 4 && memcmp(got.addresses[1].bytes, "\x7f\0\0\2", 4) == 0);
	unit_case("every cut of it is refused");
	while (len-- > 0) {
		CHECK(parse() == -EBADMSG);
		CHECK(got.count == 0);
	}
	unit_case("follows an alias that comes after its target");
	start("a.test", DNS_TYPE_AAAA);
	msg[7] = 3;
	PUT("\1b\xc0\x0e\0\x1c\0\1\0\0\0\x3c\0\x10"
	    "0123456789abcdef");
	PUT("\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0e");
	PUT("\1c\xc0\x0e\0\x1c\0\1\0\0\0\x3c\0\x10"
	    "xxxxxxxxxxxxxxxx");
	CHECK(parse() == 0);
	CHECK(got.count == 1 && got.addresses[0].family == 6);
	CHECK(memcmp(got.addresses[0].bytes, "0123456789abcdef", 16) == 0);
	unit_case("takes no address of another name, class or type");
	start("a.test", DNS_TYPE_A);
	msg[7] = 3;
	PUT("\1b\xc0\x0e\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1");
	PUT("\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\x7f\0\0\1");
	PUT("\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10xxxxxxxxxxxxxxxx");
	CHECK(parse() == 0);
	CHECK(got.count == 0);
	unit_case("reports that there is no such name");
	start("a.test", DNS_TYPE_A);
	msg[3] |= 3;
	CHECK(parse() == 0);
	CHECK(got.rcode == 3);
	unit_case("reports truncation and takes nothing from it");
	start("a.test", DNS_TYPE_A);
	msg[2] |= 2;
	msg[7] = 9;
	PUT("\xc0");
	CHECK(parse() == 0);
	CHECK(got.truncated && got.count == 0);
	unit_case("keeps 16 addresses of 20");
	start("a.test", DNS_TYPE_A);
	msg[7] = 20;
	for (int i = 0; i < 20; i++)
		PUT("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1");
	CHECK(parse() == 0);
	CHECK(got.count == 16);
}

static void strangers(void)
{
	unit_case("another id is refused");
	start("a.test", DNS_TYPE_A);
	msg[1] ^= 1;
	CHECK(parse() == -EBADMSG);
	unit_case("a query is refused");
	start("a.test", DNS_TYPE_A);
	msg[2] &= 0x7f;
	CHECK(parse() == -EBADMSG);
	unit_case("another question is refused");
	start("a.test", DNS_TYPE_A);
	msg[13] = 'b';
	CHECK(parse() == -EBADMSG);
	unit_case("another type in the question is refused");
	start("a.test", DNS_TYPE_A);
	msg[len - 3] = DNS_TYPE_AAAA;
	CHECK(parse() == -EBADMSG);
	unit_case("no question is refused");
	start("a.test", DNS_TYPE_A);
	msg[5] = 0;
	CHECK(parse() == -EBADMSG);
}

static void hostile(void)
{
	char step[18];

	unit_case("a pointer to itself is refused");
	start("a.test", DNS_TYPE_A);
	msg[7] = 1;
	PUT("\xc0\x18\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1");
	CHECK(q_len == 0x18);
	CHECK(parse() == -EBADMSG);
	unit_case("a pointer forward is refused");
	msg[q_len + 1] = 0x1a;
	CHECK(parse() == -EBADMSG);
	unit_case("a pointer into the header is refused");
	msg[q_len + 1] = 4;
	CHECK(parse() == -EBADMSG);
	unit_case("a loop over a label is refused");
	start("a.test", DNS_TYPE_A);
	msg[7] = 1;
	PUT("\1a\xc0\x18\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1");
	CHECK(parse() == -EBADMSG);
	unit_case("the reserved label types are refused");
	start("a.test", DNS_TYPE_A);
	msg[7] = 1;
	PUT("\x40"
	    "a\0\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1");
	CHECK(parse() == -EBADMSG);
	unit_case("an address of another size is refused");
	start("a.test", DNS_TYPE_A);
	msg[7] = 1;
	PUT("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\5\x7f\0\0\1\1");
	CHECK(parse() == -EBADMSG);
	unit_case("an alias to itself ends");
	start("a.test", DNS_TYPE_A);
	msg[7] = 1;
	PUT("\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2\xc0\x0c");
	CHECK(parse() == -EBADMSG);
	unit_case("a chain of 15 aliases is followed, one of 16 is not");
	for (int aliases = 15; aliases <= 16; aliases++) {
		start("a.test", DNS_TYPE_A);
		msg[7] = (uint8_t)(aliases + 1);
		for (int i = 0; i < aliases; i++) {
			memcpy(step, "\1a\xc0\x0e\0\5\0\1\0\0\0\x3c\0\4\1a\xc0\x0e", 18);
			step[1] = (char)('a' + i);
			step[15] = (char)('a' + i + 1);
			put(step, 18);
		}
		memcpy(step, "\1a\xc0\x0e\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1", 18);
		step[1] = (char)('a' + aliases);
		put(step, 18);
		CHECK(parse() == (aliases == 15 ? 0 : -EBADMSG));
		CHECK(got.count == (aliases == 15));
	}
}

int main(void)
{
	queries();
	good();
	strangers();
	hostile();
	return unit_end();
}
