/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_net.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "switch/port/vhost_features.h"
#include "switch/port/vhost_net_port.h"

/* --- pairs that come and go ------------------------------------------------------------------ */

static struct vhost_port *port_of(struct vhost_user *vu)
{
	return (struct vhost_port *)((char *)vu - offsetof(struct vhost_port, vu));
}

/* Leading pairs whose egress runs, but for the one whose ring is `but`; at least 1. */
static unsigned count_active(const struct vhost_port *vp, unsigned but)
{
	unsigned n = 0;

	while (n < vp->port.n_queues && 2 * n != but &&
		virtqueue_state(&vp->vu.ring[2 * n]) == VIRTQUEUE_LIVE)
		n++;
	return n ? n : 1;
}

/* See vhost_net_port.h: between the two steps no worker is where it was. */
static void set_active(struct vhost_port *vp, unsigned n)
{
	if (n < vp->n_landing) {
		__atomic_store_n(&vp->n_landing, n, __ATOMIC_RELEASE);
		vp->vu.host->quiesce(vp->vu.host->ctx);
	}
	__atomic_store_n(&vp->n_active, n, __ATOMIC_RELEASE);
	if (n > vp->n_landing) {
		vp->vu.host->quiesce(vp->vu.host->ctx);
		__atomic_store_n(&vp->n_landing, n, __ATOMIC_RELEASE);
	}
}

/* The frames of a pair that stops go to others from now on. */
static void on_parking(struct vhost_user *vu, unsigned ring)
{
	set_active(port_of(vu), ring == VHOST_ALL_RINGS ? 1 : count_active(port_of(vu), ring));
}

static void forget_ring(struct vhost_port *vp, unsigned ring)
{
	struct vhost_pair *pair = &vp->pair[ring / 2];

	if (ring & 1)
		return;
	pair->landing.valid = false;
	pair->refill_level = 0;
	pair->refill_known = false;
}

/* What may be sent follows from what was acknowledged. */
static void on_resuming(struct vhost_user *vu, unsigned ring)
{
	struct vhost_port *vp = port_of(vu);

	if (ring != VHOST_ALL_RINGS) {
		forget_ring(vp, ring);
		return;
	}
	for (unsigned i = 0; i < vu->offer.n_rings; i++)
		forget_ring(vp, i);
	vp->mergeable = vhost_user_has(vu, VIRTIO_NET_F_MRG_RXBUF);
	vp->hdr_len = vhost_user_has(vu, VIRTIO_F_VERSION_1) || vp->mergeable
			      ? sizeof(struct vnet_hdr_mrg)
			      : sizeof(struct vnet_hdr);
	vp->caps = vhost_features_caps(vu->features);
}

static void on_resumed(struct vhost_user *vu, unsigned ring)
{
	struct vhost_port *vp = port_of(vu);
	bool up = vhost_net_is_up(vp);

	set_active(vp, count_active(vp, VHOST_ALL_RINGS));
	if (up && !vp->up) {
		vhost_socket_good(&vp->socket);
		vu->host->event(vu->host->ctx, vu->port, "guest-up", NULL);
	}
	vp->up = up;
}

static const struct vhost_hooks hooks = {
	.parking = on_parking,
	.resuming = on_resuming,
	.resumed = on_resumed,
};

/* --- what workers find ----------------------------------------------------------------------- */

void vhost_net_raise(struct vhost_port *vp)
{
	uint64_t one = 1;

	if (write(vp->vu.host->attention_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: attention has been raised */
}

static void net_memory_gone(struct port *p)
{
	struct vhost_port *vp = vhost_port(p);

	virtqueue_break(ingress_ring(vp, 0), VIRTQUEUE_FAULT_MEMORY);
	vhost_net_raise(vp);
}

/* --- sleeping -------------------------------------------------------------------------------- */

/*
 * UML (Linux 6.1) checks for work and then waits for a signal, in two steps: an interrupt between
 * them is handled, but what it woke up runs only after the next timer tick, 10 ms later. So a UML
 * guest that has not reacted by the time we go to sleep is interrupted once more (3 % of the round
 * trips of a UDP ping-pong took 9 ms, 0.2 % with this). It may also have lost the interrupt
 * (launcher/storage/lost_calls.h), and the next, and send all the same: it is interrupted again
 * whenever we go to sleep and it has not read the last one. Other VMMs use eventfds and are left in
 * peace.
 */
static void nudge_uml(struct vhost_port *vp, unsigned queue)
{
	struct vhost_pair *pair = &vp->pair[queue];
	struct virtqueue *out = egress_ring(vp, queue);
	enum vhost_quiet was = __atomic_load_n(&pair->quiet, __ATOMIC_RELAXED);
	bool again;

	if (was == VHOST_HEARD)
		return;
	again = virtqueue_usable(out) && virtqueue_call_is_socket(out) &&
		(was == VHOST_QUIET || virtqueue_call_is_unread(out));
	if (again)
		(void)virtqueue_signal(out);
	/* Unless another worker has signalled meanwhile. */
	(void)__atomic_compare_exchange_n(&pair->quiet, &was, again ? VHOST_UNSURE : VHOST_HEARD,
		false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static bool net_arm(struct port *p, unsigned queue)
{
	struct vhost_port *vp = vhost_port(p);
	struct virtqueue *in = ingress_ring(vp, queue);

	nudge_uml(vp, queue);
	return (virtqueue_usable(in) || virtqueue_drains(in)) && virtqueue_arm(in, in->taken);
}

static void net_disarm(struct port *p, unsigned queue)
{
	struct virtqueue *in = ingress_ring(vhost_port(p), queue);

	if (virtqueue_usable(in))
		virtqueue_disarm(in);
}

/* --- control --------------------------------------------------------------------------------- */

static enum virtqueue_fault port_fault(const struct vhost_port *vp)
{
	enum virtqueue_fault fault = VIRTQUEUE_FAULT_NONE;

	if (guest_memory_lost(&vp->vu.memory))
		return VIRTQUEUE_FAULT_MEMORY;
	if (vhost_user_hung(&vp->vu))
		return VIRTQUEUE_FAULT_SIGNAL;
	for (unsigned i = 0; i < vp->vu.offer.n_rings && fault == VIRTQUEUE_FAULT_NONE; i++)
		fault = virtqueue_fault(&vp->vu.ring[i]);
	return fault;
}

static void net_service(struct port *p)
{
	struct vhost_port *vp = vhost_port(p);
	enum virtqueue_fault fault = port_fault(vp);

	if (fault != VIRTQUEUE_FAULT_NONE)
		vhost_socket_disconnect(&vp->socket, virtqueue_fault_text[fault]);
}

static void net_close(struct port *p)
{
	struct vhost_port *vp = vhost_port(p);

	vhost_socket_close(&vp->socket);
	foreign_closer_free(vp->vu.closer);
	free(vp);
}

static const struct port_ops vhost_net_ops = {
	.kind = "vhost-user",
	.receive = vhost_ingress_receive,
	.release = vhost_ingress_release,
	.transmit = vhost_egress_transmit,
	.landing = vhost_egress_landing,
	.landing_arm = vhost_egress_landing_arm,
	.landing_disarm = vhost_egress_landing_disarm,
	.memory_gone = net_memory_gone,
	.arm = net_arm,
	.disarm = net_disarm,
	.service = net_service,
	.status = vhost_status,
	.close = net_close,
};

static struct vhost_port *new_port(const struct port_config *config, unsigned n_pairs)
{
	struct vhost_port *vp = NULL;
	size_t size = sizeof(*vp) + n_pairs * sizeof(vp->pair[0]);

	if (posix_memalign((void **)&vp, 64, size) != 0)
		return NULL;
	memset(vp, 0, size);
	vp->port.ops = &vhost_net_ops;
	vp->port.n_queues = (uint16_t)n_pairs;
	snprintf(vp->port.name, sizeof(vp->port.name), "%s", config->name);
	vp->config = *config;
	vp->n_active = 1;
	vp->n_landing = 1;
	for (unsigned i = 0; i < n_pairs; i++)
		rte_spinlock_init(&vp->pair[i].egress_lock);
	return vp;
}

struct port *vhost_net_open(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	unsigned n_pairs = config->queues ? config->queues : 1;
	struct vhost_offer offer = vhost_features_offer(config, n_pairs);
	struct vhost_port *vp = new_port(config, n_pairs);

	if (!vp) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	vhost_user_init(&vp->vu, host, &vp->port, &offer, &hooks);
	vp->vu.closer = foreign_closer_new();
	if (!vp->vu.closer)
		err_set(err, -ENOMEM, "out of memory");
	else if (vhost_socket_open(
			 &vp->socket, &vp->vu, config->socket, 0660, config->client, err) == 0)
		return &vp->port;
	foreign_closer_free(vp->vu.closer);
	free(vp);
	return NULL;
}
