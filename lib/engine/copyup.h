/* SPDX-License-Identifier: MIT */
/* copyup - a new volume begins with what the image has in its place */
#ifndef ENGINE_COPYUP_H
#define ENGINE_COPYUP_H

/* Copy what lies in the directory FROM, without following a link or entering another mount, to the directory
 * TO, and owner, mode and times of FROM itself, if TO is empty. Both are O_PATH descriptors of directories;
 * of another file nothing is done. Errno value. */
int copy_up(int from, int to);

#endif
