/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/loop.h"

#include <errno.h>
#include <time.h>

#include <event2/event.h>

double loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int loop_until(struct event_base *loop, unsigned timeout_ms, bool (*done)(const void *arg),
	const void *arg)
{
	double end_ms = loop_now_ms() + timeout_ms;

	while (!done(arg)) {
		double left_ms = end_ms - loop_now_ms();
		struct timeval left;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		left = (struct timeval) { (time_t)(left_ms / 1e3),
			(suseconds_t)(left_ms * 1e3) % 1000000 };
		(void)event_base_loopexit(loop, &left);
		(void)event_base_loop(loop, EVLOOP_ONCE);
	}
	return 0;
}
