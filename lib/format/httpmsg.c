/* SPDX-License-Identifier: MIT */
/* httpmsg - HTTP/1.1 responses: head and body framing, fed in any pieces
 *
 * Map: lines (shared by head, chunk sizes and trailers), the head, the body, then the values of two
 * headers. */
#include "format/httpmsg.h"

#include <string.h>

#include "base/fail.h"
#include "base/str.h"

#define HEAD_MAX       (64u << 10)
#define LINE_MAX_BYTES (16u << 10)
#define LINES_MAX      128
#define INTERIM_MAX    8
#define CHUNK_DIGITS   16

enum state {
	STATE_HEAD,
	STATE_BODY,       /* left bytes */
	STATE_CLOSE,      /* until the connection ends */
	STATE_CHUNK_SIZE, /* digits */
	STATE_CHUNK_EXT,  /* the rest of that line */
	STATE_CHUNK_DATA,
	STATE_CHUNK_END, /* CR LF behind the data */
	STATE_TRAILER,
	STATE_DONE,
};

void httpmsg_init(struct httpmsg *m, bool no_body)
{
	*m = (struct httpmsg){ .no_body = no_body, .head.limit = HEAD_MAX };
}

void httpmsg_free(struct httpmsg *m)
{
	buf_free(&m->head);
}

/* Look at the next byte of a line. 1: it ended the line, 0: go on. */
static int line_byte(struct httpmsg *m, uint8_t c)
{
	if (m->cr) {
		m->cr = false;
		if (c != '\n')
			return fail(EBADMSG, "HTTP: CR without LF");
		return 1;
	}
	if (c == '\r')
		m->cr = true;
	else if ((c < ' ' && c != '\t') || c == 0x7f)
		return fail(EBADMSG, "HTTP: control character in a line");
	else if (++m->line > LINE_MAX_BYTES)
		return fail(EBADMSG, "HTTP: line of more than %u bytes", LINE_MAX_BYTES);
	return 0;
}

/* After the end of a line: 1 if it was the empty one that ends head or trailer. */
static int line_end(struct httpmsg *m)
{
	bool empty = m->line == 0;

	m->line = 0;
	if (!empty && ++m->lines > LINES_MAX)
		return fail(EBADMSG, "HTTP: more than %d header lines", LINES_MAX);
	return empty;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
		(c && strchr("!#$%&'*+-.^_`|~", c));
}

/* "HTTP/1.x NNN[ reason]" */
static int parse_status(struct httpmsg *m, const char *line, size_t len)
{
	if (len < 12 || !str_starts(line, "HTTP/1.") || !is_digit(line[7]) || line[8] != ' ' ||
		line[9] < '1' || line[9] > '5' || !is_digit(line[10]) || !is_digit(line[11]) ||
		(len > 12 && line[12] != ' '))
		return fail(EBADMSG, "HTTP: not a response of HTTP/1.1");
	m->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	m->keep_alive = line[7] != '0';
	return 0;
}

/* Decimal digits up to END, below 2^63. */
static bool parse_number(const char **p, uint64_t *out)
{
	const char *start = *p;

	for (*out = 0; is_digit(**p); ++*p) {
		if (*p - start == 18)
			return false;
		*out = *out * 10 + (uint64_t)(**p - '0');
	}
	return *p != start;
}

/* What one header says about the framing. */
struct framing {
	bool has_length, chunked;
	uint64_t length;
};

static int use_header(struct httpmsg *m, struct framing *f, const char *name, const char *value)
{
	const char *p = value;
	uint64_t length;

	if (str_casecmp(name, "content-length") == 0) {
		if (!parse_number(&p, &length) || *p || (f->has_length && f->length != length))
			return fail(EBADMSG, "HTTP: bad Content-Length '%s'", value);
		f->has_length = true;
		f->length = length;
	} else if (str_casecmp(name, "transfer-encoding") == 0) {
		if (str_casecmp(value, "chunked") != 0 || f->chunked || !m->keep_alive)
			return fail(EBADMSG, "HTTP: bad Transfer-Encoding '%s'", value);
		f->chunked = true;
	}
	return 0;
}

/* "close" among the comma-separated words of Connection? */
static bool says_close(const struct httpmsg *m)
{
	auto_free char *value = NULL;
	char *save, *word;
	int n;

	for (n = 0; (value = httpmsg_header(m, "connection", n)); n++) {
		for (word = strtok_r(value, ", \t", &save); word;
			word = strtok_r(NULL, ", \t", &save))
			if (str_casecmp(word, "close") == 0)
				return true;
		free(take_ptr(value));
	}
	return false;
}

/* Cut "Name: value" in two in place. */
static int split_header(char *line, char **value)
{
	char *colon = line, *end;

	while (is_token(*colon))
		colon++;
	if (colon == line || *colon != ':')
		return fail(EBADMSG, "HTTP: bad header line");
	*colon++ = '\0';
	colon += strspn(colon, " \t");
	end = colon + strlen(colon);
	while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	*value = colon;
	return 0;
}

static int parse_headers(struct httpmsg *m, struct framing *f)
{
	char line[LINE_MAX_BYTES + 1], *value;
	const char *p = m->head.data, *end;
	int r;

	end = strstr(p, "\r\n");
	r = parse_status(m, p, (size_t)(end - p));
	if (r < 0)
		return r;
	for (p = end + 2; *p != '\r'; p = end + 2) {
		end = strstr(p, "\r\n");
		memcpy(line, p, (size_t)(end - p));
		line[end - p] = '\0';
		r = split_header(line, &value);
		if (r == 0)
			r = use_header(m, f, line, value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The head is complete: find out how the body is framed. */
static int finish_head(struct httpmsg *m)
{
	struct framing f = { 0 };
	int r = parse_headers(m, &f);

	if (r < 0)
		return r;
	if (f.has_length && f.chunked)
		return fail(EBADMSG, "HTTP: both Content-Length and Transfer-Encoding");
	if (m->status < 200) {
		if (m->status == 101 || ++m->interim > INTERIM_MAX)
			return fail(EBADMSG, "HTTP: unexpected status %d", m->status);
		buf_clear(&m->head);
		m->lines = 0;
		return 0;
	}
	m->head_done = true;
	m->length = f.length;
	m->left = f.length;
	if (says_close(m))
		m->keep_alive = false;
	if (m->no_body || m->status == 204 || m->status == 304) {
		m->body = HTTP_BODY_NONE;
		m->state = STATE_DONE;
	} else if (f.chunked) {
		m->body = HTTP_BODY_CHUNKED;
		m->state = STATE_CHUNK_SIZE;
		m->lines = 0;
	} else if (f.has_length) {
		m->body = HTTP_BODY_LENGTH;
		m->state = f.length ? STATE_BODY : STATE_DONE;
	} else {
		m->body = HTTP_BODY_CLOSE;
		m->keep_alive = false;
		m->state = STATE_CLOSE;
	}
	m->complete = m->state == STATE_DONE;
	return 0;
}

static int head_byte(struct httpmsg *m, uint8_t c)
{
	int r = line_byte(m, c);

	if (r < 0)
		return r;
	buf_putc(&m->head, (char)c);
	if (m->head.failed)
		return fail(EBADMSG, "HTTP: head of more than %u bytes", HEAD_MAX);
	if (r == 0)
		return 0;
	r = line_end(m);
	if (r > 0 && m->lines == 0)
		return fail(EBADMSG, "HTTP: empty head");
	return r > 0 ? finish_head(m) : r;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int chunk_size_byte(struct httpmsg *m, uint8_t c)
{
	int digit = hex_value(c);

	if (m->line == 0)
		m->left = 0;
	if (digit < 0) {
		if (m->line == 0 || (c != '\r' && c != ';'))
			return fail(EBADMSG, "HTTP: bad chunk size");
		m->state = STATE_CHUNK_EXT;
		return line_byte(m, c);
	}
	if (m->line == CHUNK_DIGITS)
		return fail(EBADMSG, "HTTP: chunk size of more than %d digits", CHUNK_DIGITS);
	m->left = m->left << 4 | (uint64_t)digit;
	return line_byte(m, c);
}

static int chunk_ext_byte(struct httpmsg *m, uint8_t c)
{
	int r = line_byte(m, c);

	if (r <= 0)
		return r;
	m->line = 0;
	m->state = m->left ? STATE_CHUNK_DATA : STATE_TRAILER;
	return 0;
}

static int chunk_end_byte(struct httpmsg *m, uint8_t c)
{
	int r = line_byte(m, c);

	if (r == 0 && m->line)
		return fail(EBADMSG, "HTTP: chunk longer than its size");
	if (r > 0)
		m->state = STATE_CHUNK_SIZE;
	return r < 0 ? r : 0;
}

static int trailer_byte(struct httpmsg *m, uint8_t c)
{
	int r = line_byte(m, c);

	if (r >= 0 && ++m->size > HEAD_MAX)
		return fail(EBADMSG, "HTTP: trailer of more than %u bytes", HEAD_MAX);
	if (r > 0)
		r = line_end(m);
	if (r > 0) {
		m->state = STATE_DONE;
		m->complete = true;
	}
	return r < 0 ? r : 0;
}

static int feed_byte(struct httpmsg *m, uint8_t c)
{
	switch ((enum state)m->state) {
	case STATE_HEAD: return head_byte(m, c);
	case STATE_CHUNK_SIZE: return chunk_size_byte(m, c);
	case STATE_CHUNK_EXT: return chunk_ext_byte(m, c);
	case STATE_CHUNK_END: return chunk_end_byte(m, c);
	case STATE_TRAILER: return trailer_byte(m, c);
	case STATE_BODY:
	case STATE_CLOSE:
	case STATE_CHUNK_DATA:
	case STATE_DONE: break;
	}
	return 0;
}

/* Hand out a run of body bytes. */
static void take_body(struct httpmsg *m, const uint8_t **in, size_t *in_len, const uint8_t **body,
	size_t *body_len)
{
	size_t len = *in_len;

	if (m->state != STATE_CLOSE && len > m->left)
		len = (size_t)m->left;
	*body = *in;
	*body_len = len;
	*in += len;
	*in_len -= len;
	if (m->state == STATE_CLOSE)
		return;
	m->left -= len;
	if (m->left)
		return;
	if (m->state == STATE_CHUNK_DATA) {
		m->state = STATE_CHUNK_END;
	} else {
		m->state = STATE_DONE;
		m->complete = true;
	}
}

int httpmsg_feed(struct httpmsg *m, const uint8_t **in, size_t *in_len, const uint8_t **body,
	size_t *body_len)
{
	int r;

	*body = NULL;
	*body_len = 0;
	while (*in_len && !m->complete) {
		if (m->state == STATE_BODY || m->state == STATE_CLOSE ||
			m->state == STATE_CHUNK_DATA) {
			take_body(m, in, in_len, body, body_len);
			return 0;
		}
		r = feed_byte(m, **in);
		if (r < 0)
			return r;
		++*in;
		--*in_len;
	}
	return 0;
}

int httpmsg_end(struct httpmsg *m)
{
	if (m->state == STATE_CLOSE)
		m->complete = true;
	if (!m->complete)
		return fail(EBADMSG, "HTTP: the response is cut short");
	return 0;
}

char *httpmsg_header(const struct httpmsg *m, const char *name, int n)
{
	const char *p = strstr(buf_str(&m->head), "\r\n"), *end;
	size_t name_len = strlen(name);

	while (p && p[2] && p[2] != '\r') {
		p += 2;
		end = strstr(p, "\r\n");
		if (!end)
			return NULL;
		if (strncasecmp(p, name, name_len) == 0 && p[name_len] == ':' && n-- == 0) {
			p += name_len + 1;
			while (p < end && (*p == ' ' || *p == '\t'))
				p++;
			while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			return strndup(p, (size_t)(end - p));
		}
		p = end;
	}
	return NULL;
}

int httpmsg_content_range(const char *s, uint64_t *first, uint64_t *last, uint64_t *total)
{
	const char *p = s + 6;
	uint64_t f, l, t;

	if (!str_starts(s, "bytes ") || !parse_number(&p, &f) || *p++ != '-' ||
		!parse_number(&p, &l) || *p++ != '/' || !parse_number(&p, &t) || *p || f > l ||
		l >= t)
		return fail(EBADMSG, "HTTP: bad Content-Range '%s'", s);
	*first = f;
	*last = l;
	*total = t;
	return 0;
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* The end of "token68", the form without names that some schemes have, if it is one and the whole
 * of its challenge; else NULL. */
static const char *token68_end(const char *p)
{
	const char *end = p;

	while ((*end && strchr("-._~+/", *end)) || (is_token(*end) && !strchr("!#$%&'*^`|", *end)))
		end++;
	if (end == p)
		return NULL;
	end += strspn(end, "=");
	p = skip_space(end);
	return !*p || *p == ',' ? p : NULL;
}

/* A token or quoted string into OUT; NULL if malformed or too long. */
static const char *read_value(const char *p, char *out, size_t size)
{
	bool quoted = *p == '"';
	size_t len = 0;

	if (quoted)
		p++;
	for (; quoted ? *p != '"' : is_token(*p); p++) {
		if (quoted && *p == '\\')
			p++;
		if ((unsigned char)*p < ' ' || *p == 0x7f || len + 1 == size)
			return NULL;
		out[len++] = *p;
	}
	out[len] = '\0';
	return quoted ? p + 1 : len ? p : NULL;
}

/* Read "name = value" at P into the field of that name. */
static const char *read_param(const char *p, struct httpmsg_challenge *c)
{
	struct {
		const char *name;
		char *to;
		size_t size;
	} fields[] = {
		{ "realm", c->realm, sizeof(c->realm) },
		{ "service", c->service, sizeof(c->service) },
		{ "scope", c->scope, sizeof(c->scope) },
		{ "error", c->error, sizeof(c->error) },
	};
	char name[32], ignored[1024], *to = ignored;
	size_t len, size = sizeof(ignored);

	for (len = 0; is_token(p[len]); len++)
		;
	if (!len || len >= sizeof(name))
		return NULL;
	memcpy(name, p, len);
	name[len] = '\0';
	p = skip_space(p + len);
	if (*p != '=')
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_casecmp(name, fields[i].name) == 0) {
			to = fields[i].to;
			size = fields[i].size;
			if (*to)
				return NULL;
		}
	return read_value(skip_space(p + 1), to, size);
}

/* Does a parameter begin at P, and not the next scheme? */
static bool is_param(const char *p)
{
	const char *end = p;

	while (is_token(*end))
		end++;
	return end != p && *skip_space(end) == '=';
}

/* Read the scheme at P and all of its parameters. */
static const char *read_challenge(const char *p, struct httpmsg_challenge *c)
{
	const char *end;
	size_t len = 0;

	memset(c, 0, sizeof(*c));
	for (; is_token(*p); p++)
		if (len + 1 < sizeof(c->scheme))
			c->scheme[len++] = *p;
	if (!len || (*p && *p != ' ' && *p != ','))
		return NULL;
	str_lower(c->scheme);
	p = skip_space(p);
	end = token68_end(p);
	if (end)
		return end;
	while (is_param(p)) {
		p = read_param(p, c);
		if (!p)
			return NULL;
		p = skip_space(p);
		if (*p != ',')
			return *p ? NULL : p;
		p += strspn(p, ", \t");
	}
	return p;
}

int httpmsg_challenge(struct httpmsg_challenge *out, const char *s)
{
	struct httpmsg_challenge c;
	const char *p = s + strspn(s, ", \t");
	bool found = false;

	memset(out, 0, sizeof(*out));
	while (*p) {
		p = read_challenge(p, &c);
		if (!p)
			return fail(EBADMSG, "HTTP: malformed WWW-Authenticate '%s'", s);
		if ((strcmp(c.scheme, "bearer") == 0 && strcmp(out->scheme, "bearer") != 0) ||
			(strcmp(c.scheme, "basic") == 0 && !found)) {
			*out = c;
			found = true;
		}
		p += strspn(p, ", \t");
	}
	return found ? 0 : fail(ENOENT, "no known scheme in WWW-Authenticate '%s'", s);
}
