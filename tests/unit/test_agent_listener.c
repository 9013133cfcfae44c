/* SPDX-License-Identifier: BSD-3-Clause */

/* Whom the agent serves on vsock. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "guest-agent/listener.h"

static bool serves(sa_family_t family, unsigned cid)
{
	const struct sockaddr_vm peer = { .svm_family = family, .svm_cid = cid, .svm_port = 1024 };

	return listener_is_host(&peer);
}

/* Not the guest itself (by its own CID, or by 1, vsock's loopback), nor another guest. */
static void test_the_host_alone(void **state)
{
	assert_false(serves(AF_VSOCK, 0)); /* the hypervisor */
	assert_false(serves(AF_VSOCK, 1));
	assert_true(serves(AF_VSOCK, 2));
	assert_false(serves(AF_VSOCK, 3));
	assert_false(serves(AF_VSOCK, VMADDR_CID_ANY));
	assert_false(serves(AF_VSOCK, 0x02000000)); /* 2 in the other byte order */
}

/* accept(2) that told no address. */
static void test_no_address(void **state)
{
	assert_false(serves(AF_UNSPEC, 2));
	assert_false(serves(AF_UNIX, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_host_alone),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
