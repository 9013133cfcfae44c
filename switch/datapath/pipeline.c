/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/pipeline.h"

#include <rte_branch_prediction.h>

#include "switch/datapath/pod_quick.h"

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

/* --- in a pod --------------------------------------------------------------------------------- */

static void append_to(const struct passage *p, uint16_t id, struct frame *f)
{
	if (likely(id < PORT_MAX && p->t->by_id[id]))
		append(p->pl, id, f);
	else
		drop(p->c, DROP_NO_DESTINATION);
}

static void flood_guests(const struct passage *p, struct frame *f)
{
	const struct topology *t = p->t;

	for (unsigned i = 0; i < t->n_ports; i++)
		if (t->port[i] != p->ingress &&
			t->pod->port[t->port[i]->id].role == PORT_ROLE_GUEST)
			append(p->pl, t->port[i]->id, f);
}

/* From a guest: to the other one that has the address, or out. */
static void to_station(const struct passage *p, struct frame *f)
{
	uint16_t to = FDB_PORT_NONE;

	if (p->t->pod->only_guest == POD_NO_PORT)
		to = fdb_lookup(p->fdb, &p->pl->cache, fdb_key(f->vlan, frame_dst(f)));
	if (to == p->ingress->id)
		drop(p->c, DROP_HAIRPIN);
	else
		append_to(p, to != FDB_PORT_NONE ? to : p->t->pod->uplink, f);
}

static void answer(const struct passage *p, const struct pod_verdict *verdict, struct frame *f)
{
	struct frame *out = &p->pl->answer[p->pl->n_answers++];

	pod_answer(verdict, f, out);
	append(p->pl, p->ingress->id, out);
}

/* What is not decided quickly. */
static __attribute__((noinline)) void decide_slowly(const struct passage *p, struct frame *f)
{
	const struct pod *pod = p->t->pod;
	uint16_t from = p->ingress->id;
	struct pod_verdict verdict = pod_decide(pod, &p->pl->pod, from, f, p->now_s);

	/* A guest that is alone is all there is to find. */
	if (pod->only_guest == POD_NO_PORT && pod->port[from].role == PORT_ROLE_GUEST &&
		verdict.to != POD_DROP)
		fdb_learn(p->fdb, &p->pl->cache, fdb_key(f->vlan, frame_src(f)), from, p->now_s);
	switch (verdict.to) {
	case POD_DROP:
		drop(p->c, verdict.why);
		break;
	case POD_PORT:
		append_to(p, verdict.port, f);
		break;
	case POD_FLOOD:
		append_to(p, pod->uplink, f);
		/* fall through */
	case POD_GUESTS:
		flood_guests(p, f);
		break;
	case POD_NETWORK:
		to_station(p, f);
		break;
	case POD_ANSWER:
		answer(p, &verdict, f);
		break;
	}
}

static void decide_in_pod(const struct passage *p, struct frame *f)
{
	uint16_t to;

	if (unlikely(!admit(p, f)))
		return;
	to = pod_quick(p->t->pod, &p->pl->pod, p->ingress->id, f, p->now_s);
	if (likely(to != POD_NO_PORT && p->t->by_id[to]))
		append(p->pl, to, f);
	else
		decide_slowly(p, f);
}

/* --- both --------------------------------------------------------------------------------------
 */

static void transmit(const struct passage *p, uint16_t id, unsigned queue, unsigned worker)
{
	struct port *egress = p->t->by_id[id];
	struct frame **list = p->pl->list[id];
	unsigned n = p->pl->n_list[id];

	if (p->t->pod && id == p->t->pod->uplink)
		for (unsigned i = 0; i < n; i++)
			pod_quick_shape_uplink(p->t->pod, list[i]);
	if (unlikely(p->t->vlans))
		for (unsigned i = 0; i < n; i++)
			vlan_shape(p->t->vlan[id], list[i]);
	egress->ops->transmit(egress, queue, list, n, &egress->counters[worker]);
	p->pl->n_list[id] = 0;
}

/* A pod's uplink comes last: what is rewritten for it nobody reads any more. */
static void transmit_all(const struct passage *p, unsigned queue, unsigned worker)
{
	struct pipeline *pl = p->pl;
	uint16_t last = p->t->pod ? p->t->pod->uplink : POD_NO_PORT;

	for (unsigned i = 0; i < pl->n_active; i++)
		if (pl->active[i] != last)
			transmit(p, pl->active[i], queue, worker);
	if (last != POD_NO_PORT && pl->n_list[last] > 0)
		transmit(p, last, queue, worker);
	pl->n_active = 0;
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

	pl->n_answers = 0;
	for (unsigned i = 0; i < n; i++)
		if (t->pod)
			decide_in_pod(&p, &burst[i]);
		else
			decide(&p, &burst[i]);
	transmit_all(&p, ingress->queue, worker);
}
