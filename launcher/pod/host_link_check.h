/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether the pod's network leaves the host port's addresses to us. */

#include "launcher/pod/host_link.h"
#include "lib/err.h"

struct nl_sock;

/*
 * The identity address and the service addresses must be IPv4 addresses of hosts, all different,
 * and not 169.254.1.1 (-EINVAL); and in this network namespace no gateway's or neighbour's, nor
 * routed or assigned, other than by a default route (-EADDRINUSE). `sock` is connected to
 * NETLINK_ROUTE.
 */
int host_link_check(struct nl_sock *sock, const struct host_link *link, struct err *err);
