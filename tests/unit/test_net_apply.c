/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-agent/net.h"
#include "launcher/pod/pod_machine.h"
#include "tests/unit/net_lab.h"

/*
 * The property that counts: what a CNI plugin gave to a pod, a guest has, by the way that it goes:
 * inspected, described, written as JSON, read, applied, inspected.
 */

static const struct mac own_mac = { { 0xaa, 0xfc, 0, 0, 0, 0x11 } };

/* Of the pod, as the guest's agent gets it. */
static struct machine_net spec_of_pod(
	const struct net_lab *lab, const struct pod_machine_plan *plan)
{
	struct pod_network pod = net_lab_inspect(lab->pod);
	struct machine_net described, read;
	struct err err = { "" };
	json_t *json;
	char *text;

	if (pod_machine_net(&pod, plan, &described, &err) < 0)
		fail_msg("%s", err.text);
	json = machine_net_encode(&described);
	assert_non_null(json);
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (machine_net_decode(json, "", &read, &err) < 0)
		fail_msg("%s: %s", err.text, text);
	json_decref(json);
	free(text);
	machine_net_free(&described);
	pod_network_free(&pod);
	return read;
}

static void apply(const struct net_lab *lab, const struct machine_net *net)
{
	struct err err = { "" };
	int ret;

	net_lab_enter(lab->guest);
	ret = net_apply(net, 30000, &err);
	net_lab_enter(lab->node);
	if (ret < 0)
		fail_msg("net_apply: %s", err.text);
}

/* --- what plugins give ----------------------------------------------------------------------- */

static const struct plugin {
	const char *name, *setup;
} plugins[] = {
	{ "bridge", "ip addr add 10.0.0.2/24 brd + dev eth0; ip addr add fd00::2/64 dev eth0 nodad;"
		    "ip route add default via 10.0.0.254; ip -6 route add default via fd00::254" },
	{ "calico",
		"ip addr add 10.1.0.2/32 dev eth0; ip route add 169.254.1.1 dev eth0 scope link;"
		"ip route add default via 169.254.1.1 dev eth0;"
		"ip addr add fd01::2/128 dev eth0 nodad;"
		"ip -6 route add default via fe80::1 dev eth0" },
	{ "aws", "ip addr add 10.2.0.2/32 dev eth0; ip route add 169.254.1.1 dev eth0 scope link;"
		 "ip route add default via 169.254.1.1 dev eth0;"
		 "ip neigh add 169.254.1.1 lladdr 02:00:00:00:bb:01 dev eth0 nud permanent;"
		 "ip neigh add fe80::5 lladdr 02:00:00:00:bb:02 dev eth0 nud permanent" },
	{ "cilium", "ip addr add 10.3.0.2/32 dev eth0; ip route add 10.3.0.1 dev eth0 scope link;"
		    "ip route add default via 10.3.0.1 mtu 1450 advmss 1410" },
	{ "small link",
		"ip link set eth0 mtu 1400; ip addr add 10.0.0.2/24 dev eth0;"
		"ip route add default via 10.0.0.1 dev eth0 onlink proto static metric 100" },
	{ "large link",
		"ip link set eth0 mtu 9000; ip addr add 10.0.0.2/24 dev eth0;"
		"ip addr add 10.0.0.3/24 dev eth0; ip addr add 10.44.0.4/24 dev eth0 scope link;"
		"ip addr add 10.5.0.2 peer 10.5.0.1/32 dev eth0" },
	{ "policy routing",
		"ip addr add 10.0.0.2/24 dev eth0; ip addr add 10.7.0.2/24 dev eth0;"
		"ip addr add fd00::2/64 dev eth0 nodad;"
		"ip route add default via 10.0.0.1; ip route add default via 10.7.0.1 table 100;"
		"ip route add 10.7.0.0/24 dev eth0 table 100 scope link src 10.7.0.2;"
		"ip route add prohibit default table 4000000 metric 9;"
		"ip -6 route add default via fd00::1 table 100 pref high;"
		"ip -6 route add default from fd00::/64 via fd00::1 metric 50;"
		"ip rule add from 10.7.0.2 lookup 100 prio 1000;"
		"ip rule add not to 10.0.0.0/8 fwmark 0x10/0xff iif lo lookup 4000000 prio 1001;"
		"ip rule add uidrange 0-0 ipproto tcp dport 80-90 sport 1000 goto 2000 prio 1002;"
		"ip rule add oif eth0 tos 0x10 blackhole prio 1003;"
		"ip rule add lookup main suppress_prefixlength 0 prio 1004 proto static;"
		"ip rule add nop prio 2000;"
		"ip -6 rule add from fd00::2 lookup 100 prio 1000" },
	{ "multipath", "ip addr add 10.0.0.2/24 dev eth0; ip addr add fd00::2/64 dev eth0 nodad;"
		       "ip route add default nexthop via 10.0.0.1 dev eth0 weight 3 "
		       "nexthop via 10.0.0.3 dev eth0 weight 200;"
		       "ip -6 route add default nexthop via fd00::1 dev eth0 "
		       "nexthop via fd00::3 dev eth0 weight 2;"
		       "ip route add 10.8.0.0/16 via inet6 fe80::1 dev eth0;"
		       "ip route add 10.9.0.0/16 nexthop via inet6 fe80::1 dev eth0 "
		       "nexthop via 172.16.0.1 dev eth0 onlink" },
	{ "odd routes",
		"ip addr add 10.0.0.2/24 dev eth0; ip addr add fd00::2/64 dev eth0 nodad;"
		"ip route add 0.0.0.0/1 via 10.0.0.1; ip route add 128.0.0.0/1 via 10.0.0.1;"
		"ip route add blackhole 10.66.0.0/16; ip route add unreachable 10.67.0.0/16;"
		"ip route add throw 10.68.0.0/16 table 5; ip -6 route add blackhole fd66::/16;"
		"ip route add 10.20.0.0/16 dev eth0 metric 5 src 10.0.0.2 proto 200;"
		"ip route add 10.20.0.0/16 dev eth0 metric 6 tos 0x10 scope link;"
		"ip route add 10.21.0.0/16 via 10.0.0.1 mtu lock 1300 initcwnd 20 window 5000;"
		"ip -6 route add ::/1 via fd00::1 metric 7 mtu 1400" },
	/* Azure, GKE and others: pods of a subnet reach each other through the node. */
	{ "no route to the subnet",
		"ip addr add 10.0.0.2/24 dev eth0; ip addr add fd00::2/64 dev eth0 nodad;"
		"ip route del 10.0.0.0/24 dev eth0; ip -6 route del fd00::/64 dev eth0;"
		"ip route add 10.0.0.1 dev eth0 scope link;"
		"ip route add 10.0.0.0/24 via 10.0.0.1 dev eth0;"
		"ip route add default via 10.0.0.1 dev eth0" },
	{ "routes to the subnet with metrics",
		"ip addr add 10.0.0.2/24 dev eth0 metric 77; ip addr add 10.4.0.2/24 dev eth0 "
		"noprefixroute; ip addr add fd00::2/64 dev eth0 nodad metric 512" },
	{ "nothing", "" },
};

#define N_PLUGINS (sizeof(plugins) / sizeof(plugins[0]))

/* --- the property ---------------------------------------------------------------------------- */

/* One guest for all plugins: nothing of one may be left for the next. Twice is as once. */
static void test_guest_has_what_the_pod_has(void **state)
{
	const struct pod_machine_plan adopt = { .mac = NULL };
	struct net_lab lab = net_lab_create();

	for (size_t i = 0; i < N_PLUGINS; i++) {
		struct machine_net net;

		net_lab_new_pod(&lab, plugins[i].setup);
		net = spec_of_pod(&lab, &adopt);
		for (int n = 0; n < 2; n++) {
			apply(&lab, &net);
			net_lab_assert_same(&lab, plugins[i].name);
		}
		machine_net_free(&net);
	}
	net_lab_destroy(&lab);
}

static void test_own_mac_and_services(void **state)
{
	const struct pod_machine_plan plan = { .mac = &own_mac, .host_port = true };
	struct net_lab lab = net_lab_create();
	struct machine_net net;

	net_lab_new_pod(&lab, plugins[1].setup);
	net = spec_of_pod(&lab, &plan);
	for (int n = 0; n < 2; n++) {
		apply(&lab, &net);
		net_lab_run(lab.guest,
			"ip link show dev eth0 | grep -q aa:fc:00:00:00:11 &&"
			"ip -4 addr show dev eth0 | grep -q 'inet 169.254.1.253/32 scope host' &&"
			"ip route show | grep -q '^169.254.1.254 dev eth0 proto static scope link "
			"src 169.254.1.253' &&"
			"ip route get 169.254.1.254 | grep -q 'src 169.254.1.253' &&"
			"ip route get 192.0.2.1 | grep -q 'via 169.254.1.1 .*src 10.1.0.2'");
	}
	machine_net_free(&net);
	net_lab_destroy(&lab);
}

/* The kernel's own are not flushed. */
static void test_loopback_and_rules_stay(void **state)
{
	struct net_lab lab = net_lab_create();
	struct machine_net nothing = { .n_nics = 0 };

	net_lab_run(lab.guest,
		"ip link set lo up; ip addr add 10.99.0.1/32 dev lo; ip rule add prio 5 nop");
	apply(&lab, &nothing);
	net_lab_run(lab.guest,
		"ip addr show dev lo | grep -q '127.0.0.1/8' && ip addr show dev lo | grep -q "
		"'::1/128'"
		" && ip link show dev lo | grep -q ,UP && ! ip addr show | grep -q 10.99 &&"
		"test $(ip rule show | wc -l) = 3 && test $(ip -6 rule show | wc -l) = 2");
	net_lab_destroy(&lab);
}

/* --- interfaces ------------------------------------------------------------------------------ */

static struct machine_net two_nics(const char *first, const char *second)
{
	struct machine_net net = { .n_nics = 2 };

	snprintf(net.nics[0].name, IFNAMSIZ, "%s", first);
	snprintf(net.nics[1].name, IFNAMSIZ, "%s", second);
	net.nics[0].mtu = 1400;
	net.nics[1].mtu = 1300;
	return net;
}

/* By index, whatever they are called; devices that are no hardware do not count. */
static void test_interfaces_are_named_by_order(void **state)
{
	struct machine_net net = two_nics("eth1", "eth0");
	struct net_lab lab = net_lab_create();

	net_lab_run(lab.guest, "ip link del ens3; ip link add br9 type bridge;"
			       "ip link add eth0 type veth peer name eth1");
	for (int n = 0; n < 2; n++) {
		apply(&lab, &net);
		/* The peer, which is made first, has the lower index. */
		net_lab_run(lab.guest, "ip link show dev eth1 | grep -q 'mtu 1400 ' &&"
				       "ip link show dev eth0 | grep -q 'mtu 1300 ' &&"
				       "ip link show dev br9 >/dev/null");
	}
	net_lab_destroy(&lab);
}

/* A device that the driver has not found yet when the agent begins. */
static void test_waits_for_interfaces(void **state)
{
	struct machine_net net = two_nics("eth0", "eth1");
	struct net_lab lab = net_lab_create();
	int go[2], status;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		char byte;

		close(go[1]);
		net_lab_enter(lab.guest);
		if (read(go[0], &byte, 1) != 1 ||
			system("ip link add late type veth peer name other netns $PPID") != 0)
			_exit(1);
		_exit(0);
	}
	close(go[0]);
	assert_int_equal(write(go[1], "x", 1), 1);
	close(go[1]);
	apply(&lab, &net);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	net_lab_run(lab.guest, "ip link show dev eth1 | grep -q 'mtu 1300 '");
	net_lab_destroy(&lab);
}

/* --- errors ---------------------------------------------------------------------------------- */

static void refused(
	const struct net_lab *lab, const struct machine_net *net, int error, const char *message)
{
	struct err err = { "" };
	int ret;

	net_lab_enter(lab->guest);
	ret = net_apply(net, 50, &err);
	net_lab_enter(lab->node);
	assert_int_equal(ret, error);
	/* Kernels differ in what they add. */
	if (strncmp(err.text, message, strlen(message)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", err.text, message);
}

static void test_refusals_name_their_part(void **state)
{
	struct machine_nexthop hop = { .dev = "eth0", .weight = 1 };
	struct machine_route route = { .family = AF_INET,
		.type = RTN_UNICAST,
		.table = RT_TABLE_MAIN,
		.protocol = RTPROT_STATIC,
		.nexthops = &hop,
		.n_nexthops = 1 };
	struct machine_addr addr = { .dev = "eth0", .family = AF_INET, .prefix_len = 24 };
	struct machine_net net = two_nics("eth0", "eth1");
	struct net_lab lab = net_lab_create();

	refused(&lab, &net, -ENODEV, "there are 1 Ethernet devices, of 2 (waited 0.05 s)");
	net.n_nics = 1;
	net.routes = &route;
	net.n_routes = 1;
	assert_int_equal(ip_addr_parse("10.9.9.9", &hop.gateway), 0);
	refused(&lab, &net, -ENETUNREACH,
		"route default via 10.9.9.9 dev eth0: Network is unreachable");
	net.n_routes = 0;
	net.addrs = &addr;
	net.n_addrs = 1;
	assert_int_equal(ip_addr_parse("10.0.0.1", &addr.local), 0);
	addr.dev[3] = '7';
	refused(&lab, &net, -ENODEV, "address 10.0.0.1/24 dev eth7: No such device");
	net.n_addrs = 0;
	net.nics[0].mtu = 40;
	refused(&lab, &net, -EINVAL, "interface eth0: Invalid argument");
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_has_what_the_pod_has),
		cmocka_unit_test(test_own_mac_and_services),
		cmocka_unit_test(test_loopback_and_rules_stay),
		cmocka_unit_test(test_interfaces_are_named_by_order),
		cmocka_unit_test(test_waits_for_interfaces),
		cmocka_unit_test(test_refusals_name_their_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
