/* SPDX-License-Identifier: MIT */
#include "service/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"
#include "base/num.h"
#include "base/time.h"
#include "unit.h"

/* What a name server does is said by the first label of the name that is asked for; see answer(). Three of them
 * run at 127.0.0.1 to 127.0.0.3, at the same port; the second never answers, at the third nobody listens. */
#define TIMEOUT_MS 200

static char hosts[] = "/tmp/qbox-unit-hosts.XXXXXX", conf[] = "/tmp/qbox-unit-conf.XXXXXX";
static struct resolver_addresses got;
static uint16_t port;

static void put_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fwrite(text, 1, len, f) == len);
	if (f)
		fclose(f);
}

static const char *show(const struct dns_address *a)
{
	static char text[40];

	if (a->family == 4)
		snprintf(text, sizeof(text), "%u.%u.%u.%u", a->bytes[0], a->bytes[1], a->bytes[2],
			a->bytes[3]);
	else
		snprintf(text, sizeof(text), "%02x%02x..%02x%02x", a->bytes[0], a->bytes[1],
			a->bytes[14], a->bytes[15]);
	return text;
}

/* The server */

struct message {
	uint8_t bytes[4096];
	size_t len;
};

static void add_answer(struct message *m, const char *record, size_t len)
{
	memcpy(m->bytes + m->len, record, len);
	m->len += len;
	m->bytes[7]++;
}

#define A(last)   "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\1\1" last
#define AAAA      "\xc0\x0c\0\x1c\0\1\0\0\0\1\0\x10\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
#define ADD(m, s) add_answer(m, s, sizeof(s) - 1)

static bool asks(const struct message *m, const char *label)
{
	return m->len > 12 && m->bytes[12] == strlen(label) &&
		memcmp(m->bytes + 13, label, strlen(label)) == 0;
}

/* Turn the query in M into the answer; false: say nothing. */
static bool answer(struct message *m, bool tcp)
{
	bool six = m->bytes[m->len - 3] == DNS_TYPE_AAAA;

	m->bytes[2] |= 0x80;
	m->bytes[3] |= 0x80;
	if (asks(m, "none"))
		m->bytes[3] |= 3;
	else if (asks(m, "fails"))
		m->bytes[3] |= 2;
	else if (asks(m, "empty") || (asks(m, "four") && six) || (asks(m, "six") && !six) ||
		(asks(m, "alias") && six))
		return true;
	else if (asks(m, "silent") || (asks(m, "half") && six))
		return false;
	else if (asks(m, "wrongid"))
		m->bytes[0] ^= 0xff;
	else if (asks(m, "other"))
		m->bytes[13] = 'O' + 1;
	else if (asks(m, "garbage"))
		m->len = 20;
	else if (asks(m, "big") && !tcp)
		m->bytes[2] |= 2;
	else if (asks(m, "liar"))
		m->bytes[2] |= 2; /* over TCP too */
	else if (asks(m, "alias")) {
		ADD(m, "\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1b\xc0\x12");
		ADD(m, "\1b\xc0\x12\0\1\0\1\0\0\0\1\0\4\x7f\1\1\5");
	} else if (six) {
		ADD(m, AAAA);
	} else {
		ADD(m, A("\1"));
		ADD(m, A("\2"));
	}
	return true;
}

static int listening(const char *address, int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(sa);
	struct dns_address a;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	CHECK(resolver_parse_address(&a, address));
	memcpy(&sa.sin_addr, a.bytes, 4);
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
		(type == SOCK_STREAM && listen(fd, 8) < 0)) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&sa, &len);
	port = ntohs(sa.sin_port);
	return fd;
}

static void serve_udp(int fd)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct message m;
	ssize_t n = recvfrom(fd, m.bytes, 512, 0, (struct sockaddr *)&from, &len);
	int other;

	if (n <= 16)
		return;
	m.len = (size_t)n;
	if (asks(&m, "spoofed")) {
		/* the right answer, but from another port; then from another address */
		answer(&m, false);
		other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		sendto(other, m.bytes, m.len, 0, (struct sockaddr *)&from, len);
		close(other);
		return;
	}
	if (asks(&m, "noisy")) {
		/* strangers first, also an empty datagram: they do not count */
		sendto(fd, "", 0, 0, (struct sockaddr *)&from, len);
		m.bytes[1] ^= 1;
		m.bytes[2] |= 0x80;
		sendto(fd, m.bytes, m.len, 0, (struct sockaddr *)&from, len);
		m.bytes[1] ^= 1;
	}
	if (answer(&m, false))
		sendto(fd, m.bytes, m.len, 0, (struct sockaddr *)&from, len);
}

static void serve_tcp(int fd)
{
	int c = accept(fd, NULL, NULL);
	struct message m = { .len = 0 };
	uint8_t head[2];

	if (recv(c, head, 2, MSG_WAITALL) == 2) {
		m.len = (size_t)(head[0] << 8 | head[1]);
		if (m.len < 512 && recv(c, m.bytes, m.len, MSG_WAITALL) == (ssize_t)m.len &&
			answer(&m, true)) {
			head[0] = (uint8_t)(m.len >> 8);
			head[1] = (uint8_t)m.len;
			/* in pieces, as a stream may come */
			send(c, head, 1, MSG_NOSIGNAL);
			send(c, head + 1, 1, MSG_NOSIGNAL);
			send(c, m.bytes, 5, MSG_NOSIGNAL);
			send(c, m.bytes + 5, m.len - 5, MSG_NOSIGNAL);
		}
	}
	close(c);
}

/* The same port for UDP and TCP; other programs may take one in between. */
static pid_t start_server(int *silent)
{
	int udp = -1, tcp = -1;
	pid_t pid;

	*silent = -1;
	for (int i = 0; i < 20 && *silent < 0; i++) {
		port = 0;
		udp = listening("127.0.0.1", SOCK_DGRAM);
		tcp = listening("127.0.0.1", SOCK_STREAM);
		*silent = tcp < 0 ? -1 : listening("127.0.0.2", SOCK_DGRAM);
	}
	CHECK(*silent >= 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			fd_set set;

			FD_ZERO(&set);
			FD_SET(udp, &set);
			FD_SET(tcp, &set);
			select((udp > tcp ? udp : tcp) + 1, &set, NULL, NULL, NULL);
			if (FD_ISSET(udp, &set))
				serve_udp(udp);
			if (FD_ISSET(tcp, &set))
				serve_tcp(tcp);
		}
	}
	close(udp);
	close(tcp);
	return pid;
}

/* The cases */

static struct resolver load(const char *hosts_text, const char *conf_text)
{
	struct resolver r;

	put_file(hosts, hosts_text, strlen(hosts_text));
	put_file(conf, conf_text, strlen(conf_text));
	CHECK(resolver_load(&r, hosts, conf) == 0);
	return r;
}

static void resolv_conf(void)
{
	char *big = malloc(2 << 20);
	struct resolver r;

	unit_case("reads resolv.conf");
	r = load("",
		"# comment\n; another\nnameserver 192.0.2.1 # behind\nnameserver\t2001:db8::1\r\n"
		"search a.test. b.test\noptions ndots:0 timeout:2 attempts:3 rotate\nsortlist x\n");
	CHECK(r.server_count == 2);
	CHECK_STR(show(&r.servers[0].address), "192.0.2.1");
	CHECK_STR(show(&r.servers[1].address), "2001..0001");
	CHECK(r.search_count == 2);
	CHECK_STR(r.search[0], "a.test");
	CHECK(r.ndots == 0 && r.timeout_ms == 2000 && r.attempts == 3 && r.port == 53);
	resolver_free(&r);
	unit_case("keeps three servers, six names, and the last of search and domain");
	r = load("",
		"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n"
		"search x y\ndomain z\n"
		"search a b c d e f g h");
	CHECK(r.server_count == 3 && r.search_count == 6);
	CHECK_STR(r.search[5], "f");
	resolver_free(&r);
	unit_case("caps options, and passes over nonsense");
	r = load("",
		"options ndots:99 timeout:0 attempts:0 timeout: ndots\nnameserver\nnameserver "
		"1.2.3\nnameserver "
		"1.2.3.4.5\n\1\2\3\nnameserver fe80::1%nosuchlink\nnameservers 9.9.9.9\n");
	CHECK(r.ndots == 15 && r.attempts == 1 && r.timeout_ms >= 1000);
	CHECK(r.server_count == 1 && r.servers[0].scope == 0);
	resolver_free(&r);
	unit_case("takes this machine's server when none is named");
	r = load("", "search x\n");
	CHECK(r.server_count == 1);
	CHECK_STR(show(&r.servers[0].address), "127.0.0.1");
	resolver_free(&r);
	unit_case("takes missing files for empty ones");
	CHECK(resolver_load(&r, "/tmp/qbox-unit-none/hosts", "/tmp/qbox-unit-none/resolv.conf") ==
		0);
	CHECK(r.server_count == 1 && r.hosts.len == 0 && !*fail_text());
	resolver_free(&r);
	unit_case("refuses files over 1 MiB and directories");
	memset(big, '\n', 2 << 20);
	put_file(conf, big, 2 << 20);
	CHECK(resolver_load(&r, hosts, conf) < 0);
	put_file(conf, "", 0);
	CHECK(resolver_load(&r, "/", conf) < 0);
	unit_case("a name for the search list that is too long is left out");
	memset(big, 'a', 300);
	memcpy(big, "search ", 7);
	memcpy(big + 300, " ok\n", 5);
	r = load("", big);
	CHECK(r.search_count == 1);
	CHECK_STR(r.search[0], "ok");
	resolver_free(&r);
	free(big);
}

static void hosts_file(void)
{
	struct resolver r =
		load("# c\n192.0.2.1 reg.test alias # reg2.test\n\n"
		     "2001:db8::5\tREG.test\r\nnonsense reg.test\n192.0.2.9\n192.0.2.300 reg.test\n"
		     "192.0.2.7 last",
			"nameserver 127.0.0.3\n");

	r.port = 1;
	unit_case("finds all addresses in the hosts file, in any case");
	CHECK(resolver_lookup(&r, "reg.test", &got) == 0);
	CHECK(got.count == 2);
	CHECK_STR(show(&got.items[0]), "192.0.2.1");
	CHECK_STR(show(&got.items[1]), "2001..0005");
	CHECK(resolver_lookup(&r, "ALIAS", &got) == 0 && got.count == 1);
	CHECK(resolver_lookup(&r, "last", &got) == 0 && got.count == 1);
	unit_case("a comment in it is none of it");
	CHECK(resolver_lookup(&r, "reg2.test", &got) == -EAGAIN);
	unit_case("addresses are not asked for");
	CHECK(resolver_lookup(&r, "192.0.2.44", &got) == 0 && got.count == 1);
	CHECK(resolver_lookup(&r, "2001:db8::9", &got) == 0 && got.items[0].family == 6);
	unit_case("localhost is loopback whatever is configured, invalid is nothing");
	CHECK(resolver_lookup(&r, "localhost", &got) == 0 && got.count == 2);
	CHECK(resolver_lookup(&r, "a.LOCALHOST", &got) == 0 || got.count == 0);
	CHECK(resolver_is_loopback(&got.items[0]) && resolver_is_loopback(&got.items[1]));
	CHECK(resolver_lookup(&r, "x.invalid", &got) == -ENOENT && got.count == 0);
	resolver_free(&r);
}

static int look(struct resolver *r, const char *name)
{
	fail_clear();
	return resolver_lookup(r, name, &got);
}

static void dns(struct resolver *r)
{
	int64_t start;

	unit_case("asks for both kinds of address");
	CHECK(look(r, "both.test") == 0);
	CHECK(got.count == 3);
	CHECK_STR(show(&got.items[0]), "2001..0007");
	CHECK_STR(show(&got.items[1]), "127.1.1.1");
	CHECK_STR(show(&got.items[2]), "127.1.1.2");
	unit_case("one kind is enough");
	CHECK(look(r, "four.test") == 0 && got.count == 2);
	CHECK(look(r, "six.test") == 0 && got.count == 1 && got.items[0].family == 6);
	unit_case("also if the other is never answered");
	CHECK(look(r, "half.test") == 0 && got.count == 2);
	unit_case("follows an alias");
	CHECK(look(r, "alias.test") == 0 && got.count == 1);
	CHECK_STR(show(&got.items[0]), "127.1.1.5");
	unit_case("asks over TCP when the answer was cut off");
	CHECK(look(r, "big.test") == 0 && got.count == 3);
	unit_case("strangers' messages do not count");
	CHECK(look(r, "noisy.test") == 0 && got.count == 3);
	unit_case("no such name, and no address, are final");
	start = time_mono();
	CHECK(look(r, "none.test") == -ENOENT && got.count == 0);
	CHECK(look(r, "empty.test") == -ENOENT);
	CHECK(time_mono() - start < TIMEOUT_MS * (NS_PER_S / 1000));
	unit_case("failures of servers are temporary");
	CHECK(look(r, "fails.test") == -EAGAIN);
	CHECK(strstr(fail_text(), "servers failed"));
	unit_case("and so is an answer that is cut off over TCP too");
	CHECK(look(r, "liar.test") == -EAGAIN);
	unit_case("nothing is believed of another id, question, source, or that is no message");
	r->attempts = 1;
	CHECK(look(r, "wrongid.test") == -EAGAIN && got.count == 0);
	CHECK(look(r, "other.test") == -EAGAIN);
	CHECK(look(r, "garbage.test") == -EAGAIN);
	CHECK(look(r, "spoofed.test") == -EAGAIN);
	unit_case("silence ends after the time for each attempt");
	r->attempts = 2;
	start = time_mono();
	CHECK(look(r, "silent.test") == -EAGAIN);
	CHECK(time_mono() - start >= 2 * TIMEOUT_MS * (NS_PER_S / 1000));
	CHECK(strstr(fail_text(), "no answer from the name servers"));
	unit_case("what is no host name is not asked for");
	CHECK(look(r, "a..test") == -EINVAL);
	CHECK(look(r, "a b.test") == -EINVAL);
}

static void several(struct resolver *r)
{
	struct resolver_server first = r->servers[0];

	unit_case("goes on to the next server: at once if nobody listens, else after the time");
	resolver_parse_address(&r->servers[0].address, "127.0.0.3");
	resolver_parse_address(&r->servers[1].address, "127.0.0.2");
	r->servers[2] = first;
	r->server_count = 3;
	r->attempts = 1;
	CHECK(look(r, "both.test") == 0 && got.count == 3);
	r->server_count = 2;
	CHECK(look(r, "both.test") == -EAGAIN);
	r->servers[0] = first;
	r->server_count = 1;
}

static void search(struct resolver *r)
{
	unit_case("tries the search list for names without a dot, in order");
	strcpy(r->search[0], "none.test");
	strcpy(r->search[1], "found.test");
	r->search_count = 2;
	r->ndots = 1;
	CHECK(look(r, "both") == 0 && got.count == 3);
	CHECK(look(r, "none") == -ENOENT);
	unit_case("the search list is no way round a failing server");
	CHECK(look(r, "fails") == -EAGAIN);
	unit_case("the name itself comes first with ndots:0");
	r->ndots = 0;
	CHECK(look(r, "four") == 0 && got.count == 2);
	CHECK(look(r, "none") == -ENOENT);
	r->search_count = 0;
}

static void classes(void)
{
	static const struct {
		const char *text;
		bool loopback, service;
	} table[] = {
		{ "127.0.0.1", true, false },
		{ "127.255.255.254", true, false },
		{ "::1", true, false },
		{ "::ffff:127.0.0.1", true, false },
		{ "126.0.0.1", false, false },
		{ "128.0.0.1", false, false },
		{ "::2", false, false },
		{ "0.0.0.0", false, true },
		{ "0.1.2.3", false, true },
		{ "::", false, true },
		{ "::ffff:0.0.0.0", false, true },
		{ "169.254.169.254", false, true },
		{ "::ffff:169.254.1.1", false, true },
		{ "169.253.1.1", false, false },
		{ "fe80::1", false, true },
		{ "febf::1", false, true },
		{ "fec0::1", false, false },
		{ "10.0.0.1", false, false },
	};
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256",
		"::1%lo", "[::1]", "0x7f.0.0.1", "2130706433", ":::", "1:2:3:4:5:6:7:8:9" };
	struct dns_address a;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		unit_case(table[i].text);
		CHECK(resolver_parse_address(&a, table[i].text));
		CHECK(resolver_is_loopback(&a) == table[i].loopback);
		CHECK(resolver_is_local_service(&a) == table[i].service);
	}
	unit_case("what is no address");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!resolver_parse_address(&a, bad[i]));
}

int main(void)
{
	struct resolver r;
	int silent;
	pid_t pid;

	close(mkstemp(hosts));
	close(mkstemp(conf));
	pid = start_server(&silent);
	resolv_conf();
	hosts_file();
	classes();
	r = load("", "nameserver 127.0.0.1\n");
	r.port = port;
	r.timeout_ms = TIMEOUT_MS;
	dns(&r);
	several(&r);
	search(&r);
	resolver_free(&r);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(hosts);
	unlink(conf);
	return unit_end();
}
