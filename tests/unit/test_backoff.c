/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "launcher/process/backoff.h"

static void test_grows_to_a_limit(void **state)
{
	static const unsigned expected[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	struct backoff b = { 0 };
	double now = 1e6;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		backoff_begun(&b, now);
		now += 10;
		assert_int_equal(backoff_ended(&b, now), expected[i]);
		now += expected[i];
	}
}

/* What did not begin has not lived, however long ago the last one did. */
static void test_failures_count(void **state)
{
	struct backoff b = { 0 };

	backoff_begun(&b, 0);
	assert_int_equal(backoff_ended(&b, 10), 100);
	assert_int_equal(backoff_ended(&b, 40000), 200);
	assert_int_equal(backoff_ended(&b, 90000), 400);
}

static void test_life_resets(void **state)
{
	struct backoff b = { 0 };

	for (int i = 0; i < 3; i++)
		(void)backoff_ended(&b, 0);
	backoff_begun(&b, 1000);
	assert_int_equal(backoff_ended(&b, 1000 + BACKOFF_LIFE_MS - 1), 800);
	backoff_begun(&b, 1000);
	assert_int_equal(backoff_ended(&b, 1000 + BACKOFF_LIFE_MS), 100);
	assert_int_equal(backoff_ended(&b, 50000), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_to_a_limit),
		cmocka_unit_test(test_failures_count),
		cmocka_unit_test(test_life_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
