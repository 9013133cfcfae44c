/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/offload.h"

#include "switch/datapath/checksum.h"
#include "switch/datapath/ip.h"

/*
 * A super-frame must not become an unbounded number of frames: one guest could keep a worker busy
 * with a single descriptor. The bound is what 64 KiB make at the smallest MSS that Linux sends
 * (TCP_MIN_SND_MSS, 48 bytes). It is a bound on their number and not on gso_size, because
 * receive-side merging makes short super-frames of very small segments.
 */
#define GSO_SEGMENTS_MAX (65536 / 48 + 1)

static const struct {
	uint8_t wire;        /* gso_type without the ECN bit */
	uint8_t proto;       /* that it segments */
	uint8_t csum_offset; /* of that protocol */
	unsigned egress;     /* for UDP it depends on the IP version: see offload_needs() */
} gso_table[] = {
	[GSO_NONE] = { VNET_HDR_GSO_NONE, 0, 0, 0 },
	[GSO_TCPV4] = { VNET_HDR_GSO_TCPV4, IP_PROTO_TCP, TCP_CSUM_OFFSET, EGRESS_TSO4 },
	[GSO_TCPV6] = { VNET_HDR_GSO_TCPV6, IP_PROTO_TCP, TCP_CSUM_OFFSET, EGRESS_TSO6 },
	[GSO_UDP_L4] = { VNET_HDR_GSO_UDP_L4, IP_PROTO_UDP, UDP_CSUM_OFFSET, 0 },
};
#define N_GSO_TYPES (sizeof(gso_table) / sizeof(gso_table[0]))

/* The enum gso_type of a wire gso_type, negative if there is none. */
static int gso_from_wire(uint8_t wire)
{
	for (unsigned gso = 0; gso < N_GSO_TYPES; gso++)
		if (gso_table[gso].wire == (wire & ~VNET_HDR_GSO_ECN))
			return (int)gso;
	return -1;
}

/*
 * A super-frame without a checksum request: its sender has verified the checksum or asks the
 * receiver to find the fields. Linux accepts it for a packet that is not tunnelled, so we turn it
 * into the usual form: the offsets found, the pseudo-header's sum in the field.
 */
static bool request_checksum(struct frame *f, struct offload *o)
{
	struct ip_packet ip;
	uint16_t partial;

	frame_pull(f, f->len < FRAME_HEAD_MAX ? f->len : FRAME_HEAD_MAX);
	if (!ip_parse(f, f->l3_offset, f->ethertype, &ip) || ip.fragment ||
		ip.proto != gso_table[o->gso].proto)
		return false;
	if (o->gso != GSO_UDP_L4 && ip.v6 != (o->gso == GSO_TCPV6))
		return false;
	o->csum_start = ip.l4;
	o->csum_offset = gso_table[o->gso].csum_offset;
	if (o->csum_start + o->csum_offset + 2u > f->head_len)
		return false;
	partial = (uint16_t)~checksum_fold(ip_pseudo_sum(f->head, &ip, f->len - ip.l4));
	memcpy(f->head + o->csum_start + o->csum_offset, &partial, sizeof(partial));
	o->needs_csum = true;
	return true;
}

/* Computes hdr_len from the transport header and pulls all headers. False if they do not fit. */
static bool measure_headers(struct frame *f, struct offload *o)
{
	unsigned hdr_len;

	if (o->gso == GSO_UDP_L4) {
		hdr_len = o->csum_start + UDP_HEADER_LEN;
	} else {
		unsigned tcp_len;

		if (!frame_pull(f, o->csum_start + TCP_HEADER_MIN))
			return false;
		tcp_len = (f->head[o->csum_start + 12] >> 4) * 4u;
		if (tcp_len < TCP_HEADER_MIN)
			return false;
		hdr_len = o->csum_start + tcp_len;
	}
	if (!frame_pull(f, hdr_len))
		return false;
	o->hdr_len = (uint16_t)hdr_len;
	return true;
}

static bool is_tunnelled(const struct frame *f, const struct offload *o)
{
	struct ip_packet ip;

	return !ip_parse(f, f->l3_offset, f->ethertype, &ip) || ip.l4 != o->csum_start;
}

static bool decode_gso(struct frame *f, struct offload *o)
{
	uint32_t payload;

	if (!o->gso_size)
		return false;
	if (o->ecn && o->gso == GSO_UDP_L4)
		return false;
	if (!o->needs_csum && !request_checksum(f, o))
		return false;
	if (o->csum_offset != gso_table[o->gso].csum_offset || !measure_headers(f, o))
		return false;
	o->tunnelled = is_tunnelled(f, o);
	payload = f->len - o->hdr_len;
	if (payload > (uint32_t)o->gso_size * GSO_SEGMENTS_MAX)
		return false;
	if (payload <= o->gso_size) { /* nothing to cut: an ordinary frame */
		o->gso = GSO_NONE;
		o->gso_size = 0;
		o->hdr_len = 0;
		o->ecn = false;
		o->tunnelled = false;
	}
	return true;
}

enum drop_reason offload_decode(const struct vnet_hdr *hdr, struct frame *f)
{
	struct offload o = { 0 };
	int gso;

	f->offload = o;
	if (!(hdr->flags & VNET_HDR_F_NEEDS_CSUM) && hdr->gso_type == VNET_HDR_GSO_NONE) {
		f->offload.data_valid = hdr->flags & VNET_HDR_F_DATA_VALID;
		return OFFLOAD_OK;
	}
	gso = gso_from_wire(hdr->gso_type);
	o.ecn = hdr->gso_type & VNET_HDR_GSO_ECN;
	if (gso < 0 || (o.ecn && gso == GSO_NONE))
		return DROP_BAD_OFFLOAD;
	o.gso = (uint8_t)gso;
	if (hdr->flags & VNET_HDR_F_NEEDS_CSUM) {
		uint32_t end = (uint32_t)hdr->csum_start + hdr->csum_offset + 2;

		if (hdr->csum_start < ETH_HEADER_LEN || end > f->len)
			return DROP_BAD_OFFLOAD;
		/* A field beyond the head's reach is legal: only our own fallback minds. */
		frame_pull(f, end);
		o.needs_csum = true;
		o.csum_start = hdr->csum_start;
		o.csum_offset = hdr->csum_offset;
	}
	if (gso != GSO_NONE) {
		o.gso_size = hdr->gso_size;
		if (!decode_gso(f, &o))
			return DROP_BAD_OFFLOAD;
	}
	f->offload = o;
	return OFFLOAD_OK;
}

void offload_encode(const struct frame *f, unsigned caps, struct vnet_hdr *hdr)
{
	const struct offload *o = &f->offload;

	*hdr = (struct vnet_hdr) { 0 };
	if (!o->needs_csum) {
		if (o->data_valid && (caps & EGRESS_DATA_VALID))
			hdr->flags = VNET_HDR_F_DATA_VALID;
		return;
	}
	hdr->flags = VNET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = o->csum_start;
	hdr->csum_offset = o->csum_offset;
	if (o->gso == GSO_NONE)
		return;
	hdr->gso_type = gso_table[o->gso].wire | (o->ecn ? VNET_HDR_GSO_ECN : 0);
	hdr->gso_size = o->gso_size;
	hdr->hdr_len = o->hdr_len;
}

/*
 * For UDP the IP version that counts is the outer one: looking for an inner one would cost a walk
 * through the headers of each frame, and no known driver takes one version without the other.
 */
static unsigned uso_needs(const struct frame *f)
{
	if (f->ethertype == ETHERTYPE_IPV4)
		return EGRESS_USO4;
	if (f->ethertype == ETHERTYPE_IPV6)
		return EGRESS_USO6;
	return EGRESS_USO4 | EGRESS_USO6;
}

unsigned offload_needs(const struct frame *f)
{
	const struct offload *o = &f->offload;
	unsigned needs;

	if (!o->needs_csum)
		return 0;
	needs = EGRESS_CSUM | gso_table[o->gso].egress;
	if (o->gso == GSO_UDP_L4)
		needs |= uso_needs(f);
	if (o->ecn)
		needs |= EGRESS_ECN;
	if (o->tunnelled)
		needs |= EGRESS_TUNNEL;
	return needs;
}
