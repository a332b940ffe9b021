/* SPDX-License-Identifier: MIT */
/* oci - fuzz target: what is accepted holds what the contract promises */
#include "format/oci.h"

#include <stdlib.h>
#include <string.h>

static void check_document(const char *text, size_t len)
{
	struct oci_document d;

	if (oci_parse(&d, text, len, NULL) < 0)
		return;
	if (d.kind == OCI_MANIFEST && (d.count > OCI_LAYERS_MAX || d.config.size > OCI_CONFIG_MAX))
		abort();
	for (size_t i = 0; i < d.count; i++)
		if (d.items[i].size > OCI_BLOB_MAX)
			abort();
	oci_document_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_config c;

	check_document((const char *)data, size);
	if (oci_config_parse(&c, (const char *)data, size) < 0)
		return 0;
	if (c.layers > OCI_LAYERS_MAX)
		abort();
	for (char **e = c.env; *e; e++)
		if (**e == '=' || !strchr(*e, '='))
			abort();
	for (char **v = c.volumes; *v; v++)
		if (**v != '/')
			abort();
	oci_config_free(&c);
	return 0;
}
