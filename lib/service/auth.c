/* SPDX-License-Identifier: MIT */
/* auth - the user's name and password for one registry, from the credential files that exist */
#include "service/auth.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/str.h"
#include "kernel/fd.h"

#define FILE_MAX   (1u << 20)
#define SECRET_MAX 16384
#define HUB        "docker.io"

static void wipe_string(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void auth_free(struct auth *a)
{
	wipe_string(&a->user);
	wipe_string(&a->password);
	wipe_string(&a->identity_token);
}

void auth_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_clear(b);
}

int auth_parse(struct auth *out, const char *s)
{
	const char *colon = strchr(s, ':');

	*out = (struct auth){ 0 };
	if (!colon || colon == s)
		return fail(EINVAL, "credentials must be USER:PASSWORD");
	out->user = strndup(s, (size_t)(colon - s));
	out->password = strdup(colon + 1);
	if (out->user && out->password)
		return 0;
	auth_free(out);
	return fail(ENOMEM, "out of memory");
}

int auth_read(struct auth *out, int fd)
{
	char line[4096];
	size_t len = 0;
	ssize_t n;
	int r;

	*out = (struct auth){ 0 };
	/* Byte by byte: what follows the line is not ours. */
	while ((n = fd_read(fd, line + len, 1)) == 1 && line[len] != '\n')
		if (++len == sizeof(line)) {
			explicit_bzero(line, sizeof(line));
			return fail(EINVAL, "credentials of more than %zu bytes", sizeof(line) - 1);
		}
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	r = n < 0 ? fail((int)-n, "read credentials: %s", strerror((int)-n))
		  : auth_parse(out, line);
	explicit_bzero(line, sizeof(line));
	return r;
}

void auth_basic(const struct auth *a, struct buf *headers)
{
	size_t user = strlen(a->user ? a->user : ""), password = strlen(a->password);
	size_t len = user + 1 + password;
	char *plain = malloc(len + 1), *coded = malloc(4 * ((len + 2) / 3) + 1);

	if (plain && coded) {
		memcpy(plain, a->user ? a->user : "", user);
		plain[user] = ':';
		memcpy(plain + user + 1, a->password, password + 1);
		str_base64(coded, plain, len);
		buf_reserve(headers, strlen(coded) + 64); /* no copy is left behind by growing */
		buf_puts(headers, "Authorization: Basic ");
		buf_puts(headers, coded);
		buf_puts(headers, "\r\n");
	} else {
		headers->failed = true;
	}
	wipe_string(&plain);
	if (coded)
		explicit_bzero(coded, strlen(coded));
	free(coded);
}

/* Wipe the strings of a whole tree. */
static void wipe_json(struct json *j)
{
	for (; j; j = j->next) {
		if (j->type == JSON_STRING)
			explicit_bzero(j->string, strlen(j->string));
		wipe_json(j->child);
	}
}

/* Does KEY of an auths table mean the registry and path WANT? Docker's keys may be URLs, of which only
 * the host counts, and the public hub has several names. */
static bool is_key(const char *key, const char *want)
{
	static const char *const hubs[] = { "index." HUB, "registry-1." HUB };
	const char *host = key, *rest;
	size_t len;

	if (str_starts(host, "https://"))
		host += 8;
	else if (str_starts(host, "http://"))
		host += 7;
	len = strcspn(host, "/");
	rest = host == key ? host + len : "";
	for (size_t i = 0; i < ARRAY_LEN(hubs); i++)
		if (len == strlen(hubs[i]) && strncasecmp(host, hubs[i], len) == 0) {
			host = HUB;
			len = strlen(HUB);
			break;
		}
	return strncasecmp(host, want, len) == 0 && strcmp(rest, want + len) == 0;
}

/* The entry of TABLE for REF: the longest of host/path, then its parents, then the host alone. */
static struct json *find_entry(const struct json *table, const struct ref *ref)
{
	char want[sizeof(ref->host) + sizeof(ref->repository) + 1];
	char *slash;

	snprintf(want, sizeof(want), "%s/%s", ref->host, ref->repository);
	for (;;) {
		for (struct json *e = table ? table->child : NULL; e; e = e->next)
			if (is_key(e->key, want))
				return e;
		slash = strrchr(want, '/');
		if (!slash)
			return NULL;
		*slash = '\0';
	}
}

static int copy_member(const struct json *entry, const char *key, char **out)
{
	const char *value = NULL;
	int r = json_get_string(entry, key, &value);

	if (r <= 0 || !*value)
		return r < 0 ? r : 0;
	*out = strdup(value);
	return *out ? 1 : fail(ENOMEM, "out of memory");
}

/* "auth" is the base64 of user:password. */
static int read_auth(struct auth *out, const char *coded)
{
	char plain[SECRET_MAX];
	int r = str_unbase64(plain, sizeof(plain) - 1, coded, strlen(coded));

	if (r >= 0) {
		plain[r] = '\0';
		r = strlen(plain) == (size_t)r ? auth_parse(out, plain)
					       : fail(EBADMSG, "NUL in a password");
	}
	explicit_bzero(plain, sizeof(plain));
	return r < 0 ? fail(EBADMSG, "member 'auth' is not the base64 of USER:PASSWORD") : 0;
}

/* The secrets of ENTRY: 1, or 0 if it has none. */
static int read_entry(struct auth *out, const struct json *entry)
{
	const char *coded = NULL;
	int r, found = 0;

	if (entry->type != JSON_OBJECT)
		return fail(EBADMSG, "entry '%s' is not an object", entry->key);
	r = json_get_string(entry, "auth", &coded);
	if (r > 0 && *coded) {
		r = read_auth(out, coded);
		found = 1;
	} else if (r == 0) {
		r = copy_member(entry, "username", &out->user);
		if (r > 0)
			r = found = copy_member(entry, "password", &out->password);
	}
	if (r >= 0) {
		r = copy_member(entry, "identitytoken", &out->identity_token);
		found |= r > 0;
	}
	return r < 0 ? r : found;
}

/* The program that keeps the secret of this registry; *OUT is NULL if none is named. An entry without a
 * secret is docker's sign that the store has it; without any entry the store has nothing for us. */
static int find_helper(
	const char **out, const struct json *tree, const struct json *entry, const struct ref *ref)
{
	const struct json *helpers = NULL, *own;
	int r = json_get_object(tree, "credHelpers", &helpers);

	*out = NULL;
	own = find_entry(helpers, ref);
	if (own && own->type == JSON_STRING && *own->string)
		*out = own->string;
	else if (r >= 0 && entry)
		r = json_get_string(tree, "credsStore", out);
	if (*out && !**out)
		*out = NULL;
	return r;
}

/* Look into one parsed file. 1: found, 0: nothing for REF. */
static int read_tree(struct auth *out, const struct json *tree, const struct ref *ref, mode_t mode)
{
	const struct json *auths = NULL, *entry;
	const char *helper;
	int r;

	if (tree->type != JSON_OBJECT)
		return fail(EBADMSG, "not a JSON object");
	r = json_get_object(tree, "auths", &auths);
	if (r < 0)
		return r;
	entry = find_entry(auths, ref);
	r = entry ? read_entry(out, entry) : 0;
	if (r > 0 && (mode & (S_IRWXG | S_IRWXO))) {
		fail(EPERM, "it holds a password and others have access to it");
		return fail_hint(-EPERM, "chmod 600");
	}
	if (r != 0)
		return r;
	r = find_helper(&helper, tree, entry, ref);
	if (r < 0 || !helper)
		return r < 0 ? r : 0;
	fail(ENOTSUP,
		"the password for '%s' is kept by docker-credential-%s, which cannot be called",
		ref->host, helper);
	return fail_hint(-ENOTSUP, "give USER:PASSWORD on stdin with --creds -");
}

/* Look into the file PATH. 1: found, 0: nothing for REF, -ENOENT: there is none. */
static int read_file(struct auth *out, const char *path, const struct ref *ref)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_buf struct buf text = { 0 };
	auto_json struct json *tree = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return fail_errno("credentials '%s'", path);
	if (fstat(fd, &st) < 0)
		return fail_errno("credentials '%s'", path);
	if (!S_ISREG(st.st_mode))
		return fail(EBADMSG, "credentials '%s': not a regular file", path);
	r = fd_read_all(fd, &text, FILE_MAX);
	if (r == 0)
		r = json_parse(buf_str(&text), text.len, &tree);
	if (r == 0)
		r = read_tree(out, tree, ref, st.st_mode);
	auth_wipe(&text);
	wipe_json(tree);
	if (r < 0) {
		auth_free(out);
		return fail_wrap(r, "credentials '%s'", path);
	}
	return r;
}

/* The places that are looked at when none is named: directory and name below it. */
static int read_known(struct auth *out, const struct ref *ref)
{
	const char *home = getenv("HOME"), *docker = getenv("DOCKER_CONFIG"),
		   *xdg = getenv("XDG_CONFIG_HOME");
	const struct {
		const char *dir, *name;
	} places[] = {
		{ getenv("XDG_RUNTIME_DIR"), "containers/auth.json" },
		{ xdg ? xdg : home, xdg ? "containers/auth.json" : ".config/containers/auth.json" },
		{ docker ? docker : home, docker ? "config.json" : ".docker/config.json" },
	};
	char path[4096];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!places[i].dir || !*places[i].dir)
			continue;
		r = snprintf(path, sizeof(path), "%s/%s", places[i].dir, places[i].name);
		if ((size_t)r >= sizeof(path))
			return fail(ENAMETOOLONG, "path of '%s' is too long", places[i].name);
		r = read_file(out, path, ref);
		if (r == -ENOENT || r == -ENOTDIR) {
			fail_clear();
			continue;
		}
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

int auth_load(struct auth *out, const struct ref *ref, const char *authfile)
{
	int r;

	*out = (struct auth){ 0 };
	if (!authfile)
		authfile = getenv("REGISTRY_AUTH_FILE");
	if (!authfile || !*authfile)
		return read_known(out, ref);
	r = read_file(out, authfile, ref);
	return r < 0 ? r : 0;
}
