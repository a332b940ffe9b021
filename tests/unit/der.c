/* SPDX-License-Identifier: MIT */
#include "format/der.h"

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

#define DAY 86400LL

static uint8_t file[4096];
static size_t file_len;

/* Read a fixture; run from the top of the tree. */
static void load(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "tests/fixtures/certs/%s.der", name);
	f = fopen(path, "rb");
	CHECK(f);
	file_len = f ? fread(file, 1, sizeof(file), f) : 0;
	if (f)
		fclose(f);
}

static void facts(void)
{
	static const struct {
		const char *name;
		bool san, eku, server, constraints;
		int64_t first, last;
	} table[] = {
		{ "plain", false, false, false, false, 1583020799, 2524607999 },
		{ "names", true, false, false, false, 0, 2524608000 },
		{ "server", true, true, true, false, 1577836800, 4107542400 },
		{ "client", true, true, false, false, 1577836800, 1893456000 },
		{ "any", false, true, true, false, 1577836800, 1893456000 },
		{ "constrained", false, false, false, true, 1577836800, 1893456000 },
	};
	struct der_certificate c;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		unit_case(table[i].name);
		load(table[i].name);
		CHECK(der_parse(&c, file, file_len) == 0);
		CHECK(c.has_san == table[i].san);
		CHECK(c.has_eku == table[i].eku);
		CHECK(c.server_auth == table[i].server);
		CHECK(c.name_constraints == table[i].constraints);
		CHECK(c.not_before == table[i].first);
		CHECK(c.not_after == table[i].last);
		CHECK(c.issuer_len == c.subject_len && c.issuer_len > 10);
		CHECK(c.issuer && memcmp(c.issuer, c.subject, c.issuer_len) == 0);
	}
}

static void names(void)
{
	static const uint8_t four[] = { 192, 0, 2, 7 }, other[] = { 192, 0, 2, 8 };
	static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	static const char text[] = "127.0.0.1";

	load("names");
	unit_case("matches host names");
	CHECK(der_has_name(file, file_len, "a.names.test"));
	CHECK(der_has_name(file, file_len, "A.Names.TEST"));
	CHECK(!der_has_name(file, file_len, "names.test"));
	CHECK(!der_has_name(file, file_len, "b.a.names.test"));
	CHECK(!der_has_name(file, file_len, ""));
	unit_case("a star is one label");
	CHECK(der_has_name(file, file_len, "x.wild.test"));
	CHECK(!der_has_name(file, file_len, "wild.test"));
	CHECK(!der_has_name(file, file_len, "y.x.wild.test"));
	CHECK(!der_has_name(file, file_len, ".wild.test"));
	CHECK(!der_has_name(file, file_len, "anything"));
	CHECK(!der_has_name(file, file_len, "x.test"));
	unit_case("addresses match as addresses only");
	CHECK(der_has_address(file, file_len, four, 4));
	CHECK(der_has_address(file, file_len, six, 16));
	CHECK(!der_has_address(file, file_len, other, 4));
	CHECK(!der_has_address(file, file_len, six, 4));
	CHECK(!der_has_address(file, file_len, (const uint8_t *)text, sizeof(text) - 1));
	load("plain");
	unit_case("the common name is no name");
	CHECK(!der_has_name(file, file_len, "plain.test"));
}

static void damage(void)
{
	uint8_t copy[4096];
	struct der_certificate c;
	size_t len;

	load("server");
	unit_case("every cut is refused");
	for (len = 0; len < file_len; len++)
		CHECK(der_parse(&c, file, len) == -EBADMSG);
	unit_case("a byte more is refused");
	memcpy(copy, file, file_len);
	copy[file_len] = 0;
	CHECK(der_parse(&c, copy, file_len + 1) == -EBADMSG);
	CHECK_STR(fail_text(), "not a well-formed X.509 version 3 certificate");
	unit_case("a length that is not minimal is refused");
	memmove(copy + 4, file + 4, file_len - 4);
	copy[1] = 0x83;
	copy[2] = 0;
	copy[3] = file[2];
	copy[4] = file[3];
	memcpy(copy + 5, file + 4, file_len - 4);
	CHECK(der_parse(&c, copy, file_len + 1) == -EBADMSG);
	unit_case("versions 1 and 2 are refused");
	memcpy(copy, file, file_len);
	CHECK(copy[8] == 0xa0 && copy[12] == 2);
	copy[12] = 1;
	CHECK(der_parse(&c, copy, file_len) == -EBADMSG);
	CHECK(!der_has_name(copy, file_len, "server.test"));
	unit_case("an indefinite length is refused");
	memcpy(copy, file, file_len);
	copy[1] = 0x80;
	CHECK(der_parse(&c, copy, file_len) == -EBADMSG);
	unit_case("more than the cap is refused");
	CHECK(der_parse(&c, copy, DER_CERTIFICATE_MAX + 1) == -EBADMSG);
}

static void calendar(void)
{
	static const struct {
		const char *text;
		int64_t day; /* -1: refused */
	} table[] = {
		{ "700101000000Z", 0 },
		{ "000229000000Z", 11016 },
		{ "000301000000Z", 11017 },
		{ "491231000000Z", 29219 },
		{ "500101000000Z", -7305 },
		{ "261124000000Z", 20781 },
		{ "261324000000Z", -1 },
		{ "261100000000Z", -1 },
		{ "2611240000000", -1 },
		{ "26112424000Z0", -1 },
		{ "26 124000000Z", -1 },
		{ "261124006000Z", -1 },
	};
	struct der_certificate c;
	uint8_t *at;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		unit_case(table[i].text);
		load("client");
		at = memmem(file, file_len, "300101000000Z", 13);
		CHECK(at);
		if (!at)
			return;
		memcpy(at, table[i].text, 13);
		if (table[i].day == -1) {
			CHECK(der_parse(&c, file, file_len) == -EBADMSG);
		} else {
			CHECK(der_parse(&c, file, file_len) == 0);
			CHECK(c.not_after == table[i].day * DAY);
		}
	}
}

int main(void)
{
	facts();
	names();
	damage();
	calendar();
	return unit_end();
}
