/* SPDX-License-Identifier: MIT */
/* flatten - the root file system of an image as one tar stream */
#include "engine/flatten.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kernel/fd.h"
#include "kernel/mnt.h"
#include "kernel/proc.h"
#include "kernel/record.h"
#include "service/layer.h"

/* Where the private tmpfs goes: a directory that every host has and no store lies below. */
#define STAGE "/sys"

static int write_out(void *ctx, const void *bytes, size_t len)
{
	int r = fd_write(*(int *)ctx, bytes, len);

	return r < 0 ? fail(-r, "write the tar stream: %s", strerror(-r)) : 0;
}

/* The root directory of an overlay is its top layer's, but most layers say nothing of theirs: the unpacker
 * leaves it with time 0. Make an empty top whose root is that of the highest layer that describes it. */
static int make_top(char *const *lower, size_t count)
{
	struct stat st;

	for (size_t i = 0; i < count; i++) {
		if (stat(lower[i], &st) < 0)
			return fail_errno("layer '%s'", lower[i]);
		if (st.st_mtim.tv_sec || st.st_mtim.tv_nsec || i == count - 1)
			break;
	}
	const struct timespec times[2] = { { 0, UTIME_OMIT }, st.st_mtim };

	if (chown(STAGE "/top", st.st_uid, st.st_gid) < 0 ||
		chmod(STAGE "/top", st.st_mode & 07777) < 0 ||
		utimensat(AT_FDCWD, STAGE "/top", times, 0) < 0)
		return fail_errno("set up the root directory");
	return 0;
}

/* Mount the COUNT layers, top first, on merged/ of the private tmpfs. The empty directory below the lowest
 * makes an overlay hide that one's whiteouts too. */
static int mount_layers(char **layers, size_t count)
{
	const char *lower[OCI_LAYERS_MAX + 2];
	size_t n = 0;
	int r;

	r = count ? make_top(layers, count) : 0;
	if (r < 0)
		return r;
	lower[n++] = STAGE "/top";
	for (size_t i = 0; i < count; i++)
		lower[n++] = layers[i];
	lower[n++] = STAGE "/empty";
	return mnt_overlay(
		&(struct mnt_overlay){ .lower = lower, .count = n, .scratch = STAGE "/links" },
		STAGE "/merged");
}

static int mount_image(struct store *s, const struct image *image)
{
	char *layers[OCI_LAYERS_MAX] = { NULL };
	size_t count = 0;
	int r = 0;

	if (image->layer_count > OCI_LAYERS_MAX)
		return fail(EINVAL, "more than %d layers", OCI_LAYERS_MAX);
	for (size_t i = image->layer_count; r == 0 && i-- > 0; count++)
		if (asprintf(&layers[count], "%s/layers/%s/fs", s->path, image->layers[i]) < 0) {
			layers[count] = NULL;
			r = fail(ENOMEM, "out of memory");
		}
	if (r == 0)
		r = mount_layers(layers, count);
	while (count--)
		free(layers[count]);
	return r;
}

static int child(struct store *s, const struct image *image, int out)
{
	auto_close int root = -1;
	int r = mnt_isolate();

	if (r < 0)
		return r;
	if (mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m") < 0)
		return fail_errno("mount a private tmpfs");
	if (mkdir(STAGE "/empty", 0700) < 0 || mkdir(STAGE "/links", 0700) < 0 ||
		mkdir(STAGE "/top", 0700) < 0 || mkdir(STAGE "/merged", 0700) < 0)
		return fail_errno("prepare the private tmpfs");
	r = mount_image(s, image);
	if (r < 0)
		return r;
	root = open(STAGE "/merged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail_errno("open the merged tree");
	return layer_pack(root, write_out, &out);
}

int flatten_write(struct store *s, const struct image *image, int out)
{
	struct start_error e;
	int failure[2], status = 0, r;
	pid_t pid;

	if (pipe2(failure, O_CLOEXEC) < 0)
		return fail_errno("pipe");
	const int keep[] = { failure[1], out };

	pid = proc_fork(CLONE_NEWNS, keep, ARRAY_LEN(keep), NULL);
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		r = child(s, image, out);
		if (r < 0)
			record_send_failure(failure[1], -r);
		_exit(r < 0);
	}
	close(failure[1]);
	if (pid < 0) {
		close(failure[0]);
		return (int)pid;
	}
	r = record_recv(failure[0], &e, 1, 1);
	close(failure[0]);
	if (proc_wait(pid, &status) == 0 && r == 0 && status != 0) {
		char text[64];

		proc_format_status(text, sizeof(text), status);
		return fail(EIO, "the packing process %s", text);
	}
	return r > 0 ? record_fail(&e) : r;
}
