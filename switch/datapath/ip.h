/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Where the headers of one IP packet lie in a frame's head (RFC 791, RFC 8200). */

#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/frame.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

#define IP_PROTO_IPV4   4 /* IPv4 in IP */
#define IP_PROTO_TCP    6
#define IP_PROTO_UDP    17
#define IP_PROTO_IPV6   41 /* IPv6 in IP */
#define IP_PROTO_GRE    47
#define IP_PROTO_ICMPV6 58

/* Offsets in the headers, and their least lengths. */
#define IPV4_HEADER_MIN  20
#define IPV4_TOTAL_LEN   2
#define IPV4_FRAGMENT    6
#define IPV4_PROTO       9
#define IPV4_SRC         12
#define IPV4_DST         16
#define IPV6_HEADER_LEN  40
#define IPV6_PAYLOAD_LEN 4
#define IPV6_NEXT_HEADER 6
#define IPV6_HOP_LIMIT   7
#define IPV6_SRC         8
#define IPV6_DST         24

/* Extension headers, by the number in the header before, and the unit of their lengths. */
#define IPV6_EXT_HOP_BY_HOP  0
#define IPV6_EXT_ROUTING     43
#define IPV6_EXT_FRAGMENT    44
#define IPV6_EXT_DESTINATION 60
#define IPV6_EXT_UNIT        8

#define TCP_HEADER_MIN  20
#define TCP_FLAGS       13
#define TCP_CWR         0x80 /* of the flags */
#define TCP_CSUM_OFFSET 16
#define UDP_HEADER_LEN  8
#define UDP_DST_PORT    2
#define UDP_CSUM_OFFSET 6

/* Stores the low 16 bits in wire order. */
static inline void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

struct ip_packet {
	uint16_t l3;   /* of the IP header, from the frame's first byte */
	uint16_t l4;   /* of what follows its options or extension headers */
	uint8_t proto; /* of what lies at l4 */
	bool v6;
	bool fragment; /* one piece of a datagram: l4 need not be a header */
};

/*
 * Reads the packet at `offset`, whose version `ethertype` names, from the head alone. IPv6
 * hop-by-hop, routing and destination options are skipped. False if it is not IP, malformed, or
 * its headers are not all in the head; l4 may be where the head ends.
 */
bool ip_parse(const struct frame *f, unsigned offset, uint16_t ethertype, struct ip_packet *ip);

/*
 * The bytes from the frame's start to the end of the IP packet at l3_offset, without Ethernet
 * padding. f->len if the packet does not tell: no IP, a length of 0 (jumbogram, BIG TCP), or one
 * that does not fit the frame.
 */
uint32_t ip_end(const struct frame *f);

/*
 * The pseudo-header's sum (as checksum_add() makes it) for `len` bytes of protocol ip->proto.
 * The destination is the header's own, so not for packets with a routing header.
 */
uint64_t ip_pseudo_sum(const uint8_t *head, const struct ip_packet *ip, uint32_t len);
