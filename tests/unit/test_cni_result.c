/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json_text.h"
#include "launcher/cni/cni_result.h"
#include "launcher/cni/cni_result_check.h"

static const struct cni_attachment who = {
	.container_id = "abc", .ifname = "eth0", .netns = "/run/netns/x"
};

/* What the plugin ptp answers, and then some that it may have one day. */
#define PTP(version, more)                                                                         \
	"{\"cniVersion\": \"" version "\","                                                        \
	" \"interfaces\": [{\"name\": \"veth1\", \"mac\": \"52:1b:5a:1f:0a:7a\"},"                 \
	"  {\"name\": \"eth0\", \"mac\": \"ce:60:4c:b9:3a:06\", \"sandbox\": \"/run/netns/x\""     \
	"   " more "}],"                                                                           \
	" \"ips\": [{\"version\": \"4\", \"interface\": 1, \"address\": \"10.1.0.5/24\","          \
	"   \"gateway\": \"10.1.0.1\", \"weight\": 1.5}],"                                         \
	" \"routes\": [{\"dst\": \"0.0.0.0/0\", \"priority\": 7}, {\"dst\": \"::/0\","             \
	"   \"gw\": \"fe80::1\"}],"                                                                \
	" \"dns\": {\"nameservers\": [\"10.0.0.10\"], \"domain\": \"\", \"search\": null},"        \
	" \"vendor/extra\": {\"deep\": [1, [true, null], \"x\"]}}"

static void passes(const char *text, enum cni_version version)
{
	struct err err = { "" };
	json_t *json = json_text(text);

	if (cni_result_check(json, version, "prevResult", &err) != 0)
		fail_msg("%s: %s", text, err.text);
	json_decref(json);
}

static void fails(const char *text, enum cni_version version, int want, const char *message)
{
	struct err err = { "" };
	json_t *json = json_text(text);
	int ret = cni_result_check(json, version, "prevResult", &err);

	if (ret != want || strcmp(err.text, message) != 0)
		fail_msg("%s: %d, %s", text, ret, err.text);
	json_decref(json);
}

static void test_good(void **state)
{
	passes("{}", CNI_0_3_1);
	passes("{\"interfaces\": null, \"ips\": null, \"routes\": null, \"dns\": null}", CNI_1_1_0);
	passes(PTP("0.3.1", ""), CNI_0_3_1);
	passes(PTP("0.4.0", ""), CNI_0_4_0);
	passes(PTP("1.0.0", ""), CNI_1_0_0);
	passes(PTP("1.1.0", ", \"mtu\": 1500, \"socketPath\": \"\""), CNI_1_1_0);
	passes("{\"ips\": [{\"address\": \"fd00::1/64\", \"gateway\": \"\"}]}", CNI_1_0_0);
}

static void test_bad(void **state)
{
	fails(PTP("1.0.0", ""), CNI_1_1_0, -EPROTONOSUPPORT,
		"prevResult.cniVersion: is \"1.0.0\", the configuration's is \"1.1.0\"");
	fails("{\"cniVersion\": 1}", CNI_1_1_0, -EINVAL, "prevResult.cniVersion: must be text");
	fails("{\"interfaces\": {}}", CNI_1_0_0, -EINVAL,
		"prevResult.interfaces: must be an array ([ ... ])");
	fails("{\"interfaces\": [1]}", CNI_1_0_0, -EINVAL,
		"prevResult.interfaces[0]: must be an object ({ ... })");
	fails("{\"interfaces\": [{}]}", CNI_1_0_0, -EINVAL,
		"prevResult.interfaces[0].name: must be text");
	fails("{\"interfaces\": [{\"name\": \"a\", \"sandbox\": 1}]}", CNI_1_0_0, -EINVAL,
		"prevResult.interfaces[0].sandbox: must be text");
	fails("{\"ips\": [{}]}", CNI_1_0_0, -EINVAL,
		"prevResult.ips[0].address: must be ADDRESS/LENGTH");
	fails("{\"ips\": [{\"address\": \"10.0.0.1\"}]}", CNI_1_0_0, -EINVAL,
		"prevResult.ips[0].address: must be ADDRESS/LENGTH");
	fails("{\"ips\": [{\"address\": \"10.0.0.1/8\", \"gateway\": \"x\"}]}", CNI_1_0_0, -EINVAL,
		"prevResult.ips[0].gateway: must be an address");
	fails("{\"ips\": [{\"address\": \"10.0.0.1/8\", \"interface\": 0}]}", CNI_1_0_0, -EINVAL,
		"prevResult.ips[0].interface: must be the number of an interface");
	fails("{\"ips\": [{\"address\": \"10.0.0.1/8\", \"interface\": -1}]}", CNI_1_0_0, -EINVAL,
		"prevResult.ips[0].interface: must be the number of an interface");
	fails("{\"ips\": [{\"address\": \"10.0.0.1/8\"}]}", CNI_0_4_0, -EINVAL,
		"prevResult.ips[0].version: must be \"4\"");
	fails("{\"ips\": [{\"address\": \"fd00::1/8\", \"version\": \"4\"}]}", CNI_0_3_1, -EINVAL,
		"prevResult.ips[0].version: must be \"6\"");
	fails("{\"routes\": [{\"dst\": \"default\"}]}", CNI_1_0_0, -EINVAL,
		"prevResult.routes[0].dst: must be ADDRESS/LENGTH");
	fails("{\"routes\": [{\"dst\": \"0.0.0.0/0\", \"gw\": 1}]}", CNI_1_0_0, -EINVAL,
		"prevResult.routes[0].gw: must be an address");
	fails("{\"dns\": []}", CNI_1_0_0, -EINVAL, "prevResult.dns: must be an object ({ ... })");
	fails("{\"dns\": {\"options\": \"x\"}}", CNI_1_0_0, -EINVAL,
		"prevResult.dns.options: must be an array ([ ... ])");
	fails("{\"dns\": {\"domain\": 1}}", CNI_1_0_0, -EINVAL,
		"prevResult.dns.domain: must be text");
}

/* Passes `prev` on, and is what it was but for what `want` says. */
static void passed_on(
	const char *prev, enum cni_version version, const char *socket_dir, const char *want)
{
	json_t *prev_json = json_text(prev), *want_json = json_text(want), *result = NULL;
	const struct cni_config config = {
		.version = version, .socket_dir = socket_dir, .prev_result = prev_json
	};
	struct err err = { "" };
	char *text;

	if (cni_result_pass_on(&config, &who, &result, &err) != 0)
		fail_msg("%s", err.text);
	text = json_dumps(result, 0);
	if (!json_equal(result, want_json))
		fail_msg("%s became %s", prev, text);
	assert_true(cni_result_has_socket(result, &config, &who));
	free(text);
	json_decref(result);
	json_decref(want_json);
	json_decref(prev_json);
}

#define SOCKET ", \"socketPath\": \"/s/abc-eth0.sock\""

static void test_pass_on(void **state)
{
	passed_on(PTP("0.3.1", ""), CNI_0_3_1, NULL, PTP("0.3.1", ""));
	passed_on(PTP("1.0.0", ""), CNI_1_0_0, "/s", PTP("1.0.0", ""));
	passed_on(PTP("1.1.0", ""), CNI_1_1_0, NULL, PTP("1.1.0", ""));
	passed_on(PTP("1.1.0", ""), CNI_1_1_0, "/s", PTP("1.1.0", SOCKET));
	passed_on(PTP("1.1.0", ", \"mtu\": 9000, \"socketPath\": \"/old\""), CNI_1_1_0, "/s",
		PTP("1.1.0", ", \"mtu\": 9000" SOCKET));
	passed_on("{}", CNI_0_4_0, NULL, "{\"cniVersion\": \"0.4.0\"}");
}

static void test_no_place_for_a_socket(void **state)
{
	static const char *const rows[] = { "{}", "{\"interfaces\": [{\"name\": \"eth0\"}]}",
		"{\"interfaces\": [{\"name\": \"eth0\", \"sandbox\": \"\"}]}",
		"{\"interfaces\": [{\"name\": \"eth1\", \"sandbox\": \"/run/netns/x\"}]}" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cni_config config = {
			.version = CNI_1_1_0, .socket_dir = "/s", .prev_result = json_text(rows[i])
		};
		struct err err = { "" };
		json_t *result = NULL;

		assert_int_equal(cni_result_pass_on(&config, &who, &result, &err), -EINVAL);
		assert_null(result);
		assert_string_equal(err.text,
			"prevResult.interfaces: has no \"eth0\" in a sandbox whose socket "
			"socketDir could say");
		assert_false(cni_result_has_socket(config.prev_result, &config, &who));
		json_decref((json_t *)config.prev_result);
	}
}

/* Two addresses, of ranges with those subnets. */
static json_t *make(struct cni_config *config)
{
	struct cni_range ranges[2] = { 0 };
	struct cni_given given[2] = { { .range = &ranges[0] }, { .range = &ranges[1] } };
	struct err err = { "" };
	json_t *result = NULL;

	assert_int_equal(cni_cidr_parse("10.88.0.0/16", &ranges[0].subnet), 0);
	assert_int_equal(ip_addr_parse("10.88.0.1", &ranges[0].gateway), 0);
	assert_int_equal(ip_addr_parse("10.88.0.2", &given[0].addr), 0);
	assert_int_equal(cni_cidr_parse("fd00::/64", &ranges[1].subnet), 0);
	assert_int_equal(ip_addr_parse("fd00::1", &ranges[1].gateway), 0);
	assert_int_equal(ip_addr_parse("fd00::2", &given[1].addr), 0);
	if (cni_result_make(config, &who, given, 2, &result, &err) != 0)
		fail_msg("%s", err.text);
	if (cni_result_check(result, config->version, "result", &err) != 0)
		fail_msg("%s", err.text);
	assert_true(cni_result_has_addr(result, &given[1].addr));
	assert_false(cni_result_has_addr(result, &ranges[1].gateway));
	return result;
}

static void made(struct cni_config *config, const char *version, const char *v4, const char *v6,
	const char *socket, const char *rest)
{
	struct mac mac = cni_attachment_mac(&who);
	char mac_text[MAC_TEXT_MAX], text[1000];
	json_t *result = make(config), *want;

	snprintf(text, sizeof(text),
		"{\"cniVersion\": \"%s\", \"interfaces\": [{\"name\": \"eth0\", \"mac\": \"%s\","
		" \"sandbox\": \"/run/netns/x\"%s}], \"ips\": [{%s \"address\": \"10.88.0.2/16\","
		" \"gateway\": \"10.88.0.1\", \"interface\": 0}, {%s \"address\": \"fd00::2/64\","
		" \"gateway\": \"fd00::1\", \"interface\": 0}]%s}",
		version, mac_format(&mac, mac_text), socket, v4, v6, rest);
	want = json_text(text);
	assert_true(json_equal(result, want));
	json_decref(result);
	json_decref(want);
}

static void test_make(void **state)
{
	struct cni_config config = { .version = CNI_0_3_1, .socket_dir = "/s" };

	made(&config, "0.3.1", "\"version\": \"4\",", "\"version\": \"6\",", "", "");
	config.version = CNI_0_4_0;
	made(&config, "0.4.0", "\"version\": \"4\",", "\"version\": \"6\",", "", "");
	config.version = CNI_1_0_0;
	made(&config, "1.0.0", "", "", "", "");
	config.version = CNI_1_1_0;
	made(&config, "1.1.0", "", "", SOCKET, "");
	config.socket_dir = NULL;
	config.dns = json_text("{\"nameservers\": [\"10.0.0.10\"]}");
	made(&config, "1.1.0", "", "", "", ", \"dns\": {\"nameservers\": [\"10.0.0.10\"]}");
	json_decref((json_t *)config.dns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_pass_on),
		cmocka_unit_test(test_no_place_for_a_socket),
		cmocka_unit_test(test_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
