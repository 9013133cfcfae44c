/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The pod's end of the host port: a veth pair. `sluice0` holds the identity address, on which the
 * pod's services for its guests listen; the switch's packet socket is on the other end, `sluice0p`,
 * which has no address and says nothing.
 *
 * What keeps it apart from the pod's network, apart from the switch and the guard (guard_rules.c):
 * sluice0 answers ARP only for its own address (arp_ignore 1) and its other end for none (8);
 * neither has an IPv6 address, forwards what comes in by it, or takes a source address whose route
 * does not lead back (rp_filter). All that is set by rtnetlink, as /proc/sys is read-only in most
 * containers. Whoever writes net.ipv4.ip_forward later turns forwarding on here too; then it is the
 * guard's chain on sluice0 that lets nothing out. Nothing of the pod's other interfaces and routes
 * is touched.
 */

#include <net/if.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

#define HOST_LINK_NAME     "sluice0"
#define HOST_LINK_FAR_NAME "sluice0p"

/* Where nobody says otherwise. */
#define HOST_LINK_IDENTITY "169.254.1.254"
#define HOST_LINK_SERVICE  "169.254.1.253"

struct host_link {
	struct ip_addr identity;       /* IPv4 */
	const struct ip_addr *service; /* IPv4; routed to sluice0 */
	size_t n_services;
	unsigned mtu;
	struct mac mac, far_mac; /* zero: derived, always the same for an identity address */
};

/* What sluice0's is if nobody says otherwise. */
struct mac host_link_mac(const struct ip_addr *identity);

/*
 * Creates it, in place of what a predecessor may have left. *link is borrowed for the call.
 *
 * -EINVAL: an address that cannot be used; -EADDRINUSE: one that the pod uses or routes already, or
 * that is a gateway's or neighbour's; -EPERM: needs CAP_NET_ADMIN. There is no pair then.
 */
int host_link_create(const struct host_link *link, struct err *err);

/* Removes it, with its address and routes. 0 also if there is none. */
int host_link_remove(struct err *err);
