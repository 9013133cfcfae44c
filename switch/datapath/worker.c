/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/worker.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

/* One round over all its queues. Returns the frames that came in. */
static unsigned poll_queues(struct worker *w, const struct topology *t, uint32_t now_s)
{
	const struct rx_list *rx = &t->rx[w->id];
	unsigned total = 0;

	for (const struct rx_queue *q = rx->queue; q < rx->queue + rx->n; q++) {
		struct port *p = q->port;
		struct counters *c = &p->counters[w->id];
		unsigned n = p->ops->receive(p, q->queue, w->burst, BURST_MAX, t->sole[p->id], c);

		if (n > 0)
			pipeline_run(&w->pipeline, w->fdb, t, q, w->burst, n, w->id, now_s);
		p->ops->release(p, q->queue, c);
		total += n;
	}
	return total;
}

static bool arm_all(const struct rx_list *rx)
{
	bool work = false;

	for (const struct rx_queue *q = rx->queue; q < rx->queue + rx->n; q++)
		work |= q->port->ops->arm(q->port, q->queue);
	return work;
}

static void disarm_all(const struct rx_list *rx)
{
	for (const struct rx_queue *q = rx->queue; q < rx->queue + rx->n; q++)
		q->port->ops->disarm(q->port, q->queue);
}

/*
 * Arms the snapshot that the last round polled, and lets go of it by going offline: until then
 * nothing in it is closed, which matters to a queue that waits for another port's buffers. Whoever
 * publishes another one wakes us afterwards.
 */
static void go_to_sleep(struct worker *w, const struct topology *t)
{
	uint64_t before = rte_rdtsc();

	if (!arm_all(&t->rx[w->id]) && !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
		w->sleep(w->ctx);
		rte_rcu_qsbr_thread_online(w->qsbr, w->id);
		counter_add(&w->stats.sleeps, 1);
		counter_add(&w->stats.sleep_cycles, rte_rdtsc() - before);
		t = __atomic_load_n(w->topology, __ATOMIC_ACQUIRE);
	}
	disarm_all(&t->rx[w->id]);
}

struct worker_stats worker_stats(const struct worker *w)
{
	const struct worker_stats *s = &w->stats;

	return (struct worker_stats) {
		.loops = counter_read(&s->loops),
		.busy_loops = counter_read(&s->busy_loops),
		.frames = counter_read(&s->frames),
		.sleeps = counter_read(&s->sleeps),
		.sleep_cycles = counter_read(&s->sleep_cycles),
	};
}

void worker_run(struct worker *w)
{
	uint64_t idle_since = rte_rdtsc();

	rte_rcu_qsbr_thread_register(w->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->qsbr, w->id);
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		const struct topology *t = __atomic_load_n(w->topology, __ATOMIC_ACQUIRE);
		uint64_t now = rte_rdtsc();
		unsigned n = poll_queues(w, t, (uint32_t)(now / w->hz));

		counter_add(&w->stats.loops, 1);
		counter_add(&w->stats.frames, n);
		if (n > 0) {
			counter_add(&w->stats.busy_loops, 1);
			idle_since = rte_rdtsc();
		} else if (now - idle_since >= __atomic_load_n(&w->spin_cycles, __ATOMIC_RELAXED)) {
			go_to_sleep(w, t);
			idle_since = rte_rdtsc();
		} else {
			rte_pause();
		}
		rte_rcu_qsbr_quiescent(w->qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(w->qsbr, w->id);
}
