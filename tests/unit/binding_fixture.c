/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/binding_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

int binding_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	assert_non_null(f);
	f->qsbr = new_qsbr(2);
	f->bindings = bindings_new(SIZE, f->qsbr, &err);
	assert_non_null(f->bindings);
	*state = f;
	return 0;
}

int binding_teardown(void **state)
{
	struct fixture *f = *state;

	bindings_free(f->bindings);
	free(f->qsbr);
	free(f);
	return 0;
}

int add(struct fixture *f, struct ip_addr addr, uint16_t port)
{
	struct mac none = { { 0 } };

	return bindings_add(f->bindings, &addr, port, BINDING_CONFIGURED, &none);
}

int add_fixed(struct fixture *f, struct ip_addr addr, uint16_t port, unsigned mac)
{
	struct mac fixed = station(mac);

	return bindings_add(f->bindings, &addr, port, BINDING_CONFIGURED, &fixed);
}

int drop(struct fixture *f, struct ip_addr addr)
{
	return bindings_del(f->bindings, &addr);
}

int reserve(struct fixture *f, struct ip_addr addr)
{
	return bindings_reserve(f->bindings, &addr);
}

bool check_mac(struct fixture *f, struct ip_addr addr, uint16_t port, unsigned mac, uint32_t now_s)
{
	struct mac at = station(mac);

	return binding_check(f->bindings, &f->cache, &addr, port, &at, now_s);
}

bool check(struct fixture *f, struct ip_addr addr, uint16_t port, uint32_t now_s)
{
	return check_mac(f, addr, port, port, now_s);
}

uint16_t port_of(struct fixture *f, struct ip_addr addr)
{
	struct binding out;

	return binding_find(f->bindings, &f->other, &addr, &out) ? out.port : FDB_PORT_NONE;
}

void assert_at(struct fixture *f, struct ip_addr addr, uint16_t port, unsigned mac)
{
	struct mac expected = { { 0 } };
	struct binding out;

	if (mac)
		expected = station(mac);
	assert_true(binding_find(f->bindings, &f->other, &addr, &out));
	assert_int_equal(out.port, port);
	assert_memory_equal(&out.mac, &expected, sizeof(expected));
}

unsigned count_rows(struct fixture *f, uint16_t port)
{
	struct binding_row row;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (bindings_next(f->bindings, &cursor, &row))
		n += row.binding.port == port;
	return n;
}

bool next_news(struct fixture *f, struct ip_addr *addr)
{
	struct binding_row row;
	bool found = bindings_next_news(f->bindings, &row);

	*addr = row.addr;
	return found;
}

void assert_news(struct fixture *f, struct ip_addr expected)
{
	struct ip_addr addr;

	assert_true(next_news(f, &addr));
	assert_true(ip_addr_equal(&addr, &expected));
	assert_false(next_news(f, &addr));
}
