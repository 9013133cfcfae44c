/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A port on any DPDK ethernet device, named as on DPDK's own command lines ("devargs"):
 *
 *   net_af_packet0,iface=eth0     net_vhost0,iface=/run/vm0.sock     net_memif0,role=server,...
 *   net_virtio_user0,path=/run/x.sock     net_ring0     net_null0
 *
 * With it the classic all-DPDK switch (net_af_packet uplink, net_vhost guests) is a configuration
 * of this one. It is slower than our own ports and does less: frames are copied into and out of
 * DPDK's buffers, and most drivers carry no offloads. What a driver hides is recovered on receive
 * (recover.h), what it cannot do is done in software on transmit (segment.h). Drivers are linked
 * statically; which ones is a list in meson.build, without physical NICs.
 *
 * Sleeping: a driver without receive interrupts has to be polled, so a worker that owns such a port
 * never sleeps and costs a core. `port show` says so: "sleeps" is false. net_vhost can be slept on.
 *
 * MTU, beyond which a received frame is a super-frame or was reassembled: the configured one, or
 * the kernel interface's behind the device, or the device's. Longer frames are not sent.
 *
 * net_af_packet gets ring frames that hold a super-frame and no qdisc bypass, unless the devargs
 * say otherwise. Its rings cannot hold more than 65342 bytes of a frame (DPDK counts an mbuf's room
 * in 16 bits): all that Linux sends for TCP fits; longer frames (UDP datagrams of nearly 64 KiB,
 * super-frames that GRO filled to the brim) are dropped as "truncated". It does
 * not set PACKET_IGNORE_OUTGOING, so it hears what the pod's own kernel sends by the interface, and
 * a bridge in hairpin mode sends our broadcasts back: both are dropped as "echo", by the
 * interface's address and by those we sent from (ethdev_echo.h). It may block in poll(2) when its
 * transmit ring is full.
 *
 * net_vhost: librte_vhost's guests are not as well guarded as those of a vhost-user port (a VMM
 * that takes its memory away ends the process). CTRL_VQ, CTRL_RX, GUEST_ANNOUNCE and
 * RING_PACKED are not offered: UML takes them without being able to use them; nor MQ with one
 * queue. With tso=1 a guest's super-frames come in whole. To the guest they go in segments:
 * librte_vhost would write a super-frame's pseudo-header sum without its length.
 */

#include "switch/port/host.h"
#include "switch/port/port.h"

/* Returns the port, or NULL with *err set. `config` is copied. */
struct port *ethdev_open(
	const struct port_config *config, const struct port_host *host, struct err *err);
