/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Waiting in the event loop, so that a sequence of steps reads as one. */

#include <stdbool.h>

struct event;
struct event_base;

/*
 * Runs the loop until done(arg), which is asked after each round of events. 0, or -ETIMEDOUT. Not
 * to be called from the loop's own callbacks.
 */
int loop_until(struct event_base *loop, unsigned timeout_ms, bool (*done)(const void *arg),
	const void *arg);

/* Has the timer run out so many milliseconds from now. As event_add(3). */
int loop_set_timer(struct event *timer, unsigned ms);

/* Milliseconds of CLOCK_MONOTONIC. */
double loop_now_ms(void);
