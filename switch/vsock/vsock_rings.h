/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Packets through the guest's rings: ring 0 is what the guest receives, ring 1 what it sends, ring
 * 2 (events) is never used.
 *
 * Payload is not copied here. What the guest sends is handed on where it lies in the guest's
 * memory; what a socket has for it is received straight into the guest's buffers, many of them with
 * one system call, and the headers are written afterwards, when it is known how much came.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "switch/port/virtqueue.h"
#include "switch/vsock/vsock_packet.h"

#define VSOCK_RING_RX   0
#define VSOCK_RING_TX   1
#define VSOCK_N_RINGS   3
#define VSOCK_IOV_MAX   256 /* pieces of one chain, or of all that are filled at once */
#define VSOCK_BURST_MAX 32  /* chains filled, or taken, at once */

struct vsock_rings {
	struct virtqueue *rx, *tx;
	bool rx_published, tx_published; /* since the guest was last told */
	bool rx_signalled, tx_signalled; /* since somebody last set these to false */
};

/* The driver runs: both rings do. */
static inline bool vsock_rings_up(const struct vsock_rings *r)
{
	return virtqueue_usable(r->rx) && virtqueue_usable(r->tx);
}

/* What becomes of a packet that the guest sent; `payload` may be shorter or longer than the header
 * says. False: the guest's memory is gone. */
typedef bool vsock_take_fn(
	void *ctx, const struct vsock_packet *p, const struct iovec *payload, unsigned n);

/*
 * Takes up to `max` (<= VSOCK_BURST_MAX) packets from the guest and returns their number. Chains
 * too short for a header, or cut into more pieces than anybody needs, come out as they are judged
 * by take(): with less payload than they promise, or not at all.
 */
unsigned vsock_rings_take(struct vsock_rings *r, unsigned max, vsock_take_fn *take, void *ctx);

/* Sends a packet without payload. False: the guest has no buffer for it. */
bool vsock_rings_put(struct vsock_rings *r, const struct vsock_packet *p);

/*
 * Receives up to `max` bytes from a socket into at most `n_chains` of the guest's buffers, each as
 * a packet with p's header. Returns the bytes, 0 at the end of the stream; -ENOBUFS: the guest has
 * no buffers; or the errno of readv(2) (-EAGAIN: the socket has nothing; -EFAULT: the guest's
 * memory is gone). Nothing has been sent then. *n_used: chains it took.
 */
ssize_t vsock_rings_receive(struct vsock_rings *r, int fd, const struct vsock_packet *p,
	uint32_t max, unsigned n_chains, unsigned *n_used);

/* Tells the guest what it wants to be told. */
void vsock_rings_signal(struct vsock_rings *r);
