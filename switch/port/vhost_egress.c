/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_net_port.h"

#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "switch/datapath/segment.h"

/* One transmit() at work. */
struct egress {
	struct vhost_port *vp;
	struct vhost_pair *pair;
	struct virtqueue *vq;
	struct counters *c;
	unsigned available; /* chains the guest offers behind `taken` */
	unsigned n_chains;  /* of them reserved and not yet published */
	unsigned n_iov;
	unsigned n_slots;
	unsigned budget; /* segments that may still be made */
	bool published;
	bool home; /* the pair that the source's landings are in */
};

/* Writes into a list of buffers. */
struct cursor {
	const struct iovec *iov;
	size_t offset;
};

static inline void put(struct cursor *to, const void *from, size_t len)
{
	while (len > 0) {
		size_t room = to->iov->iov_len - to->offset;
		size_t part = len < room ? len : room;

		rte_memcpy((uint8_t *)to->iov->iov_base + to->offset, from, part);
		from = (const uint8_t *)from + part;
		len -= part;
		to->offset += part;
		if (to->offset == to->iov->iov_len) {
			to->iov++;
			to->offset = 0;
		}
	}
}

static void put_header(
	struct egress *e, const struct frame *f, unsigned n_chains, struct cursor *to)
{
	struct vnet_hdr_mrg h = { .num_buffers = (uint16_t)n_chains };

	offload_encode(f, e->vp->caps, &h.hdr);
	put(to, &h, e->vp->hdr_len);
}

static void copy_slot(struct egress *e, const struct egress_slot *s)
{
	const struct frame *f = s->frame;
	struct cursor to = { .iov = e->pair->iov + s->first_iov };

	put_header(e, f, s->n_chains, &to);
	put(&to, f->head, f->head_len);
	for (unsigned i = 0; i < f->n_segs; i++)
		put(&to, f->seg[i].iov_base, f->seg[i].iov_len);
}

/* Copies what is reserved and gives it to the guest. */
static void flush(struct egress *e)
{
	if (e->n_chains == 0)
		return;
	for (unsigned i = 0; i < e->n_slots; i++)
		copy_slot(e, &e->pair->slot[i]);
	virtqueue_publish(e->vq, e->n_chains);
	e->available -= e->n_chains;
	e->n_chains = 0;
	e->n_slots = 0;
	e->n_iov = 0;
	e->published = true;
}

/*
 * Finds buffers for one frame behind those reserved already. OFFLOAD_OK, or the reason why not,
 * with nothing reserved; *again: only the arena was too full, flush and repeat.
 */
static enum drop_reason reserve(struct egress *e, const struct frame *f, bool *again)
{
	struct vhost_pair *pair = e->pair;
	uint32_t need = e->vp->hdr_len + f->len;
	unsigned chains = e->n_chains, iov = e->n_iov;
	uint64_t got = 0;

	while (got < need) {
		uint64_t len = 0;
		uint16_t id;
		int n;

		if (unlikely(chains == e->available))
			return DROP_RING_FULL;
		if (unlikely(got > 0 && !e->vp->mergeable))
			return DROP_BUFFER_SMALL;
		id = virtqueue_id(e->vq, chains);
		n = virtqueue_gather(e->vq, id, true, pair->iov + iov, EGRESS_IOV_MAX - iov, &len);
		if (unlikely(n < 0)) {
			*again = n == -E2BIG && e->n_iov > 0;
			return n == -E2BIG ? DROP_BUFFER_PIECES : DROP_BUFFER_BAD;
		}
		virtqueue_put_used(e->vq, chains, id,
			len < need - got ? (uint32_t)len : (uint32_t)(need - got));
		got += len;
		iov += (unsigned)n;
		chains++;
	}
	pair->slot[e->n_slots++] = (struct egress_slot) {
		.frame = f,
		.first_iov = (uint16_t)e->n_iov,
		.n_chains = (uint16_t)(chains - e->n_chains),
	};
	__builtin_prefetch(pair->iov[e->n_iov].iov_base, 1);
	__builtin_prefetch((uint8_t *)pair->iov[e->n_iov].iov_base + 64, 1);
	e->n_chains = chains;
	e->n_iov = iov;
	return OFFLOAD_OK;
}

/*
 * Sends a frame that the guest takes as it is, or drops it: OFFLOAD_OK, or the reason why. It must
 * stay valid until the next flush().
 */
static enum drop_reason send_plain(struct egress *e, const struct frame *f)
{
	bool again = false;
	enum drop_reason why;

	if (e->n_slots == BURST_MAX)
		flush(e);
	why = reserve(e, f, &again);
	if (unlikely(again)) {
		flush(e);
		why = reserve(e, f, &again);
	}
	if (likely(why == OFFLOAD_OK))
		count_frame(&e->c->tx, f);
	else
		drop(e->c, why);
	return why;
}

/* Sends a frame in the form that the guest negotiated. */
static void send_adapted(struct egress *e, const struct frame *f)
{
	struct frame *scratch = e->pair->scratch;
	struct segmenter s;
	enum drop_reason why = segment_begin(&s, f, e->vp->caps);
	unsigned n = 0, total = 0;

	if (why == DROP_TUNNEL_GSO && offload_fits_unsliced(f, e->vp->caps)) {
		(void)send_plain(e, f);
		return;
	}
	if (why == OFFLOAD_OK)
		why = segment_charge(&s, &e->budget);
	if (why != OFFLOAD_OK) {
		drop(e->c, why);
		return;
	}
	flush(e); /* scratch may be reserved from */
	while (segment_next(&s, &scratch[n])) {
		why = send_plain(e, &scratch[n]);
		total++;
		/* There may be more than a thousand: build none that has no place. */
		if (unlikely(why == DROP_RING_FULL)) {
			drop_n(e->c, why, segment_left(&s));
			break;
		}
		if (++n == BURST_MAX) {
			flush(e);
			n = 0;
		}
	}
	flush(e);
	counter_add(&e->c->segmented, f->offload.gso != GSO_NONE);
	if (!(e->vp->caps & EGRESS_CSUM))
		counter_add(&e->c->checksummed, total);
}

/* The payload is there; now come the headers, judged and rewritten, and the guest may look. */
static void settle_landed(struct egress *e, const struct frame *f)
{
	struct egress_landing *l = &e->pair->landing;
	struct cursor to = { .iov = l->iov };
	uint32_t left = e->vp->hdr_len + f->len;
	unsigned n = 0;

	flush(e);
	if (unlikely(!e->home || !l->valid || l->taken != e->vq->taken || left > l->len)) {
		drop(e->c, DROP_MEMORY_GONE);
		return;
	}
	for (; left > 0; n++) {
		uint32_t part = left < l->chain_len[n] ? left : l->chain_len[n];

		virtqueue_put_used(e->vq, n, l->id[n], part);
		left -= part;
	}
	put_header(e, f, n, &to);
	put(&to, f->head, f->head_len);
	virtqueue_publish(e->vq, n);
	e->available = virtqueue_available(e->vq);
	e->published = true;
	l->valid = false;
	count_frame(&e->c->tx, f);
	counter_add(&e->c->landed, 1);
}

static void send_frame(struct egress *e, const struct frame *f)
{
	if (unlikely(f->landed != NULL))
		settle_landed(e, f);
	else if (likely(offload_fits(f, e->vp->caps)))
		(void)send_plain(e, f);
	else
		send_adapted(e, f);
}

static void send_burst(struct egress *e, struct frame **frames, unsigned n)
{
	e->available = vhost_landing_look(e->pair, e->vq);
	for (unsigned i = 0; i < n && i < e->available; i++)
		rte_prefetch0(&e->vq->desc[virtqueue_id(e->vq, i) & (e->vq->size - 1)]);
	for (unsigned i = 0; i < n; i++)
		send_frame(e, frames[i]);
	flush(e);
	if (e->published && virtqueue_wants_signal(e->vq) && virtqueue_signal(e->vq)) {
		counter_add(&e->c->wakeups, 1);
		__atomic_store_n(&e->pair->quiet, VHOST_QUIET, __ATOMIC_RELAXED);
	}
	if (unlikely(virtqueue_fault(e->vq) != VIRTQUEUE_FAULT_NONE))
		vhost_net_raise(e->vp);
}

/* Sends by this pair; false, and nothing done, if its ring does not run. */
static bool send_by(struct vhost_port *vp, unsigned pair, unsigned queue, struct frame **frames,
	unsigned n, struct counters *c)
{
	struct egress e = {
		.vp = vp,
		.pair = &vp->pair[pair],
		.vq = egress_ring(vp, pair),
		.c = c,
		.budget = SEGMENTS_PER_BURST,
		.home = pair == queue,
	};
	bool usable;

	rte_spinlock_lock(&e.pair->egress_lock);
	usable = virtqueue_usable(e.vq);
	if (likely(usable))
		send_burst(&e, frames, n);
	rte_spinlock_unlock(&e.pair->egress_lock);
	return usable;
}

void vhost_egress_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	struct vhost_port *vp = vhost_port(p);
	/* What has landed lies in the buffers of the pair that landing() looked at. */
	bool landed = frames[0]->landed != NULL;
	unsigned pair = landed ? queue : egress_pair(vp, queue), before;

	do {
		if (likely(send_by(vp, pair, queue, frames, n, c)))
			return;
		/* Before a pair is parked its share goes to others, so look where it is now. */
		before = pair;
		if (!landed)
			pair = egress_pair(vp, queue);
	} while (pair != before);
	drop_n(c,
		virtqueue_state(egress_ring(vp, pair)) == VIRTQUEUE_PARKED ? DROP_PORT_BUSY
									   : DROP_PORT_DOWN,
		n);
}
