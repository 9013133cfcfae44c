/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/ethdev_port.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_memcpy.h>

#include "switch/datapath/ip.h"
#include "switch/datapath/segment.h"

/* One transmit() at work. */
struct sender {
	struct ethdev_port *ep;
	struct ethdev_egress *out;
	uint16_t queue;
	unsigned budget; /* segments that may still be made */
	struct counters *c;
};

/* Gives the device what is queued; what it does not take is dropped. */
static void flush(struct sender *s)
{
	struct ethdev_egress *out = s->out;
	uint32_t len[BURST_MAX];
	unsigned sent;

	if (out->n == 0)
		return;
	for (unsigned i = 0; i < out->n; i++)
		len[i] = out->mbuf[i]->pkt_len;
	sent = rte_eth_tx_burst(s->ep->id, s->queue, out->mbuf, (uint16_t)out->n);
	for (unsigned i = 0; i < sent; i++) {
		counter_add(&s->c->tx.packets, 1);
		counter_add(&s->c->tx.bytes, len[i]);
		counter_add(&s->c->tx.super_frames, out->is_super[i]);
	}
	if (unlikely(sent < out->n)) {
		rte_pktmbuf_free_bulk(out->mbuf + sent, out->n - sent);
		drop_n(s->c, ethdev_is_connected(s->ep) ? DROP_RING_FULL : DROP_PORT_DOWN,
			out->n - sent);
	}
	out->n = 0;
}

/* Appends bytes to the chain `first` ... `*last`; false: no mbuf is left. */
static bool append(const struct ethdev_egress *out, struct rte_mbuf *first, struct rte_mbuf **last,
	const uint8_t *from, size_t len)
{
	while (len > 0) {
		struct rte_mbuf *m = *last;
		uint16_t room = rte_pktmbuf_tailroom(m);
		uint16_t part = len < room ? (uint16_t)len : room;

		rte_memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), from, part);
		m->data_len = (uint16_t)(m->data_len + part);
		from += part;
		len -= part;
		if (len > 0) {
			m->next = rte_pktmbuf_alloc(out->pool);
			if (unlikely(!m->next))
				return false;
			*last = m->next;
			first->nb_segs++;
		}
	}
	return true;
}

static struct rte_mbuf *copy_frame(const struct ethdev_egress *out, const struct frame *f)
{
	struct rte_mbuf *first = rte_pktmbuf_alloc(out->pool), *last = first;
	bool done;

	if (unlikely(!first))
		return NULL;
	done = append(out, first, &last, f->head, f->head_len);
	for (unsigned i = 0; done && i < f->n_segs; i++)
		done = append(out, first, &last, f->seg[i].iov_base, f->seg[i].iov_len);
	first->pkt_len = f->len;
	if (unlikely(!done)) {
		rte_pktmbuf_free(first);
		return NULL;
	}
	return first;
}

/*
 * DPDK asks for checksums in terms of header lengths: only of a frame's own TCP or UDP header, and
 * not behind IPv6 extension headers, which rte_ipv6_phdr_cksum() takes for the transport.
 */
static bool can_mark(const struct frame *f, struct ip_packet *ip)
{
	const struct offload *o = &f->offload;

	return !o->tunnelled && f->l3_offset <= 127 &&
	       ip_parse(f, f->l3_offset, f->ethertype, ip) && !ip->fragment &&
	       ip->l4 == o->csum_start && (!ip->v6 || ip->l4 == ip->l3 + IPV6_HEADER_LEN) &&
	       ((ip->proto == IP_PROTO_TCP && o->csum_offset == TCP_CSUM_OFFSET) ||
		       (ip->proto == IP_PROTO_UDP && o->csum_offset == UDP_CSUM_OFFSET));
}

/* Writes the frame's request, which can_mark() has read, into the mbuf. */
static void mark(struct rte_mbuf *m, const struct frame *f, const struct ip_packet *ip)
{
	const struct offload *o = &f->offload;

	m->l2_len = f->l3_offset;
	m->l3_len = (uint16_t)(ip->l4 - ip->l3);
	m->ol_flags |= ip->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	m->ol_flags |=
		ip->proto == IP_PROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	if (o->gso == GSO_NONE)
		return;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	m->tso_segsz = o->gso_size;
	m->l4_len = o->hdr_len - o->csum_start;
}

/* Queues a frame that the device takes as it is: without a request, or with one it offered. */
static void send_plain(struct sender *s, const struct frame *f)
{
	struct ethdev_egress *out = s->out;
	struct ip_packet ip;
	struct rte_mbuf *m;

	if (unlikely(f->offload.gso == GSO_NONE && f->len > f->l3_offset + s->ep->mtu)) {
		drop(s->c, DROP_MTU);
		return;
	}
	if (out->n == BURST_MAX)
		flush(s);
	m = copy_frame(out, f);
	if (unlikely(!m)) {
		drop(s->c, DROP_RING_FULL);
		return;
	}
	if (f->offload.needs_csum && can_mark(f, &ip))
		mark(m, f, &ip);
	out->is_super[out->n] = f->offload.gso != GSO_NONE;
	out->mbuf[out->n++] = m;
}

static void send_adapted(struct sender *s, const struct frame *f, unsigned caps)
{
	struct segmenter segmenter;
	enum drop_reason why = segment_begin(&segmenter, f, caps);
	struct frame *scratch = &s->out->scratch;

	if (why == OFFLOAD_OK)
		why = segment_charge(&segmenter, &s->budget);
	if (why != OFFLOAD_OK) {
		drop(s->c, why);
		return;
	}
	while (segment_next(&segmenter, scratch)) {
		counter_add(&s->c->checksummed, !scratch->offload.needs_csum);
		send_plain(s, scratch);
	}
	counter_add(&s->c->segmented, f->offload.gso != GSO_NONE);
}

static void send_frame(struct sender *s, const struct frame *f)
{
	unsigned caps = s->ep->caps;
	struct ip_packet ip;

	if (likely(!f->offload.needs_csum)) {
		send_plain(s, f);
		return;
	}
	if (caps && !can_mark(f, &ip))
		caps = 0;
	if (offload_fits(f, caps))
		send_plain(s, f);
	else
		send_adapted(s, f, caps);
}

/* Before they are sent: an echo may be heard at once. */
static void remember(struct ethdev_port *ep, struct frame **frames, unsigned n)
{
	uint32_t now_s = (uint32_t)(rte_rdtsc() / ep->hz);

	for (unsigned i = 0; i < n; i++)
		echo_sent(&ep->echo, frame_src(frames[i]), now_s);
}

void ethdev_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	struct ethdev_port *ep = ethdev_port(p);
	struct sender s = {
		.ep = ep,
		.queue = (uint16_t)(queue % p->n_queues),
		.budget = SEGMENTS_PER_BURST,
		.c = c,
	};

	s.out = &ep->egress[s.queue];
	if (ethdev_is_echoing(ep))
		remember(ep, frames, n);
	rte_spinlock_lock(&s.out->lock);
	for (unsigned i = 0; i < n; i++)
		send_frame(&s, frames[i]);
	flush(&s);
	rte_spinlock_unlock(&s.out->lock);
}
