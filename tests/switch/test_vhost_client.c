/* SPDX-License-Identifier: BSD-3-Clause */

/* Ports that connect to a VMM's socket: when, how often, what they say about it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

static struct guests guests;
static int64_t started; /* before the first attempt, in any case */

static int start(void **state)
{
	started = frontend_now_ms();
	guests_start_alike(&guests, 2, "\"client\": true", NULL);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

/* A number of the port's "peer" object. */
static int64_t peer_number(unsigned i, const char *key)
{
	json_t *port = guests_show(&guests, i);
	json_t *value = json_object_get(json_object_get(port, "peer"), key);
	int64_t n;

	if (!json_is_integer(value))
		fail_msg("%s is no number", key);
	n = json_integer_value(value);
	json_decref(port);
	return n;
}

static void wait_attempts(unsigned i, int64_t n)
{
	int64_t deadline = frontend_now_ms() + 60000;

	while (peer_number(i, "attempts") < n) {
		if (frontend_now_ms() > deadline)
			fail_msg("no attempt number %ld", (long)n);
		usleep(5000);
	}
}

static bool shows(unsigned i, const char *key, const char *part)
{
	json_t *port = guests_show(&guests, i);
	const char *text = json_string_value(json_object_get(port, key));
	bool found = text && strstr(text, part);

	json_decref(port);
	return found;
}

/* Listens where guest i's port connects to, and serves it. */
static void appear(unsigned i)
{
	struct frontend *f = &guests.f[i];

	guest_check(f, frontend_init(f, &guest_full));
	guest_check(f, frontend_listen(f, guests_socket(&guests, i)));
	guest_check(f, frontend_accept(f));
	guest_check(f, frontend_serve(f));
}

static void test_vmms_appear(void **state)
{
	wait_attempts(0, 1);
	assert_true(shows(0, "reason", "no VMM listens on "));
	assert_true(shows(0, "reason", "a.sock"));
	assert_true(shows(0, "operstate", "down"));
	assert_true(peer_number(0, "next_attempt_ms") <= 6250);
	appear(0);
	appear(1);
	guests_cross(&guests, 0, 1, 1500, 1);
	guests_cross(&guests, 1, 0, 1500, 2);
	assert_true(shows(0, "operstate", "up"));
	guests_stop(&guests);
}

/* 100 ms, 200, 400, 800 between the first five attempts, give or take a quarter. */
static void test_attempts_become_rare(void **state)
{
	int64_t took;

	wait_attempts(0, 5);
	took = frontend_now_ms() - started;
	if (took < 1125 || took > 30000)
		fail_msg("five attempts took %ld ms", (long)took);
	guests_stop(&guests);
}

/* What was waiting for a VMM that came back is tried again soon: its last life was a good one. */
static void test_vmms_come_and_go(void **state)
{
	unsigned n_soon = 0;

	appear(0);
	appear(1);
	for (unsigned round = 0; round < 6; round++) {
		int64_t begin;

		guests_cross(&guests, 0, 1, 900, round);
		guests_cross(&guests, 1, 0, 900, round);
		guest_check(&guests.f[0], frontend_drain(&guests.f[0], RECV_MS));
		begin = frontend_now_ms();
		guest_check(&guests.f[0], frontend_accept(&guests.f[0]));
		n_soon += frontend_now_ms() - begin < 1000;
		guest_check(&guests.f[0], frontend_serve(&guests.f[0]));
	}
	/* Not each time, on a machine that has other things to do; but one that waits does it
	 * always. */
	assert_true(n_soon >= 3);
	guests_cross(&guests, 0, 1, 900, 99);
	assert_int_equal(peer_number(0, "connections"), 7);
	guests_stop(&guests);
}

/* A VMM that breaks the protocol each time is left alone for longer and longer. */
static void test_a_broken_vmm_is_left_alone(void **state)
{
	static const struct vu_header nonsense = { 10000, VU_VERSION, 0 };
	struct frontend *f = &guests.f[0];
	int64_t before;

	guest_check(f, frontend_init(f, &guest_full));
	guest_check(f, frontend_listen(f, guests_socket(&guests, 0)));
	for (unsigned i = 0; i < 4; i++) {
		guest_check(f, frontend_accept(f));
		before = frontend_now_ms();
		guest_check(f, frontend_send_bytes(f, &nonsense, sizeof(nonsense), NULL, 0));
		guest_check(f, frontend_wait_hangup(f, RECV_MS));
		assert_true(shows(0, "reason", "request 10000 is not supported"));
	}
	guest_check(f, frontend_accept(f));
	assert_true(frontend_now_ms() - before >= 500);
	guest_check(f, frontend_serve(f));
	appear(1);
	guests_cross(&guests, 0, 1, 300, 1);
	guests_stop(&guests);
}

/* For hours without a VMM the log must not grow: connecting in vain is no event. */
static void test_waiting_is_quiet(void **state)
{
	char line[512];
	unsigned n = 0;
	FILE *log;

	wait_attempts(0, 4);
	log = fopen(testbed_path(&guests.t, "log"), "r");
	assert_non_null(log);
	while (fgets(line, sizeof(line), log))
		n += strstr(line, "a.sock") || strstr(line, "no VMM");
	fclose(log);
	assert_int_equal(n, 0);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vmms_appear, start, stop),
		cmocka_unit_test_setup_teardown(test_attempts_become_rare, start, stop),
		cmocka_unit_test_setup_teardown(test_vmms_come_and_go, start, stop),
		cmocka_unit_test_setup_teardown(test_a_broken_vmm_is_left_alone, start, stop),
		cmocka_unit_test_setup_teardown(test_waiting_is_quiet, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
