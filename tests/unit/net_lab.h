/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Three network namespaces without names, gone with this process:
 *
 *   node    pod0 <-> eth0  pod
 *           guest0 <-> ens3  guest
 */

#include "launcher/pod/pod_network.h"

struct net_lab {
	int start, node, pod, guest; /* namespaces; that of the test at first */
};

/* The caller's thread is in `node` from then on, until net_lab_destroy(). There is no pod yet. */
struct net_lab net_lab_create(void);
void net_lab_destroy(struct net_lab *lab);

/* A pod in place of the one before, with an eth0 that is up; then the commands. */
void net_lab_new_pod(struct net_lab *lab, const char *commands);

void net_lab_enter(int ns);

/* In a shell, which must succeed. */
void net_lab_run(int ns, const char *commands);

/* With eth0, if there is one, as its interface. */
struct pod_network net_lab_inspect(int ns);

/*
 * The pod and the guest have the same MTU, MAC address, addresses, routes in all tables, rules and
 * permanent neighbours; fails with both lists if they have not within a few seconds (link-local
 * addresses come when the link is there).
 */
void net_lab_assert_same(const struct net_lab *lab, const char *what);
