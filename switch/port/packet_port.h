/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of the packet port, shared by its control side (packet.c), its ingress
 * (packet_ingress.c) and its egress (packet_egress.c). Nobody else includes this.
 */

#include <sys/socket.h>

#include <rte_spinlock.h>

#include "switch/datapath/offload.h"
#include "switch/port/host.h"
#include "switch/port/port.h"

/* Bytes of a frame that are received into its head; a VLAN tag may still have to be put in. */
#define PACKET_HEAD (FRAME_HEAD_MAX - VLAN_TAG_LEN)

/* Room behind the head for the longest frame. */
#define PACKET_BUFFER (64 * 1024 + 4096)

/* Ancillary data: one struct tpacket_auxdata. */
#define PACKET_CONTROL 64

struct packet_slot {
	struct vnet_hdr hdr;
	struct iovec iov[3]; /* header, head, buffer */
	_Alignas(8) uint8_t control[PACKET_CONTROL];
};

struct packet_port {
	struct port port;
	/* control thread */
	struct port_config config;
	const struct port_host *host;
	uint64_t kernel_drops; /* summed up: reading PACKET_STATISTICS clears it */
	int ifindex;

	int fd; /* constant while workers know the port */

	/* the worker that owns the ingress */
	const struct frame *prepared; /* the burst that `msg` points into */
	bool bulk;
	struct port *blocked_by; /* the sole guest has no room; frames stay in the socket */
	bool vlan_seen;          /* lengths and tags are peeked at before a landing */
	unsigned window;         /* frames to ask for in small mode */
	unsigned n_small_run;    /* small frames in a row, in bulk mode */
	uint8_t *buffers;        /* BURST_MAX of PACKET_BUFFER bytes */
	struct packet_slot slot[BURST_MAX];
	struct mmsghdr msg[BURST_MAX];

	/* whoever holds egress_lock */
	rte_spinlock_t egress_lock __attribute__((aligned(64)));
	unsigned caps; /* EGRESS_ bits, constant */
	unsigned n_out;
	const struct frame *out_frame[BURST_MAX];
	struct vnet_hdr out_hdr[BURST_MAX];
	struct mmsghdr out_msg[BURST_MAX];
	struct iovec out_iov[BURST_MAX][2 + FRAME_SEG_MAX];
	struct frame scratch[BURST_MAX]; /* segments on their way */
};

static inline struct packet_port *packet_port(struct port *p)
{
	return (struct packet_port *)p;
}

/* port_ops of the ingress */
unsigned packet_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c);
void packet_release(struct port *p, unsigned queue, struct counters *c);
bool packet_arm(struct port *p, unsigned queue);
void packet_disarm(struct port *p, unsigned queue);

/* port_ops of the egress */
void packet_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c);
