/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest's network: what the pod's interface was given (sluice-vm inspect), for one that stands
 * for it. The part "network" of a machine spec, with the keys and words of `ip -json` as in
 * launcher/pod/pod_network_json.h:
 *
 *   interfaces * [ { ifname *, address (the MAC it is to have), mtu * } ]
 *                  in the order of the guest's Ethernet devices, of which there are as many. The
 *                  loopback comes up by itself
 *   addresses * [ { dev *, family *, local *, prefixlen *, address (the peer's), broadcast, scope,
 *                  noprefixroute } ]
 *   routes * [ { family *, type, dst *, from, gateway | via { family, host }, dev, onlink, metric,
 *                  table, scope, protocol, prefsrc, tos, pref, metrics {},
 *                  nexthops [ { gateway | via, dev, onlink, weight } ] } ]
 *                  in an order in which they can be added: a route to a gateway before those by it
 *   rules * [ as there ]
 *   neighbours * [ { dst *, dev *, lladdr * } ]: permanent ones
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/rtnetlink.h>

#include "lib/err.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

typedef struct json_t json_t; /* of jansson.h, beside which json-c's header cannot be */

#define MACHINE_NICS_MAX      8
#define MACHINE_NET_ITEMS_MAX 16384 /* addresses, routes, rules, neighbours: of each */
#define MACHINE_NEXTHOPS_MAX  256   /* of a route */

struct machine_nic {
	char name[IFNAMSIZ];
	bool has_mac; /* or it keeps the one it comes with */
	struct mac mac;
	uint32_t mtu;
};

struct machine_prefix {
	struct ip_addr addr;
	uint8_t len; /* 0..32 of IPv4, 0..128 of IPv6 */
};

struct machine_addr {
	char dev[IFNAMSIZ];
	int family; /* AF_INET, AF_INET6 */
	struct ip_addr local;
	uint8_t prefix_len;
	struct ip_addr peer, broadcast; /* unspecified: none */
	uint8_t scope;                  /* RT_SCOPE_* */
	bool no_prefix_route;
};

struct machine_nexthop {
	char dev[IFNAMSIZ];     /* empty: by the gateway */
	struct ip_addr gateway; /* unspecified: on the link. May be IPv6 in an IPv4 route */
	uint16_t weight;        /* 1..256 */
	bool onlink;
};

struct machine_route {
	int family;
	struct machine_prefix dst; /* len 0: default */
	struct machine_prefix src; /* len 0: any; of IPv6 */
	uint8_t type, scope, protocol, tos;
	uint8_t pref; /* of IPv6, ICMPV6_ROUTER_PREF_* */
	uint32_t table, metric;
	struct ip_addr prefsrc; /* unspecified: none */
	uint32_t metrics[RTAX_MAX + 1];
	struct machine_nexthop *nexthops;
	size_t n_nexthops; /* 0: blackhole and the like */
};

struct machine_port_range {
	uint16_t first, last; /* 0, 0: any */
};

struct machine_rule {
	int family;
	uint32_t priority;
	bool invert;
	struct machine_prefix src, dst; /* len 0: any */
	char iif[IFNAMSIZ], oif[IFNAMSIZ];
	uint32_t fwmark, fwmask;
	uint8_t tos, ipproto, protocol;
	struct machine_port_range sport, dport;
	bool has_uids;
	uint32_t uid_first, uid_last;
	uint8_t action; /* FR_ACT_* */
	uint32_t table, target;
	int suppress_prefix_len; /* -1: none */
};

struct machine_neighbour {
	char dev[IFNAMSIZ];
	struct ip_addr dst;
	struct mac mac;
};

struct machine_net {
	struct machine_nic nics[MACHINE_NICS_MAX];
	size_t n_nics;
	struct machine_addr *addrs;
	size_t n_addrs;
	struct machine_route *routes;
	size_t n_routes;
	struct machine_rule *rules;
	size_t n_rules;
	struct machine_neighbour *neighbours;
	size_t n_neighbours;
};

/* As process_spec_decode() and so on. Interfaces that are named exist: the loopback, or one of
 * `interfaces`. */
int machine_net_decode(
	const json_t *object, const char *at, struct machine_net *net, struct err *err);
json_t *machine_net_encode(const struct machine_net *net);
void machine_net_free(struct machine_net *net);
