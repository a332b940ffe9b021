/* SPDX-License-Identifier: MIT */
/* httpmsg: the same result for all splits, no more body than was announced, and header values that
 * can be used. The first byte chooses HEAD or GET and the size of the pieces. */
#include "format/httpmsg.h"

#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	struct httpmsg m;
	struct buf body;
	int r;
	size_t used;
};

static void feed(struct result *out, const uint8_t *data, size_t size, size_t step, bool no_body)
{
	const uint8_t *in, *body;
	size_t in_len, body_len, calls = 0;

	memset(out, 0, sizeof(*out));
	httpmsg_init(&out->m, no_body);
	while (out->used < size && out->r == 0 && !out->m.complete) {
		in = data + out->used;
		in_len = size - out->used < step ? size - out->used : step;
		out->used += in_len;
		while (in_len && out->r == 0 && !out->m.complete) {
			out->r = httpmsg_feed(&out->m, &in, &in_len, &body, &body_len);
			buf_add(&out->body, body, body_len);
			if (++calls > size + 1)
				abort();
		}
		out->used -= in_len;
	}
	if (out->r == 0)
		out->r = httpmsg_end(&out->m);
	if (out->m.head_done && out->m.body == HTTP_BODY_LENGTH && out->body.len > out->m.length)
		abort();
	if (out->m.head_done && out->m.body == HTTP_BODY_NONE && out->body.len)
		abort();
}

static void compare(const struct result *a, const struct result *b)
{
	if (a->r != b->r || a->used != b->used || a->m.head_done != b->m.head_done ||
		a->m.status != b->m.status || a->m.body != b->m.body ||
		a->m.complete != b->m.complete || a->m.keep_alive != b->m.keep_alive ||
		a->body.len != b->body.len ||
		(a->body.len && memcmp(a->body.data, b->body.data, a->body.len) != 0))
		abort();
}

static void done(struct result *r)
{
	httpmsg_free(&r->m);
	buf_free(&r->body);
}

static void values(const struct httpmsg *m)
{
	uint64_t first, last, total;
	struct httpmsg_challenge c;
	char *s;

	for (int i = 0; (s = httpmsg_header(m, "www-authenticate", i)); i++) {
		httpmsg_challenge(&c, s);
		for (const char *p = c.realm; *p; p++)
			if ((unsigned char)*p < ' ')
				abort();
		free(s);
	}
	s = httpmsg_header(m, "content-range", 0);
	if (s && httpmsg_content_range(s, &first, &last, &total) == 0 &&
		(first > last || last >= total))
		abort();
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, bytes, pieces;
	bool no_body;

	if (!size)
		return 0;
	no_body = data[0] & 1;
	feed(&whole, data + 1, size - 1, size, no_body);
	feed(&bytes, data + 1, size - 1, 1, no_body);
	feed(&pieces, data + 1, size - 1, (size_t)(data[0] >> 1) + 2, no_body);
	compare(&whole, &bytes);
	compare(&whole, &pieces);
	if (whole.m.head_done)
		values(&whole.m);
	done(&whole);
	done(&bytes);
	done(&pieces);
	return 0;
}
