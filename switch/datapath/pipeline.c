/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/pipeline.h"

#include <rte_branch_prediction.h>

static void append(struct pipeline *pl, uint16_t id, struct frame *f)
{
	unsigned n = pl->n_list[id]++;

	if (n == 0)
		pl->active[pl->n_active++] = id;
	pl->list[id][n] = f;
}

static void flood(
	struct pipeline *pl, const struct topology *t, const struct port *ingress, struct frame *f)
{
	for (unsigned i = 0; i < t->n_ports; i++)
		if (t->port[i] != ingress)
			append(pl, t->port[i]->id, f);
}

static void decide(struct pipeline *pl, struct fdb *fdb, const struct topology *t,
	struct port *ingress, struct frame *f, struct counters *c, uint32_t now_s)
{
	uint16_t to = FDB_PORT_NONE;

	if (likely(!mac_is_multicast(frame_src(f))))
		fdb_learn(fdb, &pl->cache, fdb_key(f->vlan, frame_src(f)), ingress->id, now_s);
	if (unlikely(t->n_ports < 2)) {
		drop(c, DROP_NO_DESTINATION);
		return;
	}
	if (likely(!mac_is_multicast(frame_dst(f))))
		to = fdb_lookup(fdb, &pl->cache, fdb_key(f->vlan, frame_dst(f)));
	if (unlikely(to == ingress->id))
		drop(c, DROP_HAIRPIN);
	else if (likely(to != FDB_PORT_NONE && t->by_id[to]))
		append(pl, to, f);
	else
		flood(pl, t, ingress, f);
}

void pipeline_run(struct pipeline *pl, struct fdb *fdb, const struct topology *t,
	const struct rx_queue *ingress, struct frame *burst, unsigned n, unsigned worker,
	uint32_t now_s)
{
	struct port *from = ingress->port;

	for (unsigned i = 0; i < n; i++)
		decide(pl, fdb, t, from, &burst[i], &from->counters[worker], now_s);
	for (unsigned i = 0; i < pl->n_active; i++) {
		uint16_t id = pl->active[i];
		struct port *egress = t->by_id[id];

		egress->ops->transmit(egress, ingress->queue, pl->list[id], pl->n_list[id],
			&egress->counters[worker]);
		pl->n_list[id] = 0;
	}
	pl->n_active = 0;
}
