/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Every reason for which a frame ends inside the switch, by name. The table is the only place to
 * add one: counters, `sluicectl port stats` and its help text are made from it.
 *
 * A reason belongs to the direction in which its port saw the frame: DROP_RX reasons are counted
 * on the port the frame came from, DROP_TX reasons on the port it was meant for.
 */

#include <stdint.h>

/* X(symbol, name, direction, help) */
#define DROP_TABLE(X)                                                                              \
	X(RUNT, runt, RX, "shorter than an Ethernet header")                                       \
	X(TOO_LONG, too_long, RX, "longer than a 64 KiB super-frame")                              \
	X(BAD_OFFLOAD, bad_offload, RX,                                                            \
		"checksum or segmentation request that does not fit the frame")                    \
	X(CHAIN_TOO_LONG, chain_too_long, RX, "in more pieces than a frame may have")              \
	X(BAD_DESCRIPTOR, bad_descriptor, RX, "descriptor outside the guest's memory or ring")     \
	X(HAIRPIN, hairpin, RX, "destination is behind the port it came from")                     \
	X(NO_DESTINATION, no_destination, RX, "no other port to send it to")                       \
	X(RESERVED, reserved, RX, "reserved multicast (01:80:c2:00:00:0x), see forward-reserved")  \
	X(VLAN, vlan, RX, "its VLAN does not cross the port it came from")                         \
	X(REFLECTED, reflected, RX, "one of this side's own, sent back by the network")            \
	X(NOT_OURS, not_ours, RX, "for another MAC address than the pod's")                        \
	X(UNBOUND, unbound, RX, "no guest is bound to the address it is for")                      \
	X(SPOOF_MAC, spoof_mac, RX, "from a MAC address that is not the guest's")                  \
	X(SPOOF_IP, spoof_ip, RX, "from an IP address that is not the guest's")                    \
	X(SPOOF_NEIGH, spoof_neigh, RX,                                                            \
		"ARP or ND that claims an address, or a router's part, that is not the guest's")   \
	X(NEIGH_BAD, neigh_bad, RX, "ARP or ND that breaks its protocol's rules")                  \
	X(NEIGH_RATE, neigh_rate, RX, "more questions for addresses than a guest may ask")         \
	X(KERNEL_ANSWERS, kernel_answers, RX, "an answer that the pod's kernel gives as well")     \
	X(ISOLATED, isolated, RX,                                                                  \
		"to or from the host port, but not from a service address to the identity "        \
		"address, nor back")                                                               \
	X(ECHO, echo, RX, "a frame of this side, heard again from the interface it left by")       \
	X(TRUNCATED, truncated, RX, "longer than the driver's ring frames: payload is missing")    \
	X(SIZES_LOST, sizes_lost, RX,                                                              \
		"UDP super-frame from a driver that does not tell its datagrams' sizes")           \
	X(DISABLED, disabled, RX, "sent by a queue that the guest's driver has disabled")          \
	X(LANDING_LOST, landing_lost, RX, "guest memory vanished while the frame was received")    \
	X(RING_FULL, ring_full, TX, "the guest or device has no free receive buffer")              \
	X(BUFFER_SMALL, buffer_small, TX,                                                          \
		"larger than the guest's receive buffers, and it cannot merge them")               \
	X(BUFFER_BAD, buffer_bad, TX,                                                              \
		"the guest's receive buffer lies outside its memory or ring")                      \
	X(BUFFER_PIECES, buffer_pieces, TX, "the guest's receive buffers are in too many pieces")  \
	X(PORT_DOWN, port_down, TX, "the port is not connected or its interface is down")          \
	X(PORT_BUSY, port_busy, TX, "the VMM was changing the guest's memory or rings")            \
	X(SOCKET_FULL, socket_full, TX, "the packet socket's send buffer is full")                 \
	X(MTU, mtu, TX, "larger than the interface's MTU")                                         \
	X(REFUSED, refused, TX, "the kernel refused the frame")                                    \
	X(HEADERS_LONG, headers_long, TX, "headers too long to segment or checksum")               \
	X(SEGMENTS_MANY, segments_many, TX,                                                        \
		"a burst of super-frames that would make too many segments")                       \
	X(TUNNEL_GSO, tunnel_gso, TX,                                                              \
		"tunnelled super-frame that the egress cannot take and we cannot slice")           \
	X(GSO_MISMATCH, gso_mismatch, TX, "segmentation type does not match the headers")          \
	X(MEMORY_GONE, memory_gone, TX, "guest memory vanished while the frame was copied")

enum drop_reason {
#define DROP_ENUM(symbol, ...) DROP_##symbol,
	DROP_TABLE(DROP_ENUM)
#undef DROP_ENUM
		DROP_N_REASONS
};

enum drop_direction { DROP_RX, DROP_TX };

struct drop_info {
	const char *name; /* snake_case, stable: it is a metric label */
	enum drop_direction direction;
	const char *help;
};

/* Indexed by enum drop_reason. */
extern const struct drop_info drop_info[DROP_N_REASONS];
