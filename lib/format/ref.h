/* SPDX-License-Identifier: MIT */
/* ref - image references: [host[:port]/]path[:tag][@digest], by the distribution grammar */
#ifndef FORMAT_REF_H
#define FORMAT_REF_H

#include <stdbool.h>

#include "format/digest.h"

#define REF_MAX 512

struct ref {
	char host[256]; /* lower case, with ":port" if given; "docker.io" when none is named */
	char repository[256]; /* "library/alpine" for a lone name on docker.io */
	char tag[129]; /* "latest" if neither tag nor digest is given; "" with a digest alone */
	bool has_digest;
	struct digest digest;
};

/* Parse what a user writes ("alpine", "localhost:5000/a/b:1", "x@sha256:..."). The first part is a
 * host if it holds a dot or a colon or is "localhost". -EINVAL (text recorded, names the reference)
 * for anything outside the grammar, over REF_MAX bytes in its canonical form, upper case in the
 * repository, 64 hex digits alone (an image id). */
int ref_parse(struct ref *out, const char *s);

/* Canonical text, which parses to the same: host/repository:tag, host/repository@digest, or
 * host/repository:tag@digest. OUT holds REF_TEXT. */
#define REF_TEXT (REF_MAX + 1)
void ref_format(char *out, const struct ref *r);

/* The short form that people know: docker.io and library/ left out where it parses to the same. OUT
 * holds REF_TEXT. */
void ref_format_short(char *out, const struct ref *r);

/* Is S a tag: [A-Za-z0-9_][A-Za-z0-9._-]{0,127}? */
bool ref_is_tag(const char *s);

/* The host to connect to: docker.io's registry answers under another name. */
const char *ref_registry(const struct ref *r);

#endif
