/* SPDX-License-Identifier: BSD-3-Clause */

/* What may not be said in a pod: guests that claim what is not theirs, and the host port's walls.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "tests/unit/pod_fixture.h"

#define ABROAD (ONLY(UPLINK) | ONLY(GUEST_B)) /* where guest A's broadcasts go */

static const struct ip_addr none6;

static void trust(struct pod_fixture *f, unsigned port)
{
	f->pod.port[port].anti_spoof = false;
}

/* Dropped for this reason, but for a guest that is trusted. */
static void send_spoofed(struct pod_fixture *f, enum drop_reason why, unsigned ports)
{
	send_dropped(f, GUEST_A, why);
	trust(f, GUEST_A);
	(void)send_to(f, GUEST_A, ports);
	f->pod.port[GUEST_A].anti_spoof = true;
}

/* --- Ethernet and IP -------------------------------------------------------------------------- */

static void test_adopt_another_mac_is_spoofed(void **state)
{
	struct pod_fixture *f = *state;

	frame_raw(f, &mac_gateway, &mac_station, 0x88cc, 46);
	send_spoofed(f, DROP_SPOOF_MAC, ONLY(UPLINK));
	frame_arp_request(f, &mac_station, ip_none(), ip_station());
	send_dropped(f, GUEST_A, DROP_SPOOF_MAC);
}

static void test_a_mac_that_nobody_can_have_is_spoofed(void **state)
{
	struct pod_fixture *f = *state;

	frame_raw(f, &mac_gateway, &mac_group, 0x88cc, 46);
	send_spoofed(f, DROP_SPOOF_MAC, ONLY(UPLINK));
	frame_raw(f, &mac_gateway, &mac_none, 0x88cc, 46);
	send_spoofed(f, DROP_SPOOF_MAC, ONLY(UPLINK));
}

static void test_a_fixed_mac_is_kept(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr ip = ip_a();

	assert_int_equal(
		bindings_add(f->pod.bindings, &ip, GUEST_A, BINDING_CONFIGURED, &mac_a), 0);
	frame_ip(f, &mac_gateway, &mac_station, ip_a(), host(50));
	send_dropped(f, GUEST_A, DROP_SPOOF_IP);
	frame_ip(f, &mac_gateway, &mac_a, ip_a(), host(50));
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
}

static void test_anothers_ip_is_spoofed(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr claimed[] = { ip_b(), ip_gateway(), ip_station(), host6(2), host6(99),
		link_local(2), link_local(254), ip_addr_v4((uint8_t[]) { 127, 0, 0, 1 }),
		ip_addr_v4((uint8_t[]) { 224, 0, 0, 1 }) };

	for (unsigned i = 0; i < sizeof(claimed) / sizeof(claimed[0]); i++) {
		bool v4 = ip_addr_is_v4(&claimed[i]);

		frame_ip(f, &mac_gateway, &mac_a, claimed[i], v4 ? host(50) : host6(50));
		send_spoofed(f, DROP_SPOOF_IP, ONLY(UPLINK));
	}
	/* Nobody can tell whose it is. */
	frame_raw(f, &mac_gateway, &mac_a, 0x0800, 19);
	send_spoofed(f, DROP_SPOOF_IP, ONLY(UPLINK));
	frame_raw(f, &mac_gateway, &mac_a, 0x86dd, 39);
	send_spoofed(f, DROP_SPOOF_IP, ONLY(UPLINK));
	frame_raw(f, &mac_broadcast, &mac_a, 0x86dd, 39);
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	/* It is still whose it was. */
	frame_ip(f, &mac_pod, &mac_gateway, host(50), ip_b());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_addressed(f, GUEST_B, &mac_b);
}

static void test_link_local_addresses_are_learned(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_gateway, &mac_a, link_local(50), link_local(254));
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	frame_ip(f, &mac_pod, &mac_gateway, link_local(254), link_local(50));
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_addressed(f, GUEST_A, &mac_a);
}

static void put_icmp6(struct pod_fixture *f, uint8_t type)
{
	frame_nd(f, &mac_all_nodes, &mac_a, none6, ip_all_nodes(), ICMP6_RS, none6, ND_NO_OPTION,
		NULL);
	f->wire[AT_ICMP6] = type;
	mend_nd(f);
}

static void test_without_an_address_one_may_only_ask_for_one(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr all = ip_addr_v4((uint8_t[]) { 255, 255, 255, 255 });

	frame_udp(f, &mac_broadcast, &mac_a, ip_none(), all, 5000, 5001);
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	frame_udp(f, &mac_broadcast, &mac_a, ip_none(), all, 67, 68);
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	frame_udp(f, &mac_all_nodes, &mac_a, none6, ip_all_nodes(), 5000, 5001);
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	put_icmp6(f, 128);
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);

	frame_dhcp(f, &mac_broadcast, &mac_a, ip_none(), all, true, 1, &mac_a);
	(void)send_to(f, GUEST_A, ABROAD);
	put_icmp6(f, 131);
	(void)send_to(f, GUEST_A, ABROAD);
	put_icmp6(f, 143);
	(void)send_to(f, GUEST_A, ABROAD);
	put_icmp6(f, ICMP6_RS);
	(void)send_to(f, GUEST_A, ABROAD);
	frame_solicit(f, &mac_a, none6, host6(1));
	(void)send_to(f, GUEST_A, ABROAD);
	frame_arp_request(f, &mac_a, ip_none(), ip_a());
	(void)send_to(f, GUEST_A, ABROAD);
}

/* --- ARP and ND ------------------------------------------------------------------------------- */

static void test_arp_of_another_sender_is_spoofed(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_a, ip_b(), ip_station());
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_arp_request(f, &mac_a, ip_gateway(), ip_gateway());
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_arp_reply(f, &mac_a, ip_gateway(), &mac_broadcast, ip_b());
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	/* Its own address at another's MAC. */
	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	memcpy(f->wire + AT_ARP_SHA, &mac_gateway, sizeof(mac_gateway));
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_arp_request(f, &mac_a, ip_none(), ip_station());
	memcpy(f->wire + AT_ARP_SHA, &mac_gateway, sizeof(mac_gateway));
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
}

static void test_discovery_of_another_is_spoofed(void **state)
{
	struct pod_fixture *f = *state;

	frame_advert(f, &mac_a, host6(2), &mac_all_nodes, ip_all_nodes());
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	/* Its own sender, another's target. */
	frame_nd(f, &mac_all_nodes, &mac_a, link_local(1), ip_all_nodes(), ICMP6_NA,
		link_local(254), ND_TLLA, &mac_a);
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_nd(f, &mac_all_nodes, &mac_a, link_local(1), ip_all_nodes(), ICMP6_NA, link_local(1),
		ND_TLLA, &mac_gateway);
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_solicit(f, &mac_a, host6(2), host6(99));
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_nd(f, &mac_all_nodes, &mac_a, link_local(2), ip_all_nodes(), ICMP6_RS, none6, ND_SLLA,
		&mac_a);
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
}

static void test_a_guest_is_no_router(void **state)
{
	struct pod_fixture *f = *state;

	frame_nd(f, &mac_all_nodes, &mac_a, link_local(1), ip_all_nodes(), ICMP6_RA, none6, ND_SLLA,
		&mac_a);
	send_spoofed(f, DROP_SPOOF_NEIGH, ABROAD);
	frame_nd(f, &mac_gateway, &mac_a, link_local(1), host6(50), ICMP6_REDIRECT, link_local(1),
		ND_TLLA, &mac_a);
	send_spoofed(f, DROP_SPOOF_NEIGH, ONLY(UPLINK));
}

/* Linux takes ARP of IEEE 802 networks for Ethernet's. */
static void test_arp_of_another_kind_does_not_pass(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_reply(f, &mac_a, ip_gateway(), &mac_broadcast, ip_b());
	f->wire[AT_L3 + 1] = 6;
	send_dropped(f, GUEST_A, DROP_NEIGH_BAD);
	frame_arp_request(f, &mac_gateway, ip_gateway(), ip_identity());
	f->wire[AT_L3 + 1] = 6;
	send_dropped(f, UPLINK, DROP_NEIGH_BAD);
	f->len = AT_L3 + 20;
	send_dropped(f, UPLINK, DROP_NEIGH_BAD);
}

/* Linux takes off any number of priority tags. */
static void test_tags_hide_nothing(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_reply(f, &mac_a, ip_gateway(), &mac_broadcast, ip_b());
	for (unsigned i = 0; i < 2; i++) {
		put_tag(f, ETHERTYPE_VLAN, 0);
		send_dropped(f, GUEST_A, DROP_SPOOF_NEIGH);
	}
	for (unsigned i = 0; i < 3; i++) {
		put_tag(f, i ? ETHERTYPE_VLAN : ETHERTYPE_QINQ, 0);
		send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	}
}

/* CVE-2021-27861: Windows takes RFC 1042's encapsulation like Ethernet II. */
static void test_llc_hides_nothing(void **state)
{
	static const uint8_t arp[] = { 0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x06 };
	static const uint8_t stp[] = { 0x42, 0x42, 0x03 };
	struct pod_fixture *f = *state;

	frame_raw(f, &mac_broadcast, &mac_a, 36, 46);
	memcpy(f->wire + AT_L3, arp, sizeof(arp));
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	f->wire[AT_L3 + 5] = 0xf8;
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	put_tag(f, ETHERTYPE_VLAN, 5);
	send_spoofed(f, DROP_SPOOF_IP, ABROAD);
	frame_raw(f, &mac_broadcast, &mac_a, 46, 46);
	memcpy(f->wire + AT_L3, stp, sizeof(stp));
	(void)send_to(f, GUEST_A, ABROAD);
}

/* --- the host port ---------------------------------------------------------------------------- */

static void test_service_address_reaches_the_identity_address(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_host, &mac_a, ip_service(), ip_identity());
	(void)send_to(f, GUEST_A, ONLY(HOST));
	assert_untouched(f, HOST);
	/* Whatever MAC the guest took for it. */
	frame_ip(f, &mac_gateway, &mac_a, ip_service(), ip_identity());
	(void)send_to(f, GUEST_A, ONLY(HOST));
	assert_addressed(f, HOST, &mac_host);
	frame_ip(f, &mac_pod, &mac_host, ip_identity(), ip_service());
	(void)send_to(f, HOST, ONLY(GUEST_A));
	assert_addressed(f, GUEST_A, &mac_a);
}

static void test_nothing_else_reaches_the_host(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_host, &mac_a, ip_a(), ip_identity());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_ip(f, &mac_broadcast, &mac_b, ip_b(), ip_identity());
	send_dropped(f, GUEST_B, DROP_ISOLATED);
	/* Another guest's service address. */
	frame_ip(f, &mac_host, &mac_b, ip_service(), ip_identity());
	send_dropped(f, GUEST_B, DROP_SPOOF_IP);
	/* The identity address is nobody's but the host's. */
	frame_ip(f, &mac_gateway, &mac_a, ip_identity(), host(50));
	send_dropped(f, GUEST_A, DROP_SPOOF_IP);
	frame_arp_request(f, &mac_a, ip_identity(), ip_b());
	send_dropped(f, GUEST_A, DROP_SPOOF_NEIGH);
	/* A guest that speaks to everybody, or to the MAC, does not speak to the host. */
	frame_raw(f, &mac_broadcast, &mac_a, 0x88cc, 46);
	(void)send_to(f, GUEST_A, ABROAD);
	frame_ip(f, &mac_host, &mac_a, ip_a(), host(50));
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
}

static void test_service_address_does_not_leave(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_gateway, &mac_a, ip_service(), host(50));
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_ip(f, &mac_group, &mac_a, ip_service(), ip_addr_v4((uint8_t[]) { 224, 0, 0, 251 }));
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_ip(f, &mac_b, &mac_a, ip_service(), ip_b());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_arp_reply(f, &mac_a, ip_service(), &mac_gateway, ip_gateway());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_arp_reply(f, &mac_a, ip_service(), &mac_broadcast, ip_service());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
}

/* No question names it either, but those that are answered here. */
static void test_service_address_is_not_asked_with(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr service6 = host6(0x5e);

	frame_arp_request(f, &mac_a, ip_service(), ip_station());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_arp_request(f, &mac_a, ip_service(), ip_service());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_arp_request(f, &mac_a, ip_none(), ip_service());
	send_dropped(f, GUEST_A, DROP_ISOLATED);
	frame_arp_request(f, &mac_b, ip_b(), ip_service());
	send_dropped(f, GUEST_B, DROP_ISOLATED);
	frame_arp_request(f, &mac_a, ip_service(), ip_gateway());
	(void)send_answered(f, GUEST_A, &mac_gateway);
	/* Nor announcements, whoever their sender is. */
	assert_int_equal(
		bindings_add(f->pod.bindings, &service6, GUEST_A, BINDING_SERVICE, &mac_none), 0);
	frame_nd(f, &mac_all_nodes, &mac_a, link_local(1), ip_all_nodes(), ICMP6_NA, service6,
		ND_TLLA, &mac_a);
	send_dropped(f, GUEST_A, DROP_ISOLATED);
}

/* The walls stand around guests that are trusted, too, and those that may learn addresses. */
static void test_isolation_needs_no_anti_spoof(void **state)
{
	struct pod_fixture *f = *state;

	trust(f, GUEST_B);
	bindings_set_limit(f->pod.bindings, GUEST_B, 8);
	frame_ip(f, &mac_host, &mac_b, ip_service(), ip_identity());
	send_dropped(f, GUEST_B, DROP_ISOLATED);
	frame_ip(f, &mac_host, &mac_b, host(50), ip_identity());
	send_dropped(f, GUEST_B, DROP_ISOLATED);
	f->pod.port[GUEST_B].anti_spoof = true;
	frame_ip(f, &mac_gateway, &mac_b, ip_identity(), host(50));
	send_dropped(f, GUEST_B, DROP_SPOOF_IP);
	frame_arp_request(f, &mac_b, ip_identity(), ip_identity());
	send_dropped(f, GUEST_B, DROP_SPOOF_NEIGH);
}

static void test_the_host_speaks_to_service_addresses_alone(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_a, &mac_host, ip_identity(), ip_a());
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_ip(f, &mac_a, &mac_host, host(50), ip_service());
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_ip(f, &mac_gateway, &mac_host, ip_identity(), host(50));
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_ip(f, &mac_broadcast, &mac_host, ip_identity(), ip_service());
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_raw(f, &mac_a, &mac_host, 0x88cc, 46);
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_raw(f, &mac_broadcast, &mac_host, 0x88cc, 46);
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_arp_reply(f, &mac_host, ip_identity(), &mac_a, ip_service());
	send_dropped(f, HOST, DROP_ISOLATED);
}

static void test_the_hosts_arp_is_answered_here(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_host, ip_identity(), ip_service());
	(void)send_answered(f, HOST, &mac_a);
	frame_arp_request(f, &mac_host, ip_identity(), ip_a());
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_arp_request(f, &mac_host, ip_identity(), ip_gateway());
	send_dropped(f, HOST, DROP_ISOLATED);
	frame_arp_request(f, &mac_host, ip_none(), ip_identity());
	send_dropped(f, HOST, DROP_ISOLATED);
	/* Where the guest is was never said. */
	bindings_forget_guest(f->pod.bindings, GUEST_A);
	frame_arp_request(f, &mac_host, ip_identity(), ip_service());
	send_dropped(f, HOST, DROP_ISOLATED);
}

static void test_the_network_sees_nothing_of_it(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr inside[] = { ip_identity(), ip_service() };

	for (unsigned i = 0; i < 2; i++) {
		frame_arp_request(f, &mac_gateway, ip_gateway(), inside[i]);
		send_dropped(f, UPLINK, DROP_ISOLATED);
		frame_arp_request(f, &mac_gateway, ip_none(), inside[i]);
		send_dropped(f, UPLINK, DROP_ISOLATED);
		frame_arp_request(f, &mac_gateway, inside[i], ip_a());
		send_dropped(f, UPLINK, DROP_ISOLATED);
		frame_arp_request(f, &mac_gateway, inside[i], inside[i]);
		send_dropped(f, UPLINK, DROP_ISOLATED);
		frame_arp_reply(f, &mac_gateway, inside[i], &mac_pod, ip_a());
		send_dropped(f, UPLINK, DROP_ISOLATED);
	}
	frame_ip(f, &mac_pod, &mac_gateway, host(50), ip_service());
	send_dropped(f, UPLINK, DROP_ISOLATED);
	frame_ip(f, &mac_pod, &mac_gateway, host(50), ip_identity());
	send_dropped(f, UPLINK, DROP_ISOLATED);
	frame_ip(f, &mac_broadcast, &mac_gateway, host(50), ip_service());
	send_dropped(f, UPLINK, DROP_ISOLATED);
	frame_ip(f, &mac_pod, &mac_gateway, ip_identity(), ip_a());
	send_dropped(f, UPLINK, DROP_ISOLATED);
}

#define IN_POD(test)   cmocka_unit_test_setup_teardown(test, pod_setup, pod_teardown)
#define IN_ADOPT(test) cmocka_unit_test_setup_teardown(test, pod_setup_adopt, pod_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ADOPT(test_adopt_another_mac_is_spoofed),
		IN_POD(test_a_mac_that_nobody_can_have_is_spoofed),
		IN_POD(test_a_fixed_mac_is_kept),
		IN_POD(test_anothers_ip_is_spoofed),
		IN_POD(test_link_local_addresses_are_learned),
		IN_POD(test_without_an_address_one_may_only_ask_for_one),
		IN_POD(test_arp_of_another_sender_is_spoofed),
		IN_POD(test_discovery_of_another_is_spoofed),
		IN_POD(test_a_guest_is_no_router),
		IN_POD(test_arp_of_another_kind_does_not_pass),
		IN_POD(test_tags_hide_nothing),
		IN_POD(test_llc_hides_nothing),
		IN_POD(test_service_address_reaches_the_identity_address),
		IN_POD(test_nothing_else_reaches_the_host),
		IN_POD(test_service_address_does_not_leave),
		IN_POD(test_service_address_is_not_asked_with),
		IN_POD(test_isolation_needs_no_anti_spoof),
		IN_POD(test_the_host_speaks_to_service_addresses_alone),
		IN_POD(test_the_hosts_arp_is_answered_here),
		IN_POD(test_the_network_sees_nothing_of_it),
		IN_ADOPT(test_the_network_sees_nothing_of_it),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
