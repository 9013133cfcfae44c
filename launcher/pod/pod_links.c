/* SPDX-License-Identifier: BSD-3-Clause */

/* Interfaces, their addresses and their neighbours, from netlink's messages. */

#include "launcher/pod/pod_read.h"

#include <errno.h>

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>

static void read_kind(struct pod_interface *interface, struct nlattr *linkinfo)
{
	static const struct nla_policy policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = { .type = NLA_STRING },
	};
	struct nlattr *tb[IFLA_INFO_MAX + 1];

	if (linkinfo == NULL || nla_parse_nested(tb, IFLA_INFO_MAX, linkinfo, policy) < 0)
		return;
	if (tb[IFLA_INFO_KIND] != NULL)
		(void)nla_strlcpy(interface->kind, tb[IFLA_INFO_KIND], sizeof(interface->kind));
}

int pod_add_interface(struct pod_network *net, struct nlmsghdr *message)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[IFLA_MTU] = { .type = NLA_U32 },
		[IFLA_MASTER] = { .type = NLA_U32 },
		[IFLA_OPERSTATE] = { .type = NLA_U8 },
		[IFLA_LINKINFO] = { .type = NLA_NESTED },
	};
	const struct ifinfomsg *header = nlmsg_data(message);
	struct nlattr *tb[IFLA_MAX + 1];
	struct pod_interface *interface;

	if (nlmsg_parse(message, sizeof(*header), tb, IFLA_MAX, policy) < 0 || !tb[IFLA_IFNAME])
		return -EBADMSG;
	interface = pod_append(net, interfaces);
	if (interface == NULL)
		return -ENOMEM;
	interface->ifindex = header->ifi_index;
	interface->flags = header->ifi_flags;
	interface->arptype = header->ifi_type;
	(void)nla_strlcpy(interface->name, tb[IFLA_IFNAME], sizeof(interface->name));
	interface->has_mac = header->ifi_type == ARPHRD_ETHER &&
			     pod_mac_of_attr(tb[IFLA_ADDRESS], &interface->mac);
	interface->mtu = pod_u32_of_attr(tb[IFLA_MTU]);
	interface->master = (int)pod_u32_of_attr(tb[IFLA_MASTER]);
	interface->operstate = tb[IFLA_OPERSTATE] ? nla_get_u8(tb[IFLA_OPERSTATE]) : 0;
	read_kind(interface, tb[IFLA_LINKINFO]);
	return 0;
}

/* IFA_ADDRESS is the far end's on a point-to-point link, and else the same as IFA_LOCAL (or all
 * there is, of IPv6). */
static void read_ends(struct pod_address *address, struct nlattr **tb)
{
	struct ip_addr prefix = pod_ip_of_attr(tb[IFA_ADDRESS]);

	address->local = tb[IFA_LOCAL] != NULL ? pod_ip_of_attr(tb[IFA_LOCAL]) : prefix;
	if (!ip_addr_equal(&prefix, &address->local))
		address->peer = prefix;
}

int pod_add_address(struct pod_network *net, struct nlmsghdr *message)
{
	static const struct nla_policy policy[IFA_MAX + 1] = {
		[IFA_LABEL] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[IFA_FLAGS] = { .type = NLA_U32 },
		[IFA_CACHEINFO] = { .minlen = sizeof(struct ifa_cacheinfo) },
	};
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct nlattr *tb[IFA_MAX + 1];
	struct pod_address *address;

	if (nlmsg_parse(message, sizeof(*header), tb, IFA_MAX, policy) < 0)
		return -EBADMSG;
	address = pod_append(net, addresses);
	if (address == NULL)
		return -ENOMEM;
	address->ifindex = (int)header->ifa_index;
	address->family = header->ifa_family;
	address->prefix_len = header->ifa_prefixlen;
	address->scope = header->ifa_scope;
	address->flags = tb[IFA_FLAGS] != NULL ? nla_get_u32(tb[IFA_FLAGS]) : header->ifa_flags;
	address->broadcast = pod_ip_of_attr(tb[IFA_BROADCAST]);
	address->valid_s = address->preferred_s = UINT32_MAX;
	read_ends(address, tb);
	if (tb[IFA_CACHEINFO] != NULL) {
		const struct ifa_cacheinfo *info = nla_data(tb[IFA_CACHEINFO]);

		address->valid_s = info->ifa_valid;
		address->preferred_s = info->ifa_prefered;
	}
	if (tb[IFA_LABEL] != NULL)
		(void)nla_strlcpy(address->label, tb[IFA_LABEL], sizeof(address->label));
	return 0;
}

int pod_add_neighbour(struct pod_network *net, struct nlmsghdr *message)
{
	static const struct nla_policy policy[NDA_MAX + 1] = { 0 };
	const struct ndmsg *header = nlmsg_data(message);
	struct nlattr *tb[NDA_MAX + 1];
	struct pod_neighbour *neighbour;

	if (nlmsg_parse(message, sizeof(*header), tb, NDA_MAX, policy) < 0)
		return -EBADMSG;
	if (tb[NDA_DST] == NULL || header->ndm_state == NUD_NONE || header->ndm_state == NUD_NOARP)
		return 0;
	neighbour = pod_append(net, neighbours);
	if (neighbour == NULL)
		return -ENOMEM;
	neighbour->ifindex = header->ndm_ifindex;
	neighbour->state = header->ndm_state;
	neighbour->flags = header->ndm_flags;
	neighbour->dst = pod_ip_of_attr(tb[NDA_DST]);
	neighbour->has_mac = pod_mac_of_attr(tb[NDA_LLADDR], &neighbour->mac);
	return 0;
}
