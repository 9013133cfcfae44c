/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of the vhost-user port, shared by its control side (vhost_net.c, vhost_status.c), its
 * ingress (vhost_ingress.c) and its egress (vhost_egress.c, vhost_landing.c). Nobody else includes
 * this.
 *
 * Queue i of the port is pair i of the device: rings 2i and 2i + 1. Pairs are polled one by one,
 * each by its owner, and share nothing that is written while they run.
 *
 * A frame that came in by its source's queue i leaves by pair i % n_active, n_active being the
 * number of pairs from the first one on whose egress is live: a guest that enables two of four has
 * all frames in those two. A frame is received straight into a ring (landing) only if no other
 * source queue maps to that ring: two workers would write to the same buffers. So a change of the
 * mapping takes two steps with a grace period between them: n_landing (the number of source queues
 * that may land) goes down before n_active does, and up only after it.
 */

#include <rte_spinlock.h>

#include "switch/datapath/offload.h"
#include "switch/port/port.h"
#include "switch/port/vhost_socket.h"
#include "switch/port/vhost_user.h"

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

enum vhost_quiet {
	VHOST_HEARD,  /* it has noticed, or there was no signal */
	VHOST_QUIET,  /* nothing */
	VHOST_UNSURE, /* something, or it was signalled once more: it may not have noticed */
};

struct vhost_pair {
	/* the worker that owns the ingress */
	uint16_t held[BURST_MAX]; /* chains of the current burst */
	unsigned n_held;

	/* whoever holds egress_lock */
	rte_spinlock_t egress_lock __attribute__((aligned(64)));
	/* what the guest has sent since it was signalled: any worker (atomic), a hint */
	enum vhost_quiet quiet;
	uint16_t refill_seen;  /* the guest's index when somebody began to wait for buffers */
	bool refill_known;     /* the next two are of this ring's life */
	uint16_t refill_end;   /* the guest's index when we last looked, */
	uint16_t refill_taken; /* and ours */
	uint16_t refill_level; /* most buffers left with which it was seen adding some */
	struct egress_landing landing;
	struct egress_slot slot[BURST_MAX];
	struct iovec iov[EGRESS_IOV_MAX];
	struct frame scratch[BURST_MAX]; /* segments on their way */
} __attribute__((aligned(64)));

struct vhost_port {
	struct port port;
	/* control thread */
	struct port_config config;
	struct vhost_socket socket;
	bool up; /* what the host was last told */

	/* control thread; its rings and debts also workers, see vhost_user.h */
	struct vhost_user vu;

	/* written while all rings are parked, read by workers */
	unsigned caps __attribute__((aligned(64))); /* EGRESS_ bits */
	uint8_t hdr_len;
	bool mergeable;
	/* control writes, workers read (atomic); both at least 1 */
	unsigned n_active;
	unsigned n_landing;

	struct vhost_pair pair[]; /* port.n_queues of them */
};

static inline struct vhost_port *vhost_port(struct port *p)
{
	return (struct vhost_port *)p;
}

static inline struct virtqueue *egress_ring(struct vhost_port *vp, unsigned pair)
{
	return &vp->vu.ring[2 * pair];
}

static inline struct virtqueue *ingress_ring(struct vhost_port *vp, unsigned pair)
{
	return &vp->vu.ring[2 * pair + 1];
}

/* The pair that frames of a source's queue leave by. */
static inline unsigned egress_pair(const struct vhost_port *vp, unsigned queue)
{
	return queue % __atomic_load_n(&vp->n_active, __ATOMIC_ACQUIRE);
}

/* Pair 0 runs in both directions. */
static inline bool vhost_net_is_up(const struct vhost_port *vp)
{
	return virtqueue_state(&vp->vu.ring[0]) == VIRTQUEUE_LIVE &&
	       virtqueue_state(&vp->vu.ring[1]) == VIRTQUEUE_LIVE;
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
unsigned vhost_landing_look(struct vhost_pair *pair, struct virtqueue *vq);
enum landing_state vhost_egress_landing(
	struct port *p, unsigned queue, unsigned n_queues, uint32_t skip, struct landing *out);
bool vhost_egress_landing_arm(struct port *p, unsigned queue);
void vhost_egress_landing_disarm(struct port *p, unsigned queue);

/* port_ops of the control side */
void vhost_status(struct port *p, json_t *out);
