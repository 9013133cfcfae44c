/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Frames as a driver without offload information hands them over: what is to be done about them is
 * found out, and what comes of it is judged against packets that packet_builder.h makes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/recover.h"
#include "switch/datapath/segment.h"
#include "tests/unit/packet_builder.h"

#define MTU 1500

static const struct recover_hint no_hint;
static struct packet packet;
static struct frame frame;
static uint8_t *pieces; /* the memory of the frame's segments */

static int fill(void **state)
{
	payload_fill();
	return 0;
}

static int forget(void **state)
{
	free(pieces);
	pieces = NULL;
	return 0;
}

/* A frame of the packet: FRAME_PULL bytes of head, the rest in pieces of `piece` bytes. */
static void view(unsigned piece)
{
	uint32_t len = (uint32_t)packet_len(&packet, packet.at);
	uint32_t at = len < FRAME_PULL ? len : FRAME_PULL;

	free(pieces);
	pieces = malloc(len);
	memcpy(pieces, packet.at, len);
	memset(&frame, 0xa5, sizeof(frame));
	frame.head = frame.head_room + VLAN_TAG_LEN;
	frame.len = len;
	frame.n_segs = 0;
	frame.head_len = (uint16_t)at;
	frame.landed = NULL;
	memcpy(frame.head, packet.at, at);
	while (at < len) {
		uint32_t part = len - at < piece ? len - at : piece;

		frame.seg[frame.n_segs++] = (struct iovec) { pieces + at, part };
		at += part;
	}
	assert_true(frame_parse_l2(&frame));
}

static enum recovered recover(const struct description *d, bool partial, unsigned mtu)
{
	const struct part whole = {
		.len = d->payload, .first = true, .last = true, .partial = partial
	};

	packet_build(&packet, d, &whole);
	view(1999);
	return recover_offload(&frame, &no_hint, mtu);
}

static void expect_request(const struct description *d, unsigned gso_size)
{
	struct description asked = *d;
	struct vnet_hdr want, have;

	asked.gso_size = (uint16_t)gso_size;
	want = packet_request(&asked, &packet);
	if (!gso_size)
		want.gso_type = VNET_HDR_GSO_NONE;
	offload_encode(&frame, EGRESS_ALL, &have);
	want.hdr_len = have.hdr_len;
	assert_memory_equal(&have, &want, sizeof(want));
}

/* Sends the frame on as an egress without offloads would; compares with the packets expected. */
static void expect_segments(const struct description *d, unsigned gso_size)
{
	struct segmenter s;
	static struct frame out;
	static uint8_t bytes[FRAME_LEN_MAX];
	struct part part = { .first = true };

	assert_int_equal(segment_begin(&s, &frame, 0), OFFLOAD_OK);
	for (; part.offset < d->payload; part.offset += part.len, part.index++) {
		size_t at;

		part.len =
			d->payload - part.offset < gso_size ? d->payload - part.offset : gso_size;
		part.last = part.offset + part.len == d->payload;
		packet_build(&packet, d, &part);
		assert_true(segment_next(&s, &out));
		at = out.head_len;
		memcpy(bytes, out.head, at);
		for (unsigned i = 0; i < out.n_segs; i++) {
			memcpy(bytes + at, out.seg[i].iov_base, out.seg[i].iov_len);
			at += out.seg[i].iov_len;
		}
		assert_int_equal(at, packet_len(&packet, packet.at));
		assert_memory_equal(bytes, packet.at, at);
		part.first = false;
	}
	assert_false(segment_next(&s, &out));
}

/* --- checksums ------------------------------------------------------------------------------- */

static const struct description ordinary[] = {
	{ .what = "tcp", .payload = 1000, .flags = ACK },
	{ .what = "tcp, odd, no payload", .payload = 0, .flags = ACK, .tcp_options = 12 },
	{ .what = "tcp, odd", .payload = 777, .flags = ACK | PSH, .tcp_options = 12 },
	{ .what = "tcp6", .payload = 1000, .v6 = true },
	{ .what = "tcp6, extensions", .payload = 999, .v6 = true, .ext = EXT_HOP | EXT_DST },
	{ .what = "udp", .payload = 1, .udp = true },
	{ .what = "udp, tagged", .payload = 1200, .udp = true, .tags = { 0x88a8, 0x8100 } },
	{ .what = "udp6", .payload = 1200, .udp = true, .v6 = true },
	{ .what = "options", .payload = 1200, .options = 40, .tcp_options = 40 },
};
#define N_ORDINARY (sizeof(ordinary) / sizeof(ordinary[0]))

static void test_left_to_us(void **state)
{
	for (size_t i = 0; i < N_ORDINARY; i++) {
		assert_int_equal(recover(&ordinary[i], true, MTU), RECOVER_FRAME);
		expect_request(&ordinary[i], 0);
	}
}

static void test_good(void **state)
{
	for (size_t i = 0; i < N_ORDINARY; i++) {
		assert_int_equal(recover(&ordinary[i], false, MTU), RECOVER_FRAME);
		assert_true(frame.offload.data_valid);
		assert_false(frame.offload.needs_csum);
	}
}

/* Any byte that the checksum covers, also the last, is seen to be wrong. */
static void test_bad(void **state)
{
	for (size_t i = 0; i < N_ORDINARY; i++) {
		for (unsigned n = 0; n < 40; n++) {
			uint8_t before;
			size_t l4;

			(void)recover(&ordinary[i], false, MTU);
			l4 = packet_len(&packet, packet.l4);
			packet.l4 += n == 0 ? l4 - 1 : (size_t)random() % l4;
			/* In the checksum field itself the other zero is no error. */
			if (packet.l4 >= packet.field && packet.l4 < packet.field + 2)
				continue;
			before = *packet.l4;
			*packet.l4 ^= (uint8_t)(1 + random() % 255);
			if (before + *packet.l4 == 0xff && (before == 0 || before == 0xff))
				continue;
			view(100);
			if (frame.head_len < frame.l3_offset + 60u)
				continue; /* runt: the TCP header's length may be what changed */
			assert_int_equal(
				recover_offload(&frame, &no_hint, MTU), RECOVER_BAD_CHECKSUM);
			assert_false(frame.offload.data_valid || frame.offload.needs_csum);
		}
	}
}

static void test_no_checksum(void **state)
{
	const struct description d = { .payload = 100, .udp = true };

	(void)recover(&d, false, MTU);
	put16(packet.field, 0);
	view(100);
	assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_FRAME);
	assert_false(frame.offload.data_valid || frame.offload.needs_csum);
}

/* A fragment's "checksum field" is payload. */
static void test_fragment(void **state)
{
	const struct description d = { .payload = 1000, .udp = true };

	(void)recover(&d, true, MTU);
	put16(packet.at + 14 + 6, 0x2000);
	view(100);
	assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_FRAME);
	assert_false(frame.offload.data_valid || frame.offload.needs_csum);
}

/* Ethernet padding is not part of the packet, whatever is in it. */
static void test_padding(void **state)
{
	const struct description d = { .payload = 1, .udp = true };
	uint8_t bytes[60];

	for (unsigned partial = 0; partial < 2; partial++) {
		size_t len;

		(void)recover(&d, partial, MTU);
		len = packet_len(&packet, packet.at);
		memset(bytes, 0x5a, sizeof(bytes));
		memcpy(bytes, packet.at, len);
		packet.at = packet.buffer + sizeof(packet.buffer) - sizeof(bytes);
		memcpy(packet.at, bytes, sizeof(bytes));
		view(100);
		assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_FRAME);
		assert_int_equal(frame.offload.needs_csum, partial);
		assert_int_equal(frame.offload.data_valid, !partial);
	}
}

static void test_not_ip(void **state)
{
	const struct description d = { .payload = 3000 };

	(void)recover(&d, true, MTU);
	put16(packet.at + 12, 0x88b5);
	view(100);
	assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_FRAME);
	assert_false(frame.offload.data_valid || frame.offload.needs_csum);
}

/* --- lengths --------------------------------------------------------------------------------- */

static const struct {
	struct description d;
	unsigned gso_size;
} super_frames[] = {
	{ { .payload = 60000, .flags = ACK | PSH, .tcp_options = 12 }, MTU - 20 - 32 },
	{ { .payload = 1461 }, MTU - 40 },
	{ { .payload = 60000, .v6 = true, .tcp_options = 12, .flags = CWR | ACK }, MTU - 40 - 32 },
	{ { .payload = 30000, .v6 = true, .ext = EXT_HOP }, MTU - 56 - 20 },
	{ { .payload = 9000, .options = 8, .tags = { 0x8100 } }, MTU - 28 - 20 },
	{ { .payload = 40000, .tunnel = VXLAN, .tcp_options = 12 }, MTU - 50 - 20 - 32 },
	{ { .payload = 40000, .tunnel = GENEVE, .outer_csum = true, .v6 = true },
		MTU - 20 - 8 - 20 - 14 - 40 - 20 },
	{ { .payload = 40000, .tunnel = IPIP }, MTU - 20 - 20 - 20 },
};

/* A TCP frame beyond the MTU is cut to it, whether its checksum was left to us or is complete. */
static void test_super_frames(void **state)
{
	for (size_t i = 0; i < sizeof(super_frames) / sizeof(super_frames[0]); i++) {
		const struct description *d = &super_frames[i].d;

		for (unsigned partial = 0; partial < 2; partial++) {
			assert_int_equal(recover(d, partial, MTU), RECOVER_FRAME);
			assert_int_equal(frame.offload.gso_size, super_frames[i].gso_size);
			assert_int_equal(frame.offload.tunnelled, d->tunnel != NONE);
			expect_request(d, super_frames[i].gso_size);
			expect_segments(d, super_frames[i].gso_size);
		}
	}
}

/* Exactly the MTU is no super-frame; one byte more is. */
static void test_boundary(void **state)
{
	const struct description fits = { .payload = MTU - 40 }, over = { .payload = MTU - 39 };

	assert_int_equal(recover(&fits, true, MTU), RECOVER_FRAME);
	assert_int_equal(frame.offload.gso, GSO_NONE);
	assert_int_equal(recover(&over, true, MTU), RECOVER_FRAME);
	assert_int_equal(frame.offload.gso, GSO_TCPV4);
	assert_int_equal(recover(&over, true, 0), RECOVER_FRAME);
	assert_int_equal(frame.offload.gso, GSO_NONE);
}

/* A wrong checksum must not be made right by computing it anew. */
static void test_bad_super_frame(void **state)
{
	const struct description d = { .payload = 20000 };

	(void)recover(&d, false, MTU);
	packet.payload[12345] ^= 1;
	view(2000);
	assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_BAD_FRAGMENT);
	assert_false(frame.offload.needs_csum);
}

static void test_datagrams(void **state)
{
	struct description d = { .payload = 8000, .udp = true };

	assert_int_equal(recover(&d, false, MTU), RECOVER_FRAGMENT);
	assert_int_equal(recover(&d, true, MTU), RECOVER_SIZES_LOST);
	d.v6 = true;
	assert_int_equal(recover(&d, false, MTU), RECOVER_FRAGMENT);
	/* Another protocol: 89 in place of UDP. */
	packet.at[14 + 6] = 89;
	view(1000);
	assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_FRAGMENT);
	assert_false(frame.offload.needs_csum);
}

static void test_truncated(void **state)
{
	struct description d = { .payload = 30000 };

	for (unsigned v6 = 0; v6 < 2; v6++) {
		d.v6 = v6;
		(void)recover(&d, true, MTU);
		frame.len -= 1;
		frame.seg[frame.n_segs - 1].iov_len -= 1;
		assert_int_equal(recover_offload(&frame, &no_hint, MTU), RECOVER_TRUNCATED);
		assert_false(frame.offload.needs_csum);
	}
}

/* --- hints ----------------------------------------------------------------------------------- */

static void test_hints(void **state)
{
	const struct description d = { .payload = 1000 }, big = { .payload = 30000 };
	const struct recover_hint good = { .checksum = RECOVER_GOOD },
				  partial = { .checksum = RECOVER_PARTIAL },
				  lro = { .checksum = RECOVER_PARTIAL, .gso_size = 900 };

	(void)recover(&d, false, MTU);
	packet.payload[3] ^= 1; /* not read: the driver has done that */
	view(100);
	assert_int_equal(recover_offload(&frame, &good, MTU), RECOVER_FRAME);
	assert_true(frame.offload.data_valid);
	/* Whatever is in the field, the pseudo-header's sum is put there. */
	view(100);
	assert_int_equal(recover_offload(&frame, &partial, MTU), RECOVER_FRAME);
	put16(packet.field, packet.pseudo);
	expect_request(&d, 0);
	assert_memory_equal(frame.head + (packet.field - packet.at), packet.field, 2);
	(void)recover(&big, true, MTU);
	view(2000);
	assert_int_equal(recover_offload(&frame, &lro, MTU), RECOVER_FRAME);
	expect_request(&big, 900);
	expect_segments(&big, 900);
}

/* Anything at all: no crash, and what comes out keeps to offload.h's invariants. */
static void test_noise(void **state)
{
	for (unsigned n = 0; n < 20000; n++) {
		const struct description d = { .payload = (uint32_t)(random() % 3000),
			.v6 = random() % 2,
			.udp = random() % 2,
			.ext = (unsigned)random() % 8,
			.tunnel = (enum tunnel)(random() % N_TUNNELS) };
		const struct recover_hint hint = { .checksum = (enum recover_state)(random() % 3),
			.gso_size = random() % 4 ? 0 : (uint16_t)random() };
		size_t len;

		(void)recover(&d, random() % 2, MTU);
		len = packet_len(&packet, packet.at + 14);
		for (unsigned k = (unsigned)random() % 8; k-- > 0;)
			packet.at[14 + (size_t)random() % (len < 80 ? len : 80)] =
				(uint8_t)random();
		view(1 + (unsigned)random() % 500 + 100);
		(void)recover_offload(&frame, &hint, MTU);
		if (frame.offload.needs_csum)
			assert_true(frame.offload.csum_start + frame.offload.csum_offset + 2u <=
				    frame.len);
		if (frame.offload.gso != GSO_NONE) {
			assert_true(frame.offload.needs_csum && frame.offload.gso_size > 0);
			assert_true(frame.offload.hdr_len <= frame.head_len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_left_to_us, forget),
		cmocka_unit_test_teardown(test_good, forget),
		cmocka_unit_test_teardown(test_bad, forget),
		cmocka_unit_test_teardown(test_no_checksum, forget),
		cmocka_unit_test_teardown(test_fragment, forget),
		cmocka_unit_test_teardown(test_padding, forget),
		cmocka_unit_test_teardown(test_not_ip, forget),
		cmocka_unit_test_teardown(test_super_frames, forget),
		cmocka_unit_test_teardown(test_boundary, forget),
		cmocka_unit_test_teardown(test_bad_super_frame, forget),
		cmocka_unit_test_teardown(test_datagrams, forget),
		cmocka_unit_test_teardown(test_truncated, forget),
		cmocka_unit_test_teardown(test_hints, forget),
		cmocka_unit_test_teardown(test_noise, forget),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
