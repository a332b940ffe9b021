/* SPDX-License-Identifier: MIT */
/* digest - SHA-256 and SHA-512, and the digest strings of the image specification */
#ifndef FORMAT_DIGEST_H
#define FORMAT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA512 };

/* A parsed digest: file names are made from these bytes, never from outside text. */
struct digest {
	enum digest_algorithm algorithm;
	uint8_t bytes[64]; /* 32 used by SHA-256, the rest zero, so that memcmp compares */
};

#define DIGEST_TEXT 136 /* room for "sha512:" + 128 + NUL */

/* How the blocks of a SHA-256 are worked: asking an x86 CPU what it can do costs microseconds in a
 * virtual machine, so it is asked only when a hash has become long enough to gain from it. */
enum hash_engine { HASH_UNDECIDED, HASH_PORTABLE, HASH_INSTRUCTIONS };

/* State of one running hash; copyable. */
struct hash {
	enum digest_algorithm algorithm;
	enum hash_engine engine;
	uint64_t length;
	union {
		uint32_t s32[8];
		uint64_t s64[8];
	};
	uint8_t block[128];
};

/* Hash in pieces. SHA-256 uses the instructions of the CPU where it has them (SHA-NI, ARMv8),
 * chosen at run time. */
void hash_init(struct hash *h, enum digest_algorithm algorithm);
void hash_add(struct hash *h, const void *data, size_t len);
void hash_end(struct hash *h, struct digest *out);

/* The whole at once, SHA-256. */
void digest_of(struct digest *out, const void *data, size_t len);

/* "sha256:" + 64 lower-case hex or "sha512:" + 128, nothing else. -EINVAL, text recorded. */
int digest_parse(struct digest *out, const char *s);

/* Write "algorithm:hex"; OUT holds DIGEST_TEXT. */
void digest_format(char *out, const struct digest *d);

/* Write the hex alone; OUT holds DIGEST_TEXT. */
void digest_hex(char *out, const struct digest *d);

bool digest_equal(const struct digest *a, const struct digest *b);

/* Chain id (image specification, config.md): *OUT = DIFF for the lowest layer (BELOW NULL), else
 * SHA-256 of "BELOW DIFF" in text form. */
void digest_chain(struct digest *out, const struct digest *below, const struct digest *diff);

#endif
