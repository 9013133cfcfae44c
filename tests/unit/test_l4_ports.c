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
#include <unistd.h>

#include "config/l4_ports.h"

static void check(const char *text, const char *expected)
{
	char formatted[L4_PORTS_TEXT_MAX];
	struct err err = { "" };
	struct l4_ports ports, again;

	memset(&ports, 0xa5, sizeof(ports));
	if (l4_ports_parse(text, &ports, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(l4_ports_format(&ports, formatted), expected);
	assert_int_equal(l4_ports_parse(formatted, &again, NULL), 0);
	assert_memory_equal(&again, &ports, sizeof(ports));
}

static void test_ranges(void **state)
{
	check("tcp/80", "tcp/80");
	check("udp/53-60", "udp/53-60");
	check("tcp/1-65535,udp/1-65535", "tcp/1-65535,udp/1-65535");
	check("tcp/0080", "tcp/80");
	check("tcp/7-7", "tcp/7");
}

static void test_order_and_merging(void **state)
{
	check("udp/53,tcp/8000-8100,tcp/80", "tcp/80,tcp/8000-8100,udp/53");
	check("tcp/80,tcp/80", "tcp/80");
	check("tcp/80,tcp/82,tcp/81", "tcp/80-82");
	check("tcp/10-20,tcp/30-40,tcp/15-35", "tcp/10-40");
	check("tcp/10-20,tcp/30-40,tcp/50,tcp/1-45", "tcp/1-45,tcp/50");
	check("tcp/1-65535,tcp/80,udp/80", "tcp/1-65535,udp/80");
	check("tcp/65535,udp/1", "tcp/65535,udp/1");
	check("tcp/65535,tcp/65534", "tcp/65534-65535");
	check("udp/5,tcp/10-12,tcp/12-14,tcp/2", "tcp/2,tcp/10-14,udp/5");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "", "\"\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/80,", "\"\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "80", "\"80\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "sctp/80", "\"sctp/80\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/", "\"tcp/\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/80-", "\"tcp/80-\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/-80", "\"tcp/-80\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/80 ", "\"tcp/80 \": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/80;x", "\"tcp/80;x\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/1-2-3", "\"tcp/1-2-3\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST" },
		{ "tcp/0", "\"tcp/0\": ports are 1 to 65535" },
		{ "udp/65536", "\"udp/65536\": ports are 1 to 65535" },
		{ "udp/1-4294967297", "\"udp/1-4294967297\": ports are 1 to 65535" },
		{ "tcp/90-80", "\"tcp/90-80\": the range ends before it begins" },
		{ "tcp/00000000000000000000000000000080",
			"\"tcp/000000000000000000000000000…\": is too long" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct l4_ports ports = { .n = 7 };
		struct err err = { "" };

		assert_int_equal(l4_ports_parse(rows[i].text, &ports, &err), -EINVAL);
		assert_string_equal(err.text, rows[i].message);
		assert_int_equal(ports.n, 7);
	}
}

/* As many as fit; then one that is new does not, and one that joins others does. */
static void test_most(void **state)
{
	char text[16 * (L4_PORTS_MAX + 1)] = "", formatted[L4_PORTS_TEXT_MAX];
	struct err err = { "" };
	struct l4_ports ports;
	size_t len = 0;

	for (int i = 0; i < L4_PORTS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%sudp/%d-%d",
			i > 0 ? "," : "", 10000 + i * 10, 10005 + i * 10);
	assert_int_equal(l4_ports_parse(text, &ports, &err), 0);
	assert_int_equal(ports.n, L4_PORTS_MAX);
	assert_string_equal(l4_ports_format(&ports, formatted), text);
	assert_int_equal(l4_ports_add(&ports, (struct l4_port_range) { L4_TCP, 1, 1 }), -E2BIG);
	assert_string_equal(l4_ports_format(&ports, formatted), text);
	assert_int_equal(l4_ports_add(&ports, (struct l4_port_range) { L4_UDP, 10006, 10009 }), 0);
	assert_int_equal(ports.n, L4_PORTS_MAX - 1);

	snprintf(text + len, sizeof(text) - len, ",tcp/1");
	assert_int_equal(l4_ports_parse(text, &ports, &err), -E2BIG);
	assert_string_equal(err.text, "has more than 32 ranges");
}

static void test_has(void **state)
{
	struct l4_ports ports;

	assert_int_equal(l4_ports_parse("tcp/80-82,udp/53", &ports, NULL), 0);
	assert_false(l4_ports_has(&ports, L4_TCP, 79));
	assert_true(l4_ports_has(&ports, L4_TCP, 80));
	assert_true(l4_ports_has(&ports, L4_TCP, 82));
	assert_false(l4_ports_has(&ports, L4_TCP, 83));
	assert_false(l4_ports_has(&ports, L4_TCP, 53));
	assert_true(l4_ports_has(&ports, L4_UDP, 53));
}

/* Of a file of `len` bytes. */
static int read_bytes(const void *bytes, size_t len, struct l4_ports *ports, struct err *err)
{
	char path[] = "/tmp/sluice-ports-XXXXXX";
	int fd = mkstemp(path);
	int ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	ret = l4_ports_read(path, ports, err);
	unlink(path);
	return ret;
}

static void test_file(void **state)
{
	static const char nul[] = "tcp/80\0,udp/53";
	char longest[L4_PORTS_TEXT_MAX + 100];
	struct err err = { "" };
	struct l4_ports ports;

	assert_int_equal(read_bytes("tcp/80,udp/53\n", 14, &ports, &err), 0);
	assert_int_equal(ports.n, 2);
	assert_int_equal(read_bytes("tcp/80", 6, &ports, &err), 0);
	assert_int_equal(ports.n, 1);
	assert_int_equal(read_bytes("", 0, &ports, &err), 0);
	assert_int_equal(ports.n, 0);
	assert_int_equal(read_bytes("\n", 1, &ports, &err), 0);
	assert_int_equal(ports.n, 0);
	assert_int_equal(read_bytes("tcp/80\nudp/53\n", 14, &ports, &err), -EINVAL);
	assert_int_equal(read_bytes(nul, sizeof(nul), &ports, &err), -EINVAL);
	memset(longest, '1', sizeof(longest));
	assert_int_equal(read_bytes(longest, sizeof(longest), &ports, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is no list of ports"));
	assert_int_equal(l4_ports_read("/nowhere/at/all", &ports, &err), -ENOENT);
	assert_string_equal(err.text, "/nowhere/at/all: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_order_and_merging),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
