/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The network of a guest that stands for the pod: of what the pod was given, that which belongs to
 * its interface.
 *
 *  - Addresses that can be used; not fe80::/10, which the guest makes of its own MAC address.
 *  - Routes by the interface in all tables but local, and those that lead nowhere. What the kernel
 *    adds with an address is left out, and is added in the guest by its kernel. Where a plugin has
 *    removed that route (the node routes between pods of a subnet) or has changed its metric, the
 *    address comes without and the route that is there is one of the list.
 *  - Rules, but the three that every namespace is born with, and those of VRFs.
 *  - Neighbours that someone has set for good (PERMANENT).
 */

#include "config/machine_net.h"
#include "launcher/pod/pod_network.h"
#include "lib/err.h"

struct pod_machine_plan {
	const struct mac *mac; /* the guest's; NULL: the pod's (mac-mode adopt) */
	bool host_port;        /* it reaches the pod's services: see host_link.h */
};

/* Of a snapshot with a choice. The caller frees *net with machine_net_free() if this returns 0. */
int pod_machine_net(const struct pod_network *pod, const struct pod_machine_plan *plan,
	struct machine_net *net, struct err *err);
