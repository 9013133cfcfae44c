/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "tests/hostile/hostile.h"

/* As lab.py deals addresses out: guest 0 is 02:00:00:00:00:01 and 10.0.0.2. */
void frame_mac(uint8_t *mac, unsigned index)
{
	memcpy(mac, (uint8_t[MAC_LEN]) { 2, 0, 0, 0, 0, (uint8_t)(index + 1) }, MAC_LEN);
}

void frame_ethernet(uint8_t *frame)
{
	frame_mac(frame, 0);
	frame_mac(frame + MAC_LEN, 1);
	frame[12] = 0x88; /* "local experimental", IEEE 802 */
	frame[13] = 0xb5;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071, not complemented. */
static uint32_t sum16(const uint8_t *at, unsigned len, uint32_t sum)
{
	for (unsigned i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void frame_transport(uint8_t *frame, uint32_t len, uint8_t proto, struct virtio_net_hdr *hdr)
{
	uint8_t *ip = frame + ETH_HLEN, *l4 = ip + 20;
	uint32_t l4_len = len - ETH_HLEN - 20;
	unsigned field = proto == IPPROTO_TCP ? 16 : 6;

	frame_ethernet(frame);
	put16(frame + 12, ETH_P_IP);
	memset(ip, 0, 40);
	ip[0] = 0x45;
	put16(ip + 2, len - ETH_HLEN);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, (uint8_t[8]) { 10, 0, 0, 3, 10, 0, 0, 2 }, 8);
	put16(ip + 10, ~sum16(ip, 20, 0));
	put16(l4, 4000);
	put16(l4 + 2, 9); /* discard */
	if (proto == IPPROTO_TCP) {
		l4[12] = 5 << 4;
		l4[13] = 0x10;
	} else {
		put16(l4 + 4, l4_len);
	}
	put16(l4 + field, sum16(ip + 12, 8, proto + l4_len));
	*hdr = (struct virtio_net_hdr) {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = ETH_HLEN + 20,
		.csum_offset = (uint16_t)field,
	};
}
