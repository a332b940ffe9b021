/* qrun - create and start a container
 *
 * usage: qrun [OPTION...] IMAGE [ARG...]
 *        qrun [OPTION...] --rootfs=DIR COMMAND [ARG...]
 *
 * Run an image that qpull brought in, in the foreground, in namespaces of its own. Its entry point
 * is kept, its command is replaced by ARG if there is any. What it writes lies in memory and is
 * gone when it ends, with or without --rm; what it writes to the tree of --rootfs stays there.
 *
 * Standard input, output and error are passed on as they are, but a terminal never is: the
 * container has pipes in its place. Signals are passed on, except those that stop and continue a
 * job; a second Ctrl-C kills. When qrun ends, the container does.
 *
 * options:
 *       --rm             leave nothing behind; this is what happens in any case
 *   -e, --env=KEY=VALUE  set an environment variable; KEY alone takes the caller's value
 *   -w, --workdir=DIR    working directory, made if it is missing
 *   -u, --user=USER      NAME or UID, then perhaps :GROUP or :GID, as the image knows them
 *       --network=MODE   none (loopback only, the default) or host
 *       --rootfs=DIR     run in the tree of DIR instead of an image
 *       --store=DIR      the store to use
 *
 * environment:
 *   QBOX_STORE           the store, if --store is not given
 *   QBOX_RUN             where the state of this boot is kept
 *
 * exit status:
 *   N      the command's own
 *   125    qrun failed, or wrong usage
 *   126    the command cannot be executed
 *   127    the command was not found
 *   128+N  signal N ended it
 *
 * examples:
 *   qrun debian cat /etc/os-release
 *   qrun --rootfs=/srv/tree /bin/sh -c 'echo hello'
 *
 * see also:
 *   qpull, qimage
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "gen/qrun.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "engine/image.h"
#include "engine/launch.h"
#include "engine/spec.h"

/* What stands in the options; what an image says comes before it. */
struct want {
	struct buf env; /* items, each with its NUL */
	const char *workdir, *user, *rootfs, *store;
	bool host_network;
};

/* KEY alone is the caller's variable, if there is one. */
static int add_env(struct buf *env, const char *item)
{
	const char *value;

	if (!*item || *item == '=')
		return fail(EINVAL, "'%s' is not KEY=VALUE", item);
	if (strchr(item, '=')) {
		buf_add(env, item, strlen(item) + 1);
		return buf_check(env);
	}
	value = getenv(item);
	if (!value)
		return 0;
	buf_printf(env, "%s=%s", item, value);
	buf_putc(env, '\0');
	return buf_check(env);
}

static int set_network(struct want *want, const char *mode)
{
	want->host_network = strcmp(mode, "host") == 0;
	if (want->host_network || strcmp(mode, "none") == 0)
		return 0;
	return fail(EINVAL, "'%s' is neither none nor host", mode);
}

static int set_workdir(struct want *want, const char *dir)
{
	want->workdir = dir;
	return *dir == '/' ? 0 : fail(EINVAL, "'%s' is not an absolute path", dir);
}

static void read_options(struct args *args, struct want *want)
{
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_RM: break;
		case OPT_ENV: args_check(args, add_env(&want->env, args->value)); break;
		case OPT_WORKDIR: args_check(args, set_workdir(want, args->value)); break;
		case OPT_USER: want->user = args->value; break;
		case OPT_NETWORK: args_check(args, set_network(want, args->value)); break;
		case OPT_ROOTFS: want->rootfs = args->value; break;
		case OPT_STORE: want->store = args->value; break;
		}
	if (args->count == 0)
		args_usage(args, want->rootfs ? "which command?" : "which image?");
}

static int apply_options(struct spec *spec, const struct want *want)
{
	const char *item = want->env.data;
	int r = 0;

	if (want->host_network)
		spec->namespaces &= ~CLONE_NEWNET;
	for (; r == 0 && item < want->env.data + want->env.len; item += strlen(item) + 1)
		r = spec_set_env(spec, item);
	if (r == 0 && want->workdir)
		r = spec_set_cwd(spec, want->workdir);
	if (r == 0 && want->user)
		r = spec_set_user(spec, want->user);
	return r;
}

static int launch(const struct launch *l)
{
	int status;

	if (launch_run(l, &status) < 0)
		die_print();
	return status;
}

static int run_rootfs(struct args *args, const struct want *want)
{
	auto_spec struct spec spec = { 0 };
	int r = spec_init(&spec);

	if (r == 0)
		r = spec_set_root_dir(&spec, want->rootfs);
	if (r == 0)
		r = spec_set_args(&spec, args->operands, args->count);
	if (r == 0)
		r = apply_options(&spec, want);
	return r < 0 ? r : launch(&(struct launch){ .spec = &spec });
}

static int not_here(int r, const char *name)
{
	return r == -ENOENT && !*fail_hint_text() ? fail_hint(r, "bring it in: qpull %s", name) : r;
}

static int run_image(struct store *s, struct args *args, const struct want *want)
{
	auto_spec struct spec spec = { 0 };
	auto_image struct image *image = NULL;
	auto_free char *layers = NULL;
	int r = image_find(s, args->operands[0], &image);

	if (r < 0)
		return not_here(r, args->operands[0]);
	r = spec_init(&spec);
	if (r < 0)
		return r;
	if (asprintf(&layers, "%s/layers", s->path) < 0) {
		layers = NULL;
		return fail(ENOMEM, "out of memory");
	}
	r = spec_from_image(&spec, image, layers, args->operands + 1, args->count - 1);
	if (r == 0)
		r = apply_options(&spec, want);
	if (r < 0)
		return r;
	return launch(&(struct launch){ .spec = &spec, .store = s, .image = image });
}

int qrun_main(struct args *args)
{
	struct want want = { 0 };
	struct store *s;
	int r;

	r = launch_protect(args->applet, args->argv);
	if (r < 0)
		return r;
	read_options(args, &want);
	if (want.rootfs) {
		r = run_rootfs(args, &want);
	} else {
		r = store_open(&s, want.store, STORE_READ);
		if (r < 0)
			return not_here(r, args->operands[0]);
		r = run_image(s, args, &want);
		store_close(s);
	}
	buf_free(&want.env);
	return r;
}
