/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A guest's rings as the guest wrote them, walked the way both directions of a port walk them. The
 * input:
 *
 *    1 byte   flags: 1 indirect, 2 event index, 4 walk as a receive queue (writable buffers)
 *    1 byte   room for pieces, 1 to 64
 *    the rest the guest's memory from its beginning, zeros behind: the descriptor table of 16, the
 *             available ring at 0x100, the used ring at 0x140, anything at all behind
 *
 * Every byte that a gathered buffer names must lie in guest memory, and the lengths must add up:
 * the buffers are read (or written) to let the sanitizer judge. Two regions that are neighbours for
 * the guest are allocations of their own here.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/port/virtqueue.h"

#define SIZE         16
#define AVAIL        0x100
#define USED         0x140
#define BASE         0x1000u /* guest address of the first region */
#define REGION       0x400u
#define IOV_MAX_FUZZ 64

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct iovec *iov, unsigned n, bool writable, uint64_t len)
{
	volatile uint8_t sum = 0;
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = iov[i].iov_base;

		must(iov[i].iov_len > 0 && iov[i].iov_len <= REGION);
		total += iov[i].iov_len;
		sum += p[0] + p[iov[i].iov_len - 1];
		if (writable && p[0] == 0xee)
			p[0] = 0xef;
	}
	(void)sum;
	must(total == len);
}

/* What a port does with a burst. False: the ring is broken. */
static bool walk(struct virtqueue *vq, bool writable, unsigned room)
{
	unsigned n = virtqueue_available(vq);
	uint16_t ids[SIZE];

	must(n <= SIZE);
	if (virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE)
		return false;
	virtqueue_peek(vq, n, ids);
	for (unsigned i = 0; i < n; i++) {
		struct iovec iov[IOV_MAX_FUZZ];
		uint64_t len = 0;
		int got = virtqueue_gather(vq, ids[i], writable, iov, room, &len);

		must(got <= (int)room);
		must((got == -EINVAL) == (virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE));
		if (got == -EINVAL)
			return false;
		must(got > 0 || got == -E2BIG);
		if (got > 0)
			touch(iov, (unsigned)got, writable, len);
		virtqueue_put_used(vq, i, ids[i], (uint32_t)len);
	}
	virtqueue_publish(vq, n);
	(void)virtqueue_wants_signal(vq);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *low = aligned_alloc(64, REGION), *high = aligned_alloc(64, REGION);
	struct guest_memory memory = {
		.n = 2,
		.region = {
			{ .guest_addr = BASE, .size = REGION, .host = low },
			{ .guest_addr = BASE + REGION, .size = REGION, .host = high },
		},
	};
	struct virtqueue vq;

	if (size >= 2 && low && high) {
		size_t n_low = size - 2 < REGION ? size - 2 : REGION;
		size_t n_high = size - 2 - n_low < REGION ? size - 2 - n_low : REGION;

		memset(low, 0, REGION);
		memset(high, 0, REGION);
		memcpy(low, data + 2, n_low);
		memcpy(high, data + 2 + n_low, n_high);
		virtqueue_init(&vq);
		vq.size = SIZE;
		vq.memory = &memory;
		vq.indirect = data[0] & 1;
		vq.event_idx = data[0] & 2;
		vq.desc = (struct vring_desc *)low;
		vq.avail = (struct vring_avail *)(low + AVAIL);
		vq.used = (struct vring_used *)(low + USED);
		virtqueue_start(&vq);
		for (unsigned round = 0; round < 2; round++)
			if (!walk(&vq, data[0] & 4, data[1] % IOV_MAX_FUZZ + 1))
				break;
		(void)virtqueue_arm(&vq, vq.taken);
	}
	free(low);
	free(high);
	return 0;
}
