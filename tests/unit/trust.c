/* SPDX-License-Identifier: MIT */
#include "service/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/str.h"
#include "base/time.h"
#include "format/der.h"
#include "unit.h"

/* The fixtures of der are certificates; these are in PEM form what they are in DER. "client" and "constrained" are
 * valid from 2020 to 2029, "server" to 2099. */
static char dir[] = "/tmp/qbox-unit-trust.XXXXXX";
static char pem[8192];

static const char *path(const char *name)
{
	static char text[300];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static const char *as_pem(const char *name)
{
	char file[128], text[6000];
	uint8_t der[4096];
	size_t len;
	FILE *f;

	snprintf(file, sizeof(file), "tests/fixtures/certs/%s.der", name);
	f = fopen(file, "rb");
	CHECK(f);
	len = f ? fread(der, 1, sizeof(der), f) : 0;
	if (f)
		fclose(f);
	str_base64(text, der, len);
	len = (size_t)snprintf(pem, sizeof(pem), "noise\n-----BEGIN CERTIFICATE-----\r\n");
	for (const char *p = text; *p; p += strnlen(p, 64))
		len += (size_t)snprintf(pem + len, sizeof(pem) - len, "%.64s\r\n", p);
	snprintf(pem + len, sizeof(pem) - len, "-----END CERTIFICATE-----\nnoise\n");
	return pem;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");

	CHECK(f && fputs(text, f) >= 0);
	if (f)
		fclose(f);
}

static void pem_forms(void)
{
	static const char *const bad[] = {
		"-----BEGIN CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
	};
	static const char *const none[] = { "", "-----END CERTIFICATE-----\n", "nothing",
		"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n" };
	struct trust_set set = { 0 };
	size_t at = 0, n = 0;
	char *big;

	unit_case("reads a certificate between noise, with CR LF");
	as_pem("server");
	CHECK(trust_add_pem(&set, pem, strlen(pem), 0) == 0);
	CHECK(set.count == 1 && set.skipped == 0);
	unit_case("many of them");
	for (int i = 0; i < 40; i++)
		CHECK(trust_add_pem(&set, pem, strlen(pem), 0) == 0);
	CHECK(set.count == 41);
	unit_case("finds all of a name, once each");
	const struct trust_item first = set.items[0];
	while (trust_find(&set, &at, (uint8_t *)set.der.data + first.subject, first.subject_len))
		n++;
	CHECK(n == 41);
	at = 0;
	CHECK(!trust_find(
		&set, &at, (uint8_t *)set.der.data + first.subject, first.subject_len - 1));
	unit_case("skips and counts what is damaged");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(trust_add_pem(&set, bad[i], strlen(bad[i]), 0) == 0);
	CHECK(set.count == 41 && set.skipped == ARRAY_LEN(bad));
	unit_case("one that is over 16 KiB is damaged");
	big = malloc(40000);
	memset(big, 'A', 40000);
	memcpy(big, "-----BEGIN CERTIFICATE-----", 27);
	memcpy(big + 30000, "-----END CERTIFICATE-----", 25);
	CHECK(trust_add_pem(&set, big, 40000, 0) == 0 && set.skipped == ARRAY_LEN(bad) + 1);
	free(big);
	unit_case("what is no certificate is not even counted");
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		CHECK(trust_add_pem(&set, none[i], strlen(none[i]), 0) == 0);
	CHECK(set.count == 41 && set.skipped == ARRAY_LEN(bad) + 1);
	unit_case("skips what has expired");
	as_pem("client");
	CHECK(trust_add_pem(&set, pem, strlen(pem), 1893456000) == 0 && set.count == 42);
	CHECK(trust_add_pem(&set, pem, strlen(pem), 1893456001) == 0 && set.count == 42);
	unit_case("notes name constraints");
	as_pem("constrained");
	CHECK(!set.items[41].name_constraints);
	CHECK(trust_add_pem(&set, pem, strlen(pem), 0) == 0 && set.items[42].name_constraints);
	buf_free(&set.der);
	free(set.items);
}

static int load(struct tls_trust **t, const char *cafile, const char *registry)
{
	fail_clear();
	return tls_trust_load(t,
		&(struct tls_trust_options){
			.cafile = cafile, .config = dir, .registry = registry });
}

static void places(void)
{
	struct tls_trust *t;
	struct url u;
	size_t good, skipped;

	put("server.crt", as_pem("server"));
	put("empty.crt", "");
	setenv("SSL_CERT_FILE", path("server.crt"), 1);
	mkdir(path("certs.d"), 0700);
	mkdir(path("certs.d/reg.test:5000"), 0700);
	put("certs.d/reg.test:5000/ca.crt", as_pem("constrained"));
	unit_case("the registry's own replace the general ones, for its host and port");
	CHECK(load(&t, NULL, "reg.test:5000") == 0);
	tls_trust_count(t, &good, &skipped);
	CHECK(good == 2 && skipped == 0);
	CHECK(url_parse(&u, "https://reg.test:5000/") == 0 && trust_for(t, &u) == &t->registry);
	CHECK(trust_is_registry(t, &u));
	CHECK(url_parse(&u, "https://reg.test/") == 0 && trust_for(t, &u) == &t->general);
	CHECK(url_parse(&u, "https://a.reg.test:5000/") == 0 && trust_for(t, &u) == &t->general);
	CHECK_STR(t->own, path("certs.d/reg.test:5000/ca.crt"));
	tls_trust_free(t);
	unit_case("they are enough where there are no others");
	setenv("SSL_CERT_FILE", path("none"), 1);
	CHECK(load(&t, NULL, "reg.test:5000") == 0);
	CHECK(url_parse(&u, "https://other.test/") == 0 && trust_for(t, &u)->count == 0);
	tls_trust_free(t);
	unit_case("none at all is a failure");
	CHECK(load(&t, NULL, "reg.test:5001") == -ENOENT && !t);
	unit_case("a port of 443 is no port");
	setenv("SSL_CERT_FILE", path("server.crt"), 1);
	CHECK(load(&t, NULL, "reg.test") == 0 && t->port == 443);
	tls_trust_free(t);
	unit_case("a file that is named is the only one");
	CHECK(load(&t, path("server.crt"), "reg.test:5000") == 0);
	CHECK(url_parse(&u, "https://reg.test:5000/") == 0 && trust_for(t, &u) == &t->general);
	CHECK(t->only && !t->own);
	tls_trust_free(t);
	unit_case("it must be there and hold one");
	CHECK(load(&t, path("none"), NULL) == -ENOENT && !t);
	CHECK(load(&t, path("empty.crt"), NULL) == -EBADMSG && !t);
	unit_case("a registry that is none cannot lead out of certs.d");
	CHECK(load(&t, NULL, "../reg.test:5000") == -EINVAL && !t);
	CHECK(load(&t, NULL, "..") == -EINVAL && !t);
}

static void floor_of_the_clock(void)
{
	int64_t now = time_now() / NS_PER_S;
	struct tls_trust *t;

	setenv("SSL_CERT_FILE", path("server.crt"), 1);
	unit_case("a good clock is what counts");
	CHECK(tls_trust_load(&t, &(struct tls_trust_options){ .floor = now - 5 }) == 0);
	CHECK(trust_now(t) >= now && trust_now(t) < now + 100);
	tls_trust_free(t);
	unit_case("below the floor it does not: what has expired at the floor is not trusted");
	CHECK(tls_trust_load(&t, &(struct tls_trust_options){ .floor = now + 86400 }) == 0);
	CHECK(trust_now(t) == now + 86400);
	tls_trust_free(t);
	CHECK(tls_trust_load(&t, &(struct tls_trust_options){ .floor = 4107542401 }) == -EBADMSG);
	unit_case("the floor is never before this source was written");
	CHECK(tls_trust_load(&t, &(struct tls_trust_options){ .floor = 0 }) == 0);
	CHECK(t->floor > 1790000000);
	tls_trust_free(t);
}

int main(void)
{
	char command[100];

	CHECK(mkdtemp(dir));
	pem_forms();
	places();
	floor_of_the_clock();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
	return unit_end();
}
