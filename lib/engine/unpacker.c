/* SPDX-License-Identifier: MIT */
/* unpacker - one confined unpacker process */
#include "engine/unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "engine/confine.h"
#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/proc.h"
#include "kernel/record.h"

#define PIECE 65536

/* The next bytes of the input, 0 at its end. */
static ssize_t input_read(
	struct unpack_input *in, struct frame_reader *frames, void *buf, size_t len)
{
	ssize_t n;

	if (in->framed)
		return frame_read(frames, buf, len);
	if (in->sized && len > in->size)
		len = in->size;
	do
		n = in->sized ? pread(in->fd, buf, len, (off_t)in->offset) : read(in->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_errno("read the layer");
	if (n == 0 && in->sized && in->size)
		return fail(EBADMSG, "the file ends in the middle of a layer");
	in->offset += (uint64_t)n;
	in->size -= in->sized ? (uint64_t)n : 0;
	return n;
}

static int feed_all(struct layer_unpacker *u, struct unpack_input *in, uint64_t *received)
{
	struct frame_reader frames = { .fd = in->fd };
	char piece[PIECE];
	bool empty = !in->prefix_len;
	ssize_t n;
	int r = in->prefix_len ? layer_unpacker_feed(u, in->prefix, in->prefix_len) : 0;

	if (r < 0)
		return r;
	while ((n = input_read(in, &frames, piece, sizeof(piece))) > 0) {
		empty = false;
		r = layer_unpacker_feed(u, piece, (size_t)n);
		if (r < 0)
			return r;
		if (received)
			*received += (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	return empty ? fail(EBADMSG, "it is empty") : layer_unpacker_end(u);
}

/* The child: everything after this sees hostile bytes. */
static int unpack_run(const struct layer_unpack *files, struct unpack_input *in,
	const struct unpack_output *to, uint64_t *received)
{
	struct layer_unpack where = *files;
	struct layer_unpacker *u = NULL;
	int r;

	umask(0);
	r = confine_unpack(to->path, to->dir, &where.root);
	if (r < 0)
		return fail_wrap(r, "confine the unpacker");
	close(to->dir);
	r = layer_unpacker_new(&u, &where);
	if (r == 0)
		r = feed_all(u, in, received);
	layer_unpacker_free(u);
	return r;
}

/* Make the files of a staging directory. SPOOL is unlinked at once. */
static int make_files(int staging, bool keep_blob, struct layer_unpack *out)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

	if (mkdirat(staging, "fs", 0755) < 0)
		return fail_errno("make the staging tree");
	out->tar = openat(staging, "tar", flags, 0600);
	out->spool = openat(staging, "spool", flags, 0600);
	out->blob = keep_blob ? openat(staging, "blob", flags, 0600) : -1;
	if (out->tar < 0 || out->spool < 0 || (keep_blob && out->blob < 0))
		return fail_errno("make the staging files");
	if (unlinkat(staging, "spool", 0) < 0)
		return fail_errno("unlink the spool file");
	return 0;
}

static void close_files(struct layer_unpack *files)
{
	cleanup_close(&files->tar);
	cleanup_close(&files->spool);
	cleanup_close(&files->blob);
}

static int fork_unpacker(struct unpack *u, struct layer_unpack *files,
	const struct unpack_input *in, const struct unpack_output *to, uint64_t *received)
{
	int notes[2], failure[2], r;
	pid_t pid;

	if (pipe2(notes, O_CLOEXEC) < 0)
		return fail_errno("pipe");
	if (pipe2(failure, O_CLOEXEC) < 0) {
		r = fail_errno("pipe");
		close(notes[0]);
		close(notes[1]);
		return r;
	}
	files->notes = notes[1];
	const int keep[] = { notes[1], failure[1], in->fd, to->dir, files->tar, files->spool,
		files->blob };

	pid = proc_fork(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC, keep,
		ARRAY_LEN(keep) - (files->blob < 0), NULL);
	if (pid == 0) {
		struct unpack_input input = *in;

		signal(SIGPIPE, SIG_IGN);
		r = unpack_run(files, &input, to, received);
		if (r < 0)
			record_send_failure(failure[1], -r);
		_exit(r < 0);
	}
	close(notes[1]);
	close(failure[1]);
	if (pid < 0) {
		close(notes[0]);
		close(failure[0]);
		return (int)pid;
	}
	fcntl(notes[0], F_SETFL, O_NONBLOCK);
	*u = (struct unpack){ .pid = pid,
		.notes = notes[0],
		.failure = failure[0],
		.text.limit = LAYER_NOTES_MAX + PIECE };
	return 0;
}

int unpack_start(struct unpack *out, const struct unpack_input *in, const struct unpack_output *to,
	uint64_t *received)
{
	struct layer_unpack files = { .root = -1,
		.tar = -1,
		.spool = -1,
		.blob = -1,
		.notes = -1,
		.devices = true,
		.owners = true,
		.limits = to->limits };
	int r;

	*out = (struct unpack){ .pid = -1, .notes = -1, .failure = -1 };
	r = make_files(to->dir, to->keep_blob, &files);
	if (r == 0)
		r = fork_unpacker(out, &files, in, to, received);
	close_files(&files);
	return r;
}

int unpack_read(struct unpack *u)
{
	char *to;
	ssize_t n;

	for (;;) {
		to = buf_reserve(&u->text, 4096);
		if (!to)
			return fail(EFBIG, "the layer has too many irregular entries");
		n = read(u->notes, to, 4096);
		if (n > 0)
			u->text.len += (size_t)n;
		else if (n == 0)
			return 0;
		else if (errno == EAGAIN)
			return 1;
		else if (errno != EINTR)
			return fail_errno("read from the unpacker");
	}
}

/* Why the unpacker failed: its record, else how it died. */
static int failure_of(struct unpack *u, int status)
{
	struct start_error e;
	char text[64];
	int r = record_recv(u->failure, &e, 1, 1);

	if (r < 0)
		return r;
	if (r > 0)
		return record_fail(&e);
	proc_format_status(text, sizeof(text), status);
	return fail(EIO, "the unpacker %s", text);
}

static int parse_notes(struct unpack *u, struct unpack_result *out)
{
	const char *line = buf_str(&u->text), *end;
	size_t room = 0;
	int r;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		if (out->count == room) {
			room = room ? room * 2 : 16;
			struct layer_note *more = realloc(out->notes, room * sizeof(*more));

			if (!more)
				return fail(ENOMEM, "out of memory");
			out->notes = more;
		}
		r = layer_note_parse(&out->notes[out->count], line, (size_t)(end - line));
		if (r < 0)
			return fail_wrap(r, "note of the unpacker");
		out->count++;
	}
	if (*line || !out->count || out->notes[out->count - 1].kind != LAYER_NOTE_DONE)
		return fail(EBADMSG, "the unpacker did not say that it is done");
	out->done = &out->notes[out->count - 1];
	return 0;
}

int unpack_end(struct unpack *u, struct unpack_result *out)
{
	int status = 0, r;

	*out = (struct unpack_result){ 0 };
	r = proc_wait(u->pid, &status);
	u->pid = -1;
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return failure_of(u, status);
	r = parse_notes(u, out);
	if (r < 0)
		unpack_result_free(out);
	return r;
}

void unpack_abort(struct unpack *u)
{
	int status;

	if (u->pid > 0) {
		kill(u->pid, SIGKILL);
		proc_wait(u->pid, &status);
	}
	cleanup_close(&u->notes);
	cleanup_close(&u->failure);
	buf_free(&u->text);
	*u = (struct unpack){ .pid = -1, .notes = -1, .failure = -1 };
}

void unpack_result_free(struct unpack_result *r)
{
	for (size_t i = 0; i < r->count; i++)
		layer_note_free(&r->notes[i]);
	free(r->notes);
	*r = (struct unpack_result){ 0 };
}
