/* SPDX-License-Identifier: BSD-3-Clause */

/* The neighbour cache: what is permanent, what is heard, and what a liar on the network cannot do.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/control/eal.h"
#include "switch/datapath/neigh_cache.h"
#include "tests/unit/addr_fixture.h"

#define SIZE      64
#define MANY      10000
#define ASKED     true
#define NOT_ASKED false

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct neigh_cache *cache;
	struct addr_cache one; /* of one worker */
	struct addr_cache two; /* of another */
};

static int setup_of_size(void **state, uint32_t size)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	assert_non_null(f);
	f->qsbr = new_qsbr(2);
	f->cache = neigh_cache_new(size, f->qsbr, &err);
	assert_non_null(f->cache);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_of_size(state, SIZE);
}

static int setup_many(void **state)
{
	return setup_of_size(state, MANY);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	neigh_cache_free(f->cache);
	free(f->qsbr);
	free(f);
	return 0;
}

/* --- what the tests say ---------------------------------------------------------------------- */

static int set_permanent(struct fixture *f, struct ip_addr addr, unsigned mac)
{
	struct mac at = station(mac);

	return neigh_set_permanent(f->cache, &addr, &at);
}

static int unset_permanent(struct fixture *f, struct ip_addr addr)
{
	return neigh_unset_permanent(f->cache, &addr);
}

static int set_gateway(struct fixture *f, struct ip_addr addr, bool gateway)
{
	return neigh_set_gateway(f->cache, &addr, gateway);
}

static void heard(struct fixture *f, struct ip_addr addr, unsigned mac, bool asked, uint32_t now_s)
{
	struct mac at = station(mac);

	neigh_heard(f->cache, &f->one, &addr, &at, asked, now_s);
}

static bool find(struct fixture *f, struct ip_addr addr, struct neighbour *out)
{
	return neigh_find(f->cache, &f->two, &addr, out);
}

static void assert_unknown(struct fixture *f, struct ip_addr addr)
{
	struct neighbour out;

	assert_false(find(f, addr, &out));
}

/* At this station, or (0) at none that is known. */
static void assert_at(
	struct fixture *f, struct ip_addr addr, unsigned mac, bool permanent, bool gateway)
{
	struct mac expected = { { 0 } };
	struct neighbour out;

	if (mac)
		expected = station(mac);
	assert_true(find(f, addr, &out));
	assert_memory_equal(&out.mac, &expected, sizeof(expected));
	assert_int_equal(out.permanent, permanent);
	assert_int_equal(out.gateway, gateway);
}

static unsigned count_rows(struct fixture *f)
{
	struct neigh_row row;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (neigh_next(f->cache, &cursor, &row))
		n++;
	return n;
}

/* --- permanent entries ----------------------------------------------------------------------- */

static void test_permanent_entry_stays(void **state)
{
	struct fixture *f = *state;

	assert_unknown(f, host(1));
	assert_int_equal(set_permanent(f, host(1), 1), 0);
	assert_at(f, host(1), 1, true, false);
	heard(f, host(1), 2, ASKED, 100);
	heard(f, host(1), 2, NOT_ASKED, 100);
	heard(f, host(1), 1, NOT_ASKED, 100);
	assert_at(f, host(1), 1, true, false);
	assert_int_equal(neigh_expire(f->cache, 10000), 0);
	neigh_flush(f->cache);
	assert_at(f, host(1), 1, true, false);
	assert_int_equal(set_permanent(f, host(1), 3), 0);
	assert_at(f, host(1), 3, true, false);
	assert_int_equal(count_rows(f), 1);
}

static void test_permanent_no_more(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unset_permanent(f, host(1)), -ENOENT);
	assert_int_equal(set_permanent(f, host(1), 1), 0);
	assert_int_equal(unset_permanent(f, host(1)), 0);
	assert_unknown(f, host(1));
	assert_int_equal(set_permanent(f, host(1), 1), 0);
	assert_int_equal(set_gateway(f, host(1), true), 0);
	assert_at(f, host(1), 1, true, true);
	assert_int_equal(unset_permanent(f, host(1)), 0);
	assert_at(f, host(1), 0, false, true);
	assert_int_equal(unset_permanent(f, host(1)), -ENOENT);
	heard(f, host(1), 2, NOT_ASKED, 100);
	assert_at(f, host(1), 2, false, true);
}

static void test_permanent_takes_over_what_was_heard(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_gateway(f, host(1), true), 0);
	heard(f, host(1), 1, ASKED, 100);
	assert_int_equal(set_permanent(f, host(1), 2), 0);
	assert_at(f, host(1), 2, true, true);
	heard(f, host(1), 1, ASKED, 100);
	assert_at(f, host(1), 2, true, true);
}

static void test_many_permanent_entries(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(set_permanent(f, i % 2 ? host(i) : host6(i), i + 1), 0);
	assert_int_equal(set_permanent(f, host(MANY + 1), 1), -ENOSPC);
	for (unsigned i = 0; i < MANY; i++)
		assert_at(f, i % 2 ? host(i) : host6(i), i + 1, true, false);
	assert_int_equal(count_rows(f), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(unset_permanent(f, i % 2 ? host(i) : host6(i)), 0);
	assert_int_equal(count_rows(f), 0);
	assert_int_equal(set_permanent(f, host(MANY + 1), 1), 0);
}

/* --- what is heard --------------------------------------------------------------------------- */

static void test_answers_teach(void **state)
{
	struct fixture *f = *state;

	heard(f, host(1), 1, ASKED, 100);
	assert_at(f, host(1), 1, false, false);
	/* From then on it is known, and followed. */
	heard(f, host(1), 2, NOT_ASKED, 101);
	assert_at(f, host(1), 2, false, false);
}

static void test_strangers_teach_nothing(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 1000; i++)
		heard(f, host(i), i, NOT_ASKED, 100);
	assert_int_equal(count_rows(f), 0);
	assert_unknown(f, host(1));
}

static void test_macs_and_addresses_of_nobody(void **state)
{
	struct mac zero = { { 0 } }, group = { { 1, 0, 0x5e } };
	struct ip_addr gateway = host(1), multicast;
	struct fixture *f = *state;

	assert_int_equal(set_gateway(f, gateway, true), 0);
	heard(f, gateway, 1, ASKED, 100);
	neigh_heard(f->cache, &f->one, &gateway, &zero, ASKED, 100);
	neigh_heard(f->cache, &f->one, &gateway, &group, ASKED, 100);
	assert_at(f, gateway, 1, false, true);
	assert_int_equal(ip_addr_parse("ff02::1", &multicast), 0);
	heard(f, multicast, 1, ASKED, 100);
	assert_unknown(f, multicast);
}

static void test_heard_entry_expires_unless_confirmed(void **state)
{
	struct fixture *f = *state;

	heard(f, host(1), 1, ASKED, 100);
	heard(f, host(2), 2, ASKED, 100);
	heard(f, host(2), 2, NOT_ASKED, 101);
	assert_int_equal(neigh_expire(f->cache, 99), 0);
	assert_int_equal(neigh_expire(f->cache, 100 + NEIGH_AGEING_S), 0);
	assert_int_equal(neigh_expire(f->cache, 101 + NEIGH_AGEING_S), 1);
	assert_unknown(f, host(1));
	assert_at(f, host(2), 2, false, false);
}

static void test_flush_forgets_what_was_heard(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_permanent(f, host(1), 1), 0);
	assert_int_equal(set_gateway(f, host(2), true), 0);
	heard(f, host(2), 2, ASKED, 4000000000);
	heard(f, host(3), 3, ASKED, 100);
	neigh_flush(f->cache);
	assert_at(f, host(1), 1, true, false);
	assert_at(f, host(2), 0, false, true);
	assert_unknown(f, host(3));
}

/* --- gateways -------------------------------------------------------------------------------- */

static void test_gateway_is_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_gateway(f, host(1), true), 0);
	assert_at(f, host(1), 0, false, true);
	heard(f, host(1), 1, NOT_ASKED, 100);
	assert_at(f, host(1), 1, false, true);
	/* It fails over. */
	heard(f, host(1), 2, NOT_ASKED, 101);
	assert_at(f, host(1), 2, false, true);
	/* And dies. */
	assert_int_equal(neigh_expire(f->cache, 102 + NEIGH_AGEING_S), 1);
	assert_at(f, host(1), 0, false, true);
	assert_int_equal(neigh_expire(f->cache, 102 + NEIGH_AGEING_S), 0);
}

static void test_gateway_no_more(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_gateway(f, host(1), false), -ENOENT);
	assert_int_equal(set_gateway(f, host(1), true), 0);
	assert_int_equal(set_gateway(f, host(1), true), 0);
	assert_int_equal(set_gateway(f, host(1), false), 0);
	assert_unknown(f, host(1));
	assert_int_equal(set_gateway(f, host(1), false), -ENOENT);
	/* What else is known of it stays. */
	heard(f, host(2), 2, ASKED, 100);
	assert_int_equal(set_gateway(f, host(2), true), 0);
	assert_at(f, host(2), 2, false, true);
	assert_int_equal(set_gateway(f, host(2), false), 0);
	assert_at(f, host(2), 2, false, false);
	assert_int_equal(neigh_expire(f->cache, 101 + NEIGH_AGEING_S), 1);
	assert_int_equal(set_permanent(f, host(3), 3), 0);
	assert_int_equal(set_gateway(f, host(3), true), 0);
	assert_int_equal(set_gateway(f, host(3), false), 0);
	assert_at(f, host(3), 3, true, false);
}

/* --- liars ----------------------------------------------------------------------------------- */

static void test_changes_are_limited_in_time(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_gateway(f, host(1), true), 0);
	for (unsigned i = 1; i <= 2 * NEIGH_CHANGES_PER_S; i++)
		heard(f, host(1), i, NOT_ASKED, 100);
	assert_at(f, host(1), NEIGH_CHANGES_PER_S, false, true);
	heard(f, host(1), 5, NOT_ASKED, 101);
	assert_at(f, host(1), 5, false, true);
}

static void test_full_table(void **state)
{
	struct fixture *f = *state;
	struct neigh_row row;
	uint32_t cursor = 0;

	assert_int_equal(set_gateway(f, host(1000), true), 0);
	for (unsigned i = 0; i < 2 * SIZE; i++)
		heard(f, host(i), i, ASKED, i == 9 ? 99 : 100);
	assert_int_equal(count_rows(f), SIZE);
	assert_at(f, host(1), 1, false, false);
	heard(f, host(1000), 7, NOT_ASKED, 100);
	assert_at(f, host(1000), 7, false, true);
	/* What is configured comes in, instead of the longest unconfirmed. */
	assert_int_equal(set_permanent(f, host(2000), 1), 0);
	assert_unknown(f, host(9));
	for (unsigned i = 1; i < SIZE - 1; i++)
		assert_int_equal(set_permanent(f, host(2000 + i), 1), 0);
	assert_int_equal(set_permanent(f, host(3000), 1), -ENOSPC);
	assert_int_equal(set_gateway(f, host(3000), true), -ENOSPC);
	assert_int_equal(set_gateway(f, host(2000), true), 0);
	while (neigh_next(f->cache, &cursor, &row))
		assert_true(row.neighbour.permanent || row.neighbour.gateway);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_permanent_entry_stays),
		TEST(test_permanent_no_more),
		TEST(test_permanent_takes_over_what_was_heard),
		cmocka_unit_test_setup_teardown(test_many_permanent_entries, setup_many, teardown),
		TEST(test_answers_teach),
		TEST(test_strangers_teach_nothing),
		TEST(test_macs_and_addresses_of_nobody),
		TEST(test_heard_entry_expires_unless_confirmed),
		TEST(test_flush_forgets_what_was_heard),
		TEST(test_gateway_is_followed),
		TEST(test_gateway_no_more),
		TEST(test_changes_are_limited_in_time),
		TEST(test_full_table),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
