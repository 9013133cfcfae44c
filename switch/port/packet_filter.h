/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a packet socket hears, as a classic BPF program (linux/filter.h) that the kernel runs before
 * it queues a frame.
 *
 * Where guests share the pod's address with its kernel, the kernel keeps some TCP and UDP ports
 * and, for connections of its own, the ephemeral ones from PACKET_KERNEL_EPHEMERAL up. The guard
 * lets those through to the kernel and nothing else; this filter is its counterpart and keeps them
 * from the guests. Packets of which both must see a copy are let through by both: later fragments,
 * which carry no ports, ICMP answers and errors, ARP and neighbour discovery.
 *
 * VLAN tags are no matter here: the kernel has taken them out.
 */

#include <stdbool.h>

#include <linux/filter.h>

#include "config/l4_ports.h"

#define PACKET_KERNEL_EPHEMERAL 61000
#define PACKET_FILTER_MAX       128

struct packet_filter {
	unsigned short len;
	struct sock_filter code[PACKET_FILTER_MAX];
};

/* Hears nothing. */
void packet_filter_deaf(struct packet_filter *filter);

/* Hears all but what goes to TCP and UDP ports of `kernel` and, with `incoming`, what this host
 * sends itself. */
void packet_filter_make(struct packet_filter *filter, const struct l4_ports *kernel, bool incoming);
