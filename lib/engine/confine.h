/* SPDX-License-Identifier: MIT */
/* confine - lock the processes of a pull in before they see a hostile byte (DESIGN 3)
 *
 * Each is called once by a child of proc_fork, is never undone, and ends with a system call filter
 * under which any call that is not listed kills the process. Standard input and output become /dev/null. */
#ifndef ENGINE_CONFINE_H
#define ENGINE_CONFINE_H

/* The network process: internet sockets and its open descriptors; no file can be opened, no program started,
 * no capability is left. It may fork. Needs a pid namespace of its own. */
int confine_network(void);

/* The unpacker: the directory fs/ below STAGING becomes its root (nodev, nosuid, noexec), with the
 * six capabilities that files need. The process must have mount, pid, net and ipc namespaces of its
 * own. PATH leads to the directory STAGING: a descriptor from another mount namespace cannot be bound.
 * *ROOT is a descriptor of the new root. */
int confine_unpack(const char *path, int staging, int *root);

/* A parser: reads, writes and seeks its open descriptors, nothing else. */
int confine_parser(void);

#endif
