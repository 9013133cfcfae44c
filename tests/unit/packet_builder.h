/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Builds packets for the segmenter's tests and knows nothing of segmentation: from a description
 * it builds the super-frame, and from the same description, a range of the payload and an index it
 * builds from scratch what each segment must look like, with checksums added up byte by byte.
 * Layers are put in front of each other, so each knows what it contains.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/datapath/offload.h"

#define FIN 0x01
#define PSH 0x08
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80

#define EXT_HOP     1 /* hop-by-hop options, 16 bytes */
#define EXT_DST     2 /* destination options, 8 bytes */
#define EXT_ROUTING 4 /* 24 bytes; the checksum is for another destination */

enum tunnel { NONE, VXLAN, VXLAN_LINUX, GENEVE, GENEVE_IP, IPIP, GRE, GRE_KEY, GRE_ETHERNET };
#define N_TUNNELS (GRE_ETHERNET + 1)

struct description {
	const char *what;
	uint16_t tags[2]; /* TPIDs, outermost first */
	enum tunnel tunnel;
	bool outer_v6, outer_csum;
	uint16_t inner_tag;
	bool v6;
	unsigned ext;     /* EXT_ bits */
	unsigned options; /* IPv4 options, bytes */
	bool udp;
	uint8_t flags;
	unsigned tcp_options; /* bytes */
	uint32_t payload;
	uint16_t gso_size;
};

/* A part of the payload, as the segment number `index`. */
struct part {
	uint32_t offset, len;
	unsigned index;
	bool first, last;
	bool partial; /* the transport checksum is still a request */
};

struct packet {
	uint8_t buffer[FRAME_LEN_MAX];
	uint8_t *at; /* the packet built so far: from here to the end */
	uint8_t *l4, *field, *payload;
	uint16_t pseudo; /* the transport's pseudo-header sum, network order */
};

/* The payload that all packets are made of. */
extern uint8_t payload_bytes[FRAME_LEN_MAX];

/* Fills payload_bytes, always with the same. */
void payload_fill(void);

void put16(uint8_t *p, size_t value);

/* The one's complement sum of `sum` and the bytes, network order. */
uint32_t naive_sum(uint32_t sum, const uint8_t *p, size_t len);

/* Bytes from `from` to the packet's end. */
size_t packet_len(const struct packet *p, const uint8_t *from);

void packet_build(struct packet *p, const struct description *d, const struct part *part);

/* The segmentation request that goes with a super-frame. */
struct vnet_hdr packet_request(const struct description *d, const struct packet *p);
