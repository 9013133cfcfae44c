/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fib_rules.h>

#include "config/machine_net.h"
#include "json_text.h"

#define NIC "{ \"ifname\": \"eth0\", \"address\": \"02:00:00:00:aa:02\", \"mtu\": 1500 }"

/* A network of one interface with these lists. */
#define NET(addresses, routes, rules, neighbours)                                                  \
	"{ \"interfaces\": [ " NIC " ], \"addresses\": [ " addresses " ], \"routes\": [ " routes   \
	" ], \"rules\": [ " rules " ], \"neighbours\": [ " neighbours " ] }"
#define ADDR(entry)      NET(entry, "", "", "")
#define ROUTE(entry)     NET("", entry, "", "")
#define RULE(entry)      NET("", "", entry, "")
#define NEIGHBOUR(entry) NET("", "", "", entry)

static struct machine_net good(const char *text)
{
	struct machine_net net;
	struct err err = { "" };
	json_t *json = json_text(text);

	if (machine_net_decode(json, "network.", &net, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	json_decref(json);
	return net;
}

static void refused(const char *text, const char *message)
{
	struct machine_net net;
	struct err err = { "" };
	json_t *json = json_text(text);

	assert_true(machine_net_decode(json, "network.", &net, &err) < 0);
	assert_string_equal(err.text, message);
	assert_true(net.n_nics == 0 && net.addrs == NULL && net.routes == NULL &&
		    net.rules == NULL && net.neighbours == NULL);
	json_decref(json);
}

static void round_trip(const char *text)
{
	struct machine_net net = good(text);
	json_t *json = machine_net_encode(&net), *want = json_text(text);

	if (!json_equal(json, want))
		fail_msg("%s became %s", text, json_dumps(json, 0));
	machine_net_free(&net);
	json_decref(json);
	json_decref(want);
}

static void assert_ip(const struct ip_addr *addr, const char *want)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_string_equal(ip_addr_format(addr, text), want);
}

/* --- interfaces, addresses, neighbours ------------------------------------------------------- */

static void test_interfaces(void **state)
{
	struct machine_net net = good("{ \"interfaces\": [ " NIC ","
				      " { \"ifname\": \"net1\", \"mtu\": 65535 } ],"
				      " \"addresses\": [], \"routes\": [], \"rules\": [],"
				      " \"neighbours\": [] }");

	assert_int_equal(net.n_nics, 2);
	assert_string_equal(net.nics[0].name, "eth0");
	assert_true(net.nics[0].has_mac && net.nics[0].mac.byte[5] == 2);
	assert_int_equal(net.nics[0].mtu, 1500);
	assert_false(net.nics[1].has_mac);
	machine_net_free(&net);
}

#define NICS(entries)                                                                              \
	"{ \"interfaces\": [ " entries " ], \"addresses\": [], \"routes\": [], \"rules\": [],"     \
	" \"neighbours\": [] }"

static void test_refused_interfaces(void **state)
{
	refused(NICS("{ \"ifname\": \"eth0123456789abc\", \"mtu\": 1500 }"),
		"network.interfaces[0].ifname: \"eth0123456789abc\" is not allowed (must be "
		"printable text of 1 to 15 bytes)");
	refused(NICS("{ \"ifname\": \"lo\", \"mtu\": 1500 }"),
		"network.interfaces[0].ifname: \"lo\" is no name for an Ethernet interface");
	refused(NICS("{ \"ifname\": \"eth%d\", \"mtu\": 1500 }"),
		"network.interfaces[0].ifname: \"eth%d\" is no name for an Ethernet interface");
	refused(NICS(NIC ", " NIC), "network.interfaces[1].ifname: \"eth0\" is there twice");
	refused(NICS("{ \"ifname\": \"eth0\", \"mtu\": 67 }"),
		"network.interfaces[0].mtu: 67 is out of range (68 to 65535)");
	refused(NICS("{ \"ifname\": \"eth0\" }"),
		"network.interfaces[0].mtu: missing (must be 68 to 65535)");
	refused(NICS("{ \"ifname\": \"eth0\", \"mtu\": 1500,"
		     " \"address\": \"01:00:00:00:00:01\" }"),
		"network.interfaces[0].address: \"01:00:00:00:00:01\" is multicast (must be a "
		"unicast address)");
	refused(NICS("{}, {}, {}, {}, {}, {}, {}, {}, {}"),
		"network.interfaces: has 9 entries (at most 8)");
}

static void test_addresses(void **state)
{
	struct machine_net net =
		good(ADDR("{ \"dev\": \"eth0\", \"family\": \"inet\", \"local\": \"10.0.0.2\","
			  " \"prefixlen\": 24, \"broadcast\": \"10.0.0.255\", \"scope\": \"link\","
			  " \"noprefixroute\": true },"
			  " { \"dev\": \"lo\", \"family\": \"inet6\", \"local\": \"fd00::2\","
			  " \"prefixlen\": 128, \"address\": \"fd00::1\" }"));

	assert_int_equal(net.n_addrs, 2);
	assert_ip(&net.addrs[0].local, "10.0.0.2");
	assert_ip(&net.addrs[0].broadcast, "10.0.0.255");
	assert_true(ip_addr_is_unspecified(&net.addrs[0].peer));
	assert_int_equal(net.addrs[0].scope, RT_SCOPE_LINK);
	assert_true(net.addrs[0].no_prefix_route);
	assert_int_equal(net.addrs[1].prefix_len, 128);
	assert_int_equal(net.addrs[1].scope, RT_SCOPE_UNIVERSE);
	assert_ip(&net.addrs[1].peer, "fd00::1");
	machine_net_free(&net);
}

static void test_refused_addresses(void **state)
{
	refused(ADDR("{ \"dev\": \"eth0\", \"family\": \"inet\", \"local\": \"fd00::1\","
		     " \"prefixlen\": 24 }"),
		"network.addresses[0].local: is not of its family");
	refused(ADDR("{ \"dev\": \"eth0\", \"family\": \"inet\", \"local\": \"10.0.0.1\","
		     " \"prefixlen\": 33 }"),
		"network.addresses[0].prefixlen: 33 is out of range (0 to 32)");
	refused(ADDR("{ \"dev\": \"eth0\", \"family\": \"inet\", \"local\": \"0.0.0.0\","
		     " \"prefixlen\": 24 }"),
		"network.addresses[0].local: \"0.0.0.0\" is not allowed (must be an IP address "
		"such as \"10.0.0.2\" or \"fd00::2\")");
	refused(ADDR("{ \"dev\": \"eth1\", \"family\": \"inet\", \"local\": \"10.0.0.1\","
		     " \"prefixlen\": 24 }"),
		"network.addresses[0]: \"eth1\" is none of the interfaces");
	refused(ADDR("{ \"dev\": \"eth0\", \"family\": \"ipx\", \"local\": \"10.0.0.1\","
		     " \"prefixlen\": 24 }"),
		"network.addresses[0].family: \"ipx\" is not allowed (must be \"inet\" or "
		"\"inet6\")");
}

static void test_neighbours(void **state)
{
	struct machine_net net = good(NEIGHBOUR("{ \"dst\": \"169.254.1.1\", \"dev\": \"eth0\","
						" \"lladdr\": \"ee:ee:ee:ee:ee:ee\" }"));

	assert_int_equal(net.n_neighbours, 1);
	assert_ip(&net.neighbours[0].dst, "169.254.1.1");
	assert_int_equal(net.neighbours[0].mac.byte[0], 0xee);
	machine_net_free(&net);
	refused(NEIGHBOUR("{ \"dst\": \"169.254.1.1\", \"dev\": \"eth0\" }"),
		"network.neighbours[0].lladdr: missing (must be a unicast MAC address such as "
		"\"02:00:00:00:00:01\")");
}

/* --- routes ---------------------------------------------------------------------------------- */

static void test_routes(void **state)
{
	struct machine_net net = good(ROUTE(
		"{ \"family\": \"inet\", \"dst\": \"169.254.1.1\", \"dev\": \"eth0\","
		" \"scope\": \"link\" },"
		" { \"family\": \"inet\", \"dst\": \"default\", \"gateway\": \"169.254.1.1\","
		" \"dev\": \"eth0\", \"onlink\": true, \"metric\": 100, \"table\": 4000000000,"
		" \"protocol\": 200, \"prefsrc\": \"10.0.0.2\", \"tos\": 16,"
		" \"metrics\": { \"mtu\": 1450, \"lock\": 4 } },"
		" { \"family\": \"inet\", \"dst\": \"10.9.0.0/16\", \"dev\": \"eth0\","
		" \"via\": { \"family\": \"inet6\", \"host\": \"fe80::1\" } },"
		" { \"family\": \"inet6\", \"dst\": \"::/1\", \"type\": \"blackhole\" }"));

	assert_int_equal(net.n_routes, 4);
	assert_int_equal(net.routes[0].dst.len, 32);
	assert_int_equal(net.routes[0].table, RT_TABLE_MAIN);
	assert_int_equal(net.routes[0].protocol, RTPROT_BOOT);
	assert_int_equal(net.routes[1].dst.len, 0);
	assert_ip(&net.routes[1].nexthops[0].gateway, "169.254.1.1");
	assert_true(net.routes[1].nexthops[0].onlink);
	assert_int_equal(net.routes[1].nexthops[0].weight, 1);
	assert_int_equal(net.routes[1].table, 4000000000);
	assert_int_equal(net.routes[1].protocol, 200);
	assert_int_equal(net.routes[1].metrics[RTAX_MTU], 1450);
	assert_int_equal(net.routes[1].metrics[RTAX_LOCK], 1 << RTAX_MTU);
	assert_ip(&net.routes[2].nexthops[0].gateway, "fe80::1");
	assert_int_equal(net.routes[3].type, RTN_BLACKHOLE);
	assert_int_equal(net.routes[3].n_nexthops, 0);
	assert_int_equal(net.routes[3].dst.len, 1);
	machine_net_free(&net);
}

static void test_multipath(void **state)
{
	struct machine_net net =
		good(ROUTE("{ \"family\": \"inet\", \"dst\": \"default\", \"nexthops\": ["
			   " { \"gateway\": \"10.0.0.1\", \"dev\": \"eth0\", \"weight\": 256 },"
			   " { \"via\": { \"family\": \"inet6\", \"host\": \"fe80::1\" },"
			   "   \"dev\": \"eth0\" }, { \"dev\": \"lo\" } ] }"));
	struct machine_route *route = &net.routes[0];

	assert_int_equal(route->n_nexthops, 3);
	assert_int_equal(route->nexthops[0].weight, 256);
	assert_ip(&route->nexthops[1].gateway, "fe80::1");
	assert_int_equal(route->nexthops[1].weight, 1);
	assert_string_equal(route->nexthops[2].dev, "lo");
	machine_net_free(&net);
}

#define R(more) ROUTE("{ \"family\": \"inet\", \"dst\": \"default\"" more " }")

static void test_refused_routes(void **state)
{
	refused(R(""), "network.routes[0].dev: missing (a route needs dev, gateway or nexthops)");
	refused(R(", \"type\": \"prohibit\", \"dev\": \"eth0\""),
		"network.routes[0].type: such a route has no dev, gateway or nexthops");
	refused(R(", \"dev\": \"eth1\""), "network.routes[0]: \"eth1\" is none of the interfaces");
	refused(R(", \"gateway\": \"fe80::1\""),
		"network.routes[0].gateway: is not of the route's family");
	refused(R(", \"via\": { \"family\": \"inet\", \"host\": \"10.0.0.1\" }"),
		"network.routes[0].via: must be of IPv6, in a route of IPv4");
	refused(R(", \"via\": { \"family\": \"inet\", \"host\": \"fe80::1\" }"),
		"network.routes[0].via.host: is not of that family");
	refused(R(", \"gateway\": \"10.0.0.1\","
		  " \"via\": { \"family\": \"inet6\", \"host\": \"fe80::1\" }"),
		"network.routes[0].via: there is a gateway already");
	refused(R(", \"onlink\": true"), "network.routes[0].dev: missing, and there is no gateway");
	refused(R(", \"dev\": \"eth0\", \"nexthops\": [ { \"dev\": \"eth0\" } ]"),
		"network.routes[0].nexthops: not beside dev and gateway");
	refused(R(", \"nexthops\": [ { \"dev\": \"eth0\" }, { \"weight\": 0 } ]"),
		"network.routes[0].nexthops[1].weight: 0 is out of range (1 to 256)");
	refused(R(", \"nexthops\": [ { \"dev\": \"eth0\" }, { \"weight\": 1 } ]"),
		"network.routes[0].nexthops[1].dev: missing, and there is no gateway");
	refused(R(", \"dev\": \"eth0\", \"prefsrc\": \"fd00::1\""),
		"network.routes[0].prefsrc: is not of the route's family");
	refused(R(", \"dev\": \"eth0\", \"from\": \"10.0.0.0/8\""),
		"network.routes[0].from: only routes of IPv6 have it");
	refused(R(", \"dev\": \"eth0\", \"metrics\": { \"mtuu\": 1 }"),
		"network.routes[0].metrics.mtuu: unknown key (did you mean \"mtu\"?)");
	refused(R(", \"dev\": \"eth0\", \"type\": \"unicorn\""),
		"network.routes[0].type: \"unicorn\" is not allowed (must be a number from 0 to "
		"255 or \"unicast\", \"local\", \"broadcast\", \"anycast\", \"multicast\", "
		"\"blackhole\", \"unreachable\", \"prohibit\", \"throw\", \"nat\" or "
		"\"xresolve\")");
}

static void test_refused_destinations(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0.0/+8", "10.0.0.0/8/8", "/8", "fd00::/64", "10.0.0.0/08888", "everywhere" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *json = json_text(R(", \"dev\": \"eth0\""));
		struct machine_net net;
		struct err err = { "" };

		json_object_set_new(json_array_get(json_object_get(json, "routes"), 0), "dst",
			json_string(bad[i]));
		assert_int_equal(machine_net_decode(json, "", &net, &err), -EINVAL);
		assert_memory_equal(err.text, "routes[0].dst: ", 15);
		json_decref(json);
	}
}

/* --- rules ----------------------------------------------------------------------------------- */

static void test_rules(void **state)
{
	struct machine_net net = good(RULE(
		"{ \"family\": \"inet\", \"priority\": 100, \"src\": \"10.0.0.2\","
		" \"action\": \"lookup\", \"table\": 7 },"
		" { \"family\": \"inet6\", \"priority\": 101, \"not\": true, \"src\": \"fd00::\","
		" \"srclen\": 8, \"dst\": \"fd01::\", \"dstlen\": 16, \"iif\": \"eth0\","
		" \"fwmark\": 1, \"fwmask\": 255, \"ipproto\": 6, \"dport_start\": 80,"
		" \"dport_end\": 81, \"uid_start\": 0, \"uid_end\": 0, \"action\": \"goto\","
		" \"goto\": 200, \"suppress_prefixlen\": 0, \"protocol\": \"static\" }"));

	assert_int_equal(net.n_rules, 2);
	assert_int_equal(net.rules[0].src.len, 32);
	assert_int_equal(net.rules[0].table, 7);
	assert_int_equal(net.rules[0].suppress_prefix_len, -1);
	assert_false(net.rules[0].has_uids);
	assert_true(net.rules[1].invert && net.rules[1].has_uids);
	assert_int_equal(net.rules[1].src.len, 8);
	assert_int_equal(net.rules[1].dport.last, 81);
	assert_int_equal(net.rules[1].action, FR_ACT_GOTO);
	assert_int_equal(net.rules[1].suppress_prefix_len, 0);
	machine_net_free(&net);
}

#define RULE4(more) RULE("{ \"family\": \"inet\", \"priority\": 100" more " }")

static void test_refused_rules(void **state)
{
	refused(RULE4(", \"action\": \"lookup\""),
		"network.rules[0].table: missing (must be a number from 1)");
	refused(RULE4(", \"action\": \"goto\", \"goto\": 100"),
		"network.rules[0].goto: 100 is not behind this rule, 100");
	refused(RULE4(", \"action\": \"nop\", \"srclen\": 8"),
		"network.rules[0].srclen: 8 bits of what?");
	refused(RULE4(", \"action\": \"nop\", \"src\": \"10.0.0.0\", \"srclen\": 33"),
		"network.rules[0].srclen: 33 is out of range (1 to 32)");
	refused(RULE4(", \"action\": \"nop\", \"dst\": \"fd00::1\""),
		"network.rules[0].dst: \"fd00::1\" is not allowed (must be \"all\" or an IPv4 "
		"address)");
	refused(RULE4(", \"action\": \"nop\", \"dport_start\": 80"),
		"network.rules[0].dport_end: 0 is before the start, 80");
}

/* --- both ways ------------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
	round_trip(NET("{ \"dev\": \"eth0\", \"family\": \"inet\", \"local\": \"10.0.0.2\","
		       " \"prefixlen\": 24, \"broadcast\": \"10.0.0.255\", \"scope\": \"global\" },"
		       "{ \"dev\": \"eth0\", \"family\": \"inet6\", \"local\": \"fd00::2\","
		       " \"prefixlen\": 64, \"scope\": 77, \"noprefixroute\": true }",
		"{ \"family\": \"inet\", \"type\": \"unicast\", \"dst\": \"0.0.0.0/1\","
		" \"gateway\": \"10.0.0.1\", \"dev\": \"eth0\", \"metric\": 0, \"table\": 254,"
		" \"scope\": \"global\", \"protocol\": \"static\","
		" \"metrics\": { \"mtu\": 1450, \"advmss\": 1400 } },"
		"{ \"family\": \"inet\", \"type\": \"unicast\", \"dst\": \"default\","
		" \"nexthops\": [ { \"gateway\": \"10.0.0.1\", \"dev\": \"eth0\", \"weight\": 3 },"
		" { \"via\": { \"family\": \"inet6\", \"host\": \"fe80::1\" },"
		" \"dev\": \"eth0\", \"onlink\": true, \"weight\": 1 } ],"
		" \"metric\": 5, \"table\": 100, \"scope\": \"global\", \"protocol\": 200,"
		" \"prefsrc\": \"10.0.0.2\", \"tos\": 4 },"
		"{ \"family\": \"inet6\", \"type\": \"throw\", \"dst\": \"fd00::/8\","
		" \"from\": \"fd01::/16\", \"metric\": 1024, \"table\": 1, \"scope\": \"global\","
		" \"protocol\": \"boot\", \"pref\": \"high\" }",
		"{ \"family\": \"inet\", \"priority\": 9, \"src\": \"0.0.0.0\", \"srclen\": 1,"
		" \"dst\": \"10.0.0.0\", \"dstlen\": 8, \"fwmask\": 255, \"sport_start\": 1,"
		" \"sport_end\": 2, \"uid_start\": 0, \"uid_end\": 0, \"action\": \"lookup\","
		" \"table\": 100, \"suppress_prefixlen\": 0, \"protocol\": \"boot\" },"
		"{ \"family\": \"inet6\", \"priority\": 10, \"not\": true, \"src\": \"all\","
		" \"oif\": \"wg0\", \"tos\": 8, \"action\": \"unreachable\","
		" \"protocol\": \"static\" }",
		"{ \"dst\": \"169.254.1.1\", \"dev\": \"eth0\", \"lladdr\": \"ee:ee:ee:ee:ee:ee\" "
		"}"));
	round_trip("{ \"interfaces\": [ { \"ifname\": \"a\", \"mtu\": 68 } ], \"addresses\": [],"
		   " \"routes\": [], \"rules\": [], \"neighbours\": [] }");
}

static void test_bounds(void **state)
{
	json_t *json = json_text(NET("", "", "", ""));
	struct machine_net net;
	struct err err;

	for (size_t i = 0; i <= MACHINE_NET_ITEMS_MAX; i++)
		json_array_append_new(json_object_get(json, "rules"), json_object());
	assert_int_equal(machine_net_decode(json, "", &net, &err), -EINVAL);
	assert_string_equal(err.text, "rules: has 16385 entries (at most 16384)");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_refused_interfaces),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_refused_addresses),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_multipath),
		cmocka_unit_test(test_refused_routes),
		cmocka_unit_test(test_refused_destinations),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_refused_rules),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
