/* SPDX-License-Identifier: BSD-3-Clause */

/* A guest and a veth (wire.h), and all kinds of frames between them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/wire.h"

#define GUEST   1 /* stations */
#define FAR     2
#define NO_RECV VF_RECV_OFFLOADS

static struct guests guests; /* one guest, "a" */
static int far = -1;         /* the packet socket */
static struct packet out, in;

static int start_with(const char *wire_options)
{
	char ports[512];

	wire_create("near", "far", 0);
	far = wire_open("far");
	memset(&guests, 0, sizeof(guests));
	guests.n = 1;
	snprintf(ports, sizeof(ports),
		"[{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"},"
		"{\"name\":\"wire\",\"kind\":\"packet\",\"interface\":\"near\"%s}]",
		wire_options);
	testbed_start(&guests.t, ports, NULL);
	return 0;
}

static int start(void **state)
{
	return start_with("");
}

/* As on a kernel before 6.2, which takes no UDP super-frames from a packet socket. */
static int start_without_uso(void **state)
{
	return start_with(",\"uso\":false");
}

static int stop(void **state)
{
	guests_abandon(&guests);
	close(far);
	wire_delete("near");
	return 0;
}

static void far_send(const struct packet *p)
{
	wire_send(far, p);
}

static void far_recv(struct packet *p)
{
	wire_recv(far, p);
}

static void connect_guest(uint64_t without, struct front_layout rx)
{
	struct frontend_options o = guest_full;

	o.features &= ~without;
	o.rx = rx;
	guests_connect(&guests, 0, &o);
	/* Both ends become known: nothing floods. */
	packet_plain(&out, FAR, GUEST, 60, 0);
	guest_send(&guests.f[0], &out);
	far_recv(&in);
	assert_int_equal(in.len, 60);
	packet_plain(&out, GUEST, FAR, 60, 0);
	far_send(&out);
	guest_recv(&guests.f[0], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
}

static void judge(const struct packet *p, struct packet_view *v)
{
	const char *why = packet_judge(p->byte, p->len, &p->hdr, v);

	if (why)
		fail_msg("frame of %u bytes: %s is wrong", p->len, why);
}

/* Plain frames up to the MTU, both ways. */
static void test_plain(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;

	connect_guest(0, (struct front_layout) { 0 });
	for (uint32_t len = 60; len <= 1514; len++) {
		packet_plain(&out, FAR, GUEST, len, len);
		guest_send(&guests.f[0], &out);
		far_recv(&in);
		assert_int_equal(in.len, len);
		assert_memory_equal(in.byte, out.byte, len);
		packet_plain(&out, GUEST, FAR, len, len + 1);
		far_send(&out);
		guest_recv(&guests.f[0], &in, &hdr);
		assert_int_equal(in.len, len);
		assert_memory_equal(in.byte, out.byte, len);
	}
	guests_stop(&guests);
}

static const struct packet_spec super_frames[] = {
	{ .payload_len = 60000, .gso_size = 1448 },
	{ .payload_len = 2000, .gso_size = 1448, .tcp_flags = TCP_FLAG_PSH },
	{ .payload_len = 60000, .gso_size = 1428, .v6 = true },
	{ .payload_len = 20000, .gso_size = 1000, .tcp_flags = TCP_FLAG_CWR },
	{ .payload_len = 1000, .partial = true },
	{ .payload_len = 1000, .partial = true, .udp = true },
	{ .payload_len = 1000, .partial = true, .v6 = true, .udp = true },
	{ .payload_len = 40000, .gso_size = 1400, .udp = true },
	{ .payload_len = 40000, .gso_size = 1400, .udp = true, .v6 = true },
};
#define N_SUPER_FRAMES (sizeof(super_frames) / sizeof(super_frames[0]))

/* What arrives: the frame as it was, or its payload in segments. */
static void expect_payload(const struct packet_spec *s, bool at_guest, bool whole)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct packet_view v;
	unsigned n = 0;

	for (uint32_t done = 0; done < s->payload_len; done += v.payload_len, n++) {
		if (at_guest)
			guest_recv(&guests.f[0], &in, &hdr);
		else
			far_recv(&in);
		judge(&in, &v);
		assert_true(v.payload_len > 0 && done + v.payload_len <= s->payload_len);
		assert_memory_equal(v.payload, out.byte + out.payload + done, v.payload_len);
		if (whole)
			assert_int_equal(in.hdr.gso_size, s->gso_size);
		else
			assert_true(v.payload_len <= s->gso_size || !s->gso_size);
	}
	if (whole)
		assert_int_equal(n, 1);
}

static void guest_to_wire(bool uso)
{
	connect_guest(0, (struct front_layout) { 0 });
	for (unsigned i = 0; i < N_SUPER_FRAMES; i++) {
		struct packet_spec s = super_frames[i];

		s.dst = FAR;
		s.src = GUEST;
		s.seed = i;
		packet_build(&out, &s);
		guest_send(&guests.f[0], &out);
		expect_payload(&s, false, uso || !s.udp || !s.gso_size);
	}
	assert_int_equal(testbed_stat(&guests.t, "wire", "stats64.tx.dropped"), 0);
	assert_int_equal(testbed_stat(&guests.t, "wire", "segmented"), uso ? 0 : 2);
	guests_stop(&guests);
}

static void test_guest_to_wire(void **state)
{
	guest_to_wire(true);
}

static void test_guest_to_wire_without_uso(void **state)
{
	guest_to_wire(false);
}

static void wire_to_guest(uint64_t without, struct front_layout rx, bool whole)
{
	connect_guest(without, rx);
	for (unsigned i = 0; i < N_SUPER_FRAMES; i++) {
		struct packet_spec s = super_frames[i];

		s.dst = GUEST;
		s.src = FAR;
		s.seed = i;
		packet_build(&out, &s);
		far_send(&out);
		expect_payload(&s, true, whole);
		if (without & VF_GUEST_CSUM)
			assert_int_equal(in.hdr.flags, 0);
	}
	guest_hears_nothing(&guests.f[0]);
}

static void test_wire_to_guest(void **state)
{
	wire_to_guest(0, (struct front_layout) { 0 }, true);
	guests_stop(&guests);
}

static void test_wire_to_big_buffers(void **state)
{
	wire_to_guest(VF_MRG_RXBUF,
		(struct front_layout) {
			.buffer_size = 65562, .first_piece = FRONT_HEADER, .n_pieces = 17 },
		true);
	guests_stop(&guests);
}

static void test_wire_to_plain_guest(void **state)
{
	wire_to_guest(NO_RECV, (struct front_layout) { 0 }, false);
	assert_true(testbed_stat(&guests.t, "a", "segmented") > 0);
	guests_disconnect(&guests, 0);
	wire_to_guest(NO_RECV | VF_MRG_RXBUF, (struct front_layout) { .buffer_size = 1526 }, false);
	guests_disconnect(&guests, 0);
	wire_to_guest(NO_RECV | VF_MRG_RXBUF | VF_VERSION_1,
		(struct front_layout) { .buffer_size = 1526 }, false);
	guests_stop(&guests);
}

/* The kernel takes a tag out of the frame; the switch has to put it back, and offsets with it. */
static void test_vlan_tag(void **state)
{
	static const uint16_t tpid[] = { 0x8100, 0x88a8 };
	struct packet_spec s = { .dst = GUEST, .src = FAR, .n_vlan = 1, .payload_len = 20000 };
	struct virtio_net_hdr_mrg_rxbuf hdr;

	connect_guest(0, (struct front_layout) { 0 });
	for (unsigned i = 0; i < 4; i++) {
		s.gso_size = i & 1 ? 1400 : 0;
		s.payload_len = i & 1 ? 20000 : 1000;
		packet_build(&out, &s);
		out.byte[12] = (uint8_t)(tpid[i / 2] >> 8);
		out.byte[13] = (uint8_t)tpid[i / 2];
		far_send(&out);
		guest_recv(&guests.f[0], &in, &hdr);
		assert_int_equal(in.len, out.len);
		assert_memory_equal(in.byte, out.byte, out.len);
		assert_int_equal(in.hdr.gso_size, s.gso_size);
		if (s.gso_size)
			assert_int_equal(in.hdr.csum_start, out.hdr.csum_start);
	}
	guests_stop(&guests);
}

/* A guest that does not read: frames wait or are dropped by name, the guest recovers. */
static void test_guest_stalls(void **state)
{
	struct frontend_options o = guest_full;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	unsigned n = 0;

	connect_guest(0, (struct front_layout) { 0 });
	o.ring_size = 32;
	guests_connect(&guests, 0, &o);
	for (unsigned i = 0; i < 400; i++) {
		packet_plain(&out, GUEST, FAR, 1000, i);
		far_send(&out);
	}
	while (frontend_recv(&guests.f[0], in.byte, sizeof(in.byte), &hdr, 200) == 1000)
		n++;
	assert_true(n >= 32);
	packet_plain(&out, GUEST, FAR, 1200, 7);
	far_send(&out);
	do /* behind what came late of the others */
		guest_recv(&guests.f[0], &in, &hdr);
	while (in.len == 1000);
	assert_int_equal(in.len, 1200);
	assert_memory_equal(in.byte, out.byte, 1200);
	guests_stop(&guests);
}

/* The guest's memory goes away while frames arrive from the wire: the wire stays. */
static void test_memory_goes_while_landing(void **state)
{
	connect_guest(0, (struct front_layout) { 0 });
	assert_int_equal(ftruncate(guests.f[0].region[0].fd, 0), 0);
	packet_plain(&out, GUEST, FAR, 1000, 0);
	for (unsigned i = 0; i < 5; i++)
		far_send(&out);
	if (frontend_wait_hangup(&guests.f[0], RECV_MS) < 0)
		fail_msg("still connected");
	assert_true(testbed_alive(&guests.t));
	connect_guest(0, (struct front_layout) { 0 });
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, start, stop),
		cmocka_unit_test_setup_teardown(test_guest_to_wire, start, stop),
		cmocka_unit_test_setup_teardown(
			test_guest_to_wire_without_uso, start_without_uso, stop),
		cmocka_unit_test_setup_teardown(test_wire_to_guest, start, stop),
		cmocka_unit_test_setup_teardown(test_wire_to_big_buffers, start, stop),
		cmocka_unit_test_setup_teardown(test_wire_to_plain_guest, start, stop),
		cmocka_unit_test_setup_teardown(test_vlan_tag, start, stop),
		cmocka_unit_test_setup_teardown(test_guest_stalls, start, stop),
		cmocka_unit_test_setup_teardown(test_memory_goes_while_landing, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
