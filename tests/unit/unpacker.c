/* SPDX-License-Identifier: MIT */
/* unpacker - unit test: the process around the unpacking of a layer */
#include "engine/unpacker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "kernel/frame.h"
#include "layerdir.h"

#define NO_LIMITS                                  \
	{                                          \
		.bytes = 1u << 30, .entries = 1000 \
	}

static uint64_t *received;

/* A new staging directory. */
static int stage(struct unpack_output *to)
{
	static char path[300];

	CHECK(path_remove_tree(scratch, "stage") == 0 && mkdirat(scratch, "stage", 0700) == 0);
	snprintf(path, sizeof(path), "%s/stage", scratch_path);
	*to = (struct unpack_output){ .path = path, .limits = NO_LIMITS };
	to->dir = openat(scratch, "stage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return to->dir;
}

/* Wait for the end of U. */
static int end(struct unpack *u, struct unpack_result *out)
{
	struct pollfd p = { .fd = u->notes, .events = POLLIN };
	int r;

	while ((r = unpack_read(u)) > 0)
		poll(&p, 1, 10000);
	return r < 0 ? r : unpack_end(u, out);
}

/* Unpack what IN gives. */
static int unpack_in(
	const struct unpack_input *in, struct unpack_output *to, struct unpack_result *out)
{
	struct unpack u;
	int r;

	*out = (struct unpack_result){ 0 };
	*received = 0;
	r = unpack_start(&u, in, to, received);
	if (r == 0)
		r = end(&u, out);
	unpack_abort(&u);
	close(to->dir);
	return r;
}

static int file_of(const struct buf *bytes)
{
	int fd = fresh_file("bytes", true);

	CHECK(fd_write(fd, buf_str(bytes), bytes->len) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void test_good(const struct buf *tar)
{
	struct unpack_input in = { .fd = file_of(tar), .prefix = tar->data, .prefix_len = 100 };
	struct unpack_output to;
	struct unpack_result r;
	struct digest d;
	struct stat st;

	digest_of(&d, tar->data, tar->len);
	unit_case("unpacks a file of known size, from its place");
	in.prefix_len = 0;
	in.sized = true;
	in.size = tar->len;
	stage(&to);
	to.keep_blob = true;
	CHECK(unpack_in(&in, &to, &r) == 0);
	CHECK(r.done && digest_equal(&r.done->diff_id, &d) && r.done->tar_size == tar->len);
	CHECK(*received == tar->len);
	CHECK(fstatat(scratch, "stage/fs/dir/file", &st, 0) == 0 && st.st_size == 7);
	CHECK(fstatat(scratch, "stage/blob", &st, 0) == 0 && (size_t)st.st_size == tar->len);
	CHECK(fstatat(scratch, "stage/spool", &st, 0) < 0);
	unpack_result_free(&r);

	unit_case("unpacks bytes that were read before, then the rest");
	in.prefix_len = 100;
	in.sized = false;
	CHECK(lseek(in.fd, 100, SEEK_SET) == 100);
	stage(&to);
	CHECK(unpack_in(&in, &to, &r) == 0 && digest_equal(&r.done->diff_id, &d));
	unpack_result_free(&r);

	unit_case("notices a file that is shorter than promised, and an empty one");
	in.prefix_len = 0;
	in.sized = true;
	in.size = tar->len + 1;
	stage(&to);
	CHECK(unpack_in(&in, &to, &r) == -EBADMSG && strstr(fail_text(), "in the middle"));
	in.size = 0;
	stage(&to);
	CHECK(unpack_in(&in, &to, &r) == -EBADMSG && strstr(fail_text(), "empty"));

	unit_case("keeps the limits");
	in.size = tar->len;
	stage(&to);
	to.limits.entries = 1;
	CHECK(unpack_in(&in, &to, &r) == -EFBIG && strstr(fail_text(), "entries"));
	stage(&to);
	to.limits.bytes = 512;
	CHECK(unpack_in(&in, &to, &r) == -EFBIG && strstr(fail_text(), "512"));
	stage(&to);
	to.limits.reserve = UINT64_MAX;
	CHECK(unpack_in(&in, &to, &r) == -ENOSPC && strstr(fail_text(), "reserve"));

	unit_case("fails where the staging directory is not empty");
	stage(&to);
	CHECK(mkdirat(to.dir, "fs", 0700) == 0);
	CHECK(unpack_in(&in, &to, &r) == -EEXIST);
	close(in.fd);
}

/* --- frames --- */

/* What a sender does with the pipe. */
enum sending { SEND_WHOLE, SEND_FAILURE, SEND_NOTHING, SEND_HALF, SEND_NOISE };

static int unpack_frames(const struct buf *tar, enum sending how, struct unpack_result *r)
{
	struct unpack_output to;
	int pipes[2], result, status;
	pid_t pid;

	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		if (how == SEND_NOISE)
			fd_write(pipes[1], "\xff\xff\xff\x7f noise", 10);
		else if (how != SEND_NOTHING)
			frame_send(pipes[1], tar->data, how == SEND_WHOLE ? tar->len : 700);
		if (how == SEND_WHOLE)
			frame_end(pipes[1]);
		if (how == SEND_FAILURE) {
			fail_hint(fail(EAGAIN, "the registry is away"), "wait for it");
			frame_fail(pipes[1], EAGAIN);
		}
		_exit(0);
	}
	close(pipes[1]);
	stage(&to);
	result = unpack_in(&(struct unpack_input){ .fd = pipes[0], .framed = true }, &to, r);
	close(pipes[0]);
	waitpid(pid, &status, 0);
	return result;
}

static void test_frames(const struct buf *tar)
{
	struct unpack_result r;

	unit_case("unpacks frames");
	CHECK(unpack_frames(tar, SEND_WHOLE, &r) == 0 && r.done);
	unpack_result_free(&r);
	unit_case("hands on what the sender says of its failure");
	CHECK(unpack_frames(tar, SEND_FAILURE, &r) == -EAGAIN);
	CHECK_STR(fail_text(), "the registry is away");
	CHECK_STR(fail_hint_text(), "wait for it");
	unit_case("does not take a dead or mad sender for the end");
	CHECK(unpack_frames(tar, SEND_NOTHING, &r) == -EPIPE);
	CHECK(unpack_frames(tar, SEND_HALF, &r) == -EPIPE);
	CHECK(unpack_frames(tar, SEND_NOISE, &r) == -EBADMSG);
}

/* --- processes --- */

/* Field KEY of /proc/PID/status. */
static void status_of(pid_t pid, const char *key, char *out, size_t size)
{
	auto_buf struct buf text = { 0 };
	char path[64];
	const char *at;
	int proc = open("/proc", O_RDONLY | O_DIRECTORY);

	out[0] = '\0';
	snprintf(path, sizeof(path), "%d/status", (int)pid);
	if (fd_read_file(proc, path, &text, 1 << 20) == 0 && (at = strstr(buf_str(&text), key)))
		snprintf(out, size, "%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
	close(proc);
}

static bool same_namespace(pid_t pid, const char *kind)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	CHECK(stat(path, &theirs) == 0);
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	CHECK(stat(path, &ours) == 0);
	return theirs.st_ino == ours.st_ino;
}

static void test_process(const struct buf *tar)
{
	struct unpack_output to;
	struct unpack_result r;
	struct unpack u;
	char text[200];
	int pipes[2];

	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	stage(&to);
	CHECK(unpack_start(&u, &(struct unpack_input){ .fd = pipes[0] }, &to, NULL) == 0);
	CHECK(fd_write(pipes[1], tar->data, 700) == 0);
	unit_case("the process that reads hostile bytes is locked in");
	for (int i = 0; i < 1000; i++) {
		status_of(u.pid, "\nSeccomp:\t", text, sizeof(text));
		if (text[0] == '2')
			break;
		poll(NULL, 0, 5);
	}
	CHECK_STR(text, "2");
	status_of(u.pid, "\nNoNewPrivs:\t", text, sizeof(text));
	CHECK_STR(text, "1");
	status_of(u.pid, "\nCapBnd:\t", text, sizeof(text));
	CHECK_STR(text, "000000008800001b");
	status_of(u.pid, "\nCapEff:\t", text, sizeof(text));
	CHECK_STR(text, "000000008800001b");
	CHECK(!same_namespace(u.pid, "mnt") && !same_namespace(u.pid, "pid"));
	CHECK(!same_namespace(u.pid, "net") && !same_namespace(u.pid, "ipc"));

	unit_case("one that is killed is no success");
	CHECK(kill(u.pid, SIGKILL) == 0);
	CHECK(end(&u, &r) == -EIO && strstr(fail_text(), "SIGKILL"));
	unpack_abort(&u);
	CHECK(u.pid == -1 && u.notes == -1 && u.failure == -1);

	unit_case("one that is not wanted any more ends");
	CHECK(path_remove_tree(to.dir, "fs") == 0 && unlinkat(to.dir, "tar", 0) == 0);
	CHECK(unpack_start(&u, &(struct unpack_input){ .fd = pipes[0] }, &to, NULL) == 0);
	unpack_abort(&u);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	unpack_abort(&u);
	close(to.dir);
	close(pipes[0]);
	close(pipes[1]);
}

/* The path leads to another directory than the descriptor: somebody renamed it meanwhile. */
static void test_moved(const struct buf *tar)
{
	struct unpack_input in = { .fd = file_of(tar) };
	struct unpack_output to;
	struct unpack_result r;

	unit_case("unpacks into the directory it was given and no other of that name");
	stage(&to);
	CHECK(renameat(scratch, "stage", scratch, "moved") == 0);
	CHECK(mkdirat(scratch, "stage", 0700) == 0 && mkdirat(scratch, "stage/fs", 0700) == 0);
	CHECK(unpack_in(&in, &to, &r) == -ESTALE);
	CHECK(unlinkat(scratch, "stage/fs", AT_REMOVEDIR) == 0);
	CHECK(path_remove_tree(scratch, "moved") == 0);
	close(in.fd);
}

int main(void)
{
	auto_buf struct buf tar = { 0 };
	int before, after;

	if (geteuid() != 0) {
		unit_skip("unpacks in a process of its own", "needs root");
		return unit_end();
	}
	signal(SIGPIPE, SIG_IGN);
	scratch_begin();
	received = mmap(
		NULL, sizeof(*received), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (received == MAP_FAILED)
		return 1;
	stream_of(&tar, "d dir\nf dir/file content\nl link dir/file\n");
	end_blocks(&tar);
	before = dup(0);
	close(before);
	test_good(&tar);
	test_frames(&tar);
	test_process(&tar);
	test_moved(&tar);
	after = dup(0);
	unit_case("leaves no descriptor open, and what lies beside alone");
	CHECK(before == after);
	CHECK(canary_lives());
	scratch_end();
	return unit_end();
}
