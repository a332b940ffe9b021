/* SPDX-License-Identifier: MIT */
/* fail - the one recorded error text of the process
 *
 * The function that knows the cause records it and returns a negative errno value; callers add
 * only what the lower level could not know; the applet prints. Nothing here prints or exits. */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include "base/attr.h"

/* Record the text, forget any earlier text and hint. ERR is a positive errno value; returns
 * -ERR. */
int fail(int err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Like fail with the current errno, whose meaning is added: "TEXT: No such file or directory". */
int fail_errno(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Put "TEXT: " in front of what is recorded. Returns R, which must be negative. Keeps the hint. */
int fail_wrap(int r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Record what the user can do about it; call after fail. Returns R. */
int fail_hint(int r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The recorded text, "" if none; overwritten by the next fail. Bytes of outside origin may be in
 * it as they are: whoever prints escapes. */
const char *fail_text(void);

/* The recorded hint, "" if none. */
const char *fail_hint_text(void);

/* Forget text and hint, for an error that was handled. */
void fail_clear(void);

#endif
