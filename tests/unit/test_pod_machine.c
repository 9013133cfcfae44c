/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>

#include "launcher/pod/pod_machine.h"

/* What of a pod is its guest's; a real kernel's pods are in test_net_apply.c. */

#define POD_IFINDEX   2
#define OTHER_IFINDEX 3

static struct pod_interface interfaces[] = {
	{ .ifindex = 1, .name = "lo", .mtu = 65536 },
	{ .ifindex = POD_IFINDEX,
		.name = "eth0",
		.mtu = 1450,
		.mac = { { 2, 0, 0, 0, 0, 1 } },
		.has_mac = true },
	{ .ifindex = OTHER_IFINDEX,
		.name = "net1",
		.mtu = 1500,
		.mac = { { 2, 0, 0, 0, 0, 2 } },
		.has_mac = true },
};

static struct pod_network pod_with(void)
{
	return (struct pod_network) {
		.interfaces = interfaces,
		.n_interfaces = 3,
		.pod_ifindex = POD_IFINDEX,
	};
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse(text, &addr), 0);
	return addr;
}

static struct machine_net describe(const struct pod_network *pod)
{
	const struct pod_machine_plan plan = { .mac = NULL };
	struct machine_net net;
	struct err err = { "" };

	if (pod_machine_net(pod, &plan, &net, &err) < 0)
		fail_msg("%s", err.text);
	return net;
}

static struct pod_address address(int ifindex, const char *local, uint8_t len, uint32_t flags)
{
	struct ip_addr addr = ip(local);

	return (struct pod_address) {
		.ifindex = ifindex,
		.family = ip_addr_is_v4(&addr) ? AF_INET : AF_INET6,
		.local = addr,
		.prefix_len = len,
		.flags = flags | IFA_F_NOPREFIXROUTE,
	};
}

static void test_addresses(void **state)
{
	struct pod_network pod = pod_with();
	struct pod_address addresses[] = {
		address(1, "127.0.0.1", 8, 0),
		address(POD_IFINDEX, "10.0.0.2", 24, 0),
		address(OTHER_IFINDEX, "10.9.0.2", 24, 0),
		address(POD_IFINDEX, "fd00::1", 64, IFA_F_DADFAILED | IFA_F_TENTATIVE),
		address(POD_IFINDEX, "fd00::2", 64, IFA_F_TENTATIVE),
		address(POD_IFINDEX, "fd00::3", 64, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC),
		address(POD_IFINDEX, "fe80::1", 64, 0),
		address(POD_IFINDEX, "169.254.9.9", 32, 0),
	};
	struct machine_net net;

	pod.addresses = addresses;
	pod.n_addresses = sizeof(addresses) / sizeof(addresses[0]);
	net = describe(&pod);
	assert_int_equal(net.n_addrs, 3);
	assert_true(ip_addr_equal(&net.addrs[0].local, &addresses[1].local));
	assert_true(ip_addr_equal(&net.addrs[1].local, &addresses[5].local));
	assert_true(ip_addr_equal(&net.addrs[2].local, &addresses[7].local));
	assert_string_equal(net.addrs[0].dev, "eth0");
	assert_true(net.addrs[0].no_prefix_route);
	machine_net_free(&net);
}

/* Of a route by several interfaces, what goes by the pod's. */
static void test_routes(void **state)
{
	struct pod_nexthop both[] = {
		{ .ifindex = OTHER_IFINDEX, .gateway = ip("10.9.0.1"), .weight = 1 },
		{ .ifindex = POD_IFINDEX, .gateway = ip("10.0.0.1"), .weight = 5 },
	};
	struct pod_nexthop lo = { .ifindex = 1, .weight = 1 };
	struct pod_route routes[] = {
		{ .family = AF_INET,
			.type = RTN_UNICAST,
			.table = 254,
			.nexthops = both,
			.n_nexthops = 1 },
		{ .family = AF_INET,
			.type = RTN_UNICAST,
			.table = 254,
			.nexthops = both,
			.n_nexthops = 2 },
		{ .family = AF_INET6,
			.type = RTN_BLACKHOLE,
			.table = 254,
			.nexthops = &lo,
			.n_nexthops = 1 },
		{ .family = AF_INET,
			.type = RTN_LOCAL,
			.table = RT_TABLE_LOCAL,
			.nexthops = both + 1,
			.n_nexthops = 1 },
	};
	struct pod_network pod = pod_with();
	struct machine_net net;

	pod.routes = routes;
	pod.n_routes = 4;
	net = describe(&pod);
	assert_int_equal(net.n_routes, 2);
	assert_int_equal(net.routes[0].n_nexthops, 1);
	assert_true(ip_addr_equal(&net.routes[0].nexthops[0].gateway, &both[1].gateway));
	assert_int_equal(net.routes[0].nexthops[0].weight, 5);
	assert_int_equal(net.routes[1].type, RTN_BLACKHOLE);
	assert_int_equal(net.routes[1].n_nexthops, 0);
	machine_net_free(&net);
}

static void test_rules_and_neighbours(void **state)
{
	struct pod_rule rules[] = {
		{ .family = AF_INET, .priority = 0, .protocol = RTPROT_KERNEL },
		{ .family = AF_INET, .priority = 0, .protocol = RTPROT_STATIC },
		{ .family = AF_INET, .priority = 1000, .l3mdev = true },
		{ .family = AF_INET, .priority = 32766, .protocol = RTPROT_KERNEL },
		{ .family = AF_INET6, .priority = 32765, .protocol = RTPROT_BOOT },
	};
	struct pod_neighbour neighbours[] = {
		{ .ifindex = POD_IFINDEX,
			.dst = ip("10.0.0.1"),
			.has_mac = true,
			.mac = { { 2, 0, 0, 0, 0, 9 } },
			.state = NUD_REACHABLE },
		{ .ifindex = OTHER_IFINDEX,
			.dst = ip("10.0.0.2"),
			.has_mac = true,
			.mac = { { 2, 0, 0, 0, 0, 9 } },
			.state = NUD_PERMANENT },
		{ .ifindex = POD_IFINDEX,
			.dst = ip("10.0.0.3"),
			.has_mac = true,
			.state = NUD_PERMANENT },
		{ .ifindex = POD_IFINDEX,
			.dst = ip("10.0.0.4"),
			.has_mac = true,
			.mac = { { 2, 0, 0, 0, 0, 9 } },
			.state = NUD_PERMANENT },
	};
	struct pod_network pod = pod_with();
	struct machine_net net;

	pod.rules = rules;
	pod.n_rules = 5;
	pod.neighbours = neighbours;
	pod.n_neighbours = 4;
	net = describe(&pod);
	assert_int_equal(net.n_rules, 2);
	assert_int_equal(net.rules[0].protocol, RTPROT_STATIC);
	assert_int_equal(net.rules[1].priority, 32765);
	assert_int_equal(net.n_neighbours, 1);
	assert_true(ip_addr_equal(&net.neighbours[0].dst, &neighbours[3].dst));
	machine_net_free(&net);
}

static void test_mac(void **state)
{
	const struct mac own = { { 0xaa, 0xfc, 0, 0, 0, 1 } };
	struct pod_machine_plan plan = { .mac = NULL };
	struct pod_network pod = pod_with();
	struct machine_net net;
	struct err err;

	assert_int_equal(pod_machine_net(&pod, &plan, &net, &err), 0);
	assert_memory_equal(&net.nics[0].mac, &interfaces[1].mac, sizeof(struct mac));
	assert_int_equal(net.nics[0].mtu, 1450);
	machine_net_free(&net);
	/* netkit's are zero. */
	interfaces[1].mac = (struct mac) { { 0 } };
	assert_int_equal(pod_machine_net(&pod, &plan, &net, &err), -EINVAL);
	assert_string_equal(err.text,
		"eth0 has no MAC address that a guest could adopt: give it one "
		"of its own (mac-mode substitute)");
	plan.mac = &own;
	assert_int_equal(pod_machine_net(&pod, &plan, &net, &err), 0);
	assert_memory_equal(&net.nics[0].mac, &own, sizeof(own));
	machine_net_free(&net);
	interfaces[1].mac = (struct mac) { { 2, 0, 0, 0, 0, 1 } };
	pod.pod_ifindex = 0;
	assert_int_equal(pod_machine_net(&pod, &plan, &net, &err), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_rules_and_neighbours),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
