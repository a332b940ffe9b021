/* SPDX-License-Identifier: MIT */
/* containerfile - container.json and state.json (FORMATS 3.6) */
#include "engine/containerfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "kernel/file.h"
#include "kernel/proc.h"

#define VERSION  1
#define FILE_MAX (1u << 20)

static const char *const restart_names[] = {
	[RESTART_NO] = "no",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ALWAYS] = "always",
	[RESTART_UNLESS_STOPPED] = "unless-stopped",
};

static int save(int dir, const char *name, const struct json *j)
{
	auto_buf struct buf text = { 0 };
	int r;

	json_format(&text, j);
	buf_putc(&text, '\n');
	r = buf_check(&text);
	if (r == 0 && text.len > FILE_MAX)
		r = fail(EFBIG, "'%s' would be larger than %u bytes", name, FILE_MAX);
	return r < 0 ? r : file_replace(dir, dir, name, text.data, text.len);
}

static int load(int dir, const char *name, const char *id, struct json **out)
{
	auto_json struct json *j = NULL;
	auto_buf struct buf text = { 0 };
	int64_t version = 0;
	const char *found;
	int r = fd_read_file(dir, name, &text, FILE_MAX);

	*out = NULL;
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &j);
	if (r == -EFBIG)
		r = -EBADMSG;
	if (r < 0)
		return r == -ENOENT ? r : fail_wrap(r, "%s of container %.12s", name, id);
	if (json_get_int(j, "v", &version) <= 0 || version != VERSION ||
		json_get_string(j, "id", &found) <= 0 || strcmp(found, id) != 0)
		return fail(EBADMSG, "%s of container %.12s is damaged", name, id);
	*out = take_ptr(j);
	return 0;
}

/* --- container.json --- */

static struct json *list_json(char *const *list)
{
	auto_json struct json *out = json_new(JSON_ARRAY);

	for (; list && *list; list++)
		if (!json_add(out, NULL, json_new_string(*list)))
			return NULL;
	return take_ptr(out);
}

static struct json *labels_json(char *const *labels)
{
	auto_json struct json *out = json_new(JSON_OBJECT);

	for (; labels && *labels; labels++) {
		const char *value = strchr(*labels, '=');
		auto_free char *key =
			value ? strndup(*labels, (size_t)(value - *labels)) : strdup(*labels);

		if (!key || !json_add(out, key, json_new_string(value ? value + 1 : "")))
			return NULL;
	}
	return take_ptr(out);
}

int containerfile_save(int dir, const struct instance *i, const struct container_new *n)
{
	auto_json struct json *j = json_new(JSON_OBJECT);

	if (!json_add(j, "v", json_new_int(VERSION)) ||
		!json_add(j, "id", json_new_string(i->id)) ||
		!json_add(j, "name", json_new_string(i->name)) ||
		!json_add(j, "image", json_new_string(i->image_ref)) ||
		!json_add(j, "image_digest", json_new_string(i->image_digest)) ||
		!json_add(j, "command", json_new_string(i->command)) ||
		!json_add(j, "labels", labels_json(i->labels)) ||
		!json_add(j, "layers", list_json(n->layers)) ||
		!json_add(j, "foreground", json_new_bool(i->foreground)) ||
		!json_add(j, "restart", json_new_string(restart_names[n->restart])) ||
		!json_add(j, "restart_max", json_new_int(n->restart_max)) ||
		!json_add(j, "created", json_new_int(i->created)) ||
		!json_add(j, "seq", json_new_int(i->seq)) ||
		!json_add(j, "run", json_new_int(i->run)))
		return fail(ENOMEM, "out of memory");
	return save(dir, "container.json", j);
}

int containerfile_load(int dir, const char *id, struct json **out)
{
	return load(dir, "container.json", id, out);
}

int containerfile_set_run(int dir, const struct instance *i)
{
	auto_json struct json *j = NULL;
	int r = load(dir, "container.json", i->id, &j);

	if (r < 0)
		return r;
	if (!json_add(j, "run", json_new_int(i->run)))
		return fail(ENOMEM, "out of memory");
	return save(dir, "container.json", j);
}

bool containerfile_restarts(const struct json *j)
{
	const char *policy = restart_names[RESTART_NO];

	return json_get_string(j, "restart", &policy) > 0 &&
		strcmp(policy, restart_names[RESTART_NO]) != 0;
}

void containerfile_free_list(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

/* The strings of the array (NULL: none), or KEY=VALUE of the object J, NULL-terminated. */
static int read_list(const struct json *j, char ***out)
{
	char **list = calloc((j ? j->count : 0) + 1, sizeof(*list));
	size_t n = 0;
	int r = list ? 0 : -ENOMEM;

	for (j = j ? j->child : NULL; j && r == 0; j = j->next) {
		if (j->type != JSON_STRING)
			r = -EBADMSG;
		else if (asprintf(&list[n], "%s%s%s", j->key ? j->key : "", j->key ? "=" : "",
				 j->string) < 0)
			r = -ENOMEM;
		else
			n++;
	}
	if (r < 0) {
		if (list)
			list[n] = NULL;
		containerfile_free_list(list);
		return fail(-r, r == -ENOMEM ? "out of memory" : "container.json is damaged");
	}
	*out = list;
	return 0;
}

static bool get_copy(const struct json *j, const char *key, char **out)
{
	const char *s;

	if (json_get_string(j, key, &s) <= 0)
		return false;
	*out = strdup(s);
	return *out;
}

int containerfile_read(const struct json *j, struct instance **out, char ***layers)
{
	auto_instance struct instance *i = calloc(1, sizeof(*i));
	const struct json *labels = NULL, *list = NULL;
	const char *id;
	int r;

	if (!i)
		return fail(ENOMEM, "out of memory");
	if (json_get_string(j, "id", &id) <= 0 || str_copy(i->id, sizeof(i->id), id) < 0 ||
		!get_copy(j, "name", &i->name) || !get_copy(j, "image", &i->image_ref) ||
		!get_copy(j, "image_digest", &i->image_digest) ||
		!get_copy(j, "command", &i->command) ||
		json_get_object(j, "labels", &labels) <= 0 ||
		json_get_array(j, "layers", &list) <= 0 ||
		json_get_bool(j, "foreground", &i->foreground) <= 0 ||
		json_get_int(j, "created", &i->created) <= 0 ||
		json_get_int(j, "seq", &i->seq) <= 0 || json_get_int(j, "run", &i->run) <= 0)
		return fail(EBADMSG, "container.json is damaged");
	i->cgroup = strdup("");
	i->state = i->run ? STATE_STOPPED : STATE_CREATED;
	r = i->cgroup ? read_list(labels, &i->labels) : fail(ENOMEM, "out of memory");
	if (r == 0)
		r = read_list(list, layers);
	if (r == 0)
		*out = take_ptr(i);
	return r;
}

/* --- state.json --- */

static struct json *process_json(const struct proc_id *p)
{
	auto_json struct json *out = json_new(JSON_OBJECT);

	return json_add(out, "pid", json_new_int(p->pid)) &&
			json_add(out, "start", json_new_int((int64_t)p->start))
		? take_ptr(out)
		: NULL;
}

int containerfile_save_state(int dir, const struct instance *i)
{
	auto_json struct json *j = json_new(JSON_OBJECT);
	char boot[37], created[40];
	int r = proc_boot_id(boot);

	if (r < 0)
		return r;
	time_format(created, sizeof(created), i->created);
	/* The first five members are what runc writes. */
	if (!json_add(j, "id", json_new_string(i->id)) ||
		!json_add(j, "init_process_pid", json_new_int(i->init.pid)) ||
		!json_add(j, "init_process_start", json_new_int((int64_t)i->init.start)) ||
		!json_add(j, "created", json_new_string(created)) ||
		!json_add(j, "cgroup_path", json_new_string(i->cgroup)) ||
		!json_add(j, "v", json_new_int(VERSION)) ||
		!json_add(j, "boot", json_new_string(boot)) ||
		!json_add(j, "pidns", json_new_int((int64_t)i->init.pidns)) ||
		!json_add(j, "monitor", process_json(&i->monitor)) ||
		!json_add(j, "run", json_new_int(i->run)) ||
		!json_add(j, "restarts", json_new_int(i->restarts)) ||
		!json_add(j, "netns", json_new_int(i->netns)) ||
		!json_add(j, "started", json_new_int(i->started)) ||
		!json_add(j, "started_mono", json_new_int(i->started_mono)))
		return fail(ENOMEM, "out of memory");
	return save(dir, "state.json", j);
}

static bool get_process(
	const struct json *j, const char *pid, const char *start, struct proc_id *out)
{
	int64_t number, ticks;

	if (json_get_int(j, pid, &number) <= 0 || json_get_int(j, start, &ticks) <= 0 ||
		number < 0 || number > INT32_MAX || ticks < 0)
		return false;
	out->pid = (pid_t)number;
	out->start = (uint64_t)ticks;
	return true;
}

int containerfile_load_state(int dir, struct instance *i)
{
	auto_json struct json *j = NULL;
	struct instance found = *i;
	const struct json *monitor = NULL;
	const char *boot, *cgroup;
	char *copy, now[37];
	int64_t pidns;
	int r = load(dir, "state.json", i->id, &j);

	if (r == 0)
		r = proc_boot_id(now);
	if (r < 0)
		return r;
	if (json_get_string(j, "boot", &boot) <= 0 || json_get_int(j, "pidns", &pidns) <= 0 ||
		!get_process(j, "init_process_pid", "init_process_start", &found.init) ||
		json_get_object(j, "monitor", &monitor) <= 0 ||
		!get_process(monitor, "pid", "start", &found.monitor) ||
		json_get_string(j, "cgroup_path", &cgroup) <= 0 ||
		json_get_int(j, "run", &found.run) <= 0 ||
		json_get_int(j, "restarts", &found.restarts) <= 0 ||
		json_get_int(j, "netns", &found.netns) <= 0 ||
		json_get_int(j, "started", &found.started) <= 0 ||
		json_get_int(j, "started_mono", &found.started_mono) <= 0)
		return fail(EBADMSG, "state.json of container %.12s is damaged", i->id);
	if (strcmp(boot, now) != 0)
		return -ENOENT;
	copy = strdup(cgroup);
	if (!copy)
		return fail(ENOMEM, "out of memory");
	free(i->cgroup);
	found.cgroup = copy;
	found.init.pidns = found.monitor.pidns = (uint64_t)pidns;
	*i = found;
	return 0;
}
