/* SPDX-License-Identifier: BSD-3-Clause */

/* VLAN policies: what comes in, what goes out, and in which form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/datapath/vlan.h"

#define NO_TAG -1

static const struct vlan_policy access10 = { .vlan = 10 };
static struct vlan_policy trunk;  /* 10 and 4094 */
static struct vlan_policy native; /* the same, untagged frames are VLAN 20 */

static int set_up(void **state)
{
	trunk = (struct vlan_policy) { .has_trunks = true };
	trunk.trunks.word[0] = 1ull << 10;
	trunk.trunks.word[63] = 1ull << 62;
	native = trunk;
	native.vlan = 20;
	return 0;
}

/* A TCP super-frame with this tag (NO_TAG: none), 200 bytes of it in the head. */
static void make(struct frame *f, int tci, uint16_t tpid)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	unsigned tag = tci == NO_TAG ? 0 : VLAN_TAG_LEN;
	uint8_t *at;

	memset(f, 0, sizeof(*f));
	/* As ports leave it: room for a tag in front unless there is one. */
	f->head = f->head_room + VLAN_TAG_LEN - tag;
	f->head_len = (uint16_t)(200 + tag);
	f->len = 9000 + tag;
	memcpy(f->head, macs, sizeof(macs));
	at = f->head + sizeof(macs);
	if (tag) {
		at[0] = (uint8_t)(tpid >> 8);
		at[1] = (uint8_t)tpid;
		at[2] = (uint8_t)(tci >> 8);
		at[3] = (uint8_t)tci;
	}
	at[tag] = 0x08;
	for (unsigned i = ETH_HEADER_LEN; i < 200; i++)
		f->head[tag + i] = (uint8_t)i;
	assert_true(frame_parse_l2(f));
	f->offload = (struct offload) {
		.needs_csum = true,
		.csum_start = (uint16_t)(34 + tag),
		.gso = GSO_TCPV4,
		.hdr_len = (uint16_t)(54 + tag),
	};
}

/* The frame is what make() made, with this tag. */
static void check(const struct frame *f, int tci, uint16_t tpid)
{
	static struct frame want;

	make(&want, tci, tpid);
	assert_int_equal(f->len, want.len);
	assert_int_equal(f->head_len, want.head_len);
	assert_int_equal(f->l3_offset, want.l3_offset);
	assert_int_equal(f->offload.csum_start, want.offload.csum_start);
	assert_int_equal(f->offload.hdr_len, want.offload.hdr_len);
	assert_memory_equal(f->head, want.head, want.head_len);
	assert_true(f->head >= f->head_room);
}

static void access_ports_take_untagged_frames(void **state)
{
	struct frame f;

	make(&f, NO_TAG, 0);
	assert_true(vlan_admit(&access10, &f));
	assert_int_equal(f.vlan, 10);
	make(&f, 5 << 13, 0x8100); /* a priority only */
	assert_true(vlan_admit(&access10, &f));
	assert_int_equal(f.vlan, 10);
	make(&f, 10, 0x8100);
	assert_false(vlan_admit(&access10, &f));
}

static void trunks_take_their_tags(void **state)
{
	struct frame f;

	make(&f, 10, 0x8100);
	assert_true(vlan_admit(&trunk, &f));
	assert_int_equal(f.vlan, 10);
	make(&f, 4094, 0x88a8);
	assert_true(vlan_admit(&trunk, &f));
	make(&f, 11, 0x8100);
	assert_false(vlan_admit(&trunk, &f));
	make(&f, NO_TAG, 0);
	assert_false(vlan_admit(&trunk, &f));
}

static void native_vlan_comes_either_way(void **state)
{
	struct frame f;

	make(&f, NO_TAG, 0);
	assert_true(vlan_admit(&native, &f));
	assert_int_equal(f.vlan, 20);
	make(&f, 20, 0x8100);
	assert_true(vlan_admit(&native, &f));
	assert_int_equal(f.vlan, 20);
	make(&f, 21, 0x8100);
	assert_false(vlan_admit(&native, &f));
}

static void says_where_a_vlan_leaves(void **state)
{
	assert_true(vlan_carries(NULL, 0));
	assert_true(vlan_carries(NULL, 10));
	assert_true(vlan_carries(&access10, 10));
	assert_false(vlan_carries(&access10, 11));
	assert_false(vlan_carries(&access10, 0));
	assert_true(vlan_carries(&trunk, 4094));
	assert_false(vlan_carries(&trunk, 20));
	assert_false(vlan_carries(&trunk, 0));
	assert_true(vlan_carries(&native, 20));
}

static void tags_come_and_go(void **state)
{
	struct frame f;

	make(&f, NO_TAG, 0);
	assert_true(vlan_admit(&access10, &f));
	/* One frame, flooded: each egress has it in its own form, in any order. */
	vlan_shape(&trunk, &f);
	check(&f, 10, 0x8100);
	vlan_shape(&access10, &f);
	check(&f, NO_TAG, 0);
	vlan_shape(NULL, &f);
	check(&f, 10, 0x8100);
	vlan_shape(&native, &f);
	check(&f, 10, 0x8100);
	vlan_shape(&access10, &f);
	check(&f, NO_TAG, 0);
}

static void foreign_tags_keep_their_form(void **state)
{
	struct frame f;

	make(&f, 3 << 13 | 10, 0x88a8);
	assert_true(vlan_admit(&trunk, &f));
	vlan_shape(&native, &f);
	check(&f, 3 << 13 | 10, 0x88a8);
	vlan_shape(NULL, &f);
	check(&f, 3 << 13 | 10, 0x88a8);
	vlan_shape(&access10, &f);
	check(&f, NO_TAG, 0);
}

static void priority_tags_get_their_vlan(void **state)
{
	struct frame f;

	make(&f, 5 << 13, 0x8100);
	assert_true(vlan_admit(&access10, &f));
	vlan_shape(&trunk, &f);
	check(&f, 5 << 13 | 10, 0x8100);
	vlan_shape(&access10, &f);
	check(&f, NO_TAG, 0);
	/* Between ports without a policy it stays what it is. */
	make(&f, 5 << 13, 0x8100);
	vlan_shape(NULL, &f);
	check(&f, 5 << 13, 0x8100);
}

/* A flooded frame leaves without its tag here, and with it there. */
static void a_tag_that_was_taken_out_comes_back(void **state)
{
	struct frame f;

	make(&f, 5 << 13 | 10, 0x88a8);
	vlan_shape(&access10, &f);
	check(&f, NO_TAG, 0);
	vlan_shape(NULL, &f);
	check(&f, 5 << 13 | 10, 0x88a8);
	make(&f, 5 << 13, 0x8100);
	assert_true(vlan_admit(&access10, &f));
	vlan_shape(&access10, &f);
	vlan_shape(&trunk, &f);
	check(&f, 5 << 13 | 10, 0x8100);
}

/* The frame that make() makes, with a second tag, of VLAN 4094, behind the first. */
static void make_stacked(struct frame *f, int tci)
{
	static const uint8_t inner[] = { 0x81, 0x00, 0x0f, 0xfe };

	make(f, tci, 0x8100);
	memcpy(f->head + 16, inner, sizeof(inner));
	assert_true(frame_parse_l2(f));
	assert_int_equal(f->l3_offset, 22);
}

static void nobody_hops_by_a_second_tag(void **state)
{
	struct frame f;

	/* Admitted as untagged, it would leave as a frame of VLAN 4094. */
	make_stacked(&f, 0);
	assert_false(vlan_admit(&access10, &f));
	make_stacked(&f, 5 << 13);
	assert_false(vlan_admit(&native, &f));
	/* A trunk's frames may carry tags of their own; where theirs would be taken out it stays.
	 */
	make_stacked(&f, 10);
	assert_true(vlan_admit(&trunk, &f));
	native.vlan = 10;
	vlan_shape(&native, &f);
	assert_int_equal(frame_be16(&f, 14) & 0xfff, 10);
	/* Behind an access port there are no VLANs to get into. */
	vlan_shape(&access10, &f);
	assert_int_equal(frame_be16(&f, 14) & 0xfff, 4094);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(access_ports_take_untagged_frames),
		cmocka_unit_test(trunks_take_their_tags),
		cmocka_unit_test(native_vlan_comes_either_way),
		cmocka_unit_test(says_where_a_vlan_leaves),
		cmocka_unit_test(tags_come_and_go),
		cmocka_unit_test(foreign_tags_keep_their_form),
		cmocka_unit_test(priority_tags_get_their_vlan),
		cmocka_unit_test(nobody_hops_by_a_second_tag),
		cmocka_unit_test(a_tag_that_was_taken_out_comes_back),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
