/* qpull - bring an image in, or stream one out
 *
 * usage: qpull [OPTION]... SOURCE [NAME[:TAG]]
 *
 * Bring the image SOURCE into the store, under its own name or NAME. The bytes are verified against the
 * digests of the image, unpacked by a confined process, and durable before the image is listed. What is
 * present already is not fetched again.
 *
 * SOURCE is a reference (alpine, host:5000/name:tag, name@sha256:...), oci:DIR[:TAG],
 * oci-archive:FILE[:TAG], docker-archive:FILE, rootfs:FILE (a tar of a root file system, gzip or plain),
 * or - for any of these archives on standard input. An image archive on a pipe is copied to the store's
 * file system while it is read; a root file system is not.
 *
 * options:
 *   -o, --output=FILE            also write the flattened root file system as tar to FILE, - is standard output
 *   -q, --quiet                  print the digest only
 *   -j, --jobs=N                 unpack N layers at once (the number of CPUs)
 *       --json                   print one JSON object about the image
 *       --platform=OS/ARCH[/V]   choose this platform of an index (this machine's)
 *       --keep-blobs             keep the compressed layers, so that they can be served or pushed as they are
 *       --creds=USER:PASSWORD    log in with these; - reads them from the first line of standard input
 *       --authfile=FILE          look for credentials in this file only
 *       --cacert=FILE            trust the certificate authorities in this file only
 *       --insecure               speak plain http to this registry; TLS is always verified
 *       --store=DIR              the store to use
 *
 * environment:
 *   QBOX_STORE          the store, if --store is not given
 *   QBOX_CONFIG         directory with certs.d, else /etc/qbox
 *   REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, HOME   where credential files lie
 *   SSL_CERT_FILE       certificate authorities to trust
 *
 * exit status:
 *   0  done
 *   1  failed; the store is as it was, but for layers that were complete
 *   2  wrong usage
 *   69 the image or the registry needs what this build lacks: zstd, a credential helper
 *   75 the network or the registry failed for now: try again later
 *
 * examples:
 *   qpull alpine
 *   qpull --cacert=ca.pem localhost:5000/busybox:1
 *   skopeo copy docker://alpine oci-archive:/dev/stdout | qpull - alpine
 *   qpull -q -o - alpine | tar t
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applet.h"
#include "gen/qpull.h"

#include "base/attr.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/num.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "engine/flatten.h"
#include "engine/pull.h"
#include "engine/source.h"

struct want {
	const char *store, *output, *creds;
	bool quiet, json;
	struct pull_options pull;
};

/* The bars of one pull. */
struct show {
	struct progress progress;
	int items[OCI_LAYERS_MAX + 1]; /* per layer; -1: none */
};

static void layer_start(void *ctx, unsigned layer, const struct digest *blob, uint64_t size)
{
	struct show *show = ctx;
	char name[DIGEST_TEXT] = "root";

	if (blob)
		digest_hex(name, blob);
	name[12] = '\0';
	show->items[layer] = progress_add(&show->progress, name, size);
	progress_set(&show->progress, show->items[layer], "pulling", 0);
}

static void layer_progress(void *ctx, unsigned layer, uint64_t received)
{
	struct show *show = ctx;

	progress_set(&show->progress, show->items[layer], "pulling", received);
}

static void layer_done(void *ctx, unsigned layer, bool existed)
{
	struct show *show = ctx;

	if (!existed)
		progress_done(&show->progress, show->items[layer], "done");
}

static void read_options(struct args *args, struct want *want)
{
	uint64_t n;
	int opt;

	while ((opt = args_next(args)) != OPT_END)
		switch ((enum opt)opt) {
		case OPT_OUTPUT: want->output = args->value; break;
		case OPT_QUIET: want->quiet = args->on; break;
		case OPT_JSON: want->json = args->on; break;
		case OPT_KEEP_BLOBS: want->pull.keep_blobs = args->on; break;
		case OPT_INSECURE: want->pull.insecure = args->on; break;
		case OPT_CREDS: want->creds = args->value; break;
		case OPT_AUTHFILE: want->pull.authfile = args->value; break;
		case OPT_CACERT: want->pull.cacert = args->value; break;
		case OPT_STORE: want->store = args->value; break;
		case OPT_PLATFORM:
			args_check(args, oci_platform_parse(&want->pull.platform, args->value));
			break;
		case OPT_JOBS:
			args_check(args, num_parse(args->value, OCI_LAYERS_MAX, &n));
			args_check(args, n ? 0 : fail(EINVAL, "'0' jobs would do nothing"));
			want->pull.jobs = (unsigned)n;
			break;
		}
	args_want(args, 1, 2);
	want->pull.source = args->operands[0];
	want->pull.name = args->operands[1];
	args_check(args, source_check(want->pull.source, want->pull.name));
	if (want->creds && strcmp(want->creds, "-") == 0 && strcmp(want->pull.source, "-") == 0)
		args_usage(args, "credentials and image cannot both come from standard input");
	if (want->output && strcmp(want->output, "-") == 0 && isatty(STDOUT_FILENO))
		args_usage(args, "a tar stream is not written to a terminal");
}

static int print_json(const struct image *image, bool changed)
{
	static const struct table_column columns[] = {
		{ "reference", NULL, TABLE_STRING },
		{ "digest", NULL, TABLE_STRING },
		{ "id", NULL, TABLE_STRING },
		{ "platform", NULL, TABLE_STRING },
		{ "layers", NULL, TABLE_INT },
		{ "size", NULL, TABLE_INT },
		{ "changed", NULL, TABLE_BOOL },
	};
	char digest[DIGEST_TEXT], id[DIGEST_TEXT], platform[100];
	auto_table struct table t = { 0 };

	digest_format(digest, &image->manifest);
	digest_format(id, &image->config_digest);
	oci_platform_format(platform, &image->platform);
	table_init(&t, columns, ARRAY_LEN(columns), TABLE_JSON);
	table_string(&t, image->reference);
	table_string(&t, digest);
	table_string(&t, id);
	table_string(&t, platform);
	table_number(&t, (int64_t)image->layer_count);
	table_number(&t, (int64_t)image->size);
	table_number(&t, changed);
	return table_end(&t);
}

static int print_result(const struct want *want, const struct image *image, bool changed)
{
	char digest[DIGEST_TEXT];

	/* The stream has standard output for itself. */
	if (want->output && strcmp(want->output, "-") == 0)
		return 0;
	if (want->json)
		return print_json(image, changed);
	digest_format(digest, &image->manifest);
	if (want->quiet)
		printf("%s\n", digest);
	else
		printf("%s\n%s\n", image->reference, digest);
	return 0;
}

/* Open the place for the stream before the pull, which may take long. Its content stays until there is
 * another. */
static int open_output(const struct want *want, int *out)
{
	*out = -1;
	if (!want->output || strcmp(want->output, "-") == 0)
		return 0;
	*out = open(want->output, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return *out < 0 ? fail_errno("open '%s'", want->output) : 0;
}

/* Write the stream to FILE (taken), or to standard output if it is -1. */
static int write_output(int file, const char *name, struct store *s, const struct image *image)
{
	struct stat st;
	int r = 0;

	if (file < 0)
		return flatten_write(s, image, STDOUT_FILENO);
	if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(file, 0) < 0)
		r = fail_errno("empty '%s'", name);
	if (r == 0)
		r = flatten_write(s, image, file);
	/* A file system across the network may tell only now. */
	if (close(file) < 0 && r == 0)
		r = fail_errno("write '%s'", name);
	return r;
}

static int pull(struct want *want, struct store *s)
{
	struct show show;
	struct image *image = NULL;
	bool changed;
	int r, file;

	r = open_output(want, &file);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(show.items); i++)
		show.items[i] = -1;
	progress_init(&show.progress, want->quiet);
	want->pull.events = (struct pull_events){ layer_start, layer_progress, layer_done, &show };
	r = pull_run(s, &want->pull, &image, &changed);
	progress_end(&show.progress);
	if (r == 0 && want->output)
		r = write_output(take_fd(&file), want->output, s, image);
	if (r == 0)
		r = print_result(want, image, changed);
	image_free(image);
	cleanup_close(&file);
	return r;
}

int qpull_main(struct args *args)
{
	struct want want = { 0 };
	struct auth auth = { 0 };
	struct store *s = NULL;
	int r = 0;

	oci_platform_native(&want.pull.platform);
	read_options(args, &want);
	log_init(STDERR_FILENO, "qpull", want.quiet);
	if (want.creds) {
		r = strcmp(want.creds, "-") == 0 ? auth_read(&auth, STDIN_FILENO)
						 : auth_parse(&auth, want.creds);
		args_check(args, r);
		want.pull.auth = &auth;
	}
	if (geteuid() != 0)
		return fail_hint(fail(EPERM, "unpacking an image needs root"), "sudo qpull ...");
	r = store_open(&s, want.store, STORE_WRITE);
	if (r == 0)
		r = store_db(s);
	if (r == 0)
		r = pull(&want, s);
	store_close(s);
	auth_free(&auth);
	return r;
}
