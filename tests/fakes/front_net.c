/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fakes/front_net.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Slots. A queue's descriptors are dealt out once: slot i owns descriptors [i*n, (i+1)*n) of the
 * main table, or one descriptor and its own indirect table, and one buffer. A slot's chain runs
 * through its descriptors backwards and free slots are a stack, so neither the ids on the rings
 * nor the `next` links come in ascending order.
 *
 * A buffer's pieces lie apart, with GUARD bytes of a known pattern around each. Receiving checks
 * the pattern: a device that writes past a piece is found at once.
 */

#define GUARD      64
#define GUARD_BYTE 0xa5

struct cut {
	uint32_t offset; /* in the slot's memory */
	uint32_t len;
};

uint32_t frontend_header_len(const struct frontend *f)
{
	if (f->options.no_header)
		return 0;
	return f->features & (VF_VERSION_1 | VF_MRG_RXBUF) ? 12 : 10;
}

/* Cuts `total` bytes as the layout says. Returns the number of pieces; none is empty. */
static unsigned cut_buffer(
	const struct front_layout *l, uint32_t header_len, uint32_t total, struct cut *out)
{
	uint32_t first = l->first_piece == FRONT_HEADER ? header_len : l->first_piece;
	unsigned n_rest = l->n_pieces ? l->n_pieces : 1, n = 0;
	uint32_t offset = GUARD;

	if (first && first < total) {
		out[n++] = (struct cut) { offset, first };
		offset += first + GUARD;
		total -= first;
	}
	for (unsigned i = 0; i < n_rest; i++) {
		uint32_t len = total / (n_rest - i);

		if (!len)
			continue;
		out[n++] = (struct cut) { offset, len };
		offset += len + GUARD;
		total -= len;
	}
	return n;
}

static unsigned slot_cuts(
	const struct frontend *f, const struct front_queue *q, uint32_t len, struct cut *out)
{
	return cut_buffer(&q->layout, frontend_header_len(f), len, out);
}

static uint64_t slot_gpa(const struct front_queue *q, unsigned slot)
{
	return q->buffers_gpa + (uint64_t)slot * q->stride;
}

uint16_t frontend_describe(
	struct frontend *f, struct front_queue *q, unsigned slot, uint32_t len, bool device_writes)
{
	struct cut cut[FRONT_CUTS_MAX];
	unsigned n = slot_cuts(f, q, len, cut);
	uint64_t table_gpa = q->tables_gpa + (uint64_t)slot * q->table_len * sizeof(*q->desc);
	struct vring_desc *table = q->layout.indirect ? frontend_at(f, table_gpa) : q->desc;
	unsigned first = q->layout.indirect ? 0 : slot * q->n_per_slot;
	uint16_t flags = device_writes ? VRING_DESC_F_WRITE : 0;

	/* Backwards; but the first entry of an indirect table is always its head. */
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i == 0 && q->layout.indirect ? 0 : first + n - i;
		unsigned next = first + n - i - 1;

		at -= q->layout.indirect ? 0 : 1;
		next -= q->layout.indirect ? 0 : 1;
		table[at] = (struct vring_desc) {
			.addr = slot_gpa(q, slot) + cut[i].offset,
			.len = cut[i].len,
			.flags = flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			.next = i + 1 < n ? (uint16_t)next : 0,
		};
	}
	if (!q->layout.indirect)
		return (uint16_t)(first + n - 1);
	q->desc[slot] = (struct vring_desc) {
		.addr = table_gpa,
		.len = n * (uint32_t)sizeof(*table),
		.flags = VRING_DESC_F_INDIRECT,
	};
	return (uint16_t)slot;
}

static unsigned slot_of(const struct front_queue *q, uint32_t id)
{
	return id / q->n_per_slot;
}

/* ---- notification ---- */

/* virtio 1.2, 2.7.10: each ring is followed by the index at which its writer wants to be told. */
static volatile uint16_t *used_event(const struct front_queue *q)
{
	return (volatile uint16_t *)(void *)(q->avail->ring + q->size);
}

static volatile uint16_t *avail_event(const struct front_queue *q)
{
	return (volatile uint16_t *)(void *)(q->used->ring + q->size);
}

void front_queue_offer(struct front_queue *q, uint16_t head)
{
	q->avail->ring[q->avail_idx % q->size] = head;
	q->avail_idx++;
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
}

void front_queue_kick(struct front_queue *q, uint16_t old_idx, bool event_idx)
{
	uint64_t one = 1;
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (event_idx) {
		uint16_t event = *avail_event(q);

		wanted = vring_need_event(event, q->avail_idx, old_idx);
	} else {
		wanted = !(*(volatile uint16_t *)&q->used->flags & VRING_USED_F_NO_NOTIFY);
	}
	if (wanted && write(q->kick, &one, sizeof(one)) == sizeof(one))
		q->n_kicks++;
}

static uint16_t queue_used_now(const struct front_queue *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
}

/* Asks for a signal with the next used entry; true if there is one already. */
static bool queue_arm(struct frontend *f, struct front_queue *q)
{
	if (f->features & VF_EVENT_IDX)
		*used_event(q) = q->used_idx;
	else
		*(volatile uint16_t *)&q->avail->flags = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return queue_used_now(q) != q->used_idx;
}

static void queue_disarm(struct frontend *f, struct front_queue *q)
{
	if (!(f->features & VF_EVENT_IDX))
		*(volatile uint16_t *)&q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

/* 1: signalled; 0: nothing in time; negative: hung up. */
static int queue_sleep(struct frontend *f, struct front_queue *q, int64_t deadline)
{
	struct pollfd p[2] = {
		{ .fd = q->call, .events = POLLIN },
		{ .fd = f->sock, .events = POLLRDHUP },
	};
	int64_t left = deadline - frontend_now_ms();
	uint64_t count;

	if (poll(p, 2, left > 0 ? (int)left : 0) < 0 && errno != EINTR)
		return frontend_fail(f, -errno, "poll: %s", strerror(errno));
	if (p[0].revents & POLLIN) {
		if (read(q->call, &count, sizeof(count)) == sizeof(count))
			q->n_signals += count;
		return 1;
	}
	if (p[1].revents)
		return frontend_fail(f, -ECONNRESET, "the backend hung up");
	return 0;
}

/* How long after an entry was used its signal may still be on its way. */
#define SIGNAL_GRACE_MS 5000

static int queue_wait(struct frontend *f, struct front_queue *q, int timeout_ms)
{
	int64_t deadline = frontend_now_ms() + timeout_ms;

	for (;;) {
		int r;

		if (queue_arm(f, q))
			return 0;
		r = queue_sleep(f, q, deadline);
		if (r < 0)
			return r;
		if (queue_used_now(q) != q->used_idx) {
			if (r == 0 && queue_sleep(f, q, frontend_now_ms() + SIGNAL_GRACE_MS) == 0)
				return frontend_fail(f, -EPROTO,
					"ring %u: lost interrupt, used %u, seen %u", q->index,
					queue_used_now(q), q->used_idx);
			return 0;
		}
		if (frontend_now_ms() >= deadline)
			return frontend_fail(
				f, -ETIMEDOUT, "ring %u: nothing in %d ms", q->index, timeout_ms);
	}
}

int frontend_wait_used(struct frontend *f, struct front_queue *q, int timeout_ms)
{
	int r;

	if (queue_used_now(q) != q->used_idx)
		return 0;
	r = queue_wait(f, q, timeout_ms);
	queue_disarm(f, q);
	return r;
}

/* Takes one used entry. Returns its slot or a negative errno. */
static int queue_take(struct frontend *f, struct front_queue *q, uint32_t *len)
{
	struct vring_used_elem e = q->used->ring[q->used_idx % q->size];

	if (slot_of(q, e.id) >= q->n_slots)
		return frontend_fail(f, -EPROTO, "ring %u: used id %u", q->index, e.id);
	for (unsigned i = 0; i < q->n_free; i++)
		if (q->free[i] == slot_of(q, e.id))
			return frontend_fail(
				f, -EPROTO, "ring %u: id %u used twice", q->index, e.id);
	q->used_idx++;
	q->free[q->n_free++] = (uint16_t)slot_of(q, e.id);
	*len = e.len;
	return (int)slot_of(q, e.id);
}

/* ---- transmit ---- */

static int tx_reap(struct frontend *f)
{
	struct front_queue *q = frontend_tx(f);
	uint32_t len;

	while (queue_used_now(q) != q->used_idx) {
		int slot = queue_take(f, q, &len);

		if (slot < 0)
			return slot;
		if (len)
			return frontend_fail(f, -EPROTO, "tx: device wrote %u bytes", len);
	}
	return 0;
}

static int tx_slot(struct frontend *f)
{
	struct front_queue *q = frontend_tx(f);
	int r = tx_reap(f);

	if (r == 0 && !q->n_free) {
		r = frontend_wait_used(f, q, f->options.timeout_ms);
		if (r == 0)
			r = tx_reap(f);
	}
	return r < 0 ? r : q->free[--q->n_free];
}

/* Lays `len` bytes out over the slot's pieces. */
static void slot_write(struct frontend *f, struct front_queue *q, unsigned slot,
	const uint8_t *bytes, uint32_t len)
{
	struct cut cut[FRONT_CUTS_MAX];
	unsigned n = slot_cuts(f, q, len, cut);
	uint8_t *at = frontend_at(f, slot_gpa(q, slot));

	for (unsigned i = 0; i < n; i++) {
		memcpy(at + cut[i].offset, bytes, cut[i].len);
		bytes += cut[i].len;
	}
}

static int tx_frame(
	struct frontend *f, const struct iovec *iov, unsigned n, const struct virtio_net_hdr *hdr)
{
	uint32_t len = frontend_header_len(f);
	int slot;

	memset(f->scratch, 0, len);
	if (hdr)
		memcpy(f->scratch, hdr, sizeof(*hdr));
	for (unsigned i = 0; i < n; i++) {
		if (len + iov[i].iov_len > FRONT_FRAME_MAX + 12)
			return frontend_fail(f, -EMSGSIZE, "frame too long for a buffer");
		memcpy(f->scratch + len, iov[i].iov_base, iov[i].iov_len);
		len += (uint32_t)iov[i].iov_len;
	}
	slot = tx_slot(f);
	if (slot < 0)
		return slot;
	slot_write(f, frontend_tx(f), (unsigned)slot, f->scratch, len);
	front_queue_offer(
		frontend_tx(f), frontend_describe(f, frontend_tx(f), (unsigned)slot, len, false));
	return 0;
}

void frontend_kick(struct frontend *f)
{
	struct front_queue *q = frontend_tx(f);

	front_queue_kick(q, q->kicked_idx, f->features & VF_EVENT_IDX);
	q->kicked_idx = q->avail_idx;
}

int frontend_queue_frame(
	struct frontend *f, const struct iovec *iov, unsigned n, const struct virtio_net_hdr *hdr)
{
	struct front_queue *q = frontend_tx(f);

	/* Waiting for room with work that the device was never told of would wait for ever. */
	if (!q->n_free && q->kicked_idx != q->avail_idx)
		frontend_kick(f);
	return tx_frame(f, iov, n, hdr);
}

int frontend_send(
	struct frontend *f, const struct iovec *iov, unsigned n, const struct virtio_net_hdr *hdr)
{
	int r = frontend_queue_frame(f, iov, n, hdr);

	if (r == 0)
		frontend_kick(f);
	return r;
}

int frontend_drain(struct frontend *f, int timeout_ms)
{
	struct front_queue *q = frontend_tx(f);
	int64_t deadline = frontend_now_ms() + timeout_ms;
	int r = tx_reap(f);

	while (r == 0 && q->n_free < q->n_slots) {
		r = frontend_wait_used(f, q, (int)(deadline - frontend_now_ms()));
		if (r == 0)
			r = tx_reap(f);
	}
	return r;
}

/* ---- receive ---- */

static void rx_offer(struct frontend *f, unsigned slot)
{
	struct front_queue *q = frontend_rx(f);
	struct cut cut[FRONT_CUTS_MAX];
	unsigned n = slot_cuts(f, q, q->layout.buffer_size, cut);
	uint8_t *at = frontend_at(f, slot_gpa(q, slot));

	for (unsigned i = 0; i < n; i++) {
		memset(at + cut[i].offset - GUARD, GUARD_BYTE, GUARD);
		memset(at + cut[i].offset + cut[i].len, GUARD_BYTE, GUARD);
	}
	front_queue_offer(q, frontend_describe(f, q, slot, q->layout.buffer_size, true));
}

void frontend_fill(struct frontend *f)
{
	struct front_queue *q = frontend_rx(f);
	uint16_t old_idx = q->avail_idx;

	while (q->n_free)
		rx_offer(f, q->free[--q->n_free]);
	if (q->avail_idx != old_idx && q->kick >= 0)
		front_queue_kick(q, old_idx, f->features & VF_EVENT_IDX);
}

static bool guard_intact(const uint8_t *at)
{
	for (unsigned i = 0; i < GUARD; i++)
		if (at[i] != GUARD_BYTE)
			return false;
	return true;
}

/* Gathers `len` bytes of the slot. */
static int slot_read(struct frontend *f, unsigned slot, uint32_t len, uint8_t *out)
{
	struct front_queue *q = frontend_rx(f);
	struct cut cut[FRONT_CUTS_MAX];
	unsigned n = slot_cuts(f, q, q->layout.buffer_size, cut);
	const uint8_t *at = frontend_at(f, slot_gpa(q, slot));

	for (unsigned i = 0; i < n; i++) {
		uint32_t part = len < cut[i].len ? len : cut[i].len;

		if (!guard_intact(at + cut[i].offset - GUARD) ||
			!guard_intact(at + cut[i].offset + cut[i].len))
			return frontend_fail(f, -EPROTO, "rx: device wrote outside a buffer");
		memcpy(out, at + cut[i].offset, part);
		out += part;
		len -= part;
	}
	return 0;
}

/* Appends the next used buffer to the scratch. */
static int rx_buffer(struct frontend *f, uint32_t *total)
{
	struct front_queue *q = frontend_rx(f);
	uint32_t len = 0;
	int slot = queue_take(f, q, &len), r;

	if (slot < 0)
		return slot;
	if (len > q->layout.buffer_size || *total + len > FRONT_FRAME_MAX + 4096)
		return frontend_fail(f, -EPROTO, "rx: used length %u of a buffer of %u", len,
			q->layout.buffer_size);
	r = slot_read(f, (unsigned)slot, len, f->scratch + *total);
	*total += len;
	return r;
}

static int rx_frame(struct frontend *f, struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	struct front_queue *q = frontend_rx(f);
	uint32_t header_len = frontend_header_len(f), total = 0;
	int r = rx_buffer(f, &total);

	if (r < 0)
		return r;
	if (total < header_len)
		return frontend_fail(f, -EPROTO, "rx: %u bytes, shorter than a header", total);
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, f->scratch, header_len);
	if (header_len < 12)
		hdr->num_buffers = 1;
	if (hdr->num_buffers == 0 || (hdr->num_buffers > 1 && !(f->features & VF_MRG_RXBUF)))
		return frontend_fail(f, -EPROTO, "rx: num_buffers %u", hdr->num_buffers);
	for (unsigned i = 1; i < hdr->num_buffers; i++) {
		if (queue_used_now(q) == q->used_idx)
			return frontend_fail(f, -EPROTO, "rx: %u of %u buffers in the used ring", i,
				hdr->num_buffers);
		r = rx_buffer(f, &total);
		if (r < 0)
			return r;
	}
	return (int)total;
}

ssize_t frontend_recv(struct frontend *f, void *buf, size_t size,
	struct virtio_net_hdr_mrg_rxbuf *hdr, int timeout_ms)
{
	uint32_t header_len = frontend_header_len(f);
	int r = frontend_wait_used(f, frontend_rx(f), timeout_ms);

	if (r < 0)
		return r;
	r = rx_frame(f, hdr);
	if (r < 0)
		return r;
	frontend_fill(f);
	if ((size_t)r - header_len > size)
		return frontend_fail(
			f, -EMSGSIZE, "rx: frame of %u bytes", (unsigned)r - header_len);
	memcpy(buf, f->scratch + header_len, (size_t)r - header_len);
	return r - (ssize_t)header_len;
}
