/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>
#include <x86intrin.h>

#include "launcher/vmm/tsc.h"

/* Against a measurement that is plainer and longer. Both clocks go on while a process waits. */
static void test_counts_as_fast_as_told(void **state)
{
	struct timespec from, to;
	uint64_t ticks, ms;

	clock_gettime(CLOCK_MONOTONIC, &from);
	ticks = __rdtsc();
	do {
		clock_gettime(CLOCK_MONOTONIC, &to);
		ms = (uint64_t)((to.tv_sec - from.tv_sec) * 1000 +
				(to.tv_nsec - from.tv_nsec) / 1000000);
	} while (ms < 200);
	ticks = __rdtsc() - ticks;
	assert_in_range(tsc_khz(), ticks / ms * 9 / 10, ticks / ms * 11 / 10);
	assert_int_equal(tsc_khz(), tsc_khz());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_as_fast_as_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
