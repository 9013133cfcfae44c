/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The kernel's numbers of routes and rules, and the words that ip(8) has for them. */

#include <stdint.h>

#include "config/setting_value.h"

#define NET_WORD_MAX 12 /* a number in its place */

extern const struct setting_word net_scopes[];      /* RT_SCOPE_*: "global", "link", "host" */
extern const struct setting_word net_route_types[]; /* RTN_*: "unicast", "blackhole" */
extern const struct setting_word net_protocols[];   /* RTPROT_*: "kernel", "static", "ra" */
extern const struct setting_word net_route_prefs[]; /* ICMPV6_ROUTER_PREF_*: "high" */
extern const struct setting_word net_actions[];     /* FR_ACT_*: "lookup", "goto", "prohibit" */

/* By RTAX_*, as far as their values are numbers: "mtu", "advmss". */
extern const struct setting_word net_metrics[];

/* The word of a value, or the value itself in digits, written into number[NET_WORD_MAX]. */
const char *net_word_of(const struct setting_word *words, uint32_t value, char *number);
