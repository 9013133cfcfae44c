/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "launcher/pod/resolv_conf_text.h"

/* What a guest's file is, of the pod's; `relay` may be NULL. */
static void becomes(const char *from, const char *relay, const char *want, bool needs_relay)
{
	struct resolv_conf conf;
	struct ip_addr addr;
	char *text;

	assert_int_equal(resolv_conf_decode(&conf, from, strlen(from)), 0);
	if (relay != NULL)
		assert_int_equal(ip_addr_parse(relay, &addr), 0);
	text = resolv_conf_text(&conf, relay != NULL ? &addr : NULL);
	assert_non_null(text);
	assert_string_equal(text, want);
	assert_int_equal(resolv_conf_needs_relay(&conf), needs_relay);
	free(text);
	resolv_conf_free(&conf);
}

static void test_as_it_is(void **state)
{
	becomes("# kubelet\nsearch ns.svc.cluster.local cluster.local\nnameserver 10.96.0.10\n"
		"nameserver fe80::1%eth0\noptions ndots:5 edns0\n",
		NULL,
		"search ns.svc.cluster.local cluster.local\nnameserver 10.96.0.10\n"
		"nameserver fe80::1%eth0\noptions ndots:5 edns0\n",
		false);
	/* A relay that is not needed is not used. */
	becomes("nameserver 10.96.0.10\n", "169.254.1.254", "nameserver 10.96.0.10\n", false);
}

static void test_loopback(void **state)
{
	const char *docker = "nameserver 127.0.0.11\nnameserver ::1\nnameserver 10.0.0.1\n"
			     "options ndots:0\n";

	becomes(docker, NULL,
		"# 127.0.0.11 is on the pod's loopback, out of reach from here\n"
		"# ::1 is on the pod's loopback, out of reach from here\n"
		"nameserver 10.0.0.1\noptions ndots:0\n",
		true);
	becomes(docker, "169.254.1.254",
		"nameserver 169.254.1.254\nnameserver 10.0.0.1\noptions ndots:0\n", true);
}

static void test_empty(void **state)
{
	becomes("", NULL, "# the pod names no nameserver\n", true);
	becomes("", "169.254.1.254", "nameserver 169.254.1.254\n", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_is),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
