/* SPDX-License-Identifier: MIT */
/* containerfile - container.json and state.json (FORMATS 3.6)
 *
 * container.json is what a container is, state.json is what runs now. Both are 1 MiB at most, and what we do
 * not know in container.json is kept. */
#ifndef ENGINE_CONTAINERFILE_H
#define ENGINE_CONTAINERFILE_H

#include "base/json.h"
#include "engine/container.h"
#include "service/instance.h"

/* Write DIR/container.json of I, made as N says. */
int containerfile_save(int dir, const struct instance *i, const struct container_new *n);

/* Read it. -ENOENT; -EBADMSG: damaged, or of another than ID. containerfile_read gives the row it stands for
 * (state created, or stopped if it ever ran) and the layers (free with containerfile_free_list). */
int containerfile_load(int dir, const char *id, struct json **out);
int containerfile_read(const struct json *j, struct instance **out, char ***layers);
void containerfile_free_list(char **list);

/* Write the number of the present run. */
int containerfile_set_run(int dir, const struct instance *i);

/* Does its restart policy ever start it again? */
bool containerfile_restarts(const struct json *j);

/* Write DIR/state.json of I; read what it says of the processes into I, which has its id. -ENOENT: there is
 * none of this boot; -EBADMSG. */
int containerfile_save_state(int dir, const struct instance *i);
int containerfile_load_state(int dir, struct instance *i);

#endif
