/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/pipeline.h"

#include <rte_branch_prediction.h>

/* A burst on its way through. */
struct passage {
	struct pipeline *pl;
	struct fdb *fdb;
	const struct topology *t;
	struct port *ingress;
	struct counters *c; /* of the ingress */
	uint32_t now_s;
};

static void append(struct pipeline *pl, uint16_t id, struct frame *f)
{
	unsigned n = pl->n_list[id]++;

	if (n == 0)
		pl->active[pl->n_active++] = id;
	pl->list[id][n] = f;
}

static void flood(const struct passage *p, struct frame *f)
{
	const struct topology *t = p->t;

	for (unsigned i = 0; i < t->n_ports; i++) {
		uint16_t id = t->port[i]->id;

		if (t->port[i] == p->ingress)
			continue;
		if (likely(!t->vlans) || vlan_carries(t->vlan[id], f->vlan))
			append(p->pl, id, f);
	}
}

/* Whether the frame may come in here at all. */
static bool admit(const struct passage *p, struct frame *f)
{
	const struct vlan_policy *policy = p->t->vlan[p->ingress->id];

	if (unlikely(mac_is_reserved(frame_dst(f))) && !p->t->forward_reserved) {
		drop(p->c, DROP_RESERVED);
		return false;
	}
	if (unlikely(policy != NULL) && !vlan_admit(policy, f)) {
		drop(p->c, DROP_VLAN);
		return false;
	}
	return true;
}

static void decide(const struct passage *p, struct frame *f)
{
	const struct topology *t = p->t;
	uint16_t to = FDB_PORT_NONE;

	if (unlikely(!admit(p, f)))
		return;
	if (likely(!mac_is_multicast(frame_src(f))))
		fdb_learn(p->fdb, &p->pl->cache, fdb_key(f->vlan, frame_src(f)), p->ingress->id,
			p->now_s);
	if (unlikely(t->n_ports < 2)) {
		drop(p->c, DROP_NO_DESTINATION);
		return;
	}
	if (likely(!mac_is_multicast(frame_dst(f))))
		to = fdb_lookup(p->fdb, &p->pl->cache, fdb_key(f->vlan, frame_dst(f)));
	if (unlikely(to == p->ingress->id))
		drop(p->c, DROP_HAIRPIN);
	else if (likely(to != FDB_PORT_NONE && t->by_id[to]) &&
		 (likely(!t->vlans) || vlan_carries(t->vlan[to], f->vlan)))
		append(p->pl, to, f);
	else
		flood(p, f);
}

static void transmit(const struct passage *p, uint16_t id, unsigned queue, unsigned worker)
{
	struct port *egress = p->t->by_id[id];
	struct frame **list = p->pl->list[id];
	unsigned n = p->pl->n_list[id];

	if (unlikely(p->t->vlans))
		for (unsigned i = 0; i < n; i++)
			vlan_shape(p->t->vlan[id], list[i]);
	egress->ops->transmit(egress, queue, list, n, &egress->counters[worker]);
	p->pl->n_list[id] = 0;
}

void pipeline_run(struct pipeline *pl, struct fdb *fdb, const struct topology *t,
	const struct rx_queue *ingress, struct frame *burst, unsigned n, unsigned worker,
	uint32_t now_s)
{
	const struct passage p = {
		.pl = pl,
		.fdb = fdb,
		.t = t,
		.ingress = ingress->port,
		.c = &ingress->port->counters[worker],
		.now_s = now_s,
	};

	for (unsigned i = 0; i < n; i++)
		decide(&p, &burst[i]);
	for (unsigned i = 0; i < pl->n_active; i++)
		transmit(&p, pl->active[i], ingress->queue, worker);
	pl->n_active = 0;
}
