/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The switch as the control thread knows it: its configuration, ports, table and workers, and the
 * snapshot that the workers see of them.
 *
 * Thread-safety: control thread only.
 */

#include <time.h>

#include <event2/event.h>

#include "config/sluiced_config.h"
#include "lib/err.h"
#include "switch/control/worker_thread.h"
#include "switch/datapath/topology.h"
#include "switch/port/host.h"

struct sluice_switch {
	const struct sluiced_config *config;
	struct event_base *base;
	struct port_host host;
	struct event *attention_event;
	struct event *tick_event;
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct topology *topology; /* published: never NULL after start */
	struct port *port[PORT_MAX];
	unsigned n_ports;
	struct worker_thread worker[WORKER_MAX];
	unsigned n_workers;
	time_t started;
};

/*
 * Brings up everything the configuration names, ports first, then workers. On failure nothing is
 * left and *err says which part it was. `config` and `base` must outlive the switch.
 */
int switch_start(struct sluice_switch *sw, const struct sluiced_config *config,
	struct event_base *base, struct err *err);

/* Workers first, then ports: guests see their link go, sockets are removed. */
void switch_stop(struct sluice_switch *sw);

/* The port of this name, or NULL. */
struct port *switch_port(const struct sluice_switch *sw, const char *name);

/* The clock of the forwarding database. */
uint32_t switch_now_s(const struct sluice_switch *sw);
