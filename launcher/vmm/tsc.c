/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/tsc.h"

#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

#define PERIOD_NS 10000000
#define N_TRIES   8 /* one of which will not have been interrupted */

struct moment {
	int64_t ns;
	uint64_t ticks;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Both clocks at once: of some tries the one that took the least time. */
static struct moment read_both(void)
{
	int64_t best = INT64_MAX;
	struct moment moment = { 0 };

	for (int i = 0; i < N_TRIES; i++) {
		int64_t before = now_ns();
		uint64_t ticks = __rdtsc();
		int64_t took = now_ns() - before;

		if (took < best) {
			best = took;
			moment = (struct moment) { .ns = before + took / 2, .ticks = ticks };
		}
	}
	return moment;
}

unsigned tsc_khz(void)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };
	static unsigned khz;
	struct moment from, to;

	if (khz != 0)
		return khz;
	from = read_both();
	nanosleep(&period, NULL);
	to = read_both();
	khz = (unsigned)((to.ticks - from.ticks) * 1000000 / (uint64_t)(to.ns - from.ns));
	return khz;
}
