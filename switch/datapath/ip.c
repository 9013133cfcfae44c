/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/ip.h"

#include <arpa/inet.h>

#include "switch/datapath/checksum.h"

#define IPV4_FRAGMENT_MASK 0x3fff /* "more fragments" and the offset */

static bool parse_v4(const struct frame *f, unsigned offset, struct ip_packet *ip)
{
	const uint8_t *header = f->head + offset;
	unsigned header_len;

	if (offset + IPV4_HEADER_MIN > f->head_len || header[0] >> 4 != 4)
		return false;
	header_len = (header[0] & 0xf) * 4u;
	if (header_len < IPV4_HEADER_MIN || offset + header_len > f->head_len)
		return false;
	*ip = (struct ip_packet) {
		.l3 = (uint16_t)offset,
		.l4 = (uint16_t)(offset + header_len),
		.proto = header[IPV4_PROTO],
		.fragment = frame_be16(f, offset + IPV4_FRAGMENT) & IPV4_FRAGMENT_MASK,
	};
	return true;
}

/* Each extension header is at least eight bytes long, so the head's size bounds the loop. */
static bool parse_v6(const struct frame *f, unsigned offset, struct ip_packet *ip)
{
	unsigned l4 = offset + IPV6_HEADER_LEN;
	uint8_t proto;
	bool fragment = false;

	if (l4 > f->head_len || f->head[offset] >> 4 != 6)
		return false;
	proto = f->head[offset + IPV6_NEXT_HEADER];
	while (proto == IPV6_EXT_HOP_BY_HOP || proto == IPV6_EXT_ROUTING ||
		proto == IPV6_EXT_DESTINATION || proto == IPV6_EXT_FRAGMENT) {
		unsigned units = 1;

		if (l4 + IPV6_EXT_UNIT > f->head_len)
			return false;
		if (proto == IPV6_EXT_FRAGMENT)
			fragment = true;
		else
			units += f->head[l4 + 1];
		proto = f->head[l4];
		l4 += units * IPV6_EXT_UNIT;
		if (l4 > f->head_len)
			return false;
		if (fragment)
			break;
	}
	*ip = (struct ip_packet) {
		.l3 = (uint16_t)offset,
		.l4 = (uint16_t)l4,
		.proto = proto,
		.v6 = true,
		.fragment = fragment,
	};
	return true;
}

bool ip_parse(const struct frame *f, unsigned offset, uint16_t ethertype, struct ip_packet *ip)
{
	if (ethertype == ETHERTYPE_IPV4)
		return parse_v4(f, offset, ip);
	if (ethertype == ETHERTYPE_IPV6)
		return parse_v6(f, offset, ip);
	return false;
}

uint32_t ip_end(const struct frame *f)
{
	unsigned l3 = f->l3_offset;
	uint32_t end;

	if (f->ethertype == ETHERTYPE_IPV4 && l3 + IPV4_HEADER_MIN <= f->head_len) {
		unsigned total = frame_be16(f, l3 + IPV4_TOTAL_LEN);

		end = total ? l3 + total : f->len;
	} else if (f->ethertype == ETHERTYPE_IPV6 && l3 + IPV6_HEADER_LEN <= f->head_len) {
		unsigned payload = frame_be16(f, l3 + IPV6_PAYLOAD_LEN);

		end = payload ? l3 + IPV6_HEADER_LEN + payload : f->len;
	} else {
		end = f->len;
	}
	return end < f->len ? end : f->len;
}

uint64_t ip_pseudo_sum(const uint8_t *head, const struct ip_packet *ip, uint32_t len)
{
	const uint8_t *addresses = head + ip->l3 + (ip->v6 ? IPV6_SRC : IPV4_SRC);
	/* As in RFC 8200, section 8.1; IPv4's shorter fields add up to the same. */
	const uint32_t rest[2] = { htonl(len), htonl(ip->proto) };
	uint64_t sum = checksum_add(0, addresses, ip->v6 ? 32 : 8, 0);

	return checksum_add(sum, rest, sizeof(rest), 0);
}
