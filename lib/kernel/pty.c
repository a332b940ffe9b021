/* SPDX-License-Identifier: MIT */
/* pty - pseudo-terminals */
#include "kernel/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int pty_open(int devpts, int *slave)
{
	auto_close int master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	int off = 0;

	*slave = -1;
	if (master < 0)
		return fail_errno("open 'ptmx'");
	if (ioctl(master, TIOCSPTLCK, &off) < 0)
		return fail_errno("make a terminal");
	*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		return fail_errno("open a terminal");
	return take_fd(&master);
}

int pty_adopt(int slave)
{
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return fail_errno("take the terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			return fail_errno("open the terminal");
	return 0;
}

int pty_raw(int fd, struct pty_saved *saved)
{
	struct termios raw;

	saved->fd = -1;
	if (tcgetattr(fd, &saved->modes) < 0)
		return fail_errno("look at the terminal");
	raw = saved->modes;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* From here on there is something to put back. */
	saved->fd = fd;
	return tcsetattr(fd, TCSANOW, &raw) < 0 ? fail_errno("set up the terminal") : 0;
}

void pty_restore(struct pty_saved *saved)
{
	/* It may have hung up. */
	if (saved->fd >= 0)
		tcsetattr(saved->fd, TCSANOW, &saved->modes);
	saved->fd = -1;
}

int pty_copy_size(int fd, int from)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) < 0 || ioctl(fd, TIOCSWINSZ, &size) < 0)
		return fail_errno("set the size of the terminal");
	return 0;
}

int pty_set_size(int fd, unsigned rows, unsigned cols)
{
	struct winsize size = {
		.ws_row = (unsigned short)rows,
		.ws_col = (unsigned short)cols,
	};

	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? fail_errno("set the size of the terminal") : 0;
}

/* --- detach keys --- */

/* One key of LEN characters: its byte, -1 if it is none. */
static int parse_key(const char *s, size_t len)
{
	static const char prefix[] = "ctrl-";
	char c = len > 0 ? s[len - 1] : '\0';
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	if (len == 1)
		return letter || (c >= '0' && c <= '9') ? c : -1;
	if (len != sizeof(prefix) || memcmp(s, prefix, len - 1) != 0)
		return -1;
	return letter || strchr("@[\\]^_", c) ? c & 0x1f : -1;
}

int pty_keys_parse(const char *s, struct pty_keys *out)
{
	const char *at = s;

	memset(out, 0, sizeof(*out));
	while (*at) {
		size_t len = strcspn(at, ",");
		int key = parse_key(at, len);

		if (key < 0 || out->count == sizeof(out->keys) || (at[len] && !at[len + 1])) {
			memset(out, 0, sizeof(*out));
			return fail(EINVAL, "'%s' are not detach keys, such as ctrl-p,ctrl-q", s);
		}
		out->keys[out->count++] = (char)key;
		at += len + (at[len] != '\0');
	}
	return 0;
}

/* How many of the keys stand at the end when C comes after SEEN of them. */
static size_t advance(const struct pty_keys *k, size_t seen, char c)
{
	char typed[sizeof(k->keys) + 1];
	size_t len = seen + 1;

	memcpy(typed, k->keys, seen);
	typed[seen] = c;
	while (len > 0 && memcmp(typed + seen + 1 - len, k->keys, len) != 0)
		len--;
	return len;
}

bool pty_keys_scan(struct pty_keys *k, const char *data, size_t len, char *out, size_t *out_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		size_t held = k->seen, now = k->count ? advance(k, held, data[i]) : 0;
		size_t passed = held + 1 - now;

		if (now == k->count && now > 0) {
			memcpy(out + n, k->keys, passed);
			*out_len = n + passed;
			k->seen = 0;
			return true;
		}
		/* The oldest bytes are not part of them; only the last may be the new one. */
		for (size_t at = 0; at < passed; at++)
			out[n++] = at < held ? k->keys[at] : data[i];
		k->seen = now;
	}
	*out_len = n;
	return false;
}
