/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/ip.h"
#include "tests/unit/neigh_fixture.h"
#include "tests/unit/packet_builder.h"

#define IPV6_AT   14
#define ICMP6_AT  54
#define OPTION_AT 78 /* of a solicitation or advertisement */

/* --- what is read ----------------------------------------------------------------------------- */

static void check_packet(
	const struct neigh_capture *row, const struct frame *f, const struct neigh_packet *p)
{
	const struct mac want = mac(row->mac);

	assert_int_equal(p->kind, row->kind);
	check_address(&p->sender, row->sender);
	check_address(&p->target, row->target);
	assert_memory_equal(&p->sender_mac, &want, sizeof(want));
	assert_int_equal(p->has_mac, row->mac != NULL);
	assert_false(p->more_options);
	assert_int_equal(p->n_macs, row->n_macs);
	if (row->mac)
		assert_memory_equal(f->head + p->mac_at[0], &want, sizeof(want));
	assert_int_equal(neigh_is_question(p), row->question);
	assert_int_equal(neigh_is_answer(p), row->answer);
	assert_int_equal(neigh_is_probe(p), row->probe);
	assert_int_equal(p->is_router, row->router);
	assert_int_equal(p->solicited, row->solicited);
	assert_int_equal(p->override, row->override);
	assert_int_equal(p->checksum_at, f->ethertype == ETHERTYPE_ARP ? 0 : f->l3_offset + 42);
}

/* Wherever the head ends, untagged and tagged, with and without padding. */
static void captures_are_read(void **state)
{
	static const uint8_t padding[18] = { 1, 2, 3, 4, 5 };
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < N_NEIGH_CAPTURES; i++)
		for (unsigned form = 0; form < 6; form++) {
			captured_bytes(&b, neigh_captures[i].capture);
			if (form & 1)
				bytes_insert(&b, b.len, padding, sizeof(padding));
			if (form >= 2)
				bytes_tag(&b, 0x8100, 10);
			if (form >= 4)
				bytes_tag(&b, 0x88a8, 20);
			for (unsigned head_len = b.l3; head_len <= b.len; head_len++) {
				assert_int_equal(parse(&b, head_len, &f, &p), NEIGH_GOOD);
				check_packet(&neigh_captures[i], &f, &p);
			}
		}
}

static void other_packets_are_none_of_these(void **state)
{
	static const char *const captures[] = { "dhcp_discover", "dhcp_offer" };
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < 2; i++) {
		captured_bytes(&b, captures[i]);
		assert_int_equal(parse(&b, 128, &f, &p), NEIGH_OTHER);
	}
	/* A third tag is no station's. */
	captured_bytes(&b, "arp_request");
	for (unsigned i = 0; i < 3; i++)
		bytes_tag(&b, 0x8100, 10);
	assert_int_equal(parse(&b, b.len, &f, &p), NEIGH_OTHER);
}

/* --- one byte that makes the difference ------------------------------------------------------- */

static const struct change {
	const char *capture;
	unsigned at;
	uint8_t value;
	enum neigh_verdict verdict;
} changes[] = {
	/* ARP: hardware and protocol, their lengths, the operation */
	{ "arp_request", 15, 6, NEIGH_OTHER },
	{ "arp_request", 17, 6, NEIGH_OTHER },
	{ "arp_request", 18, 8, NEIGH_OTHER },
	{ "arp_request", 19, 16, NEIGH_OTHER },
	{ "arp_request", 21, 0, NEIGH_OTHER },
	{ "arp_request", 21, 3, NEIGH_OTHER },
	{ "arp_request", 28, 224, NEIGH_BAD },
	{ "arp_reply", 38, 239, NEIGH_BAD },
	/* IPv6: version, length, next header, hop limit */
	{ "solicit", IPV6_AT, 0x40, NEIGH_OTHER },
	{ "solicit", IPV6_AT + 5, 0, NEIGH_BAD },
	{ "solicit", IPV6_AT + 5, 23, NEIGH_BAD },
	{ "solicit", IPV6_AT + 5, 24, NEIGH_GOOD }, /* the option is padding then */
	{ "solicit", IPV6_AT + 5, 31, NEIGH_BAD },
	{ "solicit", IPV6_AT + 5, 33, NEIGH_BAD },
	{ "solicit", IPV6_AT + 6, 17, NEIGH_OTHER },
	{ "solicit", IPV6_AT + 7, 254, NEIGH_BAD },
	{ "router_advert", IPV6_AT + 7, 64, NEIGH_BAD },
	/* source: multicast; of routers, not link-local */
	{ "solicit", IPV6_AT + 8, 0xff, NEIGH_BAD },
	{ "router_advert", IPV6_AT + 8, 0xfd, NEIGH_BAD },
	{ "redirect", IPV6_AT + 8, 0xfd, NEIGH_BAD },
	/* a probe that is not sent to the solicited-node group */
	{ "solicit_probe", IPV6_AT + 24 + 11, 0, NEIGH_BAD },
	{ "solicit_probe", IPV6_AT + 24, 0xfd, NEIGH_BAD },
	/* type and code */
	{ "solicit", ICMP6_AT, 132, NEIGH_OTHER },
	{ "solicit", ICMP6_AT, 138, NEIGH_OTHER },
	{ "solicit", ICMP6_AT + 1, 1, NEIGH_BAD },
	{ "router_solicit", ICMP6_AT + 1, 9, NEIGH_BAD },
	/* target: multicast; of a redirect, neither a router nor its destination */
	{ "solicit", ICMP6_AT + 8, 0xff, NEIGH_BAD },
	{ "advert", ICMP6_AT + 8, 0xff, NEIGH_BAD },
	{ "redirect", ICMP6_AT + 8, 0xff, NEIGH_BAD },
	{ "redirect", ICMP6_AT + 8 + 15, 8, NEIGH_BAD },
	{ "redirect", ICMP6_AT + 24, 0xff, NEIGH_BAD },
	/* solicited, to a group */
	{ "advert", IPV6_AT + 24, 0xff, NEIGH_BAD },
	{ "advert_unasked", ICMP6_AT + 4, 0x60, NEIGH_BAD },
	/* options: of no length, another than a MAC address's, longer than the packet; unknown */
	{ "solicit", OPTION_AT + 1, 0, NEIGH_BAD },
	{ "solicit", OPTION_AT + 1, 2, NEIGH_BAD },
	{ "solicit", OPTION_AT + 1, 255, NEIGH_BAD },
	{ "solicit", OPTION_AT, 200, NEIGH_GOOD },
	{ "solicit_probe", OPTION_AT, 1, NEIGH_BAD },
	{ "redirect", 94 + 1, 2, NEIGH_BAD },
	{ "redirect", 102 + 1, 15, NEIGH_BAD },
	{ "redirect", 102 + 1, 13, NEIGH_BAD },
	{ "redirect", 102, 2, NEIGH_BAD },
};

static void one_byte_makes_the_difference(void **state)
{
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *c = &changes[i];

		captured_bytes(&b, c->capture);
		b.byte[c->at] = c->value;
		if (parse(&b, FRAME_PULL, &f, &p) != c->verdict)
			fail_msg("%s with %u at %u", c->capture, c->value, c->at);
	}
}

/* Nothing that has been cut short is good. */
static void short_packets_are_bad(void **state)
{
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < N_NEIGH_CAPTURES; i++) {
		captured_bytes(&b, neigh_captures[i].capture);
		while (--b.len >= b.l3) {
			enum neigh_verdict want = NEIGH_BAD;

			if (neigh_captures[i].kind > NEIGH_ARP_REPLY && b.len < IPV6_AT + 40u)
				want = NEIGH_OTHER;
			assert_int_equal(parse(&b, FRAME_PULL, &f, &p), want);
		}
	}
}

/* Unspecified source with a link-layer address; IPv4-mapped addresses, which are IPv4 to tables. */
static void addresses_that_mean_nothing_are_bad(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };
	static const uint8_t zero[16];
	static const struct {
		const char *capture;
		unsigned at;
		const uint8_t *address;
	} bad[] = {
		{ "solicit", IPV6_AT + 8, zero },
		{ "router_solicit", IPV6_AT + 8, zero },
		{ "solicit", IPV6_AT + 8, mapped },
		{ "router_solicit", IPV6_AT + 8, mapped },
		{ "advert", ICMP6_AT + 8, mapped },
		{ "advert", ICMP6_AT + 8, zero },
		{ "solicit_probe", ICMP6_AT + 8, mapped },
	};
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		captured_bytes(&b, bad[i].capture);
		memcpy(b.byte + bad[i].at, bad[i].address, 16);
		assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_BAD);
	}
	captured_bytes(&b, "arp_request");
	memset(b.byte + 28, 0xff, 4);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_BAD);
}

/* --- options ---------------------------------------------------------------------------------- */

/* Appends an option of `units` units and any content, and states the new length. */
static uint8_t *append_option(struct bytes *b, uint8_t type, unsigned units)
{
	uint8_t option[255 * 8] = { type, (uint8_t)units, 0x02, 0, 0, 0, 0, 0x99 };
	uint8_t *ip = b->byte + b->l3;

	bytes_insert(b, b->len, option, units * 8);
	put16(ip + 4, b->len - b->l3 - 40);
	return b->byte + b->len - units * 8;
}

static void link_layer_addresses_must_agree(void **state)
{
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	captured_bytes(&b, "solicit");
	append_option(&b, 1, 1);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_BAD);
	memcpy(b.byte + OPTION_AT + 8, b.byte + OPTION_AT, 8);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_int_equal(p.n_macs, 2);
	memcpy(append_option(&b, 1, 1), b.byte + OPTION_AT, 8);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_BAD);

	/* One of a kind that says nothing in a solicitation is noted all the same. */
	captured_bytes(&b, "solicit_probe");
	append_option(&b, 2, 1);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_int_equal(p.n_macs, 1);
	assert_int_equal(p.mac_at[0], OPTION_AT + 8 + 2);
	assert_false(p.has_mac);
}

static void options_behind_the_head(void **state)
{
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	/* A router's: its address came before them, or not. */
	captured_bytes(&b, "router_advert");
	append_option(&b, 24, 20);
	append_option(&b, 1, 1);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_true(p.more_options && p.has_mac);
	captured_bytes(&b, "router_advert");
	b.byte[126] = 200;
	append_option(&b, 24, 20);
	append_option(&b, 1, 1);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_true(p.more_options && !p.has_mac);
	assert_int_equal(p.n_macs, 0);

	captured_bytes(&b, "solicit");
	append_option(&b, 24, 22);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_false(p.more_options);
	append_option(&b, 1, 1);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_BAD);

	/* The packet that a redirect is about is its last option, and long. */
	captured_bytes(&b, "redirect");
	b.byte[103] = 150;
	bytes_insert(&b, b.len, b.byte, (150 - 14) * 8);
	put16(b.byte + IPV6_AT + 4, b.len - ICMP6_AT);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_true(p.has_mac);
}

/* An option whose address the head's end would cut in two. */
static void address_across_the_heads_end(void **state)
{
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	captured_bytes(&b, "router_advert");
	b.byte[126] = 200;
	append_option(&b, 24, 15);
	append_option(&b, 1, 1);
	assert_int_equal(b.len - 8, FRAME_HEAD_MAX - 2);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_true(p.more_options && !p.has_mac);
	bytes_tag(&b, 0x8100, 10);
	assert_int_equal(parse(&b, FRAME_PULL, &f, &p), NEIGH_GOOD);
	assert_true(p.more_options && !p.has_mac);
}

/* --- extension headers ------------------------------------------------------------------------ */

/* Puts an extension header of `len` bytes in front of what the IPv6 header is followed by. */
static void put_extension(struct bytes *b, uint8_t proto, unsigned len, uint16_t fragment)
{
	uint8_t ext[2048] = { b->byte[b->l3 + 6], (uint8_t)(len / 8 - 1) };
	uint8_t *ip = b->byte + b->l3;

	if (proto == 44) {
		ext[1] = 0;
		put16(ext + 2, fragment);
	}
	bytes_insert(b, b->l3 + 40, ext, len);
	ip[6] = proto;
	put16(ip + 4, b->len - b->l3 - 40);
}

static void extension_headers_are_no_hiding_place(void **state)
{
	static const uint8_t kinds[] = { 0, 43, 60 };
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < sizeof(kinds); i++) {
		captured_bytes(&b, "advert");
		put_extension(&b, kinds[i], 16, 0);
		put_extension(&b, 60, 8, 0);
		assert_int_equal(parse(&b, 60, &f, &p), NEIGH_GOOD);
		assert_int_equal(p.checksum_at, ICMP6_AT + 24 + 2);
		assert_int_equal(p.mac_at[0], OPTION_AT + 24 + 2);
		/* Behind the head: what it is cannot be seen. */
		put_extension(&b, kinds[i], 176, 0);
		assert_int_equal(parse(&b, 60, &f, &p), NEIGH_BAD);
		b.byte[IPV6_AT + 7] = 64;
		assert_int_equal(parse(&b, 60, &f, &p), NEIGH_OTHER);
	}
	/* As good as nothing else starts so. */
	captured_bytes(&b, "advert");
	put_extension(&b, 60, 8, 0);
	b.byte[b.l3 + 40] = 17;
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_OTHER);
}

static void fragments_of_discovery_are_bad(void **state)
{
	static const uint8_t padding[16] = { 128 }, udp_next[16] = { 17 };
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	captured_bytes(&b, "advert");
	put_extension(&b, 44, 8, 0); /* the only one */
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_BAD);
	put16(b.byte + ICMP6_AT + 2, 1); /* the first one */
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_BAD);
	put16(b.byte + ICMP6_AT + 2, 8); /* the last one: of what, the first one said */
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_OTHER);
	captured_bytes(&b, "advert");
	b.byte[ICMP6_AT] = 128;
	put_extension(&b, 44, 8, 1); /* of an echo request */
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_OTHER);

	/* A first fragment that ends before the ICMPv6 header; behind it is padding. */
	captured_bytes(&b, "advert");
	put_extension(&b, 60, 8, 0);
	put_extension(&b, 44, 8, 1);
	b.len = ICMP6_AT + 16;
	put16(b.byte + IPV6_AT + 4, 16);
	bytes_insert(&b, b.len, padding, sizeof(padding));
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_BAD);
	/* Or before the extension header, for which padding passes. */
	put16(b.byte + IPV6_AT + 4, 8);
	memcpy(b.byte + ICMP6_AT + 8, udp_next, sizeof(udp_next));
	assert_int_equal(parse(&b, 60, &f, &p), NEIGH_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_are_read),
		cmocka_unit_test(other_packets_are_none_of_these),
		cmocka_unit_test(one_byte_makes_the_difference),
		cmocka_unit_test(short_packets_are_bad),
		cmocka_unit_test(addresses_that_mean_nothing_are_bad),
		cmocka_unit_test(link_layer_addresses_must_agree),
		cmocka_unit_test(options_behind_the_head),
		cmocka_unit_test(address_across_the_heads_end),
		cmocka_unit_test(extension_headers_are_no_hiding_place),
		cmocka_unit_test(fragments_of_discovery_are_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
