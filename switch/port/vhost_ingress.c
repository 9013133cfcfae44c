/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_net_port.h"

#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "switch/port/vhost_rings.h"

/* Removes the first n bytes of the segments (n <= their sum), copying them to `to`. */
static void take_front(struct frame *f, uint8_t *to, size_t n)
{
	unsigned used_up = 0;

	for (struct iovec *s = f->seg; n > 0; s++) {
		size_t part = s->iov_len < n ? s->iov_len : n;

		memcpy(to, s->iov_base, part);
		s->iov_base = (uint8_t *)s->iov_base + part;
		s->iov_len -= part;
		to += part;
		n -= part;
		used_up += s->iov_len == 0;
	}
	if (used_up > 0) {
		f->n_segs = (uint16_t)(f->n_segs - used_up);
		memmove(f->seg, f->seg + used_up, f->n_segs * sizeof(f->seg[0]));
	}
}

/* Splits the gathered chain of `total` bytes into header, head and the rest. */
static enum drop_reason open_frame(struct vhost_port *vp, struct frame *f, uint64_t total)
{
	uint8_t hdr_bytes[sizeof(struct vnet_hdr_mrg)];
	unsigned hdr_len = vp->hdr_len;
	struct vnet_hdr hdr;
	uint32_t pull;

	if (unlikely(total < hdr_len + ETH_HEADER_LEN))
		return DROP_RUNT;
	if (unlikely(total - hdr_len > FRAME_LEN_MAX))
		return DROP_TOO_LONG;
	f->len = (uint32_t)total - hdr_len;
	f->ingress = &vp->port;
	f->landed = NULL;
	f->head = f->head_room + VLAN_TAG_LEN;
	take_front(f, hdr_bytes, hdr_len);
	pull = f->len < FRAME_PULL ? f->len : FRAME_PULL;
	f->head_len = (uint16_t)pull;
	take_front(f, f->head, pull);

	if (unlikely(!frame_parse_l2(f)))
		return DROP_RUNT;
	memcpy(&hdr, hdr_bytes, sizeof(hdr));
	/* Only a device may say that a checksum is good (virtio 1.2, 5.1.6.2). */
	hdr.flags &= (uint8_t)~VNET_HDR_F_DATA_VALID;
	f->offload = (struct offload) { 0 };
	if (hdr.flags == 0 && hdr.gso_type == 0)
		return OFFLOAD_OK;
	return offload_decode(&hdr, f);
}

/*
 * Collects the chains of the burst into the frames' segments. Returns how many are good to go on
 * with; at a broken one the burst ends. total[i] is 0 for a chain with too many pieces.
 */
static unsigned gather(
	struct virtqueue *vq, const uint16_t *ids, unsigned n, struct frame *burst, uint64_t *total)
{
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &burst[i];
		int segs;

		total[i] = 0;
		segs = virtqueue_gather(vq, ids[i], false, f->seg, FRAME_SEG_MAX, &total[i]);
		if (unlikely(segs < 0)) {
			if (segs != -E2BIG)
				return i;
			total[i] = 0;
			continue;
		}
		f->n_segs = (uint16_t)segs;
		rte_prefetch0(f->seg[0].iov_base);
		rte_prefetch0((uint8_t *)f->seg[0].iov_base + 64);
	}
	return n;
}

static void move_segs(struct frame *to, const struct frame *from)
{
	to->n_segs = from->n_segs;
	memcpy(to->seg, from->seg, from->n_segs * sizeof(from->seg[0]));
}

static unsigned open_burst(struct vhost_port *vp, struct frame *burst, const uint64_t *total,
	unsigned n, struct counters *c)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &burst[out];
		enum drop_reason why = DROP_CHAIN_TOO_LONG;

		if (likely(total[i] > 0)) {
			if (unlikely(out != i))
				move_segs(f, &burst[i]);
			why = open_frame(vp, f, total[i]);
		}
		if (unlikely(why != OFFLOAD_OK)) {
			drop(c, why);
			continue;
		}
		count_frame(&c->rx, f);
		out++;
	}
	return out;
}

/* Takes what is there, for release() to return: the driver has disabled the ring. */
static void discard(struct vhost_port *vp, struct vhost_pair *pair, struct virtqueue *vq,
	unsigned n, struct counters *c)
{
	unsigned available = virtqueue_available(vq);

	if (available < n)
		n = available;
	virtqueue_peek(vq, n, pair->held);
	pair->n_held = n;
	drop_n(c, DROP_DISABLED, n);
	if (unlikely(virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE))
		vhost_net_raise(vp);
}

unsigned vhost_ingress_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c)
{
	struct vhost_port *vp = vhost_port(p);
	struct vhost_pair *pair = &vp->pair[queue];
	struct virtqueue *vq = ingress_ring(vp, queue);
	uint64_t total[BURST_MAX];
	unsigned available;

	pair->n_held = 0;
	if (unlikely(vhost_rings_owed(&vp->vu, queue)) && vhost_rings_pay(&vp->vu, queue) < 0)
		vhost_net_raise(vp);
	if (unlikely(!virtqueue_usable(vq))) {
		if (virtqueue_drains(vq))
			discard(vp, pair, vq, n, c);
		return 0;
	}
	available = virtqueue_available(vq);
	if (available < n)
		n = available;
	if (n == 0) {
		if (unlikely(virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE))
			vhost_net_raise(vp);
		return 0;
	}
	if (__atomic_load_n(&pair->quiet, __ATOMIC_RELAXED) == VHOST_QUIET)
		__atomic_store_n(&pair->quiet, VHOST_UNSURE, __ATOMIC_RELAXED);
	virtqueue_peek(vq, n, pair->held);
	pair->n_held = n;
	n = gather(vq, pair->held, n, burst, total);
	if (unlikely(virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE)) {
		pair->n_held = n;
		drop(c, DROP_BAD_DESCRIPTOR);
		vhost_net_raise(vp);
	}
	return open_burst(vp, burst, total, n, c);
}

void vhost_ingress_release(struct port *p, unsigned queue, struct counters *c)
{
	struct vhost_port *vp = vhost_port(p);
	struct vhost_pair *pair = &vp->pair[queue];
	struct virtqueue *vq = ingress_ring(vp, queue);

	if (pair->n_held == 0)
		return;
	for (unsigned i = 0; i < pair->n_held; i++)
		virtqueue_put_used(vq, i, pair->held[i], 0);
	virtqueue_publish(vq, pair->n_held);
	pair->n_held = 0;
	if (virtqueue_wants_signal(vq) && virtqueue_signal(vq))
		counter_add(&c->wakeups, 1);
	if (unlikely(virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE))
		vhost_net_raise(vp);
}
