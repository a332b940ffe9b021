/* SPDX-License-Identifier: MIT */
/* file - durable files and locks between processes */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Make NAME in DIR hold exactly DATA, or leave what was there: written to a temporary file in TMP (a
 * directory of the same file system), fsync, rename, fsync of DIR. After 0 it survives a power cut. */
int file_replace(int tmp, int dir, const char *name, const void *data, size_t len);

/* The same, but -EEXIST (no text) if NAME is there already; for content-addressed files. */
int file_create(int tmp, int dir, const char *name, const void *data, size_t len);

/* Rename and make it last: renameat2 with FLAGS, fsync of both directories. */
int file_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

/* Unlink and fsync DIR; missing is fine. */
int file_remove(int dir, const char *name);

/* Make the directory NAME below DIR with mode 0700 if missing, and open it. */
int file_mkdir(int dir, const char *name);

/* A name of 16 random hex digits; OUT holds 17. */
void file_random_name(char out[17]);

enum file_lock_mode { FILE_LOCK_SHARED, FILE_LOCK_EXCLUSIVE };

/* Take an OFD lock on the file NAME in DIR, made if missing (Linux 3.15). Returns its descriptor: the
 * lock lasts until it is closed or the process ends. WAIT false: -EAGAIN (no text) when another holds
 * it. Safe against a holder that removes the lock file. */
int file_lock(int dir, const char *name, enum file_lock_mode mode, bool wait);

/* Does another hold a lock on the file NAME? Asks only, so it is in nobody's way; a missing file is not
 * locked. */
bool file_is_locked(int dir, const char *name);

/* Remove the lock file NAME while holding it exclusively through FD, and close FD. */
void file_unlock_remove(int dir, const char *name, int fd);

/* Write everything of the file system that holds FD to the disk: syncfs; where a kernel before 5.8 would
 * not report write errors, the caller's per-file fsync is not needed: every file of the tree below FD is
 * synced instead. */
int file_sync_tree(int fd);

#endif
