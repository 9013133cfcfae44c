/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/net_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "config/machine_prefix.h"

#define NAME_MAX_LEN 160 /* "route default via 169.254.1.1 dev eth0 table 100" */

static const char *name_of(const struct machine_route *route, char *text)
{
	char dst[MACHINE_PREFIX_TEXT_MAX], gateway[IP_ADDR_TEXT_MAX];
	int n = snprintf(text, NAME_MAX_LEN, "route %s",
		machine_prefix_format(&route->dst, route->family, dst));

	for (size_t i = 0; i < route->n_nexthops && i < 1; i++) {
		const struct machine_nexthop *hop = &route->nexthops[i];

		if (!ip_addr_is_unspecified(&hop->gateway))
			n += snprintf(text + n, NAME_MAX_LEN - (size_t)n, " via %s",
				ip_addr_format(&hop->gateway, gateway));
		if (hop->dev[0] != '\0')
			n += snprintf(text + n, NAME_MAX_LEN - (size_t)n, " dev %s", hop->dev);
	}
	if (route->table != RT_TABLE_MAIN)
		snprintf(text + n, NAME_MAX_LEN - (size_t)n, " table %u", route->table);
	return text;
}

/* IPv4 by a router of IPv6 (RFC 5549): struct rtvia. */
static int put_via(struct nl_msg *msg, const struct ip_addr *gateway)
{
	struct {
		uint16_t family;
		uint8_t addr[16];
	} via = { .family = AF_INET6 };

	memcpy(via.addr, gateway->byte, sizeof(via.addr));
	return nla_put(msg, RTA_VIA, sizeof(via), &via);
}

static int put_gateway(struct nl_msg *msg, int family, const struct machine_nexthop *hop)
{
	if (ip_addr_is_unspecified(&hop->gateway))
		return 0;
	if (family == AF_INET && !ip_addr_is_v4(&hop->gateway))
		return put_via(msg, &hop->gateway);
	return net_netlink_put_ip(msg, RTA_GATEWAY, &hop->gateway);
}

static int put_one_hop(const struct net_setup *setup, struct nl_msg *msg, int family,
	const struct machine_nexthop *hop)
{
	int ret = put_gateway(msg, family, hop);

	if (ret == 0 && hop->dev[0] != '\0')
		ret = nla_put_u32(msg, RTA_OIF, (uint32_t)net_links_index(setup, hop->dev));
	return ret;
}

static int put_hops(
	const struct net_setup *setup, struct nl_msg *msg, const struct machine_route *route)
{
	struct nlattr *all = nla_nest_start(msg, RTA_MULTIPATH);
	int ret = all != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; i < route->n_nexthops && ret == 0; i++) {
		const struct machine_nexthop *hop = &route->nexthops[i];
		struct rtnexthop *next = nlmsg_reserve(msg, sizeof(*next), NLMSG_ALIGNTO);

		if (next == NULL)
			return -ENOMEM;
		*next = (struct rtnexthop) {
			.rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0,
			.rtnh_hops = (unsigned char)(hop->weight > 0 ? hop->weight - 1 : 0),
			.rtnh_ifindex = hop->dev[0] != '\0' ? net_links_index(setup, hop->dev) : 0,
		};
		ret = put_gateway(msg, route->family, hop);
		next->rtnh_len = (uint16_t)((char *)nlmsg_tail(nlmsg_hdr(msg)) - (char *)next);
	}
	if (ret == 0)
		nla_nest_end(msg, all);
	return ret;
}

static int put_metrics(struct nl_msg *msg, const struct machine_route *route)
{
	struct nlattr *all = nla_nest_start(msg, RTA_METRICS);
	int ret = all != NULL ? 0 : -ENOMEM;
	bool any = false;

	for (int i = RTAX_LOCK; i <= RTAX_MAX && ret == 0; i++) {
		if (route->metrics[i] == 0)
			continue;
		ret = nla_put_u32(msg, i, route->metrics[i]);
		any = true;
	}
	if (ret == 0 && any)
		nla_nest_end(msg, all);
	else if (ret == 0)
		nla_nest_cancel(msg, all);
	return ret;
}

static int put_destination(struct nl_msg *msg, const struct machine_route *route)
{
	int ret = nla_put_u32(msg, RTA_TABLE, route->table);

	if (ret == 0 && route->dst.len != 0)
		ret = net_netlink_put_ip(msg, RTA_DST, &route->dst.addr);
	if (ret == 0 && route->src.len != 0)
		ret = net_netlink_put_ip(msg, RTA_SRC, &route->src.addr);
	if (ret == 0 && !ip_addr_is_unspecified(&route->prefsrc))
		ret = net_netlink_put_ip(msg, RTA_PREFSRC, &route->prefsrc);
	if (ret == 0 && route->metric != 0)
		ret = nla_put_u32(msg, RTA_PRIORITY, route->metric);
	if (ret == 0 && route->pref != 0)
		ret = nla_put_u8(msg, RTA_PREF, route->pref);
	return ret;
}

static int put_route(
	const struct net_setup *setup, struct nl_msg *msg, const struct machine_route *route)
{
	const struct rtmsg header = {
		.rtm_family = (unsigned char)route->family,
		.rtm_dst_len = route->dst.len,
		.rtm_src_len = route->src.len,
		.rtm_tos = route->tos,
		.rtm_table = route->table < 256 ? (unsigned char)route->table : RT_TABLE_UNSPEC,
		.rtm_protocol = route->protocol,
		.rtm_scope = route->scope,
		.rtm_type = route->type,
		.rtm_flags =
			route->n_nexthops == 1 && route->nexthops[0].onlink ? RTNH_F_ONLINK : 0,
	};
	int ret = nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO);

	if (ret == 0)
		ret = put_destination(msg, route);
	if (ret == 0)
		ret = put_metrics(msg, route);
	if (ret == 0 && route->n_nexthops == 1)
		ret = put_one_hop(setup, msg, route->family, &route->nexthops[0]);
	else if (ret == 0 && route->n_nexthops > 1)
		ret = put_hops(setup, msg, route);
	return ret;
}

static int send_route(
	struct net_setup *setup, const struct machine_route *route, int flags, struct err *err)
{
	struct nl_msg *msg = nlmsg_alloc_size(NLMSG_HDRLEN + 1024 + route->n_nexthops * 64);
	struct nlmsghdr *header = NULL;

	if (msg != NULL)
		header = nlmsg_put(
			msg, NL_AUTO_PORT, NL_AUTO_SEQ, RTM_NEWROUTE, 0, NLM_F_CREATE | flags);
	msg = net_netlink_filled(msg, header != NULL ? put_route(setup, msg, route) : -ENOMEM);
	return net_netlink_request(setup->sock, msg, err);
}

/* One behind others like it, as they were listed; what is there already, because it came with an
 * address, becomes this one. */
int net_routes_add(struct net_setup *setup, struct err *err)
{
	for (size_t i = 0; i < setup->net->n_routes; i++) {
		const struct machine_route *route = &setup->net->routes[i];
		int ret = send_route(setup, route, NLM_F_APPEND, err);
		char name[NAME_MAX_LEN];

		if (ret == -EEXIST)
			ret = send_route(setup, route, NLM_F_REPLACE, err);
		if (ret < 0)
			return err_wrap(err, ret, "%s", name_of(route, name));
	}
	return 0;
}
