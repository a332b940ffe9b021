/* SPDX-License-Identifier: MIT */
#include "format/oci.h"

#include <errno.h>

#include "base/fail.h"
#include "unit.h"

#define A64                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA                    "\"sha256:" A64 "\""
#define CONFIG                 "\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":" SHA ",\"size\":7}"
#define LAYER                  "{\"mediaType\":\"" OCI_TYPE_LAYER_GZIP "\",\"digest\":" SHA ",\"size\":5}"
#define MANIFEST(more, layers) "{\"schemaVersion\":2," more CONFIG ",\"layers\":[" layers "]}"
#define ITEM(platform)                                             \
	"{\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"digest\":" SHA \
	",\"size\":9,\"platform\":" platform "}"

static struct oci_document doc;

static int parse(const char *text, const char *type)
{
	int r;

	oci_document_free(&doc);
	fail_clear();
	r = oci_parse(&doc, text, strlen(text), type);
	CHECK((r < 0) == (fail_text()[0] != '\0'));
	return r;
}

static void manifests(void)
{
	unit_case("reads a manifest");
	CHECK(parse(MANIFEST("", LAYER "," LAYER), OCI_TYPE_MANIFEST) == 0);
	CHECK(doc.kind == OCI_MANIFEST && doc.count == 2 && doc.items[1].size == 5);
	CHECK(doc.config.size == 7 && doc.items[0].digest.bytes[0] == 0xaa);
	CHECK(parse(MANIFEST("", ""), NULL) == 0 && doc.count == 0);

	unit_case("refuses what is two things at once, or called another");
	CHECK(parse("{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]," CONFIG "}", NULL) ==
		-EINVAL);
	CHECK(parse("{\"schemaVersion\":2,\"manifests\":[],\"layers\":null}", NULL) == -EINVAL);
	CHECK(parse("{\"schemaVersion\":2,\"manifests\":[]," CONFIG "}", NULL) == -EINVAL);
	CHECK(parse(MANIFEST("", LAYER), OCI_TYPE_INDEX) == -EINVAL);
	CHECK(parse(MANIFEST("\"mediaType\":\"" OCI_TYPE_INDEX "\",", LAYER), NULL) == -EINVAL);
	CHECK(parse(MANIFEST("\"mediaType\":\"" DOCKER_TYPE_MANIFEST "\",", LAYER),
		      OCI_TYPE_MANIFEST) == -EINVAL);
	CHECK(parse(MANIFEST("", LAYER), "text/html") == -EINVAL);

	unit_case("refuses by name what cannot be read");
	CHECK(parse("{\"schemaVersion\":1}", NULL) == -EINVAL && strstr(fail_text(), "schema 1"));
	CHECK(parse(MANIFEST("",
			    "{\"mediaType\":\"" OCI_TYPE_LAYER "+zstd\",\"digest\":" SHA
			    ",\"size\":5}"),
		      NULL) == -EINVAL &&
		strstr(fail_text(), "+zstd"));
	CHECK(parse(MANIFEST("",
			    "{\"mediaType\":\"" OCI_TYPE_LAYER "\",\"digest\":" SHA
			    ",\"size\":5,\"urls\":[\"http://x/\"]}"),
		      NULL) == -EINVAL);
	CHECK(parse("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.helm\",\"digest\":" SHA
		    ",\"size\":1},\"layers\":[]}",
		      NULL) == -EINVAL);
	CHECK(parse(MANIFEST("", "{\"digest\":" SHA ",\"size\":5}"), NULL) == -EINVAL);

	unit_case("refuses bad digests, sizes and shapes");
#define ONE(digest, size) \
	MANIFEST("",      \
		"{\"mediaType\":\"" OCI_TYPE_LAYER "\",\"digest\":" digest ",\"size\":" size "}")
	CHECK(parse(ONE(SHA, "0"), NULL) == 0);
	CHECK(parse(ONE("\"sha256:../../etc\"", "1"), NULL) == -EINVAL);
	CHECK(parse(ONE("\"md5:" A64 "\"", "1"), NULL) == -EINVAL);
	CHECK(parse(ONE(SHA, "-1"), NULL) == -EINVAL);
	CHECK(parse(ONE(SHA, "68719476736"), NULL) == 0);
	CHECK(parse(ONE(SHA, "68719476737"), NULL) == -EINVAL);
	CHECK(parse(ONE(SHA, "9223372036854775808"), NULL) < 0);
	CHECK(parse(ONE(SHA, "1.5"), NULL) == -EBADMSG);
	CHECK(parse(ONE("7", "1"), NULL) == -EBADMSG);
	CHECK(parse("[]", NULL) == -EBADMSG && parse("{}", NULL) == -EINVAL);
	CHECK(parse("{\"schemaVersion\":2}", NULL) == -EBADMSG);
	CHECK(parse("{\"schemaVersion\":2,\"layers\":[]}", NULL) == -EBADMSG);
	CHECK(parse("{\"schemaVersion\":2,\"manifests\":[7]}", NULL) == -EBADMSG);
	CHECK(parse("", NULL) == -EBADMSG);
#define SIZED(size)                                                                              \
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":" SHA \
	",\"size\":" size "},\"layers\":[]}"
	CHECK(parse(SIZED("8388608"), NULL) == 0);
	CHECK(parse(SIZED("8388609"), NULL) == -EFBIG);
}

/* DOCUMENT with spaces behind it, LEN bytes in all. */
static void pad(struct buf *out, const char *document, size_t len)
{
	buf_clear(out);
	buf_puts(out, document);
	while (out->len < len)
		buf_putc(out, ' ');
}

static void sizes(void)
{
	auto_buf struct buf b = { 0 };
	struct oci_config c;

	unit_case("takes manifests of 4 MiB and configs of 8 MiB, not a byte more");
	pad(&b, MANIFEST("", LAYER), 4 << 20);
	CHECK(parse(buf_str(&b), NULL) == 0);
	buf_putc(&b, ' ');
	CHECK(parse(buf_str(&b), NULL) == -EFBIG);
	pad(&b, "{\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[]}}", 8 << 20);
	CHECK(oci_config_parse(&c, b.data, b.len) == 0);
	oci_config_free(&c);
	buf_putc(&b, ' ');
	CHECK(oci_config_parse(&c, b.data, b.len) == -EFBIG);
}

static void layer_count(void)
{
	struct buf b = { 0 };

	unit_case("takes 127 layers, refuses 128");
	for (int n = 127; n <= 128; n++) {
		buf_clear(&b);
		buf_puts(&b, "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER);
		for (int i = 1; i < n; i++)
			buf_puts(&b, "," LAYER);
		buf_puts(&b, "]}");
		CHECK(parse(buf_str(&b), NULL) == (n == 127 ? 0 : -EINVAL));
	}
	buf_free(&b);
}

static void platforms(void)
{
	struct oci_platform p;
	const struct oci_descriptor *d;
	char text[100];

	unit_case("reads platforms, refuses others");
	CHECK(oci_platform_parse(&p, "linux/arm/v7") == 0);
	oci_platform_format(text, &p);
	CHECK_STR(text, "linux/arm/v7");
	CHECK(oci_platform_parse(&p, "linux/amd64") == 0 && !p.variant[0]);
	const char *const bad[] = { "", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x",
		"Linux/amd64", "li nux/a", "linux/../x" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(oci_platform_parse(&p, bad[i]) == -EINVAL && p.os[0] == '\0');

	unit_case("chooses the first match, lists what there is");
	CHECK(parse("{\"schemaVersion\":2,\"manifests\":[" ITEM("{\"os\":\"linux\",\"architecture\":\"arm64\"}") "," ITEM("{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}") "," ITEM(
			    "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}") "," ITEM("{\"os\":\"unknown\",\"architecture\":\"unknown\"}") "]}",
		      OCI_TYPE_INDEX) == 0);
	oci_platform_parse(&p, "linux/arm/v7");
	CHECK(oci_choose(&doc, &p, &d) == 0 && d == &doc.items[2]);
	oci_platform_parse(&p, "linux/arm");
	CHECK(oci_choose(&doc, &p, &d) == 0 && d == &doc.items[1]);
	oci_platform_parse(&p, "linux/arm64/v8");
	CHECK(oci_choose(&doc, &p, &d) == 0 && d == &doc.items[0]);
	oci_platform_parse(&p, "linux/amd64");
	CHECK(oci_choose(&doc, &p, &d) == -ENOENT && !d);
	CHECK_STR(fail_text(),
		"no image for linux/amd64; there is linux/arm64, linux/arm/v6, linux/arm/v7");
	oci_platform_native(&p);
	CHECK_STR(p.os, "linux");
	CHECK(p.arch[0]);
}

static int config(const char *inside, struct oci_config *c)
{
	struct buf b = { 0 };
	int r;

	buf_printf(&b,
		"{\"os\":\"linux\",\"architecture\":\"amd64\",\"created\":\"2026-01-02T03:04:05Z\","
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" SHA "]},\"config\":%s}",
		inside);
	r = oci_config_parse(c, b.data, b.len);
	buf_free(&b);
	return r;
}

static void configs(void)
{
	struct oci_config c;

	unit_case("reads a config");
	CHECK(config("{\"Env\":[\"A=1\",\"B=\"],\"Cmd\":[\"sh\",\"\"],\"Entrypoint\":null,\"User\":\"1:2\","
		     "\"WorkingDir\":\"/w\",\"Volumes\":{\"/data\":{}},\"StopSignal\":\"SIGINT\"}",
		      &c) == 0);
	CHECK(c.layers == 1 && c.created / 1000000000 == 1767323045);
	CHECK_STR(c.env[1], "B=");
	CHECK(!c.env[2] && !c.entrypoint[0] && !c.cmd[2]);
	CHECK_STR(c.user, "1:2");
	CHECK_STR(c.volumes[0], "/data");
	oci_config_free(&c);
	CHECK(config("{}", &c) == 0);
	CHECK_STR(c.workdir, "");
	oci_config_free(&c);

	unit_case("refuses variables that would be taken from our environment");
	CHECK(config("{\"Env\":[\"SECRET\"]}", &c) == -EINVAL);
	CHECK(config("{\"Env\":[\"*\"]}", &c) == -EINVAL);
	CHECK(config("{\"Env\":[\"=x\"]}", &c) == -EINVAL);
	CHECK(config("{\"Env\":[\"A\\u0000B=1\"]}", &c) == -EBADMSG);

	unit_case("refuses wrong types and shapes");
	CHECK(config("{\"Env\":\"A=1\"}", &c) == -EBADMSG &&
		config("{\"Cmd\":[1]}", &c) == -EBADMSG);
	CHECK(config("{\"User\":0}", &c) == -EBADMSG && config("[]", &c) == -EBADMSG);
	CHECK(config("{\"Volumes\":{\"data\":{}}}", &c) == -EINVAL);
	CHECK(oci_config_parse(&c, "{}", 2) == -EBADMSG && !c.tree);
	CHECK(oci_config_parse(&c, "{\"os\":\"../x\"}", 13) == -EBADMSG);
}

int main(void)
{
	manifests();
	layer_count();
	sizes();
	platforms();
	configs();
	oci_document_free(&doc);
	return unit_end();
}
