/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * ARP and neighbour discovery across a pod's uplink: whom they reach, which addresses they carry,
 * what is learned from them; and an uplink that has neither.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "tests/unit/pod_fixture.h"

static const struct ip_addr none6;

/* --- from the network ------------------------------------------------------------------------- */

static void test_probes_reach_all_guests(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_station, ip_none(), ip_a());
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	assert_untouched(f, GUEST_A);
	assert_untouched(f, GUEST_B);
	frame_arp_request(f, &mac_station, ip_none(), ip_station());
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	frame_solicit(f, &mac_station, none6, host6(1));
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	assert_untouched(f, GUEST_B);
	/* So do announcements. */
	frame_arp_request(f, &mac_station, ip_station(), ip_station());
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	frame_advert(f, &mac_station, host6(99), &mac_all_nodes, ip_all_nodes());
	(void)send_to(f, UPLINK, BOTH_GUESTS);
}

static void test_question_reaches_who_is_asked_for(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_gateway, ip_gateway(), ip_b());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	frame_solicit(f, &mac_gateway, link_local(254), host6(1));
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_untouched(f, GUEST_A);
	/* Straight to the pod, to see whether the guest is alive. */
	frame_arp_request(f, &mac_gateway, ip_gateway(), ip_b());
	set_dst(f, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_addressed(f, GUEST_B, &mac_b);
	frame_arp_request(f, &mac_gateway, ip_gateway(), host(3));
	send_dropped(f, UPLINK, DROP_UNBOUND);
}

static void test_answer_reaches_who_asked(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *got;

	frame_arp_reply(f, &mac_station, ip_station(), &mac_pod, ip_b());
	got = send_to(f, UPLINK, ONLY(GUEST_B));
	assert_macs(got, &mac_b, &mac_station);
	assert_mac_at(got, AT_ARP_SHA, &mac_station);
	assert_mac_at(got, AT_ARP_THA, &mac_b);
	frame_advert(f, &mac_station, host6(99), &mac_pod, host6(1));
	got = send_to(f, UPLINK, ONLY(GUEST_A));
	assert_macs(got, &mac_a, &mac_station);
	assert_mac_at(got, AT_ND_OPTION + 2, &mac_station);
	assert_nd_checksum(got, f->len);
	frame_arp_reply(f, &mac_station, ip_station(), &mac_pod, host(3));
	send_dropped(f, UPLINK, DROP_UNBOUND);
}

/* RFC 5227: who defends an address answers to the sender's, 0.0.0.0. */
static void test_answer_to_a_probe_reaches_who_wants_the_address(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *got;

	frame_arp_reply(f, &mac_station, ip_b(), &mac_pod, ip_none());
	got = send_to(f, UPLINK, ONLY(GUEST_B));
	assert_macs(got, &mac_b, &mac_station);
	assert_mac_at(got, AT_ARP_THA, &mac_b);
	frame_arp_reply(f, &mac_station, ip_station(), &mac_pod, ip_none());
	send_dropped(f, UPLINK, DROP_UNBOUND);
}

/* A guest that has not said anything yet is found by a broadcast. */
static void test_question_reaches_a_silent_guest(void **state)
{
	struct pod_fixture *f = *state;

	bindings_forget_guest(f->pod.bindings, GUEST_B);
	frame_arp_request(f, &mac_gateway, ip_gateway(), ip_b());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	frame_solicit(f, &mac_gateway, link_local(254), host6(2));
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	frame_arp_request(f, &mac_gateway, ip_gateway(), ip_b());
	set_dst(f, &mac_pod);
	send_dropped(f, UPLINK, DROP_UNBOUND);
}

/* One that was sent to the pod's MAC nobody would take for his with that. */
static void test_straight_probe_reaches_who_has_the_address(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_station, ip_none(), ip_a());
	set_dst(f, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_addressed(f, GUEST_A, &mac_a);
}

static void test_router_is_heard(void **state)
{
	struct pod_fixture *f = *state;

	frame_nd(f, &mac_all_nodes, &mac_gateway, link_local(254), ip_all_nodes(), ICMP6_RA, none6,
		ND_SLLA, &mac_gateway);
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	assert_untouched(f, GUEST_A);
	frame_nd(f, &mac_pod, &mac_gateway, link_local(254), link_local(1), ICMP6_RA, none6,
		ND_SLLA, &mac_gateway);
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_addressed(f, GUEST_A, &mac_a);
}

static void test_malformed_discovery_is_told(void **state)
{
	struct pod_fixture *f = *state;

	/* From beyond a router. */
	frame_solicit(f, &mac_gateway, link_local(254), host6(1));
	f->wire[AT_L3 + 7] = 254;
	send_dropped(f, UPLINK, DROP_NEIGH_BAD);
	frame_solicit(f, &mac_a, link_local(1), host6(99));
	f->wire[AT_L3 + 7] = 254;
	send_dropped(f, GUEST_A, DROP_NEIGH_BAD);
	/* An option of no length. */
	frame_solicit(f, &mac_a, link_local(1), host6(99));
	f->wire[AT_ND_OPTION + 1] = 0;
	mend_nd(f);
	send_dropped(f, GUEST_A, DROP_NEIGH_BAD);
	f->pod.port[GUEST_A].anti_spoof = false;
	send_dropped(f, GUEST_A, DROP_NEIGH_BAD);
}

/* --- to the network --------------------------------------------------------------------------- */

static void test_arp_leaves_with_the_pods_address(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *out;

	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	out = sent_by(f, UPLINK);
	assert_macs(out, &mac_broadcast, &mac_pod);
	assert_mac_at(out, AT_ARP_SHA, &mac_pod);
	assert_mac_at(out, AT_ARP_THA, &mac_none);
	assert_memory_equal(out + AT_ARP_SPA, ip_a().byte + 12, 4);
	assert_untouched(f, GUEST_B);

	frame_arp_reply(f, &mac_a, ip_a(), &mac_gateway, ip_gateway());
	out = send_to(f, GUEST_A, ONLY(UPLINK));
	assert_macs(out, &mac_gateway, &mac_pod);
	assert_mac_at(out, AT_ARP_SHA, &mac_pod);
	assert_mac_at(out, AT_ARP_THA, &mac_gateway);
}

static void test_discovery_leaves_with_the_pods_address(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *out;

	frame_solicit(f, &mac_a, host6(1), host6(99));
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	out = sent_by(f, UPLINK);
	assert_mac_at(out, 6, &mac_pod);
	assert_int_equal(out[AT_ND_OPTION], ND_SLLA);
	assert_mac_at(out, AT_ND_OPTION + 2, &mac_pod);
	assert_nd_checksum(out, f->len);
	assert_untouched(f, GUEST_B);

	frame_advert(f, &mac_b, host6(2), &mac_gateway, link_local(254));
	out = send_to(f, GUEST_B, ONLY(UPLINK));
	assert_macs(out, &mac_gateway, &mac_pod);
	assert_int_equal(out[AT_ND_OPTION], ND_TLLA);
	assert_mac_at(out, AT_ND_OPTION + 2, &mac_pod);
	assert_nd_checksum(out, f->len);

	frame_nd(f, &mac_all_nodes, &mac_a, link_local(1), ip_all_nodes(), ICMP6_RS, none6, ND_SLLA,
		&mac_a);
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	assert_mac_at(sent_by(f, UPLINK), AT_RS_OPTION + 2, &mac_pod);
	assert_nd_checksum(sent_by(f, UPLINK), f->len);
	assert_untouched(f, GUEST_B);
}

/* Behind a VLAN tag as well. */
static void test_tagged_arp_leaves_with_the_pods_address(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	put_tag(f, ETHERTYPE_VLAN, 5);
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	assert_mac_at(sent_by(f, UPLINK), 6, &mac_pod);
	assert_mac_at(sent_by(f, UPLINK), AT_ARP_SHA + 4, &mac_pod);
	assert_untouched(f, GUEST_B);
}

/* --- the kernel answers too ------------------------------------------------------------------- */

static void test_the_network_hears_one_answer(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.kernel_addr[f->pod.n_kernel_addrs++] = host6(1);
	f->pod.kernel_addr[f->pod.n_kernel_addrs++] = ip_a();
	frame_arp_reply(f, &mac_a, ip_a(), &mac_gateway, ip_gateway());
	send_dropped(f, GUEST_A, DROP_KERNEL_ANSWERS);
	frame_advert(f, &mac_a, host6(1), &mac_gateway, link_local(254));
	send_dropped(f, GUEST_A, DROP_KERNEL_ANSWERS);
	/* The kernel has one guest's addresses, not the other's. */
	frame_arp_reply(f, &mac_b, ip_b(), &mac_gateway, ip_gateway());
	(void)send_to(f, GUEST_B, ONLY(UPLINK));
	/* Nor do other guests hear the kernel. */
	frame_arp_reply(f, &mac_a, ip_a(), &mac_b, ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_advert(f, &mac_a, host6(1), &mac_b, host6(2));
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	/* Announcements are the guest's own, and questions. */
	frame_arp_request(f, &mac_a, ip_a(), ip_a());
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	frame_arp_reply(f, &mac_a, ip_a(), &mac_broadcast, ip_a());
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	frame_advert(f, &mac_a, host6(1), &mac_all_nodes, ip_all_nodes());
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
}

/* --- what is learned from the network --------------------------------------------------------- */

static void assert_neighbour(struct pod_fixture *f, struct ip_addr ip, const struct mac *mac)
{
	struct neighbour n = { 0 };

	assert_int_equal(neigh_find(f->pod.neighbours, &f->neighbours, &ip, &n), mac != NULL);
	if (mac)
		assert_memory_equal(&n.mac, mac, sizeof(*mac));
}

static void test_neighbours_make_themselves_known(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_station, ip_gateway(), ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_neighbour(f, ip_gateway(), &mac_station);
	frame_advert(f, &mac_station, link_local(254), &mac_all_nodes, ip_all_nodes());
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	assert_neighbour(f, link_local(254), &mac_station);
	/* Others are noted if they answer. */
	frame_arp_request(f, &mac_station, ip_station(), ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_neighbour(f, ip_station(), NULL);
	frame_arp_reply(f, &mac_station, ip_station(), &mac_pod, ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_neighbour(f, ip_station(), &mac_station);
}

static void test_a_guests_address_is_no_neighbours(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_reply(f, &mac_station, ip_b(), &mac_pod, ip_a());
	send_one(f, UPLINK);
	assert_neighbour(f, ip_b(), NULL);
	frame_advert(f, &mac_station, host6(2), &mac_pod, host6(1));
	send_one(f, UPLINK);
	assert_neighbour(f, host6(2), NULL);
	frame_arp_reply(f, &mac_station, ip_service(), &mac_pod, ip_a());
	send_one(f, UPLINK);
	assert_neighbour(f, ip_service(), NULL);
}

/* Nor would the other guests be told that it is out there. */
static void test_a_guest_is_not_elsewhere_for_others(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_station, ip_b(), ip_b());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	frame_arp_request(f, &mac_station, ip_b(), ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	frame_arp_reply(f, &mac_station, ip_b(), &mac_broadcast, ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	frame_arp_reply(f, &mac_station, ip_b(), &mac_pod, ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_mac_at(sent_by(f, GUEST_B), 0, &mac_b);
	frame_advert(f, &mac_station, host6(2), &mac_all_nodes, ip_all_nodes());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	frame_solicit(f, &mac_station, host6(2), host6(1));
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	/* A router that has one guest speak to the other straight, at the pod's MAC. */
	frame_nd(f, &mac_pod, &mac_gateway, link_local(254), host6(1), ICMP6_REDIRECT, host6(2),
		ND_TLLA, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
}

static void test_nothing_is_learned_unless_asked_to(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.neighbour_mode = NEIGHBOURS_STATIC;
	frame_arp_request(f, &mac_station, ip_gateway(), ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_neighbour(f, ip_gateway(), &mac_gateway);
}

/* --- no link layer ---------------------------------------------------------------------------- */

static void test_zero_both_addresses_are_zero_outside(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_invented, &mac_a, ip_a(), host(50));
	assert_macs(send_to(f, GUEST_A, ONLY(UPLINK)), &mac_none, &mac_none);
	frame_ip(f, &mac_invented, &mac_b, host6(2), host6(50));
	assert_macs(send_to(f, GUEST_B, ONLY(UPLINK)), &mac_none, &mac_none);
}

static void test_zero_a_gateway_is_invented_inside(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_none, &mac_none, host(50), ip_b());
	assert_macs(send_to(f, UPLINK, ONLY(GUEST_B)), &mac_b, &mac_invented);
	frame_ip(f, &mac_none, &mac_none, host6(50), host6(1));
	assert_macs(send_to(f, UPLINK, ONLY(GUEST_A)), &mac_a, &mac_invented);
	frame_ip(f, &mac_none, &mac_none, host(50), host(3));
	send_dropped(f, UPLINK, DROP_UNBOUND);
	frame_ip(f, &mac_a, &mac_none, host(50), ip_a());
	send_dropped(f, UPLINK, DROP_NOT_OURS);
}

static void test_zero_every_question_is_answered(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	(void)send_answered(f, GUEST_A, &mac_invented);
	set_dst(f, &mac_invented);
	(void)send_answered(f, GUEST_A, &mac_invented);
	frame_solicit(f, &mac_b, host6(2), host6(99));
	(void)send_answered(f, GUEST_B, &mac_invented);
	/* But for the other guest and the host port, which are where they are. */
	frame_arp_request(f, &mac_a, ip_a(), ip_b());
	(void)send_answered(f, GUEST_A, &mac_b);
	frame_arp_request(f, &mac_a, ip_service(), ip_identity());
	(void)send_answered(f, GUEST_A, &mac_host);
}

static void test_zero_no_arp_leaves(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_a, ip_none(), ip_a());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_arp_request(f, &mac_a, ip_a(), ip_a());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	frame_solicit(f, &mac_a, none6, host6(1));
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_advert(f, &mac_a, host6(1), &mac_all_nodes, ip_all_nodes());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_nd(f, &mac_all_nodes, &mac_a, none6, ip_all_nodes(), ICMP6_RS, none6, ND_NO_OPTION,
		NULL);
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_arp_reply(f, &mac_a, ip_a(), &mac_b, ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_arp_reply(f, &mac_a, ip_a(), &mac_invented, ip_station());
	send_dropped(f, GUEST_A, DROP_NO_DESTINATION);
	frame_advert(f, &mac_a, host6(1), &mac_station, host6(99));
	send_dropped(f, GUEST_A, DROP_NO_DESTINATION);
}

/* A guest that is alone is told so. */
static void test_zero_nobody_to_hear_arp(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.only_guest = GUEST_A;
	frame_arp_request(f, &mac_a, ip_none(), ip_a());
	send_dropped(f, GUEST_A, DROP_NO_DESTINATION);
	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	(void)send_answered(f, GUEST_A, &mac_invented);
}

#define IN_POD(test)  cmocka_unit_test_setup_teardown(test, pod_setup, pod_teardown)
#define IN_ZERO(test) cmocka_unit_test_setup_teardown(test, pod_setup_zero, pod_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_POD(test_probes_reach_all_guests),
		IN_POD(test_question_reaches_who_is_asked_for),
		IN_POD(test_answer_reaches_who_asked),
		IN_POD(test_answer_to_a_probe_reaches_who_wants_the_address),
		IN_POD(test_question_reaches_a_silent_guest),
		IN_POD(test_straight_probe_reaches_who_has_the_address),
		IN_POD(test_router_is_heard),
		IN_POD(test_malformed_discovery_is_told),
		IN_POD(test_arp_leaves_with_the_pods_address),
		IN_POD(test_discovery_leaves_with_the_pods_address),
		IN_POD(test_tagged_arp_leaves_with_the_pods_address),
		IN_POD(test_the_network_hears_one_answer),
		IN_POD(test_neighbours_make_themselves_known),
		IN_POD(test_a_guests_address_is_no_neighbours),
		IN_POD(test_a_guest_is_not_elsewhere_for_others),
		IN_POD(test_nothing_is_learned_unless_asked_to),
		IN_ZERO(test_zero_both_addresses_are_zero_outside),
		IN_ZERO(test_zero_a_gateway_is_invented_inside),
		IN_ZERO(test_zero_every_question_is_answered),
		IN_ZERO(test_zero_no_arp_leaves),
		IN_ZERO(test_zero_nobody_to_hear_arp),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
