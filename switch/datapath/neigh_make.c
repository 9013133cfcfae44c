/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/neigh_packet.h"

#include "switch/datapath/checksum.h"
#include "switch/datapath/neigh_wire.h"

static const struct mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct mac no_mac;
static const uint8_t unspecified[IPV6_ADDR_LEN];
static const uint8_t all_nodes[IPV6_ADDR_LEN] = { 0xff, 0x02, [15] = 1 };

static void put_mac(uint8_t *at, const struct mac *mac)
{
	memcpy(at, mac, sizeof(*mac));
}

/* --- Ethernet --------------------------------------------------------------------------------- */

/* An empty frame with room for a tag in front, as untagged ones have. */
static void begin(struct frame *out)
{
	out->n_segs = 0;
	out->offload = (struct offload) { 0 };
	out->l3_offset = ETH_HEADER_LEN;
	out->vlan = 0;
	out->popped = false;
	out->ingress = NULL;
	out->landed = NULL;
	out->head = out->head_room + VLAN_TAG_LEN;
}

static void begin_like(struct frame *out, const struct frame *like)
{
	begin(out);
	out->l3_offset = like->l3_offset;
	out->vlan = like->vlan;
	out->popped = like->popped;
	memcpy(out->popped_tag, like->popped_tag, sizeof(out->popped_tag));
	memcpy(out->head, like->head, like->l3_offset);
}

/* Writes the Ethernet header around the tags, and sets the length. Returns where `len` bytes go. */
static uint8_t *put_ethernet(struct frame *out, const struct mac *dst, const struct mac *src,
	uint16_t ethertype, unsigned len)
{
	put_mac(out->head, dst);
	put_mac(out->head + sizeof(*dst), src);
	put_be16(out->head + out->l3_offset - 2, ethertype);
	out->ethertype = ethertype;
	out->head_len = (uint16_t)(out->l3_offset + len);
	out->len = out->head_len;
	return out->head + out->l3_offset;
}

/* --- ARP -------------------------------------------------------------------------------------- */

struct arp {
	uint16_t oper;
	const struct mac *sha, *tha;
	const struct ip_addr *spa, *tpa;
};

/* Unspecified addresses of either family are zero here. */
static void put_v4(uint8_t *at, const struct ip_addr *a)
{
	memcpy(at, ip_addr_is_v4(a) ? a->byte + 12 : unspecified, 4);
}

static void put_arp(struct frame *out, const struct mac *dst, const struct arp *arp)
{
	uint8_t *p = put_ethernet(out, dst, arp->sha, ETHERTYPE_ARP, ARP_LEN);

	put_be16(p + ARP_HTYPE, ARP_ETHERNET);
	put_be16(p + ARP_PTYPE, ETHERTYPE_IPV4);
	p[ARP_HLEN] = sizeof(struct mac);
	p[ARP_PLEN] = 4;
	put_be16(p + ARP_OPER, arp->oper);
	put_mac(p + ARP_SHA, arp->sha);
	put_v4(p + ARP_SPA, arp->spa);
	put_mac(p + ARP_THA, arp->tha);
	put_v4(p + ARP_TPA, arp->tpa);
}

/* --- neighbour discovery ---------------------------------------------------------------------- */

struct nd {
	uint8_t type, flags;
	const struct mac *eth_src;
	const uint8_t *src, *dst, *target; /* IPv6 */
	uint8_t option;                    /* with eth_src in it; 0: none */
};

/* 33:33 and the address's last four bytes (RFC 2464, section 7). */
static struct mac group_mac(const uint8_t *group)
{
	struct mac mac = { { 0x33, 0x33 } };

	memcpy(mac.byte + 2, group + 12, 4);
	return mac;
}

static void put_ipv6(uint8_t *ip, const struct nd *nd, unsigned payload_len)
{
	memset(ip, 0, IPV6_HEADER_LEN);
	ip[0] = 6 << 4;
	put_be16(ip + IPV6_PAYLOAD_LEN, payload_len);
	ip[IPV6_NEXT_HEADER] = IP_PROTO_ICMPV6;
	ip[IPV6_HOP_LIMIT] = ND_HOP_LIMIT;
	memcpy(ip + IPV6_SRC, nd->src, IPV6_ADDR_LEN);
	memcpy(ip + IPV6_DST, nd->dst, IPV6_ADDR_LEN);
}

static void put_nd(struct frame *out, const struct mac *dst, const struct nd *nd)
{
	const unsigned len = ND_NEIGHBOUR_LEN + (nd->option ? ND_OPT_MAC_LEN : 0);
	uint8_t *ip = put_ethernet(out, dst, nd->eth_src, ETHERTYPE_IPV6, IPV6_HEADER_LEN + len);
	uint8_t *icmp = ip + IPV6_HEADER_LEN, *option = icmp + ND_NEIGHBOUR_LEN;
	struct ip_packet packet = {
		.l3 = out->l3_offset,
		.l4 = (uint16_t)(out->l3_offset + IPV6_HEADER_LEN),
		.proto = IP_PROTO_ICMPV6,
		.v6 = true,
	};
	uint16_t checksum;

	put_ipv6(ip, nd, len);
	memset(icmp, 0, ND_TARGET);
	icmp[ICMP6_TYPE] = nd->type;
	icmp[ND_FLAGS] = nd->flags;
	memcpy(icmp + ND_TARGET, nd->target, IPV6_ADDR_LEN);
	if (nd->option) {
		option[0] = nd->option;
		option[1] = ND_OPT_MAC_LEN / ND_OPT_UNIT;
		put_mac(option + ND_OPT_MAC, nd->eth_src);
	}
	checksum =
		checksum_fold(checksum_add(ip_pseudo_sum(out->head, &packet, len), icmp, len, 0));
	memcpy(icmp + ICMP6_CHECKSUM, &checksum, sizeof(checksum));
}

/* --- the packets ------------------------------------------------------------------------------ */

static void make_reply(struct frame *out, const struct neigh_packet *p, const struct mac *to,
	const struct mac *mac)
{
	struct arp arp = {
		.oper = ARP_OP_REPLY,
		.sha = mac,
		.spa = &p->target,
		.tha = &p->sender_mac,
		.tpa = &p->sender,
	};

	put_arp(out, to, &arp);
}

static void make_advert(struct frame *out, const struct neigh_packet *p, const struct mac *to,
	const struct mac *mac, bool router)
{
	const struct mac all_nodes_mac = group_mac(all_nodes);
	bool probe = neigh_is_probe(p);
	struct nd nd = {
		.type = ICMP6_ADVERT,
		.flags = ND_FLAG_OVERRIDE,
		.eth_src = mac,
		.src = p->target.byte,
		.dst = probe ? all_nodes : p->sender.byte,
		.target = p->target.byte,
		.option = ND_OPT_TARGET_MAC,
	};

	if (router)
		nd.flags |= ND_FLAG_ROUTER;
	if (!probe)
		nd.flags |= ND_FLAG_SOLICITED;
	put_nd(out, probe ? &all_nodes_mac : to, &nd);
}

void neigh_make_answer(struct frame *out, const struct frame *question,
	const struct neigh_packet *p, const struct mac *mac, bool router)
{
	const struct mac *to = &p->sender_mac;

	if (mac_is_zero(to) || mac_is_multicast(to))
		to = frame_src(question);
	begin_like(out, question);
	if (p->kind == NEIGH_ARP_REQUEST)
		make_reply(out, p, to, mac);
	else
		make_advert(out, p, to, mac, router);
}

static void make_request(struct frame *out, const struct mac *mac, const struct ip_addr *sender,
	const struct ip_addr *target, const struct mac *at)
{
	struct arp arp = {
		.oper = ARP_OP_REQUEST,
		.sha = mac,
		.spa = sender,
		.tha = &no_mac,
		.tpa = target,
	};

	put_arp(out, at ? at : &broadcast, &arp);
}

/* A probe must go to the group (RFC 4861, 7.1.1), whose packets may be sent straight to a station
 * as well (RFC 6085). */
static void make_solicit(struct frame *out, const struct mac *mac, const struct ip_addr *sender,
	const struct ip_addr *target, const struct mac *at)
{
	uint8_t group[IPV6_ADDR_LEN] = { 0xff, 0x02, [11] = 1, [12] = 0xff };
	bool probe = ip_addr_is_unspecified(sender);
	struct mac group_at;
	struct nd nd = {
		.type = ICMP6_SOLICIT,
		.eth_src = mac,
		.src = probe ? unspecified : sender->byte,
		.dst = at && !probe ? target->byte : group,
		.target = target->byte,
		.option = probe ? 0 : ND_OPT_SOURCE_MAC,
	};

	memcpy(group + 13, target->byte + 13, 3);
	group_at = group_mac(group);
	put_nd(out, at ? at : &group_at, &nd);
}

void neigh_make_question(struct frame *out, const struct mac *mac, const struct ip_addr *sender,
	const struct ip_addr *target, const struct mac *at)
{
	begin(out);
	if (ip_addr_is_v4(target))
		make_request(out, mac, sender, target, at);
	else
		make_solicit(out, mac, sender, target, at);
}

void neigh_make_announcement(struct frame *out, const struct mac *mac, const struct ip_addr *addr)
{
	const struct mac all_nodes_mac = group_mac(all_nodes);
	struct nd nd = {
		.type = ICMP6_ADVERT,
		.flags = ND_FLAG_OVERRIDE,
		.eth_src = mac,
		.src = addr->byte,
		.dst = all_nodes,
		.target = addr->byte,
		.option = ND_OPT_TARGET_MAC,
	};

	begin(out);
	if (ip_addr_is_v4(addr))
		make_request(out, mac, addr, addr, NULL);
	else
		put_nd(out, &all_nodes_mac, &nd);
}
