/* qinspect - print all facts of containers and images
 *
 * usage: qinspect [-t TYPE] [--format=TEMPLATE] NAME...
 *
 * Print one JSON array with an object for each NAME: a container (name, id, or two or more of its
 * first digits) or else an image (reference, id, digest). The members have the same names as
 * with qps --json and qimage inspect.
 *
 * options:
 *   -t, --type=TYPE        look only for a container, or only for an image
 *       --format=TEMPLATE  print as TEMPLATE says, a line for each NAME
 *       --store=DIR        the store to use
 *
 * environment:
 *   QBOX_STORE             the store, if --store is not given
 *   QBOX_RUN               where the state of this boot is kept
 *
 * exit status:
 *   0  done
 *   1  failed, or there is no such thing
 *   2  wrong usage
 *
 * examples:
 *   qinspect web1
 *   qinspect --format='{{.State.Status}}' web1
 *   qinspect --format='{{index .Config.Labels "version"}}' web1
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "gen/qinspect.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "cli/template.h"
#include "engine/container.h"
#include "engine/image.h"
#include "engine/imageinfo.h"

struct want {
	const char *store, *format;
	bool containers, images;
};

static int set_type(struct want *want, const char *type)
{
	want->containers = strcmp(type, "container") == 0;
	want->images = strcmp(type, "image") == 0;
	return want->containers || want->images
		? 0
		: fail(EINVAL, "'%s' is neither container nor image", type);
}

static int inspect_container(struct store *s, const char *name, struct json **out)
{
	auto_container struct container *c = NULL;
	int r = container_find(s, name, &c);

	return r < 0 ? r : container_inspect(s, c, out);
}

static int inspect_image(struct store *s, const char *name, struct json **out)
{
	auto_image struct image *i = NULL;
	int r = s->refs < 0 ? fail(ENOENT, "no image '%s': there is no store", name)
			    : image_find(s, name, &i);

	return r < 0 ? r : imageinfo_describe(s, i, out);
}

static int inspect(struct store *s, const char *name, const struct want *want, struct json **out)
{
	const char *type = "container";
	int r = -ENOENT;

	if (want->containers)
		r = inspect_container(s, name, out);
	if (r == -ENOENT && want->images) {
		type = "image";
		r = inspect_image(s, name, out);
	}
	if (r == -ENOENT && want->containers && want->images)
		return fail(ENOENT, "no container and no image '%s'", name);
	if (r == 0 && !json_add(*out, "type", json_new_string(type)))
		r = fail(ENOMEM, "out of memory");
	return r;
}

static int print(const struct json *j, const struct want *want, bool first)
{
	auto_buf struct buf text = { 0 };
	int r = 0;

	if (want->format) {
		r = template_fill(&text, want->format, j, false);
		buf_putc(&text, '\n');
	} else {
		buf_puts(&text, first ? "[" : ",\n");
		json_format(&text, j);
	}
	if (r == 0)
		r = buf_check(&text);
	if (r == 0)
		fwrite(text.data, 1, text.len, stdout);
	return r;
}

static int print_all(struct store *s, struct args *args, const struct want *want)
{
	size_t n, printed = 0;
	int r, status = 0;

	for (n = 0; n < args->count; n++) {
		auto_json struct json *j = NULL;

		r = inspect(s, args->operands[n], want, &j);
		if (r == 0)
			r = print(j, want, printed == 0);
		if (r == 0) {
			printed++;
			continue;
		}
		die_print();
		status = EXIT_FAILURE;
	}
	if (!want->format)
		printf("%s]\n", printed ? "" : "[");
	return status;
}

int qinspect_main(struct args *args)
{
	struct want want = { .containers = true, .images = true };
	auto_buf struct buf header = { 0 };
	struct store *s;
	int opt, r;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_TYPE: args_check(args, set_type(&want, args->value)); break;
		case OPT_FORMAT:
			want.format = args->value;
			args_check(args, template_header(&header, want.format));
			break;
		case OPT_STORE: want.store = args->value; break;
		}
	args_want(args, 1, SIZE_MAX);
	r = store_open(&s, want.store, STORE_RUN);
	if (r < 0)
		return r;
	r = print_all(s, args, &want);
	store_close(s);
	return r;
}
