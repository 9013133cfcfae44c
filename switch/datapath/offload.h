/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The offload request that travels in front of a frame: struct virtio_net_hdr, virtio 1.2 section
 * 5.1.6, the same on a guest's ring and on a packet socket with PACKET_VNET_HDR.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/drop.h"
#include "switch/datapath/frame.h"

#define VNET_HDR_F_NEEDS_CSUM 1
#define VNET_HDR_F_DATA_VALID 2
#define VNET_HDR_GSO_NONE     0
#define VNET_HDR_GSO_TCPV4    1
#define VNET_HDR_GSO_UDP      3 /* fragmentation: never offered */
#define VNET_HDR_GSO_TCPV6    4
#define VNET_HDR_GSO_UDP_L4   5
#define VNET_HDR_GSO_ECN      0x80

/* Little-endian on a modern ring, native on a packet socket: the same on the machines we run on. */
struct vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};
static_assert(sizeof(struct vnet_hdr) == 10, "virtio 1.2, 5.1.6: ten bytes without num_buffers");

struct vnet_hdr_mrg {
	struct vnet_hdr hdr;
	uint16_t num_buffers;
};
static_assert(sizeof(struct vnet_hdr_mrg) == 12, "virtio 1.2, 5.1.6");

/* "No reason to drop". */
#define OFFLOAD_OK DROP_N_REASONS

/* What an egress takes as it is. */
#define EGRESS_CSUM       (1u << 0) /* partial checksums */
#define EGRESS_DATA_VALID (1u << 1) /* "somebody verified it" */
#define EGRESS_TSO4       (1u << 2)
#define EGRESS_TSO6       (1u << 3)
#define EGRESS_ECN        (1u << 4) /* TSO with CWR */
#define EGRESS_USO4       (1u << 5)
#define EGRESS_USO6       (1u << 6)
/*
 * Super-frames inside a tunnel. Nobody offers this: the header cannot say where the outer headers
 * end, and a Linux that terminates the tunnel refuses a super-frame that is not marked as tunnelled
 * (since 6.9 and in its stable branches), which virtio-net cannot do. So they are sliced; those of
 * a tunnel we cannot slice pass unchanged where the rest fits (offload_fits_unsliced()).
 */
#define EGRESS_TUNNEL     (1u << 7)
#define EGRESS_ALL        ((1u << 7) - 1)

/*
 * Validates a peer's header against the frame (head and len are filled in, L2 is parsed) and fills
 * f->offload; hdr_len is computed from the headers themselves. The head is pulled as far as the
 * offload needs. Returns OFFLOAD_OK or the reason to drop the frame.
 */
enum drop_reason offload_decode(const struct vnet_hdr *hdr, struct frame *f);

/* Writes f's offload for an egress that takes `caps`; f must fit (offload_fits()). */
void offload_encode(const struct frame *f, unsigned caps, struct vnet_hdr *hdr);

/* The EGRESS_ bits that f's offload needs; 0 for a plain frame. */
unsigned offload_needs(const struct frame *f);

/* True if an egress with these capabilities takes the frame as it is. */
static inline bool offload_fits(const struct frame *f, unsigned caps)
{
	if (!f->offload.needs_csum)
		return true;
	return (offload_needs(f) & ~caps) == 0;
}

/* The same for a super-frame whose tunnel segment_begin() does not know. */
static inline bool offload_fits_unsliced(const struct frame *f, unsigned caps)
{
	return offload_fits(f, caps | EGRESS_TUNNEL);
}
