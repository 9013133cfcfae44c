/* SPDX-License-Identifier: BSD-3-Clause */

/* The forwarding database: learning, moving, ageing, deleting, static entries, stale caches. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "tests/unit/fdb_fixture.h"

static void test_learned_address_is_found(void **state)
{
	struct fdb_fixture *f = *state;

	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), FDB_PORT_NONE);
	fdb_learn(f->fdb, &f->cache, key(0, 1), 7, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), 7);
	assert_int_equal(fdb_lookup(f->fdb, &f->other, key(0, 1)), 7);
}

static void test_vlans_are_separate(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(10, 1), 1, 100);
	fdb_learn(f->fdb, &f->cache, key(20, 1), 2, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(10, 1)), 1);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(20, 1)), 2);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), FDB_PORT_NONE);
}

static void test_move_is_seen_through_a_warm_cache(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->other, key(0, 1)), 1);
	fdb_learn(f->fdb, &f->cache, key(0, 1), 2, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->other, key(0, 1)), 2);
	assert_int_equal(count_rows(f->fdb), 1);
	assert_int_equal(stats(f, 1).n_entries, 0);
	assert_int_equal(stats(f, 2).n_entries, 1);
	assert_int_equal(stats(f, 2).n_moved, 1);
	assert_int_equal(stats(f, 1).n_moved, 0);
}

static void test_reflections_move_nothing(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_set_hold(f->fdb, 2, true);
	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 100);
	for (uint32_t s = 100; s <= 101; s++)
		fdb_learn(f->fdb, &f->cache, key(0, 1), 2, s);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), 1);
	assert_int_equal(stats(f, 2).n_held, 2);
	assert_int_equal(stats(f, 2).n_moved, 0);
	/* From there to elsewhere, and when nobody has heard of it where it was: at once. */
	fdb_learn(f->fdb, &f->cache, key(0, 1), 2, 102);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), 2);
	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 102);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), 1);
	/* A new address is nobody's. */
	fdb_learn(f->fdb, &f->cache, key(0, 2), 2, 102);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 2)), 2);
}

static void test_address_expires_unless_it_speaks(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 100);
	fdb_learn(f->fdb, &f->cache, key(0, 2), 2, 100);
	fdb_learn(f->fdb, &f->cache, key(0, 2), 2, 350);
	assert_int_equal(fdb_expire(f->fdb, 400, 300), 0);
	assert_int_equal(fdb_expire(f->fdb, 401, 300), 1);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), FDB_PORT_NONE);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 2)), 2);
}

static void test_a_clock_ahead_does_not_expire(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 101);
	assert_int_equal(fdb_expire(f->fdb, 100, 10), 0);
}

static void test_port_is_forgotten_alone(void **state)
{
	struct fdb_fixture *f = *state;

	for (unsigned i = 0; i < 20; i++)
		fdb_learn(f->fdb, &f->cache, key(0, i), (uint16_t)(i % 2), 100);
	assert_int_equal(fdb_forget_port(f->fdb, 1), 10);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(
			fdb_lookup(f->fdb, &f->cache, key(0, i)), i % 2 ? FDB_PORT_NONE : 0);
}

static void test_slots_come_back_after_a_grace_period(void **state)
{
	struct fdb_fixture *f = *state;

	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < SIZE; i++)
			fdb_learn(f->fdb, &f->cache, key((uint16_t)(round + 1), i), 3, 100);
		assert_int_equal(fdb_flush(f->fdb, 3), SIZE);
		assert_int_equal(count_rows(f->fdb), 0);
	}
	assert_int_equal(stats(f, 3).n_refused, 0);
	assert_int_equal(stats(f, 3).n_learned, 100 * SIZE);
}

/* --- static entries -------------------------------------------------------------------------- */

static void test_static_entry_stays(void **state)
{
	struct fdb_fixture *f = *state;

	assert_int_equal(fdb_add_static(f->fdb, key(0, 1), 1), 0);
	assert_int_equal(port_of(f, 1), 1);
	learn(f, 1, 2, 100);
	learn(f, 1, 2, 101);
	learn(f, 1, 1, 101);
	assert_int_equal(port_of(f, 1), 1);
	assert_int_equal(stats(f, 2).n_static_conflicts, 2);
	assert_int_equal(stats(f, 2).n_moved, 0);
	assert_int_equal(fdb_expire(f->fdb, 100000, 300), 0);
	assert_int_equal(fdb_flush(f->fdb, 1), 0);
	assert_int_equal(fdb_flush(f->fdb, FDB_PORT_NONE), 0);
	for (uint32_t s = 200; s < 210; s++)
		learn_many(f, 1000 * s, 1000, 1, s);
	assert_int_equal(port_of(f, 1), 1);
	assert_int_equal(stats(f, 1).n_static, 1);
	assert_int_equal(stats(f, 1).n_entries, SIZE - 1);
}

static void test_static_entries_are_shown(void **state)
{
	struct fdb_fixture *f = *state;
	uint32_t cursor = 0;
	struct fdb_row row;

	assert_int_equal(fdb_add_static(f->fdb, key(7, 0x0102), 9), 0);
	assert_true(fdb_next(f->fdb, &cursor, &row));
	assert_true(row.is_static);
	assert_int_equal(row.vlan, 7);
	assert_int_equal(row.port, 9);
	assert_int_equal(row.mac.byte[4], 1);
	assert_int_equal(row.mac.byte[5], 2);
	assert_int_equal(row.seen_s, 0);
	assert_false(fdb_next(f->fdb, &cursor, &row));
	fdb_learn(f->fdb, &f->cache, key(7, 0x0102), 9, 55);
	cursor = 0;
	assert_true(fdb_next(f->fdb, &cursor, &row));
	assert_int_equal(row.seen_s, 55);
}

static void test_static_takes_over_what_was_learned(void **state)
{
	struct fdb_fixture *f = *state;

	learn(f, 1, 1, 100);
	assert_int_equal(port_of(f, 1), 1);
	assert_int_equal(fdb_add_static(f->fdb, key(0, 1), 2), 0);
	assert_int_equal(port_of(f, 1), 2);
	assert_int_equal(stats(f, 1).n_entries, 0);
	assert_int_equal(stats(f, 2).n_entries, 0);
	assert_int_equal(stats(f, 2).n_static, 1);
	assert_int_equal(fdb_add_static(f->fdb, key(0, 1), 3), 0);
	assert_int_equal(port_of(f, 1), 3);
	assert_int_equal(stats(f, 2).n_static, 0);
	assert_int_equal(count_rows(f->fdb), 1);
	assert_int_equal(fdb_add_static(f->fdb, key(0, 2), FDB_PORT_MAX), -EINVAL);
}

static void test_static_entries_do_not_count_against_the_limit(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_set_limit(f->fdb, 1, 2);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(fdb_add_static(f->fdb, key(0, i), 1), 0);
	learn_many(f, 10, 3, 1, 100);
	assert_int_equal(stats(f, 1).n_static, 5);
	assert_int_equal(stats(f, 1).n_entries, 2);
	assert_int_equal(port_of(f, 12), 1);
}

static void test_table_full_of_static_entries(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 1000, SIZE, 1, 100);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(fdb_add_static(f->fdb, key(0, i), 2), 0);
	assert_int_equal(stats(f, 1).n_entries, 0);
	assert_int_equal(stats(f, 1).n_evicted, SIZE);
	assert_int_equal(fdb_add_static(f->fdb, key(0, SIZE), 2), -ENOSPC);
	learn(f, 1000, 1, 101);
	assert_int_equal(stats(f, 1).n_refused, 1);
	assert_int_equal(port_of(f, 1000), FDB_PORT_NONE);
	assert_int_equal(fdb_del(f->fdb, key(0, 5)), 0);
	learn(f, 1000, 1, 102);
	assert_int_equal(port_of(f, 1000), 1);
}

static void test_deletion_is_for_any_kind(void **state)
{
	struct fdb_fixture *f = *state;

	learn(f, 1, 1, 100);
	assert_int_equal(fdb_add_static(f->fdb, key(0, 2), 2), 0);
	assert_int_equal(port_of(f, 1), 1);
	assert_int_equal(port_of(f, 2), 2);
	assert_int_equal(fdb_del(f->fdb, key(0, 1)), 0);
	assert_int_equal(fdb_del(f->fdb, key(0, 2)), 0);
	assert_int_equal(fdb_del(f->fdb, key(0, 2)), -ENOENT);
	assert_int_equal(port_of(f, 1), FDB_PORT_NONE);
	assert_int_equal(port_of(f, 2), FDB_PORT_NONE);
	assert_int_equal(count_rows(f->fdb), 0);
}

static void test_flush_is_for_one_port_or_all(void **state)
{
	struct fdb_fixture *f = *state;

	learn_many(f, 0, 5, 1, 100);
	learn_many(f, 10, 6, 2, 100);
	assert_int_equal(fdb_add_static(f->fdb, key(0, 20), 1), 0);
	assert_int_equal(fdb_flush(f->fdb, 1), 5);
	assert_int_equal(port_of(f, 0), FDB_PORT_NONE);
	assert_int_equal(port_of(f, 10), 2);
	assert_int_equal(fdb_flush(f->fdb, FDB_PORT_NONE), 6);
	assert_int_equal(port_of(f, 20), 1);
	assert_int_equal(count_rows(f->fdb), 1);
}

static void test_gone_port_leaves_nothing(void **state)
{
	struct fdb_fixture *f = *state;
	struct fdb_port_stats s;

	fdb_set_limit(f->fdb, 1, 3);
	learn_many(f, 0, 5, 1, 100);
	learn(f, 10, 2, 100);
	assert_int_equal(fdb_add_static(f->fdb, key(0, 20), 1), 0);
	assert_int_equal(fdb_forget_port(f->fdb, 1), 4);
	s = stats(f, 1);
	assert_int_equal(s.n_entries + s.n_static + s.n_learned + s.n_evicted, 0);
	assert_int_equal(port_of(f, 20), FDB_PORT_NONE);
	assert_int_equal(port_of(f, 10), 2);
	learn_many(f, 0, 5, 1, 100);
	assert_int_equal(stats(f, 1).n_entries, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_learned_address_is_found, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(test_vlans_are_separate, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_move_is_seen_through_a_warm_cache, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_reflections_move_nothing, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_address_expires_unless_it_speaks, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_clock_ahead_does_not_expire, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_port_is_forgotten_alone, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_slots_come_back_after_a_grace_period, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(test_static_entry_stays, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_static_entries_are_shown, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_static_takes_over_what_was_learned, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(test_static_entries_do_not_count_against_the_limit,
			fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_table_full_of_static_entries, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_deletion_is_for_any_kind, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_flush_is_for_one_port_or_all, fdb_setup, fdb_teardown),
		cmocka_unit_test_setup_teardown(
			test_gone_port_leaves_nothing, fdb_setup, fdb_teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
