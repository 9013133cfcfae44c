/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "launcher/pod/hosts_text.h"

#define LOCALHOST "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

/* What a guest called `hostname` with two addresses has, of the pod's. */
static void becomes(const char *from, size_t size, const char *hostname, const char *want)
{
	struct ip_addr addrs[2];
	const struct hosts_own own = { hostname, addrs, 2 };
	char *text;

	assert_int_equal(ip_addr_parse("10.1.0.2", &addrs[0]), 0);
	assert_int_equal(ip_addr_parse("fd01::2", &addrs[1]), 0);
	text = hosts_text(from, size, &own);
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

#define BECOMES(from, hostname, want) becomes(from, sizeof(from) - 1, hostname, want)

static void test_nothing(void **state)
{
	BECOMES("", "web-0", LOCALHOST "10.1.0.2\tweb-0\nfd01::2\tweb-0\n");
	BECOMES("", "", LOCALHOST);
	BECOMES("", "localhost", LOCALHOST);
}

/* As a kubelet writes it, with hostAliases. */
static void test_complete(void **state)
{
	static const char kubelet[] =
		"# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"
		"::1\tlocalhost ip6-localhost ip6-loopback\n"
		"10.1.0.2\tweb-0.sub.ns.svc.cluster.local\tweb-0\n\n"
		"# Entries added by HostAliases.\n10.9.9.9\tfoo.test\tbar.test\n";

	BECOMES(kubelet, "web-0", kubelet);
	BECOMES(kubelet, "WEB-0", kubelet);
}

static void test_incomplete(void **state)
{
	BECOMES("10.9.9.9 foo", "foo", LOCALHOST "10.9.9.9 foo\n");
	BECOMES("127.0.0.1 localhost web-01 # web-0\n#10.1.0.2 web-0\nweb-0 x\n", "web-0",
		"127.0.0.1 localhost web-01 # web-0\n#10.1.0.2 web-0\nweb-0 x\n"
		"10.1.0.2\tweb-0\nfd01::2\tweb-0\n");
	/* A name that a comment follows at once is one. */
	BECOMES("127.0.0.1 localhost#web-0\n", "", "127.0.0.1 localhost#web-0\n");
}

static void test_unprintable(void **state)
{
	BECOMES("127.0.0.1 localhost\n10.0.0.1 \xff\xfe\n10.0.0.2 a\0b\n10.0.0.3 good\r\n"
		"10.0.0.4 good",
		"", "127.0.0.1 localhost\n10.0.0.4 good\n");
	BECOMES("\x1b[2J localhost", "", LOCALHOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_unprintable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
