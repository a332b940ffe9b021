/* SPDX-License-Identifier: MIT */
/* fetch - unit test: the network process from outside; what it says of registries is tested by qpull.test */
#include "engine/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/frame.h"
#include "unit.h"

static struct ref ref;
static struct digest digest;

/* Ask F for a manifest. */
static int manifest(struct fetch *f)
{
	auto_buf struct buf out = { 0 };
	char type[128];

	return fetch_manifest(f, "latest", NULL, &out, type, sizeof(type));
}

static int layer(struct fetch *f)
{
	struct frame_reader reader = { .fd = fetch_layer(f, &digest, 100) };
	char piece[100];
	ssize_t n;

	if (reader.fd < 0)
		return reader.fd;
	n = frame_read(&reader, piece, sizeof(piece));
	close(reader.fd);
	return (int)n;
}

static void test_not_ready(void)
{
	struct fetch_options o = { .ref = &ref, .cacert = "/nonexistent/ca.pem" };
	auto_buf struct buf out = { 0 };
	struct fetch f;

	unit_case("what it could not read is the answer to every question");
	CHECK(fetch_start(&f, &o) == 0);
	CHECK(manifest(&f) == -ENOENT && strstr(fail_text(), "ca.pem"));
	fail_clear();
	CHECK(fetch_blob(&f, &digest, 10, &out) == -ENOENT && strstr(fail_text(), "ca.pem"));
	fail_clear();
	CHECK(layer(&f) == -ENOENT && strstr(fail_text(), "ca.pem"));
	fetch_stop(&f);
	CHECK(f.pid == -1 && f.sock == -1);
	fetch_stop(&f);
}

/* Does /proc/PID/status hold LINE? */
static int says(pid_t pid, const char *line)
{
	auto_buf struct buf text = { 0 };
	char path[64];
	int proc = open("/proc", O_RDONLY | O_DIRECTORY), found;

	snprintf(path, sizeof(path), "%d/status", (int)pid);
	found = fd_read_file(proc, path, &text, 1 << 20) == 0 && strstr(buf_str(&text), line);
	close(proc);
	return found;
}

static int is_null(pid_t pid, int fd)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	return stat(path, &st) == 0 && st.st_rdev == makedev(1, 3);
}

static void test_locked(struct fetch *f)
{
	struct stat ours, theirs;
	char path[64];

	unit_case("it is locked in before it says a word to the network");
	CHECK(says(f->pid, "\nSeccomp:\t2\n") && says(f->pid, "\nNoNewPrivs:\t1\n"));
	CHECK(says(f->pid, "\nCapEff:\t0000000000000000\n"));
	CHECK(says(f->pid, "\nCapPrm:\t0000000000000000\n"));
	CHECK(says(f->pid, "\nCapBnd:\t0000000000000000\n"));
	CHECK(is_null(f->pid, 0) && is_null(f->pid, 1));
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)f->pid);
	CHECK(stat(path, &theirs) == 0 && stat("/proc/self/ns/pid", &ours) == 0);
	CHECK(theirs.st_ino != ours.st_ino);
}

static void test_dead(struct fetch *f)
{
	unit_case("a process that was killed is an error with a name");
	CHECK(kill(f->pid, SIGKILL) == 0);
	CHECK(manifest(f) < 0 && strstr(fail_text(), "ended"));
	CHECK(layer(f) < 0 && strstr(fail_text(), "ended"));
	fetch_stop(f);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void test_refused(void)
{
	struct fetch_options o = { .ref = &ref, .insecure = true };
	struct auth none = { 0 };
	struct fetch f;

	o.auth = &none;
	CHECK(fetch_start(&f, &o) == 0);
	unit_case("nobody listens: try again, also for a layer, and go on");
	CHECK(manifest(&f) == -EAGAIN);
	CHECK(layer(&f) == -EAGAIN);
	CHECK(manifest(&f) == -EAGAIN && strstr(fail_text(), "127.0.0.1:1"));
	test_locked(&f);
	test_dead(&f);
}

int main(void)
{
	int before, after;

	if (geteuid() != 0) {
		unit_skip("starts a network process", "needs root");
		return unit_end();
	}
	signal(SIGPIPE, SIG_IGN);
	setenv("HOME", "/nonexistent", 1);
	digest_of(&digest, "x", 1);
	if (ref_parse(&ref, "127.0.0.1:1/a/b:latest") < 0)
		return 1;
	before = dup(0);
	close(before);
	test_not_ready();
	test_refused();
	unit_case("leaves no descriptor open");
	after = dup(0);
	CHECK(before == after);
	return unit_end();
}
