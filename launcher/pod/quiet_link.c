/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/quiet_link.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <net/if.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>
#include <netlink/route/link/inet6.h>

/* Changes it by a request of its own: the kernel looks at some of what it carries only once the
 * interface is there (IFLA_AF_SPEC), or in an order that is not ours (before IFF_UP). */
static int change(struct nl_sock *sock, const char *name,
	int (*describe)(struct rtnl_link *change, const void *arg), const void *arg)
{
	struct rtnl_link *link = NULL, *changes = rtnl_link_alloc();
	int ret = changes != NULL ? rtnl_link_get_kernel(sock, 0, name, &link) : -NLE_NOMEM;

	if (ret == 0)
		ret = describe(changes, arg);
	if (ret == 0)
		ret = rtnl_link_change(sock, link, changes, 0);
	rtnl_link_put(link);
	rtnl_link_put(changes);
	return ret;
}

static int describe_ipv4(struct rtnl_link *changes, const void *arg)
{
	const uint32_t *arp_ignore = arg;
	int ret = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_ARP_IGNORE, *arp_ignore);

	if (ret == 0)
		ret = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_FORWARDING, 0);
	if (ret == 0)
		ret = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_RP_FILTER, 1);
	return ret;
}

/* No address, not even fe80::, and so nothing that it would answer. rtnetlink cannot say more. */
static int describe_ipv6(struct rtnl_link *changes, const void *arg)
{
	return rtnl_link_inet6_set_addr_gen_mode(changes, IN6_ADDR_GEN_MODE_NONE);
}

static int describe_up(struct rtnl_link *changes, const void *arg)
{
	rtnl_link_set_flags(changes, IFF_UP);
	return 0;
}

int quiet_link_up(struct nl_sock *sock, const char *name, uint32_t arp_ignore)
{
	int ret = change(sock, name, describe_ipv4, &arp_ignore);

	if (ret == 0)
		ret = change(sock, name, describe_ipv6, NULL);
	/* A kernel without IPv6, or an MTU too small for it. */
	if (ret == 0 || ret == -NLE_AF_NOSUPPORT)
		ret = change(sock, name, describe_up, NULL);
	return ret;
}
