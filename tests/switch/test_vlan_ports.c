/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which frames cross between ports with VLANs, and in which form they leave: every kind of port
 * to every kind, against a model of its own.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define N        6
#define NO_TAG   -1
#define REFUSED  -2
#define PRIORITY 5

enum { PLAIN_A, ACCESS_100, ACCESS_101, TRUNK, NATIVE, PLAIN_B };

static const char *const extra[N] = {
	[ACCESS_100] = "\"vlan\":100",
	[ACCESS_101] = "\"vlan\":101",
	[TRUNK] = "\"trunks\":[100,101]",
	[NATIVE] = "\"vlan\":100,\"trunks\":[101,103]",
};

/* The model. */
static const struct rules {
	bool plain;
	int untagged; /* the VLAN of untagged frames; 0: none */
	int tagged[3];
} rules[N] = {
	[PLAIN_A] = { .plain = true },
	[ACCESS_100] = { .untagged = 100 },
	[ACCESS_101] = { .untagged = 101 },
	[TRUNK] = { .tagged = { 100, 101 } },
	[NATIVE] = { .untagged = 100, .tagged = { 100, 101, 103 } },
	[PLAIN_B] = { .plain = true },
};

static struct guests guests;
static struct packet out, in, expected;

static int start(void **state)
{
	guests_start_with(&guests, N, extra, NULL);
	for (unsigned i = 0; i < N; i++)
		guests_connect(&guests, i, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static bool takes_tagged(const struct rules *r, int vlan)
{
	for (unsigned i = 0; i < 3; i++)
		if (vlan > 0 && r->tagged[i] == vlan)
			return true;
	return false;
}

/* The VLAN that a frame with this tag belongs to (0: the untagged network), or REFUSED. */
static int model_in(const struct rules *r, int tag)
{
	int vlan = tag == NO_TAG ? 0 : tag;

	if (r->plain)
		return vlan;
	if (vlan == 0)
		return r->untagged ? r->untagged : REFUSED;
	return takes_tagged(r, vlan) ? vlan : REFUSED;
}

/* The tag with which it leaves, or REFUSED. `tag`: what it came with. */
static int model_out(const struct rules *r, int vlan, int tag)
{
	if (r->plain)
		return vlan == 0 ? tag : vlan;
	if (vlan != 0 && vlan == r->untagged)
		return NO_TAG;
	return takes_tagged(r, vlan) ? vlan : REFUSED;
}

static void tag_frame(struct packet *p, int vlan, unsigned priority)
{
	memmove(p->byte + 16, p->byte + 12, p->len - 12);
	p->byte[12] = 0x81;
	p->byte[13] = 0x00;
	p->byte[14] = (uint8_t)(priority << 5 | (unsigned)vlan >> 8);
	p->byte[15] = (uint8_t)vlan;
	p->len += 4;
}

static void make(struct packet *p, uint8_t dst, uint8_t src, int tag, unsigned priority)
{
	packet_plain(p, dst, src, 200, src);
	if (tag != NO_TAG)
		tag_frame(p, tag, priority);
}

static void send_from(unsigned from)
{
	guest_send(&guests.f[from], &out);
	guest_check(&guests.f[from], frontend_drain(&guests.f[from], RECV_MS));
}

/* A frame that came in with a tag keeps its priority, as long as it leaves with one. */
static void expect_at(unsigned to, uint8_t dst, uint8_t src, int tag, unsigned priority)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;

	make(&expected, dst, src, tag, priority);
	guest_recv(&guests.f[to], &in, &hdr);
	assert_int_equal(in.len, expected.len);
	assert_memory_equal(in.byte, expected.byte, in.len);
}

/* Where a frame from `from` must go, and that it goes nowhere else. */
static void check_flood(unsigned from, int tag)
{
	unsigned priority = tag == NO_TAG ? 0 : PRIORITY;
	int vlan = model_in(&rules[from], tag);
	const char name[] = { (char)('a' + from), '\0' };
	int64_t drops = testbed_drops(&guests.t, name, "vlan");

	make(&out, STATION_ALL, (uint8_t)(from + 1), tag, priority);
	send_from(from);
	for (unsigned to = 0; to < N; to++) {
		int leaves =
			vlan == REFUSED || to == from ? REFUSED : model_out(&rules[to], vlan, tag);

		if (leaves != REFUSED)
			expect_at(to, STATION_ALL, (uint8_t)(from + 1), leaves, priority);
	}
	for (unsigned to = 0; to < N; to++)
		assert_int_equal(
			frontend_wait_used(&guests.f[to], &guests.f[to].queue[FRONT_RX], 1),
			-ETIMEDOUT);
	assert_int_equal(testbed_drops(&guests.t, name, "vlan"), drops + (vlan == REFUSED));
}

static void test_flood(void **state)
{
	static const int tags[] = { NO_TAG, 0, 100, 101, 102, 103 };

	for (unsigned from = 0; from < N; from++)
		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
			check_flood(from, tags[i]);
	guests_stop(&guests);
}

/* Once both have spoken in the VLAN, their frames go to each other only. */
static void check_unicast(unsigned from, unsigned to, int vlan)
{
	int from_tag = model_out(&rules[from], vlan, NO_TAG);
	int to_tag = model_out(&rules[to], vlan, NO_TAG);

	make(&out, (uint8_t)(to + 1), (uint8_t)(from + 1), from_tag, 0);
	send_from(from);
	expect_at(to, (uint8_t)(to + 1), (uint8_t)(from + 1), to_tag, 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(frontend_wait_used(&guests.f[i], &guests.f[i].queue[FRONT_RX], 1),
			-ETIMEDOUT);
}

static void test_unicast(void **state)
{
	static const int vlans[] = { 0, 100, 101, 103 };

	for (size_t i = 0; i < sizeof(vlans) / sizeof(vlans[0]); i++) {
		for (unsigned from = 0; from < N; from++) {
			int tag = model_out(&rules[from], vlans[i], NO_TAG);

			if (tag != REFUSED)
				check_flood(from, tag);
		}
		for (unsigned k = 0; k < N * N; k++)
			if (k / N != k % N &&
				model_out(&rules[k / N], vlans[i], NO_TAG) != REFUSED &&
				model_out(&rules[k % N], vlans[i], NO_TAG) != REFUSED)
				check_unicast(k / N, k % N, vlans[i]);
	}
	guests_stop(&guests);
}

/* --- offloads -------------------------------------------------------------------------------- */

static const struct packet_spec supers[] = {
	{ .payload_len = 64000, .gso_size = 1448 },
	{ .payload_len = 30000, .gso_size = 1428, .v6 = true },
	{ .payload_len = 20000, .gso_size = 1400, .udp = true },
	{ .payload_len = 1000, .partial = true },
	{ .payload_len = 1000, .partial = true, .udp = true, .v6 = true },
	{ .payload_len = 1000 },
};

/* All of the payload arrives, in frames that are right in themselves. Returns how many. */
static unsigned receive_all(unsigned to, const struct packet_spec *s, bool tagged)
{
	unsigned n = 0;
	uint32_t got = 0;

	for (; got < s->payload_len; n++) {
		struct virtio_net_hdr_mrg_rxbuf hdr;
		struct packet_view v;
		const char *why;

		guest_recv(&guests.f[to], &in, &hdr);
		why = packet_judge(in.byte, in.len, &in.hdr, &v);
		if (why)
			fail_msg("frame %u of %u bytes: %s is wrong", n, in.len, why);
		assert_int_equal(in.byte[12] == 0x81 && in.byte[13] == 0, tagged);
		assert_memory_equal(v.payload, out.byte + out.payload + got, v.payload_len);
		got += v.payload_len;
	}
	assert_int_equal(got, s->payload_len);
	return n;
}

static void cross_super(unsigned from, unsigned to, struct packet_spec s, bool whole)
{
	unsigned n;

	s.src = (uint8_t)(from + 1);
	s.dst = (uint8_t)(to + 1);
	s.n_vlan = from == TRUNK; /* its tag is 100 */
	packet_build(&out, &s);
	send_from(from);
	n = receive_all(to, &s, to == TRUNK);
	if (whole)
		assert_int_equal(n, 1);
	else if (s.gso_size)
		assert_int_equal(n, (s.payload_len + s.gso_size - 1) / s.gso_size);
}

/* The tag moves all that the offload description points at. */
static void test_offloads(void **state)
{
	struct frontend_options plain = guest_full;

	plain.features &= ~(uint64_t)VF_RECV_OFFLOADS;
	for (unsigned round = 0; round < 2; round++) {
		check_flood(ACCESS_100, NO_TAG);
		check_flood(TRUNK, 100);
		check_flood(NATIVE, NO_TAG);
		for (size_t i = 0; i < sizeof(supers) / sizeof(supers[0]); i++) {
			cross_super(ACCESS_100, TRUNK, supers[i], round == 0);
			cross_super(TRUNK, ACCESS_100, supers[i], round == 0);
			cross_super(ACCESS_100, NATIVE, supers[i], round == 0);
			cross_super(NATIVE, TRUNK, supers[i], round == 0);
		}
		for (unsigned i = 0; i < N; i++)
			guests_connect(&guests, i, &plain);
	}
	guests_stop(&guests);
}

/* --- changes --------------------------------------------------------------------------------- */

static unsigned known_behind(const char *port)
{
	json_t *all = testbed_call(&guests.t, "fdb.show"), *row;
	unsigned n = 0;
	size_t i;

	json_array_foreach (all, i, row)
		n += strcmp(json_string_value(json_object_get(row, "ifname")), port) == 0;
	json_decref(all);
	return n;
}

static void test_change_vlan(void **state)
{
	check_flood(ACCESS_100, NO_TAG);
	check_flood(ACCESS_101, NO_TAG);
	assert_int_equal(known_behind("b"), 1);
	testbed_do(&guests.t, "port.set", "{\"name\":\"b\",\"vlan\":101}");
	assert_int_equal(known_behind("b"), 0);
	assert_int_equal(known_behind("c"), 1);
	guests_expect_connections(&guests, ACCESS_100, 1);
	make(&out, ACCESS_101 + 1, ACCESS_100 + 1, NO_TAG, 0);
	send_from(ACCESS_100);
	expect_at(ACCESS_101, ACCESS_101 + 1, ACCESS_100 + 1, NO_TAG, 0);
	guest_hears_nothing(&guests.f[TRUNK]);
	testbed_do(&guests.t, "port.set", "{\"name\":\"b\",\"vlan\":100}");
	check_flood(ACCESS_100, NO_TAG);
	/* No VLAN at any port: all cross as they are. */
	testbed_write_config(&guests.t, guests_ports(N, NULL), NULL);
	testbed_do(&guests.t, "config.reload", NULL);
	make(&out, STATION_ALL, 2, 102, PRIORITY);
	send_from(ACCESS_100);
	for (unsigned to = 0; to < N; to++)
		if (to != ACCESS_100)
			expect_at(to, STATION_ALL, 2, 102, PRIORITY);
	guests_stop(&guests);
}

/* The last byte of 01:80:c2:00:00:xx, and whether bridges keep it to themselves. */
static void check_group(uint8_t last, bool crosses)
{
	static const uint8_t group[] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };
	int64_t drops = testbed_drops(&guests.t, "a", "reserved");

	packet_plain(&out, 0, 1, 100, last);
	memcpy(out.byte, group, sizeof(group));
	out.byte[5] = last;
	send_from(PLAIN_A);
	if (crosses) {
		guest_recv(&guests.f[PLAIN_B], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
		assert_int_equal(in.len, out.len);
		assert_memory_equal(in.byte, out.byte, in.len);
	} else {
		guest_hears_nothing(&guests.f[PLAIN_B]);
	}
	assert_int_equal(testbed_drops(&guests.t, "a", "reserved"), drops + !crosses);
}

/* STP, LACP, LLDP, the last of them, and the first that is not one */
static void test_reserved(void **state)
{
	static const uint8_t reserved[] = { 0x00, 0x02, 0x0e, 0x0f };

	for (unsigned round = 0; round < 3; round++) {
		bool forward = round == 1;

		for (size_t i = 0; i < sizeof(reserved); i++)
			check_group(reserved[i], forward);
		check_group(0x10, true);
		testbed_write_config(&guests.t, guests_ports(N, extra),
			forward ? NULL : "\"forward-reserved\":true");
		testbed_reload(&guests.t, "setting-changed forward-reserved");
	}
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flood, start, stop),
		cmocka_unit_test_setup_teardown(test_unicast, start, stop),
		cmocka_unit_test_setup_teardown(test_offloads, start, stop),
		cmocka_unit_test_setup_teardown(test_change_vlan, start, stop),
		cmocka_unit_test_setup_teardown(test_reserved, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
