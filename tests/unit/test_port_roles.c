/* SPDX-License-Identifier: BSD-3-Clause */

/* Configurations of pods: what ports of each role may say, and what must hold between them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/config_edit.h"
#include "config/sluiced_config.h"

#define UPLINK                                                                                     \
	"{\"name\": \"u\", \"kind\": \"packet\", \"interface\": \"eth0\", \"role\": \"uplink\"}"
#define SUBSTITUTE                                                                                 \
	"{\"name\": \"u\", \"kind\": \"packet\", \"interface\": \"eth0\", \"role\": \"uplink\", "  \
	"\"mac-mode\": \"substitute\"}"
#define GUEST(n, more)                                                                             \
	"{\"name\": \"vm" n "\", \"kind\": \"vhost-user\", \"socket\": \"/run/vm" n                \
	".sock\", \"role\": \"guest\"" more "}"
#define HOST(more)                                                                                 \
	"{\"name\": \"h\", \"kind\": \"packet\", \"interface\": \"sluice0p\", \"role\": "          \
	"\"host\"" more "}"
#define HOST_GOOD HOST(", \"mac\": \"aa:fc:00:00:00:fe\", \"addresses\": [\"169.254.1.254\"]")

static int load(struct sluiced_config *config, const char *ports, struct err *err)
{
	char text[2048];
	int len = snprintf(text, sizeof(text), "{\"ports\": [%s]}", ports);

	return sluiced_config_decode(config, text, (size_t)len, err);
}

static void check_refused(const char *ports, const char *message)
{
	struct sluiced_config config;
	struct err err = { "" };

	assert_int_equal(load(&config, ports, &err), -EINVAL);
	assert_string_equal(err.text, message);
}

static void test_a_pod(void **state)
{
	struct sluiced_config config;
	const struct port_config *vm;

	assert_int_equal(
		load(&config,
			UPLINK "," GUEST("0", ", \"addresses\": \"10.0.0.2,fd00::2\", "
					      "\"services\": [\"169.254.1.253\"]") "," HOST_GOOD,
			NULL),
		0);
	assert_true(sluiced_config_is_pod(&config));
	assert_int_equal(config.ports[0].mac_mode, MAC_MODE_ADOPT);
	assert_int_equal(config.ports[0].neighbours, NEIGHBOURS_AUTO);
	vm = &config.ports[1];
	assert_int_equal(vm->n_addresses, 2);
	assert_true(ip_addr_is_v4(&vm->addresses[0]));
	assert_false(ip_addr_is_v4(&vm->addresses[1]));
	assert_int_equal(vm->n_services, 1);
	assert_int_equal(config.ports[2].mac.byte[5], 0xfe);
	sluiced_config_free(&config);
}

static void test_a_lab_is_no_pod(void **state)
{
	struct sluiced_config config;

	assert_int_equal(load(&config, GUEST("0", "") "," GUEST("1", ", \"vlan\": 7"), NULL), 0);
	assert_false(sluiced_config_is_pod(&config));
	sluiced_config_free(&config);
	assert_int_equal(load(&config,
				 "{\"name\": \"u\", \"kind\": \"packet\", \"interface\": \"eth0\", "
				 "\"role\": \"uplink\", \"mac-mode\": \"transparent\"},"
				 "{\"name\": \"p\", \"kind\": \"packet\", \"interface\": \"eth1\"}",
				 NULL),
		0);
	assert_false(sluiced_config_is_pod(&config));
	sluiced_config_free(&config);
}

static void test_keys_of_another_role(void **state)
{
	check_refused(UPLINK "," GUEST("0", ", \"mac-mode\": \"adopt\""),
		"ports[1].mac-mode: only for role \"uplink\" (it is \"guest\")");
	check_refused("{\"name\": \"p\", \"kind\": \"packet\", \"interface\": \"eth0\", "
		      "\"addresses\": [\"10.0.0.1\"]}",
		"ports[0].addresses: only for role \"guest\" (it is \"peer\")");
	check_refused("{\"name\": \"p\", \"kind\": \"packet\", \"interface\": \"eth0\", "
		      "\"mac\": \"02:00:00:00:00:01\"}",
		"ports[0].mac: only for kind \"vhost-user\" or role \"uplink\", \"guest\" or "
		"\"host\"");
}

static void test_addresses(void **state)
{
	check_refused(SUBSTITUTE "," GUEST("0", ", \"addresses\": [\"10.0.0.256\"]"),
		"ports[1].addresses: \"10.0.0.256\" is not allowed (must be a list of IP addresses "
		"such as \"10.0.0.2,fd00::2\")");
	check_refused(SUBSTITUTE "," GUEST("0", ", \"addresses\": [\"127.0.0.1\"]"),
		"ports[1].addresses: \"127.0.0.1\" is no address that a host can have");
	check_refused(SUBSTITUTE "," GUEST("0", ", \"addresses\": \"10.0.0.2,10.0.0.2\""),
		"ports[1].addresses: \"10.0.0.2\" is there twice");
	check_refused(SUBSTITUTE "," GUEST("0", ", \"addresses\": \"10.0.0.2\"") "," GUEST(
			      "1", ", \"services\": \"10.0.0.2\""),
		"ports[2].services: \"10.0.0.2\" is in ports[1].addresses (must be unique)");
}

static void test_an_address_for_one_thing(void **state)
{
	check_refused(SUBSTITUTE "," GUEST("0", ", \"addresses\": \"10.0.0.2\", \"services\": "
						"\"10.0.0.2\""),
		"ports[1].services: \"10.0.0.2\" is one of its addresses, too");
}

static void test_places(void **state)
{
	check_refused(UPLINK "," GUEST("0", "") "," GUEST("1", ""),
		"ports[2].role: ports[1] has the pod's MAC address already (more than one guest "
		"needs mac-mode \"substitute\" at the uplink)");
	check_refused(UPLINK ",{\"name\": \"p\", \"kind\": \"packet\", \"interface\": \"eth1\"}",
		"ports[1].role: missing (must be \"guest\" or \"host\": the uplink is not "
		"transparent)");
	check_refused(SUBSTITUTE "," GUEST("0", ", \"vlan\": 7"),
		"ports[1].vlan: not with this uplink (needs mac-mode \"transparent\")");
	check_refused(SUBSTITUTE "," HOST(", \"mac\": \"aa:fc:00:00:00:fe\""),
		"ports[1].addresses: has 0 entries (a host port has one, that services are at)");
	check_refused(SUBSTITUTE "," HOST(", \"addresses\": \"169.254.1.254\""),
		"ports[1].mac: missing (must be that of the interface which services are at)");
}

static void test_kernel_ports(void **state)
{
	struct sluiced_config config;

	check_refused("{\"name\": \"u\", \"kind\": \"packet\", \"interface\": \"eth0\", "
		      "\"role\": \"uplink\", \"kernel-ports\": \"tcp/0\"}",
		"ports[0].kernel-ports: \"tcp/0\": ports are 1 to 65535");
	assert_int_equal(load(&config,
				 "{\"name\": \"u\", \"kind\": \"packet\", \"interface\": \"eth0\", "
				 "\"role\": \"uplink\", \"kernel-ports\": \"tcp/80\"}",
				 NULL),
		0);
	sluiced_config_free(&config);
}

/* Whatever belonged to the old role is gone with it. */
static void test_a_role_changes(void **state)
{
	json_t *changes = json_pack("{s:s}", "role", "peer");
	struct sluiced_config config;

	assert_int_equal(load(&config,
				 "{\"name\": \"u\", \"kind\": \"packet\", \"interface\": \"eth0\", "
				 "\"role\": \"uplink\", \"mac-mode\": \"transparent\", \"mac\": "
				 "\"02:00:00:00:00:01\"}",
				 NULL),
		0);
	assert_int_equal(port_config_change(&config.ports[0], changes, "", NULL), 0);
	assert_int_equal(config.ports[0].mac_mode, 0);
	assert_true(mac_is_zero(&config.ports[0].mac));
	assert_int_equal(sluiced_config_check(&config, NULL), 0);
	json_decref(changes);
	sluiced_config_free(&config);
}

static void test_static_neighbours(void **state)
{
	static const char text[] =
		"{\"neighbour-static\": [{\"ip\": \"10.0.0.1\", \"mac\": \"02:00:00:00:00:01\"},"
		"{\"ip\": \"fe80::1\", \"mac\": \"02:00:00:00:00:02\"}], \"ports\": []}";
	struct neighbour_static_config entry = { .mac = { { 2, 0, 0, 0, 0, 3 } } };
	struct sluiced_config config;
	json_t *encoded;

	assert_int_equal(sluiced_config_decode(&config, text, strlen(text), NULL), 0);
	assert_int_equal(config.n_neighbour_static, 2);
	assert_int_equal(ip_addr_parse("10.0.0.1", &entry.ip), 0);
	assert_int_equal(sluiced_config_add_neighbour(&config, &entry, NULL), 0);
	assert_int_equal(config.n_neighbour_static, 2);
	assert_int_equal(sluiced_config_neighbour(&config, &entry.ip)->mac.byte[5], 3);
	encoded = sluiced_config_encode(&config);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(encoded, "neighbour-static"), 1), "ip")),
		"fe80::1");
	json_decref(encoded);
	assert_true(sluiced_config_del_neighbour(&config, &entry.ip));
	assert_false(sluiced_config_del_neighbour(&config, &entry.ip));
	sluiced_config_free(&config);
}

static void test_a_neighbour_without_address(void **state)
{
	static const char text[] =
		"{\"neighbour-static\": [{\"ip\": [], \"mac\": \"02:00:00:00:00:01\"}]}";
	struct sluiced_config config;
	struct err err = { "" };

	assert_int_equal(sluiced_config_decode(&config, text, strlen(text), &err), -EINVAL);
	assert_string_equal(err.text, "neighbour-static[0].ip: must be one address");
}

static void test_a_neighbour_twice(void **state)
{
	static const char text[] =
		"{\"neighbour-static\": [{\"ip\": \"10.0.0.1\", \"mac\": \"02:00:00:00:00:01\"},"
		"{\"ip\": \"10.0.0.1\", \"mac\": \"02:00:00:00:00:02\"}]}";
	struct sluiced_config config;
	struct err err = { "" };

	assert_int_equal(sluiced_config_decode(&config, text, strlen(text), &err), -EINVAL);
	assert_string_equal(err.text, "neighbour-static: \"10.0.0.1\" is there twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pod),
		cmocka_unit_test(test_a_lab_is_no_pod),
		cmocka_unit_test(test_keys_of_another_role),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_an_address_for_one_thing),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_kernel_ports),
		cmocka_unit_test(test_a_role_changes),
		cmocka_unit_test(test_static_neighbours),
		cmocka_unit_test(test_a_neighbour_without_address),
		cmocka_unit_test(test_a_neighbour_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
