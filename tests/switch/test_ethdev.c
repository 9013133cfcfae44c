/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Ports on DPDK's drivers. net_af_packet on a veth is the one that hides what a frame needs; the
 * others carry frames between switches and back to where they came from.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/far_end.h"
#include "tests/switch/guests.h"

#define GUEST   1 /* stations */
#define FAR     2
#define NO_RECV VF_RECV_OFFLOADS
#define MTU     1500

static struct guests guests; /* "a", and in some tests "b" */
static struct testbed other; /* a second switch */
static struct packet out, in;
static struct virtio_net_hdr_mrg_rxbuf hdr;

static int stop(void **state)
{
	guests_abandon(&guests);
	testbed_abandon(&other);
	return 0;
}

static void judge(const struct packet *p, struct packet_view *v)
{
	const char *why = packet_judge(p->byte, p->len, &p->hdr, v);

	if (why)
		fail_msg("frame of %u bytes: %s is wrong", p->len, why);
}

/* --- net_af_packet --------------------------------------------------------------------------- */

#define GUEST_PORT "{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"}"

static int start_af_packet(void **state)
{
	far_open();
	memset(&guests, 0, sizeof(guests));
	guests.n = 1;
	testbed_start(&guests.t,
		"[" GUEST_PORT ",{\"name\":\"wire\",\"kind\":\"ethdev\","
		"\"devargs\":\"net_af_packet0,iface=near\"}]",
		NULL);
	return 0;
}

static int stop_af_packet(void **state)
{
	(void)stop(state);
	far_close();
	return 0;
}

static void connect_guest(uint64_t without)
{
	struct frontend_options o = guest_full;

	o.features &= ~without;
	guests_connect(&guests, 0, &o);
	packet_plain(&out, FAR, GUEST, 60, 0);
	guest_send(&guests.f[0], &out);
	far_recv(&in);
	assert_int_equal(in.len, 60);
	packet_plain(&out, GUEST, FAR, 60, 0);
	far_send(&out);
	guest_recv(&guests.f[0], &in, &hdr);
}

static void test_plain(void **state)
{
	connect_guest(0);
	for (uint32_t len = 60; len <= MTU + 14; len++) {
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
	packet_plain(&out, FAR, GUEST, MTU + 15, 0);
	guest_send(&guests.f[0], &out);
	(void)testbed_wait_drops(&guests.t, "wire", "mtu", 1);
	guests_stop(&guests);
}

static const struct packet_spec specs[] = {
	{ .payload_len = 60000, .gso_size = 1448 },
	{ .payload_len = 65215 - 32, .gso_size = 1448 }, /* the most that Linux sends */
	{ .payload_len = 2000, .gso_size = 1448, .tcp_flags = TCP_FLAG_PSH },
	{ .payload_len = 60000, .gso_size = 1428, .v6 = true },
	{ .payload_len = 20000, .gso_size = 1000, .tcp_flags = TCP_FLAG_CWR },
	{ .payload_len = 40000, .gso_size = 1400, .n_vlan = 1 },
	{ .payload_len = 1000, .partial = true },
	{ .payload_len = 1000, .partial = true, .udp = true },
	{ .payload_len = 1000, .partial = true, .v6 = true, .udp = true },
	{ .payload_len = 1001 },
	{ .payload_len = 1001, .udp = true },
};
#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

/* Takes frames until the payload of `out` is complete; returns how many there were. */
static unsigned expect_payload(const struct packet_spec *s, bool at_guest)
{
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
	}
	return n;
}

static void build(const struct packet_spec *spec, bool to_guest, uint32_t seed)
{
	struct packet_spec s = *spec;

	s.dst = to_guest ? GUEST : FAR;
	s.src = to_guest ? FAR : GUEST;
	s.seed = seed;
	packet_build(&out, &s);
}

/* Super-frames and partial checksums of the veth's peer reach the guest whole. */
static void test_wire_to_guest(void **state)
{
	connect_guest(0);
	for (unsigned i = 0; i < N_SPECS; i++) {
		build(&specs[i], true, i);
		far_send(&out);
		assert_int_equal(expect_payload(&specs[i], true), 1);
		assert_int_equal(in.hdr.gso_size != 0, specs[i].gso_size != 0);
	}
	guest_hears_nothing(&guests.f[0]);
	assert_int_equal(testbed_stat(&guests.t, "wire", "bad_checksum"), 0);
	assert_int_equal(testbed_stat(&guests.t, "wire", "stats64.rx.super_frames"), 6);
	guests_stop(&guests);
}

/* A guest without offloads gets segments that fit the MTU, with checksums. */
static void test_wire_to_plain_guest(void **state)
{
	connect_guest(NO_RECV);
	for (unsigned i = 0; i < N_SPECS; i++) {
		unsigned n;

		build(&specs[i], true, i);
		far_send(&out);
		n = expect_payload(&specs[i], true);
		assert_true(in.hdr.flags == 0 && in.len <= MTU + 18);
		assert_int_equal(n > 1, specs[i].gso_size != 0);
	}
	guests_stop(&guests);
}

/* The driver takes no request: the far end gets segments with checksums. */
static void test_guest_to_wire(void **state)
{
	connect_guest(0);
	for (unsigned i = 0; i < N_SPECS; i++) {
		unsigned n;

		build(&specs[i], false, i);
		guest_send(&guests.f[0], &out);
		n = expect_payload(&specs[i], false);
		assert_int_equal(in.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
		assert_int_equal(n > 1, specs[i].gso_size != 0);
	}
	assert_int_equal(testbed_stat(&guests.t, "wire", "stats64.tx.dropped"), 0);
	assert_int_equal(testbed_stat(&guests.t, "wire", "segmented"), 6);
	guests_stop(&guests);
}

/* A wrong checksum stays wrong, and is counted. */
static void test_bad_checksum(void **state)
{
	struct packet_spec s = { .payload_len = 1000, .bad_checksum = true };

	connect_guest(0);
	for (unsigned i = 0; i < 4; i++) {
		s.udp = i & 1;
		s.v6 = i & 2;
		build(&s, true, i);
		far_send(&out);
		guest_recv(&guests.f[0], &in, &hdr);
		assert_int_equal(in.hdr.flags, 0);
		assert_int_equal(in.len, out.len);
		assert_memory_equal(in.byte, out.byte, out.len);
	}
	(void)testbed_wait_stat(&guests.t, "wire", "bad_checksum", 4);
	guests_stop(&guests);
}

/* Where a super-frame's datagrams end is not known: better none than wrong ones. */
static void test_udp_super_frame(void **state)
{
	const struct packet_spec s = { .payload_len = 40000, .gso_size = 1400, .udp = true };

	connect_guest(0);
	build(&s, true, 1);
	far_send(&out);
	(void)testbed_wait_drops(&guests.t, "wire", "sizes_lost", 1);
	guest_hears_nothing(&guests.f[0]);
	guests_stop(&guests);
}

static void expect_learned(const char *station, const char *port)
{
	json_t *all = testbed_call(&guests.t, "fdb.show"), *row;
	unsigned found = 0;
	size_t i;

	json_array_foreach (all, i, row) {
		if (strcmp(json_string_value(json_object_get(row, "mac")), station) != 0)
			continue;
		assert_string_equal(json_string_value(json_object_get(row, "ifname")), port);
		found++;
	}
	json_decref(all);
	assert_int_equal(found, 1);
}

/* A bridge that reflects the guest's broadcasts does not move its address, and it hears nothing of
 * them. */
static void test_echo(void **state)
{
	connect_guest(0);
	for (unsigned n = 0; n < 20; n++) {
		packet_plain(&out, STATION_ALL, GUEST, 100, n);
		guest_send(&guests.f[0], &out);
		far_recv(&in);
		assert_memory_equal(in.byte, out.byte, 100);
		far_send(&out);
		(void)testbed_wait_drops(&guests.t, "wire", "echo", n + 1);
		packet_plain(&out, GUEST, FAR, 100, n);
		far_send(&out);
		guest_recv(&guests.f[0], &in, &hdr);
		assert_memory_equal(in.byte, out.byte, 100);
	}
	guest_hears_nothing(&guests.f[0]);
	expect_learned("02:00:00:00:00:01", "a");
	guests_stop(&guests);
}

/* A station that has gone to the other side is heard there before long. */
static void test_no_echo(void **state)
{
	int64_t deadline = frontend_now_ms() + RECV_MS;
	bool heard = false;

	connect_guest(0);
	packet_plain(&out, STATION_ALL, 7, 100, 1);
	guest_send(&guests.f[0], &out);
	far_recv(&in);
	while (!heard && frontend_now_ms() < deadline) {
		far_send(&out);
		heard = frontend_recv(&guests.f[0], in.byte, sizeof(in.byte), &hdr, 100) == 100;
	}
	assert_true(heard);
	expect_learned("02:00:00:00:00:07", "wire");
	guests_stop(&guests);
}

/* What the pod's own kernel sends by the interface is heard too, and is not for the guest. */
static void test_echo_of_the_pod(void **state)
{
	static const uint8_t mac[6] = { 0x06, 1, 2, 3, 4, 5 };

	guests_stop(&guests);
	testbed_run("ip link set near address 06:01:02:03:04:05");
	guests.n = 1;
	testbed_start(&guests.t,
		"[" GUEST_PORT ",{\"name\":\"wire\",\"kind\":\"ethdev\","
		"\"devargs\":\"net_af_packet0,iface=near\"}]",
		NULL);
	connect_guest(0);
	packet_plain(&out, STATION_ALL, 9, 100, 1);
	memcpy(out.byte + 6, mac, sizeof(mac));
	near_send(&out);
	(void)testbed_wait_drops(&guests.t, "wire", "echo", 1);
	guest_hears_nothing(&guests.f[0]);
	guests_stop(&guests);
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/*
 * A datagram that the far kernel has cut: the driver's socket puts it together, the switch cuts it
 * again, and the guest finds what was on the wire.
 */
static void test_fragments(void **state)
{
	static uint8_t sent[65507], got[65600];
	const size_t sizes[] = { 8000, 1473, 60000 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	connect_guest(0);
	testbed_run("ip addr add 10.9.9.1/24 dev far");
	testbed_run("ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:01 dev far nud permanent");
	assert_int_equal(inet_pton(AF_INET, "10.9.9.2", &to.sin_addr), 1);
	for (unsigned i = 0; i < 3; i++) {
		size_t total = sizes[i] + 8, done = 0;

		packet_pattern(sent, (uint32_t)sizes[i], i);
		assert_int_equal(sendto(fd, sent, sizes[i], 0, (struct sockaddr *)&to, sizeof(to)),
			sizes[i]);
		while (done < total) {
			size_t len;

			guest_recv(&guests.f[0], &in, &hdr);
			assert_int_equal(in.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
			assert_true(in.len <= MTU + 14);
			len = be16(in.byte + 16) - 20u;
			assert_int_equal((be16(in.byte + 20) & 0x1fff) * 8u, done);
			memcpy(got + done, in.byte + 34, len);
			done += len;
			assert_int_equal((be16(in.byte + 20) & 0x2000) != 0, done < total);
		}
		assert_int_equal(done, total);
		assert_memory_equal(got + 8, sent, sizes[i]);
	}
	/* Beyond what the driver's rings hold: not cut off, dropped. */
	assert_int_equal(sendto(fd, sent, 65507, 0, (struct sockaddr *)&to, sizeof(to)), 65507);
	(void)testbed_wait_drops(&guests.t, "wire", "truncated", 1);
	guest_hears_nothing(&guests.f[0]);
	close(fd);
	guests_stop(&guests);
}

/* Carrier comes and goes a moment after the far end does. */
static void wait_operstate(const char *state)
{
	int64_t deadline = frontend_now_ms() + RECV_MS;
	bool is, has_hint;

	do {
		json_t *all = testbed_call(&guests.t, "port.show"), *wire = json_array_get(all, 1);
		const char *now = json_string_value(json_object_get(wire, "operstate"));

		is = strcmp(now, state) == 0;
		has_hint = json_object_get(wire, "hint");
		json_decref(all);
	} while (!is && frontend_now_ms() < deadline);
	assert_true(is);
	assert_int_equal(has_hint, strcmp(state, "down") == 0);
}

static void test_shown(void **state)
{
	json_t *all = testbed_call(&guests.t, "port.show"), *wire = json_array_get(all, 1);

	assert_string_equal(json_string_value(json_object_get(wire, "driver")), "net_af_packet");
	assert_int_equal(json_integer_value(json_object_get(wire, "mtu")), MTU);
	assert_true(json_is_false(json_object_get(wire, "sleeps")));
	json_decref(all);
	wait_operstate("up");
	testbed_run("ip link set far down");
	wait_operstate("down");
	testbed_run("ip link set far up");
	wait_operstate("up");
	guests_stop(&guests);
}

/* --- the other drivers ----------------------------------------------------------------------- */

static void start_beside_guest(const char *devargs)
{
	char ports[512];

	memset(&guests, 0, sizeof(guests));
	guests.n = 1;
	snprintf(ports, sizeof(ports),
		"[" GUEST_PORT ",{\"name\":\"dev\",\"kind\":\"ethdev\",\"mtu\":9000,"
		"\"devargs\":\"%s\"}]",
		devargs);
	testbed_start(&guests.t, ports, NULL);
	guests_connect(&guests, 0, &guest_full);
}

/* A ring gives back what it got, also frames of several buffers. */
static void test_ring(void **state)
{
	start_beside_guest("net_ring0");
	for (uint32_t len = 60; len <= 9014; len += 597) {
		packet_plain(&out, FAR, GUEST, len, len);
		guest_send(&guests.f[0], &out);
		guest_recv(&guests.f[0], &in, &hdr);
		assert_int_equal(in.len, len);
		assert_memory_equal(in.byte, out.byte, len);
	}
	guests_stop(&guests);
}

/* A super-frame becomes segments on its way into the ring; their checksums are good when they come
 * back. */
static void test_ring_segments(void **state)
{
	const struct packet_spec s = {
		.dst = FAR, .src = GUEST, .payload_len = 60000, .gso_size = 1448, .v6 = true
	};

	start_beside_guest("net_ring0");
	packet_build(&out, &s);
	guest_send(&guests.f[0], &out);
	assert_int_equal(expect_payload(&s, true), 42);
	assert_int_equal(in.hdr.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	guests_stop(&guests);
}

static void test_null(void **state)
{
	start_beside_guest("net_null0,no-rx=1");
	for (unsigned i = 0; i < 1000; i++) {
		packet_plain(&out, FAR, GUEST, 200, i);
		guest_send(&guests.f[0], &out);
		guest_check(&guests.f[0], frontend_drain(&guests.f[0], RECV_MS));
	}
	(void)testbed_wait_stat(&guests.t, "dev", "stats64.tx.packets", 1000);
	(void)testbed_wait_stat(&guests.t, "dev", "device.opackets", 1000);
	guest_hears_nothing(&guests.f[0]);
	guests_stop(&guests);
}

/* DPDK's virtio driver as the guest of another switch's vhost-user port. */
static void test_virtio_user(void **state)
{
	static const struct packet_spec tcp[] = {
		{ .payload_len = 1000, .partial = true },
		{ .payload_len = 1000, .partial = true, .v6 = true, .udp = true },
		{ .payload_len = 30000, .gso_size = 1400 },
	};
	char ports[512];

	/* guest a - first switch - vhost-user port b = net_virtio_user0 - second switch - guest c
	 */
	guests_start(&guests, 2, NULL);
	snprintf(ports, sizeof(ports),
		"[{\"name\":\"c\",\"kind\":\"vhost-user\",\"socket\":\"DIR/c.sock\"},"
		"{\"name\":\"dev\",\"kind\":\"ethdev\",\"devargs\":"
		"\"net_virtio_user0,mac=02:00:00:00:00:09,path=%s\"}]",
		guests_socket(&guests, 1));
	testbed_start(&other, ports, NULL);
	guests_connect(&guests, 0, &guest_full);
	guest_check(&guests.f[1],
		frontend_open(&guests.f[1], testbed_path(&other, "c.sock"), &guest_full));
	for (uint32_t len = 60; len <= MTU + 14; len += 7) {
		guests_cross(&guests, 0, 1, len, len);
		guests_cross(&guests, 1, 0, len, len);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct packet_spec s = tcp[i];
		struct packet_view v;
		uint32_t done = 0;

		s.dst = 1;
		s.src = 2;
		packet_build(&out, &s);
		guest_send(&guests.f[1], &out);
		for (; done < s.payload_len; done += v.payload_len) {
			guest_recv(&guests.f[0], &in, &hdr);
			judge(&in, &v);
			assert_memory_equal(
				v.payload, out.byte + out.payload + done, v.payload_len);
		}
	}
	frontend_close(&guests.f[1]);
	testbed_stop(&other);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(
			test_wire_to_guest, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(
			test_wire_to_plain_guest, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(
			test_guest_to_wire, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(test_bad_checksum, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(
			test_udp_super_frame, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(test_echo, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(test_no_echo, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(
			test_echo_of_the_pod, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(test_fragments, start_af_packet, stop_af_packet),
		cmocka_unit_test_setup_teardown(test_shown, start_af_packet, stop_af_packet),
		cmocka_unit_test_teardown(test_ring, stop),
		cmocka_unit_test_teardown(test_ring_segments, stop),
		cmocka_unit_test_teardown(test_null, stop),
		cmocka_unit_test_teardown(test_virtio_user, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
