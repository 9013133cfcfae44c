/* SPDX-License-Identifier: BSD-3-Clause */

/* Queues and the workers that serve them: whoever does, every frame arrives once and in order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/stream.h"

#define N 4
#define A 0
#define B 1
#define C 2
#define D 3

static struct guests guests;
static struct stream stream, back;

static void start_with(const char *const *extra, const char *settings)
{
	static struct packet in;
	struct virtio_net_hdr_mrg_rxbuf hdr;

	guests_start_with(&guests, N, extra, settings);
	for (unsigned i = 0; i < N; i++)
		guests_connect(&guests, i, &guest_full);
	guests_cross(&guests, B, A, 100, 1);
	guest_recv(&guests.f[C], &in, &hdr);
	guest_recv(&guests.f[D], &in, &hdr);
	guests_cross(&guests, A, B, 100, 2);
	guests_cross(&guests, D, A, 100, 3);
	guests_cross(&guests, C, D, 100, 4);
}

static int stop(void **state)
{
	stream_abandon(&stream);
	stream_abandon(&back);
	guests_abandon(&guests);
	return 0;
}

/* "ab|cd": what worker.show says of two workers, and port.show says the same. */
static void expect_owners(const char *expected)
{
	json_t *workers = testbed_call(&guests.t, "worker.show"), *worker, *row;
	char said[64] = "";
	size_t i, k;

	json_array_foreach (workers, i, worker) {
		if (i > 0)
			strcat(said, "|");
		assert_int_equal(json_integer_value(json_object_get(worker, "worker")), i);
		json_array_foreach (json_object_get(worker, "queues"), k, row) {
			const char *name = json_string_value(json_object_get(row, "port"));
			json_t *port = testbed_port(&guests.t, name);

			strcat(said, name);
			assert_int_equal(json_integer_value(json_array_get(
						 json_object_get(port, "workers"), 0)),
				i);
			json_decref(port);
		}
	}
	json_decref(workers);
	assert_string_equal(said, expected);
}

static void reload(const char *const *extra, const char *settings)
{
	testbed_write_config(&guests.t, guests_ports(N, extra), settings);
	testbed_do(&guests.t, "config.reload", NULL);
}

static void assign(const char *port, unsigned worker)
{
	char params[96];

	snprintf(params, sizeof(params), "{\"port\":\"%s\",\"queue\":0,\"worker\":%u}", port,
		worker);
	testbed_do(&guests.t, "worker.assign", params);
}

/* Frames of all four guests arrive, so somebody wakes up for each. */
static void expect_all_served(void)
{
	guests_cross(&guests, A, B, 200, 1);
	guests_cross(&guests, B, A, 200, 2);
	guests_cross(&guests, C, D, 200, 3);
	guests_cross(&guests, D, A, 200, 4);
}

static void test_spread(void **state)
{
	static const char *const extra[N] = { NULL, "\"workers\":[1]", NULL, "\"workers\":[1]" };

	start_with(NULL, "\"worker-cpus\":\"auto,auto\"");
	expect_owners("ac|bd");
	expect_all_served();
	reload(extra, "\"worker-cpus\":\"auto,auto\"");
	expect_owners("ac|bd");
	/* One more goes to whoever has least, and the named ones stay where they are. */
	assign("a", 1);
	expect_owners("c|abd");
	testbed_do(&guests.t, "port.add", guests_port(4, NULL));
	expect_owners("ce|abd");
	testbed_do(&guests.t, "port.del", "{\"name\":\"e\"}");
	expect_all_served();
	guests_stop(&guests);
}

static void test_named_workers(void **state)
{
	static const char *const extra[N] = { "\"workers\":[2]", "\"workers\":[2]",
		"\"workers\":[2]", NULL };
	static const char *const others[N] = { "\"workers\":[0]", "\"workers\":[2]", NULL,
		"\"workers\":[1]" };

	start_with(extra, "\"worker-cpus\":\"auto,auto,auto\"");
	expect_owners("d||abc");
	expect_all_served();
	reload(others, "\"worker-cpus\":\"auto,auto,auto\"");
	expect_owners("a|d|bc");
	expect_all_served();
	guests_stop(&guests);
}

/* Both directions, one guest's queue moves to and fro. */
static void test_assign_under_traffic(void **state)
{
	start_with(NULL, "\"worker-cpus\":\"auto,auto\"");
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	stream_start(&back, &guests.f[C], &guests.f[D], 4, 3, 0);
	for (unsigned i = 0; i < 500; i++) {
		assign(i % 3 ? "a" : "c", i % 2);
		if (i % 8 == 0)
			stream_more(&stream, 32);
	}
	assert_true(stream_stop(&stream) > 1000);
	assert_true(stream_stop(&back) > 1000);
	expect_all_served();
	guests_stop(&guests);
}

/* A worker that always sleeps is woken for a queue it has only just got. */
static void test_assign_to_sleepers(void **state)
{
	start_with(NULL, "\"worker-cpus\":\"auto,auto\",\"spin-us\":0");
	for (unsigned i = 0; i < 100; i++) {
		assign("a", i % 2);
		assign("b", i / 2 % 2);
		guests_cross(&guests, A, B, 200, i);
		guests_cross(&guests, B, A, 200, i);
	}
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 200);
	for (unsigned i = 0; i < 200; i++) {
		assign("a", i % 2);
		if (i % 4 == 0)
			stream_more(&stream, 16);
	}
	stream_stop(&stream);
	guests_stop(&guests);
}

static void test_more_and_fewer_workers(void **state)
{
	static const struct {
		const char *settings, *owners;
	} steps[] = {
		{ "\"worker-cpus\":\"auto,auto\"", NULL },
		{ "\"worker-cpus\":\"auto\"", "abcd" },
		{ "\"worker-cpus\":\"auto,auto,auto\"", NULL },
		{ "\"worker-cpus\":\"0,auto,0\"", NULL },
		{ "\"worker-cpus\":\"auto,0\"", NULL },
		{ "\"worker-cpus\":\"auto\"", "abcd" },
	};
	int fds;

	start_with(NULL, NULL);
	expect_owners("abcd");
	fds = testbed_count_fds(&guests.t);
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	stream_start(&back, &guests.f[C], &guests.f[D], 4, 3, 100);
	for (unsigned i = 0; i < 10 * sizeof(steps) / sizeof(steps[0]); i++) {
		unsigned k = i % (sizeof(steps) / sizeof(steps[0]));

		reload(NULL, steps[k].settings);
		stream_more(&stream, 50);
		stream_more(&back, 50);
		if (steps[k].owners)
			expect_owners(steps[k].owners);
	}
	stream_stop(&stream);
	stream_stop(&back);
	testbed_wait_fds(&guests.t, fds);
	/* A second worker takes half, of those that were there before too. */
	reload(NULL, "\"worker-cpus\":\"auto,auto\"");
	expect_owners("ab|cd");
	expect_all_served();
	guests_stop(&guests);
}

/* Workers that a refused file would have moved or added are as they were. */
static void test_refused_cpus(void **state)
{
	json_t *before, *now;
	size_t i;

	start_with(NULL, "\"worker-cpus\":\"0\"");
	before = testbed_call(&guests.t, "config.show");
	testbed_write_config(&guests.t,
		"[{\"name\":\"x\",\"kind\":\"vhost-user\",\"socket\":\"/nowhere/x.sock\"}]",
		"\"worker-cpus\":\"auto,0,auto\"");
	testbed_call_fails(&guests.t, "config.reload", NULL);
	testbed_write_config(&guests.t, guests_ports(N, NULL), "\"worker-cpus\":\"auto,1023\"");
	testbed_call_fails(&guests.t, "config.reload", NULL);
	now = testbed_call(&guests.t, "config.show");
	assert_true(json_equal(before, now));
	json_decref(now);
	json_decref(before);
	now = testbed_call(&guests.t, "worker.show");
	assert_int_equal(json_array_size(now), 1);
	json_array_foreach (now, i, before)
		assert_int_equal(json_integer_value(json_object_get(before, "cpu")), 0);
	json_decref(now);
	expect_owners("abcd");
	expect_all_served();
	guests_stop(&guests);
}

static void test_wrong_numbers(void **state)
{
	static const char *const wrong[][2] = {
		{ "{\"port\":\"a\",\"queue\":0,\"worker\":2}", "no worker 2 (0 to 1)" },
		{ "{\"port\":\"a\",\"queue\":0,\"worker\":-1}", "no worker -1" },
		{ "{\"port\":\"a\",\"queue\":0,\"worker\":4294967296}", "no worker 4294967296" },
		{ "{\"port\":\"a\",\"queue\":1,\"worker\":1}", "no queue 1 (0 to 0)" },
		{ "{\"port\":\"a\",\"queue\":-1,\"worker\":1}", "no queue -1" },
		{ "{\"port\":\"a\",\"queue\":4294967296,\"worker\":1}", "no queue 4294967296" },
		{ "{\"port\":\"z\",\"queue\":0,\"worker\":1}", "no port \"z\"" },
		{ "{\"port\":\"a\",\"queue\":0}", "worker: missing" },
		{ "{\"port\":\"a\",\"queue\":\"0\",\"worker\":1}", "queue: must be an integer" },
	};

	start_with(NULL, "\"worker-cpus\":\"auto,auto\"");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *text = testbed_call_fails(&guests.t, "worker.assign", wrong[i][0]);

		if (!strstr(text, wrong[i][1]))
			fail_msg("%s: %s", wrong[i][0], text);
	}
	expect_owners("ac|bd");
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_spread, stop),
		cmocka_unit_test_teardown(test_named_workers, stop),
		cmocka_unit_test_teardown(test_assign_under_traffic, stop),
		cmocka_unit_test_teardown(test_assign_to_sleepers, stop),
		cmocka_unit_test_teardown(test_more_and_fewer_workers, stop),
		cmocka_unit_test_teardown(test_refused_cpus, stop),
		cmocka_unit_test_teardown(test_wrong_numbers, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
