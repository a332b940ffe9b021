/* SPDX-License-Identifier: MIT */
/* fetch - the network process */
#include "engine/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/confine.h"
#include "format/oci.h"
#include "kernel/fd.h"
#include "kernel/frame.h"
#include "kernel/proc.h"
#include "service/auth.h"
#include "service/registry.h"
#include "service/resolver.h"
#include "service/tls.h"

enum request_kind { REQUEST_MANIFEST, REQUEST_BLOB, REQUEST_LAYER };

/* One request, sent whole with the write end of the answer's pipe. */
struct request {
	enum request_kind kind;
	bool has_digest;
	struct digest digest;
	uint64_t size;
	char tag[130];
};

/* The network process's own state. */
struct session {
	struct tls_trust *trust;
	struct resolver resolver;
	struct auth auth;
	struct registry *registry;
};

#define PIECE 65536

/* Everything that needs files, before lock-in. */
static int session_prepare(struct session *s, const struct fetch_options *o)
{
	struct registry_options options = { .ref = o->ref, .insecure = o->insecure };
	int r;

	r = resolver_load(&s->resolver, NULL, NULL);
	if (r < 0)
		return r;
	r = tls_trust_load(&s->trust,
		&(struct tls_trust_options){
			.cafile = o->cacert,
			.config = getenv("QBOX_CONFIG"),
			.registry = ref_registry(o->ref),
			.floor = o->floor,
		});
	/* Plain http needs no CA; one that is missing is told when a redirect leads to https. */
	if (r < 0 && r != -ENOMEM && o->insecure && !o->cacert) {
		fail_clear();
		r = 0;
	}
	if (r < 0)
		return r;
	if (!o->auth) {
		r = auth_load(&s->auth, o->ref, o->authfile);
		if (r < 0)
			return r;
	}
	options.trust = s->trust;
	options.resolver = &s->resolver;
	options.auth = o->auth ? o->auth : &s->auth;
	return registry_open(&s->registry, &options);
}

static int answer_manifest(struct session *s, const struct request *q, int out)
{
	struct registry_manifest m = { 0 };
	const char *type = m.content_type;
	size_t at, n;
	int r;

	r = registry_manifest(s->registry, q->tag, q->has_digest ? &q->digest : NULL, &m);
	if (r < 0)
		return r;
	/* The first frame is the content type, with its NUL so that it is never empty. */
	r = frame_send(out, type, strlen(type) + 1);
	for (at = 0; r == 0 && at < m.bytes.len; at += n) {
		n = m.bytes.len - at < PIECE ? m.bytes.len - at : PIECE;
		r = frame_send(out, m.bytes.data + at, n);
	}
	registry_manifest_free(&m);
	return r;
}

static int answer_blob(struct session *s, const struct request *q, int out)
{
	auto_buf struct buf bytes = { 0 };
	size_t at, n;
	int r;

	r = registry_blob(s->registry, &q->digest, q->size, OCI_CONFIG_MAX, &bytes);
	for (at = 0; r == 0 && at < bytes.len; at += n) {
		n = bytes.len - at < PIECE ? bytes.len - at : PIECE;
		r = frame_send(out, bytes.data + at, n);
	}
	return r;
}

static int answer_layer(struct session *s, const struct request *q, int out)
{
	char piece[PIECE];
	int n, r;

	r = registry_blob_open(s->registry, &q->digest, q->size);
	if (r < 0)
		return r;
	while ((n = registry_blob_read(s->registry, piece, sizeof(piece))) > 0) {
		r = frame_send(out, piece, (size_t)n);
		if (r < 0)
			return r;
	}
	registry_blob_close(s->registry);
	return n;
}

/* The last word on an answer's pipe. */
static void finish(int out, int r)
{
	if (r < 0)
		frame_fail(out, -r);
	else
		frame_end(out);
}

/* Fetch a layer in a fork: it takes the open connection over, which saves the first layer a
 * handshake; the network process makes a new one when it needs one. */
static void fork_layer(struct session *s, const struct request *q, int sock, int out)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		fail_errno("fork");
		finish(out, -EAGAIN);
		return;
	}
	if (pid > 0) {
		registry_disown(s->registry);
		return;
	}
	close(sock);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	finish(out, answer_layer(s, q, out));
	_exit(0);
}

/* PREPARED is what session_prepare said: a failure answers every request. */
static NORETURN void serve(struct session *s, int sock, int prepared)
{
	struct request q;
	ssize_t n;

	for (;;) {
		auto_close int out = -1;
		size_t count = 1;

		n = fd_recv(sock, &q, sizeof(q), &out, &count);
		if (n != sizeof(q) || count != 1)
			_exit(n == 0 ? 0 : 1);
		q.tag[sizeof(q.tag) - 1] = '\0';
		if (prepared < 0) {
			finish(out, prepared);
			continue;
		}
		switch (q.kind) {
		case REQUEST_MANIFEST: finish(out, answer_manifest(s, &q, out)); break;
		case REQUEST_BLOB: finish(out, answer_blob(s, &q, out)); break;
		case REQUEST_LAYER: fork_layer(s, &q, sock, out); break;
		}
	}
}

static NORETURN void network_main(int sock, const struct fetch_options *o)
{
	struct session s = { 0 };
	int r, locked;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* forks are not waited for */
	r = session_prepare(&s, o);
	if (r == 0) {
		locked = confine_network();
		if (locked < 0)
			r = fail_wrap(locked, "confine the network process");
	}
	serve(&s, sock, r);
}

int fetch_start(struct fetch *out, const struct fetch_options *options)
{
	int pair[2];
	pid_t pid;

	*out = (struct fetch){ .sock = -1, .pid = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_errno("socketpair");
	/* In a pid namespace of its own its forks end with it, whatever they do. */
	pid = proc_fork(CLONE_NEWPID, &pair[1], 1, NULL);
	if (pid == 0)
		network_main(pair[1], options);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return (int)pid;
	}
	*out = (struct fetch){ .sock = pair[0], .pid = pid };
	return 0;
}

void fetch_stop(struct fetch *f)
{
	int status;

	if (f->pid <= 0)
		return;
	close(f->sock);
	/* It may be in the middle of an answer that nobody wants any more. */
	kill(f->pid, SIGKILL);
	proc_wait(f->pid, &status);
	*f = (struct fetch){ .sock = -1, .pid = -1 };
}

/* Send Q; returns the descriptor on which the answer comes. */
static int ask(struct fetch *f, const struct request *q)
{
	auto_close int in = -1;
	int pipes[2];
	int r;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return fail_errno("pipe");
	in = pipes[0];
	/* More room lets network and unpacker run ahead of each other; a refusal costs only speed. */
	fcntl(pipes[1], F_SETPIPE_SZ, 256 << 10);
	r = fd_send(f->sock, q, sizeof(*q), &pipes[1], 1);
	close(pipes[1]);
	if (r < 0)
		return fail(-r, "the network process ended");
	return take_fd(&in);
}

int fetch_manifest(struct fetch *f, const char *tag, const struct digest *digest, struct buf *out,
	char *content_type, size_t size)
{
	struct request q = { .kind = REQUEST_MANIFEST };
	auto_close int in = -1;
	size_t len;
	int r;

	if (digest) {
		q.has_digest = true;
		q.digest = *digest;
	} else {
		r = str_copy(q.tag, sizeof(q.tag), tag);
		if (r < 0)
			return r;
	}
	in = ask(f, &q);
	if (in < 0)
		return in;
	r = frame_read_all(in, out, OCI_MANIFEST_MAX + 256);
	if (r < 0)
		return r;
	len = out->len ? strnlen(out->data, out->len) : 0;
	if (len == out->len)
		return fail(EBADMSG, "the network process sent no content type");
	r = str_copy(content_type, size, out->data);
	buf_drop(out, len + 1);
	return r;
}

int fetch_blob(struct fetch *f, const struct digest *digest, uint64_t size, struct buf *out)
{
	struct request q = {
		.kind = REQUEST_BLOB, .has_digest = true, .digest = *digest, .size = size
	};
	auto_close int in = ask(f, &q);

	if (in < 0)
		return in;
	return frame_read_all(in, out, OCI_CONFIG_MAX);
}

int fetch_layer(struct fetch *f, const struct digest *digest, uint64_t size)
{
	struct request q = {
		.kind = REQUEST_LAYER, .has_digest = true, .digest = *digest, .size = size
	};

	return ask(f, &q);
}
