/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/backoff.h"

void backoff_begun(struct backoff *b, double now_ms)
{
	b->begun_ms = now_ms;
	b->lives = true;
}

unsigned backoff_ended(struct backoff *b, double now_ms)
{
	unsigned wait_ms;

	if (b->next_ms == 0 || (b->lives && now_ms - b->begun_ms >= BACKOFF_LIFE_MS))
		b->next_ms = BACKOFF_MIN_MS;
	b->lives = false;
	wait_ms = b->next_ms;
	b->next_ms = wait_ms < BACKOFF_MAX_MS / 2 ? 2 * wait_ms : BACKOFF_MAX_MS;
	return wait_ms;
}
