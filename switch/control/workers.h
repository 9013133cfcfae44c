/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * All workers together: how many there are, which of them owns which queue, and which descriptors
 * end whose sleep.
 *
 * Ownership is a list that the control thread changes and from which each topology snapshot is made
 * (switch.h). A queue's descriptors follow it: they are taken out of its old owner's epoll set and
 * put into the new one's.
 *
 * Thread-safety: control thread only.
 */

#include "config/sluiced_config.h"
#include "lib/err.h"
#include "switch/control/worker_thread.h"
#include "switch/datapath/topology.h"

#define WORKER_NONE UINT_MAX

/* A queue, and the worker that polls it (WORKER_NONE: nobody, for now). */
struct queue_owner {
	struct port *port;
	unsigned queue;
	unsigned worker;
	unsigned was; /* its worker before balance.h took it away */
};

/* A descriptor, and whose sleep it ends. */
struct watch {
	const struct port *port;
	unsigned queue; /* QUEUE_ANY: every worker's */
	int fd;
};

struct workers {
	struct topology **topology; /* where the current snapshot is published */
	struct fdb *fdb;
	struct rte_rcu_qsbr *qsbr;
	unsigned n;
	struct worker_thread thread[WORKER_MAX];
	struct queue_owner *owner;
	size_t n_owners;
	struct watch *watch;
	size_t n_watches;
};

/* No worker yet. A topology is published already, and must be as long as there are workers. */
void workers_init(
	struct workers *ws, struct topology **topology, struct fdb *fdb, struct rte_rcu_qsbr *qsbr);

/*
 * Starts workers until there are `n`, the new ones bound to their CPUs (-1: any). -errno with *err
 * set; then there are as many as before. Workers above n are left alone: see workers_shrink().
 */
int workers_grow(
	struct workers *ws, unsigned n, const int32_t *cpus, uint32_t spin_us, struct err *err);

/* Binds the first n of them to these CPUs (-1: any). -errno with *err set; some are bound then. */
int workers_bind(struct workers *ws, unsigned n, const int32_t *cpus, struct err *err);

/* Ends those above n. They own no queue any more. */
void workers_shrink(struct workers *ws, unsigned n);

/* Ends all and frees everything. */
void workers_stop(struct workers *ws);

/* How long they spin before they sleep; SPIN_FOREVER: they never sleep. */
void workers_set_spin(struct workers *ws, uint32_t spin_us);

/* Returns when no worker holds anything any more that it took from a snapshot before the call. */
void workers_quiesce(struct workers *ws);

void workers_wake(struct workers *ws);

/* As in host.h. */
int workers_watch(struct workers *ws, const struct port *port, unsigned queue, int fd);
void workers_unwatch(struct workers *ws, int fd);

/* Adds the queues of a new port, owned by nobody. -ENOMEM. */
int workers_add_port(struct workers *ws, struct port *port);

/* Forgets a port's queues. */
void workers_del_port(struct workers *ws, const struct port *port);

/* The owner of a queue. */
unsigned workers_owner(const struct workers *ws, const struct port *port, unsigned queue);

/* The worker, below `n`, with the fewest queues. */
unsigned workers_least_loaded(const struct workers *ws, unsigned n);

/*
 * Gives a queue to a worker or to nobody. No worker polls it: it was owned by nobody in the last
 * snapshot that workers can still see, or will not be in the next one and is not slept for.
 */
void workers_assign(struct workers *ws, const struct port *port, unsigned queue, unsigned worker);
