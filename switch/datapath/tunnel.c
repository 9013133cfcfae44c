/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/tunnel.h"

#define UDP_PORT_VXLAN       4789
#define UDP_PORT_VXLAN_LINUX 8472 /* Linux's default before IANA assigned one */
#define UDP_PORT_GENEVE      6081
#define VXLAN_HEADER_LEN     8
#define GENEVE_HEADER_MIN    8
#define GENEVE_OPTIONS_MASK  0x3f /* in words of four bytes */

#define GRE_HEADER_MIN     4
#define GRE_KEY_LEN        4
#define GRE_FLAG_KEY       0x2000
#define ETHERTYPE_ETHERNET 0x6558 /* transparent Ethernet bridging, RFC 7637 */

/* The `len` bytes at `offset` can be read from the head. */
static inline bool in_head(const struct frame *f, unsigned offset, unsigned len)
{
	return offset + len <= f->head_len;
}

/* Goes from an inner Ethernet header, if that is what there is, to the packet behind it. */
static bool skip_ethernet(const struct frame *f, struct tunnel_inside *in)
{
	struct frame_l2 l2;

	if (in->ethertype != ETHERTYPE_ETHERNET)
		return true;
	if (!frame_read_l2(f, in->offset, &l2))
		return false;
	in->offset = l2.l3_offset;
	in->ethertype = l2.ethertype;
	return true;
}

static bool inside_gre(const struct frame *f, unsigned gre, struct tunnel_inside *in)
{
	uint16_t flags;

	if (!in_head(f, gre, GRE_HEADER_MIN))
		return false;
	flags = frame_be16(f, gre);
	if (flags & ~GRE_FLAG_KEY)
		return false;
	in->offset = gre + GRE_HEADER_MIN + (flags & GRE_FLAG_KEY ? GRE_KEY_LEN : 0);
	in->ethertype = frame_be16(f, gre + 2);
	return skip_ethernet(f, in);
}

static bool inside_udp(const struct frame *f, unsigned udp, struct tunnel_inside *in)
{
	const unsigned tunnel = udp + UDP_HEADER_LEN;

	if (!in_head(f, udp, UDP_HEADER_LEN + GENEVE_HEADER_MIN))
		return false;
	switch (frame_be16(f, udp + 2)) {
	case UDP_PORT_VXLAN:
	case UDP_PORT_VXLAN_LINUX:
		in->offset = tunnel + VXLAN_HEADER_LEN;
		in->ethertype = ETHERTYPE_ETHERNET;
		break;
	case UDP_PORT_GENEVE:
		in->offset =
			tunnel + GENEVE_HEADER_MIN + (f->head[tunnel] & GENEVE_OPTIONS_MASK) * 4u;
		in->ethertype = frame_be16(f, tunnel + 2);
		break;
	default:
		return false;
	}
	return skip_ethernet(f, in);
}

bool tunnel_look_inside(
	const struct frame *f, const struct ip_packet *outer, struct tunnel_inside *in)
{
	*in = (struct tunnel_inside) { .offset = outer->l4 };
	switch (outer->proto) {
	case IP_PROTO_IPV4:
		in->ethertype = ETHERTYPE_IPV4;
		return true;
	case IP_PROTO_IPV6:
		in->ethertype = ETHERTYPE_IPV6;
		return true;
	case IP_PROTO_GRE:
		return inside_gre(f, outer->l4, in);
	case IP_PROTO_UDP:
		return inside_udp(f, outer->l4, in);
	default:
		return false;
	}
}
