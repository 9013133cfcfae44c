/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The loop that moves frames. It polls the queues it owns, runs each burst to completion, and when
 * nothing has come for `spin` it goes to sleep:
 *
 *   arm every queue   from here on its peer signals
 *   look again        arm() reports what came in before the peer knew; then there is no sleep
 *   sleep             until any watched descriptor has an edge, outside of the grace-period scheme
 *   disarm            and poll again
 *
 * No wake-up is lost: each queue makes its wish visible before it looks (a full fence on a ring, a
 * system call on a socket), and the peer makes its work visible before it looks at the wish.
 *
 * Thread-safety: the loop owns everything but `topology`, `stop`, `spin_cycles` (control writes)
 * and the statistics, which it alone writes and control reads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/fdb.h"
#include "switch/datapath/pipeline.h"
#include "switch/datapath/topology.h"

struct rte_rcu_qsbr;

struct worker_stats {
	uint64_t loops;
	uint64_t busy_loops; /* that moved at least one frame */
	uint64_t frames;
	uint64_t sleeps;
	uint64_t sleep_cycles;
};

struct worker {
	unsigned id;
	struct topology **topology; /* where the current snapshot is published */
	struct fdb *fdb;
	struct rte_rcu_qsbr *qsbr;
	uint64_t spin_cycles; /* UINT64_MAX: never sleep; control writes */
	uint64_t hz;          /* time stamp counter */
	bool stop;            /* set by control, then it wakes the worker */
	/* Waits until a watched descriptor becomes ready. */
	void (*sleep)(void *ctx);
	void *ctx;

	struct worker_stats stats;
	struct pipeline pipeline;
	struct frame burst[BURST_MAX];
};

/* Any thread; each number is whole, together they may be a round apart. */
struct worker_stats worker_stats(const struct worker *w);

/* Runs until `stop`. */
void worker_run(struct worker *w);
