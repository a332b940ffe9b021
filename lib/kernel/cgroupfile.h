/* SPDX-License-Identifier: MIT */
/* cgroupfile - the small files and the directories of a cgroup file system
 *
 * For the cgroup modules only. Everything is below an open directory; errors are without text. */
#ifndef KERNEL_CGROUPFILE_H
#define KERNEL_CGROUPFILE_H

#include <stddef.h>
#include <stdint.h>

/* Write TEXT to the file NAME, which must exist. A negative errno value of open or write. */
int cgroup_write(int dir, const char *name, const char *text);

/* Read the file NAME as a string, cut to SIZE - 1 bytes. Returns its length; OUT is "" on
 * failure. */
int cgroup_read(int dir, const char *name, char *out, size_t size);

/* The number after KEY in a file of "KEY NUMBER" lines; KEY NULL: the file is one number.
 * -ENODATA: it is not there, or not a number ("max"). */
int64_t cgroup_read_number(int dir, const char *name, const char *key);

/* Call FN for every directory below DIR, those inside first: PARENT and NAME say where it is,
 * CHILD is open during the call. Stops at the first negative result and returns it. -ELOOP:
 * nested too deep. */
typedef int cgroup_visit(int parent, const char *name, int child, void *arg);
int cgroup_walk(int dir, cgroup_visit *fn, void *arg);

#endif
