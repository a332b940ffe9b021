/* qrun - create and start a container
 *
 * usage: qrun [OPTION...] IMAGE [ARG...]
 *        qrun [OPTION...] --rootfs=DIR COMMAND [ARG...]
 *
 * Run an image in namespaces of its own, in the foreground or, with -d, on its own. Its entry point
 * is kept, its command is replaced by ARG if there is any. What it writes stays with the container
 * until qrm removes it; with --rm it lies in memory and all is gone at the end. What it writes to the
 * tree of --rootfs stays there.
 *
 * In the foreground standard input, output and error are passed on as they are, but a terminal never
 * is: the container has pipes in its place, or with -t a new terminal of its own. Signals are passed
 * on, except those that stop and continue a job; a second Ctrl-C kills. When qrun ends, the container
 * does.
 *
 * options:
 *   -d, --detach               go on without us: print the id; output goes to the log (qlogs)
 *       --rm                   leave nothing behind
 *       --name=NAME            what to call it (made from the image)
 *       --replace              first end and remove the container of that name
 *   -i, --interactive          pass standard input on, which is done in any case unless -d
 *   -t, --tty                  give it a terminal of its own
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
 *       --network=MODE         none (loopback only, the default), host, container:NAME or netns:FILE
 *       --device=FILE[:PATH][:rwm]  a device of the host
 *       --cap-add=NAME         a capability more, or ALL
 *       --cap-drop=NAME        a capability less, or ALL
 *       --security-opt=WORD    no-new-privileges, seccomp=FILE|unconfined, systempaths=unconfined
 *       --privileged           every capability, nothing masked, no filter: it can take over the host
 *   -m, --memory=SIZE          at most so much memory, and no swap
 *       --memory-swap=SIZE     memory and swap together; -1 is no limit
 *       --memory-reservation=SIZE  what it keeps when memory is short
 *       --cpus=NUMBER          at most so many CPUs: 0.5
 *       --cpu-shares=N         its share when CPUs are short (1024)
 *       --cpuset-cpus=LIST     only these CPUs: 0-2,7
 *       --pids-limit=N         at most so many processes (2048); -1 is no limit
 *       --cgroups=MODE         enabled, best-effort (a limit that this host cannot enforce is left out) or disabled
 *       --ulimit=NAME=SOFT[:HARD]  a resource limit, never above the caller's
 *       --sysctl=KEY=VALUE     a kernel setting of its namespaces
 *       --oom-score-adj=N      how willingly the kernel kills it when memory is short
 *       --restart=POLICY       with -d: no, on-failure[:N], always, unless-stopped
 *       --stop-signal=SIGNAL   what asks it to end (the image's, else TERM)
 *       --stop-timeout=SECONDS  how long it has for that before it is killed (10)
 *       --timeout=SECONDS      stop it after so long; the exit status is 124 then
 *   -l, --label=KEY=VALUE      note this with it
 *       --pull=WHEN            bring the image in: missing (the default), always or never
 *       --pidfile=FILE         write the process id of its first process there
 *       --cidfile=FILE         write its id there, which must not exist
 *       --rootfs=DIR           run in the tree of DIR instead of an image
 *       --store=DIR            the store to use
 *
 * environment:
 *   QBOX_STORE           the store, if --store is not given
 *   QBOX_RUN             where the state of this boot is kept
 *
 * exit status:
 *   N      the command's own; 0 with -d
 *   124    the time was over
 *   125    qrun failed, or wrong usage
 *   126    the command cannot be executed
 *   127    the command was not found
 *   128+N  signal N ended it
 *
 * examples:
 *   qrun --rm debian cat /etc/os-release
 *   qrun --rootfs=/srv/tree /bin/sh -c 'echo hello'
 *   qrun --rm -v "$PWD:/src:ro" -w /src gcc make -n
 *   qrun -d --name=web -m 64m --restart=always nginx
 *
 * see also:
 *   qpull, qps, qlogs, qstop, qrm
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
#include "base/buf.h"
#include "base/num.h"
#include "engine/container.h"
#include "engine/detach.h"
#include "engine/foreground.h"
#include "engine/image.h"
#include "engine/launch.h"
#include "engine/pull.h"
#include "engine/spec.h"
#include "engine/specflag.h"
#include "engine/specjson.h"

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
	const char *rootfs, *store, *entrypoint, *pidfile, *cidfile, *name, *network_of;
	enum pull_when pull;
	bool detach, rm, replace;
	struct supervise_policy policy;
	int timeout; /* seconds; 0: none */
};

/* What runs, and what it is called. */
struct job {
	struct spec spec;
	struct image *image; /* NULL: --rootfs */
	struct store *store;
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
	if (strncmp(mode, "container:", 10) == 0 && mode[10])
		return 0; /* which one is found later */
	return fail(EINVAL, "'%s' is not none, host, container:NAME or netns:FILE", mode);
}

static int set_restart(struct want *want, const char *text)
{
	static const char *const words[] = { "no", "on-failure", "always", "unless-stopped" };
	uint64_t max = 0;
	int r = 0;

	if (strncmp(text, "on-failure:", 11) == 0) {
		r = num_parse(text + 11, 1000000, &max);
		text = "on-failure";
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			want->policy.restart = (enum container_restart)i;
			want->policy.max = (unsigned)max;
			return r;
		}
	return fail(EINVAL, "'%s' is not no, on-failure[:N], always or unless-stopped", text);
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

static int set_cgroups(struct spec *s, const char *word)
{
	int r = spec_parse_cgroups(word);

	if (r < 0)
		return r;
	s->cgroups = (enum spec_cgroups)r;
	return 0;
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
	case OPT_TTY: s->terminal = true; return 0;
	case OPT_MEMORY: return specflag_memory(s, value);
	case OPT_MEMORY_SWAP: return specflag_memory_swap(s, value);
	case OPT_MEMORY_RESERVATION: return specflag_memory_reservation(s, value);
	case OPT_CPUS: return specflag_cpus(s, value);
	case OPT_CPU_SHARES: return specflag_cpu_shares(s, value);
	case OPT_CPUSET_CPUS: return specflag_cpuset(s, value);
	case OPT_PIDS_LIMIT: return specflag_pids(s, value);
	case OPT_CGROUPS: return set_cgroups(s, value);
	case OPT_STOP_SIGNAL: return specflag_stop_signal(s, value);
	case OPT_STOP_TIMEOUT: return specflag_seconds(&s->stop_timeout, value);
	case OPT_DETACH:
	case OPT_RM:
	case OPT_NAME:
	case OPT_REPLACE:
	case OPT_INTERACTIVE:
	case OPT_ENTRYPOINT:
	case OPT_RESTART:
	case OPT_TIMEOUT:
	case OPT_PULL:
	case OPT_PIDFILE:
	case OPT_CIDFILE:
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

/* What is no part of the spec: 1 if OPT is. */
static int take_option(struct want *want, enum opt opt, const struct args *args)
{
	switch (opt) {
	case OPT_DETACH: want->detach = args->on; return 0;
	case OPT_RM: want->rm = args->on; return 0;
	case OPT_NAME: want->name = args->value; return 0;
	case OPT_REPLACE: want->replace = args->on; return 0;
	case OPT_INTERACTIVE: return 0;
	case OPT_ENTRYPOINT: want->entrypoint = args->value; return 0;
	case OPT_RESTART: return set_restart(want, args->value);
	case OPT_TIMEOUT: return specflag_seconds(&want->timeout, args->value);
	case OPT_PULL: return set_pull(want, args->value);
	case OPT_PIDFILE: want->pidfile = args->value; return 0;
	case OPT_CIDFILE: want->cidfile = args->value; return 0;
	case OPT_ROOTFS: want->rootfs = args->value; return 0;
	case OPT_STORE: want->store = args->value; return 0;
	default: return 1;
	}
}

static void check_options(struct args *args, const struct want *want)
{
	if (args->count == 0)
		args_usage(args, want->rootfs ? "which command?" : "which image?");
	if (want->policy.restart != RESTART_NO && !want->detach)
		args_usage(args, "--restart goes with -d");
	if (want->policy.restart != RESTART_NO && want->rm)
		args_usage(args, "--restart does not go with --rm");
	if (want->detach && want->timeout)
		args_usage(args, "--timeout does not go with -d");
	if (want->replace && !want->name)
		args_usage(args, "--replace needs --name");
}

/* Each option is tried on a spec that nobody runs: wrong usage is found before anything is looked at. */
static void read_options(struct args *args, struct want *want)
{
	auto_spec struct spec trial = { 0 };
	int opt, r;

	if (spec_init(&trial) < 0)
		args_check(args, -ENOMEM);
	while ((opt = args_next(args)) != OPT_END) {
		r = take_option(want, (enum opt)opt, args);
		args_check(args, r);
		if (r == 0)
			continue;
		if (opt == OPT_NETWORK)
			want->network_of = strncmp(args->value, "container:", 10) == 0
				? args->value + 10
				: NULL;
		args_check(args, add_change(want, (enum opt)opt, args));
		args_check(
			args, change_spec(&trial, &(struct change){ (enum opt)opt, args->value }));
	}
	check_options(args, want);
}

/* --- the spec --- */

/* The network of another container: while it runs its namespace is found by its first process. */
static int join_network(struct store *s, struct spec *spec, const char *name)
{
	auto_container struct container *c = NULL;
	char path[48];
	int r = container_find(s, name, &c);

	if (r < 0)
		return r;
	if (!state_is_live(c->row->state) || !proc_alive(&c->row->init))
		return fail(EINVAL, "container '%s' does not run, so it has no network", name);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->row->init.pid);
	return spec_add_join(spec, CLONE_NEWNET, path);
}

static int spec_of_rootfs(struct spec *spec, struct args *args, struct want *want)
{
	auto_free char *path = realpath(want->rootfs, NULL);
	int r;

	if (!path)
		return fail_errno("'%s'", want->rootfs);
	r = spec_set_root_dir(spec, path);
	if (r == 0 && want->entrypoint && *want->entrypoint)
		r = spec_set_args(spec, (char *const *)&want->entrypoint, 1);
	return r < 0 ? r : spec_add_args(spec, args->operands, args->count);
}

static int spec_of_image(struct job *j, struct args *args, struct want *want)
{
	struct spec_words words = { want->entrypoint, args->operands + 1, args->count - 1 };
	auto_free char *layers = NULL;

	if (asprintf(&layers, "%s/layers", j->store->path) < 0) {
		layers = NULL;
		return fail(ENOMEM, "out of memory");
	}
	return spec_from_image(&j->spec, j->image, layers, &words);
}

static int make_spec(struct job *j, struct args *args, struct want *want)
{
	int r = spec_init(&j->spec);

	if (r == 0)
		r = j->image ? spec_of_image(j, args, want) : spec_of_rootfs(&j->spec, args, want);
	if (r == 0)
		r = change_all(&j->spec, want);
	if (r == 0 && want->network_of)
		r = join_network(j->store, &j->spec, want->network_of);
	/* What it writes lies with it, wherever that will be. */
	if (r == 0 && j->image && !want->rm)
		r = spec_set(&j->spec.root.upper, SPEC_UPPER_HOME);
	if (r == 0 && j->spec.terminal && !spec_env(&j->spec, "TERM"))
		r = spec_set_env(&j->spec, "TERM=xterm");
	return r;
}

/* --- running --- */

static int write_cidfile(const struct want *want, const char *id)
{
	auto_close int fd = -1;

	if (!want->cidfile)
		return 0;
	fd = open(want->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno("make '%s'", want->cidfile);
	return dprintf(fd, "%s\n", id) < 0 ? fail_errno("write '%s'", want->cidfile) : 0;
}

/* The words of a command for people. */
static int join_words(struct buf *out, char *const *words)
{
	for (size_t i = 0; words[i] && out->len < 200; i++)
		buf_printf(out, "%s%s", i ? " " : "", words[i]);
	return buf_check(out);
}

static int create(struct job *j, const struct want *want, const char *text, struct container **out)
{
	auto_buf struct buf command = { 0 };
	char digest[DIGEST_TEXT] = "";
	struct container_new n = {
		.name = want->name,
		.image_ref = j->image ? j->image->reference : want->rootfs,
		.image_digest = digest,
		.labels = j->spec.labels,
		.layers = j->image ? j->image->layers : NULL,
		.spec = text,
		.spec_len = strlen(text),
		.durable = !want->rm,
		.foreground = !want->detach,
		.replace = want->replace,
		.restart = want->policy.restart,
		.restart_max = want->policy.max,
	};
	int r = join_words(&command, j->spec.args);

	if (r < 0)
		return r;
	n.command = command.data;
	if (j->image)
		digest_format(digest, &j->image->manifest);
	r = container_create(j->store, &n, out);
	if (r == 0 && j->image)
		r = image_check(j->store, j->image);
	return r == 0 ? write_cidfile(want, (*out)->row->id) : r;
}

static int run_foreground(struct job *j, const struct want *want, struct container *c, int *status)
{
	struct foreground f = {
		.store = j->store,
		.container = c,
		.timeout = (int64_t)want->timeout * 1000,
		.pidfile = want->pidfile,
	};
	struct launch l;
	auto_free char *upper = NULL;

	if (!want->rm && j->image) {
		if (asprintf(&upper, "%s/containers/%s", j->store->path, c->row->id) < 0) {
			upper = NULL;
			return fail(ENOMEM, "out of memory");
		}
		if (spec_set(&j->spec.root.upper, upper) < 0)
			return -ENOMEM;
	}
	launch_init(&l, &j->spec);
	return foreground_run(&f, &l, status);
}

static int run_detached(
	struct job *j, const struct want *want, struct container *c, const char *text, int *status)
{
	int r = detach_start(j->store, c, &want->policy, text, status);

	if (r < 0)
		return r;
	*status = 0;
	puts(c->row->id);
	return 0;
}

/* Run it; what did not start leaves nothing. */
static int run(struct job *j, const struct want *want)
{
	auto_container struct container *c = NULL;
	auto_buf struct buf text = { 0 };
	int status = 125, r = spec_format(&text, &j->spec);

	if (r == 0)
		r = create(j, want, text.data, &c);
	if (r == 0)
		r = want->detach ? run_detached(j, want, c, text.data, &status)
				 : run_foreground(j, want, c, &status);
	if (r == 0)
		return status;
	die_print();
	fail_clear();
	if (c && want->cidfile)
		unlink(want->cidfile);
	if (c && container_remove(j->store, c) < 0)
		die_print();
	return status;
}

/* --- the image --- */

static int not_here(int r, const char *name)
{
	return r == -ENOENT && !*fail_hint_text() ? fail_hint(r, "bring it in: qpull %s", name) : r;
}

static int pull(struct store *s, const char *name, struct image **image)
{
	struct pull_options o = { .source = name };
	bool changed;
	int r = store_db(s);

	oci_platform_native(&o.platform);
	return r < 0 ? r : pull_run(s, &o, image, &changed);
}

/* What must be kept needs a store that can be written; else one that is read-only or absent will do. */
static int open_store(struct job *j, const struct want *want, bool writing)
{
	int r;

	store_close(j->store);
	j->store = NULL;
	r = store_open(&j->store, want->store, writing ? STORE_WRITE : STORE_RUN);
	return r == -EROFS ? fail_hint(r, "with --rm it runs from memory") : r;
}

static int find_image(struct job *j, const struct want *want, const char *name)
{
	int r = open_store(j, want, !want->rm);

	if (r == 0)
		r = want->pull == PULL_ALWAYS ? -ENOENT : image_find(j->store, name, &j->image);
	if (r != -ENOENT || want->pull == PULL_NEVER)
		return not_here(r, name);
	if (want->rm)
		r = open_store(j, want, true);
	else
		r = 0;
	return r < 0 ? r : pull(j->store, name, &j->image);
}

int qrun_main(struct args *args)
{
	struct want want = { 0 };
	struct job j = { 0 };
	int r = launch_protect(args->applet, args->argv);

	if (r < 0)
		return r;
	read_options(args, &want);
	r = want.rootfs ? open_store(&j, &want, !want.rm)
			: find_image(&j, &want, args->operands[0]);
	if (r == 0)
		r = make_spec(&j, args, &want);
	if (r == 0)
		r = run(&j, &want);
	spec_free(&j.spec);
	image_free(j.image);
	store_close(j.store);
	free(want.changes);
	return r;
}
