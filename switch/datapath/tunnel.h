/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The packet inside a tunnel whose outer headers can be adapted when the inner packet is cut:
 * IP-in-IP (RFC 2003, 4213, 2473), GRE (RFC 2784, 2890) without checksum and sequence number,
 * which differ from segment to segment, VXLAN (RFC 7348) and Geneve (RFC 8926) on their usual
 * ports. GRE, VXLAN and Geneve may carry Ethernet.
 */

#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/frame.h"
#include "switch/datapath/ip.h"

/* An IP packet at `offset`, of the version that `ethertype` names. */
struct tunnel_inside {
	unsigned offset;
	uint16_t ethertype;
};

/*
 * Finds what `outer` carries, from the head alone. False if it is none of these tunnels. Whether
 * there is an IP packet is for ip_parse() to find out; in->offset may be where the head ends.
 */
bool tunnel_look_inside(
	const struct frame *f, const struct ip_packet *outer, struct tunnel_inside *in);
