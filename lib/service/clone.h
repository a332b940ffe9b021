/* SPDX-License-Identifier: MIT */
/* clone - make a file or directory as another one is: content, owner, mode, attributes, time */
#ifndef SERVICE_CLONE_H
#define SERVICE_CLONE_H

/* Give TO the owner, mode, kept attributes and times of FROM; both are open. */
int clone_meta(int from, int to);

/* Copy the regular file FROM of one directory to the new name TO in another. -EXDEV: it is no
 * regular file. */
int clone_file(int from_dir, const char *from, int to_dir, const char *to);

#endif
