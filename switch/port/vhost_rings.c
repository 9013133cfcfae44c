/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_rings.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

#include "lib/cleanup.h"

static_assert(VHOST_RINGS_MAX <= 32, "one bit of `owed` each");

static void set_state(struct virtqueue *vq, enum virtqueue_state state)
{
	__atomic_store_n(&vq->state, state, __ATOMIC_RELEASE);
}

static unsigned first_of(unsigned ring)
{
	return ring == VHOST_ALL_RINGS ? 0 : ring;
}

static unsigned end_of(const struct vhost_user *vu, unsigned ring)
{
	return ring == VHOST_ALL_RINGS ? vu->offer.n_rings : ring + 1;
}

void vhost_rings_park(struct vhost_user *vu, unsigned ring)
{
	if (vu->hooks)
		vu->hooks->parking(vu, ring);
	for (unsigned i = first_of(ring); i < end_of(vu, ring); i++)
		if (virtqueue_state(&vu->ring[i]) != VIRTQUEUE_STOPPED)
			set_state(&vu->ring[i], VIRTQUEUE_PARKED);
	vu->host->quiesce(vu->host->ctx);
}

/* Finds the ring's three areas in our mapping; false if any is not where it was promised. */
static bool map_ring(struct vhost_user *vu, unsigned i)
{
	const struct vhost_ring_setup *s = &vu->setup[i];
	struct virtqueue *vq = &vu->ring[i];
	uint64_t n = s->size;

	vq->size = s->size;
	vq->memory = &vu->memory;
	vq->region = NULL;
	vq->event_idx = vhost_user_has(vu, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = vhost_user_has(vu, VIRTIO_RING_F_INDIRECT_DESC);
	vq->desc = guest_memory_from_user(&vu->memory, s->desc, n * sizeof(struct vring_desc));
	vq->avail = guest_memory_from_user(&vu->memory, s->avail, 6 + 2 * n);
	vq->used = guest_memory_from_user(&vu->memory, s->used, 6 + 8 * n);
	/* An odd offset into the file would make aligned addresses of the VMM's unaligned here. */
	return vq->desc && vq->avail && vq->used && !((uintptr_t)vq->desc & 15) &&
	       !((uintptr_t)vq->avail & 1) && !((uintptr_t)vq->used & 3);
}

static bool ring_enabled(const struct vhost_user *vu, unsigned i)
{
	const struct vhost_ring_setup *s = &vu->setup[i];

	/* UML drops the feature and sends SET_VRING_ENABLE all the same: at reset, to have its ring
	 * left alone before it frees the memory. */
	return s->enable_told ? s->enabled : !vhost_user_has(vu, VHOST_F_PROTOCOL_FEATURES);
}

/*
 * A guest that sends by fewer queues than before has frames left in the others; its TCP waits for
 * them to come back. So a disabled transmit ring is drained, as the specification has it; but not
 * for peers without the feature, see ring_enabled().
 */
static enum virtqueue_state disabled_state(const struct vhost_user *vu, unsigned i)
{
	/* UML disables its only pair to have it left alone. */
	if (i & 1 && vu->offer.n_rings > 2 && vhost_user_has(vu, VHOST_F_PROTOCOL_FEATURES))
		return VIRTQUEUE_DRAINING;
	return VIRTQUEUE_DISABLED;
}

/* Derives the ring's state. */
static void resume_ring(struct vhost_user *vu, unsigned i)
{
	struct vhost_ring_setup *s = &vu->setup[i];
	struct virtqueue *vq = &vu->ring[i];

	if (!s->started || !s->has_addr || s->size == 0 || !map_ring(vu, i)) {
		s->running = false;
		set_state(vq, VIRTQUEUE_STOPPED);
		return;
	}
	if (!s->running) {
		virtqueue_start(vq);
		s->running = true;
		vhost_rings_owe(vu, i);
	}
	if (virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE)
		set_state(vq, VIRTQUEUE_STOPPED);
	else
		set_state(vq, ring_enabled(vu, i) ? VIRTQUEUE_LIVE : disabled_state(vu, i));
}

void vhost_rings_resume(struct vhost_user *vu, unsigned ring)
{
	if (vu->hooks)
		vu->hooks->resuming(vu, ring);
	for (unsigned i = first_of(ring); i < end_of(vu, ring); i++)
		resume_ring(vu, i);
	if (vu->hooks)
		vu->hooks->resumed(vu, ring);
	/* Also if none runs: somebody may be asleep until one that has stopped makes room. */
	vu->host->wake(vu->host->ctx);
}

void vhost_rings_drop_kick(struct vhost_user *vu, unsigned ring)
{
	struct virtqueue *vq = &vu->ring[ring];

	if (vq->kick_fd < 0)
		return;
	vu->host->unwatch(vu->host->ctx, vq->kick_fd);
	close(steal_fd(&vq->kick_fd));
}

void vhost_rings_owe(struct vhost_user *vu, unsigned ring)
{
	__atomic_fetch_or(&vu->owed, 1u << ring, __ATOMIC_RELEASE);
	vu->host->wake(vu->host->ctx);
}

int vhost_rings_pay(struct vhost_user *vu, unsigned pair)
{
	uint32_t mine = 3u << 2 * pair;
	uint32_t owed = __atomic_fetch_and(&vu->owed, ~mine, __ATOMIC_ACQUIRE) & mine;

	for (unsigned i = 2 * pair; i < 2 * pair + 2; i++)
		if (owed >> i & 1)
			(void)virtqueue_signal(&vu->ring[i]);
	return vhost_user_hung(vu) ? -EIO : 0;
}
