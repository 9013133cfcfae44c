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

#include "launcher/pod/resolv_conf.h"

static struct resolv_conf conf;

static int teardown(void **state)
{
	resolv_conf_free(&conf);
	return 0;
}

static void decode(const char *text)
{
	resolv_conf_free(&conf);
	assert_int_equal(resolv_conf_decode(&conf, text, strlen(text)), 0);
}

static const char *joined(char **words, size_t n)
{
	static char text[1024];

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			words[i]);
	return text;
}

static void assert_search(const char *expected)
{
	assert_string_equal(joined(conf.search, conf.n_search), expected);
}

static void assert_options(const char *expected)
{
	assert_string_equal(joined(conf.options, conf.n_options), expected);
}

static void assert_nameserver(size_t i, const char *address, const char *scope)
{
	char text[IP_ADDR_TEXT_MAX];

	assert_true(i < conf.n_nameservers);
	assert_string_equal(ip_addr_format(&conf.nameservers[i].addr, text), address);
	assert_string_equal(conf.nameservers[i].scope, scope);
}

static void test_kubernetes(void **state)
{
	decode("search default.svc.cluster.local svc.cluster.local\tcluster.local\n"
	       "nameserver 10.96.0.10\n"
	       "options ndots:5\n");
	assert_int_equal(conf.n_nameservers, 1);
	assert_nameserver(0, "10.96.0.10", "");
	assert_search("default.svc.cluster.local svc.cluster.local cluster.local");
	assert_options("ndots:5");
	assert_int_equal(conf.ndots, 5);
	assert_int_equal(conf.timeout_s, 5);
	assert_int_equal(conf.attempts, 2);
	assert_int_equal(conf.bad_line, 0);
}

static void test_empty(void **state)
{
	decode("");
	assert_int_equal(conf.n_nameservers + conf.n_search + conf.n_options, 0);
	assert_int_equal(conf.ndots, 1);
	decode("\n\n# nothing\n; at all\n\t\nnameserve 10.0.0.1\nsortlist 10.0.0.0/8");
	assert_int_equal(conf.n_nameservers + conf.n_search + conf.n_options, 0);
	assert_int_equal(conf.bad_line, 0);
}

/* The keyword starts its line, and white space follows it. */
static void test_where_a_keyword_is(void **state)
{
	decode(" nameserver 10.0.0.1\n#nameserver 10.0.0.2\nnameserver:10.0.0.3\n"
	       "nameserver\t \t10.0.0.4\nNAMESERVER 10.0.0.5");
	assert_int_equal(conf.n_nameservers, 1);
	assert_nameserver(0, "10.0.0.4", "");
}

static void test_nameservers(void **state)
{
	decode("nameserver 127.0.0.11\nnameserver fe80::1%eth0\nnameserver 169.254.20.10 # node\n"
	       "nameserver 10.0.0.4\n");
	assert_int_equal(conf.n_nameservers, 3);
	assert_nameserver(0, "127.0.0.11", "");
	assert_nameserver(1, "fe80::1", "eth0");
	assert_nameserver(2, "169.254.20.10", "");
	assert_int_equal(conf.bad_line, 0);
	assert_true(resolv_nameserver_is_loopback(&conf.nameservers[0]));
	assert_false(resolv_nameserver_is_link_local(&conf.nameservers[0]));
	assert_false(resolv_nameserver_is_loopback(&conf.nameservers[1]));
	assert_true(resolv_nameserver_is_link_local(&conf.nameservers[1]));
	assert_true(resolv_nameserver_is_link_local(&conf.nameservers[2]));
	decode("nameserver ::1\nnameserver 169.253.0.1;x\nnameserver 2001:db8::a9fe:1\n");
	assert_true(resolv_nameserver_is_loopback(&conf.nameservers[0]));
	assert_false(resolv_nameserver_is_link_local(&conf.nameservers[1]));
	assert_false(resolv_nameserver_is_link_local(&conf.nameservers[2]));
}

/* Passed over and reported: none of them ends the reading. */
static void test_bad_nameservers(void **state)
{
	static const char *const bad[] = { "", " ", "10.0.0", "10.0.0.1.2", "name", "fe80::1%",
		"10.0.0.1%eth0", "fe80::1%interface-name-of-16", "::ffff:10.0.0.1", "10.0.0.1\x01",
		"10.0.0.1\r",
		"1111111111111111111111111111111111111111111111111111111111111111111111111" };
	char text[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text),
			"# one\nnameserver %s\nnameserver 10.0.0.9\nsearch \xff\n", bad[i]);
		print_message("%s\n", bad[i]);
		decode(text);
		assert_int_equal(conf.n_nameservers, 1);
		assert_nameserver(0, "10.0.0.9", "");
		assert_int_equal(conf.bad_line, 2);
	}
}

static void test_last_of_domain_and_search(void **state)
{
	decode("domain a.example b.example\n");
	assert_search("a.example");
	decode("search a b\ndomain c\n");
	assert_search("c");
	decode("domain c\nsearch a b\nsearch d e f");
	assert_search("d e f");
	decode("search a b\nsearch \ndomain\n");
	assert_search("a b");
}

/* Names go into another machine's file: no byte of theirs may end a line there, or be unseen. */
static void test_no_foreign_bytes(void **state)
{
	static const char nul[] = "search a\0b\noptions rotate";

	decode("search ok\nsearch a\x1b[2Jb\n");
	assert_search("ok");
	assert_int_equal(conf.bad_line, 2);
	decode("options caf\xc3\xa9\n");
	assert_options("");
	assert_int_equal(conf.bad_line, 1);
	resolv_conf_free(&conf);
	assert_int_equal(resolv_conf_decode(&conf, nul, sizeof(nul) - 1), 0);
	assert_search("");
	assert_options("rotate");
	assert_int_equal(conf.bad_line, 1);
}

static void test_options(void **state)
{
	decode("options ndots:2 edns0\toption-of-tomorrow:x\noptions trust-ad ndots:3 timeout:1\n");
	assert_options("edns0 option-of-tomorrow:x trust-ad ndots:3 timeout:1");
	assert_int_equal(conf.ndots, 3);
	assert_int_equal(conf.timeout_s, 1);
	decode("options ndots:99999999999999999999 timeout:31 attempts:6");
	assert_int_equal(conf.ndots, 15);
	assert_int_equal(conf.timeout_s, 30);
	assert_int_equal(conf.attempts, 5);
	decode("options ndots:0 attempts:0");
	assert_int_equal(conf.ndots, 0);
	assert_int_equal(conf.attempts, 0);
	decode("options ndots: timeout:x attempts:-1 ndotsx:7");
	assert_int_equal(conf.ndots, 1);
	assert_int_equal(conf.timeout_s, 5);
	assert_int_equal(conf.attempts, 2);
}

static void test_options_are_bounded(void **state)
{
	char text[4096] = "options";

	for (int i = 0; i < RESOLV_CONF_OPTIONS_MAX + 1; i++)
		snprintf(text + strlen(text), 16, " o%d", i);
	decode(text);
	assert_int_equal(conf.n_options, RESOLV_CONF_OPTIONS_MAX);
	assert_int_equal(conf.bad_line, 1);
}

static void write_file(const char *path, size_t n_bytes)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (size_t i = 0; i < n_bytes; i++)
		fputc(i % 64 == 63 ? '\n' : '#', file);
	assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/resolv-conf-XXXXXX", path[64];
	struct err err = { "" };

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	assert_int_equal(resolv_conf_read(&conf, path, &err), 0);
	assert_int_equal(conf.n_nameservers, 0);
	assert_int_equal(conf.ndots, 1);
	write_file(path, RESOLV_CONF_SIZE_MAX);
	assert_int_equal(resolv_conf_read(&conf, path, &err), 0);
	write_file(path, RESOLV_CONF_SIZE_MAX + 1);
	assert_int_equal(resolv_conf_read(&conf, path, &err), -EFBIG);
	assert_non_null(strstr(err.text, "resolv.conf: it has more than 65536 bytes"));
	assert_int_equal(resolv_conf_read(&conf, dir, &err), -EISDIR);
	assert_non_null(strstr(err.text, "Is a directory"));
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_kubernetes, teardown),
		cmocka_unit_test_teardown(test_empty, teardown),
		cmocka_unit_test_teardown(test_where_a_keyword_is, teardown),
		cmocka_unit_test_teardown(test_nameservers, teardown),
		cmocka_unit_test_teardown(test_bad_nameservers, teardown),
		cmocka_unit_test_teardown(test_last_of_domain_and_search, teardown),
		cmocka_unit_test_teardown(test_no_foreign_bytes, teardown),
		cmocka_unit_test_teardown(test_options, teardown),
		cmocka_unit_test_teardown(test_options_are_bounded, teardown),
		cmocka_unit_test_teardown(test_files, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
