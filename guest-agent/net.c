/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The interfaces are taken down first: IPv6 addresses, routes and neighbours go with that, and the
 * kernel makes the link-local address anew when they come up, from the MAC address that they then
 * have. What stays (IPv4 addresses, routes that need no interface, rules) is flushed.
 */

#include "guest-agent/net.h"

#include <errno.h>

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>

#include "guest-agent/net_parts.h"

/* --- addresses ------------------------------------------------------------------------------- */

static int put_addr(
	const struct net_setup *setup, struct nl_msg *msg, const struct machine_addr *addr)
{
	const struct ifaddrmsg header = {
		.ifa_family = (uint8_t)addr->family,
		.ifa_prefixlen = addr->prefix_len,
		.ifa_scope = addr->scope,
		.ifa_index = (uint32_t)net_links_index(setup, addr->dev),
	};
	/* Whoever gave the address to the pod has answered for it, and the pod's kernel has asked:
	 * there is nothing to wait for. */
	uint32_t flags = addr->family == AF_INET6 ? IFA_F_NODAD : 0;
	bool has_peer = !ip_addr_is_unspecified(&addr->peer);
	int ret = nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO);

	if (addr->no_prefix_route)
		flags |= IFA_F_NOPREFIXROUTE;
	if (ret == 0)
		ret = net_netlink_put_ip(msg, IFA_LOCAL, &addr->local);
	if (ret == 0)
		ret = net_netlink_put_ip(msg, IFA_ADDRESS, has_peer ? &addr->peer : &addr->local);
	if (ret == 0 && !ip_addr_is_unspecified(&addr->broadcast))
		ret = net_netlink_put_ip(msg, IFA_BROADCAST, &addr->broadcast);
	return ret == 0 ? nla_put_u32(msg, IFA_FLAGS, flags) : ret;
}

static int add_addrs(struct net_setup *setup, struct err *err)
{
	for (size_t i = 0; i < setup->net->n_addrs; i++) {
		const struct machine_addr *addr = &setup->net->addrs[i];
		struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
		char text[IP_ADDR_TEXT_MAX];
		int ret;

		if (msg != NULL)
			msg = net_netlink_filled(msg, put_addr(setup, msg, addr));
		ret = net_netlink_request(setup->sock, msg, err);
		if (ret < 0)
			return err_wrap(err, ret, "address %s/%u dev %s",
				ip_addr_format(&addr->local, text), addr->prefix_len, addr->dev);
	}
	return 0;
}

/* --- neighbours ------------------------------------------------------------------------------ */

static int put_neighbour(const struct net_setup *setup, struct nl_msg *msg,
	const struct machine_neighbour *neighbour)
{
	const struct ndmsg header = {
		.ndm_family = ip_addr_is_v4(&neighbour->dst) ? AF_INET : AF_INET6,
		.ndm_ifindex = net_links_index(setup, neighbour->dev),
		.ndm_state = NUD_PERMANENT,
	};
	int ret = nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO);

	if (ret == 0)
		ret = net_netlink_put_ip(msg, NDA_DST, &neighbour->dst);
	if (ret == 0)
		ret = nla_put(msg, NDA_LLADDR, sizeof(neighbour->mac), &neighbour->mac);
	return ret;
}

static int add_neighbours(struct net_setup *setup, struct err *err)
{
	for (size_t i = 0; i < setup->net->n_neighbours; i++) {
		const struct machine_neighbour *neighbour = &setup->net->neighbours[i];
		struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
		char text[IP_ADDR_TEXT_MAX];
		int ret;

		if (msg != NULL)
			msg = net_netlink_filled(msg, put_neighbour(setup, msg, neighbour));
		ret = net_netlink_request(setup->sock, msg, err);
		if (ret < 0)
			return err_wrap(err, ret, "neighbour %s dev %s",
				ip_addr_format(&neighbour->dst, text), neighbour->dev);
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int apply(struct net_setup *setup, unsigned wait_ms, struct err *err)
{
	int ret = net_links_prepare(setup, wait_ms, err);

	if (ret == 0)
		ret = net_flush(setup, err);
	if (ret == 0)
		ret = net_links_up(setup, err);
	if (ret == 0)
		ret = add_addrs(setup, err);
	if (ret == 0)
		ret = net_routes_add(setup, err);
	if (ret == 0)
		ret = net_rules_add(setup, err);
	return ret == 0 ? add_neighbours(setup, err) : ret;
}

int net_apply(const struct machine_net *net, unsigned wait_ms, struct err *err)
{
	struct net_setup setup = { .net = net };
	int ret = net_netlink_open(&setup.sock, 0, err);

	if (ret < 0)
		return ret;
	ret = apply(&setup, wait_ms, err);
	nl_socket_free(setup.sock);
	return ret;
}
