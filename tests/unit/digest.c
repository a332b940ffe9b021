/* SPDX-License-Identifier: MIT */
/* digest - unit tests
 *
 * Expected values come from the examples of FIPS 180-4 and from Python's hashlib. */
#include "format/digest.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fail.h"
#include "unit.h"

static uint8_t pattern[20000];

/* The algorithm in C; or by instructions, if FAST. */
static void start(struct hash *h, enum digest_algorithm algorithm, bool fast)
{
	hash_init(h, algorithm);
	if (algorithm == DIGEST_SHA256)
		h->engine = fast ? HASH_INSTRUCTIONS : HASH_PORTABLE;
}

static const char *finish(struct hash *h)
{
	static char text[DIGEST_TEXT];
	struct digest d;

	hash_end(h, &d);
	digest_hex(text, &d);
	return text;
}

static const char *once(enum digest_algorithm algorithm, bool fast, const void *data, size_t len)
{
	struct hash h;

	start(&h, algorithm, fast);
	hash_add(&h, data, len);
	return finish(&h);
}

/* Hash of the hashes of the first 0, 1, ... 300 pattern bytes: every case of padding. */
static const char *all_lengths(enum digest_algorithm algorithm, bool fast)
{
	struct hash outer, h;
	struct digest d;
	uint8_t bytes[400];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	hash_init(&outer, algorithm);
	for (i = 0; i <= 300; i++) {
		start(&h, algorithm, fast);
		hash_add(&h, bytes, i);
		hash_end(&h, &d);
		hash_add(&outer, d.bytes, algorithm == DIGEST_SHA512 ? 64 : 32);
	}
	return finish(&outer);
}

static const char *million(enum digest_algorithm algorithm, bool fast)
{
	char a[1000];
	struct hash h;
	int i;

	memset(a, 'a', sizeof(a));
	start(&h, algorithm, fast);
	for (i = 0; i < 1000; i++)
		hash_add(&h, a, sizeof(a));
	return finish(&h);
}

/* The pattern in pieces of random length. */
static const char *pieces(enum digest_algorithm algorithm, bool fast, unsigned max)
{
	struct hash h;
	size_t at = 0, n;

	start(&h, algorithm, fast);
	while (at < sizeof(pattern)) {
		n = (size_t)rand() % (max + 1);
		if (n > sizeof(pattern) - at)
			n = sizeof(pattern) - at;
		hash_add(&h, pattern + at, n);
		at += n;
	}
	return finish(&h);
}

static const char *of_length(enum digest_algorithm algorithm, uint64_t length)
{
	struct hash h;

	hash_init(&h, algorithm);
	h.length = length; /* as if so many bytes had left the state as it was */
	return finish(&h);
}

#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define TWO_LONG_BLOCKS                            \
	"abcdefghbcdefghicdefghijdefghijkefghijkl" \
	"fghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
#define BIG256 "a314ebb6f22500a53272dd94e42c80ddff1cc88ce7034381e56fc15e7c8e5ac2"
#define BIG512                                                             \
	"c95dea0400cc549cd3a0116dc89a8d2a4e8c59468e511c1b2bc65c43190bdd0f" \
	"7b098eee42b081660ff1d9da37fc1b14cde8a5993b5506027c463a055820e471"

static void check_sha256(bool fast)
{
	unsigned max;

	CHECK_STR(once(DIGEST_SHA256, fast, NULL, 0),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_STR(once(DIGEST_SHA256, fast, "abc", 3),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(once(DIGEST_SHA256, fast, TWO_BLOCKS, 56),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	CHECK_STR(million(DIGEST_SHA256, fast),
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	CHECK_STR(all_lengths(DIGEST_SHA256, fast),
		"00cd4875f719e143be3d62f3c801038b5d2fd39027977cb7f387fcea4ce05168");
	CHECK_STR(once(DIGEST_SHA256, fast, pattern, sizeof(pattern)), BIG256);
	for (max = 1; max < 20000; max *= 3)
		CHECK_STR(pieces(DIGEST_SHA256, fast, max), BIG256);
}

static void check_sha512(void)
{
	unsigned max;

	CHECK_STR(once(DIGEST_SHA512, false, "abc", 3),
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	CHECK_STR(once(DIGEST_SHA512, false, TWO_LONG_BLOCKS, 112),
		"8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		"501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
	CHECK_STR(million(DIGEST_SHA512, false),
		"e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
		"de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
	CHECK_STR(all_lengths(DIGEST_SHA512, false),
		"a05fa4a2e4f942a3db9a0857ac782317b3de2ddec93f981985009d40b2c3143b"
		"ca976e9cde375c608622f1ce0d28facbfcbe2469977f5687b0ed355bde4d4fd8");
	for (max = 1; max < 20000; max *= 3)
		CHECK_STR(pieces(DIGEST_SHA512, false, max), BIG512);
}

static void check_lengths(void)
{
	CHECK_STR(of_length(DIGEST_SHA256, 1ull << 40),
		"622ad51a32334bd200fe7be55dc4fda6ea42f76d0eb4554e3d8778e8c1d0b836");
	CHECK_STR(of_length(DIGEST_SHA512, (1ull << 63) + (1ull << 40)),
		"21995c8fce5a4052517e732cf88a577af277a3a8ececd9f09a4d2ddc98b2ad9c"
		"fb8b5e3d88ec3eb9741edc82f87f243be29a6375cd9035e5bc323f346723f44b");
}

/* The engine that a long hash chooses, all of its lengths being right on the way. */
static enum hash_engine check_choice(void)
{
	struct hash h, copy;
	size_t i;

	hash_init(&h, DIGEST_SHA256);
	for (i = 0; i < sizeof(pattern); i++) {
		hash_add(&h, pattern + i, 1);
		if (i % 1009)
			continue;
		copy = h;
		CHECK_STR(finish(&copy), once(DIGEST_SHA256, false, pattern, i + 1));
	}
	CHECK_STR(finish(&h), BIG256);
	CHECK(h.engine != HASH_UNDECIDED);
	return h.engine;
}

#define HEX32 "8ada24bf6bf3139273899fed85010be710367bbd1f8a176f19da97a62bc3bc65"
#define OTHER "df087996d45b03e7eb8c133c0298fd98d35113fca26aaba58612fef3cc212cad"

static void check_text(void)
{
	static const char *const bad[] = { "", "sha256", "sha256:", HEX32, ":" HEX32, "md5:" HEX32,
		"sha384:" HEX32 OTHER, "SHA256:" HEX32, "sha256 " HEX32, "sha256::" HEX32,
		" sha256:" HEX32, "sha256:" HEX32 " ", "sha256:" HEX32 "\n", "sha256:" HEX32 "0",
		"sha256:" HEX32 OTHER, "sha512:" HEX32, "sha512:" HEX32 OTHER "00",
		"sha256:../../etc/x",
		"sha256:8ADA24BF6BF3139273899FED85010BE710367BBD1F8A176F19DA97A62BC3BC65",
		"sha256:8ada24bf6bf3139273899fed85010be710367bbd1f8a176f19da97a62bc3bc6",
		"sha256:8ada24bf6bf3139273899fed85010be710367bbd1f8a176f19da97a62bc3bc6/",
		"sha256:8ada24bf6bf3139273899fed85010be710367bbd1f8a176f19da97a62bc3bc6g",
		"sha256:0x8ada24bf6bf3139273899fed85010be710367bbd1f8a176f19da97a62bc3bc",
		"sha256+b64:" HEX32, "sha512:sha256:" HEX32 };
	static const char *const good[] = { "sha256:" HEX32, "sha512:" HEX32 OTHER };
	static const uint8_t zero[64];
	struct digest d;
	char text[DIGEST_TEXT];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&d, 0xff, sizeof(d));
		if (digest_parse(&d, bad[i]) != -EINVAL)
			CHECK_STR(bad[i], "refused");
		CHECK(memcmp(d.bytes, zero, sizeof(zero)) == 0);
		CHECK(strstr(fail_text(), "digest"));
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		memset(&d, 0xff, sizeof(d));
		CHECK(digest_parse(&d, good[i]) == 0);
		digest_format(text, &d);
		CHECK_STR(text, good[i]);
		digest_hex(text, &d);
		CHECK_STR(text, good[i] + 7);
	}
}

static void check_equal(void)
{
	struct digest a, b;

	CHECK(digest_parse(&a, "sha256:" HEX32) == 0);
	memset(&b, 0xff, sizeof(b));
	CHECK(digest_parse(&b, "sha256:" HEX32) == 0);
	CHECK(digest_equal(&a, &b));
	CHECK(digest_parse(&b, "sha256:" OTHER) == 0);
	CHECK(!digest_equal(&a, &b));
	b = a;
	b.algorithm = DIGEST_SHA512;
	CHECK(!digest_equal(&a, &b));
	b = a;
	b.bytes[31] ^= 1;
	CHECK(!digest_equal(&a, &b));
}

static void check_chain(void)
{
	struct digest below, diff, out;
	char text[DIGEST_TEXT];

	CHECK(digest_parse(&below, "sha256:" HEX32) == 0);
	CHECK(digest_parse(&diff, "sha256:" OTHER) == 0);
	digest_chain(&out, NULL, &diff);
	CHECK(digest_equal(&out, &diff));
	digest_chain(&out, &below, &diff);
	digest_format(text, &out);
	CHECK_STR(text, "sha256:6af80989cccfb2921337aff766e0fd80d68f6da081658f6421218f3392b5d0e9");
	digest_chain(&below, &below, &diff); /* in place */
	CHECK(digest_equal(&out, &below));
}

int main(void)
{
	enum hash_engine engine;
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 + i / 256);

	unit_case("SHA-256 in C");
	check_sha256(false);
	unit_case("SHA-512 in C");
	check_sha512();
	unit_case("counts more bits than 32 and 64");
	check_lengths();
	unit_case("changes the engine in the middle of a hash");
	engine = check_choice();
	if (engine == HASH_INSTRUCTIONS) {
		unit_case("SHA-256 by instructions");
		check_sha256(true);
	} else {
		unit_skip("SHA-256 by instructions", "this CPU has none");
	}
	unit_case("digests as text");
	check_text();
	unit_case("equality");
	check_equal();
	unit_case("chain id");
	check_chain();
	return unit_end();
}
