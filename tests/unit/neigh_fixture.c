/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/neigh_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct neigh_capture neigh_captures[N_NEIGH_CAPTURES] = {
	{ "arp_request", NEIGH_ARP_REQUEST, "10.0.0.1", "10.0.0.2", MAC_A, 2, .question = true },
	{ "arp_request_to_station", NEIGH_ARP_REQUEST, "10.0.0.2", "10.0.0.1", MAC_B, 2,
		.question = true },
	{ "arp_reply", NEIGH_ARP_REPLY, "10.0.0.2", "10.0.0.1", MAC_B, 2, .answer = true },
	{ "arp_probe", NEIGH_ARP_REQUEST, "0.0.0.0", "10.0.0.77", MAC_A, 2, .question = true,
		.probe = true },
	{ "arp_announcement", NEIGH_ARP_REQUEST, "10.0.0.1", "10.0.0.1", MAC_A, 2,
		.question = true },
	{ "solicit_probe", NEIGH_SOLICIT, "::", "fd00::a", NULL, 0, .question = true,
		.probe = true },
	{ "solicit", NEIGH_SOLICIT, "fd00::a8fc:ff:fe00:a", "fd00::b", MAC_A, 1, .question = true },
	{ "solicit_to_station", NEIGH_SOLICIT, "fe80::ff:fe00:b", "fd00::a8fc:ff:fe00:a", MAC_B, 1,
		.question = true },
	{ "advert", NEIGH_ADVERT, "fd00::b", "fd00::b", MAC_B, 1, .answer = true, .router = true,
		.solicited = true, .override = true },
	{ "advert_without_mac", NEIGH_ADVERT, "fe80::ff:fe00:b", "fe80::ff:fe00:b", NULL, 0,
		.answer = true, .router = true, .solicited = true },
	{ "advert_unasked", NEIGH_ADVERT, "fd00::a", "fd00::a", MAC_A, 1, .answer = true,
		.override = true },
	{ "router_solicit", NEIGH_ROUTER_SOLICIT, "fe80::a8fc:ff:fe00:a", "::", MAC_A, 1 },
	{ "router_advert", NEIGH_ROUTER_ADVERT, "fe80::ff:fe00:b", "::", MAC_B, 1 },
	{ "redirect", NEIGH_REDIRECT, "fe80::ff:fe00:b", "fd01::9", "02:00:00:00:00:09", 1 },
};

struct ip_addr address(const char *text)
{
	struct ip_addr a = { { 0 } };

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

struct mac mac(const char *text)
{
	struct mac m = { { 0 } };

	if (text)
		assert_int_equal(mac_parse(text, &m), 0);
	return m;
}

void check_address(const struct ip_addr *a, const char *want)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_string_equal(ip_addr_format(a, text), want);
}

enum neigh_verdict parse(
	const struct bytes *b, unsigned head_len, struct frame *f, struct neigh_packet *p)
{
	struct bytes after;
	enum neigh_verdict verdict;

	bytes_frame(b, head_len, f);
	verdict = neigh_parse(f, p);
	frame_bytes(f, &after);
	assert_int_equal(after.len, b->len);
	assert_memory_equal(after.byte, b->byte, b->len);
	return verdict;
}
