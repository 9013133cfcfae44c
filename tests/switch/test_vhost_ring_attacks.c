/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Guests whose rings lie. A broken ring costs the guest its connection, a chain that is merely
 * too long costs its frame, and neither costs anybody else anything. Each attack is one row of a
 * table: what it is called, what it writes into the ring, and what it must have cost.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/attack.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static struct guests guests;
static struct packet out;

static int start(void **state)
{
	attack_start(&guests);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static void test_chain_too_long(void **state)
{
	struct frontend_options o = guest_full;

	o.tx.n_pieces = 200;
	for (unsigned i = 0; i < 2; i++) {
		o.tx.indirect = i;
		guests_connect(&guests, ATTACKER, &o);
		packet_plain(&out, 2, 1, 1500, 0);
		guest_send(&guests.f[ATTACKER], &out);
		testbed_wait_drops(&guests.t, "a", "chain_too_long", i + 1);
		guest_check(&guests.f[ATTACKER], frontend_drain(&guests.f[ATTACKER], RECV_MS));
		guests_cross(&guests, WITNESS, ATTACKER, 1500, i);
	}
	guests_stop(&guests);
}

/* ---- rings that cannot be right ---- */

/* Offers a chain, and wakes the switch whether it asked for that or not. */
static void offer(struct frontend *f, struct front_queue *q, uint16_t head)
{
	uint64_t one = 1;

	front_queue_offer(q, head);
	if (write(q->kick, &one, sizeof(one)) != sizeof(one))
		fail_msg("kick: %s", strerror(errno));
}

/* The first n descriptors of the transmit queue as a chain that is all right. */
static struct vring_desc *good_chain(struct frontend *f, unsigned n)
{
	struct front_queue *q = &f->queue[FRONT_TX];

	for (unsigned i = 0; i < n; i++)
		q->desc[i] = (struct vring_desc) {
			.addr = q->buffers_gpa + 4096 * i,
			.len = 1000,
			.flags = i + 1 < n ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
	return q->desc;
}

static void poke(struct frontend *f)
{
	offer(f, &f->queue[FRONT_TX], 0);
}

static void address_nowhere(struct frontend *f)
{
	good_chain(f, 1)[0].addr = 0x7fffffff0000ull;
	poke(f);
}

static void address_behind_region(struct frontend *f)
{
	good_chain(f, 1)[0].addr = f->region[0].gpa + f->region[0].size;
	poke(f);
}

static void buffer_over_the_end(struct frontend *f)
{
	good_chain(f, 1)[0].addr = f->region[0].gpa + f->region[0].size - 100;
	poke(f);
}

static void address_wraps(struct frontend *f)
{
	struct vring_desc *d = good_chain(f, 1);

	d[0].addr = UINT64_MAX - 100;
	d[0].len = UINT32_MAX;
	poke(f);
}

static void length_4g(struct frontend *f)
{
	good_chain(f, 1)[0].len = UINT32_MAX;
	poke(f);
}

static void second_piece_nowhere(struct frontend *f)
{
	good_chain(f, 3)[1].addr = UINT64_MAX / 2;
	poke(f);
}

static void loop_of_one(struct frontend *f)
{
	struct vring_desc *d = good_chain(f, 1);

	d[0].flags = VRING_DESC_F_NEXT;
	d[0].next = 0;
	d[0].len = 1;
	poke(f);
}

static void loop_of_two(struct frontend *f)
{
	struct vring_desc *d = good_chain(f, 2);

	d[1].flags = VRING_DESC_F_NEXT;
	d[1].next = 0;
	poke(f);
}

static void next_beyond_ring(struct frontend *f)
{
	good_chain(f, 2)[0].next = f->queue[FRONT_TX].size;
	poke(f);
}

static void head_beyond_ring(struct frontend *f)
{
	offer(f, &f->queue[FRONT_TX], f->queue[FRONT_TX].size);
}

static void index_leaps(struct frontend *f)
{
	f->queue[FRONT_TX].avail_idx += f->queue[FRONT_TX].size + 1;
	poke(f);
}

/* By more than a driver that is unloaded can have to take back. */
static void index_goes_back(struct frontend *f)
{
	f->queue[FRONT_TX].avail_idx -= f->queue[FRONT_TX].size + 2; /* poke() adds one */
	poke(f);
}

static void writable_to_transmit(struct frontend *f)
{
	good_chain(f, 2)[1].flags |= VRING_DESC_F_WRITE;
	poke(f);
}

/* An indirect table of n good entries in the buffers, descriptor 0 pointing to it. */
static struct vring_desc *good_table(struct frontend *f, unsigned n)
{
	struct front_queue *q = &f->queue[FRONT_TX];
	uint64_t at = q->buffers_gpa + 65536;
	struct vring_desc *table = frontend_at(f, at);

	memcpy(table, good_chain(f, n), n * sizeof(*table));
	q->desc[0] = (struct vring_desc) {
		.addr = at,
		.len = n * (uint32_t)sizeof(*table),
		.flags = VRING_DESC_F_INDIRECT,
	};
	return table;
}

static void indirect_unasked(struct frontend *f)
{
	good_table(f, 2);
	poke(f);
}

static void nested_indirect(struct frontend *f)
{
	good_table(f, 2)[0].flags = VRING_DESC_F_INDIRECT;
	poke(f);
}

static void indirect_with_next(struct frontend *f)
{
	good_table(f, 2);
	f->queue[FRONT_TX].desc[0].flags |= VRING_DESC_F_NEXT;
	poke(f);
}

static void indirect_odd_size(struct frontend *f)
{
	good_table(f, 2);
	f->queue[FRONT_TX].desc[0].len = 17;
	poke(f);
}

static void indirect_empty(struct frontend *f)
{
	good_table(f, 2);
	f->queue[FRONT_TX].desc[0].len = 0;
	poke(f);
}

static void indirect_nowhere(struct frontend *f)
{
	good_table(f, 2);
	f->queue[FRONT_TX].desc[0].addr = UINT64_MAX - 15;
	poke(f);
}

static void indirect_over_the_end(struct frontend *f)
{
	good_table(f, 2);
	f->queue[FRONT_TX].desc[0].addr = f->region[0].gpa + f->region[0].size - 16;
	poke(f);
}

static void indirect_loop(struct frontend *f)
{
	struct vring_desc *table = good_table(f, 2);

	table[1].flags = VRING_DESC_F_NEXT;
	table[1].next = 0;
	poke(f);
}

static void indirect_next_beyond(struct frontend *f)
{
	good_table(f, 2)[0].next = 2;
	poke(f);
}

static const struct ring_attack {
	const char *name;
	void (*run)(struct frontend *f);
	uint64_t without;
	const char *drop; /* costs this frame only, counted here; NULL: costs the connection */
} ring_attacks[] = {
	{ "address nowhere", address_nowhere },
	{ "address behind the region", address_behind_region },
	{ "buffer over the region's end", buffer_over_the_end },
	{ "address wraps", address_wraps },
	{ "length of 4 GiB", length_4g },
	{ "second piece nowhere", second_piece_nowhere },
	{ "loop of one", loop_of_one, .drop = "chain_too_long" },
	{ "loop of two", loop_of_two, .drop = "chain_too_long" },
	{ "next beyond the ring", next_beyond_ring },
	{ "head beyond the ring", head_beyond_ring },
	{ "index leaps", index_leaps },
	{ "index goes back", index_goes_back },
	{ "writable piece to transmit", writable_to_transmit },
	{ "indirect in indirect", nested_indirect },
	{ "indirect with next", indirect_with_next },
	{ "indirect table of odd size", indirect_odd_size },
	{ "indirect table empty", indirect_empty },
	{ "indirect table nowhere", indirect_nowhere },
	{ "indirect table over the region's end", indirect_over_the_end },
	{ "loop in indirect table", indirect_loop },
	{ "next beyond indirect table", indirect_next_beyond },
	{ "indirect not negotiated", indirect_unasked, VF_INDIRECT },
};

static void test_ring_attacks(void **state)
{
	struct frontend_options o = guest_full;

	for (unsigned i = 0; i < N_ELEMENTS(ring_attacks); i++) {
		const struct ring_attack *attack = &ring_attacks[i];
		int64_t before = testbed_stat(&guests.t, "a", "stats64.rx.dropped"), drops;

		o.features = ~attack->without;
		guests_connect(&guests, ATTACKER, &o);
		guests_cross(&guests, ATTACKER, WITNESS, 100, i);
		guest_check(&guests.f[ATTACKER], frontend_drain(&guests.f[ATTACKER], RECV_MS));
		drops = attack->drop ? testbed_drops(&guests.t, "a", attack->drop) : 0;
		attack->run(&guests.f[ATTACKER]);
		if (attack->drop)
			testbed_wait_drops(&guests.t, "a", attack->drop, drops + 1);
		else
			attack_expect_hangup(&guests, attack->name);
		attack_others_go_on(&guests, attack->name, i);
		if (testbed_stat(&guests.t, "a", "stats64.rx.dropped") < before)
			fail_msg("%s: counters went back", attack->name);
	}
	assert_true(testbed_drops(&guests.t, "a", "bad_descriptor") > 0);
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 9000, 1);
	guests_stop(&guests);
}

/* ---- receive rings that cannot be right ---- */

static void rx_readable(struct frontend *f)
{
	f->queue[FRONT_RX].desc[0].flags &= (uint16_t)~VRING_DESC_F_WRITE;
}

static void rx_nowhere(struct frontend *f)
{
	f->queue[FRONT_RX].desc[0].addr = UINT64_MAX / 2;
}

static void rx_empty(struct frontend *f)
{
	f->queue[FRONT_RX].desc[0].len = 0;
}

static void rx_loop(struct frontend *f)
{
	struct vring_desc *d = f->queue[FRONT_RX].desc;

	d[0].flags |= VRING_DESC_F_NEXT;
	d[0].next = 0;
}

static const struct ring_attack rx_attacks[] = {
	{ "readable buffer to receive", rx_readable },
	{ "receive buffer nowhere", rx_nowhere },
	{ "receive buffer empty", rx_empty },
	{ "receive buffer loops", rx_loop },
};

static void test_receive_ring_attacks(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];

	for (unsigned i = 0; i < N_ELEMENTS(rx_attacks); i++) {
		guests_connect(&guests, ATTACKER, &guest_full);
		guests_cross(&guests, ATTACKER, WITNESS, 100, i);
		rx_attacks[i].run(f);
		for (unsigned n = 0; n < f->queue[FRONT_RX].size; n++)
			f->queue[FRONT_RX].desc[n] = f->queue[FRONT_RX].desc[0];
		packet_plain(&out, 1, 2, 1000, i);
		guest_send(&guests.f[WITNESS], &out);
		attack_expect_hangup(&guests, rx_attacks[i].name);
		attack_others_go_on(&guests, rx_attacks[i].name, i);
	}
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_chain_too_long, start, stop),
		cmocka_unit_test_setup_teardown(test_ring_attacks, start, stop),
		cmocka_unit_test_setup_teardown(test_receive_ring_attacks, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
