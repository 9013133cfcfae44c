/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A guest whose rings lie: descriptors, indirect tables, indexes. A lie is told on a running device
 * and most of them must end the connection, so most rounds are: connect, lie, be thrown out.
 */

#include "tests/hostile/hostile.h"

#include <string.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define PIECE         1000
#define TABLE_MAX     65535

typedef void (*lie_fn)(struct assault *a);

/* A connection, one of the lies, and its end. */
static void tell(struct assault *a, const lie_fn *lies, unsigned n)
{
	if (!assault_connect(a, &assault_options))
		return;
	lies[a->round % n](a);
	assault_must_end(a);
}
#define TELL(a, lies) tell(a, lies, N_ELEMENTS(lies))

static struct front_queue *tx(struct assault *a)
{
	return &a->f.queue[FRONT_TX];
}

static void poke(struct assault *a)
{
	assault_offer(a, FRONT_TX, 0);
}

/* Descriptors 0 .. n-1 as a chain that is all right; of its frame only the first piece is set. */
static struct vring_desc *good_chain(struct assault *a, unsigned n)
{
	struct front_queue *q = tx(a);

	for (unsigned i = 0; i < n; i++)
		q->desc[i] = (struct vring_desc) {
			.addr = q->buffers_gpa + PIECE * (i % 64),
			.len = PIECE,
			.flags = i + 1 < n ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
	frame_ethernet((uint8_t *)frontend_at(&a->f, q->buffers_gpa) + frontend_header_len(&a->f));
	return q->desc;
}

/* The last address of the region that holds the transmit buffers, less `back`. */
static uint64_t region_end(struct assault *a, uint64_t back)
{
	for (unsigned i = 0; i < a->f.n_regions; i++) {
		const struct front_region *r = &a->f.region[i];

		if (tx(a)->buffers_gpa - r->gpa < r->size)
			return r->gpa + r->size - back;
	}
	return 0;
}

/* ---- chains ---- */

/* Loops through 1, 2, 3 .. all descriptors of the ring, of one byte or of many each. */
static void descriptor_loop(struct assault *a)
{
	unsigned n = 1 + (unsigned)a->round % 256;
	struct vring_desc *d;

	if (!assault_go_on(a))
		return;
	d = good_chain(a, n);
	d[n - 1].flags = VRING_DESC_F_NEXT;
	d[n - 1].next = (uint16_t)assault_random(a, n);
	for (unsigned i = 0; i < n && a->round & 1; i++)
		d[i].len = 1;
	poke(a);
	assault_settle(a, 200);
}

/* As long as the ring, or an indirect table of up to 65535 entries. */
static void chain_too_long(struct assault *a)
{
	struct vring_desc *d, *table;
	unsigned n = a->round & 2 ? 256 : TABLE_MAX;
	uint64_t at;

	if (!assault_go_on(a))
		return;
	d = good_chain(a, 256);
	if (a->round & 1) {
		at = tx(a)->buffers_gpa + 65536;
		table = frontend_at(&a->f, at);
		for (unsigned i = 0; i < n; i++)
			table[i] = (struct vring_desc) {
				.addr = d[0].addr + i % PIECE,
				.len = 1,
				.flags = i + 1 < n ? VRING_DESC_F_NEXT : 0,
				.next = (uint16_t)(i + 1),
			};
		d[0] = (struct vring_desc) { at, n * 16, VRING_DESC_F_INDIRECT, 0 };
	}
	poke(a);
	assault_settle(a, 200);
}

static void next_beyond_ring(struct assault *a)
{
	good_chain(a, 2)[0].next = tx(a)->size;
	poke(a);
}

static void next_far_beyond(struct assault *a)
{
	good_chain(a, 2)[0].next = UINT16_MAX;
	poke(a);
}

static void head_beyond_ring(struct assault *a)
{
	assault_offer(a, FRONT_TX, tx(a)->size);
}

static void descriptor_beyond(struct assault *a)
{
	TELL(a, ((const lie_fn[]) { next_beyond_ring, next_far_beyond, head_beyond_ring }));
}

/* ---- indirect tables ---- */

/* A table of n good entries in the buffers, descriptor 0 pointing to it. */
static struct vring_desc *good_table(struct assault *a, unsigned n)
{
	struct front_queue *q = tx(a);
	uint64_t at = q->buffers_gpa + 65536;
	struct vring_desc *table = frontend_at(&a->f, at);

	memcpy(table, good_chain(a, n), n * sizeof(*table));
	q->desc[0] = (struct vring_desc) { at, n * 16, VRING_DESC_F_INDIRECT, 0 };
	return table;
}

static void table_loop(struct assault *a)
{
	unsigned n = 1 + (unsigned)assault_random(a, 8);
	struct vring_desc *table = good_table(a, n);

	table[n - 1].flags = VRING_DESC_F_NEXT;
	table[n - 1].next = (uint16_t)assault_random(a, n);
	poke(a);
}

static void table_next_beyond(struct assault *a)
{
	good_table(a, 2)[0].next = 2;
	poke(a);
}

static void indirect_loop(struct assault *a)
{
	TELL(a, ((const lie_fn[]) { table_loop, table_next_beyond }));
}

static void table_in_table(struct assault *a)
{
	good_table(a, 2)[0].flags = VRING_DESC_F_INDIRECT;
	poke(a);
}

/* The table's entry points to the table, for ever. */
static void table_is_its_own(struct assault *a)
{
	good_table(a, 1)[0] = tx(a)->desc[0];
	poke(a);
}

static void table_in_second_entry(struct assault *a)
{
	struct vring_desc *table = good_table(a, 2);

	table[1].flags = VRING_DESC_F_INDIRECT;
	table[1].len = 16;
	poke(a);
}

static void nested_indirect(struct assault *a)
{
	TELL(a, ((const lie_fn[]) { table_in_table, table_is_its_own, table_in_second_entry }));
}

static void indirect_bad_length(struct assault *a)
{
	static const uint32_t lengths[] = { 0, 1, 15, 17, UINT32_MAX, 0xfffffff0, 65536 * 16 };

	if (!assault_connect(a, &assault_options))
		return;
	good_table(a, 2);
	tx(a)->desc[0].len = lengths[a->round % N_ELEMENTS(lengths)];
	poke(a);
	assault_must_end(a);
}

static void table_nowhere(struct assault *a)
{
	good_table(a, 2);
	tx(a)->desc[0].addr = a->round & 4 ? UINT64_MAX - 15 : UINT64_MAX / 2;
	poke(a);
}

static void table_over_the_end(struct assault *a)
{
	good_table(a, 2);
	tx(a)->desc[0].addr = region_end(a, 16);
	poke(a);
}

static void table_with_next(struct assault *a)
{
	good_table(a, 2);
	tx(a)->desc[0].flags |= VRING_DESC_F_NEXT;
	poke(a);
}

static void indirect_bad_place(struct assault *a)
{
	TELL(a, ((const lie_fn[]) { table_nowhere, table_over_the_end, table_with_next }));
}

/* ---- addresses ---- */

static void address_outside(struct assault *a)
{
	struct vring_desc *d;

	if (!assault_connect(a, &assault_options))
		return;
	d = good_chain(a, 3);
	switch (a->round % 4) {
	case 0:
		d[0].addr = 0x7fffffff0000ull;
		break;
	case 1:
		d[1].addr = UINT64_MAX / 2;
		break;
	case 2: /* an address of ours, which is not the guest's */
		d[0].addr = (uintptr_t)a->f.region[0].at;
		break;
	default:
		d[2].addr = region_end(a, 0);
	}
	poke(a);
	assault_must_end(a);
}

static void address_across_regions(struct assault *a)
{
	struct vring_desc *d;

	if (!assault_connect(a, &assault_options))
		return;
	d = good_chain(a, 2);
	d[a->round & 1].addr = region_end(a, 1 + assault_random(a, PIECE - 1));
	poke(a);
	assault_must_end(a);
}

static void address_wraps(struct assault *a)
{
	struct vring_desc *d;

	if (!assault_connect(a, &assault_options))
		return;
	d = good_chain(a, 2);
	d[1].len = UINT32_MAX;
	switch (a->round % 3) {
	case 0:
		d[1].addr = UINT64_MAX - 100;
		break;
	case 1:
		d[1].addr = UINT64_MAX - UINT32_MAX + 1;
		break;
	default: /* a good place and 4 GiB from there */
		break;
	}
	poke(a);
	assault_must_end(a);
}

static void zero_length(struct assault *a)
{
	if (!assault_connect(a, &assault_options))
		return;
	good_chain(a, 3)[a->round % 3].len = 0;
	poke(a);
	assault_must_end(a);
}

static void wrong_direction(struct assault *a)
{
	if (!assault_connect(a, &assault_options))
		return;
	good_chain(a, 3)[a->round % 3].flags |= VRING_DESC_F_WRITE;
	poke(a);
	assault_must_end(a);
}

/* ---- receive buffers; they are looked at when somebody sends to us ---- */

static void receive_buffers_bad(struct assault *a)
{
	struct front_queue *q = &a->f.queue[FRONT_RX];
	struct vring_desc bad;

	if (!assault_connect(a, &assault_options))
		return;
	bad = q->desc[0];
	switch (a->round % 4) {
	case 0:
		bad.flags &= (uint16_t)~VRING_DESC_F_WRITE;
		break;
	case 1:
		bad.addr = UINT64_MAX / 2;
		break;
	case 2:
		bad.len = 0;
		break;
	default:
		bad.flags |= VRING_DESC_F_NEXT;
		bad.next = 0;
	}
	for (unsigned i = 0; i < q->size; i++)
		q->desc[i] = bad;
	assault_must_end(a);
}

/* ---- indexes ---- */

static void index_leaps(struct assault *a)
{
	tx(a)->avail_idx += (uint16_t)(tx(a)->size + 1 + assault_random(a, 1000));
	poke(a);
}

/* By more than a driver that is unloaded can have to take back; poke() adds one. */
static void index_goes_back(struct assault *a)
{
	tx(a)->avail_idx -= (uint16_t)(tx(a)->size + 2 + assault_random(a, 1000));
	poke(a);
}

static void receive_index_leaps(struct assault *a)
{
	a->f.queue[FRONT_RX].avail_idx += 5000;
	assault_offer(a, FRONT_RX, 0);
}

static void avail_jump(struct assault *a)
{
	TELL(a, ((const lie_fn[]) { index_leaps, index_goes_back, receive_index_leaps }));
}

/* Within what a driver that is unloaded may do, back and forth, over good descriptors. */
static void avail_dither(struct assault *a)
{
	struct front_queue *q = tx(a);

	if (!assault_go_on(a))
		return;
	good_chain(a, 1);
	for (unsigned i = 0; i < 64; i++) {
		uint16_t at = (uint16_t)(q->avail_idx + assault_random(a, 8));

		__atomic_store_n(&q->avail->idx, at, __ATOMIC_RELEASE);
		assault_kick(a, FRONT_TX);
		a->n_chains++;
		assault_nap_us(100);
	}
	q->avail_idx = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
}

/* Everything in the rings is noise, and new noise every time. */
static void ring_noise(struct assault *a)
{
	if (!assault_go_on(a))
		return;
	for (unsigned i = 0; i < 2; i++) {
		struct front_queue *q = &a->f.queue[i];

		byte_stream_fill(&a->random, q->desc, 16u * q->size);
		byte_stream_fill(&a->random, q->avail->ring, 2u * q->size);
		byte_stream_fill(&a->random, q->used, 4u + 8u * q->size);
		for (unsigned n = 0; n < q->size; n++)
			q->avail->ring[n] %= q->size;
		assault_offer(a, i, (uint16_t)assault_random(a, q->size));
	}
	assault_settle(a, 2);
}

const struct attack ring_attacks[] = {
	{ "descriptor-loop", "chain_too_long", descriptor_loop, "chains that never end" },
	{ "chain-too-long", "chain_too_long", chain_too_long,
		"chains as long as the ring, indirect tables of 65535 entries" },
	{ "descriptor-beyond", "hangup", descriptor_beyond, "ids beyond the ring" },
	{ "indirect-loop", "hangup", indirect_loop, "loops and links beyond an indirect table" },
	{ "nested-indirect", "hangup", nested_indirect, "indirect tables in indirect tables" },
	{ "indirect-bad-length", "hangup", indirect_bad_length,
		"indirect tables of no, odd or endless length" },
	{ "indirect-bad-place", "hangup", indirect_bad_place,
		"indirect tables outside memory or in the middle of a chain" },
	{ "address-outside", "hangup", address_outside, "buffers outside guest memory" },
	{ "address-across-regions", "hangup", address_across_regions,
		"buffers that begin in a region and end behind it" },
	{ "address-wraps", "hangup", address_wraps, "buffers around the end of the address space" },
	{ "zero-length", "hangup", zero_length, "buffers of no length" },
	{ "wrong-direction", "hangup", wrong_direction, "writable buffers to transmit" },
	{ "receive-buffers-bad", "hangup", receive_buffers_bad,
		"receive buffers that are readable, nowhere, empty or a loop" },
	{ "avail-jump", "hangup", avail_jump, "ring indexes that jump forward and back" },
	{ "avail-dither", "-", avail_dither, "a ring index that goes to and fro" },
	{ "ring-noise", "-", ring_noise, "random descriptors, ids and used rings" },
	{ 0 },
};
