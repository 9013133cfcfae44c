/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/net_parts.h"

#include <errno.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

static int put_ports(struct nl_msg *msg, int attr, const struct machine_port_range *ports)
{
	struct fib_rule_port_range range = { .start = ports->first, .end = ports->last };

	return ports->last != 0 ? nla_put(msg, attr, sizeof(range), &range) : 0;
}

static int put_names(struct nl_msg *msg, const struct machine_rule *rule)
{
	int ret = 0;

	if (rule->iif[0] != '\0')
		ret = nla_put_string(msg, FRA_IIFNAME, rule->iif);
	if (ret == 0 && rule->oif[0] != '\0')
		ret = nla_put_string(msg, FRA_OIFNAME, rule->oif);
	return ret;
}

static int put_sides(struct nl_msg *msg, const struct machine_rule *rule)
{
	int ret = 0;

	if (rule->src.len != 0)
		ret = net_netlink_put_ip(msg, FRA_SRC, &rule->src.addr);
	if (ret == 0 && rule->dst.len != 0)
		ret = net_netlink_put_ip(msg, FRA_DST, &rule->dst.addr);
	if (ret == 0)
		ret = put_ports(msg, FRA_SPORT_RANGE, &rule->sport);
	return ret == 0 ? put_ports(msg, FRA_DPORT_RANGE, &rule->dport) : ret;
}

static int put_socket(struct nl_msg *msg, const struct machine_rule *rule)
{
	struct fib_rule_uid_range uids = { .start = rule->uid_first, .end = rule->uid_last };
	int ret = 0;

	if (rule->fwmark != 0 || rule->fwmask != 0) {
		ret = nla_put_u32(msg, FRA_FWMARK, rule->fwmark);
		if (ret == 0)
			ret = nla_put_u32(msg, FRA_FWMASK, rule->fwmask);
	}
	if (ret == 0 && rule->ipproto != 0)
		ret = nla_put_u8(msg, FRA_IP_PROTO, rule->ipproto);
	if (ret == 0 && rule->has_uids)
		ret = nla_put(msg, FRA_UID_RANGE, sizeof(uids), &uids);
	return ret;
}

static int put_action(struct nl_msg *msg, const struct machine_rule *rule)
{
	int ret = nla_put_u32(msg, FRA_PRIORITY, rule->priority);

	if (ret == 0)
		ret = nla_put_u8(msg, FRA_PROTOCOL, rule->protocol);
	if (ret == 0)
		ret = nla_put_u32(msg, FRA_TABLE, rule->table);
	if (ret == 0 && rule->action == FR_ACT_GOTO)
		ret = nla_put_u32(msg, FRA_GOTO, rule->target);
	if (ret == 0 && rule->suppress_prefix_len >= 0)
		ret = nla_put_u32(msg, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress_prefix_len);
	return ret;
}

static int put_rule(struct nl_msg *msg, const struct machine_rule *rule)
{
	const struct fib_rule_hdr header = {
		.family = (uint8_t)rule->family,
		.dst_len = rule->dst.len,
		.src_len = rule->src.len,
		.tos = rule->tos,
		.table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC,
		.action = rule->action,
		.flags = rule->invert ? FIB_RULE_INVERT : 0,
	};
	int ret = nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO);

	if (ret == 0)
		ret = put_sides(msg, rule);
	if (ret == 0)
		ret = put_names(msg, rule);
	if (ret == 0)
		ret = put_socket(msg, rule);
	return ret == 0 ? put_action(msg, rule) : ret;
}

static struct nl_msg *message_of(const struct machine_rule *rule)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);

	return msg != NULL ? net_netlink_filled(msg, put_rule(msg, rule)) : NULL;
}

/* One that is there already is one of the kernel's own. */
int net_rules_add(struct net_setup *setup, struct err *err)
{
	for (size_t i = 0; i < setup->net->n_rules; i++) {
		const struct machine_rule *rule = &setup->net->rules[i];
		int ret = net_netlink_request(setup->sock, message_of(rule), err);

		if (ret < 0 && ret != -EEXIST)
			return err_wrap(err, ret, "rule %u of %s", rule->priority,
				rule->family == AF_INET ? "IPv4" : "IPv6");
	}
	return 0;
}
