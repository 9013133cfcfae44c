/* SPDX-License-Identifier: BSD-3-Clause */

/* Guest memory in many regions, plugged and unplugged while frames lie in it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define REGION_SIZE (1u << 20)

static struct guests guests;
static struct packet out, in;

static int start(void **state)
{
	guests_start(&guests, 2, NULL);
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

/* Sends a frame whose bytes lie in this region. */
static void send_from(struct frontend *f, unsigned region, uint32_t len, uint32_t seed)
{
	struct front_queue *q = frontend_tx(f);
	uint64_t at = f->region[region].gpa + 8192;
	uint8_t *bytes = frontend_at(f, at);
	uint16_t slot;

	guest_check(f, frontend_drain(f, RECV_MS));
	slot = q->free[--q->n_free];
	packet_plain(&out, 2, 1, len, seed);
	memset(bytes, 0, 12);
	memcpy(bytes + 12, out.byte, out.len);
	q->desc[slot] = (struct vring_desc) { .addr = at, .len = 12 + out.len };
	front_queue_offer(q, slot);
	frontend_kick(f);
}

static void expect_frame(struct frontend *f, uint32_t len, uint32_t seed)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;

	guest_recv(f, &in, &hdr);
	packet_plain(&out, 2, 1, len, seed);
	assert_int_equal(in.len, out.len);
	assert_memory_equal(in.byte, out.byte, out.len);
}

static size_t n_regions_shown(unsigned i, bool *all_sealed)
{
	json_t *port = guests_show(&guests, i), *region;
	json_t *memory = json_object_get(json_object_get(port, "peer"), "memory");
	size_t n = json_array_size(memory), at;

	*all_sealed = true;
	json_array_foreach (memory, at, region)
		*all_sealed &= json_is_true(json_object_get(region, "sealed"));
	json_decref(port);
	return n;
}

/* More than a table holds (8), up to what we say we take; frames cross out of each. */
static void test_as_many_regions_as_promised(void **state)
{
	struct frontend *f = &guests.f[0];
	uint64_t slots = 0;
	bool sealed;

	guest_check(f, frontend_get_u64(f, VU_GET_MAX_MEM_SLOTS, &slots));
	assert_int_equal(slots, 32);
	for (unsigned i = 1; i < slots; i++) {
		guest_check(f, frontend_add_region(f, REGION_SIZE));
		guest_check(f, frontend_plug(f, i));
		send_from(f, i, 60 + 200 * i, i);
		expect_frame(&guests.f[1], 60 + 200 * i, i);
	}
	for (unsigned i = 0; i < slots; i++) {
		send_from(f, i, 1000, i);
		expect_frame(&guests.f[1], 1000, i);
	}
	assert_int_equal(n_regions_shown(0, &sealed), slots);
	assert_false(sealed);

	guest_check(f, frontend_add_region(f, REGION_SIZE));
	assert_true(frontend_plug(f, (unsigned)slots) < 0);
	guest_check(f, frontend_wait_hangup(f, RECV_MS));
	guests_connect(&guests, 0, &guest_full);
	guests_cross(&guests, 0, 1, 1000, 1);
	guests_stop(&guests);
}

/* Half of many regions come and go, each while frames of the others are under way. */
static void test_plugged_and_unplugged_under_traffic(void **state)
{
	struct frontend *f = &guests.f[0];
	int maps;

	for (unsigned i = 1; i < 20; i++) {
		guest_check(f, frontend_add_region(f, REGION_SIZE));
		guest_check(f, frontend_plug(f, i));
	}
	maps = testbed_count_maps(&guests.t);
	for (unsigned round = 0; round < 200; round++) {
		unsigned victim = 10 + round % 10, stays = 1 + round % 9;

		send_from(f, stays, 1400, round);
		guest_check(f, frontend_unplug(f, victim));
		expect_frame(&guests.f[1], 1400, round);
		send_from(f, stays, 900, round);
		guest_check(f, frontend_plug(f, victim));
		expect_frame(&guests.f[1], 900, round);
		send_from(f, victim, 800, round);
		expect_frame(&guests.f[1], 800, round);
	}
	assert_true(testbed_count_maps(&guests.t) <= maps + 4);
	guests_stop(&guests);
}

/* A frame in memory that has been taken away costs the guest its connection, nobody else anything.
 */
static void test_frame_in_unplugged_memory(void **state)
{
	struct frontend *f = &guests.f[0];

	guest_check(f, frontend_add_region(f, REGION_SIZE));
	guest_check(f, frontend_plug(f, 1));
	send_from(f, 1, 500, 1);
	expect_frame(&guests.f[1], 500, 1);
	guest_check(f, frontend_unplug(f, 1));
	send_from(f, 1, 500, 2);
	guest_check(f, frontend_wait_hangup(f, RECV_MS));
	guests_connect(&guests, 0, &guest_full);
	guests_cross(&guests, 0, 1, 1000, 1);
	guests_cross(&guests, 1, 0, 1000, 1);
	guests_stop(&guests);
}

static void test_unplugged_twice(void **state)
{
	struct frontend *f = &guests.f[0];

	guest_check(f, frontend_add_region(f, REGION_SIZE));
	guest_check(f, frontend_plug(f, 1));
	guest_check(f, frontend_unplug(f, 1));
	assert_true(frontend_unplug(f, 1) < 0);
	guest_check(f, frontend_wait_hangup(f, RECV_MS));
	guests_stop(&guests);
}

/* Only a file that cannot shrink rules out that the guest's memory vanishes: one can see it. */
static void test_seals_are_shown(void **state)
{
	struct frontend_options o = guest_full;
	bool sealed;

	o.seal = true;
	o.n_regions = 3;
	guests_connect(&guests, 0, &o);
	assert_int_equal(n_regions_shown(0, &sealed), 3);
	assert_true(sealed);
	assert_int_equal(n_regions_shown(1, &sealed), 1);
	assert_false(sealed);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_many_regions_as_promised, start, stop),
		cmocka_unit_test_setup_teardown(
			test_plugged_and_unplugged_under_traffic, start, stop),
		cmocka_unit_test_setup_teardown(test_frame_in_unplugged_memory, start, stop),
		cmocka_unit_test_setup_teardown(test_unplugged_twice, start, stop),
		cmocka_unit_test_setup_teardown(test_seals_are_shown, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
