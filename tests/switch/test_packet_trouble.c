/* SPDX-License-Identifier: BSD-3-Clause */

/* What a packet port has to get right about its interface when nobody was looking, or nothing goes.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "tests/switch/wired_guest.h"

#define INDEX      4242 /* of an interface, used again */
#define N_OVERFLOW 4000

static int start(void **state)
{
	wired_start("", true);
	return 0;
}

static int start_promiscuous(void **state)
{
	wired_start(",\"promiscuous\":true", true);
	return 0;
}

static int start_without(void **state)
{
	wired_start("", false);
	return 0;
}

static int stop(void **state)
{
	wired_stop();
	return 0;
}

/* Replaced by another one with the same name and index, while nobody looks. */
static void test_same_index(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(kill(wired.guests.t.pid, SIGSTOP), 0);
		wire_delete("near");
		wire_create("near", "far", INDEX);
		wired_reopen("far");
		assert_int_equal(kill(wired.guests.t.pid, SIGCONT), 0);
		wired_expect_flow(i);
	}
	guests_stop(&wired.guests);
}

static int promiscuity(void)
{
	FILE *f = popen("ip -d -j link show near", "re");
	json_t *all = json_loadf(f, 0, NULL);
	int n = (int)json_integer_value(json_object_get(json_array_get(all, 0), "promiscuity"));

	json_decref(all);
	pclose(f);
	return n;
}

static void test_promiscuous(void **state)
{
	wired_expect_flow(0);
	assert_int_equal(promiscuity(), 1);
	wire_delete("near");
	wire_create("near", "far", 0);
	wired_reopen("far");
	wired_expect_flow(1);
	assert_int_equal(promiscuity(), 1);
	guests_stop(&wired.guests);
	assert_int_equal(promiscuity(), 0);
}

/* Notifications that the kernel had to drop, over all sockets of this namespace. */
static long lost_notifications(void)
{
	unsigned long drops = 0, n;
	char line[256];
	FILE *f = fopen("/proc/net/netlink", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s 0 %*s %*s %*s %*s %*s %*s %lu", &n) == 1)
			drops += n;
	fclose(f);
	return (long)drops;
}

/* The interface is replaced while the switch is not looking, and so is much else. */
static void test_overflow(void **state)
{
	FILE *batch = fopen(testbed_path(&wired.guests.t, "batch"), "we");
	char command[160];
	long lost = lost_notifications();

	for (unsigned i = 0; i < N_OVERFLOW; i++)
		fprintf(batch, "link set noise mtu %u\n", 1000 + i % 100);
	fclose(batch);
	wired_expect_flow(0);
	testbed_run("ip link add noise type bridge");
	assert_int_equal(kill(wired.guests.t.pid, SIGSTOP), 0);
	snprintf(command, sizeof(command), "ip -batch %s", testbed_path(&wired.guests.t, "batch"));
	testbed_run(command);
	wire_delete("near");
	wire_create("near", "far", 0);
	wired_reopen("far");
	assert_true(lost_notifications() > lost);
	assert_int_equal(kill(wired.guests.t.pid, SIGCONT), 0);
	wired_expect_flow(1);
	testbed_run("ip link del noise");
	guests_stop(&wired.guests);
}

/* No socket to be had when the interface comes: the port says why and tries again. */
static void test_no_socket(void **state)
{
	struct rlimit before, none;

	wired_expect_down("the interface does not exist");
	assert_int_equal(prlimit(wired.guests.t.pid, RLIMIT_NOFILE, NULL, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(prlimit(wired.guests.t.pid, RLIMIT_NOFILE, &none, NULL), 0);
	wire_create("near", "far", 0);
	wired_reopen("far");
	wired_expect_down("cannot open a packet socket: Too many open files");
	assert_int_equal(prlimit(wired.guests.t.pid, RLIMIT_NOFILE, &before, NULL), 0);
	wired_expect_flow(1);
	guests_stop(&wired.guests);
}

/* What the kernel dropped from a socket is still counted when that socket is gone. */
static void test_kernel_drops(void **state)
{
	struct packet_spec s = { .dst = GUEST, .src = FAR, .payload_len = 60000, .gso_size = 1448 };
	int64_t drops;

	wired_expect_flow(0);
	assert_int_equal(testbed_stat(&wired.guests.t, "wire", "kernel_drops"), 0);
	packet_build(&wired.out, &s);
	assert_int_equal(kill(wired.guests.t.pid, SIGSTOP), 0);
	for (unsigned i = 0; i < 1000; i++)
		wire_send(wired.far, &wired.out);
	wire_delete("near");
	assert_int_equal(kill(wired.guests.t.pid, SIGCONT), 0);
	wired_expect_down("the interface does not exist");
	drops = testbed_wait_stat(&wired.guests.t, "wire", "kernel_drops", 100);
	wire_create("near", "far", 0);
	wired_reopen("far");
	wired_expect_flow(1);
	assert_int_equal(testbed_stat(&wired.guests.t, "wire", "kernel_drops"), drops);
	guests_stop(&wired.guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_index, start, stop),
		cmocka_unit_test_setup_teardown(test_promiscuous, start_promiscuous, stop),
		cmocka_unit_test_setup_teardown(test_overflow, start, stop),
		cmocka_unit_test_setup_teardown(test_no_socket, start_without, stop),
		cmocka_unit_test_setup_teardown(test_kernel_drops, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
