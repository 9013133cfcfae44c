/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Frames of two Linux stations that found each other on a veth: ARP, neighbour discovery with a
 * router (radvd), a redirect, and DHCP (udhcpc and udhcpd of busybox). Station A is
 * aa:fc:00:00:00:0a with 10.0.0.1, fd00::a and fd00::a8fc:ff:fe00:a; the router B is
 * 02:00:00:00:00:0b with 10.0.0.2, fd00::b and fe80::ff:fe00:b.
 */

#include <stdint.h>

#include "switch/datapath/frame.h"

struct bytes {
	unsigned len, l3;
	uint8_t byte[2048];
};

/* Fails the test if there is no such capture. */
void captured_bytes(struct bytes *b, const char *name);

void bytes_insert(struct bytes *b, unsigned at, const void *data, unsigned len);

/* Puts a VLAN tag in front of those there are. */
void bytes_tag(struct bytes *b, uint16_t tpid, uint16_t tci);

/* A frame with so much of the bytes in its head, and the rest where it is. */
void bytes_frame(const struct bytes *b, unsigned head_len, struct frame *f);

/* What a frame looks like on the wire; *b must not be what its segments are in. */
void frame_bytes(const struct frame *f, struct bytes *b);

/* Add up, byte by byte, what a checksum covers: 0 if it holds. IPv6 without extension headers. */
uint16_t bytes_verify_icmp6(const struct bytes *b);
uint16_t bytes_verify_udp4(const struct bytes *b);
