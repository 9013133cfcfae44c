/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/net_words.h"

#include <stdio.h>

#include <linux/fib_rules.h>
#include <linux/icmpv6.h>
#include <linux/rtnetlink.h>

const struct setting_word net_scopes[] = {
	{ "global", RT_SCOPE_UNIVERSE },
	{ "site", RT_SCOPE_SITE },
	{ "link", RT_SCOPE_LINK },
	{ "host", RT_SCOPE_HOST },
	{ "nowhere", RT_SCOPE_NOWHERE },
	{ NULL, 0 },
};

const struct setting_word net_route_types[] = {
	{ "unicast", RTN_UNICAST },
	{ "local", RTN_LOCAL },
	{ "broadcast", RTN_BROADCAST },
	{ "anycast", RTN_ANYCAST },
	{ "multicast", RTN_MULTICAST },
	{ "blackhole", RTN_BLACKHOLE },
	{ "unreachable", RTN_UNREACHABLE },
	{ "prohibit", RTN_PROHIBIT },
	{ "throw", RTN_THROW },
	{ "nat", RTN_NAT },
	{ "xresolve", RTN_XRESOLVE },
	{ NULL, 0 },
};

const struct setting_word net_protocols[] = {
	{ "unspec", RTPROT_UNSPEC },
	{ "redirect", RTPROT_REDIRECT },
	{ "kernel", RTPROT_KERNEL },
	{ "boot", RTPROT_BOOT },
	{ "static", RTPROT_STATIC },
	{ "ra", RTPROT_RA },
	{ "zebra", RTPROT_ZEBRA },
	{ "bird", RTPROT_BIRD },
	{ "dhcp", RTPROT_DHCP },
	{ "bgp", RTPROT_BGP },
	{ "ospf", RTPROT_OSPF },
	{ NULL, 0 },
};

const struct setting_word net_route_prefs[] = {
	{ "low", ICMPV6_ROUTER_PREF_LOW },
	{ "medium", ICMPV6_ROUTER_PREF_MEDIUM },
	{ "high", ICMPV6_ROUTER_PREF_HIGH },
	{ NULL, 0 },
};

const struct setting_word net_actions[] = {
	{ "lookup", FR_ACT_TO_TBL },
	{ "goto", FR_ACT_GOTO },
	{ "nop", FR_ACT_NOP },
	{ "blackhole", FR_ACT_BLACKHOLE },
	{ "unreachable", FR_ACT_UNREACHABLE },
	{ "prohibit", FR_ACT_PROHIBIT },
	{ NULL, 0 },
};

const struct setting_word net_metrics[] = {
	{ "lock", RTAX_LOCK },
	{ "mtu", RTAX_MTU },
	{ "window", RTAX_WINDOW },
	{ "rtt", RTAX_RTT },
	{ "rttvar", RTAX_RTTVAR },
	{ "ssthresh", RTAX_SSTHRESH },
	{ "cwnd", RTAX_CWND },
	{ "advmss", RTAX_ADVMSS },
	{ "reordering", RTAX_REORDERING },
	{ "hoplimit", RTAX_HOPLIMIT },
	{ "initcwnd", RTAX_INITCWND },
	{ "features", RTAX_FEATURES },
	{ "rto_min", RTAX_RTO_MIN },
	{ "initrwnd", RTAX_INITRWND },
	{ "quickack", RTAX_QUICKACK },
	{ "fastopen_no_cookie", RTAX_FASTOPEN_NO_COOKIE },
	{ NULL, 0 },
};

const char *net_word_of(const struct setting_word *words, uint32_t value, char *number)
{
	for (; words->name != NULL; words++)
		if (words->value == value)
			return words->name;
	snprintf(number, NET_WORD_MAX, "%u", value);
	return number;
}
