/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A change that fails when ports have been closed for it already: one that takes over a removed
 * port's socket cannot be opened before that is gone. What was closed comes back if it can; the
 * others do not notice.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/stream.h"

#define A 0
#define B 1
#define C 2

static struct guests guests;
static struct stream stream;
static struct packet out, in;

/* A port whose socket is in DIR/sub, which can vanish. */
#define IN_SUB(name, socket)                                                                       \
	"{\"name\":\"" name "\",\"kind\":\"vhost-user\",\"socket\":\"DIR/sub/" socket "\"}"

static const char statics[] = "\"fdb-static\":[{\"mac\":\"02:00:00:00:00:77\",\"port\":\"c\"},"
			      "{\"mac\":\"02:00:00:00:00:78\",\"port\":\"x\"}]";

/* Ports a, b, c (at most 3 addresses, one static) and x, whose socket's directory then goes. */
static int start(void **state)
{
	char ports[2048];

	guests_start(&guests, 3, NULL);
	for (unsigned i = 0; i < 3; i++)
		guests_connect(&guests, i, &guest_full);
	guests_cross(&guests, B, A, 100, 1);
	guest_recv(&guests.f[C], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	guests_cross(&guests, A, B, 100, 2);
	assert_int_equal(mkdir(testbed_path(&guests.t, "sub"), 0755), 0);
	snprintf(ports, sizeof(ports), "[%s,%s,%s,%s]", guests_port(A, NULL), guests_port(B, NULL),
		guests_port(C, "\"mac-limit\":3"), IN_SUB("x", "x.sock"));
	testbed_write_config(&guests.t, ports, statics);
	testbed_reload(&guests.t, "port-changed c, port-added x, address-added 02:00:00:00:00:77, "
				  "address-added 02:00:00:00:00:78");
	unlink(testbed_path(&guests.t, "sub/x.sock"));
	assert_int_equal(rmdir(testbed_path(&guests.t, "sub")), 0);
	return 0;
}

static int stop(void **state)
{
	stream_abandon(&stream);
	guests_abandon(&guests);
	return 0;
}

static json_t *static_port(const char *mac)
{
	json_t *all = testbed_call(&guests.t, "fdb.show"), *row, *found = NULL;
	size_t i;

	json_array_foreach (all, i, row)
		if (strcmp(json_string_value(json_object_get(row, "mac")), mac) == 0 &&
			strcmp(json_string_value(json_object_get(row, "state")), "static") == 0)
			found = json_incref(json_object_get(row, "ifname"));
	json_decref(all);
	return found;
}

static void expect_static(const char *mac, const char *port)
{
	json_t *found = static_port(mac);

	assert_int_equal(found != NULL, port != NULL);
	if (port)
		assert_string_equal(json_string_value(found), port);
	json_decref(found);
}

/* Addresses of c that are learned when five talk. */
static int64_t learned_behind_c(void)
{
	for (unsigned i = 0; i < 5; i++) {
		packet_plain(&out, 1, (uint8_t)(0x30 + i), 100, i);
		guest_send(&guests.f[C], &out);
		guest_recv(&guests.f[A], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	}
	return testbed_stat(&guests.t, "c", "addresses.learned_now");
}

static void refuse(const char *ports, const char *lost)
{
	const char *text;

	testbed_write_config(&guests.t, ports, statics);
	text = testbed_call_fails(&guests.t, "config.reload", NULL);
	if (!strstr(text, lost) || !strstr(text, "sub/x.sock"))
		fail_msg("%s", text);
}

/* x is to be replaced, and can neither be that nor come back. */
static void test_port_lost(void **state)
{
	char next[2048];
	int events = testbed_follow(&guests.t);

	snprintf(next, sizeof(next), "[%s,%s,%s,%s,%s]", guests_port(A, NULL), guests_port(B, NULL),
		guests_port(C, "\"mac-limit\":3"),
		"{\"name\":\"x\",\"kind\":\"vhost-user\",\"socket\":\"DIR/sub/"
		"x.sock\",\"mtu\":1400}",
		guests_port(3, NULL));
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	refuse(next, "port \"x\" is lost");
	testbed_expect_event(events, "port-removed", "x", "sub/x.sock");
	testbed_expect_event(events, "config-refused", NULL, "port \"x\"");
	assert_null(testbed_port(&guests.t, "x"));
	assert_null(testbed_port(&guests.t, "d"));
	assert_false(guests_socket_there(&guests, 3));
	expect_static("02:00:00:00:00:77", "c");
	expect_static("02:00:00:00:00:78", NULL);
	stream_more(&stream, 100);

	/* Once the directory is there again, a reload brings everything. */
	assert_int_equal(mkdir(testbed_path(&guests.t, "sub"), 0755), 0);
	testbed_reload(&guests.t, "port-added x, port-added d, address-added 02:00:00:00:00:78");
	expect_static("02:00:00:00:00:78", "x");
	stream_more(&stream, 100);
	stream_stop(&stream);
	for (unsigned i = 0; i < 3; i++)
		guests_expect_connections(&guests, i, 1);
	testbed_write_config(&guests.t, guests_ports(3, NULL), NULL);
	testbed_do(&guests.t, "config.reload", NULL);
	assert_int_equal(rmdir(testbed_path(&guests.t, "sub")), 0);
	close(events);
	guests_stop(&guests);
}

/* c was closed to be replaced; then y, which takes over x's socket, fails. c comes back. */
static void test_port_put_back(void **state)
{
	json_t *now, *config;
	char next[2048];
	int events = testbed_follow(&guests.t);

	snprintf(next, sizeof(next), "[%s,%s,%s,%s]", guests_port(A, NULL), guests_port(B, NULL),
		guests_port(C, "\"mergeable\":false"), IN_SUB("y", "x.sock"));
	stream_start(&stream, &guests.f[A], &guests.f[B], 2, 1, 0);
	testbed_write_config(&guests.t, next, "\"worker-cpus\":\"auto,auto\"");
	testbed_call_fails(&guests.t, "config.reload", NULL);
	testbed_expect_event(events, "port-replaced", "c", "opened again");
	testbed_expect_event(events, "port-removed", "x", "sub/x.sock");
	testbed_expect_event(events, "config-refused", NULL, "port \"y\"");
	stream_more(&stream, 100);
	stream_stop(&stream);
	assert_int_equal(frontend_wait_hangup(&guests.f[C], RECV_MS), 0);
	guests_expect_connections(&guests, C, 0);
	guests_connect(&guests, C, &guest_full);
	expect_static("02:00:00:00:00:77", "c");
	expect_static("02:00:00:00:00:78", NULL);
	assert_int_equal(learned_behind_c(), 3);
	now = testbed_call(&guests.t, "worker.show");
	assert_int_equal(json_array_size(now), 1);
	json_decref(now);
	config = testbed_call(&guests.t, "config.show");
	now = json_array_get(config, 0);
	assert_int_equal(json_array_size(json_object_get(now, "ports")), 3);
	assert_string_equal(json_string_value(json_object_get(now, "worker-cpus")), "auto");
	json_decref(config);
	guests_expect_connections(&guests, A, 1);
	guests_expect_connections(&guests, B, 1);
	close(events);
	guests_stop(&guests);
}

/* CPU time that sluiced has used, all threads together. */
static int64_t cpu_ms(void)
{
	clockid_t clock;
	struct timespec t;

	assert_int_equal(clock_getcpuclockid(guests.t.pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_descriptors(rlim_t n)
{
	struct rlimit limit;

	assert_int_equal(prlimit(guests.t.pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = n ? n : limit.rlim_max;
	assert_int_equal(prlimit(guests.t.pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* Who cannot be let in waits, and costs nothing meanwhile. */
static void test_out_of_descriptors(void **state)
{
	const struct timespec while_waiting = { .tv_nsec = 500000000 };
	int64_t before;
	int waiting, fd;

	set_descriptors(4); /* all below are in use */
	waiting = testbed_connect(&guests.t);
	before = cpu_ms();
	nanosleep(&while_waiting, NULL);
	assert_true(cpu_ms() - before < 100);
	guests_cross(&guests, A, B, 100, 5);
	set_descriptors(0);
	fd = testbed_follow(&guests.t);
	close(fd);
	close(waiting);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_port_lost, start, stop),
		cmocka_unit_test_setup_teardown(test_port_put_back, start, stop),
		cmocka_unit_test_setup_teardown(test_out_of_descriptors, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
