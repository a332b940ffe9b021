/* SPDX-License-Identifier: MIT */
/* self - keep our own executable out of the reach of what we run (CVE-2019-5736)
 *
 * Until a container's program replaces it, the process that becomes the container is a copy of
 * us, and /proc/self/exe leads from inside to our file: an entry point or "#!" line of that name
 * runs us where the container is root, and a descriptor taken then can be opened for writing when
 * we have ended. So we run from a view of the file that nobody can write through. */
#ifndef KERNEL_SELF_H
#define KERNEL_SELF_H

/* Call first of all, before anything is opened or read: it starts this program again, as NAME
 * with the NULL-terminated ARGS, if its file can be written through /proc/self/exe, and then does
 * not return. 0: it cannot, go on. The view is a detached read-only clone of the file's mount
 * (Linux 5.12, needs CAP_SYS_ADMIN), else a sealed copy in memory. */
int self_protect(const char *name, char *const *args);

#endif
