/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A packet's header (virtio 1.2, 5.10.6) in our byte order, and the buffers it comes and goes in:
 * a guest may cut those anywhere, also in the middle of the header.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_vsock.h>

#define VSOCK_CID_HOST    2
#define VSOCK_HEADER_LEN  sizeof(struct virtio_vsock_hdr)
#define VSOCK_SHUTDOWN_RW (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

struct vsock_packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len; /* of the payload */
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc; /* the sender's buffer for this connection */
	uint32_t fwd_cnt;   /* bytes that have left it, modulo 2^32 */
};

/* Reads the header at the front of iov[0 .. n). False: they are too short for one. */
bool vsock_packet_decode(struct vsock_packet *p, const struct iovec *iov, unsigned n);

/* Writes it there; they are long enough. */
void vsock_packet_encode(const struct vsock_packet *p, const struct iovec *iov, unsigned n);

size_t vsock_iov_len(const struct iovec *iov, unsigned n);

/* The part [skip, skip + len) of in[0 .. n), or as much of it as there is, in out[0 .. n). Returns
 * the number of pieces; none is empty. */
unsigned vsock_iov_part(
	const struct iovec *in, unsigned n, size_t skip, size_t len, struct iovec *out);
