/* SPDX-License-Identifier: MIT */
/* der - read from an X.509 certificate what the TLS library does not look at */
#include "format/der.h"

#include <string.h>

#include "base/fail.h"

enum {
	TAG_BOOLEAN = 0x01,
	TAG_INTEGER = 0x02,
	TAG_BIT_STRING = 0x03,
	TAG_OCTET_STRING = 0x04,
	TAG_OID = 0x06,
	TAG_UTC_TIME = 0x17,
	TAG_GENERALIZED_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_DNS_NAME = 0x82,
	TAG_IP_ADDRESS = 0x87,
	TAG_VERSION = 0xa0,
	TAG_ISSUER_ID = 0x81,
	TAG_SUBJECT_ID = 0x82,
	TAG_EXTENSIONS = 0xa3,
};

/* What is left of an element's content. */
struct cursor {
	const uint8_t *p;
	size_t len;
};

static const uint8_t oid_san[] = { 0x55, 0x1d, 0x11 };
static const uint8_t oid_name_constraints[] = { 0x55, 0x1d, 0x1e };
static const uint8_t oid_eku[] = { 0x55, 0x1d, 0x25 };
static const uint8_t oid_any_eku[] = { 0x55, 0x1d, 0x25, 0x00 };
static const uint8_t oid_server_auth[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01 };

#define IS_OID(c, oid) ((c).len == sizeof(oid) && memcmp((c).p, oid, sizeof(oid)) == 0)

/* Take the next element off C, whatever its (one byte) tag. */
static bool take_any(struct cursor *c, uint8_t *tag, struct cursor *content)
{
	size_t head = 2, len, i;

	if (c->len < 2 || (c->p[0] & 0x1f) == 0x1f)
		return false;
	*tag = c->p[0];
	len = c->p[1];
	if (len >= 0x80) {
		head += len & 0x7f;
		/* No indefinite length; 16 KiB and less need two bytes at most. */
		if (len == 0x80 || head > 4 || c->len < head)
			return false;
		for (len = 0, i = 2; i < head; i++)
			len = len << 8 | c->p[i];
		if (len < 0x80 || (head == 4 && len < 0x100))
			return false;
	}
	if (len > c->len - head)
		return false;
	*content = (struct cursor){ c->p + head, len };
	c->p += head + len;
	c->len -= head + len;
	return true;
}

/* Take the next element, which must have the tag WANT. */
static bool take(struct cursor *c, uint8_t want, struct cursor *content)
{
	uint8_t tag;

	return c->len && c->p[0] == want && take_any(c, &tag, content);
}

/* Take the next element if it has the tag WANT; false only if it has and is damaged. */
static bool take_optional(struct cursor *c, uint8_t want, struct cursor *content)
{
	*content = (struct cursor){ NULL, 0 };
	return !c->len || c->p[0] != want || take(c, want, content);
}

static bool two_digits(const uint8_t *p, unsigned int min, unsigned int max, unsigned int *out)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*out = (unsigned int)(p[0] - '0') * 10 + (unsigned int)(p[1] - '0');
	return *out >= min && *out <= max;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_since_1970(unsigned int year, unsigned int month, unsigned int day)
{
	static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int64_t y =
		(int64_t)year - (month <= 2); /* the last year whose 29 February may have passed */

	return (int64_t)year * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + day - 719528;
}

/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 narrows them: seconds given, zone Z. */
static bool take_time(struct cursor *c, int64_t *out)
{
	unsigned int century, year, month, day, hour, minute, second;
	struct cursor t;
	const uint8_t *p;
	uint8_t tag;

	if (!take_any(c, &tag, &t))
		return false;
	p = t.p;
	if (tag == TAG_UTC_TIME && t.len == 13) {
		if (!two_digits(p, 0, 99, &year))
			return false;
		century = year < 50 ? 20 : 19;
	} else if (tag == TAG_GENERALIZED_TIME && t.len == 15) {
		if (!two_digits(p, 0, 99, &century) || !two_digits(p + 2, 0, 99, &year))
			return false;
		p += 2;
	} else {
		return false;
	}
	if (!two_digits(p + 2, 1, 12, &month) || !two_digits(p + 4, 1, 31, &day) ||
		!two_digits(p + 6, 0, 23, &hour) || !two_digits(p + 8, 0, 59, &minute) ||
		!two_digits(p + 10, 0, 59, &second) || p[12] != 'Z')
		return false;
	*out = days_since_1970(century * 100 + year, month, day) * 86400 + hour * 3600 +
		minute * 60 + second;
	return true;
}

static bool read_eku(struct der_certificate *out, struct cursor value)
{
	struct cursor list, oid;

	if (out->has_eku || !take(&value, TAG_SEQUENCE, &list) || value.len || !list.len)
		return false;
	out->has_eku = true;
	while (list.len) {
		if (!take(&list, TAG_OID, &oid))
			return false;
		if (IS_OID(oid, oid_server_auth) || IS_OID(oid, oid_any_eku))
			out->server_auth = true;
	}
	return true;
}

/* The value of the SAN is remembered in *SAN, which holds well-formed elements. */
static bool read_san(struct der_certificate *out, struct cursor value, struct cursor *san)
{
	struct cursor list, name;
	uint8_t tag;

	if (out->has_san || !take(&value, TAG_SEQUENCE, &list) || value.len || !list.len)
		return false;
	out->has_san = true;
	*san = list;
	while (list.len)
		if (!take_any(&list, &tag, &name))
			return false;
	return true;
}

static bool read_extensions(struct der_certificate *out, struct cursor list, struct cursor *san)
{
	struct cursor extension, oid, critical, value;

	if (!list.len)
		return false;
	while (list.len) {
		if (!take(&list, TAG_SEQUENCE, &extension) || !take(&extension, TAG_OID, &oid) ||
			!take_optional(&extension, TAG_BOOLEAN, &critical) ||
			(critical.p && critical.len != 1) ||
			!take(&extension, TAG_OCTET_STRING, &value) || extension.len)
			return false;
		if (IS_OID(oid, oid_name_constraints))
			out->name_constraints = true;
		else if (IS_OID(oid, oid_eku) && !read_eku(out, value))
			return false;
		else if (IS_OID(oid, oid_san) && !read_san(out, value, san))
			return false;
	}
	return true;
}

static bool read_tbs(struct der_certificate *out, struct cursor tbs, struct cursor *san)
{
	struct cursor c, version, list;
	const uint8_t *start;

	if (!take(&tbs, TAG_VERSION, &c) || !take(&c, TAG_INTEGER, &version) || c.len ||
		version.len != 1 || version.p[0] != 2)
		return false;
	if (!take(&tbs, TAG_INTEGER, &c) || !take(&tbs, TAG_SEQUENCE, &c))
		return false;
	start = tbs.p;
	if (!take(&tbs, TAG_SEQUENCE, &c))
		return false;
	out->issuer = start;
	out->issuer_len = (size_t)(tbs.p - start);
	if (!take(&tbs, TAG_SEQUENCE, &c) || !take_time(&c, &out->not_before) ||
		!take_time(&c, &out->not_after) || c.len)
		return false;
	start = tbs.p;
	if (!take(&tbs, TAG_SEQUENCE, &c))
		return false;
	out->subject = start;
	out->subject_len = (size_t)(tbs.p - start);
	if (!take(&tbs, TAG_SEQUENCE, &c) || !take_optional(&tbs, TAG_ISSUER_ID, &c) ||
		!take_optional(&tbs, TAG_SUBJECT_ID, &c) ||
		!take_optional(&tbs, TAG_EXTENSIONS, &c) || tbs.len)
		return false;
	return !c.p || (take(&c, TAG_SEQUENCE, &list) && !c.len && read_extensions(out, list, san));
}

/* *SAN is set to the list of names, empty if there is none. */
static bool read_certificate(
	struct der_certificate *out, const uint8_t *der, size_t len, struct cursor *san)
{
	struct cursor whole = { der, len }, certificate, tbs, c;

	*san = (struct cursor){ NULL, 0 };
	return len <= DER_CERTIFICATE_MAX && take(&whole, TAG_SEQUENCE, &certificate) &&
		!whole.len && take(&certificate, TAG_SEQUENCE, &tbs) &&
		take(&certificate, TAG_SEQUENCE, &c) && take(&certificate, TAG_BIT_STRING, &c) &&
		!certificate.len && read_tbs(out, tbs, san);
}

int der_parse(struct der_certificate *out, const uint8_t *der, size_t len)
{
	struct der_certificate found = { 0 };
	struct cursor san;

	*out = found;
	if (!read_certificate(&found, der, len, &san))
		return fail(EBADMSG, "not a well-formed X.509 version 3 certificate");
	*out = found;
	return 0;
}

/* The names of the certificate; empty if it is damaged or has none. */
static struct cursor names(const uint8_t *der, size_t len)
{
	struct der_certificate unused = { 0 };
	struct cursor san;

	if (!read_certificate(&unused, der, len, &san))
		return (struct cursor){ NULL, 0 };
	return san;
}

bool der_has_address(const uint8_t *der, size_t len, const uint8_t *address, size_t address_len)
{
	struct cursor san = names(der, len), name;
	uint8_t tag;

	while (san.len && take_any(&san, &tag, &name))
		if (tag == TAG_IP_ADDRESS && name.len == address_len &&
			memcmp(name.p, address, address_len) == 0)
			return true;
	return false;
}

static bool equal_names(const uint8_t *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char x = (char)a[i], y = b[i];

		if (x >= 'A' && x <= 'Z')
			x = (char)(x + 32);
		if (y >= 'A' && y <= 'Z')
			y = (char)(y + 32);
		if (x != y)
			return false;
	}
	return true;
}

/* The star stands for exactly one label, and never for one directly below the root. */
static bool matches(struct cursor name, const char *host)
{
	const char *rest = strchr(host, '.');
	size_t host_len = strlen(host);

	if (name.len > 2 && name.p[0] == '*' && name.p[1] == '.')
		return rest && rest != host && rest[1] && name.len - 1 == strlen(rest) &&
			equal_names(name.p + 1, rest, name.len - 1);
	return host_len && name.len == host_len && equal_names(name.p, host, host_len);
}

bool der_has_name(const uint8_t *der, size_t len, const char *host)
{
	struct cursor san = names(der, len), name;
	uint8_t tag;

	while (san.len && take_any(&san, &tag, &name))
		if (tag == TAG_DNS_NAME && matches(name, host))
			return true;
	return false;
}
