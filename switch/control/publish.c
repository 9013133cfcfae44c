/* SPDX-License-Identifier: BSD-3-Clause */

/* Snapshots: from the ports, their policies and the owners of their queues (topology.h). */
#include "switch/control/switch.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "switch/datapath/fdb.h"

/*
 * In a pod the uplink's frames go to its guest, not to the host port. The guest also receives from
 * others (the host port, the switch's answers), so that it must be the same worker that serves all
 * of them: what it has offered is settled then before it does anything else.
 */
static struct port *sole_guest(
	const struct topology *t, const struct port *from, unsigned n_workers)
{
	uint16_t guest = t->pod->only_guest;

	if (from->id != t->pod->uplink || guest == POD_NO_PORT || n_workers > 1)
		return NULL;
	return t->by_id[guest]->ops->landing ? t->by_id[guest] : NULL;
}

/* The only port that frames of `from` can go to and land in, or NULL. */
static struct port *sole_receiver(
	const struct topology *t, const struct port *from, unsigned n_workers)
{
	const struct port *sole = NULL;

	/* A tag that comes or goes would move what has landed. */
	if (t->vlans)
		return NULL;
	if (t->pod)
		return sole_guest(t, from, n_workers);
	if (t->n_ports != 2)
		return NULL;
	sole = t->port[t->port[0] == from];
	return sole->ops->landing ? t->port[t->port[0] == from] : NULL;
}

static void list_queues(const struct workers *ws, struct topology *t)
{
	unsigned n = 0;

	for (unsigned w = 0; w < ws->n; w++) {
		t->rx[w].queue = t->queues + n;
		for (size_t i = 0; i < ws->n_owners; i++) {
			const struct queue_owner *o = &ws->owner[i];

			if (o->worker == w && t->by_id[o->port->id] == o->port)
				t->queues[n++] = (struct rx_queue) { o->port, o->queue };
		}
		t->rx[w].n = (unsigned)(t->queues + n - t->rx[w].queue);
	}
}

/* One for each port, at the index it has in sw->port; NULL where all frames cross. */
static void list_policies(const struct sluice_switch *sw, struct topology *t)
{
	struct vlan_policy *policy = t->policies;

	for (unsigned i = 0; i < sw->n_ports; i++) {
		const struct port_config *c = switch_port_config(sw, sw->port[i]->name);

		if (!c || (c->vlan == 0 && !c->has_trunks))
			continue;
		*policy = (struct vlan_policy) { c->vlan, c->has_trunks, c->trunks };
		t->vlan[sw->port[i]->id] = policy++;
		t->vlans = true;
	}
}

static void topology_free(struct topology *t)
{
	if (t) {
		free(t->policies);
		free(t->pod);
	}
	free(t);
}

static struct topology *topology_new(const struct sluice_switch *sw)
{
	struct topology *t = calloc(1, sizeof(*t) + sw->workers.n_owners * sizeof(t->queues[0]));

	if (!t)
		return NULL;
	t->policies = calloc(sw->n_ports + 1, sizeof(*t->policies));
	if (!t->policies || pod_control_policy(sw, &t->pod) < 0) {
		topology_free(t);
		return NULL;
	}
	t->forward_reserved = sw->config.forward_reserved;
	for (unsigned i = 0; i < sw->n_ports; i++) {
		t->port[i] = sw->port[i];
		t->by_id[sw->port[i]->id] = sw->port[i];
	}
	t->n_ports = sw->n_ports;
	list_policies(sw, t);
	list_queues(&sw->workers, t);
	for (unsigned i = 0; i < t->n_ports; i++)
		t->sole[t->port[i]->id] = sole_receiver(t, t->port[i], sw->workers.n);
	return t;
}

void switch_unpublish(struct sluice_switch *sw)
{
	topology_free(steal_ptr(&sw->topology));
}

int switch_publish(struct sluice_switch *sw, struct err *err)
{
	struct topology *t = topology_new(sw);

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	t = __atomic_exchange_n(&sw->topology, t, __ATOMIC_ACQ_REL);
	workers_quiesce(&sw->workers);
	topology_free(t);
	return 0;
}
