/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lib/ip_addr.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct ip_addr parsed(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static void assert_text(const struct ip_addr *a, const char *expected)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_ptr_equal(ip_addr_format(a, text), text);
	assert_string_equal(text, expected);
}

static void test_wire(void **state)
{
	static const uint8_t v4[4] = { 169, 254, 1, 1 };
	static const uint8_t v6[16] = { 0xfe, 0x80, [15] = 7 };
	static const uint8_t mapped[16] = { [10] = 0xff, 0xff, 169, 254, 1, 1 };
	struct ip_addr a = ip_addr_v4(v4), b = ip_addr_v6(v6), c = ip_addr_v6(mapped);

	assert_memory_equal(a.byte, mapped, 16);
	assert_memory_equal(b.byte, v6, 16);
	assert_true(ip_addr_is_v4(&a));
	assert_false(ip_addr_is_v4(&b));
	assert_true(ip_addr_equal(&a, &c));
	assert_false(ip_addr_equal(&a, &b));
}

/* One byte makes the difference, wherever it is. */
static void test_equal_looks_at_all_bytes(void **state)
{
	struct ip_addr a = parsed("2001:db8:1:2:3:4:5:6");

	for (size_t i = 0; i < sizeof(a.byte); i++) {
		struct ip_addr b = a;

		b.byte[i] ^= 0x80;
		assert_false(ip_addr_equal(&a, &b));
		b.byte[i] ^= 0x80;
		assert_true(ip_addr_equal(&a, &b));
	}
}

/* A byte short of the mapped prefix is IPv6. */
static void test_v4_prefix(void **state)
{
	struct ip_addr a = parsed("10.0.0.1");

	for (size_t i = 0; i < 12; i++) {
		struct ip_addr b = a;

		b.byte[i] ^= 1;
		assert_false(ip_addr_is_v4(&b));
	}
}

static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "10.0.0.2", "10.0.0.2" },
		{ "::", "::" },
		{ "FE80:0:0::1", "fe80::1" },
		{ "2001:db8::ffff:10.0.0.2", "2001:db8::ffff:a00:2" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct ip_addr a = parsed(rows[i].in);

		assert_text(&a, rows[i].out);
		assert_int_equal(ip_addr_is_v4(&a), strchr(rows[i].in, ':') == NULL);
	}
}

static void test_bad_text(void **state)
{
	static const char *const rows[] = { "", " ", "10.0.0", "10.0.0.256", "10.0.0.1 ",
		"10.0.0.1/8", "010.0.0.1", "0x0a.0.0.1", "1:2:3:4:5:6:7", "1::2::3",
		"12345::", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:a00:1", "localhost" };

	for (size_t i = 0; i < N(rows); i++) {
		struct ip_addr a = parsed("192.0.2.7");

		assert_int_equal(ip_addr_parse(rows[i], &a), -EINVAL);
		assert_text(&a, "192.0.2.7");
	}
}

struct class
{
	const char *text;
	bool unspecified, multicast, link_local, loopback, host;
};

static void test_classes(void **state)
{
	static const struct class rows[] = {
		{ "0.0.0.0", .unspecified = true },
		{ "::", .unspecified = true },
		{ "0.0.0.1", .host = true },
		{ "10.0.0.2", .host = true },
		{ "fd00::2", .host = true },
		{ "::2", .host = true },
		{ "::127.0.0.1", .host = true },
		{ "223.255.255.255", .host = true },
		{ "224.0.0.0", .multicast = true },
		{ "239.255.255.255", .multicast = true },
		{ "240.0.0.1", .host = true },
		{ "255.255.255.254", .host = true },
		{ "255.255.255.255", .multicast = true },
		{ "ff02::1", .multicast = true },
		{ "ff00::", .multicast = true },
		{ "feff::1", .host = true },
		{ "169.254.1.1", .host = true },
		{ "fe80::1", .link_local = true, .host = true },
		{ "febf:ffff::1", .link_local = true, .host = true },
		{ "fec0::1", .host = true },
		{ "fe7f::1", .host = true },
		{ "126.255.255.255", .host = true },
		{ "127.0.0.0", .loopback = true },
		{ "127.0.0.11", .loopback = true },
		{ "127.255.255.255", .loopback = true },
		{ "128.0.0.0", .host = true },
		{ "::1", .loopback = true },
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct ip_addr a = parsed(rows[i].text);

		print_message("%s\n", rows[i].text);
		assert_int_equal(ip_addr_is_unspecified(&a), rows[i].unspecified);
		assert_int_equal(ip_addr_is_multicast(&a), rows[i].multicast);
		assert_int_equal(ip_addr_is_link_local(&a), rows[i].link_local);
		assert_int_equal(ip_addr_is_loopback(&a), rows[i].loopback);
		assert_int_equal(ip_addr_is_host(&a), rows[i].host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_equal_looks_at_all_bytes),
		cmocka_unit_test(test_v4_prefix),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
