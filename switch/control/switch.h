/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The switch as the control thread knows it: its configuration, ports, table and workers, and the
 * snapshot that the workers see of them.
 *
 * The configuration is the whole truth: whatever changes (a reload, `port add`, `fdb add`, `worker
 * assign`) is a new configuration that apply.h makes the running one.
 *
 * Thread-safety: control thread only.
 */

#include <time.h>

#include <event2/event.h>

#include "config/sluiced_config.h"
#include "lib/err.h"
#include "switch/control/link_watch.h"
#include "switch/control/pod_control.h"
#include "switch/control/workers.h"
#include "switch/datapath/topology.h"
#include "switch/port/host.h"

/* Called for everything that happens; `port` and `detail` may be NULL. */
typedef void (*switch_event_fn)(void *ctx, const char *event, const char *port, const char *detail);

struct sluice_switch {
	struct sluiced_config config; /* running, owned */
	struct event_base *base;
	struct port_host host;
	struct link_watch links;
	struct pod_control pod;
	struct event *attention_event;
	struct event *tick_event;
	struct event *watchdog_event;
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct topology *topology; /* published: never NULL after start */
	struct port *port[PORT_MAX];
	unsigned n_ports;
	struct workers workers;
	time_t started;
	switch_event_fn on_event; /* NULL: nobody listens */
	void *event_ctx;
};

/*
 * Brings up everything the configuration names. On failure nothing is left and *err says which part
 * it was. Takes over what `config` owns, whatever happens. `base` must outlive the switch.
 */
int switch_start(struct sluice_switch *sw, struct sluiced_config *config, struct event_base *base,
	struct err *err);

/* Guests see their link go, sockets are removed, workers end. */
void switch_stop(struct sluice_switch *sw);

/* The port of this name, or NULL. */
struct port *switch_port(const struct sluice_switch *sw, const char *name);

/* Its configuration. */
const struct port_config *switch_port_config(const struct sluice_switch *sw, const char *name);

/* The clock of the forwarding database. */
uint32_t switch_now_s(const struct sluice_switch *sw);

/*
 * Shows the workers sw->port[0 .. n_ports) and who owns their queues; returns when no worker sees
 * what was there before. -ENOMEM: nothing has changed.
 */
int switch_publish(struct sluice_switch *sw, struct err *err);

/* Frees the snapshot; there is no worker any more. */
void switch_unpublish(struct sluice_switch *sw);

/* Logs that something was done by order and tells whoever listens. */
void switch_event(
	struct sluice_switch *sw, const char *event, const char *port, const char *detail);
