/* SPDX-License-Identifier: BSD-3-Clause */

/* The forwarding database under floods: who gives way, and how much a port may change. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_hash_crc.h>

#include "switch/control/eal.h"
#include "tests/unit/fdb_fixture.h"

/* --- who gives way --------------------------------------------------------------------------- */

static void test_flood_replaces_itself(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, 20, 1, 100);
	learn_many(f, 100, 10, 2, 100);
	learn_many(f, 1000, 500, 3, 100);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(port_of(f, i), 1);
	for (unsigned i = 100; i < 110; i++)
		assert_int_equal(port_of(f, i), 2);
	assert_int_equal(count_rows(f->fdb), SIZE);
	assert_int_equal(stats(f, 3).n_entries, SIZE - 30);
	assert_int_equal(stats(f, 3).n_evicted, 500 - (SIZE - 30));
	assert_int_equal(stats(f, 3).n_learned, 500);
	assert_int_equal(stats(f, 1).n_evicted + stats(f, 2).n_evicted, 0);
	assert_int_equal(port_of(f, 1499), 3);
	assert_int_equal(port_of(f, 1000), FDB_PORT_NONE);
}

static void test_newcomer_takes_from_the_largest(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, 40, 1, 100);
	learn_many(f, 100, 24, 2, 100);
	learn_many(f, 200, 16, 3, 100);
	assert_int_equal(stats(f, 1).n_entries, 24);
	assert_int_equal(stats(f, 2).n_entries, 24);
	assert_int_equal(stats(f, 3).n_entries, 16);
	/* More than that only as far as nobody falls below it. */
	learn_many(f, 300, 500, 3, 100);
	assert_in_range(stats(f, 1).n_entries, 21, 22);
	assert_in_range(stats(f, 2).n_entries, 21, 22);
	assert_in_range(stats(f, 3).n_entries, 21, 22);
	assert_int_equal(count_rows(f->fdb), SIZE);
}

static void test_equals_leave_each_other_alone(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, SIZE / 2, 1, 100);
	learn_many(f, 100, SIZE / 2, 2, 100);
	learn_many(f, 1000, 100, 1, 100);
	assert_int_equal(stats(f, 2).n_evicted, 0);
	learn_many(f, 2000, 100, 2, 100);
	assert_int_equal(stats(f, 1).n_evicted, 100);
	assert_int_equal(stats(f, 2).n_evicted, 100);
}

static void test_what_speaks_outlives_what_is_silent(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, SIZE, 1, 100);
	/* Every eighth goes on to speak. */
	for (unsigned i = 0; i < SIZE; i += 8)
		learn(f, i, 1, 101);
	learn_many(f, 1000, SIZE - SIZE / 8, 1, 102);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(port_of(f, i), i % 8 ? FDB_PORT_NONE : 1);
}

static void test_eviction_is_seen_through_a_warm_cache(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, SIZE, 1, 100);
	assert_int_equal(port_of(f, 0), 1);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 0)), 1);
	learn(f, 1000, 2, 100);
	assert_int_equal(port_of(f, 0), FDB_PORT_NONE);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 0)), FDB_PORT_NONE);
}

static void test_port_at_its_limit_replaces_its_own(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_set_limit(f->fdb, 1, 4);
	learn_many(f, 100, 6, 2, 100);
	learn_many(f, 0, 4, 1, 100);
	learn(f, 0, 1, 101);
	learn_many(f, 10, 2, 1, 102);
	assert_int_equal(port_of(f, 0), 1);
	assert_int_equal(port_of(f, 1), FDB_PORT_NONE);
	assert_int_equal(port_of(f, 2), FDB_PORT_NONE);
	assert_int_equal(port_of(f, 3), 1);
	assert_int_equal(port_of(f, 10), 1);
	assert_int_equal(port_of(f, 11), 1);
	/* An address that moves to it is one more as well. */
	learn(f, 100, 1, 102);
	assert_int_equal(port_of(f, 100), 1);
	assert_int_equal(port_of(f, 3), FDB_PORT_NONE);
	assert_int_equal(stats(f, 1).n_entries, 4);
	assert_int_equal(stats(f, 1).n_evicted, 3);
	assert_int_equal(stats(f, 2).n_entries, 5);
	assert_int_equal(stats(f, 2).n_evicted, 0);
}

static void test_limit_of_one(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_set_limit(f->fdb, 1, 1);
	learn(f, 1, 1, 100);
	learn(f, 1, 1, 101);
	learn(f, 2, 1, 101);
	assert_int_equal(port_of(f, 1), FDB_PORT_NONE);
	assert_int_equal(port_of(f, 2), 1);
}

static void test_lower_limit_holds_at_once(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, 10, 1, 100);
	learn(f, 0, 1, 101);
	fdb_set_limit(f->fdb, 1, 3);
	assert_int_equal(stats(f, 1).n_entries, 3);
	assert_int_equal(stats(f, 1).n_evicted, 7);
	assert_int_equal(port_of(f, 0), 1);
	assert_int_equal(port_of(f, 8), 1);
	assert_int_equal(port_of(f, 9), 1);
	fdb_set_limit(f->fdb, 1, 0);
	learn_many(f, 20, 10, 1, 101);
	assert_int_equal(stats(f, 1).n_entries, 13);
}

/* --- what a flood may change ----------------------------------------------------------------- */

static void test_replacements_are_limited(void **state)
{
	struct fdb_fixture *f = *state;
	const unsigned n = FDB_REPLACEMENTS_PER_S;

	learn_many(f, 0, SIZE, 1, 100);
	learn_many(f, 1000, 3 * n, 1, 100);
	assert_int_equal(stats(f, 1).n_evicted, n);
	assert_int_equal(stats(f, 1).n_refused, 2 * n);
	/* A worker whose clock is behind renews nothing, and neither does its return. */
	learn_many(f, 9000, 10, 1, 99);
	learn_many(f, 9100, 10, 1, 100);
	assert_int_equal(stats(f, 1).n_evicted, n);
	/* It is this port that has to wait, nobody else. */
	learn(f, 10000, 2, 100);
	assert_int_equal(port_of(f, 10000), 2);
	learn_many(f, 20000, n + 1, 1, 101);
	assert_int_equal(stats(f, 1).n_learned, SIZE + 2 * n);
	assert_int_equal(stats(f, 1).n_refused, 2 * n + 21);
}

static void test_moves_are_limited_by_themselves(void **state)
{
	struct fdb_fixture *f = *state;
	const unsigned n = FDB_MOVES_PER_S;

	/* Two ports take an address of a third from each other. */
	learn(f, 1, 1, 100);
	for (unsigned i = 0; i < n + 10; i++) {
		learn(f, 1, 2, 100);
		learn(f, 1, 3, 100);
	}
	assert_int_equal(stats(f, 2).n_moved, n);
	assert_int_equal(stats(f, 3).n_moved, n);
	assert_int_equal(stats(f, 2).n_refused, 10);
	learn_many(f, 1000, 2, 2, 100);
	assert_int_equal(port_of(f, 1001), 2);
	/* Replacements used up do not keep an address from moving. */
	learn_many(f, 2000, 2 * FDB_REPLACEMENTS_PER_S, 4, 101);
	assert_true(stats(f, 4).n_refused > 0);
	learn(f, 1001, 4, 101);
	assert_int_equal(port_of(f, 1001), 4);
	assert_int_equal(stats(f, 4).n_moved, 1);
}

static void test_stolen_address_always_comes_home(void **state)
{
	struct fdb_fixture *f = *state;

	learn(f, 1, 1, 100);
	for (unsigned i = 0; i < FDB_MOVES_PER_S; i++) {
		/* One thief takes it from the other, whose worker's clock is ahead. */
		learn(f, 1, 2, 100);
		learn(f, 1, 3, 99);
		assert_int_equal(port_of(f, 1), 3);
		learn(f, 1, 1, 100);
		assert_int_equal(port_of(f, 1), 1);
		learn(f, 1, 4, 100);
		assert_int_equal(port_of(f, 1), 4);
		learn(f, 1, 1, 100);
		assert_int_equal(port_of(f, 1), 1);
	}
	assert_int_equal(stats(f, 1).n_moved, 2 * FDB_MOVES_PER_S);
	assert_int_equal(stats(f, 1).n_refused, 0);
	learn(f, 1, 4, 100);
	assert_int_equal(port_of(f, 1), 1);
}

static void test_settled_address_is_at_home_where_it_is(void **state)
{
	struct fdb_fixture *f = *state;
	const unsigned n = FDB_MOVES_PER_S;

	learn(f, 1, 1, 100);
	learn(f, 1, 2, 110);
	learn(f, 1, 2, 110 + FDB_SETTLED_S);
	for (unsigned i = 0; i < n + 1; i++) {
		learn(f, 1, 1, 110 + FDB_SETTLED_S);
		learn(f, 1, 2, 110 + FDB_SETTLED_S);
	}
	assert_int_equal(stats(f, 1).n_moved, n);
	assert_int_equal(stats(f, 1).n_refused, 1);
	assert_int_equal(stats(f, 2).n_moved, n + 1);
	assert_int_equal(port_of(f, 1), 2);
}

/*
 * Keys that share their CRC whatever it starts with: sums of the base and of differences that the
 * CRC, which is linear, takes for nothing. Elimination finds those among the 48 bits of a MAC.
 */
static unsigned crc_twins(uint64_t *out, unsigned max)
{
	uint64_t row_key[32] = { 0 }, kernel[16], bit;
	uint32_t row_crc[32] = { 0 }, zero = rte_hash_crc_8byte(0, 0), crc;
	unsigned n = 0, n_kernel = 0;

	for (unsigned i = 0; i < 48; i++) {
		bit = 1ull << i;
		crc = rte_hash_crc_8byte(bit, 0) ^ zero;
		while (crc && row_crc[31 - __builtin_clz(crc)]) {
			unsigned row = 31 - (unsigned)__builtin_clz(crc);

			crc ^= row_crc[row];
			bit ^= row_key[row];
		}
		if (crc) {
			row_crc[31 - __builtin_clz(crc)] = crc;
			row_key[31 - __builtin_clz(crc)] = bit;
		} else if (n_kernel < 16) {
			kernel[n_kernel++] = bit;
		}
	}
	for (; n < max && n < 1u << n_kernel; n++) {
		out[n] = 0;
		for (unsigned i = 0; i < n_kernel; i++)
			out[n] ^= n >> i & 1 ? kernel[i] : 0;
	}
	return n;
}

static void test_nobody_fills_a_bucket_on_purpose(void **state)
{
	struct fdb_fixture *f = *state;
	uint64_t twin[SIZE];

	assert_int_equal(crc_twins(twin, SIZE), SIZE);
	for (unsigned i = 0; i < SIZE; i++) {
		assert_int_equal(rte_hash_crc_8byte(twin[i], 7), rte_hash_crc_8byte(twin[0], 7));
		fdb_learn(f->fdb, &f->cache, twin[i], 1, 100);
	}
	assert_int_equal(count_rows(f->fdb), SIZE);
	assert_int_equal(stats(f, 1).n_refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_flood_replaces_itself, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_newcomer_takes_from_the_largest, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_equals_leave_each_other_alone, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_what_speaks_outlives_what_is_silent, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_eviction_is_seen_through_a_warm_cache, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_port_at_its_limit_replaces_its_own, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(test_limit_of_one, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_lower_limit_holds_at_once, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_replacements_are_limited, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_moves_are_limited_by_themselves, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_stolen_address_always_comes_home, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_settled_address_is_at_home_where_it_is, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_nobody_fills_a_bucket_on_purpose, fdb_setup, fdb_teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
