/* SPDX-License-Identifier: MIT */
/* resolver - host names to addresses: literals, the hosts file, DNS (a stub resolver) */
#ifndef SERVICE_RESOLVER_H
#define SERVICE_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/dnsmsg.h"
#include "service/sock.h"

#define RESOLVER_SERVERS   3
#define RESOLVER_SEARCH    6
#define RESOLVER_ADDRESSES SOCK_ADDRESSES

struct resolver_server {
	struct dns_address address;
	uint32_t scope; /* of an IPv6 link-local address, else 0 */
};

struct resolver {
	struct resolver_server servers[RESOLVER_SERVERS];
	size_t server_count;
	uint16_t port; /* of the servers: 53 */
	char search[RESOLVER_SEARCH][254];
	size_t search_count;
	unsigned int ndots, timeout_ms, attempts;
	struct buf hosts; /* content of the hosts file */
};

/* Read the hosts file and resolv.conf (NULL: those of /etc; a missing one is as an empty one). The
 * only part of this module that opens files, so it comes before lock-in. */
int resolver_load(struct resolver *r, const char *hosts, const char *resolv_conf);
void resolver_free(struct resolver *r);

struct resolver_addresses {
	struct dns_address items[RESOLVER_ADDRESSES]; /* in the order to try them */
	size_t count;
};

/* Find the addresses of HOST. "localhost" and names below it are loopback, names below "invalid" do
 * not exist, without asking (RFC 6761); the search list is used only for names without a dot.
 * -ENOENT: no such name, or none with an address; -EAGAIN: no server answered; -EINVAL: not a host
 * name. */
int resolver_lookup(const struct resolver *r, const char *host, struct resolver_addresses *out);

/* Read a numeric address, IPv4 as four decimal numbers or IPv6. False if S is none. */
bool resolver_parse_address(struct dns_address *out, const char *s);

/* 127.0.0.0/8, ::1, and both inside ::ffff:0:0/96. */
bool resolver_is_loopback(const struct dns_address *a);

/* Unspecified or link-local (where cloud metadata services live), v4-mapped too: never asked for
 * tokens. */
bool resolver_is_local_service(const struct dns_address *a);

#endif
