/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Landing: lending the guest's receive buffers to a packet socket, see port.h.
 *
 * When the ring does not hold the largest frame there is, the question is whether to wait for the
 * guest to add buffers or to take frames and drop those that do not fit. Waiting is only right if
 * the guest is sure to add some: always when it has none left; and when it has been seen adding
 * buffers with as many left as there are now (drivers refill below a level of their own: half a
 * ring in Linux). Waiting on a guess would wait for ever.
 */
#include "switch/port/vhost_net_port.h"

unsigned vhost_landing_look(struct vhost_port *vp, struct virtqueue *vq)
{
	unsigned available = virtqueue_available(vq);
	uint16_t end = (uint16_t)(vq->taken + available);

	if (!vp->refill_known || end != vp->refill_end) {
		uint16_t left = (uint16_t)(vp->refill_end - vq->taken);

		/* Filling an untouched ring says nothing about when the guest refills it. */
		if (vp->refill_known && vp->refill_taken != vq->taken && left < vq->size &&
			left > vp->refill_level)
			vp->refill_level = left;
		vp->refill_end = end;
		vp->refill_taken = vq->taken;
		vp->refill_known = true;
	}
	return available;
}

/* Collects buffers for the largest frame there is. False: the ring does not hold that much. */
static bool collect_landing(struct vhost_port *vp, struct virtqueue *vq, unsigned available)
{
	struct egress_landing *l = &vp->landing;
	uint64_t need = vp->hdr_len + FRAME_LEN_MAX, total = 0;

	if (l->valid && l->taken == vq->taken)
		return true;
	l->valid = false;
	l->n_iov = 0;
	l->n_chains = 0;
	while (total < need) {
		uint64_t len = 0;
		int n;

		if (l->n_chains == available || l->n_chains == FRAME_SEG_MAX)
			return false;
		l->id[l->n_chains] = virtqueue_id(vq, l->n_chains);
		n = virtqueue_gather(vq, l->id[l->n_chains], true, l->iov + l->n_iov,
			FRAME_SEG_MAX - l->n_iov, &len);
		if (n < 0)
			return false;
		l->chain_len[l->n_chains++] = (uint32_t)len;
		l->n_iov += (unsigned)n;
		total += len;
	}
	l->len = (uint32_t)total;
	l->taken = vq->taken;
	l->valid = true;
	return true;
}

static void offer_landing(const struct vhost_port *vp, uint32_t skip, struct landing *out)
{
	const struct egress_landing *l = &vp->landing;
	size_t front = vp->hdr_len + skip;

	out->n_iov = 0;
	out->caps = vp->caps;
	for (unsigned i = 0; i < l->n_iov; i++) {
		if (front >= l->iov[i].iov_len) {
			front -= l->iov[i].iov_len;
			continue;
		}
		out->iov[out->n_iov].iov_base = (uint8_t *)l->iov[i].iov_base + front;
		out->iov[out->n_iov++].iov_len = l->iov[i].iov_len - front;
		front = 0;
	}
}

/* Whether the ring holds the largest frame, going by its first buffer. */
static bool roomy(struct vhost_port *vp, struct virtqueue *vq, unsigned available)
{
	struct iovec iov[FRAME_SEG_MAX];
	uint64_t len = 0;

	if (available == 0)
		return false;
	if (!vp->mergeable)
		return true;
	if (virtqueue_gather(vq, virtqueue_id(vq, 0), true, iov, FRAME_SEG_MAX, &len) < 0)
		return false;
	return len * available >= (uint64_t)vp->hdr_len + FRAME_LEN_MAX;
}

bool vhost_egress_landing_arm(struct port *p, unsigned queue)
{
	struct vhost_port *vp = vhost_port(p);
	struct virtqueue *vq = &vp->vu.ring[RING_EGRESS];

	/* A ring that stops is no reason to wait any longer. */
	return !virtqueue_usable(vq) || virtqueue_arm(vq, vp->refill_seen);
}

void vhost_egress_landing_disarm(struct port *p, unsigned queue)
{
	struct virtqueue *vq = &vhost_port(p)->vu.ring[RING_EGRESS];

	if (virtqueue_usable(vq))
		virtqueue_disarm(vq);
}

enum landing_state vhost_egress_landing(
	struct port *p, unsigned queue, unsigned n_queues, uint32_t skip, struct landing *out)
{
	const unsigned wanted = EGRESS_CSUM | EGRESS_TSO4 | EGRESS_TSO6;
	struct vhost_port *vp = vhost_port(p);
	struct virtqueue *vq = &vp->vu.ring[RING_EGRESS];
	enum landing_state state = LANDING_SMALL;
	unsigned available;

	rte_spinlock_lock(&vp->egress_lock);
	if (!virtqueue_usable(vq))
		goto out;
	available = vhost_landing_look(vp, vq);
	if (out && vp->mergeable && (vp->caps & wanted) == wanted &&
		collect_landing(vp, vq, available)) {
		offer_landing(vp, skip, out);
		state = LANDING_OK;
	} else if (available <= vp->refill_level && !roomy(vp, vq, available)) {
		vp->refill_seen = (uint16_t)(vq->taken + available);
		state = LANDING_FULL;
	}
	if (virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE)
		vhost_net_raise(vp); /* once: the ring is not usable from now on */
out:
	rte_spinlock_unlock(&vp->egress_lock);
	return state;
}
