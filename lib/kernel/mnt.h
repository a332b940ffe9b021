/* SPDX-License-Identifier: MIT */
/* mnt - mounts of a mount namespace that is ours */
#ifndef KERNEL_MNT_H
#define KERNEL_MNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Make every mount of this namespace a slave, so that nothing of ours leaks out. First act. */
int mnt_isolate(void);

/* An overlay on TARGET (a path of this namespace). LOWER are COUNT directory paths, top first; UPPER and
 * WORK are NULL for a read-only one. USERXATTR: user.overlay.* (a user namespace's). Long lists go through
 * short symbolic links in the private directory SCRATCH ("" when not needed), so that 127 layers fit in a
 * page. -ENODEV with CONFIG_OVERLAY_FS named. */
struct mnt_overlay {
	const char *const *lower;
	size_t count;
	const char *upper, *work, *scratch;
	bool userxattr, is_volatile;
};
int mnt_overlay(const struct mnt_overlay *o, const char *target);

/* Set MOUNT_ATTR_* of FLAGS on the mount at PATH (RECURSIVE: and below it, which needs Linux 5.12);
 * mount_setattr, else bind remount. Flags that are locked stay. */
int mnt_set_flags(const char *path, uint64_t flags, bool recursive);

/* Make the directory NEW_ROOT (a mount point) the root and detach the old one: pivot_root(".", ".").
 * -EINVAL in an initramfs, where that is impossible. The working directory is "/" afterwards. */
int mnt_pivot(int new_root);

/* Is there a mount at or below the directory that DIR is (of this namespace)? */
bool mnt_is_busy(int dir);

#endif
