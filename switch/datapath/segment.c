/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/segment.h"

#include <arpa/inet.h>

#include "switch/datapath/checksum.h"
#include "switch/datapath/tunnel.h"

/*
 * Theory of operation
 *
 * A super-frame's headers are in its head. Each segment gets a copy of them, followed by a slice of
 * the payload, and in the copy only what differs is rewritten:
 *
 *   TCP   sequence number; FIN and PSH only on the last segment, CWR only on the first
 *   UDP   length
 *   IPv4  total length, identification (counting up from the original's), header checksum
 *   IPv6  payload length; extension headers stay where they are
 *
 * VLAN tags, options and whatever else lies between are the same in all segments.
 *
 * Checksums: the field of a super-frame holds the pseudo-header's sum for the whole length. The
 * segments' differ from it in the length only, so the length is exchanged by one's complement
 * arithmetic. This is what the sender asked for even where the header does not show the final
 * destination (IPv6 routing headers), and it is all that an egress with EGRESS_CSUM needs. For the
 * others the sum from csum_start to the end of the packet is completed here.
 *
 * Tunnels: a request that points behind the outer transport header is about an inner packet. The
 * outer headers that we can adapt are those of tunnel.h, one level, as Linux makes. An outer UDP
 * checksum, if there is one, covers the inner packet, but needs no second pass over it: once an
 * inner checksum is complete, the bytes it covers add up to the complement of its pseudo-header's
 * sum ("local checksum offload").
 *
 * The payload is guest memory that may change between our sum and the egress's copy. The harm is a
 * wrong checksum in the guest's own frame.
 */

#define TCP_SEQ 4
#define TCP_FIN 0x01
#define TCP_PSH 0x08

#define IP_LEN_MAX 65535

/* The packet is one that a request of this type can be about. */
static bool matches(const struct ip_packet *packet, enum gso_type gso)
{
	if (packet->fragment)
		return false;
	switch (gso) {
	case GSO_TCPV4:
		return !packet->v6 && packet->proto == IP_PROTO_TCP;
	case GSO_TCPV6:
		return packet->v6 && packet->proto == IP_PROTO_TCP;
	case GSO_UDP_L4:
		return packet->proto == IP_PROTO_UDP;
	default:
		return false;
	}
}

/* Finds the packet whose transport header is at csum_start, and the one around it. */
static enum drop_reason find_packet(struct segmenter *s)
{
	const struct frame *f = s->frame;
	struct tunnel_inside in;

	if (f->ethertype != ETHERTYPE_IPV4 && f->ethertype != ETHERTYPE_IPV6)
		return DROP_TUNNEL_GSO;
	if (!ip_parse(f, f->l3_offset, f->ethertype, &s->packet))
		return DROP_GSO_MISMATCH;
	if (s->packet.l4 < f->offload.csum_start) {
		s->outer = s->packet;
		s->tunnelled = true;
		if (s->outer.fragment || !tunnel_look_inside(f, &s->outer, &in) ||
			!ip_parse(f, in.offset, in.ethertype, &s->packet) ||
			s->packet.l4 < f->offload.csum_start)
			return DROP_TUNNEL_GSO;
	}
	if (s->packet.l4 != f->offload.csum_start || !matches(&s->packet, f->offload.gso))
		return DROP_GSO_MISMATCH;
	return OFFLOAD_OK;
}

enum drop_reason segment_begin(struct segmenter *s, const struct frame *f, unsigned caps)
{
	const struct offload *o = &f->offload;

	*s = (struct segmenter) { .frame = f, .caps = caps };
	if (o->csum_start + o->csum_offset + 2u > FRAME_HEAD_MAX)
		return DROP_HEADERS_LONG;
	if (o->gso == GSO_NONE)
		return OFFLOAD_OK;
	if (o->hdr_len > f->head_len)
		return DROP_HEADERS_LONG;
	if (o->hdr_len - f->l3_offset + o->gso_size > IP_LEN_MAX)
		return DROP_GSO_MISMATCH;
	s->offset = o->hdr_len;
	return find_packet(s);
}

/* Makes *out a view of f's first `head_len` bytes of head and nothing else. */
static void begin_view(const struct frame *f, struct frame *out, unsigned head_len)
{
	out->head = out->head_room + (f->head - f->head_room);
	memcpy(out->head, f->head, head_len);
	out->head_len = (uint16_t)head_len;
	out->len = head_len;
	out->n_segs = 0;
	out->offload = f->offload;
	out->l3_offset = f->l3_offset;
	out->ethertype = f->ethertype;
	out->vlan = f->vlan;
	out->ingress = f->ingress;
	out->landed = NULL;
}

/* Appends bytes [offset, offset + len) of f; false if they are in too many pieces. */
static bool append_slice(const struct frame *f, uint32_t offset, uint32_t len, struct frame *out)
{
	out->len += len;
	if (offset < f->head_len) {
		uint32_t part = f->head_len - offset;

		if (part > len)
			part = len;
		memcpy(out->head + out->head_len, f->head + offset, part);
		out->head_len += part;
		offset += part;
		len -= part;
	}
	if (!len)
		return true;
	out->n_segs = (uint16_t)frame_slice(f, offset, len, out->seg, FRAME_SEG_MAX);
	return out->n_segs;
}

/*
 * Replaces the pseudo-header's sum in the checksum field by the checksum. It covers the packet up
 * to the length that the outermost IP header states: what may follow is Ethernet padding, which
 * need not be zero. A request whose field lies behind that end is taken at its word, to the end of
 * the frame.
 */
static void complete_checksum(struct frame *f)
{
	struct offload *o = &f->offload;
	const uint32_t field = (uint32_t)o->csum_start + o->csum_offset;
	uint32_t end = ip_end(f);
	uint16_t checksum;

	if (end < field + sizeof(checksum))
		end = f->len;
	checksum = checksum_fold(checksum_frame(f, o->csum_start, end));
	/* In UDP zero means "no checksum"; both forms of zero verify. */
	if (!checksum && o->csum_offset == UDP_CSUM_OFFSET)
		checksum = 0xffff;
	memcpy(f->head + field, &checksum, sizeof(checksum));
	*o = (struct offload) { 0 };
}

/* Gives the packet's IP header the length of `f`, and an identification of its own. */
static void adapt_ip(struct frame *f, const struct ip_packet *packet, uint32_t index)
{
	uint8_t *header = f->head + packet->l3;
	uint16_t checksum = 0;

	if (packet->v6) {
		put_be16(header + IPV6_PAYLOAD_LEN, f->len - packet->l3 - IPV6_HEADER_LEN);
		return;
	}
	put_be16(header + IPV4_TOTAL_LEN, f->len - packet->l3);
	put_be16(header + 4, frame_be16(f, packet->l3 + 4) + index);
	memcpy(header + 10, &checksum, sizeof(checksum));
	checksum = checksum_fold(checksum_add(0, header, packet->l4 - packet->l3, 0));
	memcpy(header + 10, &checksum, sizeof(checksum));
}

static void adapt_tcp(const struct segmenter *s, struct frame *f, bool last)
{
	uint8_t *header = f->head + s->packet.l4;
	uint32_t seq;

	memcpy(&seq, header + TCP_SEQ, sizeof(seq));
	seq = htonl(ntohl(seq) + s->index * s->frame->offload.gso_size);
	memcpy(header + TCP_SEQ, &seq, sizeof(seq));
	if (!last)
		header[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (s->index)
		header[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
}

/* Exchanges the whole length for the segment's in the field's sum, and returns that. */
static uint16_t adapt_partial(const struct segmenter *s, struct frame *f)
{
	const unsigned start = s->packet.l4;
	uint8_t *field = f->head + start + s->frame->offload.csum_offset;
	const uint32_t change[2] = { ~htonl(s->frame->len - start), htonl(f->len - start) };
	uint64_t sum = checksum_add(0, field, 2, 0);
	uint16_t partial = (uint16_t)~checksum_fold(checksum_add(sum, change, sizeof(change), 0));

	memcpy(field, &partial, sizeof(partial));
	return partial;
}

/* The outer UDP header, whose checksum follows from the inner packet's pseudo-header sum. */
static void adapt_outer_udp(const struct segmenter *s, struct frame *f, uint16_t partial)
{
	const unsigned udp = s->outer.l4;
	const uint32_t len = f->len - udp;
	const uint32_t headers_len = s->packet.l4 - udp;
	uint8_t *field = f->head + udp + UDP_CSUM_OFFSET;
	const uint16_t inner = (uint16_t)~partial;
	uint16_t checksum;
	uint64_t sum;

	put_be16(f->head + udp + 4, len);
	if (!frame_be16(f, udp + UDP_CSUM_OFFSET))
		return;
	memset(field, 0, sizeof(checksum));
	sum = ip_pseudo_sum(f->head, &s->outer, len);
	sum = checksum_add(sum, f->head + udp, headers_len, 0);
	sum = checksum_add(sum, &inner, sizeof(inner), headers_len);
	checksum = checksum_fold(sum);
	if (!checksum)
		checksum = 0xffff;
	memcpy(field, &checksum, sizeof(checksum));
}

static void adapt_headers(const struct segmenter *s, struct frame *f, bool last)
{
	uint16_t partial;

	if (s->packet.proto == IP_PROTO_TCP)
		adapt_tcp(s, f, last);
	else
		put_be16(f->head + s->packet.l4 + 4, f->len - s->packet.l4);
	partial = adapt_partial(s, f);
	adapt_ip(f, &s->packet, s->index);
	if (!s->tunnelled)
		return;
	if (s->outer.proto == IP_PROTO_UDP)
		adapt_outer_udp(s, f, partial);
	adapt_ip(f, &s->outer, s->index);
}

/* A frame that only lacks its checksum. */
static bool checksum_whole(const struct frame *f, struct frame *out)
{
	const struct offload *o = &f->offload;

	begin_view(f, out, f->head_len);
	out->len = f->len;
	out->n_segs = f->n_segs;
	out->landed = f->landed;
	memcpy(out->seg, f->seg, f->n_segs * sizeof(f->seg[0]));
	if (!frame_pull(out, o->csum_start + o->csum_offset + 2u))
		return false;
	complete_checksum(out);
	return true;
}

bool segment_next(struct segmenter *s, struct frame *out)
{
	const struct frame *f = s->frame;
	uint32_t left = f->len - s->offset;
	uint32_t payload = f->offload.gso_size;

	if (!left)
		return false;
	if (f->offload.gso == GSO_NONE) {
		s->offset = f->len;
		return checksum_whole(f, out);
	}
	if (payload > left)
		payload = left;
	begin_view(f, out, f->offload.hdr_len);
	if (!append_slice(f, s->offset, payload, out)) {
		s->offset = f->len;
		return false;
	}
	adapt_headers(s, out, payload == left);
	out->offload.gso = GSO_NONE;
	out->offload.tunnelled = false;
	out->offload.gso_size = 0;
	out->offload.hdr_len = 0;
	out->offload.ecn = false;
	if (!(s->caps & EGRESS_CSUM))
		complete_checksum(out);
	s->offset += payload;
	s->index++;
	return true;
}

unsigned segment_left(const struct segmenter *s)
{
	uint32_t left = s->frame->len - s->offset, size = s->frame->offload.gso_size;

	if (s->frame->offload.gso == GSO_NONE)
		return left > 0;
	return (left + size - 1) / size;
}
