/* SPDX-License-Identifier: MIT */
/* boot - what the first process of a machine does before its program and after it
 *
 * For an initramfs or a microVM without any other init. Single process, root of everything. */
#ifndef ENGINE_BOOT_H
#define ENGINE_BOOT_H

#include <stdbool.h>

/* Mount the kernel's file systems where none is mounted yet, load what /etc/modules names, take the
 * console as the controlling terminal, set the host name, bring loopback up. What fails is noted
 * and left out: a machine without it is better than none. -EPERM: this is the first process of a
 * container, and nothing was done. */
int boot_start(void);

/* End every process, write everything out, unmount what can be unmounted, make the rest read-only,
 * then power off (or restart). Returns only if the kernel refuses, a negative errno value. */
int boot_end(bool restart);

#endif
