/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/checksum.h"
#include "switch/datapath/ip.h"

#define L3 18

/* A frame whose head holds `len` bytes of header at L3. */
static void make_frame(struct frame *f, uint16_t ethertype, const uint8_t *header, unsigned len)
{
	memset(f, 0, sizeof(*f));
	f->head = f->head_room;
	memcpy(f->head + L3, header, len);
	f->head_len = (uint16_t)(L3 + len);
	f->len = 1000;
	f->l3_offset = L3;
	f->ethertype = ethertype;
}

static const struct {
	const char *what;
	uint8_t header[24];
	bool ok, fragment;
	unsigned l4;
} v4_cases[] = {
	{ "plain", { 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6 }, true, false, 20 },
	{ "options", { 0x46, 0, 0, 0, 0, 0, 0, 0, 64, 6 }, true, false, 24 },
	{ "options beyond the head", { 0x47, 0, 0, 0, 0, 0, 0, 0, 64, 6 }, false, false, 0 },
	{ "short header", { 0x44, 0, 0, 0, 0, 0, 0, 0, 64, 6 }, false, false, 0 },
	{ "version", { 0x65, 0, 0, 0, 0, 0, 0, 0, 64, 6 }, false, false, 0 },
	{ "first fragment", { 0x45, 0, 0, 0, 0, 0, 0x20, 0, 64, 6 }, true, true, 20 },
	{ "last fragment", { 0x45, 0, 0, 0, 0, 0, 0x00, 1, 64, 6 }, true, true, 20 },
};

static void ipv4(void **state)
{
	for (size_t i = 0; i < sizeof(v4_cases) / sizeof(v4_cases[0]); i++) {
		struct ip_packet ip;
		struct frame f;

		make_frame(&f, ETHERTYPE_IPV4, v4_cases[i].header, 24);
		if (ip_parse(&f, L3, ETHERTYPE_IPV4, &ip) != v4_cases[i].ok)
			fail_msg("%s", v4_cases[i].what);
		if (!v4_cases[i].ok)
			continue;
		assert_int_equal(ip.l3, L3);
		assert_int_equal(ip.l4, L3 + v4_cases[i].l4);
		assert_int_equal(ip.proto, 6);
		assert_int_equal(ip.fragment, v4_cases[i].fragment);
		assert_false(ip.v6);
		/* The same with the last byte of the header missing. */
		f.head_len = (uint16_t)(L3 + v4_cases[i].l4 - 1);
		assert_false(ip_parse(&f, L3, ETHERTYPE_IPV4, &ip));
	}
}

static const struct {
	const char *what;
	uint8_t next;
	uint8_t ext[40];
	bool fragment;
	unsigned l4;
	uint8_t proto;
} v6_cases[] = {
	{ "plain", 17, { 0 }, false, 40, 17 },
	{ "no next header", 59, { 0 }, false, 40, 59 },
	{ "hop-by-hop", 0, { 17, 0 }, false, 48, 17 },
	{ "hop, destination, routing", 0,
		{ 60, 0, 0, 0, 0, 0, 0, 0, 43, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0 },
		false, 72, 17 },
	{ "fragment", 44, { 17, 0, 0, 1 }, true, 48, 17 },
	/* What follows a fragment header need not be one. */
	{ "destination in a fragment", 44, { 60, 0, 0, 8, 0, 0, 0, 0, 17, 0 }, true, 48, 60 },
};

static void ipv6(void **state)
{
	for (size_t i = 0; i < sizeof(v6_cases) / sizeof(v6_cases[0]); i++) {
		uint8_t header[80] = { 0x60, [6] = v6_cases[i].next };
		struct ip_packet ip;
		struct frame f;

		memcpy(header + 40, v6_cases[i].ext, 40);
		make_frame(&f, ETHERTYPE_IPV6, header, sizeof(header));
		if (!ip_parse(&f, L3, ETHERTYPE_IPV6, &ip))
			fail_msg("%s", v6_cases[i].what);
		assert_int_equal(ip.l3, L3);
		assert_int_equal(ip.l4, L3 + v6_cases[i].l4);
		assert_int_equal(ip.proto, v6_cases[i].proto);
		assert_int_equal(ip.fragment, v6_cases[i].fragment);
		assert_true(ip.v6);
		for (unsigned len = 0; len < v6_cases[i].l4; len++) {
			f.head_len = (uint16_t)(L3 + len);
			assert_false(ip_parse(&f, L3, ETHERTYPE_IPV6, &ip));
		}
		f.head_len = (uint16_t)(L3 + v6_cases[i].l4);
		assert_true(ip_parse(&f, L3, ETHERTYPE_IPV6, &ip));
	}
}

static void other_protocols(void **state)
{
	const uint8_t header[24] = { 0x45 };
	struct ip_packet ip;
	struct frame f;

	make_frame(&f, 0x0806, header, sizeof(header));
	assert_false(ip_parse(&f, L3, 0x0806, &ip));
	assert_false(ip_parse(&f, L3, ETHERTYPE_IPV6, &ip));
	assert_int_equal(ip_end(&f), 1000);
}

static void end_of_the_packet(void **state)
{
	static const struct {
		uint16_t ethertype;
		uint8_t header[6];
		unsigned head_len;
		uint32_t end;
	} cases[] = {
		{ ETHERTYPE_IPV4, { 0x45, 0, 0x01, 0x00 }, 20, L3 + 256 },
		{ ETHERTYPE_IPV4, { 0x45, 0, 0, 0 }, 20, 1000 },
		{ ETHERTYPE_IPV4, { 0x45, 0, 0xff, 0xff }, 20, 1000 },
		{ ETHERTYPE_IPV4, { 0x45, 0, 0x01, 0x00 }, 19, 1000 },
		{ ETHERTYPE_IPV6, { 0x60, 0, 0, 0, 0x00, 0x10 }, 40, L3 + 40 + 16 },
		{ ETHERTYPE_IPV6, { 0x60, 0, 0, 0, 0, 0 }, 40, 1000 },
		{ ETHERTYPE_IPV6, { 0x60, 0, 0, 0, 0xff, 0xff }, 40, 1000 },
		{ ETHERTYPE_IPV6, { 0x60, 0, 0, 0, 0x00, 0x10 }, 39, 1000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f;

		make_frame(&f, cases[i].ethertype, cases[i].header, sizeof(cases[i].header));
		f.head_len = (uint16_t)(L3 + cases[i].head_len);
		assert_int_equal(ip_end(&f), cases[i].end);
	}
}

/* By hand: the words of the addresses, the protocol, and a length of more than 16 bits. */
static void pseudo_header(void **state)
{
	const uint8_t v4[20] = { 0x45, [8] = 64, 17, [12] = 10, 0, 0, 1, 10, 0, 0, 2 };
	struct ip_packet ip;
	struct frame f;
	uint16_t sum;
	uint8_t wire[2];

	make_frame(&f, ETHERTYPE_IPV4, v4, sizeof(v4));
	assert_true(ip_parse(&f, L3, ETHERTYPE_IPV4, &ip));
	/* 0a00 + 0001 + 0a00 + 0002 + 0011 + (0001 + 0002) */
	sum = (uint16_t)~checksum_fold(ip_pseudo_sum(f.head, &ip, 0x10002));
	memcpy(wire, &sum, 2);
	assert_int_equal(wire[0] << 8 | wire[1], 0x1417);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(end_of_the_packet),
		cmocka_unit_test(pseudo_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
