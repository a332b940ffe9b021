/* SPDX-License-Identifier: MIT */
/* trust - CA certificates: where they are found, and how a chain finds the ones it may end at
 *
 * Certificates stay in DER: the few that a chain names are decoded when it comes (all of a system's
 * would take 40 ms). */
#ifndef SERVICE_TRUST_H
#define SERVICE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/url.h"

struct tls_trust;

/* Where CA certificates are looked for. */
struct tls_trust_options {
	const char *cafile;   /* --cacert: then nothing else is looked at; NULL */
	const char *config;   /* configuration directory that may hold certs.d/; NULL: /etc/qbox */
	const char *registry; /* "host[:port]" (ref_registry): its certs.d/HOST/ca.crt replaces the
				 others for it; NULL */
	int64_t floor; /* the clock is known to be wrong below this (seconds since 1970); 0: below
			  the date of this source */
};

/* Read the CA certificates into memory: the only part of this module that opens files, so it comes
 * before lock-in. *OUT is the caller's (tls_trust_free). Damaged and expired certificates are
 * skipped. -ENOENT: no file found, the text names the places; -EBADMSG: a file without a usable
 * certificate; -EACCES and the like as open(2). */
int tls_trust_load(struct tls_trust **out, const struct tls_trust_options *options);
void tls_trust_free(struct tls_trust *t);

/* How many certificates are trusted (for any host), and how many were skipped as damaged or expired. */
void tls_trust_count(const struct tls_trust *t, size_t *good, size_t *skipped);

/* What follows is for tls alone. */

/* One certificate, by offsets into the set's bytes. */
struct trust_item {
	uint32_t start, len;
	uint32_t subject, subject_len;
	bool name_constraints;
};

struct trust_set {
	struct buf der;
	struct trust_item *items;
	size_t count, skipped;
	char *place; /* the file it came from */
};

struct tls_trust {
	struct trust_set registry; /* of certs.d: only for this host and port */
	struct trust_set general;
	char host[256];
	uint16_t port;
	char *own; /* where a certificate for the registry would be looked for; NULL */
	bool only; /* --cacert: nothing else is looked at */
	int64_t floor;
};

/* Is U on the registry that the certificates of certs.d are for? */
bool trust_is_registry(const struct tls_trust *t, const struct url *u);

/* The set that judges the server of U. */
const struct trust_set *trust_for(const struct tls_trust *t, const struct url *u);

/* The next item from *AT on whose subject is NAME (encoded); NULL if there is none. *AT goes behind. */
const struct trust_item *trust_find(
	const struct trust_set *set, size_t *at, const uint8_t *name, size_t len);

/* Add the PEM certificates of TEXT that are valid at NOW (seconds) to the set, count the others. */
int trust_add_pem(struct trust_set *set, const char *text, size_t len, int64_t now);

/* The time to judge by: the clock, or the floor if the clock is below it. */
int64_t trust_now(const struct tls_trust *t);

#endif
