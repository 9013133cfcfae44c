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
static void refuse(struct packet_port *pp, const struct frame *f, int error, struct counters *c)
{
	drop(c, reason_for(error));
	if (error == EFAULT && f->ingress && f->ingress->ops->memory_gone)
		f->ingress->ops->memory_gone(f->ingress);
}

/* Hands all queued messages to the kernel, skipping those it refuses. */
static void flush(struct packet_port *pp, struct counters *c)
{
	unsigned done = 0;

	while (done < pp->n_out) {
		int n = sendmmsg(pp->fd, pp->out_msg + done, pp->n_out - done, MSG_DONTWAIT);

		for (int i = 0; i < n; i++)
			count_frame(&c->tx, pp->out_frame[done++]);
		if (n > 0)
			continue;
		if (errno != EINTR)
			refuse(pp, pp->out_frame[done++], errno, c);
	}
	pp->n_out = 0;
}

static void enqueue(struct packet_port *pp, const struct frame *f, struct counters *c)
{
	unsigned i = pp->n_out++;
	struct iovec *iov = pp->out_iov[i];

	offload_encode(f, pp->caps, &pp->out_hdr[i]);
	iov[0] = (struct iovec) { &pp->out_hdr[i], sizeof(pp->out_hdr[i]) };
	iov[1] = (struct iovec) { f->head, f->head_len };
	memcpy(iov + 2, f->seg, f->n_segs * sizeof(iov[0]));
	pp->out_msg[i].msg_hdr = (struct msghdr) { .msg_iov = iov, .msg_iovlen = 2u + f->n_segs };
	pp->out_frame[i] = f;
	if (pp->n_out == BURST_MAX)
		flush(pp, c);
}

/* Sends a frame in a form that this kernel takes. */
static void send_adapted(struct packet_port *pp, const struct frame *f, struct counters *c)
{
	struct segmenter s;
	enum drop_reason why = segment_begin(&s, f, pp->caps);
	unsigned n = 0;

	if (why == DROP_TUNNEL_GSO && offload_fits_unsliced(f, pp->caps)) {
		enqueue(pp, f, c);
		return;
	}
	if (why != OFFLOAD_OK) {
		drop(c, why);
		return;
	}
	flush(pp, c); /* scratch may be queued from; n_out and n go together from here */
	while (segment_next(&s, &pp->scratch[n])) {
		pp->scratch[n].ingress = f->ingress;
		enqueue(pp, &pp->scratch[n], c);
		n = (n + 1) % BURST_MAX;
	}
	flush(pp, c);
	c->segmented += f->offload.gso != GSO_NONE;
}

void packet_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	struct packet_port *pp = packet_port(p);

	rte_spinlock_lock(&pp->egress_lock);
	for (unsigned i = 0; i < n; i++) {
		if (likely(offload_fits(frames[i], pp->caps)))
			enqueue(pp, frames[i], c);
		else
			send_adapted(pp, frames[i], c);
	}
	flush(pp, c);
	rte_spinlock_unlock(&pp->egress_lock);
}
