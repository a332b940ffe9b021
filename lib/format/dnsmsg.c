/* SPDX-License-Identifier: MIT */
/* dnsmsg - DNS messages of a stub resolver
 *
 * Names are compared in wire form (length bytes and lower-case labels): there no byte of a label
 * can be taken for a dot. */
#include "format/dnsmsg.h"

#include <string.h>

#include "base/fail.h"

#define HEADER        12
#define NAME_MAX_WIRE 255
#define JUMPS         16
#define CHAIN         16
#define TYPE_CNAME    5
#define CLASS_IN      1

enum {
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSE = 0x0100
};

struct name {
	uint8_t wire[NAME_MAX_WIRE];
	size_t len;
};

struct record {
	struct name owner;
	uint16_t type, class;
	size_t data, data_len; /* in the message */
};

struct message {
	const uint8_t *p;
	size_t len;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool is_host_byte(uint8_t c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Write HOST in wire form; 0 if it is no name. */
static size_t encode_name(uint8_t *out, const char *host)
{
	size_t len = strlen(host), label = 0;

	if (!len || len > 253)
		return 0;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && host[i] != '.') {
			if (!is_host_byte((uint8_t)host[i]))
				return 0;
			out[i + 1] = (uint8_t)host[i];
			label++;
			continue;
		}
		if (!label || label > 63)
			return 0;
		out[i - label] = (uint8_t)label;
		label = 0;
	}
	out[len + 1] = 0;
	return len + 2;
}

int dnsmsg_query(uint8_t *out, const char *host, uint16_t type, uint16_t id)
{
	size_t len = encode_name(out + HEADER, host);

	if (!len)
		return fail(EINVAL, "'%s' is not a host name", host);
	memset(out, 0, HEADER);
	put16(out, id);
	put16(out + 2, FLAG_RECURSE);
	put16(out + 4, 1);
	put16(out + HEADER + len, type);
	put16(out + HEADER + len + 2, CLASS_IN);
	return (int)(HEADER + len + 4);
}

/* Read the name at *AT and step over it. A pointer must point before the part that it ends, so that
 * every jump goes further back and none can loop. */
static bool read_name(struct message m, size_t *at, struct name *out)
{
	size_t pos = *at, part = pos, jumps = 0, label, to;

	out->len = 0;
	for (;;) {
		if (pos >= m.len)
			return false;
		label = m.p[pos];
		if (label >= 0xc0) {
			if (m.len - pos < 2 || ++jumps > JUMPS)
				return false;
			to = get16(m.p + pos) & 0x3fff;
			if (to >= part || to < HEADER)
				return false;
			if (jumps == 1)
				*at = pos + 2;
			pos = part = to;
			continue;
		}
		if (label > 63 || label >= m.len - pos || out->len + label + 1 > NAME_MAX_WIRE)
			return false;
		for (size_t i = 0; i <= label; i++)
			out->wire[out->len++] = i ? lower(m.p[pos + i]) : (uint8_t)label;
		pos += label + 1;
		if (!label)
			break;
	}
	if (!jumps)
		*at = pos;
	return true;
}

static bool same_name(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

static bool read_record(struct message m, size_t *at, struct record *out)
{
	if (!read_name(m, at, &out->owner) || m.len - *at < 10)
		return false;
	out->type = get16(m.p + *at);
	out->class = get16(m.p + *at + 2);
	out->data_len = get16(m.p + *at + 8);
	out->data = *at + 10;
	if (out->data_len > m.len - out->data)
		return false;
	*at = out->data + out->data_len;
	return true;
}

static bool add_address(struct dns_answer *out, struct message m, const struct record *r)
{
	struct dns_address *a;
	size_t size = r->type == DNS_TYPE_A ? 4 : 16;

	if (r->data_len != size)
		return false;
	if (out->count == sizeof(out->addresses) / sizeof(out->addresses[0]))
		return true;
	a = &out->addresses[out->count++];
	a->family = r->type == DNS_TYPE_A ? 4 : 6;
	memcpy(a->bytes, m.p + r->data, size);
	return true;
}

/* Go through the COUNT records at AT once: take the addresses of NAME, and its alias if it has one.
 * False: malformed. */
static bool scan(struct dns_answer *out, struct message m, size_t at, uint16_t type,
	struct name *name, bool *alias)
{
	unsigned int count = get16(m.p + 6);
	struct name target;
	struct record r;

	*alias = false;
	for (; count; count--) {
		if (!read_record(m, &at, &r))
			return false;
		if (r.class != CLASS_IN || !same_name(&r.owner, name))
			continue;
		if (r.type == type && !add_address(out, m, &r))
			return false;
		if (r.type == TYPE_CNAME && !*alias) {
			size_t end = r.data;

			if (!read_name(m, &end, &target) || end != r.data + r.data_len)
				return false;
			*alias = true;
		}
	}
	if (*alias)
		*name = target;
	return true;
}

/* Is the message a response to the query Q, whose question it repeats? */
static bool answers(struct message m, const uint8_t *q, size_t q_len)
{
	if (q_len <= HEADER + 4 || m.len < q_len || get16(m.p) != get16(q) ||
		(get16(m.p + 2) & (FLAG_RESPONSE | FLAG_OPCODE)) != FLAG_RESPONSE ||
		get16(m.p + 4) != 1)
		return false;
	for (size_t i = HEADER; i < q_len; i++)
		if (lower(m.p[i]) != lower(q[i]))
			return false;
	return true;
}

int dnsmsg_parse(
	struct dns_answer *out, const uint8_t *msg, size_t len, const uint8_t *q, size_t q_len)
{
	struct message m = { msg, len };
	struct dns_answer found = { 0 };
	struct name name;
	bool alias = true;
	size_t at = HEADER;
	int step;

	memset(out, 0, sizeof(*out));
	if (!answers(m, q, q_len) || !read_name(m, &at, &name))
		return fail(EBADMSG, "not the answer to the question");
	found.truncated = get16(msg + 2) & FLAG_TRUNCATED;
	found.rcode = get16(msg + 2) & 15;
	for (step = 0; !found.truncated && !found.count && alias; step++)
		if (step == CHAIN || !scan(&found, m, q_len, get16(q + q_len - 4), &name, &alias))
			return fail(EBADMSG, "malformed DNS answer");
	*out = found;
	return 0;
}
