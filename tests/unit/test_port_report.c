/* SPDX-License-Identifier: BSD-3-Clause */

/* What an agent says of the guest's ports: as it is written, and as anything else is refused. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/port_report.h"

static struct port_report report, again;

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static bool add(const char *address, uint16_t port)
{
	struct ip_addr a = addr(address);

	return port_report_add(&report, &a, port);
}

static void check_item(size_t i, const char *address, uint16_t port)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_true(i < report.n);
	assert_string_equal(ip_addr_format(&report.item[i].address, text), address);
	assert_int_equal(report.item[i].port, port);
}

static void test_a_set_in_order(void **state)
{
	report.n = 0;
	assert_true(add("0.0.0.0", 8080));
	assert_true(add("::", 80));
	assert_true(add("127.0.0.1", 80));
	assert_true(add("0.0.0.0", 80));
	assert_true(add("127.0.0.1", 80));
	assert_true(add("::1", 65535));
	assert_int_equal(report.n, 5);
	check_item(0, "::", 80);
	check_item(1, "0.0.0.0", 80);
	check_item(2, "127.0.0.1", 80);
	check_item(3, "0.0.0.0", 8080);
	check_item(4, "::1", 65535);
}

static void test_room(void **state)
{
	report.n = 0;
	for (uint16_t port = PORT_REPORT_MAX; port >= 1; port--)
		assert_true(add("::1", port));
	assert_false(add("::1", PORT_REPORT_MAX + 1));
	assert_true(add("::1", 7));
	assert_int_equal(report.n, PORT_REPORT_MAX);
	for (size_t i = 1; i < report.n; i++)
		assert_true(port_listener_compare(&report.item[i - 1], &report.item[i]) < 0);
}

static void test_round_trip(void **state)
{
	cleanup_free char *text = NULL;

	report.n = 0;
	for (unsigned i = 0; i < PORT_REPORT_MAX; i++)
		assert_true(add("2001:db8:1111:2222:3333:4444:5555:6666", (uint16_t)(64000 + i)));
	text = port_report_format(&report);
	assert_non_null(text);
	assert_true(strlen(text) < PORT_REPORT_LINE_MAX);
	assert_int_equal(port_report_parse(text, strlen(text), &again, NULL), 0);
	assert_int_equal(again.n, report.n);
	for (size_t i = 0; i < report.n; i++)
		assert_int_equal(port_listener_compare(&again.item[i], &report.item[i]), 0);
}

static void test_as_documented(void **state)
{
	static const char line[] = "{\"ports\":[{\"port\":80,\"address\":\"0.0.0.0\"},"
				   "{\"port\":8080,\"address\":\"127.0.0.1\"}]}";
	cleanup_free char *text = NULL;

	assert_int_equal(port_report_parse(line, strlen(line), &report, NULL), 0);
	assert_int_equal(report.n, 2);
	check_item(0, "0.0.0.0", 80);
	check_item(1, "127.0.0.1", 8080);
	text = port_report_format(&report);
	assert_string_equal(text, line);
	assert_int_equal(port_report_parse("{\"ports\":[]}", 12, &report, NULL), 0);
	assert_int_equal(report.n, 0);
}

static void refuse(const char *line, size_t len)
{
	struct err err = { "" };

	if (port_report_parse(line, len, &report, &err) != -EPROTO)
		fail_msg("%.*s was taken", (int)len, line);
	assert_true(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
}

static void test_refusals(void **state)
{
	static const char *const lines[] = { "", "{}", "[]", "null", "{\"ports\":{}}",
		"{\"ports\":[1]}", "{\"ports\":[],\"more\":1}", "{\"ports\":[],\"ports\":[]}",
		"{\"ports\":[{\"port\":80}]}", "{\"ports\":[{\"port\":0,\"address\":\"::\"}]}",
		"{\"ports\":[{\"port\":65536,\"address\":\"::\"}]}",
		"{\"ports\":[{\"port\":-1,\"address\":\"::\"}]}",
		"{\"ports\":[{\"port\":4294967376,\"address\":\"::\"}]}",
		"{\"ports\":[{\"port\":\"80\",\"address\":\"::\"}]}",
		"{\"ports\":[{\"port\":80,\"address\":\"localhost\"}]}",
		"{\"ports\":[{\"port\":80,\"address\":\"::ffff:1.2.3.4\"}]}",
		"{\"ports\":[{\"port\":80,\"address\":\"::\",\"uid\":0}]}",
		"{\"ports\":[{\"port\":80,\"address\":\"::\"}]} x", "\xff\xfe" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		refuse(lines[i], strlen(lines[i]));
	refuse("{\"ports\":[\0]}", 13);
}

static void test_too_much(void **state)
{
	size_t size = PORT_REPORT_LINE_MAX + 1, len = 0;
	cleanup_free char *text = malloc(2 * size);

	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "{\"ports\":[]}", 12);
	assert_int_equal(port_report_parse(text, size - 1, &report, NULL), 0);
	refuse(text, size);
	memset(text, '[', size - 1);
	refuse(text, size - 1);
	len = (size_t)sprintf(text, "{\"ports\":[{\"port\":1,\"address\":\"::\"}");
	for (int port = 2; port <= PORT_REPORT_MAX + 1; port++)
		len += (size_t)sprintf(text + len, ",{\"port\":%d,\"address\":\"::\"}", port);
	len += (size_t)sprintf(text + len, "]}");
	refuse(text, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_set_in_order),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_as_documented),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
