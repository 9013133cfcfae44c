/* SPDX-License-Identifier: BSD-3-Clause */

/* Forwarding in a pod: who is sent what, at which address, for IP, DHCP and everything else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "tests/unit/pod_fixture.h"

#define ETHERTYPE_OTHER 0x88cc
#define XID             0xdeadbeefu

/* --- adopt: one guest has the pod's MAC ------------------------------------------------------- */

static void test_adopt_everything_for_the_pod_is_the_guests(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr to[] = { ip_a(), host(200), host6(1), host6(200) };

	for (unsigned i = 0; i < 4; i++) {
		frame_ip(f, &mac_pod, &mac_gateway, i < 2 ? host(50) : host6(50), to[i]);
		(void)send_to(f, UPLINK, ONLY(GUEST_A));
		assert_untouched(f, GUEST_A);
	}
	frame_raw(f, &mac_pod, &mac_gateway, ETHERTYPE_OTHER, 46);
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_untouched(f, GUEST_A);
}

static void test_adopt_only_the_pods_mac_comes_in(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_station, &mac_gateway, host(50), ip_a());
	send_dropped(f, UPLINK, DROP_NOT_OURS);
	frame_ip(f, &mac_pod, &mac_pod, host(50), ip_a());
	send_dropped(f, UPLINK, DROP_REFLECTED);
	frame_arp_request(f, &mac_pod, ip_none(), ip_a());
	send_dropped(f, UPLINK, DROP_REFLECTED);
}

static void test_adopt_multicast_is_the_guests_and_not_the_hosts(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_group, &mac_gateway, host(50), ip_addr_v4((uint8_t[]) { 224, 1, 2, 3 }));
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	frame_arp_request(f, &mac_gateway, ip_gateway(), ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	frame_arp_request(f, &mac_gateway, ip_gateway(), host(200));
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	frame_raw(f, &mac_broadcast, &mac_gateway, ETHERTYPE_OTHER, 46);
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
}

static void test_adopt_the_guests_frames_leave_as_they_are(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr own = ip_a();

	assert_int_equal(
		bindings_add(f->pod.bindings, &own, GUEST_A, BINDING_CONFIGURED, &mac_none), 0);
	frame_ip(f, &mac_gateway, &mac_pod, ip_a(), host(50));
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	assert_untouched(f, UPLINK);
	frame_arp_request(f, &mac_pod, ip_a(), ip_station());
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	assert_untouched(f, UPLINK);
	frame_dhcp(f, &mac_broadcast, &mac_pod, ip_none(), host(0), true, XID, &mac_pod);
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	assert_untouched(f, UPLINK);
}

/* --- substitute: guests are found by their addresses ------------------------------------------ */

static void test_inbound_finds_its_guest(void **state)
{
	static const struct mac *const mac[] = { &mac_a, &mac_b };
	struct pod_fixture *f = *state;

	for (unsigned i = 0; i < 2; i++) {
		frame_ip(f, &mac_pod, &mac_gateway, host(50), host(1 + i));
		(void)send_to(f, UPLINK, ONLY(GUEST_A + i));
		assert_addressed(f, GUEST_A + i, mac[i]);
		frame_ip(f, &mac_pod, &mac_gateway, host6(50), host6(1 + i));
		(void)send_to(f, UPLINK, ONLY(GUEST_A + i));
		assert_addressed(f, GUEST_A + i, mac[i]);
	}
}

static void test_inbound_for_nobody_is_unbound(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_pod, &mac_gateway, host(50), host(3));
	send_dropped(f, UPLINK, DROP_UNBOUND);
	frame_ip(f, &mac_pod, &mac_gateway, host6(50), host6(3));
	send_dropped(f, UPLINK, DROP_UNBOUND);
	frame_raw(f, &mac_pod, &mac_gateway, ETHERTYPE_OTHER, 46);
	send_dropped(f, UPLINK, DROP_UNBOUND);
	/* Too short to say whom it is for. */
	frame_raw(f, &mac_pod, &mac_gateway, 0x0800, 19);
	send_dropped(f, UPLINK, DROP_UNBOUND);
	frame_ip(f, &mac_station, &mac_gateway, host(50), ip_a());
	send_dropped(f, UPLINK, DROP_NOT_OURS);
	frame_ip(f, &mac_a, &mac_gateway, host(50), ip_a());
	send_dropped(f, UPLINK, DROP_NOT_OURS);
	frame_ip(f, &mac_pod, &mac_pod, host(50), ip_a());
	send_dropped(f, UPLINK, DROP_REFLECTED);
}

/* Where it is was never said. */
static void test_inbound_for_a_silent_guest_is_unbound(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr silent = host(7);

	bindings_forget_guest(f->pod.bindings, GUEST_B);
	assert_int_equal(
		bindings_add(f->pod.bindings, &silent, GUEST_B, BINDING_CONFIGURED, &mac_none), 0);
	frame_ip(f, &mac_pod, &mac_gateway, host(50), silent);
	send_dropped(f, UPLINK, DROP_UNBOUND);
	bindings_set_told(f->pod.bindings, GUEST_B, &mac_b);
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_addressed(f, GUEST_B, &mac_b);
}

static void test_inbound_follows_a_guest_that_changes_its_mac(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_gateway, &mac_station, ip_b(), host(50));
	(void)send_to(f, GUEST_B, ONLY(UPLINK));
	frame_ip(f, &mac_pod, &mac_gateway, host(50), ip_b());
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_addressed(f, GUEST_B, &mac_station);
}

static void test_multicast_is_for_all_guests(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_group, &mac_gateway, host(50), ip_addr_v4((uint8_t[]) { 224, 1, 2, 3 }));
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	assert_untouched(f, GUEST_A);
	assert_untouched(f, GUEST_B);
	frame_ip(f, &mac_all_nodes, &mac_gateway, link_local(254), ip_all_nodes());
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	frame_raw(f, &mac_broadcast, &mac_gateway, ETHERTYPE_OTHER, 46);
	(void)send_to(f, UPLINK, BOTH_GUESTS);
}

static void test_reserved_multicast_stays_out(void **state)
{
	static const struct mac lldp = { { 0x01, 0x80, 0xc2, 0, 0, 0x0e } };
	struct pod_fixture *f = *state;

	frame_raw(f, &lldp, &mac_gateway, ETHERTYPE_OTHER, 46);
	send_dropped(f, UPLINK, DROP_RESERVED);
	frame_raw(f, &lldp, &mac_a, ETHERTYPE_OTHER, 46);
	send_dropped(f, GUEST_A, DROP_RESERVED);
}

static void test_outbound_has_the_pods_mac(void **state)
{
	struct pod_fixture *f = *state;
	const uint8_t *out;

	frame_ip(f, &mac_gateway, &mac_a, ip_a(), host(50));
	out = send_to(f, GUEST_A, ONLY(UPLINK));
	assert_macs(out, &mac_gateway, &mac_pod);
	assert_memory_equal(out + 12, f->wire + 12, f->len - 12);
	frame_ip(f, &mac_gateway, &mac_b, host6(2), host6(50));
	assert_macs(send_to(f, GUEST_B, ONLY(UPLINK)), &mac_gateway, &mac_pod);
	frame_raw(f, &mac_gateway, &mac_b, ETHERTYPE_OTHER, 46);
	assert_macs(send_to(f, GUEST_B, ONLY(UPLINK)), &mac_gateway, &mac_pod);
}

static void test_other_guests_get_broadcasts_as_they_were(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_group, &mac_a, ip_a(), ip_addr_v4((uint8_t[]) { 224, 1, 2, 3 }));
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	assert_macs(sent_by(f, UPLINK), &mac_group, &mac_pod);
	frame_raw(f, &mac_broadcast, &mac_b, ETHERTYPE_OTHER, 46);
	(void)send_to(f, GUEST_B, ONLY(UPLINK) | ONLY(GUEST_A));
	assert_untouched(f, GUEST_A);
	assert_macs(sent_by(f, UPLINK), &mac_broadcast, &mac_pod);
}

static void test_guest_to_guest_stays_inside(void **state)
{
	struct pod_fixture *f = *state;

	/* Each has said something. */
	frame_ip(f, &mac_gateway, &mac_a, ip_a(), host(50));
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	frame_ip(f, &mac_gateway, &mac_b, ip_b(), host(50));
	(void)send_to(f, GUEST_B, ONLY(UPLINK));

	frame_ip(f, &mac_b, &mac_a, ip_a(), ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	frame_ip(f, &mac_a, &mac_b, host6(2), host6(1));
	(void)send_to(f, GUEST_B, ONLY(GUEST_A));
	assert_untouched(f, GUEST_A);
	frame_raw(f, &mac_a, &mac_b, ETHERTYPE_OTHER, 46);
	(void)send_to(f, GUEST_B, ONLY(GUEST_A));
	assert_untouched(f, GUEST_A);
	frame_ip(f, &mac_a, &mac_a, ip_a(), ip_a());
	send_dropped(f, GUEST_A, DROP_HAIRPIN);
}

/* A guest may send from any MAC address. Nobody's frames come to it for that. */
static void test_nobody_takes_anothers_mac(void **state)
{
	static const struct mac *const claimed[] = { &mac_gateway, &mac_station, &mac_a };
	const struct ip_addr station = ip_station();
	struct pod_fixture *f = *state;

	assert_int_equal(neigh_set_permanent(f->pod.neighbours, &station, &mac_station), 0);
	for (unsigned i = 0; i < 3; i++) {
		frame_ip(f, &mac_broadcast, claimed[i], ip_b(), host(50));
		(void)send_to(f, GUEST_B, ONLY(UPLINK) | ONLY(GUEST_A));
	}
	/* Through the gateway, and to a neighbour. */
	frame_ip(f, &mac_gateway, &mac_a, ip_a(), host(50));
	assert_macs(send_to(f, GUEST_A, ONLY(UPLINK)), &mac_gateway, &mac_pod);
	frame_raw(f, &mac_gateway, &mac_a, ETHERTYPE_OTHER, 46);
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	frame_ip(f, &mac_station, &mac_a, ip_a(), station);
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	frame_arp_reply(f, &mac_a, ip_a(), &mac_gateway, ip_gateway());
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
	/* By the network, to the guest that it belongs to. */
	frame_ip(f, &mac_pod, &mac_gateway, host(50), ip_a());
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_addressed(f, GUEST_A, &mac_a);
}

/* From guest to guest the address counts, not where a MAC was seen last or how long ago. */
static void test_guests_are_found_by_their_addresses(void **state)
{
	struct pod_fixture *f = *state;

	/* No frame has crossed yet. */
	frame_ip(f, &mac_b, &mac_a, ip_a(), ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_arp_reply(f, &mac_a, ip_a(), &mac_b, ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	frame_advert(f, &mac_a, host6(1), &mac_b, host6(2));
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	assert_untouched(f, GUEST_B);
	/* A service address is for the host alone. */
	frame_ip(f, &mac_a, &mac_b, ip_b(), ip_service());
	send_dropped(f, GUEST_B, DROP_ISOLATED);
	frame_ip(f, &mac_broadcast, &mac_b, ip_b(), ip_service());
	send_dropped(f, GUEST_B, DROP_ISOLATED);
}

static void test_zero_nobody_takes_the_invented_mac(void **state)
{
	struct pod_fixture *f = *state;

	frame_ip(f, &mac_broadcast, &mac_invented, ip_b(), host(50));
	(void)send_to(f, GUEST_B, ONLY(UPLINK) | ONLY(GUEST_A));
	frame_ip(f, &mac_invented, &mac_a, ip_a(), host(50));
	assert_macs(send_to(f, GUEST_A, ONLY(UPLINK)), &mac_none, &mac_none);
}

/* --- DHCP ------------------------------------------------------------------------------------- */

static struct ip_addr ip_broadcast(void)
{
	return ip_addr_v4((uint8_t[]) { 255, 255, 255, 255 });
}

static void discover(struct pod_fixture *f, unsigned port, const struct mac *mac, uint32_t xid)
{
	frame_dhcp(f, &mac_broadcast, mac, ip_none(), ip_broadcast(), true, xid, mac);
	(void)send_to(f, port, (BOTH_GUESTS & ~ONLY(port)) | ONLY(UPLINK));
}

static void test_dhcp_request_asks_for_the_pod(void **state)
{
	struct pod_fixture *f = *state;

	discover(f, GUEST_A, &mac_a, XID);
	assert_macs(sent_by(f, UPLINK), &mac_broadcast, &mac_pod);
	assert_mac_at(sent_by(f, UPLINK), AT_CHADDR, &mac_pod);
	assert_untouched(f, GUEST_B);
	/* Somebody else's hardware address is none of ours: a relay's client. */
	frame_dhcp(f, &mac_broadcast, &mac_a, ip_none(), ip_broadcast(), true, XID, &mac_station);
	(void)send_to(f, GUEST_A, ONLY(UPLINK) | ONLY(GUEST_B));
	assert_mac_at(sent_by(f, UPLINK), AT_CHADDR, &mac_station);
}

static void test_dhcp_answer_finds_who_asked(void **state)
{
	struct pod_fixture *f = *state;
	const struct ip_addr offered = host(77);

	discover(f, GUEST_B, &mac_b, XID);
	/* To an address that nobody has yet, and to everybody. */
	frame_dhcp(f, &mac_pod, &mac_gateway, ip_gateway(), offered, false, XID, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_macs(sent_by(f, GUEST_B), &mac_b, &mac_gateway);
	assert_mac_at(sent_by(f, GUEST_B), AT_CHADDR, &mac_b);
	frame_dhcp(f, &mac_broadcast, &mac_gateway, ip_gateway(), ip_broadcast(), false, XID,
		&mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_macs(sent_by(f, GUEST_B), &mac_broadcast, &mac_gateway);
	assert_mac_at(sent_by(f, GUEST_B), AT_CHADDR, &mac_b);
}

static void test_dhcp_answer_to_another_question(void **state)
{
	struct pod_fixture *f = *state;

	discover(f, GUEST_B, &mac_b, XID);
	frame_dhcp(f, &mac_pod, &mac_gateway, ip_gateway(), host(77), false, XID + 1, &mac_pod);
	send_dropped(f, UPLINK, DROP_UNBOUND);
	frame_dhcp(f, &mac_broadcast, &mac_gateway, ip_gateway(), ip_broadcast(), false, XID + 1,
		&mac_pod);
	(void)send_to(f, UPLINK, BOTH_GUESTS);
	assert_untouched(f, GUEST_A);
	/* A server's question to a server is for whom its address says. */
	frame_dhcp(f, &mac_pod, &mac_gateway, ip_gateway(), ip_a(), true, XID, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_addressed(f, GUEST_A, &mac_a);
}

static void test_dhcp_of_two_guests_at_once(void **state)
{
	struct pod_fixture *f = *state;

	discover(f, GUEST_A, &mac_a, 1);
	discover(f, GUEST_B, &mac_b, 2);
	frame_dhcp(f, &mac_pod, &mac_gateway, ip_gateway(), host(77), false, 1, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_A));
	assert_mac_at(sent_by(f, GUEST_A), AT_CHADDR, &mac_a);
	frame_dhcp(f, &mac_pod, &mac_gateway, ip_gateway(), host(78), false, 2, &mac_pod);
	(void)send_to(f, UPLINK, ONLY(GUEST_B));
	assert_mac_at(sent_by(f, GUEST_B), AT_CHADDR, &mac_b);
}

/* --- ports come and go ------------------------------------------------------------------------ */

static void test_without_an_uplink_guests_have_each_other(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.uplink = POD_NO_PORT;
	frame_ip(f, &mac_b, &mac_a, ip_a(), ip_b());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_raw(f, &mac_broadcast, &mac_a, ETHERTYPE_OTHER, 46);
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_arp_request(f, &mac_a, ip_a(), ip_station());
	(void)send_to(f, GUEST_A, ONLY(GUEST_B));
	frame_ip(f, &mac_gateway, &mac_a, ip_a(), host(50));
	send_dropped(f, GUEST_A, DROP_NO_DESTINATION);
	frame_raw(f, &mac_station, &mac_a, ETHERTYPE_OTHER, 46);
	send_dropped(f, GUEST_A, DROP_NO_DESTINATION);
	frame_ip(f, &mac_host, &mac_a, ip_service(), ip_identity());
	(void)send_to(f, GUEST_A, ONLY(HOST));
}

/* A port without a place in the pod is no guest, least of all a trusted one. */
static void test_a_port_that_goes_says_nothing(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.port[GUEST_B] = (struct pod_port) { .role = PORT_ROLE_PEER };
	frame_ip(f, &mac_gateway, &mac_b, ip_a(), host(50));
	send_dropped(f, GUEST_B, DROP_NO_DESTINATION);
	frame_arp_request(f, &mac_b, ip_gateway(), ip_gateway());
	send_dropped(f, GUEST_B, DROP_NO_DESTINATION);
	frame_raw(f, &mac_broadcast, &mac_a, ETHERTYPE_OTHER, 46);
	(void)send_to(f, GUEST_A, ONLY(UPLINK));
}

/* Who asked is gone, and its port is another's now. */
static void test_dhcp_answer_for_a_port_that_was(void **state)
{
	struct pod_fixture *f = *state;

	dhcp_clients_note(&f->dhcp, XID, HOST, &mac_b);
	frame_dhcp(f, &mac_pod, &mac_gateway, ip_gateway(), host(77), false, XID, &mac_pod);
	send_dropped(f, UPLINK, DROP_UNBOUND);
}

#define IN_ADOPT(test) cmocka_unit_test_setup_teardown(test, pod_setup_adopt, pod_teardown)
#define IN_POD(test)   cmocka_unit_test_setup_teardown(test, pod_setup, pod_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ADOPT(test_adopt_everything_for_the_pod_is_the_guests),
		IN_ADOPT(test_adopt_only_the_pods_mac_comes_in),
		IN_ADOPT(test_adopt_multicast_is_the_guests_and_not_the_hosts),
		IN_ADOPT(test_adopt_the_guests_frames_leave_as_they_are),
		IN_POD(test_inbound_finds_its_guest),
		IN_POD(test_inbound_for_nobody_is_unbound),
		IN_POD(test_inbound_for_a_silent_guest_is_unbound),
		IN_POD(test_inbound_follows_a_guest_that_changes_its_mac),
		IN_POD(test_multicast_is_for_all_guests),
		IN_POD(test_reserved_multicast_stays_out),
		IN_POD(test_outbound_has_the_pods_mac),
		IN_POD(test_other_guests_get_broadcasts_as_they_were),
		IN_POD(test_guest_to_guest_stays_inside),
		IN_POD(test_nobody_takes_anothers_mac),
		IN_POD(test_guests_are_found_by_their_addresses),
		cmocka_unit_test_setup_teardown(
			test_zero_nobody_takes_the_invented_mac, pod_setup_zero, pod_teardown),
		IN_POD(test_dhcp_request_asks_for_the_pod),
		IN_POD(test_dhcp_answer_finds_who_asked),
		IN_POD(test_dhcp_answer_to_another_question),
		IN_POD(test_dhcp_of_two_guests_at_once),
		IN_POD(test_without_an_uplink_guests_have_each_other),
		IN_POD(test_a_port_that_goes_says_nothing),
		IN_POD(test_dhcp_answer_for_a_port_that_was),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
