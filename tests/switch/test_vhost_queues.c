/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Guests with several queue pairs: what is offered, which pair a frame leaves by, and pairs that
 * are enabled and disabled under traffic without a loss on any other.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define N_PAIRS 4

static struct guests guests;
static struct packet out, in;

static int start(void **state)
{
	struct frontend_options o = guest_full;

	o.n_pairs = N_PAIRS;
	guests_start_alike(&guests, 2, "\"queues\": 4", NULL);
	guests_connect(&guests, 0, &o);
	guests_connect(&guests, 1, &o);
	return 0;
}

static int start_single(void **state)
{
	guests_start(&guests, 1, NULL);
	guests_connect(&guests, 0, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static uint16_t max_virtqueue_pairs(struct frontend *f)
{
	uint16_t n;

	guest_check(f, frontend_get_config(f, 8, &n, sizeof(n)));
	return n;
}

static void test_several_pairs_are_offered(void **state)
{
	struct frontend *f = &guests.f[0];
	json_t *port = guests_show(&guests, 0);
	uint64_t n = 0;

	assert_true(f->offered & VF_MQ);
	assert_false(f->offered & VF_CTRL_VQ);
	assert_true(f->protocol_offered & VU_PROTOCOL_MQ);
	guest_check(f, frontend_get_u64(f, VU_GET_QUEUE_NUM, &n));
	assert_int_equal(n, N_PAIRS);
	assert_int_equal(max_virtqueue_pairs(f), N_PAIRS);
	assert_int_equal(json_array_size(json_object_get(port, "queues")), 2 * N_PAIRS);
	json_decref(port);
	guests_stop(&guests);
}

/* UML acknowledges all that is offered, and its driver refuses several pairs without control. */
static void test_one_pair_is_not_called_many(void **state)
{
	struct frontend *f = &guests.f[0];
	uint64_t n;

	assert_false(f->offered & (VF_MQ | VF_CTRL_VQ));
	assert_false(f->protocol_offered & VU_PROTOCOL_MQ);
	assert_int_equal(max_virtqueue_pairs(f), 1);
	assert_true(frontend_get_u64(f, VU_GET_QUEUE_NUM, &n) < 0);
	guest_check(f, frontend_wait_hangup(f, RECV_MS));
	guests_stop(&guests);
}

/* One frame from pair `from` of guest 0 arrives on pair `to` of guest 1. */
static void cross(unsigned from, unsigned to, uint32_t seed)
{
	guests.f[0].pair = from;
	guests.f[1].pair = to;
	guests_cross(&guests, 0, 1, 60 + seed % 9000, seed);
}

static void enable_pair(struct frontend *f, unsigned pair, bool enable)
{
	for (unsigned i = 0; i < 2; i++)
		guest_check(f, frontend_enable_queue(f, 2 * pair + i, enable));
}

static void test_frames_keep_their_pair(void **state)
{
	for (unsigned i = 0; i < 40; i++)
		cross(i % N_PAIRS, i % N_PAIRS, i * 211);
	for (unsigned i = 0; i < N_PAIRS; i++) {
		guests.f[0].pair = guests.f[1].pair = i;
		guests_cross(&guests, 1, 0, 3000, i);
	}
	guests_stop(&guests);
}

/* The pairs in use are the ones from the first on; frames of the others are shared out on them. */
static void test_frames_of_missing_pairs_are_shared_out(void **state)
{
	struct frontend *b = &guests.f[1];

	enable_pair(b, 3, false);
	for (unsigned i = 0; i < N_PAIRS; i++)
		cross(i, i % 3, i);
	enable_pair(b, 2, false);
	for (unsigned i = 0; i < N_PAIRS; i++)
		cross(i, i % 2, i);
	enable_pair(b, 3, true); /* behind a gap */
	for (unsigned i = 0; i < N_PAIRS; i++)
		cross(i, i % 2, i);
	enable_pair(b, 1, false);
	for (unsigned i = 0; i < N_PAIRS; i++)
		cross(i, 0, i);
	enable_pair(b, 1, true);
	enable_pair(b, 2, true);
	for (unsigned i = 0; i < N_PAIRS; i++)
		cross(i, i, i);
	guests_stop(&guests);
}

/* ---- enabled and disabled under traffic ---- */

#define BURST 60 /* frames, told apart by their length */

static void send_burst(struct frontend *f, unsigned first, unsigned n, uint8_t to, uint8_t from)
{
	struct iovec iov = { .iov_base = out.byte };

	for (unsigned i = first; i < first + n; i++) {
		packet_plain(&out, to, from, 60 + 13 * i, i);
		iov.iov_len = out.len;
		guest_check(f, frontend_queue_frame(f, &iov, 1, NULL));
	}
	frontend_kick(f);
}

static void take_frame(struct frontend *f, bool *seen)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	unsigned i;

	guest_recv(f, &in, &hdr);
	i = (in.len - 60) / 13;
	assert_true(i < BURST && !seen[i]);
	packet_plain(&out, in.byte[5], in.byte[11], 60 + 13 * i, i);
	assert_int_equal(in.len, out.len);
	assert_memory_equal(in.byte, out.byte, out.len);
	seen[i] = true;
}

static bool has_frame(const struct front_queue *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->used_idx;
}

/* n frames of the burst arrive, each once, whatever pairs they come by. */
static void recv_some(struct frontend *f, unsigned wanted, bool seen[BURST])
{
	int64_t deadline = frontend_now_ms() + RECV_MS;

	for (unsigned n = 0; n < wanted;) {
		f->pair = (f->pair + 1) % N_PAIRS;
		if (has_frame(frontend_rx(f))) {
			take_frame(f, seen);
			n++;
		} else if (f->pair == 0) {
			if (frontend_now_ms() > deadline)
				fail_msg("%u frames of %u", n, wanted);
			usleep(100);
		}
	}
}

static void recv_burst(struct frontend *f)
{
	bool seen[BURST] = { false };

	recv_some(f, BURST, seen);
}

static int64_t lost(void)
{
	return testbed_stat(&guests.t, "b", "stats64.tx.dropped") +
	       testbed_stat(&guests.t, "a", "stats64.rx.dropped");
}

/*
 * The receiver switches a pair off and on while frames for it and for its neighbours are under way.
 * No frame of any pair is lost: while it is off its frames go to the others.
 */
static void test_receiver_toggles_pairs_under_traffic(void **state)
{
	struct frontend *a = &guests.f[0], *b = &guests.f[1];

	for (unsigned round = 0; round < 120; round++) {
		unsigned toggled = 1 + round % (N_PAIRS - 1);

		a->pair = 0;
		send_burst(a, 0, BURST / 3, 2, 1);
		a->pair = toggled;
		send_burst(a, BURST / 3, BURST / 3, 2, 1);
		enable_pair(b, toggled, false);
		send_burst(a, 2 * BURST / 3, BURST / 3, 2, 1);
		enable_pair(b, toggled, true);
		recv_burst(b);
		for (a->pair = 0; a->pair < N_PAIRS; a->pair++)
			guest_check(a, frontend_drain(a, RECV_MS));
		a->pair = 0;
	}
	assert_int_equal(lost(), 0);
	guests_stop(&guests);
}

/* The sender does: what it leaves in a pair that is off is discarded, all others go on at once. */
static void test_sender_toggles_pairs_under_traffic(void **state)
{
	struct frontend *a = &guests.f[0], *b = &guests.f[1];

	for (unsigned round = 0; round < 60; round++) {
		unsigned toggled = round % N_PAIRS, other = (toggled + 1) % N_PAIRS;
		bool seen[BURST] = { false };
		int64_t before = testbed_drops(&guests.t, "a", "disabled"), discarded;

		a->pair = toggled;
		send_burst(a, 0, BURST / 2, 2, 1);
		guest_check(a, frontend_enable_queue(a, 2 * toggled + FRONT_TX, false));
		a->pair = other;
		send_burst(a, BURST / 2, BURST / 2, 2, 1);
		guest_check(a, frontend_drain(a, RECV_MS));
		a->pair = toggled;
		guest_check(a, frontend_drain(a, RECV_MS));
		guest_check(a, frontend_enable_queue(a, 2 * toggled + FRONT_TX, true));
		discarded = testbed_drops(&guests.t, "a", "disabled") - before;
		recv_some(b, (unsigned)(BURST - discarded), seen);
		for (unsigned i = BURST / 2; i < BURST; i++)
			assert_true(seen[i]);
	}
	assert_int_equal(lost(), testbed_drops(&guests.t, "a", "disabled"));
	guests_stop(&guests);
}

/* Started, stopped and started again one by one, as drivers do that resize their rings. */
static void test_pairs_are_restarted_one_by_one(void **state)
{
	struct frontend *a = &guests.f[0], *b = &guests.f[1];
	uint16_t base;

	for (unsigned round = 0; round < 60; round++) {
		unsigned ring = 2 + round % (2 * N_PAIRS - 2);

		a->pair = round % N_PAIRS;
		send_burst(a, 0, BURST, 2, 1);
		guest_check(b, frontend_stop_queue(b, ring, &base));
		guest_check(b, frontend_start_queue(b, ring, base));
		recv_burst(b);
		guest_check(a, frontend_drain(a, RECV_MS));
	}
	assert_int_equal(lost(), 0);
	guests_stop(&guests);
}

/* A guest of two pairs on a port of four, one of one pair, and the ports' own state. */
static void test_guests_with_fewer_pairs(void **state)
{
	struct frontend_options o = guest_full;

	for (unsigned n = 1; n < N_PAIRS; n++) {
		json_t *port;

		o.n_pairs = n;
		guests_connect(&guests, 1, &o);
		for (unsigned i = 0; i < N_PAIRS; i++)
			cross(i, i % n, i * 100);
		port = guests_show(&guests, 1);
		assert_string_equal(json_string_value(json_object_get(port, "operstate")), "up");
		json_decref(port);
	}
	guests_stop(&guests);
}

/* A broken ring of any pair costs the guest its connection, and nobody else anything. */
static void test_any_pair_can_break(void **state)
{
	struct frontend_options o = guest_full;

	o.n_pairs = N_PAIRS;
	for (unsigned i = 0; i < N_PAIRS; i++) {
		struct front_queue *q = &guests.f[0].queue[2 * i + FRONT_TX];
		uint64_t one = 1;

		cross(i, i, i);
		front_queue_offer(q, q->size);
		assert_int_equal(write(q->kick, &one, sizeof(one)), sizeof(one));
		guest_check(&guests.f[0], frontend_wait_hangup(&guests.f[0], RECV_MS));
		guests_connect(&guests, 0, &o);
	}
	guests.f[0].pair = guests.f[1].pair = 0;
	guests_cross(&guests, 1, 0, 500, 1);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_several_pairs_are_offered, start, stop),
		cmocka_unit_test_setup_teardown(
			test_one_pair_is_not_called_many, start_single, stop),
		cmocka_unit_test_setup_teardown(test_frames_keep_their_pair, start, stop),
		cmocka_unit_test_setup_teardown(
			test_frames_of_missing_pairs_are_shared_out, start, stop),
		cmocka_unit_test_setup_teardown(
			test_receiver_toggles_pairs_under_traffic, start, stop),
		cmocka_unit_test_setup_teardown(
			test_sender_toggles_pairs_under_traffic, start, stop),
		cmocka_unit_test_setup_teardown(test_pairs_are_restarted_one_by_one, start, stop),
		cmocka_unit_test_setup_teardown(test_guests_with_fewer_pairs, start, stop),
		cmocka_unit_test_setup_teardown(test_any_pair_can_break, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
