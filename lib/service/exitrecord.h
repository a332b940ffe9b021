/* SPDX-License-Identifier: MIT */
/* exitrecord - how one run of a container ended (FORMATS 3.1)
 *
 * The file "exit" is written before anything else happens, so that the answer outlives whoever writes it. */
#ifndef SERVICE_EXITRECORD_H
#define SERVICE_EXITRECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/proc.h"

enum exit_reason {
	REASON_EXITED,
	REASON_SIGNAL,
	REASON_OOM,
	REASON_TIMEOUT,
	REASON_HEALTH,
	REASON_STOPPED,
	REASON_START_FAILED,
	REASON_LOST, /* nobody saw it: known is false, code and signal are 0 */
	REASON_COUNT,
};

struct exit_record {
	char id[65]; /* of the container */
	int64_t run; /* its how manyth run, from 1 */
	char boot[37];
	int64_t pid, start;     /* of its first process; 0: there was none */
	int64_t started, ended; /* ns since 1970; started 0: it never ran */
	bool known, core, oom;
	int code, signal; /* 0-255 as a shell shows it; 0: no signal */
	enum exit_reason reason;
	char error[256]; /* of a start that failed, cut; else "" */
};

/* Fill in code, signal, core, known and reason (exited or signal) from a status as waitpid has it. */
void exitrecord_set_status(struct exit_record *e, int status);

/* Nobody saw the end. */
void exitrecord_set_lost(struct exit_record *e);

/* "exited", "signal", "oom", ...; and back: -EINVAL. */
const char *exitrecord_reason(enum exit_reason reason);
int exitrecord_parse_reason(const char *word, enum exit_reason *out);

/* Write DIR/exit durably in the place of an older one; read it. -ENOENT; -EBADMSG: not a whole record, or of
 * another container than ID. */
int exitrecord_save(int dir, const struct exit_record *e);
int exitrecord_load(int dir, const char *id, struct exit_record *out);

/* Read LEN bytes of a record. -EBADMSG with text. */
int exitrecord_parse(const char *text, size_t len, struct exit_record *out);

/* "Exited (137) 3 minutes ago" at the time NOW; "unknown" in the place of a code that nobody saw. OUT holds
 * 80. */
void exitrecord_format(char *out, size_t size, const struct exit_record *e, int64_t now);

#endif
