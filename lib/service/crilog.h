/* SPDX-License-Identifier: MIT */
/* crilog - what a container prints, kept as CRI lines (FORMATS 3.4)
 *
 *	2026-11-24T08:00:00.123456789Z stdout F text
 *
 * The files are `log` and, older, `log.1` of one directory. F ends a line of the container, P is a
 * piece whose rest follows, G tells of bytes that could not be kept. Every piece is written as it
 * comes, so nothing waits in memory when the writer is killed. */
#ifndef SERVICE_CRILOG_H
#define SERVICE_CRILOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRILOG_SIZE  (1u << 20) /* of each of the two files */
#define CRILOG_PIECE 8192       /* bytes of text in one record at most */

enum crilog_stream { CRILOG_STDOUT = 1, CRILOG_STDERR = 2 };

/* --- writing --- */

struct crilog {
	int dir; /* the caller's */
	int fd;  /* of log; -1 until it could be opened */
	uint64_t size, limit;
	uint64_t lost; /* bytes not kept since the last record */
	/* Records that wait for the end of the call, and how many bytes of the container they hold. */
	size_t len, content;
	char out[2 * CRILOG_PIECE];
};

/* Begin to write in directory DIR, which stays open as long as L is used; what is there is
 * continued. Nothing below fails: bytes that cannot be written, for want of room or rights, are
 * counted, and a G record tells so when writing works again. */
void crilog_init(struct crilog *l, int dir);

/* Write LEN bytes of STREAM, now. */
void crilog_write(struct crilog *l, enum crilog_stream stream, const char *data, size_t len);

/* Make log log.1, whatever its size. */
void crilog_rotate(struct crilog *l);

/* Close it. */
void crilog_close(struct crilog *l);

/* --- reading --- */

struct crilog_record {
	int64_t time; /* ns since 1970 */
	enum crilog_stream stream;
	bool partial; /* the rest of the line follows */
	bool gap;     /* the text is ours and says what is missing */
	const char *stamp, *text;
	size_t stamp_len, len; /* text may hold any byte but newline */
};

/* Parse one record of LEN bytes, without its newline. False: it is none. OUT points into LINE. */
bool crilog_parse(const char *line, size_t len, struct crilog_record *out);

/* What --since takes, as docker does: a time (RFC 3339; without a zone it is UTC; a date alone is
 * its beginning), seconds since 1970 with or without a fraction, or a duration before NOW ("10m").
 * -EINVAL, -ERANGE with text. */
int crilog_parse_since(const char *s, int64_t now, int64_t *out);

struct crilog_query {
	int64_t tail;  /* lines from the end; -1: all */
	int64_t since; /* records of that time or later; INT64_MIN: all */
	bool follow;   /* go on with what is written from now on, across rotations, ... */
	int until; /* ... up to what stands there when this descriptor is readable; -1: forever */
};

/* Give what is in the log of DIR to EACH, in order. What is no record is left out. A result of EACH
 * other than 0 ends the walk and is returned. No log is an empty one. */
int crilog_read(int dir, const struct crilog_query *q,
	int (*each)(void *ctx, const struct crilog_record *record), void *ctx);

#endif
