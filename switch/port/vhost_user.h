/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The back-end side of the vhost-user protocol: what a VMM's messages do to a device's memory and
 * rings. It knows nothing of sockets (vhost_socket.h) and nothing of networks (vhost_net.h).
 *
 * Every request has a row in one table with its preconditions: payload size, descriptors, protocol
 * feature, and whether it changes something a worker may be looking at. The engine checks the row
 * before the handler runs, and parks what it is about, one ring or the device, around those that
 * need it: vhost_rings.h.
 *
 * VMMs do all of this to running guests: memory hotplug, interrupt masking, reset, migration.
 * Each ring has its own state. A ring is started by its kick descriptor and stopped by
 * GET_VRING_BASE; it is enabled by SET_VRING_ENABLE or, until that comes, from the start if the
 * peer did not acknowledge VHOST_F_PROTOCOL_FEATURES.
 *
 * Not every VMM follows the protocol to its end: UML resets a device without GET_VRING_BASE and
 * lets the guest reuse the ring's memory. So a disabled ring is left alone, but for
 * transmit rings of guests with several pairs (their frames are discarded, as the specification has
 * it), and SET_VRING_ADDR and _BASE begin a ring anew.
 *
 * A message that breaks a precondition, or that cannot be carried out, ends the connection, with
 * the reason kept for `port show`.
 *
 * A VMM that made a worker hang in a signal (`hung`) stays marked until the connection ends,
 * whatever it does to its rings: whoever handles its messages asks vhost_user_hung() after each.
 *
 * Thread-safety: control thread, but for ring[], see virtqueue.h, `owed` and `hung`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "config/sluiced_config.h"
#include "lib/err.h"
#include "switch/port/foreign_fd.h"
#include "switch/port/guest_memory.h"
#include "switch/port/host.h"
#include "switch/port/vhost_message.h"
#include "switch/port/virtqueue.h"

#define VHOST_RINGS_MAX (2 * QUEUES_MAX)
#define VHOST_ALL_RINGS UINT_MAX

/* What the device offers; constant for its life. */
struct vhost_offer {
	uint64_t features;
	uint64_t protocol_features;
	unsigned n_rings;
	uint8_t config[VHOST_CONFIG_MAX]; /* device configuration space, zero-padded */
};

struct vhost_user;

/* What the device's owner has to do when rings come and go. `ring`: one, or VHOST_ALL_RINGS. */
struct vhost_hooks {
	/* They are about to be parked; workers are still inside. */
	void (*parking)(struct vhost_user *vu, unsigned ring);
	/* They are parked and will run again: features and memory are what they will be then. */
	void (*resuming)(struct vhost_user *vu, unsigned ring);
	/* They run, as far as they do; workers are inside again. */
	void (*resumed)(struct vhost_user *vu, unsigned ring);
};

/* What the VMM said about a ring; the rest is in struct virtqueue. */
struct vhost_ring_setup {
	uint64_t desc, avail, used; /* the VMM's addresses */
	uint16_t size;
	bool has_addr;
	bool started;
	bool enabled;
	bool enable_told; /* `enabled` is the VMM's word; without one the features decide */
	bool running;     /* since the last virtqueue_start() */
	int err_fd;
};

struct vhost_user {
	const struct port_host *host;
	const struct port *port; /* whom the host is told to wake; nothing of it is used here */
	struct foreign_closer *closer;   /* for descriptors of the VMM's; not owned, may be NULL */
	const struct vhost_hooks *hooks; /* NULL: none */
	struct vhost_offer offer;
	uint64_t features;          /* acknowledged */
	uint64_t protocol_features; /* acknowledged */
	uint16_t mtu;               /* NET_SET_MTU, 0: not told */
	int backend_req_fd;         /* held open for the peer's sake */
	struct guest_memory memory;
	struct vhost_ring_setup setup[VHOST_RINGS_MAX];
	/* Signals that workers owe, one bit a ring: control sets, workers clear (atomic). */
	uint32_t owed __attribute__((aligned(64)));
	/* A signal hung, see virtqueue_signal(): workers set, vhost_user_reset() clears (atomic).
	 */
	bool hung;
	struct virtqueue ring[VHOST_RINGS_MAX];
};

/* Nothing is set up, every ring is stopped. */
void vhost_user_init(struct vhost_user *vu, const struct port_host *host, const struct port *port,
	const struct vhost_offer *offer, const struct vhost_hooks *hooks);

/*
 * Carries out one message. 1: the message now holds a reply to send back; 0: nothing to send; a
 * negative errno: the connection must end, *err says why (a reply may still be owed: see
 * vhost_user_nack()).
 */
int vhost_user_handle(struct vhost_user *vu, struct vhost_message *m, struct err *err);

/* True if the failed request asked for an answer: `m` is then a negative one. */
bool vhost_user_nack(const struct vhost_user *vu, struct vhost_message *m);

/*
 * The peer is gone: stops all rings, unmaps its memory, closes its descriptors. True if it made a
 * worker hang in a signal, be it only now.
 */
bool vhost_user_reset(struct vhost_user *vu);

/* The peer made a worker hang in a signal: the connection must end. */
static inline bool vhost_user_hung(const struct vhost_user *vu)
{
	return __atomic_load_n(&vu->hung, __ATOMIC_RELAXED);
}

static inline bool vhost_user_has(const struct vhost_user *vu, unsigned bit)
{
	return vu->features >> bit & 1;
}

/* "GET_FEATURES" and so on; NULL for a request we do not know. */
const char *vhost_request_name(uint32_t request);
