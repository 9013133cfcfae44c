/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/frame.h"

#define BYTES_LEN 700

static uint8_t bytes[BYTES_LEN];

static int fill(void **state)
{
	srandom(2);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random();
	return 0;
}

/* A frame of `len` of the bytes above, the rest in pieces of at most `piece_max` bytes, some empty.
 */
static void make_frame(struct frame *f, uint32_t len, unsigned head_len, unsigned piece_max)
{
	memset(f, 0, sizeof(*f));
	f->head = f->head_room + VLAN_TAG_LEN;
	f->len = len;
	f->head_len = (uint16_t)head_len;
	memcpy(f->head, bytes, head_len);
	for (uint32_t at = head_len; at < len;) {
		size_t part = (size_t)random() % (piece_max + 1);

		if (part > len - at || f->n_segs == FRAME_SEG_MAX - 1)
			part = len - at;
		f->seg[f->n_segs++] = (struct iovec) { bytes + at, part };
		at += part;
	}
}

static void check_frame(const struct frame *f, unsigned head_len)
{
	uint32_t at = f->head_len;

	assert_int_equal(f->head_len, head_len);
	assert_memory_equal(f->head, bytes, head_len);
	for (unsigned i = 0; i < f->n_segs; i++) {
		if (f->seg[i].iov_len)
			assert_ptr_equal(f->seg[i].iov_base, bytes + at);
		at += f->seg[i].iov_len;
	}
	assert_int_equal(at, f->len);
}

static void pull_moves_bytes_into_the_head(void **state)
{
	struct frame f;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned len = 1 + (unsigned)random() % BYTES_LEN;
		unsigned head_max = len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX;
		unsigned head_len = (unsigned)random() % (head_max + 1);
		unsigned want = (unsigned)random() % (head_max + 1);

		make_frame(&f, len, head_len, 1 + (unsigned)random() % 100);
		assert_true(frame_pull(&f, want));
		check_frame(&f, want > head_len ? want : head_len);
	}
}

static void pull_leaves_no_empty_segment_behind(void **state)
{
	struct frame f;

	make_frame(&f, 100, 14, 100);
	assert_true(frame_pull(&f, 100));
	assert_int_equal(f.n_segs, 0);
}

static void pull_beyond_frame_or_head_changes_nothing(void **state)
{
	struct frame f;

	make_frame(&f, 200, 14, 50);
	assert_false(frame_pull(&f, 201));
	check_frame(&f, 14);
	make_frame(&f, BYTES_LEN, 128, 50);
	assert_false(frame_pull(&f, FRAME_HEAD_MAX + 1));
	check_frame(&f, 128);
	assert_true(frame_pull(&f, FRAME_HEAD_MAX));
	check_frame(&f, FRAME_HEAD_MAX);
}

static const struct {
	uint16_t tags[6]; /* what follows the addresses */
	unsigned head_len;
	bool ok;
	uint16_t l3_offset, ethertype, vlan;
} l2_cases[] = {
	{ { 0x0800 }, 14, true, 14, 0x0800, 0 },
	{ { 0x0800 }, 13, false, 0, 0, 0 },
	{ { 0x0800 }, 0, false, 0, 0, 0 },
	{ { 0x8100, 0xe07b, 0x86dd }, 18, true, 18, 0x86dd, 0x07b },
	{ { 0x8100, 0x007b, 0x86dd }, 17, false, 0, 0, 0 },
	{ { 0x8100, 0x007b, 0x86dd }, 14, false, 0, 0, 0 },
	{ { 0x88a8, 0x1fff, 0x0806 }, 18, true, 18, 0x0806, 0xfff },
	{ { 0x8100, 0xe000, 0x0800 }, 18, true, 18, 0x0800, 0 },
	{ { 0x88a8, 0x0064, 0x8100, 0x00c8, 0x0800 }, 22, true, 22, 0x0800, 100 },
	{ { 0x8100, 0x0064, 0x8100, 0x00c8, 0x0800 }, 21, false, 0, 0, 0 },
	/* A third tag is payload. */
	{ { 0x88a8, 0x0064, 0x8100, 0x00c8, 0x8100, 0x0001 }, 22, true, 22, 0x8100, 100 },
	/* The first tag decides, even if only the second has an id. */
	{ { 0x8100, 0x0000, 0x8100, 0x00c8, 0x0800 }, 22, true, 22, 0x0800, 0 },
	/* 802.3 with a length */
	{ { 0x0040 }, 60, true, 14, 0x0040, 0 },
};

static void l2_headers(void **state)
{
	for (size_t i = 0; i < sizeof(l2_cases) / sizeof(l2_cases[0]); i++) {
		struct frame f;

		make_frame(&f, 60, 0, 60);
		for (unsigned t = 0; t < 6; t++) {
			f.head[12 + 2 * t] = (uint8_t)(l2_cases[i].tags[t] >> 8);
			f.head[13 + 2 * t] = (uint8_t)l2_cases[i].tags[t];
		}
		f.head_len = (uint16_t)l2_cases[i].head_len;
		f.vlan = 77;
		assert_int_equal(frame_parse_l2(&f), l2_cases[i].ok);
		if (!l2_cases[i].ok)
			continue;
		assert_int_equal(f.l3_offset, l2_cases[i].l3_offset);
		assert_int_equal(f.ethertype, l2_cases[i].ethertype);
		assert_int_equal(f.vlan, l2_cases[i].vlan);
	}
}

static void slices_are_the_bytes_asked_for(void **state)
{
	for (unsigned round = 0; round < 50000; round++) {
		unsigned head_len = (unsigned)random() % 200;
		uint32_t offset, len, at;
		struct iovec out[FRAME_SEG_MAX];
		struct frame f;
		unsigned n;

		make_frame(&f, BYTES_LEN, head_len, 1 + (unsigned)random() % 100);
		offset = head_len + (uint32_t)random() % (BYTES_LEN - head_len);
		len = 1 + (uint32_t)random() % (BYTES_LEN - offset);
		n = frame_slice(&f, offset, len, out, FRAME_SEG_MAX);
		assert_in_range(n, 1, f.n_segs);
		at = offset;
		for (unsigned i = 0; i < n; i++) {
			assert_ptr_equal(out[i].iov_base, bytes + at);
			assert_true(out[i].iov_len > 0);
			at += out[i].iov_len;
		}
		assert_int_equal(at, offset + len);
		assert_int_equal(frame_slice(&f, offset, len, out, n), n);
		assert_int_equal(frame_slice(&f, offset, len, out, n - 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pull_moves_bytes_into_the_head),
		cmocka_unit_test(pull_leaves_no_empty_segment_behind),
		cmocka_unit_test(pull_beyond_frame_or_head_changes_nothing),
		cmocka_unit_test(l2_headers),
		cmocka_unit_test(slices_are_the_bytes_asked_for),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
