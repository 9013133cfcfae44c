/* SPDX-License-Identifier: BSD-3-Clause */

/* What is decided quickly is decided as pod_decide() does: frames of every kind, by both. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "switch/datapath/pod_quick.h"
#include "tests/unit/pod_fixture.h"

#define ROUNDS 200000

static struct ip_addr some_ip(void)
{
	const struct ip_addr all[] = { ip_a(), ip_b(), ip_gateway(), ip_station(), ip_service(),
		ip_identity(), ip_none(), host6(1), host6(2), host6(99), link_local(1),
		ip_all_nodes() };

	return all[random() % (long)(sizeof(all) / sizeof(all[0]))];
}

static const struct mac *some_mac(void)
{
	static const struct mac *const all[] = { &mac_a, &mac_b, &mac_pod, &mac_host, &mac_gateway,
		&mac_station, &mac_broadcast, &mac_none, &mac_invented, &mac_group };

	return all[random() % (long)(sizeof(all) / sizeof(all[0]))];
}

/* Most are what a guest or the network would send. */
static void make_some_frame(struct pod_fixture *f, unsigned ingress)
{
	static const uint16_t ports[] = { 53, 67, 68, 5000 };
	bool likely_macs = random() % 4, v6 = random() % 2;
	const struct mac *src = ingress == UPLINK ? &mac_gateway : &mac_a;
	const struct mac *dst = ingress == UPLINK ? &mac_pod : &mac_gateway;
	struct ip_addr from = v6 ? host6(1) : ip_a(), to = v6 ? host6(99) : ip_station();

	if (ingress == UPLINK) {
		struct ip_addr other = from;

		from = to;
		to = other;
	}
	if (random() % 3 == 0)
		from = some_ip();
	if (random() % 3 == 0)
		to = some_ip();
	if (ip_addr_is_v4(&from) != ip_addr_is_v4(&to))
		to = from;
	frame_udp(f, likely_macs ? dst : some_mac(), likely_macs ? src : some_mac(), from, to,
		ports[random() % 4], ports[random() % 4]);
	if (random() % 16 == 0 && ip_addr_is_v4(&from))
		frame_dhcp(f, dst, src, from, to, ingress != UPLINK, 7,
			ingress == UPLINK ? &mac_pod : src);
	if (random() % 8 == 0) /* another protocol, or next header */
		f->wire[AT_L3 + (ip_addr_is_v4(&from) ? 9 : 6)] = (uint8_t)random();
	if (random() % 8 == 0)
		put_tag(f, 0x8100, 0);
}

static void read_frame(struct pod_fixture *f, struct frame *frame, unsigned ingress)
{
	frame->len = f->len;
	frame->head = frame->head_room + VLAN_TAG_LEN;
	frame->head_len = (uint16_t)(f->len < FRAME_PULL ? f->len : FRAME_PULL);
	frame->n_segs = f->len > FRAME_PULL;
	frame->seg[0] = (struct iovec) { f->wire + FRAME_PULL, f->len - frame->head_len };
	frame->offload = (struct offload) { 0 };
	frame->landed = NULL;
	frame->ingress = &f->port[ingress].port;
	memcpy(frame->head, f->wire, frame->head_len);
	assert_true(frame_parse_l2(frame));
}

/* Both have seen what the bindings hold in this second. */
static void refresh(struct pod_fixture *f)
{
	pod_seen(f, ip_a(), GUEST_A, &mac_a);
	pod_seen(f, host6(1), GUEST_A, &mac_a);
}

static void compare(struct pod_fixture *f, unsigned ingress, unsigned *n_quick)
{
	struct frame quick, slow;
	struct pod_verdict verdict;
	uint16_t to;

	make_some_frame(f, ingress);
	read_frame(f, &quick, ingress);
	read_frame(f, &slow, ingress);
	to = pod_quick(&f->pod, &f->pipeline.pod, (uint16_t)ingress, &quick, f->now_s);
	if (to == POD_NO_PORT)
		return;
	++*n_quick;
	verdict = pod_decide(&f->pod, &f->pipeline.pod, (uint16_t)ingress, &slow, f->now_s);
	if (verdict.to == POD_NETWORK) {
		assert_int_equal(f->pod.only_guest, ingress);
		assert_int_equal(to, f->pod.uplink);
	} else {
		assert_int_equal(verdict.to, POD_PORT);
		assert_int_equal(to, verdict.port);
	}
	assert_memory_equal(quick.head, slow.head, quick.head_len);
	if (to != f->pod.uplink)
		return;
	pod_quick_shape_uplink(&f->pod, &quick);
	pod_shape_uplink(&f->pod, &slow);
	assert_memory_equal(quick.head, slow.head, quick.head_len);
}

static void compare_many(struct pod_fixture *f)
{
	unsigned n_quick[N_PORTS] = { 0 };

	srandom(7);
	refresh(f);
	dhcp_clients_note(&f->dhcp, 7, GUEST_A, &mac_b);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned ingress = i % N_PORTS;

		compare(f, ingress, &n_quick[ingress]);
	}
	assert_true(n_quick[UPLINK] > ROUNDS / 100);
	assert_int_equal(n_quick[HOST], 0);
	/* With one guest its traffic is quick, with several their MACs have to be looked at. */
	if (f->pod.only_guest == GUEST_A)
		assert_true(n_quick[GUEST_A] > ROUNDS / 100);
	else
		assert_int_equal(n_quick[GUEST_A] + n_quick[GUEST_B], 0);
}

static void test_two_guests(void **state)
{
	compare_many(*state);
}

static void test_one_guest(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.only_guest = GUEST_A;
	f->pod.port[GUEST_B].role = PORT_ROLE_PEER;
	compare_many(f);
}

static void test_one_guest_without_host_port(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.only_guest = GUEST_A;
	f->pod.port[GUEST_B].role = f->pod.port[HOST].role = PORT_ROLE_PEER;
	f->pod.host = POD_NO_PORT;
	compare_many(f);
}

static void test_without_anti_spoof(void **state)
{
	struct pod_fixture *f = *state;

	f->pod.only_guest = GUEST_A;
	f->pod.port[GUEST_B].role = PORT_ROLE_PEER;
	f->pod.port[GUEST_A].anti_spoof = false;
	compare_many(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_guests, pod_setup, pod_teardown),
		cmocka_unit_test_setup_teardown(test_one_guest, pod_setup, pod_teardown),
		cmocka_unit_test_setup_teardown(
			test_one_guest_without_host_port, pod_setup, pod_teardown),
		cmocka_unit_test_setup_teardown(test_without_anti_spoof, pod_setup, pod_teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
