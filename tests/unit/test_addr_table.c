/* SPDX-License-Identifier: BSD-3-Clause */

/* The address table: what is stored is found, also through caches that know something older. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "switch/datapath/addr_table.h"
#include "tests/unit/addr_fixture.h"

#define SIZE 2048

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct addr_table *table;
	struct addr_cache cache; /* of one worker */
	struct addr_cache other; /* of another */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	assert_non_null(f);
	f->qsbr = new_qsbr(2);
	f->table = addr_table_new("test", SIZE, f->qsbr, &err);
	assert_non_null(f->table);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	addr_table_free(f->table);
	free(f->qsbr);
	free(f);
	return 0;
}

static int32_t store(struct fixture *f, struct ip_addr addr, uint64_t value)
{
	return addr_table_store(f->table, &addr, value, 100);
}

static int32_t find(struct fixture *f, struct ip_addr addr, uint64_t *value)
{
	return addr_table_find(f->table, &f->cache, &addr, value);
}

/* By the other worker; 0: it is not there. */
static uint64_t value_of(struct fixture *f, struct ip_addr addr)
{
	uint64_t value;

	if (addr_table_find(f->table, &f->other, &addr, &value) < 0)
		assert_int_equal(value, 0);
	return value;
}

static int drop(struct fixture *f, struct ip_addr addr)
{
	return addr_table_remove(f->table, &addr);
}

static void test_word_of_mac_and_more(void **state)
{
	struct mac mac = { { 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa } }, zero = { { 0 } }, back;
	uint64_t value = addr_value(&mac, 0xfedc);

	back = addr_value_mac(value);
	assert_memory_equal(&back, &mac, sizeof(mac));
	assert_int_equal(addr_value_more(value), 0xfedc);
	assert_true(addr_value_has_mac(value, &mac));
	assert_false(addr_value_has_mac(value, &zero));
	back.byte[5] ^= 0x80;
	assert_false(addr_value_has_mac(value, &back));
	assert_true(addr_value_has_mac(addr_value(&zero, 0xffff), &zero));
}

static void test_stored_address_is_found(void **state)
{
	struct fixture *f = *state;
	uint64_t value;
	int32_t position = store(f, host(1), 0xfedcba9876543210);

	assert_true(position >= 0);
	assert_int_equal(find(f, host(1), &value), position);
	assert_int_equal(value, 0xfedcba9876543210);
	assert_int_equal(find(f, host(1), &value), position);
	assert_int_equal(value, 0xfedcba9876543210);
	assert_true(find(f, host(2), &value) < 0);
	assert_true(find(f, host6(1), &value) < 0);
	assert_int_equal(addr_table_n_entries(f->table), 1);
}

static void test_value_of_nothing_is_a_value(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 1;
	int32_t position = store(f, host(1), 0);

	assert_int_equal(find(f, host(1), &value), position);
	assert_int_equal(value, 0);
}

static void test_change_is_seen_through_a_warm_cache(void **state)
{
	struct fixture *f = *state;
	int32_t position;

	assert_int_equal(value_of(f, host(1)), 0);
	assert_int_equal(value_of(f, host(1)), 0);
	position = store(f, host(1), 7);
	assert_int_equal(value_of(f, host(1)), 7);
	assert_int_equal(store(f, host(1), 8), position);
	assert_int_equal(value_of(f, host(1)), 8);
	assert_int_equal(addr_table_n_entries(f->table), 1);
	assert_int_equal(drop(f, host(1)), 0);
	assert_int_equal(value_of(f, host(1)), 0);
	assert_int_equal(drop(f, host(1)), -ENOENT);
	assert_int_equal(addr_table_n_entries(f->table), 0);
}

/* Many more than the cache has places, twice, in all halves of the address. */
static void test_addresses_are_not_mistaken_for_each_other(void **state)
{
	struct fixture *f = *state;
	const unsigned n = SIZE / 4;

	for (unsigned i = 0; i < n; i++) {
		struct ip_addr high = host6(0);

		memcpy(high.byte + 4, &i, sizeof(i));
		high.byte[15] = 1;
		assert_true(store(f, host(i), i + 1) >= 0);
		assert_true(store(f, host6(i), i + 10001) >= 0);
		assert_true(store(f, link_local(i), i + 20001) >= 0);
		assert_true(store(f, i ? high : host6(n), i + 30001) >= 0);
	}
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(value_of(f, host(i)), i + 1);
			assert_int_equal(value_of(f, host6(i)), i + 10001);
			assert_int_equal(value_of(f, link_local(i)), i + 20001);
			assert_int_equal(value_of(f, host(n + i)), 0);
		}
	assert_true(addr_table_is_full(f->table));
}

static void test_full_table_refuses_what_is_new(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < SIZE; i++)
		assert_true(store(f, host(i), 1) >= 0);
	assert_int_equal(store(f, host(SIZE), 1), -ENOSPC);
	assert_int_equal(value_of(f, host(SIZE)), 0);
	assert_true(store(f, host(5), 2) >= 0);
	assert_int_equal(value_of(f, host(5)), 2);
	assert_int_equal(drop(f, host(5)), 0);
	assert_true(store(f, host(SIZE), 1) >= 0);
}

static void test_slots_come_back(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < SIZE; i++)
			assert_true(store(f, host(round * SIZE + i), 1) >= 0);
		for (unsigned i = 0; i < SIZE; i++)
			assert_int_equal(drop(f, host(round * SIZE + i)), 0);
	}
	assert_int_equal(addr_table_n_entries(f->table), 0);
}

static void test_time_of_confirmation(void **state)
{
	struct fixture *f = *state;
	int32_t position = store(f, host(1), 1);

	assert_int_equal(addr_table_seen(f->table, position), 100);
	addr_table_touch(f->table, position, 107);
	assert_int_equal(addr_table_seen(f->table, position), 107);
	(void)store(f, host(1), 2);
	assert_int_equal(addr_table_seen(f->table, position), 100);
}

static void test_walk_shows_every_row_once(void **state)
{
	struct fixture *f = *state;
	unsigned n_seen[100] = { 0 }, n = 0;
	struct addr_row row;
	uint32_t cursor = 0;

	for (unsigned i = 0; i < 100; i++)
		(void)store(f, host(i), i);
	for (unsigned i = 0; i < 100; i += 2)
		(void)drop(f, host(i));
	while (addr_table_next(f->table, &cursor, &row)) {
		struct ip_addr expected = host((unsigned)row.value);
		struct addr_row again;

		assert_true(row.value < 100);
		assert_true(ip_addr_equal(&row.addr, &expected));
		assert_int_equal(row.seen_s, 100);
		assert_true(addr_table_at(f->table, row.position, &again));
		assert_int_equal(again.value, row.value);
		n_seen[row.value]++;
		n++;
	}
	assert_int_equal(n, 50);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(n_seen[i], i % 2);
}

static void test_longest_unseen_of_a_kind(void **state)
{
	struct fixture *f = *state;
	struct ip_addr expected = host(3);
	struct addr_row row;

	assert_false(addr_table_oldest(f->table, 1, 1, &row));
	for (unsigned i = 1; i <= 6; i++)
		addr_table_touch(f->table, store(f, host(i), i), 300 - i);
	addr_table_touch(f->table, store(f, host(3), 3), 200);
	assert_true(addr_table_oldest(f->table, 1, 1, &row));
	assert_true(ip_addr_equal(&row.addr, &expected));
	assert_true(addr_table_oldest(f->table, 1, 0, &row));
	expected = host(6);
	assert_true(ip_addr_equal(&row.addr, &expected));
	assert_false(addr_table_oldest(f->table, 8, 8, &row));
}

static void test_table_larger_than_memory(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	assert_null(addr_table_new("huge", 1u << 30, f->qsbr, &err));
	assert_string_equal(err.text, "no memory for 1073741824 addresses (huge)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_word_of_mac_and_more),
		cmocka_unit_test_setup_teardown(test_stored_address_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_value_of_nothing_is_a_value, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_change_is_seen_through_a_warm_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_addresses_are_not_mistaken_for_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_full_table_refuses_what_is_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slots_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_of_confirmation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_shows_every_row_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_unseen_of_a_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_larger_than_memory, setup, teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
