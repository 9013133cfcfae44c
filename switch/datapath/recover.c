/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/recover.h"

#include "switch/datapath/checksum.h"
#include "switch/datapath/ip.h"
#include "switch/datapath/offload.h"
#include "switch/datapath/tunnel.h"

/* A TCP or UDP packet and what its checksum field means. */
struct transport {
	struct ip_packet ip;
	uint16_t field; /* of the checksum, from the frame's first byte */
	uint32_t end;
	enum { SUM_NONE, SUM_PARTIAL, SUM_GOOD, SUM_BAD } sum;
};

static bool is_truncated(const struct frame *f)
{
	const unsigned l3 = f->l3_offset;

	if (f->ethertype == ETHERTYPE_IPV4)
		return l3 + frame_be16(f, l3 + IPV4_TOTAL_LEN) > f->len;
	return l3 + IPV6_HEADER_LEN + frame_be16(f, l3 + IPV6_PAYLOAD_LEN) > f->len;
}

static uint16_t pseudo(const struct frame *f, const struct transport *t)
{
	return (uint16_t)~checksum_fold(ip_pseudo_sum(f->head, &t->ip, t->end - t->ip.l4));
}

static uint16_t read_field(const struct frame *f, const struct transport *t)
{
	uint16_t value;

	memcpy(&value, f->head + t->field, sizeof(value));
	return value;
}

/* Both zeros of one's complement are the same number. */
static bool same_sum(uint16_t a, uint16_t b)
{
	return (a == 0xffff ? 0 : a) == (b == 0xffff ? 0 : b);
}

/* Finds the checksum field of the packet `ip`, which ends at `end`; false: none that we know. */
static bool find_field(
	struct frame *f, const struct ip_packet *ip, uint32_t end, struct transport *t)
{
	unsigned header = ip->proto == IP_PROTO_TCP ? TCP_HEADER_MIN : UDP_HEADER_LEN;

	if (ip->fragment || (ip->proto != IP_PROTO_TCP && ip->proto != IP_PROTO_UDP))
		return false;
	if (ip->l4 + header > end || !frame_pull(f, ip->l4 + header))
		return false;
	*t = (struct transport) { .ip = *ip, .end = end };
	t->field = (uint16_t)(ip->l4 +
			      (ip->proto == IP_PROTO_TCP ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET));
	return true;
}

static bool is_partial(const struct frame *f, const struct transport *t)
{
	if (t->ip.proto == IP_PROTO_UDP && read_field(f, t) == 0)
		return false;
	return same_sum(read_field(f, t), pseudo(f, t));
}

static bool verifies(const struct frame *f, const struct transport *t)
{
	const uint16_t start = pseudo(f, t);
	uint64_t sum = checksum_frame(f, t->ip.l4, t->end);

	return same_sum(checksum_fold(checksum_add(sum, &start, sizeof(start), 0)), 0);
}

/* What the field holds, from the hint where there is one. */
static void judge(const struct frame *f, struct transport *t, enum recover_state hint)
{
	if (t->ip.proto == IP_PROTO_UDP && read_field(f, t) == 0)
		t->sum = SUM_NONE;
	else if (hint == RECOVER_PARTIAL || is_partial(f, t))
		t->sum = SUM_PARTIAL;
	else if (hint == RECOVER_GOOD)
		t->sum = SUM_GOOD;
	else
		t->sum = verifies(f, t) ? SUM_GOOD : SUM_BAD;
}

/* Makes the request that a virtio-net header would have carried. */
static enum recovered request(struct frame *f, const struct transport *t, unsigned gso_size)
{
	const bool tcp = t->ip.proto == IP_PROTO_TCP;
	const uint16_t sum = pseudo(f, t);
	struct vnet_hdr hdr = {
		.flags = VNET_HDR_F_NEEDS_CSUM,
		.csum_start = t->ip.l4,
		.csum_offset = (uint16_t)(t->field - t->ip.l4),
	};

	if (gso_size) {
		hdr.gso_type = !tcp       ? VNET_HDR_GSO_UDP_L4
			       : t->ip.v6 ? VNET_HDR_GSO_TCPV6
					  : VNET_HDR_GSO_TCPV4;
		hdr.gso_size = (uint16_t)gso_size;
		if (tcp && f->head[t->ip.l4 + TCP_FLAGS] & TCP_CWR)
			hdr.gso_type |= VNET_HDR_GSO_ECN;
	}
	memcpy(f->head + t->field, &sum, sizeof(sum));
	return offload_decode(&hdr, f) == OFFLOAD_OK ? RECOVER_FRAME : RECOVER_SIZES_LOST;
}

/* The payload that a segment of at most `mtu` bytes holds; 0: none. */
static unsigned segment_size(struct frame *f, const struct transport *t, unsigned mtu)
{
	unsigned headers = t->ip.l4 + (f->head[t->ip.l4 + 12] >> 4) * 4u - f->l3_offset;

	return mtu > headers ? mtu - headers : 0;
}

static enum recovered settle_long(struct frame *f, struct transport *t, unsigned mtu)
{
	if (t->sum == SUM_BAD)
		return RECOVER_BAD_FRAGMENT;
	if (t->ip.proto == IP_PROTO_UDP)
		return t->sum == SUM_PARTIAL ? RECOVER_SIZES_LOST : RECOVER_FRAGMENT;
	return request(f, t, segment_size(f, t, mtu));
}

static enum recovered settle(struct frame *f, struct transport *t, const struct recover_hint *hint,
	bool is_long, unsigned mtu)
{
	if (hint->gso_size && t->sum != SUM_BAD && t->sum != SUM_NONE)
		return request(f, t, hint->gso_size);
	if (is_long && hint->checksum != RECOVER_PARTIAL)
		return settle_long(f, t, mtu);
	if (t->sum == SUM_PARTIAL)
		return request(f, t, 0);
	f->offload.data_valid = t->sum == SUM_GOOD;
	return t->sum == SUM_BAD ? RECOVER_BAD_CHECKSUM : RECOVER_FRAME;
}

/* A packet inside a tunnel is of interest if something is left to be done about it. */
static bool look_inside(
	struct frame *f, const struct ip_packet *outer, bool is_long, struct transport *t)
{
	struct tunnel_inside in;
	struct ip_packet ip;

	if (outer->fragment || !tunnel_look_inside(f, outer, &in) ||
		!ip_parse(f, in.offset, in.ethertype, &ip) || !find_field(f, &ip, ip_end(f), t))
		return false;
	if (is_partial(f, t)) {
		t->sum = SUM_PARTIAL;
		return true;
	}
	if (!is_long || t->ip.proto != IP_PROTO_TCP)
		return false;
	judge(f, t, RECOVER_UNKNOWN);
	return t->sum == SUM_GOOD;
}

enum recovered recover_offload(struct frame *f, const struct recover_hint *hint, unsigned mtu)
{
	const struct recover_hint none = { 0 };
	struct transport t;
	struct ip_packet ip;
	bool is_long;

	f->offload = (struct offload) { 0 };
	if (f->ethertype != ETHERTYPE_IPV4 && f->ethertype != ETHERTYPE_IPV6)
		return RECOVER_FRAME;
	if (!ip_parse(f, f->l3_offset, f->ethertype, &ip)) {
		frame_pull(f, f->len < FRAME_HEAD_MAX ? f->len : FRAME_HEAD_MAX);
		if (!ip_parse(f, f->l3_offset, f->ethertype, &ip))
			return RECOVER_FRAME;
	}
	if (is_truncated(f))
		return RECOVER_TRUNCATED;
	is_long = mtu && ip_end(f) - f->l3_offset > mtu;
	if (look_inside(f, &ip, is_long, &t))
		return settle(f, &t, &none, is_long, mtu);
	if (!find_field(f, &ip, ip_end(f), &t))
		return is_long && !ip.fragment ? RECOVER_FRAGMENT : RECOVER_FRAME;
	judge(f, &t, hint->checksum);
	return settle(f, &t, hint, is_long, mtu);
}
