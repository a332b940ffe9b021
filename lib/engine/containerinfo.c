/* SPDX-License-Identifier: MIT */
/* container - what is known of a container, for people and programs */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/time.h"
#include "engine/container.h"
#include "engine/containerfile.h"
#include "engine/reconcile.h"
#include "kernel/fd.h"
#include "kernel/file.h"

#define SPEC_MAX (1u << 20)

bool container_is_supervised(struct store *s, const struct container *c)
{
	auto_close int dir = -1;

	if (c->row->monitor.pid && proc_alive(&c->row->monitor))
		return true;
	dir = container_run_dir(s, c->row->id);
	return dir >= 0 && file_is_locked(dir, "alive");
}

static void format_up(
	struct store *s, const struct container *c, const char *more, char *out, size_t size)
{
	char span[40];

	time_format_ago(span, sizeof(span), time_mono() - c->row->started_mono);
	snprintf(out, size, "Up %s%s%s", span, more,
		container_is_supervised(s, c) ? "" : " (unsupervised)");
}

void container_status(struct store *s, const struct container *c, char *out, size_t size)
{
	const struct instance *i = c->row;

	switch (i->state) {
	case STATE_CREATING: snprintf(out, size, "Creating"); break;
	case STATE_CREATED: snprintf(out, size, "Created"); break;
	case STATE_STARTING: snprintf(out, size, "Starting"); break;
	case STATE_RUNNING: format_up(s, c, "", out, size); break;
	case STATE_PAUSED: format_up(s, c, " (Paused)", out, size); break;
	case STATE_RESTARTING:
		snprintf(out, size, "Restarting (%d)", i->has_last ? i->last.code : 0);
		break;
	case STATE_STOPPING: snprintf(out, size, "Stopping"); break;
	case STATE_STOPPED:
		if (i->has_last)
			exitrecord_format(out, size, &i->last, time_now());
		else
			snprintf(out, size, "Exited (unknown)");
		break;
	case STATE_REMOVING: snprintf(out, size, "Removal In Progress"); break;
	case STATE_COUNT: break;
	}
}

/* --- JSON --- */

/* NAME as RFC 3339 and NAME_ns; no time is "" and 0, so that every member is always there. */
static bool add_time(struct json *to, const char *name, int64_t ns)
{
	char text[40] = "", key[40];

	if (ns)
		time_format(text, sizeof(text), ns);
	snprintf(key, sizeof(key), "%s_ns", name);
	return json_add(to, name, json_new_string(text)) && json_add(to, key, json_new_int(ns));
}

static bool add_exit(struct json *to, const struct instance *i)
{
	struct exit_record none = { .reason = REASON_EXITED };
	const struct exit_record *e = i->has_last ? &i->last : &none;

	return json_add(to, "running", json_new_bool(i->state == STATE_RUNNING)) &&
		json_add(to, "exit_code", json_new_int(e->code)) &&
		json_add(to, "exit_known", json_new_bool(e->known)) &&
		json_add(to, "exit_signal", json_new_int(e->signal)) &&
		json_add(to, "exit_reason",
			json_new_string(i->has_last ? exitrecord_reason(e->reason) : "")) &&
		json_add(to, "oom_killed", json_new_bool(e->oom)) &&
		json_add(to, "error", json_new_string(e->error)) &&
		add_time(to, "finished", e->ended);
}

static struct json *labels_json(char *const *labels)
{
	auto_json struct json *out = json_new(JSON_OBJECT);

	for (; labels && *labels; labels++) {
		char *value = strchr(*labels, '=');
		bool ok;

		/* A row gives every label with "=". */
		if (!value)
			continue;
		*value = '\0';
		ok = json_add(out, *labels, json_new_string(value + 1));
		*value = '=';
		if (!ok)
			return NULL;
	}
	return take_ptr(out);
}

int container_describe(struct store *s, const struct container *c, struct json **out)
{
	auto_json struct json *j = json_new(JSON_OBJECT);
	const struct instance *i = c->row;
	bool live = state_is_live(i->state);
	char status[96];

	*out = NULL;
	container_status(s, c, status, sizeof(status));
	if (!json_add(j, "id", json_new_string(i->id)) ||
		!json_add(j, "name", json_new_string(i->name)) ||
		!json_add(j, "image", json_new_string(i->image_ref)) ||
		!json_add(j, "image_digest", json_new_string(i->image_digest)) ||
		!json_add(j, "command", json_new_string(i->command)) ||
		!json_add(j, "labels", labels_json(i->labels)) ||
		!json_add(j, "ports", json_new(JSON_ARRAY)) ||
		!json_add(j, "state", json_new_string(state_name(i->state))) ||
		!json_add(j, "status", json_new_string(status)) ||
		!json_add(j, "durable", json_new_bool(i->durable)) ||
		!json_add(j, "foreground", json_new_bool(i->foreground)) ||
		!json_add(j, "supervised", json_new_bool(live && container_is_supervised(s, c))) ||
		!json_add(j, "pid", json_new_int(live ? i->init.pid : 0)) ||
		!json_add(j, "monitor_pid", json_new_int(live ? i->monitor.pid : 0)) ||
		!json_add(j, "cgroup", json_new_string(i->cgroup)) ||
		!json_add(j, "run", json_new_int(i->run)) ||
		!json_add(j, "restarts", json_new_int(i->restarts)) ||
		!add_time(j, "created", i->created) || !add_time(j, "started", i->started) ||
		!add_exit(j, i))
		return fail(ENOMEM, "out of memory");
	*out = take_ptr(j);
	return 0;
}

/* What of container.json is not told yet, and what runs. */
static int add_files(const struct container *c, int home, struct json *to)
{
	auto_json struct json *facts = NULL, *spec = NULL;
	auto_buf struct buf text = { 0 };
	int r = containerfile_load(home, c->row->id, &facts);

	for (const struct json *m = r == 0 ? facts->child : NULL; m; m = m->next)
		if (strcmp(m->key, "v") != 0 && !json_get(to, m->key) &&
			!json_add(to, m->key, json_copy(m)))
			return fail(ENOMEM, "out of memory");
	if (r == 0)
		r = fd_read_file(home, "spec.json", &text, SPEC_MAX);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &spec);
	if (r == 0 && !json_add(to, "spec", take_ptr(spec)))
		r = fail(ENOMEM, "out of memory");
	return r;
}

int container_inspect(struct store *s, const struct container *c, struct json **out)
{
	auto_close int home = container_home(s, c);
	auto_json struct json *j = NULL;
	int r = container_describe(s, c, &j);

	*out = NULL;
	if (r == 0 && home >= 0)
		r = add_files(c, home, j);
	if (r == 0)
		*out = take_ptr(j);
	return r;
}
