/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Entries are deleted by sending back what the kernel listed, as ip(8) does: whatever it has of an
 * entry then tells that one from all others.
 */

#include "guest-agent/net_parts.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#define ATTEMPTS 100

struct doomed {
	const struct net_setup *setup;
	int type; /* of the request that deletes */
	struct nl_msg **item;
	size_t n;
};

static int doom(struct doomed *doomed, struct nlmsghdr *message)
{
	struct nl_msg **grown = reallocarray(doomed->item, doomed->n + 1, sizeof(*doomed->item));
	struct nl_msg *msg = nlmsg_convert(message);
	struct nlmsghdr *header;

	if (grown != NULL)
		doomed->item = grown;
	if (grown == NULL || msg == NULL) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	header = nlmsg_hdr(msg);
	header->nlmsg_type = (uint16_t)doomed->type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	header->nlmsg_seq = NL_AUTO_SEQ;
	header->nlmsg_pid = NL_AUTO_PORT;
	doomed->item[doomed->n++] = msg;
	return 0;
}

static void forget(struct doomed *doomed)
{
	for (size_t i = 0; i < doomed->n; i++)
		nlmsg_free(doomed->item[i]);
	free(doomed->item);
	doomed->item = NULL;
	doomed->n = 0;
}

static bool is_ours(const struct net_setup *setup, int ifindex)
{
	for (size_t i = 0; i < setup->net->n_nics; i++)
		if (setup->ifindex[i] == ifindex)
			return true;
	return ifindex == setup->loopback;
}

/* --- what is to go --------------------------------------------------------------------------- */

/* 127.0.0.1 and ::1 are the kernel's. */
static bool is_loopback_addr(const struct nlattr *attr)
{
	struct ip_addr addr;

	if (attr == NULL || (nla_len(attr) != 4 && nla_len(attr) != 16))
		return false;
	addr = nla_len(attr) == 4 ? ip_addr_v4(nla_data(attr)) : ip_addr_v6(nla_data(attr));
	return ip_addr_is_loopback(&addr);
}

static int judge_addr(void *arg, struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct doomed *doomed = arg;
	const struct nlattr *addr = nlmsg_find_attr(message, sizeof(*header), IFA_ADDRESS);

	if (!is_ours(doomed->setup, (int)header->ifa_index))
		return 0;
	if ((int)header->ifa_index == doomed->setup->loopback && is_loopback_addr(addr))
		return 0;
	return doom(doomed, message);
}

/* Those by interfaces that are down are gone; those that lead nowhere, or by the loopback, are
 * not. */
static int judge_route(void *arg, struct nlmsghdr *message)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct doomed *doomed = arg;
	const struct nlattr *oif = nlmsg_find_attr(message, sizeof(*header), RTA_OIF);

	if (header->rtm_table == RT_TABLE_LOCAL && header->rtm_protocol == RTPROT_KERNEL)
		return 0;
	if ((header->rtm_flags & RTM_F_CLONED) != 0)
		return 0;
	if (oif != NULL && !is_ours(doomed->setup, (int)nla_get_u32(oif)))
		return 0;
	if (oif != NULL && (int)nla_get_u32(oif) == doomed->setup->loopback &&
		header->rtm_protocol == RTPROT_KERNEL)
		return 0;
	if (nlmsg_find_attr(message, sizeof(*header), RTA_MULTIPATH) != NULL)
		return 0;
	return doom(doomed, message);
}

/* 0: local, 32766: main, 32767: default, which every namespace is born with. */
static int judge_rule(void *arg, struct nlmsghdr *message)
{
	const struct fib_rule_hdr *header = nlmsg_data(message);
	struct nlattr *attr = nlmsg_find_attr(message, sizeof(*header), FRA_PRIORITY);
	uint32_t priority = attr != NULL ? nla_get_u32(attr) : 0;

	attr = nlmsg_find_attr(message, sizeof(*header), FRA_PROTOCOL);
	if ((priority == 0 || priority == 32766 || priority == 32767) && attr != NULL &&
		nla_get_u8(attr) == RTPROT_KERNEL)
		return 0;
	return doom(arg, message);
}

/* --- deleting -------------------------------------------------------------------------------- */

/* Some go with others: secondary addresses with the first of their network. */
static bool is_gone(int ret)
{
	return ret == -ESRCH || ret == -ENOENT || ret == -EADDRNOTAVAIL || ret == -ENODEV;
}

static int flush_list(struct net_setup *setup, int list, int delete, int family,
	net_netlink_fn judge, struct err *err)
{
	struct doomed doomed = { .setup = setup, .type = delete };
	int ret = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && ret == -EAGAIN; i++) {
		forget(&doomed);
		ret = net_netlink_dump(setup->sock, list, family, judge, &doomed, err);
	}
	for (size_t i = 0; i < doomed.n && ret == 0; i++) {
		nlmsg_get(doomed.item[i]);
		ret = net_netlink_request(setup->sock, doomed.item[i], err);
		if (is_gone(ret))
			ret = 0;
	}
	forget(&doomed);
	return ret;
}

int net_flush(struct net_setup *setup, struct err *err)
{
	static const struct {
		const char *what;
		int list, delete;
		net_netlink_fn judge;
	} lists[] = {
		{ "addresses", RTM_GETADDR, RTM_DELADDR, judge_addr },
		{ "routes", RTM_GETROUTE, RTM_DELROUTE, judge_route },
		{ "rules", RTM_GETRULE, RTM_DELRULE, judge_rule },
	};
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < 2 * sizeof(lists) / sizeof(lists[0]); i++) {
		int ret = flush_list(setup, lists[i / 2].list, lists[i / 2].delete, families[i % 2],
			lists[i / 2].judge, err);

		if (ret < 0)
			return err_wrap(err, ret, "cannot flush the %s", lists[i / 2].what);
	}
	return 0;
}
