/* SPDX-License-Identifier: MIT */
/* handover - from the command that starts a detached container to its monitor */
#include "engine/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/proc.h"
#include "kernel/record.h"
#include "kernel/sig.h"

#define VERSION 1
#define MAX     (2u << 20)
#define SEALS   (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define RUNS    '\0' /* the answer; any other byte is an exit status, and a record follows */

static const char exe[] = "/proc/self/exe";

/* --- who starts it --- */

static int format(struct buf *out, const struct handover *h, int ready)
{
	struct stat st;

	if (stat(exe, &st) < 0)
		return fail_errno("look at %s", exe);
	buf_printf(out, "{\"v\":%d,\"exe\":\"%" PRIx64 ":%" PRIx64 "\",\"id\":", VERSION,
		(uint64_t)st.st_dev, (uint64_t)st.st_ino);
	json_quote(out, h->id);
	buf_printf(out, ",\"run\":%" PRId64 ",\"restart\":%d,\"restart_max\":%u", h->run,
		(int)h->policy.restart, h->policy.max);
	if (h->store) {
		buf_puts(out, ",\"store\":");
		json_quote(out, h->store);
	}
	buf_printf(out, ",\"fds\":{\"dir\":%d,\"home\":%d,\"ready\":%d},\"spec\":%s}", h->dir,
		h->home, ready, h->spec);
	return buf_check(out);
}

static int seal(const struct buf *text)
{
	auto_close int fd = memfd_create("qbox-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return fail_errno("make a file in memory");
	r = fd_write(fd, text->data, text->len);
	if (r < 0)
		return fail(-r, "write a file in memory: %s", strerror(-r));
	if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return fail_errno("seal a file in memory");
	return take_fd(&fd);
}

/* In the child. It must not die with us, nor with our terminal. */
NORETURN static void become_monitor(const int *keep, size_t count, int memory, int ready)
{
	char number[12], *argv[] = { (char[]){ "qmon" }, number, NULL };
	char status = 125;
	int null;

	setsid();
	sig_reset();
	fd_close_others(keep, count);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	for (size_t i = 0; i < count; i++)
		fcntl(keep[i], F_SETFD, 0);
	/* It shall keep no directory busy. */
	if (chdir("/") == 0) {
		snprintf(number, sizeof(number), "%d", memory);
		execve(exe, argv, environ);
	}
	fail_errno("start the monitor");
	fd_write(ready, &status, 1);
	record_send_failure(ready, errno);
	_exit(EXIT_FAILURE);
}

static int read_answer(int fd, int *status)
{
	struct start_error e;
	char byte;
	ssize_t n = fd_read(fd, &byte, 1);
	int r;

	if (n == 1 && byte == RUNS)
		return 0;
	if (n == 1) {
		r = record_recv(fd, &e, 1, 1);
		if (r < 0)
			return r;
		if (r > 0) {
			*status = (unsigned char)byte;
			return record_fail(&e);
		}
	}
	return fail(EIO, "the container's monitor died before the container ran");
}

int handover_start(const struct handover *h, int *status)
{
	auto_buf struct buf text = { 0 };
	auto_close int ready = -1, answer = -1, memory = -1;
	int p[2], ended, r;
	pid_t pid;

	*status = 125;
	if (pipe2(p, O_CLOEXEC) < 0)
		return fail_errno("make a pipe");
	answer = p[0];
	ready = p[1];
	r = format(&text, h, ready);
	if (r < 0)
		return r;
	memory = seal(&text);
	if (memory < 0)
		return memory;
	pid = fork();
	if (pid < 0)
		return fail_errno("start the monitor");
	if (pid == 0) {
		int keep[] = { memory, ready, h->dir, h->home };

		become_monitor(keep, ARRAY_LEN(keep), memory, ready);
	}
	close(take_fd(&ready));
	r = read_answer(answer, status);
	if (r < 0) {
		/* After its answer it only has to end. */
		kill(pid, SIGTERM);
		proc_wait(pid, &ended);
	}
	return r;
}

/* --- the monitor --- */

static bool is_ours(const struct json *j)
{
	const char *from = "";
	int64_t version = 0;
	char own[40];
	struct stat st;

	if (json_get_int(j, "v", &version) < 1 || version != VERSION ||
		json_get_string(j, "exe", &from) < 1 || stat(exe, &st) < 0)
		return false;
	snprintf(
		own, sizeof(own), "%" PRIx64 ":%" PRIx64, (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	return strcmp(own, from) == 0;
}

static bool get_number(
	const struct json *j, const char *key, int64_t min, int64_t max, int64_t *out)
{
	return json_get_int(j, key, out) == 1 && *out >= min && *out <= max;
}

static bool get_fd(const struct json *fds, const char *key, int *out)
{
	int64_t n;

	if (!get_number(fds, key, 3, INT32_MAX, &n) || fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return false;
	*out = (int)n;
	return true;
}

static bool read_members(const struct json *j, struct handover *h)
{
	const struct json *fds = json_get(j, "fds"), *spec = json_get(j, "spec");
	auto_buf struct buf text = { 0 };
	int64_t restart, max;

	if (json_get_string(j, "id", &h->id) < 1 || strlen(h->id) != 64 ||
		json_get_string(j, "store", &h->store) < 0)
		return false;
	if (!get_number(j, "run", 1, INT64_MAX, &h->run) ||
		!get_number(j, "restart", RESTART_NO, RESTART_UNLESS_STOPPED, &restart) ||
		!get_number(j, "restart_max", 0, UINT32_MAX, &max))
		return false;
	h->policy = (struct supervise_policy){ (enum container_restart)restart, (unsigned)max };
	if (!get_fd(fds, "dir", &h->dir) || !get_fd(fds, "home", &h->home) ||
		!get_fd(fds, "ready", &h->ready) || !spec || spec->type != JSON_OBJECT)
		return false;
	json_format(&text, spec);
	h->spec = h->spec_text = buf_take(&text);
	return h->spec != NULL;
}

int handover_receive(struct handover *out, int fd)
{
	auto_buf struct buf text = { 0 };
	auto_close int memory = fd;
	int seals = fcntl(memory, F_GET_SEALS), r;

	*out = (struct handover){ .dir = -1, .home = -1, .ready = -1 };
	if (seals < 0 || (seals & SEALS) != SEALS)
		return fail(EPERM, "this is for qrun to start, not for people");
	r = fd_read_all(memory, &text, MAX);
	if (r == 0)
		r = json_parse(text.data, text.len, &out->json);
	if (r < 0)
		return r;
	if (!is_ours(out->json))
		return fail(EPERM, "started by another version of this program");
	if (!read_members(out->json, out))
		return fail(EBADMSG, "what the starting command says makes no sense");
	return 0;
}

void handover_free(struct handover *h)
{
	int *fds[] = { &h->dir, &h->home, &h->ready };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		cleanup_close(fds[i]);
		*fds[i] = -1;
	}
	json_free(h->json);
	free(h->spec_text);
	h->json = NULL;
	h->spec_text = NULL;
}

void handover_answer(struct handover *h, int r, int status)
{
	char byte = r < 0 ? (char)status : RUNS;

	if (h->ready < 0)
		return;
	/* If who started us is gone, nobody wants to know. */
	if (fd_write(h->ready, &byte, 1) == 0 && r < 0)
		record_send_failure(h->ready, -r);
	close(h->ready);
	h->ready = -1;
}
