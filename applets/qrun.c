/* qrun - create and start a container
 *
 * usage: qrun [OPTION...] IMAGE [ARG...]
 *        qrun [OPTION...] --rootfs=DIR COMMAND [ARG...]
 *
 * Run an image in the foreground, in namespaces of its own. Its entry point is kept, its command is
 * replaced by ARG if there is any. What it writes lies in memory and is gone when it ends, with or
 * without --rm; what it writes to the tree of --rootfs stays there.
 *
 * Standard input, output and error are passed on as they are, but a terminal never is: the
 * container has pipes in its place. Signals are passed on, except those that stop and continue a
 * job; a second Ctrl-C kills. When qrun ends, the container does.
 *
 * options:
 *       --rm                   leave nothing behind; this is what happens in any case
 *   -e, --env=KEY=VALUE        set an environment variable; KEY alone takes the caller's value
 *       --env-file=FILE        set those that stand in FILE, one a line
 *   -w, --workdir=DIR          working directory, made if it is missing
 *   -u, --user=USER            NAME or UID, then perhaps :GROUP or :GID, as the image knows them
 *       --group-add=GROUP      a further group, name or number
 *   -h, --hostname=NAME        its host name
 *       --entrypoint=PROGRAM   run this instead of the image's entry point; "" is none
 *   -v, --volume=SRC:DIR[:OPT]  show a file or directory of the host in it (ro, rslave, ...)
 *       --mount=WORDS          the same as type=bind,source=,target=[,readonly], or type=tmpfs,target=
 *       --tmpfs=DIR[:OPT]      a file system in memory there
 *       --shm-size=SIZE        size of /dev/shm (64m)
 *       --read-only            its root cannot be written
 *       --network=MODE         none (loopback only, the default), host, or netns:FILE
 *       --device=FILE[:PATH][:rwm]  a device of the host
 *       --cap-add=NAME         a capability more, or ALL
 *       --cap-drop=NAME        a capability less, or ALL
 *       --security-opt=WORD    no-new-privileges, systempaths=unconfined
 *       --privileged           every capability, nothing masked, no filter: it can take over the host
 *       --ulimit=NAME=SOFT[:HARD]  a resource limit, never above the caller's
 *       --sysctl=KEY=VALUE     a kernel setting of its namespaces
 *       --oom-score-adj=N      how willingly the kernel kills it when memory is short
 *   -l, --label=KEY=VALUE      note this with it
 *       --pull=WHEN            bring the image in: missing (the default), always or never
 *       --pidfile=FILE         write the process id of its first process there
 *       --rootfs=DIR           run in the tree of DIR instead of an image
 *       --store=DIR            the store to use
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
 *   qrun -v "$PWD:/src:ro" -w /src gcc make -n
 *
 * see also:
 *   qpull, qimage
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "gen/qrun.h"

#include "base/attr.h"
#include "base/fail.h"
#include "engine/foreground.h"
#include "engine/image.h"
#include "engine/launch.h"
#include "engine/pull.h"
#include "engine/spec.h"
#include "engine/specflag.h"

enum pull_when { PULL_MISSING, PULL_ALWAYS, PULL_NEVER };

/* One option that changes the spec, for when the image has said its part. */
struct change {
	enum opt opt;
	const char *value;
};

/* What stands in the options. */
struct want {
	struct change *changes;
	size_t count;
	const char *rootfs, *store, *entrypoint, *pidfile;
	enum pull_when pull;
};

/* --- options --- */

static int set_network(struct spec *s, const char *mode)
{
	if (strcmp(mode, "none") == 0) {
		s->namespaces |= CLONE_NEWNET;
		return 0;
	}
	if (strcmp(mode, "host") == 0) {
		s->namespaces &= ~CLONE_NEWNET;
		return 0;
	}
	if (strncmp(mode, "netns:/", 7) == 0)
		return spec_add_join(s, CLONE_NEWNET, mode + 6);
	return fail(EINVAL, "'%s' is not none, host, or netns:FILE", mode);
}

static int set_pull(struct want *want, const char *when)
{
	static const char *const words[] = { "missing", "always", "never" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(when, words[i]) == 0) {
			want->pull = (enum pull_when)i;
			return 0;
		}
	return fail(EINVAL, "'%s' is not missing, always or never", when);
}

/* Change S as option C says. */
static int change_spec(struct spec *s, const struct change *c)
{
	const char *value = c->value;

	switch (c->opt) {
	case OPT_ENV: return specflag_env(s, value);
	case OPT_ENV_FILE: return specflag_env_file(s, value);
	case OPT_WORKDIR: return specflag_workdir(s, value);
	case OPT_USER: return spec_set(&s->user, value);
	case OPT_GROUP_ADD: return spec_add_group(s, value);
	case OPT_HOSTNAME: return spec_set_hostname(s, value);
	case OPT_VOLUME: return specflag_volume(s, value);
	case OPT_MOUNT: return specflag_mount(s, value);
	case OPT_TMPFS: return specflag_tmpfs(s, value);
	case OPT_SHM_SIZE: return specflag_shm_size(s, value);
	case OPT_READ_ONLY: s->root.read_only = true; return 0;
	case OPT_NETWORK: return set_network(s, value);
	case OPT_DEVICE: return specflag_device(s, value);
	case OPT_CAP_ADD: return specflag_cap(s, value, true);
	case OPT_CAP_DROP: return specflag_cap(s, value, false);
	case OPT_SECURITY_OPT: return specflag_security(s, value);
	case OPT_PRIVILEGED: return spec_set_privileged(s);
	case OPT_ULIMIT: return specflag_ulimit(s, value);
	case OPT_SYSCTL: return specflag_sysctl(s, value);
	case OPT_OOM_SCORE_ADJ: return specflag_oom_score(s, value);
	case OPT_LABEL: return spec_set_label(s, value);
	case OPT_RM:
	case OPT_ENTRYPOINT:
	case OPT_PULL:
	case OPT_PIDFILE:
	case OPT_ROOTFS:
	case OPT_STORE: break;
	}
	return 0;
}

/* What is dropped goes first, so that --cap-drop=ALL --cap-add=X leaves X in either order; but all of them come
 * after --privileged. */
static int rank(const struct change *c)
{
	return c->opt == OPT_PRIVILEGED ? 0 : c->opt == OPT_CAP_DROP ? 1 : 2;
}

static int change_all(struct spec *s, const struct want *want)
{
	int r = 0;

	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < want->count && r == 0; i++)
			if (rank(&want->changes[i]) == turn)
				r = change_spec(s, &want->changes[i]);
	return r;
}

static int add_change(struct want *want, enum opt opt, const struct args *args)
{
	struct change *more;

	/* --x=false of a boolean says what is so anyway. */
	if (!args->value && !args->on)
		return 0;
	more = realloc(want->changes, (want->count + 1) * sizeof(*more));
	if (!more)
		return fail(ENOMEM, "out of memory");
	want->changes = more;
	more[want->count++] = (struct change){ opt, args->value };
	return 0;
}

/* Each option is tried on a spec that nobody runs: wrong usage is found before anything is looked at. */
static void read_options(struct args *args, struct want *want)
{
	auto_spec struct spec trial = { 0 };
	int opt;

	if (spec_init(&trial) < 0)
		args_check(args, -ENOMEM);
	while ((opt = args_next(args)) != OPT_END) {
		switch ((enum opt)opt) {
		case OPT_ENTRYPOINT: want->entrypoint = args->value; continue;
		case OPT_PULL: args_check(args, set_pull(want, args->value)); continue;
		case OPT_PIDFILE: want->pidfile = args->value; continue;
		case OPT_ROOTFS: want->rootfs = args->value; continue;
		case OPT_STORE: want->store = args->value; continue;
		default: break;
		}
		args_check(args, add_change(want, (enum opt)opt, args));
		args_check(
			args, change_spec(&trial, &(struct change){ (enum opt)opt, args->value }));
	}
	if (args->count == 0)
		args_usage(args, want->rootfs ? "which command?" : "which image?");
}

/* --- running --- */

static int write_pidfile(void *ctx, const struct running *r)
{
	const struct want *want = ctx;
	auto_close int fd = -1;

	if (!want->pidfile)
		return 0;
	fd = open(want->pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno("open '%s'", want->pidfile);
	return dprintf(fd, "%d\n", (int)r->pid) < 0 ? fail_errno("write '%s'", want->pidfile) : 0;
}

static int run(struct launch *l, struct want *want)
{
	int status;

	l->prepared = write_pidfile;
	l->ctx = want;
	if (foreground_run(l, &status) < 0)
		die_print();
	return status;
}

static int run_rootfs(struct args *args, struct want *want)
{
	auto_spec struct spec spec = { 0 };
	struct launch l;
	int r = spec_init(&spec);

	if (r == 0)
		r = spec_set_root_dir(&spec, want->rootfs);
	if (r == 0 && want->entrypoint && *want->entrypoint)
		r = spec_set_args(&spec, (char *const *)&want->entrypoint, 1);
	if (r == 0)
		r = spec_add_args(&spec, args->operands, args->count);
	if (r == 0)
		r = change_all(&spec, want);
	if (r < 0)
		return r;
	launch_init(&l, &spec);
	return run(&l, want);
}

static int run_image(struct store *s, struct args *args, struct want *want, struct image *image)
{
	auto_spec struct spec spec = { 0 };
	auto_free char *layers = NULL;
	struct spec_words words = { want->entrypoint, args->operands + 1, args->count - 1 };
	struct launch l;
	int r = spec_init(&spec);

	if (r < 0)
		return r;
	if (asprintf(&layers, "%s/layers", s->path) < 0) {
		layers = NULL;
		return fail(ENOMEM, "out of memory");
	}
	r = spec_from_image(&spec, image, layers, &words);
	if (r == 0)
		r = change_all(&spec, want);
	if (r < 0)
		return r;
	launch_init(&l, &spec);
	l.store = s;
	l.image = image;
	return run(&l, want);
}

/* --- the image --- */

static int not_here(int r, const char *name)
{
	return r == -ENOENT && !*fail_hint_text() ? fail_hint(r, "bring it in: qpull %s", name) : r;
}

static int pull(const struct want *want, const char *name)
{
	struct pull_options o = { .source = name };
	auto_image struct image *image = NULL;
	struct store *s = NULL;
	bool changed;
	int r = store_open(&s, want->store, STORE_WRITE);

	oci_platform_native(&o.platform);
	if (r == 0)
		r = store_db(s);
	if (r == 0)
		r = pull_run(s, &o, &image, &changed);
	store_close(s);
	return r;
}

static int find_image(
	struct store **s, const struct want *want, const char *name, struct image **image)
{
	int r = store_open(s, want->store, STORE_READ);

	if (r == -ENODATA)
		r = -ENOENT;
	return r < 0 ? r : image_find(*s, name, image);
}

static int find_or_pull(
	struct store **s, const struct want *want, const char *name, struct image **image)
{
	int r = want->pull == PULL_ALWAYS ? -ENOENT : find_image(s, want, name, image);

	if (r != -ENOENT || want->pull == PULL_NEVER)
		return r == 0 ? 0 : not_here(r, name);
	store_close(*s);
	*s = NULL;
	r = pull(want, name);
	return r < 0 ? r : find_image(s, want, name, image);
}

int qrun_main(struct args *args)
{
	struct want want = { 0 };
	auto_image struct image *image = NULL;
	struct store *s = NULL;
	int r = launch_protect(args->applet, args->argv);

	if (r < 0)
		return r;
	read_options(args, &want);
	if (want.rootfs) {
		r = run_rootfs(args, &want);
	} else {
		r = find_or_pull(&s, &want, args->operands[0], &image);
		if (r == 0)
			r = run_image(s, args, &want, image);
		store_close(s);
	}
	free(want.changes);
	return r;
}
