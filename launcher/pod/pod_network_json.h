/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A snapshot of the pod's network as one JSON object. Its keys are those of `ip -json` wherever
 * there are such, its words too; numbers are numbers throughout (ip prints tables and marks as
 * strings). A key whose value would be "none" or "any" is left out, and so is a boolean that would
 * be false, unless it is marked with * here: those are always there.
 *
 *   hostname *
 *   interface *        name of the pod's interface
 *   address_state *    of that interface: "ready", "tentative" (all of its addresses are in
 *                      duplicate address detection or failed it), "none"; link-local ones aside
 *   interfaces * [
 *     ifindex *, ifname *, flags * ["UP", ...], mtu *, operstate *, link_type * ("ether"),
 *     address (the MAC), info_kind ("veth"), master (its bridge's name),
 *     addresses * [
 *       family * ("inet", "inet6"), local *, prefixlen *, scope *, address (the peer's),
 *       broadcast, label, valid_life_time *, preferred_life_time * (seconds; 4294967295 is for
 *       ever); booleans: permanent, tentative, deprecated, dadfailed, optimistic, nodad, secondary,
 *       temporary, noprefixroute, mngtmpaddr, home, autojoin, stable-privacy
 *     ]
 *   ]
 *   routes * [         in an order in which they can be added; what is of protocol "kernel" comes
 *                      with an address
 *     family *, type *, dst * ("default", "10.0.0.0/8", an address alone is a host), from,
 *     gateway (or via { family, host }, if it is of the other family), dev, flags * ["onlink"],
 *     weight (past 1), or nexthops [{ gateway, via, dev, flags *, weight * }] if there are several;
 *     table *, metric *, scope *, protocol *, prefsrc, tos, pref ("high", "low"),
 *     metrics { mtu, advmss, ... } in the kernel's units, see RTAX_* of linux/rtnetlink.h
 *   ]
 *   rules * [          of either family by priority
 *     family *, priority *, not, src * ("all", or an address), srclen, dst, dstlen, iif, oif,
 *     fwmark, fwmask, tos, ipproto, sport_start, sport_end, dport_start, dport_end, uid_start,
 *     uid_end, action * ("lookup", "goto", "blackhole", ...), table (to look up), goto (a
 *     priority), l3mdev, suppress_prefixlen, protocol *
 *   ]
 *   neighbours * [ dst *, dev *, lladdr, state * ["PERMANENT"], router, proxy, extern_learn ]
 *   resolv_conf * {
 *     nameservers * [ address *, scope, loopback *, link_local * ],
 *     search * [], ndots *, timeout *, attempts *, options * [] (as written)
 *   }
 */

#include <jansson.h>

#include "launcher/pod/pod_network.h"

/* Of a snapshot with a choice. A new reference; NULL: no memory. */
json_t *pod_network_encode(const struct pod_network *net);
