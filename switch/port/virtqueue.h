/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The device side of a split virtqueue, virtio 1.2 section 2.7, on memory that a guest can write
 * at any time.
 *
 * What protects us, each rule answering a past vulnerability of some vhost back end:
 *  - every index, descriptor and address is loaded once, into a local, and checked there;
 *  - a chain visits at most as many descriptors as its table has, so a loop ends;
 *  - an indirect table is one level deep, must lie in one region, and is read entry by entry;
 *  - a buffer is split where a region ends, never assumed to go on behind it;
 *  - a buffer of the wrong direction, an address nowhere in memory or an index beyond the ring
 *    breaks the ring: nothing it says afterwards is believed until it is set up anew.
 *
 * Work is taken and returned in order: `taken` equals the used index plus the chains the current
 * burst holds. Hence a back end that starts on a running guest resumes from the used index.
 *
 * Thread-safety: the geometry is written by the control thread while the ring is parked; the rest
 * by the one worker that owns the ring (or holds the port's egress lock).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_ring.h>

#include "switch/port/guest_memory.h"

#define VIRTQUEUE_SIZE_MAX 32768

enum virtqueue_state {
	VIRTQUEUE_STOPPED,  /* the worker does not touch it */
	VIRTQUEUE_PARKED,   /* likewise, for the moment it takes the control thread to change it */
	VIRTQUEUE_DISABLED, /* likewise: started, but not enabled by the driver */
	VIRTQUEUE_DRAINING, /* disabled, and what the driver still puts there is discarded */
	VIRTQUEUE_LIVE,
};

/* Why a ring was broken; the text is what `port show` says. */
enum virtqueue_fault {
	VIRTQUEUE_FAULT_NONE,
	VIRTQUEUE_FAULT_INDEX, /* available index more than a ring ahead, or id beyond the ring */
	VIRTQUEUE_FAULT_CHAIN, /* loop, or longer than the ring */
	VIRTQUEUE_FAULT_INDIRECT,  /* nested, not negotiated, bad size or place */
	VIRTQUEUE_FAULT_ADDRESS,   /* buffer outside the guest's memory, or empty */
	VIRTQUEUE_FAULT_DIRECTION, /* writable where it must be readable, or the reverse */
	VIRTQUEUE_FAULT_SIGNAL,    /* the VMM made its call descriptor block */
	VIRTQUEUE_FAULT_MEMORY,    /* the kernel found the guest's memory gone */
	VIRTQUEUE_N_FAULTS
};
extern const char *const virtqueue_fault_text[VIRTQUEUE_N_FAULTS];

struct virtqueue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct guest_memory *memory;
	const struct guest_region *region; /* where the last lookup ended; worker */
	uint16_t size;                     /* a power of two */
	bool event_idx;
	bool indirect;
	uint16_t taken; /* next available entry to look at; control reads (atomic) */
	uint16_t used_idx;
	uint16_t signalled; /* used index at the last signal */
	bool signalled_valid;
	uint8_t state; /* enum virtqueue_state; control writes, workers read (atomic) */
	uint8_t fault; /* enum virtqueue_fault; the worker sets, control reads and clears (atomic)
			*/
	int kick_fd;   /* -1: none */
	int call;      /* descriptor and kind in one word; -1: none. Control sets (atomic) */
	bool *hung;    /* the connection's, see virtqueue_signal(); NULL: nobody keeps it */
} __attribute__((aligned(64)));

/* A ring with nothing set up. Workers may look at its state meanwhile. */
void virtqueue_init(struct virtqueue *vq);

/*
 * Takes over from the memory: resumes at the used index. The three areas, size and memory are
 * set. The guest is owed one signal afterwards.
 */
void virtqueue_start(struct virtqueue *vq);

/*
 * Number of chains the guest offers behind `taken`. 0 and a fault if its index cannot be right.
 */
unsigned virtqueue_available(struct virtqueue *vq);

/* Any thread, while the ring is mapped: what the guest says it offers, unchecked. */
static inline uint16_t virtqueue_offered(const struct virtqueue *vq)
{
	return (uint16_t)(__atomic_load_n(&vq->avail->idx, __ATOMIC_RELAXED) -
			  __atomic_load_n(&vq->taken, __ATOMIC_RELAXED));
}

/* The head descriptor ids of the next n (<= available) chains, descriptors prefetched. */
void virtqueue_peek(struct virtqueue *vq, unsigned n, uint16_t *ids);

/* The head descriptor id of the chain `ahead` places behind `taken`. */
static inline uint16_t virtqueue_id(const struct virtqueue *vq, unsigned ahead)
{
	return __atomic_load_n(
		&vq->avail->ring[(uint16_t)(vq->taken + ahead) & (vq->size - 1)], __ATOMIC_RELAXED);
}

/*
 * Collects the buffers of the chain that begins at descriptor `id` into iov[0 .. max), all of
 * them readable (writable false) or writable, and adds their lengths to *len. Returns their number;
 * -E2BIG if they are more than max (the chain itself may be fine); -EINVAL after setting a fault.
 */
int virtqueue_gather(struct virtqueue *vq, uint16_t id, bool writable, struct iovec *iov,
	unsigned max, uint64_t *len);

/* Writes the i-th used entry behind the published ones; invisible until virtqueue_publish(). */
static inline void virtqueue_put_used(struct virtqueue *vq, unsigned i, uint16_t id, uint32_t len)
{
	struct vring_used_elem *e = &vq->used->ring[(uint16_t)(vq->used_idx + i) & (vq->size - 1)];

	e->id = id;
	e->len = len;
}

/* Returns n chains to the guest: one store of the used index. `taken` moves on as well. */
void virtqueue_publish(struct virtqueue *vq, unsigned n);

/* True if the guest asked to be told about what was published since the last signal. */
bool virtqueue_wants_signal(struct virtqueue *vq);

/*
 * The call descriptor: an eventfd, or (a UML guest) a unix socket. Workers see both facts change at
 * once. Returns the former one, -1 if there was none; a worker may still be writing to it.
 */
int virtqueue_set_call(struct virtqueue *vq, int fd, bool is_socket);

static inline bool virtqueue_call_is_socket(const struct virtqueue *vq)
{
	int call = __atomic_load_n(&vq->call, __ATOMIC_RELAXED);

	return call >= 0 && (call & 1);
}

/* The call descriptor is a socket, and the guest has not read all that was written to it: it has
 * not noticed yet, or it has lost the interrupt (UML, see launcher/storage/lost_calls.h). */
bool virtqueue_call_is_unread(const struct virtqueue *vq);

/*
 * Writes the call descriptor, if there is one. Returns true if it did.
 *
 * The VMM can make that write block; it is interrupted then. The ring is broken and *hung is set,
 * and while that is, no ring that shares it is signalled: a fault ends when its ring is set up
 * anew, which is the VMM's to do, so it does not keep the VMM from having us hang again. A ring
 * that is broken is not signalled either.
 */
bool virtqueue_signal(struct virtqueue *vq);

/*
 * Asks for a kick when the guest's available index moves on from `seen`; true if it has done so
 * already (then no kick will come).
 */
bool virtqueue_arm(struct virtqueue *vq, uint16_t seen);

/* Kicks are not needed for now; a hint. */
void virtqueue_disarm(struct virtqueue *vq);

static inline enum virtqueue_state virtqueue_state(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->state, __ATOMIC_ACQUIRE);
}

/* Marks the ring broken: the first fault is kept. */
void virtqueue_break(struct virtqueue *vq, enum virtqueue_fault fault);

static inline enum virtqueue_fault virtqueue_fault(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->fault, __ATOMIC_RELAXED);
}

/* Disabled and not broken, and not to be left alone. */
static inline bool virtqueue_drains(const struct virtqueue *vq)
{
	return virtqueue_state(vq) == VIRTQUEUE_DRAINING &&
	       virtqueue_fault(vq) == VIRTQUEUE_FAULT_NONE;
}

/* Live and not broken. */
static inline bool virtqueue_usable(const struct virtqueue *vq)
{
	return virtqueue_state(vq) == VIRTQUEUE_LIVE && virtqueue_fault(vq) == VIRTQUEUE_FAULT_NONE;
}
