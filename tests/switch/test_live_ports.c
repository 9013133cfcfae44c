/* SPDX-License-Identifier: BSD-3-Clause */

/* Ports that are ordered over the control socket, and those who follow what happens. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/stream.h"

#define A 0
#define B 1
#define C 2

#define ROUNDS 100

static struct guests guests;
static struct stream stream;

static int start(void **state)
{
	guests_start(&guests, 2, NULL);
	for (unsigned i = 0; i < 2; i++)
		guests_connect(&guests, i, &guest_full);
	guests_cross(&guests, B, A, 100, 1);
	guests_cross(&guests, A, B, 100, 2);
	guests.n = 3;
	return 0;
}

static int stop(void **state)
{
	stream_abandon(&stream);
	guests_abandon(&guests);
	return 0;
}

/* The answer of a call is [{what, name}]. */
static void order(const char *method, const char *params, const char *what, const char *name)
{
	json_t *answer = testbed_call_with(&guests.t, method, params);
	const json_t *row = json_array_get(answer, 0);

	assert_int_equal(json_array_size(answer), 1);
	assert_string_equal(json_string_value(json_object_get(row, "what")), what);
	assert_string_equal(json_string_value(json_object_get(row, "name")), name);
	json_decref(answer);
}

static void test_add_set_del(void **state)
{
	static struct packet in;
	json_t *port;

	order("port.add", guests_port(C, NULL), "port-added", "c");
	guests_connect(&guests, C, &guest_full);
	guests_cross(&guests, C, A, 200, 1);
	guests_cross(&guests, A, C, 200, 2);

	order("port.set", "{\"name\":\"c\",\"mac-limit\":7}", "port-changed", "c");
	port = testbed_port(&guests.t, "c");
	assert_int_equal(json_integer_value(json_object_get(port, "mac_limit")), 7);
	json_decref(port);
	guests_expect_connections(&guests, C, 1);
	guests_cross(&guests, A, C, 200, 3);

	order("port.set", "{\"name\":\"c\",\"mtu\":9000}", "port-replaced", "c");
	assert_int_equal(frontend_wait_hangup(&guests.f[C], RECV_MS), 0);
	guests_connect(&guests, C, &guest_full);
	guests_cross(&guests, A, C, 200, 4);
	guest_recv(&guests.f[B], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 }); /* flooded */
	guests_cross(&guests, C, A, 200, 5);

	order("port.del", "{\"name\":\"c\"}", "port-removed", "c");
	assert_int_equal(frontend_wait_hangup(&guests.f[C], RECV_MS), 0);
	assert_false(guests_socket_there(&guests, C));
	guests_cross(&guests, A, B, 200, 6);
	guests_expect_connections(&guests, A, 1);
	guests_stop(&guests);
}

static const struct wrong {
	const char *method, *params;
	const char *text; /* part of the error */
} wrong_orders[] = {
	{ "port.del", "{\"name\":\"nobody\"}", "no port \"nobody\"" },
	{ "port.del", "{}", "name: missing" },
	{ "port.del", "{\"name\":5}", "name: must be text" },
	{ "port.del", "{\"name\":\"a\",\"force\":1}", "unknown parameter \"force\"" },
	{ "port.set", "{\"name\":\"nobody\",\"mtu\":1}", "no port \"nobody\"" },
	{ "port.set", "{}", "name: missing" },
	{ "port.set", "{\"name\":[]}", "name: must be text" },
	{ "port.set", "{\"name\":\"a\",\"speed\":1}", "speed" },
	{ "port.set", "{\"name\":\"a\",\"mtu\":\"x\"}", "mtu" },
	{ "port.set", "{\"name\":\"a\",\"mtu\":1000000}", "mtu" },
	{ "port.set", "{\"name\":\"a\",\"kind\":\"packet\"}", "kind" },
	{ "port.set", "{\"name\":\"a\",\"vlan\":4095}", "vlan" },
	{ "port.set", "{\"name\":\"a\",\"workers\":[1]}", "workers" },
	{ "port.set", "{\"name\":\"a\",\"socket\":\"DIR/b.sock\"}", "b.sock" },
	{ "port.set", "{\"name\":\"a\",\"socket\":\"DIR/none/a.sock\"}", "none/a.sock" },
	{ "port.add", "{}", "missing" },
	{ "port.add", "{\"name\":\"x\"}", "kind" },
	{ "port.add", "{\"name\":\"x\",\"kind\":\"vhost-user\"}", "socket" },
	{ "port.add", "{\"name\":\"x y\",\"kind\":\"vhost-user\",\"socket\":\"DIR/x.sock\"}",
		"name" },
	{ "port.add", "{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/x.sock\"}",
		"\"a\"" },
	{ "port.add", "{\"name\":\"x\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"}",
		"a.sock" },
	{ "port.add", "{\"name\":\"x\",\"kind\":\"vhost-user\",\"socket\":\"DIR/ctl.sock\"}",
		"ctl.sock" },
	{ "port.add", "{\"name\":\"x\",\"kind\":\"vhost-user\",\"socket\":\"DIR/log\"}",
		"not a socket" },
	{ "port.add", "{\"name\":\"x\",\"kind\":\"vhost-user\",\"socket\":\"/nowhere/x.sock\"}",
		"/nowhere" },
	{ "port.frobnicate", "{}", "no method" },
	{ "port.show", "{\"name\":\"nobody\"}", "no port \"nobody\"" },
};

static void test_wrong_orders(void **state)
{
	json_t *before = testbed_call(&guests.t, "config.show"), *now;
	int fds = testbed_count_fds(&guests.t);

	for (size_t i = 0; i < sizeof(wrong_orders) / sizeof(wrong_orders[0]); i++) {
		const struct wrong *w = &wrong_orders[i];
		const char *text = testbed_call_fails(&guests.t, w->method, w->params);

		if (!strstr(text, w->text))
			fail_msg("%s %s: %s", w->method, w->params, text);
	}
	now = testbed_call(&guests.t, "config.show");
	assert_true(json_equal(before, now));
	json_decref(now);
	json_decref(before);
	testbed_wait_fds(&guests.t, fds);
	guests_expect_connections(&guests, A, 1);
	guests_cross(&guests, A, B, 200, 6);
	guests_stop(&guests);
}

static unsigned rounds(void)
{
	const char *text = getenv("SLUICE_TEST_ROUNDS");

	return text ? (unsigned)atoi(text) : ROUNDS;
}

/* A guest comes and goes with its port, while two others talk. */
static void test_rounds_under_traffic(void **state)
{
	int fds = 0, maps = 0;

	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	for (unsigned i = 0; i < rounds(); i++) {
		order("port.add", guests_port(C, NULL), "port-added", "c");
		if (i % 4 == 0)
			guests_connect(&guests, C, &guest_full);
		stream_more(&stream, 16);
		order("port.del", "{\"name\":\"c\"}", "port-removed", "c");
		frontend_close(&guests.f[C]);
		if (i == 4) { /* by now everything there is once is there */
			fds = testbed_count_fds(&guests.t);
			maps = testbed_count_maps(&guests.t);
		}
	}
	testbed_wait_fds(&guests.t, fds);
	assert_in_range(testbed_count_maps(&guests.t), 1, maps + 4);
	assert_true(stream_stop(&stream) >= rounds() * 16);
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.dropped"), 0);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.dropped"), 0);
	guests_expect_connections(&guests, B, 1);
	guests_stop(&guests);
}

/* --- events ---------------------------------------------------------------------------------- */

static void test_events(void **state)
{
	int fd = testbed_follow(&guests.t), other = testbed_follow(&guests.t);
	json_t *first;

	order("port.add", guests_port(C, NULL), "port-added", "c");
	order("port.set", "{\"name\":\"c\",\"vlan\":7}", "port-changed", "c");
	order("port.set", "{\"name\":\"c\",\"mtu\":9000}", "port-replaced", "c");
	order("port.del", "{\"name\":\"c\"}", "port-removed", "c");
	testbed_call_fails(&guests.t, "port.del", "{\"name\":\"c\"}"); /* nothing happened */
	testbed_reload(&guests.t, "");
	testbed_write_config(&guests.t, guests_ports(3, NULL), NULL);
	kill(guests.t.pid, SIGHUP);

	first = testbed_event(other, RECV_MS);
	assert_int_equal(strlen(json_string_value(json_object_get(first, "time"))),
		strlen("2026-01-31T12:34:56.789Z"));
	json_decref(first);
	testbed_expect_event(fd, "port-added", "c", "vhost-user");
	testbed_expect_event(fd, "port-changed", "c", NULL);
	testbed_expect_event(fd, "port-replaced", "c", "vhost-user");
	testbed_expect_event(fd, "port-removed", "c", NULL);
	testbed_expect_event(fd, "config-reloaded", NULL, "sluiced.json");
	testbed_expect_event(fd, "port-added", "c", NULL);
	testbed_expect_event(fd, "config-reloaded", NULL, "sluiced.json");
	testbed_write_text(&guests.t, "{");
	testbed_call_fails(&guests.t, "config.reload", NULL);
	testbed_expect_event(fd, "config-refused", NULL, "line 1");
	assert_null(testbed_event(fd, QUIET_MS));
	close(other);
	close(fd);
	guests_stop(&guests);
}

/* Reads events until there are none; the switch hands out more of them when there is room. */
static unsigned read_all(int fd)
{
	unsigned n = 0, before;
	json_t *e;

	do {
		before = n;
		testbed_do(&guests.t, "version", NULL);
		for (; (e = testbed_event(fd, QUIET_MS)); n++)
			json_decref(e);
	} while (n > before);
	return n;
}

/* Somebody follows and does not read: that is his own loss, and he is told of it. */
static void test_slow_follower(void **state)
{
	int fd = testbed_follow(&guests.t);
	json_t *e;
	unsigned n_read, n_made = 8000;
	int64_t n_lost = 0;

	for (unsigned i = 0; i < n_made; i++)
		testbed_do(&guests.t, "port.set",
			i % 2 ? "{\"name\":\"a\",\"mac-limit\":5}"
			      : "{\"name\":\"a\",\"mac-limit\":6}");
	guests_cross(&guests, A, B, 200, 6);
	n_read = read_all(fd);
	assert_in_range(n_read, 1000, n_made - 1);
	testbed_do(&guests.t, "port.set", "{\"name\":\"a\",\"mac-limit\":9}");
	e = testbed_event(fd, RECV_MS);
	assert_non_null(e);
	assert_string_equal(json_string_value(json_object_get(e, "event")), "events-lost");
	n_lost = json_integer_value(json_object_get(e, "count"));
	json_decref(e);
	assert_int_equal(n_read + n_lost, n_made);
	testbed_expect_event(fd, "port-changed", "a", NULL);
	close(fd);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add_set_del, start, stop),
		cmocka_unit_test_setup_teardown(test_wrong_orders, start, stop),
		cmocka_unit_test_setup_teardown(test_rounds_under_traffic, start, stop),
		cmocka_unit_test_setup_teardown(test_events, start, stop),
		cmocka_unit_test_setup_teardown(test_slow_follower, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
