/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "launcher/pod/guard_rules.h"

/* What nft is told, to the letter: the order of the rules is what they mean. */

#define ANEW  "add table netdev sluice_guard\ndelete table netdev sluice_guard\n"
#define TABLE "table netdev sluice_guard {\n"
#define OWNED "flags owner\n"
#define COUNTERS                                                                                   \
	"counter reflected { }\ncounter guest { }\ncounter tagged { }\n"                           \
	"counter inner_neighbour { }\ncounter inner_packet { }\ncounter echo_request { }\n"
#define HOST_COUNTERS "counter host_stray { }\ncounter host_far_end { }\n"
#define UPLINK                                                                                     \
	"chain uplink {\ntype filter hook ingress device \"eth0\" priority -500\npolicy drop\n"
#define EMPTY(chain, interface)                                                                    \
	"add chain netdev sluice_guard " chain " {\n"                                              \
	"type filter hook ingress device \"" interface "\" priority -500\npolicy drop\n}\n"        \
	"flush chain netdev sluice_guard " chain "\n"
#define REFLECTED "ether saddr 02:00:00:00:aa:01 counter name reflected drop\n"
#define TAGGED                                                                                     \
	"vlan id != 0 counter name tagged drop\n"                                                  \
	"ether type 8021ad vlan id != 0 counter name tagged drop\n"
#define INNER_OF(addrs)                                                                            \
	"arp daddr ip { " addrs " } counter name inner_neighbour drop\n"                           \
	"arp saddr ip { " addrs " } counter name inner_neighbour drop\n"                           \
	"ip daddr { " addrs " } counter name inner_packet drop\n"                                  \
	"ip saddr { " addrs " } counter name inner_packet drop\n"
#define INNER INNER_OF("169.254.1.253, 169.254.1.254")
#define NEIGHBOURS                                                                                 \
	"meta protocol arp accept\n"                                                               \
	"icmpv6 type { mld-listener-query, nd-router-solicit, nd-router-advert, "                  \
	"nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } accept\n"
#define BOTH                                                                                       \
	"ip frag-off & 0x1fff != 0 accept\n"                                                       \
	"frag frag-off != 0 accept\n"                                                              \
	"icmp type echo-request counter name echo_request drop\n"                                  \
	"icmpv6 type echo-request counter name echo_request drop\n"                                \
	"icmp type { echo-reply, destination-unreachable, source-quench, redirect, "               \
	"time-exceeded, parameter-problem } accept\n"                                              \
	"icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, "                   \
	"parameter-problem, echo-reply } accept\n"                                                 \
	"ip6 nexthdr != { tcp, udp, 44 } counter name guest drop\n"                                \
	"frag nexthdr != { tcp, udp } counter name guest drop\n"                                   \
	"tcp dport 61000-65535 accept\n"                                                           \
	"udp dport 61000-65535 accept\n"
#define GUEST "counter name guest drop\n}\n"

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static struct guard_plan pod(enum guard_mode mode)
{
	return (struct guard_plan) { .interface = "eth0",
		.mode = mode,
		.pod_mac = { { 0x02, 0, 0, 0, 0xaa, 0x01 } },
		.identity = addr("169.254.1.254"),
		.service = { addr("169.254.1.253") },
		.n_services = 1 };
}

static void check(char *text, const char *expected)
{
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void test_exclusive(void **state)
{
	struct guard_plan plan = pod(GUARD_EXCLUSIVE);

	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS GUEST "}\n");
	check(guard_rules_create(&plan, false),
		ANEW TABLE COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS GUEST "}\n");
	check(guard_rules_update(&plan, true),
		EMPTY("uplink", "eth0")
			TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS GUEST "}\n");
}

static void test_shared(void **state)
{
	struct guard_plan plan = pod(GUARD_SHARED);

	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS BOTH GUEST
		"}\n");
	assert_int_equal(
		l4_ports_parse("udp/53-60,tcp/8000-8100,tcp/80", &plan.kernel_ports, NULL), 0);
	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS BOTH
		"tcp dport { 80, 8000-8100 } accept\nudp dport { 53-60 } accept\n" GUEST "}\n");
	assert_int_equal(l4_ports_parse("udp/53", &plan.kernel_ports, NULL), 0);
	check(guard_rules_update(&plan, true),
		EMPTY("uplink", "eth0")
			TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS BOTH
		"udp dport { 53 } accept\n" GUEST "}\n");
	assert_int_equal(l4_ports_parse("tcp/22", &plan.kernel_ports, NULL), 0);
	check(guard_rules_update(&plan, true),
		EMPTY("uplink", "eth0")
			TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS BOTH
		"tcp dport { 22 } accept\n" GUEST "}\n");
}

static void test_off(void **state)
{
	struct guard_plan plan = pod(GUARD_OFF);

	check(guard_rules_create(&plan, true), ANEW);
}

/* netkit: every frame has the pod's MAC, which is zero. */
static void test_zero_mac(void **state)
{
	struct guard_plan plan = pod(GUARD_EXCLUSIVE);

	memset(&plan.pod_mac, 0, sizeof(plan.pod_mac));
	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS UPLINK TAGGED INNER NEIGHBOURS GUEST "}\n");
}

static void test_inner_addresses(void **state)
{
	struct guard_plan plan = pod(GUARD_EXCLUSIVE);

	plan.service[1] = addr("fd00::9");
	plan.service[2] = addr("10.9.9.9");
	plan.n_services = 3;
	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED INNER_OF(
			"169.254.1.253, 10.9.9.9, 169.254.1.254") "icmpv6 type { "
								  "nd-neighbor-solicit, "
								  "nd-neighbor-advert } @th,64,128 "
								  "0xfd0000000000000000000000000000"
								  "09 counter name inner_neighbour "
								  "drop\n"
								  "ip6 daddr { fd00::9 } counter "
								  "name inner_packet drop\n"
								  "ip6 saddr { fd00::9 } counter "
								  "name inner_packet "
								  "drop\n" NEIGHBOURS GUEST "}\n");

	memset(&plan.identity, 0, sizeof(plan.identity));
	plan.n_services = 0;
	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS UPLINK REFLECTED TAGGED NEIGHBOURS GUEST "}\n");
}

#define HOST_CHAINS                                                                                \
	"chain host_port {\ntype filter hook ingress device \"sluice0\" priority -500\n"           \
	"policy drop\nmeta protocol arp accept\n"                                                  \
	"ip saddr { 169.254.1.253 } ip daddr 169.254.1.254 accept\n"                               \
	"counter name host_stray drop\n}\n"                                                        \
	"chain host_far_end {\ntype filter hook ingress device \"sluice0p\" priority -500\n"       \
	"policy drop\ncounter name host_far_end drop\n}\n"

static void test_host_port(void **state)
{
	struct guard_plan plan = pod(GUARD_EXCLUSIVE);

	plan.host_port = true;
	check(guard_rules_create(&plan, true),
		ANEW TABLE OWNED COUNTERS HOST_COUNTERS UPLINK REFLECTED TAGGED INNER NEIGHBOURS
			GUEST HOST_CHAINS "}\n");
	check(guard_rules_update(&plan, true),
		EMPTY("uplink", "eth0") EMPTY("host_port", "sluice0")
			EMPTY("host_far_end", "sluice0p") TABLE OWNED COUNTERS HOST_COUNTERS UPLINK
				REFLECTED TAGGED INNER NEIGHBOURS GUEST HOST_CHAINS "}\n");
}

#define TAP_CHAIN                                                                                  \
	"chain guest_tap {\ntype filter hook ingress device \"tap7\" priority -500\n"              \
	"policy drop\ncounter name guest_tap drop\n}\n"

static void test_tap(void **state)
{
	struct guard_plan plan = pod(GUARD_EXCLUSIVE);

	strcpy(plan.tap, "tap7");
	check(guard_rules_create(&plan, true), ANEW TABLE OWNED COUNTERS
		"counter guest_tap { }\n" UPLINK REFLECTED TAGGED INNER NEIGHBOURS GUEST TAP_CHAIN
		"}\n");
	check(guard_rules_update(&plan, true),
		EMPTY("uplink", "eth0") EMPTY("guest_tap", "tap7") TABLE OWNED COUNTERS
		"counter guest_tap { }\n" UPLINK REFLECTED TAGGED INNER NEIGHBOURS GUEST TAP_CHAIN
		"}\n");
}

/* Everything to the guest but what it has sent itself, and everything from it. */
static void test_redirect(void **state)
{
	struct guard_plan plan = pod(GUARD_REDIRECT);

	strcpy(plan.tap, "tap7");
	check(guard_rules_create(&plan, true), ANEW TABLE OWNED
		"counter reflected { }\ncounter guest { }\n"
		"counter guest_tap { }\n" UPLINK REFLECTED "counter name guest fwd to \"tap7\"\n}\n"
		"chain guest_tap {\n"
		"type filter hook ingress device \"tap7\" priority -500\n"
		"policy drop\ncounter name guest_tap fwd to \"eth0\"\n}\n}\n");
}

/* What would end the quotes, or be a pattern. */
static void test_interface_names(void **state)
{
	assert_true(guard_interface_is_plain("eth0"));
	assert_true(guard_interface_is_plain("eth0.7@a-b_c:d"));
	assert_true(guard_interface_is_plain("fifteen-letters"));
	assert_false(guard_interface_is_plain("sixteen-letters-"));
	assert_false(guard_interface_is_plain(""));
	assert_false(guard_interface_is_plain("e\""));
	assert_false(guard_interface_is_plain("e*"));
	assert_false(guard_interface_is_plain("e;"));
	assert_false(guard_interface_is_plain("e\\"));
	assert_false(guard_interface_is_plain("e\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_zero_mac),
		cmocka_unit_test(test_inner_addresses),
		cmocka_unit_test(test_host_port),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_interface_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
