/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/rtnl_socket.h"

#include <netlink/errno.h>

int rtnl_socket_open(struct nl_sock **sock)
{
	*sock = nl_socket_alloc();
	return *sock != NULL ? nl_connect(*sock, NETLINK_ROUTE) : -NLE_NOMEM;
}
