/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The kernel's numbers of a pod's network and the words that ip(8) has for them, besides those of
 * config/net_words.h. Tables of bits are gone through; those of values are looked up.
 */

#include "config/net_words.h"

extern const struct setting_word pod_operstates[];     /* IF_OPER_*: "UP", "LOWERLAYERDOWN" */
extern const struct setting_word pod_link_types[];     /* ARPHRD_*: "ether", "loopback" */
extern const struct setting_word pod_address_states[]; /* enum pod_address_state */

extern const struct setting_word pod_link_flags[];       /* IFF_*: "UP", "LOWER_UP" */
extern const struct setting_word pod_address_flags[];    /* IFA_F_*: "tentative", "permanent" */
extern const struct setting_word pod_nexthop_flags[];    /* RTNH_F_*: "onlink", "dead" */
extern const struct setting_word pod_neighbour_states[]; /* NUD_*: "PERMANENT", "REACHABLE" */
extern const struct setting_word pod_neighbour_flags[];  /* NTF_*: "router", "proxy" */

/* A bit of pod_address_flags; the first means another thing in IPv6 ("temporary"). */
const char *pod_address_flag(const struct setting_word *flag, int family);
