/* SPDX-License-Identifier: BSD-3-Clause */

/* Routes and policy rules, from netlink's messages. */

#include "launcher/pod/pod_read.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/fib_rules.h>
#include <netlink/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

static struct ip_addr ip_of(struct nl_addr *addr)
{
	if (addr == NULL)
		return pod_ip_of(NULL, 0);
	return pod_ip_of(nl_addr_get_binary_addr(addr), nl_addr_get_len(addr));
}

static struct pod_prefix prefix_of(struct nl_addr *addr)
{
	if (addr == NULL)
		return (struct pod_prefix) { .len = 0 };
	return (struct pod_prefix) { ip_of(addr), (uint8_t)nl_addr_get_prefixlen(addr) };
}

static void describe_nexthop(struct pod_nexthop *nexthop, struct rtnl_nexthop *from)
{
	struct nl_addr *via = rtnl_route_nh_get_via(from);

	nexthop->ifindex = rtnl_route_nh_get_ifindex(from);
	nexthop->gateway = ip_of(via != NULL ? via : rtnl_route_nh_get_gateway(from));
	nexthop->weight = rtnl_route_nh_get_weight(from) + 1; /* the kernel's counts from 0 */
	nexthop->flags = (uint8_t)rtnl_route_nh_get_flags(from);
}

static int copy_nexthops(struct pod_route *route, struct rtnl_route *from)
{
	int n = rtnl_route_get_nnexthops(from);

	if (n <= 0)
		return 0;
	route->nexthops = calloc((size_t)n, sizeof(*route->nexthops));
	if (route->nexthops == NULL)
		return -ENOMEM;
	for (int i = 0; i < n; i++)
		describe_nexthop(&route->nexthops[i], rtnl_route_nexthop_n(from, i));
	route->n_nexthops = (size_t)n;
	return 0;
}

static void describe_route(struct pod_route *route, struct rtnl_route *from)
{
	route->family = rtnl_route_get_family(from);
	route->dst = prefix_of(rtnl_route_get_dst(from));
	route->src = prefix_of(rtnl_route_get_src(from));
	route->type = rtnl_route_get_type(from);
	route->scope = rtnl_route_get_scope(from);
	route->protocol = rtnl_route_get_protocol(from);
	route->tos = rtnl_route_get_tos(from);
	route->table = rtnl_route_get_table(from);
	route->metric = rtnl_route_get_priority(from);
	route->prefsrc = ip_of(rtnl_route_get_pref_src(from));
	for (int i = RTAX_LOCK; i <= RTAX_MAX; i++)
		(void)rtnl_route_get_metric(from, i, &route->metrics[i]);
}

/* What an address brings along, and what path MTU discovery found out (RTM_F_CLONED). */
static bool is_derived(struct rtnl_route *route)
{
	return (rtnl_route_get_table(route) == RT_TABLE_LOCAL &&
		       rtnl_route_get_protocol(route) == RTPROT_KERNEL) ||
	       (rtnl_route_get_flags(route) & RTM_F_CLONED) != 0;
}

/* Which libnl's routes do not have. */
static uint8_t pref_of(struct nlmsghdr *message)
{
	struct nlattr *attr = nlmsg_find_attr(message, sizeof(struct rtmsg), RTA_PREF);

	return attr != NULL && nla_len(attr) == 1 ? nla_get_u8(attr) : 0;
}

int pod_add_route(struct pod_network *net, struct nlmsghdr *message)
{
	struct rtnl_route *from = NULL;
	struct pod_route *route = NULL;
	int ret = rtnl_route_parse(message, &from);

	if (ret < 0)
		return pod_errno_of(ret);
	if (!is_derived(from)) {
		route = pod_append(net, routes);
		ret = -ENOMEM;
	}
	if (route != NULL) {
		describe_route(route, from);
		route->pref = pref_of(message);
		ret = copy_nexthops(route, from);
	}
	rtnl_route_put(from);
	return ret;
}

static struct pod_port_range ports_of(struct nlattr *attr)
{
	const struct fib_rule_port_range *range = attr != NULL ? nla_data(attr) : NULL;

	if (range == NULL)
		return (struct pod_port_range) { 0, 0 };
	return (struct pod_port_range) { range->start, range->end };
}

static void read_rule_match(struct pod_rule *rule, struct nlattr **tb)
{
	rule->src.addr = pod_ip_of_attr(tb[FRA_SRC]);
	rule->dst.addr = pod_ip_of_attr(tb[FRA_DST]);
	if (tb[FRA_IIFNAME] != NULL)
		(void)nla_strlcpy(rule->iif, tb[FRA_IIFNAME], sizeof(rule->iif));
	if (tb[FRA_OIFNAME] != NULL)
		(void)nla_strlcpy(rule->oif, tb[FRA_OIFNAME], sizeof(rule->oif));
	rule->fwmark = pod_u32_of_attr(tb[FRA_FWMARK]);
	rule->fwmask = pod_u32_of_attr(tb[FRA_FWMASK]);
	rule->ipproto = tb[FRA_IP_PROTO] != NULL ? nla_get_u8(tb[FRA_IP_PROTO]) : 0;
	rule->sport = ports_of(tb[FRA_SPORT_RANGE]);
	rule->dport = ports_of(tb[FRA_DPORT_RANGE]);
	if (tb[FRA_UID_RANGE] != NULL) {
		const struct fib_rule_uid_range *range = nla_data(tb[FRA_UID_RANGE]);

		rule->has_uids = true;
		rule->uid_first = range->start;
		rule->uid_last = range->end;
	}
}

/* By hand: libnl's rules know neither "not" nor uid ranges nor suppress_prefixlength. */
int pod_add_rule(struct pod_network *net, struct nlmsghdr *message)
{
	static const struct nla_policy policy[FRA_MAX + 1] = {
		[FRA_IIFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[FRA_OIFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[FRA_PRIORITY] = { .type = NLA_U32 },
		[FRA_GOTO] = { .type = NLA_U32 },
		[FRA_TABLE] = { .type = NLA_U32 },
		[FRA_FWMARK] = { .type = NLA_U32 },
		[FRA_FWMASK] = { .type = NLA_U32 },
		[FRA_SUPPRESS_PREFIXLEN] = { .type = NLA_U32 },
		[FRA_L3MDEV] = { .type = NLA_U8 },
		[FRA_PROTOCOL] = { .type = NLA_U8 },
		[FRA_IP_PROTO] = { .type = NLA_U8 },
		[FRA_UID_RANGE] = { .minlen = sizeof(struct fib_rule_uid_range) },
		[FRA_SPORT_RANGE] = { .minlen = sizeof(struct fib_rule_port_range) },
		[FRA_DPORT_RANGE] = { .minlen = sizeof(struct fib_rule_port_range) },
	};
	const struct fib_rule_hdr *header = nlmsg_data(message);
	struct nlattr *tb[FRA_MAX + 1];
	struct pod_rule *rule;

	if (nlmsg_parse(message, sizeof(*header), tb, FRA_MAX, policy) < 0)
		return -EBADMSG;
	rule = pod_append(net, rules);
	if (rule == NULL)
		return -ENOMEM;
	rule->family = header->family;
	rule->invert = (header->flags & FIB_RULE_INVERT) != 0;
	rule->src.len = header->src_len;
	rule->dst.len = header->dst_len;
	rule->tos = header->tos;
	rule->action = header->action;
	rule->table = tb[FRA_TABLE] != NULL ? nla_get_u32(tb[FRA_TABLE]) : header->table;
	rule->priority = pod_u32_of_attr(tb[FRA_PRIORITY]);
	rule->target = pod_u32_of_attr(tb[FRA_GOTO]);
	rule->l3mdev = tb[FRA_L3MDEV] != NULL && nla_get_u8(tb[FRA_L3MDEV]) != 0;
	rule->protocol = tb[FRA_PROTOCOL] != NULL ? nla_get_u8(tb[FRA_PROTOCOL]) : 0;
	rule->suppress_prefix_len = tb[FRA_SUPPRESS_PREFIXLEN] != NULL
					    ? (int)nla_get_u32(tb[FRA_SUPPRESS_PREFIXLEN])
					    : -1;
	read_rule_match(rule, tb);
	return 0;
}
