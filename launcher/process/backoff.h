/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How long to wait before something that ended is started again: 0.1 s, then twice as long each
 * time up to 5 s; 0.1 s again once it has lived for 30 s. Times are those of loop_now_ms().
 */

#include <stdbool.h>

#define BACKOFF_MIN_MS  100
#define BACKOFF_MAX_MS  5000
#define BACKOFF_LIFE_MS 30000

struct backoff {
	double begun_ms;
	bool lives;
	unsigned next_ms; /* 0: BACKOFF_MIN_MS */
};

/* It lives from now on. */
void backoff_begun(struct backoff *b, double now_ms);

/* It has ended, or could not begin: how many milliseconds to wait. */
unsigned backoff_ended(struct backoff *b, double now_ms);
