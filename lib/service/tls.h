/* SPDX-License-Identifier: MIT */
/* tls - the client side of TLS 1.2 on a connected socket
 *
 * Strict (security 3.2): forward-secret AEAD suites only, RSA keys of 2,048 bits or more, no SHA-1,
 * the host must be named by the certificate's subjectAltName, chains with name constraints are
 * refused. There is no revocation check and no way to switch verification off. */
#ifndef SERVICE_TLS_H
#define SERVICE_TLS_H

#include <stddef.h>

#include "format/url.h"
#include "service/trust.h"

struct tls;

/* Shake hands on the connected, non-blocking socket FD with the host of U (15 s at most). *OUT is the
 * caller's; FD stays the caller's and must outlive it; T is needed during this call only.
 * -EPROTO: the server's certificate or its protocol is refused, the text says which rule;
 * -ETIMEDOUT, -ECONNRESET: the network. */
int tls_open(struct tls **out, int fd, const struct url *u, const struct tls_trust *t);

/* Read up to LEN bytes: their number; 0 after the server's close_notify; -ECONNRESET if the
 * connection ended without one (the data may be cut short); -ETIMEDOUT after 30 s without a byte;
 * -EPROTO for a damaged record. */
int tls_read(struct tls *t, void *buf, size_t len);

/* Write all. Errors as tls_read. */
int tls_write(struct tls *t, const void *data, size_t len);

/* Send close_notify if the socket takes it at once. */
void tls_shutdown(struct tls *t);

/* Release and wipe the keys; sends nothing (a forked process may own the connection now). */
void tls_free(struct tls *t);

#endif
