/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/balance.h"

#define EACH_OWNER(o, ws)                                                                          \
	struct queue_owner *o = (ws)->owner;                                                       \
	o < (ws)->owner + (ws)->n_owners;                                                          \
	o++

/* The worker that the configuration names for a queue, or WORKER_NONE: any may have it. */
static unsigned named_owner(const struct port_config *c, unsigned queue)
{
	return c->n_workers > 0 ? c->workers[queue % c->n_workers] : WORKER_NONE;
}

/* How many queues each worker would have if all were shared out evenly, rounded up. */
static unsigned fair_share(const struct sluice_switch *sw)
{
	unsigned n = sw->config.n_workers;

	return n ? (unsigned)(sw->workers.n_owners + n - 1) / n : UINT_MAX;
}

bool balance_release(struct sluice_switch *sw, bool spread)
{
	unsigned share = spread ? fair_share(sw) : UINT_MAX;
	unsigned n_kept[WORKER_MAX] = { 0 };
	bool any = false;

	for (EACH_OWNER(o, &sw->workers)) {
		const struct port_config *c = switch_port_config(sw, o->port->name);
		unsigned named = c ? named_owner(c, o->queue) : WORKER_NONE;
		bool stays = named == WORKER_NONE || named == o->worker;

		o->was = o->worker;
		if (o->worker == WORKER_NONE || !c)
			continue;
		if (named == WORKER_NONE)
			stays = o->worker < sw->config.n_workers && n_kept[o->worker] < share;
		if (stays) {
			n_kept[o->worker]++;
			continue;
		}
		workers_assign(&sw->workers, o->port, o->queue, WORKER_NONE);
		any = true;
	}
	return any;
}

void balance_take_back(struct sluice_switch *sw)
{
	for (EACH_OWNER(o, &sw->workers))
		workers_assign(&sw->workers, o->port, o->queue, o->was);
}

static void hand_out(struct sluice_switch *sw, bool named_ones)
{
	for (EACH_OWNER(o, &sw->workers)) {
		const struct port_config *c = switch_port_config(sw, o->port->name);
		unsigned named = c ? named_owner(c, o->queue) : WORKER_NONE;

		if (o->worker != WORKER_NONE || !c || (named != WORKER_NONE) != named_ones)
			continue;
		if (named == WORKER_NONE)
			named = workers_least_loaded(&sw->workers, sw->config.n_workers);
		workers_assign(&sw->workers, o->port, o->queue, named);
	}
}

void balance_hand_out(struct sluice_switch *sw)
{
	hand_out(sw, true);
	hand_out(sw, false);
}
