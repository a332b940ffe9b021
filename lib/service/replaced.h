/* SPDX-License-Identifier: MIT */
/* replaced - correct the record of a tar stream when paths changed after they were written
 *
 * The record (format/tarsplit) names the file that holds a piece of the stream. When an entry of
 * the same tar takes that file away, its content is saved first; when the settle pass moves a
 * directory, paths change. Both end in one rewrite of the record. */
#ifndef SERVICE_REPLACED_H
#define SERVICE_REPLACED_H

#include <stdint.h>

#include "base/buf.h"

/* What has become of a file of the record: it lies at PATH, or its content is in FD from OFFSET. */
struct replaced_file {
	const char *path;
	int fd;
	uint64_t offset;
};

/* Called for each file of the record in order, NUMBER counts from 1; AT is prepared with PATH. */
typedef int replaced_lookup(void *ctx, const char *path, uint64_t number, struct replaced_file *at);

/* Write the record in IN, corrected, to OUT from its current position on. */
int replaced_rewrite(int in, int out, replaced_lookup *lookup, void *ctx);

/* Contents saved while unpacking. All zero is empty. Memory is bounded: -EFBIG above 4 MiB. */
struct replaced {
	struct buf list; /* items with their paths behind */
	struct buf index;
};
void replaced_free(struct replaced *p);

/* The content of PATH as it was when NUMBER files had been recorded lies at OFFSET of the spool. */
int replaced_add(struct replaced *p, const char *path, uint64_t number, uint64_t offset);

/* Sort what was added; then find the content of the file that was recorded as NUMBER under PATH.
 * Returns false if it is still in its place. */
int replaced_sort(struct replaced *p);
bool replaced_find(const struct replaced *p, const char *path, uint64_t number, uint64_t *offset);

#endif
