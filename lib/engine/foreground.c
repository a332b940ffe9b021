/* SPDX-License-Identifier: MIT */
/* foreground - run a container under its caller's eyes */
#include "engine/foreground.h"

#include <unistd.h>

#include "base/attr.h"
#include "engine/monitor.h"

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int foreground_run(struct launch *l, int *status)
{
	struct monitor monitor = { .want = { .tty = l->spec->terminal } };
	struct running running;
	int wait_status, r = monitor_open(&monitor, l->stdio);

	*status = 125;
	if (r < 0)
		return r;
	l->signals = monitor.signals;
	r = launch_begin(l, &running, status);
	close_all(l->stdio, 3);
	if (r == 0) {
		monitor.want.cgroup = &running.cgroup;
		r = l->spec->terminal ? monitor_set_pty(&monitor, take_fd(&running.terminal)) : 0;
		if (r == 0)
			r = monitor_run(&monitor, running.pid, &wait_status);
		if (r == 0)
			*status = launch_status(wait_status);
		launch_end(l, &running);
	}
	monitor_close(&monitor);
	return r;
}
