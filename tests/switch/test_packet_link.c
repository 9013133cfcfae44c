/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A packet port whose interface comes, goes and changes. That a port recovered is seen by frames
 * that cross, not by asking it: `port show` looks at the interface itself, and here it is the
 * kernel's notifications that have to do it.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/wired_guest.h"

#define NOISE     3    /* a station */
#define RECREATED 4242 /* an interface index that is used again and again */

static pid_t noise;

static int start(void **state)
{
	wired_start("", true);
	return 0;
}

static int start_queues(void **state)
{
	wired_start(",\"queues\":2", true);
	return 0;
}

static int start_without(void **state)
{
	wired_start("", false);
	return 0;
}

static void end_noise(void)
{
	if (noise <= 0)
		return;
	kill(noise, SIGKILL);
	waitpid(noise, NULL, 0);
	noise = 0;
}

static int stop(void **state)
{
	end_noise();
	wired_stop();
	return 0;
}

/* A frame to the guest every millisecond, by whatever far end there is. */
static void begin_noise(void)
{
	static struct packet p;
	int fd = -1;

	noise = fork();
	assert_int_not_equal(noise, -1);
	if (noise > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	packet_plain(&p, GUEST, NOISE, 200, 0);
	for (;;) {
		struct iovec iov[2] = { { &p.hdr, sizeof(p.hdr) }, { p.byte, p.len } };

		if (fd < 0)
			fd = wire_try_open("far");
		if (fd >= 0 && writev(fd, iov, 2) < 0) {
			close(fd);
			fd = -1;
		}
		nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	}
}

/* Not there at first: the switch starts, says so, and takes the interface when it comes. */
static void test_missing(void **state)
{
	wired_expect_down("the interface does not exist");
	wire_create("near", "far", 0);
	wired_reopen("far");
	wired_expect_flow(1);
	assert_string_equal(wire_status(&wired.guests.t, "wire", "operstate"), "up");
	assert_string_equal(wire_status(&wired.guests.t, "wire", "reason"), "-");
	assert_string_equal(wire_status(&wired.guests.t, "wire", "recoveries"), "0");
	guests_stop(&wired.guests);
}

/* Deleted and created again under traffic, every other time with the index it had. */
static void recreate(unsigned n)
{
	int n_fds = 0, n_maps = 0;

	begin_noise();
	wired_expect_flow(0);
	for (unsigned i = 1; i <= n; i++) {
		packet_plain(&wired.out, FAR, GUEST, 100, i);
		guest_send(&wired.guests.f[0], &wired.out);
		wire_delete("near");
		guest_send(&wired.guests.f[0], &wired.out);
		wire_create("near", "far", i & 1 ? 0 : RECREATED);
		wired_reopen("far");
		wired_expect_flow(i);
		wire_wait_status(&wired.guests.t, "wire", "operstate", "up");
		if (i == 2) {
			n_fds = testbed_count_fds(&wired.guests.t);
			n_maps = testbed_count_maps(&wired.guests.t);
		}
	}
	testbed_wait_fds(&wired.guests.t, n_fds);
	assert_true(testbed_count_maps(&wired.guests.t) <= n_maps);
	assert_int_equal(atoi(wire_status(&wired.guests.t, "wire", "recoveries")), (int)n);
	guests_stop(&wired.guests);
}

static void test_recreated(void **state)
{
	recreate(50);
}

static void test_recreated_queues(void **state)
{
	recreate(10);
}

static double worker_number(const char *key)
{
	json_t *all = testbed_call(&wired.guests.t, "worker.show");
	double n = json_number_value(json_object_get(json_array_get(all, 0), key));

	json_decref(all);
	return n;
}

/* Of ten looks one at least finds it asleep: a moment may be a long one on a busy machine. */
static void expect_sleep(void)
{
	for (unsigned i = 0; i < 10; i++) {
		double sleeps = worker_number("sleeps"), loops = worker_number("loops");

		nanosleep(&(struct timespec) { .tv_nsec = 100000000 }, NULL);
		if (worker_number("sleeps") - sleeps < 10 && worker_number("loops") - loops < 20000)
			return;
	}
	fail_msg("the worker does not sleep");
}

/* Down and up again. Meanwhile the worker sleeps: the socket's error does not keep it awake. */
static void test_down_up(void **state)
{
	wired_expect_flow(0);
	for (unsigned i = 1; i <= 5; i++) {
		testbed_run("ip link set near down");
		wired_expect_down("the interface is administratively down");
		wire_wait_status(&wired.guests.t, "wire", "hint", "ip link set near up");
		nanosleep(&(struct timespec) { .tv_nsec = 20000000 }, NULL);
		expect_sleep();
		testbed_run("ip link set near up");
		wired_expect_flow(i);
	}
	/* The other end: no carrier. */
	testbed_run("ip link set far down");
	wire_wait_status(&wired.guests.t, "wire", "reason", "the interface has no carrier");
	testbed_run("ip link set far up");
	wired_reopen("far");
	wired_expect_flow(7);
	guests_stop(&wired.guests);
}

/* The port keeps the interface that lost the name, until another one has it. */
static void test_renamed_away(void **state)
{
	wired_expect_flow(0);
	testbed_run("ip link set near down && ip link set near name other && ip link set other up");
	wired_expect_flow(1);
	assert_string_equal(wire_status(&wired.guests.t, "wire", "interface"), "near");
	assert_string_equal(wire_status(&wired.guests.t, "wire", "interface_now"), "other");
	testbed_run("ip link set far down && ip link set far name far0");
	wire_create("near", "far", 0);
	wired_reopen("far");
	wired_expect_flow(2);
	assert_string_equal(wire_status(&wired.guests.t, "wire", "interface_now"), "-");
	guests_stop(&wired.guests);
}

/* An interface that is given the name is as good as a new one. */
static void test_renamed_into(void **state)
{
	wire_create("other", "far", 0);
	wired_reopen("far");
	wired_expect_down("the interface does not exist");
	testbed_run("ip link set other down && ip link set other name near");
	wired_expect_down("the interface is administratively down");
	testbed_run("ip link set near up");
	wired_expect_flow(1);
	guests_stop(&wired.guests);
}

static void test_mtu(void **state)
{
	wired_expect_flow(0);
	assert_string_equal(wire_status(&wired.guests.t, "wire", "mtu"), "1500");
	testbed_run("ip link set near mtu 1200");
	wire_wait_status(&wired.guests.t, "wire", "mtu", "1200");
	packet_plain(&wired.out, FAR, GUEST, 1400, 1);
	wired_send(false);
	testbed_wait_drops(&wired.guests.t, "wire", "mtu", 1);
	wired_expect_flow(1);
	testbed_run("ip link set near mtu 1500");
	packet_plain(&wired.out, FAR, GUEST, 1400, 1);
	wired_send(false);
	assert_true(wired_heard(false, RECV_MS));
	assert_int_equal(testbed_drops(&wired.guests.t, "wire", "mtu"), 1);
	guests_stop(&wired.guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_missing, start_without, stop),
		cmocka_unit_test_setup_teardown(test_recreated, start, stop),
		cmocka_unit_test_setup_teardown(test_recreated_queues, start_queues, stop),
		cmocka_unit_test_setup_teardown(test_down_up, start, stop),
		cmocka_unit_test_setup_teardown(test_down_up, start_queues, stop),
		cmocka_unit_test_setup_teardown(test_renamed_away, start, stop),
		cmocka_unit_test_setup_teardown(test_renamed_into, start_without, stop),
		cmocka_unit_test_setup_teardown(test_mtu, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
