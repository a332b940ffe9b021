/* SPDX-License-Identifier: MIT */
/* dnsmsg - DNS messages of a stub resolver (RFC 1035): one question, A and AAAA answers */
#ifndef FORMAT_DNSMSG_H
#define FORMAT_DNSMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_TYPE_A    1
#define DNS_TYPE_AAAA 28
#define DNS_QUERY_MAX 300

struct dns_address {
	uint8_t family; /* 4 or 6 */
	uint8_t bytes[16];
};

struct dns_answer {
	bool truncated;                   /* ask again over TCP */
	int rcode;                        /* 0 ok, 2 server failure, 3 no such name, ... */
	struct dns_address addresses[16]; /* further ones are dropped */
	size_t count;
};

/* Write a recursive query for HOST into OUT (DNS_QUERY_MAX bytes); returns its length, -EINVAL if
 * HOST is no name (label over 63, over 253 in all, empty label, bytes other than letters, digits,
 * hyphen, underscore). */
int dnsmsg_query(uint8_t *out, const char *host, uint16_t type, uint16_t id);

/* Read the reply to the query Q. -EBADMSG: malformed, other id, other question, not a response.
 * CNAME chains inside the message are followed (16 steps); compression pointers must point
 * backwards. */
int dnsmsg_parse(
	struct dns_answer *out, const uint8_t *msg, size_t len, const uint8_t *q, size_t q_len);

#endif
