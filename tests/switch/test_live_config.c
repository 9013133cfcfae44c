/* SPDX-License-Identifier: BSD-3-Clause */

/* A configuration file that changes under a running switch: what stays does not notice. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/stream.h"

#define A 0
#define B 1
#define C 2
#define D 3

#define ROUNDS 50

static struct guests guests;
static struct stream stream;

static int start(void **state)
{
	guests_start(&guests, 3, NULL);
	for (unsigned i = 0; i < 3; i++)
		guests_connect(&guests, i, &guest_full);
	guests_cross(&guests, B, A, 100, 1);
	guest_recv(&guests.f[C], &(struct packet) { 0 }, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	guests_cross(&guests, A, B, 100, 2);
	return 0;
}

static int stop(void **state)
{
	stream_abandon(&stream);
	guests_abandon(&guests);
	return 0;
}

static void reload_ports(const char *ports, const char *settings, const char *changes)
{
	testbed_write_config(&guests.t, ports, settings);
	testbed_reload(&guests.t, changes);
}

static void expect_config(json_t *before)
{
	json_t *now = testbed_call(&guests.t, "config.show");

	if (!json_equal(before, now))
		fail_msg("config.show has changed: %s", json_dumps(now, 0));
	json_decref(now);
}

static void test_nothing_changed(void **state)
{
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		stream_more(&stream, 20);
		testbed_reload(&guests.t, "");
	}
	stream_more(&stream, 200);
	stream_stop(&stream);
	for (unsigned i = 0; i < 3; i++)
		guests_expect_connections(&guests, i, 1);
	guests_cross(&guests, B, A, 300, 3);
	guests_stop(&guests);
}

/* c is now there, now changed, now replaced, now gone; d comes and goes. a and b talk on. */
static void test_kept_ports_do_not_notice(void **state)
{
	char with_c[2048], other_c[2048], without_c[2048];

	snprintf(with_c, sizeof(with_c), "[%s,%s,%s]", guests_port(A, NULL), guests_port(B, NULL),
		guests_port(C, "\"mac-limit\":5"));
	snprintf(other_c, sizeof(other_c), "[%s,%s,%s]", guests_port(A, NULL),
		guests_port(C, "\"mergeable\":false"), guests_port(B, NULL));
	snprintf(without_c, sizeof(without_c), "[%s,%s,%s]", guests_port(D, NULL),
		guests_port(A, NULL), guests_port(B, NULL));
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	reload_ports(with_c, NULL, "port-changed c");
	for (unsigned i = 0; i < ROUNDS; i++) {
		reload_ports(other_c, NULL, "port-replaced c");
		stream_more(&stream, 50);
		reload_ports(without_c, NULL, "port-added d, port-removed c");
		assert_false(guests_socket_there(&guests, C));
		assert_true(guests_socket_there(&guests, D));
		stream_more(&stream, 50);
		reload_ports(with_c, NULL, "port-added c, port-removed d");
		assert_false(guests_socket_there(&guests, D));
	}
	assert_true(stream_stop(&stream) >= ROUNDS * 100);
	guests_expect_connections(&guests, A, 1);
	guests_expect_connections(&guests, B, 1);
	guests_cross(&guests, B, A, 300, 3);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.dropped"), 0);
	guests_stop(&guests);
}

static bool is_known(const char *port)
{
	json_t *all = testbed_call(&guests.t, "fdb.show"), *row;
	bool known = false;
	size_t i;

	json_array_foreach (all, i, row)
		known |= strcmp(json_string_value(json_object_get(row, "ifname")), port) == 0;
	json_decref(all);
	return known;
}

static void test_removed_and_replaced(void **state)
{
	static struct packet in;
	char ports[2048];

	guests_cross(&guests, C, A, 200, 1);
	assert_true(is_known("c"));
	snprintf(ports, sizeof(ports), "[%s,%s]", guests_port(A, NULL),
		guests_port(B, "\"event-idx\":false"));
	reload_ports(ports, NULL, "port-replaced b, port-removed c");
	assert_int_equal(frontend_wait_hangup(&guests.f[C], RECV_MS), 0);
	assert_int_equal(frontend_wait_hangup(&guests.f[B], RECV_MS), 0);
	assert_false(guests_socket_there(&guests, C));
	assert_false(is_known("c"));
	assert_false(is_known("b"));
	assert_true(is_known("a"));
	assert_null(testbed_port(&guests.t, "c"));
	guests_expect_connections(&guests, B, 0);
	guests_connect(&guests, B, &guest_full);
	assert_int_equal(guests.f[B].features >> VIRTIO_RING_F_EVENT_IDX & 1, 0);
	guests_cross(&guests, B, A, 300, 3);
	guests_cross(&guests, A, B, 300, 4);
	/* What was known of c is not: its frames go everywhere. */
	reload_ports(guests_ports(3, NULL), NULL, "port-replaced b, port-added c");
	guests_connect(&guests, B, &guest_full);
	guests_connect(&guests, C, &guest_full);
	guests_cross(&guests, A, C, 300, 5);
	guest_recv(&guests.f[B], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	guests_stop(&guests);
}

/* Two ports that change sockets: each claims what the other holds. */
static void test_swapped_sockets(void **state)
{
	static const char swapped[] =
		"[{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/b.sock\"},"
		"{\"name\":\"b\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"}]";

	reload_ports(swapped, NULL, "port-replaced a, port-replaced b, port-removed c");
	guests_connect(&guests, A, &guest_full);
	guests_connect(&guests, B, &guest_full);
	guests_cross(&guests, A, B, 300, 5);
	assert_int_equal(testbed_wait_stat(&guests.t, "b", "stats64.rx.packets", 1), 1);
	guests_stop(&guests);
}

static const struct bad {
	const char *text;
	const char *place, *what;
} bad_files[] = {
	{ "{ \"ports\": [ }", "sluiced.json: line 1", "" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"colour\": 1, \"ports\": []}", "sluiced.json",
		"colour" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"ports\": [{\"name\": \"x\", \"kind\": "
	  "\"vhost-user\", \"socket\": \"DIR/x.sock\", \"speed\": 1}]}",
		"sluiced.json: ports[0].", "speed" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"ports\": ["
	  "{\"name\": \"x\", \"kind\": \"vhost-user\", \"socket\": \"DIR/x.sock\"},"
	  "{\"name\": \"x\", \"kind\": \"vhost-user\", \"socket\": \"DIR/y.sock\"}]}",
		"sluiced.json", "\"x\"" },
	/* Good as a file; the second port cannot open, and the first must not stay. */
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"ports\": ["
	  "{\"name\": \"d\", \"kind\": \"vhost-user\", \"socket\": \"DIR/d.sock\"},"
	  "{\"name\": \"y\", \"kind\": \"vhost-user\", \"socket\": \"DIR/gone/y.sock\"}]}",
		"port \"y\"", "/gone/y.sock" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"worker-cpus\": \"auto,auto\", \"ports\": ["
	  "{\"name\": \"d\", \"kind\": \"vhost-user\", \"socket\": \"DIR/d.sock\"},"
	  "{\"name\": \"y\", \"kind\": \"vhost-user\", \"socket\": \"/nowhere/y.sock\"}]}",
		"port \"y\"", "/nowhere" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"worker-cpus\": \"1023\", \"ports\": []}",
		"worker-cpus", "1023" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"fdb-size\": 100, \"ports\": []}", "fdb-size",
		"restart" },
	{ "{\"control-socket\": \"DIR/other.sock\", \"ports\": []}", "control-socket", "restart" },
	{ "{\"control-socket\": \"DIR/ctl.sock\", \"telemetry\": true, \"ports\": []}", "telemetry",
		"restart" },
};

static void test_refused(void **state)
{
	json_t *config = testbed_call(&guests.t, "config.show");
	int events = testbed_follow(&guests.t), fds = testbed_count_fds(&guests.t);

	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
		const struct bad *bad = &bad_files[i];
		const char *text;

		testbed_write_text(&guests.t, bad->text);
		text = testbed_call_fails(&guests.t, "config.reload", NULL);
		if (!strstr(text, bad->place) || !strstr(text, bad->what))
			fail_msg("%s: %s", bad->text, text);
		testbed_expect_event(events, "config-refused", NULL, bad->what);
		kill(guests.t.pid, SIGHUP);
		testbed_expect_event(events, "config-refused", NULL, bad->place);
		stream_more(&stream, 50);
		expect_config(config);
		assert_false(guests_socket_there(&guests, D));
	}
	stream_stop(&stream);
	for (unsigned i = 0; i < 3; i++)
		guests_expect_connections(&guests, i, 1);
	testbed_wait_fds(&guests.t, fds);
	assert_null(testbed_event(events, QUIET_MS));
	close(events);
	json_decref(config);
	guests_stop(&guests);
}

static void test_live_settings(void **state)
{
	const char *ports = guests_ports(3, NULL);
	json_t *worker, *log;

	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	reload_ports(ports, "\"spin-us\":0,\"log-level\":\"debug\",\"fdb-ageing\":10",
		"setting-changed log-level, setting-changed spin-us, setting-changed fdb-ageing");
	stream_more(&stream, 200);
	worker = testbed_call(&guests.t, "worker.show");
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(worker, 0), "spin_us")), 0);
	json_decref(worker);
	log = testbed_call(&guests.t, "log.show");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(log, 0), "level")), "debug");
	json_decref(log);
	reload_ports(ports, "\"spin-us\":\"max\"",
		"setting-changed log-level, setting-changed spin-us, setting-changed fdb-ageing");
	stream_more(&stream, 200);
	reload_ports(ports, NULL, "setting-changed spin-us");
	stream_more(&stream, 200);
	stream_stop(&stream);
	guests_stop(&guests);
}

/* The same socket, served by us or by a driver of DPDK: it changes hands, and comes back. */
static void test_change_of_kind(void **state)
{
	char ports[1024];

	snprintf(ports, sizeof(ports),
		"[%s,%s,{\"name\":\"c\",\"kind\":\"ethdev\",\"devargs\":\"net_vhost7,iface=DIR/"
		"c.sock\"}]",
		guests_port(A, NULL), guests_port(B, NULL));
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	for (int i = 0; i < 2; i++) {
		reload_ports(ports, NULL, "port-replaced c");
		stream_more(&stream, 50);
		reload_ports(guests_ports(3, NULL), NULL, "port-replaced c");
		stream_more(&stream, 50);
	}
	stream_stop(&stream);
	guests_connect(&guests, C, &guest_full);
	guests_cross(&guests, A, C, 100, 1);
	guests_stop(&guests);
}

static void expect_notice(int fd, const char *first, const char *second)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	if (!strstr(text, first) || (second && !strstr(text, second)))
		fail_msg("not %s: %s", first, text);
}

static void test_service_manager(void **state)
{
	const struct timeval limit = { .tv_sec = 60 };
	int fd = testbed_notify_open(&guests.t);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	kill(guests.t.pid, SIGHUP);
	expect_notice(fd, "RELOADING=1", "MONOTONIC_USEC=");
	expect_notice(fd, "READY=1", NULL);
	/* A refused file also ends the reload: what ran before is ready. */
	testbed_write_text(&guests.t, "[");
	kill(guests.t.pid, SIGHUP);
	expect_notice(fd, "RELOADING=1", "MONOTONIC_USEC=");
	expect_notice(fd, "READY=1", NULL);
	testbed_notify_close(&guests.t, fd);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_changed, start, stop),
		cmocka_unit_test_setup_teardown(test_kept_ports_do_not_notice, start, stop),
		cmocka_unit_test_setup_teardown(test_removed_and_replaced, start, stop),
		cmocka_unit_test_setup_teardown(test_swapped_sockets, start, stop),
		cmocka_unit_test_setup_teardown(test_refused, start, stop),
		cmocka_unit_test_setup_teardown(test_live_settings, start, stop),
		cmocka_unit_test_setup_teardown(test_change_of_kind, start, stop),
		cmocka_unit_test_setup_teardown(test_service_manager, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
