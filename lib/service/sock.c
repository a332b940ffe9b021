/* SPDX-License-Identifier: MIT */
/* sock - client sockets that never wait longer than a deadline */
#include "service/sock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#include "base/fail.h"
#include "base/time.h"

#define CONNECT_NS (10 * NS_PER_S)
#define STAGGER_NS (NS_PER_S / 4)

int64_t sock_deadline(int seconds)
{
	return time_mono() + seconds * NS_PER_S;
}

/* Milliseconds until DEADLINE for poll, rounded up; 0 if it is over. */
static int left_ms(int64_t deadline)
{
	int64_t left = deadline - time_mono();

	return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

int sock_wait(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int ms, n;

	for (;;) {
		ms = left_ms(deadline);
		n = poll(&p, 1, ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && ms == 0)
			return -ETIMEDOUT;
	}
}

int sock_recv(int fd, void *buf, size_t len, int64_t deadline)
{
	ssize_t n;
	int r;

	for (;;) {
		n = recv(fd, buf, len, MSG_DONTWAIT);
		if (n >= 0)
			return (int)n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = sock_wait(fd, POLLIN, deadline);
		if (r < 0)
			return r;
	}
}

int sock_send(int fd, const void *data, size_t len, int64_t deadline)
{
	ssize_t n;
	int r;

	for (;;) {
		n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			return (int)n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = sock_wait(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
}

socklen_t sock_address(
	struct sockaddr_storage *out, const struct dns_address *a, uint32_t scope, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };

	memset(out, 0, sizeof(*out));
	if (a->family == 4) {
		memcpy(&four.sin_addr, a->bytes, 4);
		memcpy(out, &four, sizeof(four));
		return sizeof(four);
	}
	six.sin6_scope_id = scope;
	memcpy(&six.sin6_addr, a->bytes, 16);
	memcpy(out, &six, sizeof(six));
	return sizeof(six);
}

/* Attempts under way: one socket per address, -1 where none was begun or it has failed. */
struct race {
	struct pollfd fds[SOCK_ADDRESSES];
	int64_t deadlines[SOCK_ADDRESSES];
	size_t begun;
	int error; /* of the first attempt that failed; 0: none yet */
};

static void lose(struct race *race, size_t i, int error)
{
	if (race->fds[i].fd >= 0)
		close(race->fds[i].fd);
	race->fds[i].fd = -1;
	if (!race->error)
		race->error = error;
}

static void begin(struct race *race, const struct dns_address *address, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = sock_address(&sa, address, 0, port);
	size_t i = race->begun++;
	int one = 1;

	race->deadlines[i] = time_mono() + CONNECT_NS;
	race->fds[i] = (struct pollfd){ .events = POLLOUT };
	race->fds[i].fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (race->fds[i].fd < 0) {
		lose(race, i, errno);
		return;
	}
	/* Requests are single writes that must not wait for an acknowledgement. */
	setsockopt(race->fds[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(race->fds[i].fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS &&
		errno != EINTR)
		lose(race, i, errno);
}

/* Look at what poll found. Returns the index of a connected socket or -1. */
static int judge(struct race *race)
{
	int64_t now = time_mono();
	socklen_t len = sizeof(int);
	int error;

	for (size_t i = 0; i < race->begun; i++) {
		if (race->fds[i].fd < 0)
			continue;
		if (race->fds[i].revents) {
			error = 0;
			getsockopt(race->fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &len);
			if (!error)
				return (int)i;
			lose(race, i, error);
		} else if (now >= race->deadlines[i]) {
			lose(race, i, ETIMEDOUT);
		}
	}
	return -1;
}

/* When to wake up: at the next deadline, or to begin the next attempt; -1: nothing is under way. */
static int64_t next_event(const struct race *race, bool more, int64_t stagger)
{
	int64_t next = -1;

	for (size_t i = 0; i < race->begun; i++)
		if (race->fds[i].fd >= 0 && (next < 0 || race->deadlines[i] < next))
			next = race->deadlines[i];
	return next >= 0 && more && stagger < next ? stagger : next;
}

int sock_connect(const struct dns_address *addresses, size_t count, uint16_t port)
{
	struct race race = { 0 };
	int64_t stagger = 0, event; /* stagger: when to begin the next attempt */
	int won = -1, fd;

	for (;;) {
		bool more = race.begun < count;

		event = next_event(&race, more, stagger);
		if (event < 0 && !more)
			break;
		if (more && (event < 0 || time_mono() >= stagger)) {
			begin(&race, &addresses[race.begun], port);
			stagger = time_mono() + STAGGER_NS;
			continue;
		}
		poll(race.fds, race.begun, left_ms(event));
		won = judge(&race);
		if (won >= 0)
			break;
	}
	fd = won >= 0 ? race.fds[won].fd : -1;
	for (size_t i = 0; i < race.begun; i++)
		if ((int)i != won && race.fds[i].fd >= 0)
			close(race.fds[i].fd);
	if (fd < 0)
		return fail(EAGAIN, "connect: %s", strerror(race.error ? race.error : ENOENT));
	return fd;
}
