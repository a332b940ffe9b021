/* SPDX-License-Identifier: MIT */
/* spec - what to run and how, as an OCI runtime spec says it, in memory
 *
 * spec_init is the one template; flags and the image's config change it afterwards. Lists of the
 * template are constant tables, shared by all. */
#ifndef ENGINE_SPEC_H
#define ENGINE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct image;

struct spec_mount {
	const char *target, *type, *source;
	unsigned long flags; /* MS_* */
	const char *data;    /* NULL: none */
	bool optional;       /* skipped where the kernel does not have it */
	bool unified;        /* only where the host has nothing but cgroup v2 */
};

struct spec_device {
	const char *name;
	unsigned major, minor; /* of a character device, mode 0666 */
};

struct spec_link {
	const char *name, *target;
};

struct spec_sysctl {
	const char *path, *value; /* below /proc/sys; skipped where the kernel does not have it */
	int namespace;            /* only if the container has its own of these: CLONE_NEW* */
};

struct spec_rlimit {
	int resource;
	uint64_t soft, hard; /* lowered to what is inherited, never raised */
};

enum spec_root_kind {
	SPEC_ROOT_LAYERS, /* an overlay of layers; what is written lies in memory and
                       goes at the end */
	SPEC_ROOT_DIR,    /* a directory as it is; what is written stays */
};

struct spec_root {
	enum spec_root_kind kind;
	char *dir;     /* the directory, or the one that holds the layers */
	char **layers; /* names in DIR of what has the tree in fs/; top first,
                    NULL-terminated */
	size_t layer_count;
};

struct spec {
	struct spec_root root;
	char **args, **env; /* NULL-terminated; env holds KEY=VALUE, each KEY once */
	char *cwd, *user;   /* absolute; as passwd_find takes it */
	char hostname[65];
	int namespaces; /* CLONE_NEW* */
	uint64_t caps;
	mode_t umask;
	const struct spec_mount *mounts;
	const struct spec_device *devices; /* in /dev */
	const struct spec_link *links;     /* in /dev */
	const struct spec_sysctl *sysctls;
	const struct spec_rlimit *rlimits;
	const char *const *masked, *const *read_only;
	size_t mount_count, device_count, link_count, sysctl_count, rlimit_count, masked_count,
		read_only_count;
};

/* The template: everything but root and args. -ENOMEM with text; spec_free releases in any case. */
int spec_init(struct spec *s);
void spec_free(struct spec *s);
#define auto_spec __attribute__((cleanup(spec_free)))

/* The tree is that of directory DIR. */
int spec_set_root_dir(struct spec *s, const char *dir);

/* Run the COUNT words of ARGS. */
int spec_set_args(struct spec *s, char *const *args, size_t count);

/* Set KEY=VALUE, in the place of an older one. -EINVAL without a KEY. */
int spec_set_env(struct spec *s, const char *item);

/* The value of KEY, NULL if it is not set. */
const char *spec_env(const struct spec *s, const char *key);

/* Working directory; user. */
int spec_set_cwd(struct spec *s, const char *cwd);
int spec_set_user(struct spec *s, const char *user);

/* Take the layers of image I, which lie in the directory LAYERS, and what its config says:
 * environment, working directory, user, and the words to run: its entry point and then the COUNT
 * words of ARGS, or its own command if COUNT is 0. -EINVAL: the image names no command and there
 * are no ARGS. */
int spec_from_image(
	struct spec *s, const struct image *i, const char *layers, char *const *args, size_t count);

#endif
