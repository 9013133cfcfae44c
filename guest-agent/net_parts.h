/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The steps of net_apply(), in the order in which they are done; each names what it could not do.
 */

#include "config/machine_net.h"
#include "guest-agent/net_netlink.h"
#include "lib/err.h"

struct net_setup {
	struct nl_sock *sock;
	const struct machine_net *net;
	int loopback;                  /* ifindex */
	int ifindex[MACHINE_NICS_MAX]; /* as net->nics */
};

/* Waits for the interfaces, takes them down and gives them name, MAC address and MTU. */
int net_links_prepare(struct net_setup *setup, unsigned wait_ms, struct err *err);

/* Them and the loopback. */
int net_links_up(struct net_setup *setup, struct err *err);

/* Of an interface that the spec has; 0: none. */
int net_links_index(const struct net_setup *setup, const char *name);

/* What is left when the interfaces are down: addresses, routes that need no interface, rules. */
int net_flush(struct net_setup *setup, struct err *err);

int net_routes_add(struct net_setup *setup, struct err *err);
int net_rules_add(struct net_setup *setup, struct err *err);
