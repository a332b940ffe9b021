/* SPDX-License-Identifier: MIT */
/* exitrecord - how one run of a container ended (FORMATS 3.1) */
#include "service/exitrecord.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/file.h"

#define VERSION    1
#define RECORD_MAX 4096

static const char *const reasons[REASON_COUNT] = {
	[REASON_EXITED] = "exited",
	[REASON_SIGNAL] = "signal",
	[REASON_OOM] = "oom",
	[REASON_TIMEOUT] = "timeout",
	[REASON_HEALTH] = "health",
	[REASON_STOPPED] = "stopped",
	[REASON_START_FAILED] = "start-failed",
	[REASON_LOST] = "lost",
};

void exitrecord_set_status(struct exit_record *e, int status)
{
	e->known = true;
	e->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	e->core = WIFSIGNALED(status) && WCOREDUMP(status);
	e->code = e->signal ? 128 + e->signal : WEXITSTATUS(status);
	e->reason = e->signal ? REASON_SIGNAL : REASON_EXITED;
}

void exitrecord_set_lost(struct exit_record *e)
{
	e->known = e->core = false;
	e->code = e->signal = 0;
	e->reason = REASON_LOST;
}

const char *exitrecord_reason(enum exit_reason reason)
{
	return reasons[reason];
}

int exitrecord_parse_reason(const char *word, enum exit_reason *out)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i], word) == 0) {
			*out = (enum exit_reason)i;
			return 0;
		}
	return fail(EINVAL, "'%s' is no reason for an exit", word);
}

/* --- file --- */

int exitrecord_save(int dir, const struct exit_record *e)
{
	auto_buf struct buf text = { 0 };
	int r;

	buf_printf(&text,
		"{\"v\":%d,\"id\":\"%s\",\"run\":%" PRId64 ",\"boot\":\"%s\",\"pid\":%" PRId64
		",\"start\":%" PRId64 ",\"started\":%" PRId64 ",\"ended\":%" PRId64 ",\"known\":%s",
		VERSION, e->id, e->run, e->boot, e->pid, e->start, e->started, e->ended,
		e->known ? "true" : "false");
	buf_printf(&text, ",\"code\":%d,\"signal\":%d,\"core\":%s,\"oom\":%s,\"reason\":\"%s\"",
		e->code, e->signal, e->core ? "true" : "false", e->oom ? "true" : "false",
		reasons[e->reason]);
	buf_puts(&text, ",\"error\":");
	json_quote(&text, e->error);
	buf_puts(&text, "}\n");
	r = buf_check(&text);
	return r < 0 ? r : file_replace(dir, dir, "exit", text.data, text.len);
}

static bool get_text(const struct json *j, const char *key, char *out, size_t size)
{
	const char *s;

	return json_get_string(j, key, &s) > 0 && str_copy(out, size, s) == 0;
}

/* An integer from 0 to MAX. */
static bool get_number(const struct json *j, const char *key, int64_t max, int64_t *out)
{
	return json_get_int(j, key, out) > 0 && *out >= 0 && *out <= max;
}

static bool read_members(const struct json *j, struct exit_record *e)
{
	int64_t version, code, signal;
	const char *reason, *error;

	if (!get_number(j, "v", VERSION, &version) || version != VERSION ||
		!get_text(j, "id", e->id, sizeof(e->id)) ||
		!get_number(j, "run", INT64_MAX, &e->run) ||
		!get_text(j, "boot", e->boot, sizeof(e->boot)) ||
		!get_number(j, "pid", INT32_MAX, &e->pid) ||
		!get_number(j, "start", INT64_MAX, &e->start) ||
		!get_number(j, "started", INT64_MAX, &e->started) ||
		!get_number(j, "ended", INT64_MAX, &e->ended) ||
		json_get_bool(j, "known", &e->known) <= 0 || !get_number(j, "code", 255, &code) ||
		!get_number(j, "signal", 64, &signal) || json_get_bool(j, "core", &e->core) <= 0 ||
		json_get_bool(j, "oom", &e->oom) <= 0 ||
		json_get_string(j, "reason", &reason) <= 0 ||
		exitrecord_parse_reason(reason, &e->reason) < 0 ||
		json_get_string(j, "error", &error) <= 0)
		return false;
	snprintf(e->error, sizeof(e->error), "%s", error);
	e->code = (int)code;
	e->signal = (int)signal;
	return strlen(e->id) == 64 && str_only(e->id, "0123456789abcdef");
}

int exitrecord_parse(const char *text, size_t len, struct exit_record *out)
{
	auto_json struct json *j = NULL;
	struct exit_record e = { 0 };
	int r = json_parse(text, len, &j);

	memset(out, 0, sizeof(*out));
	if (r < 0)
		return r == -ENOMEM ? r : fail_wrap(-EBADMSG, "exit record");
	if (!read_members(j, &e))
		return fail(EBADMSG, "not a whole exit record");
	*out = e;
	return 0;
}

int exitrecord_load(int dir, const char *id, struct exit_record *out)
{
	auto_buf struct buf text = { 0 };
	int r = fd_read_file(dir, "exit", &text, RECORD_MAX);

	memset(out, 0, sizeof(*out));
	if (r == -EFBIG)
		r = -EBADMSG;
	if (r == 0)
		r = exitrecord_parse(buf_str(&text), text.len, out);
	if (r == 0 && strcmp(out->id, id) != 0) {
		memset(out, 0, sizeof(*out));
		r = fail(EBADMSG, "exit record of another container");
	}
	return r;
}

void exitrecord_format(char *out, size_t size, const struct exit_record *e, int64_t now)
{
	char code[16] = "unknown", span[40];

	if (e->known)
		snprintf(code, sizeof(code), "%d", e->code);
	time_format_ago(span, sizeof(span), now > e->ended ? now - e->ended : 0);
	snprintf(out, size, "Exited (%s) %s ago", code, span);
}
