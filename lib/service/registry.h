/* SPDX-License-Identifier: MIT */
/* registry - pull from a registry (OCI distribution 1.1) for one repository
 *
 * Security 3.4: redirects, realms, scopes, limits and retries. Secrets go to their own origin only.
 *
 * Errors a caller can tell apart:
 *	-EAGAIN    network or overloaded server, still failing after the retries: the applet exits 75
 *	-ENOENT    the registry has no such repository, tag or blob
 *	-EACCES    authentication or authorisation was refused
 *	-EBADMSG   the bytes are not what the digest, the size or the protocol says
 *	-EPROTO    the server's certificate or TLS is refused
 *	-EMSGSIZE  more than the cap
 *	-EIO       any other status of the server
 * The text names the registry and the object.
 *
 * Nothing here opens a file: trust, resolver and credentials are loaded before lock-in. The system
 * calls after it: socket connect getsockopt setsockopt bind poll read recvfrom recvmsg sendto
 * sendmsg write close getrandom clock_gettime clock_nanosleep nanosleep, and memory.
 *
 * Processes: a session may be shared by fork. Token and addresses are inherited, so each child can
 * go on with a connection of its own. Open connections belong to one side only: the other calls
 * registry_disown as the first thing after fork (usually the child; the parent if a child is to take
 * the open connection over). */
#ifndef SERVICE_REGISTRY_H
#define SERVICE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/digest.h"
#include "format/ref.h"
#include "service/auth.h"
#include "service/resolver.h"
#include "service/tls.h"

struct registry;

struct registry_options {
	const struct ref *ref;         /* host and repository are used */
	bool insecure;                 /* --insecure: plain http for this registry; TLS, where it
					      is spoken, is always verified */
	const struct tls_trust *trust; /* may be NULL with insecure */
	const struct resolver *resolver;
	const struct auth *auth;
};

/* Make a session; nothing is sent yet. What OPTIONS points to must outlive it, but for ref.
 * *OUT is the caller's. -EINVAL: the host is no host. */
int registry_open(struct registry **out, const struct registry_options *options);
void registry_close(struct registry *r);

/* Let go of the open connections without a byte on the wire (see above). */
void registry_disown(struct registry *r);

/* Connections made and requests sent so far, for tests and --verbose. */
unsigned int registry_requests(const struct registry *r);

struct registry_manifest {
	struct buf bytes;
	char content_type[128]; /* without parameters; "" if the server named none */
	struct digest digest;   /* computed from the bytes */
};

/* Get the manifest or index named by WANT, or, where it is NULL, by TAG. Its bytes are verified
 * against WANT; a Docker-Content-Digest header is not believed. At most OCI_MANIFEST_MAX bytes.
 * OUT is empty or was used before (then it is overwritten); registry_manifest_free releases it. */
int registry_manifest(struct registry *r, const char *tag, const struct digest *want,
	struct registry_manifest *out);
void registry_manifest_free(struct registry_manifest *m);

/* Get a whole small blob (a config) into OUT, verified: exactly SIZE bytes, at most MAX. */
int registry_blob(struct registry *r, const struct digest *digest, uint64_t size, size_t max,
	struct buf *out);

/* Start streaming a blob of SIZE bytes; one at a time. DIGEST is copied. */
int registry_blob_open(struct registry *r, const struct digest *digest, uint64_t size);

/* The next bytes, up to LEN: their number, or 0 after exactly SIZE bytes. A broken connection is
 * taken up again where it ended (5 times with back-off; the count starts anew after each MiB), so
 * the bytes go on as if nothing had happened. The digest of the whole is the CALLER's to check. */
int registry_blob_read(struct registry *r, void *buf, size_t len);

/* Stop a stream early; a no-op after its end. */
void registry_blob_close(struct registry *r);

#endif
