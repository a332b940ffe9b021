/* SPDX-License-Identifier: MIT */
/* der - read from an X.509 certificate what the TLS library does not look at
 *
 * Input is at most 16 KiB of DER. Nothing is verified here: the chain and the host name are the TLS
 * library's work; this answers the questions of security 3.2, point 3. */
#ifndef FORMAT_DER_H
#define FORMAT_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DER_CERTIFICATE_MAX 16384

struct der_certificate {
	bool has_san;              /* subjectAltName present */
	bool has_eku, server_auth; /* extendedKeyUsage present; holds serverAuth (or any) */
	bool name_constraints;
	int64_t not_before, not_after;   /* seconds since 1970 */
	const uint8_t *issuer, *subject; /* the encoded names, inside the input */
	size_t issuer_len, subject_len;
};

/* -EBADMSG (text recorded) if it is not a well-formed version 3 certificate. Lengths must be minimal
 * and inside their parent. */
int der_parse(struct der_certificate *out, const uint8_t *der, size_t len);

/* Does the certificate hold ADDRESS (4 or 16 bytes, network order) as an iPAddress SAN? */
bool der_has_address(const uint8_t *der, size_t len, const uint8_t *address, size_t address_len);

/* Does it hold a dNSName SAN that equals HOST, or matches it with one left-most "*" label? ASCII,
 * case-insensitive. */
bool der_has_name(const uint8_t *der, size_t len, const char *host);

#endif
