/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/workers.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "switch/port/host.h"

#define QUIESCE_PATIENCE_MS 50

void workers_init(
	struct workers *ws, struct topology **topology, struct fdb *fdb, struct rte_rcu_qsbr *qsbr)
{
	*ws = (struct workers) { .topology = topology, .fdb = fdb, .qsbr = qsbr };
}

/* --- threads --------------------------------------------------------------------------------- */

/* A new worker has to hear of the descriptors that concern everybody. */
static int watch_common(struct workers *ws, struct worker_thread *wt, struct err *err)
{
	for (size_t i = 0; i < ws->n_watches; i++) {
		int ret = 0;

		if (ws->watch[i].queue == QUEUE_ANY)
			ret = worker_thread_watch(wt, ws->watch[i].fd);
		if (ret < 0)
			return err_errno(err, -ret, "cannot watch a descriptor");
	}
	return 0;
}

static int start_one(struct workers *ws, int cpu, uint32_t spin_us, struct err *err)
{
	const struct worker_settings settings = {
		.id = ws->n,
		.cpu = cpu,
		.spin_us = spin_us,
		.topology = ws->topology,
		.fdb = ws->fdb,
		.qsbr = ws->qsbr,
	};
	struct worker_thread *wt = &ws->thread[ws->n];
	int ret = worker_thread_init(wt, &settings, err);

	if (ret < 0)
		return ret;
	ret = watch_common(ws, wt, err);
	if (ret == 0)
		ret = worker_thread_start(wt, err);
	if (ret < 0)
		worker_thread_free(wt);
	else
		ws->n++;
	return ret;
}

int workers_grow(
	struct workers *ws, unsigned n, const int32_t *cpus, uint32_t spin_us, struct err *err)
{
	unsigned before = ws->n;
	int ret = 0;

	while (ret == 0 && ws->n < n)
		ret = start_one(ws, cpus[ws->n], spin_us, err);
	if (ret < 0)
		workers_shrink(ws, before);
	return ret;
}

int workers_bind(struct workers *ws, unsigned n, const int32_t *cpus, struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < n && i < ws->n; i++)
		ret = worker_thread_bind(&ws->thread[i], cpus[i], err);
	return ret;
}

void workers_shrink(struct workers *ws, unsigned n)
{
	while (ws->n > n) {
		ws->n--;
		worker_thread_join(&ws->thread[ws->n]);
		worker_thread_free(&ws->thread[ws->n]);
	}
}

void workers_stop(struct workers *ws)
{
	workers_shrink(ws, 0);
	free(steal_ptr(&ws->owner));
	free(steal_ptr(&ws->watch));
	ws->n_owners = ws->n_watches = 0;
}

void workers_set_spin(struct workers *ws, uint32_t spin_us)
{
	for (unsigned i = 0; i < ws->n; i++)
		worker_thread_set_spin(&ws->thread[i], spin_us);
}

/*
 * Workers make no system call that waits, with one exception: a hostile VMM shares the call eventfd
 * with us, can make it blocking again and fill it. A worker that hangs in that write is
 * interrupted; virtqueue_signal() takes EINTR for the proof. The switch's watchdog looks after one
 * that hangs while nobody asks for a grace period.
 */
void workers_quiesce(struct workers *ws)
{
	uint64_t token = rte_rcu_qsbr_start(ws->qsbr), start = rte_rdtsc();
	uint64_t patience = rte_get_tsc_hz() / 1000 * QUIESCE_PATIENCE_MS;

	while (!rte_rcu_qsbr_check(ws->qsbr, token, false)) {
		if (rte_rdtsc() - start > patience) {
			for (unsigned i = 0; i < ws->n; i++)
				worker_thread_interrupt(&ws->thread[i]);
			start = rte_rdtsc();
		}
		rte_pause();
	}
}

void workers_wake(struct workers *ws)
{
	for (unsigned i = 0; i < ws->n; i++)
		worker_thread_wake(&ws->thread[i]);
}

/* --- ownership ------------------------------------------------------------------------------- */

static struct queue_owner *find_owner(
	const struct workers *ws, const struct port *port, unsigned queue)
{
	for (size_t i = 0; i < ws->n_owners; i++)
		if (ws->owner[i].port == port && ws->owner[i].queue == queue)
			return &ws->owner[i];
	return NULL;
}

unsigned workers_owner(const struct workers *ws, const struct port *port, unsigned queue)
{
	const struct queue_owner *o = find_owner(ws, port, queue);

	return o ? o->worker : WORKER_NONE;
}

int workers_add_port(struct workers *ws, struct port *port)
{
	size_t n = ws->n_owners + port->n_queues;
	struct queue_owner *owner = reallocarray(ws->owner, n, sizeof(*owner));

	if (!owner)
		return -ENOMEM;
	ws->owner = owner;
	for (unsigned q = 0; q < port->n_queues; q++)
		owner[ws->n_owners++] = (struct queue_owner) { port, q, WORKER_NONE, WORKER_NONE };
	return 0;
}

void workers_del_port(struct workers *ws, const struct port *port)
{
	size_t n = 0;

	for (size_t i = 0; i < ws->n_owners; i++)
		if (ws->owner[i].port != port)
			ws->owner[n++] = ws->owner[i];
	ws->n_owners = n;
}

unsigned workers_least_loaded(const struct workers *ws, unsigned n)
{
	unsigned load[WORKER_MAX] = { 0 }, best = 0;

	for (size_t i = 0; i < ws->n_owners; i++)
		if (ws->owner[i].worker < n)
			load[ws->owner[i].worker]++;
	for (unsigned i = 1; i < n; i++)
		if (load[i] < load[best])
			best = i;
	return best;
}

void workers_assign(struct workers *ws, const struct port *port, unsigned queue, unsigned worker)
{
	struct queue_owner *o = find_owner(ws, port, queue);

	if (!o || o->worker == worker)
		return;
	for (size_t i = 0; i < ws->n_watches; i++) {
		const struct watch *w = &ws->watch[i];

		if (w->port != port || w->queue != queue)
			continue;
		if (o->worker != WORKER_NONE)
			worker_thread_unwatch(&ws->thread[o->worker], w->fd);
		if (worker != WORKER_NONE && worker_thread_watch(&ws->thread[worker], w->fd) < 0)
			log_error("out of memory: a worker will not wake up for a queue",
				log_str("port", port->name), log_int("queue", queue));
	}
	o->worker = worker;
}

/* --- descriptors ----------------------------------------------------------------------------- */

static bool concerns(const struct workers *ws, const struct watch *w, unsigned worker)
{
	return w->queue == QUEUE_ANY || workers_owner(ws, w->port, w->queue) == worker;
}

static void unwatch_by(struct workers *ws, const struct watch *w, unsigned n_workers)
{
	for (unsigned i = 0; i < n_workers; i++)
		if (concerns(ws, w, i))
			worker_thread_unwatch(&ws->thread[i], w->fd);
}

int workers_watch(struct workers *ws, const struct port *port, unsigned queue, int fd)
{
	const struct watch w = { port, queue, fd };
	struct watch *grown = reallocarray(ws->watch, ws->n_watches + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	ws->watch = grown;
	for (unsigned i = 0; i < ws->n; i++) {
		int ret = concerns(ws, &w, i) ? worker_thread_watch(&ws->thread[i], fd) : 0;

		if (ret < 0) {
			unwatch_by(ws, &w, i);
			return ret;
		}
	}
	ws->watch[ws->n_watches++] = w;
	return 0;
}

void workers_unwatch(struct workers *ws, int fd)
{
	for (size_t i = 0; i < ws->n_watches; i++) {
		if (ws->watch[i].fd != fd)
			continue;
		unwatch_by(ws, &ws->watch[i], ws->n);
		ws->watch[i] = ws->watch[--ws->n_watches];
		return;
	}
}
