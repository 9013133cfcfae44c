/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/loop.h"

#include <errno.h>
#include <time.h>

#include <event2/event.h>

double loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int loop_set_timer(struct event *timer, unsigned ms)
{
	const struct timeval wait = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	return event_add(timer, &wait);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	bool *over = arg;

	*over = true;
}

int loop_until(struct event_base *loop, unsigned timeout_ms, bool (*done)(const void *arg),
	const void *arg)
{
	bool over = false;
	struct event *timer = evtimer_new(loop, on_timeout, &over);

	if (timer == NULL || loop_set_timer(timer, timeout_ms) < 0)
		over = true;
	while (!done(arg) && !over)
		(void)event_base_loop(loop, EVLOOP_ONCE);
	if (timer != NULL)
		event_free(timer);
	return done(arg) ? 0 : -ETIMEDOUT;
}
