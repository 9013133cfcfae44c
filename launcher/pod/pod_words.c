/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_words.h"

#include <net/if.h>
#include <stddef.h>

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "launcher/pod/pod_network.h"

#define IFF_LOWER_UP_BIT 0x10000 /* linux/if.h, which net/if.h excludes */

/* RFC 2863, section 6; linux/if.h has them as IF_OPER_*. */
const struct setting_word pod_operstates[] = {
	{ "UNKNOWN", 0 },
	{ "NOTPRESENT", 1 },
	{ "DOWN", 2 },
	{ "LOWERLAYERDOWN", 3 },
	{ "TESTING", 4 },
	{ "DORMANT", 5 },
	{ "UP", 6 },
	{ NULL, 0 },
};

const struct setting_word pod_link_types[] = {
	{ "ether", ARPHRD_ETHER },
	{ "loopback", ARPHRD_LOOPBACK },
	{ "ipip", ARPHRD_TUNNEL },
	{ "tunnel6", ARPHRD_TUNNEL6 },
	{ "sit", ARPHRD_SIT },
	{ "gre", ARPHRD_IPGRE },
	{ "gre6", ARPHRD_IP6GRE },
	{ "infiniband", ARPHRD_INFINIBAND },
	{ "none", ARPHRD_NONE },
	{ NULL, 0 },
};

const struct setting_word pod_address_states[] = {
	{ "ready", POD_ADDRESS_READY },
	{ "tentative", POD_ADDRESS_TENTATIVE },
	{ "none", POD_ADDRESS_NONE },
	{ NULL, 0 },
};

/* As ip(8), which has no word for IFF_RUNNING; of an interface that is up without, it says
 * NO-CARRIER. */
const struct setting_word pod_link_flags[] = {
	{ "LOOPBACK", IFF_LOOPBACK },
	{ "BROADCAST", IFF_BROADCAST },
	{ "POINTOPOINT", IFF_POINTOPOINT },
	{ "MULTICAST", IFF_MULTICAST },
	{ "NOARP", IFF_NOARP },
	{ "ALLMULTI", IFF_ALLMULTI },
	{ "PROMISC", IFF_PROMISC },
	{ "MASTER", IFF_MASTER },
	{ "SLAVE", IFF_SLAVE },
	{ "DEBUG", IFF_DEBUG },
	{ "DYNAMIC", IFF_DYNAMIC },
	{ "AUTOMEDIA", IFF_AUTOMEDIA },
	{ "PORTSEL", IFF_PORTSEL },
	{ "NOTRAILERS", IFF_NOTRAILERS },
	{ "UP", IFF_UP },
	{ "LOWER_UP", IFF_LOWER_UP_BIT },
	{ NULL, 0 },
};

const struct setting_word pod_address_flags[] = {
	{ "secondary", IFA_F_SECONDARY },
	{ "nodad", IFA_F_NODAD },
	{ "optimistic", IFA_F_OPTIMISTIC },
	{ "dadfailed", IFA_F_DADFAILED },
	{ "home", IFA_F_HOMEADDRESS },
	{ "deprecated", IFA_F_DEPRECATED },
	{ "tentative", IFA_F_TENTATIVE },
	{ "permanent", IFA_F_PERMANENT },
	{ "mngtmpaddr", IFA_F_MANAGETEMPADDR },
	{ "noprefixroute", IFA_F_NOPREFIXROUTE },
	{ "autojoin", IFA_F_MCAUTOJOIN },
	{ "stable-privacy", IFA_F_STABLE_PRIVACY },
	{ NULL, 0 },
};

const struct setting_word pod_nexthop_flags[] = {
	{ "dead", RTNH_F_DEAD },
	{ "pervasive", RTNH_F_PERVASIVE },
	{ "onlink", RTNH_F_ONLINK },
	{ "linkdown", RTNH_F_LINKDOWN },
	{ "unresolved", RTNH_F_UNRESOLVED },
	{ NULL, 0 },
};

const struct setting_word pod_neighbour_states[] = {
	{ "INCOMPLETE", NUD_INCOMPLETE },
	{ "REACHABLE", NUD_REACHABLE },
	{ "STALE", NUD_STALE },
	{ "DELAY", NUD_DELAY },
	{ "PROBE", NUD_PROBE },
	{ "FAILED", NUD_FAILED },
	{ "NOARP", NUD_NOARP },
	{ "PERMANENT", NUD_PERMANENT },
	{ NULL, 0 },
};

const struct setting_word pod_neighbour_flags[] = {
	{ "router", NTF_ROUTER },
	{ "proxy", NTF_PROXY },
	{ "extern_learn", NTF_EXT_LEARNED },
	{ NULL, 0 },
};

const char *pod_address_flag(const struct setting_word *flag, int family)
{
	return flag->value == IFA_F_TEMPORARY && family == AF_INET6 ? "temporary" : flag->name;
}
