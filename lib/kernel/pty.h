/* SPDX-License-Identifier: MIT */
/* pty - pseudo-terminals: making one, raw mode of the user's own, sizes, detach keys */
#ifndef KERNEL_PTY_H
#define KERNEL_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/* Make a terminal in the devpts that is mounted at the directory DEVPTS. Returns its master; *SLAVE
 * is the other end, opened through the master (Linux 4.13) and never by a name that somebody may
 * have changed. Both CLOEXEC. */
int pty_open(int devpts, int *slave);

/* Make SLAVE 0, 1 and 2 of this process and its controlling terminal; the process leads a session
 * that has none. */
int pty_adopt(int slave);

/* What a terminal was before pty_raw. */
struct pty_saved {
	int fd; /* -1: nothing to put back */
	struct termios modes;
};

/* Let every byte that is typed at the terminal FD through as it is. In *SAVED is what pty_restore
 * needs; it is set on failure, too, and FD must stay open. */
int pty_raw(int fd, struct pty_saved *saved);
void pty_restore(struct pty_saved *saved);

/* Give the terminal FD the size of the terminal FROM; that size. Which tells the processes in
 * front with WINCH. -ENOTTY. */
int pty_copy_size(int fd, int from);
int pty_set_size(int fd, unsigned rows, unsigned cols);

/* --- detach keys --- */

struct pty_keys {
	char keys[8]; /* as bytes */
	size_t count; /* 0: never */
	size_t seen;  /* of them, at the end of what was typed so far */
};

/* Read "ctrl-p,ctrl-q": letters, digits, or ctrl- with a letter or one of @[\]^_; "" is none.
 * -EINVAL with text. */
int pty_keys_parse(const char *s, struct pty_keys *out);

/* Look for the keys in LEN typed bytes at DATA. What may be their beginning is held back until more
 * is typed, so up to COUNT bytes more than LEN come out: OUT has room for LEN + sizeof keys. Returns
 * true when all were typed; *OUT_LEN bytes stood before them. */
bool pty_keys_scan(struct pty_keys *k, const char *data, size_t len, char *out, size_t *out_len);

#endif
