/* qstore - verify, repair, clean up and measure the store
 *
 * usage: qstore verify [-q] [--json]
 *        qstore repair [-q] [--json]
 *        qstore gc [-nq] [--json]
 *        qstore usage [-v] [--json]
 *
 * The files of the store are the truth; store.db is an index over them that can be made again at
 * any time.
 *
 * commands:
 *   verify  compare every blob with its name and every layer, byte for byte, with its diff id
 *   repair  the same, put aside what is damaged, and make the index again from the files
 *   gc      remove what no image, no running command and no other tool needs
 *   usage   show what takes how much room
 *
 * options:
 *       --store=DIR     the store to use
 *       --json[=array]  print one JSON object per line, or one array
 *
 * options verify:
 *   -q, --quiet         print findings only
 *
 * options repair:
 *   -q, --quiet         print findings only
 *
 * options gc:
 *   -n, --dry-run       only say what would go
 *   -q, --quiet         do not name what goes
 *
 * options usage:
 *   -v, --verbose       show each image, with what it shares
 *
 * environment:
 *   QBOX_STORE          the store, if --store is not given
 *
 * exit status:
 *   0  done, nothing is damaged
 *   1  failed, or verify or repair found damage
 *   2  wrong usage
 *   75 in use: try again later
 *
 * files:
 *   /var/lib/qbox       the store of root
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "applet.h"
#include "gen/qstore.h"

#include "base/attr.h"
#include "base/num.h"
#include "cli/table.h"
#include "engine/imagegc.h"
#include "engine/imageusage.h"
#include "engine/imageverify.h"

/* What the user wants; one command uses only some. */
struct want {
	const char *store;
	enum table_format format;
	bool quiet, dry_run, verbose;
};

static void shared_option(struct want *want, enum opt opt, struct args *args)
{
	switch (opt) {
	case OPT_STORE: want->store = args->value; break;
	case OPT_JSON: args_check(args, table_format_parse(args->value, &want->format)); break;
	}
}

/* --- verify, repair --- */

static void print_problem(
	void *ctx, enum imageverify_kind kind, const char *object, const char *text)
{
	static const char *const words[] = {
		[IMAGEVERIFY_BLOB] = "blob",
		[IMAGEVERIFY_LAYER] = "layer",
		[IMAGEVERIFY_IMAGE] = "image",
	};
	struct table *t = ctx;

	table_string(t, words[kind]);
	table_string(t, object);
	table_string(t, text);
}

/* A store that was never finished holds nothing that could be wrong. */
static int empty_store(int r)
{
	if (r != -ENODATA)
		return r;
	die_print();
	return 0;
}

static int verify(const struct want *want, bool repair)
{
	static const struct table_column columns[] = {
		{ "kind", "DAMAGED", TABLE_STRING },
		{ "object", "OBJECT", TABLE_STRING },
		{ "problem", "PROBLEM", TABLE_STRING },
	};
	auto_table struct table t = { 0 };
	struct imageverify v = { .problem = print_problem, .ctx = &t };
	struct store *s;
	int r;

	r = store_open(&s, want->store, repair ? STORE_WRITE : STORE_READ);
	if (r < 0)
		return empty_store(r);
	table_init(&t, columns, ARRAY_LEN(columns), want->format);
	r = repair ? imageverify_repair(s, &v) : imageverify_run(s, &v);
	if (r == 0 && (v.problems || want->format != TABLE_COLUMNS))
		r = table_end(&t);
	if (r == 0 && !want->quiet)
		fprintf(stderr, "%zu images, %zu layers, %zu blobs: %zu problems%s\n", v.images,
			v.layers, v.blobs, v.problems, repair && v.problems ? ", put aside" : "");
	if (r == 0 && v.problems)
		hint(repair ? "qpull brings images that went in again; qstore gc ends what was put aside"
			    : "qstore repair puts aside what is damaged, qpull brings it in again");
	store_close(s);
	return r < 0 ? r : v.problems ? EXIT_FAILURE : 0;
}

static int cmd_verify(struct args *args)
{
	struct want want = { 0 };
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_verify)opt) {
			case OPT_VERIFY_QUIET: want.quiet = args->on; break;
			}
	args_want(args, 0, 0);
	return verify(&want, false);
}

static int cmd_repair(struct args *args)
{
	struct want want = { 0 };
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_repair)opt) {
			case OPT_REPAIR_QUIET: want.quiet = args->on; break;
			}
	args_want(args, 0, 0);
	return verify(&want, true);
}

/* --- gc --- */

static void print_removed(void *ctx, const char *verb, const char *object)
{
	(void)verb;
	table_string(ctx, object);
}

static int collect(const struct want *want)
{
	static const struct table_column columns[] = { { "deleted", "DELETED", TABLE_STRING } };
	auto_table struct table t = { 0 };
	struct imagegc gc = {
		.say = want->quiet ? NULL : print_removed, .ctx = &t, .dry_run = want->dry_run
	};
	struct store *s;
	char size[16];
	int r;

	r = store_open(&s, want->store, STORE_WRITE);
	if (r < 0)
		return r;
	table_init(&t, columns, ARRAY_LEN(columns), want->format);
	r = imagegc_run(s, &gc);
	if (r == 0 && (t.rows || want->format != TABLE_COLUMNS))
		r = table_end(&t);
	store_close(s);
	if (r < 0)
		return r;
	num_format_size(size, sizeof(size), gc.bytes);
	fprintf(stderr, "%s%zu layers, %zu blobs, %s\n",
		want->dry_run ? "would remove " : "removed ", gc.layers, gc.blobs, size);
	return 0;
}

static int cmd_gc(struct args *args)
{
	struct want want = { 0 };
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_gc)opt) {
			case OPT_GC_DRY_RUN: want.dry_run = args->on; break;
			case OPT_GC_QUIET: want.quiet = args->on; break;
			}
	args_want(args, 0, 0);
	return collect(&want);
}

/* --- usage --- */

static int print_kinds(const struct imageusage *u, enum table_format format)
{
	static const struct table_column columns[] = {
		{ "kind", "KIND", TABLE_STRING },
		{ "count", "COUNT", TABLE_INT },
		{ "size", "SIZE", TABLE_SIZE },
		{ "reclaimable_count", "UNUSED", TABLE_INT },
		{ "reclaimable", "RECLAIMABLE", TABLE_SIZE },
	};
	const struct {
		const char *name;
		const struct imageusage_kind *kind;
	} rows[] = {
		{ "layers", &u->layers },
		{ "blobs", &u->blobs },
		{ "damaged", &u->damaged },
		{ "temporary", &u->tmp },
		{ "other", &u->other },
	};
	auto_table struct table t = { 0 };
	size_t n;

	table_init(&t, columns, ARRAY_LEN(columns), format);
	for (n = 0; n < ARRAY_LEN(rows); n++) {
		table_string(&t, rows[n].name);
		table_number(&t, (int64_t)rows[n].kind->count);
		table_number(&t, (int64_t)rows[n].kind->bytes);
		table_number(&t, (int64_t)rows[n].kind->idle);
		table_number(&t, (int64_t)rows[n].kind->idle_bytes);
	}
	return table_end(&t);
}

static int print_images(const struct imageusage *u, enum table_format format)
{
	static const struct table_column columns[] = {
		{ "reference", "REFERENCE", TABLE_STRING },
		{ NULL, "IMAGE ID", TABLE_STRING },
		{ "unique", "UNIQUE", TABLE_SIZE },
		{ "shared", "SHARED", TABLE_SIZE },
		{ "id", NULL, TABLE_STRING },
	};
	auto_table struct table t = { 0 };
	char id[DIGEST_TEXT + 8];
	size_t n;

	table_init(&t, columns, ARRAY_LEN(columns), format);
	for (n = 0; n < u->image_count; n++) {
		table_string(&t, u->images[n].reference);
		snprintf(id, sizeof(id), "%.12s", u->images[n].id);
		table_string(&t, id);
		table_number(&t, (int64_t)u->images[n].unique);
		table_number(&t, (int64_t)u->images[n].shared);
		snprintf(id, sizeof(id), "sha256:%s", u->images[n].id);
		table_string(&t, id);
	}
	return table_end(&t);
}

static int cmd_usage(struct args *args)
{
	struct imageusage usage = { 0 };
	struct want want = { 0 };
	struct store *s;
	int opt, r;

	while ((opt = args_next(args)) != OPT_END)
		if (opt < OPT_OWN)
			shared_option(&want, (enum opt)opt, args);
		else
			switch ((enum opt_usage)opt) {
			case OPT_USAGE_VERBOSE: want.verbose = args->on; break;
			}
	args_want(args, 0, 0);
	r = store_open(&s, want.store, STORE_READ);
	if (r < 0)
		return empty_store(r);
	r = imageusage_get(s, &usage);
	if (r == 0)
		r = want.verbose ? print_images(&usage, want.format)
				 : print_kinds(&usage, want.format);
	imageusage_free(&usage);
	store_close(s);
	return r;
}

int qstore_main(struct args *args)
{
	return commands[args_command(args)](args);
}
