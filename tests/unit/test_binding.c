/* SPDX-License-Identifier: BSD-3-Clause */

/* The bindings: whose address it is, by configuration, and what is reserved. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "tests/unit/binding_fixture.h"

/* --- configured addresses -------------------------------------------------------------------- */

static void test_configured_address_is_its_ports(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(port_of(f, host(1)), FDB_PORT_NONE);
	assert_false(check(f, host(1), 3, 100));
	assert_int_equal(add(f, host(1), 3), 0);
	assert_at(f, host(1), 3, 0);
	assert_true(check(f, host(1), 3, 100));
	assert_at(f, host(1), 3, 3);
	assert_false(check(f, host(1), 4, 100));
	assert_at(f, host(1), 3, 3);
	/* However long it was silent. */
	assert_int_equal(bindings_expire(f->bindings, 100000), 0);
	bindings_set_limit(f->bindings, 4, 10);
	assert_false(check(f, host(1), 4, 100000));
	assert_true(check(f, host(1), 3, 100000));
}

static void test_origin_is_told(void **state)
{
	struct fixture *f = *state;
	struct ip_addr service = host(1), learned = link_local(1);
	struct mac none = { { 0 } };
	struct binding out;

	assert_int_equal(bindings_add(f->bindings, &service, 255, BINDING_SERVICE, &none), 0);
	assert_true(check(f, learned, 255, 100));
	assert_true(binding_find(f->bindings, &f->cache, &service, &out));
	assert_int_equal(out.origin, BINDING_SERVICE);
	assert_int_equal(out.port, 255);
	assert_true(binding_find(f->bindings, &f->cache, &learned, &out));
	assert_int_equal(out.origin, BINDING_LEARNED);
	assert_int_equal(out.port, 255);
	assert_int_equal(
		bindings_add(f->bindings, &service, FDB_PORT_MAX, BINDING_SERVICE, &none), -EINVAL);
}

static void test_guest_changes_its_mac(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(f, host(1), 3), 0);
	assert_true(check_mac(f, host(1), 3, 30, 100));
	assert_at(f, host(1), 3, 30);
	assert_true(check_mac(f, host(1), 3, 31, 100));
	assert_at(f, host(1), 3, 31);
	assert_true(check_mac(f, host(1), 3, 31, 101));
	assert_true(check_mac(f, host(1), 3, 30, 101));
	assert_at(f, host(1), 3, 30);
}

/* Before it has said anything with an address a guest is where it was seen with another. */
static void test_a_silent_address_is_where_the_guest_is(void **state)
{
	const struct mac told = { { 2, 0, 0, 0, 0, 77 } };
	struct fixture *f = *state;
	struct binding out;
	struct ip_addr silent = host(1);

	assert_int_equal(add(f, silent, 3), 0);
	bindings_set_told(f->bindings, 3, &told);
	assert_true(binding_find(f->bindings, &f->cache, &silent, &out));
	assert_memory_equal(&out.mac, &told, sizeof(told));
	assert_true(check_mac(f, link_local(1), 3, 30, 100));
	assert_at(f, silent, 3, 30);
	bindings_set_told(f->bindings, 3, &told); /* again, as a reload does */
	assert_at(f, silent, 3, 30);
	bindings_forget_guest(f->bindings, 3);
	assert_true(binding_find(f->bindings, &f->cache, &silent, &out));
	assert_memory_equal(&out.mac, &told, sizeof(told));
	bindings_forget_port(f->bindings, 3);
	assert_int_equal(add(f, silent, 3), 0);
	assert_at(f, silent, 3, 0);
}

static void test_fixed_mac_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add_fixed(f, host(1), 3, 30), 0);
	assert_at(f, host(1), 3, 30);
	assert_false(check_mac(f, host(1), 3, 31, 100));
	assert_true(check_mac(f, host(1), 3, 30, 100));
	assert_false(check_mac(f, host(1), 3, 31, 100));
	assert_at(f, host(1), 3, 30);
	/* Another one, and then none. */
	assert_int_equal(add_fixed(f, host(1), 3, 31), 0);
	assert_false(check_mac(f, host(1), 3, 30, 101));
	assert_true(check_mac(f, host(1), 3, 31, 101));
	assert_int_equal(add(f, host(1), 3), 0);
	assert_at(f, host(1), 3, 31);
	assert_true(check_mac(f, host(1), 3, 32, 101));
	assert_at(f, host(1), 3, 32);
}

static void test_macs_of_no_station(void **state)
{
	struct fixture *f = *state;
	struct mac zero = { { 0 } }, group = { { 1 } };
	struct ip_addr mine = host(1), new = link_local(1);

	assert_int_equal(add(f, mine, 3), 0);
	assert_false(binding_check(f->bindings, &f->cache, &mine, 3, &zero, 100));
	assert_false(binding_check(f->bindings, &f->cache, &mine, 3, &group, 100));
	assert_false(binding_check(f->bindings, &f->cache, &new, 3, &group, 100));
	assert_at(f, mine, 3, 0);
	assert_int_equal(port_of(f, new), FDB_PORT_NONE);
}

static void test_adding_again_keeps_what_was_seen(void **state)
{
	struct fixture *f = *state;
	struct binding_row row;
	uint32_t cursor = 0;

	assert_int_equal(add(f, host(1), 3), 0);
	assert_true(check(f, host(1), 3, 100));
	assert_int_equal(add(f, host(1), 3), 0);
	assert_at(f, host(1), 3, 3);
	assert_true(bindings_next(f->bindings, &cursor, &row));
	assert_int_equal(row.seen_s, 100);
	/* It is another guest's now. */
	assert_int_equal(add(f, host(1), 4), 0);
	assert_at(f, host(1), 4, 0);
	assert_false(check(f, host(1), 3, 101));
	assert_true(check(f, host(1), 4, 101));
	cursor = 0;
	assert_true(bindings_next(f->bindings, &cursor, &row));
	assert_int_equal(row.seen_s, 101);
	assert_false(bindings_next(f->bindings, &cursor, &row));
}

static void test_deletion(void **state)
{
	struct fixture *f = *state;
	struct ip_addr configured = host(1), learned = link_local(1);

	assert_int_equal(add(f, configured, 3), 0);
	assert_true(check(f, configured, 3, 100));
	assert_true(check(f, learned, 3, 100));
	assert_int_equal(drop(f, configured), 0);
	assert_int_equal(drop(f, learned), 0);
	assert_int_equal(drop(f, configured), -ENOENT);
	assert_int_equal(port_of(f, configured), FDB_PORT_NONE);
	assert_int_equal(port_of(f, learned), FDB_PORT_NONE);
	assert_false(check(f, configured, 3, 100));
	assert_true(check(f, learned, 4, 100));
}

/* --- reserved addresses ---------------------------------------------------------------------- */

static void test_reserved_address_is_nobodys(void **state)
{
	struct fixture *f = *state;
	struct ip_addr gateway = host(1), router = link_local(1);

	bindings_set_limit(f->bindings, 1, 1);
	assert_true(check(f, gateway, 1, 100));
	assert_true(check(f, router, 1, 100));
	assert_int_equal(reserve(f, gateway), 0);
	assert_int_equal(reserve(f, router), 0);
	assert_false(check(f, gateway, 1, 100));
	assert_false(check(f, router, 1, 100));
	assert_false(check(f, gateway, 1, 10000));
	assert_int_equal(port_of(f, gateway), FDB_PORT_NONE);
	assert_int_equal(count_rows(f, 1), 0);
	assert_true(check(f, host(2), 1, 10000));
	assert_int_equal(drop(f, gateway), -ENOENT);
	assert_int_equal(bindings_expire(f->bindings, 20000), 1);
	bindings_unreserve(f->bindings, &gateway);
	assert_true(check(f, gateway, 1, 20000));
	bindings_unreserve(f->bindings, &gateway);
	assert_int_equal(port_of(f, gateway), 1);
}

static void test_reserved_and_configured(void **state)
{
	struct fixture *f = *state;
	struct ip_addr addr = host(1);

	assert_int_equal(reserve(f, addr), 0);
	assert_int_equal(add(f, addr, 1), 0);
	assert_true(check(f, addr, 1, 100));
	assert_at(f, addr, 1, 1);
	assert_int_equal(drop(f, addr), 0);
	assert_int_equal(port_of(f, addr), FDB_PORT_NONE);
	bindings_set_limit(f->bindings, 1, 1);
	assert_false(check(f, addr, 1, 100));
	assert_int_equal(add(f, addr, 1), 0);
	assert_true(check(f, addr, 1, 100));
	assert_int_equal(reserve(f, addr), 0);
	assert_at(f, addr, 1, 1);
	bindings_unreserve(f->bindings, &addr);
	assert_at(f, addr, 1, 1);
	assert_true(check(f, host(2), 1, 100));
}

/* --- guests and ports that go ---------------------------------------------------------------- */

static void test_gone_guest_leaves_its_configuration(void **state)
{
	struct fixture *f = *state;

	bindings_set_limit(f->bindings, 1, 1);
	assert_int_equal(add(f, host(1), 1), 0);
	assert_int_equal(add_fixed(f, host(2), 1, 20), 0);
	assert_true(check(f, host(1), 1, 100));
	assert_true(check_mac(f, host(2), 1, 20, 100));
	assert_true(check(f, host(3), 1, 100));
	assert_true(check(f, link_local(1), 1, 100));
	assert_true(check(f, link_local(2), 2, 100));
	bindings_forget_guest(f->bindings, 1);
	assert_at(f, host(1), 1, 0);
	assert_at(f, host(2), 1, 20);
	assert_int_equal(port_of(f, host(3)), FDB_PORT_NONE);
	assert_int_equal(port_of(f, link_local(1)), FDB_PORT_NONE);
	assert_int_equal(port_of(f, link_local(2)), 2);
	assert_true(check_mac(f, host(1), 1, 40, 200));
	assert_at(f, host(1), 1, 40);
	assert_true(check(f, host(4), 1, 200));
}

static void test_gone_port_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct ip_addr gateway = host(9);

	bindings_set_limit(f->bindings, 1, 5);
	assert_int_equal(reserve(f, gateway), 0);
	assert_int_equal(add(f, gateway, 1), 0);
	assert_int_equal(add(f, host(1), 1), 0);
	assert_int_equal(add(f, host(2), 2), 0);
	assert_true(check(f, host(3), 1, 100));
	assert_true(check(f, link_local(1), 1, 100));
	bindings_forget_port(f->bindings, 1);
	assert_int_equal(count_rows(f, 1), 0);
	assert_int_equal(port_of(f, host(2)), 2);
	assert_false(check(f, host(3), 1, 100));
	bindings_set_limit(f->bindings, 1, 1);
	assert_false(check(f, gateway, 1, 100));
	assert_true(check(f, host(3), 1, 100));
}

/* --- news ------------------------------------------------------------------------------------ */

static void test_first_sight_is_news(void **state)
{
	struct fixture *f = *state;
	struct ip_addr addr;

	assert_int_equal(add(f, host(1), 1), 0);
	assert_int_equal(add_fixed(f, host(2), 1, 20), 0);
	assert_false(next_news(f, &addr));
	assert_true(check(f, host(1), 1, 100));
	assert_news(f, host(1));
	assert_true(check(f, host(1), 1, 100));
	assert_true(check(f, host(1), 1, 101));
	assert_false(next_news(f, &addr));
	assert_true(check_mac(f, host(1), 1, 9, 101));
	assert_news(f, host(1));
	assert_true(check_mac(f, host(2), 1, 20, 101));
	assert_news(f, host(2));
	assert_true(check_mac(f, host(2), 1, 20, 102));
	assert_false(next_news(f, &addr));
	assert_true(check(f, link_local(1), 1, 102));
	assert_news(f, link_local(1));
}

static void test_returning_guest_is_news(void **state)
{
	struct fixture *f = *state;
	struct ip_addr addr;

	assert_int_equal(add(f, host(1), 1), 0);
	assert_int_equal(add_fixed(f, host(2), 2, 20), 0);
	assert_true(check(f, host(1), 1, 100));
	assert_true(check_mac(f, host(2), 2, 20, 100));
	/* It has gone before anybody asked. */
	bindings_forget_guest(f->bindings, 1);
	bindings_forget_guest(f->bindings, 2);
	assert_false(next_news(f, &addr));
	assert_true(check(f, host(1), 1, 101));
	assert_news(f, host(1));
	assert_true(check_mac(f, host(2), 2, 20, 101));
	assert_news(f, host(2));
	/* Nor does an address that is gone make news. */
	assert_true(check(f, link_local(1), 1, 101));
	assert_int_equal(drop(f, link_local(1)), 0);
	assert_false(next_news(f, &addr));
}

static void test_all_news_are_remembered(void **state)
{
	struct fixture *f = *state;
	unsigned n_seen[SIZE] = { 0 };
	struct ip_addr addr;

	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(add(f, host(i), 1), 0);
	for (unsigned i = 0; i < 3 * SIZE; i++)
		(void)check_mac(f, host(i % SIZE), 1, i, 100 + i);
	while (next_news(f, &addr))
		n_seen[addr.byte[15]]++;
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(n_seen[i], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, binding_setup, binding_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_configured_address_is_its_ports),
		TEST(test_origin_is_told),
		TEST(test_guest_changes_its_mac),
		TEST(test_a_silent_address_is_where_the_guest_is),
		TEST(test_fixed_mac_stays),
		TEST(test_macs_of_no_station),
		TEST(test_adding_again_keeps_what_was_seen),
		TEST(test_deletion),
		TEST(test_reserved_address_is_nobodys),
		TEST(test_reserved_and_configured),
		TEST(test_gone_guest_leaves_its_configuration),
		TEST(test_gone_port_leaves_nothing),
		TEST(test_first_sight_is_news),
		TEST(test_returning_guest_is_news),
		TEST(test_all_news_are_remembered),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
