/* SPDX-License-Identifier: MIT */
/* caps - unit test */
#include "kernel/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "unit.h"

/* A line of /proc/self/status as a number. */
static uint64_t status_of(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	uint64_t value = ~0ull;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, 16);
	if (f)
		fclose(f);
	return value;
}

static int drops(void)
{
	uint64_t keep = CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_SETFCAP), now;

	if (caps_bound(keep) < 0 || status_of("CapBnd:") != keep)
		return 1;
	if (caps_set(keep) < 0 || caps_get(&now) < 0 || now != keep)
		return 2;
	if (status_of("CapEff:") != keep || status_of("CapPrm:") != keep)
		return 3;
	if (status_of("CapInh:") != 0 || status_of("CapAmb:") != 0)
		return 4;
	if (caps_set(keep | CAP_BIT(CAP_KILL)) != -EPERM)
		return 5;
	if (caps_bound(0) < 0 || caps_set(0) < 0 || status_of("CapBnd:") != 0)
		return 6;
	return status_of("CapPrm:") != 0 || caps_bound(0) < 0;
}

/* What was inheritable and ambient goes. */
static int clears_ambient(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return 1;
	data[0].inheritable = (uint32_t)CAP_BIT(CAP_KILL);
	if (syscall(SYS_capset, &head, data) < 0)
		return 2;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) < 0)
		return 3;
	if (caps_set(CAP_BIT(CAP_KILL)) < 0)
		return 4;
	return status_of("CapInh:") != 0 || status_of("CapAmb:") != 0;
}

static int unprivileged(void)
{
	if (setuid(65534) < 0)
		return 1;
	return caps_bound(0) == -EPERM && caps_set(0) == 0 ? 0 : 2;
}

static int run(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	char text[64];

	unit_case("reads names in any case, with and without CAP_");
	CHECK(caps_parse("NET_ADMIN") == CAP_NET_ADMIN);
	CHECK(caps_parse("cap_net_admin") == CAP_NET_ADMIN);
	CHECK(caps_parse("Chown") == 0);
	CHECK(caps_parse("CAP_CHECKPOINT_RESTORE") == 40);
	for (int i = 0; caps_name(i); i++)
		CHECK(caps_parse(caps_name(i)) == i);

	unit_case("refuses others, with the nearest");
	CHECK(caps_parse("NET_ADMN") == -EINVAL);
	CHECK_STR(fail_hint_text(), "did you mean 'CAP_NET_ADMIN'?");
	CHECK(caps_parse("") == -EINVAL && caps_parse("CAP_") == -EINVAL);
	CHECK(caps_parse("12") == -EINVAL && caps_parse("CAP_CAP_KILL") == -EINVAL);
	memset(text, 'x', sizeof(text));
	text[63] = '\0';
	CHECK(caps_parse(text) == -EINVAL);
	CHECK_STR(fail_hint_text(), "");
	CHECK_STR(caps_name(21), "CAP_SYS_ADMIN");
	CHECK(!caps_name(-1) && !caps_name(64));

	unit_case("knows the kernel's last one");
	FILE *f = fopen("/proc/sys/kernel/cap_last_cap", "r");
	int last = -1;

	CHECK(f && fscanf(f, "%d", &last) == 1 && caps_last() == last);
	if (f)
		fclose(f);
	if (geteuid() != 0) {
		unit_skip("drops from the sets", "needs root");
		return unit_end();
	}
	unit_case("drops from bounding, permitted and effective set");
	CHECK(run(drops) == 0);
	unit_case("empties inheritable and ambient set");
	CHECK(run(clears_ambient) == 0);
	unit_case("needs CAP_SETPCAP for the bounding set only");
	CHECK(run(unprivileged) == 0);
	return unit_end();
}
