/* SPDX-License-Identifier: MIT */
/* ns - namespaces: loopback, and what a kernel lacks */
#include "kernel/ns.h"

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fail.h"

int ns_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	/* Any socket takes this request; one of this family is there without CONFIG_INET too. */
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno("open a socket");
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return fail_errno("look at the loopback interface");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return fail_errno("bring the loopback interface up");
	return 0;
}

const char *ns_config_name(int flag)
{
	switch (flag) {
	case CLONE_NEWUSER: return "CONFIG_USER_NS";
	case CLONE_NEWPID: return "CONFIG_PID_NS";
	case CLONE_NEWNET: return "CONFIG_NET_NS";
	case CLONE_NEWUTS: return "CONFIG_UTS_NS";
	case CLONE_NEWIPC: return "CONFIG_IPC_NS";
	case CLONE_NEWCGROUP: return "CONFIG_CGROUPS";
	case CLONE_NEWNS: return "CONFIG_NAMESPACES";
	}
	return NULL;
}
