/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/vlan.h"
#include "tests/unit/neigh_fixture.h"

#define OPTION_AT 78 /* of a solicitation or advertisement */

static const char made_mac[] = "02:11:22:33:44:55";

static void check_state(const struct frame *f)
{
	assert_ptr_equal(f->head, f->head_room + VLAN_TAG_LEN);
	assert_int_equal(f->len, f->head_len);
	assert_int_equal(f->n_segs, 0);
	assert_false(f->offload.needs_csum || f->offload.gso || f->offload.data_valid);
	assert_null(f->ingress);
	assert_null(f->landed);
}

/* Reads what was made, which must be good, as it is on the wire. */
static void read_made(const struct frame *f, struct neigh_packet *p, struct bytes *b)
{
	struct frame again;

	check_state(f);
	frame_bytes(f, b);
	assert_int_equal(parse(b, b->len, &again, p), NEIGH_GOOD);
	assert_int_equal(again.l3_offset, f->l3_offset);
	assert_int_equal(again.ethertype, f->ethertype);
	if (p->checksum_at)
		assert_int_equal(bytes_verify_icmp6(b), 0);
	else
		assert_int_equal(f->len, f->l3_offset + 28);
}

static void check_macs(const struct frame *f, const char *dst, const char *src)
{
	char text[MAC_TEXT_MAX];

	assert_string_equal(mac_format(frame_dst(f), text), dst);
	assert_string_equal(mac_format(frame_src(f), text), src);
}

static void check_destination(const struct bytes *b, const char *want)
{
	struct ip_addr a = ip_addr_v6(b->byte + b->l3 + 24);

	check_address(&a, want);
}

/* Memory that nobody has cleared. */
static void scribble(struct frame *f)
{
	memset(f, 0xa5, sizeof(*f));
}

static void check_answer(const struct bytes *question, const struct neigh_capture *row, bool router)
{
	const struct mac m = mac(made_mac);
	struct neigh_packet p, answer;
	struct frame f, out;
	struct bytes b;

	assert_int_equal(parse(question, FRAME_PULL, &f, &p), NEIGH_GOOD);
	scribble(&out);
	neigh_make_answer(&out, &f, &p, &m, router);
	read_made(&out, &answer, &b);
	assert_true(neigh_is_answer(&answer));
	assert_memory_equal(&answer.sender_mac, &m, sizeof(m));
	assert_int_equal(out.vlan, f.vlan);
	assert_int_equal(out.l3_offset, f.l3_offset);
	assert_memory_equal(out.head + 12, f.head + 12, f.l3_offset - 12u);
	if (answer.kind == NEIGH_ARP_REPLY) {
		check_macs(&out, row->mac, made_mac);
		check_address(&answer.sender, row->target);
		check_address(&answer.target, row->sender);
		assert_memory_equal(out.head + answer.mac_at[1], &p.sender_mac, sizeof(m));
		return;
	}
	check_macs(&out, row->probe ? "33:33:00:00:00:01" : row->mac, made_mac);
	check_address(&answer.target, row->target);
	check_address(&answer.sender, row->target);
	check_destination(&b, row->probe ? "ff02::1" : row->sender);
	assert_int_equal(answer.solicited, !row->probe);
	assert_int_equal(answer.is_router, router);
	assert_true(answer.override);
}

static void answers_go_to_the_asker(void **state)
{
	struct bytes b;

	for (unsigned i = 0; i < N_NEIGH_CAPTURES; i++) {
		if (!neigh_captures[i].question)
			continue;
		captured_bytes(&b, neigh_captures[i].capture);
		check_answer(&b, &neigh_captures[i], i & 1);
		bytes_tag(&b, 0x8100, 3 << 13 | 10);
		check_answer(&b, &neigh_captures[i], i & 1);
		bytes_tag(&b, 0x88a8, 20);
		check_answer(&b, &neigh_captures[i], i & 1);
	}
}

/* Without a link-layer address in the question, it goes where that came from. */
static void answers_find_an_asker_that_gives_no_address(void **state)
{
	const struct mac m = mac(made_mac);
	struct neigh_packet p;
	struct frame f, out;
	struct bytes b;

	captured_bytes(&b, "solicit");
	b.byte[OPTION_AT] = 200;
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	neigh_make_answer(&out, &f, &p, &m, false);
	check_macs(&out, MAC_A, made_mac);
	captured_bytes(&b, "arp_request");
	memset(b.byte + 22, 0xff, 6);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	neigh_make_answer(&out, &f, &p, &m, false);
	check_macs(&out, MAC_A, made_mac);
}

/* An access port's question belongs to a VLAN without a tag; its answer leaves as it came. */
static void answers_stay_in_the_vlan(void **state)
{
	const struct vlan_policy access10 = { .vlan = 10 };
	const struct mac m = mac(made_mac);
	struct neigh_packet p;
	struct frame f, out;
	struct bytes b;

	captured_bytes(&b, "arp_request");
	bytes_frame(&b, FRAME_PULL, &f);
	assert_true(vlan_admit(&access10, &f));
	assert_int_equal(neigh_parse(&f, &p), NEIGH_GOOD);
	scribble(&out);
	neigh_make_answer(&out, &f, &p, &m, false);
	assert_int_equal(out.vlan, 10);
	vlan_shape(&access10, &out);
	assert_int_equal(out.len, 42);
	vlan_shape(NULL, &out);
	assert_int_equal(out.len, 46);
	assert_int_equal(frame_be16(&out, 14), 10);
}

static void make_question(struct frame *out, const char *sender, const char *target, const char *at)
{
	const struct ip_addr s = address(sender), t = address(target);
	const struct mac m = mac(made_mac), to = mac(at);

	scribble(out);
	neigh_make_question(out, &m, &s, &t, at ? &to : NULL);
	assert_int_equal(out->vlan, 0);
}

static void questions_ask(void **state)
{
	static const struct {
		const char *sender, *target, *at, *eth_dst, *ip_dst;
	} cases[] = {
		{ "10.0.0.9", "10.0.0.2", NULL, "ff:ff:ff:ff:ff:ff", NULL },
		{ "10.0.0.9", "10.0.0.2", MAC_B, MAC_B, NULL },
		{ "0.0.0.0", "10.0.0.2", NULL, "ff:ff:ff:ff:ff:ff", NULL },
		{ "::", "10.0.0.2", MAC_B, MAC_B, NULL },
		{ "fd00::9", "fd00::12:3456", NULL, "33:33:ff:12:34:56", "ff02::1:ff12:3456" },
		{ "fd00::9", "fd00::12:3456", MAC_B, MAC_B, "fd00::12:3456" },
		{ "::", "fd00::12:3456", NULL, "33:33:ff:12:34:56", "ff02::1:ff12:3456" },
		{ "0.0.0.0", "fd00::12:3456", MAC_B, MAC_B, "ff02::1:ff12:3456" },
	};
	const struct mac m = mac(made_mac);
	struct neigh_packet p;
	struct frame out;
	struct bytes b;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ip_addr sender = address(cases[i].sender);
		bool probe = ip_addr_is_unspecified(&sender);

		make_question(&out, cases[i].sender, cases[i].target, cases[i].at);
		read_made(&out, &p, &b);
		assert_true(neigh_is_question(&p));
		assert_int_equal(neigh_is_probe(&p), probe);
		check_macs(&out, cases[i].eth_dst, made_mac);
		check_address(&p.target, cases[i].target);
		if (!probe)
			assert_true(ip_addr_equal(&p.sender, &sender));
		if (cases[i].ip_dst)
			check_destination(&b, cases[i].ip_dst);
		assert_int_equal(p.has_mac, !probe || !cases[i].ip_dst);
		if (p.has_mac)
			assert_memory_equal(&p.sender_mac, &m, sizeof(m));
	}
}

/* Byte by byte what the kernels sent, but for the nonce, the traffic class and the like. */
static void questions_and_answers_are_a_kernels(void **state)
{
	const struct mac a = mac(MAC_A), mac_b = mac(MAC_B);
	struct ip_addr sender = address("10.0.0.1"), target = address("10.0.0.2");
	struct bytes want, b;
	struct neigh_packet p;
	struct frame f, out;

	captured_bytes(&want, "arp_request");
	neigh_make_question(&out, &a, &sender, &target, NULL);
	frame_bytes(&out, &b);
	assert_int_equal(b.len, want.len);
	assert_memory_equal(b.byte, want.byte, want.len);
	assert_int_equal(parse(&want, FRAME_PULL, &f, &p), NEIGH_GOOD);
	captured_bytes(&want, "arp_reply");
	neigh_make_answer(&out, &f, &p, &mac_b, false);
	assert_memory_equal(out.head, want.byte, want.len);

	sender = address("fd00::a8fc:ff:fe00:a");
	target = address("fd00::b");
	captured_bytes(&want, "solicit");
	neigh_make_question(&out, &a, &sender, &target, NULL);
	frame_bytes(&out, &b);
	assert_int_equal(b.len, want.len);
	assert_memory_equal(b.byte, want.byte, want.len);
	assert_int_equal(parse(&want, FRAME_PULL, &f, &p), NEIGH_GOOD);
	captured_bytes(&want, "advert");
	neigh_make_answer(&out, &f, &p, &mac_b, true);
	assert_memory_equal(out.head, want.byte, want.len);

	target = address("fd00::a");
	captured_bytes(&want, "advert_unasked");
	neigh_make_announcement(&out, &a, &target);
	assert_memory_equal(out.head, want.byte, want.len);
}

static void announcements_tell_everybody(void **state)
{
	const struct ip_addr v4 = address("10.0.0.9"), v6 = address("fd00::9");
	const struct mac m = mac(made_mac);
	struct neigh_packet p;
	struct frame out;
	struct bytes b;

	scribble(&out);
	neigh_make_announcement(&out, &m, &v4);
	read_made(&out, &p, &b);
	assert_int_equal(p.kind, NEIGH_ARP_REQUEST);
	check_macs(&out, "ff:ff:ff:ff:ff:ff", made_mac);
	assert_true(ip_addr_equal(&p.sender, &v4) && ip_addr_equal(&p.target, &v4));

	scribble(&out);
	neigh_make_announcement(&out, &m, &v6);
	read_made(&out, &p, &b);
	assert_int_equal(p.kind, NEIGH_ADVERT);
	check_macs(&out, "33:33:00:00:00:01", made_mac);
	check_destination(&b, "ff02::1");
	assert_true(ip_addr_equal(&p.sender, &v6) && ip_addr_equal(&p.target, &v6));
	assert_true(p.override && !p.solicited && !p.is_router);
	assert_memory_equal(&p.sender_mac, &m, sizeof(m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_go_to_the_asker),
		cmocka_unit_test(answers_find_an_asker_that_gives_no_address),
		cmocka_unit_test(answers_stay_in_the_vlan),
		cmocka_unit_test(questions_ask),
		cmocka_unit_test(questions_and_answers_are_a_kernels),
		cmocka_unit_test(announcements_tell_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
