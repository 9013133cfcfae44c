/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What VMMs do to running guests, and guests that come and go: connections that end in the middle
 * of anything, memory tables and rings that change under traffic. Whatever one guest does, the
 * others' traffic and the control socket go on.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static struct guests guests;
static struct packet out, in;

static int start2(void **state)
{
	guests_start(&guests, 2, NULL);
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	return 0;
}

static int start3(void **state)
{
	guests_start(&guests, 3, NULL);
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

/* ---- connections ---- */

static void test_second_connection_is_refused(void **state)
{
	static struct frontend second;

	guests_cross(&guests, 0, 1, 100, 1);
	guest_check(&second, frontend_init(&second, &guest_full));
	guest_check(&second, frontend_connect(&second, guests_socket(&guests, 0)));
	guest_check(&second, frontend_wait_hangup(&second, RECV_MS));
	frontend_close(&second);
	guests_cross(&guests, 0, 1, 1000, 2);
	guests_cross(&guests, 1, 0, 1000, 3);
	guests_stop(&guests);
}

/* How far a guest gets before its connection ends. */
enum stage {
	STAGE_CONNECTED,
	STAGE_HALF_HEADER,
	STAGE_HALF_PAYLOAD, /* its descriptors have been sent */
	STAGE_NEGOTIATED,
	STAGE_UNREAD_REPLY,
	STAGE_MEMORY,
	STAGE_ONE_QUEUE,
	STAGE_RUNNING,
	STAGE_FRAMES_IN_FLIGHT,
	STAGE_STOPPED,
	N_STAGES
};

static void half_payload(struct frontend *f)
{
	struct {
		struct vu_header header;
		uint32_t n_regions;
	} message = { { VU_SET_MEM_TABLE, VU_VERSION, 8 + 32 }, 1 };

	guest_check(f, frontend_send_bytes(f, &message, sizeof(message), &f->region[0].fd, 1));
}

static void frames_in_flight(struct frontend *f)
{
	struct iovec iov = { .iov_base = out.byte };

	for (unsigned i = 0; i < 40; i++) {
		packet_plain(&out, 9, 2, 60 + i * 900, i);
		iov.iov_len = out.len;
		guest_check(f, frontend_queue_frame(f, &iov, 1, NULL));
	}
	frontend_kick(f);
}

static void live_until(struct frontend *f, const char *path, enum stage stage)
{
	static const uint32_t request = VU_GET_FEATURES;
	uint16_t base;

	guest_check(f, frontend_init(f, &guest_full));
	if (stage < STAGE_NEGOTIATED || stage == STAGE_UNREAD_REPLY)
		guest_check(f, frontend_connect(f, path));
	if (stage == STAGE_HALF_HEADER)
		guest_check(f, frontend_send_bytes(f, &request, 4, NULL, 0));
	if (stage == STAGE_HALF_PAYLOAD)
		half_payload(f);
	if (stage == STAGE_UNREAD_REPLY)
		guest_check(f, frontend_message(f, VU_GET_FEATURES, NULL, 0, NULL, 0));
	if (stage == STAGE_NEGOTIATED || stage == STAGE_MEMORY || stage == STAGE_ONE_QUEUE) {
		guest_check(f, frontend_connect(f, path));
		guest_check(f, frontend_negotiate(f));
	}
	if (stage == STAGE_MEMORY || stage == STAGE_ONE_QUEUE)
		guest_check(f, frontend_set_mem_table(f));
	if (stage == STAGE_ONE_QUEUE)
		guest_check(f, frontend_start_queue(f, FRONT_TX, 0));
	if (stage >= STAGE_RUNNING)
		guest_check(f, frontend_start(f, path));
	if (stage >= STAGE_FRAMES_IN_FLIGHT)
		frames_in_flight(f);
	if (stage == STAGE_STOPPED)
		guest_check(f, frontend_stop_queue(f, FRONT_TX, &base));
}

/* Another guest's traffic into the port while its guest goes away. */
static void traffic_into(struct frontend *f, uint8_t station)
{
	struct iovec iov = { .iov_base = out.byte };

	for (unsigned i = 0; i < 8; i++) {
		packet_plain(&out, station, 1, 1500, i);
		iov.iov_len = out.len;
		guest_check(f, frontend_queue_frame(f, &iov, 1, NULL));
	}
	frontend_kick(f);
}

static void test_200_reconnects(void **state)
{
	const char *path = guests_socket(&guests, 1);
	int fds, maps;

	guests_cross(&guests, 0, 1, 60, 0);
	guests_disconnect(&guests, 1);
	testbed_wait_stat(&guests.t, "b", "stats64.tx.packets", 1);
	usleep(20000);
	fds = testbed_count_fds(&guests.t);
	maps = testbed_count_maps(&guests.t);
	for (unsigned i = 0; i < 200; i++) {
		live_until(&guests.f[1], path, i % N_STAGES);
		traffic_into(&guests.f[0], 2);
		frontend_close(&guests.f[1]);
	}
	guest_check(&guests.f[0], frontend_drain(&guests.f[0], RECV_MS));
	testbed_wait_fds(&guests.t, fds);
	assert_true(testbed_count_maps(&guests.t) <= maps + 4);
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	guests_cross(&guests, 0, 1, 9000, 1);
	guests_cross(&guests, 1, 0, 9000, 2);
	guests_stop(&guests);
}

/* Half a message on one socket costs nobody else anything. */
static void test_half_a_message_stops_nobody(void **state)
{
	static const struct vu_header header = { VU_SET_FEATURES, VU_VERSION, 8 };
	struct frontend *idle = &guests.f[2];

	guest_check(idle, frontend_init(idle, &guest_full));
	guest_check(idle, frontend_connect(idle, guests_socket(&guests, 2)));
	for (unsigned i = 1; i < sizeof(header); i += 3) {
		guest_check(idle,
			frontend_send_bytes(idle, (const uint8_t *)&header + i - 1, 1, NULL, 0));
		json_decref(testbed_call(&guests.t, "port.stats"));
		guests_connect(&guests, 1, &guest_full);
		guests_cross(&guests, 0, 1, 1500, i);
		guests_cross(&guests, 1, 0, 1500, i);
	}
	guests_stop(&guests);
}

/* A message in single bytes is still a message. */
static void test_message_in_pieces(void **state)
{
	static const struct vu_header header = { VU_GET_FEATURES, VU_VERSION, 0 };
	struct frontend *f = &guests.f[2];
	struct vu_header reply;
	uint64_t features;

	guest_check(f, frontend_init(f, &guest_full));
	guest_check(f, frontend_connect(f, guests_socket(&guests, 2)));
	for (unsigned i = 0; i < sizeof(header); i++) {
		guest_check(f, frontend_send_bytes(f, (const uint8_t *)&header + i, 1, NULL, 0));
		usleep(500);
	}
	guest_check(f, frontend_read_message(f, &reply, &features, sizeof(features)));
	assert_int_equal(reply.request, VU_GET_FEATURES);
	assert_int_equal(reply.size, 8);
	assert_true(features & VF_VERSION_1);
	guests_stop(&guests);
}

static void test_stop_hangs_up(void **state)
{
	guests_cross(&guests, 0, 1, 60, 0);
	guests.n = 0; /* the guests stay connected */
	guests_stop(&guests);
	for (unsigned i = 0; i < 2; i++) {
		guest_check(&guests.f[i], frontend_wait_hangup(&guests.f[i], RECV_MS));
		frontend_close(&guests.f[i]);
	}
}

/* ---- changes under traffic ---- */

#define BURST 24

static void send_burst(unsigned round)
{
	struct iovec iov = { .iov_base = out.byte };

	for (unsigned i = 0; i < BURST; i++) {
		packet_plain(&out, 2, 1, 60 + 97 * i, round * 32 + i);
		iov.iov_len = out.len;
		guest_check(&guests.f[0], frontend_queue_frame(&guests.f[0], &iov, 1, NULL));
	}
	frontend_kick(&guests.f[0]);
}

/* `n` frames of the burst must arrive unaltered and in order. */
static void recv_burst(unsigned round, unsigned n)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;

	for (unsigned i = 0; n > 0; n--, i++) {
		guest_recv(&guests.f[1], &in, &hdr);
		while (i < BURST && in.len != 60 + 97 * i)
			i++;
		assert_true(i < BURST);
		packet_plain(&out, 2, 1, 60 + 97 * i, round * 32 + i);
		assert_int_equal(in.len, out.len);
		assert_memory_equal(in.byte, out.byte, out.len);
	}
}

/*
 * A burst is on its way while the control thread changes something at the guest `changed`. The
 * sender loses nothing by it. What is meant for a receiver while its rings are parked may be
 * dropped, but by name, and no longer than that.
 */
static void burst_around(
	void (*change)(struct frontend *f, unsigned round), unsigned changed, unsigned n_rounds)
{
	unsigned first = (unsigned)testbed_drops(&guests.t, "b", "port_busy"), lost = first;

	for (unsigned round = 0; round < n_rounds; round++) {
		unsigned before = lost;

		send_burst(round);
		change(&guests.f[changed], round);
		guest_check(&guests.f[0], frontend_drain(&guests.f[0], RECV_MS));
		if (changed == 1)
			lost = (unsigned)testbed_drops(&guests.t, "b", "port_busy");
		recv_burst(round, BURST - (lost - before));
		guests_cross(&guests, 0, 1, 1000, round);
	}
	assert_int_equal(testbed_drops(&guests.t, "b", "port_busy"), lost);
	print_message("             lost while parked: %u of %u\n", lost - first, n_rounds * BURST);
}

static void toggle_region(struct frontend *f, unsigned round)
{
	if (round % 3 == 0)
		guest_check(f, frontend_add_region(f, 16 << 20));
	else if (round % 3 == 2)
		frontend_drop_region(f);
	guest_check(f, frontend_set_mem_table(f));
}

static void test_mem_table_under_traffic(void **state)
{
	burst_around(toggle_region, 0, 150);
	burst_around(toggle_region, 1, 150);
	guests_stop(&guests);
}

static void hotplug(struct frontend *f, unsigned round)
{
	if (round % 2 == 0) {
		guest_check(f, frontend_add_region(f, 16 << 20));
		guest_check(f, frontend_plug(f, f->n_regions - 1));
	} else {
		guest_check(f, frontend_unplug(f, f->n_regions - 1));
		frontend_drop_region(f);
	}
}

static void test_hotplug_under_traffic(void **state)
{
	uint64_t slots;

	assert_true(guests.f[0].protocol & VU_PROTOCOL_CONFIGURE_MEM_SLOTS);
	guest_check(&guests.f[0], frontend_get_u64(&guests.f[0], VU_GET_MAX_MEM_SLOTS, &slots));
	assert_true(slots >= 8);
	burst_around(hotplug, 0, 100);
	burst_around(hotplug, 1, 100);
	guests_stop(&guests);
}

/* As QEMU masks and unmasks an interrupt. */
static void replace_call(struct frontend *f, unsigned round)
{
	struct front_queue *q = &f->queue[round & 1];

	guest_check(f, frontend_set_vring_fd(f, VU_SET_VRING_CALL, round & 1, &q->call));
}

static void test_new_call_under_traffic(void **state)
{
	burst_around(replace_call, 1, 200);
	burst_around(replace_call, 0, 200);
	guests_stop(&guests);
}

static void restart_queue(struct frontend *f, unsigned round)
{
	struct front_queue *q = &f->queue[f == &guests.f[0] ? FRONT_TX : FRONT_RX];
	uint16_t base;

	guest_check(f, frontend_stop_queue(f, q->index, &base));
	assert_int_equal(base, __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE));
	guest_check(f, frontend_start_queue(f, q->index, base));
}

/* Nothing is lost, doubled or reordered when the sender's ring is stopped and started again. */
static void test_restart_under_traffic(void **state)
{
	burst_around(restart_queue, 0, 200);
	guests_stop(&guests);
}

static void test_vring_base(void **state)
{
	uint16_t base = 0xffff;

	for (unsigned i = 0; i < 7; i++)
		guests_cross(&guests, 0, 1, 100, i);
	guest_check(&guests.f[0], frontend_drain(&guests.f[0], RECV_MS));
	guest_check(&guests.f[0], frontend_stop_queue(&guests.f[0], FRONT_TX, &base));
	assert_int_equal(base, 7);
	packet_plain(&out, 2, 1, 500, 99);
	guest_send(&guests.f[0], &out);
	guest_hears_nothing(&guests.f[1]);
	guest_check(&guests.f[0], frontend_start_queue(&guests.f[0], FRONT_TX, base));
	guest_recv(&guests.f[1], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	assert_int_equal(in.len, 500);
	guest_check(&guests.f[1], frontend_stop_queue(&guests.f[1], FRONT_RX, &base));
	assert_int_equal(base, 8);
	guest_check(&guests.f[1], frontend_start_queue(&guests.f[1], FRONT_RX, base));
	guests_cross(&guests, 0, 1, 100, 100);
	guests_stop(&guests);
}

/* A disabled ring is left alone: what is in it waits, and nothing is put into one. */
static void test_disabled_rings(void **state)
{
	struct frontend *a = &guests.f[0], *b = &guests.f[1];

	for (unsigned round = 0; round < 10; round++) {
		packet_plain(&out, 2, 1, 300, round);
		guest_check(a, frontend_enable_queue(a, FRONT_TX, false));
		guest_send(a, &out);
		guest_hears_nothing(b);
		guest_check(a, frontend_enable_queue(a, FRONT_TX, true));
		guest_check(a, frontend_drain(a, RECV_MS));
		guest_recv(b, &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
		guest_check(b, frontend_enable_queue(b, FRONT_RX, false));
		guest_send(a, &out);
		guest_check(a, frontend_drain(a, RECV_MS));
		guest_check(b, frontend_enable_queue(b, FRONT_RX, true));
		guests_cross(&guests, 0, 1, 700, round);
		guests_cross(&guests, 1, 0, 700, round);
	}
	assert_true(testbed_stat(&guests.t, "b", "stats64.tx.dropped") >= 10);
	guests_stop(&guests);
}

/* Reset by the guest's driver: the same connection, new rings, other features. */
static void test_guest_reset(void **state)
{
	struct frontend *f = &guests.f[1];
	uint16_t base;

	for (unsigned round = 0; round < 50; round++) {
		guests_cross(&guests, 0, 1, 2000, round);
		for (unsigned i = 0; i < 2; i++)
			guest_check(f, frontend_stop_queue(f, i, &base));
		frontend_reset_queues(f);
		f->features = f->offered;
		if (round & 1)
			f->features &= ~(VF_EVENT_IDX | VF_RECV_OFFLOADS);
		guest_check(f, frontend_set_u64(f, VU_SET_FEATURES, f->features));
		guest_check(f, frontend_set_mem_table(f));
		frontend_fill(f);
		for (unsigned i = 0; i < 2; i++)
			guest_check(f, frontend_start_queue(f, i, 0));
		guests_cross(&guests, 1, 0, 2000, round);
	}
	guests_stop(&guests);
}

/* A new backend process would find rings that have been in use: the same, by reconnecting. */
static void test_reconnect_with_used_rings(void **state)
{
	struct frontend *f = &guests.f[1];

	for (unsigned round = 0; round < 20; round++) {
		guests_cross(&guests, 0, 1, 1000, round);
		guests_cross(&guests, 1, 0, 1000, round);
		guest_check(f, frontend_drain(f, RECV_MS));
		frontend_disconnect(f);
		guest_check(f, frontend_start(f, guests_socket(&guests, 1)));
	}
	guests_cross(&guests, 0, 1, 1000, 99);
	guests_stop(&guests);
}

/* ---- a guest that does not keep up ---- */

static void test_full_ring_drops(void **state)
{
	struct frontend_options o = guest_full;
	unsigned n = 100;

	o.ring_size = 16;
	guests_connect(&guests, 1, &o);
	packet_plain(&out, 2, 1, 100, 0);
	for (unsigned i = 0; i < n; i++)
		guest_send(&guests.f[0], &out);
	guest_check(&guests.f[0], frontend_drain(&guests.f[0], RECV_MS));
	assert_int_equal(testbed_wait_drops(&guests.t, "b", "ring_full", n - 16), n - 16);
	for (unsigned i = 0; i < 16; i++)
		guest_recv(&guests.f[1], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	guest_hears_nothing(&guests.f[1]);
	guests_cross(&guests, 0, 1, 1400, 5);
	guests_stop(&guests);
}

static void test_small_buffers(void **state)
{
	struct frontend_options o = guest_full;

	o.features &= ~VF_MRG_RXBUF;
	o.rx.buffer_size = 1526;
	guests_connect(&guests, 1, &o);
	packet_plain(&out, 2, 1, 1515, 0);
	guest_send(&guests.f[0], &out);
	assert_int_equal(testbed_wait_drops(&guests.t, "b", "buffer_small", 1), 1);
	guests_cross(&guests, 0, 1, 1514, 5);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_second_connection_is_refused, start2, stop),
		cmocka_unit_test_setup_teardown(test_200_reconnects, start2, stop),
		cmocka_unit_test_setup_teardown(test_half_a_message_stops_nobody, start3, stop),
		cmocka_unit_test_setup_teardown(test_message_in_pieces, start3, stop),
		cmocka_unit_test_setup_teardown(test_stop_hangs_up, start2, stop),
		cmocka_unit_test_setup_teardown(test_mem_table_under_traffic, start2, stop),
		cmocka_unit_test_setup_teardown(test_hotplug_under_traffic, start2, stop),
		cmocka_unit_test_setup_teardown(test_new_call_under_traffic, start2, stop),
		cmocka_unit_test_setup_teardown(test_restart_under_traffic, start2, stop),
		cmocka_unit_test_setup_teardown(test_vring_base, start2, stop),
		cmocka_unit_test_setup_teardown(test_disabled_rings, start2, stop),
		cmocka_unit_test_setup_teardown(test_guest_reset, start2, stop),
		cmocka_unit_test_setup_teardown(test_reconnect_with_used_rings, start2, stop),
		cmocka_unit_test_setup_teardown(test_full_ring_drops, start2, stop),
		cmocka_unit_test_setup_teardown(test_small_buffers, start2, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
