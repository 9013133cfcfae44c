/* SPDX-License-Identifier: BSD-3-Clause */

/* Datagrams cut into fragments, and put together again by a plain reassembly of the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/refragment.h"
#include "tests/unit/packet_builder.h"

static struct packet packet;
static struct frame frame;
static uint8_t whole[FRAME_LEN_MAX]; /* the frame's own memory behind its head */

static int fill(void **state)
{
	payload_fill();
	return 0;
}

static void view(const struct description *d, unsigned head_len)
{
	const struct part part = { .len = d->payload, .first = true, .last = true };
	uint32_t at;

	packet_build(&packet, d, &part);
	memset(&frame, 0xa5, sizeof(frame));
	frame.len = (uint32_t)packet_len(&packet, packet.at);
	frame.head = frame.head_room + VLAN_TAG_LEN;
	frame.head_len = (uint16_t)(frame.len < head_len ? frame.len : head_len);
	frame.n_segs = 0;
	memcpy(frame.head, packet.at, frame.head_len);
	memcpy(whole, packet.at, frame.len);
	for (at = frame.head_len; at < frame.len;) {
		uint32_t len = frame.len - at < 2001 ? frame.len - at : 2001;

		frame.seg[frame.n_segs++] = (struct iovec) { whole + at, len };
		at += len;
	}
	assert_true(frame_parse_l2(&frame));
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

struct fragment {
	uint8_t bytes[4096];
	size_t len, headers; /* all before the payload */
	size_t offset;
	bool more;
	uint32_t id;
};

/* Takes a fragment apart; fails the test if its headers contradict its length. */
static void read_fragment(const struct frame *f, bool v6, struct fragment *out)
{
	uint8_t *l3 = out->bytes + f->l3_offset;

	out->len = f->head_len;
	memcpy(out->bytes, f->head, f->head_len);
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(out->bytes + out->len, f->seg[i].iov_base, f->seg[i].iov_len);
		out->len += f->seg[i].iov_len;
	}
	assert_int_equal(out->len, f->len);
	if (v6) {
		size_t at = 40;
		uint8_t next = l3[6];

		while (next == 0 || next == 43) {
			next = l3[at];
			at += (l3[at + 1] + 1u) * 8;
		}
		assert_int_equal(next, 44);
		assert_int_equal(be16(l3 + 4) + 40u + f->l3_offset, out->len);
		out->offset = be16(l3 + at + 2) & ~7u;
		out->more = l3[at + 3] & 1;
		out->id = (uint32_t)be16(l3 + at + 4) << 16 | be16(l3 + at + 6);
		out->headers = f->l3_offset + at + 8;
		return;
	}
	out->headers = f->l3_offset + (l3[0] & 15u) * 4;
	assert_int_equal(be16(l3 + 2) + f->l3_offset, out->len);
	assert_int_equal(naive_sum(0, l3, out->headers - f->l3_offset), 0xffff);
	assert_int_equal(be16(l3 + 6) & 0xc000, 0); /* DF is gone */
	out->offset = (be16(l3 + 6) & 0x1fff) * 8u;
	out->more = be16(l3 + 6) & 0x2000;
	out->id = be16(l3 + 4);
}

/* All fragments of the frame, each no longer than the MTU, are its payload in order. */
static unsigned expect_whole(bool v6, unsigned mtu, size_t headers)
{
	struct refragmenter r;
	static struct frame out;
	static struct fragment now, first;
	size_t done = 0;
	unsigned n = 0;

	assert_true(refragment_begin(&r, &frame, mtu, 0x12345678));
	for (; refragment_next(&r, &out); n++) {
		read_fragment(&out, v6, &now);
		assert_true(out.len - out.l3_offset <= mtu);
		assert_int_equal(now.offset, done);
		assert_false(out.offload.needs_csum);
		if (n == 0)
			first = now;
		assert_int_equal(now.id, first.id);
		assert_memory_equal(
			now.bytes + now.headers, whole + headers + done, now.len - now.headers);
		done += now.len - now.headers;
		assert_int_equal(now.more, headers + done < frame.len);
		assert_true(!now.more || (now.len - now.headers) % 8 == 0);
	}
	assert_int_equal(headers + done, frame.len);
	return n;
}

static void test_ipv4(void **state)
{
	const unsigned mtus[] = { 68, 576, 1500, 1501, 1499 };

	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		for (unsigned head = 60; head <= FRAME_HEAD_MAX; head += 49) {
			view(&(struct description) { .udp = true, .payload = 8000 }, head);
			(void)expect_whole(false, mtus[i], 14 + 20);
		}
	}
	view(&(struct description) { .udp = true, .payload = 8000 }, FRAME_PULL);
	assert_int_equal(expect_whole(false, 1500, 14 + 20), 6);
}

static void test_ipv6(void **state)
{
	for (unsigned head = 100; head <= FRAME_HEAD_MAX; head += 39) {
		view(&(struct description) { .udp = true, .v6 = true, .payload = 8000 }, head);
		assert_int_equal(expect_whole(true, 1500, 14 + 40), 6);
		/* Hop-by-hop options are repeated, destination options are part of the payload. */
		view(&(struct description) { .udp = true,
			     .v6 = true,
			     .payload = 5000,
			     .ext = EXT_HOP | EXT_DST },
			head);
		(void)expect_whole(true, 1280, 14 + 40 + 16);
		view(&(struct description) { .udp = true,
			     .v6 = true,
			     .payload = 5000,
			     .ext = EXT_HOP | EXT_ROUTING },
			head);
		(void)expect_whole(true, 1280, 14 + 40 + 16 + 24);
	}
}

static void test_tags_and_longest(void **state)
{
	view(&(struct description) { .udp = true, .payload = 65507, .tags = { 0x88a8, 0x8100 } },
		FRAME_PULL);
	assert_int_equal(expect_whole(false, 1500, 22 + 20), 45);
}

/* A packet that is a fragment itself is cut further (RFC 791). */
static void test_fragment_of_fragment(void **state)
{
	struct refragmenter r;
	static struct frame out;
	static struct fragment piece;
	unsigned n = 0;

	view(&(struct description) { .udp = true, .payload = 3992 }, FRAME_PULL);
	put16(frame.head + 14 + 6, 0x2000 | 100);
	assert_true(refragment_begin(&r, &frame, 1500, 0));
	for (; refragment_next(&r, &out); n++) {
		read_fragment(&out, false, &piece);
		assert_int_equal(piece.offset, 800 + n * 1480);
		assert_true(piece.more);
	}
	assert_int_equal(n, 3);
	view(&(struct description) { .udp = true, .v6 = true, .payload = 3992 }, FRAME_PULL);
	frame.head[14 + 6] = 44;
	assert_false(refragment_begin(&r, &frame, 1500, 0));
}

/* Options with the copied bit are in all fragments, the others in the first alone. */
static void test_options(void **state)
{
	const uint8_t options[8] = { 0x07, 3, 4, 0x94, 4, 0xaa, 0xbb, 1 };
	const uint8_t later[8] = { 1, 1, 1, 0x94, 4, 0xaa, 0xbb, 1 };
	struct refragmenter r;
	static struct frame out;

	view(&(struct description) { .udp = true, .payload = 3000, .options = 8 }, FRAME_PULL);
	memcpy(frame.head + 34, options, sizeof(options));
	(void)expect_whole(false, 1500, 14 + 28);
	assert_true(refragment_begin(&r, &frame, 1500, 0));
	for (unsigned n = 0; refragment_next(&r, &out); n++)
		assert_memory_equal(out.head + 34, n ? later : options, sizeof(options));
}

/* Without an identification of its own a datagram gets the caller's. */
static void test_identification(void **state)
{
	struct refragmenter r;
	static struct frame out;
	static struct fragment piece;

	view(&(struct description) { .udp = true, .payload = 3000 }, FRAME_PULL);
	put16(frame.head + 14 + 4, 0);
	assert_true(refragment_begin(&r, &frame, 1500, 77));
	assert_true(refragment_next(&r, &out));
	read_fragment(&out, false, &piece);
	assert_int_equal(piece.id, 77);
}

static void test_cannot(void **state)
{
	struct refragmenter r;

	view(&(struct description) { .udp = true, .payload = 3000 }, FRAME_PULL);
	assert_false(refragment_begin(&r, &frame, 27, 0));
	put16(frame.head + 12, 0x88b5);
	frame.ethertype = 0x88b5;
	assert_false(refragment_begin(&r, &frame, 1500, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_tags_and_longest),
		cmocka_unit_test(test_fragment_of_fragment),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_identification),
		cmocka_unit_test(test_cannot),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
