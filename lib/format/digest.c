/* SPDX-License-Identifier: MIT */
/* digest - SHA-256 and SHA-512 (FIPS 180-4), and the digest strings of the image specification
 *
 * The parts: constants, SHA-256 in C, SHA-256 by the instructions of x86-64 and AArch64, SHA-512 in
 * C, the running hash, digests as text. The #if are there for instructions of one architecture. */
#include "format/digest.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__AARCH64EL__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/fail.h"
#include "base/str.h"

/* Bytes after which it pays to ask the CPU: portable C takes 30 us for them. */
#define HASH_LONG 8192

static const uint32_t k256[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
	0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6,
	0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
	0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585,
	0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
	0xa4506ceb, 0xbef9a3f7, 0xc67178f2 };

static const uint64_t k512[80] = { 0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f,
	0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b,
	0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c,
	0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
	0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5,
	0x240ca1cc77ac9c65, 0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4,
	0x76f988da831153b5, 0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f,
	0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f,
	0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
	0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6,
	0x92722c851482353b, 0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791,
	0xc76c51a30654be30, 0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a,
	0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99,
	0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
	0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72,
	0x8cc702081a6439ec, 0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915,
	0xc67178f2e372532b, 0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e,
	0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae,
	0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
	0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec,
	0x6c44198c4a475817 };

static const uint32_t start256[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
	0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static const uint64_t start512[8] = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
	0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b,
	0x5be0cd19137e2179 };

static uint32_t rotate32(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint64_t rotate64(uint64_t x, int n)
{
	return x >> n | x << (64 - n);
}

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store32(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)(x >> 24);
	p[1] = (uint8_t)(x >> 16);
	p[2] = (uint8_t)(x >> 8);
	p[3] = (uint8_t)x;
}

static uint64_t load64(const uint8_t *p)
{
	return (uint64_t)load32(p) << 32 | load32(p + 4);
}

static void store64(uint8_t *p, uint64_t x)
{
	store32(p, (uint32_t)(x >> 32));
	store32(p + 4, (uint32_t)x);
}

/* Round I of a group of eight: the variables a to h of the standard are V, and instead of moving
 * each to the next place the places are counted backwards. */
static inline void round32(uint32_t *v, unsigned i, uint32_t word)
{
	uint32_t a = v[-i & 7], b = v[(1 - i) & 7], c = v[(2 - i) & 7], *d = &v[(3 - i) & 7];
	uint32_t e = v[(4 - i) & 7], f = v[(5 - i) & 7], g = v[(6 - i) & 7], *h = &v[(7 - i) & 7];

	*h += (rotate32(e, 6) ^ rotate32(e, 11) ^ rotate32(e, 25)) + (g ^ (e & (f ^ g))) + word;
	*d += *h;
	*h += (rotate32(a, 2) ^ rotate32(a, 13) ^ rotate32(a, 22)) + ((a & b) | (c & (a | b)));
}

static void blocks256(uint32_t *state, const uint8_t *p, size_t count)
{
	uint32_t v[8], w[64];
	int i;

	for (; count; count--, p += 64) {
		for (i = 0; i < 16; i++)
			w[i] = load32(p + 4 * i);
		for (; i < 64; i++)
			w[i] = w[i - 16] + w[i - 7] +
				(rotate32(w[i - 15], 7) ^ rotate32(w[i - 15], 18) ^
					w[i - 15] >> 3) +
				(rotate32(w[i - 2], 17) ^ rotate32(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(v, state, sizeof(v));
		for (i = 0; i < 64; i += 8) {
			round32(v, 0, k256[i] + w[i]);
			round32(v, 1, k256[i + 1] + w[i + 1]);
			round32(v, 2, k256[i + 2] + w[i + 2]);
			round32(v, 3, k256[i + 3] + w[i + 3]);
			round32(v, 4, k256[i + 4] + w[i + 4]);
			round32(v, 5, k256[i + 5] + w[i + 5]);
			round32(v, 6, k256[i + 6] + w[i + 6]);
			round32(v, 7, k256[i + 7] + w[i + 7]);
		}
		for (i = 0; i < 8; i++)
			state[i] += v[i];
	}
}

/* The same by instructions: for each architecture the few steps that differ, with the state kept in
 * two vectors as the instructions want it. */
#if defined(__x86_64__)
#define SHA_TARGET __attribute__((target("sha,sse4.1")))
#define SHA_VECTOR __m128i

static bool has_instructions(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

SHA_TARGET static inline __m128i load4(const void *p)
{
	return _mm_loadu_si128(p);
}

SHA_TARGET static inline __m128i load4_swapped(const void *p)
{
	return _mm_shuffle_epi8(
		_mm_loadu_si128(p), _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

SHA_TARGET static inline __m128i add4(__m128i a, __m128i b)
{
	return _mm_add_epi32(a, b);
}

/* Vectors are written highest word first here: abef holds A in its highest. */
SHA_TARGET static inline void load_state(__m128i *abef, __m128i *cdgh, const uint32_t *state)
{
	__m128i cdab = _mm_shuffle_epi32(load4(state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(load4(state + 4), 0x1b);

	*abef = _mm_alignr_epi8(cdab, efgh, 8);
	*cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

SHA_TARGET static inline void store_state(uint32_t *state, __m128i abef, __m128i cdgh)
{
	__m128i feba = _mm_shuffle_epi32(abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);

	_mm_storeu_si128((void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds; WORDS have the constants added. */
SHA_TARGET static inline void rounds4(__m128i *abef, __m128i *cdgh, __m128i words)
{
	*cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, words);
	*abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(words, 0x0e));
}

/* The four words of the message schedule that follow A, B, C and D. */
SHA_TARGET static inline __m128i schedule4(__m128i a, __m128i b, __m128i c, __m128i d)
{
	a = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4));
	return _mm_sha256msg2_epu32(a, d);
}

#elif defined(__AARCH64EL__)
#define SHA_TARGET __attribute__((target("+crypto")))
#define SHA_VECTOR uint32x4_t

static bool has_instructions(void)
{
	return getauxval(AT_HWCAP) & HWCAP_SHA2;
}

SHA_TARGET static inline uint32x4_t load4(const uint32_t *p)
{
	return vld1q_u32(p);
}

SHA_TARGET static inline uint32x4_t load4_swapped(const uint8_t *p)
{
	return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p)));
}

SHA_TARGET static inline uint32x4_t add4(uint32x4_t a, uint32x4_t b)
{
	return vaddq_u32(a, b);
}

SHA_TARGET static inline void load_state(uint32x4_t *abcd, uint32x4_t *efgh, const uint32_t *state)
{
	*abcd = vld1q_u32(state);
	*efgh = vld1q_u32(state + 4);
}

SHA_TARGET static inline void store_state(uint32_t *state, uint32x4_t abcd, uint32x4_t efgh)
{
	vst1q_u32(state, abcd);
	vst1q_u32(state + 4, efgh);
}

/* Four rounds; WORDS have the constants added. */
SHA_TARGET static inline void rounds4(uint32x4_t *abcd, uint32x4_t *efgh, uint32x4_t words)
{
	uint32x4_t before = *abcd;

	*abcd = vsha256hq_u32(before, *efgh, words);
	*efgh = vsha256h2q_u32(*efgh, before, words);
}

/* The four words of the message schedule that follow A, B, C and D. */
SHA_TARGET static inline uint32x4_t schedule4(
	uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d)
{
	return vsha256su1q_u32(vsha256su0q_u32(a, b), c, d);
}
#endif

#ifdef SHA_TARGET
SHA_TARGET static void blocks256_fast(uint32_t *state, const uint8_t *p, size_t count)
{
	SHA_VECTOR x, y, x_before, y_before, a, b, c, d;
	int i;

	load_state(&x, &y, state);
	for (; count; count--, p += 64) {
		x_before = x;
		y_before = y;
		a = load4_swapped(p);
		rounds4(&x, &y, add4(a, load4(k256)));
		b = load4_swapped(p + 16);
		rounds4(&x, &y, add4(b, load4(k256 + 4)));
		c = load4_swapped(p + 32);
		rounds4(&x, &y, add4(c, load4(k256 + 8)));
		d = load4_swapped(p + 48);
		rounds4(&x, &y, add4(d, load4(k256 + 12)));
		for (i = 16; i < 64; i += 16) {
			a = schedule4(a, b, c, d);
			rounds4(&x, &y, add4(a, load4(k256 + i)));
			b = schedule4(b, c, d, a);
			rounds4(&x, &y, add4(b, load4(k256 + i + 4)));
			c = schedule4(c, d, a, b);
			rounds4(&x, &y, add4(c, load4(k256 + i + 8)));
			d = schedule4(d, a, b, c);
			rounds4(&x, &y, add4(d, load4(k256 + i + 12)));
		}
		x = add4(x, x_before);
		y = add4(y, y_before);
	}
	store_state(state, x, y);
}
#else
static bool has_instructions(void)
{
	return false;
}

#define blocks256_fast blocks256
#endif

static inline void round64(uint64_t *v, unsigned i, uint64_t word)
{
	uint64_t a = v[-i & 7], b = v[(1 - i) & 7], c = v[(2 - i) & 7], *d = &v[(3 - i) & 7];
	uint64_t e = v[(4 - i) & 7], f = v[(5 - i) & 7], g = v[(6 - i) & 7], *h = &v[(7 - i) & 7];

	*h += (rotate64(e, 14) ^ rotate64(e, 18) ^ rotate64(e, 41)) + (g ^ (e & (f ^ g))) + word;
	*d += *h;
	*h += (rotate64(a, 28) ^ rotate64(a, 34) ^ rotate64(a, 39)) + ((a & b) | (c & (a | b)));
}

static void blocks512(uint64_t *state, const uint8_t *p, size_t count)
{
	uint64_t v[8], w[80];
	unsigned i;

	for (; count; count--, p += 128) {
		for (i = 0; i < 16; i++)
			w[i] = load64(p + 8 * i);
		for (; i < 80; i++)
			w[i] = w[i - 16] + w[i - 7] +
				(rotate64(w[i - 15], 1) ^ rotate64(w[i - 15], 8) ^ w[i - 15] >> 7) +
				(rotate64(w[i - 2], 19) ^ rotate64(w[i - 2], 61) ^ w[i - 2] >> 6);
		memcpy(v, state, sizeof(v));
		for (i = 0; i < 80; i++)
			round64(v, i & 7, k512[i] + w[i]);
		for (i = 0; i < 8; i++)
			state[i] += v[i];
	}
}

static size_t block_size(const struct hash *h)
{
	return h->algorithm == DIGEST_SHA512 ? 128 : 64;
}

static void blocks(struct hash *h, const uint8_t *p, size_t count)
{
	if (h->algorithm == DIGEST_SHA512)
		blocks512(h->s64, p, count);
	else if (h->engine == HASH_INSTRUCTIONS)
		blocks256_fast(h->s32, p, count);
	else
		blocks256(h->s32, p, count);
}

void hash_init(struct hash *h, enum digest_algorithm algorithm)
{
	*h = (struct hash){ .algorithm = algorithm };
	if (algorithm == DIGEST_SHA512) {
		h->engine = HASH_PORTABLE;
		memcpy(h->s64, start512, sizeof(start512));
	} else {
		memcpy(h->s32, start256, sizeof(start256));
	}
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t size = block_size(h), used = h->length % size, n;

	if (!len)
		return;
	h->length += len;
	if (h->engine == HASH_UNDECIDED && h->length >= HASH_LONG)
		h->engine = has_instructions() ? HASH_INSTRUCTIONS : HASH_PORTABLE;
	if (used) {
		n = len < size - used ? len : size - used;
		memcpy(h->block + used, p, n);
		p += n;
		len -= n;
		if (used + n < size)
			return;
		blocks(h, h->block, 1);
	}
	n = len / size;
	if (n)
		blocks(h, p, n);
	memcpy(h->block, p + n * size, len % size);
}

void hash_end(struct hash *h, struct digest *out)
{
	size_t size = block_size(h), used = h->length % size, i;

	h->block[used++] = 0x80;
	if (used > size - size / 8) {
		memset(h->block + used, 0, size - used);
		blocks(h, h->block, 1);
		used = 0;
	}
	/* The length in bits: 64 bits of it, or 128. */
	memset(h->block + used, 0, size - used);
	h->block[size - 9] |= (uint8_t)(h->length >> 61);
	store64(h->block + size - 8, h->length << 3);
	blocks(h, h->block, 1);

	*out = (struct digest){ .algorithm = h->algorithm };
	for (i = 0; i < 8; i++)
		if (h->algorithm == DIGEST_SHA512)
			store64(out->bytes + 8 * i, h->s64[i]);
		else
			store32(out->bytes + 4 * i, h->s32[i]);
}

void digest_of(struct digest *out, const void *data, size_t len)
{
	struct hash h;

	hash_init(&h, DIGEST_SHA256);
	hash_add(&h, data, len);
	hash_end(&h, out);
}

/* Name of the algorithm as it stands in front of the hex. */
static const char *prefix(enum digest_algorithm algorithm)
{
	return algorithm == DIGEST_SHA512 ? "sha512:" : "sha256:";
}

static size_t digest_size(enum digest_algorithm algorithm)
{
	return algorithm == DIGEST_SHA512 ? 64 : 32;
}

int digest_parse(struct digest *out, const char *s)
{
	struct digest d = { .algorithm = DIGEST_SHA256 };

	*out = d;
	if (str_starts(s, prefix(DIGEST_SHA512)))
		d.algorithm = DIGEST_SHA512;
	else if (!str_starts(s, prefix(DIGEST_SHA256)))
		return fail(EINVAL, "digest '%.150s' is neither sha256:HEX nor sha512:HEX", s);
	if (str_unhex(d.bytes, digest_size(d.algorithm), s + strlen(prefix(d.algorithm))) < 0)
		return fail(EINVAL, "digest '%.150s' is not %zu lower-case hex digits", s,
			2 * digest_size(d.algorithm));
	*out = d;
	return 0;
}

void digest_hex(char *out, const struct digest *d)
{
	str_hex(out, d->bytes, digest_size(d->algorithm));
}

void digest_format(char *out, const struct digest *d)
{
	strcpy(out, prefix(d->algorithm));
	digest_hex(out + strlen(out), d);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->algorithm == b->algorithm && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void digest_chain(struct digest *out, const struct digest *below, const struct digest *diff)
{
	char text[2 * DIGEST_TEXT];
	size_t len;

	if (!below) {
		*out = *diff;
		return;
	}
	digest_format(text, below);
	len = strlen(text);
	text[len] = ' ';
	digest_format(text + len + 1, diff);
	digest_of(out, text, strlen(text));
}
