/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>
#include <x86intrin.h>

#include "launcher/vmm/tsc.h"

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Both clocks at once: nobody came in between. */
static uint64_t read_both(uint64_t *us)
{
	uint64_t ticks;

	do {
		*us = now_us();
		ticks = __rdtsc();
	} while (now_us() - *us > 1000);
	return ticks;
}

/* Against a measurement that is plainer and longer. Both clocks go on while a process waits. */
static void test_counts_as_fast_as_told(void **state)
{
	uint64_t from_us, to_us, from = read_both(&from_us), to, khz;

	do
		to = read_both(&to_us);
	while (to_us - from_us < 200000);
	khz = (to - from) * 1000 / (to_us - from_us);
	assert_in_range(tsc_khz(), khz * 9 / 10, khz * 11 / 10);
	assert_int_equal(tsc_khz(), tsc_khz());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_as_fast_as_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
