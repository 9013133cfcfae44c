/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/shared_ports.h"

static void check(const char *text, const char *ranges, const char *ports)
{
	char formatted[L4_PORTS_TEXT_MAX], list[256] = "";
	struct shared_ports shared;
	struct err err = { "" };

	memset(&shared, 0xa5, sizeof(shared));
	if (shared_ports_parse(text, &shared, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(l4_ports_format(&shared.ranges, formatted), ranges);
	for (size_t i = 0; i < shared.n; i++)
		sprintf(list + strlen(list), "%s%u", i > 0 ? " " : "", shared.port[i]);
	assert_string_equal(list, ports);
}

static void test_lists(void **state)
{
	check("", "", "");
	check("8080", "tcp/8080", "8080");
	check("9090,8080", "tcp/8080,tcp/9090", "8080 9090");
	check("tcp/8080,9090,8080", "tcp/8080,tcp/9090", "8080 9090");
	check("8000-8002,tcp/8002-8003", "tcp/8000-8003", "8000 8001 8002 8003");
	check("65535,1", "tcp/1,tcp/65535", "1 65535");
	check("1-32", "tcp/1-32",
		"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 "
		"31 32");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *message;
		int ret;
	} rows[] = {
		{ "http", "\"http\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST", -EINVAL },
		{ "80,", "\"\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST", -EINVAL },
		{ "80, 81", "\" 81\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST", -EINVAL },
		{ "0", "\"tcp/0\": ports are 1 to 65535", -EINVAL },
		{ "65536", "\"tcp/65536\": ports are 1 to 65535", -EINVAL },
		{ "80,udp/53", "udp/53: only TCP ports can be shared", -EINVAL },
		{ "1-33", "has more than 32 ports", -E2BIG },
		{ "1-65535", "has more than 32 ports", -E2BIG },
		{ "1-20,100-112", "has more than 32 ports", -E2BIG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shared_ports shared = { .n = 7 };
		struct err err = { "" };

		assert_int_equal(shared_ports_parse(rows[i].text, &shared, &err), rows[i].ret);
		assert_string_equal(err.text, rows[i].message);
		assert_int_equal(shared.n, 7);
	}
}

/* As many as there may be, each as long as it can be, and one more. */
static void test_long_lists(void **state)
{
	char text[2048] = "";
	struct shared_ports shared;
	struct err err = { "" };

	for (int i = 0; i < SHARED_PORTS_MAX; i++)
		sprintf(text + strlen(text), "%s%d", i > 0 ? "," : "", 10000 + 2 * i);
	assert_int_equal(shared_ports_parse(text, &shared, &err), 0);
	assert_int_equal(shared.n, SHARED_PORTS_MAX);
	strcat(text, ",1");
	assert_int_equal(shared_ports_parse(text, &shared, &err), -E2BIG);
	memset(text, '1', sizeof(text) - 1);
	assert_int_equal(shared_ports_parse(text, &shared, &err), -EINVAL);
	assert_string_equal(err.text, "is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
