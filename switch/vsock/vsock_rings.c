/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_rings.h"

#include <errno.h>

/* The chain's buffers; 0: the ring is broken. One of too many pieces is as long as those there is
 * room for: virtqueue_gather() has filled them all then. */
static unsigned gather(struct virtqueue *vq, unsigned ahead, bool writable, struct iovec *iov,
	unsigned room, uint16_t *id)
{
	uint64_t len = 0;
	int n;

	*id = virtqueue_id(vq, ahead);
	n = virtqueue_gather(vq, *id, writable, iov, room, &len);
	if (n == -E2BIG)
		return room;
	return n < 0 ? 0 : (unsigned)n;
}

unsigned vsock_rings_take(struct vsock_rings *r, unsigned max, vsock_take_fn *take, void *ctx)
{
	struct iovec iov[VSOCK_IOV_MAX], payload[VSOCK_IOV_MAX];
	unsigned n = virtqueue_usable(r->tx) ? virtqueue_available(r->tx) : 0, taken = 0;
	bool good = true;

	if (n > max)
		n = max;
	while (taken < n && good) {
		struct vsock_packet p;
		uint16_t id;
		unsigned n_iov = gather(r->tx, taken, false, iov, VSOCK_IOV_MAX, &id);

		if (n_iov == 0)
			break;
		if (vsock_packet_decode(&p, iov, n_iov))
			good = take(ctx, &p, payload,
				vsock_iov_part(iov, n_iov, VSOCK_HEADER_LEN, SIZE_MAX, payload));
		virtqueue_put_used(r->tx, taken++, id, 0);
	}
	virtqueue_publish(r->tx, taken);
	r->tx_published |= taken > 0;
	if (!good)
		virtqueue_break(r->tx, VIRTQUEUE_FAULT_MEMORY);
	return taken;
}

/* A buffer in which no packet fits goes back as it is. */
static void skip_buffer(struct vsock_rings *r, uint16_t id)
{
	virtqueue_put_used(r->rx, 0, id, 0);
	virtqueue_publish(r->rx, 1);
	r->rx_published = true;
}

bool vsock_rings_put(struct vsock_rings *r, const struct vsock_packet *p)
{
	struct iovec iov[VSOCK_IOV_MAX];
	unsigned n = virtqueue_usable(r->rx) ? virtqueue_available(r->rx) : 0;

	while (n-- > 0) {
		uint16_t id;
		unsigned n_iov = gather(r->rx, 0, true, iov, VSOCK_IOV_MAX, &id);

		if (n_iov == 0)
			return false;
		if (vsock_iov_len(iov, n_iov) < VSOCK_HEADER_LEN) {
			skip_buffer(r, id);
			continue;
		}
		vsock_packet_encode(p, iov, n_iov);
		virtqueue_put_used(r->rx, 0, id, VSOCK_HEADER_LEN);
		virtqueue_publish(r->rx, 1);
		r->rx_published = true;
		return true;
	}
	return false;
}

/* Buffers about to be filled. */
struct fill {
	unsigned n_chains;
	struct {
		uint16_t id;
		uint16_t first, n; /* pieces */
		uint32_t payload;
	} chain[VSOCK_BURST_MAX];
	struct iovec iov[VSOCK_IOV_MAX]; /* of whole chains */
	unsigned n_iov;
	struct iovec payload[VSOCK_IOV_MAX];
	unsigned n_payload;
};

/* One more chain, for up to `max` bytes. False: there is none that would do. */
static bool add_chain(struct vsock_rings *r, struct fill *f, uint32_t max)
{
	struct iovec *iov = f->iov + f->n_iov;
	unsigned room = VSOCK_IOV_MAX - f->n_iov, n;
	uint16_t id;
	size_t len;

	if (room == 0)
		return false;
	n = gather(r->rx, f->n_chains, true, iov, room, &id);
	if (n == 0 || (n == room && f->n_chains > 0))
		return false; /* perhaps not all of it: it is a chain of its own next time */
	len = vsock_iov_len(iov, n);
	if (len <= VSOCK_HEADER_LEN) {
		if (f->n_chains == 0)
			skip_buffer(r, id);
		return false;
	}
	len = len - VSOCK_HEADER_LEN < max ? len - VSOCK_HEADER_LEN : max;
	f->chain[f->n_chains].id = id;
	f->chain[f->n_chains].first = (uint16_t)f->n_iov;
	f->chain[f->n_chains].n = (uint16_t)n;
	f->chain[f->n_chains++].payload = (uint32_t)len;
	f->n_iov += n;
	f->n_payload += vsock_iov_part(iov, n, VSOCK_HEADER_LEN, len, f->payload + f->n_payload);
	return true;
}

static void collect(struct vsock_rings *r, struct fill *f, uint32_t max, unsigned n_chains)
{
	unsigned n = virtqueue_usable(r->rx) ? virtqueue_available(r->rx) : 0;

	f->n_chains = f->n_iov = f->n_payload = 0;
	/* Those that are skipped count: nobody makes this long. */
	for (unsigned looked = 0; looked < n && f->n_chains < n_chains && max > 0; looked++) {
		if (!add_chain(r, f, max) && (f->n_chains > 0 || !virtqueue_usable(r->rx)))
			return;
		if (f->n_chains > 0)
			max -= f->chain[f->n_chains - 1].payload;
	}
}

/* The headers of the chains that `len` bytes went to. Returns their number. */
static unsigned finish(
	struct vsock_rings *r, const struct fill *f, const struct vsock_packet *p, size_t len)
{
	struct vsock_packet header = *p;
	unsigned i;

	for (i = 0; i < f->n_chains && len > 0; i++) {
		size_t part = f->chain[i].payload < len ? f->chain[i].payload : len;

		header.len = (uint32_t)part;
		vsock_packet_encode(&header, f->iov + f->chain[i].first, f->chain[i].n);
		virtqueue_put_used(r->rx, i, f->chain[i].id, (uint32_t)(VSOCK_HEADER_LEN + part));
		len -= part;
	}
	virtqueue_publish(r->rx, i);
	r->rx_published |= i > 0;
	return i;
}

ssize_t vsock_rings_receive(struct vsock_rings *r, int fd, const struct vsock_packet *p,
	uint32_t max, unsigned n_chains, unsigned *n_used)
{
	struct fill f;
	ssize_t n;

	*n_used = 0;
	collect(r, &f, max, n_chains < VSOCK_BURST_MAX ? n_chains : VSOCK_BURST_MAX);
	if (f.n_chains == 0)
		return -ENOBUFS;
	n = readv(fd, f.payload, (int)f.n_payload);
	if (n < 0)
		return -errno;
	*n_used = finish(r, &f, p, (size_t)n);
	return n;
}

static void signal_ring(struct virtqueue *vq, bool *published, bool *signalled)
{
	if (*published && virtqueue_usable(vq) && virtqueue_wants_signal(vq))
		*signalled |= virtqueue_signal(vq);
	*published = false;
}

void vsock_rings_signal(struct vsock_rings *r)
{
	signal_ring(r->rx, &r->rx_published, &r->rx_signalled);
	signal_ring(r->tx, &r->tx_published, &r->tx_signalled);
}
