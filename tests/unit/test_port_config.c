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

#include "config/settings.h"
#include "config/sluiced_config.h"

/*
 * What the control plane does with a configuration that is running: one port decoded, changed,
 * written back; and the whole written back and checked.
 */

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	if (json == NULL)
		fail_msg("not JSON: %s", text);
	return json;
}

static int decode(struct port_config *port, const char *text, struct err *err)
{
	json_t *json = parse(text);
	int ret;

	memset(port, 0xa5, sizeof(*port)); /* what is not written would show */
	ret = port_config_decode(port, json, "", err);
	json_decref(json);
	return ret;
}

static int change(struct port_config *port, const char *text, struct err *err)
{
	json_t *json = parse(text);
	int ret = port_config_change(port, json, "", err);

	json_decref(json);
	return ret;
}

static void check_encoded(const struct port_config *port, const char *expected)
{
	struct port_config again;
	json_t *encoded = port_config_encode(port);
	json_t *wanted = parse(expected);

	if (!json_equal(encoded, wanted))
		fail_msg("%s instead of %s", json_dumps(encoded, 0), expected);
	memset(&again, 0x5a, sizeof(again));
	assert_int_equal(port_config_decode(&again, encoded, "", NULL), 0);
	assert_memory_equal(&again, port, sizeof(again));
	json_decref(encoded);
	json_decref(wanted);
}

#define VM0 "\"name\": \"vm0\", \"kind\": \"vhost-user\", \"socket\": \"/run/vm0.sock\""

static void test_encode_defaults(void **state)
{
	struct port_config port;

	assert_int_equal(decode(&port, "{" VM0 "}", NULL), 0);
	check_encoded(&port, "{" VM0 ", \"client\": false, \"queues\": 1, \"csum\": true, "
			     "\"tso\": true, \"uso\": true, \"mergeable\": true, "
			     "\"indirect\": true, \"event-idx\": true, \"mac-limit\": 0}");
	assert_int_equal(decode(&port,
				 "{\"name\": \"n\", \"kind\": \"ethdev\", "
				 "\"devargs\": \"net_null0\"}",
				 NULL),
		0);
	check_encoded(&port, "{\"name\": \"n\", \"kind\": \"ethdev\", \"devargs\": \"net_null0\", "
			     "\"queues\": 1, \"mac-limit\": 0}");
}

static void test_encode_everything(void **state)
{
	struct port_config port;

	assert_int_equal(decode(&port,
				 "{" VM0 ", \"mac\": \"02:00:00:00:00:0A\", \"mtu\": 9000, "
				 "\"csum\": false, \"vlan\": 7, \"workers\": \"0-1,1\", "
				 "\"trunks\": [4094, 5, \"63-65\", 1, 2, \"2-3\"]}",
				 NULL),
		0);
	check_encoded(&port, "{" VM0 ", \"client\": false, \"queues\": 1, "
			     "\"mac\": \"02:00:00:00:00:0a\", \"mtu\": 9000, \"csum\": false, "
			     "\"tso\": false, \"uso\": false, \"mergeable\": true, "
			     "\"indirect\": true, \"event-idx\": true, \"vlan\": 7, "
			     "\"trunks\": [\"1-3\", 5, \"63-65\", 4094], \"mac-limit\": 0, "
			     "\"workers\": [0, 1, 1]}");
}

static void test_change(void **state)
{
	struct port_config port, fresh;

	assert_int_equal(decode(&port, "{" VM0 ", \"mtu\": 1500}", NULL), 0);
	assert_int_equal(change(&port,
				 "{\"name\": \"vm0\", \"kind\": \"vhost-user\", \"vlan\": 9, "
				 "\"trunks\": \"1-9\", \"workers\": [2], \"mac-limit\": 4, "
				 "\"csum\": false, \"socket\": \"/run/longer/name.sock\"}",
				 NULL),
		0);
	assert_true(port.vlan == 9 && port.has_trunks && vlan_set_has(&port.trunks, 9));
	assert_true(port.n_workers == 1 && port.workers[0] == 2 && port.mac_limit == 4);
	assert_false(port.offload_csum || port.offload_tso || port.offload_uso);
	assert_int_equal(change(&port, "{\"csum\": true, \"uso\": false}", NULL), 0);
	assert_true(port.offload_csum && port.offload_tso && !port.offload_uso);
	assert_int_equal(change(&port, "{\"csum\": false}", NULL), 0);
	assert_int_equal(port.mtu, 1500);

	/* Back to what it was like without them, to the byte. */
	assert_int_equal(
		change(&port,
			"{\"vlan\": null, \"trunks\": null, \"workers\": null, "
			"\"mac-limit\": null, \"mtu\": null, \"csum\": null, \"tso\": null, "
			"\"uso\": null, \"socket\": \"/run/vm0.sock\"}",
			NULL),
		0);
	assert_int_equal(decode(&fresh, "{" VM0 "}", NULL), 0);
	assert_memory_equal(&port, &fresh, sizeof(port));
}

static void test_change_is_all_or_nothing(void **state)
{
	static const struct {
		const char *changes, *text;
	} rows[] = {
		{ "{\"vlan\": 5, \"mtu\": 67}", "mtu: 67 is out of range (68 to 65535)" },
		{ "{\"vlan\": 5, \"tso\": true}", "tso: true needs csum, which is false" },
		{ "{\"vlan\": 5, \"name\": \"vm1\"}", "name: cannot be changed (it is \"vm0\")" },
		{ "{\"vlan\": 5, \"name\": null}", "name: cannot be changed (it is \"vm0\")" },
		{ "{\"vlan\": 5, \"kind\": \"packet\"}",
			"kind: cannot be changed (it is \"vhost-user\")" },
		{ "{\"vlan\": 5, \"vlans\": 5}", "vlans: unknown key (did you mean \"vlan\"?)" },
		{ "{\"vlan\": 5, \"devargs\": \"x\"}",
			"devargs: not for kind \"vhost-user\" (allowed: name, kind, socket, "
			"client, queues, mac, mtu, csum, tso, uso, mergeable, indirect, "
			"event-idx, vlan, trunks, mac-limit, workers, role, mac-mode, neighbours, "
			"addresses, services, anti-spoof, binding-limit, point-to-point)" },
		{ "{\"vlan\": 5, \"socket\": null}",
			"socket: null is not allowed (must be an absolute path of at most 107 "
			"bytes)" },
		{ "[]", "must be an object ({ ... })" },
	};
	struct port_config before, port;

	assert_int_equal(decode(&before, "{" VM0 ", \"csum\": false}", NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };

		memcpy(&port, &before, sizeof(port));
		assert_true(change(&port, rows[i].changes, &err) < 0);
		assert_string_equal(err.text, rows[i].text);
		assert_memory_equal(&port, &before, sizeof(port));
	}
}

static void test_place_of_errors(void **state)
{
	struct port_config port;
	struct err err = { 0 };
	json_t *json = parse("{\"kind\": \"packet\"}");

	assert_int_equal(port_config_decode(&port, json, "params.", &err), -EINVAL);
	assert_string_equal(err.text,
		"params.name: missing (must be 1 to 31 letters, digits, '.', '_' or '-')");
	json_decref(json);
	json = parse("5");
	assert_int_equal(port_config_decode(&port, json, "params.", &err), -EINVAL);
	assert_string_equal(err.text, "params: must be an object ({ ... })");
	json_decref(json);
}

static void check_value(const char *key, const char *text, const char *expected)
{
	json_t *value = port_config_value(key, text);
	json_t *wanted = parse(expected);

	if (!json_equal(value, wanted))
		fail_msg("%s=%s is not %s", key, text, expected);
	json_decref(value);
	json_decref(wanted);
}

static void test_values_of_text(void **state)
{
	check_value("mtu", "9000", "9000");
	check_value("mtu", "-1", "\"-1\"");
	check_value("mtu", "99999999999999999999", "\"99999999999999999999\"");
	check_value("name", "9000", "\"9000\"");
	check_value("client", "true", "true");
	check_value("client", "no", "\"no\"");
	check_value("interface", "true", "\"true\"");
	check_value("trunks", "1,5-9", "\"1,5-9\"");
	check_value("nonesuch", "1", "\"1\"");
	assert_null(port_config_value("name", "\xff"));
}

static void check_same(const struct sluiced_config *a, const struct sluiced_config *b)
{
	assert_string_equal(a->control_socket, b->control_socket);
	assert_int_equal(a->log_level, b->log_level);
	assert_int_equal(a->log_format, b->log_format);
	assert_int_equal(a->spin_us, b->spin_us);
	assert_int_equal(a->n_workers, b->n_workers);
	assert_memory_equal(a->worker_cpus, b->worker_cpus, sizeof(a->worker_cpus));
	assert_int_equal(a->fdb_size, b->fdb_size);
	assert_int_equal(a->fdb_ageing_s, b->fdb_ageing_s);
	assert_int_equal(a->forward_reserved, b->forward_reserved);
	assert_int_equal(a->telemetry, b->telemetry);
	assert_int_equal(a->n_ports, b->n_ports);
	assert_int_equal(a->n_fdb_static, b->n_fdb_static);
	if (a->n_ports > 0)
		assert_memory_equal(a->ports, b->ports, a->n_ports * sizeof(*a->ports));
	if (a->n_fdb_static > 0)
		assert_memory_equal(
			a->fdb_static, b->fdb_static, a->n_fdb_static * sizeof(*a->fdb_static));
}

static void check_whole(const char *path, const char *worker_cpus)
{
	struct sluiced_config config, again;
	json_t *encoded;
	char *text;

	assert_int_equal(sluiced_config_load(&config, path, NULL, NULL), 0);
	encoded = sluiced_config_encode(&config);
	text = json_dumps(encoded, 0);
	assert_string_equal(
		json_string_value(json_object_get(encoded, "worker-cpus")), worker_cpus);
	assert_int_equal(sluiced_config_decode(&again, text, strlen(text), NULL), 0);
	check_same(&again, &config);
	free(text);
	json_decref(encoded);
	sluiced_config_free(&again);
	sluiced_config_free(&config);
}

static void test_encode_whole(void **state)
{
	char path[4096];

	check_whole(NULL, "auto");
	snprintf(path, sizeof(path), "%s/tests/data/config/good.json", getenv("SOURCE_ROOT"));
	check_whole(path, "1,auto,4,5");
}

/* A configuration that was put together piece by piece. */
static void test_check(void **state)
{
	static const char text[] = "{\"ports\": [{" VM0 "}, {\"name\": \"up\", \"kind\": "
				   "\"packet\", \"interface\": \"eth0\"}], \"fdb-static\": "
				   "[{\"mac\": \"02:00:00:00:00:01\", \"port\": \"up\"}]}";
	struct sluiced_config config;
	struct err err = { 0 };

	assert_int_equal(sluiced_config_decode(&config, text, strlen(text), &err), 0);
	assert_int_equal(change(&config.ports[1], "{\"workers\": [1]}", &err), 0);
	assert_int_equal(sluiced_config_check(&config, &err), -EINVAL);
	assert_string_equal(
		err.text, "ports[1].workers: there is no worker 1 (worker-cpus makes 1: 0 to 0)");
	assert_int_equal(change(&config.ports[1], "{\"workers\": null}", &err), 0);
	assert_int_equal(sluiced_config_check(&config, &err), 0);
	config.n_ports = 1;
	assert_int_equal(sluiced_config_check(&config, &err), -EINVAL);
	assert_string_equal(err.text, "fdb-static[0].port: there is no port \"up\"");
	config.n_ports = N_PORTS_MAX + 1;
	assert_int_equal(sluiced_config_check(&config, &err), -EINVAL);
	sluiced_config_free(&config);
}

/* Lists whose integers are of the sizes that sluiced's own tables do not use. */
struct lists {
	uint8_t n;
	uint16_t number[4];
	bool has_bits;
	uint64_t bits[1];
};

static const struct setting_word any[] = { { "any", UINT16_MAX }, { NULL } };

static const struct setting list_rows[] = {
	{ "numbers", SETTING_LIST, SETTING_LIST_FIELD(struct lists, number, n), .min = 2,
		.max = 1000, .words = any, .preset = "2,any" },
	{ "bits", SETTING_SET, SETTING_SET_FIELD(struct lists, bits, has_bits), .max = 63 },
};

static const struct settings list_table = SETTINGS(list_rows, NULL);

static void test_lists(void **state)
{
	struct lists lists = { .has_bits = true };
	struct err err = { 0 };
	json_t *json;
	char *text;

	settings_apply_defaults(&list_table, 0, &lists);
	assert_true(lists.n == 2 && lists.number[0] == 2 && lists.number[1] == UINT16_MAX);
	assert_int_equal(settings_set(&list_table, "numbers", "998-1000,any", &lists, &err), 0);
	assert_true(lists.n == 4 && lists.number[2] == 1000 && lists.number[3] == UINT16_MAX);
	assert_int_equal(settings_set(&list_table, "numbers", "3", &lists, &err), 0);
	assert_true(lists.n == 1 && lists.number[0] == 3 && lists.number[1] == 0);
	assert_int_equal(settings_set(&list_table, "numbers", "2-6", &lists, &err), -EINVAL);
	assert_string_equal(err.text, "numbers: has more than 4 entries");
	assert_int_equal(settings_set(&list_table, "numbers", "4,1", &lists, &err), -ERANGE);
	assert_string_equal(err.text, "numbers: 1 is out of range (2 to 1000 or \"any\")");
	assert_int_equal(settings_set(&list_table, "numbers", "18446744073709551618", &lists, &err),
		-ERANGE);
	assert_true(lists.n == 1 && lists.number[0] == 3);
	assert_int_equal(settings_set(&list_table, "bits", "0,62-63", &lists, &err), 0);
	assert_true(lists.bits[0] == UINT64_C(0xc000000000000001));
	assert_int_equal(settings_set(&list_table, "bits", "1,any", &lists, &err), -EINVAL);
	json = settings_to_json(&list_table, 0, &lists);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text, "{\"numbers\":[3],\"bits\":[0,\"62-63\"]}");
	free(text);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_defaults),
		cmocka_unit_test(test_encode_everything),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_change_is_all_or_nothing),
		cmocka_unit_test(test_place_of_errors),
		cmocka_unit_test(test_values_of_text),
		cmocka_unit_test(test_encode_whole),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
