/* SPDX-License-Identifier: MIT */
/* resolver - host names to addresses: literals, the hosts file, DNS (a stub resolver)
 *
 * A and AAAA are asked for at once from one socket with a random port (the kernel's choice for an
 * unbound socket) and random ids; connect(2) makes the kernel drop what does not come from the
 * server's address and port. */
#include "service/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "base/fail.h"
#include "base/num.h"
#include "base/str.h"
#include "base/time.h"
#include "kernel/fd.h"

#define FILE_MAX (1u << 20)
#define UDP_MAX  4096
#define SPACE    " \t\r"

bool resolver_parse_address(struct dns_address *out, const char *s)
{
	*out = (struct dns_address){ .family = 4 };
	if (inet_pton(AF_INET, s, out->bytes) == 1)
		return true;
	*out = (struct dns_address){ .family = 6 };
	return inet_pton(AF_INET6, s, out->bytes) == 1;
}

/* The four bytes of an IPv4 address, also of one that is mapped into IPv6; else NULL. */
static const uint8_t *as_ipv4(const struct dns_address *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family == 4)
		return a->bytes;
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0 ? a->bytes + 12 : NULL;
}

bool resolver_is_loopback(const struct dns_address *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	const uint8_t *four = as_ipv4(a);

	return four ? four[0] == 127 : memcmp(a->bytes, one, sizeof(one)) == 0;
}

bool resolver_is_local_service(const struct dns_address *a)
{
	static const uint8_t zero[16];
	const uint8_t *four = as_ipv4(a);

	if (four)
		return four[0] == 0 || (four[0] == 169 && four[1] == 254);
	return memcmp(a->bytes, zero, sizeof(zero)) == 0 ||
		(a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
}

/* The next word of the line at *P, which is ended in place; NULL at its end. */
static char *next_word(char **p)
{
	char *word = *p + strspn(*p, SPACE);
	size_t len = strcspn(word, SPACE);

	*p = word + len;
	if (**p)
		*(*p)++ = '\0';
	return len ? word : NULL;
}

static void add_server(struct resolver *r, char *word)
{
	struct resolver_server *a = &r->servers[r->server_count];
	char *scope = word ? strchr(word, '%') : NULL;

	if (!word || r->server_count == RESOLVER_SERVERS)
		return;
	if (scope)
		*scope++ = '\0';
	if (!resolver_parse_address(&a->address, word))
		return;
	a->scope = scope ? if_nametoindex(scope) : 0;
	r->server_count++;
}

/* An option's number up to MAX; larger ones count as MAX, as resolv.conf(5) says. */
static unsigned int option_value(const char *s, unsigned int max)
{
	uint64_t value;

	return num_parse(s, max, &value) < 0 ? max : (unsigned int)value;
}

static void add_option(struct resolver *r, const char *word)
{
	if (str_starts(word, "ndots:"))
		r->ndots = option_value(word + 6, 15);
	else if (str_starts(word, "timeout:"))
		r->timeout_ms = 1000 * option_value(word + 8, 30);
	else if (str_starts(word, "attempts:"))
		r->attempts = option_value(word + 9, 5);
}

static void read_resolv_line(struct resolver *r, char *line)
{
	char *key, *word;

	line[strcspn(line, "#;")] = '\0';
	key = next_word(&line);
	if (!key)
		return;
	if (strcmp(key, "nameserver") == 0) {
		add_server(r, next_word(&line));
	} else if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
		r->search_count = 0; /* the last line counts */
		while ((word = next_word(&line)) && r->search_count < RESOLVER_SEARCH) {
			size_t len = strlen(word);

			if (len && word[len - 1] == '.')
				word[--len] = '\0';
			if (len && len < sizeof(r->search[0]))
				memcpy(r->search[r->search_count++], word, len + 1);
		}
	} else if (strcmp(key, "options") == 0) {
		while ((word = next_word(&line)))
			add_option(r, word);
	}
}

/* Read a file that may be missing. */
static int read_file(struct buf *out, const char *path)
{
	int r = fd_read_file(AT_FDCWD, path, out, FILE_MAX);

	if (r == -ENOENT || r == -ENOTDIR) {
		fail_clear();
		return 0;
	}
	return r;
}

int resolver_load(struct resolver *r, const char *hosts, const char *resolv_conf)
{
	auto_buf struct buf text = { 0 };
	char *line, *rest;
	int n;

	*r = (struct resolver){ .port = 53, .ndots = 1, .timeout_ms = 5000, .attempts = 2 };
	n = read_file(&r->hosts, hosts ? hosts : "/etc/hosts");
	if (n == 0)
		n = read_file(&text, resolv_conf ? resolv_conf : "/etc/resolv.conf");
	if (n < 0) {
		resolver_free(r);
		return n;
	}
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n")))
		read_resolv_line(r, line);
	if (!r->timeout_ms)
		r->timeout_ms = 1000;
	if (!r->attempts)
		r->attempts = 1;
	if (!r->server_count) /* resolv.conf(5): the name server of this machine */
		r->servers[r->server_count++].address = (struct dns_address){ 4, { 127, 0, 0, 1 } };
	return 0;
}

void resolver_free(struct resolver *r)
{
	buf_free(&r->hosts);
}

static void add(struct resolver_addresses *out, const struct dns_address *a)
{
	if (out->count < RESOLVER_ADDRESSES)
		out->items[out->count++] = *a;
}

/* The hosts file: "ADDRESS NAME..." a line, # begins a comment. */
static int lookup_hosts(const struct resolver *r, const char *host, struct resolver_addresses *out)
{
	auto_free char *text = strdup(buf_str(&r->hosts));
	struct dns_address a;
	char *rest = text, *line, *word;

	if (!text)
		return fail(ENOMEM, "out of memory");
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "#")] = '\0';
		word = next_word(&line);
		if (!word || !resolver_parse_address(&a, word))
			continue;
		while ((word = next_word(&line)))
			if (str_casecmp(word, host) == 0) {
				add(out, &a);
				break;
			}
	}
	return 0;
}

/* One question of the two that are asked at once. */
struct question {
	uint8_t query[DNS_QUERY_MAX];
	size_t len;
	bool answered;
	struct dns_answer answer;
};

#define QUESTIONS 2

/* The same over TCP, for an answer that UDP cut off: two bytes of length before each message. */
static int ask_tcp(const struct resolver *r, const struct resolver_server *server,
	struct question *q, int64_t deadline)
{
	uint8_t msg[2 + DNS_QUERY_MAX], *reply, head[2];
	struct sockaddr_storage sa;
	socklen_t len = sock_address(&sa, &server->address, server->scope, r->port);
	auto_close int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	auto_free uint8_t *room = malloc(65535);
	size_t want = 2, have = 0;
	int n;

	if (fd < 0 || !room)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
		return -errno;
	n = sock_wait(fd, POLLOUT, deadline);
	msg[0] = (uint8_t)(q->len >> 8);
	msg[1] = (uint8_t)q->len;
	memcpy(msg + 2, q->query, q->len);
	for (size_t sent = 0; n >= 0 && sent < q->len + 2; sent += (size_t)n)
		n = sock_send(fd, msg + sent, q->len + 2 - sent, deadline);
	reply = head;
	while (n >= 0 && have < want) {
		n = sock_recv(fd, reply + have, want - have, deadline);
		if (n == 0)
			return -EBADMSG;
		have += n > 0 ? (size_t)n : 0;
		if (have == want && reply == head) {
			want = (size_t)(head[0] << 8 | head[1]);
			reply = room;
			have = 0;
		}
	}
	return n < 0 ? n : dnsmsg_parse(&q->answer, room, want, q->query, q->len);
}

/* One message has come: whose answer is it? Others are dropped as if they had not come. */
static void take_answer(struct question *questions, const uint8_t *msg, size_t len)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct question *q = &questions[i];

		if (!q->answered && dnsmsg_parse(&q->answer, msg, len, q->query, q->len) == 0)
			q->answered = true;
	}
}

/* Ask one server both questions. 0: both answered. */
static int ask_server(
	const struct resolver *r, const struct resolver_server *server, struct question *questions)
{
	struct sockaddr_storage sa;
	socklen_t len = sock_address(&sa, &server->address, server->scope, r->port);
	auto_close int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int64_t deadline = time_mono() + r->timeout_ms * (NS_PER_S / 1000);
	uint8_t msg[UDP_MAX];
	int n;

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0)
		return -errno;
	for (size_t i = 0; i < QUESTIONS; i++)
		if (!questions[i].answered) {
			n = sock_send(fd, questions[i].query, questions[i].len, deadline);
			if (n < 0)
				return n;
		}
	while (!questions[0].answered || !questions[1].answered) {
		n = sock_recv(fd, msg, sizeof(msg), deadline);
		if (n < 0)
			return n;
		take_answer(questions, msg, (size_t)n);
	}
	for (size_t i = 0; i < QUESTIONS; i++)
		if (questions[i].answer.truncated) {
			deadline = time_mono() + r->timeout_ms * (NS_PER_S / 1000);
			n = ask_tcp(r, server, &questions[i], deadline);
			questions[i].answered = n == 0 && !questions[i].answer.truncated;
			if (!questions[i].answered)
				return n < 0 ? n : -EBADMSG;
		}
	return 0;
}

/* The addresses among the answers; *FINAL if there is nothing more to learn about the name. */
static void collect(const struct question *questions, struct resolver_addresses *out, bool *final)
{
	*final = true;
	for (const struct question *q = questions; q < questions + QUESTIONS; q++) {
		for (size_t i = 0; q->answered && i < q->answer.count; i++)
			add(out, &q->answer.addresses[i]);
		if (!q->answered || (q->answer.rcode != 0 && q->answer.rcode != 3))
			*final = false;
	}
}

static int make_questions(struct question *questions, const char *name)
{
	static const uint16_t types[QUESTIONS] = { DNS_TYPE_AAAA, DNS_TYPE_A };
	uint16_t ids[QUESTIONS];
	int n;

	if (getrandom(ids, sizeof(ids), 0) != sizeof(ids))
		return fail_errno("getrandom");
	for (size_t i = 0; i < QUESTIONS; i++) {
		n = dnsmsg_query(questions[i].query, name, types[i], ids[i]);
		if (n < 0)
			return n;
		questions[i].len = (size_t)n;
		questions[i].answered = false;
		questions[i].answer = (struct dns_answer){ 0 };
	}
	return 0;
}

/* Ask for NAME as it is. 0: found; -ENOENT, -EAGAIN, -EINVAL. */
static int lookup_dns(const struct resolver *r, const char *name, struct resolver_addresses *out)
{
	struct question questions[QUESTIONS];
	int error = 0, n;
	bool final;

	for (unsigned int i = 0; i < r->attempts * r->server_count; i++) {
		/* New ids each time: a late answer to the last attempt cannot be taken for one. */
		n = make_questions(questions, name);
		if (n < 0)
			return n;
		n = ask_server(r, &r->servers[i % r->server_count], questions);
		/* One kind of address is enough: there are servers that never answer for the other. */
		collect(questions, out, &final);
		if (out->count)
			return 0;
		if (final)
			return fail(ENOENT, "'%s': no such name, or it has no address", name);
		error = n < 0 ? -n : EREMOTEIO;
	}
	if (error == EREMOTEIO)
		return fail(EAGAIN, "'%s': the name servers failed", name);
	return fail(EAGAIN, "'%s': no answer from the name servers: %s", name, strerror(error));
}

/* With each name of the search list behind it. */
static int lookup_search(const struct resolver *r, const char *host, struct resolver_addresses *out)
{
	char name[512];
	int n;

	for (size_t i = 0; i < r->search_count; i++) {
		str_copy(name, sizeof(name), host);
		strcat(strcat(name, "."), r->search[i]);
		n = lookup_dns(r, name, out);
		if (n != -ENOENT && n != -EINVAL)
			return n;
	}
	return fail(ENOENT, "'%s': no such name", host);
}

/* Names that mean the same everywhere (RFC 6761). */
static bool lookup_special(const char *host, struct resolver_addresses *out)
{
	static const struct dns_address six = { 6, { [15] = 1 } }, four = { 4, { 127, 0, 0, 1 } };

	if (str_casecmp(host, "localhost") != 0 && !str_ends(host, ".localhost"))
		return str_ends(host, ".invalid");
	add(out, &six);
	add(out, &four);
	return true;
}

int resolver_lookup(const struct resolver *r, const char *host, struct resolver_addresses *out)
{
	struct dns_address literal;
	int n;

	out->count = 0;
	if (resolver_parse_address(&literal, host)) {
		add(out, &literal);
		return 0;
	}
	if (strlen(host) > 253)
		return fail(EINVAL, "'%.60s...' is not a host name", host);
	if (!lookup_special(host, out)) {
		n = lookup_hosts(r, host, out);
		if (n < 0 || out->count)
			return n;
		if (strchr(host, '.') || !r->search_count)
			return lookup_dns(r, host, out);
		if (!r->ndots) {
			n = lookup_dns(r, host, out);
			return n == -ENOENT ? lookup_search(r, host, out) : n;
		}
		n = lookup_search(r, host, out);
		return n == -ENOENT ? lookup_dns(r, host, out) : n;
	}
	return out->count ? 0 : fail(ENOENT, "'%s': no such name", host);
}
