/* SPDX-License-Identifier: MIT */
/* tar - the reader: a state machine over 512-byte blocks, fed in any pieces
 *
 * Map: PAX records; entries; one function per state; feed.
 * Where archives are ambiguous the reader takes them as Go's archive/tar does, because that is what
 * those who make and check images use: a member with a type that has no content has none whatever
 * its size says, global PAX headers change nothing, a GNU long name wins over a PAX one. */
#include "format/tar.h"

#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"
#include "format/pax.h"
#include "format/tarblock.h"

#define PAX_MAX   (1u << 20)
#define XATTR_MAX (64u << 10)

enum state {
	HEADER,
	META,    /* content of a PAX header or a GNU long name */
	MAP_OLD, /* blocks of more pieces after an old GNU sparse header */
	MAP_NEW, /* GNU 1.0: the map is at the front of the content */
	CONTENT,
	PADDING,
	END_FIRST, /* one zero block was seen */
	END,
};

struct tar_reader {
	const struct tar_events *events;
	void *ctx;
	enum state state;
	uint64_t offset; /* of the stream, for messages */
	uint8_t block[TAR_BLOCK_SIZE];
	size_t filled;
	uint64_t left; /* bytes of the content (META, MAP_NEW, CONTENT) or padding to come */
	size_t pad;    /* padding after them */
	char meta;     /* type of the header whose content is META */
	struct buf pax, long_name, long_link;
	bool has_pax, has_long_name, has_long_link;

	struct tar_entry entry;
	char name[257], link[101], user[33], group[33];
	struct buf xattrs; /* struct tar_xattr */
	struct sparse sparse;
	bool is_sparse;
	size_t piece;        /* the one that content goes to now */
	uint64_t piece_done; /* of it */
};

static int bad(const struct tar_reader *t, const char *what)
{
	return fail(EBADMSG, "tar stream, byte %" PRIu64 ": %s", t->offset, what);
}

/* The same for what another module recorded. */
static int bad_part(const struct tar_reader *t, int r)
{
	return fail_wrap(r, "tar stream, byte %" PRIu64, t->offset);
}

/* --- PAX --- */

static int pax_xattr(struct tar_reader *t, const char *name, const char *value, size_t len)
{
	struct tar_xattr x = { name, (const uint8_t *)value, len };

	if (*name == '\0' || strlen(name) > 255)
		return bad(t, "bad name of an extended attribute");
	if (len > XATTR_MAX)
		return bad(t, "an extended attribute over 64 KiB");
	buf_add(&t->xattrs, &x, sizeof(x));
	return buf_check(&t->xattrs);
}

/* One record. Unknown keys mean nothing to us. */
static int pax_use(void *ctx, const char *key, const char *value, size_t len)
{
	struct tar_reader *t = ctx;
	struct tar_entry *e = &t->entry;
	uint64_t n;
	int r = 0;

	if (str_starts(key, "SCHILY.xattr."))
		return pax_xattr(t, key + strlen("SCHILY.xattr."), value, len);
	if (len == 0)
		return 0; /* "as in the header" */
	if (strcmp(key, "path") == 0) {
		e->name = value;
	} else if (strcmp(key, "linkpath") == 0) {
		e->link = value;
	} else if (strcmp(key, "uname") == 0) {
		e->user = value;
	} else if (strcmp(key, "gname") == 0) {
		e->group = value;
	} else if (strcmp(key, "mtime") == 0) {
		if (!pax_parse_time(value, &e->mtime))
			return bad(t, "damaged time");
	} else if (strcmp(key, "size") == 0) {
		if (num_parse(value, INT64_MAX, &e->size) < 0)
			return bad(t, "damaged size");
	} else if (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0) {
		if (num_parse(value, UINT32_MAX - 1, &n) < 0)
			return bad(t, "owner out of range");
		*(key[0] == 'u' ? &e->uid : &e->gid) = (uint32_t)n;
	} else if (str_starts(key, "GNU.sparse.")) {
		r = sparse_pax(&t->sparse, key + strlen("GNU.sparse."), value);
	} else {
		return 0;
	}
	if (r < 0)
		return bad_part(t, r);
	return strlen(value) == len ? 0 : bad(t, "NUL in a PAX record");
}

/* All records of the header read last. */
static int pax_apply(struct tar_reader *t)
{
	int r;

	if (!pax_parse(t->pax.data, t->pax.len, pax_use, t, &r))
		return bad(t, "damaged PAX record");
	return r;
}

/* --- entries --- */

/* Forget what belongs to the entry before. */
static void clear_entry(struct tar_reader *t)
{
	t->entry = (struct tar_entry){ 0 };
	t->is_sparse = false;
	t->piece = 0;
	t->piece_done = 0;
	buf_clear(&t->xattrs);
	sparse_clear(&t->sparse);
}

static int entry_type(const struct tar_reader *t, const uint8_t *block, enum tar_type *type)
{
	size_t len = strlen(t->name);

	switch (block[TAR_AT_TYPE]) {
	case '\0': /* before ustar directories were told by their name */
		*type = len > 0 && t->name[len - 1] == '/' ? TAR_DIR : TAR_FILE;
		return 0;
	case '0':
	case '7':
	case 'S': *type = TAR_FILE; return 0;
	case '1': *type = TAR_HARDLINK; return 0;
	case '2': *type = TAR_SYMLINK; return 0;
	case '3': *type = TAR_CHAR; return 0;
	case '4': *type = TAR_BLOCK; return 0;
	case '5': *type = TAR_DIR; return 0;
	case '6': *type = TAR_FIFO; return 0;
	}
	return fail(EBADMSG, "tar stream, byte %" PRIu64 ": entry of unknown type 0x%02x",
		t->offset, block[TAR_AT_TYPE]);
}

/* The numbers of the block; what is not used may hold anything. Returns what is damaged, or
 * NULL. */
static const char *header_numbers(struct tar_entry *e, const uint8_t *block)
{
	bool device = e->type == TAR_CHAR || e->type == TAR_BLOCK;
	int64_t seconds;

	if (!tarblock_u32(block, TAR_MODE, UINT32_MAX, &e->mode))
		return "damaged mode";
	/* (uid_t)-1 would mean "leave it" to chown. */
	if (!tarblock_u32(block, TAR_UID, UINT32_MAX - 1, &e->uid) ||
		!tarblock_u32(block, TAR_GID, UINT32_MAX - 1, &e->gid))
		return "damaged owner";
	if (!tarblock_unsigned(block, TAR_SIZE, INT64_MAX, &e->size))
		return "damaged size";
	if (!tarblock_number(block, TAR_MTIME, &seconds))
		return "damaged time";
	/* Larger ones than Linux has would be cut, to 0:0 for instance. */
	if (device &&
		(!tarblock_u32(block, TAR_MAJOR, 0xfff, &e->major) ||
			!tarblock_u32(block, TAR_MINOR, 0xfffff, &e->minor)))
		return "damaged device number";
	e->mode &= 07777; /* the high bits of some say the type */
	e->mtime = pax_clamp_time(seconds, 0);
	return NULL;
}

static int header_fields(struct tar_reader *t, const uint8_t *block)
{
	struct tar_entry *e = &t->entry;
	bool posix = memcmp(block + TAR_AT_MAGIC, "ustar", 6) == 0;
	bool gnu = memcmp(block + TAR_AT_MAGIC, "ustar  ", 8) == 0;
	const char *damaged;
	size_t len = 0;
	int r;

	if (posix && block[TAR_AT_PREFIX]) {
		tarblock_text(t->name, block, TAR_PREFIX);
		len = strlen(t->name);
		t->name[len++] = '/';
	}
	e->name = t->name;
	tarblock_text(t->name + len, block, TAR_NAME);
	e->link = tarblock_text(t->link, block, TAR_LINK);
	t->user[0] = t->group[0] = '\0';
	e->user = posix || gnu ? tarblock_text(t->user, block, TAR_USER) : t->user;
	e->group = posix || gnu ? tarblock_text(t->group, block, TAR_GROUP) : t->group;
	r = entry_type(t, block, &e->type);
	if (r < 0)
		return r;
	damaged = header_numbers(e, block);
	return damaged ? bad(t, damaged) : 0;
}

/* Tell of the entry and go on with its content. */
static int emit_entry(struct tar_reader *t)
{
	int r;

	t->entry.xattrs = (const struct tar_xattr *)(const void *)t->xattrs.data;
	t->entry.xattr_count = t->xattrs.len / sizeof(struct tar_xattr);
	if (t->is_sparse) {
		r = sparse_check(&t->sparse, t->entry.size, t->left, &t->entry.sparse,
			&t->entry.sparse_count);
		if (r < 0)
			return bad_part(t, r);
	}
	r = t->events->entry(t->ctx, &t->entry);
	if (r < 0)
		return r;
	t->has_pax = t->has_long_name = t->has_long_link = false;
	if (t->entry.type != TAR_FILE) {
		t->state = HEADER;
		return 0;
	}
	if (t->left > 0) {
		t->state = CONTENT;
		return 0;
	}
	t->left = t->pad;
	t->state = t->pad ? PADDING : HEADER;
	return t->events->done(t->ctx);
}

static int begin_old_sparse(struct tar_reader *t, const uint8_t *block)
{
	int r;

	t->is_sparse = true;
	if (!tarblock_unsigned(block, TAR_REAL_SIZE, INT64_MAX, &t->entry.size))
		return bad(t, "damaged size of a sparse file");
	r = sparse_old(&t->sparse, block + TAR_AT_SPARSE, 4);
	if (r < 0)
		return bad_part(t, r);
	if (!block[TAR_AT_MORE])
		return emit_entry(t);
	t->state = MAP_OLD;
	return 0;
}

/* Names are final: judge them. */
static int check_names(struct tar_reader *t)
{
	struct tar_entry *e = &t->entry;

	if (strlen(e->name) > TAR_NAME_MAX)
		return bad(t, "a name over 4096 bytes");
	if (e->type != TAR_HARDLINK && e->type != TAR_SYMLINK)
		e->link = "";
	else if (strlen(e->link) > TAR_NAME_MAX)
		return bad(t, "a link target over 4096 bytes");
	return 0;
}

static int begin_file(struct tar_reader *t, const uint8_t *block, int kind)
{
	struct tar_entry *e = &t->entry;

	t->left = e->size;
	t->pad = tar_pad(e->size);
	if (block[TAR_AT_TYPE] == 'S' && kind != SPARSE_NONE)
		return bad(t, "two sparse maps of one file");
	if (block[TAR_AT_TYPE] == 'S')
		return begin_old_sparse(t, block);
	t->is_sparse = kind != SPARSE_NONE;
	if (t->is_sparse && t->sparse.has_size)
		e->size = t->sparse.size;
	if (kind != SPARSE_IN_CONTENT)
		return emit_entry(t);
	t->state = MAP_NEW;
	return 0;
}

static int begin_entry(struct tar_reader *t, const uint8_t *block)
{
	struct tar_entry *e = &t->entry;
	int r, kind;

	clear_entry(t);
	r = header_fields(t, block);
	if (r == 0 && t->has_pax)
		r = pax_apply(t);
	if (r < 0)
		return r;
	kind = sparse_kind(&t->sparse);
	if (kind < 0)
		return bad_part(t, kind);
	if (kind != SPARSE_NONE && t->sparse.name)
		e->name = t->sparse.name;
	if (t->has_long_name)
		e->name = buf_str(&t->long_name);
	if (t->has_long_link)
		e->link = buf_str(&t->long_link);
	r = check_names(t);
	if (r < 0)
		return r;
	if (e->type == TAR_FILE)
		return begin_file(t, block, kind);
	if (kind != SPARSE_NONE)
		return bad(t, "a sparse map of something that is no file");
	e->size = 0;
	t->left = 0;
	t->pad = 0;
	return emit_entry(t);
}

/* --- states --- */

static struct buf *meta_buffer(struct tar_reader *t)
{
	switch (t->meta) {
	case 'x': return &t->pax;
	case 'L': return &t->long_name;
	case 'K': return &t->long_link;
	}
	return NULL; /* g: global */
}

static int end_meta(struct tar_reader *t)
{
	struct buf *b = meta_buffer(t);
	size_t i;
	int r = b ? buf_check(b) : 0;

	if (r < 0)
		return r;
	if (t->meta == 'x')
		t->has_pax = true;
	else if (t->meta == 'L')
		t->has_long_name = true;
	else if (t->meta == 'K')
		t->has_long_link = true;
	if (b && t->meta != 'x') {
		/* A NUL ends the name and more of them may follow, but nothing else. */
		for (i = strlen(buf_str(b)); i < b->len; i++)
			if (b->data[i])
				return bad(t, "NUL in a name");
	}
	t->left = t->pad;
	t->state = t->pad ? PADDING : HEADER;
	return 0;
}

static int begin_meta(struct tar_reader *t, const uint8_t *block)
{
	uint64_t max =
		block[TAR_AT_TYPE] == 'x' || block[TAR_AT_TYPE] == 'g' ? PAX_MAX : TAR_NAME_MAX + 1;
	struct buf *b;

	t->meta = (char)block[TAR_AT_TYPE];
	if (!tarblock_unsigned(block, TAR_SIZE, max, &t->left))
		return bad(t, "a PAX header or long name that is too large");
	t->pad = tar_pad(t->left);
	b = meta_buffer(t);
	if (b)
		buf_clear(b);
	t->state = META;
	return t->left > 0 ? 0 : end_meta(t);
}

static bool pending(const struct tar_reader *t)
{
	return t->has_pax || t->has_long_name || t->has_long_link;
}

static int header(struct tar_reader *t, const uint8_t *block)
{
	bool zero = tarblock_zero(block);

	if (t->state == END_FIRST) {
		if (!zero)
			return bad(t, "more entries after a zero block");
		t->state = END;
		return 0;
	}
	if (zero) {
		if (pending(t))
			return bad(t, "extended header without an entry");
		t->state = END_FIRST;
		return 0;
	}
	if (!tarblock_sum_good(block))
		return bad(t, "no tar header: wrong checksum");
	switch (block[TAR_AT_TYPE]) {
	case 'x':
	case 'g':
	case 'L':
	case 'K': return begin_meta(t, block);
	}
	return begin_entry(t, block);
}

static int map_old(struct tar_reader *t, const uint8_t *block)
{
	int r = sparse_old(&t->sparse, block, 21);

	if (r < 0)
		return bad_part(t, r);
	return block[TAR_AT_MORE_EXTENDED] ? 0 : emit_entry(t);
}

static int map_new(struct tar_reader *t, const uint8_t *block)
{
	int r;

	if (t->left < TAR_BLOCK_SIZE)
		return bad(t, "a sparse map cut short");
	t->left -= TAR_BLOCK_SIZE;
	r = sparse_block(&t->sparse, block);
	if (r < 0)
		return bad_part(t, r);
	return t->sparse.complete ? emit_entry(t) : 0;
}

/* A whole block that is no content. */
static int block_complete(struct tar_reader *t, const uint8_t *block)
{
	int r = t->events->raw(t->ctx, block, TAR_BLOCK_SIZE);

	if (r < 0)
		return r;
	switch (t->state) {
	case HEADER:
	case END_FIRST: r = header(t, block); break;
	case MAP_OLD: r = map_old(t, block); break;
	case MAP_NEW: r = map_new(t, block); break;
	case META:
	case CONTENT:
	case PADDING:
	case END: break;
	}
	t->offset += TAR_BLOCK_SIZE;
	return r;
}

static int content(struct tar_reader *t, const uint8_t *p, size_t len)
{
	const struct tar_sparse *s;
	size_t n;
	int r;

	if (!t->is_sparse)
		return t->events->data(t->ctx, p, len, t->entry.size - t->left);
	while (len > 0) {
		s = &t->entry.sparse[t->piece];
		if (t->piece_done == s->len) {
			t->piece++;
			t->piece_done = 0;
			continue;
		}
		n = s->len - t->piece_done < len ? (size_t)(s->len - t->piece_done) : len;
		r = t->events->data(t->ctx, p, n, s->offset + t->piece_done);
		if (r < 0)
			return r;
		t->piece_done += n;
		p += n;
		len -= n;
	}
	return 0;
}

/* LEN bytes, at most t->left, of what is not taken in whole blocks. */
static int bytes(struct tar_reader *t, const uint8_t *p, size_t len)
{
	struct buf *meta = t->state == META ? meta_buffer(t) : NULL;
	int r;

	if (t->state == CONTENT)
		r = content(t, p, len);
	else
		r = t->events->raw(t->ctx, p, len);
	if (r < 0)
		return r;
	if (meta)
		buf_add(meta, p, len);
	t->offset += len;
	if (t->state == END)
		return 0;
	t->left -= len;
	if (t->left > 0)
		return 0;
	if (t->state == META)
		return end_meta(t);
	if (t->state == PADDING) {
		t->state = HEADER;
		return 0;
	}
	t->left = t->pad;
	t->state = t->pad ? PADDING : HEADER;
	return t->events->done(t->ctx);
}

/* --- the reader --- */

int tar_reader_new(struct tar_reader **out, const struct tar_events *events, void *ctx)
{
	struct tar_reader *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return fail(ENOMEM, "out of memory");
	t->events = events;
	t->ctx = ctx;
	*out = t;
	return 0;
}

void tar_reader_free(struct tar_reader *t)
{
	if (!t)
		return;
	buf_free(&t->pax);
	buf_free(&t->long_name);
	buf_free(&t->long_link);
	buf_free(&t->xattrs);
	sparse_free(&t->sparse);
	free(t);
}

/* Take from P what the state can use; returns the bytes used. */
static long step(struct tar_reader *t, const uint8_t *p, size_t len)
{
	const uint8_t *block = p;
	size_t n = TAR_BLOCK_SIZE;
	int r;

	if (t->state == META || t->state == CONTENT || t->state == PADDING || t->state == END) {
		n = t->state != END && t->left < len ? (size_t)t->left : len;
		r = bytes(t, p, n);
		return r < 0 ? r : (long)n;
	}
	if (t->filled > 0 || len < TAR_BLOCK_SIZE) {
		n = TAR_BLOCK_SIZE - t->filled < len ? TAR_BLOCK_SIZE - t->filled : len;
		memcpy(t->block + t->filled, p, n);
		t->filled += n;
		if (t->filled < TAR_BLOCK_SIZE)
			return (long)n;
		t->filled = 0;
		block = t->block;
	}
	r = block_complete(t, block);
	return r < 0 ? r : (long)n;
}

int tar_reader_feed(struct tar_reader *t, const void *data, size_t len)
{
	const uint8_t *p = data;
	long n;

	while (len > 0) {
		n = step(t, p, len);
		if (n < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int tar_reader_end(struct tar_reader *t)
{
	if (t->filled > 0 || (t->state != HEADER && t->state < PADDING) || pending(t))
		return bad(t, "the stream is cut short");
	return 0;
}
