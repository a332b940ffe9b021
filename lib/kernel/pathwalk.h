/* SPDX-License-Identifier: MIT */
/* pathwalk - the resolver of path.h in user space, for path.c and the tests that compare it
 *
 * Every part is opened without following it; what a symbolic link says is put in front of the rest;
 * ".." drops a part and walks again from ROOT, so nobody who moves directories about leads it out. */
#ifndef KERNEL_PATHWALK_H
#define KERNEL_PATHWALK_H

#include <stdbool.h>
#include <sys/types.h>

/* What to make of a directory that is missing. */
struct pathwalk_make {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* As path_open (PLAIN: as path_open_plain). MAKE, if not NULL, makes missing directories on the way and
 * the last one too. -ERANGE: more steps than any honest path needs. */
int pathwalk_open(
	int root, const char *path, int flags, bool plain, const struct pathwalk_make *make);

#endif
