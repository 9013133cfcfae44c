/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/ethdev_port.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "switch/datapath/recover.h"

/*
 * A burst of mbufs becomes frames that are views of them. One mbuf may become many frames (a
 * datagram that is fragmented again), so mbufs wait in the queue's own list until frames could be
 * made of them, over several bursts if need be.
 */

/* Points the frame at the mbuf's bytes; OFFLOAD_OK or the reason to drop it. */
static enum drop_reason open_frame(struct ethdev_port *ep, struct rte_mbuf *m, struct frame *f)
{
	uint32_t skip;

	f->len = 0;
	for (const struct rte_mbuf *s = m; s; s = s->next)
		f->len += s->data_len;
	f->head = f->head_room + VLAN_TAG_LEN;
	f->head_len = 0;
	f->n_segs = 0;
	f->ingress = &ep->port;
	f->landed = NULL;
	f->offload = (struct offload) { 0 };
	if (unlikely(f->len < ETH_HEADER_LEN))
		return DROP_RUNT;
	if (unlikely(f->len > FRAME_LEN_MAX))
		return DROP_TOO_LONG;
	skip = m->data_len < FRAME_PULL ? m->data_len : FRAME_PULL;
	memcpy(f->head, rte_pktmbuf_mtod(m, uint8_t *), skip);
	f->head_len = (uint16_t)skip;
	for (struct rte_mbuf *s = m; s; s = s->next, skip = 0) {
		if (s->data_len == skip)
			continue;
		if (unlikely(f->n_segs == FRAME_SEG_MAX))
			return DROP_CHAIN_TOO_LONG;
		f->seg[f->n_segs++] = (struct iovec) {
			rte_pktmbuf_mtod_offset(s, uint8_t *, skip),
			s->data_len - skip,
		};
	}
	(void)frame_pull(f, f->len < FRAME_PULL ? f->len : FRAME_PULL);
	return frame_parse_l2(f) ? OFFLOAD_OK : DROP_RUNT;
}

static struct recover_hint read_hint(const struct rte_mbuf *m)
{
	struct recover_hint hint = { 0 };

	switch (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
		hint.checksum = RECOVER_GOOD;
		break;
	case RTE_MBUF_F_RX_L4_CKSUM_NONE:
		hint.checksum = RECOVER_PARTIAL;
		break;
	default: /* BAD counts as unknown: the count comes from one place */
		break;
	}
	if (m->ol_flags & RTE_MBUF_F_RX_LRO)
		hint.gso_size = m->tso_segsz;
	return hint;
}

static bool is_echo(struct ethdev_port *ep, const struct frame *f, uint32_t now_s)
{
	return memcmp(frame_src(f), &ep->mac, sizeof(ep->mac)) == 0 ||
	       echo_heard(&ep->echo, frame_src(f), now_s);
}

/* What became of an mbuf. */
enum outcome { OUT_FRAME, OUT_FRAGMENTS, OUT_DROPPED };

static enum outcome settle(struct ethdev_port *ep, struct ethdev_ingress *in, struct frame *f,
	const struct recover_hint *hint, struct counters *c)
{
	switch (recover_offload(f, hint, ep->mtu)) {
	case RECOVER_BAD_CHECKSUM:
		counter_add(&in->n_bad_checksum, 1);
		return OUT_FRAME;
	case RECOVER_BAD_FRAGMENT:
		counter_add(&in->n_bad_checksum, 1);
		return OUT_FRAGMENTS;
	case RECOVER_FRAGMENT:
		return OUT_FRAGMENTS;
	case RECOVER_TRUNCATED:
		/* A header that promises too much is the receiver's to judge; a cut frame is not.
		 */
		if (!ep->snap_len || f->len < ep->snap_len)
			return OUT_FRAME;
		drop(c, DROP_TRUNCATED);
		return OUT_DROPPED;
	case RECOVER_SIZES_LOST:
		drop(c, DROP_SIZES_LOST);
		return OUT_DROPPED;
	default:
		return OUT_FRAME;
	}
}

/* Makes a frame of the next mbuf, or begins to cut it into fragments. */
static enum outcome take(struct ethdev_port *ep, struct ethdev_ingress *in, struct frame *f,
	uint32_t now_s, struct counters *c)
{
	struct rte_mbuf *m = in->mbuf[in->next];
	const struct recover_hint hint = read_hint(m);
	enum drop_reason why = open_frame(ep, m, f);
	enum outcome out;

	if (likely(why == OFFLOAD_OK) && ethdev_is_echoing(ep) && is_echo(ep, f, now_s))
		why = DROP_ECHO;
	if (unlikely(why != OFFLOAD_OK)) {
		drop(c, why);
		return OUT_DROPPED;
	}
	out = settle(ep, in, f, &hint, c);
	if (likely(out != OUT_FRAGMENTS))
		return out;
	in->whole = *f;
	in->whole.head = in->whole.head_room + (f->head - f->head_room);
	/* What cannot be cut stays as it is: an egress that cannot take it says so. */
	if (!refragment_begin(&in->cutter, &in->whole, ep->mtu, ++in->fragment_id))
		return OUT_FRAME;
	return OUT_FRAGMENTS;
}

static unsigned fill(struct ethdev_port *ep, struct ethdev_ingress *in, struct frame *burst,
	unsigned n, struct counters *c)
{
	uint32_t now_s = (uint32_t)(rte_rdtsc() / ep->hz);
	unsigned out = 0;

	while (out < n && in->next < in->n) {
		if (!in->cutting) {
			enum outcome what = take(ep, in, &burst[out], now_s, c);

			in->cutting = what == OUT_FRAGMENTS;
			if (!in->cutting) {
				in->next++;
				if (what == OUT_FRAME)
					count_frame(&c->rx, &burst[out++]);
			}
		} else if (refragment_next(&in->cutter, &burst[out])) {
			count_frame(&c->rx, &burst[out++]);
		} else {
			in->cutting = false;
			in->next++;
		}
	}
	return out;
}

unsigned ethdev_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c)
{
	struct ethdev_port *ep = ethdev_port(p);
	struct ethdev_ingress *in = &ep->ingress[queue];

	if (in->next == in->n) {
		in->next = 0;
		in->n_released = 0;
		in->n = rte_eth_rx_burst(ep->id, (uint16_t)queue, in->mbuf, (uint16_t)n);
		for (unsigned i = 0; i < in->n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(in->mbuf[i], void *));
	}
	return fill(ep, in, burst, n, c);
}

/* Also of a queue whose port closes: what waits in it is then at an end. */
void ethdev_release(struct port *p, unsigned queue, struct counters *c)
{
	struct ethdev_ingress *in = &ethdev_port(p)->ingress[queue];

	if (in->next > in->n_released)
		rte_pktmbuf_free_bulk(in->mbuf + in->n_released, in->next - in->n_released);
	in->n_released = in->next;
}

/* --- sleeping -------------------------------------------------------------------------------- */

bool ethdev_arm(struct port *p, unsigned queue)
{
	struct ethdev_port *ep = ethdev_port(p);
	struct ethdev_ingress *in = &ep->ingress[queue];

	if (!ep->sleeps || in->next < in->n)
		return true;
	if (rte_eth_dev_rx_intr_enable(ep->id, (uint16_t)queue) < 0)
		return true;
	rte_smp_mb();
	/* Who connects meanwhile is announced (ethdev.c, on_change()). */
	return ethdev_is_connected(ep) && rte_eth_rx_queue_count(ep->id, (uint16_t)queue) > 0;
}

void ethdev_disarm(struct port *p, unsigned queue)
{
	struct ethdev_port *ep = ethdev_port(p);

	if (ep->sleeps)
		(void)rte_eth_dev_rx_intr_disable(ep->id, (uint16_t)queue);
}
