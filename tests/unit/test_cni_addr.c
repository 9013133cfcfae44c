/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "launcher/cni/cni_addr.h"
#include "launcher/cni/cni_attachment.h"
#include "launcher/cni/cni_code.h"
#include "launcher/cni/cni_name.h"
#include "launcher/cni/cni_version.h"

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr) < 0)
		fail_msg("%s", text);
	return addr;
}

static void is_addr(struct ip_addr addr, const char *want)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_string_equal(ip_addr_format(&addr, text), want);
}

static void test_cidr(void **state)
{
	static const struct {
		const char *text, *lowest, *highest;
	} rows[] = {
		{ "10.88.3.4/16", "10.88.0.0", "10.88.255.255" },
		{ "10.88.3.4/19", "10.88.0.0", "10.88.31.255" },
		{ "10.88.3.4/32", "10.88.3.4", "10.88.3.4" },
		{ "10.88.3.4/0", "0.0.0.0", "255.255.255.255" },
		{ "fd00::1:2/64", "fd00::", "fd00::ffff:ffff:ffff:ffff" },
		{ "fd00::1:2/127", "fd00::1:2", "fd00::1:3" },
		{ "fd00::/7", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[CNI_CIDR_TEXT_MAX];
		struct ip_addr below;
		struct cni_cidr cidr;

		assert_int_equal(cni_cidr_parse(rows[i].text, &cidr), 0);
		assert_string_equal(cni_cidr_format(&cidr, text), rows[i].text);
		is_addr(cni_cidr_lowest(&cidr), rows[i].lowest);
		is_addr(cni_cidr_highest(&cidr), rows[i].highest);
		assert_true(cni_cidr_has(&cidr, &cidr.addr));
		below = cni_addr_previous(cni_cidr_lowest(&cidr));
		assert_false(cni_cidr_has(&cidr, &below));
	}
}

static void test_no_cidr(void **state)
{
	static const char *const rows[] = { "", "/", "10.0.0.1", "10.0.0.1/", "10.0.0.1/33",
		"10.0.0.1/-1", "10.0.0.1/+8", "10.0.0.1/ 8", "10.0.0.1/8 ", "10.0.0.1/8/8",
		"10.0.0.1/0000008", "10.0.0/8", "::/129", "::ffff:10.0.0.1/100", "eth0/8",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111/64" };
	struct cni_cidr cidr = { .len = 7 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(cni_cidr_parse(rows[i], &cidr), -EINVAL);
		assert_int_equal(cidr.len, 7);
	}
}

static void test_order(void **state)
{
	struct ip_addr a = addr_of("10.0.0.255"), b = addr_of("10.0.1.0"), v6 = addr_of("::1");
	struct cni_cidr all = { addr_of("0.0.0.0"), 0 };

	is_addr(cni_addr_next(a), "10.0.1.0");
	is_addr(cni_addr_previous(b), "10.0.0.255");
	is_addr(cni_addr_next(addr_of("fd00::ffff:ffff")), "fd00::1:0:0");
	is_addr(cni_addr_previous(addr_of("fd00::1:0:0")), "fd00::ffff:ffff");
	assert_true(cni_addr_compare(&a, &b) < 0);
	assert_true(cni_addr_compare(&b, &a) > 0);
	assert_int_equal(cni_addr_compare(&a, &a), 0);
	assert_false(cni_cidr_has(&all, &v6));
	assert_int_equal(cni_addr_bits(&a), 32);
	assert_int_equal(cni_addr_bits(&v6), 128);
}

static void test_names(void **state)
{
	static const char *const good[] = { "a", "0", "a.b_c-d", "0123456789abcdef", "A..", "x-" };
	static const char *const bad[] = { "", ".", "..", "-a", "_a", "a/b", "../a", "a b", "a\n",
		"a\tb", "a:b", "\xc3\xa4", "a\xff" };
	char longest[CNI_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(cni_name_check(good[i], NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { "" };

		assert_int_equal(cni_name_check(bad[i], &err), -EINVAL);
		assert_int_not_equal(err.text[0], '\0');
	}
	memset(longest, 'a', sizeof(longest));
	longest[CNI_NAME_MAX + 1] = '\0';
	assert_int_equal(cni_name_check(longest, NULL), -EINVAL);
	longest[CNI_NAME_MAX] = '\0';
	assert_int_equal(cni_name_check(longest, NULL), 0);
}

static void test_interface_names(void **state)
{
	static const char *const good[] = { "eth0", "a", "123456789012345", "eth0.7", "...", "-",
		"a@b" };
	static const char *const bad[] = { "", ".", "..", "1234567890123456", "a/b", "a:b", "a b",
		"a\n", "a\x7f", "\xc3\xa4" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(cni_name_check_interface(good[i], NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cni_name_check_interface(bad[i], NULL), -EINVAL);
}

static void test_mac(void **state)
{
	uint8_t seen[64][6];
	char id[16];

	for (int i = 0; i < 64; i++) {
		const struct cni_attachment who = { .container_id = id, .ifname = "eth0" };
		struct mac mac, again;

		snprintf(id, sizeof(id), "container%d", i);
		mac = cni_attachment_mac(&who);
		again = cni_attachment_mac(&who);
		assert_memory_equal(&mac, &again, sizeof(mac));
		assert_int_equal(mac.byte[0] & 3, 2);
		memcpy(seen[i], mac.byte, 6);
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(seen[i], seen[j], 6);
	}
}

static void test_socket_path(void **state)
{
	struct cni_attachment who = { .container_id = "abc", .ifname = "eth0" };
	char path[CNI_SOCKET_PATH_MAX], dir[200];
	struct err err = { "" };

	assert_int_equal(cni_attachment_socket(&who, "/run/ports", path, &err), 0);
	assert_string_equal(path, "/run/ports/abc-eth0.sock");
	memset(dir, 'd', sizeof(dir));
	/* "/abc-eth0.sock" and the NUL have 15 bytes. */
	dir[CNI_SOCKET_PATH_MAX - 15] = '\0';
	assert_int_equal(cni_attachment_socket(&who, dir, path, &err), 0);
	assert_int_equal(strlen(path), CNI_SOCKET_PATH_MAX - 1);
	dir[CNI_SOCKET_PATH_MAX - 15] = 'd';
	dir[CNI_SOCKET_PATH_MAX - 14] = '\0';
	assert_int_equal(cni_attachment_socket(&who, dir, path, &err), -EINVAL);
	assert_non_null(strstr(err.text, "socketDir: "));
}

static void test_versions(void **state)
{
	enum cni_version version;

	for (unsigned i = 0; i < CNI_N_VERSIONS; i++) {
		assert_int_equal(
			cni_version_parse(cni_version_text((enum cni_version)i), &version), 0);
		assert_int_equal(version, i);
	}
	assert_int_equal(cni_version_parse("0.2.0", &version), -EPROTONOSUPPORT);
	assert_int_equal(cni_version_parse("1.0", &version), -EPROTONOSUPPORT);
	assert_int_equal(cni_version_parse("", &version), -EPROTONOSUPPORT);
}

static void test_codes(void **state)
{
	assert_int_equal(cni_code_of(0), CNI_OK);
	assert_int_equal(cni_code_of(-EINVAL), CNI_BAD_CONFIG);
	assert_int_equal(cni_code_of(-EPROTONOSUPPORT), CNI_INCOMPATIBLE_VERSION);
	assert_int_equal(cni_code_of(-EADDRNOTAVAIL), CNI_TRY_AGAIN);
	assert_int_equal(cni_code_of(-EACCES), CNI_IO_FAILURE);
	assert_int_equal(cni_code_of(-ENOMEM), CNI_IO_FAILURE);
	assert_string_equal(cni_code_text(CNI_BAD_CONFIG), "wrong network configuration");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cidr),
		cmocka_unit_test(test_no_cidr),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_interface_names),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_socket_path),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
