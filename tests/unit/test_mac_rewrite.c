/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/mac_rewrite.h"
#include "switch/datapath/segment.h"
#include "switch/datapath/vlan.h"
#include "tests/unit/captured_frames.h"
#include "tests/unit/packet_builder.h"

static const struct mac station_a = { { 0xaa, 0xfc, 0, 0, 0, 0x0a } };
static const struct mac station_b = { { 0x02, 0, 0, 0, 0, 0x0b } };
static const struct mac pod = { { 0x0e, 0xd1, 0x7f, 0xff, 0x80, 0x01 } };
static const struct mac zero;

#define UDP_FIELD_AT 40 /* of an untagged frame's UDP checksum, without IPv4 options */
#define CHADDR_AT    70

/* Whether the bytes of `mac` are anywhere in the frame. */
static bool occurs(const struct bytes *b, const struct mac *mac)
{
	return memmem(b->byte, b->len, mac, sizeof(*mac)) != NULL;
}

static const struct neigh_packet *parse(
	const struct bytes *b, struct frame *f, struct neigh_packet *p)
{
	bytes_frame(b, FRAME_PULL, f);
	return neigh_parse(f, p) == NEIGH_GOOD ? p : NULL;
}

static void check_checksum(const struct bytes *b, const struct neigh_packet *p)
{
	if (p && p->checksum_at)
		assert_int_equal(bytes_verify_icmp6(b), 0);
}

/* --- ARP and neighbour discovery -------------------------------------------------------------- */

static const char *const from_a[] = { "arp_request", "arp_probe", "arp_announcement", "solicit",
	"solicit_probe", "advert_unasked", "router_solicit" };
static const char *const to_a[] = { "arp_request_to_station", "arp_reply", "advert", "redirect",
	"solicit_to_station", "advert_without_mac" };

static void check_source(const struct bytes *before, const struct mac *to)
{
	struct neigh_packet p;
	struct frame f;
	struct bytes b;
	const struct neigh_packet *good = parse(before, &f, &p);

	assert_non_null(good);
	mac_rewrite_source(&f, good, to);
	frame_bytes(&f, &b);
	assert_false(occurs(&b, &station_a));
	assert_memory_equal(frame_src(&f), to, sizeof(*to));
	assert_memory_equal(b.byte, before->byte, 6);
	if (p.has_mac)
		assert_memory_equal(f.head + p.mac_at[0], to, sizeof(*to));
	check_checksum(&b, good);
}

static void network_never_hears_of_the_guest(void **state)
{
	struct bytes b;

	for (unsigned i = 0; i < sizeof(from_a) / sizeof(from_a[0]); i++)
		for (unsigned tags = 0; tags < 3; tags++) {
			captured_bytes(&b, from_a[i]);
			for (unsigned t = 0; t < tags; t++)
				bytes_tag(&b, 0x8100, (uint16_t)(t + 1));
			check_source(&b, &pod);
			check_source(&b, &zero);
		}
}

static void guest_never_hears_of_the_pod(void **state)
{
	struct neigh_packet p;
	struct bytes before, b;
	struct frame f;

	for (unsigned i = 0; i < sizeof(to_a) / sizeof(to_a[0]); i++) {
		const struct neigh_packet *good;

		captured_bytes(&before, to_a[i]);
		good = parse(&before, &f, &p);
		assert_non_null(good);
		mac_rewrite_destination(&f, good, &station_a, &pod);
		frame_bytes(&f, &b);
		assert_memory_equal(frame_dst(&f), &pod, sizeof(pod));
		assert_memory_equal(frame_src(&f), before.byte + 6, sizeof(pod));
		/* Ethernet's, and ARP's tha where that is known. */
		assert_false(occurs(&b, &station_a));
		check_checksum(&b, good);
	}
}

static void replies_name_the_guest_again(void **state)
{
	struct neigh_packet p;
	struct bytes b;
	struct frame f;

	captured_bytes(&b, "arp_reply");
	mac_rewrite_destination(&f, parse(&b, &f, &p), &station_a, &pod);
	assert_memory_equal(f.head + p.mac_at[0], &station_b, sizeof(pod));
	assert_memory_equal(f.head + p.mac_at[1], &pod, sizeof(pod));
}

static void other_stations_keep_their_addresses(void **state)
{
	struct neigh_packet p;
	struct bytes before, b;
	struct frame f;

	/* Sent on another's behalf, from another address than it tells. */
	captured_bytes(&before, "solicit");
	memcpy(before.byte + 6, &station_b, 6);
	mac_rewrite_source(&f, parse(&before, &f, &p), &pod);
	frame_bytes(&f, &b);
	memcpy(before.byte + 6, &pod, 6);
	assert_memory_equal(b.byte, before.byte, b.len);

	captured_bytes(&before, "advert");
	mac_rewrite_destination(&f, parse(&before, &f, &p), &pod, &station_a);
	frame_bytes(&f, &b);
	assert_memory_equal(b.byte, before.byte, b.len);
}

static void groups_stay_groups(void **state)
{
	struct neigh_packet p;
	struct bytes before, b;
	struct frame f;

	captured_bytes(&before, "router_advert");
	mac_rewrite_destination(&f, parse(&before, &f, &p), &pod, &station_a);
	frame_bytes(&f, &b);
	assert_memory_equal(b.byte, before.byte, b.len);
}

/* A network without link layer: all its addresses are zero, the guest's is not. */
static void zero_is_an_address(void **state)
{
	struct neigh_packet p;
	struct bytes before, b;
	struct frame f;

	captured_bytes(&before, "solicit_to_station");
	mac_rewrite_destination(&f, parse(&before, &f, &p), &station_b, &zero);
	frame_bytes(&f, &b);
	assert_memory_equal(frame_dst(&f), &zero, sizeof(zero));
	assert_memory_equal(f.head + p.mac_at[0], &zero, sizeof(zero));
	check_checksum(&b, &p);
	mac_rewrite_destination(&f, &p, &zero, &station_b);
	frame_bytes(&f, &b);
	memcpy(before.byte, &station_b, sizeof(zero));
	assert_memory_equal(b.byte, before.byte, b.len);
}

static void other_frames_change_their_source_only(void **state)
{
	struct bytes before, b;
	struct frame f;

	captured_bytes(&before, "dhcp_discover");
	bytes_frame(&before, FRAME_PULL, &f);
	mac_rewrite_source(&f, NULL, &pod);
	frame_bytes(&f, &b);
	assert_memory_equal(frame_src(&f), &pod, sizeof(pod));
	assert_memory_equal(b.byte + 12, before.byte + 12, b.len - 12);
}

/* The pseudo-header's sum stays, and what is made of it in the end is right. */
static void partial_checksums_are_left_alone(void **state)
{
	struct neigh_packet p;
	struct segmenter s;
	struct bytes before, b;
	struct frame f, out;
	uint16_t partial;

	captured_bytes(&before, "solicit");
	partial = (uint16_t)naive_sum(32 + 58, before.byte + 14 + 8, 32);
	put16(before.byte + 56, partial);
	assert_non_null(parse(&before, &f, &p));
	f.offload = (struct offload) { .needs_csum = true, .csum_start = 54, .csum_offset = 2 };
	mac_rewrite_source(&f, &p, &pod);
	assert_memory_equal(f.head + 56, before.byte + 56, 2);
	assert_memory_equal(f.head + 80, &pod, sizeof(pod));
	assert_int_equal(segment_begin(&s, &f, 0), OFFLOAD_OK);
	assert_true(segment_next(&s, &out));
	frame_bytes(&out, &b);
	assert_int_equal(bytes_verify_icmp6(&b), 0);

	/* A request about something else says nothing of this checksum. */
	captured_bytes(&before, "solicit");
	assert_non_null(parse(&before, &f, &p));
	f.offload = (struct offload) { .needs_csum = true, .csum_start = 70, .csum_offset = 6 };
	mac_rewrite_source(&f, &p, &pod);
	frame_bytes(&f, &b);
	assert_int_equal(bytes_verify_icmp6(&b), 0);
}

/* --- any bytes -------------------------------------------------------------------------------- */

static void random_bytes(void *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)at)[i] = random() % 3 ? (uint8_t)random() : (uint8_t) - (random() & 1);
}

/* A solicitation of any station, with addresses whose sums carry, or are zero. */
static void make_random(struct bytes *b, struct mac *from)
{
	uint16_t sum;

	captured_bytes(b, "solicit");
	random_bytes(from, sizeof(*from));
	memcpy(b->byte + 6, from, sizeof(*from));
	memcpy(b->byte + 80, from, sizeof(*from));
	random_bytes(b->byte + 54 + 8, 16);
	b->byte[54 + 8] = 0xfe;
	put16(b->byte + 56, 0);
	sum = bytes_verify_icmp6(b);
	put16(b->byte + 56, sum);
	assert_int_equal(bytes_verify_icmp6(b), 0);
}

static void checksums_hold_for_any_addresses(void **state)
{
	struct neigh_packet p;
	struct mac from, to;
	struct bytes before, b;
	struct frame f;

	srandom(4);
	for (unsigned round = 0; round < 20000; round++) {
		make_random(&before, &from);
		random_bytes(&to, sizeof(to));
		assert_non_null(parse(&before, &f, &p));
		mac_rewrite_source(&f, &p, &to);
		frame_bytes(&f, &b);
		assert_memory_equal(b.byte + 80, &to, sizeof(to));
		assert_int_equal(bytes_verify_icmp6(&b), 0);
		mac_rewrite_destination(&f, &p, &to, &from);
		frame_bytes(&f, &b);
		assert_memory_equal(b.byte + 80, &from, sizeof(from));
		assert_int_equal(bytes_verify_icmp6(&b), 0);
	}
}

/* --- DHCP ------------------------------------------------------------------------------------- */

static void dhcp_is_read(void **state)
{
	struct dhcp_message m;
	struct bytes b;
	struct frame f;

	for (unsigned form = 0; form < 6; form++) {
		captured_bytes(&b, form & 1 ? "dhcp_offer" : "dhcp_discover");
		for (unsigned t = 0; t < form / 2; t++)
			bytes_tag(&b, 0x8100, 10);
		for (unsigned head_len = b.l3; head_len <= FRAME_HEAD_MAX; head_len++) {
			bytes_frame(&b, head_len, &f);
			assert_true(dhcp_parse(&f, &m));
			assert_int_equal(m.from_client, !(form & 1));
			assert_int_equal(m.xid, 0x134f0933);
			assert_int_equal(m.chaddr_at, b.l3 - 14 + CHADDR_AT);
			assert_int_equal(m.checksum_at, b.l3 - 14 + UDP_FIELD_AT);
			assert_memory_equal(f.head + m.chaddr_at, &station_a, 6);
		}
	}
}

static void chaddr_is_exchanged(void **state)
{
	struct dhcp_message m;
	struct bytes before, b;
	struct frame f;

	for (unsigned i = 0; i < 2; i++) {
		captured_bytes(&before, i ? "dhcp_offer" : "dhcp_discover");
		assert_int_equal(bytes_verify_udp4(&before), 0);
		bytes_frame(&before, FRAME_PULL, &f);
		assert_true(dhcp_parse(&f, &m));
		dhcp_set_chaddr(&f, &m, &pod);
		frame_bytes(&f, &b);
		assert_memory_equal(b.byte + CHADDR_AT, &pod, sizeof(pod));
		assert_int_equal(bytes_verify_udp4(&b), 0);
		assert_int_not_equal(
			memcmp(b.byte + UDP_FIELD_AT, before.byte + UDP_FIELD_AT, 2), 0);
		dhcp_set_chaddr(&f, &m, &station_a);
		frame_bytes(&f, &b);
		assert_memory_equal(b.byte, before.byte, b.len);
	}
}

static void udp_without_checksum_stays_so(void **state)
{
	struct dhcp_message m;
	struct bytes b;
	struct frame f;

	captured_bytes(&b, "dhcp_discover");
	put16(b.byte + UDP_FIELD_AT, 0);
	bytes_frame(&b, FRAME_PULL, &f);
	assert_true(dhcp_parse(&f, &m));
	assert_int_equal(m.checksum_at, 0);
	dhcp_set_chaddr(&f, &m, &pod);
	assert_int_equal(frame_be16(&f, UDP_FIELD_AT), 0);
}

static void partial_udp_is_left_alone(void **state)
{
	struct dhcp_message m;
	struct bytes b;
	struct frame f;

	captured_bytes(&b, "dhcp_discover");
	put16(b.byte + UDP_FIELD_AT, 0x1234);
	bytes_frame(&b, FRAME_PULL, &f);
	f.offload = (struct offload) { .needs_csum = true, .csum_start = 34, .csum_offset = 6 };
	assert_true(dhcp_parse(&f, &m));
	dhcp_set_chaddr(&f, &m, &pod);
	assert_int_equal(frame_be16(&f, UDP_FIELD_AT), 0x1234);
	assert_memory_equal(f.head + CHADDR_AT, &pod, sizeof(pod));
}

/* The sum comes out as zero, which in UDP means that there is none. */
static void mended_checksum_is_never_zero(void **state)
{
	struct dhcp_message m;
	struct mac to = { { 0 } };
	struct bytes b, after;
	struct frame f;
	uint16_t sum;

	captured_bytes(&b, "dhcp_discover");
	memcpy(b.byte + CHADDR_AT, &to, sizeof(to));
	put16(b.byte + UDP_FIELD_AT, 0);
	sum = bytes_verify_udp4(&b);
	put16(b.byte + UDP_FIELD_AT, sum);
	bytes_frame(&b, FRAME_PULL, &f);
	assert_true(dhcp_parse(&f, &m));
	put16(to.byte, sum); /* makes up for what is missing to 0xffff */
	dhcp_set_chaddr(&f, &m, &to);
	frame_bytes(&f, &after);
	assert_int_equal(frame_be16(&f, UDP_FIELD_AT), 0xffff);
	assert_int_equal(bytes_verify_udp4(&after), 0);
}

static void what_is_not_dhcp(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
	} changes[] = {
		{ 14, 0x65 },
		{ 14, 0x44 },
		{ 17, 0 },
		{ 20, 0x20 },
		{ 21, 1 },
		{ 23, 6 },
		{ 37, 68 }, /* to a client, a request */
		{ 37, 69 },
		{ 38, 0 },
		{ 39, 0 },
		{ 38, 0xff },
		{ 42, 2 },
		{ 42, 3 },
		{ 43, 6 },
		{ 44, 16 },
	};
	struct dhcp_message m;
	struct bytes b;
	struct frame f;

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		captured_bytes(&b, "dhcp_discover");
		b.byte[changes[i].at] = changes[i].value;
		if (changes[i].at == 39)
			put16(b.byte + 38, 8 + 235);
		bytes_frame(&b, FRAME_PULL, &f);
		if (dhcp_parse(&f, &m))
			fail_msg("%u at %u", changes[i].value, changes[i].at);
	}
	captured_bytes(&b, "dhcp_discover");
	while (--b.len >= 14) {
		bytes_frame(&b, FRAME_PULL, &f);
		assert_false(dhcp_parse(&f, &m));
	}
	captured_bytes(&b, "solicit");
	bytes_frame(&b, FRAME_PULL, &f);
	assert_false(dhcp_parse(&f, &m));
}

static void ip_options_are_skipped(void **state)
{
	static const uint8_t options[40] = { 1, 1, 1, 1 };
	struct dhcp_message m;
	struct bytes b, after;
	struct frame f;

	captured_bytes(&b, "dhcp_discover");
	bytes_insert(&b, 34, options, sizeof(options));
	b.byte[14] = 0x4f;
	put16(b.byte + 16, b.len - 14);
	bytes_frame(&b, 14, &f);
	assert_true(dhcp_parse(&f, &m));
	assert_int_equal(m.chaddr_at, CHADDR_AT + 40);
	dhcp_set_chaddr(&f, &m, &pod);
	frame_bytes(&f, &after);
	assert_int_equal(bytes_verify_udp4(&after), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_never_hears_of_the_guest),
		cmocka_unit_test(guest_never_hears_of_the_pod),
		cmocka_unit_test(replies_name_the_guest_again),
		cmocka_unit_test(other_stations_keep_their_addresses),
		cmocka_unit_test(groups_stay_groups),
		cmocka_unit_test(zero_is_an_address),
		cmocka_unit_test(other_frames_change_their_source_only),
		cmocka_unit_test(partial_checksums_are_left_alone),
		cmocka_unit_test(checksums_hold_for_any_addresses),
		cmocka_unit_test(dhcp_is_read),
		cmocka_unit_test(chaddr_is_exchanged),
		cmocka_unit_test(udp_without_checksum_stays_so),
		cmocka_unit_test(partial_udp_is_left_alone),
		cmocka_unit_test(mended_checksum_is_never_zero),
		cmocka_unit_test(what_is_not_dhcp),
		cmocka_unit_test(ip_options_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
