/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/neigh_packet.h"

#include "switch/datapath/neigh_wire.h"

/*
 * Theory of operation
 *
 * A guest that wants another's address, or a router's part, hides what it says from whoever watches
 * and not from whom it is meant for. So nothing passes as NEIGH_OTHER that a Linux or BSD station
 * would take for one of these packets:
 *
 *   extension headers   are skipped, each as long as it says. If they go on beyond what a head
 * holds and the hop limit is 255, the packet is bad: nobody sends such, and what is behind them may
 * be discovery (RFC 7113). With another hop limit no station would accept it. fragments of
 * discovery are bad, even if there is only one (RFC 6980). The first one tells; the others are not
 * looked at, they are nothing without it. A first fragment without its upper-layer header breaks
 * RFC 7112 and is bad as well. options             are walked to the end that the IP header states,
 * where stations stop too. A second link-layer address that says something else is bad: which of
 * the two is believed depends on the station. IPv4-mapped         addresses (::ffff:0:0/96) stand
 * for IPv4 in our tables. In IPv6 packets they mean nothing, and are bad.
 *
 * Behind an authentication header nothing is looked for: without the key no station does either.
 *
 * Options may go on beyond the head. That is bad, too, unless it is a router's advertisement: some
 * routers send many prefixes and put their link-layer address last. The packet then says so
 * (`more_options`).
 *
 * The ICMPv6 checksum is not verified. It is no defence against anybody, a partial one cannot be
 * wrong yet, and a frame that was damaged on its way is dropped where it goes. What we could take
 * wrong from one is an address that ages or is corrected by the next packet, as with ARP.
 */

static bool is_zero(const uint8_t *wire)
{
	static const uint8_t zero[IPV6_ADDR_LEN];

	return memcmp(wire, zero, sizeof(zero)) == 0;
}

static bool is_link_local(const uint8_t *wire)
{
	return wire[0] == 0xfe && wire[1] >> 6 == 2;
}

static bool is_multicast(const uint8_t *wire)
{
	return wire[0] == 0xff;
}

static bool is_mapped(const uint8_t *wire)
{
	struct ip_addr a = ip_addr_v6(wire);

	return ip_addr_is_v4(&a);
}

/* ff02::1:ff00:0/104 */
static bool is_solicited_node(const uint8_t *wire)
{
	static const uint8_t prefix[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	return memcmp(wire, prefix, sizeof(prefix)) == 0;
}

/* --- ARP -------------------------------------------------------------------------------------- */

static bool is_group_v4(const uint8_t *wire)
{
	static const uint8_t broadcast[4] = { 0xff, 0xff, 0xff, 0xff };

	return wire[0] >> 4 == 0xe || memcmp(wire, broadcast, sizeof(broadcast)) == 0;
}

static enum neigh_verdict parse_arp(struct frame *f, struct neigh_packet *p)
{
	const unsigned l3 = f->l3_offset;
	const uint8_t *arp = f->head + l3;
	unsigned oper;

	if (!frame_pull(f, l3 + ARP_SHA))
		return NEIGH_BAD;
	oper = frame_be16(f, l3 + ARP_OPER);
	if (frame_be16(f, l3 + ARP_HTYPE) != ARP_ETHERNET ||
		frame_be16(f, l3 + ARP_PTYPE) != ETHERTYPE_IPV4 || arp[ARP_HLEN] != 6 ||
		arp[ARP_PLEN] != 4 || (oper != ARP_OP_REQUEST && oper != ARP_OP_REPLY))
		return NEIGH_OTHER;
	if (!frame_pull(f, l3 + ARP_LEN) || is_group_v4(arp + ARP_SPA) ||
		is_group_v4(arp + ARP_TPA))
		return NEIGH_BAD;
	*p = (struct neigh_packet) {
		.kind = oper == ARP_OP_REQUEST ? NEIGH_ARP_REQUEST : NEIGH_ARP_REPLY,
		.sender = ip_addr_v4(arp + ARP_SPA),
		.target = ip_addr_v4(arp + ARP_TPA),
		.mac_at = { (uint16_t)(l3 + ARP_SHA), (uint16_t)(l3 + ARP_THA) },
		.n_macs = 2,
	};
	memcpy(&p->sender_mac, arp + ARP_SHA, sizeof(p->sender_mac));
	p->has_mac = true;
	return NEIGH_GOOD;
}

/* --- the way to the ICMPv6 header ------------------------------------------------------------- */

struct upper {
	unsigned at; /* from the frame's first byte */
	uint8_t proto;
	bool fragmented;
};

static bool is_extension(uint8_t proto)
{
	return proto == IPV6_EXT_HOP_BY_HOP || proto == IPV6_EXT_ROUTING ||
	       proto == IPV6_EXT_DESTINATION || proto == IPV6_EXT_FRAGMENT;
}

/* What a packet is whose upper-layer header is not where we can see it. */
static enum neigh_verdict unreadable(const struct frame *f)
{
	return f->head[f->l3_offset + IPV6_HOP_LIMIT] == ND_HOP_LIMIT ? NEIGH_BAD : NEIGH_OTHER;
}

/*
 * Finds the ICMPv6 header, NEIGH_GOOD if there is one in the head. Each extension header is at
 * least eight bytes long, so the head's size bounds the loop.
 */
static enum neigh_verdict find_upper(struct frame *f, struct upper *u)
{
	const uint8_t *ip = f->head + f->l3_offset;
	const uint32_t end = ip_end(f);

	*u = (struct upper) { f->l3_offset + IPV6_HEADER_LEN, ip[IPV6_NEXT_HEADER], false };
	while (is_extension(u->proto)) {
		const uint8_t *ext = f->head + u->at;
		unsigned units = 1;

		if (u->at + IPV6_EXT_UNIT > end || !frame_pull(f, u->at + IPV6_EXT_UNIT))
			return unreadable(f);
		if (u->proto == IPV6_EXT_FRAGMENT) {
			if (frame_be16(f, u->at + 2) >> 3)
				return NEIGH_OTHER;
			u->fragmented = true;
		} else {
			units += ext[1];
		}
		u->proto = ext[0];
		u->at += units * IPV6_EXT_UNIT;
	}
	if (u->proto != IP_PROTO_ICMPV6)
		return NEIGH_OTHER;
	if (u->at + ICMP6_MIN > end || !frame_pull(f, u->at + ICMP6_MIN))
		return unreadable(f);
	return NEIGH_GOOD;
}

/* --- neighbour discovery ---------------------------------------------------------------------- */

/* What all messages of a type have in common. */
struct nd_form {
	enum neigh_kind kind;
	uint8_t fixed_len;
	bool has_target;
	uint8_t option; /* the one whose address is the sender's, or the target's */
};

static const struct nd_form nd_forms[] = {
	{ NEIGH_ROUTER_SOLICIT, 8, false, ND_OPT_SOURCE_MAC },
	{ NEIGH_ROUTER_ADVERT, 16, false, ND_OPT_SOURCE_MAC },
	{ NEIGH_SOLICIT, ND_NEIGHBOUR_LEN, true, ND_OPT_SOURCE_MAC },
	{ NEIGH_ADVERT, ND_NEIGHBOUR_LEN, true, ND_OPT_TARGET_MAC },
	{ NEIGH_REDIRECT, 40, true, ND_OPT_TARGET_MAC },
};

/* Notes the link-layer address of the option at `at`; false if it contradicts one before. */
static bool take_mac(const struct frame *f, struct neigh_packet *p, unsigned at, bool own)
{
	const uint8_t *mac = f->head + at + ND_OPT_MAC;

	if (f->head[at + 1] * ND_OPT_UNIT != ND_OPT_MAC_LEN || p->n_macs == NEIGH_MACS_MAX)
		return false;
	p->mac_at[p->n_macs++] = (uint16_t)(at + ND_OPT_MAC);
	if (own && p->has_mac)
		return memcmp(&p->sender_mac, mac, sizeof(p->sender_mac)) == 0;
	if (own) {
		memcpy(&p->sender_mac, mac, sizeof(p->sender_mac));
		p->has_mac = true;
	}
	return true;
}

/* Walks the options in [at, end) of the frame; false if they make the packet bad. */
static bool read_options(
	struct frame *f, struct neigh_packet *p, uint8_t own, unsigned at, uint32_t end)
{
	while (at < end) {
		unsigned len;

		if (at + ND_OPT_UNIT > end)
			return false;
		if (at + ND_OPT_UNIT > FRAME_HEAD_MAX) {
			p->more_options = true;
			return p->kind == NEIGH_ROUTER_ADVERT;
		}
		if (!frame_pull(f, at + ND_OPT_UNIT))
			return false;
		len = f->head[at + 1] * ND_OPT_UNIT;
		if (!len || at + len > end)
			return false;
		if ((f->head[at] == ND_OPT_SOURCE_MAC || f->head[at] == ND_OPT_TARGET_MAC) &&
			!take_mac(f, p, at, f->head[at] == own))
			return false;
		at += len;
	}
	return true;
}

/* RFC 4861: 6.1.1, 6.1.2, 7.1.1, 7.1.2 and 8.1, in that order. */
static bool addresses_agree(const struct frame *f, const struct neigh_packet *p, unsigned l4)
{
	const uint8_t *src = f->head + f->l3_offset + IPV6_SRC;
	const uint8_t *dst = f->head + f->l3_offset + IPV6_DST;
	const uint8_t *icmp = f->head + l4;

	switch (p->kind) {
	case NEIGH_ROUTER_SOLICIT:
		return !is_zero(src) || !p->has_mac;
	case NEIGH_ROUTER_ADVERT:
		return is_link_local(src);
	case NEIGH_SOLICIT:
		return !is_zero(src) || (is_solicited_node(dst) && !p->has_mac);
	case NEIGH_ADVERT:
		return !is_multicast(dst) || !p->solicited;
	case NEIGH_REDIRECT:
		return is_link_local(src) && !is_multicast(icmp + ND_REDIRECT_DST) &&
		       (is_link_local(icmp + ND_TARGET) ||
			       memcmp(icmp + ND_TARGET, icmp + ND_REDIRECT_DST, IPV6_ADDR_LEN) ==
				       0);
	case NEIGH_ARP_REQUEST:
	case NEIGH_ARP_REPLY:
		break;
	}
	return false;
}

/* Not one of a host's: a group's, one of our tables' IPv4 addresses. */
static bool is_strange(const uint8_t *wire)
{
	return is_multicast(wire) || is_mapped(wire);
}

/* A message of the form, in the head up to the end of its fixed part; its packet ends at `end`. */
static enum neigh_verdict parse_nd(struct frame *f, struct neigh_packet *p,
	const struct nd_form *form, const struct upper *u, uint32_t end)
{
	const uint8_t *src = f->head + f->l3_offset + IPV6_SRC;
	const uint8_t *icmp = f->head + u->at;

	*p = (struct neigh_packet) {
		.kind = form->kind,
		.sender = ip_addr_v6(src),
		.checksum_at = (uint16_t)(u->at + ICMP6_CHECKSUM),
	};
	if (is_strange(src))
		return NEIGH_BAD;
	if (form->has_target) {
		if (is_strange(icmp + ND_TARGET) || is_zero(icmp + ND_TARGET))
			return NEIGH_BAD;
		p->target = ip_addr_v6(icmp + ND_TARGET);
	}
	if (form->kind == NEIGH_ADVERT) {
		p->is_router = icmp[ND_FLAGS] & ND_FLAG_ROUTER;
		p->solicited = icmp[ND_FLAGS] & ND_FLAG_SOLICITED;
		p->override = icmp[ND_FLAGS] & ND_FLAG_OVERRIDE;
	}
	if (!read_options(f, p, form->option, u->at + form->fixed_len, end) ||
		!addresses_agree(f, p, u->at))
		return NEIGH_BAD;
	return NEIGH_GOOD;
}

static enum neigh_verdict parse_v6(struct frame *f, struct neigh_packet *p)
{
	const unsigned l3 = f->l3_offset;
	const uint8_t *ip = f->head + l3;
	enum neigh_verdict verdict;
	const struct nd_form *form;
	struct upper u;
	uint32_t end;
	uint8_t type;

	if (!frame_pull(f, l3 + IPV6_HEADER_LEN) || ip[0] >> 4 != 6)
		return NEIGH_OTHER;
	verdict = find_upper(f, &u);
	if (verdict != NEIGH_GOOD)
		return verdict;
	type = f->head[u.at + ICMP6_TYPE];
	if (type < ICMP6_ROUTER_SOLICIT || type > ICMP6_REDIRECT)
		return NEIGH_OTHER;
	form = &nd_forms[type - ICMP6_ROUTER_SOLICIT];
	end = l3 + IPV6_HEADER_LEN + frame_be16(f, l3 + IPV6_PAYLOAD_LEN);
	if (u.fragmented || ip[IPV6_HOP_LIMIT] != ND_HOP_LIMIT || end > f->len ||
		u.at + form->fixed_len > end || !frame_pull(f, u.at + form->fixed_len) ||
		f->head[u.at + ICMP6_CODE] != 0)
		return NEIGH_BAD;
	return parse_nd(f, p, form, &u, end);
}

enum neigh_verdict neigh_parse(struct frame *f, struct neigh_packet *p)
{
	switch (f->ethertype) {
	case ETHERTYPE_ARP:
		return parse_arp(f, p);
	case ETHERTYPE_IPV6:
		return parse_v6(f, p);
	default:
		return NEIGH_OTHER;
	}
}
