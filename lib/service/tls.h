/* SPDX-License-Identifier: MIT */
/* tls - the client side of TLS 1.2 on a connected socket, and the CA certificates it trusts
 *
 * Strict (security 3.2): forward-secret AEAD suites only, RSA keys of 2,048 bits or more, no SHA-1,
 * the host must be named by the certificate's subjectAltName, chains with name constraints are
 * refused. There is no revocation check and no way to switch verification off. */
#ifndef SERVICE_TLS_H
#define SERVICE_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "format/url.h"

struct tls_trust;

/* Where CA certificates are looked for. */
struct tls_trust_options {
	const char *cafile;   /* --cacert: then nothing else is looked at; NULL */
	const char *config;   /* configuration directory that may hold certs.d/; NULL: /etc/qbox */
	const char *registry; /* "host[:port]": its certs.d/HOST/ca.crt replaces the others for it */
	int64_t floor;        /* the clock is known to be wrong below this (seconds since 1970); 0 */
};

/* Read the CA certificates into memory: the only part of this module that opens files, so it comes
 * before lock-in. *OUT is the caller's (tls_trust_free). Damaged and expired certificates are
 * skipped. -ENOENT: no file found, the text names the places; -EBADMSG: a file without a usable
 * certificate; -EACCES and the like as open(2). */
int tls_trust_load(struct tls_trust **out, const struct tls_trust_options *options);
void tls_trust_free(struct tls_trust *t);

/* How many certificates are trusted (for any host), and how many were skipped as damaged or expired. */
void tls_trust_count(const struct tls_trust *t, size_t *good, size_t *skipped);

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
