/* SPDX-License-Identifier: MIT */
/* record - how a child process tells its parent what failed
 *
 * One fixed record in one write on a close-on-exec pipe (FORMATS 3.3). A child between fork and exec, or
 * one that works on hostile bytes, makes no sentences and is not believed: it sends numbers and the
 * bytes of one object; the parent checks them, looks the texts up in its own tables and escapes
 * the object when it prints. An end of file without a record means that nothing failed. */
#ifndef KERNEL_RECORD_H
#define KERNEL_RECORD_H

#include <stdint.h>

#define RECORD_OBJECT_MAX 480 /* bytes of an object that arrive; a longer one ends in "..." */

/* The caller sets step, hint, error and status; the other members are the module's. */
struct start_error {
	uint32_t magic;
	uint16_t version, size;
	uint16_t step, hint; /* enums of the user; hint 0 is none */
	int32_t error;       /* errno value > 0 */
	uint32_t status;     /* exit status it stands for: 125, 126, 127 */
	uint32_t reserved;
	char object[RECORD_OBJECT_MAX + 8];
};

/* Send E about OBJECT (NULL: none; its bytes go as they are). In the child; allocates nothing, touches
 * no recorded text, and cannot fail in a way that somebody could act on. */
void record_send(int fd, const struct start_error *e, const char *object);

/* Send the failure ERR (an errno value > 0) with the recorded text and, where there is room for it, the hint.
 * For a child that works on hostile bytes; its parent calls record_fail. */
void record_send_failure(int fd, int err);

/* Record the text and the hint of E, which came from record_send_failure. Returns its negative errno value. */
int record_fail(const struct start_error *e);

/* Wait for a record. 0: the other side ended without one. 1: *OUT holds one that is whole and whose step
 * is below STEPS and hint below HINTS. -EBADMSG, text recorded: something else came. */
int record_recv(int fd, struct start_error *out, unsigned steps, unsigned hints);

#endif
