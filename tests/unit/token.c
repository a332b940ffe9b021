/* SPDX-License-Identifier: MIT */
#include "service/token.h"

#include <errno.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/fail.h"
#include "unit.h"

static struct url parsed(const char *text)
{
	struct url u;

	CHECK(url_parse(&u, text) == 0);
	return u;
}

/* Where a token may be asked for, and whether the password for the registry goes along. */
static void realms(void)
{
	static const struct {
		const char *registry, *realm;
		bool ask, secret;
	} table[] = {
		{ "https://reg.test/", "https://reg.test/token", true, true },
		{ "https://reg.test/", "https://reg.test:8443/token", true, true },
		{ "https://reg.test/", "http://reg.test/token", false, true },
		{ "http://reg.test/", "http://reg.test/token", true, true },
		{ "http://reg.test/", "http://auth.reg.test/token", false, false },
		{ "http://reg.test/", "https://auth.reg.test/token", true, true },
		{ "https://reg.example.com/", "https://auth.example.com/t", true, true },
		{ "https://reg.example.com/", "https://example.com/t", true, true },
		{ "https://example.com/", "https://auth.example.com/t", true, true },
		{ "https://reg.example.com/", "https://auth.example.org/t", true, false },
		{ "https://reg.example.com/", "https://example.com.evil.org/t", true, false },
		{ "https://reg.example.com/", "https://evilexample.com/t", true, false },
		{ "https://reg.example.com/", "https://com/t", true, false },
		{ "https://a.co.uk/", "https://b.co.uk/t", true, false },
		{ "https://reg.a.co.uk/", "https://auth.a.co.uk/t", true, true },
		{ "https://localhost/", "https://evil.localhost/t", true, false },
		{ "https://registry-1.docker.io/", "https://auth.docker.io/token", true, true },
		{ "https://evil.example/", "https://auth.docker.io/token", true, false },
		{ "https://192.0.2.1/", "https://192.0.2.1:444/t", true, true },
		{ "https://192.0.2.1/", "https://192.0.2.2/t", true, false },
		{ "https://1.192.0.2/", "https://2.192.0.2/t", true, false },
	};
	struct url registry, realm;
	char title[200];

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		snprintf(title, sizeof(title), "%s for %s", table[i].realm, table[i].registry);
		unit_case(title);
		registry = parsed(table[i].registry);
		realm = parsed(table[i].realm);
		CHECK(token_may_ask(&realm, &registry) == table[i].ask);
		CHECK(token_may_send_secret(&realm, &registry) == table[i].secret);
		unit_close();
	}
}

static void addresses(void)
{
	static const struct {
		const char *realm, *address;
		bool registry_is_loopback, allowed;
	} table[] = {
		{ "https://auth.test/", "192.0.2.1", false, true },
		{ "https://auth.test/", "127.0.0.1", false, false },
		{ "https://auth.test/", "::1", false, false },
		{ "https://auth.test/", "127.0.0.1", true, true },
		{ "https://auth.test/", "169.254.169.254", false, false },
		{ "https://auth.test/", "169.254.169.254", true, false },
		{ "https://auth.test/", "::ffff:169.254.169.254", false, false },
		{ "https://auth.test/", "fe80::1", true, false },
		{ "https://auth.test/", "0.0.0.0", true, false },
		{ "https://auth.test/", "::", true, false },
		{ "https://reg.test/", "127.0.0.1", false, true },
		{ "https://reg.test/", "169.254.1.1", false, true },
	};
	struct url registry = parsed("https://reg.test/"), realm;
	struct token_options o = { .registry = &registry };
	struct dns_address a;
	char title[200];

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		snprintf(title, sizeof(title), "%s at %s", table[i].realm, table[i].address);
		unit_case(title);
		realm = parsed(table[i].realm);
		o.registry_is_loopback = table[i].registry_is_loopback;
		CHECK(resolver_parse_address(&a, table[i].address));
		CHECK(token_may_connect(&realm, &o, &a) == table[i].allowed);
		unit_close();
	}
}

/* What is refused before anything is sent: no resolver is there, so that asking it would be the end. */
static void refused(void)
{
	static const char *const realms[] = { "", "token", "/token", "file:///etc/passwd",
		"http://auth.test/", "https://u:p@reg.test/", "https://",
		"https://reg.test:0x50/" };
	struct url registry = parsed("https://reg.test/");
	struct token_options o = { .registry = &registry, .repository = "a/b" };
	struct httpmsg_challenge c = { .scheme = "bearer" };
	struct token t;

	for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
		unit_case(*realms[i] ? realms[i] : "no realm");
		t = (struct token){ .text = strdup("OLD"), .expires = 5 };
		snprintf(c.realm, sizeof(c.realm), "%s", realms[i]);
		CHECK(token_get(&t, &o, &c) == -EACCES);
		CHECK(!t.text && t.expires == 0);
	}
	unit_case("a token server that nobody may connect to is asked nothing");
	snprintf(c.realm, sizeof(c.realm), "https://169.254.169.254/latest");
	CHECK(token_get(&t, &o, &c) == -EACCES);
	CHECK(strstr(fail_text(), "not allowed"));
}

int main(void)
{
	realms();
	addresses();
	refused();
	return unit_end();
}
