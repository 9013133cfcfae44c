/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of the vhost-user port, shared by its control side (vhost_net.c), its ingress
 * (vhost_ingress.c) and its egress (vhost_egress.c,
 * vhost_landing.c). Nobody else includes this.
 */

#include <rte_spinlock.h>

#include "switch/datapath/offload.h"
#include "switch/port/port.h"
#include "switch/port/vhost_server.h"
#include "switch/port/vhost_user.h"

#define RING_EGRESS  0 /* the guest's receive queue */
#define RING_INGRESS 1 /* the guest's transmit queue */

/* Buffers reserved in one pass of the egress. */
#define EGRESS_IOV_MAX 512

/* A frame on its way into guest buffers iov[first_iov ..). */
struct egress_slot {
	const struct frame *frame;
	uint16_t first_iov;
	uint16_t n_chains;
};

/* Buffers offered for landing; good while the ring's `taken` is where it was. */
struct egress_landing {
	bool valid;
	uint16_t taken;
	uint16_t n_chains;
	uint16_t id[FRAME_SEG_MAX];
	uint32_t chain_len[FRAME_SEG_MAX];
	struct iovec iov[FRAME_SEG_MAX];
	unsigned n_iov;
	uint32_t len;
};

struct vhost_port {
	struct port port;
	/* control thread */
	struct port_config config;
	struct vhost_user vu;
	struct vhost_server server;

	/* written while parked, read by workers */
	unsigned caps; /* EGRESS_ bits */
	uint8_t hdr_len;
	bool mergeable;

	/* the worker that owns the ingress */
	uint16_t held[BURST_MAX]; /* chains of the current burst */
	unsigned n_held;
	bool quiet; /* the guest was signalled and has not sent anything since */

	/* whoever holds egress_lock */
	rte_spinlock_t egress_lock __attribute__((aligned(64)));
	uint16_t refill_seen;  /* the guest's index when somebody began to wait for buffers */
	bool refill_known;     /* the next two are of this ring's life */
	uint16_t refill_end;   /* the guest's index when we last looked, */
	uint16_t refill_taken; /* and ours */
	uint16_t refill_level; /* most buffers left with which it was seen adding some */
	struct egress_landing landing;
	struct egress_slot slot[BURST_MAX];
	struct iovec iov[EGRESS_IOV_MAX];
	struct frame scratch[BURST_MAX]; /* segments on their way */
};

static inline struct vhost_port *vhost_port(struct port *p)
{
	return (struct vhost_port *)p;
}

/* Tells the control thread that a ring broke. */
void vhost_net_raise(struct vhost_port *vp);

/* port_ops of the ingress */
unsigned vhost_ingress_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c);
void vhost_ingress_release(struct port *p, unsigned queue, struct counters *c);

/* port_ops of the egress */
void vhost_egress_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c);

/* Number of chains the guest offers; also learns when it adds some. Under egress_lock. */
unsigned vhost_landing_look(struct vhost_port *vp, struct virtqueue *vq);
enum landing_state vhost_egress_landing(
	struct port *p, unsigned queue, unsigned n_queues, uint32_t skip, struct landing *out);
bool vhost_egress_landing_arm(struct port *p, unsigned queue);
void vhost_egress_landing_disarm(struct port *p, unsigned queue);
