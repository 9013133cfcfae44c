/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Cuts an IP packet that is longer than the MTU into fragments (RFC 791, RFC 8200 section 4.5), by
 * slicing the view; payload is not copied.
 *
 * For datagrams that the kernel put together before a driver gave them to us (a packet socket's
 * fanout with DEFRAG does): whoever is to get them expects what was on the wire. What sizes and
 * which DF bit the fragments had is not known any more. They are cut to the MTU, and DF is cleared:
 * the wire took fragments, so they may exist.
 */

#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/frame.h"

/* Walks one packet; the fields are refragment.c's own. */
struct refragmenter {
	const struct frame *frame;
	uint32_t offset; /* in the frame, of the next payload byte */
	uint32_t start;  /* of the first */
	uint32_t end;
	uint32_t step;       /* payload bytes in all fragments but the last */
	uint16_t first;      /* IPv4: fragment offset field of the packet itself */
	uint32_t id;         /* of the datagram */
	uint8_t next_header; /* IPv6: of the fragmented part */
	uint8_t next_at;     /* IPv6: where the header before it names it */
	bool v6;
};

/*
 * Prepares to cut `f`, which needs no offload and must stay as it is until the last
 * refragment_next(). `id`: for a packet that has no identification of its own. False if it cannot
 * be cut: no IP packet, an IPv6 fragment, or an MTU that leaves no room for payload.
 */
bool refragment_begin(struct refragmenter *r, const struct frame *f, unsigned mtu, uint32_t id);

/*
 * Builds the next fragment in *out (headers in its head, the rest slices of `f`). False when there
 * are no more. *out need not be initialised.
 */
bool refragment_next(struct refragmenter *r, struct frame *out);
