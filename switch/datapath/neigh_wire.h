/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* ARP and neighbour discovery on the wire: RFC 826, RFC 4861 section 4, RFC 8200. Offsets are from
 * the start of the header they are in. */

#include "switch/datapath/ip.h"
#include "switch/datapath/neigh_packet.h"

#define ARP_HTYPE      0
#define ARP_PTYPE      2
#define ARP_HLEN       4
#define ARP_PLEN       5
#define ARP_OPER       6
#define ARP_SHA        8
#define ARP_SPA        14
#define ARP_THA        18
#define ARP_TPA        24
#define ARP_LEN        28
#define ARP_ETHERNET   1 /* hardware type; DHCP's is the same */
#define ARP_OP_REQUEST 1
#define ARP_OP_REPLY   2

#define IPV6_ADDR_LEN 16

#define ICMP6_TYPE     0
#define ICMP6_CODE     1
#define ICMP6_CHECKSUM 2
#define ICMP6_MIN      4

#define ICMP6_ROUTER_ADVERT 134
#define ICMP6_SOLICIT       135
#define ICMP6_ADVERT        136

#define ND_HOP_LIMIT     255
#define ND_FLAGS         4
#define ND_TARGET        8
#define ND_REDIRECT_DST  24
#define ND_NEIGHBOUR_LEN 24 /* of solicitation and advertisement, without options */

#define ND_FLAG_ROUTER    0x80
#define ND_FLAG_SOLICITED 0x40
#define ND_FLAG_OVERRIDE  0x20

#define ND_OPT_UNIT       8
#define ND_OPT_SOURCE_MAC 1
#define ND_OPT_TARGET_MAC 2
#define ND_OPT_MAC        2 /* where the address is */
#define ND_OPT_MAC_LEN    8
