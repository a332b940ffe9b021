/* SPDX-License-Identifier: MIT */
/* dnsmsg: only an answer that repeats the question gives addresses, of the family that was asked for.
 * The input is the answer behind a question that is put in front of it, or all of the message. */
#include "format/dnsmsg.h"

#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *msg, size_t len, const uint8_t *q, size_t q_len, uint8_t family)
{
	struct dns_answer a;

	if (dnsmsg_parse(&a, msg, len, q, q_len) < 0) {
		if (a.count)
			abort();
		return;
	}
	if (len < q_len || msg[0] != q[0] || msg[1] != q[1] || !(msg[2] & 0x80) || a.count > 16)
		abort();
	for (size_t i = 0; i < a.count; i++)
		if (a.addresses[i].family != family)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t q[DNS_QUERY_MAX], msg[2048];
	bool six = size && data[0] & 1;
	int q_len = dnsmsg_query(q, "a.reg.test", six ? DNS_TYPE_AAAA : DNS_TYPE_A, 0x6161);

	check(data, size, q, (size_t)q_len, six ? 6 : 4);
	if (size < 7 || size > sizeof(msg) - (size_t)q_len)
		return 0;
	memcpy(msg, q, (size_t)q_len);
	msg[2] = data[1] | 0x80;
	msg[3] = data[2];
	memcpy(msg + 6, data + 3, 2);
	memcpy(msg + q_len, data + 7, size - 7);
	check(msg, (size_t)q_len + size - 7, q, (size_t)q_len, six ? 6 : 4);
	return 0;
}
