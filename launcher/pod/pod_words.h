/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The kernel's numbers of a pod's network and the words that ip(8) has for them. Tables of bits are
 * gone through; those of values are looked up.
 */

#include <stdint.h>

#define POD_WORD_MAX 12 /* a number in its place */

/* Ends with a NULL word. */
struct pod_word {
	uint32_t value;
	const char *word;
};

extern const struct pod_word pod_scopes[];         /* RT_SCOPE_*: "global", "link", "host" */
extern const struct pod_word pod_route_types[];    /* RTN_*: "unicast", "blackhole" */
extern const struct pod_word pod_protocols[];      /* RTPROT_*: "kernel", "static", "ra" */
extern const struct pod_word pod_route_prefs[];    /* ICMPV6_ROUTER_PREF_*: "high" */
extern const struct pod_word pod_actions[];        /* FR_ACT_*: "lookup", "goto", "prohibit" */
extern const struct pod_word pod_operstates[];     /* IF_OPER_*: "UP", "LOWERLAYERDOWN" */
extern const struct pod_word pod_link_types[];     /* ARPHRD_*: "ether", "loopback" */
extern const struct pod_word pod_address_states[]; /* enum pod_address_state */

/* By RTAX_*, as far as their values are numbers: "mtu", "advmss". */
extern const struct pod_word pod_metrics[];

extern const struct pod_word pod_link_flags[];       /* IFF_*: "UP", "LOWER_UP" */
extern const struct pod_word pod_address_flags[];    /* IFA_F_*: "tentative", "permanent" */
extern const struct pod_word pod_nexthop_flags[];    /* RTNH_F_*: "onlink", "dead" */
extern const struct pod_word pod_neighbour_states[]; /* NUD_*: "PERMANENT", "REACHABLE" */
extern const struct pod_word pod_neighbour_flags[];  /* NTF_*: "router", "proxy" */

/* A bit of pod_address_flags; the first means another thing in IPv6 ("temporary"). */
const char *pod_address_flag(const struct pod_word *flag, int family);

/* The word of a value, or the value itself in digits, written into number[POD_WORD_MAX]. */
const char *pod_word_of(const struct pod_word *words, uint32_t value, char *number);
