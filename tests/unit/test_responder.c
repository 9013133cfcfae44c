/* SPDX-License-Identifier: BSD-3-Clause */

/* The neighbour responder: which questions of guests it answers, with what, and which it lets out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "switch/datapath/responder.h"
#include "tests/unit/pod_fixture.h"

#define ABROAD (ONLY(UPLINK) | ONLY(GUEST_B)) /* where guest A's questions go */

static const struct ip_addr none6;

static void permanent(struct pod_fixture *f, struct ip_addr ip)
{
	assert_int_equal(neigh_set_permanent(f->pod.neighbours, &ip, &mac_station), 0);
}

static void ask(struct pod_fixture *f, struct ip_addr target)
{
	if (ip_addr_is_v4(&target))
		frame_arp_request(f, &mac_a, ip_a(), target);
	else
		frame_solicit(f, &mac_a, host6(1), target);
}

/* --- what is answered ------------------------------------------------------------------------- */

static void test_gateways_are_known(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *answer;

	ask(f, ip_gateway());
	(void)send_answered(f, GUEST_A, &mac_gateway);
	ask(f, link_local(254));
	answer = send_answered(f, GUEST_A, &mac_gateway);
	/* A router, solicited. */
	assert_int_equal(answer[AT_ND_FLAGS] & 0xc0, 0xc0);
}

static void test_an_unknown_gateway_is_asked_for(void **state)
{
	struct pod_fixture *f = *state;

	neigh_flush(f->pod.neighbours);
	ask(f, ip_gateway());
	(void)send_to(f, GUEST_A, ABROAD);
}

static void test_permanent_neighbours_are_known(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *answer;

	permanent(f, ip_station());
	permanent(f, host6(99));
	ask(f, ip_station());
	(void)send_answered(f, GUEST_A, &mac_station);
	ask(f, host6(99));
	answer = send_answered(f, GUEST_A, &mac_station);
	assert_int_equal(answer[AT_ND_FLAGS] & 0xc0, NA_SOLICITED);
}

/* Who answers for himself is asked himself. */
static void test_what_was_only_heard_is_not_answered(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_reply(f, &mac_station, ip_station(), &mac_pod, ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	ask(f, ip_station());
	(void)send_to(f, GUEST_A, ABROAD);
}

static void test_other_guests_are_known(void **state)
{
	struct pod_fixture *f = *state;

	ask(f, ip_b());
	(void)send_answered(f, GUEST_A, &mac_b);
	ask(f, host6(2));
	(void)send_answered(f, GUEST_A, &mac_b);
}

static void test_the_identity_address_is_the_hosts(void **state)
{
	struct pod_fixture *f = *state;

	frame_arp_request(f, &mac_a, ip_service(), ip_identity());
	(void)send_answered(f, GUEST_A, &mac_host);
	ask(f, ip_identity());
	(void)send_answered(f, GUEST_A, &mac_host);
	/* It is taken, whoever wants it. */
	frame_arp_request(f, &mac_b, ip_none(), ip_identity());
	(void)send_answered(f, GUEST_B, &mac_host);
}

static void test_straight_questions_are_answered(void **state)
{
	struct pod_fixture *f = *state;

	ask(f, ip_gateway());
	set_dst(f, &mac_gateway);
	(void)send_answered(f, GUEST_A, &mac_gateway);
	frame_nd(f, &mac_b, &mac_a, host6(1), host6(2), ICMP6_NS, host6(2), ND_SLLA, &mac_a);
	(void)send_answered(f, GUEST_A, &mac_b);
}

static void test_answers_carry_the_questions_tags(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *answer;

	ask(f, ip_gateway());
	put_tag(f, ETHERTYPE_VLAN, 0x6005);
	answer = send_to(f, GUEST_A, ONLY(GUEST_A));
	assert_macs(answer, &mac_a, &mac_gateway);
	assert_memory_equal(answer + 12, f->wire + 12, 6);
	assert_mac_at(answer, AT_ARP_SHA + 4, &mac_gateway);
	put_tag(f, ETHERTYPE_QINQ, 7);
	answer = send_to(f, GUEST_A, ONLY(GUEST_A));
	assert_memory_equal(answer + 12, f->wire + 12, 10);
	assert_mac_at(answer, AT_ARP_SHA + 8, &mac_gateway);
}

static void test_a_pair_stands_for_the_gateway(void **state)
{
	struct pod_fixture *f = *state;

	ask(f, host(0));
	(void)send_to(f, GUEST_A, ABROAD);
	ask(f, host6(0));
	(void)send_to(f, GUEST_A, ABROAD);
	f->pod.port[GUEST_A].point_to_point = true;
	ask(f, host(0));
	(void)send_answered(f, GUEST_A, &mac_gateway);
	ask(f, host6(0));
	(void)send_answered(f, GUEST_A, &mac_gateway);
	/* Each family has its own. */
	permanent(f, link_local(254));
	ask(f, host(0));
	(void)send_answered(f, GUEST_A, &mac_gateway);
	ask(f, host6(0));
	(void)send_answered(f, GUEST_A, &mac_station);
	/* The other side of another pair is a station like any. */
	ask(f, host(3));
	(void)send_to(f, GUEST_A, ABROAD);
	/* Nobody knows the gateway. */
	neigh_flush(f->pod.neighbours);
	ask(f, host(0));
	(void)send_to(f, GUEST_A, ABROAD);
}

/* --- what is not ------------------------------------------------------------------------------ */

static void test_nobody_is_told_of_his_own_address(void **state)
{
	struct pod_fixture *f = *state;

	ask(f, ip_a());
	(void)send_to(f, GUEST_A, ABROAD);
	ask(f, host6(1));
	(void)send_to(f, GUEST_A, ABROAD);
	frame_arp_request(f, &mac_a, ip_none(), ip_a());
	(void)send_to(f, GUEST_A, ABROAD);
	assert_mac_at(sent_by(f, UPLINK), AT_ARP_SHA, &mac_pod);
	frame_solicit(f, &mac_a, none6, host6(1));
	(void)send_to(f, GUEST_A, ABROAD);
	/* Nor if the kernel lists it as a neighbour. */
	permanent(f, ip_a());
	ask(f, ip_a());
	(void)send_to(f, GUEST_A, ABROAD);
}

/* Whoever has it answers for himself. */
static void test_probes_go_out(void **state)
{
	struct pod_fixture *f = *state;

	permanent(f, ip_station());
	frame_arp_request(f, &mac_a, ip_none(), ip_station());
	(void)send_to(f, GUEST_A, ABROAD);
	frame_arp_request(f, &mac_a, ip_none(), ip_gateway());
	(void)send_to(f, GUEST_A, ABROAD);
	frame_arp_request(f, &mac_a, ip_none(), ip_b());
	(void)send_to(f, GUEST_A, ABROAD);
	frame_solicit(f, &mac_a, none6, link_local(254));
	(void)send_to(f, GUEST_A, ABROAD);
}

static void test_adopt_nobody_is_told_of_his_own_address(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.port[GUEST_A].anti_spoof = false;
	permanent(f, ip_a());
	frame_arp_request(f, &mac_pod, ip_a(), ip_a());
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	frame_arp_request(f, &mac_pod, ip_none(), ip_a());
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
}

static void test_off_answers_for_no_neighbour(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.neighbour_mode = NEIGHBOURS_OFF;
	f->pod.port[GUEST_A].point_to_point = true;
	permanent(f, ip_station());
	ask(f, ip_gateway());
	(void)send_to(f, GUEST_A, ABROAD);
	ask(f, ip_station());
	(void)send_to(f, GUEST_A, ABROAD);
	ask(f, host(0));
	(void)send_to(f, GUEST_A, ABROAD);
	/* The network does not have these. */
	ask(f, ip_b());
	(void)send_answered(f, GUEST_A, &mac_b);
	ask(f, ip_identity());
	(void)send_answered(f, GUEST_A, &mac_host);
}

static void test_static_answers_for_permanent_neighbours(void **state)
{
	struct pod_fixture *f = *state;

	/* What was heard before still ages. */
	f->pod.neighbour_mode = NEIGHBOURS_STATIC;
	f->pod.port[GUEST_A].point_to_point = true;
	ask(f, ip_gateway());
	(void)send_to(f, GUEST_A, ABROAD);
	ask(f, host(0));
	(void)send_to(f, GUEST_A, ABROAD);
	permanent(f, ip_gateway());
	ask(f, ip_gateway());
	(void)send_answered(f, GUEST_A, &mac_station);
	ask(f, host(0));
	(void)send_answered(f, GUEST_A, &mac_station);
}

/* Nobody on the network is asked for a guest: a proxy would say that it is there. */
static void test_a_silent_guest_is_asked_itself(void **state)
{
	struct pod_fixture *f = *state;

	bindings_forget_guest(f->pod.bindings, GUEST_B);
	ask(f, ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	/* But whether it is taken, the network may know. */
	frame_arp_request(f, &mac_a, ip_none(), ip_b());
	(void)send_to(f, GUEST_A, ABROAD);
}

static void test_a_straight_question_goes_straight(void **state)
{
	struct pod_fixture *f = *state;

	ask(f, ip_station());
	set_dst(f, &mac_station);
	assert_macs(send_to(f, GUEST_A, ONLY(UPLINK)), &mac_station, &mac_pod);
	frame_nd(
		f, &mac_station, &mac_a, host6(1), host6(99), ICMP6_NS, host6(99), ND_SLLA, &mac_a);
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
}

/* --- how much --------------------------------------------------------------------------------- */

static void test_questions_to_the_network_are_limited(void **state)
{
	struct pod_fixture *f = *state;

	ask(f, ip_station());
	for (unsigned i = 0; i < RESPONDER_QUESTIONS_PER_S; i++)
		(void)send_to(f, GUEST_A, ABROAD);
	send_dropped(f, GUEST_A, DROP_NEIGH_RATE);
	ask(f, host6(99));
	send_dropped(f, GUEST_A, DROP_NEIGH_RATE);
	/* What is known costs the network nothing, and others have questions of their own. */
	ask(f, ip_gateway());
	(void)send_answered(f, GUEST_A, &mac_gateway);
	frame_arp_request(f, &mac_b, ip_b(), ip_station());
	(void)send_to(f, GUEST_B, ONLY(UPLINK) | ONLY(GUEST_A));
	f->now_s++;
	ask(f, ip_station());
	(void)send_to(f, GUEST_A, ABROAD);
}

static void test_a_burst_of_questions_is_answered(void **state)
{
	struct pod_fixture *f = *state;

	for (unsigned times = 0; times < 3; times++) {
		ask(f, ip_gateway());
		send_burst(f, GUEST_A, BURST_MAX);
		assert_int_equal(f->port[GUEST_A].n_sent, BURST_MAX);
		assert_int_equal(f->port[UPLINK].n_sent, 0);
		for (unsigned i = 0; i < BURST_MAX; i++)
			assert_mac_at(f->port[GUEST_A].sent[i].byte, AT_ARP_SHA, &mac_gateway);
	}
}

/* However many. */
static void test_the_limit_holds_in_a_storm(void **state)
{
	struct pod_fixture *f = *state;
	unsigned n_sent = 0;

	ask(f, ip_station());
	for (unsigned i = 0; i < UINT16_MAX + 2 * RESPONDER_QUESTIONS_PER_S; i++) {
		send_one(f, GUEST_A);
		n_sent += f->port[UPLINK].n_sent;
	}
	assert_int_equal(n_sent, RESPONDER_QUESTIONS_PER_S);
}

#define IN_POD(test)   cmocka_unit_test_setup_teardown(test, pod_setup, pod_teardown)
#define IN_ADOPT(test) cmocka_unit_test_setup_teardown(test, pod_setup_adopt, pod_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_POD(test_gateways_are_known),
		IN_POD(test_an_unknown_gateway_is_asked_for),
		IN_POD(test_permanent_neighbours_are_known),
		IN_POD(test_what_was_only_heard_is_not_answered),
		IN_POD(test_other_guests_are_known),
		IN_POD(test_the_identity_address_is_the_hosts),
		IN_POD(test_straight_questions_are_answered),
		IN_POD(test_answers_carry_the_questions_tags),
		IN_POD(test_a_pair_stands_for_the_gateway),
		IN_POD(test_nobody_is_told_of_his_own_address),
		IN_POD(test_probes_go_out),
		IN_ADOPT(test_adopt_nobody_is_told_of_his_own_address),
		IN_POD(test_off_answers_for_no_neighbour),
		IN_POD(test_static_answers_for_permanent_neighbours),
		IN_POD(test_a_silent_guest_is_asked_itself),
		IN_POD(test_a_straight_question_goes_straight),
		IN_POD(test_questions_to_the_network_are_limited),
		IN_POD(test_a_burst_of_questions_is_answered),
		IN_POD(test_the_limit_holds_in_a_storm),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
