/* SPDX-License-Identifier: MIT */
/* tar - the writer of headers: ustar, and PAX where ustar cannot say it */
#include "format/tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "format/pax.h"
#include "format/tarblock.h"

#define NS 1000000000LL

static const char type_char[] = {
	[TAR_FILE] = '0',
	[TAR_HARDLINK] = '1',
	[TAR_SYMLINK] = '2',
	[TAR_CHAR] = '3',
	[TAR_BLOCK] = '4',
	[TAR_DIR] = '5',
	[TAR_FIFO] = '6',
};

static void put_text(uint8_t *block, size_t at, size_t len, const char *s)
{
	memcpy(block + at, s, strnlen(s, len));
}

/* Text into a field, and into PAX as well if it is too long for it. */
static void put_or_pax(
	uint8_t *block, size_t at, size_t len, const char *s, struct buf *pax, const char *key)
{
	put_text(block, at, len, s);
	if (strlen(s) > len)
		pax_add(pax, key, s, strlen(s));
}

/* A number likewise. */
static void number_or_pax(
	uint8_t *block, size_t at, size_t len, uint64_t n, struct buf *pax, const char *key)
{
	char text[24];

	if (n >> 3 * (len - 1) == 0) {
		tarblock_put(block, at, len, n);
		return;
	}
	tarblock_put(block, at, len, 0);
	snprintf(text, sizeof(text), "%" PRIu64, n);
	pax_add(pax, key, text, strlen(text));
}

/* The name as it is, or cut at a slash into prefix and name, or in PAX. */
static void put_name(uint8_t *block, const char *name, struct buf *pax)
{
	size_t len = strlen(name), cut;

	if (len > 100)
		for (cut = len - 101; cut <= 155 && cut < len - 1; cut++)
			if (name[cut] == '/' && cut > 0) {
				memcpy(block + TAR_AT_PREFIX, name, cut);
				put_text(block, TAR_NAME, name + cut + 1);
				return;
			}
	put_or_pax(block, TAR_NAME, name, pax, "path");
}

static void put_time(uint8_t *block, int64_t mtime, struct buf *pax)
{
	int64_t seconds = mtime / NS, ns = mtime % NS;
	char text[40];

	if (mtime >= 0 && ns == 0 && seconds >> 33 == 0) {
		tarblock_put(block, TAR_MTIME, (uint64_t)seconds);
		return;
	}
	tarblock_put(block, TAR_MTIME, 0);
	snprintf(text, sizeof(text), "%s%" PRId64 ".%09" PRId64, mtime < 0 ? "-" : "",
		seconds < 0 ? -seconds : seconds, ns < 0 ? -ns : ns);
	pax_add(pax, "mtime", text, strlen(text));
}

static int add_xattrs(struct buf *pax, const struct tar_entry *e)
{
	char key[300];
	size_t i;

	for (i = 0; i < e->xattr_count; i++) {
		const struct tar_xattr *x = &e->xattrs[i];

		if (strchr(x->name, '=') || strlen(x->name) > 255)
			return fail(EINVAL, "tar cannot hold the extended attribute '%s' of '%s'",
				x->name, e->name);
		snprintf(key, sizeof(key), "SCHILY.xattr.%s", x->name);
		pax_add(pax, key, x->value, x->len);
	}
	return buf_check(pax);
}

static void begin_block(uint8_t *block, char type)
{
	memset(block, 0, TAR_BLOCK_SIZE);
	memcpy(block + TAR_AT_MAGIC, "ustar\00000", 8);
	block[TAR_AT_TYPE] = (uint8_t)type;
}

static void put_pax(struct buf *out, const struct buf *pax)
{
	static const uint8_t zeros[TAR_BLOCK_SIZE];
	uint8_t block[TAR_BLOCK_SIZE];

	begin_block(block, 'x');
	put_text(block, TAR_NAME, "././@PaxHeader");
	tarblock_put(block, TAR_MODE, 0);
	tarblock_put(block, TAR_UID, 0);
	tarblock_put(block, TAR_GID, 0);
	tarblock_put(block, TAR_SIZE, pax->len);
	tarblock_put(block, TAR_MTIME, 0);
	tarblock_put_sum(block);
	buf_add(out, block, TAR_BLOCK_SIZE);
	buf_add(out, pax->data, pax->len);
	buf_add(out, zeros, tar_pad(pax->len));
}

int tar_format(struct buf *out, const struct tar_entry *e)
{
	auto_buf struct buf pax = { 0 };
	uint8_t block[TAR_BLOCK_SIZE];
	int r;

	if (e->sparse || *e->name == '\0' || strlen(e->name) > TAR_NAME_MAX)
		return fail(EINVAL, "tar cannot hold '%s'", e->name);
	begin_block(block, type_char[e->type]);
	put_name(block, e->name, &pax);
	put_or_pax(block, TAR_LINK, e->link, &pax, "linkpath");
	put_or_pax(block, TAR_USER, e->user, &pax, "uname");
	put_or_pax(block, TAR_GROUP, e->group, &pax, "gname");
	tarblock_put(block, TAR_MODE, e->mode);
	number_or_pax(block, TAR_UID, e->uid, &pax, "uid");
	number_or_pax(block, TAR_GID, e->gid, &pax, "gid");
	number_or_pax(block, TAR_SIZE, e->type == TAR_FILE ? e->size : 0, &pax, "size");
	put_time(block, e->mtime, &pax);
	tarblock_put(block, TAR_MAJOR, e->major);
	tarblock_put(block, TAR_MINOR, e->minor);
	tarblock_put_sum(block);
	r = add_xattrs(&pax, e);
	if (r < 0)
		return r;
	if (pax.len > 0)
		put_pax(out, &pax);
	buf_add(out, block, TAR_BLOCK_SIZE);
	return buf_check(out);
}
