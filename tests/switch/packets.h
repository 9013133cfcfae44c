/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Frames for tests: built byte by byte, and judged byte by byte, with arithmetic as plain as RFC
 * 1071 allows. Nothing here shares code with the switch.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/virtio_net.h>

#define PACKET_MAX     65600
#define GSO_UDP_L4     5 /* virtio 1.2, 5.1.6; newer than this distribution's headers */
#define TCP_FLAG_FIN   0x01
#define TCP_FLAG_PSH   0x08
#define TCP_FLAG_ACK   0x10
#define TCP_FLAG_CWR   0x80
#define ETHERTYPE_TEST 0x88b5 /* IEEE 802, local experimental */

/* Station n has the address 02:00:00:00:00:n; this one is everybody. */
#define STATION_ALL 0xff

struct packet {
	uint8_t byte[PACKET_MAX];
	uint32_t len;
	uint32_t payload; /* offset */
	struct virtio_net_hdr hdr;
};

struct packet_spec {
	uint8_t dst, src; /* stations */
	unsigned n_vlan;  /* tags of 802.1Q, ids 100, 101, … */
	bool v6;
	bool v6_extension; /* a destination options header before L4 */
	bool udp;
	uint8_t tcp_flags;
	uint32_t payload_len;
	uint16_t gso_size; /* 0: an ordinary frame */
	bool partial;      /* checksum left to others: NEEDS_CSUM; implied by gso_size */
	bool bad_checksum;
	uint32_t seed; /* of the payload */
};

/* `len` bytes in all, an Ethernet header of an experimental type and pseudo-random bytes. */
void packet_plain(struct packet *p, uint8_t dst, uint8_t src, uint32_t len, uint32_t seed);

void packet_build(struct packet *p, const struct packet_spec *spec);

/* What a receiver finds in a frame. */
struct packet_view {
	const uint8_t *payload;
	uint32_t payload_len;
	uint32_t seq;
	uint16_t ip_id;
	uint8_t tcp_flags;
	bool v6, udp;
};

/*
 * Takes a frame apart and checks lengths, the IP header's checksum, and the L4 checksum: complete,
 * or, with NEEDS_CSUM, that of the pseudo-header with csum_start and csum_offset pointing at
 * it. NULL if all is well, otherwise what is wrong.
 */
const char *packet_judge(
	const uint8_t *b, uint32_t len, const struct virtio_net_hdr *hdr, struct packet_view *v);

/* Pseudo-random bytes of a seed. */
void packet_pattern(uint8_t *to, uint32_t len, uint32_t seed);
