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
#include "launcher/cni/cni_config.h"

/* A configuration with these keys besides the two that all have. */
#define WITH(keys) "{\"cniVersion\": \"1.1.0\", \"name\": \"net\"" keys "}"
#define SUBNET     "\"subnet\": \"10.88.0.0/29\""

/* Reads all of it. */
static int read_text(const char *text, json_t **json, struct cni_config *config, struct err *err)
{
	int ret;

	*json = json_text(text);
	ret = cni_config_read(*json, config, err);
	return ret < 0 ? ret : cni_config_read_details(*json, config, err);
}

static void refused(const char *text, int want, const char *message)
{
	struct err err = { "" };
	struct cni_config config;
	json_t *json;
	int ret = read_text(text, &json, &config, &err);

	if (ret != want || strcmp(err.text, message) != 0)
		fail_msg("%s: %d, %s", text, ret, err.text);
	json_decref(json);
}

static json_t *good(const char *text, struct cni_config *config)
{
	struct err err = { "" };
	json_t *json;

	if (read_text(text, &json, config, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return json;
}

static void is_addr(const struct ip_addr *addr, const char *want)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_string_equal(ip_addr_format(addr, text), want);
}

static void is_range(
	const struct cni_range *range, const char *first, const char *last, const char *gateway)
{
	is_addr(&range->first, first);
	is_addr(&range->last, last);
	is_addr(&range->gateway, gateway);
}

static void test_defaults(void **state)
{
	struct cni_config config;
	json_t *json = good(WITH(""), &config);

	assert_int_equal(config.version, CNI_1_1_0);
	assert_string_equal(config.name, "net");
	assert_string_equal(config.data_dir, "/var/lib/cni/sluice");
	assert_null(config.socket_dir);
	assert_null(config.prev_result);
	assert_null(config.dns);
	assert_int_equal(config.ranges.n, 0);
	assert_int_equal(config.ranges.n_sets, 0);
	json_decref(json);
}

static void test_everything(void **state)
{
	struct cni_config config;
	json_t *json =
		good(WITH(", \"dataDir\": \"/d\", \"socketDir\": \"/s\", \"type\": \"x\","
			  "\"dns\": {\"nameservers\": [\"10.0.0.1\"]}, \"args\": {\"a\": 1},"
			  "\"prevResult\": {\"ips\": []}, \"runtimeConfig\": {\"mac\": \"\"},"
			  "\"cni.dev/valid-attachments\": [1], \"ipam\": {}, \"ipMasq\": false,"
			  "\"none\": null, \"empty\": \"\", \"list\": []"),
			&config);

	assert_string_equal(config.data_dir, "/d");
	assert_string_equal(config.socket_dir, "/s");
	assert_non_null(config.dns);
	assert_non_null(config.prev_result);
	json_decref(json);
}

static void test_ranges(void **state)
{
	struct cni_config config;
	json_t *json = good(WITH(", \"ranges\": [[{\"subnet\": \"10.1.0.0/24\"},"
				 "  {\"subnet\": \"10.2.0.0/24\", \"rangeStart\": \"10.2.0.10\","
				 "   \"rangeEnd\": \"10.2.0.20\", \"gateway\": \"10.2.0.254\"}],"
				 " [{\"subnet\": \"fd00::/64\"}]], \"subnet\": \"10.3.0.0/30\""),
		&config);

	assert_int_equal(config.ranges.n, 4);
	assert_int_equal(config.ranges.n_sets, 3);
	is_range(&config.ranges.range[0], "10.3.0.1", "10.3.0.2", "10.3.0.1");
	is_range(&config.ranges.range[1], "10.1.0.1", "10.1.0.254", "10.1.0.1");
	is_range(&config.ranges.range[2], "10.2.0.10", "10.2.0.20", "10.2.0.254");
	is_range(&config.ranges.range[3], "fd00::1", "fd00::ffff:ffff:ffff:ffff", "fd00::1");
	assert_int_equal(config.ranges.range[2].set, 1);
	assert_int_equal(config.ranges.range[3].set, 2);
	json_decref(json);
}

/* The addresses below n in the last byte are taken. */
static bool is_below(const struct ip_addr *addr, const void *context)
{
	const uint8_t *n = context;

	return addr->byte[15] < *n;
}

static void picks_after(
	const char *text, unsigned set, uint8_t n_taken, const char *after_text, const char *want)
{
	struct ip_addr after = { 0 };
	struct cni_config config;
	json_t *json = good(text, &config);
	struct ip_addr addr;
	const struct cni_range *range;

	if (after_text != NULL)
		assert_int_equal(ip_addr_parse(after_text, &after), 0);
	range = cni_ranges_pick(
		&config.ranges, set, after_text != NULL ? &after : NULL, is_below, &n_taken, &addr);
	if (want == NULL) {
		assert_null(range);
	} else {
		assert_non_null(range);
		is_addr(&addr, want);
		assert_true(cni_range_has(range, &addr));
	}
	json_decref(json);
}

static void picks(const char *text, unsigned set, uint8_t n_taken, const char *want)
{
	picks_after(text, set, n_taken, NULL, want);
}

static void test_pick_after(void **state)
{
#define TWO                                                                                        \
	WITH(", \"ranges\": [[{\"subnet\": \"10.1.0.0/29\"},"                                      \
	     "  {\"subnet\": \"10.2.0.0/29\", \"gateway\": \"10.2.0.6\"}]]")
	picks_after(TWO, 0, 0, "10.1.0.2", "10.1.0.3");
	picks_after(TWO, 0, 0, "10.1.0.6", "10.2.0.1");
	picks_after(TWO, 0, 0, "10.2.0.4", "10.2.0.5");
	/* Behind the last there is the gateway, then the first. */
	picks_after(TWO, 0, 0, "10.2.0.5", "10.1.0.2");
	picks_after(TWO, 0, 0, "10.2.0.6", "10.1.0.2");
	picks_after(TWO, 0, 5, "10.1.0.2", "10.1.0.5");
	picks_after(TWO, 0, 7, "10.1.0.2", NULL);
	/* Of another configuration. */
	picks_after(TWO, 0, 0, "10.3.0.2", "10.1.0.2");
	picks_after(TWO, 0, 0, "fd00::1", "10.1.0.2");
	picks_after(WITH(", \"subnet\": \"10.1.0.0/30\""), 0, 0, "10.1.0.2", "10.1.0.2");
}

static void test_pick(void **state)
{
	picks(WITH("," SUBNET), 0, 0, "10.88.0.2");
	picks(WITH("," SUBNET), 0, 6, "10.88.0.6");
	picks(WITH("," SUBNET), 0, 7, NULL);
	picks(WITH("," SUBNET), 1, 0, NULL);
	picks(WITH("," SUBNET ", \"gateway\": \"10.88.0.6\""), 0, 0, "10.88.0.1");
	picks(WITH("," SUBNET ", \"gateway\": \"10.88.0.6\""), 0, 6, NULL);
	picks(WITH("," SUBNET ", \"rangeStart\": \"10.88.0.4\""), 0, 0, "10.88.0.4");
	picks(WITH("," SUBNET ", \"rangeEnd\": \"10.88.0.4\""), 0, 5, NULL);
	/* Another range of the set; and a gateway that is in it. */
	picks(WITH(", \"ranges\": [[{\"subnet\": \"10.1.0.0/30\"}, {\"subnet\": "
		   "\"10.2.0.0/28\"}]]"),
		0, 3, "10.2.0.3");
	picks(WITH(", \"ranges\": [[{\"subnet\": \"10.1.0.0/24\", \"rangeStart\": \"10.1.0.9\","
		   " \"rangeEnd\": \"10.1.0.9\", \"gateway\": \"10.1.0.20\"},"
		   " {\"subnet\": \"10.1.0.0/24\", \"rangeStart\": \"10.1.0.20\"}]]"),
		0, 10, "10.1.0.21");
	/* The very last address of all. */
	picks(WITH(", \"subnet\": \"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126\","
		   "\"gateway\": \"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\""),
		0, 255, NULL);
}

static void test_bad_ranges(void **state)
{
#define RANGES "ranges: must be an array of sets ([[{\"subnet\": ...}]])"
	refused(WITH(", \"ranges\": 1"), -EINVAL, RANGES);
	refused(WITH(", \"ranges\": [{}]"), -EINVAL,
		"ranges[0]: must be an array of ranges ([{\"subnet\": ...}])");
	refused(WITH(", \"ranges\": [[1]]"), -EINVAL, "ranges[0][0]: must be an object ({ ... })");
	refused(WITH(", \"ranges\": [[{}]]"), -EINVAL,
		"ranges[0][0].subnet: must be text such as \"10.88.0.0/16\"");
	refused(WITH(", \"gateway\": \"10.0.0.1\""), -EINVAL,
		"subnet: must be text such as \"10.88.0.0/16\"");
	refused(WITH(", \"subnet\": \"10.88.0.0\""), -EINVAL,
		"subnet: \"10.88.0.0\" is no ADDRESS/LENGTH");
	refused(WITH(", \"subnet\": \"10.88.0.1/16\""), -EINVAL,
		"subnet: \"10.88.0.1/16\" is an address of the network, which is "
		"\"10.88.0.0/16\"");
	refused(WITH(", \"subnet\": \"10.88.0.0/31\""), -EINVAL,
		"subnet: \"10.88.0.0/31\" has too few addresses");
	refused(WITH(", \"subnet\": \"fd00::/127\""), -EINVAL,
		"subnet: \"fd00::/127\" has too few addresses");
	refused(WITH(", \"subnet\": \"::/0\""), -EINVAL, "subnet: \"::/0\" has IPv4's addresses");
	refused(WITH("," SUBNET ", \"rangeStart\": \"10.88.0.0\""), -EINVAL,
		"rangeStart: 10.88.0.0 is not for a host of 10.88.0.0/29");
	refused(WITH("," SUBNET ", \"rangeEnd\": \"10.88.0.7\""), -EINVAL,
		"rangeEnd: 10.88.0.7 is not for a host of 10.88.0.0/29");
	refused(WITH("," SUBNET ", \"gateway\": \"10.88.0.8\""), -EINVAL,
		"gateway: 10.88.0.8 is not for a host of 10.88.0.0/29");
	refused(WITH("," SUBNET ", \"gateway\": \"fd00::1\""), -EINVAL,
		"gateway: fd00::1 is not for a host of 10.88.0.0/29");
	refused(WITH("," SUBNET ", \"gateway\": 1"), -EINVAL, "gateway: must be an address");
	refused(WITH("," SUBNET ", \"rangeStart\": \"10.88.0.4\", \"rangeEnd\": \"10.88.0.3\""),
		-EINVAL, "rangeEnd: is before the range's start");
	refused(WITH("," SUBNET ", \"ranges\": [[{" SUBNET "}]]"), -EINVAL,
		"ranges[0][0]: has addresses of another range");
	refused(WITH(", \"ranges\": [[{" SUBNET "}, {\"subnet\": \"fd00::/64\"}]]"), -EINVAL,
		"ranges[0][1]: is not of the family of the others in its set");
}

static void test_most_ranges(void **state)
{
	char text[CNI_RANGES_MAX * 40 + 200] = WITH(", \"ranges\": [[");
	struct err err = { "" };
	struct cni_config config;
	size_t len = strlen(text) - 1; /* without the object's end */
	json_t *json;

	for (int i = 0; i < CNI_RANGES_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			"%s{\"subnet\": \"10.%d.0.0/16\"}", i > 0 ? "," : "", i);
	strcpy(text + len, "]]}");
	json = good(text, &config);
	assert_int_equal(config.ranges.n, CNI_RANGES_MAX);
	json_decref(json);
	strcpy(text + len, ",{\"subnet\": \"11.0.0.0/8\"}]]}");
	assert_int_equal(read_text(text, &json, &config, &err), -EINVAL);
	assert_string_equal(err.text, "ranges: more than 32");
	json_decref(json);
}

static void test_refusals(void **state)
{
#define SPOKEN " is not spoken (0.3.1, 0.4.0, 1.0.0 and 1.1.0 are)"
	refused("{}", -EPROTONOSUPPORT, "cniVersion: \"0.1.0\"" SPOKEN);
	refused("{\"cniVersion\": \"\"}", -EPROTONOSUPPORT, "cniVersion: \"0.1.0\"" SPOKEN);
	refused("{\"cniVersion\": \"2.0.0\"}", -EPROTONOSUPPORT, "cniVersion: \"2.0.0\"" SPOKEN);
	refused("{\"cniVersion\": 1}", -EBADMSG, "cniVersion: must be text");
	refused("{\"cniVersion\": \"1.0.0\"}", -EINVAL, "name: must be text");
	refused("{\"cniVersion\": \"1.0.0\", \"name\": \"../x\"}", -EINVAL,
		"name: \"../x\" does not begin with a letter or digit");
	refused("{\"cniVersion\": \"1.0.0\", \"name\": \"x/y\"}", -EINVAL,
		"name: \"x/y\" has characters other than letters, digits, '_', '.' and '-'");
	refused(WITH(", \"dataDir\": \"var\""), -EINVAL, "dataDir: must be an absolute path");
	refused(WITH(", \"socketDir\": 1"), -EINVAL, "socketDir: must be an absolute path");
	refused(WITH(", \"prevResult\": []"), -EINVAL, "prevResult: must be an object ({ ... })");
	refused(WITH(", \"dns\": 1"), -EINVAL, "dns: must be an object ({ ... })");
	refused(WITH(", \"dns\": {\"search\": [1]}"), -EINVAL, "dns.search[0]: must be text");
	refused(WITH(", \"ipMasq\": true"), -EOPNOTSUPP, "ipMasq: true is not supported");
	refused(WITH(", \"bridge\": \"cni0\""), -EOPNOTSUPP, "bridge: \"cni0\" is not supported");
	refused(WITH(", \"ipam\": {\"type\": \"dhcp\"}"), -EOPNOTSUPP,
		"ipam: {\"type\":\"dhcp\"} is not supported (\"subnet\" or \"ranges\" say the "
		"addresses)");
}

static void test_decode(void **state)
{
	static const char nul[] = "{\"a\": \"\\u0000\"}";
	struct err err = { "" };

	assert_null(cni_config_decode("", 0, &err));
	assert_null(cni_config_decode("[]", 2, &err));
	assert_string_equal(err.text, "must be an object ({ ... })");
	assert_null(cni_config_decode("{} x", 4, &err));
	assert_null(cni_config_decode("{\"a\":1,\"a\":2}", 13, &err));
	assert_null(cni_config_decode(nul, sizeof(nul) - 1, &err));
	assert_non_null(strstr(err.text, "line 1: "));
}

/* What takes back must not stumble over what gives. */
static void test_little_is_read(void **state)
{
	struct cni_config config;
	json_t *json = json_text(WITH(", \"subnet\": 1, \"bridge\": 1, \"prevResult\": 1"));

	assert_int_equal(cni_config_read(json, &config, NULL), 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_pick_after),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_most_ranges),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_little_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
