/* SPDX-License-Identifier: BSD-3-Clause */

/* Where frames go: flooding, learning, moving, and never back to where they came from. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define A 0
#define B 1
#define C 2

static struct guests guests;
static struct packet out, in;

static int start(void **state)
{
	guests_start(&guests, 3, NULL);
	for (unsigned i = 0; i < 3; i++)
		guests_connect(&guests, i, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

/* Guest `from` sends a frame between these stations; exactly the guests in `to` (bits) get it. */
static void send_expect(unsigned from, uint8_t dst, uint8_t src, unsigned to, uint32_t seed)
{
	packet_plain(&out, dst, src, 200 + seed, seed);
	guest_send(&guests.f[from], &out);
	guest_check(&guests.f[from], frontend_drain(&guests.f[from], RECV_MS));
	for (unsigned i = 0; i < 3; i++) {
		struct virtio_net_hdr_mrg_rxbuf hdr;

		if (to & 1u << i) {
			guest_recv(&guests.f[i], &in, &hdr);
			assert_int_equal(in.len, out.len);
			assert_memory_equal(in.byte, out.byte, out.len);
		}
		guest_hears_nothing(&guests.f[i]);
	}
}

/* The row of fdb.show for a station, owned by *all; NULL if there is none. */
static json_t *fdb_row(json_t **all, uint8_t station, int vlan)
{
	char mac[18];
	json_t *row;
	size_t i;

	snprintf(mac, sizeof(mac), "02:00:00:00:00:%02x", station);
	*all = testbed_call(&guests.t, "fdb.show");
	json_array_foreach (*all, i, row)
		if (strcmp(json_string_value(json_object_get(row, "mac")), mac) == 0 &&
			json_integer_value(json_object_get(row, "vlan")) == vlan)
			return row;
	return NULL;
}

static void expect_learned(uint8_t station, int vlan, const char *port)
{
	json_t *all, *row = fdb_row(&all, station, vlan);

	if (!port && row)
		fail_msg("station %u should not be known", station);
	if (port && !row)
		fail_msg("station %u is not known", station);
	if (port)
		assert_string_equal(json_string_value(json_object_get(row, "ifname")), port);
	json_decref(all);
}

static void test_flood_and_learn(void **state)
{
	send_expect(A, 9, 1, 1u << B | 1u << C, 1);
	send_expect(A, STATION_ALL, 1, 1u << B | 1u << C, 2);
	expect_learned(1, 0, "a");
	expect_learned(9, 0, NULL);
	send_expect(B, 1, 2, 1u << A, 3);
	send_expect(A, 2, 1, 1u << B, 4);
	send_expect(C, 2, 3, 1u << B, 5);
	send_expect(B, STATION_ALL, 2, 1u << A | 1u << C, 6);
	guests_stop(&guests);
}

static void test_hairpin(void **state)
{
	send_expect(A, 9, 1, 1u << B | 1u << C, 1);
	send_expect(A, 1, 1, 0, 2);
	send_expect(A, 8, 7, 1u << B | 1u << C, 3);
	send_expect(A, 7, 1, 0, 4);
	assert_int_equal(testbed_drops(&guests.t, "a", "hairpin"), 2);
	guests_stop(&guests);
}

static void test_station_moves(void **state)
{
	send_expect(B, STATION_ALL, 9, 1u << A | 1u << C, 1);
	send_expect(A, 9, 1, 1u << B, 2);
	send_expect(C, STATION_ALL, 9, 1u << A | 1u << B, 3);
	send_expect(A, 9, 1, 1u << C, 4);
	expect_learned(9, 0, "c");
	guests_stop(&guests);
}

static void test_group_address_is_not_learned(void **state)
{
	packet_plain(&out, 1, 9, 100, 0);
	out.byte[6] |= 1;
	guest_send(&guests.f[B], &out);
	guest_check(&guests.f[B], frontend_drain(&guests.f[B], RECV_MS));
	for (unsigned i = 0; i < 3; i += 2)
		if (frontend_wait_used(&guests.f[i], &guests.f[i].queue[FRONT_RX], QUIET_MS) == 0)
			guest_recv(&guests.f[i], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	json_t *all = testbed_call(&guests.t, "fdb.show");

	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	guests_stop(&guests);
}

/* A station is known per VLAN; tags pass unchanged. */
static void test_vlans_apart(void **state)
{
	struct packet_spec s = { .dst = 1, .src = 2, .n_vlan = 1, .payload_len = 300, .udp = true };
	struct virtio_net_hdr_mrg_rxbuf hdr;

	packet_build(&out, &s);
	guest_send(&guests.f[B], &out);
	guest_recv(&guests.f[A], &in, &hdr);
	guest_recv(&guests.f[C], &in, &hdr);
	assert_int_equal(in.len, out.len);
	assert_memory_equal(in.byte, out.byte, out.len);
	expect_learned(2, 100, "b");
	expect_learned(2, 0, NULL);
	send_expect(A, 2, 1, 1u << B | 1u << C, 2);
	s.dst = 2;
	s.src = 1;
	packet_build(&out, &s);
	guest_send(&guests.f[A], &out);
	guest_recv(&guests.f[B], &in, &hdr);
	assert_int_equal(in.len, out.len);
	guest_hears_nothing(&guests.f[C]);
	guests_stop(&guests);
}

/* A station behind a guest that has gone is looked for again. */
static void test_guest_that_left(void **state)
{
	send_expect(B, STATION_ALL, 2, 1u << A | 1u << C, 1);
	guests_disconnect(&guests, B);
	packet_plain(&out, 2, 1, 100, 0);
	for (unsigned i = 0; i < 5; i++)
		guest_send(&guests.f[A], &out);
	guest_check(&guests.f[A], frontend_drain(&guests.f[A], RECV_MS));
	guests_connect(&guests, B, &guest_full);
	guests_cross(&guests, B, A, 500, 2);
	while (frontend_wait_used(&guests.f[C], &guests.f[C].queue[FRONT_RX], QUIET_MS) == 0)
		guest_recv(&guests.f[C], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	guests_cross(&guests, A, B, 500, 3);
	guests_stop(&guests);
}

static void test_counters(void **state)
{
	send_expect(B, STATION_ALL, 2, 1u << A | 1u << C, 1);
	for (unsigned i = 0; i < 100; i++)
		guests_cross(&guests, A, B, 1000, i);
	assert_int_equal(testbed_wait_stat(&guests.t, "a", "stats64.rx.packets", 100), 100);
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.bytes"), 100000);
	assert_int_equal(testbed_wait_stat(&guests.t, "b", "stats64.tx.packets", 100), 100);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.bytes"), 100000);
	assert_int_equal(testbed_stat(&guests.t, "c", "stats64.tx.packets"), 1);
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.dropped"), 0);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.dropped"), 0);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flood_and_learn, start, stop),
		cmocka_unit_test_setup_teardown(test_hairpin, start, stop),
		cmocka_unit_test_setup_teardown(test_station_moves, start, stop),
		cmocka_unit_test_setup_teardown(test_group_address_is_not_learned, start, stop),
		cmocka_unit_test_setup_teardown(test_vlans_apart, start, stop),
		cmocka_unit_test_setup_teardown(test_guest_that_left, start, stop),
		cmocka_unit_test_setup_teardown(test_counters, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
