/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/packets.h"

#include <stddef.h>
#include <string.h>

#define IP_TCP  6
#define IP_UDP  17
#define IP_DEST 60 /* IPv6 destination options */
#define SEQ     0x7ffffff0u

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void packet_pattern(uint8_t *to, uint32_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 12345;

	for (uint32_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		to[i] = (uint8_t)(x >> 24);
	}
}

/* ---- checksums ---- */

static uint32_t sum16(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i + 1 < len; i += 2) {
		sum += get16(p + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len & 1) {
		sum += (uint32_t)p[len - 1] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Of the addresses, protocol and length; l3 points at the IP header. */
static uint32_t pseudo_sum(const uint8_t *l3, bool v6, uint8_t protocol, uint32_t l4_len)
{
	uint32_t sum = v6 ? sum16(0, l3 + 8, 32) : sum16(0, l3 + 12, 8);
	uint8_t tail[8] = { 0 };

	put32(tail, l4_len);
	tail[7] = protocol;
	return sum16(sum, tail, 8);
}

/* ---- building ---- */

static uint8_t *put_ethernet(uint8_t *b, uint8_t dst, uint8_t src, unsigned n_vlan)
{
	static const uint8_t station[5] = { 2, 0, 0, 0, 0 };

	memcpy(b, station, 5);
	b[5] = dst;
	if (dst == STATION_ALL)
		memset(b, 0xff, 6);
	memcpy(b + 6, station, 5);
	b[11] = src;
	b += 12;
	for (unsigned i = 0; i < n_vlan; i++, b += 4) {
		put16(b, 0x8100);
		put16(b + 2, 100 + i);
	}
	return b;
}

void packet_plain(struct packet *p, uint8_t dst, uint8_t src, uint32_t len, uint32_t seed)
{
	uint8_t *b = put_ethernet(p->byte, dst, src, 0);

	put16(b, ETHERTYPE_TEST);
	packet_pattern(b + 2, len - 14, seed);
	p->len = len;
	p->payload = 14;
	memset(&p->hdr, 0, sizeof(p->hdr));
}

static uint8_t *put_ipv4(uint8_t *b, uint8_t protocol, uint32_t l4_len)
{
	memset(b, 0, 20);
	b[0] = 0x45;
	put16(b + 2, (20 + l4_len) & 0xffff);
	put16(b + 4, 0xfffe); /* identification: wraps early */
	put16(b + 6, 0x4000);
	b[8] = 64;
	b[9] = protocol;
	put32(b + 12, 0x0a000001);
	put32(b + 16, 0x0a000002);
	put16(b + 10, ~sum16(0, b, 20) & 0xffff);
	return b + 20;
}

static uint8_t *put_ipv6(uint8_t *b, uint8_t protocol, uint32_t l4_len, bool extension)
{
	memset(b, 0, 48);
	b[0] = 0x60;
	put16(b + 4, l4_len + (extension ? 8 : 0));
	b[6] = extension ? IP_DEST : protocol;
	b[7] = 64;
	b[8] = b[24] = 0xfd;
	b[23] = 1;
	b[39] = 2;
	if (!extension)
		return b + 40;
	b[40] = protocol; /* one PadN option of six bytes */
	b[42] = 1;
	b[43] = 4;
	return b + 48;
}

static uint8_t *put_tcp(uint8_t *b, const struct packet_spec *spec)
{
	memset(b, 0, 32);
	put16(b, 1000);
	put16(b + 2, 2000);
	put32(b + 4, SEQ);
	put32(b + 8, 1);
	b[12] = 8 << 4; /* twelve bytes of options: two NOPs, a timestamp */
	b[13] = TCP_FLAG_ACK | spec->tcp_flags;
	put16(b + 14, 0xffff);
	b[20] = b[21] = 1;
	b[22] = 8;
	b[23] = 10;
	return b + 32;
}

static uint8_t *put_udp(uint8_t *b, uint32_t l4_len)
{
	put16(b, 1000);
	put16(b + 2, 2000);
	put16(b + 4, l4_len);
	put16(b + 6, 0);
	return b + 8;
}

static uint8_t spec_gso_type(const struct packet_spec *spec)
{
	uint8_t type = spec->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;

	if (!spec->gso_size)
		return VIRTIO_NET_HDR_GSO_NONE;
	if (spec->udp)
		return GSO_UDP_L4;
	return type | (spec->tcp_flags & TCP_FLAG_CWR ? VIRTIO_NET_HDR_GSO_ECN : 0);
}

/* Fills in the checksum, or the request to do so. */
static void finish_checksum(
	struct packet *p, const struct packet_spec *spec, uint32_t l3, uint32_t l4)
{
	uint16_t at = spec->udp ? 6 : 16;
	uint8_t protocol = spec->udp ? IP_UDP : IP_TCP;
	uint32_t pseudo = pseudo_sum(p->byte + l3, spec->v6, protocol, p->len - l4);
	bool partial = spec->partial || spec->gso_size;
	uint16_t full;

	memset(&p->hdr, 0, sizeof(p->hdr));
	if (partial) {
		p->hdr = (struct virtio_net_hdr) {
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = spec_gso_type(spec),
			.hdr_len = (uint16_t)(spec->gso_size ? p->payload : 0),
			.gso_size = spec->gso_size,
			.csum_start = (uint16_t)l4,
			.csum_offset = at,
		};
		put16(p->byte + l4 + at, pseudo);
		return;
	}
	full = (uint16_t)~sum16(pseudo, p->byte + l4, p->len - l4);
	if (spec->udp && full == 0)
		full = 0xffff;
	put16(p->byte + l4 + at, full ^ (spec->bad_checksum ? 0x55aa : 0));
}

void packet_build(struct packet *p, const struct packet_spec *spec)
{
	uint32_t l4_len = spec->payload_len + (spec->udp ? 8 : 32);
	uint8_t protocol = spec->udp ? IP_UDP : IP_TCP;
	uint8_t *b = put_ethernet(p->byte, spec->dst, spec->src, spec->n_vlan);
	uint32_t l3, l4;

	put16(b, spec->v6 ? 0x86dd : 0x0800);
	b += 2;
	l3 = (uint32_t)(b - p->byte);
	b = spec->v6 ? put_ipv6(b, protocol, l4_len, spec->v6_extension)
		     : put_ipv4(b, protocol, l4_len);
	l4 = (uint32_t)(b - p->byte);
	b = spec->udp ? put_udp(b, l4_len) : put_tcp(b, spec);
	p->payload = (uint32_t)(b - p->byte);
	packet_pattern(b, spec->payload_len, spec->seed);
	p->len = p->payload + spec->payload_len;
	finish_checksum(p, spec, l3, l4);
}

/* ---- judging ---- */

/* Finds the IP payload: its offset and protocol, v->v6; or says what is wrong. */
static const char *judge_ip(const uint8_t *b, uint32_t len, uint32_t l3, uint32_t *l4,
	uint8_t *protocol, struct packet_view *v)
{
	if (v->v6) {
		*l4 = l3 + 40;
		*protocol = b[l3 + 6];
		if (len < *l4 || get16(b + l3 + 4) != len - *l4)
			return "IPv6 payload length";
		if (*protocol == IP_DEST) {
			*protocol = b[*l4];
			*l4 += 8;
		}
		return NULL;
	}
	*l4 = l3 + 20;
	*protocol = b[l3 + 9];
	v->ip_id = get16(b + l3 + 4);
	if (len < *l4 || get16(b + l3 + 2) != len - l3)
		return "IPv4 total length";
	return sum16(0, b + l3, 20) != 0xffff ? "IPv4 header checksum" : NULL;
}

static const char *judge_checksum(const uint8_t *b, uint32_t len, const struct virtio_net_hdr *hdr,
	uint32_t l3, uint32_t l4, uint8_t protocol, bool v6)
{
	uint32_t pseudo = pseudo_sum(b + l3, v6, protocol, len - l4);
	uint16_t at = protocol == IP_UDP ? 6 : 16;

	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (hdr->csum_start != l4 || hdr->csum_offset != at)
			return "csum_start or csum_offset";
		return get16(b + l4 + at) != pseudo ? "pseudo-header checksum" : NULL;
	}
	if (protocol == IP_UDP && get16(b + l4 + at) == 0)
		return "UDP without a checksum";
	return sum16(pseudo, b + l4, len - l4) != 0xffff ? "L4 checksum" : NULL;
}

const char *packet_judge(
	const uint8_t *b, uint32_t len, const struct virtio_net_hdr *hdr, struct packet_view *v)
{
	uint32_t l3 = 14, l4;
	uint8_t protocol;
	const char *why;

	memset(v, 0, sizeof(*v));
	while (l3 + 4 < len && get16(b + l3 - 2) == 0x8100)
		l3 += 4;
	v->v6 = get16(b + l3 - 2) == 0x86dd;
	if (len < l3 + (v->v6 ? 48 : 28))
		return "too short";
	if (!v->v6 && get16(b + l3 - 2) != 0x0800)
		return "not IP";
	why = judge_ip(b, len, l3, &l4, &protocol, v);
	if (why)
		return why;
	v->udp = protocol == IP_UDP;
	if (v->udp && get16(b + l4 + 4) != len - l4)
		return "UDP length";
	v->payload = b + l4 + (v->udp ? 8 : b[l4 + 12] >> 4 << 2);
	v->payload_len = len - (uint32_t)(v->payload - b);
	v->seq = v->udp ? 0 : get32(b + l4 + 4) - SEQ;
	v->tcp_flags = v->udp ? 0 : b[l4 + 13];
	return judge_checksum(b, len, hdr, l3, l4, protocol, v->v6);
}
