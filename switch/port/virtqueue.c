/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/virtqueue.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unix_socket.h"

const char *const virtqueue_fault_text[VIRTQUEUE_N_FAULTS] = {
	[VIRTQUEUE_FAULT_NONE] = "",
	[VIRTQUEUE_FAULT_INDEX] = "the guest's ring index or a descriptor id lies beyond its ring",
	[VIRTQUEUE_FAULT_CHAIN] =
		"the guest's descriptors form a loop or a chain longer than its ring",
	[VIRTQUEUE_FAULT_INDIRECT] = "the guest used an indirect descriptor table it may not use",
	[VIRTQUEUE_FAULT_ADDRESS] = "a guest buffer is empty or lies outside the guest's memory",
	[VIRTQUEUE_FAULT_DIRECTION] =
		"a guest buffer is writable where it must be readable, or reverse",
	[VIRTQUEUE_FAULT_SIGNAL] = "the VMM's call descriptor blocks",
	[VIRTQUEUE_FAULT_MEMORY] = "the guest's memory vanished (its file was truncated)",
};

#define LOAD(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

void virtqueue_init(struct virtqueue *vq)
{
	memset(vq, 0, offsetof(struct virtqueue, state));
	__atomic_store_n(&vq->state, VIRTQUEUE_STOPPED, __ATOMIC_RELEASE);
	STORE(vq->fault, VIRTQUEUE_FAULT_NONE);
	vq->kick_fd = -1;
	STORE(vq->call, -1);
	vq->hung = NULL;
}

/* With EVENT_IDX: the guest's used_event sits behind the available ring, our avail_event behind
 * the used ring. */
static uint16_t *used_event(struct virtqueue *vq)
{
	return &vq->avail->ring[vq->size];
}

static uint16_t *avail_event(struct virtqueue *vq)
{
	return (uint16_t *)&vq->used->ring[vq->size];
}

void virtqueue_start(struct virtqueue *vq)
{
	vq->used_idx = LOAD(vq->used->idx);
	STORE(vq->taken, vq->used_idx);
	vq->signalled_valid = false;
	vq->region = NULL;
	__atomic_store_n(&vq->fault, VIRTQUEUE_FAULT_NONE, __ATOMIC_RELAXED);
	virtqueue_disarm(vq);
}

void virtqueue_break(struct virtqueue *vq, enum virtqueue_fault fault)
{
	if (virtqueue_fault(vq) == VIRTQUEUE_FAULT_NONE)
		__atomic_store_n(&vq->fault, fault, __ATOMIC_RELEASE);
}

unsigned virtqueue_available(struct virtqueue *vq)
{
	uint16_t n = (uint16_t)(__atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) - vq->taken);

	/* A driver that is unloaded takes its buffers back, and its index with them; UML's says so
	 * to the device only afterwards. */
	if ((uint16_t)-n <= vq->size)
		return 0;
	if (n > vq->size) {
		virtqueue_break(vq, VIRTQUEUE_FAULT_INDEX);
		return 0;
	}
	return n;
}

void virtqueue_peek(struct virtqueue *vq, unsigned n, uint16_t *ids)
{
	for (unsigned i = 0; i < n; i++) {
		ids[i] = virtqueue_id(vq, i);
		__builtin_prefetch(&vq->desc[ids[i] & (vq->size - 1)]);
	}
}

/* One descriptor, loaded once: the barrier keeps the compiler from reading the guest's again. */
static inline struct vring_desc load_desc(const struct vring_desc *d)
{
	struct vring_desc copy;

	memcpy(&copy, d, sizeof(copy));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return copy;
}

static const struct guest_region *find_region(struct virtqueue *vq, uint64_t addr)
{
	const struct guest_region *r = vq->region;

	if (r && addr - r->guest_addr < r->size)
		return r;
	r = guest_memory_find(vq->memory, addr);
	if (r)
		vq->region = r;
	return r;
}

/* Appends one buffer, split where regions end. Returns pieces added, -E2BIG or -EINVAL. */
static int add_buffer(
	struct virtqueue *vq, uint64_t addr, uint32_t len, struct iovec *iov, unsigned room)
{
	unsigned n = 0;

	do {
		const struct guest_region *r = find_region(vq, addr);
		uint64_t offset, part;

		if (!r)
			return -EINVAL;
		if (n == room)
			return -E2BIG;
		offset = addr - r->guest_addr;
		part = r->size - offset < len ? r->size - offset : len;
		iov[n].iov_base = r->host + offset;
		iov[n].iov_len = part;
		n++;
		addr += part;
		len -= (uint32_t)part;
	} while (len > 0);
	return (int)n;
}

/* The table an indirect descriptor points to, *n entries; NULL after setting a fault. */
static const struct vring_desc *indirect_table(
	struct virtqueue *vq, const struct vring_desc *d, unsigned *n)
{
	const struct guest_region *r = find_region(vq, d->addr);
	uint64_t offset;

	if (!vq->indirect || d->flags & VRING_DESC_F_NEXT || d->len == 0 ||
		d->len % sizeof(struct vring_desc) || d->len / sizeof(struct vring_desc) > 65535 ||
		!r) {
		virtqueue_break(vq, VIRTQUEUE_FAULT_INDIRECT);
		return NULL;
	}
	offset = d->addr - r->guest_addr;
	if (d->len > r->size - offset) {
		virtqueue_break(vq, VIRTQUEUE_FAULT_INDIRECT);
		return NULL;
	}
	*n = d->len / sizeof(struct vring_desc);
	return (const struct vring_desc *)(r->host + offset);
}

static int fault(struct virtqueue *vq, enum virtqueue_fault reason)
{
	virtqueue_break(vq, reason);
	return -EINVAL;
}

int virtqueue_gather(struct virtqueue *vq, uint16_t id, bool writable, struct iovec *iov,
	unsigned max, uint64_t *len)
{
	const struct vring_desc *table = vq->desc;
	unsigned n_table = vq->size, n = 0;
	struct vring_desc d;
	int added;

	if (id >= n_table)
		return fault(vq, VIRTQUEUE_FAULT_INDEX);
	d = load_desc(&table[id]);
	if (d.flags & VRING_DESC_F_INDIRECT) {
		table = indirect_table(vq, &d, &n_table);
		if (!table)
			return -EINVAL;
		d = load_desc(&table[0]);
	}

	for (unsigned visited = 1;; visited++) {
		if (d.flags & VRING_DESC_F_INDIRECT)
			return fault(vq, VIRTQUEUE_FAULT_INDIRECT);
		if (!(d.flags & VRING_DESC_F_WRITE) == writable)
			return fault(vq, VIRTQUEUE_FAULT_DIRECTION);
		if (d.len == 0)
			return fault(vq, VIRTQUEUE_FAULT_ADDRESS);
		added = add_buffer(vq, d.addr, d.len, iov + n, max - n);
		if (added == -EINVAL)
			return fault(vq, VIRTQUEUE_FAULT_ADDRESS);
		if (added < 0)
			return added;
		n += (unsigned)added;
		*len += d.len;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return (int)n;
		if (visited == n_table)
			return fault(vq, VIRTQUEUE_FAULT_CHAIN);
		if (d.next >= n_table)
			return fault(vq, VIRTQUEUE_FAULT_CHAIN);
		d = load_desc(&table[d.next]);
	}
}

void virtqueue_publish(struct virtqueue *vq, unsigned n)
{
	STORE(vq->taken, (uint16_t)(vq->taken + n));
	vq->used_idx = (uint16_t)(vq->used_idx + n);
	__atomic_store_n(&vq->used->idx, vq->used_idx, __ATOMIC_RELEASE);
}

bool virtqueue_wants_signal(struct virtqueue *vq)
{
	uint16_t old = vq->signalled, now = vq->used_idx;
	bool valid = vq->signalled_valid;

	/* The used index must be visible before we look whether the guest waits for it: it stores
	 * its wish and looks at the index in the opposite order. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(LOAD(vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	vq->signalled = now;
	vq->signalled_valid = true;
	return !valid || vring_need_event(LOAD(*used_event(vq)), now, old);
}

int virtqueue_set_call(struct virtqueue *vq, int fd, bool is_socket)
{
	int call = fd < 0 ? -1 : 2 * fd + is_socket; /* Linux has no descriptors from 2^30 on */
	int old = __atomic_exchange_n(&vq->call, call, __ATOMIC_ACQ_REL);

	return old < 0 ? -1 : old / 2;
}

static bool may_signal(const struct virtqueue *vq)
{
	return virtqueue_fault(vq) == VIRTQUEUE_FAULT_NONE && !(vq->hung && LOAD(*vq->hung));
}

static void signal_hung(struct virtqueue *vq)
{
	if (vq->hung)
		STORE(*vq->hung, true);
	virtqueue_break(vq, VIRTQUEUE_FAULT_SIGNAL);
}

bool virtqueue_call_is_unread(const struct virtqueue *vq)
{
	int call = __atomic_load_n(&vq->call, __ATOMIC_ACQUIRE);

	return call >= 0 && (call & 1) && unix_unread(call / 2) > 0;
}

bool virtqueue_signal(struct virtqueue *vq)
{
	int call = __atomic_load_n(&vq->call, __ATOMIC_ACQUIRE);
	uint64_t one = 1;
	ssize_t n;

	if (call < 0 || !may_signal(vq))
		return false;
	if (call & 1)
		n = send(call / 2, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(call / 2, &one, sizeof(one));
	/* Only a write that blocked is interrupted: workers_quiesce() in control/workers.c. */
	if (n < 0 && errno == EINTR)
		signal_hung(vq);
	return n == sizeof(one);
}

bool virtqueue_arm(struct virtqueue *vq, uint16_t seen)
{
	if (vq->event_idx)
		STORE(*avail_event(vq), seen);
	else
		STORE(vq->used->flags, 0);
	/* The wish must be visible before we look again: the guest publishes its index and looks at
	 * the wish in the opposite order. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return LOAD(vq->avail->idx) != seen;
}

void virtqueue_disarm(struct virtqueue *vq)
{
	/* With EVENT_IDX nothing needs to be written: the guest kicks once when it passes the stale
	 * event index, at most every 65536 entries. */
	if (!vq->event_idx)
		STORE(vq->used->flags, VRING_USED_F_NO_NOTIFY);
}
