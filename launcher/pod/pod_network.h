/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The network that this network namespace was given: what a CNI plugin, or whoever made the pod,
 * has set up in it, as the kernel tells it. Reading changes nothing.
 *
 * A snapshot holds all of the namespace; `pod_ifindex` says which interface is the pod's own, that
 * is the one whose traffic a virtual machine takes over. It is
 *
 *  - the one that the caller names; else
 *  - the one of the default route in table main: IPv4 before IPv6, then the lowest metric; else
 *  - the only Ethernet interface there is, or "eth0" of several: a pod without addresses.
 *
 * Never the loopback, and never one of Sluice's own (sluice0, ...).
 *
 * Plugins are done when a container starts, as a rule. What may still be missing then is an
 * address that a DHCP client or a router advertisement brings, or the end of IPv6 duplicate
 * address detection: pod_network_await() waits for it on netlink's notifications. An interface that
 * never gets an address is no error: some plugins leave that to the guest.
 *
 * Numbers are the kernel's own (linux/rtnetlink.h and friends); pod_words.h has their names.
 */

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/rtnetlink.h>

#include "launcher/pod/resolv_conf.h"
#include "lib/err.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

#define POD_KIND_MAX 32

struct pod_interface {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[POD_KIND_MAX]; /* "veth", "netkit", "macvlan"; empty for hardware and loopback */
	struct mac mac;
	bool has_mac; /* a tunnel's address is none */
	uint32_t mtu;
	uint32_t flags;    /* IFF_* */
	uint16_t arptype;  /* ARPHRD_* */
	uint8_t operstate; /* IF_OPER_* */
	int master;        /* ifindex of its bridge, bond or VRF; 0: none */
};

struct pod_prefix {
	struct ip_addr addr;
	uint8_t len; /* 0..32 of IPv4, 0..128 of IPv6 */
};

struct pod_address {
	int ifindex;
	int family; /* AF_INET, AF_INET6 */
	struct ip_addr local;
	uint8_t prefix_len;
	struct ip_addr peer;           /* the other end's, unspecified unless point-to-point */
	struct ip_addr broadcast;      /* unspecified: none */
	uint8_t scope;                 /* RT_SCOPE_* */
	uint32_t flags;                /* IFA_F_* */
	uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
	char label[IFNAMSIZ];          /* IPv4 only */
};

struct pod_nexthop {
	int ifindex;
	struct ip_addr gateway; /* unspecified: on the link. May be IPv6 in an IPv4 route */
	uint16_t weight;        /* 1..256 */
	uint8_t flags;          /* RTNH_F_* */
};

struct pod_route {
	int family;
	struct pod_prefix dst, src; /* len 0: any */
	uint8_t type;               /* RTN_* */
	uint8_t scope;
	uint8_t protocol; /* RTPROT_* */
	uint8_t tos;
	uint8_t pref;   /* of IPv6, ICMPV6_ROUTER_PREF_*: of routes alike; 0: medium */
	uint32_t table; /* RT_TABLE_* or any other */
	uint32_t metric;
	struct ip_addr prefsrc; /* unspecified: none */
	uint32_t metrics[RTAX_MAX +
			 1];          /* by RTAX_*; 0: none. metrics[RTAX_MTU] is the route's MTU */
	struct pod_nexthop *nexthops; /* none for blackhole and the like, several for multipath */
	size_t n_nexthops;
};

struct pod_port_range {
	uint16_t first, last; /* 0, 0: any */
};

struct pod_rule {
	int family;
	uint32_t priority;
	bool invert;                /* "not": what does not match */
	struct pod_prefix src, dst; /* len 0: any */
	char iif[IFNAMSIZ], oif[IFNAMSIZ];
	uint32_t fwmark, fwmask; /* both 0: any */
	uint8_t tos;
	uint8_t ipproto; /* IPPROTO_*; 0: any */
	struct pod_port_range sport, dport;
	bool has_uids;
	uint32_t uid_first, uid_last;
	uint8_t action;  /* FR_ACT_* */
	uint32_t table;  /* of FR_ACT_TO_TBL */
	uint32_t target; /* of FR_ACT_GOTO: a priority */
	bool l3mdev;
	int suppress_prefix_len; /* -1: none */
	uint8_t protocol;        /* RTPROT_* */
};

struct pod_neighbour {
	int ifindex;
	struct ip_addr dst;
	struct mac mac;
	bool has_mac;
	uint16_t state; /* NUD_* */
	uint8_t flags;  /* NTF_* */
};

/*
 * Routes are in an order in which they can be added: gateways come behind what leads to them. The
 * kernel's own entries of table local, which follow from the addresses, are left out, and so are
 * neighbours that need no resolution (multicast).
 */
struct pod_network {
	struct pod_interface *interfaces;
	size_t n_interfaces;
	struct pod_address *addresses;
	size_t n_addresses;
	struct pod_route *routes;
	size_t n_routes;
	struct pod_rule *rules;
	size_t n_rules;
	struct pod_neighbour *neighbours;
	size_t n_neighbours;
	struct resolv_conf resolv_conf;
	char hostname[HOST_NAME_MAX + 1];
	int pod_ifindex; /* 0 until it is chosen */
};

/*
 * Of the pod's interface, link-local addresses aside: one that can be used, only ones that are in
 * duplicate address detection (or failed it), none.
 */
enum pod_address_state { POD_ADDRESS_READY, POD_ADDRESS_TENTATIVE, POD_ADDRESS_NONE };

/* A snapshot without a choice; the caller frees it if this returns 0. */
int pod_network_read(struct pod_network *net, struct err *err);

/*
 * Sets pod_ifindex; `name` may be NULL. -ENODEV: there is no such interface, or none at all;
 * -EINVAL: it cannot be that one; -EAGAIN: several come into question, and a default route, which
 * may yet come, is what would tell.
 */
int pod_network_choose(struct pod_network *net, const char *name, struct err *err);

/*
 * Reads and chooses until the address state is ready, at most for `wait_ms` (0: once). Returns 0
 * also if there is no address by then: see pod_network_address_state(). A missing interface is not
 * waited for. The caller frees *net if this returns 0.
 */
int pod_network_await(struct pod_network *net, const char *name, unsigned wait_ms, struct err *err);

void pod_network_free(struct pod_network *net);

enum pod_address_state pod_network_address_state(const struct pod_network *net);

/* NULL: none of that index. */
const struct pod_interface *pod_network_interface(const struct pod_network *net, int ifindex);

/* "eth0", or "if7" for one that is in another namespace or gone: written into name[IFNAMSIZ]. */
const char *pod_network_ifname(const struct pod_network *net, int ifindex, char *name);
