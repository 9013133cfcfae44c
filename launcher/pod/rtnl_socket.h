/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <netlink/netlink.h>

/*
 * A socket that speaks rtnetlink(7), in the network namespace that we are in. 0, or an error of
 * libnl's (nl_geterror(3)); *sock is the caller's to free either way, NULL included.
 */
int rtnl_socket_open(struct nl_sock **sock);
