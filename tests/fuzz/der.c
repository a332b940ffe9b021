/* SPDX-License-Identifier: MIT */
/* der: the names found in a certificate are only found if it parses, and lie inside it */
#include "format/der.h"

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t address[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	struct der_certificate c;
	int r = der_parse(&c, data, size);
	bool named = der_has_name(data, size, "a.names.test") ||
		der_has_name(data, size, "x.wild.test") ||
		der_has_address(data, size, address, 4) || der_has_address(data, size, address, 16);

	if (named && (r < 0 || !c.has_san))
		abort();
	if (r < 0 && (c.issuer || c.subject))
		abort();
	if (r == 0 &&
		(c.issuer < data || c.issuer + c.issuer_len > c.subject ||
			c.subject + c.subject_len > data + size || c.issuer[0] != 0x30 ||
			c.subject[0] != 0x30))
		abort();
	return 0;
}
