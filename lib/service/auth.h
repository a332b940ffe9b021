/* SPDX-License-Identifier: MIT */
/* auth - the user's name and password for one registry, from the credential files that exist
 *
 * Read, never written. Looked at in this order, the first entry that matches wins: --authfile (then
 * only that), $REGISTRY_AUTH_FILE (then only that), $XDG_RUNTIME_DIR/containers/auth.json,
 * ~/.config/containers/auth.json, $DOCKER_CONFIG/config.json (else ~/.docker/config.json). */
#ifndef SERVICE_AUTH_H
#define SERVICE_AUTH_H

#include "base/buf.h"
#include "format/ref.h"

/* All NULL: anonymous. */
struct auth {
	char *user, *password;
	char *identity_token; /* OAuth 2 refresh token of docker's config; then the others may be NULL */
};

/* Find the credentials for the registry and repository of REF; all NULL if no entry matches. Opens
 * files, so it comes before lock-in. -EPERM: the file that holds them can be read by others;
 * -ENOTSUP: the entry needs a credential helper program, named in the text; -EBADMSG: a damaged
 * file; -ENOENT: the file named by AUTHFILE (NULL: none) or the environment is missing. */
int auth_load(struct auth *out, const struct ref *ref, const char *authfile);

/* Split "USER:PASSWORD" at its first colon. -EINVAL: no colon, or no user; the text does not show S. */
int auth_parse(struct auth *out, const char *s);

/* Read such a line (--creds -) from FD, up to the first newline or the end and not a byte further. */
int auth_read(struct auth *out, int fd);

/* Wipe and release. */
void auth_free(struct auth *a);

/* Append the header line of Basic authentication. A has a password. */
void auth_basic(const struct auth *a, struct buf *headers);

/* Overwrite the content of B, which holds a secret, and empty it. */
void auth_wipe(struct buf *b);

#endif
