/* SPDX-License-Identifier: MIT */
/* token - bearer tokens of a registry's token server, and where secrets may go (security 3.4, E3) */
#ifndef SERVICE_TOKEN_H
#define SERVICE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "format/httpmsg.h"
#include "format/url.h"
#include "service/auth.h"
#include "service/resolver.h"
#include "service/trust.h"

struct token {
	char *text;      /* NULL: none */
	int64_t expires; /* time_mono */
};

struct token_options {
	const struct url *registry;
	bool registry_is_loopback; /* by its address */
	const char *repository;
	const struct auth *auth;
	const struct tls_trust *trust;
	const struct resolver *resolver;
};

/* Get a token for pulling from the repository, as the challenge C asks. The old one in OUT is wiped.
 * Nothing is sent to a realm that is refused; redirects are not followed. -EACCES: refused, by the
 * server or by us; -EAGAIN: the network; -EBADMSG: no token in the reply. */
int token_get(struct token *out, const struct token_options *o, const struct httpmsg_challenge *c);

/* Wipe and release. */
void token_free(struct token *t);

/* May a token be asked for at REALM? https only; over plain http only on the host of a registry that
 * is itself plain http. */
bool token_may_ask(const struct url *realm, const struct url *registry);

/* May the token server be at the address A? Not link-local or unspecified, and loopback only if the
 * registry is there too; the registry's own host may be anywhere. */
bool token_may_connect(
	const struct url *realm, const struct token_options *o, const struct dns_address *a);

/* May the secrets for REGISTRY go to REALM? To the same host, a host above or below it, or one that
 * has the same registrable domain; the public hub's is in a table. */
bool token_may_send_secret(const struct url *realm, const struct url *registry);

#endif
