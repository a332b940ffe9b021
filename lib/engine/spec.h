/* SPDX-License-Identifier: MIT */
/* spec - what to run and how, as an OCI runtime spec says it, in memory
 *
 * spec_init is the one template; flags and the image's config change it afterwards, and specjson.h
 * writes and reads it as a config.json. All strings and lists belong to the spec. */
#ifndef ENGINE_SPEC_H
#define ENGINE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/cgrouplimit.h"

struct image;

struct spec_mount {
	char *target, *type, *source; /* type "bind": source is a path of the host */
	char *data;                   /* NULL: none */
	unsigned long flags;          /* MS_*; of a bind with submounts MS_BIND | MS_REC */
	unsigned long propagation; /* MS_PRIVATE, MS_SLAVE, ..., perhaps MS_REC; 0 as MS_PRIVATE */
	bool optional;             /* skipped where the kernel does not have it */
	bool copy_up; /* an empty source first gets what the root holds in this place */
};

struct spec_device {
	char *path;    /* absolute; usually below /dev */
	unsigned type; /* S_IFCHR, S_IFBLK, S_IFIFO */
	unsigned major, minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	char access
		[4]; /* of "rwm": what the device cgroup lets through; "": nothing is added to it */
};

struct spec_sysctl {
	char *path, *value; /* path below /proc/sys, with slashes */
	bool optional; /* skipped where the kernel does not have it, or another namespace rules it */
};

struct spec_rlimit {
	int resource;
	uint64_t soft, hard; /* lowered to what is inherited, never raised */
};

/* A namespace of somebody else to join: PATH as /proc/PID/ns/net, of a type CLONE_NEW*. */
struct spec_join {
	int flag;
	char *path;
};

enum spec_root_kind {
	SPEC_ROOT_LAYERS, /* an overlay of layers */
	SPEC_ROOT_DIR,    /* a directory as it is; what is written stays */
};

struct spec_root {
	enum spec_root_kind kind;
	char *dir;     /* the directory, or the one that holds the layers */
	char **layers; /* names in DIR of what has the tree in fs/; top first, NULL-terminated */
	size_t layer_count;
	char *upper; /* directory that holds upper/ and work/; NULL: in memory, gone at the end */
	bool read_only;
	unsigned long propagation; /* MS_*; 0 as MS_PRIVATE */
};

/* Is a cgroup made for it? */
enum spec_cgroups {
	SPEC_CGROUPS_ENABLED, /* a limit that cannot be enforced is an error if it was asked for */
	SPEC_CGROUPS_BEST_EFFORT, /* it is left out, and said */
	SPEC_CGROUPS_DISABLED,    /* none: it stays where its parent is */
};

struct spec {
	struct spec_root root;
	char **args, **env; /* NULL-terminated; env holds KEY=VALUE, each KEY once */
	char *cwd;          /* absolute */
	char *user;         /* as passwd_find takes it */
	char **groups;      /* more of them, names or numbers; NULL-terminated */
	char **labels;      /* KEY=VALUE, each KEY once: annotations of a config.json */
	char hostname[65];
	int namespaces; /* CLONE_NEW* to make */
	struct spec_join *joins;
	uint64_t caps;
	bool no_new_privileges;
	char *seccomp; /* NULL: the default filter; "unconfined"; else the text of a profile */
	bool terminal; /* a new pty is the standard input, output and error */
	unsigned short rows, columns;
	bool init;     /* our own init is process 1 */
	int oom_score; /* oom_score_adj; INT_MIN: as inherited, but not less than 0 */
	mode_t umask;
	struct spec_mount *mounts;
	struct spec_device *devices;
	struct spec_sysctl *sysctls;
	struct spec_rlimit *rlimits;
	char **masked, **read_only; /* "*" stands for a number */
	enum spec_cgroups cgroups;
	char *cgroup;                /* as cgroup_create takes it; NULL: launch chooses */
	struct cgroup_limits limits; /* the strings and the list of devices are the spec's */
	bool limited;                /* some of them were asked for */
	int stop_signal;
	int stop_timeout; /* seconds */
	size_t mount_count, device_count, sysctl_count, rlimit_count, join_count;
};

/* The template: everything but root and args. -ENOMEM with text; spec_free releases in any case. */
int spec_init(struct spec *s);
void spec_free(struct spec *s);
#define auto_spec __attribute__((cleanup(spec_free)))

/* Nothing in it: no namespace, right, mount or limit. For spec_parse. */
void spec_clear(struct spec *s);

/* The tree is that of directory DIR. */
int spec_set_root_dir(struct spec *s, const char *dir);

/* Run the COUNT words of ARGS. */
int spec_set_args(struct spec *s, char *const *args, size_t count);
int spec_add_args(struct spec *s, char *const *args, size_t count); /* after those it has */

/* Set KEY=VALUE, in the place of an older one. -EINVAL without a KEY. */
int spec_set_env(struct spec *s, const char *item);
int spec_set_label(struct spec *s, const char *item);

/* The value of KEY, NULL if it is not set. */
const char *spec_env(const struct spec *s, const char *key);
const char *spec_label(const struct spec *s, const char *key);

/* Set a string member of S to a copy of VALUE: spec_set(&s->cwd, "/"). */
int spec_set(char **member, const char *value);

/* The host name, also as HOSTNAME in the environment. -EINVAL: not of 1 to 64 letters, digits, "-", "." */
int spec_set_hostname(struct spec *s, const char *name);

/* Append a copy of *ITEM, strings included; a mount, sysctl, or limit takes the place of one with the same
 * target, path, or resource. */
int spec_add_layer(struct spec *s, const char *layer); /* below those there are */
int spec_add_mount(struct spec *s, const struct spec_mount *item);
int spec_add_device(struct spec *s, const struct spec_device *item);
int spec_add_rule(struct spec *s, const struct cgroup_device *item); /* of the device cgroup */
int spec_add_sysctl(struct spec *s, const char *path, const char *value, bool optional);
int spec_add_rlimit(struct spec *s, const struct spec_rlimit *item);
int spec_add_join(struct spec *s, int flag, const char *path);
int spec_add_group(struct spec *s, const char *group);
int spec_add_masked(struct spec *s, const char *path);
int spec_add_read_only(struct spec *s, const char *path);

/* Take the mount of TARGET out, if there is one. */
void spec_remove_mount(struct spec *s, const char *target);

/* All capabilities, nothing masked, no filter, /sys and cgroups writable. */
int spec_set_privileged(struct spec *s);

/* Parse the options of a mount ("ro", "nosuid", "rbind", "rslave", ...) into M; what is no flag becomes DATA.
 * -EINVAL names the option. */
int spec_parse_mount_options(struct spec_mount *m, const char *options);

/* "enabled", "best-effort", "disabled". -EINVAL with text. */
int spec_parse_cgroups(const char *word);
const char *spec_cgroups_word(enum spec_cgroups mode);

/* Number of a resource as RLIMIT_NOFILE from "nofile" or "RLIMIT_NOFILE". -EINVAL with text. */
int spec_parse_rlimit(const char *name);
const char *spec_rlimit_name(int resource); /* "RLIMIT_NOFILE" */

/* The namespace (CLONE_NEW*) that the sysctl PATH belongs to; 0: it is the host's. */
int spec_sysctl_namespace(const char *path);

/* Take the layers of image I, which lie in the directory LAYERS, and what its config says: environment,
 * working directory, user, stop signal, and the words to run: ENTRYPOINT (NULL: its own; "" none), then the
 * COUNT words of ARGS, or its own command if COUNT is 0 and ENTRYPOINT is NULL. -EINVAL: the image names no
 * command and there are no ARGS. */
struct spec_words {
	const char *entrypoint;
	char *const *args;
	size_t count;
};
int spec_from_image(
	struct spec *s, const struct image *i, const char *layers, const struct spec_words *words);

#endif
