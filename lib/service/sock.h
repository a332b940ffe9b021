/* SPDX-License-Identifier: MIT */
/* sock - client sockets that never wait longer than a deadline
 *
 * Sockets are non-blocking. Deadlines are in time_mono's nanoseconds. */
#ifndef SERVICE_SOCK_H
#define SERVICE_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "format/dnsmsg.h"

/* The moment SECONDS from now. */
int64_t sock_deadline(int seconds);

/* Wait until FD is ready for EVENTS of poll(2). -ETIMEDOUT, -EINTR never; no text. */
int sock_wait(int fd, short events, int64_t deadline);

/* Receive up to LEN bytes: their number, 0 at the end; negative errno value, no text. */
int sock_recv(int fd, void *buf, size_t len, int64_t deadline);

/* Send up to LEN bytes, at least one: their number; negative errno value, no text; no SIGPIPE. */
int sock_send(int fd, const void *data, size_t len, int64_t deadline);

/* Fill in a socket address; SCOPE is of an IPv6 link-local address, else 0. Returns its length. */
socklen_t sock_address(
	struct sockaddr_storage *out, const struct dns_address *a, uint32_t scope, uint16_t port);

#define SOCK_ADDRESSES 16

/* Connect to PORT at one of COUNT (up to SOCK_ADDRESSES) addresses: in order, the next one is tried as
 * well when nothing happened for 250 ms, each has 10 s. Returns the descriptor. -EAGAIN: none
 * answered, the text (of the first that failed) has no host name. */
int sock_connect(const struct dns_address *addresses, size_t count, uint16_t port);

#endif
