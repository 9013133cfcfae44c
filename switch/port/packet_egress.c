/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/packet_port.h"

#include <errno.h>

#include <rte_branch_prediction.h>

#include "switch/datapath/segment.h"

static enum drop_reason reason_for(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_SOCKET_FULL;
	case EMSGSIZE:
		return DROP_MTU;
	case ENETDOWN:
	case ENXIO:
	case ENODEV:
		return DROP_PORT_DOWN;
	case EFAULT:
		return DROP_MEMORY_GONE;
	default:
		return DROP_REFUSED;
	}
}

/* The kernel refused the message of frame f, and with it nothing else. */
static void refuse(struct packet_queue *q, const struct frame *f, int error, struct counters *c)
{
	drop(c, reason_for(error));
	if (error == EFAULT && f->ingress && f->ingress->ops->memory_gone)
		f->ingress->ops->memory_gone(f->ingress);
}

/* Hands all queued messages to the kernel, skipping those it refuses. */
static void flush(struct packet_queue *q, struct counters *c)
{
	unsigned done = 0;

	while (done < q->n_out) {
		int n = sendmmsg(q->out_fd, q->out_msg + done, q->n_out - done, MSG_DONTWAIT);

		for (int i = 0; i < n; i++)
			count_frame(&c->tx, q->out_frame[done++]);
		if (n > 0)
			continue;
		if (errno != EINTR)
			refuse(q, q->out_frame[done++], errno, c);
	}
	q->n_out = 0;
}

static void enqueue(struct packet_queue *q, const struct frame *f, struct counters *c)
{
	unsigned i = q->n_out++;
	struct iovec *iov = q->out_iov[i];

	offload_encode(f, q->caps, &q->out_hdr[i]);
	iov[0] = (struct iovec) { &q->out_hdr[i], sizeof(q->out_hdr[i]) };
	iov[1] = (struct iovec) { f->head, f->head_len };
	memcpy(iov + 2, f->seg, f->n_segs * sizeof(iov[0]));
	q->out_msg[i].msg_hdr = (struct msghdr) { .msg_iov = iov, .msg_iovlen = 2u + f->n_segs };
	q->out_frame[i] = f;
	if (q->n_out == BURST_MAX)
		flush(q, c);
}

/* Sends a frame in a form that this kernel takes; `budget`: segments that may still be made. */
static void send_adapted(
	struct packet_queue *q, const struct frame *f, unsigned *budget, struct counters *c)
{
	struct segmenter s;
	enum drop_reason why = segment_begin(&s, f, q->caps);
	unsigned n = 0;

	if (why == DROP_TUNNEL_GSO && offload_fits_unsliced(f, q->caps)) {
		enqueue(q, f, c);
		return;
	}
	if (why == OFFLOAD_OK)
		why = segment_charge(&s, budget);
	if (why != OFFLOAD_OK) {
		drop(c, why);
		return;
	}
	flush(q, c); /* scratch may be queued from; n_out and n go together from here */
	while (segment_next(&s, &q->scratch[n])) {
		q->scratch[n].ingress = f->ingress;
		enqueue(q, &q->scratch[n], c);
		n = (n + 1) % BURST_MAX;
	}
	flush(q, c);
	counter_add(&c->segmented, f->offload.gso != GSO_NONE);
}

/* Any socket of a group sends as well as another; the frame's own queue keeps its flow in order. */
void packet_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	struct packet_queue *q = &packet_port(p)->queue[queue % p->n_queues];
	unsigned budget = SEGMENTS_PER_BURST;

	rte_spinlock_lock(&q->egress_lock);
	q->out_fd = packet_fd(q);
	if (unlikely(q->out_fd < 0)) {
		drop_n(c, DROP_PORT_DOWN, n);
		goto out;
	}
	for (unsigned i = 0; i < n; i++) {
		if (likely(offload_fits(frames[i], q->caps)))
			enqueue(q, frames[i], c);
		else
			send_adapted(q, frames[i], &budget, c);
	}
	flush(q, c);
out:
	rte_spinlock_unlock(&q->egress_lock);
}
