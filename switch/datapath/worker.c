/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/worker.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

uint32_t worker_now_s(const struct worker *w)
{
	return (uint32_t)(rte_rdtsc() / w->hz);
}

/* One round over all ports. Returns the frames that came in. */
static unsigned poll_ports(struct worker *w, const struct topology *t, uint32_t now_s)
{
	unsigned total = 0;

	for (unsigned i = 0; i < t->n_ports; i++) {
		struct port *p = t->port[i];
		struct counters *c = &p->counters[w->id];
		unsigned n = p->ops->receive(p, w->burst, BURST_MAX, t->sole[p->id], c);

		if (n > 0)
			pipeline_run(&w->pipeline, w->fdb, t, p, w->burst, n, w->id, now_s);
		p->ops->release(p, c);
		total += n;
	}
	return total;
}

static bool arm_all(const struct topology *t)
{
	bool work = false;

	for (unsigned i = 0; i < t->n_ports; i++)
		work |= t->port[i]->ops->arm(t->port[i]);
	return work;
}

/* A snapshot is good until the next quiescent point; going offline is one. */
static void go_to_sleep(struct worker *w)
{
	const struct topology *t = __atomic_load_n(w->topology, __ATOMIC_ACQUIRE);
	uint64_t before = rte_rdtsc();

	if (!arm_all(t) && !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
		w->sleep(w->ctx);
		rte_rcu_qsbr_thread_online(w->qsbr, w->id);
		w->stats.sleeps++;
		w->stats.sleep_cycles += rte_rdtsc() - before;
	}
	t = __atomic_load_n(w->topology, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < t->n_ports; i++)
		t->port[i]->ops->disarm(t->port[i]);
}

void worker_run(struct worker *w)
{
	uint64_t idle_since = rte_rdtsc();

	rte_rcu_qsbr_thread_register(w->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->qsbr, w->id);
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		const struct topology *t = __atomic_load_n(w->topology, __ATOMIC_ACQUIRE);
		uint64_t now = rte_rdtsc();
		unsigned n = poll_ports(w, t, (uint32_t)(now / w->hz));

		w->stats.loops++;
		w->stats.frames += n;
		rte_rcu_qsbr_quiescent(w->qsbr, w->id);
		if (n > 0) {
			w->stats.busy_loops++;
			idle_since = rte_rdtsc();
		} else if (now - idle_since >= w->spin_cycles) {
			go_to_sleep(w);
			idle_since = rte_rdtsc();
		} else {
			rte_pause();
		}
	}
	rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(w->qsbr, w->id);
}
