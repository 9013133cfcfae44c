/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/packet_builder.h"

#include <stdlib.h>
#include <string.h>

uint8_t payload_bytes[FRAME_LEN_MAX];

void payload_fill(void)
{
	srandom(3);
	for (size_t i = 0; i < sizeof(payload_bytes); i++)
		payload_bytes[i] = (uint8_t)random();
}

size_t packet_len(const struct packet *p, const uint8_t *from)
{
	return (size_t)(p->buffer + sizeof(p->buffer) - from);
}

static uint8_t *prepend(struct packet *p, size_t len)
{
	p->at -= len;
	memset(p->at, 0, len);
	return p->at;
}

void put16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

uint32_t naive_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Addresses are made from a seed, so that the checksum can be computed before the header is built.
 */
static void put_addresses(uint8_t *p, bool v6, uint8_t seed)
{
	for (unsigned i = 0; i < (v6 ? 32 : 8); i++)
		p[i] = (uint8_t)(seed + 37 * i);
}

static uint16_t pseudo_sum(bool v6, uint8_t seed, bool rerouted, unsigned proto, size_t len)
{
	uint8_t addresses[32];

	put_addresses(addresses, v6, seed);
	if (rerouted)
		memset(addresses + 16, 0x99, 16);
	return (uint16_t)naive_sum((uint32_t)(proto + len) % 0xffff, addresses, v6 ? 32 : 8);
}

static void put_checksum(uint8_t *field, uint32_t sum, bool udp)
{
	uint16_t value = (uint16_t)~sum;

	put16(field, udp && !value ? 0xffff : value);
}

static void build_tcp(struct packet *p, const struct description *d, const struct part *part)
{
	uint8_t *h = prepend(p, 20 + d->tcp_options);
	uint32_t seq = 0xffffff00u + part->offset;

	put16(h, 5001);
	put16(h + 2, 80);
	put16(h + 4, seq >> 16);
	put16(h + 6, seq & 0xffff);
	put16(h + 8, 0x1234);
	h[12] = (uint8_t)((20 + d->tcp_options) / 4 << 4 | 1);
	h[13] = d->flags;
	if (!part->first)
		h[13] &= (uint8_t)~CWR;
	if (!part->last)
		h[13] &= (uint8_t) ~(FIN | PSH);
	put16(h + 14, 501);
	memset(h + 20, 1, d->tcp_options);
	p->field = h + 16;
}

static void build_transport(struct packet *p, const struct description *d, const struct part *part)
{
	uint8_t *payload = prepend(p, part->len);

	memcpy(payload, payload_bytes + part->offset, part->len);
	p->payload = payload;
	if (d->udp) {
		uint8_t *h = prepend(p, 8);

		put16(h, 5001);
		put16(h + 2, 443);
		put16(h + 4, 8 + part->len);
		p->field = h + 6;
	} else {
		build_tcp(p, d, part);
	}
	p->l4 = p->at;
	p->pseudo = pseudo_sum(
		d->v6, 10, d->v6 && (d->ext & EXT_ROUTING), d->udp ? 17 : 6, packet_len(p, p->l4));
	put_checksum(p->field, naive_sum(p->pseudo, p->l4, packet_len(p, p->l4)), d->udp);
}

static void build_ipv4(
	struct packet *p, unsigned proto, uint8_t seed, unsigned options, unsigned id)
{
	size_t content = packet_len(p, p->at);
	uint8_t *h = prepend(p, 20 + options);

	h[0] = (uint8_t)(0x40 | (20 + options) / 4);
	h[1] = 0x02;
	put16(h + 2, 20 + options + content);
	put16(h + 4, id);
	put16(h + 6, 0x4000);
	h[8] = 64;
	h[9] = (uint8_t)proto;
	put_addresses(h + 12, false, seed);
	memset(h + 20, 1, options);
	put_checksum(h + 10, naive_sum(0, h, 20 + options), false);
}

static void build_ipv6(struct packet *p, unsigned proto, uint8_t seed, unsigned ext)
{
	static const struct {
		unsigned bit, type, len;
	} exts[] = { { EXT_DST, 60, 8 }, { EXT_ROUTING, 43, 24 }, { EXT_HOP, 0, 16 } };
	uint8_t *h;
	size_t content;

	for (unsigned i = 0; i < 3; i++) {
		if (!(ext & exts[i].bit))
			continue;
		h = prepend(p, exts[i].len);
		h[0] = (uint8_t)proto;
		h[1] = (uint8_t)(exts[i].len / 8 - 1);
		h[2] = 1;
		proto = exts[i].type;
	}
	content = packet_len(p, p->at);
	h = prepend(p, 40);
	h[0] = 0x60;
	h[1] = 0x12;
	put16(h + 4, content);
	h[6] = (uint8_t)proto;
	h[7] = 64;
	put_addresses(h + 8, true, seed);
}

/* `tags` are TPIDs, at most two, outermost first. */
static void build_ethernet(
	struct packet *p, const uint16_t *tags, unsigned n_tags, uint16_t ethertype)
{
	while (n_tags--) {
		uint8_t *tag;

		if (!tags[n_tags])
			continue;
		tag = prepend(p, 4);
		put16(tag, 0x6064 + n_tags);
		put16(tag + 2, ethertype);
		ethertype = tags[n_tags];
	}
	put16(prepend(p, 14) + 12, ethertype);
	memset(p->at, 0x02, 12);
}

static void build_outer_udp(struct packet *p, const struct description *d, unsigned port)
{
	uint8_t *h = prepend(p, 8);
	size_t len = packet_len(p, h);

	put16(h, 55555);
	put16(h + 2, port);
	put16(h + 4, len);
	if (d->outer_csum)
		put_checksum(h + 6, naive_sum(pseudo_sum(d->outer_v6, 90, false, 17, len), h, len),
			true);
}

static void build_gre(struct packet *p, bool key, uint16_t ethertype)
{
	uint8_t *h = prepend(p, key ? 8 : 4);

	put16(h, key ? 0x2000 : 0);
	put16(h + 2, ethertype);
	if (key)
		put16(h + 6, 4711);
}

/* Returns the protocol number for the outer IP header. */
static unsigned build_tunnel(struct packet *p, const struct description *d, uint16_t ethertype)
{
	uint8_t *h;

	switch (d->tunnel) {
	case VXLAN:
	case VXLAN_LINUX:
		build_ethernet(p, &d->inner_tag, 1, ethertype);
		h = prepend(p, 8);
		h[0] = 0x08;
		h[6] = 42;
		build_outer_udp(p, d, d->tunnel == VXLAN ? 4789 : 8472);
		return 17;
	case GENEVE:
		build_ethernet(p, &d->inner_tag, 1, ethertype);
		h = prepend(p, 8 + 12);
		h[0] = 3;
		put16(h + 2, 0x6558);
		build_outer_udp(p, d, 6081);
		return 17;
	case GENEVE_IP:
		put16(prepend(p, 8) + 2, ethertype);
		build_outer_udp(p, d, 6081);
		return 17;
	case GRE:
	case GRE_KEY:
		build_gre(p, d->tunnel == GRE_KEY, ethertype);
		return 47;
	case GRE_ETHERNET:
		build_ethernet(p, &d->inner_tag, 1, ethertype);
		build_gre(p, true, 0x6558);
		return 47;
	default:
		return ethertype == 0x86dd ? 41 : 4;
	}
}

void packet_build(struct packet *p, const struct description *d, const struct part *part)
{
	uint16_t ethertype = d->v6 ? 0x86dd : 0x0800;
	unsigned proto = d->udp ? 17 : 6;

	p->at = p->buffer + sizeof(p->buffer);
	build_transport(p, d, part);
	if (d->v6)
		build_ipv6(p, proto, 10, d->ext);
	else
		build_ipv4(p, proto, 10, d->options, 0xfffe + part->index);
	if (d->tunnel != NONE) {
		proto = build_tunnel(p, d, ethertype);
		ethertype = d->outer_v6 ? 0x86dd : 0x0800;
		if (d->outer_v6)
			build_ipv6(p, proto, 90, 0);
		else
			build_ipv4(p, proto, 90, 0, 0x1000 + part->index);
	}
	build_ethernet(p, d->tags, 2, ethertype);
	if (part->partial)
		put16(p->field, p->pseudo);
}

struct vnet_hdr packet_request(const struct description *d, const struct packet *p)
{
	uint8_t type = d->v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;

	if (d->flags & CWR)
		type |= VNET_HDR_GSO_ECN;
	return (struct vnet_hdr) {
		.flags = VNET_HDR_F_NEEDS_CSUM,
		.gso_type = d->udp ? VNET_HDR_GSO_UDP_L4 : type,
		.gso_size = d->gso_size,
		.csum_start = (uint16_t)(p->l4 - p->at),
		.csum_offset = (uint16_t)(p->field - p->l4),
	};
}
