/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_words.h"

#include <net/if.h>
#include <stddef.h>
#include <stdio.h>

#include <linux/fib_rules.h>
#include <linux/icmpv6.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "launcher/pod/pod_network.h"

#define IFF_LOWER_UP_BIT 0x10000 /* linux/if.h, which net/if.h excludes */

/* RFC 2863, section 6; linux/if.h has them as IF_OPER_*. */
const struct pod_word pod_operstates[] = {
	{ 0, "UNKNOWN" },
	{ 1, "NOTPRESENT" },
	{ 2, "DOWN" },
	{ 3, "LOWERLAYERDOWN" },
	{ 4, "TESTING" },
	{ 5, "DORMANT" },
	{ 6, "UP" },
	{ 0, NULL },
};

const struct pod_word pod_scopes[] = {
	{ RT_SCOPE_UNIVERSE, "global" },
	{ RT_SCOPE_SITE, "site" },
	{ RT_SCOPE_LINK, "link" },
	{ RT_SCOPE_HOST, "host" },
	{ RT_SCOPE_NOWHERE, "nowhere" },
	{ 0, NULL },
};

const struct pod_word pod_route_types[] = {
	{ RTN_UNICAST, "unicast" },
	{ RTN_LOCAL, "local" },
	{ RTN_BROADCAST, "broadcast" },
	{ RTN_ANYCAST, "anycast" },
	{ RTN_MULTICAST, "multicast" },
	{ RTN_BLACKHOLE, "blackhole" },
	{ RTN_UNREACHABLE, "unreachable" },
	{ RTN_PROHIBIT, "prohibit" },
	{ RTN_THROW, "throw" },
	{ RTN_NAT, "nat" },
	{ RTN_XRESOLVE, "xresolve" },
	{ 0, NULL },
};

const struct pod_word pod_protocols[] = {
	{ RTPROT_UNSPEC, "unspec" },
	{ RTPROT_REDIRECT, "redirect" },
	{ RTPROT_KERNEL, "kernel" },
	{ RTPROT_BOOT, "boot" },
	{ RTPROT_STATIC, "static" },
	{ RTPROT_RA, "ra" },
	{ RTPROT_ZEBRA, "zebra" },
	{ RTPROT_BIRD, "bird" },
	{ RTPROT_DHCP, "dhcp" },
	{ RTPROT_BGP, "bgp" },
	{ RTPROT_OSPF, "ospf" },
	{ 0, NULL },
};

const struct pod_word pod_route_prefs[] = {
	{ ICMPV6_ROUTER_PREF_LOW, "low" },
	{ ICMPV6_ROUTER_PREF_MEDIUM, "medium" },
	{ ICMPV6_ROUTER_PREF_HIGH, "high" },
	{ 0, NULL },
};

const struct pod_word pod_actions[] = {
	{ FR_ACT_TO_TBL, "lookup" },
	{ FR_ACT_GOTO, "goto" },
	{ FR_ACT_NOP, "nop" },
	{ FR_ACT_BLACKHOLE, "blackhole" },
	{ FR_ACT_UNREACHABLE, "unreachable" },
	{ FR_ACT_PROHIBIT, "prohibit" },
	{ 0, NULL },
};

const struct pod_word pod_link_types[] = {
	{ ARPHRD_ETHER, "ether" },
	{ ARPHRD_LOOPBACK, "loopback" },
	{ ARPHRD_TUNNEL, "ipip" },
	{ ARPHRD_TUNNEL6, "tunnel6" },
	{ ARPHRD_SIT, "sit" },
	{ ARPHRD_IPGRE, "gre" },
	{ ARPHRD_IP6GRE, "gre6" },
	{ ARPHRD_INFINIBAND, "infiniband" },
	{ ARPHRD_NONE, "none" },
	{ 0, NULL },
};

const struct pod_word pod_address_states[] = {
	{ POD_ADDRESS_READY, "ready" },
	{ POD_ADDRESS_TENTATIVE, "tentative" },
	{ POD_ADDRESS_NONE, "none" },
	{ 0, NULL },
};

const struct pod_word pod_metrics[] = {
	{ RTAX_LOCK, "lock" },
	{ RTAX_MTU, "mtu" },
	{ RTAX_WINDOW, "window" },
	{ RTAX_RTT, "rtt" },
	{ RTAX_RTTVAR, "rttvar" },
	{ RTAX_SSTHRESH, "ssthresh" },
	{ RTAX_CWND, "cwnd" },
	{ RTAX_ADVMSS, "advmss" },
	{ RTAX_REORDERING, "reordering" },
	{ RTAX_HOPLIMIT, "hoplimit" },
	{ RTAX_INITCWND, "initcwnd" },
	{ RTAX_FEATURES, "features" },
	{ RTAX_RTO_MIN, "rto_min" },
	{ RTAX_INITRWND, "initrwnd" },
	{ RTAX_QUICKACK, "quickack" },
	{ RTAX_FASTOPEN_NO_COOKIE, "fastopen_no_cookie" },
	{ 0, NULL },
};

/* As ip(8), which has no word for IFF_RUNNING; of an interface that is up without, it says
 * NO-CARRIER. */
const struct pod_word pod_link_flags[] = {
	{ IFF_LOOPBACK, "LOOPBACK" },
	{ IFF_BROADCAST, "BROADCAST" },
	{ IFF_POINTOPOINT, "POINTOPOINT" },
	{ IFF_MULTICAST, "MULTICAST" },
	{ IFF_NOARP, "NOARP" },
	{ IFF_ALLMULTI, "ALLMULTI" },
	{ IFF_PROMISC, "PROMISC" },
	{ IFF_MASTER, "MASTER" },
	{ IFF_SLAVE, "SLAVE" },
	{ IFF_DEBUG, "DEBUG" },
	{ IFF_DYNAMIC, "DYNAMIC" },
	{ IFF_AUTOMEDIA, "AUTOMEDIA" },
	{ IFF_PORTSEL, "PORTSEL" },
	{ IFF_NOTRAILERS, "NOTRAILERS" },
	{ IFF_UP, "UP" },
	{ IFF_LOWER_UP_BIT, "LOWER_UP" },
	{ 0, NULL },
};

const struct pod_word pod_address_flags[] = {
	{ IFA_F_SECONDARY, "secondary" },
	{ IFA_F_NODAD, "nodad" },
	{ IFA_F_OPTIMISTIC, "optimistic" },
	{ IFA_F_DADFAILED, "dadfailed" },
	{ IFA_F_HOMEADDRESS, "home" },
	{ IFA_F_DEPRECATED, "deprecated" },
	{ IFA_F_TENTATIVE, "tentative" },
	{ IFA_F_PERMANENT, "permanent" },
	{ IFA_F_MANAGETEMPADDR, "mngtmpaddr" },
	{ IFA_F_NOPREFIXROUTE, "noprefixroute" },
	{ IFA_F_MCAUTOJOIN, "autojoin" },
	{ IFA_F_STABLE_PRIVACY, "stable-privacy" },
	{ 0, NULL },
};

const struct pod_word pod_nexthop_flags[] = {
	{ RTNH_F_DEAD, "dead" },
	{ RTNH_F_PERVASIVE, "pervasive" },
	{ RTNH_F_ONLINK, "onlink" },
	{ RTNH_F_LINKDOWN, "linkdown" },
	{ RTNH_F_UNRESOLVED, "unresolved" },
	{ 0, NULL },
};

const struct pod_word pod_neighbour_states[] = {
	{ NUD_INCOMPLETE, "INCOMPLETE" },
	{ NUD_REACHABLE, "REACHABLE" },
	{ NUD_STALE, "STALE" },
	{ NUD_DELAY, "DELAY" },
	{ NUD_PROBE, "PROBE" },
	{ NUD_FAILED, "FAILED" },
	{ NUD_NOARP, "NOARP" },
	{ NUD_PERMANENT, "PERMANENT" },
	{ 0, NULL },
};

const struct pod_word pod_neighbour_flags[] = {
	{ NTF_ROUTER, "router" },
	{ NTF_PROXY, "proxy" },
	{ NTF_EXT_LEARNED, "extern_learn" },
	{ 0, NULL },
};

const char *pod_address_flag(const struct pod_word *flag, int family)
{
	return flag->value == IFA_F_TEMPORARY && family == AF_INET6 ? "temporary" : flag->word;
}

const char *pod_word_of(const struct pod_word *words, uint32_t value, char *number)
{
	for (; words->word != NULL; words++)
		if (words->value == value)
			return words->word;
	snprintf(number, POD_WORD_MAX, "%u", value);
	return number;
}
