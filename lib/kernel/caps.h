/* SPDX-License-Identifier: MIT */
/* caps - capability sets of the calling thread */
#ifndef KERNEL_CAPS_H
#define KERNEL_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#define CAP_BIT(cap) (1ull << (cap))

/* "NET_ADMIN", "cap_net_admin" to its number. -EINVAL, text recorded, with the nearest name as hint. */
int caps_parse(const char *s);
const char *caps_name(int cap); /* "CAP_NET_ADMIN"; NULL above the newest known */

/* The highest number this kernel has. */
int caps_last(void);

/* Drop from the bounding set all that is not in KEEP. Needs CAP_SETPCAP. */
int caps_bound(uint64_t keep);

/* Effective and permitted := SET, inheritable and ambient := empty. Dropping needs nothing. */
int caps_set(uint64_t set);

/* The permitted set. */
int caps_get(uint64_t *permitted);

#endif
