/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Bytes of a stream on their way, in a buffer of fixed size. A byte is known by its offset in the
 * stream: those from `begin` to `end` are here. What is released makes room.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct evbuffer;

struct byte_ring {
	uint8_t *bytes;
	size_t size;
	size_t head; /* where the byte `begin` is */
	uint64_t begin, end;
};

int byte_ring_init(struct byte_ring *ring, size_t size); /* -ENOMEM */
void byte_ring_free(struct byte_ring *ring);             /* also one that is all zeroes */

size_t byte_ring_len(const struct byte_ring *ring);
size_t byte_ring_room(const struct byte_ring *ring);
uint8_t byte_ring_last(const struct byte_ring *ring); /* of those here, at least one */

/* One read into the room there is, which must be some. As read(2), but negative errno. */
ssize_t byte_ring_fill(struct byte_ring *ring, int fd);

/* One write of what is here; what was written is released. As write(2), but negative errno. */
ssize_t byte_ring_drain(struct byte_ring *ring, int fd);

/* Moves `len` bytes, for which there must be room, from the front of `from`. */
void byte_ring_take(struct byte_ring *ring, struct evbuffer *from, size_t len);

/* Adds `len` bytes, for which there must be room. */
void byte_ring_put(struct byte_ring *ring, const void *bytes, size_t len);

/* The bytes from offset `at` on, which must be here: *bytes, and how many are in one piece. */
size_t byte_ring_peek(const struct byte_ring *ring, uint64_t at, const uint8_t **bytes);

/* Releases all bytes before offset `upto`, which must be here, or the end. */
void byte_ring_release(struct byte_ring *ring, uint64_t upto);
