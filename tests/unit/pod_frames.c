/* SPDX-License-Identifier: BSD-3-Clause */

/* The frames that are sent through a pod, built byte by byte. */

#include "tests/unit/pod_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/packet_builder.h"

#define DHCP_LEN   300
#define DHCP_MAGIC 0x63825363u

void frame_raw(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	uint16_t ethertype, unsigned data_len)
{
	memset(f->wire, 0, sizeof(f->wire));
	memcpy(f->wire, dst, sizeof(*dst));
	memcpy(f->wire + 6, src, sizeof(*src));
	put16(f->wire + 12, ethertype);
	for (unsigned i = 0; i < data_len; i++)
		f->wire[AT_L3 + i] = (uint8_t)(i * 7 + 3);
	f->len = AT_L3 + data_len;
}

static void put_ipv4(uint8_t *ip, struct ip_addr from, struct ip_addr to, unsigned data_len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + data_len);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, from.byte + 12, 4);
	memcpy(ip + 16, to.byte + 12, 4);
	put16(ip + 10, (uint16_t)~naive_sum(0, ip, 20));
}

static void put_ipv6(
	uint8_t *ip, struct ip_addr from, struct ip_addr to, uint8_t proto, unsigned data_len)
{
	memset(ip, 0, 40);
	ip[0] = 0x60;
	put16(ip + 4, data_len);
	ip[6] = proto;
	ip[7] = 255;
	memcpy(ip + 8, from.byte, 16);
	memcpy(ip + 24, to.byte, 16);
}

/* UDP without a checksum: nothing here looks at it. */
void frame_udp(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to, uint16_t from_port, uint16_t to_port)
{
	bool v4 = ip_addr_is_v4(&from);
	unsigned udp = AT_L3 + (v4 ? 20 : 40);

	frame_raw(f, dst, src, v4 ? 0x0800 : 0x86dd, udp - AT_L3 + 8 + SOME_DATA_LEN);
	if (v4)
		put_ipv4(f->wire + AT_L3, from, to, 8 + SOME_DATA_LEN);
	else
		put_ipv6(f->wire + AT_L3, from, to, 17, 8 + SOME_DATA_LEN);
	put16(f->wire + udp, from_port);
	put16(f->wire + udp + 2, to_port);
	put16(f->wire + udp + 4, 8 + SOME_DATA_LEN);
	put16(f->wire + udp + 6, 0);
}

void frame_ip(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to)
{
	frame_udp(f, dst, src, from, to, 5000, 5001);
}

void frame_dhcp(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to, bool from_client, uint32_t xid,
	const struct mac *chaddr)
{
	uint8_t *udp = f->wire + AT_L3 + 20, *dhcp = udp + 8;

	frame_raw(f, dst, src, 0x0800, 20 + 8 + DHCP_LEN);
	put_ipv4(f->wire + AT_L3, from, to, 8 + DHCP_LEN);
	memset(udp, 0, 8 + DHCP_LEN);
	put16(udp, from_client ? 68 : 67);
	put16(udp + 2, from_client ? 67 : 68);
	put16(udp + 4, 8 + DHCP_LEN);
	dhcp[0] = from_client ? 1 : 2;
	dhcp[1] = 1;
	dhcp[2] = 6;
	put16(dhcp + 4, xid >> 16);
	put16(dhcp + 6, xid & 0xffff);
	memcpy(dhcp + 28, chaddr, sizeof(*chaddr));
	put16(dhcp + 236, DHCP_MAGIC >> 16);
	put16(dhcp + 238, DHCP_MAGIC & 0xffff);
	dhcp[240] = 0xff;
}

static void arp(struct pod_fixture *f, const struct mac *dst, uint8_t op, const struct mac *sha,
	struct ip_addr spa, const struct mac *tha, struct ip_addr tpa)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, 6, 4, 0 };

	frame_raw(f, dst, sha, ETHERTYPE_ARP, 28);
	memcpy(f->wire + AT_L3, fixed, sizeof(fixed));
	f->wire[AT_ARP_OP + 1] = op;
	memcpy(f->wire + AT_ARP_SHA, sha, sizeof(*sha));
	memcpy(f->wire + AT_ARP_SPA, spa.byte + 12, 4);
	memcpy(f->wire + AT_ARP_THA, tha, sizeof(*tha));
	memcpy(f->wire + AT_ARP_TPA, tpa.byte + 12, 4);
}

void frame_arp_request(
	struct pod_fixture *f, const struct mac *sha, struct ip_addr spa, struct ip_addr tpa)
{
	arp(f, &mac_broadcast, 1, sha, spa, &mac_none, tpa);
}

void frame_arp_reply(struct pod_fixture *f, const struct mac *sha, struct ip_addr spa,
	const struct mac *tha, struct ip_addr tpa)
{
	arp(f, tha, 2, sha, spa, tha, tpa);
}

static uint16_t nd_checksum(const uint8_t *frame, unsigned len)
{
	uint32_t sum = naive_sum(58 + len - AT_ICMP6, frame + AT_L3 + 8, 32);

	return (uint16_t)~naive_sum(sum, frame + AT_ICMP6, len - AT_ICMP6);
}

void assert_nd_checksum(const uint8_t *frame, unsigned len)
{
	assert_int_equal(nd_checksum(frame, len), 0);
}

void mend_nd(struct pod_fixture *f)
{
	put16(f->wire + AT_ICMP6 + 2, 0);
	put16(f->wire + AT_ICMP6 + 2, nd_checksum(f->wire, f->len));
}

/* Solicitations for routers have eight bytes before their options, advertisements of them 16. */
static unsigned nd_len(uint8_t type)
{
	return type == ICMP6_RS ? 8 : type == ICMP6_RA ? 16 : type == ICMP6_REDIRECT ? 40 : 24;
}

void frame_nd(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to, uint8_t type, struct ip_addr target, uint8_t option,
	const struct mac *mac)
{
	unsigned len = nd_len(type);
	uint8_t *icmp = f->wire + AT_ICMP6;

	frame_raw(f, dst, src, 0x86dd, 40 + len + (option ? 8 : 0));
	put_ipv6(f->wire + AT_L3, from, to, 58, f->len - AT_ICMP6);
	memset(icmp, 0, f->len - AT_ICMP6);
	icmp[0] = type;
	if (type == ICMP6_NA && !mac_is_multicast(dst))
		icmp[4] = NA_SOLICITED;
	if (len >= 24)
		memcpy(icmp + 8, &target, sizeof(target));
	if (type == ICMP6_REDIRECT)
		memcpy(icmp + 24, &target, sizeof(target)); /* is on this link */
	if (option) {
		icmp[len] = option;
		icmp[len + 1] = 1;
		memcpy(icmp + len + 2, mac, sizeof(*mac));
	}
	mend_nd(f);
}

void frame_solicit(
	struct pod_fixture *f, const struct mac *src, struct ip_addr from, struct ip_addr target)
{
	bool is_probe = ip_addr_is_unspecified(&from);
	struct ip_addr to = { { 0xff, 2, [11] = 1, [12] = 0xff } };
	struct mac group = { { 0x33, 0x33, 0xff } };

	memcpy(to.byte + 13, target.byte + 13, 3);
	memcpy(group.byte + 3, target.byte + 13, 3);
	frame_nd(
		f, &group, src, from, to, ICMP6_NS, target, is_probe ? ND_NO_OPTION : ND_SLLA, src);
}

void frame_advert(struct pod_fixture *f, const struct mac *src, struct ip_addr target,
	const struct mac *dst, struct ip_addr to)
{
	frame_nd(f, dst, src, target, to, ICMP6_NA, target, ND_TLLA, src);
}

void set_dst(struct pod_fixture *f, const struct mac *mac)
{
	memcpy(f->wire, mac, sizeof(*mac));
}

void put_tag(struct pod_fixture *f, uint16_t tpid, uint16_t vlan)
{
	memmove(f->wire + 16, f->wire + 12, f->len - 12);
	put16(f->wire + 12, tpid);
	put16(f->wire + 14, vlan);
	f->len += 4;
}
