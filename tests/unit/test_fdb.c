/* SPDX-License-Identifier: BSD-3-Clause */

/* The forwarding database: learning, moving, ageing, a full table, and what caches may say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "switch/control/eal.h"
#include "switch/datapath/fdb.h"

#define SIZE 64

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct fdb_cache cache; /* of one worker */
	struct fdb_cache other; /* of another */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t size = rte_rcu_qsbr_get_memsize(2);
	struct err err;

	assert_non_null(f);
	assert_int_equal(posix_memalign((void **)&f->qsbr, 64, size), 0);
	rte_rcu_qsbr_init(f->qsbr, 2);
	f->fdb = fdb_new(SIZE, f->qsbr, &err);
	assert_non_null(f->fdb);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fdb_free(f->fdb);
	free(f->qsbr);
	free(f);
	return 0;
}

static uint64_t key(uint16_t vlan, unsigned n)
{
	struct mac mac = { { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };

	return fdb_key(vlan, &mac);
}

static unsigned count(struct fdb *fdb)
{
	struct fdb_row row;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (fdb_next(fdb, &cursor, &row))
		n++;
	return n;
}

static void test_learned_address_is_found(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), FDB_PORT_NONE);
	fdb_learn(f->fdb, &f->cache, key(0, 1), 7, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), 7);
	assert_int_equal(fdb_lookup(f->fdb, &f->other, key(0, 1)), 7);
}

static void test_vlans_are_separate(void **state)
{
	struct fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(10, 1), 1, 100);
	fdb_learn(f->fdb, &f->cache, key(20, 1), 2, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(10, 1)), 1);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(20, 1)), 2);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 1)), FDB_PORT_NONE);
}

static void test_move_is_seen_through_a_warm_cache(void **state)
{
	struct fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->other, key(0, 1)), 1);
	fdb_learn(f->fdb, &f->cache, key(0, 1), 2, 100);
	assert_int_equal(fdb_lookup(f->fdb, &f->other, key(0, 1)), 2);
	assert_int_equal(count(f->fdb), 1);
}

static void test_address_expires_unless_it_speaks(void **state)
{
	struct fixture *f = *state;

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
	struct fixture *f = *state;

	fdb_learn(f->fdb, &f->cache, key(0, 1), 1, 101);
	assert_int_equal(fdb_expire(f->fdb, 100, 10), 0);
}

static void test_port_is_forgotten_alone(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 20; i++)
		fdb_learn(f->fdb, &f->cache, key(0, i), (uint16_t)(i % 2), 100);
	assert_int_equal(fdb_forget_port(f->fdb, 1), 10);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(
			fdb_lookup(f->fdb, &f->cache, key(0, i)), i % 2 ? FDB_PORT_NONE : 0);
}

static void test_full_table_keeps_what_it_has(void **state)
{
	struct fixture *f = *state;
	unsigned held;

	for (unsigned i = 0; i < 4 * SIZE; i++)
		fdb_learn(f->fdb, &f->cache, key(0, i), 3, 100);
	held = count(f->fdb);
	assert_true(held >= SIZE && held < 4 * SIZE);
	assert_int_equal(fdb_n_refused(f->fdb), 4 * SIZE - held);
	assert_int_equal(fdb_lookup(f->fdb, &f->cache, key(0, 0)), 3);
}

static void test_slots_come_back_after_a_grace_period(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < SIZE; i++)
			fdb_learn(f->fdb, &f->cache, key((uint16_t)(round + 1), i), 3, 100);
		fdb_forget_port(f->fdb, 3);
		assert_int_equal(count(f->fdb), 0);
	}
	assert_int_equal(fdb_n_refused(f->fdb), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_learned_address_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vlans_are_separate, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_move_is_seen_through_a_warm_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_address_expires_unless_it_speaks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_clock_ahead_does_not_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_is_forgotten_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_table_keeps_what_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_slots_come_back_after_a_grace_period, setup, teardown),
	};
	struct err err = { "" };

	if (eal_start(32, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
