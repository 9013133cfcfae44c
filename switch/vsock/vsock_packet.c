/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_packet.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static_assert(VSOCK_HEADER_LEN == 44, "virtio 1.2, 5.10.6: struct virtio_vsock_hdr");

bool vsock_packet_decode(struct vsock_packet *p, const struct iovec *iov, unsigned n)
{
	struct virtio_vsock_hdr h;
	size_t have = 0;

	for (unsigned i = 0; i < n && have < sizeof(h); i++) {
		size_t room = sizeof(h) - have;
		size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;

		memcpy((uint8_t *)&h + have, iov[i].iov_base, part);
		have += part;
	}
	if (have < sizeof(h))
		return false;
	*p = (struct vsock_packet) {
		.src_cid = le64toh(h.src_cid),
		.dst_cid = le64toh(h.dst_cid),
		.src_port = le32toh(h.src_port),
		.dst_port = le32toh(h.dst_port),
		.len = le32toh(h.len),
		.type = le16toh(h.type),
		.op = le16toh(h.op),
		.flags = le32toh(h.flags),
		.buf_alloc = le32toh(h.buf_alloc),
		.fwd_cnt = le32toh(h.fwd_cnt),
	};
	return true;
}

void vsock_packet_encode(const struct vsock_packet *p, const struct iovec *iov, unsigned n)
{
	const struct virtio_vsock_hdr h = {
		.src_cid = htole64(p->src_cid),
		.dst_cid = htole64(p->dst_cid),
		.src_port = htole32(p->src_port),
		.dst_port = htole32(p->dst_port),
		.len = htole32(p->len),
		.type = htole16(p->type),
		.op = htole16(p->op),
		.flags = htole32(p->flags),
		.buf_alloc = htole32(p->buf_alloc),
		.fwd_cnt = htole32(p->fwd_cnt),
	};
	size_t done = 0;

	for (unsigned i = 0; i < n && done < sizeof(h); i++) {
		size_t left = sizeof(h) - done;
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		memcpy(iov[i].iov_base, (const uint8_t *)&h + done, part);
		done += part;
	}
}

size_t vsock_iov_len(const struct iovec *iov, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

unsigned vsock_iov_part(
	const struct iovec *in, unsigned n, size_t skip, size_t len, struct iovec *out)
{
	unsigned n_out = 0;

	for (unsigned i = 0; i < n && len > 0; i++) {
		size_t part;

		if (skip >= in[i].iov_len) {
			skip -= in[i].iov_len;
			continue;
		}
		part = in[i].iov_len - skip < len ? in[i].iov_len - skip : len;
		out[n_out++] = (struct iovec) { (uint8_t *)in[i].iov_base + skip, part };
		len -= part;
		skip = 0;
	}
	return n_out;
}
