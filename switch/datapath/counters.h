/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a port counts, one set per worker.
 *
 * Thread-safety: each set is written by one worker only, through counter_add(), and summed by the
 * control thread; a sum may be a few frames old but never torn.
 */

#include <stdint.h>

#include "switch/datapath/drop.h"
#include "switch/datapath/frame.h"

struct counters_way {
	uint64_t packets;
	uint64_t bytes;
	uint64_t super_frames; /* packets that carried a segmentation request */
};

struct counters {
	struct counters_way rx; /* into the switch */
	struct counters_way tx; /* out of the switch */
	uint64_t segmented;     /* super-frames cut in software for this egress */
	uint64_t checksummed;   /* checksums computed in software for this egress */
	uint64_t landed;        /* frames that were received straight into this guest */
	uint64_t wakeups;       /* notifications sent to the peer */
	uint64_t drop[DROP_N_REASONS];
} __attribute__((aligned(64)));

/* For a counter that one thread writes while others read it: ordinary loads and stores, whole. */
static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline void count_frame(struct counters_way *way, const struct frame *f)
{
	counter_add(&way->packets, 1);
	counter_add(&way->bytes, f->len);
	counter_add(&way->super_frames, f->offload.gso != GSO_NONE);
}

static inline void drop(struct counters *c, enum drop_reason reason)
{
	counter_add(&c->drop[reason], 1);
}

static inline void drop_n(struct counters *c, enum drop_reason reason, unsigned n)
{
	counter_add(&c->drop[reason], n);
}
