/* SPDX-License-Identifier: BSD-3-Clause */

/* The bindings: who may learn an address, and what a hostile guest cannot do. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "tests/unit/binding_fixture.h"

/* --- what is learned ------------------------------------------------------------------------- */

static void test_link_local_is_learned_anywhere(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < BINDING_LINK_LOCAL_MAX; i++) {
		assert_true(check(f, link_local(i), 1, 100));
		assert_at(f, link_local(i), 1, 1);
	}
	assert_false(check(f, link_local(10), 1, 100));
	assert_int_equal(port_of(f, link_local(10)), FDB_PORT_NONE);
	assert_true(check(f, link_local(10), 2, 100));
	assert_false(check(f, link_local(0), 2, 100));
	assert_false(check(f, host6(1), 1, 100));
	assert_false(check(f, host(1), 1, 100));
}

static void test_limit_of_a_port(void **state)
{
	struct fixture *f = *state;

	bindings_set_limit(f->bindings, 1, 3);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(check(f, host(i), 1, 100), i < 3);
	assert_false(check(f, host(6), 2, 100));
	/* Link-local ones beyond those that everybody may have count. */
	bindings_set_limit(f->bindings, 1, 4);
	for (unsigned i = 0; i < BINDING_LINK_LOCAL_MAX + 2; i++)
		assert_int_equal(check(f, link_local(i), 1, 100), i < BINDING_LINK_LOCAL_MAX + 1);
	assert_false(check(f, host(3), 1, 100));
	assert_int_equal(count_rows(f, 1), 3 + BINDING_LINK_LOCAL_MAX + 1);
	/* Room that one leaves. */
	assert_int_equal(drop(f, host(0)), 0);
	assert_true(check(f, host(3), 1, 100));
	assert_false(check(f, host(0), 1, 100));
}

static void test_lowered_limit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(f, host(20), 1), 0);
	bindings_set_limit(f->bindings, 1, 10);
	bindings_set_limit(f->bindings, 2, 10);
	for (unsigned i = 0; i < BINDING_LINK_LOCAL_MAX; i++)
		assert_true(check(f, link_local(i), 1, 100));
	for (unsigned i = 0; i < 10; i++)
		assert_true(check(f, host(i), 1, 100));
	assert_true(check(f, host(10), 2, 100));
	bindings_set_limit(f->bindings, 1, 4);
	assert_int_equal(count_rows(f, 1), 4 + BINDING_LINK_LOCAL_MAX + 1);
	bindings_set_limit(f->bindings, 1, 0);
	assert_int_equal(count_rows(f, 1), BINDING_LINK_LOCAL_MAX + 1);
	assert_false(check(f, host(1), 1, 100));
	assert_true(check(f, host(20), 1, 100));
	assert_int_equal(port_of(f, host(10)), 2);
}

static void test_addresses_of_no_host(void **state)
{
	static const char *const text[] = { "127.0.0.1", "224.0.0.1", "255.255.255.255", "::1",
		"ff02::1" };
	struct fixture *f = *state;
	struct ip_addr addr;

	bindings_set_limit(f->bindings, 1, 10);
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++) {
		assert_int_equal(ip_addr_parse(text[i], &addr), 0);
		assert_false(check(f, addr, 1, 100));
	}
	assert_int_equal(count_rows(f, 1), 0);
}

static void test_learned_address_moves_only_when_aged(void **state)
{
	struct fixture *f = *state;

	for (uint16_t port = 1; port <= 2; port++)
		bindings_set_limit(f->bindings, port, 1);
	assert_true(check(f, host(1), 1, 100));
	assert_true(check(f, host(1), 1, 150));
	assert_false(check(f, host(1), 2, 150 + BINDING_AGEING_S));
	assert_at(f, host(1), 1, 1);
	assert_true(check(f, host(1), 2, 151 + BINDING_AGEING_S));
	assert_at(f, host(1), 2, 2);
	assert_false(check(f, host(1), 1, 151 + BINDING_AGEING_S));
	/* Each counts for whom it is now. */
	assert_true(check(f, host(2), 1, 500));
	assert_false(check(f, host(3), 2, 500));
	/* A clock that is behind. */
	assert_false(check(f, host(2), 2, 499));
	assert_false(check(f, host(1), 1, 2000));
	assert_at(f, host(1), 2, 2);
}

static void test_moving_needs_permission(void **state)
{
	struct fixture *f = *state;

	bindings_set_limit(f->bindings, 1, 1);
	assert_true(check(f, host(1), 1, 100));
	assert_true(check(f, link_local(1), 1, 100));
	assert_false(check(f, host(1), 2, 1000));
	assert_true(check(f, link_local(1), 2, 1000));
	assert_at(f, host(1), 1, 1);
}

static void test_learned_address_expires_unless_it_speaks(void **state)
{
	struct fixture *f = *state;

	bindings_set_limit(f->bindings, 1, 2);
	assert_true(check(f, host(1), 1, 100));
	assert_true(check(f, host(2), 1, 100));
	assert_true(check(f, link_local(1), 1, 100));
	assert_true(check(f, host(2), 1, 101));
	assert_int_equal(bindings_expire(f->bindings, 100 + BINDING_AGEING_S), 0);
	assert_int_equal(bindings_expire(f->bindings, 101 + BINDING_AGEING_S), 2);
	assert_int_equal(port_of(f, host(1)), FDB_PORT_NONE);
	assert_int_equal(port_of(f, host(2)), 1);
	assert_true(check(f, host(3), 1, 500));
	assert_int_equal(bindings_expire(f->bindings, 99), 0);
}

static void test_configuration_takes_over_what_was_learned(void **state)
{
	struct fixture *f = *state;

	bindings_set_limit(f->bindings, 1, 1);
	assert_true(check(f, host(1), 1, 100));
	assert_int_equal(add(f, host(1), 1), 0);
	assert_at(f, host(1), 1, 1);
	assert_true(check(f, host(2), 1, 100));
	assert_int_equal(add(f, host(2), 3), 0);
	assert_at(f, host(2), 3, 0);
	assert_false(check(f, host(2), 1, 1000));
	assert_true(check(f, host(3), 1, 1000));
}

/* --- hostile guests -------------------------------------------------------------------------- */

static void test_full_table_pushes_nobody_out(void **state)
{
	struct fixture *f = *state;

	bindings_set_limit(f->bindings, 1, 1000);
	bindings_set_limit(f->bindings, 2, 1000);
	assert_true(check(f, host(1000), 2, 100));
	assert_true(check(f, host(1001), 2, 100));
	for (unsigned i = 0; i < 2 * SIZE; i++)
		assert_int_equal(check(f, host(i), 1, 100), i < SIZE - 2);
	/* The refused ones were no changes. */
	assert_true(check_mac(f, host(0), 1, 77, 100));
	assert_at(f, host(0), 1, 77);
	assert_false(check(f, host(1002), 2, 100));
	assert_false(check(f, link_local(1), 2, 100));
	assert_true(check(f, host(1000), 2, 101));
	/* An address that has aged may still move. */
	assert_true(check(f, host(5), 2, 500));
}

static void test_configuration_makes_room(void **state)
{
	struct fixture *f = *state;
	struct ip_addr gateway = host(5000);

	bindings_set_limit(f->bindings, 1, 1000);
	bindings_set_limit(f->bindings, 2, 1000);
	for (unsigned i = 0; i < 3; i++)
		assert_true(check(f, host(1000 + i), 2, 50));
	for (unsigned i = 0; i < SIZE - 3; i++)
		assert_true(check(f, host(i), 1, i == 7 ? 100 : 101));
	assert_int_equal(add(f, host(2000), 3), 0);
	assert_int_equal(port_of(f, host(2000)), 3);
	assert_int_equal(port_of(f, host(7)), FDB_PORT_NONE);
	assert_int_equal(count_rows(f, 1), SIZE - 4);
	assert_int_equal(reserve(f, gateway), 0);
	assert_int_equal(count_rows(f, 1), SIZE - 5);
	assert_int_equal(count_rows(f, 2), 3);
	for (unsigned i = 1; i < SIZE - 1; i++)
		assert_int_equal(add(f, host(2000 + i), 3), 0);
	assert_int_equal(add(f, host(3000), 3), -ENOSPC);
	assert_int_equal(add(f, host(2000), 4), 0);
	assert_int_equal(reserve(f, host(1)), -ENOSPC);
}

static void test_macs_cannot_be_changed_without_end(void **state)
{
	struct fixture *f = *state;
	struct ip_addr news;
	struct binding at;

	assert_int_equal(add(f, host(1), 1), 0);
	assert_int_equal(add(f, host(2), 2), 0);
	for (unsigned i = 0; i < 10 * BINDING_CHANGES_PER_S; i++)
		assert_true(check_mac(f, host(1), 1, 1000 + i, 100));
	/* The address is its own all the same, only the MAC is that of the last change allowed. */
	assert_at(f, host(1), 1, 1000 + BINDING_CHANGES_PER_S - 1);
	assert_false(check(f, link_local(1), 1, 100));
	assert_true(check(f, host(2), 2, 100));
	assert_at(f, host(2), 2, 2);
	assert_true(check(f, link_local(1), 1, 101));
	assert_true(check_mac(f, host(1), 1, 9, 101));
	assert_at(f, host(1), 1, 9);
	/* News: three addresses, each once. */
	for (unsigned i = 0; i < 3; i++)
		assert_true(
			next_news(f, &news) && binding_find(f->bindings, &f->cache, &news, &at));
	assert_false(next_news(f, &news));
}

static void test_learning_is_limited_in_time(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	bindings_set_limit(f->bindings, 1, 1);
	for (unsigned i = 0; i < 1000; i++) {
		n += check(f, host(i), 1, 100);
		(void)drop(f, host(i));
	}
	assert_int_equal(n, BINDING_CHANGES_PER_S);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, binding_setup, binding_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_link_local_is_learned_anywhere),
		TEST(test_limit_of_a_port),
		TEST(test_lowered_limit),
		TEST(test_addresses_of_no_host),
		TEST(test_learned_address_moves_only_when_aged),
		TEST(test_moving_needs_permission),
		TEST(test_learned_address_expires_unless_it_speaks),
		TEST(test_configuration_takes_over_what_was_learned),
		TEST(test_full_table_pushes_nobody_out),
		TEST(test_configuration_makes_room),
		TEST(test_macs_cannot_be_changed_without_end),
		TEST(test_learning_is_limited_in_time),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
