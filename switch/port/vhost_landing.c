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

#include <rte_branch_prediction.h>

unsigned vhost_landing_look(struct vhost_pair *pair, struct virtqueue *vq)
{
	unsigned available = virtqueue_available(vq);
	uint16_t end = (uint16_t)(vq->taken + available);

	if (!pair->refill_known || end != pair->refill_end) {
		uint16_t left = (uint16_t)(pair->refill_end - vq->taken);

		/* Filling an untouched ring says nothing about when the guest refills it. */
		if (pair->refill_known && pair->refill_taken != vq->taken && left < vq->size &&
			left > pair->refill_level)
			pair->refill_level = left;
		pair->refill_end = end;
		pair->refill_taken = vq->taken;
		pair->refill_known = true;
	}
	return available;
}

/* Collects buffers for the largest frame there is. False: the ring does not hold that much. */
static bool collect_landing(
	struct egress_landing *l, struct virtqueue *vq, unsigned available, uint64_t need)
{
	uint64_t total = 0;

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

static void offer_landing(const struct vhost_port *vp, const struct egress_landing *l,
	uint32_t skip, struct landing *out)
{
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
	unsigned pair = egress_pair(vp, queue);
	struct virtqueue *vq = egress_ring(vp, pair);

	/* A ring that stops is no reason to wait any longer. */
	return !virtqueue_usable(vq) || virtqueue_arm(vq, vp->pair[pair].refill_seen);
}

void vhost_egress_landing_disarm(struct port *p, unsigned queue)
{
	struct vhost_port *vp = vhost_port(p);
	struct virtqueue *vq = egress_ring(vp, egress_pair(vp, queue));

	if (virtqueue_usable(vq))
		virtqueue_disarm(vq);
}

/* Under the pair's egress_lock. */
static enum landing_state look_for_landing(struct vhost_port *vp, struct vhost_pair *pair,
	struct virtqueue *vq, uint32_t skip, struct landing *out)
{
	const unsigned wanted = EGRESS_CSUM | EGRESS_TSO4 | EGRESS_TSO6;
	unsigned available = vhost_landing_look(pair, vq);

	if (out && vp->mergeable && (vp->caps & wanted) == wanted &&
		collect_landing(&pair->landing, vq, available, vp->hdr_len + FRAME_LEN_MAX)) {
		offer_landing(vp, &pair->landing, skip, out);
		return LANDING_OK;
	}
	if (available <= pair->refill_level && !roomy(vp, vq, available)) {
		pair->refill_seen = (uint16_t)(vq->taken + available);
		return LANDING_FULL;
	}
	return LANDING_SMALL;
}

enum landing_state vhost_egress_landing(
	struct port *p, unsigned queue, unsigned n_queues, uint32_t skip, struct landing *out)
{
	struct vhost_port *vp = vhost_port(p);
	enum landing_state state = LANDING_SMALL;
	struct vhost_pair *pair;
	struct virtqueue *vq;

	/* From here to the end of the round queue i and pair i belong together. */
	if (unlikely(n_queues > __atomic_load_n(&vp->n_landing, __ATOMIC_ACQUIRE)))
		return LANDING_SMALL;
	pair = &vp->pair[queue];
	vq = egress_ring(vp, queue);
	rte_spinlock_lock(&pair->egress_lock);
	if (virtqueue_usable(vq)) {
		state = look_for_landing(vp, pair, vq, skip, out);
		if (virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE)
			vhost_net_raise(vp); /* once: the ring is not usable from now on */
	}
	rte_spinlock_unlock(&pair->egress_lock);
	return state;
}
