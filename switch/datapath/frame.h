/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A frame is a view: a private copy of its first bytes, and the rest where it already is.
 *
 *   head[0 .. head_len)   ours; every decision is taken on it and every rewrite is made in it
 *   seg[0 .. n_segs)      guest memory, a receive buffer: read once, while the egress copies it
 *
 * head_len + the sum of the segments is `len`. Guest memory may change at any moment, so nothing
 * that has been checked is ever read from it again: what must be checked is pulled into the head
 * first. The head holds all L2 to L4 headers up to FRAME_HEAD_MAX.
 *
 * VLAN tags stay inline, as on the wire. The offload request is in virtio-net's terms, in host
 * byte order, and was validated against `len` when the frame was received (offload.h).
 *
 * Ownership: a frame is valid from its port's receive() until its release(); several egress ports
 * may read it in between, so an egress that has to alter one alters a copy (segment.h). Only the
 * outermost VLAN tag is put in and taken out in place, between two egress ports (vlan.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "lib/mac.h"

#define FRAME_HEAD_MAX 256
#define FRAME_PULL     128   /* head bytes that are copied without being asked for */
#define FRAME_SEG_MAX  64    /* pieces besides the head */
#define FRAME_LEN_MAX  65568 /* 64 KiB of IP, an Ethernet header and two VLAN tags */

#define ETH_HEADER_LEN 14
#define VLAN_TAG_LEN   4
#define ETHERTYPE_VLAN 0x8100 /* 802.1Q */
#define ETHERTYPE_QINQ 0x88a8 /* 802.1ad */

enum gso_type {
	GSO_NONE,
	GSO_TCPV4,
	GSO_TCPV6,
	GSO_UDP_L4, /* one datagram per gso_size bytes, not fragments */
};

struct offload {
	uint16_t csum_start;  /* from the frame's first byte; valid with needs_csum */
	uint16_t csum_offset; /* of the checksum field, from csum_start */
	uint16_t gso_size;    /* payload bytes per segment; valid unless gso is GSO_NONE */
	uint16_t hdr_len;     /* of a super-frame, all before its payload: never a peer's word */
	uint8_t gso;          /* enum gso_type */
	bool needs_csum;      /* the field holds the pseudo-header sum only */
	bool data_valid;      /* whoever sent it has verified the checksum */
	bool ecn;             /* TCP super-frame with CWR: only its first segment may carry it */
	bool tunnelled; /* the request is about a packet inside another, or one we cannot read */
};

struct port;

struct frame {
	uint32_t len;
	uint16_t head_len;
	uint16_t n_segs;
	struct offload offload;
	uint16_t l3_offset; /* after Ethernet and VLAN tags */
	uint16_t ethertype; /* at l3_offset - 2, host order */
	uint16_t vlan;      /* it belongs to: the outermost tag's, unless its port says otherwise */
	bool popped;        /* its tag was taken out for one egress, and is kept for the next */
	uint8_t popped_tag[VLAN_TAG_LEN];
	struct port *ingress; /* where it came from */
	struct port *landed;  /* the only port it may still go to, its payload is there already */
	uint8_t *head;        /* into head_room: room for a VLAN tag in front */
	struct iovec seg[FRAME_SEG_MAX];
	uint8_t head_room[VLAN_TAG_LEN + FRAME_HEAD_MAX] __attribute__((aligned(64)));
};

static inline const struct mac *frame_dst(const struct frame *f)
{
	return (const struct mac *)f->head;
}

static inline const struct mac *frame_src(const struct frame *f)
{
	return (const struct mac *)(f->head + sizeof(struct mac));
}

static inline uint16_t frame_be16(const struct frame *f, unsigned offset)
{
	return (uint16_t)(f->head[offset] << 8 | f->head[offset + 1]);
}

/*
 * Makes the head at least `len` bytes (at most FRAME_HEAD_MAX), copying from the segments.
 * False if the frame is shorter or `len` is more than a head can hold; nothing has changed then.
 */
bool frame_pull(struct frame *f, unsigned len);

/*
 * Reads the Ethernet header and its VLAN tags (at most two) into l3_offset, ethertype and vlan.
 * False if the head does not hold them.
 */
bool frame_parse_l2(struct frame *f);

/* An Ethernet header and its VLAN tags, wherever it lies: tunnels carry another one. */
struct frame_l2 {
	uint16_t l3_offset; /* from the frame's first byte */
	uint16_t ethertype;
	uint16_t vlan; /* id of the outermost tag, 0 if untagged or priority-tagged */
};

/* Reads the Ethernet header at `offset` of the head; false if the head does not hold it. */
bool frame_read_l2(const struct frame *f, unsigned offset, struct frame_l2 *l2);

/*
 * Appends to out[0 .. n_out) the pieces of f's segments that hold bytes [offset, offset + len) of
 * the frame; offset must not lie in the head. Returns the number of pieces, or 0 if they are
 * more than n_out.
 */
unsigned frame_slice(
	const struct frame *f, uint32_t offset, uint32_t len, struct iovec *out, unsigned n_out);
