/* SPDX-License-Identifier: MIT */
/* ns - namespaces: loopback, and what a kernel lacks */
#ifndef KERNEL_NS_H
#define KERNEL_NS_H

/* Bring the loopback interface of this network namespace up. Needs CAP_NET_ADMIN over it. */
int ns_loopback_up(void);

/* "CONFIG_USER_NS" and so on for one CLONE_NEW* flag, for hints; NULL if unknown. */
const char *ns_config_name(int flag);

#endif
