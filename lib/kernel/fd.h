/* SPDX-License-Identifier: MIT */
/* fd - whole reads and writes, bounded file reading, descriptor passing */
#ifndef KERNEL_FD_H
#define KERNEL_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Write all LEN bytes, restarting after EINTR and short writes. Errno value, no text. */
int fd_write(int fd, const void *data, size_t len);

/* Read until LEN bytes or the end; returns the count, errno value without text on failure. */
ssize_t fd_read(int fd, void *data, size_t len);

/* Append everything up to the end to OUT. -EFBIG (text recorded) above MAX bytes. */
int fd_read_all(int fd, struct buf *out, size_t max);

/* Open NAME below DIR (a regular file; a FIFO or device is -EINVAL and never blocks) and append its
 * content. -ENOENT, -EFBIG, ... with text. */
int fd_read_file(int dir, const char *name, struct buf *out, size_t max);

/* Close every descriptor from 3 up except the COUNT in KEEP. For a child right after fork. */
void fd_close_others(const int *keep, size_t count);

/* Open /dev/null on whichever of 0, 1, 2 is closed. */
int fd_open_standard(void);

/* Send LEN > 0 bytes and the COUNT descriptors of FDS (at most 8) over a UNIX socket; receive them.
 * fd_recv returns the bytes read, 0 at the end; *COUNT is the room in FDS, then what came (CLOEXEC);
 * a message with more descriptors than room is -EMSGSIZE and all are closed. */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t count);
ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t *count);

#endif
