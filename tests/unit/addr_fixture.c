/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/addr_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

struct rte_rcu_qsbr *new_qsbr(unsigned n)
{
	struct rte_rcu_qsbr *qsbr = NULL;

	assert_int_equal(posix_memalign((void **)&qsbr, 64, rte_rcu_qsbr_get_memsize(n)), 0);
	rte_rcu_qsbr_init(qsbr, n);
	return qsbr;
}

struct ip_addr host(unsigned n)
{
	uint32_t wire = htonl(0x0a000000 + n);

	return ip_addr_v4(&wire);
}

static struct ip_addr below(uint16_t prefix, unsigned n)
{
	struct ip_addr a = { { (uint8_t)(prefix >> 8), (uint8_t)prefix } };
	uint32_t wire = htonl(n);

	memcpy(a.byte + 12, &wire, sizeof(wire));
	return a;
}

struct ip_addr host6(unsigned n)
{
	return below(0xfd00, n);
}

struct ip_addr link_local(unsigned n)
{
	return below(0xfe80, n);
}

struct mac station(unsigned n)
{
	struct mac mac = { { 2 } };
	uint32_t wire = htonl(n);

	memcpy(mac.byte + 2, &wire, sizeof(wire));
	return mac;
}
