/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Two connected stream sockets, and bytes copied between them in both directions. Each direction
 * ends on its own (half-close); when one socket breaks, both are closed, and a peer that speaks TCP
 * sees a reset. Who does not read holds up the other: 64 KiB wait here at most.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include "lib/err.h"

struct event_base;
struct stream_pair;

struct stream_pair_owner {
	/* Once, from the event loop: it is to be freed. */
	void (*ended)(void *owner);
	void *owner;
};

/* Both are non-blocking, and the pair's own from here on, whatever is returned. NULL: no memory. */
struct stream_pair *stream_pair_start(
	struct event_base *loop, int one, int other, const struct stream_pair_owner *owner);

/* Closes both. May be NULL. */
void stream_pair_free(struct stream_pair *pair);
