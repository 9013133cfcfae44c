/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Offloads between two guests: one sends super-frames and partial checksums, the other has
 * negotiated all, some or none of what it takes to receive them. Whatever it gets must be
 * something it said it can take, and add up to the same bytes.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

struct receiver {
	const char *name;
	uint64_t without;
	struct front_layout rx;
};

#define NO_TSO (VF_GUEST_TSO4 | VF_GUEST_TSO6 | VF_GUEST_ECN)
#define NO_USO (VF_GUEST_USO4 | VF_GUEST_USO6)
#define BIG    .rx = { .buffer_size = 65562 }
#define SMALL  .rx = { .buffer_size = 1526 }

static const struct receiver receivers[] = {
	{ "everything", 0 },
	{ "nothing", VF_RECV_OFFLOADS },
	{ "nothing, 1526-byte buffers", VF_RECV_OFFLOADS | VF_MRG_RXBUF, SMALL },
	{ "csum only", NO_TSO | NO_USO },
	{ "csum only, 1526-byte buffers", NO_TSO | NO_USO | VF_MRG_RXBUF, SMALL },
	{ "csum and TSO4", VF_GUEST_TSO6 | VF_GUEST_ECN | NO_USO },
	{ "all TSO but no ECN", VF_GUEST_ECN | NO_USO },
	{ "all but USO", NO_USO },
	{ "all but USO6", VF_GUEST_USO6 },
	{ "no mergeable", VF_MRG_RXBUF, BIG },
	{ "no indirect", VF_INDIRECT },
	{ "no EVENT_IDX", VF_EVENT_IDX },
	{ "legacy, mergeable", VF_VERSION_1 },
	{ "legacy, 10-byte header", VF_VERSION_1 | VF_MRG_RXBUF, BIG },
	{ "legacy, nothing", VF_VERSION_1 | VF_MRG_RXBUF | VF_RECV_OFFLOADS, SMALL },
};

static const struct packet_spec packets[] = {
	/* TCP super-frames */
	{ .payload_len = 64000, .gso_size = 1448 },
	{ .payload_len = 1449, .gso_size = 1448 },
	{ .payload_len = 2896, .gso_size = 1448, .tcp_flags = TCP_FLAG_PSH },
	{ .payload_len = 10001, .gso_size = 536, .tcp_flags = TCP_FLAG_PSH | TCP_FLAG_FIN },
	{ .payload_len = 20000, .gso_size = 1000, .tcp_flags = TCP_FLAG_CWR },
	{ .payload_len = 65483, .gso_size = 1400 },
	{ .payload_len = 30000, .gso_size = 1444, .n_vlan = 1 },
	{ .payload_len = 64000, .gso_size = 1428, .v6 = true },
	{ .payload_len = 65000, .gso_size = 1420, .v6 = true, .v6_extension = true },
	{ .payload_len = 20000, .gso_size = 1001, .v6 = true, .tcp_flags = TCP_FLAG_CWR },
	{ .payload_len = 5000, .gso_size = 1424, .v6 = true, .n_vlan = 1 },
	{ .payload_len = 100, .gso_size = 1448 },
	/* UDP super-frames */
	{ .udp = true, .payload_len = 60000, .gso_size = 1400 },
	{ .udp = true, .payload_len = 1401, .gso_size = 1400 },
	{ .udp = true, .payload_len = 9999, .gso_size = 333, .n_vlan = 1 },
	{ .udp = true, .payload_len = 60000, .gso_size = 1400, .v6 = true },
	{ .udp = true, .payload_len = 20000, .gso_size = 1200, .v6 = true, .v6_extension = true },
	/* partial checksums */
	{ .payload_len = 0, .partial = true },
	{ .payload_len = 1, .partial = true },
	{ .payload_len = 1444, .partial = true, .n_vlan = 1 },
	{ .payload_len = 1400, .partial = true, .v6 = true },
	{ .payload_len = 1400, .partial = true, .v6 = true, .v6_extension = true },
	{ .payload_len = 1399, .partial = true, .udp = true },
	{ .payload_len = 17, .partial = true, .udp = true, .v6 = true },
	/* nothing to do */
	{ .payload_len = 1448 },
	{ .payload_len = 1400, .v6 = true, .udp = true },
	{ .payload_len = 777, .n_vlan = 2 },
};

static struct guests guests;
static char what[200]; /* the combination at work, for messages */

static int start(void **state)
{
	guests_start(&guests, 2, NULL);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static void say(const struct receiver *r, const struct packet_spec *s)
{
	snprintf(what, sizeof(what), "%s: %s/%s, %u bytes, gso %u, %u tags, flags %#x", r->name,
		s->v6 ? "v6" : "v4", s->udp ? "UDP" : "TCP", s->payload_len, s->gso_size, s->n_vlan,
		s->tcp_flags);
}

/* Features the receiver must have to get this super-frame whole. */
static uint64_t needs(const struct packet_spec *s)
{
	uint64_t bits = VF_GUEST_CSUM;

	if (s->udp)
		return bits | (s->v6 ? VF_GUEST_USO6 : VF_GUEST_USO4);
	bits |= s->v6 ? VF_GUEST_TSO6 : VF_GUEST_TSO4;
	return bits | (s->tcp_flags & TCP_FLAG_CWR ? VF_GUEST_ECN : 0);
}

static void expect(bool ok, const char *rule)
{
	if (!ok)
		fail_msg("%s: %s", what, rule);
}

/* Flags a receiver with these features may see at all. */
static void judge_flags(uint64_t features, const struct virtio_net_hdr *hdr, bool partial)
{
	if (!(features & VF_GUEST_CSUM))
		expect(hdr->flags == 0, "flags without GUEST_CSUM");
	if (!partial)
		expect(!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM),
			"asked to finish a checksum that was complete");
}

static void recv_and_judge(struct frontend *f, struct packet *in, struct packet_view *v)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	ssize_t n = frontend_recv(f, in->byte, sizeof(in->byte), &hdr, RECV_MS);
	const char *why;

	expect(n >= 0, f->why);
	in->len = (uint32_t)n;
	in->hdr = hdr.hdr;
	why = packet_judge(in->byte, in->len, &in->hdr, v);
	if (why)
		fail_msg("%s: frame of %u bytes: %s is wrong", what, in->len, why);
}

/* The frame must come as it was sent. */
static void expect_whole(struct frontend *f, const struct packet *out, const struct packet_spec *s)
{
	static struct packet in;
	struct packet_view v;

	recv_and_judge(f, &in, &v);
	expect(in.len == out->len, "length");
	expect(v.payload_len == s->payload_len &&
			memcmp(v.payload, out->byte + out->payload, s->payload_len) == 0,
		"payload");
	judge_flags(f->features, &in.hdr, s->partial || s->gso_size);
	/* One segment's worth may as well come as an ordinary frame. */
	if (s->payload_len <= s->gso_size && in.hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return;
	expect(in.hdr.gso_type == out->hdr.gso_type, "gso_type");
	expect(!s->gso_size || in.hdr.gso_size == s->gso_size, "gso_size");
	expect(!s->gso_size || in.hdr.hdr_len == out->payload, "hdr_len");
}

static void judge_segment(
	const struct packet_spec *s, const struct packet_view *v, uint32_t done, unsigned index)
{
	bool first = done == 0, last = done + v->payload_len == s->payload_len;
	uint8_t flags = s->tcp_flags;

	expect(last || v->payload_len == s->gso_size, "segment's length");
	expect(v->payload_len > 0, "empty segment");
	if (!s->v6)
		expect(v->ip_id == (uint16_t)(0xfffe + index), "IP identification");
	if (s->udp)
		return;
	expect(v->seq == done, "sequence number");
	if (!first)
		flags &= (uint8_t)~TCP_FLAG_CWR;
	if (!last)
		flags &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
	expect((v->tcp_flags & ~TCP_FLAG_ACK) == flags, "TCP flags");
}

/* The payload must come in segments of gso_size. */
static unsigned expect_segments(
	struct frontend *f, const struct packet *out, const struct packet_spec *s)
{
	static struct packet in;
	struct packet_view v;
	unsigned n = 0;

	for (uint32_t done = 0; done < s->payload_len; done += v.payload_len, n++) {
		recv_and_judge(f, &in, &v);
		judge_flags(f->features, &in.hdr, true);
		expect(in.hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE, "segment is a super-frame");
		expect(done + v.payload_len <= s->payload_len, "too many bytes");
		expect(memcmp(in.byte, out->byte, 12 + 4 * s->n_vlan) == 0, "Ethernet header");
		expect(memcmp(v.payload, out->byte + out->payload + done, v.payload_len) == 0,
			"payload");
		judge_segment(s, &v, done, n);
	}
	return n;
}

/* Returns segments made. */
static unsigned cross(struct guests *g, const struct packet_spec *base, uint32_t seed)
{
	static struct packet out;
	struct packet_spec s = *base;
	bool whole;

	s.dst = 2;
	s.src = 1;
	s.seed = seed;
	packet_build(&out, &s);
	guest_send(&g->f[0], &out);
	whole = !s.gso_size || (g->f[1].features & needs(&s)) == needs(&s);
	if (!whole)
		return expect_segments(&g->f[1], &out, &s);
	expect_whole(&g->f[1], &out, &s);
	return 0;
}

static void one_receiver(struct guests *g, const struct receiver *r)
{
	struct frontend_options o = guest_full;
	int64_t segments = 0, before = testbed_stat(&g->t, "b", "segmented");

	o.features &= ~r->without;
	o.rx = r->rx;
	guests_connect(g, 1, &o);
	for (unsigned i = 0; i < N_ELEMENTS(packets); i++) {
		say(r, &packets[i]);
		segments += cross(g, &packets[i], i);
	}
	guest_hears_nothing(&g->f[1]);
	if (segments > 0)
		assert_true(testbed_stat(&g->t, "b", "segmented") > before);
	else
		assert_int_equal(testbed_stat(&g->t, "b", "segmented"), before);
}

static void sender_matrix(struct guests *g, struct front_layout tx)
{
	struct frontend_options o = guest_full;

	o.tx = tx;
	guests_connect(g, 0, &o);
	for (unsigned i = 0; i < N_ELEMENTS(receivers); i++)
		one_receiver(g, &receivers[i]);
}

static void test_matrix(void **state)
{
	sender_matrix(&guests, (struct front_layout) { 0 });
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.dropped"), 0);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.dropped"), 0);
	guests_stop(&guests);
}

/* As Linux sends: header apart, fragments of a page, indirect. */
static void test_matrix_in_pieces(void **state)
{
	sender_matrix(
		&guests, (struct front_layout) { .first_piece = FRONT_HEADER, .n_pieces = 17 });
	sender_matrix(&guests,
		(struct front_layout) { .first_piece = 30, .n_pieces = 50, .indirect = true });
	guests_stop(&guests);
}

static void test_legacy_sender(void **state)
{
	struct frontend_options o = guest_full;

	o.features &= ~(VF_VERSION_1 | VF_MRG_RXBUF);
	o.rx.buffer_size = 65562;
	guests_connect(&guests, 0, &o);
	one_receiver(&guests, &receivers[0]);
	one_receiver(&guests, &receivers[1]);
	one_receiver(&guests, &receivers[13]);
	guests_stop(&guests);
}

static void test_counters(void **state)
{
	struct packet_spec tso = { .dst = 2, .src = 1, .payload_len = 14480, .gso_size = 1448 };
	struct packet_spec partial = { .dst = 2, .src = 1, .payload_len = 100, .partial = true };
	struct frontend_options plain = guest_full;
	struct packet_view v;
	static struct packet out, in;

	plain.features &= ~VF_RECV_OFFLOADS;
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &plain);
	packet_build(&out, &tso);
	guest_send(&guests.f[0], &out);
	snprintf(what, sizeof(what), "counters");
	assert_int_equal(expect_segments(&guests.f[1], &out, &tso), 10);
	assert_int_equal(testbed_wait_stat(&guests.t, "a", "stats64.rx.super_frames", 1), 1);
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.packets"), 1);
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.bytes"), out.len);
	assert_int_equal(testbed_wait_stat(&guests.t, "b", "stats64.tx.packets", 10), 10);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.super_frames"), 0);
	assert_int_equal(testbed_stat(&guests.t, "b", "segmented"), 1);
	packet_build(&out, &partial);
	guest_send(&guests.f[0], &out);
	recv_and_judge(&guests.f[1], &in, &v);
	assert_true(testbed_wait_stat(&guests.t, "b", "checksummed", 1) >= 1);
	guests_stop(&guests);
}

/* A guest's word that a checksum is good never reaches one that does not know the flag. */
static void test_data_valid(void **state)
{
	struct packet_spec s = { .dst = 2, .src = 1, .payload_len = 600 };
	struct frontend_options o = guest_full;
	static struct packet out, in;
	struct packet_view v;

	guests_connect(&guests, 0, &guest_full);
	packet_build(&out, &s);
	out.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	for (unsigned i = 0; i < 2; i++) {
		if (i == 1)
			o.features &= ~VF_RECV_OFFLOADS;
		guests_connect(&guests, 1, &o);
		guest_send(&guests.f[0], &out);
		snprintf(what, sizeof(what), "DATA_VALID, receiver %u", i);
		recv_and_judge(&guests.f[1], &in, &v);
		expect((in.hdr.flags & ~(i ? 0 : VIRTIO_NET_HDR_F_DATA_VALID)) == 0, "flags");
		expect(in.hdr.gso_type == 0 && in.len == out.len, "frame");
	}
	guests_stop(&guests);
}

/* hdr_len is a hint that guests get wrong: it is computed anew. */
static void test_hdr_len_is_not_trusted(void **state)
{
	static const uint16_t lies[] = { 0, 1, 14, 54, 1000, 65535 };
	struct packet_spec s = { .dst = 2, .src = 1, .payload_len = 9000, .gso_size = 1000 };
	static struct packet out;

	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	for (unsigned i = 0; i < N_ELEMENTS(lies); i++) {
		packet_build(&out, &s);
		out.hdr.hdr_len = lies[i];
		guest_send(&guests.f[0], &out);
		snprintf(what, sizeof(what), "hdr_len %u", lies[i]);
		expect_whole(&guests.f[1], &out, &s);
	}
	guests_stop(&guests);
}

/* A checksum that was wrong when it was sent stays wrong: nobody repairs it. */
static void test_bad_checksum_passes(void **state)
{
	struct packet_spec s = { .dst = 2, .src = 1, .payload_len = 600, .bad_checksum = true };
	static struct packet out, in;
	struct virtio_net_hdr_mrg_rxbuf hdr;

	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	packet_build(&out, &s);
	guest_send(&guests.f[0], &out);
	guest_recv(&guests.f[1], &in, &hdr);
	assert_int_equal(in.len, out.len);
	assert_memory_equal(in.byte, out.byte, out.len);
	assert_int_equal(hdr.hdr.flags, 0);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_matrix, start, stop),
		cmocka_unit_test_setup_teardown(test_matrix_in_pieces, start, stop),
		cmocka_unit_test_setup_teardown(test_legacy_sender, start, stop),
		cmocka_unit_test_setup_teardown(test_counters, start, stop),
		cmocka_unit_test_setup_teardown(test_data_valid, start, stop),
		cmocka_unit_test_setup_teardown(test_hdr_len_is_not_trusted, start, stop),
		cmocka_unit_test_setup_teardown(test_bad_checksum_passes, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
