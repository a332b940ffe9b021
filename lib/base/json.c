/* SPDX-License-Identifier: MIT */
/* json - strict RFC 8259 reader, RFC 8785 (canonical) writer
 *
 * Parts: trees, order of members, reader (strings, numbers, lists, values), look-up, writer. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"

#define DEPTH_MAX   64
#define MEMBERS_MAX 10000
#define ITEMS_MAX   100000
#define VALUES_MAX  200000
#define STRING_MAX  (1u << 20)
#define NUMBER_MAX  1000

/* --- trees --- */

struct json *json_new(enum json_type type)
{
	struct json *j = calloc(1, sizeof(*j));

	if (j)
		j->type = type;
	return j;
}

struct json *json_new_string(const char *s)
{
	auto_json struct json *j = json_new(JSON_STRING);

	if (!j)
		return NULL;
	j->string = strdup(s);
	return j->string ? take_ptr(j) : NULL;
}

struct json *json_new_int(int64_t value)
{
	struct json *j = json_new(JSON_INT);

	if (j)
		j->integer = value;
	return j;
}

struct json *json_new_bool(bool value)
{
	struct json *j = json_new(JSON_BOOL);

	if (j)
		j->boolean = value;
	return j;
}

void json_free(struct json *j)
{
	struct json *child, *next;

	if (!j)
		return;
	for (child = j->child; child; child = next) {
		next = child->next;
		json_free(child);
	}
	if (j->type == JSON_STRING)
		free(j->string);
	free(j->key);
	free(j);
}

void cleanup_json(struct json **j)
{
	int saved = errno;

	json_free(*j);
	errno = saved;
}

static void append(struct json *to, struct json *value)
{
	if (to->last)
		to->last->next = value;
	else
		to->child = value;
	to->last = value;
	to->count++;
}

/* Put VALUE where TO has a member of its name; false if there is none. */
static bool replace(struct json *to, struct json *value)
{
	struct json **at = &to->child, *old;

	while (*at && strcmp((*at)->key, value->key) != 0)
		at = &(*at)->next;
	old = *at;
	if (!old)
		return false;
	value->next = old->next;
	*at = value;
	if (to->last == old)
		to->last = value;
	json_free(old);
	return true;
}

bool json_add(struct json *to, const char *key, struct json *value)
{
	auto_json struct json *owned = value;

	if (!to || !value || to->type != (key ? JSON_OBJECT : JSON_ARRAY))
		return false;
	if (key) {
		value->key = strdup(key);
		if (!value->key)
			return false;
	}
	owned = NULL;
	if (!key || !replace(to, value))
		append(to, value);
	return true;
}

struct json *json_copy(const struct json *j)
{
	auto_json struct json *copy = NULL;
	struct json *value;
	const struct json *child;

	if (!j)
		return NULL;
	if (j->type == JSON_STRING)
		return json_new_string(j->string);
	copy = json_new(j->type);
	if (!copy)
		return NULL;
	if (j->type == JSON_BOOL)
		copy->boolean = j->boolean;
	else if (j->type == JSON_INT)
		copy->integer = j->integer;
	else if (j->type == JSON_REAL)
		copy->real = j->real;
	for (child = j->child; child; child = child->next) {
		value = json_copy(child);
		if (!value)
			return NULL;
		append(copy, value);
		value->key = child->key ? strdup(child->key) : NULL;
		if (child->key && !value->key)
			return NULL;
	}
	return take_ptr(copy);
}

/* --- order of members --- */

/* UTF-16 has the characters beyond U+FFFF (F0 and up in UTF-8) before U+E000 to U+FFFF (EE, EF). */
static int utf16_rank(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte == 0xee || byte == 0xef ? byte + 0x10 : byte;
}

static int compare_keys(const void *a, const void *b)
{
	const char *x = (*(const struct json *const *)a)->key;
	const char *y = (*(const struct json *const *)b)->key;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return utf16_rank(*x) - utf16_rank(*y);
}

/* The members of J in canonical order, the caller's; NULL when out of memory. */
static const struct json **sorted_members(const struct json *j)
{
	const struct json **list = malloc((j->count + 1) * sizeof(*list)), *child;
	size_t i = 0;

	if (!list)
		return NULL;
	for (child = j->child; child; child = child->next)
		list[i++] = child;
	qsort(list, i, sizeof(*list), compare_keys);
	return list;
}

/* --- reader --- */

struct reader {
	const char *text;
	size_t len, at;
	size_t values; /* so far */
	int depth;     /* open lists */
};

static int bad(const struct reader *in, const char *what)
{
	return fail(EBADMSG, "invalid JSON at byte %zu: %s", in->at, what);
}

/* The next byte, -1 at the end. */
static int peek(const struct reader *in)
{
	return in->at < in->len ? (unsigned char)in->text[in->at] : -1;
}

static void skip_space(struct reader *in)
{
	int c = peek(in);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		in->at++;
		c = peek(in);
	}
}

/* Four hex digits at S as a number, -1 if they are none; a closing quote is in reach. */
static int hex4(const char *s)
{
	int n = 0, i, digit;

	for (i = 0; i < 4; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			digit = s[i] - '0';
		else if ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f')
			digit = (s[i] | 0x20) - 'a' + 10;
		else
			return -1;
		n = n << 4 | digit;
	}
	return n;
}

/* Read an escape inside a string that is known to end. */
static int read_escape(struct reader *in, uint32_t *code)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *s = in->text + in->at + 1, *name = *s ? strchr(names, *s) : NULL;
	int unit, low;

	if (name) {
		in->at += 2;
		*code = (uint32_t)means[name - names];
		return 0;
	}
	unit = *s == 'u' ? hex4(s + 1) : -1;
	if (unit < 0)
		return bad(in, "invalid escape");
	if (unit == 0)
		return bad(in, "NUL in a string");
	*code = (uint32_t)unit;
	if (unit >= 0xd800 && unit < 0xe000) {
		low = s[5] == '\\' && s[6] == 'u' ? hex4(s + 7) : -1;
		if (unit >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
			return bad(in, "lone surrogate");
		*code = 0x10000u + ((*code & 0x3ff) << 10) + ((uint32_t)low & 0x3ff);
		in->at += 6;
	}
	in->at += 6;
	return 0;
}

static char *put_utf8(char *to, uint32_t code)
{
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int more = (code >= 0x80) + (code >= 0x800) + (code >= 0x10000);

	*to++ = (char)(lead[more] | code >> 6 * more);
	while (more--)
		*to++ = (char)(0x80 | (code >> 6 * more & 0x3f));
	return to;
}

/* Read one character of a string that ends at END. */
static int read_char(struct reader *in, size_t end, uint32_t *code)
{
	size_t used;

	if (in->text[in->at] == '\\')
		return read_escape(in, code);
	used = str_utf8(in->text + in->at, end - in->at, code);
	if (!used)
		return bad(in, "invalid UTF-8");
	if (*code < 0x20)
		return bad(in, "control character in a string");
	in->at += used;
	return 0;
}

static int read_string(struct reader *in, char **out)
{
	auto_free char *s = NULL;
	size_t end = in->at + 1;
	uint32_t code;
	char *to;
	int r;

	for (; end < in->len && in->text[end] != '"'; end++)
		if (in->text[end] == '\\')
			end++;
	if (end >= in->len)
		return bad(in, "string without end");
	s = malloc(end - in->at); /* no character grows */
	if (!s)
		return fail(ENOMEM, "out of memory");
	to = s;
	in->at++;
	while (in->at < end) {
		r = read_char(in, end, &code);
		if (r < 0)
			return r;
		to = put_utf8(to, code);
		if (to - s > STRING_MAX)
			return bad(in, "string too long");
	}
	*to = '\0';
	in->at++;
	*out = take_ptr(s);
	return 0;
}

static bool skip_digits(struct reader *in)
{
	size_t start = in->at;

	while (peek(in) >= '0' && peek(in) <= '9')
		in->at++;
	return in->at > start;
}

/* Move behind a number; *INTEGER says that it has neither fraction nor exponent. */
static bool skip_number(struct reader *in, bool *integer)
{
	*integer = true;
	if (peek(in) == '-')
		in->at++;
	if (peek(in) == '0')
		in->at++;
	else if (!skip_digits(in))
		return false;
	if (peek(in) == '.') {
		*integer = false;
		in->at++;
		if (!skip_digits(in))
			return false;
	}
	if (peek(in) == 'e' || peek(in) == 'E') {
		*integer = false;
		in->at++;
		if (peek(in) == '+' || peek(in) == '-')
			in->at++;
		return skip_digits(in);
	}
	return true;
}

static int read_number(struct reader *in, struct json *j)
{
	char text[NUMBER_MAX + 1];
	size_t start = in->at, len;
	bool integer;

	if (!skip_number(in, &integer))
		return bad(in, "invalid number");
	len = in->at - start;
	if (len > NUMBER_MAX)
		return bad(in, "number too long");
	memcpy(text, in->text + start, len);
	text[len] = '\0';
	if (integer) {
		errno = 0;
		j->type = JSON_INT;
		j->integer = strtoll(text, NULL, 10);
		if (errno == 0)
			return 0;
	}
	j->type = JSON_REAL;
	j->real = strtod(text, NULL);
	return isfinite(j->real) ? 0 : bad(in, "number out of range");
}

static int read_value(struct reader *in, struct json **out);

/* Read one item, or one member with its name, into J. */
static int read_item(struct reader *in, struct json *j)
{
	auto_free char *key = NULL;
	struct json *value;
	int r;

	if (j->type == JSON_OBJECT) {
		skip_space(in);
		if (peek(in) != '"')
			return bad(in, "no member name");
		r = read_string(in, &key);
		if (r < 0)
			return r;
		skip_space(in);
		if (peek(in) != ':')
			return bad(in, "no ':' after a member name");
		in->at++;
	}
	r = read_value(in, &value);
	if (r < 0)
		return r;
	value->key = take_ptr(key);
	append(j, value);
	if (j->count > (j->type == JSON_OBJECT ? MEMBERS_MAX : ITEMS_MAX))
		return bad(in, "too many members or items");
	return 0;
}

/* Sorted, so that many members do not cost their square. */
static int refuse_duplicates(const struct reader *in, const struct json *j)
{
	const struct json **list = sorted_members(j);
	int r = 0;
	size_t i;

	if (!list)
		return fail(ENOMEM, "out of memory");
	for (i = 1; i < j->count && r == 0; i++)
		if (strcmp(list[i - 1]->key, list[i]->key) == 0)
			r = fail(EBADMSG, "invalid JSON before byte %zu: duplicate member '%s'",
				in->at, list[i]->key);
	free(list);
	return r;
}

/* Read what stands between brackets into J. */
static int read_list(struct reader *in, struct json *j)
{
	char end = j->type == JSON_OBJECT ? '}' : ']';
	int r;

	if (++in->depth > DEPTH_MAX)
		return bad(in, "nested too deep");
	in->at++;
	skip_space(in);
	while (j->count || peek(in) != end) {
		r = read_item(in, j);
		if (r < 0)
			return r;
		skip_space(in);
		if (peek(in) != ',')
			break;
		in->at++;
	}
	if (peek(in) != end)
		return bad(in, "neither ',' nor end of list");
	in->at++;
	in->depth--;
	return j->type == JSON_OBJECT ? refuse_duplicates(in, j) : 0;
}

static int read_word(struct reader *in, const char *word)
{
	size_t len = strlen(word);

	if (in->len - in->at < len || memcmp(in->text + in->at, word, len) != 0)
		return bad(in, "no value");
	in->at += len;
	return 0;
}

static int read_typed(struct reader *in, struct json *j)
{
	int c = peek(in);

	switch (c) {
	case '{': j->type = JSON_OBJECT; return read_list(in, j);
	case '[': j->type = JSON_ARRAY; return read_list(in, j);
	case '"': j->type = JSON_STRING; return read_string(in, &j->string);
	case 't':
	case 'f':
		j->type = JSON_BOOL;
		j->boolean = c == 't';
		return read_word(in, c == 't' ? "true" : "false");
	case 'n': return read_word(in, "null");
	default: break;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(in, j);
	return bad(in, "no value");
}

static int read_value(struct reader *in, struct json **out)
{
	auto_json struct json *j = NULL;
	int r;

	*out = NULL;
	skip_space(in);
	if (++in->values > VALUES_MAX)
		return bad(in, "too many values");
	j = json_new(JSON_NULL);
	if (!j)
		return fail(ENOMEM, "out of memory");
	r = read_typed(in, j);
	if (r == 0)
		*out = take_ptr(j);
	return r;
}

int json_parse(const char *text, size_t len, struct json **out)
{
	struct reader in = { .text = text, .len = len };
	auto_json struct json *j = NULL;
	int r;

	*out = NULL;
	r = read_value(&in, &j);
	if (r < 0)
		return r;
	skip_space(&in);
	if (in.at < len)
		return bad(&in, "text after the value");
	*out = take_ptr(j);
	return 0;
}

/* --- look-up --- */

const struct json *json_get(const struct json *j, const char *key)
{
	const struct json *child;

	if (!j || j->type != JSON_OBJECT)
		return NULL;
	for (child = j->child; child; child = child->next)
		if (strcmp(child->key, key) == 0)
			return child;
	return NULL;
}

/* Member KEY as TYPE: 1, 0 if absent or null, -EBADMSG. */
static int get_typed(
	const struct json *j, const char *key, enum json_type type, const struct json **out)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_INT] = "an integer",
		[JSON_REAL] = "a fraction",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	const struct json *member = json_get(j, key);

	if (!member || member->type == JSON_NULL)
		return 0;
	if (member->type != type)
		return fail(EBADMSG, "'%s' is %s, not %s", key, names[member->type], names[type]);
	*out = member;
	return 1;
}

int json_get_string(const struct json *j, const char *key, const char **out)
{
	const struct json *member;
	int r = get_typed(j, key, JSON_STRING, &member);

	if (r > 0)
		*out = member->string;
	return r;
}

int json_get_int(const struct json *j, const char *key, int64_t *out)
{
	const struct json *member;
	int r = get_typed(j, key, JSON_INT, &member);

	if (r > 0)
		*out = member->integer;
	return r;
}

int json_get_bool(const struct json *j, const char *key, bool *out)
{
	const struct json *member;
	int r = get_typed(j, key, JSON_BOOL, &member);

	if (r > 0)
		*out = member->boolean;
	return r;
}

int json_get_object(const struct json *j, const char *key, const struct json **out)
{
	return get_typed(j, key, JSON_OBJECT, out);
}

int json_get_array(const struct json *j, const char *key, const struct json **out)
{
	return get_typed(j, key, JSON_ARRAY, out);
}

/* --- writer --- */

void json_quote(struct buf *out, const char *s)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	size_t left = strlen(s), used;
	const char *special;
	uint32_t code;

	buf_putc(out, '"');
	for (; left; s += used, left -= used) {
		used = str_utf8(s, left, &code);
		special = strchr(escaped, *s);
		if (!used) {
			buf_puts(out, "\xef\xbf\xbd");
			used = 1;
		} else if (special) {
			buf_putc(out, '\\');
			buf_putc(out, names[special - escaped]);
		} else if (code < 0x20) {
			buf_printf(out, "\\u%04x", (unsigned)code);
		} else {
			buf_add(out, s, used);
		}
	}
	buf_putc(out, '"');
}

/* The fewest digits that read back as V, positive and finite, as "d.ddde+XX" in OUT; returns where
 * the exponent begins. */
static char *shortest(char *out, size_t size, double v)
{
	char *exponent = out;
	int places;

	for (places = 0; places < 17; places++) {
		snprintf(out, size, "%.*e", places, v);
		exponent = strchr(out, 'e');
		if (strtod(out, NULL) == v)
			break;
		/* Above a power of two doubles lie twice as far apart as below: a number of as
		 * many digits may read back although the nearest, which is below, does not. */
		if (exponent[-1] == '9')
			continue;
		exponent[-1]++;
		if (strtod(out, NULL) == v)
			break;
	}
	return exponent;
}

/* A number as ECMAScript prints it. */
static void format_real(struct buf *out, double v)
{
	char text[32], digits[20], *exponent;
	int len = 0, point, i;

	if (v == 0) {
		buf_putc(out, '0');
		return;
	}
	if (v < 0)
		buf_putc(out, '-');
	exponent = shortest(text, sizeof(text), fabs(v));
	for (i = 0; text + i < exponent; i++)
		if (text[i] != '.')
			digits[len++] = text[i];
	point = atoi(exponent + 1) + 1;
	if (point > 21 || point <= -6) {
		buf_add(out, digits, 1);
		if (len > 1)
			buf_putc(out, '.');
		buf_add(out, digits + 1, (size_t)len - 1);
		buf_printf(out, "e%+d", point - 1);
		return;
	}
	if (point <= 0)
		buf_puts(out, "0.");
	for (i = point; i < 0; i++)
		buf_putc(out, '0');
	for (i = 0; i < len || i < point; i++) {
		if (i && i == point)
			buf_putc(out, '.');
		buf_putc(out, i < len ? digits[i] : '0');
	}
}

static void format_list(struct buf *out, const struct json *j)
{
	const struct json *child;

	buf_putc(out, '[');
	for (child = j->child; child; child = child->next) {
		if (child != j->child)
			buf_putc(out, ',');
		json_format(out, child);
	}
	buf_putc(out, ']');
}

static void format_object(struct buf *out, const struct json *j)
{
	const struct json **list = sorted_members(j);
	size_t i;

	if (!list) {
		out->failed = true;
		return;
	}
	buf_putc(out, '{');
	for (i = 0; i < j->count; i++) {
		if (i)
			buf_putc(out, ',');
		json_quote(out, list[i]->key);
		buf_putc(out, ':');
		json_format(out, list[i]);
	}
	buf_putc(out, '}');
	free(list);
}

void json_format(struct buf *out, const struct json *j)
{
	if (!j) {
		out->failed = true;
		return;
	}
	switch (j->type) {
	case JSON_NULL: buf_puts(out, "null"); break;
	case JSON_BOOL: buf_puts(out, j->boolean ? "true" : "false"); break;
	case JSON_INT: buf_printf(out, "%" PRId64, j->integer); break;
	case JSON_REAL: format_real(out, j->real); break;
	case JSON_STRING: json_quote(out, j->string); break;
	case JSON_ARRAY: format_list(out, j); break;
	case JSON_OBJECT: format_object(out, j); break;
	}
}
