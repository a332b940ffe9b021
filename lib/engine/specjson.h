/* SPDX-License-Identifier: MIT */
/* specjson - a spec as the config.json of the OCI runtime specification 1.2, and back
 *
 * What the specification has no place for stands in annotations that begin with "qbox.": an overlay of layers,
 * a user by name, how to stop. */
#ifndef ENGINE_SPECJSON_H
#define ENGINE_SPECJSON_H

#include "base/buf.h"
#include "base/json.h"
#include "engine/spec.h"

#define SPEC_LAYERS "qbox.layers"
#define SPEC_UPPER_HOME \
	"." /* value of qbox.upper: in the directory of the container, wherever it is */

#define SPEC_UPPER        "qbox.upper"
#define SPEC_USER         "qbox.user"
#define SPEC_GROUPS       "qbox.groups"
#define SPEC_STOP_SIGNAL  "qbox.stop-signal"
#define SPEC_STOP_TIMEOUT "qbox.stop-timeout"
#define SPEC_SECCOMP      "qbox.seccomp"
#define SPEC_INIT         "qbox.init"
#define SPEC_LIMITED      "qbox.limited"
#define SPEC_ARGS         "qbox.args"
#define SPEC_ENV          "qbox.env"
#define SPEC_CGROUPS      "qbox.cgroups"

/* Append S as one JSON object, in canonical form. -EBADMSG: a string of it is not text that JSON can hold, or
 * the profile of its filter is none. */
int spec_format(struct buf *out, const struct spec *s);

/* Make *S (spec_free in any case) of a config.json. A relative root.path is below the directory BUNDLE. What is
 * unknown to the specification is left out; what it knows and we cannot do is -ENOTSUP, what is wrong
 * -EBADMSG, both with the place named. */
int spec_parse(struct spec *s, const struct json *config, const char *bundle);

#endif
