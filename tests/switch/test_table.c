/* SPDX-License-Identifier: BSD-3-Clause */

/* The forwarding table as users see it: static addresses, limits, flushes, and a flood of one port.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define A 0
#define B 1
#define C 2

#define N_FLOOD   10240
#define N_BURST   32
#define AGEING_MS 60000 /* 10 s, and what it takes to notice */

static struct guests guests;
static struct packet out, in;
static struct virtio_net_hdr_mrg_rxbuf hdr;

static int start(void **state)
{
	guests_start(&guests, 3, "\"fdb-size\":1024");
	for (unsigned i = 0; i < 3; i++)
		guests_connect(&guests, i, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

/* "PORT static" or "PORT learned", or "" */
static const char *row_of(const char *mac, int vlan)
{
	static char said[64];
	json_t *all = testbed_call(&guests.t, "fdb.show"), *row;
	size_t i;

	said[0] = '\0';
	json_array_foreach (all, i, row)
		if (strcmp(json_string_value(json_object_get(row, "mac")), mac) == 0 &&
			json_integer_value(json_object_get(row, "vlan")) == vlan)
			snprintf(said, sizeof(said), "%s %s",
				json_string_value(json_object_get(row, "ifname")),
				json_string_value(json_object_get(row, "state")));
	json_decref(all);
	return said;
}

static int64_t addresses(const char *port, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "addresses.%s", what);
	return testbed_stat(&guests.t, port, path);
}

/* A frame for everybody from a station behind `from`. */
static void speak(unsigned from, uint8_t station)
{
	packet_plain(&out, STATION_ALL, station, 100, station);
	guest_send(&guests.f[from], &out);
	for (unsigned i = 0; i < 3; i++)
		if (i != from)
			guest_recv(&guests.f[i], &in, &hdr);
}

static void test_static(void **state)
{
	static const char nine[] = "02:00:00:00:00:09";

	testbed_do(&guests.t, "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"b\"}");
	testbed_do(
		&guests.t, "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"c\",\"vlan\":5}");
	assert_string_equal(row_of(nine, 0), "b static");
	assert_string_equal(row_of(nine, 5), "c static");
	guests_cross(&guests, A, B, 100, 1); /* floods: station 2 is not known */
	guest_recv(&guests.f[C], &in, &hdr);

	/* It does not move to who says so, and its frames go where it is tied to. */
	speak(C, 9);
	assert_string_equal(row_of(nine, 0), "b static");
	assert_int_equal(addresses("c", "static_conflicts"), 1);
	packet_plain(&out, 9, 1, 100, 1);
	guest_send(&guests.f[A], &out);
	guest_recv(&guests.f[B], &in, &hdr);
	guest_hears_nothing(&guests.f[C]);

	/* Nor does it go with what was learned. */
	assert_string_equal(row_of("02:00:00:00:00:01", 0), "a learned");
	testbed_do(&guests.t, "fdb.flush", NULL);
	assert_string_equal(row_of("02:00:00:00:00:01", 0), "");
	assert_string_equal(row_of(nine, 0), "b static");
	testbed_do(&guests.t, "fdb.flush", "{\"port\":\"b\"}");
	assert_string_equal(row_of(nine, 0), "b static");
	assert_int_equal(addresses("b", "static_now"), 1);

	/* It moves by order, and goes by order. */
	testbed_do(&guests.t, "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"c\"}");
	assert_string_equal(row_of(nine, 0), "c static");
	testbed_do(&guests.t, "fdb.del", "{\"mac\":\"02:00:00:00:00:09\"}");
	assert_string_equal(row_of(nine, 0), "");
	assert_string_equal(row_of(nine, 5), "c static");
	testbed_do(&guests.t, "port.del", "{\"name\":\"c\"}");
	assert_string_equal(row_of(nine, 5), "");
	guests_stop(&guests);
}

/* One of the file stays through reloads and its port's replacement; one by order does not. */
static void test_static_of_the_file(void **state)
{
	static const char *const other[] = { NULL, "\"mergeable\":false", NULL };
	static const char setting[] =
		"\"fdb-size\":1024,\"fdb-static\":[{\"mac\":\"02:00:00:00:00:09\",\"port\":\"b\"}]";

	testbed_do(&guests.t, "fdb.add", "{\"mac\":\"02:00:00:00:00:08\",\"port\":\"b\"}");
	testbed_write_config(&guests.t, guests_ports(3, NULL), setting);
	testbed_reload(
		&guests.t, "address-added 02:00:00:00:00:09, address-removed 02:00:00:00:00:08");
	assert_string_equal(row_of("02:00:00:00:00:09", 0), "b static");
	assert_string_equal(row_of("02:00:00:00:00:08", 0), "");
	testbed_reload(&guests.t, "");
	testbed_write_config(&guests.t, guests_ports(3, other), setting);
	testbed_reload(&guests.t, "port-replaced b");
	assert_string_equal(row_of("02:00:00:00:00:09", 0), "b static");
	testbed_write_config(&guests.t, guests_ports(3, NULL), "\"fdb-size\":1024");
	testbed_reload(&guests.t, "port-replaced b, address-removed 02:00:00:00:00:09");
	assert_string_equal(row_of("02:00:00:00:00:09", 0), "");
	guests_stop(&guests);
}

static void test_delete_and_flush(void **state)
{
	speak(A, 1);
	speak(A, 4);
	speak(B, 2);
	testbed_do(&guests.t, "fdb.del", "{\"mac\":\"02:00:00:00:00:04\"}");
	assert_string_equal(row_of("02:00:00:00:00:04", 0), "");
	testbed_do(&guests.t, "fdb.flush", "{\"port\":\"a\"}");
	assert_string_equal(row_of("02:00:00:00:00:01", 0), "");
	assert_string_equal(row_of("02:00:00:00:00:02", 0), "b learned");
	speak(A, 1);
	assert_string_equal(row_of("02:00:00:00:00:01", 0), "a learned");
	guests_stop(&guests);
}

static void test_wrong_orders(void **state)
{
	static const char *const wrong[][3] = {
		{ "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"z\"}", "no port \"z\"" },
		{ "fdb.add", "{\"mac\":\"02:00:00:00:00:09\"}", "port: missing" },
		{ "fdb.add", "{\"mac\":\"x\",\"port\":\"a\"}", "mac: \"x\"" },
		{ "fdb.add", "{\"mac\":\"01:00:00:00:00:09\",\"port\":\"a\"}", "unicast" },
		{ "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"a\",\"vlan\":4095}",
			"vlan: 4095" },
		{ "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"a\",\"vlan\":\"5\"}",
			"vlan: must be an integer" },
		{ "fdb.del", "{\"mac\":\"02:00:00:00:00:09\"}", "not in the table" },
		{ "fdb.flush", "{\"port\":\"z\"}", "no port \"z\"" },
		{ "fdb.show", "{\"port\":\"z\"}", "unknown parameter" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *text = testbed_call_fails(&guests.t, wrong[i][0], wrong[i][1]);

		if (!strstr(text, wrong[i][2]))
			fail_msg("%s %s: %s", wrong[i][0], wrong[i][1], text);
	}
	guests_stop(&guests);
}

/* Set while it runs: who is silent is forgotten, who talks is not, nor what is static. */
static void test_ageing(void **state)
{
	int64_t spoke;

	testbed_do(&guests.t, "fdb.add", "{\"mac\":\"02:00:00:00:00:09\",\"port\":\"b\"}");
	testbed_write_config(&guests.t, guests_ports(3, NULL),
		"\"fdb-size\":1024,\"fdb-ageing\":10,\"fdb-static\":[{\"mac\":"
		"\"02:00:00:00:00:09\",\"port\":\"b\"}]");
	testbed_reload(&guests.t, "setting-changed fdb-ageing");
	speak(A, 1);
	spoke = frontend_now_ms();
	speak(B, 2);
	while (row_of("02:00:00:00:00:02", 0)[0] && frontend_now_ms() < spoke + AGEING_MS) {
		speak(A, 1);
		nanosleep(&(struct timespec) { .tv_nsec = 100000000 }, NULL);
	}
	assert_true(frontend_now_ms() > spoke + 9000);
	assert_string_equal(row_of("02:00:00:00:00:02", 0), "");
	assert_string_equal(row_of("02:00:00:00:00:01", 0), "a learned");
	assert_string_equal(row_of("02:00:00:00:00:09", 0), "b static");
	guests_stop(&guests);
}

/* C's stations are many; they talk to A, which is known, so nobody else hears them. */
static void flood(unsigned from_number, unsigned n)
{
	for (unsigned i = from_number; i < from_number + n; i++) {
		struct iovec iov = { .iov_base = out.byte };

		packet_plain(&out, 1, 0, 60, i);
		out.byte[8] = 0x77;
		out.byte[10] = (uint8_t)(i >> 8);
		out.byte[11] = (uint8_t)i;
		iov.iov_len = out.len;
		guest_check(&guests.f[C], frontend_queue_frame(&guests.f[C], &iov, 1, &out.hdr));
		if (i % N_BURST == N_BURST - 1) {
			frontend_kick(&guests.f[C]);
			for (unsigned k = 0; k < N_BURST; k++)
				guest_recv(&guests.f[A], &in, &hdr);
		}
	}
	guest_check(&guests.f[C], frontend_drain(&guests.f[C], RECV_MS));
}

static void check_flood(int64_t most)
{
	speak(A, 1);
	speak(B, 2);
	for (unsigned i = 0; i < N_FLOOD; i += N_FLOOD / 5) {
		flood(i, N_FLOOD / 5);
		guests_cross(&guests, A, B, 200, i);
		guests_cross(&guests, B, A, 200, i);
		guest_hears_nothing(&guests.f[C]);
	}
	assert_string_equal(row_of("02:00:00:00:00:01", 0), "a learned");
	assert_string_equal(row_of("02:00:00:00:00:02", 0), "b learned");
	assert_int_equal(addresses("a", "evicted"), 0);
	assert_int_equal(addresses("b", "evicted"), 0);
	assert_int_equal(addresses("b", "learned_now"), 1);
	assert_in_range(addresses("c", "learned_now"), 1, most);
	assert_true(addresses("c", "evicted") + addresses("c", "refused") >= N_FLOOD - most);
}

static void test_limit(void **state)
{
	testbed_do(&guests.t, "port.set", "{\"name\":\"c\",\"mac-limit\":50}");
	check_flood(50);
	assert_int_equal(addresses("c", "learned_now"), 50);
	/* A lower limit holds for what is there. */
	testbed_do(&guests.t, "port.set", "{\"name\":\"c\",\"mac-limit\":7}");
	assert_int_equal(addresses("c", "learned_now"), 7);
	guests_stop(&guests);
}

/* Without one it takes what there is, and nothing from others. */
static void test_flood_without_limit(void **state)
{
	check_flood(1024);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_static, start, stop),
		cmocka_unit_test_setup_teardown(test_static_of_the_file, start, stop),
		cmocka_unit_test_setup_teardown(test_delete_and_flush, start, stop),
		cmocka_unit_test_setup_teardown(test_wrong_orders, start, stop),
		cmocka_unit_test_setup_teardown(test_ageing, start, stop),
		cmocka_unit_test_setup_teardown(test_limit, start, stop),
		cmocka_unit_test_setup_teardown(test_flood_without_limit, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
