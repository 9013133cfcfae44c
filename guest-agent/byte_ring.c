/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/byte_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <event2/buffer.h>

int byte_ring_init(struct byte_ring *ring, size_t size)
{
	*ring = (struct byte_ring) { .bytes = malloc(size), .size = size };
	return ring->bytes != NULL ? 0 : -ENOMEM;
}

void byte_ring_free(struct byte_ring *ring)
{
	free(ring->bytes);
	*ring = (struct byte_ring) { 0 };
}

size_t byte_ring_len(const struct byte_ring *ring)
{
	return (size_t)(ring->end - ring->begin);
}

size_t byte_ring_room(const struct byte_ring *ring)
{
	return ring->size - byte_ring_len(ring);
}

uint8_t byte_ring_last(const struct byte_ring *ring)
{
	assert(ring->end > ring->begin);
	return ring->bytes[(ring->head + byte_ring_len(ring) - 1) % ring->size];
}

/* `len` bytes, `skip` behind the head, as at most two pieces; returns how many pieces. */
static int pieces(const struct byte_ring *ring, size_t skip, size_t len, struct iovec iov[2])
{
	size_t at = (ring->head + skip) % ring->size;
	size_t first = len < ring->size - at ? len : ring->size - at;

	iov[0] = (struct iovec) { .iov_base = ring->bytes + at, .iov_len = first };
	iov[1] = (struct iovec) { .iov_base = ring->bytes, .iov_len = len - first };
	return len > first ? 2 : 1;
}

ssize_t byte_ring_fill(struct byte_ring *ring, int fd)
{
	struct iovec iov[2];
	int n = pieces(ring, byte_ring_len(ring), byte_ring_room(ring), iov);
	ssize_t got;

	assert(byte_ring_room(ring) > 0);
	do {
		got = readv(fd, iov, n);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	ring->end += (uint64_t)got;
	return got;
}

ssize_t byte_ring_drain(struct byte_ring *ring, int fd)
{
	struct iovec iov[2];
	int n = pieces(ring, 0, byte_ring_len(ring), iov);
	ssize_t put;

	do {
		put = writev(fd, iov, n);
	} while (put < 0 && errno == EINTR);
	if (put < 0)
		return -errno;
	byte_ring_release(ring, ring->begin + (uint64_t)put);
	return put;
}

void byte_ring_take(struct byte_ring *ring, struct evbuffer *from, size_t len)
{
	struct iovec iov[2];
	int n = pieces(ring, byte_ring_len(ring), len, iov);

	assert(len <= byte_ring_room(ring));
	for (int i = 0; i < n; i++)
		evbuffer_remove(from, iov[i].iov_base, iov[i].iov_len);
	ring->end += len;
}

void byte_ring_put(struct byte_ring *ring, const void *bytes, size_t len)
{
	struct iovec iov[2];
	int n = pieces(ring, byte_ring_len(ring), len, iov);

	assert(len <= byte_ring_room(ring));
	for (int i = 0; i < n; i++, bytes = (const uint8_t *)bytes + iov[0].iov_len)
		memcpy(iov[i].iov_base, bytes, iov[i].iov_len);
	ring->end += len;
}

size_t byte_ring_peek(const struct byte_ring *ring, uint64_t at, const uint8_t **bytes)
{
	struct iovec iov[2];

	assert(at >= ring->begin && at <= ring->end);
	pieces(ring, (size_t)(at - ring->begin), (size_t)(ring->end - at), iov);
	*bytes = iov[0].iov_base;
	return iov[0].iov_len;
}

void byte_ring_release(struct byte_ring *ring, uint64_t upto)
{
	assert(upto >= ring->begin && upto <= ring->end);
	ring->head = (ring->head + (size_t)(upto - ring->begin)) % ring->size;
	ring->begin = upto;
	/* An empty one begins anew: memory that has been used is what caches have. */
	if (ring->begin == ring->end)
		ring->head = 0;
}
