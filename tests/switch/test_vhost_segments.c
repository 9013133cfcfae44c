/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Super-frames of very small segments: what one burst of them may cost an egress of each kind that
 * has to cut them. Port "a" sends; "b" is a guest, "wire" a packet and "null" a DPDK port, none of
 * which takes UDP super-frames.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/wire.h"

#define N_BURST    32
#define PER_BURST  4096 /* segments that may be made of it */
#define N_EGRESSES (sizeof(egresses) / sizeof(egresses[0]))

static const char *const egresses[] = { "b", "wire", "null" };

static struct guests guests;
static struct packet out;

static int start(void **state)
{
	struct frontend_options o = guest_full;

	o.features &= ~VF_RECV_OFFLOADS;
	wire_create("near", "far", 0);
	memset(&guests, 0, sizeof(guests));
	guests.n = 2;
	testbed_start(&guests.t,
		"[{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"},"
		"{\"name\":\"b\",\"kind\":\"vhost-user\",\"socket\":\"DIR/b.sock\"},"
		"{\"name\":\"wire\",\"kind\":\"packet\",\"interface\":\"near\",\"uso\":false},"
		"{\"name\":\"null\",\"kind\":\"ethdev\",\"devargs\":\"net_null0,no-rx=1\"}]",
		NULL);
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &o);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	wire_delete("near");
	return 0;
}

/* To everybody, and the switch finds all of them at once. */
static void send_burst(const struct packet_spec *s)
{
	struct frontend *f = &guests.f[0];
	struct iovec iov = { .iov_base = out.byte };
	siginfo_t stopped;

	packet_build(&out, s);
	iov.iov_len = out.len;
	assert_int_equal(kill(guests.t.pid, SIGSTOP), 0);
	/* Told when its last thread has stopped: until then a worker may take the first frames. */
	assert_int_equal(waitid(P_PID, (id_t)guests.t.pid, &stopped, WSTOPPED), 0);
	for (unsigned i = 0; i < N_BURST; i++)
		guest_check(f, frontend_queue_frame(f, &iov, 1, &out.hdr));
	frontend_kick(f);
	assert_int_equal(kill(guests.t.pid, SIGCONT), 0);
	guest_check(f, frontend_drain(f, RECV_MS));
}

/* Frames that an egress made, whether there was room for them or not. */
static int64_t n_made(const char *egress)
{
	return testbed_stat(&guests.t, egress, "stats64.tx.packets") +
	       testbed_drops(&guests.t, egress, "ring_full") +
	       testbed_drops(&guests.t, egress, "socket_full");
}

/* What fits is sent or finds no room; the rest is dropped by name, at each egress by itself. */
static void test_more_than_a_burst_may_cost(void **state)
{
	/* 64 KiB at the smallest gso_size that is believed */
	const struct packet_spec s = {
		.dst = STATION_ALL, .src = 1, .udp = true, .payload_len = 60000, .gso_size = 44
	};
	const unsigned each = (s.payload_len + s.gso_size - 1) / s.gso_size;
	const unsigned fit = PER_BURST / each;

	assert_int_equal(fit, 3);
	send_burst(&s);
	for (unsigned i = 0; i < N_EGRESSES; i++) {
		int64_t many = testbed_wait_drops(&guests.t, egresses[i], "segments_many", 1);

		assert_int_equal(many, N_BURST - fit);
		assert_int_equal(n_made(egresses[i]), fit * each);
	}
	guests_stop(&guests);
}

/* The most that Linux sends in one burst: as many datagrams as a UDP super-frame may have. */
static void test_what_a_kernel_sends_fits(void **state)
{
	static const struct packet_spec legal[] = {
		{ .dst = STATION_ALL, .src = 1, .payload_len = 64000, .gso_size = 1448 },
		{ .dst = STATION_ALL,
			.src = 1,
			.udp = true,
			.payload_len = 12800,
			.gso_size = 100 },
	};

	const unsigned made[] = { N_BURST * ((64000 + 1447) / 1448), N_BURST * 128 };

	for (unsigned i = 0; i < 2; i++) {
		send_burst(&legal[i]);
		for (unsigned e = 0; e < N_EGRESSES; e++) {
			int64_t want = i ? made[0] + made[1] : made[0];

			/* the wire takes TCP whole */
			if (strcmp(egresses[e], "wire") == 0)
				want = N_BURST + (i ? made[1] : 0);
			assert_int_equal(n_made(egresses[e]), want);
			assert_int_equal(testbed_drops(&guests.t, egresses[e], "segments_many"), 0);
		}
	}
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_more_than_a_burst_may_cost, start, stop),
		cmocka_unit_test_setup_teardown(test_what_a_kernel_sends_fits, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
