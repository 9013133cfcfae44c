/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A port on a kernel network interface: one AF_PACKET socket with PACKET_VNET_HDR (packet(7),
 * linux/if_packet.h) for each queue, read with recvmmsg(2) and written with sendmmsg(2). Several
 * sockets share the traffic by flow (PACKET_FANOUT, packet_socket.c).
 *
 * No rings: the kernel copies straight between its buffers and guest memory, once, whereas a ring
 * would be one more copy (measured on a veth: 82 Gb/s against 47 for 64 KiB frames, one core). No
 * qdisc bypass: with it, a super-frame to an interface without TSO is lost for ever.
 *
 * Reception has two modes.
 *   small  bursts into private buffers of 64 KiB each, touched only as far as frames reach
 *   bulk   one frame per call, its first bytes into its private head, the rest into the buffers
 *          that the sole guest offers (port.h, landing). Entered when large frames come, left
 *          when they stop.
 * While the sole guest's ring is full, frames stay in the socket.
 *
 * The interface may come, go, be renamed and come back while the port lives (packet_link.c). It is
 * itself left as it is: no address, flag or offload of it is touched.
 */

#include "switch/port/host.h"
#include "switch/port/port.h"

/*
 * Returns the port, or NULL with *err set. Needs CAP_NET_RAW. `config` is copied. The interface
 * need not be there: the port is up whenever there is one of that name (packet_link.c).
 */
struct port *packet_open(
	const struct port_config *config, const struct port_host *host, struct err *err);
